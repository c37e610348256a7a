use std::sync::Arc;

use super::{connection_store, flow_store};
use crate::connection::{Connection, ConnectionStore, GrantOwner};
use crate::credential::Versioned;
use crate::oauth::{FlowStore, StateHash, StoredFlow};
use crate::store::MemoryStore;
use crate::{ConnectionId, Error, Result, TenantId, Timestamp, Version};

#[tokio::test]
async fn memory_keeps_both_contracts() {
    let store = MemoryStore::new();
    for _ in 0..2 {
        connection_store(|| Ok(Arc::new(store.clone()) as Arc<dyn ConnectionStore>))
            .await
            .unwrap();
        flow_store(|| Ok(Arc::new(store.clone()) as Arc<dyn FlowStore>))
            .await
            .unwrap();
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_both_contracts_over_several_handles_on_one_file() {
    use crate::store::SqliteStore;

    let folder = tempfile::tempdir().unwrap();
    let open = || SqliteStore::open(folder.path().join("atlas.db"));
    for _ in 0..2 {
        connection_store(|| Ok(Arc::new(open()?) as Arc<dyn ConnectionStore>))
            .await
            .unwrap();
        flow_store(|| Ok(Arc::new(open()?) as Arc<dyn FlowStore>))
            .await
            .unwrap();
    }
}

/// A store that breaks one sentence.
#[derive(Debug)]
struct Broken(MemoryStore, Break);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    NoCompareAndSet,
    OwnTenantOnly,
    Unordered,
    SharedId,
    TakenTwice,
    SweepsTheYoung,
    Overwrites,
}

#[async_trait::async_trait]
impl ConnectionStore for Broken {
    async fn get(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Option<Versioned<Connection>>> {
        self.0.get(tenant, connection).await
    }
    async fn list(&self, tenant: &TenantId) -> Result<Vec<Versioned<Connection>>> {
        let mut rows = self.0.list(tenant).await?;
        if self.1 == Break::Unordered {
            rows.reverse();
        }
        Ok(rows)
    }
    async fn insert(&self, row: &Connection) -> Result<Version> {
        self.0.insert(row).await
    }
    async fn update(&self, row: &Connection, expected: Version) -> Result<Version> {
        let name = &row.reference;
        let now = self.0.get(&name.tenant, &name.connection).await?;
        let expected = match now {
            Some(now) if self.1 == Break::NoCompareAndSet => now.version,
            _ => expected,
        };
        self.0.update(row, expected).await
    }
    async fn remove(&self, tenant: &TenantId, connection: &ConnectionId, expected: Version) -> Result<()> {
        if self.1 == Break::SharedId {
            return Ok(());
        }
        self.0.remove(tenant, connection, expected).await
    }
    async fn sharing_grant(&self, grant: &GrantOwner) -> Result<Vec<(TenantId, ConnectionId)>> {
        let mut found = self.0.sharing_grant(grant).await?;
        if self.1 == Break::OwnTenantOnly {
            found.truncate(1);
        }
        Ok(found)
    }
}

#[async_trait::async_trait]
impl FlowStore for Broken {
    async fn put(&self, flow: StoredFlow) -> Result<()> {
        if self.1 == Break::Overwrites {
            self.0.take(&flow.state).await?;
        }
        self.0.put(flow).await
    }
    async fn take(&self, state: &StateHash) -> Result<Option<StoredFlow>> {
        let taken = self.0.take(state).await?;
        if let (Break::TakenTwice, Some(flow)) = (self.1, &taken) {
            self.0.put(flow.clone()).await?;
        }
        Ok(taken)
    }
    async fn sweep(&self, expired_before: Timestamp) -> Result<u64> {
        if self.1 == Break::SweepsTheYoung {
            return self
                .0
                .sweep(expired_before.after(std::time::Duration::from_secs(1)))
                .await;
        }
        self.0.sweep(expired_before).await
    }
}

#[tokio::test]
async fn broken_stores_fail() {
    for (how, case) in [
        (Break::NoCompareAndSet, "compare_and_set"),
        (Break::Unordered, "lists_oldest_first"),
        (Break::SharedId, "removal"),
        (Break::OwnTenantOnly, "grants_are_found"),
    ] {
        let store = Arc::new(Broken(MemoryStore::new(), how));
        let open = || -> Result<_, Error> { Ok(Arc::clone(&store) as Arc<dyn ConnectionStore>) };
        let violation = connection_store(open).await.unwrap_err();
        assert_eq!(violation.case(), case, "{how:?}: {violation}");
    }
    for (how, case) in [
        (Break::TakenTwice, "taken_once"),
        (Break::Overwrites, "no_second_of_a_state"),
        (Break::SweepsTheYoung, "sweeping"),
    ] {
        let store = Arc::new(Broken(MemoryStore::new(), how));
        let open = || -> Result<_, Error> { Ok(Arc::clone(&store) as Arc<dyn FlowStore>) };
        let violation = flow_store(open).await.unwrap_err();
        assert_eq!(violation.case(), case, "{how:?}: {violation}");
    }
}
