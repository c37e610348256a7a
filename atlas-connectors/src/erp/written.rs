//! What became of a write.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::erp::{FieldName, Record, RecordKey, Value};
use crate::error::{Error, ErrorKind, FieldFault, ProviderMessage, Rejection};

/// What the provider made of a write that happened.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Written {
    /// The key of the record; `None` if the answer could not be read although the provider accepted it, and for batches.
    pub key: Option<RecordKey>,
    /// The record as it was read back, if it was.
    pub record: Option<Record>,
    /// Fields that hold something else than was asked for: rounded, defaulted, cleared.
    pub adjusted: Vec<Adjusted>,
    /// What the provider said on the way: warnings and notes.
    pub messages: Vec<ProviderMessage>,
    /// What became of each part of a batch, in order. Empty for a single write.
    pub parts: Vec<PartOutcome>,
}

impl Written {
    /// A record that was written.
    pub fn at(key: RecordKey) -> Self {
        Self {
            key: Some(key),
            ..Self::default()
        }
    }

    /// It happened, and nothing more is known.
    pub fn unread() -> Self {
        Self::default()
    }

    /// Adds the record as it was read back, and finds what differs from what was asked for.
    #[must_use]
    pub fn read_back<'a>(
        mut self,
        record: Record,
        asked: impl IntoIterator<Item = (&'a FieldName, &'a Value)>,
    ) -> Self {
        for (field, asked) in asked {
            if let Some(stored) = record.value(field.as_str())
                && !asked.says_the_same(stored)
            {
                self.adjusted.push(Adjusted {
                    field: field.clone(),
                    asked: asked.clone(),
                    stored: stored.clone(),
                });
            }
        }
        self.record = Some(record);
        self
    }

    /// Adds what the provider said.
    #[must_use]
    pub fn with_messages(mut self, messages: impl IntoIterator<Item = ProviderMessage>) -> Self {
        self.messages.extend(messages);
        self
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written")
            .field("key", &self.key)
            .field("adjusted", &self.adjusted)
            .field("messages", &self.messages.len())
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// A field that holds something else than was asked for.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Adjusted {
    /// The field.
    pub field: FieldName,
    /// What was asked for.
    pub asked: Value,
    /// What it holds.
    pub stored: Value,
}

impl fmt::Debug for Adjusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Adjusted({})", self.field)
    }
}

/// What became of one part of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartOutcome {
    /// It happened.
    Done(Box<Written>),
    /// It was refused.
    Rejected(Rejection),
    /// The server stopped before it.
    NotExecuted,
    /// It was undone because another part was refused, whatever the server said of it at first.
    RolledBack,
    /// Nobody can tell.
    Unknown,
}

/// Why a write was refused, never merged: each wants another person to act.
///
/// ```
/// use atlas_connectors::erp::WriteRejected;
/// use atlas_connectors::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Locked, "sap.update");
/// assert_eq!(WriteRejected::of(&error), Some(WriteRejected::Locked));
/// let passing = Error::new(ErrorKind::Transient, "sap.update");
/// assert_eq!(WriteRejected::of(&passing), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteRejected {
    /// A rule of the host forbids it.
    PolicyBlocked {
        /// The rule.
        rule: String,
    },
    /// The account may not do it.
    PermissionDenied {
        /// The entity.
        object: String,
        /// What was tried.
        verb: &'static str,
    },
    /// The provider refused the content.
    Invalid {
        /// Which fields and why, as far as the provider tells.
        fields: Vec<FieldFault>,
    },
    /// Somebody changed the record since it was read.
    Conflict,
    /// Somebody is working on the record.
    Locked,
    /// A person must answer a question in the provider's own program.
    NeedsInteraction {
        /// What was asked for.
        what: String,
    },
}

impl WriteRejected {
    /// What an error says about a write; `None` if it is no refusal of the write itself.
    pub fn of(error: &Error) -> Option<Self> {
        Some(match error.kind() {
            ErrorKind::PolicyBlocked { rule } => Self::PolicyBlocked { rule: rule.clone() },
            ErrorKind::PermissionDenied { object, verb } => Self::PermissionDenied {
                object: object.clone(),
                verb,
            },
            ErrorKind::Rejected { fields } => Self::Invalid { fields: fields.clone() },
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Locked => Self::Locked,
            ErrorKind::NeedsInteraction { what } => Self::NeedsInteraction { what: what.clone() },
            _ => return None,
        })
    }
}
