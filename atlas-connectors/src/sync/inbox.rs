//! The embedded inbox: mail kept in the store, for hosts that want no mail store of their own.

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::credential::Sealer;
use crate::error::{Error, ErrorKind, Result, StorageFault};
use crate::ids::{LabelId, MessageId, ThreadId};
use crate::mail::{Message, Thread};
use crate::page::{Page, PageToken};
use crate::sync::item::fold;
use crate::sync::sealed;
use crate::sync::{MailboxKey, StoredMessage, SyncStore};
use async_trait::async_trait;

/// What to show of the inbox; conditions are joined by "and" and have to hold for one and the same message.
///
/// Text is compared without regard to case and to the amount of white space; every word has to occur somewhere in the field,
/// in any order.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxQuery {
    /// Words of the subject.
    pub subject: Option<String>,
    /// Words of a name or address of anybody who takes part.
    pub participant: Option<String>,
    /// Words of either; each may be in the subject or with the participants.
    pub text: Option<String>,
    /// A label on the message.
    pub label: Option<LabelId>,
    /// Only unread messages.
    pub unread: bool,
}

impl InboxQuery {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only with these words in the subject.
    #[must_use]
    pub fn with_subject(mut self, words: impl Into<String>) -> Self {
        self.subject = Some(words.into());
        self
    }

    /// Only with these words in a participant's name or address.
    #[must_use]
    pub fn with_participant(mut self, words: impl Into<String>) -> Self {
        self.participant = Some(words.into());
        self
    }

    /// Only with these words in the subject or a participant's name or address.
    #[must_use]
    pub fn with_text(mut self, words: impl Into<String>) -> Self {
        self.text = Some(words.into());
        self
    }

    /// Only with this label.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<LabelId>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Only unread messages.
    #[must_use]
    pub fn unread_only(mut self) -> Self {
        self.unread = true;
        self
    }

    /// The query as a store compares it.
    pub fn folded(&self) -> FoldedQuery {
        let words = |text: &Option<String>| -> Vec<String> {
            let folded = fold(text.as_deref().unwrap_or_default());
            folded
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let mut labels: Vec<LabelId> = self.label.iter().cloned().collect();
        if self.unread {
            labels.push(LabelId::new(UNREAD));
        }
        FoldedQuery {
            subject: words(&self.subject),
            participant: words(&self.participant),
            text: words(&self.text),
            labels,
        }
    }
}

impl fmt::Debug for InboxQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxQuery")
            .field("label", &self.label)
            .field("unread", &self.unread)
            .finish_non_exhaustive()
    }
}

/// The label of unread messages.
const UNREAD: &str = "UNREAD";

/// A query as a store compares it: folded like [`crate::sync::StoredHeaders`], and cut into words.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoldedQuery {
    /// Each is a part of the subject.
    pub subject: Vec<String>,
    /// Each is a part of the participants.
    pub participant: Vec<String>,
    /// Each is a part of either.
    pub text: Vec<String>,
    /// Each is on the message.
    pub labels: Vec<LabelId>,
}

impl FoldedQuery {
    /// Whether a message matches.
    pub fn matches(&self, message: &StoredMessage) -> bool {
        let Some(headers) = &message.headers else {
            return false;
        };
        let (subject, participants) = (&headers.subject_key, &headers.participants_key);
        self.subject.iter().all(|word| subject.contains(word))
            && self.participant.iter().all(|word| participants.contains(word))
            && self
                .text
                .iter()
                .all(|word| subject.contains(word) || participants.contains(word))
            && self.labels.iter().all(|label| message.labels.contains(label))
    }
}

impl fmt::Debug for FoldedQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoldedQuery")
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

/// A conversation in a list.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxThread {
    /// The conversation.
    pub id: ThreadId,
    /// Its newest message that matches.
    pub newest: MessageId,
    /// When that was received.
    pub received: Timestamp,
    /// Subject of that message.
    pub subject: String,
    /// Sender of that message as shown: name, or address.
    pub from: String,
    /// Messages of the whole conversation.
    pub messages: u64,
    /// Unread messages of the whole conversation.
    pub unread: u64,
}

impl InboxThread {
    /// The thread of its newest matching message, with counts over the whole conversation.
    pub fn new(newest: StoredMessage, messages: u64, unread: u64) -> Self {
        let headers = newest.headers.unwrap_or_default();
        Self {
            id: newest.message.thread,
            newest: newest.message.id,
            received: newest.received,
            subject: headers.subject,
            from: headers.from,
            messages,
            unread,
        }
    }
}

impl fmt::Debug for InboxThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxThread")
            .field("id", &self.id)
            .field("received", &self.received)
            .field("messages", &self.messages)
            .field("unread", &self.unread)
            .finish_non_exhaustive()
    }
}

/// A place in the list of threads, newest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InboxPosition {
    /// Received then.
    pub received: Timestamp,
    /// The message, where several were received at the same moment.
    pub message: MessageId,
}

impl InboxPosition {
    fn to_token(&self) -> PageToken {
        PageToken::new(format!("{}:{}", self.received.unix_millis(), self.message))
    }

    fn from_token(token: &PageToken) -> Result<Self> {
        let parsed = token.as_str().split_once(':').and_then(|(millis, message)| {
            Some(Self {
                received: Timestamp::from_unix_millis(millis.parse().ok()?),
                message: message.into(),
            })
        });
        parsed.ok_or_else(|| {
            let what = ErrorKind::Invalid {
                what: "page",
                why: "not a page of this inbox",
            };
            Error::new(what, "inbox.threads")
        })
    }
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboxCounts {
    /// Messages.
    pub messages: u64,
    /// Unread messages.
    pub unread: u64,
    /// Conversations.
    pub threads: u64,
}

/// A label and how many messages carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelCount {
    /// The label.
    pub label: LabelId,
    /// Messages with it.
    pub messages: u64,
    /// Unread messages with it.
    pub unread: u64,
}

/// The reading side of a store that keeps mail. What it returns is still sealed; hosts read through [`Inbox`].
///
/// ```
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::sync::{InboxQuery, InboxStore, MailboxKey};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// let key = MailboxKey { tenant: "acme".into(), connection: "c1".into() };
/// let unread = InboxQuery::all().unread_only().folded();
/// assert!(store.threads(&key, &unread, None, 20).await?.is_empty());
/// assert_eq!(store.counts(&key).await?.messages, 0);
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait InboxStore: SyncStore {
    /// Threads with a matching message, by their newest matching message, newest first, then by id downwards; strictly after
    /// `after` in this order, at most `limit`.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn threads(
        &self,
        key: &MailboxKey,
        query: &FoldedQuery,
        after: Option<&InboxPosition>,
        limit: usize,
    ) -> Result<Vec<InboxThread>>;

    /// All messages of a thread, oldest first, then by id.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn thread_messages(&self, key: &MailboxKey, thread: &ThreadId) -> Result<Vec<StoredMessage>>;

    /// One message.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn stored_message(&self, key: &MailboxKey, id: &MessageId) -> Result<Option<StoredMessage>>;

    /// How many there are.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn counts(&self, key: &MailboxKey) -> Result<InboxCounts>;

    /// All labels in use, by id.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn label_counts(&self, key: &MailboxKey) -> Result<Vec<LabelCount>>;
}

/// The mail of one connection in the embedded store.
///
/// At rest the message is sealed whole (text, HTML, headers, names of attachments). In clear stay what lists and search need: the ids,
/// labels, time of receipt, subject, and names and addresses of those who take part. A host for which that is too much keeps its
/// mail itself, through [`crate::sync::Sink`].
#[derive(Clone, Debug)]
pub struct Inbox {
    store: Arc<dyn InboxStore>,
    sealer: Sealer,
    key: MailboxKey,
}

impl Inbox {
    /// The inbox of one connection.
    pub fn new(store: Arc<dyn InboxStore>, sealer: Sealer, key: MailboxKey) -> Self {
        Self { store, sealer, key }
    }

    /// One page of threads, newest first, at most 500. Mail that arrives meanwhile does not shift the pages.
    ///
    /// # Errors
    /// `ErrorKind::Invalid` for a page token of something else; [`crate::error::StorageFault`].
    pub async fn threads(
        &self,
        query: &InboxQuery,
        page: Option<&PageToken>,
        limit: usize,
    ) -> Result<Page<InboxThread>> {
        let after = page.map(InboxPosition::from_token).transpose()?;
        let limit = limit.clamp(1, 500);
        let mut items = self
            .store
            .threads(&self.key, &query.folded(), after.as_ref(), limit.saturating_add(1))
            .await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| {
            let position = InboxPosition {
                received: last.received,
                message: last.newest.clone(),
            };
            position.to_token()
        });
        Ok(Page {
            items,
            next,
            estimate: None,
        })
    }

    /// One conversation, oldest message first; `None` if no message of it is stored.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`]; `Key`, `Corrupt` or `Schema` if a message does not open, and nothing is shown as empty then.
    pub async fn thread(&self, id: &ThreadId) -> Result<Option<Thread>> {
        let rows = self.store.thread_messages(&self.key, id).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let messages = rows.into_iter().map(|row| self.open(row)).collect::<Result<_>>()?;
        Ok(Some(Thread {
            id: id.clone(),
            messages,
        }))
    }

    /// One message.
    ///
    /// # Errors
    /// As [`Inbox::thread`].
    pub async fn message(&self, id: &MessageId) -> Result<Option<Message>> {
        let row = self.store.stored_message(&self.key, id).await?;
        row.map(|row| self.open(row)).transpose()
    }

    /// How many messages, unread messages and threads there are.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    pub async fn counts(&self) -> Result<InboxCounts> {
        self.store.counts(&self.key).await
    }

    /// All labels in use with their counts, by id. Their names come from [`crate::mail::Mailbox::labels`].
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    pub async fn labels(&self) -> Result<Vec<LabelCount>> {
        self.store.label_counts(&self.key).await
    }

    fn open(&self, row: StoredMessage) -> Result<Message> {
        let missing = || Error::new(StorageFault::Corrupt, "inbox.open");
        let sealed = row.sealed.as_ref().ok_or_else(missing)?;
        let mut message = sealed::open(&self.sealer, &self.key, &row.message.id, sealed)?;
        // Labels change without the message being sealed anew.
        message.meta.labels = row.labels;
        Ok(message)
    }
}
