//! What a mail is beside its text: sent by a machine, to a list, a bounce, an invitation, signed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Sent by a program and not by a person (RFC 3834 and older customs).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Automation {
    /// An answer made by a program: out of office, ticket received.
    Replied,
    /// A mail made by a program without being asked: a notice, a report.
    Generated,
    /// A vacation responder or older mark (`X-Autoreply`, `Precedence: auto_reply`).
    Marked,
    /// `Precedence: bulk` or `junk`: sent to many.
    Bulk,
}

/// Sent through a mailing list (RFC 2919, 2369, 8058).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MailingList {
    /// The id in angle brackets of `List-Id`.
    pub id: Option<String>,
    /// Addresses to unsubscribe (`https:` and `mailto:` only), in the list's order. They are claims of the sender: nothing follows them.
    pub unsubscribe: Vec<String>,
    /// Whether unsubscribing needs one POST and no page (RFC 8058).
    pub one_click: bool,
}

impl MailingList {
    pub(crate) fn new(id: Option<String>, unsubscribe: Vec<String>, one_click: bool) -> Self {
        Self {
            id,
            unsubscribe,
            one_click,
        }
    }
}

impl fmt::Debug for MailingList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailingList")
            .field("has_id", &self.id.is_some())
            .field("unsubscribe", &self.unsubscribe.len())
            .field("one_click", &self.one_click)
            .finish()
    }
}

/// A report about the delivery of an earlier mail (RFC 3464), or a bounce that can be told only by its sender.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeliveryReport {
    /// What became of each recipient; empty when the report is not machine-readable.
    pub recipients: Vec<RecipientStatus>,
    /// Message id of the mail it is about, if the report returns its headers.
    pub original_message_id: Option<String>,
}

impl DeliveryReport {
    pub(crate) fn new(recipients: Vec<RecipientStatus>, original_message_id: Option<String>) -> Self {
        Self {
            recipients,
            original_message_id,
        }
    }

    /// Whether delivery to anyone failed for good. A report without machine-readable part counts as failed.
    pub fn is_failure(&self) -> bool {
        self.recipients.is_empty() || self.recipients.iter().any(|r| r.action == DeliveryAction::Failed)
    }
}

impl fmt::Debug for DeliveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryReport")
            .field("recipients", &self.recipients)
            .finish_non_exhaustive()
    }
}

/// What became of one recipient (RFC 3464, section 2.3).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecipientStatus {
    /// The recipient's address.
    pub recipient: String,
    /// What happened.
    pub action: DeliveryAction,
    /// The status code, such as `5.1.1` (RFC 3463).
    pub status: Option<String>,
    /// What the remote server answered. Free text of a stranger.
    pub diagnostic: Option<String>,
}

impl RecipientStatus {
    pub(crate) fn new(recipient: String, action: DeliveryAction) -> Self {
        Self {
            recipient,
            action,
            status: None,
            diagnostic: None,
        }
    }
}

impl fmt::Debug for RecipientStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecipientStatus")
            .field("recipient", &crate::error::Masked::new(&self.recipient))
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

/// What happened to a recipient's copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeliveryAction {
    /// It could not be delivered and will not be tried again.
    Failed,
    /// It is still being tried.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It went on to a system that gives no reports.
    Relayed,
    /// It was delivered and sent on to more addresses.
    Expanded,
    /// A word that is not in the list.
    Other,
}

/// A read receipt (message disposition notification, RFC 8098).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReadReceipt {
    /// What was done with the mail: `displayed`, `deleted`, `denied`, `processed`, …, in lower case.
    pub disposition: Option<String>,
    /// Message id of the mail it is about.
    pub original_message_id: Option<String>,
    /// Whose receipt it is.
    pub recipient: Option<String>,
}

impl ReadReceipt {
    pub(crate) fn new(
        disposition: Option<String>,
        original_message_id: Option<String>,
        recipient: Option<String>,
    ) -> Self {
        Self {
            disposition,
            original_message_id,
            recipient,
        }
    }
}

impl fmt::Debug for ReadReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadReceipt")
    }
}

/// A calendar object in the mail (RFC 6047).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Calendar {
    /// What it asks for, in capitals: `REQUEST`, `REPLY`, `CANCEL`, `PUBLISH`, …; `None` where neither header nor object says.
    pub method: Option<String>,
    /// Path of the part that holds it.
    pub part: Box<str>,
}

impl Calendar {
    pub(crate) fn new(method: Option<String>, part: Box<str>) -> Self {
        Self { method, part }
    }
}

/// How the content is protected. Nothing is verified or decrypted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Protection {
    /// Signed with S/MIME.
    SmimeSigned,
    /// Encrypted with S/MIME: the text cannot be read here.
    SmimeEncrypted,
    /// Signed with OpenPGP.
    PgpSigned,
    /// Encrypted with OpenPGP: the text cannot be read here.
    PgpEncrypted,
}

/// Why a program should not answer a mail on its own (RFC 3834, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoReply {
    /// It was written by a program, or marked as sent to many.
    Automatic,
    /// It came through a list.
    List,
    /// It reports about the delivery of another mail.
    DeliveryReport,
    /// It is a read receipt.
    ReadReceipt,
    /// Its envelope sender is empty: no answer is wanted.
    EmptyReturnPath,
}

impl NoReply {
    /// Stable word for logs and tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::List => "list",
            Self::DeliveryReport => "delivery_report",
            Self::ReadReceipt => "read_receipt",
            Self::EmptyReturnPath => "empty_return_path",
        }
    }
}
