//! A connection's epoch stops the syncs of older ones, without a word to the sync store.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::connection::{Connection, ConnectionRef, ConnectionStore};
use crate::error::{ErrorKind, Result, StorageFault};
use crate::ids::{ConnectionId, Epoch, HolderId, Version};
use crate::store::MemoryStore;
use crate::sync::{MailboxKey, SyncCommit, SyncState, SyncStore};
use crate::testkit::ManualClock;

const TTL: Duration = Duration::from_secs(60);

trait Both: ConnectionStore + SyncStore {}
impl<T: ConnectionStore + SyncStore> Both for T {}

fn stores() -> Vec<Arc<dyn Both>> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000)));
    vec![
        Arc::new(MemoryStore::with_clock(Arc::clone(&clock) as _)),
        #[cfg(feature = "sqlite")]
        Arc::new(super::SqliteStore::in_memory_with_clock(clock).unwrap()),
    ]
}

fn connection() -> Connection {
    let reference = ConnectionRef {
        tenant: "acme".into(),
        connection: ConnectionId::random(),
        epoch: Epoch::FIRST,
        provider: "gmail".into(),
    };
    Connection::new(reference, Timestamp::from_unix_seconds(1_790_000_000))
}

fn step() -> SyncCommit {
    SyncCommit {
        state: Some(SyncState {
            generation: 7,
            ..SyncState::default()
        }),
        ..SyncCommit::default()
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind().clone()
}

/// Raises the epoch in the connection's row and nowhere else, as a disconnect or reconnect does.
async fn raise(store: &dyn Both, row: &mut Connection, version: Version) -> Version {
    row.reference.epoch = row.reference.epoch.next();
    store.update(row, version).await.unwrap()
}

#[tokio::test]
async fn a_disconnect_stops_a_sync_at_its_next_step() {
    for store in stores() {
        let mut row = connection();
        let old = row.reference.clone();
        let version = store.insert(&row).await.unwrap();
        let lease = store.lease(&old, &HolderId::random(), TTL).await.unwrap();
        store.renew(&lease, TTL).await.unwrap();

        raise(&*store, &mut row, version).await;
        assert_eq!(kind(store.commit(&lease, step()).await), ErrorKind::Cancelled);
        assert_eq!(kind(store.renew(&lease, TTL).await), ErrorKind::Cancelled);
        let again = store.lease(&old, &lease.holder, TTL).await;
        assert_eq!(kind(again), ErrorKind::Cancelled);
        let state = store.state(&MailboxKey::from(&old)).await.unwrap();
        assert_eq!(state, SyncState::default(), "nothing was written");
    }
}

#[tokio::test]
async fn a_reconnect_takes_over_from_a_sync_that_still_holds_its_lease() {
    for store in stores() {
        for told in [false, true] {
            let mut row = connection();
            let version = store.insert(&row).await.unwrap();
            let stuck = store.lease(&row.reference, &HolderId::random(), TTL).await.unwrap();
            raise(&*store, &mut row, version).await;
            if told {
                let key = MailboxKey::from(&row.reference);
                store.raise_epoch(&key, row.reference.epoch).await.unwrap();
            }
            let next = store.lease(&row.reference, &HolderId::random(), TTL).await.unwrap();
            store.commit(&next, step()).await.unwrap();
            assert_eq!(kind(store.commit(&stuck, step()).await), ErrorKind::Cancelled);
            // Under the same epoch the lease keeps others out as ever.
            let other = store.lease(&row.reference, &HolderId::random(), TTL).await;
            assert_eq!(kind(other), ErrorKind::StorageFailed(StorageFault::Locked));
        }
    }
}

#[tokio::test]
async fn removing_a_connection_does_not_let_an_old_sync_back_in() {
    for store in stores() {
        let mut row = connection();
        let old = row.reference.clone();
        let version = store.insert(&row).await.unwrap();
        let lease = store.lease(&old, &HolderId::random(), TTL).await.unwrap();
        let version = raise(&*store, &mut row, version).await;
        store.remove(&old.tenant, &old.connection, version).await.unwrap();
        assert_eq!(kind(store.commit(&lease, step()).await), ErrorKind::Cancelled);
        let again = store.lease(&old, &HolderId::random(), TTL).await;
        assert_eq!(kind(again), ErrorKind::Cancelled);
    }
}

#[tokio::test]
async fn a_sync_whose_connection_is_kept_elsewhere_goes_by_what_the_store_is_told() {
    for store in stores() {
        let reference = connection().reference;
        let lease = store.lease(&reference, &HolderId::random(), TTL).await.unwrap();
        store.commit(&lease, step()).await.unwrap();
        let key = MailboxKey::from(&reference);
        store.raise_epoch(&key, reference.epoch).await.unwrap();
        store.commit(&lease, step()).await.unwrap();
        store.raise_epoch(&key, reference.epoch.next()).await.unwrap();
        assert_eq!(kind(store.commit(&lease, step()).await), ErrorKind::Cancelled);
    }
}
