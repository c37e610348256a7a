//! The three steps of an effect, and what each leaves behind.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::action::{Action, Approved};
use crate::connection::ConnectionRef;
use crate::ids::{IntentId, MessageId, ThreadId};
use crate::mail::OutgoingMessage;

/// An effect that is ready: the approved action and the provider's handle for it (a draft id, a natural key), if there is
/// one. Made from an [`Approved`] by a connector, or from a stored row by the outbox; spent by `commit`.
#[must_use = "a preparation that is not committed has no effect"]
pub struct Prepared<A = OutgoingMessage> {
    approved: Approved<A>,
    handle: Option<String>,
}

impl<A: Action> Approved<A> {
    /// What `prepare` returns: the approved action with the provider's handle (a draft id), or `None` where the scopes
    /// allow no handle and an interrupted send will have to end as uncertain.
    pub fn prepared(&self, handle: Option<String>) -> Prepared<A> {
        Prepared {
            approved: self.again(),
            handle,
        }
    }
}

impl<A: Action> Prepared<A> {
    /// The intent in the outbox.
    pub fn intent(&self) -> &IntentId {
        self.approved.intent()
    }

    /// The connection and epoch.
    pub fn connection(&self) -> &ConnectionRef {
        self.approved.connection()
    }

    /// The action, exactly as approved.
    pub fn action(&self) -> &A {
        self.approved.action()
    }

    /// The provider's handle, such as a draft id.
    pub fn handle(&self) -> Option<&str> {
        self.handle.as_deref()
    }

    /// The approval, for effects that need no handle and are called with it.
    pub(crate) fn approved(&self) -> &Approved<A> {
        &self.approved
    }
}

impl Prepared<OutgoingMessage> {
    /// The mail.
    pub fn message(&self) -> &OutgoingMessage {
        self.action()
    }
}

impl<A: Action> fmt::Debug for Prepared<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("kind", &A::KIND)
            .field("intent", self.intent())
            .field("connection", self.connection())
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}

/// A mail that the provider has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Its id in the sender's mailbox; `None` if the answer could not be read although the provider accepted it.
    pub message: Option<MessageId>,
    /// Its conversation in the sender's mailbox.
    pub thread: Option<ThreadId>,
}

/// What a look-up after an unclear effect found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reconciled<T = Sent> {
    /// It happened.
    Happened(T),
    /// It did not: the handle is still there, unsent. The same handle may be committed again.
    DidNotHappen,
    /// It cannot be told.
    Unknown,
}
