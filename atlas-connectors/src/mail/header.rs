//! The header fields of a message as they stood there.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One header field.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The name in the sender's spelling; compare without case.
    pub name: String,
    /// The value with folding undone, as UTF-8. RFC 2047 words are left as they are.
    pub value: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({} bytes)", self.value.len())
    }
}

/// All header fields of a message, in order, repeats included.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// Headers in this order.
    pub fn new(headers: Vec<Header>) -> Self {
        Self(headers)
    }

    /// The value of the first (topmost) field of this name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of every field of this name, topmost first.
    pub fn all<'h, 'n>(&'h self, name: &'n str) -> impl Iterator<Item = &'h str> + use<'h, 'n> {
        self.0
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value.as_str())
    }

    /// Whether a field of this name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// Every field, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.iter()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Headers({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_repeats_keep_their_order() {
        let headers = Headers::new(
            [("Received", "one"), ("X-A", "a"), ("received", "two")]
                .map(|(name, value)| Header {
                    name: name.into(),
                    value: value.into(),
                })
                .into(),
        );
        assert_eq!(headers.first("RECEIVED"), Some("one"));
        assert_eq!(headers.all("Received").collect::<Vec<_>>(), ["one", "two"]);
        assert!(!headers.contains("Subject"));
    }
}
