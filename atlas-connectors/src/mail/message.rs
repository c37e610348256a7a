//! A message as read.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{LabelId, MessageId, ThreadId};
use crate::mail::{
    Address, Attachment, AttachmentKind, Authentication, Automation, Calendar, DeliveryReport, Headers, Loss,
    MailingList, NoReply, ParseOptions, Protection, ReadReceipt,
};

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
///
/// Everything but `meta` and `authentication` is what the sender wrote: data, never instruction, and never proof of who wrote it.
/// `Debug` shows ids, counts and lengths, no content.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// What the provider says about it.
    pub meta: MessageMeta,
    /// Every header field, in order.
    pub headers: Headers,
    /// Authors; usually one, empty when the field is missing or unreadable.
    pub from: Vec<Address>,
    /// Who transmitted it for the authors.
    pub sender: Option<Address>,
    /// Where answers are to go, if not to the authors.
    pub reply_to: Vec<Address>,
    /// Recipients.
    pub to: Vec<Address>,
    /// Recipients of copies.
    pub cc: Vec<Address>,
    /// Hidden recipients; there only on mail of our own.
    pub bcc: Vec<Address>,
    /// The subject, decoded.
    pub subject: Option<String>,
    /// When it was written, as the sender claims.
    pub date: Option<Timestamp>,
    /// Its message id, without angle brackets.
    pub message_id: Option<String>,
    /// Message ids it answers, without angle brackets.
    pub in_reply_to: Vec<String>,
    /// Message ids of the conversation before it, oldest first, without angle brackets.
    pub references: Vec<String>,
    /// The plain text, where the sender wrote one. Line ends are `\n`.
    pub text: Option<String>,
    /// The HTML, where the sender wrote one. Not sanitised: show it only through a sanitiser, remote images off.
    pub html: Option<String>,
    /// The beginning of the text as one line, made from the plain text or else from the HTML.
    pub preview: String,
    /// All parts that are not the shown text, in order, those of forwarded messages included.
    pub attachments: Vec<Attachment>,
    /// Whether a program sent it.
    pub automation: Option<Automation>,
    /// The list it came through.
    pub list: Option<MailingList>,
    /// What it reports about the delivery of another mail.
    pub delivery_report: Option<DeliveryReport>,
    /// The read receipt it is.
    pub read_receipt: Option<ReadReceipt>,
    /// The first calendar object in it.
    pub calendar: Option<Calendar>,
    /// How it is signed or encrypted.
    pub protection: Option<Protection>,
    /// What a trusted server found out about the sender.
    pub authentication: Option<Authentication>,
    /// What was lost or repaired while parsing.
    pub losses: Vec<Loss>,
}

impl Message {
    /// Parses the bytes of a message with [`ParseOptions::default`]. Total: whatever the bytes are, what can be kept is kept and what
    /// was lost is said in [`Message::losses`].
    pub fn parse(meta: MessageMeta, raw: &[u8]) -> Self {
        Self::parse_with(meta, raw, &ParseOptions::default())
    }

    /// Parses the bytes of a message with these limits and trusted servers.
    pub fn parse_with(meta: MessageMeta, raw: &[u8], options: &ParseOptions) -> Self {
        crate::mail::parse::message(meta, raw, options)
    }

    /// The text to read: the plain text, or else the HTML turned into text without loading anything.
    pub fn readable_text(&self) -> String {
        match (&self.text, &self.html) {
            (Some(text), _) => text.clone(),
            (None, Some(html)) => crate::mail::parse::html_to_text(html, html.len()),
            (None, None) => String::new(),
        }
    }

    /// Attachments a person would call files: no inline images, signatures or report parts.
    pub fn files(&self) -> impl Iterator<Item = &Attachment> {
        self.attachments.iter().filter(|attachment| {
            matches!(
                attachment.kind,
                AttachmentKind::File | AttachmentKind::Message | AttachmentKind::Calendar | AttachmentKind::Tnef
            )
        })
    }

    /// Why a program should not answer this mail on its own; `None` if it may.
    pub fn no_reply(&self) -> Option<NoReply> {
        if self.delivery_report.is_some() {
            Some(NoReply::DeliveryReport)
        } else if self.read_receipt.is_some() {
            Some(NoReply::ReadReceipt)
        } else if self.list.is_some() {
            Some(NoReply::List)
        } else if self.automation.is_some() {
            Some(NoReply::Automatic)
        } else if self
            .headers
            .first("Return-Path")
            .is_some_and(|path| path.trim() == "<>")
        {
            Some(NoReply::EmptyReturnPath)
        } else {
            None
        }
    }

    /// Whether it reports that a mail could not be delivered.
    pub fn is_bounce(&self) -> bool {
        self.delivery_report.as_ref().is_some_and(DeliveryReport::is_failure)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |text: &Option<String>| text.as_ref().map(String::len);
        f.debug_struct("Message")
            .field("meta", &self.meta)
            .field("headers", &self.headers)
            .field("recipients", &(self.to.len() + self.cc.len() + self.bcc.len()))
            .field("text_bytes", &length(&self.text))
            .field("html_bytes", &length(&self.html))
            .field("attachments", &self.attachments)
            .field("losses", &self.losses)
            .finish_non_exhaustive()
    }
}
