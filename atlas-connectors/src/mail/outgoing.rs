//! Mail that is to leave.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::ids::{LabelId, MessageId, ThreadId};

/// A finished mail: exactly the bytes that will leave. Immutable; an edit makes a new one and needs a new approval.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingMessage {
    raw: Bytes,
    thread: Option<ThreadId>,
    marker: Box<str>,
}

impl OutgoingMessage {
    /// The RFC 5322 bytes, with CRLF line ends.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The conversation of the sender's mailbox it goes into.
    pub fn thread(&self) -> Option<&ThreadId> {
        self.thread.as_ref()
    }

    /// The random text in the header `X-Atlas-Intent`, by which a lost send is looked for.
    pub fn marker(&self) -> &str {
        &self.marker
    }
}

impl fmt::Debug for OutgoingMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingMessage")
            .field("bytes", &self.raw.len())
            .field("marker", &self.marker)
            .finish_non_exhaustive()
    }
}

/// A change of labels on messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelChange {
    /// The messages, at most 1,000.
    pub messages: Vec<MessageId>,
    /// Labels to put on.
    pub add: Vec<LabelId>,
    /// Labels to take off.
    pub remove: Vec<LabelId>,
}
