//! The mailbox as a host sees it, whoever the provider is.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::action::{Approved, Prepared, Reconciled, Sent};
use crate::connection::ConnectionRef;
use crate::error::Result;
use crate::http::ByteStream;
use crate::ids::{LabelId, MessageId, ThreadId};
use crate::mail::{ChangePage, LabelChange, MailQuery, Message, OutgoingMessage, SyncCursor, SyncPoint, Thread};
use crate::page::{Page, PageToken};

/// One account's mail.
///
/// Reads may be repeated. The three steps of a send (`prepare`, `commit`, `reconcile`) and `organize` are driven by
/// [`crate::action::Outbox`]; hosts propose actions there and never call the steps themselves. Nothing here can be sent without an
/// [`Approved`], which only the approval gate makes.
#[async_trait]
pub trait Mailbox: fmt::Debug + Send + Sync + 'static {
    /// The connection this mailbox works for.
    fn connection(&self) -> &ConnectionRef;

    /// What the granted scopes allow. An operation outside them fails before the network.
    fn capabilities(&self) -> MailboxCapabilities;

    /// The account's address and current position.
    async fn profile(&self) -> Result<MailboxProfile>;

    /// One page of changes from a point.
    ///
    /// # Errors
    /// [`crate::ErrorKind::CursorExpired`] when the provider no longer knows the cursor.
    async fn changes(&self, from: &SyncPoint, page: Option<&PageToken>) -> Result<ChangePage>;

    /// One whole message, parsed.
    async fn message(&self, id: &MessageId) -> Result<Message>;

    /// One conversation with its messages, oldest first.
    async fn thread(&self, id: &ThreadId) -> Result<Thread>;

    /// The decoded bytes of one part, streamed.
    async fn attachment(&self, part: &PartRef) -> Result<ByteStream>;

    /// One page of messages that match.
    async fn search(&self, query: &MailQuery, page: Option<&PageToken>) -> Result<Page<MessageRef>>;

    /// All labels of the mailbox.
    async fn labels(&self) -> Result<Vec<Label>>;

    /// Applies an approved change of labels. Set semantics: repeating it is harmless.
    async fn organize(&self, change: &Approved<LabelChange>) -> Result<()>;

    /// Makes whatever the provider needs so that the send can be told from a second one: a draft where the scope allows.
    /// May be asked again for the same intent after a crash: where drafts can be listed, a draft that carries the mail's
    /// [`OutgoingMessage::marker`] is given back instead of a second one being made.
    ///
    /// # Errors
    /// [`crate::OAuthError::InsufficientPrivileges`], before the network, where the scopes allow neither a draft nor a send.
    async fn prepare(&self, send: &Approved<OutgoingMessage>) -> Result<Prepared>;

    /// The bytes that the handle holds now (the raw draft), so that the outbox can compare them with what was approved
    /// right before the send. `None`: the handle is gone, or there is none.
    async fn read_back(&self, prepared: &Prepared) -> Result<Option<Bytes>>;

    /// Sends what was prepared, with exactly one request. Spent by value: a second send of the same preparation does not compile.
    ///
    /// # Errors
    /// With [`crate::error::Effect::Unknown`] when the request left and no clear answer came.
    async fn commit(&self, prepared: Prepared) -> Result<Sent>;

    /// Finds out whether an earlier send happened. A failed look-up proves nothing: it is an error or [`Reconciled::Unknown`], never
    /// [`Reconciled::DidNotHappen`].
    async fn reconcile(&self, prepared: &Prepared) -> Result<Reconciled>;

    /// Removes drafts that this intent left behind: those with its marker and its handle. Asked by the outbox after an
    /// intent has ended; nothing to remove is no error, and neither is a mailbox without drafts.
    async fn sweep(&self, ended: &Prepared) -> Result<()>;
}

/// What a mailbox can do with the scopes it was granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MailboxCapabilities {
    /// Messages, threads, labels and changes can be read.
    pub read: bool,
    /// Messages can be searched.
    pub search: bool,
    /// Labels can be changed.
    pub organize: bool,
    /// Drafts can be made in the mailbox.
    pub draft: bool,
    /// Mail can be sent.
    pub send: bool,
    /// An interrupted send can be looked up, so that it need not end as uncertain: that it has not happened is proven by its handle; that
    /// it has happened is found only with `read`.
    pub reconcile: bool,
}

/// The account behind a mailbox.
#[derive(Clone, PartialEq, Eq)]
pub struct MailboxProfile {
    /// The address of the account.
    pub address: String,
    /// The present end of the change feed.
    pub cursor: SyncCursor,
    /// Messages in the mailbox, if the provider counts them.
    pub messages: Option<u64>,
    /// Threads in the mailbox, if the provider counts them.
    pub threads: Option<u64>,
}

impl fmt::Debug for MailboxProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailboxProfile")
            .field("address", &crate::error::Masked::new(&self.address))
            .field("cursor", &self.cursor)
            .field("messages", &self.messages)
            .field("threads", &self.threads)
            .finish()
    }
}

/// A message by its ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessageRef {
    /// The message.
    pub id: MessageId,
    /// Its conversation.
    pub thread: ThreadId,
}

/// A part of a message by what does not change: the message and the part's path in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartRef {
    /// The message.
    pub message: MessageId,
    /// Path of the part: empty for the root, then `0`, `0.1`, counted from 0.
    pub part: Box<str>,
}

/// A label or folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its id; keep this one, names change.
    pub id: LabelId,
    /// Its name as people see it; `/` shows as nesting.
    pub name: String,
    /// Whose label it is.
    pub kind: LabelKind,
}

/// Whose label it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LabelKind {
    /// The provider's own: inbox, sent, trash.
    System,
    /// Made by the person or a program.
    User,
}
