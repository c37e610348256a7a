use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::action::{AuditEntry, AuditHead, AuditLog, AutomaticCount};
use crate::error::Result;
use crate::store::MemoryStore;

#[tokio::test]
async fn memory_keeps_the_contract() {
    let store = MemoryStore::new();
    let open = || Ok(Arc::new(store.clone()) as Arc<dyn OutboxStore>);
    outbox_store(open).await.unwrap();
    // And again beside the rows of the first run.
    outbox_store(open).await.unwrap();
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_contract_over_several_handles_on_one_file() {
    use crate::store::SqliteStore;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atlas.db");
    outbox_store(|| Ok(Arc::new(SqliteStore::open(&path)?) as Arc<dyn OutboxStore>))
        .await
        .unwrap();
}

/// What a careless store does wrong.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    NoCompare,
    NonceIgnored,
    AuditApart,
    LeaseIgnored,
    TimeGoesBack,
    ForgetsHandle,
    TenantIgnored,
}

#[derive(Debug)]
struct Careless {
    good: MemoryStore,
    wrong: Wrong,
    last: Mutex<Timestamp>,
}

#[async_trait]
impl OutboxStore for Careless {
    async fn insert_intent(&self, row: &IntentRow, audit: &[AuditEvent]) -> Result<Inserted> {
        *self.last.lock().unwrap() = row.updated;
        self.good.insert_intent(row, audit).await
    }
    async fn load_intent(&self, tenant: &TenantId, intent: &IntentId) -> Result<Option<IntentRow>> {
        let own = TenantId::new("tenant-1");
        let tenant = if matches!(self.wrong, Wrong::TenantIgnored) {
            &own
        } else {
            tenant
        };
        self.good.load_intent(tenant, intent).await
    }
    async fn update_intent(&self, mut change: IntentChange<'_>) -> Result<Version> {
        *self.last.lock().unwrap() = change.row.updated;
        let mut row = change.row.clone();
        match self.wrong {
            Wrong::NoCompare => {
                let present = self.good.load_intent(&row.connection.tenant, &row.intent).await?;
                if let Some(present) = present {
                    (change.from, change.version) = (present.state, present.version);
                }
            }
            Wrong::NonceIgnored => change.spend = None,
            Wrong::AuditApart if !change.audit.is_empty() => {
                // The audit first, in a transaction of its own.
                let present = self.good.load_intent(&row.connection.tenant, &row.intent).await?;
                if let Some(present) = present {
                    let alone = IntentChange::new(&present, &present).recording(change.audit);
                    let version = self.good.update_intent(alone).await?;
                    if present.version == change.version {
                        change.version = version;
                    }
                }
                change.audit = &[];
            }
            Wrong::ForgetsHandle => row.handle = None,
            _ => {}
        }
        change.row = &row;
        self.good.update_intent(change).await
    }
    async fn due_intents(&self, now: Timestamp, limit: usize) -> Result<Vec<(TenantId, IntentId)>> {
        let later = now.after(Duration::from_secs(1));
        let now = if matches!(self.wrong, Wrong::LeaseIgnored) {
            later
        } else {
            now
        };
        self.good.due_intents(now, limit).await
    }
    async fn list_intents(
        &self,
        tenant: &TenantId,
        states: &[IntentState],
        after: u64,
        limit: usize,
    ) -> Result<Vec<IntentRow>> {
        self.good.list_intents(tenant, states, after, limit).await
    }
    async fn count_automatic(&self, of: &AutomaticCount<'_>) -> Result<u64> {
        self.good.count_automatic(of).await
    }
    async fn unannounced_intents(&self, limit: usize) -> Result<Vec<IntentRow>> {
        self.good.unannounced_intents(limit).await
    }
    async fn latest_time(&self) -> Result<Timestamp> {
        if matches!(self.wrong, Wrong::TimeGoesBack) {
            return Ok(*self.last.lock().unwrap());
        }
        self.good.latest_time().await
    }
    async fn generation(&self) -> Result<u64> {
        self.good.generation().await
    }
    async fn raise_generation(&self) -> Result<u64> {
        self.good.raise_generation().await
    }
}

#[async_trait]
impl AuditLog for Careless {
    async fn audit_head(&self) -> Result<AuditHead> {
        self.good.audit_head().await
    }
    async fn audit_entries(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>> {
        self.good.audit_entries(after, limit).await
    }
}

#[tokio::test]
async fn careless_stores_fail_by_the_sentence_they_break() {
    let table = [
        (Wrong::NoCompare, "compare_and_set"),
        (Wrong::NonceIgnored, "nonces_are_spent_once"),
        (Wrong::AuditApart, "a_refused_step_leaves_nothing"),
        (Wrong::LeaseIgnored, "due_rows_are_found"),
        (Wrong::TimeGoesBack, "time_does_not_go_back"),
        (Wrong::ForgetsHandle, "keeps_rows_whole"),
        (Wrong::TenantIgnored, "tenants_do_not_mix"),
    ];
    for (wrong, sentence) in table {
        let store = Arc::new(Careless {
            good: MemoryStore::new(),
            wrong,
            last: Mutex::new(Timestamp::UNIX_EPOCH),
        });
        let open = || Ok(Arc::clone(&store) as Arc<dyn OutboxStore>);
        let violation = outbox_store(open).await.unwrap_err();
        assert_eq!(violation.case(), sentence, "{wrong:?}: {violation}");
    }
}
