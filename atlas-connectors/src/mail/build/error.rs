//! Why a mail cannot be built.

use std::fmt;

use crate::error::{Error, ErrorKind};
use crate::mail::NoReply;

/// Why a mail cannot be built. Found before anything is written; no variant carries what the field held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no `From`.
    #[error("the mail has no author")]
    NoSender,
    /// There is no recipient.
    #[error("the mail has no recipient")]
    NoRecipient,
    /// More recipients than [`super::OutgoingBuilder::max_recipients`] allows.
    #[error("the mail has more than {limit} recipients")]
    TooManyRecipients {
        /// The limit.
        limit: usize,
    },
    /// Characters that could begin another header or end the text.
    #[error("{field} holds {what}")]
    Injection {
        /// Where.
        field: Field,
        /// What.
        what: Injection,
    },
    /// Not a mail address.
    #[error("{field} holds something that is no mail address")]
    InvalidAddress {
        /// Where.
        field: Field,
    },
    /// The part before the `@` is not ASCII. Such mail needs SMTPUTF8 (RFC 6531) on every hop and is not sent.
    #[error("{field} holds an address whose local part is not ASCII")]
    NonAsciiLocalPart {
        /// Where.
        field: Field,
    },
    /// Not a message id or content id (`left@right`, ASCII, no spaces).
    #[error("{field} is not an id of the form left@right")]
    InvalidId {
        /// Where.
        field: Field,
    },
    /// Not a content type of the form `type/subtype`, or one that holds parts.
    #[error("an attachment has no content type of the form type/subtype")]
    InvalidContentType,
    /// The mail answered is not to be answered by a program; see [`super::OutgoingBuilder::even_if_automatic`].
    #[error("the mail is not to be answered automatically ({})", .0.code())]
    NoReply(NoReply),
    /// Larger than [`super::OutgoingBuilder::max_bytes`] allows.
    #[error("the mail is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Read back, the bytes do not say what was asked. Nothing was made.
    #[error("{field} cannot be written faithfully")]
    Unfaithful {
        /// The field that differs.
        field: Field,
    },
}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        let why = match &error {
            BuildError::NoSender => "it has no author",
            BuildError::NoRecipient => "it has no recipient",
            BuildError::TooManyRecipients { .. } => "it has too many recipients",
            BuildError::Injection { .. } => "a field holds line breaks or control characters",
            BuildError::InvalidAddress { .. } => "an address is not one",
            BuildError::NonAsciiLocalPart { .. } => "the local part of an address is not ASCII",
            BuildError::InvalidId { .. } => "a message id or content id is not one",
            BuildError::InvalidContentType => "an attachment has no usable content type",
            BuildError::NoReply(_) => "the mail it answers is not to be answered automatically",
            BuildError::TooLarge { .. } => "it is too large",
            BuildError::Unfaithful { .. } => "a field cannot be written faithfully",
        };
        Self::new(ErrorKind::Invalid { what: "mail", why }, "mail.build").with_source(error)
    }
}

/// A field of a mail that is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// Author.
    From,
    /// Where answers go.
    ReplyTo,
    /// Recipients.
    To,
    /// Recipients of copies.
    Cc,
    /// Hidden recipients.
    Bcc,
    /// Subject.
    Subject,
    /// The message answered.
    InReplyTo,
    /// The conversation before it.
    References,
    /// Plain text.
    Text,
    /// HTML.
    Html,
    /// File name of an attachment.
    AttachmentName,
    /// Content type of an attachment.
    AttachmentType,
    /// Content id of an attachment.
    ContentId,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::From => "From",
            Self::ReplyTo => "Reply-To",
            Self::To => "To",
            Self::Cc => "Cc",
            Self::Bcc => "Bcc",
            Self::Subject => "the subject",
            Self::InReplyTo => "In-Reply-To",
            Self::References => "References",
            Self::Text => "the text",
            Self::Html => "the HTML",
            Self::AttachmentName => "the name of an attachment",
            Self::AttachmentType => "the content type of an attachment",
            Self::ContentId => "the content id of an attachment",
        })
    }
}

/// What does not belong into a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Injection {
    /// CR, LF or another character that ends a line.
    LineBreak,
    /// NUL.
    Nul,
    /// Another control character.
    Control,
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineBreak => "a line break",
            Self::Nul => "a NUL",
            Self::Control => "a control character",
        })
    }
}
