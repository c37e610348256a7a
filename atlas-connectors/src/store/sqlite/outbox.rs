//! Intents, spent approvals and the audit in SQLite: tables `intents`, `spent_approvals`, `audit`, `outbox_marks`.

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params_from_iter};

use super::SqliteStore;
use super::base::Fault;
use super::values::Unsigned;
use crate::action::{
    AuditEntry, AuditEvent, AuditHead, AuditLog, AutomaticCount, Digest, Inserted, IntentChange, IntentRow,
    IntentState, Nonce, OutboxStore,
};
use crate::clock::Timestamp;
use crate::error::{Error, NotApproved, Result, StorageFault};
use crate::ids::{IntentId, TenantId, Version};

#[async_trait]
impl OutboxStore for SqliteStore {
    async fn insert_intent(&self, row: &IntentRow, audit: &[AuditEvent]) -> Result<Inserted> {
        let (mut row, audit) = (row.clone(), audit.to_vec());
        self.write("outbox.insert", move |transaction| {
            if let Some(rival) = rival(transaction, &row)? {
                return Ok(Inserted::Known(Box::new(rival)));
            }
            row.version = Version::NONE.next();
            row.generation = marks(transaction)?.generation;
            // The number belongs into the row's own text: it is taken before the row is written.
            row.sequence = next_sequence(transaction)?;
            transaction
                .prepare_cached(
                    "INSERT INTO intents (sequence, intent, tenant, connection, kind, key, content, unique_content, state,
                         version, automatic, created, expires, available, lease_until, unannounced, sweep, payload, row)
                     VALUES (:sequence, :intent, :tenant, :connection, :kind, :key, :content, :unique_content, :state,
                         :version, :automatic, :created, :expires, :available, :lease_until, :unannounced, :sweep, :payload, :row)",
                )?
                .execute(named_params! {
                    ":sequence": Unsigned(row.sequence),
                    ":intent": row.intent.as_str(),
                    ":tenant": row.connection.tenant.as_str(),
                    ":connection": row.connection.connection.as_str(),
                    ":kind": row.kind,
                    ":key": row.key,
                    ":content": row.content.to_string(),
                    ":unique_content": row.unique,
                    ":state": row.state.as_str(),
                    ":version": row.version,
                    ":automatic": row.automatic,
                    ":created": row.created,
                    ":expires": row.expires,
                    ":available": row.available,
                    ":lease_until": row.lease.as_ref().map(|lease| lease.until),
                    ":unannounced": row.unannounced,
                    ":sweep": row.sweep,
                    ":payload": row.payload,
                    ":row": to_text(&row)?,
                })?;
            append(transaction, &audit, row.updated)?;
            Ok(Inserted::New(Box::new(row)))
        })
        .await
    }

    async fn load_intent(&self, tenant: &TenantId, intent: &IntentId) -> Result<Option<IntentRow>> {
        let (tenant, intent) = (tenant.clone(), intent.clone());
        self.read("outbox.load", move |transaction| find(transaction, &tenant, &intent))
            .await
    }

    async fn update_intent(&self, change: IntentChange<'_>) -> Result<Version> {
        let (mut row, from, version) = (change.row.clone(), change.from, change.version);
        let (spend, audit) = (change.spend.cloned(), change.audit.to_vec());
        self.write("outbox.update", move |transaction| {
            let conflict = || Error::new(StorageFault::Conflict, "outbox.update");
            let present = find(transaction, &row.connection.tenant, &row.intent)?.ok_or_else(conflict)?;
            if present.state != from || present.version != version {
                return Err(conflict().into());
            }
            if let Some(nonce) = spend {
                spend_nonce(transaction, &nonce, &row.intent)?;
            }
            row.version = version.next();
            row.sequence = present.sequence;
            transaction
                .prepare_cached(
                    "UPDATE intents SET state = :state, version = :version, automatic = :automatic, expires = :expires,
                         available = :available, lease_until = :lease_until, unannounced = :unannounced, sweep = :sweep,
                         payload = :payload, row = :row
                     WHERE sequence = :sequence",
                )?
                .execute(named_params! {
                    ":state": row.state.as_str(),
                    ":version": row.version,
                    ":automatic": row.automatic,
                    ":expires": row.expires,
                    ":available": row.available,
                    ":lease_until": row.lease.as_ref().map(|lease| lease.until),
                    ":unannounced": row.unannounced,
                    ":sweep": row.sweep,
                    ":payload": row.payload,
                    ":row": to_text(&row)?,
                    ":sequence": Unsigned(row.sequence),
                })?;
            append(transaction, &audit, row.updated)?;
            Ok(row.version)
        })
        .await
    }

    async fn due_intents(&self, now: Timestamp, limit: usize) -> Result<Vec<(TenantId, IntentId)>> {
        self.read("outbox.due", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT tenant, intent FROM intents
                 WHERE (state = 'draft' AND available <= :now)
                    OR (state = 'awaiting_approval' AND expires <= :now)
                    OR (state IN ('ready', 'claimed', 'handle', 'sending') AND available <= :now
                        AND (lease_until IS NULL OR lease_until <= :now))
                    OR (sweep = 1 AND state IN ('sent', 'not_sent', 'uncertain', 'cancelled') AND available <= :now)
                 ORDER BY sequence LIMIT :limit",
            )?;
            let rows = statement.query_map(named_params! { ":now": now, ":limit": at_most(limit) }, |row| {
                Ok((row.get::<_, String>(0)?.into(), row.get::<_, String>(1)?.into()))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn list_intents(
        &self,
        tenant: &TenantId,
        states: &[IntentState],
        after: u64,
        limit: usize,
    ) -> Result<Vec<IntentRow>> {
        let (tenant, states) = (tenant.clone(), states.to_vec());
        self.read("outbox.list", move |transaction| {
            let wanted = if states.is_empty() { IntentState::ALL } else { &states };
            let marks = vec!["?"; wanted.len()].join(", ");
            let sql = format!(
                "SELECT payload, row FROM intents WHERE tenant = ? AND sequence > ? AND state IN ({marks})
                 ORDER BY sequence LIMIT ?"
            );
            let mut values = vec![
                Value::from(tenant.as_str().to_owned()),
                Value::from(i64::try_from(after).unwrap_or(i64::MAX)),
            ];
            values.extend(wanted.iter().map(|state| Value::from(state.as_str().to_owned())));
            values.push(Value::from(at_most(limit)));
            let mut statement = transaction.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(values), texts)?;
            rows.map(|row| from_text(row?)).collect()
        })
        .await
    }

    async fn count_automatic(&self, of: &AutomaticCount<'_>) -> Result<u64> {
        let (tenant, connection, kind) = (of.tenant.clone(), of.connection.clone(), of.kind.to_owned());
        let (since, before) = (of.since, of.before);
        self.read("outbox.count", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT count(*) FROM intents
                 WHERE tenant = :tenant AND connection = :connection AND kind = :kind AND created >= :since
                   AND sequence < :before AND (automatic = 1 OR state = 'draft')
                   AND state NOT IN ('not_sent', 'cancelled')",
            )?;
            let count: Unsigned = statement.query_row(
                named_params! {
                    ":tenant": tenant.as_str(), ":connection": connection.as_str(), ":kind": kind, ":since": since,
                    ":before": i64::try_from(before).unwrap_or(i64::MAX),
                },
                |row| row.get(0),
            )?;
            Ok(count.0)
        })
        .await
    }

    async fn unannounced_intents(&self, limit: usize) -> Result<Vec<IntentRow>> {
        self.read("outbox.unannounced", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT payload, row FROM intents WHERE unannounced = 1 ORDER BY sequence LIMIT :limit",
            )?;
            let rows = statement.query_map(named_params! { ":limit": at_most(limit) }, texts)?;
            rows.map(|row| from_text(row?)).collect()
        })
        .await
    }

    async fn latest_time(&self) -> Result<Timestamp> {
        self.read("outbox.latest", |transaction| Ok(marks(transaction)?.latest))
            .await
    }

    async fn generation(&self) -> Result<u64> {
        self.read("outbox.generation", |transaction| Ok(marks(transaction)?.generation))
            .await
    }

    async fn raise_generation(&self) -> Result<u64> {
        self.write("outbox.generation", |transaction| {
            transaction.execute("UPDATE outbox_marks SET generation = generation + 1", [])?;
            Ok(marks(transaction)?.generation)
        })
        .await
    }
}

#[async_trait]
impl AuditLog for SqliteStore {
    async fn audit_head(&self) -> Result<AuditHead> {
        self.read("audit.head", |transaction| Ok(marks(transaction)?.head))
            .await
    }

    async fn audit_entries(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>> {
        self.read("audit.entries", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT sequence, previous, event, hash FROM audit WHERE sequence > :after ORDER BY sequence LIMIT :limit",
            )?;
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let rows = statement.query_map(named_params! { ":after": after, ":limit": at_most(limit) }, |row| {
                let sequence: Unsigned = row.get(0)?;
                Ok((
                    sequence.0,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, String>(3)?,
                ))
            })?;
            rows.map(|row| {
                let (sequence, previous, event, hash) = row?;
                Ok(AuditEntry {
                    sequence,
                    previous: digest(&previous)?,
                    event: serde_json::from_str(&event).map_err(|_| corrupt("audit.entries"))?,
                    hash: digest(&hash)?,
                })
            })
            .collect()
        })
        .await
    }
}

struct Marks {
    head: AuditHead,
    latest: Timestamp,
    generation: u64,
}

fn marks(transaction: &Transaction<'_>) -> Result<Marks, Fault> {
    let mut statement = transaction.prepare_cached("SELECT head, head_hash, latest, generation FROM outbox_marks")?;
    let (sequence, hash, latest, generation): (Unsigned, String, Timestamp, Unsigned) =
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(Marks {
        head: AuditHead {
            sequence: sequence.0,
            hash: digest(&hash)?,
        },
        latest,
        generation: generation.0,
    })
}

/// Appends to the chain and moves the marks, in the transaction of the change it tells of.
fn append(transaction: &Transaction<'_>, events: &[AuditEvent], written: Timestamp) -> Result<(), Fault> {
    let Marks { mut head, latest, .. } = marks(transaction)?;
    let mut latest = latest.max(written);
    for event in events {
        let entry = AuditEntry::link(&head, event.clone());
        let text = serde_json::to_string(&entry.event).map_err(|_| corrupt("audit.append"))?;
        transaction
            .prepare_cached("INSERT INTO audit (sequence, previous, event, hash) VALUES (?, ?, ?, ?)")?
            .execute((
                Unsigned(entry.sequence),
                entry.previous.to_string(),
                text,
                entry.hash.to_string(),
            ))?;
        head = entry.head();
        latest = latest.max(event.at);
    }
    transaction
        .prepare_cached("UPDATE outbox_marks SET head = ?, head_hash = ?, latest = ?")?
        .execute((Unsigned(head.sequence), head.hash.to_string(), latest))?;
    Ok(())
}

/// A row of the same key, or else of the same effect.
fn rival(transaction: &Transaction<'_>, row: &IntentRow) -> Result<Option<IntentRow>, Fault> {
    let mut statement = transaction.prepare_cached(
        "SELECT payload, row FROM intents
         WHERE tenant = :tenant AND connection = :connection
           AND (key = :key OR (:unique AND unique_content = 1 AND content = :content
                AND state NOT IN ('not_sent', 'cancelled')))
         ORDER BY key = :key DESC LIMIT 1",
    )?;
    let found = statement
        .query_row(
            named_params! {
                ":tenant": row.connection.tenant.as_str(), ":connection": row.connection.connection.as_str(),
                ":key": row.key, ":unique": row.unique, ":content": row.content.to_string(),
            },
            texts,
        )
        .optional()?;
    found.map(from_text).transpose()
}

fn find(transaction: &Transaction<'_>, tenant: &TenantId, intent: &IntentId) -> Result<Option<IntentRow>, Fault> {
    let mut statement =
        transaction.prepare_cached("SELECT payload, row FROM intents WHERE tenant = :tenant AND intent = :intent")?;
    let found = statement
        .query_row(
            named_params! { ":tenant": tenant.as_str(), ":intent": intent.as_str() },
            texts,
        )
        .optional()?;
    found.map(from_text).transpose()
}

fn next_sequence(transaction: &Transaction<'_>) -> Result<u64, Fault> {
    // Rows are never deleted, and we hold the write lock.
    let mut statement = transaction.prepare_cached("SELECT coalesce(max(sequence), 0) + 1 FROM intents")?;
    let next: Unsigned = statement.query_row([], |row| row.get(0))?;
    Ok(next.0)
}

fn spend_nonce(transaction: &Transaction<'_>, nonce: &Nonce, intent: &IntentId) -> Result<(), Fault> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO spent_approvals (nonce, intent) VALUES (?, ?)")?
        .execute((nonce.as_str(), intent.as_str()))?;
    let spent_by: String = transaction
        .prepare_cached("SELECT intent FROM spent_approvals WHERE nonce = ?")?
        .query_row([nonce.as_str()], |row| row.get(0))?;
    if spent_by == intent.as_str() {
        Ok(())
    } else {
        Err(Error::new(NotApproved::Used, "outbox.update").into())
    }
}

fn texts(row: &Row<'_>) -> rusqlite::Result<(Vec<u8>, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

/// The row without its payload, which has a column of its own.
fn to_text(row: &IntentRow) -> Result<String, Fault> {
    let mut bare = row.clone();
    bare.payload = Vec::new();
    serde_json::to_string(&bare).map_err(|_| corrupt("outbox.row").into())
}

fn from_text((payload, text): (Vec<u8>, String)) -> Result<IntentRow, Fault> {
    let mut row: IntentRow = serde_json::from_str(&text).map_err(|_| corrupt("outbox.row"))?;
    row.payload = payload;
    Ok(row)
}

fn digest(text: &str) -> Result<Digest, Fault> {
    text.parse().map_err(|_| corrupt("outbox.digest").into())
}

fn corrupt(operation: &'static str) -> Error {
    Error::new(StorageFault::Corrupt, operation)
}

fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
