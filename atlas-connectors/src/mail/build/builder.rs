//! The builder of outgoing mail.

use std::fmt;

use bytes::Bytes;

use crate::clock::Clock;
use crate::ids::ThreadId;
use crate::mail::build::{check, write};
use crate::mail::{Address, BuildError, Field, NoReply, OutgoingMessage};

/// At most this many recipients by default (Gmail's limit per message; `gmail.md`, section 10).
const MAX_RECIPIENTS: usize = 500;
/// At most this many bytes by default (Gmail's upload limit; `gmail.md`, section 10).
const MAX_BYTES: usize = 36_700_160;

/// Gathers the fields of a mail. Nothing is checked before [`OutgoingBuilder::build`], and `build` refuses rather than repairs.
#[derive(Clone)]
#[must_use = "nothing is built before `build`"]
pub struct OutgoingBuilder {
    pub(super) from: Option<Address>,
    pub(super) reply_to: Vec<Address>,
    pub(super) to: Vec<Address>,
    pub(super) cc: Vec<Address>,
    pub(super) bcc: Vec<Address>,
    pub(super) subject: String,
    pub(super) text: Option<String>,
    pub(super) html: Option<String>,
    pub(super) attachments: Vec<NewAttachment>,
    pub(super) thread: Option<ThreadId>,
    pub(super) in_reply_to: Option<String>,
    pub(super) references: Vec<String>,
    pub(super) automatic: bool,
    pub(super) no_reply: Option<NoReply>,
    pub(super) even_if_automatic: bool,
    /// Own addresses that are left out of an answer to all.
    pub(super) myself: Vec<Address>,
    pub(super) to_all: bool,
    max_recipients: usize,
    max_bytes: usize,
}

impl OutgoingBuilder {
    pub(crate) fn new() -> Self {
        Self {
            from: None,
            reply_to: Vec::new(),
            to: Vec::new(),
            cc: Vec::new(),
            bcc: Vec::new(),
            subject: String::new(),
            text: None,
            html: None,
            attachments: Vec::new(),
            thread: None,
            in_reply_to: None,
            references: Vec::new(),
            automatic: false,
            no_reply: None,
            even_if_automatic: false,
            myself: Vec::new(),
            to_all: false,
            max_recipients: MAX_RECIPIENTS,
            max_bytes: MAX_BYTES,
        }
    }

    /// The author: the account or one of its verified aliases.
    pub fn from(mut self, from: impl Into<Address>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// Adds an address where answers are to go.
    pub fn reply_to_address(mut self, address: impl Into<Address>) -> Self {
        self.reply_to.push(address.into());
        self
    }

    /// Adds a recipient.
    pub fn to(mut self, recipient: impl Into<Address>) -> Self {
        self.to.push(recipient.into());
        self
    }

    /// Adds a recipient of a copy.
    pub fn cc(mut self, recipient: impl Into<Address>) -> Self {
        self.cc.push(recipient.into());
        self
    }

    /// Adds a hidden recipient. The `Bcc` field is in the bytes: the provider takes it off on delivery.
    pub fn bcc(mut self, recipient: impl Into<Address>) -> Self {
        self.bcc.push(recipient.into());
        self
    }

    /// Sets the subject. On an answer, another subject begins a new conversation for most readers.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Sets the plain text. Any line ends will do.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Sets the HTML. Give a plain text as well: it is what a reviewer reads first.
    pub fn html(mut self, html: impl Into<String>) -> Self {
        self.html = Some(html.into());
        self
    }

    /// Adds an attachment.
    pub fn attach(mut self, attachment: NewAttachment) -> Self {
        self.attachments.push(attachment);
        self
    }

    /// Puts it into this conversation of the sender's mailbox.
    pub fn thread(mut self, thread: impl Into<ThreadId>) -> Self {
        self.thread = Some(thread.into());
        self
    }

    /// Sets the message id this answers, with or without angle brackets.
    pub fn in_reply_to(mut self, id: impl Into<String>) -> Self {
        self.in_reply_to = Some(id.into());
        self
    }

    /// Sets the message ids of the conversation, oldest first. Of many, the first and the newest are kept.
    pub fn references<T: Into<String>>(mut self, ids: impl IntoIterator<Item = T>) -> Self {
        self.references = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Own addresses (aliases) that an answer to all leaves out beside the author.
    pub fn myself(mut self, addresses: impl IntoIterator<Item = Address>) -> Self {
        self.myself.extend(addresses);
        self
    }

    /// Marks it as written by a program (`Auto-Submitted`, RFC 3834), so that programs do not answer it.
    pub fn automatic(mut self) -> Self {
        self.automatic = true;
        self
    }

    /// Answers even a list, an automatic mail or a bounce. Two programs doing this write to each other for ever.
    pub fn even_if_automatic(mut self) -> Self {
        self.even_if_automatic = true;
        self
    }

    /// At most this many recipients. Default 500.
    pub fn max_recipients(mut self, limit: usize) -> Self {
        self.max_recipients = limit;
        self
    }

    /// At most this many bytes, headers and encoding included. Default 36,700,160.
    pub fn max_bytes(mut self, limit: usize) -> Self {
        self.max_bytes = limit;
        self
    }

    /// Checks every field and writes the bytes that will leave, dated by the clock, with a fresh message id and marker.
    ///
    /// # Errors
    /// [`BuildError`], which names the field and never its content.
    pub fn build(&self, clock: &dyn Clock) -> Result<OutgoingMessage, BuildError> {
        if let (Some(reason), false) = (self.no_reply, self.even_if_automatic) {
            return Err(BuildError::NoReply(reason));
        }
        let checked = self.checked()?;
        let recipients = checked.to.len() + checked.cc.len() + checked.bcc.len();
        if recipients == 0 {
            return Err(BuildError::NoRecipient);
        }
        if recipients > self.max_recipients {
            return Err(BuildError::TooManyRecipients {
                limit: self.max_recipients,
            });
        }
        let content: usize = checked
            .attachments
            .iter()
            .map(|attachment| attachment.bytes.len())
            .sum();
        let too_large = BuildError::TooLarge { limit: self.max_bytes };
        if content > self.max_bytes {
            return Err(too_large);
        }
        let (raw, marker) = write::message(&checked, clock.now())?;
        if raw.len() > self.max_bytes {
            return Err(too_large);
        }
        let message = OutgoingMessage::from_parts(raw, checked.thread.clone(), marker);
        write::verify(&checked, &message)?;
        Ok(message)
    }

    /// The same with every field checked and in the form in which it is written.
    fn checked(&self) -> Result<Self, BuildError> {
        let from = self.from.as_ref().ok_or(BuildError::NoSender)?;
        let from = check::address(Field::From, from)?;
        let mut checked = self.clone();
        checked.reply_to = addresses(Field::ReplyTo, &self.reply_to)?;
        checked.to = addresses(Field::To, &self.to)?;
        checked.cc = addresses(Field::Cc, &self.cc)?;
        checked.bcc = addresses(Field::Bcc, &self.bcc)?;
        if self.to_all {
            checked.leave_myself_out(&from);
        }
        checked.from = Some(from);
        check::header_text(Field::Subject, &self.subject)?;
        checked.subject = self.subject.trim().to_owned();
        if let Some(text) = &self.text {
            check::body_text(Field::Text, text)?;
        }
        if let Some(html) = &self.html {
            check::body_text(Field::Html, html)?;
        }
        let in_reply_to = self.in_reply_to.as_deref();
        checked.in_reply_to = in_reply_to.map(|id| check::id(Field::InReplyTo, id)).transpose()?;
        let references = self.references.iter().map(|id| check::id(Field::References, id));
        checked.references = references.collect::<Result<_, _>>()?;
        for attachment in &mut checked.attachments {
            attachment.check()?;
        }
        Ok(checked)
    }

    /// Takes the own addresses off To and Cc, unless nobody would be left.
    fn leave_myself_out(&mut self, from: &Address) {
        let mine = |address: &Address| {
            address.is_same_mailbox(from) || self.myself.iter().any(|own| own.is_same_mailbox(address))
        };
        let to: Vec<Address> = self.to.iter().filter(|address| !mine(address)).cloned().collect();
        let cc: Vec<Address> = self.cc.iter().filter(|address| !mine(address)).cloned().collect();
        if !to.is_empty() || !cc.is_empty() {
            self.to = to;
            self.cc = cc;
        }
    }
}

impl fmt::Debug for OutgoingBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutgoingBuilder")
            .field("recipients", &(self.to.len() + self.cc.len() + self.bcc.len()))
            .field("text_bytes", &self.text.as_ref().map(String::len))
            .field("html_bytes", &self.html.as_ref().map(String::len))
            .field("attachments", &self.attachments)
            .field("thread", &self.thread)
            .finish_non_exhaustive()
    }
}

/// A file to attach.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAttachment {
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) bytes: Bytes,
    pub(super) content_id: Option<String>,
}

impl NewAttachment {
    /// A file with its name as the recipient will see it, its content type (`application/pdf`) and its bytes.
    pub fn new(name: impl Into<String>, content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self {
            name: name.into(),
            content_type: content_type.into(),
            bytes: bytes.into(),
            content_id: None,
        }
    }

    /// Makes it part of the HTML, which refers to it as `cid:` and this id (`logo@acme.example`).
    #[must_use]
    pub fn inline(mut self, content_id: impl Into<String>) -> Self {
        self.content_id = Some(content_id.into());
        self
    }

    fn check(&mut self) -> Result<(), BuildError> {
        check::header_text(Field::AttachmentName, &self.name)?;
        self.content_type = check::content_type(&self.content_type)?;
        if let Some(id) = &self.content_id {
            self.content_id = Some(check::id(Field::ContentId, id)?);
        }
        Ok(())
    }
}

impl fmt::Debug for NewAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAttachment")
            .field("bytes", &self.bytes.len())
            .field("inline", &self.content_id.is_some())
            .finish_non_exhaustive()
    }
}

/// Checked addresses; a mailbox that is there twice is kept once.
fn addresses(field: Field, given: &[Address]) -> Result<Vec<Address>, BuildError> {
    let mut seen = std::collections::HashSet::new();
    let mut kept = Vec::with_capacity(given.len());
    for address in given {
        let address = check::address(field, address)?;
        if seen.insert(address.mailbox_key()) {
            kept.push(address);
        }
    }
    Ok(kept)
}
