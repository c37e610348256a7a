//! Positions, known messages, failures and leases of mailboxes in SQLite: tables `mailboxes`, `messages`, `message_bodies`,
//! `message_faults`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params};

use super::SqliteStore;
use super::base::Fault;
use super::values::Unsigned;
use crate::clock::Timestamp;
use crate::connection::ConnectionRef;
use crate::error::{Error, ErrorKind, Result, StorageFault};
use crate::ids::{Epoch, HolderId, LabelId, MessageId};
use crate::mail::MessageRef;
use crate::sync::{
    FaultState, KnownMessage, MailboxKey, MessageFault, StoredMessage, SyncCommit, SyncLease, SyncState, SyncStore,
};

/// Stands before, between and after the labels of a row.
pub(super) const SEPARATOR: char = '\u{1f}';

#[async_trait]
impl SyncStore for SqliteStore {
    async fn lease(&self, connection: &ConnectionRef, holder: &HolderId, ttl: Duration) -> Result<SyncLease> {
        const OPERATION: &str = "sync.lease";
        let (epoch, key, holder) = (connection.epoch, MailboxKey::from(connection), holder.clone());
        let clock = Arc::clone(&self.clock);
        self.write(OPERATION, move |transaction| {
            // Read under the write lock: waiting for it must not make another's lease look older than it is.
            let now = clock.now();
            let row = Mailbox::find_or_insert(transaction, &key)?;
            if epoch < row.epoch {
                return Err(Error::new(ErrorKind::Cancelled, OPERATION).into());
            }
            if row.paused {
                return Err(paused(OPERATION).into());
            }
            // A newer epoch takes over at once: the run of the older one is void.
            let others = row.holder.as_deref().is_some_and(|other| other != holder.as_str());
            if others && row.is_leased_at(now) && epoch == row.leased_epoch {
                return Err(Error::new(StorageFault::Locked, OPERATION).into());
            }
            let fence = row.fence.saturating_add(1);
            let mut statement = transaction.prepare_cached(
                "UPDATE mailboxes SET epoch = :epoch, fence = :fence, holder = :holder, lease_from = :from, lease_until = :until
                 WHERE id = :id",
            )?;
            statement.execute(named_params! {
                ":id": row.id, ":epoch": epoch, ":fence": Unsigned(fence), ":holder": holder.as_str(),
                ":from": now, ":until": now.after(ttl),
            })?;
            Ok(SyncLease { key, epoch, holder, fence })
        })
        .await
    }

    async fn renew(&self, lease: &SyncLease, ttl: Duration) -> Result<()> {
        const OPERATION: &str = "sync.renew";
        let lease = lease.clone();
        let clock = Arc::clone(&self.clock);
        self.write(OPERATION, move |transaction| {
            let now = clock.now();
            let row = Mailbox::admit(transaction, &lease, OPERATION)?;
            if row.paused {
                return Err(paused(OPERATION).into());
            }
            transaction
                .prepare_cached("UPDATE mailboxes SET lease_from = ?2, lease_until = ?3 WHERE id = ?1")?
                .execute(params![row.id, now, now.after(ttl)])?;
            Ok(())
        })
        .await
    }

    async fn release(&self, lease: &SyncLease) -> Result<()> {
        let lease = lease.clone();
        self.write("sync.release", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "UPDATE mailboxes SET holder = NULL, lease_from = NULL, lease_until = NULL
                 WHERE tenant = ?1 AND connection = ?2 AND fence = ?3",
            )?;
            statement.execute(params![
                lease.key.tenant.as_str(),
                lease.key.connection.as_str(),
                Unsigned(lease.fence)
            ])?;
            Ok(())
        })
        .await
    }

    async fn state(&self, key: &MailboxKey) -> Result<SyncState> {
        let key = key.clone();
        self.read("sync.state", move |transaction| {
            let mut statement =
                transaction.prepare_cached("SELECT state FROM mailboxes WHERE tenant = ?1 AND connection = ?2")?;
            let state: Option<Option<String>> = statement
                .query_row(params![key.tenant.as_str(), key.connection.as_str()], |row| row.get(0))
                .optional()?;
            match state.flatten() {
                Some(state) => {
                    let corrupt = |_| Fault::from(Error::new(StorageFault::Corrupt, "sync.state"));
                    serde_json::from_str(&state).map_err(corrupt)
                }
                None => Ok(SyncState::default()),
            }
        })
        .await
    }

    async fn known(&self, key: &MailboxKey, ids: Vec<MessageId>) -> Result<Vec<KnownMessage>> {
        let key = key.clone();
        self.read("sync.known", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok(vec![KnownMessage::default(); ids.len()]);
            };
            let mut messages = transaction
                .prepare_cached("SELECT labels, generation FROM messages WHERE mailbox = ?1 AND message = ?2")?;
            // Failures are rare: mostly there is none in the whole mailbox.
            let any_fault: bool = transaction
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM message_faults WHERE mailbox = ?1)")?
                .query_row([mailbox], |row| row.get(0))?;
            let mut faults = transaction.prepare_cached(
                "SELECT message, thread, attempts, reason, first_at, last_at, quarantined FROM message_faults
                 WHERE mailbox = ?1 AND message = ?2",
            )?;
            let known = ids.iter().map(|id| {
                let stored = messages
                    .query_row(params![mailbox, id.as_str()], |row| {
                        Ok((labels_of(row.get_ref(0)?.as_str()?), row.get::<_, Unsigned>(1)?.0))
                    })
                    .optional()?;
                let (labels, generation) = stored.map_or((None, 0), |(labels, generation)| (Some(labels), generation));
                let fault = if any_fault {
                    faults.query_row(params![mailbox, id.as_str()], fault).optional()?
                } else {
                    None
                };
                Ok(KnownMessage {
                    labels,
                    generation,
                    fault,
                })
            });
            known.collect()
        })
        .await
    }

    async fn unseen(
        &self,
        key: &MailboxKey,
        generation: u64,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageRef>> {
        let (key, after) = (key.clone(), after.cloned());
        self.read("sync.unseen", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok(Vec::new());
            };
            let mut statement = transaction.prepare_cached(
                "SELECT message, thread FROM messages
                 WHERE mailbox = :mailbox AND (:begin OR message > :after) AND generation < :generation
                 ORDER BY message LIMIT :limit",
            )?;
            let rows = statement.query_map(
                named_params! {
                    ":mailbox": mailbox, ":begin": after.is_none(), ":after": after.as_ref().map_or("", MessageId::as_str),
                    ":generation": Unsigned(generation), ":limit": count(limit),
                },
                |row| {
                    Ok(MessageRef {
                        id: row.get::<_, String>(0)?.into(),
                        thread: row.get::<_, String>(1)?.into(),
                    })
                },
            )?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn commit(&self, lease: &SyncLease, commit: SyncCommit) -> Result<()> {
        const OPERATION: &str = "sync.commit";
        let lease = lease.clone();
        self.write(OPERATION, move |transaction| {
            let mailbox = Mailbox::admit(transaction, &lease, OPERATION)?.id;
            let generation = Unsigned(commit.generation);
            announce(transaction, mailbox, &commit.announced)?;
            upsert(transaction, mailbox, generation, &commit.upserts)?;
            if !commit.relabels.is_empty() {
                let mut statement = transaction
                    .prepare_cached("UPDATE messages SET labels = ?3 WHERE mailbox = ?1 AND message = ?2")?;
                for relabel in &commit.relabels {
                    let labels = labels_text(&relabel.labels);
                    statement.execute(params![mailbox, relabel.message.as_str(), labels])?;
                }
            }
            if !commit.seen.is_empty() {
                let mut statement = transaction
                    .prepare_cached("UPDATE messages SET generation = ?3 WHERE mailbox = ?1 AND message = ?2")?;
                for message in &commit.seen {
                    statement.execute(params![mailbox, message.as_str(), generation])?;
                }
            }
            if !commit.removals.is_empty() {
                let mut statement =
                    transaction.prepare_cached("DELETE FROM messages WHERE mailbox = ?1 AND message = ?2")?;
                for message in &commit.removals {
                    statement.execute(params![mailbox, message.as_str()])?;
                }
            }
            write_faults(transaction, mailbox, &commit.cured, &commit.faults)?;
            if let Some(state) = &commit.state {
                let corrupt = |_| Error::new(StorageFault::Corrupt, OPERATION);
                let state = serde_json::to_string(state).map_err(corrupt)?;
                transaction
                    .prepare_cached("UPDATE mailboxes SET state = ?2 WHERE id = ?1")?
                    .execute(params![mailbox, state])?;
            }
            Ok(())
        })
        .await
    }

    async fn faults(
        &self,
        key: &MailboxKey,
        state: FaultState,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageFault>> {
        let (key, after) = (key.clone(), after.cloned());
        self.read("sync.faults", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok(Vec::new());
            };
            let mut statement = transaction.prepare_cached(
                "SELECT message, thread, attempts, reason, first_at, last_at, quarantined FROM message_faults
                 WHERE mailbox = :mailbox AND (:begin OR message > :after) AND quarantined = :quarantined
                 ORDER BY message LIMIT :limit",
            )?;
            let rows = statement.query_map(
                named_params! {
                    ":mailbox": mailbox, ":begin": after.is_none(), ":after": after.as_ref().map_or("", MessageId::as_str),
                    ":quarantined": state == FaultState::Quarantined, ":limit": count(limit),
                },
                fault,
            )?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    async fn fault_counts(&self, key: &MailboxKey) -> Result<(u64, u64)> {
        let key = key.clone();
        self.read("sync.faults", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok((0, 0));
            };
            let mut statement = transaction.prepare_cached(
                "SELECT COUNT(*) FILTER (WHERE NOT quarantined), COUNT(*) FILTER (WHERE quarantined)
                 FROM message_faults WHERE mailbox = ?1",
            )?;
            let (pending, quarantined): (Unsigned, Unsigned) =
                statement.query_row([mailbox], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok((pending.0, quarantined.0))
        })
        .await
    }

    async fn requeue(&self, key: &MailboxKey, message: Option<&MessageId>) -> Result<u64> {
        let (key, message) = (key.clone(), message.cloned());
        self.write("sync.requeue", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok(0);
            };
            let mut statement = transaction.prepare_cached(
                "UPDATE message_faults SET quarantined = 0, attempts = 0
                 WHERE mailbox = ?1 AND quarantined AND (?2 IS NULL OR message = ?2)",
            )?;
            let moved = statement.execute(params![mailbox, message.as_ref().map(MessageId::as_str)])?;
            Ok(moved as u64)
        })
        .await
    }

    async fn raise_epoch(&self, key: &MailboxKey, epoch: Epoch) -> Result<()> {
        let key = key.clone();
        self.write("sync.raise_epoch", move |transaction| {
            let row = Mailbox::find_or_insert(transaction, &key)?;
            transaction
                .prepare_cached(
                    "UPDATE mailboxes SET epoch = ?2, holder = NULL, lease_from = NULL, lease_until = NULL
                     WHERE id = ?1 AND epoch < ?2",
                )?
                .execute(params![row.id, epoch])?;
            Ok(())
        })
        .await
    }

    async fn set_paused(&self, key: &MailboxKey, paused: bool) -> Result<()> {
        let key = key.clone();
        self.write("sync.pause", move |transaction| {
            let row = Mailbox::find_or_insert(transaction, &key)?;
            transaction
                .prepare_cached("UPDATE mailboxes SET paused = ?2 WHERE id = ?1")?
                .execute(params![row.id, paused])?;
            Ok(())
        })
        .await
    }

    async fn erase(&self, key: &MailboxKey) -> Result<()> {
        let key = key.clone();
        self.write("sync.erase", move |transaction| {
            let Some(mailbox) = id(transaction, &key)? else {
                return Ok(());
            };
            transaction.execute("DELETE FROM messages WHERE mailbox = ?1", [mailbox])?;
            transaction.execute("DELETE FROM message_faults WHERE mailbox = ?1", [mailbox])?;
            // A run under way must not write its next step into the emptied mailbox.
            transaction.execute(
                "UPDATE mailboxes SET state = NULL, holder = NULL, lease_from = NULL, lease_until = NULL WHERE id = ?1",
                [mailbox],
            )?;
            Ok(())
        })
        .await
    }
}

/// What a write decides on.
struct Mailbox {
    id: i64,
    /// The oldest epoch that may still write.
    epoch: Epoch,
    /// The epoch under which it was leased, while it is.
    leased_epoch: Epoch,
    paused: bool,
    fence: u64,
    holder: Option<String>,
    lease: Option<(Timestamp, Timestamp)>,
}

impl Mailbox {
    fn find(transaction: &Transaction<'_>, key: &MailboxKey) -> Result<Option<Self>, Fault> {
        // Where the connection itself is kept in this file, its own epoch counts too.
        let mut statement = transaction.prepare_cached(
            "SELECT id, epoch, paused, fence, holder, lease_from, lease_until, MAX(epoch, COALESCE(
                 (SELECT c.epoch FROM connections c WHERE c.tenant = m.tenant AND c.connection = m.connection), 0)) AS oldest
             FROM mailboxes m WHERE tenant = ?1 AND connection = ?2",
        )?;
        let row = statement
            .query_row(params![key.tenant.as_str(), key.connection.as_str()], |row| {
                let (from, until): (Option<Timestamp>, Option<Timestamp>) =
                    (row.get("lease_from")?, row.get("lease_until")?);
                Ok(Self {
                    id: row.get("id")?,
                    epoch: row.get("oldest")?,
                    leased_epoch: row.get("epoch")?,
                    paused: row.get("paused")?,
                    fence: row.get::<_, Unsigned>("fence")?.0,
                    holder: row.get("holder")?,
                    lease: from.zip(until),
                })
            })
            .optional()?;
        Ok(row)
    }

    fn find_or_insert(transaction: &Transaction<'_>, key: &MailboxKey) -> Result<Self, Fault> {
        if let Some(row) = Self::find(transaction, key)? {
            return Ok(row);
        }
        transaction
            .prepare_cached("INSERT INTO mailboxes (tenant, connection) VALUES (?1, ?2)")?
            .execute(params![key.tenant.as_str(), key.connection.as_str()])?;
        Self::find(transaction, key)?.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// The mailbox, if this lease may still write to it.
    fn admit(transaction: &Transaction<'_>, lease: &SyncLease, operation: &'static str) -> Result<Self, Fault> {
        let fenced = || Fault::from(Error::new(StorageFault::Fenced, operation));
        let row = Self::find(transaction, &lease.key)?.ok_or_else(fenced)?;
        if lease.epoch < row.epoch {
            return Err(Error::new(ErrorKind::Cancelled, operation).into());
        }
        if lease.fence != row.fence || row.holder.as_deref() != Some(lease.holder.as_str()) {
            return Err(fenced());
        }
        Ok(row)
    }

    /// Processes share nothing but the wall clock, and it jumps. Back, a lease would last as long as the jump: so one that
    /// seems to have been taken more than its own length from now is over.
    fn is_leased_at(&self, now: Timestamp) -> bool {
        self.lease
            .is_some_and(|(from, until)| now < until && from.since(now) <= until.since(from))
    }
}

fn paused(operation: &'static str) -> Error {
    Error::new(ErrorKind::Paused { why: "by_host" }, operation)
}

/// The number of a mailbox, by which its rows are known.
pub(super) fn id(transaction: &Transaction<'_>, key: &MailboxKey) -> Result<Option<i64>, Fault> {
    let mut statement = transaction.prepare_cached("SELECT id FROM mailboxes WHERE tenant = ?1 AND connection = ?2")?;
    let row = statement
        .query_row(params![key.tenant.as_str(), key.connection.as_str()], |row| row.get(0))
        .optional()?;
    Ok(row)
}

fn announce(transaction: &Transaction<'_>, mailbox: i64, messages: &[MessageRef]) -> Result<(), Fault> {
    for message in messages {
        transaction
            .prepare_cached(
                "INSERT INTO messages (mailbox, message, thread, received, labels, generation)
                 VALUES (?1, ?2, ?3, 0, '', 0) ON CONFLICT DO NOTHING",
            )?
            .execute(params![mailbox, message.id.as_str(), message.thread.as_str()])?;
    }
    Ok(())
}

fn upsert(
    transaction: &Transaction<'_>,
    mailbox: i64,
    generation: Unsigned,
    messages: &[StoredMessage],
) -> Result<(), Fault> {
    if messages.is_empty() {
        return Ok(());
    }
    // Nearly every message is new, and told apart by the insert itself.
    let mut insert = transaction.prepare_cached(
        "INSERT INTO messages
             (mailbox, message, thread, received, labels, generation, subject, sender, subject_key, participants_key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
    )?;
    let mut replace = transaction.prepare_cached(
        "UPDATE messages SET
             thread = ?3, received = ?4, labels = ?5, generation = ?6, subject = ?7, sender = ?8, subject_key = ?9,
             participants_key = ?10
         WHERE mailbox = ?1 AND message = ?2 RETURNING id",
    )?;
    let mut insert_body = transaction.prepare_cached(
        "INSERT INTO message_bodies (id, sealed) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET sealed = excluded.sealed",
    )?;
    let mut delete_body = transaction.prepare_cached("DELETE FROM message_bodies WHERE id = ?1")?;
    for message in messages {
        let headers = message.headers.as_ref();
        let values = params![
            mailbox,
            message.message.id.as_str(),
            message.message.thread.as_str(),
            message.received,
            labels_text(&message.labels),
            generation,
            headers.map(|headers| &headers.subject),
            headers.map(|headers| &headers.from),
            headers.map(|headers| &headers.subject_key),
            headers.map(|headers| &headers.participants_key),
        ];
        let is_new = insert.execute(values)? > 0;
        let id: i64 = if is_new {
            transaction.last_insert_rowid()
        } else {
            replace.query_row(values, |row| row.get(0))?
        };
        if let Some(sealed) = &message.sealed {
            insert_body.execute(params![id, sealed])?;
        } else if !is_new {
            delete_body.execute([id])?;
        }
    }
    Ok(())
}

fn write_faults(
    transaction: &Transaction<'_>,
    mailbox: i64,
    cured: &[MessageId],
    faults: &[MessageFault],
) -> Result<(), Fault> {
    for message in cured {
        transaction
            .prepare_cached("DELETE FROM message_faults WHERE mailbox = ?1 AND message = ?2")?
            .execute(params![mailbox, message.as_str()])?;
    }
    for fault in faults {
        let mut statement = transaction.prepare_cached(
            "INSERT INTO message_faults (mailbox, message, thread, attempts, reason, first_at, last_at, quarantined)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET
                 thread = excluded.thread, attempts = excluded.attempts, reason = excluded.reason,
                 first_at = excluded.first_at, last_at = excluded.last_at, quarantined = excluded.quarantined",
        )?;
        statement.execute(params![
            mailbox,
            fault.message.id.as_str(),
            fault.message.thread.as_str(),
            fault.attempts,
            fault.reason,
            fault.first,
            fault.last,
            fault.state == FaultState::Quarantined,
        ])?;
    }
    Ok(())
}

fn fault(row: &Row<'_>) -> rusqlite::Result<MessageFault> {
    Ok(MessageFault {
        message: MessageRef {
            id: row.get::<_, String>("message")?.into(),
            thread: row.get::<_, String>("thread")?.into(),
        },
        attempts: row.get("attempts")?,
        reason: row.get("reason")?,
        first: row.get("first_at")?,
        last: row.get("last_at")?,
        state: if row.get("quarantined")? {
            FaultState::Quarantined
        } else {
            FaultState::Pending
        },
    })
}

pub(super) fn labels_text(labels: &[LabelId]) -> String {
    let mut text = String::with_capacity(labels.iter().map(|label| label.as_str().len() + 1).sum::<usize>() + 1);
    for label in labels {
        text.push(SEPARATOR);
        text.push_str(label.as_str());
    }
    if !labels.is_empty() {
        text.push(SEPARATOR);
    }
    text
}

pub(super) fn labels_of(text: &str) -> Vec<LabelId> {
    let labels = text.split(SEPARATOR).filter(|label| !label.is_empty());
    labels.map(LabelId::from).collect()
}

pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
