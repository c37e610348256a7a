//! The embedded inbox in SQLite: tables `messages` and `message_bodies`.

use std::fmt::Write as _;

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, params, params_from_iter};

use super::SqliteStore;
use super::sync::{SEPARATOR, count, id, labels_of, labels_text};
use super::values::Unsigned;
use crate::error::Result;
use crate::ids::{LabelId, MessageId, ThreadId};
use crate::mail::MessageRef;
use crate::sync::{
    FoldedQuery, InboxCounts, InboxPosition, InboxStore, InboxThread, LabelCount, MailboxKey, StoredHeaders,
    StoredMessage,
};

const UNREAD: &str = "UNREAD";

#[async_trait]
impl InboxStore for SqliteStore {
    async fn threads(
        &self,
        key: &MailboxKey,
        query: &FoldedQuery,
        after: Option<&InboxPosition>,
        limit: usize,
    ) -> Result<Vec<InboxThread>> {
        let (key, after) = (key.clone(), after.cloned());
        let (sql, words) = threads_statement(query);
        self.read("inbox.threads", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok(Vec::new());
            };
            let (received, message) = match &after {
                Some(position) => (position.received.unix_millis(), position.message.as_str()),
                None => (i64::MAX, ""),
            };
            let fixed = [
                Value::from(mailbox),
                Value::from(received),
                Value::from(message.to_owned()),
                Value::from(count(limit)),
                Value::from(labels_text(&[LabelId::new(UNREAD)])),
            ];
            let mut statement = transaction.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(fixed.into_iter().chain(words)), |row| {
                let (messages, unread): (Unsigned, Unsigned) = (row.get("messages")?, row.get("unread")?);
                Ok(InboxThread::new(stored(row, None)?, messages.0, unread.0))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn thread_messages(&self, key: &MailboxKey, thread: &ThreadId) -> Result<Vec<StoredMessage>> {
        let (key, thread) = (key.clone(), thread.clone());
        self.read("inbox.thread", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok(Vec::new());
            };
            let mut statement = transaction.prepare_cached(
                "SELECT message, thread, received, labels, subject, sender, subject_key, participants_key, sealed
                 FROM messages LEFT JOIN message_bodies USING (id)
                 WHERE mailbox = ?1 AND thread = ?2 AND subject IS NOT NULL ORDER BY received, message",
            )?;
            let rows = statement.query_map(params![mailbox, thread.as_str()], |row| stored(row, row.get("sealed")?))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn stored_message(&self, key: &MailboxKey, message: &MessageId) -> Result<Option<StoredMessage>> {
        let (key, message) = (key.clone(), message.clone());
        self.read("inbox.message", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok(None);
            };
            let mut statement = transaction.prepare_cached(
                "SELECT message, thread, received, labels, subject, sender, subject_key, participants_key, sealed
                 FROM messages LEFT JOIN message_bodies USING (id)
                 WHERE mailbox = ?1 AND message = ?2 AND subject IS NOT NULL",
            )?;
            let row = statement
                .query_row(params![mailbox, message.as_str()], |row| {
                    stored(row, row.get("sealed")?)
                })
                .optional()?;
            Ok(row)
        })
        .await
    }

    async fn counts(&self, key: &MailboxKey) -> Result<InboxCounts> {
        let key = key.clone();
        self.read("inbox.counts", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok(InboxCounts::default());
            };
            let mut statement = transaction.prepare_cached(
                "SELECT COUNT(*), COUNT(*) FILTER (WHERE instr(labels, ?2) > 0), COUNT(DISTINCT thread)
                 FROM messages WHERE mailbox = ?1 AND subject IS NOT NULL",
            )?;
            let unread = labels_text(&[LabelId::new(UNREAD)]);
            let counts = statement.query_row(params![mailbox, unread], |row| {
                Ok(InboxCounts {
                    messages: row.get::<_, Unsigned>(0)?.0,
                    unread: row.get::<_, Unsigned>(1)?.0,
                    threads: row.get::<_, Unsigned>(2)?.0,
                })
            })?;
            Ok(counts)
        })
        .await
    }

    async fn label_counts(&self, key: &MailboxKey) -> Result<Vec<LabelCount>> {
        let key = key.clone();
        self.read("inbox.labels", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok(Vec::new());
            };
            // Few sets of labels are in use, whatever the number of messages.
            let mut statement = transaction.prepare_cached(
                "SELECT labels, COUNT(*) FROM messages WHERE mailbox = ?1 AND subject IS NOT NULL GROUP BY labels",
            )?;
            let mut sets = statement.query([mailbox])?;
            let mut counts = std::collections::BTreeMap::<LabelId, (u64, u64)>::new();
            while let Some(row) = sets.next()? {
                let (labels, messages) = (labels_of(&row.get::<_, String>(0)?), row.get::<_, Unsigned>(1)?.0);
                let unread = labels.iter().any(|label| label.as_str() == UNREAD);
                for label in labels {
                    let count = counts.entry(label).or_default();
                    count.0 += messages;
                    count.1 += if unread { messages } else { 0 };
                }
            }
            let counts = counts.into_iter().map(|(label, (messages, unread))| LabelCount {
                label,
                messages,
                unread,
            });
            Ok(counts.collect())
        })
        .await
    }
}

/// A condition on a row, given the row's name in the statement.
type Condition = Box<dyn Fn(&str) -> String>;

/// The statement for a page of threads, and the values of its parameters from ?6 on.
///
/// It walks the messages from the newest on and keeps those that no newer matching message of the same thread precedes, so it ends
/// as soon as the page is full.
fn threads_statement(query: &FoldedQuery) -> (String, Vec<Value>) {
    let mut words = Vec::new();
    let mut next = |value: String| {
        words.push(Value::from(value));
        words.len() + 5
    };
    let mut conditions: Vec<Condition> = Vec::new();
    for word in &query.subject {
        let at = next(word.clone());
        conditions.push(Box::new(move |row| format!("instr({row}.subject_key, ?{at}) > 0")));
    }
    for word in &query.participant {
        let at = next(word.clone());
        conditions.push(Box::new(move |row| format!("instr({row}.participants_key, ?{at}) > 0")));
    }
    for word in &query.text {
        let at = next(word.clone());
        conditions.push(Box::new(move |row| {
            format!("(instr({row}.subject_key, ?{at}) > 0 OR instr({row}.participants_key, ?{at}) > 0)")
        }));
    }
    for label in &query.labels {
        let at = next(format!("{SEPARATOR}{label}{SEPARATOR}"));
        conditions.push(Box::new(move |row| format!("instr({row}.labels, ?{at}) > 0")));
    }
    let matches = |row: &str| {
        conditions
            .iter()
            .fold(format!("{row}.subject IS NOT NULL"), |mut all, condition| {
                // Writing to a string does not fail.
                let _ = write!(all, " AND {}", condition(row));
                all
            })
    };
    let sql = format!(
        "SELECT message, thread, received, labels, subject, sender, subject_key, participants_key,
             (SELECT COUNT(*) FROM messages t
              WHERE t.mailbox = ?1 AND t.thread = m.thread AND t.subject IS NOT NULL) AS messages,
             (SELECT COUNT(*) FROM messages t
              WHERE t.mailbox = ?1 AND t.thread = m.thread AND t.subject IS NOT NULL AND instr(t.labels, ?5) > 0) AS unread
         FROM messages m
         WHERE mailbox = ?1 AND (received, message) < (?2, ?3) AND {}
           AND NOT EXISTS (
               SELECT 1 FROM messages n
               WHERE n.mailbox = ?1 AND n.thread = m.thread AND (n.received, n.message) > (m.received, m.message) AND {})
         ORDER BY received DESC, message DESC LIMIT ?4",
        matches("m"),
        matches("n"),
    );
    (sql, words)
}

fn stored(row: &Row<'_>, sealed: Option<Vec<u8>>) -> rusqlite::Result<StoredMessage> {
    Ok(StoredMessage {
        message: MessageRef {
            id: row.get::<_, String>("message")?.into(),
            thread: row.get::<_, String>("thread")?.into(),
        },
        labels: labels_of(row.get_ref("labels")?.as_str()?),
        received: row.get("received")?,
        headers: Some(StoredHeaders {
            subject: row.get("subject")?,
            from: row.get("sender")?,
            subject_key: row.get("subject_key")?,
            participants_key: row.get("participants_key")?,
        }),
        sealed,
    })
}
