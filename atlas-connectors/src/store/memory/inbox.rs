//! The embedded inbox in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;

use super::MemoryStore;
use super::sync::MailboxRows;
use crate::error::Result;
use crate::ids::{LabelId, MessageId, ThreadId};
use crate::sync::{
    FoldedQuery, InboxCounts, InboxPosition, InboxStore, InboxThread, LabelCount, MailboxKey, StoredMessage,
};

const UNREAD: &str = "UNREAD";

#[async_trait]
impl InboxStore for MemoryStore {
    async fn threads(
        &self,
        key: &MailboxKey,
        query: &FoldedQuery,
        after: Option<&InboxPosition>,
        limit: usize,
    ) -> Result<Vec<InboxThread>> {
        let rows = self.mailboxes.rows();
        let mut newest: HashMap<&ThreadId, (InboxPosition, &StoredMessage)> = HashMap::new();
        let mut counts: HashMap<&ThreadId, (u64, u64)> = HashMap::new();
        for message in rows.get(key).into_iter().flat_map(kept) {
            let thread = &message.message.thread;
            let (messages, unread) = counts.entry(thread).or_default();
            *messages += 1;
            *unread += u64::from(is_unread(message));
            if !query.matches(message) {
                continue;
            }
            let position = position(message);
            match newest.get(thread) {
                Some((known, _)) if *known > position => {}
                _ => {
                    newest.insert(thread, (position, message));
                }
            }
        }
        let mut heads: Vec<(InboxPosition, &StoredMessage)> = newest
            .into_values()
            .filter(|(position, _)| after.is_none_or(|after| position < after))
            .collect();
        heads.sort_by(|(one, _), (two, _)| two.cmp(one));
        let threads = heads.into_iter().take(limit).map(|(_, message)| {
            let (messages, unread) = counts.get(&message.message.thread).copied().unwrap_or_default();
            InboxThread::new(message.clone(), messages, unread)
        });
        Ok(threads.collect())
    }

    async fn thread_messages(&self, key: &MailboxKey, thread: &ThreadId) -> Result<Vec<StoredMessage>> {
        let rows = self.mailboxes.rows();
        let mut messages: Vec<StoredMessage> = rows
            .get(key)
            .into_iter()
            .flat_map(kept)
            .filter(|message| message.message.thread == *thread)
            .cloned()
            .collect();
        messages.sort_by_key(position);
        Ok(messages)
    }

    async fn stored_message(&self, key: &MailboxKey, id: &MessageId) -> Result<Option<StoredMessage>> {
        let rows = self.mailboxes.rows();
        let row = rows.get(key).and_then(|rows| rows.messages.get(id));
        Ok(row
            .map(|row| row.message.clone())
            .filter(|message| message.headers.is_some()))
    }

    async fn counts(&self, key: &MailboxKey) -> Result<InboxCounts> {
        let rows = self.mailboxes.rows();
        let mut counts = InboxCounts::default();
        let mut threads = BTreeSet::new();
        for message in rows.get(key).into_iter().flat_map(kept) {
            counts.messages += 1;
            counts.unread += u64::from(is_unread(message));
            threads.insert(&message.message.thread);
        }
        counts.threads = threads.len() as u64;
        Ok(counts)
    }

    async fn label_counts(&self, key: &MailboxKey) -> Result<Vec<LabelCount>> {
        let rows = self.mailboxes.rows();
        let mut counts: BTreeMap<&LabelId, (u64, u64)> = BTreeMap::new();
        for message in rows.get(key).into_iter().flat_map(kept) {
            for label in &message.labels {
                let (messages, unread) = counts.entry(label).or_default();
                *messages += 1;
                *unread += u64::from(is_unread(message));
            }
        }
        let counts = counts.into_iter().map(|(label, (messages, unread))| LabelCount {
            label: label.clone(),
            messages,
            unread,
        });
        Ok(counts.collect())
    }
}

/// Messages kept here, not those of which a host's sink keeps the content.
fn kept(rows: &MailboxRows) -> impl Iterator<Item = &StoredMessage> {
    let messages = rows.messages.values().map(|row| &row.message);
    messages.filter(|message| message.headers.is_some())
}

fn is_unread(message: &StoredMessage) -> bool {
    message.labels.iter().any(|label| label.as_str() == UNREAD)
}

fn position(message: &StoredMessage) -> InboxPosition {
    InboxPosition {
        received: message.received,
        message: message.message.id.clone(),
    }
}
