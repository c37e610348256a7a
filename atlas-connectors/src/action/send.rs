//! The three steps of an effect, and what each leaves behind.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::action::{Action, Approved};
use crate::connection::ConnectionRef;
use crate::ids::{IntentId, MessageId, ThreadId};
use crate::mail::OutgoingMessage;

/// A send that is ready: the approved mail and the provider's handle for it, if there is one. Made from an
/// [`Approved`] by a connector, or from a stored row by the outbox; spent by `commit`.
#[must_use = "a preparation that is not committed sends nothing"]
pub struct Prepared {
    intent: IntentId,
    connection: ConnectionRef,
    message: OutgoingMessage,
    handle: Option<String>,
}

impl Approved<OutgoingMessage> {
    /// What `prepare` returns: the approved mail with the provider's handle (a draft id), or `None` where the scopes
    /// allow no handle and an interrupted send will have to end as uncertain.
    pub fn prepared(&self, handle: Option<String>) -> Prepared {
        Prepared {
            intent: self.intent().clone(),
            connection: self.connection().clone(),
            message: self.action().clone(),
            handle,
        }
    }
}

impl Prepared {
    /// The intent in the outbox.
    pub fn intent(&self) -> &IntentId {
        &self.intent
    }

    /// The connection and epoch.
    pub fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    /// The mail.
    pub fn message(&self) -> &OutgoingMessage {
        &self.message
    }

    /// The provider's handle, such as a draft id.
    pub fn handle(&self) -> Option<&str> {
        self.handle.as_deref()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("intent", &self.intent)
            .field("connection", &self.connection)
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

/// What a look-up after an unclear send found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reconciled {
    /// It happened.
    Happened(Sent),
    /// It did not: the handle is still there, unsent. The same handle may be committed again.
    DidNotHappen,
    /// It cannot be told.
    Unknown,
}

impl Action for OutgoingMessage {
    const KIND: &'static str = "mail.send";
}

impl Action for crate::mail::LabelChange {
    const KIND: &'static str = "mail.organize";
}
