//! An intent: one action written down before anything happens, and how far it has come.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::action::{ApprovalRecord, Digest};
use crate::clock::Timestamp;
use crate::connection::ConnectionRef;
use crate::error::{Error, Rejection, StorageFault};
use crate::ids::{ActorId, HolderId, IntentId, Version};

/// How far an intent has come. `security-reliability.md`, section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IntentState {
    /// Stored; the policy has not answered yet.
    Draft,
    /// A person has to review it.
    AwaitingApproval,
    /// Approved; waits for a worker.
    Ready,
    /// A worker has it, and the approval is consumed. Nothing that sends has left.
    Claimed,
    /// The provider's handle (a draft) is stored. Nothing that sends has left.
    Handle,
    /// The request that sends is about to leave, has left, or was lost: only a look-up can tell.
    Sending,
    /// It happened.
    Sent,
    /// It did not happen, and will not.
    NotSent,
    /// Nobody can tell whether it happened. An operator decides.
    Uncertain,
    /// It was given up before anything that sends had left.
    Cancelled,
}

impl IntentState {
    /// Every state, in the order in which an intent passes through them.
    pub const ALL: &'static [Self] = &[
        Self::Draft,
        Self::AwaitingApproval,
        Self::Ready,
        Self::Claimed,
        Self::Handle,
        Self::Sending,
        Self::Sent,
        Self::NotSent,
        Self::Uncertain,
        Self::Cancelled,
    ];

    /// Stable word, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Ready => "ready",
            Self::Claimed => "claimed",
            Self::Handle => "handle",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::NotSent => "not_sent",
            Self::Uncertain => "uncertain",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more happens by itself.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Sent | Self::NotSent | Self::Uncertain | Self::Cancelled)
    }

    /// Whether an effect may have happened or may be under way.
    pub const fn has_begun(self) -> bool {
        matches!(self, Self::Sending | Self::Sent | Self::Uncertain)
    }

    /// Whether a row may go from this state to that one. Staying where it is (a lease, a pause) is always allowed but for
    /// settled rows, of which only [`IntentState::Uncertain`] may still be decided.
    pub const fn may_become(self, next: Self) -> bool {
        use IntentState::{
            AwaitingApproval, Cancelled, Claimed, Draft, Handle, NotSent, Ready, Sending, Sent, Uncertain,
        };
        match self {
            Draft => matches!(next, Draft | AwaitingApproval | Ready | Cancelled),
            AwaitingApproval => matches!(next, AwaitingApproval | Ready | Cancelled),
            Ready => matches!(next, Ready | Claimed | Cancelled | NotSent | Uncertain | Sent),
            Claimed => matches!(
                next,
                Claimed | Ready | Handle | Sending | Cancelled | NotSent | Uncertain | Sent
            ),
            Handle => matches!(next, Handle | Ready | Sending | Cancelled | NotSent | Uncertain | Sent),
            Sending => matches!(next, Sending | Ready | Sent | NotSent | Uncertain),
            Uncertain => matches!(next, Uncertain | Sent | NotSent | Cancelled),
            Sent | NotSent | Cancelled => {
                matches!((self, next), (Sent, Sent) | (NotSent, NotSent) | (Cancelled, Cancelled))
            }
        }
    }
}

impl fmt::Display for IntentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for IntentState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Error::new(StorageFault::Corrupt, "intent.state"))
    }
}

/// A worker's hold on a row, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentLease {
    /// Who holds it; one for every attempt, so that two tasks of a process do not share one.
    pub holder: HolderId,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// A row of the outbox as a store keeps it. Ids, digests and times are plain; the content is sealed.
///
/// Shape: `payload` is an envelope that only this library opens; `outcome` is JSON of ids, or an envelope as text. Stores compare and index
/// `connection`, `key`, `content`, `state`, `version`, `available`, `created`; the rest they may keep as one value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentRow {
    /// The intent.
    pub intent: IntentId,
    /// Version of the row's format.
    pub schema: u16,
    /// The connection and the epoch it was proposed under.
    pub connection: ConnectionRef,
    /// The kind of action.
    pub kind: String,
    /// How far it has come.
    pub state: IntentState,
    /// Raised by each write; the store sets it.
    pub version: Version,
    /// Position in the order of proposals, given by the store on insert.
    pub sequence: u64,
    /// The caller's idempotency key, unique within the connection.
    pub key: String,
    /// Digest of the action and everything it is bound to; this is what is approved.
    pub digest: Digest,
    /// Digest of the action alone.
    pub content: Digest,
    /// Whether equal content means the same effect: two open or sent rows of the same content cannot be.
    pub unique: bool,
    /// Who proposed it.
    pub author: ActorId,
    /// When it was proposed.
    pub created: Timestamp,
    /// When it was last written.
    pub updated: Timestamp,
    /// When the proposal, and every approval of it, ends.
    pub expires: Timestamp,
    /// Not to be touched by a worker before this moment.
    pub available: Timestamp,
    /// The sealed action and identity.
    pub payload: Vec<u8>,
    /// The recorded decision.
    pub approval: Option<ApprovalRecord>,
    /// Whether policy let it out without a person.
    pub automatic: bool,
    /// The worker that has it.
    pub lease: Option<IntentLease>,
    /// The provider's handle, such as a draft id.
    pub handle: Option<String>,
    /// How often a worker has taken it.
    pub attempts: u32,
    /// How often the provider refused the account (401, 403) before acting.
    pub refusals: u32,
    /// How often a look-up could not tell.
    pub lookups: u32,
    /// What the provider answered, as JSON of ids or sealed; of a row that ended as not sent what the refusal said, sealed.
    pub outcome: Option<String>,
    /// Why it is where it is, as a stable code: an error's code, `rejected`, `policy:<rule>`.
    pub reason: Option<String>,
    /// Whether the host still has to be told how it ended.
    pub unannounced: bool,
    /// Whether something may be left at the provider that has to be swept.
    pub sweep: bool,
    /// Generation of the store in which it was proposed; see [`crate::action::OutboxStore::generation`].
    pub generation: u64,
}

impl fmt::Debug for IntentRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntentRow")
            .field("intent", &self.intent)
            .field("connection", &self.connection)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .field("version", &self.version)
            .field("digest", &self.digest)
            .field("lease", &self.lease)
            .field("handle", &self.handle)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// An intent as a host sees it. `Debug` tells whether there is an outcome, not what it holds: of a write to an ERP it is the record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Intent {
    /// The intent.
    pub id: IntentId,
    /// The connection and the epoch it was proposed under.
    pub connection: ConnectionRef,
    /// The kind of action: `mail.send`.
    pub kind: String,
    /// How far it has come.
    pub state: IntentState,
    /// The caller's idempotency key.
    pub key: String,
    /// What is approved by.
    pub digest: Digest,
    /// Who proposed it.
    pub author: ActorId,
    /// Who approved it, or the rule that did (`policy:<rule>`).
    pub approver: Option<ActorId>,
    /// When it was proposed.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// When the proposal, and every approval of it, ends.
    pub expires: Timestamp,
    /// When a worker takes it up again, if it waits.
    pub available: Timestamp,
    /// How often a worker has taken it.
    pub attempts: u32,
    /// Why it is where it is, as a stable code.
    pub reason: Option<String>,
    /// What the provider answered, as JSON: for a mail `{"message":…,"thread":…}`.
    pub outcome: Option<serde_json::Value>,
    /// What the provider said when it refused, for an intent that ended as not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
}

impl Intent {
    /// What the provider answered, as the action's own type. `None` if it has not happened, or its answer was lost.
    pub fn outcome_of<A: crate::action::Action>(&self) -> Option<A::Outcome> {
        let outcome = self.outcome.clone()?;
        (self.kind == A::KIND).then_some(())?;
        serde_json::from_value(outcome).ok()
    }
}

impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intent")
            .field("id", &self.id)
            .field("connection", &self.connection)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .field("key", &self.key)
            .field("digest", &self.digest)
            .field("available", &self.available)
            .field("attempts", &self.attempts)
            .field("reason", &self.reason)
            .field("outcome", &self.outcome.is_some())
            .field("rejection", &self.rejection)
            .finish_non_exhaustive()
    }
}

impl Intent {
    /// The row without the provider's answer, which [`super::desk::Desk::intent`] opens.
    pub(super) fn unopened(row: &IntentRow) -> Self {
        Self {
            id: row.intent.clone(),
            connection: row.connection.clone(),
            kind: row.kind.clone(),
            state: row.state,
            key: row.key.clone(),
            digest: row.digest,
            author: row.author.clone(),
            approver: row.approval.as_ref().map(|record| record.approver.clone()),
            created: row.created,
            updated: row.updated,
            expires: row.expires,
            available: row.available,
            attempts: row.attempts,
            reason: row.reason.clone(),
            outcome: None,
            rejection: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for state in IntentState::ALL {
            assert_eq!(state.as_str().parse::<IntentState>().unwrap(), *state);
        }
        assert!("unknown".parse::<IntentState>().is_err());
    }

    #[test]
    fn nothing_that_has_ended_begins_again() {
        for ended in [IntentState::Sent, IntentState::NotSent, IntentState::Cancelled] {
            for next in IntentState::ALL.iter().filter(|next| **next != ended) {
                assert!(!ended.may_become(*next), "{ended} -> {next}");
            }
        }
    }

    #[test]
    fn only_what_was_approved_is_claimed_and_only_what_was_claimed_is_sent() {
        for state in IntentState::ALL {
            let claims = state.may_become(IntentState::Claimed);
            assert_eq!(
                claims,
                matches!(state, IntentState::Ready | IntentState::Claimed),
                "{state}"
            );
            let sends = state.may_become(IntentState::Sending);
            let held = matches!(state, IntentState::Claimed | IntentState::Handle | IntentState::Sending);
            assert_eq!(sends, held, "{state}");
        }
    }
}
