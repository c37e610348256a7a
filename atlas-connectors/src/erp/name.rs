//! Names that an ERP gives to its things.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Declares a shared text that is compared as it stands.
macro_rules! shared_text {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as the provider writes it.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::new(String::deserialize(deserializer)?))
            }
        }
    };
}

shared_text! {
    /// An entity in the provider's spelling: `sale.order`, `A_SalesOrder`, `salesOrders`. Cheap to clone.
    EntityName
}
shared_text! {
    /// A field or relation in the provider's spelling: `partner_id`, `SoldToParty`, `customerNumber`; a dotted path where
    /// the provider has them (`partner_id.name`). Cheap to clone.
    FieldName
}

/// An action in the provider's spelling: `action_confirm`, `Microsoft.NAV.post`.
///
/// Providers do not agree on case: Business Central runs `Microsoft.NAV.Post` as well as `…post`, and it cannot be undone
/// (`business-central.md`, section 3). So two names are equal if they differ only in case or in the namespace before the last dot.
#[derive(Clone)]
pub struct ActionName(Arc<str>);

impl ActionName {
    /// Takes the name as the provider writes it.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the last dot: what the provider runs.
    pub fn local(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or_default()
    }

    /// Whether both name the same action, whatever their case and namespace.
    pub fn matches(&self, other: &Self) -> bool {
        self == other
    }

    /// The form in which equal names are the same text, for rules and digests.
    pub fn folded(&self) -> String {
        self.local().to_lowercase()
    }
}

impl PartialEq for ActionName {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for ActionName {}

impl std::hash::Hash for ActionName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActionName({})", self.0)
    }
}

impl From<&str> for ActionName {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for ActionName {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Serialize for ActionName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ActionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_the_same_in_any_case_and_namespace() {
        let post = ActionName::new("Microsoft.NAV.post");
        assert!(post.matches(&"Microsoft.NAV.Post".into()));
        assert!(post.matches(&"POST".into()));
        assert!(!post.matches(&"postAndSend".into()));
        assert_eq!(post.as_str(), "Microsoft.NAV.post");
    }
}
