//! How far a document has come, in words common to all ERPs.

use serde::{Deserialize, Serialize};

/// How far a document has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DocumentState {
    /// Not binding yet: a draft, a quotation.
    Draft,
    /// Waits for somebody's release.
    InReview,
    /// Binding, and not done: confirmed, released, open.
    Open,
    /// Done in part: partly delivered, partly received, partly paid.
    InProgress,
    /// Done: delivered, received, closed; of an invoice: booked and paid.
    Done,
    /// Booked and not paid. Of invoices.
    Posted,
    /// Given up.
    Cancelled,
    /// A state that the table does not know. Its text is kept; treat it as open until somebody has looked.
    Unknown,
}

/// A state with the provider's own word for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateOf {
    /// The common word.
    pub state: DocumentState,
    /// The provider's own, if it has one.
    pub text: Option<String>,
}

impl StateOf {
    /// A state without a word of the provider.
    pub const fn unknown() -> Self {
        Self {
            state: DocumentState::Unknown,
            text: None,
        }
    }

    /// The common word, and the provider's own.
    pub fn new(state: DocumentState, text: impl Into<String>) -> Self {
        Self {
            state,
            text: Some(text.into()),
        }
    }
}
