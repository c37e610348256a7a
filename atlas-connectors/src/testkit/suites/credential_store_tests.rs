use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::store::MemoryStore;
use crate::testkit::ManualClock;

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000))
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    let clock = clock();
    let store = MemoryStore::with_clock(Arc::new(clock.clone()));
    let open = || Ok(Arc::new(store.clone()) as Arc<dyn CredentialStore>);
    credential_store(open, Pace::Manual(&clock)).await.unwrap();
    // And again beside the rows of the first run.
    credential_store(open, Pace::Manual(&clock)).await.unwrap();
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_contract_over_several_handles_on_one_file() {
    use crate::store::SqliteStore;

    let clock = clock();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atlas.db");
    let open = || {
        let store = SqliteStore::open_with_clock(&path, Arc::new(clock.clone()))?;
        Ok(Arc::new(store) as Arc<dyn CredentialStore>)
    };
    credential_store(open, Pace::Manual(&clock)).await.unwrap();
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn sqlite_in_memory_keeps_the_contract() {
    use crate::store::SqliteStore;

    let clock = clock();
    let store = SqliteStore::in_memory_with_clock(Arc::new(clock.clone())).unwrap();
    let open = || Ok(Arc::new(store.clone()) as Arc<dyn CredentialStore>);
    credential_store(open, Pace::Manual(&clock)).await.unwrap();
}

#[tokio::test]
async fn broken_stores_fail() {
    let breaks = [
        (Break::NoCompareAndSet, "first_write"),
        (Break::SlowCompareAndSet, "one_of_many_wins"),
        (Break::TornWrite, "rows_are_whole"),
        (Break::FieldIgnored, "keys_do_not_mix"),
        (Break::NoEpoch, "older_epochs_are_refused"),
        (Break::EraseNothing, "older_epochs_are_refused"),
        (Break::LostLease, "lease_excludes"),
        (Break::EndlessLease, "lease_ends"),
        (Break::NoFence, "lease_ends"),
        (Break::FenceGoesBack, "lease_ends"),
        (Break::ForgetfulRotation, "rotation_list"),
    ];
    for (how, case) in breaks {
        let clock = clock();
        let store = Arc::new(Broken::new(how, &clock));
        let open = || Ok(Arc::clone(&store) as Arc<dyn CredentialStore>);
        let violation = credential_store(open, Pace::Manual(&clock)).await.unwrap_err();
        assert_eq!(violation.case(), case, "{how:?}: {violation}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// Whoever writes last wins.
    NoCompareAndSet,
    /// Compares, waits, then sets.
    SlowCompareAndSet,
    /// Writes the key id after the envelope.
    TornWrite,
    /// Looks up by connection alone.
    FieldIgnored,
    /// Takes late commits.
    NoEpoch,
    /// Erases whatever the epoch.
    EraseNothing,
    /// Gives the same lease to everybody.
    LostLease,
    /// Holds a lease for ever.
    EndlessLease,
    /// Takes commits of former holders.
    NoFence,
    /// Counts leases from one each time.
    FenceGoesBack,
    /// Lists nothing after the first page.
    ForgetfulRotation,
}

/// A store with one fault.
#[derive(Debug)]
struct Broken {
    inner: MemoryStore,
    how: Break,
    key_ids: Mutex<HashMap<CredentialKey, Box<str>>>,
}

impl Broken {
    fn new(how: Break, clock: &ManualClock) -> Self {
        Self {
            inner: MemoryStore::with_clock(Arc::new(clock.clone())),
            how,
            key_ids: Mutex::default(),
        }
    }

    async fn force(&self, key: &CredentialKey, mut new: SealedCredential) -> Result<Version> {
        loop {
            let row = self.inner.load(key).await?;
            if let Some(row) = &row {
                new.epoch = new.epoch.max(row.value.epoch);
            }
            let base = row.map_or(Version::NONE, |row| row.version);
            match self.inner.commit(key, new.clone(), base, None).await {
                Err(error) if error.code() == "cancelled" => new.epoch = new.epoch.next(),
                outcome => return outcome,
            }
        }
    }

    fn place(&self, key: &CredentialKey) -> CredentialKey {
        let mut key = key.clone();
        if self.how == Break::FieldIgnored {
            key.field = "all".into();
        }
        key
    }
}

#[async_trait]
impl CredentialStore for Broken {
    async fn load(&self, key: &CredentialKey) -> Result<Option<Versioned<SealedCredential>>> {
        let mut row = self.inner.load(&self.place(key)).await?;
        if let (Some(row), Some(key_id)) = (&mut row, self.key_ids.lock().unwrap().get(key)) {
            row.value.key_id = key_id.clone();
        }
        Ok(row)
    }

    async fn commit(
        &self,
        key: &CredentialKey,
        new: SealedCredential,
        expected: Version,
        fence: Option<&Fence>,
    ) -> Result<Version> {
        match self.how {
            Break::NoCompareAndSet => self.force(key, new).await,
            Break::SlowCompareAndSet => {
                let row = self.inner.load(key).await?.map_or(Version::NONE, |row| row.version);
                if row == expected {
                    yield_now().await;
                    return self.force(key, new).await;
                }
                self.inner.commit(key, new, expected, fence).await
            }
            Break::TornWrite => {
                let key_id = new.key_id.clone();
                let version = self.inner.commit(key, new, expected, fence).await?;
                yield_now().await;
                self.key_ids.lock().unwrap().insert(key.clone(), key_id);
                Ok(version)
            }
            Break::NoEpoch => match self.inner.commit(key, new.clone(), expected, fence).await {
                Err(error) if error.code() == "cancelled" => self.force(key, new).await,
                outcome => outcome,
            },
            Break::NoFence | Break::FenceGoesBack => self.inner.commit(key, new, expected, None).await,
            _ => self.inner.commit(&self.place(key), new, expected, fence).await,
        }
    }

    async fn erase(&self, key: &CredentialKey, epoch: Epoch) -> Result<()> {
        let epoch = match self.how {
            Break::EraseNothing => Epoch::new(1_000),
            _ => epoch,
        };
        self.inner.erase(&self.place(key), epoch).await
    }

    async fn lease(&self, key: &CredentialKey, holder: &HolderId, ttl: Duration) -> Result<Option<Fence>> {
        let ttl = match self.how {
            Break::EndlessLease => ttl * 1_000,
            _ => ttl,
        };
        let fence = self.inner.lease(&self.place(key), holder, ttl).await?;
        Ok(match self.how {
            Break::LostLease => Some(Fence {
                key: key.clone(),
                holder: holder.clone(),
                number: 1,
            }),
            Break::FenceGoesBack => fence.map(|fence| Fence { number: 1, ..fence }),
            _ => fence.map(|fence| Fence {
                key: key.clone(),
                ..fence
            }),
        })
    }

    async fn release(&self, fence: Fence) -> Result<()> {
        self.inner.release(fence).await
    }

    async fn sealed_with_other_key(
        &self,
        key_id: &str,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<CredentialKey>> {
        if self.how == Break::ForgetfulRotation && after.is_some() {
            return Ok(Vec::new());
        }
        self.inner.sealed_with_other_key(key_id, after, limit).await
    }
}
