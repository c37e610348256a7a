//! Intents, spent approvals and the audit in memory.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::MemoryStore;
use crate::action::{
    AuditEntry, AuditEvent, AuditHead, AuditLog, AutomaticCount, Inserted, IntentChange, IntentRow, IntentState, Nonce,
    OutboxStore,
};
use crate::clock::Timestamp;
use crate::error::{Error, NotApproved, Result, StorageFault};
use crate::ids::{IntentId, TenantId, Version};

/// The rows, shared by all clones of a store.
#[derive(Clone)]
pub(super) struct Outbox(Arc<Mutex<Tables>>);

struct Tables {
    /// By sequence number.
    rows: BTreeMap<u64, IntentRow>,
    by_intent: HashMap<IntentId, u64>,
    spent: HashMap<Nonce, IntentId>,
    audit: Vec<AuditEntry>,
    head: AuditHead,
    latest: Timestamp,
    generation: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Tables {
            rows: BTreeMap::new(),
            by_intent: HashMap::new(),
            spent: HashMap::new(),
            audit: Vec::new(),
            head: AuditHead::EMPTY,
            latest: Timestamp::UNIX_EPOCH,
            generation: 1,
        })))
    }
}

impl Outbox {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No step below leaves a row half written, so a panic elsewhere does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn append(&mut self, events: &[AuditEvent]) {
        for event in events {
            let entry = AuditEntry::link(&self.head, event.clone());
            self.head = entry.head();
            self.latest = self.latest.max(event.at);
            self.audit.push(entry);
        }
    }

    fn find(&self, tenant: &TenantId, intent: &IntentId) -> Option<&IntentRow> {
        let row = self.rows.get(self.by_intent.get(intent)?)?;
        (row.connection.tenant == *tenant).then_some(row)
    }

    fn rival(&self, row: &IntentRow) -> Option<&IntentRow> {
        let here = |other: &&IntentRow| {
            other.connection.tenant == row.connection.tenant && other.connection.connection == row.connection.connection
        };
        let same_key = |other: &&IntentRow| other.key == row.key;
        let same_effect = |other: &&IntentRow| {
            row.unique
                && other.unique
                && other.content == row.content
                && !matches!(other.state, IntentState::NotSent | IntentState::Cancelled)
        };
        let mut rivals = self.rows.values().filter(here);
        rivals.clone().find(same_key).or_else(|| rivals.find(same_effect))
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.tables();
        f.debug_struct("Outbox")
            .field("rows", &tables.rows.len())
            .field("audit", &tables.audit.len())
            .finish()
    }
}

#[async_trait]
impl OutboxStore for MemoryStore {
    async fn insert_intent(&self, row: &IntentRow, audit: &[AuditEvent]) -> Result<Inserted> {
        let mut tables = self.outbox.tables();
        if let Some(rival) = tables.rival(row) {
            return Ok(Inserted::Known(Box::new(rival.clone())));
        }
        if tables.by_intent.contains_key(&row.intent) {
            return Err(Error::new(StorageFault::Conflict, "outbox.insert"));
        }
        let mut row = row.clone();
        row.sequence = tables.rows.last_key_value().map_or(1, |(last, _)| last + 1);
        row.version = Version::NONE.next();
        row.generation = tables.generation;
        tables.latest = tables.latest.max(row.updated);
        tables.by_intent.insert(row.intent.clone(), row.sequence);
        tables.rows.insert(row.sequence, row.clone());
        tables.append(audit);
        Ok(Inserted::New(Box::new(row)))
    }

    async fn load_intent(&self, tenant: &TenantId, intent: &IntentId) -> Result<Option<IntentRow>> {
        Ok(self.outbox.tables().find(tenant, intent).cloned())
    }

    async fn update_intent(&self, change: IntentChange<'_>) -> Result<Version> {
        let mut tables = self.outbox.tables();
        let conflict = || Error::new(StorageFault::Conflict, "outbox.update");
        let row = change.row;
        let present = tables.find(&row.connection.tenant, &row.intent).ok_or_else(conflict)?;
        if present.state != change.from || present.version != change.version {
            return Err(conflict());
        }
        let sequence = present.sequence;
        if let Some(nonce) = change.spend {
            if tables.spent.get(nonce).is_some_and(|by| *by != row.intent) {
                return Err(Error::new(NotApproved::Used, "outbox.update"));
            }
            tables.spent.insert(nonce.clone(), row.intent.clone());
        }
        let version = change.version.next();
        let mut row = row.clone();
        row.version = version;
        row.sequence = sequence;
        tables.latest = tables.latest.max(row.updated);
        tables.rows.insert(sequence, row);
        tables.append(change.audit);
        Ok(version)
    }

    async fn due_intents(&self, now: Timestamp, limit: usize) -> Result<Vec<(TenantId, IntentId)>> {
        let tables = self.outbox.tables();
        let due = tables.rows.values().filter(|row| {
            let free = row.lease.as_ref().is_none_or(|lease| lease.until <= now);
            match row.state {
                IntentState::AwaitingApproval => row.expires <= now,
                state if state.is_settled() => row.sweep && row.available <= now,
                _ => row.available <= now && free,
            }
        });
        Ok(due
            .take(limit)
            .map(|row| (row.connection.tenant.clone(), row.intent.clone()))
            .collect())
    }

    async fn list_intents(
        &self,
        tenant: &TenantId,
        states: &[IntentState],
        after: u64,
        limit: usize,
    ) -> Result<Vec<IntentRow>> {
        let tables = self.outbox.tables();
        let rows = tables.rows.range(after.saturating_add(1)..).map(|(_, row)| row);
        let wanted =
            rows.filter(|row| row.connection.tenant == *tenant && (states.is_empty() || states.contains(&row.state)));
        Ok(wanted.take(limit).cloned().collect())
    }

    async fn count_automatic(&self, of: &AutomaticCount<'_>) -> Result<u64> {
        let tables = self.outbox.tables();
        let counted = tables.rows.range(..of.before).filter(|(_, row)| {
            row.connection.tenant == *of.tenant
                && row.connection.connection == *of.connection
                && row.kind == of.kind
                && row.created >= of.since
                && (row.automatic || row.state == IntentState::Draft)
                && !matches!(row.state, IntentState::NotSent | IntentState::Cancelled)
        });
        Ok(u64::try_from(counted.count()).unwrap_or(u64::MAX))
    }

    async fn unannounced_intents(&self, limit: usize) -> Result<Vec<IntentRow>> {
        let tables = self.outbox.tables();
        let rows = tables.rows.values().filter(|row| row.unannounced);
        Ok(rows.take(limit).cloned().collect())
    }

    async fn latest_time(&self) -> Result<Timestamp> {
        Ok(self.outbox.tables().latest)
    }

    async fn generation(&self) -> Result<u64> {
        Ok(self.outbox.tables().generation)
    }

    async fn raise_generation(&self) -> Result<u64> {
        let mut tables = self.outbox.tables();
        tables.generation += 1;
        Ok(tables.generation)
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn audit_head(&self) -> Result<AuditHead> {
        Ok(self.outbox.tables().head)
    }

    async fn audit_entries(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>> {
        let tables = self.outbox.tables();
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        Ok(tables.audit.iter().skip(after).take(limit).cloned().collect())
    }
}
