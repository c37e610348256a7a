use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::error::Result;
use crate::store::MemoryStore;
use crate::sync::{FaultState, FoldedQuery, KnownMessage, MessageFault, SyncState, SyncStore};

#[tokio::test]
async fn memory_keeps_the_contract() {
    let store = MemoryStore::new();
    let open = || Ok(Arc::new(store.clone()) as Arc<dyn InboxStore>);
    inbox_store(open).await.unwrap();
    // And again beside the rows of the first run.
    inbox_store(open).await.unwrap();
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_contract_over_several_handles_on_one_file() {
    use crate::store::SqliteStore;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atlas.db");
    inbox_store(|| Ok(Arc::new(SqliteStore::open(&path)?) as Arc<dyn InboxStore>))
        .await
        .unwrap();
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn sqlite_in_memory_keeps_the_contract() {
    use crate::store::SqliteStore;

    let store = SqliteStore::in_memory().unwrap();
    inbox_store(|| Ok(Arc::new(store.clone()) as Arc<dyn InboxStore>))
        .await
        .unwrap();
}

#[tokio::test]
async fn broken_stores_fail_by_the_sentence_they_break() {
    let breaks = [
        (Break::CountsOneMore, "begins_empty"),
        (Break::CutsSealed, "keeps_messages_whole"),
        (Break::ForgetsSender, "keeps_messages_whole"),
        (Break::KeepsOldSealed, "replaces_messages_whole"),
        (Break::OldestFirst, "threads_newest_first"),
        (Break::ListsMessages, "threads_newest_first"),
        (Break::PagesOverlap, "threads_in_pages"),
        (Break::PagesByTimeAlone, "threads_in_pages"),
        (Break::LimitIgnored, "threads_in_pages"),
        (Break::CountsMatches, "threads_by_their_newest_match"),
        (Break::AnyMessage, "conditions_hold_for_one_message"),
        (Break::FirstWordOnly, "words_are_parts_of_fields"),
        (Break::LabelIgnored, "threads_by_their_newest_match"),
        (Break::LabelsByPart, "labels_are_whole"),
        (Break::ThreadNewestFirst, "thread_oldest_first"),
        (Break::UnreadIgnored, "counts_add_up"),
        (Break::LabelsUnsorted, "labels_are_counted"),
        (Break::ShowsWhatTheHostKeeps, "what_the_host_keeps_is_not_shown"),
        (Break::RelabelsNothing, "changes_are_shown"),
        (Break::TenantIgnored, "mailboxes_do_not_mix"),
    ];
    for (how, case) in breaks {
        let store = Arc::new(Broken {
            inner: MemoryStore::new(),
            how,
            sealed: Mutex::default(),
        });
        let open = || Ok(Arc::clone(&store) as Arc<dyn InboxStore>);
        let violation = inbox_store(open).await.unwrap_err();
        assert_eq!(violation.case(), case, "{how:?}: {violation}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// Counts a thread that is not there.
    CountsOneMore,
    /// Cuts long content.
    CutsSealed,
    /// Keeps no sender.
    ForgetsSender,
    /// Leaves the content of a message that comes again without any.
    KeepsOldSealed,
    /// Lists in the other direction.
    OldestFirst,
    /// Lists a thread once for each of its messages.
    ListsMessages,
    /// Begins a page with the last thread of the page before.
    PagesOverlap,
    /// Leaves out what was received at the moment at which a page ended.
    PagesByTimeAlone,
    /// Gives everything at once.
    LimitIgnored,
    /// Counts the matching messages of a thread.
    CountsMatches,
    /// Lets each condition be met by a message of its own.
    AnyMessage,
    /// Looks for the first word in a field.
    FirstWordOnly,
    /// Looks at no label.
    LabelIgnored,
    /// Finds labels by a part of them.
    LabelsByPart,
    /// Gives a thread in the other direction.
    ThreadNewestFirst,
    /// Counts nothing as unread.
    UnreadIgnored,
    /// Lists labels by their use.
    LabelsUnsorted,
    /// Keeps headers where the host keeps the mail.
    ShowsWhatTheHostKeeps,
    /// Leaves the labels as they were.
    RelabelsNothing,
    /// Looks up by connection alone.
    TenantIgnored,
}

/// A store with one fault.
#[derive(Debug)]
struct Broken {
    inner: MemoryStore,
    how: Break,
    /// Content by message.
    sealed: Mutex<HashMap<MessageId, Vec<u8>>>,
}

impl Broken {
    fn is(&self, how: Break) -> bool {
        self.how == how
    }

    fn place(&self, key: &MailboxKey) -> MailboxKey {
        let mut key = key.clone();
        if self.is(Break::TenantIgnored) {
            key.tenant = "all".into();
        }
        key
    }

    fn placed(&self, lease: &SyncLease) -> SyncLease {
        SyncLease {
            key: self.place(&lease.key),
            ..lease.clone()
        }
    }

    async fn all(&self, key: &MailboxKey, query: &FoldedQuery) -> Result<Vec<InboxThread>> {
        self.inner.threads(key, query, None, usize::MAX).await
    }
}

#[async_trait]
impl InboxStore for Broken {
    async fn threads(
        &self,
        key: &MailboxKey,
        query: &FoldedQuery,
        after: Option<&InboxPosition>,
        limit: usize,
    ) -> Result<Vec<InboxThread>> {
        let key = &self.place(key);
        let mut query = query.clone();
        let position = |thread: &InboxThread| InboxPosition {
            received: thread.received,
            message: thread.newest.clone(),
        };
        match self.how {
            Break::OldestFirst => {
                let mut found = self.inner.threads(key, &query, after, limit).await?;
                found.reverse();
                return Ok(found);
            }
            Break::ListsMessages => {
                let mut found = Vec::new();
                for thread in self.inner.threads(key, &query, after, limit).await? {
                    found.extend((0..thread.messages).map(|_| thread.clone()));
                }
                return Ok(found);
            }
            Break::PagesOverlap => {
                let mut found = self.all(key, &query).await?;
                found.retain(|thread| after.is_none_or(|after| position(thread) <= *after));
                found.truncate(limit);
                return Ok(found);
            }
            Break::PagesByTimeAlone => {
                let mut found = self.all(key, &query).await?;
                found.retain(|thread| after.is_none_or(|after| thread.received < after.received));
                found.truncate(limit);
                return Ok(found);
            }
            Break::LimitIgnored => return self.inner.threads(key, &query, after, usize::MAX).await,
            Break::CountsMatches => {
                let mut found = self.inner.threads(key, &query, after, limit).await?;
                for thread in &mut found {
                    let messages = self.inner.thread_messages(key, &thread.id).await?;
                    thread.messages = messages.iter().filter(|message| query.matches(message)).count() as u64;
                }
                return Ok(found);
            }
            Break::AnyMessage => {
                let mut found = self.all(key, &FoldedQuery::default()).await?;
                let parts = [
                    FoldedQuery {
                        subject: query.subject,
                        ..FoldedQuery::default()
                    },
                    FoldedQuery {
                        participant: query.participant,
                        text: query.text,
                        ..FoldedQuery::default()
                    },
                    FoldedQuery {
                        labels: query.labels,
                        ..FoldedQuery::default()
                    },
                ];
                for part in parts {
                    let some = self.all(key, &part).await?;
                    found.retain(|thread| some.iter().any(|one| one.id == thread.id));
                    if part.labels.len() == 1 {
                        // Where a label is all that is asked for, it finds the right message.
                        found = some
                            .into_iter()
                            .filter(|one| found.iter().any(|thread| thread.id == one.id))
                            .collect();
                    }
                }
                found.retain(|thread| after.is_none_or(|after| position(thread) < *after));
                found.truncate(limit);
                return Ok(found);
            }
            Break::FirstWordOnly => {
                query.subject.truncate(1);
                query.participant.truncate(1);
            }
            Break::LabelIgnored => query.labels.clear(),
            Break::LabelsByPart => {
                if let [wanted] = query.labels.as_slice() {
                    let wanted = wanted.clone();
                    let mut found = Vec::new();
                    for count in self.inner.label_counts(key).await? {
                        if count.label.as_str().contains(wanted.as_str()) {
                            query.labels = vec![count.label];
                            found.extend(self.inner.threads(key, &query, after, limit).await?);
                        }
                    }
                    return Ok(found);
                }
            }
            _ => {}
        }
        self.inner.threads(key, &query, after, limit).await
    }

    async fn thread_messages(&self, key: &MailboxKey, thread: &ThreadId) -> Result<Vec<StoredMessage>> {
        let mut found = self.inner.thread_messages(&self.place(key), thread).await?;
        if self.is(Break::ThreadNewestFirst) {
            found.reverse();
        }
        Ok(found)
    }

    async fn stored_message(&self, key: &MailboxKey, id: &MessageId) -> Result<Option<StoredMessage>> {
        self.inner.stored_message(&self.place(key), id).await
    }

    async fn counts(&self, key: &MailboxKey) -> Result<InboxCounts> {
        let mut counts = self.inner.counts(&self.place(key)).await?;
        match self.how {
            Break::CountsOneMore => counts.threads += 1,
            Break::UnreadIgnored => counts.unread = 0,
            _ => {}
        }
        Ok(counts)
    }

    async fn label_counts(&self, key: &MailboxKey) -> Result<Vec<LabelCount>> {
        let mut counts = self.inner.label_counts(&self.place(key)).await?;
        if self.is(Break::LabelsUnsorted) {
            counts.sort_by_key(|count| count.messages);
        }
        Ok(counts)
    }
}

#[async_trait]
impl SyncStore for Broken {
    async fn lease(&self, connection: &ConnectionRef, holder: &HolderId, ttl: Duration) -> Result<SyncLease> {
        let mut connection = connection.clone();
        let key = MailboxKey::from(&connection);
        connection.tenant = self.place(&key).tenant;
        let lease = self.inner.lease(&connection, holder, ttl).await?;
        Ok(SyncLease { key, ..lease })
    }

    async fn commit(&self, lease: &SyncLease, mut commit: SyncCommit) -> Result<()> {
        let lease = self.placed(lease);
        if self.is(Break::RelabelsNothing) {
            commit.relabels.clear();
        }
        for row in &mut commit.upserts {
            let id = row.message.id.clone();
            match self.how {
                Break::CutsSealed => {
                    if let Some(sealed) = &mut row.sealed {
                        sealed.truncate(65_535);
                    }
                }
                Break::ForgetsSender => {
                    if let Some(headers) = &mut row.headers {
                        headers.from.clear();
                    }
                }
                Break::KeepsOldSealed => {
                    let mut kept = self.sealed.lock().unwrap();
                    match &row.sealed {
                        Some(sealed) => drop(kept.insert(id, sealed.clone())),
                        None => row.sealed = kept.get(&id).cloned(),
                    }
                }
                Break::ShowsWhatTheHostKeeps => {
                    let known = self.inner.known(&lease.key, vec![id]).await?;
                    if known.iter().all(|known| known.labels.is_none()) {
                        row.headers.get_or_insert_default();
                    }
                }
                _ => {}
            }
        }
        self.inner.commit(&lease, commit).await
    }

    async fn renew(&self, lease: &SyncLease, ttl: Duration) -> Result<()> {
        self.inner.renew(&self.placed(lease), ttl).await
    }

    async fn release(&self, lease: &SyncLease) -> Result<()> {
        self.inner.release(&self.placed(lease)).await
    }

    async fn state(&self, key: &MailboxKey) -> Result<SyncState> {
        self.inner.state(&self.place(key)).await
    }

    async fn known(&self, key: &MailboxKey, ids: Vec<MessageId>) -> Result<Vec<KnownMessage>> {
        self.inner.known(&self.place(key), ids).await
    }

    async fn unseen(
        &self,
        key: &MailboxKey,
        generation: u64,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageRef>> {
        self.inner.unseen(&self.place(key), generation, after, limit).await
    }

    async fn faults(
        &self,
        key: &MailboxKey,
        state: FaultState,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageFault>> {
        self.inner.faults(&self.place(key), state, after, limit).await
    }

    async fn fault_counts(&self, key: &MailboxKey) -> Result<(u64, u64)> {
        self.inner.fault_counts(&self.place(key)).await
    }

    async fn requeue(&self, key: &MailboxKey, message: Option<&MessageId>) -> Result<u64> {
        self.inner.requeue(&self.place(key), message).await
    }

    async fn raise_epoch(&self, key: &MailboxKey, epoch: Epoch) -> Result<()> {
        self.inner.raise_epoch(&self.place(key), epoch).await
    }

    async fn set_paused(&self, key: &MailboxKey, paused: bool) -> Result<()> {
        self.inner.set_paused(&self.place(key), paused).await
    }

    async fn erase(&self, key: &MailboxKey) -> Result<()> {
        self.inner.erase(&self.place(key)).await
    }
}
