//! What an error said about an effect that did not happen, as it is kept.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, ProviderCode, ProviderMessage};

/// A refusal as it is kept: codes and names, no text of the provider in logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rejection {
    /// The stable code of the error: `rejected`, `conflict`, `permission_denied`, `locked`, …
    pub code: Box<str>,
    /// The provider's code.
    pub provider_code: Option<ProviderCode>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// Which fields and why, as far as the provider tells.
    pub fields: Vec<RejectedField>,
    /// What it says to people.
    pub messages: Vec<ProviderMessage>,
}

/// A refused field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedField {
    /// The field in the provider's spelling.
    pub field: String,
    /// The provider's code or a fixed word.
    pub code: String,
}

impl Rejection {
    /// What an error says about a write.
    pub fn of(error: &Error) -> Self {
        let fields = match error.kind() {
            ErrorKind::Rejected { fields } => fields.as_slice(),
            _ => &[],
        };
        Self {
            code: error.code().into(),
            provider_code: error.provider_code().cloned(),
            status: error.status(),
            fields: fields
                .iter()
                .map(|fault| RejectedField {
                    field: fault.field.clone(),
                    code: fault.code.clone(),
                })
                .collect(),
            messages: error.messages().to_vec(),
        }
    }
}
