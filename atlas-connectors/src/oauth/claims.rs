//! The claims of a verified id token.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Masked;

/// What an id token says, after its signature was verified. `Debug` hides who it speaks of.
#[derive(Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct IdClaims {
    /// `iss`.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// `sub`.
    #[serde(rename = "sub")]
    pub subject: String,
    /// `email`.
    #[serde(default)]
    pub email: Option<String>,
    /// `nonce`.
    #[serde(default)]
    pub nonce: Option<String>,
    /// Everything else, such as `hd`, `tid`, `oid`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl IdClaims {
    /// Claims with an issuer and a subject.
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
            email: None,
            nonce: None,
            other: Map::new(),
        }
    }

    /// Sets the address.
    #[must_use]
    pub fn with_email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Sets another claim.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.other.insert(name.into(), value.into());
        self
    }

    /// Another claim, if it is there and a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.other.get(name).and_then(Value::as_str)
    }
}

impl fmt::Debug for IdClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdClaims")
            .field("issuer", &self.issuer)
            .field("subject", &Masked::new(&self.subject))
            .finish_non_exhaustive()
    }
}
