//! Mail addresses.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Masked;

/// A mailbox address with the name people see.
///
/// Equality compares both parts as written; [`Address::is_same_mailbox`] compares the mailbox alone.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The display name, decoded. A claim of the sender: it may itself look like an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address itself, `local@domain`, without angle brackets. Parsing keeps what stood there, so it need not hold an `@`.
    pub address: String,
}

impl Address {
    /// An address without a name.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            name: None,
            address: address.into(),
        }
    }

    /// An address with a name.
    pub fn named(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            address: address.into(),
        }
    }

    /// What stands after the last `@`, if there is one.
    pub fn domain(&self) -> Option<&str> {
        self.address.rsplit_once('@').map(|(_, domain)| domain)
    }

    /// The name, or else the address: what a list of messages shows.
    pub fn display_name(&self) -> &str {
        match self.name.as_deref().map(str::trim) {
            Some(name) if !name.is_empty() => name,
            _ => &self.address,
        }
    }

    /// Whether mail to both reaches the same mailbox as far as text can tell: case is ignored, names are too. Aliases a provider
    /// folds together (dots, `+tags`) are not known here.
    pub fn is_same_mailbox(&self, other: &Self) -> bool {
        self.mailbox_key() == other.mailbox_key()
    }

    /// The address in lower case, for comparing and for sets.
    pub fn mailbox_key(&self) -> String {
        self.address.trim().to_lowercase()
    }
}

impl fmt::Display for Address {
    /// The form people write: `Jana Novak <jana@example.org>`. Not safe for a header; [`crate::mail::OutgoingMessage`] writes those.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => f.write_str(&self.address),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", Masked::new(&self.address))
    }
}

impl From<&str> for Address {
    fn from(address: &str) -> Self {
        Self::new(address)
    }
}

impl From<String> for Address {
    fn from(address: String) -> Self {
        Self::new(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_compared_without_case_and_name() {
        let left = Address::named("Jana", "Jana.Novak@Example.org");
        assert!(left.is_same_mailbox(&Address::new("jana.novak@example.ORG")));
        assert!(!left.is_same_mailbox(&Address::new("jana@example.org")));
    }

    #[test]
    fn debug_hides_the_address() {
        let shown = format!("{:?}", Address::named("Jana Novak", "jana.novak@example.org"));
        assert!(!shown.contains("Novak") && !shown.contains("jana.novak"), "{shown}");
    }

    #[test]
    fn the_display_name_falls_back_to_the_address() {
        assert_eq!(Address::named("  ", "a@b.example").display_name(), "a@b.example");
        assert_eq!(Address::named("A", "a@b.example").display_name(), "A");
    }
}
