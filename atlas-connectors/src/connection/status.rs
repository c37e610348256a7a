//! What state a connection is in, and what that is known from.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::CompanyId;

/// The state of a connection. Moved only by [`next`](crate::connection::next).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// No credential is held: never signed in, or disconnected.
    Disconnected,
    /// Waits for a person.
    Paused(Pause),
    /// A grant is held, and nothing newer than it has proven that it works.
    Verifying {
        /// Only what happened after this moment counts.
        since: Timestamp,
        /// The least that counts.
        needs: ProofKind,
    },
    /// Proven to work.
    Connected,
    /// The provider itself ended the grant; only a sign-in brings it back.
    Revoked {
        /// Why, and what to do.
        reason: Reason,
    },
    /// Does not work for another reason; the grant is kept.
    Error {
        /// When it failed: only what happened after this moment proves that it works again.
        since: Timestamp,
        /// Why, and what to do.
        reason: Reason,
    },
}

impl Status {
    /// Stable word for the state: `disconnected`, `paused`, `verifying`, `connected`, `revoked`, `error`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Paused(_) => "paused",
            Self::Verifying { .. } => "verifying",
            Self::Connected => "connected",
            Self::Revoked { .. } => "revoked",
            Self::Error { .. } => "error",
        }
    }

    /// Whether work may be done for the connection: its credential used, its mailbox synced. A connection in error is worked
    /// for too, since only an answer of the provider can prove that it is well again.
    pub const fn may_work(&self) -> bool {
        matches!(self, Self::Verifying { .. } | Self::Connected | Self::Error { .. })
    }
}

/// What a paused connection waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "pause", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pause {
    /// The person must sign in (again): more proof is asked for, a permission is missing, or access ends with the hour.
    SignIn {
        /// Why, and what to do.
        reason: Reason,
    },
    /// The host paused it.
    ByHost,
    /// The provider has several companies and one must be chosen.
    SelectCompany {
        /// What there is to choose from, in the provider's order.
        choices: Vec<CompanyChoice>,
    },
    /// The catalog of the company does not yet fit what the workflows need.
    CatalogCheck {
        /// The company that is checked.
        company: Option<CompanyId>,
        /// Entities or fields that are missing, by path; empty while the check runs.
        missing: Vec<String>,
    },
}

impl Pause {
    /// Stable word for the reason: `sign_in`, `by_host`, `select_company`, `catalog_check`; also that of
    /// [`ErrorKind::Paused`](crate::ErrorKind::Paused).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SignIn { .. } => "sign_in",
            Self::ByHost => "by_host",
            Self::SelectCompany { .. } => "select_company",
            Self::CatalogCheck { .. } => "catalog_check",
        }
    }
}

/// One company (or database, or client) that an account can work in. The id is pinned; the name is only shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompanyChoice {
    /// The provider's id.
    pub id: CompanyId,
    /// The name as it was when it was read.
    pub name: String,
}

/// Something that has shown that a connection works, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What it was.
    pub kind: ProofKind,
    /// When it happened at the provider, not when we looked: for a signal the time the provider gives it, for an answer the
    /// time its request was sent. What a cache holds keeps its old time and proves nothing new.
    pub at: Timestamp,
}

impl Proof {
    /// A proof of this kind at this moment.
    pub const fn new(kind: ProofKind, at: Timestamp) -> Self {
        Self { kind, at }
    }

    /// Whether this shows that a connection works which must be proven after `since` by at least `needs`.
    pub fn satisfies(&self, since: Timestamp, needs: ProofKind) -> bool {
        self.kind >= needs && self.at > since
    }
}

/// Kinds of proof, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProofKind {
    /// The token endpoint issued a token.
    Token,
    /// The provider answered a read.
    Answer,
    /// Something arrived from outside: a message, a changed record.
    Signal,
}

/// Why a connection does not work, in fixed words that may be shown and stored: no provider text, no address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reason {
    /// Stable code of the failure, such as `oauth.invalid_grant.revoked`.
    pub code: Box<str>,
    /// The cause in one line.
    pub cause: Box<str>,
    /// What the operator does.
    pub operator: Box<str>,
}

impl Reason {
    /// The code and advice of an error.
    pub fn of(error: &Error) -> Self {
        let advice = error.advice();
        Self {
            code: error.code().into(),
            cause: advice.cause.into(),
            operator: advice.operator.into(),
        }
    }
}
