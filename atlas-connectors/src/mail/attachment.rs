//! Parts of a message that are not its shown text.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::mail::{Address, PartRef};

/// A part that is not the shown text: a file, an inline image, a forwarded message, an invitation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attachment {
    /// Where it is; fetch its bytes with [`crate::mail::Mailbox::attachment`] or [`crate::mail::decode_part`].
    pub part: PartRef,
    /// A file name that is safe to create in a folder: no path, no control or direction characters, no reserved device name, at
    /// most 200 bytes. `None` where the sender gave none.
    pub name: Option<String>,
    /// `type/subtype` in lower case, as the sender claims it.
    pub content_type: String,
    /// Decoded size in bytes.
    pub size: u64,
    /// What the sender asks to do with it.
    pub disposition: Disposition,
    /// The content id without angle brackets, by which HTML refers to it as `cid:…`.
    pub content_id: Option<String>,
    /// What it is.
    pub kind: AttachmentKind,
    /// The message inside, for `message/rfc822`.
    pub message: Option<Box<EmbeddedMessage>>,
}

impl Attachment {
    pub(crate) fn new(part: PartRef, content_type: String, size: u64) -> Self {
        Self {
            part,
            name: None,
            content_type,
            size,
            disposition: Disposition::Unspecified,
            content_id: None,
            kind: AttachmentKind::File,
            message: None,
        }
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("part", &self.part)
            .field("size", &self.size)
            .field("disposition", &self.disposition)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What the sender asks to do with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Disposition {
    /// Offer it as a file.
    Attachment,
    /// Show it in place.
    Inline,
    /// The sender does not say.
    Unspecified,
}

/// What an attachment is, so that a reader can tell a photo in the text from a file somebody sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttachmentKind {
    /// A file.
    File,
    /// Belongs to the HTML text, which refers to it by its content id.
    Inline,
    /// A whole message.
    Message,
    /// A calendar object (`text/calendar`).
    Calendar,
    /// `winmail.dat` (`application/ms-tnef`): files and text packed by Outlook, not opened here.
    Tnef,
    /// A signature or key block (S/MIME or PGP), or the encrypted content itself.
    Cryptographic,
    /// The machine-readable part of a delivery report or read receipt, or the returned headers.
    Report,
}

/// The outline of a message inside a message. Its own attachments are listed with the outer message's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EmbeddedMessage {
    /// Its authors.
    pub from: Vec<Address>,
    /// Its recipients.
    pub to: Vec<Address>,
    /// Its subject.
    pub subject: Option<String>,
    /// The time it claims.
    pub date: Option<Timestamp>,
    /// Its message id, without angle brackets.
    pub message_id: Option<String>,
    /// The beginning of its text.
    pub preview: String,
}

impl EmbeddedMessage {
    pub(crate) fn empty() -> Self {
        Self {
            from: Vec::new(),
            to: Vec::new(),
            subject: None,
            date: None,
            message_id: None,
            preview: String::new(),
        }
    }
}

impl fmt::Debug for EmbeddedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedMessage")
            .field("date", &self.date)
            .field("preview_bytes", &self.preview.len())
            .finish_non_exhaustive()
    }
}
