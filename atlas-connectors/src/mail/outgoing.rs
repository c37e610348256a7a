//! Mail that is to leave.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::Timestamp;
use crate::ids::{LabelId, MessageId, ThreadId};
use crate::mail::{Address, Message, MessageMeta, OutgoingBuilder};

/// The header that carries [`OutgoingMessage::marker`].
pub const MARKER_HEADER: &str = "X-Atlas-Intent";

/// A finished mail: exactly the bytes that will leave. Immutable; an edit makes a new one and needs a new approval.
///
/// Everything a reviewer is shown ([`OutgoingMessage::recipients`], [`OutgoingMessage::as_message`]) is read back from those bytes, not
/// from what the builder was told.
///
/// ```
/// use atlas_connectors::SystemClock;
/// use atlas_connectors::mail::{Address, OutgoingMessage};
///
/// let mail = OutgoingMessage::builder()
///     .from(Address::named("Acme Operations", "ops@acme.example"))
///     .to("jana@parts.example")
///     .subject("Re: Angebot für Stück 4711")
///     .text("Thank you, we will order on Monday.\n")
///     .build(&SystemClock)?;
///
/// assert_eq!(mail.recipients().to, [Address::new("jana@parts.example")]);
/// assert!(mail.raw().is_ascii());
/// # Ok::<(), atlas_connectors::mail::BuildError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingMessage {
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    raw: Bytes,
    thread: Option<ThreadId>,
    marker: Box<str>,
}

/// Everyone a mail reaches, as its bytes say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Shown recipients.
    pub to: Vec<Address>,
    /// Shown recipients of copies.
    pub cc: Vec<Address>,
    /// Hidden recipients.
    pub bcc: Vec<Address>,
}

impl Recipients {
    /// To, Cc and Bcc, in this order.
    pub fn iter(&self) -> impl Iterator<Item = &Address> {
        self.to.iter().chain(&self.cc).chain(&self.bcc)
    }

    /// The addresses alone: what an [`crate::action::ApprovalPolicy`] is shown.
    pub fn addresses(&self) -> Vec<String> {
        self.iter().map(|recipient| recipient.address.clone()).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.to.len() + self.cc.len() + self.bcc.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl OutgoingMessage {
    /// Begins a new mail.
    pub fn builder() -> OutgoingBuilder {
        OutgoingBuilder::new()
    }

    /// Begins an answer to the author (`Reply-To`, or else `From`): recipient, subject, `In-Reply-To`, `References` and conversation are set.
    pub fn reply_to(message: &Message) -> OutgoingBuilder {
        OutgoingBuilder::reply_to(message)
    }

    /// Begins an answer to the author and everyone who got the mail. The mailbox in `From` of the answer and those given to
    /// [`OutgoingBuilder::myself`] are left out.
    pub fn reply_all(message: &Message) -> OutgoingBuilder {
        OutgoingBuilder::reply_all(message)
    }

    pub(crate) fn from_parts(raw: Bytes, thread: Option<ThreadId>, marker: Box<str>) -> Self {
        Self { raw, thread, marker }
    }

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

    /// Everyone it reaches, read from the bytes.
    pub fn recipients(&self) -> Recipients {
        let message = self.as_message();
        Recipients {
            to: message.to,
            cc: message.cc,
            bcc: message.bcc,
        }
    }

    /// The mail as a reader would parse it, read from the bytes. Its metadata are not a provider's: the id is the marker, the
    /// time is the mail's own date.
    pub fn as_message(&self) -> Message {
        let meta = MessageMeta {
            id: MessageId::new(self.marker.clone()),
            thread: self.thread.clone().unwrap_or_else(|| ThreadId::new("")),
            labels: Vec::new(),
            received: Timestamp::UNIX_EPOCH,
            size: u64::try_from(self.raw.len()).ok(),
        };
        let mut message = Message::parse_with(meta, &self.raw, &crate::mail::ParseOptions::unbounded());
        if let Some(date) = message.date {
            message.meta.received = date;
        }
        message
    }
}

impl fmt::Debug for OutgoingMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingMessage")
            .field("bytes", &self.raw.len())
            .field("thread", &self.thread)
            .field("marker", &self.marker)
            .finish()
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

fn to_base64<S: Serializer>(raw: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(raw))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let raw = STANDARD
        .decode(text.as_bytes())
        .map_err(|_| serde::de::Error::custom("the mail is not base64"))?;
    Ok(Bytes::from(raw))
}
