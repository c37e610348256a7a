//! A mailbox without a network: it gives what a sync reads from memory, and does nothing else.

use async_trait::async_trait;
use atlas_connectors::action::{Approved, Prepared, Reconciled, Sent};
use atlas_connectors::error::ErrorKind;
use atlas_connectors::http::ByteStream;
use atlas_connectors::mail::{
    ChangePage, Label, LabelChange, MailQuery, Mailbox, MailboxCapabilities, MailboxProfile, Message, MessageRef,
    OutgoingMessage, PartRef, SyncPoint, Thread,
};
use atlas_connectors::{ConnectionRef, Error, MessageId, Page, PageToken, Result, ThreadId};
use bytes::Bytes;

/// Where a [`Local`] mailbox reads from.
pub(crate) trait Source: std::fmt::Debug + Send + Sync + 'static {
    /// A page of changes.
    fn changes(&self, from: &SyncPoint, page: Option<&PageToken>) -> Result<ChangePage>;
    /// A message, decoded and parsed.
    fn message(&self, id: &MessageId) -> Result<Message>;
}

/// Nothing to read.
impl Source for () {
    fn changes(&self, _from: &SyncPoint, _page: Option<&PageToken>) -> Result<ChangePage> {
        unsupported()
    }
    fn message(&self, _id: &MessageId) -> Result<Message> {
        unsupported()
    }
}

/// The mailbox of this connection. The gate is told that it could send.
#[derive(Debug)]
pub(crate) struct Local<S>(pub(crate) ConnectionRef, pub(crate) S);

fn unsupported<T>() -> Result<T> {
    Err(Error::new(
        ErrorKind::Unsupported { what: "a mailbox" },
        "bench.mailbox",
    ))
}

#[async_trait]
impl<S: Source> Mailbox for Local<S> {
    fn connection(&self) -> &ConnectionRef {
        &self.0
    }
    fn capabilities(&self) -> MailboxCapabilities {
        let mut can = MailboxCapabilities::default();
        can.send = true;
        can
    }
    async fn profile(&self) -> Result<MailboxProfile> {
        unsupported()
    }
    async fn changes(&self, from: &SyncPoint, page: Option<&PageToken>) -> Result<ChangePage> {
        self.1.changes(from, page)
    }
    async fn message(&self, id: &MessageId) -> Result<Message> {
        self.1.message(id)
    }
    async fn thread(&self, _id: &ThreadId) -> Result<Thread> {
        unsupported()
    }
    async fn attachment(&self, _part: &PartRef) -> Result<ByteStream> {
        unsupported()
    }
    async fn search(&self, _query: &MailQuery, _page: Option<&PageToken>) -> Result<Page<MessageRef>> {
        unsupported()
    }
    async fn labels(&self) -> Result<Vec<Label>> {
        unsupported()
    }
    async fn organize(&self, _change: &Approved<LabelChange>) -> Result<()> {
        unsupported()
    }
    async fn prepare(&self, _send: &Approved<OutgoingMessage>) -> Result<Prepared> {
        unsupported()
    }
    async fn read_back(&self, _prepared: &Prepared) -> Result<Option<Bytes>> {
        unsupported()
    }
    async fn commit(&self, _prepared: Prepared) -> Result<Sent> {
        unsupported()
    }
    async fn reconcile(&self, _prepared: &Prepared) -> Result<Reconciled> {
        unsupported()
    }
    async fn sweep(&self, _ended: &Prepared) -> Result<()> {
        unsupported()
    }
}
