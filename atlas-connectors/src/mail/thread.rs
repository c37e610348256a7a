//! Conversations.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::ThreadId;
use crate::mail::{Address, Message};

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// Its messages, oldest first by the time the provider took them in.
    pub messages: Vec<Message>,
}

impl Thread {
    /// A conversation of these messages, put into order. A message that is there twice is kept once.
    pub fn new(id: ThreadId, mut messages: Vec<Message>) -> Self {
        messages.sort_by(|a, b| (a.meta.received, &a.meta.id).cmp(&(b.meta.received, &b.meta.id)));
        messages.dedup_by(|a, b| a.meta.id == b.meta.id);
        Self { id, messages }
    }

    /// The newest message.
    pub fn latest(&self) -> Option<&Message> {
        self.messages.last()
    }

    /// When the newest message was taken in.
    pub fn latest_received(&self) -> Option<Timestamp> {
        self.latest().map(|message| message.meta.received)
    }

    /// The subject the conversation began with.
    pub fn subject(&self) -> Option<&str> {
        self.messages.iter().find_map(|message| message.subject.as_deref())
    }

    /// Everyone who wrote or was written to (From, To, Cc), each mailbox once, in the order of appearance.
    pub fn participants(&self) -> Vec<&Address> {
        let mut seen = std::collections::HashSet::new();
        self.messages
            .iter()
            .flat_map(|message| message.from.iter().chain(&message.to).chain(&message.cc))
            .filter(|address| seen.insert(address.mailbox_key()))
            .collect()
    }
}
