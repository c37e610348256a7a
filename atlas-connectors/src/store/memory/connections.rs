//! Connections and open sign-in flows in memory.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::MemoryStore;
use crate::clock::Timestamp;
use crate::connection::{Connection, ConnectionStore, GrantOwner};
use crate::credential::Versioned;
use crate::error::{Error, ErrorKind, Result, StorageFault};
use crate::ids::{ConnectionId, Epoch, TenantId, Version};
use crate::oauth::{FlowStore, StateHash, StoredFlow};
use crate::sync::MailboxKey;

/// The rows, shared by all clones of a store.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Tables>>);

#[derive(Default)]
struct Tables {
    connections: BTreeMap<(TenantId, ConnectionId), Versioned<Connection>>,
    flows: HashMap<StateHash, StoredFlow>,
}

impl Connections {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No step below leaves a row half written, so a panic elsewhere does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// Runs `work` with the epoch of a connection, which does not change meanwhile.
    pub(super) fn with_epoch<T>(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        work: impl FnOnce(Option<Epoch>) -> T,
    ) -> T {
        let tables = self.tables();
        let row = tables.connections.get(&(tenant.clone(), connection.clone()));
        work(row.map(|row| row.value.reference.epoch))
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = self.tables();
        f.debug_struct("Connections")
            .field("connections", &tables.connections.len())
            .field("flows", &tables.flows.len())
            .finish()
    }
}

fn key(row: &Connection) -> (TenantId, ConnectionId) {
    (row.reference.tenant.clone(), row.reference.connection.clone())
}

#[async_trait]
impl ConnectionStore for MemoryStore {
    async fn get(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Option<Versioned<Connection>>> {
        let key = (tenant.clone(), connection.clone());
        Ok(self.connections.tables().connections.get(&key).cloned())
    }

    async fn list(&self, tenant: &TenantId) -> Result<Vec<Versioned<Connection>>> {
        let tables = self.connections.tables();
        let mut rows: Vec<_> = tables
            .connections
            .values()
            .filter(|row| row.value.reference.tenant == *tenant)
            .cloned()
            .collect();
        // The map is ordered by id, and the sort keeps that order among equals.
        rows.sort_by_key(|row| row.value.created);
        Ok(rows)
    }

    async fn insert(&self, row: &Connection) -> Result<Version> {
        let mut tables = self.connections.tables();
        let key = key(row);
        if tables.connections.contains_key(&key) {
            return Err(Error::new(StorageFault::Conflict, "connection.insert"));
        }
        let version = Version::NONE.next();
        let value = row.clone();
        tables.connections.insert(key, Versioned { value, version });
        Ok(version)
    }

    async fn update(&self, row: &Connection, expected: Version) -> Result<Version> {
        let mut tables = self.connections.tables();
        let Some(stored) = tables.connections.get_mut(&key(row)) else {
            return Err(Error::new(StorageFault::Conflict, "connection.update"));
        };
        if row.reference.epoch < stored.value.reference.epoch {
            return Err(Error::new(ErrorKind::Cancelled, "connection.update"));
        }
        if stored.version != expected {
            return Err(Error::new(StorageFault::Conflict, "connection.update"));
        }
        stored.version = expected.next();
        stored.value = row.clone();
        Ok(stored.version)
    }

    async fn remove(&self, tenant: &TenantId, connection: &ConnectionId, expected: Version) -> Result<()> {
        // Always mailboxes before connections, as the steps of a sync take them.
        let mut mailboxes = self.mailboxes.rows();
        let mut tables = self.connections.tables();
        let key = (tenant.clone(), connection.clone());
        let removed = match tables.connections.get(&key) {
            Some(stored) if stored.version != expected => {
                return Err(Error::new(StorageFault::Conflict, "connection.remove"));
            }
            _ => tables.connections.remove(&key),
        };
        let mailbox = MailboxKey {
            tenant: tenant.clone(),
            connection: connection.clone(),
        };
        // Its epoch lives on in the mailbox, for a sync that is still under way.
        if let (Some(removed), Some(mailbox)) = (removed, mailboxes.get_mut(&mailbox)) {
            mailbox.raise(removed.value.reference.epoch);
        }
        Ok(())
    }

    async fn sharing_grant(&self, grant: &GrantOwner) -> Result<Vec<(TenantId, ConnectionId)>> {
        let tables = self.connections.tables();
        let holds = |row: &&Versioned<Connection>| row.value.grant().as_ref() == Some(grant);
        Ok(tables
            .connections
            .values()
            .filter(holds)
            .map(|row| key(&row.value))
            .collect())
    }
}

#[async_trait]
impl FlowStore for MemoryStore {
    async fn put(&self, flow: StoredFlow) -> Result<()> {
        let mut tables = self.connections.tables();
        if tables.flows.contains_key(&flow.state) {
            return Err(Error::new(StorageFault::Conflict, "flow.put"));
        }
        tables.flows.insert(flow.state.clone(), flow);
        Ok(())
    }

    async fn take(&self, state: &StateHash) -> Result<Option<StoredFlow>> {
        Ok(self.connections.tables().flows.remove(state))
    }

    async fn sweep(&self, expired_before: Timestamp) -> Result<u64> {
        let mut tables = self.connections.tables();
        let before = tables.flows.len();
        tables.flows.retain(|_, flow| flow.expires >= expired_before);
        Ok(u64::try_from(before - tables.flows.len()).unwrap_or(u64::MAX))
    }
}
