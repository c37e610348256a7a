//! How far a disconnect has come. Stored after each step, so that a crash between two steps is made good by doing the rest.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// The steps of one disconnect, in their order: epoch raised (by the row itself), grant revoked, secrets erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DisconnectProgress {
    /// When it was begun.
    pub begun: Timestamp,
    /// What became of the grant at the provider; `None` until that is known.
    pub revoke: Option<RevokeOutcome>,
    /// When the secrets were erased; `None` until they are.
    pub erased: Option<Timestamp>,
}

impl DisconnectProgress {
    /// A disconnect that has only raised the epoch.
    pub const fn begun(at: Timestamp) -> Self {
        Self {
            begun: at,
            revoke: None,
            erased: None,
        }
    }

    /// Whether all steps are done.
    pub const fn is_complete(&self) -> bool {
        self.revoke.is_some() && self.erased.is_some()
    }
}

/// What became of a grant at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RevokeOutcome {
    /// The provider confirmed that it is revoked.
    Revoked,
    /// The provider says that it was not valid any more.
    AlreadyGone,
    /// Left alone on purpose: the provider revokes a person's whole grant, and other connections live on it.
    Shared {
        /// How many others.
        others: u32,
    },
    /// The provider has no way to revoke it.
    Unsupported,
    /// There was nothing to revoke: no credential was stored.
    NoCredential,
    /// The provider could not be asked or did not confirm; the person can remove the access in the account's settings.
    Failed {
        /// Stable code of the failure.
        code: Box<str>,
    },
}

impl RevokeOutcome {
    /// Stable word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::AlreadyGone => "already_gone",
            Self::Shared { .. } => "shared",
            Self::Unsupported => "unsupported",
            Self::NoCredential => "no_credential",
            Self::Failed { .. } => "failed",
        }
    }
}
