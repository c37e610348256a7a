//! Mail: the `Mailbox` trait, the message model, parsing, building and search.

mod change;
mod mailbox;

pub use change::{ChangePage, MailChange, MailListing, SyncCursor, SyncPoint};
pub use mailbox::{Label, LabelKind, Mailbox, MailboxCapabilities, MailboxProfile, MessageRef, PartRef};

mod message;
mod outgoing;
mod query;

pub use message::{Message, MessageMeta, Thread};
pub use outgoing::{LabelChange, OutgoingMessage};
pub use query::MailQuery;
