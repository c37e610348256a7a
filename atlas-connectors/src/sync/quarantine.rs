//! Messages that could not be read.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::Error;
use crate::mail::MessageRef;

/// A message that failed in a way that repeating does not cure. It is kept by id, never lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MessageFault {
    /// The message.
    pub message: MessageRef,
    /// How often it has failed, in different runs.
    pub attempts: u32,
    /// Stable code of the last failure, such as `bad_payload.too_large`.
    pub reason: String,
    /// When it failed first.
    pub first: Timestamp,
    /// When it failed last.
    pub last: Timestamp,
    /// What happens next.
    pub state: FaultState,
}

/// What happens next with a message that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultState {
    /// The next run tries it once more.
    Pending,
    /// Set aside until [`crate::sync::SyncEngine::retry_quarantined`].
    Quarantined,
}

impl MessageFault {
    /// One more failure of a message, after those counted in `earlier`.
    pub fn after(earlier: Option<&Self>, message: MessageRef, error: &Error, limit: u32, now: Timestamp) -> Self {
        let attempts = earlier.map_or(0, |fault| fault.attempts).saturating_add(1);
        Self {
            message,
            attempts,
            reason: error.code().to_owned(),
            first: earlier.map_or(now, |fault| fault.first),
            last: now,
            state: if attempts >= limit {
                FaultState::Quarantined
            } else {
                FaultState::Pending
            },
        }
    }
}
