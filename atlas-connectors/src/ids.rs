//! Identifiers as newtypes: opaque text that cannot be passed in place of another id.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares an opaque text id with the conversions every id needs.
macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes the text as it is; ids are opaque and are compared byte for byte.
            pub fn new(text: impl Into<Box<str>>) -> Self {
                Self(text.into())
            }

            /// The text of the id.
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
    };
}

text_id! {
    /// A tenant of the host: the customer or workspace on whose behalf a connection exists.
    TenantId
}
text_id! {
    /// One connection of one tenant; survives every reconnect.
    ConnectionId
}
text_id! {
    /// A provider's stable name in code and spans: `gmail`, `odoo`, `sap`, `business_central`.
    ProviderId
}
text_id! {
    /// A person or service of the host: who began a sign-in, who approved an action. Comes from the host's session.
    ActorId
}
text_id! {
    /// The host's session in which a sign-in was begun; the callback must arrive in the same one.
    SessionId
}
text_id! {
    /// One worker of the host (process and task); holder of leases.
    HolderId
}
text_id! {
    /// An intent in the outbox: one action written down with the digest of what will leave.
    IntentId
}
text_id! {
    /// Ties one call's error, span and provider request together; safe to show and to log.
    CorrelationId
}
text_id! {
    /// A message within one mailbox. The same mail has another id in another mailbox.
    MessageId
}
text_id! {
    /// A conversation within one mailbox.
    ThreadId
}
text_id! {
    /// A label or folder within one mailbox.
    LabelId
}
text_id! {
    /// A draft within one mailbox.
    DraftId
}
text_id! {
    /// A company, database or client within one ERP.
    CompanyId
}

impl ConnectionId {
    /// A fresh random id (128 bits, hexadecimal).
    pub fn random() -> Self {
        Self::new(random_hex())
    }
}

impl HolderId {
    /// A fresh random id (128 bits, hexadecimal), one for each worker.
    pub fn random() -> Self {
        Self::new(random_hex())
    }
}

impl IntentId {
    /// A fresh random id (128 bits, hexadecimal).
    pub fn random() -> Self {
        Self::new(random_hex())
    }
}

impl CorrelationId {
    /// A fresh random id (128 bits, hexadecimal).
    pub fn random() -> Self {
        Self::new(random_hex())
    }
}

/// Rises by one with every reconnect and disconnect of a connection. Whatever was begun under an older epoch
/// (a refresh, a sync page, an approval) is void.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch of a connection that has just been made.
    pub const FIRST: Self = Self(1);

    /// An epoch read back from a store.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, counted from 1.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a stored row, raised by each write; the base of every compare-and-set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// "There is no row yet": the expected version of a first write.
    pub const NONE: Self = Self(0);

    /// A version read back from a store.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number; 0 means that the row does not exist.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after the next write.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 128 random bits from the operating system, in hexadecimal.
fn random_hex() -> String {
    let mut bytes = [0u8; 16];
    crate::random::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
