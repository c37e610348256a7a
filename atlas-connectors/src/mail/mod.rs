//! Mail: the [`Mailbox`] trait, the message model, parsing, building and search.
//!
//! What comes in is bytes: [`Message::parse`] is total, keeps what can be kept and says in [`Message::losses`] what was lost. What goes
//! out is bytes as well: [`OutgoingMessage`] is built once and never changed, and what a reviewer sees is read back from it.

mod address;
mod attachment;
mod authentication;
mod build;
mod change;
mod header;
mod loss;
mod mailbox;
mod mailbox_ext;
mod message;
mod outgoing;
pub(crate) mod parse;
mod query;
mod signals;
mod thread;

pub use address::Address;
pub use attachment::{Attachment, AttachmentKind, Disposition, EmbeddedMessage};
pub use authentication::{AuthVerdict, Authentication};
pub use build::{BuildError, Field, Injection, NewAttachment, OutgoingBuilder};
pub use change::{ChangePage, MailChange, MailListing, SyncCursor, SyncPoint};
pub use header::{Header, Headers};
pub use loss::{Loss, LossKind};
pub use mailbox::{Label, LabelKind, Mailbox, MailboxCapabilities, MailboxProfile, MessageRef, PartRef};
pub use mailbox_ext::MailboxExt;
pub use message::{Message, MessageMeta};
pub use outgoing::{LabelChange, MARKER_HEADER, OutgoingMessage, Recipients};
pub use parse::{ParseLimits, ParseOptions, decode_part};
pub use query::{Condition, MailQuery};
pub use signals::{
    Automation, Calendar, DeliveryAction, DeliveryReport, MailingList, NoReply, Protection, ReadReceipt,
    RecipientStatus,
};
pub use thread::Thread;
