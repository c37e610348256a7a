use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::super::violation::yield_now;
use super::*;
use crate::error::{Error, ErrorKind, Result, StorageFault};
use crate::store::MemoryStore;
use crate::testkit::ManualClock;

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000))
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    let clock = clock();
    let store = MemoryStore::with_clock(Arc::new(clock.clone()));
    let open = || Ok(Arc::new(store.clone()) as Arc<dyn SyncStore>);
    sync_store(open, Pace::Manual(&clock)).await.unwrap();
    // And again beside the rows of the first run.
    sync_store(open, Pace::Manual(&clock)).await.unwrap();
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
        Ok(Arc::new(store) as Arc<dyn SyncStore>)
    };
    sync_store(open, Pace::Manual(&clock)).await.unwrap();
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn sqlite_in_memory_keeps_the_contract() {
    use crate::store::SqliteStore;

    let clock = clock();
    let store = SqliteStore::in_memory_with_clock(Arc::new(clock.clone())).unwrap();
    let open = || Ok(Arc::new(store.clone()) as Arc<dyn SyncStore>);
    sync_store(open, Pace::Manual(&clock)).await.unwrap();
}

#[tokio::test]
async fn broken_stores_fail_by_the_sentence_they_break() {
    let breaks = [
        (Break::InventsPosition, "begins_empty"),
        (Break::ForgetsPosition, "a_step_is_applied"),
        (Break::ForgetsLabels, "a_step_is_applied"),
        (Break::KnownSorted, "known_in_the_order_asked"),
        (Break::KeepsOldRow, "upserts_replace"),
        (Break::AnnouncedReplace, "announced_do_not_replace"),
        (Break::RelabelsMark, "relabels_do_not_mark"),
        (Break::RelabelsInsert, "relabels_do_not_mark"),
        (Break::SeenNothing, "seen_only_marks"),
        (Break::RemovesNothing, "removals_remove"),
        (Break::UnseenOnePage, "unseen_in_pages"),
        (Break::UnseenWithNewest, "unseen_in_pages"),
        (Break::FaultsOfAnyState, "faults_in_pages"),
        (Break::CountsSwapped, "faults_in_pages"),
        (Break::CuresNothing, "faults_are_replaced_and_cured"),
        (Break::RequeuesAll, "requeue_moves_quarantined"),
        (Break::TenantIgnored, "mailboxes_do_not_mix"),
        (Break::LeaseForAll, "lease_excludes"),
        (Break::EndlessLease, "lease_ends"),
        (Break::FenceIgnored, "lease_ends"),
        (Break::RenewsNothing, "renewal_prolongs"),
        (Break::ReleasesNothing, "release_frees"),
        (Break::OwnLeaseLocked, "own_lease_is_taken_anew"),
        (Break::EpochIgnored, "older_epochs_are_refused"),
        (Break::RaisesNothing, "raised_epochs_end_runs"),
        (Break::LowersEpoch, "raised_epochs_end_runs"),
        (Break::PauseIgnored, "paused_for_everybody"),
        (Break::EraseResumes, "erase_empties"),
        (Break::ErasesRowsOnly, "erase_empties"),
        (Break::WritesThenChecks, "a_refused_step_leaves_nothing"),
        (Break::TwoSteps, "a_step_is_never_seen_in_part"),
        (Break::TwoStepsWhenDropped, "a_dropped_step_is_whole"),
    ];
    for (how, case) in breaks {
        let clock = clock();
        let store = Arc::new(Broken::new(how, &clock));
        let open = || Ok(Arc::clone(&store) as Arc<dyn SyncStore>);
        let violation = sync_store(open, Pace::Manual(&clock)).await.unwrap_err();
        assert_eq!(violation.case(), case, "{how:?}: {violation}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    /// Says of a mailbox that was never read that it was.
    InventsPosition,
    /// Keeps rows without the position.
    ForgetsPosition,
    /// Keeps rows without their labels.
    ForgetsLabels,
    /// Answers in an order of its own.
    KnownSorted,
    /// Leaves a row that is there.
    KeepsOldRow,
    /// Writes an announced message over a stored one.
    AnnouncedReplace,
    /// Marks what was relabelled.
    RelabelsMark,
    /// Inserts what was relabelled and is not there.
    RelabelsInsert,
    /// Marks nothing as seen.
    SeenNothing,
    /// Removes nothing.
    RemovesNothing,
    /// Lists nothing after the first page.
    UnseenOnePage,
    /// Lists what was touched under the newest generation.
    UnseenWithNewest,
    /// Lists failures whatever their state.
    FaultsOfAnyState,
    /// Counts the quarantined first.
    CountsSwapped,
    /// Keeps failures that are over.
    CuresNothing,
    /// Moves all where one was meant.
    RequeuesAll,
    /// Looks up by connection alone.
    TenantIgnored,
    /// Gives a lease that is held.
    LeaseForAll,
    /// Holds a lease for ever.
    EndlessLease,
    /// Takes steps of former holders.
    FenceIgnored,
    /// Lets a renewed lease end.
    RenewsNothing,
    /// Keeps what is given back.
    ReleasesNothing,
    /// Locks a holder out of its own lease.
    OwnLeaseLocked,
    /// Takes steps of older epochs.
    EpochIgnored,
    /// Does not hear of a disconnect.
    RaisesNothing,
    /// Takes any epoch for a newer one.
    LowersEpoch,
    /// Leases what is paused.
    PauseIgnored,
    /// Forgets the pause with the messages.
    EraseResumes,
    /// Leaves the position of an erased mailbox.
    ErasesRowsOnly,
    /// Writes the rows before it looks at the lease.
    WritesThenChecks,
    /// Writes the rows, then the position.
    TwoSteps,
    /// The same, but only where nobody reads between the two.
    TwoStepsWhenDropped,
}

/// A store with one fault.
#[derive(Debug)]
struct Broken {
    inner: MemoryStore,
    how: Break,
    /// The newest lease of each mailbox.
    newest: Mutex<HashMap<MailboxKey, SyncLease>>,
    positions: Mutex<HashMap<MailboxKey, SyncState>>,
}

impl Broken {
    fn new(how: Break, clock: &ManualClock) -> Self {
        Self {
            inner: MemoryStore::with_clock(Arc::new(clock.clone())),
            how,
            newest: Mutex::default(),
            positions: Mutex::default(),
        }
    }

    fn is(&self, how: Break) -> bool {
        self.how == how
    }

    fn place(&self, key: &MailboxKey) -> MailboxKey {
        let mut key = key.clone();
        if self.is(Break::TenantIgnored) {
            key.tenant = "all".into();
        }
        key
    }

    fn placed(&self, lease: &SyncLease) -> SyncLease {
        SyncLease {
            key: self.place(&lease.key),
            ..lease.clone()
        }
    }

    /// The lease that may write, whoever asks.
    fn newest(&self, lease: &SyncLease) -> SyncLease {
        let newest = self.newest.lock().unwrap();
        newest.get(&lease.key).unwrap_or(lease).clone()
    }

    /// What of a step is written, by a store that gets steps wrong.
    async fn changed(&self, lease: &SyncLease, mut commit: SyncCommit) -> Result<SyncCommit> {
        let known = |id: &MessageId| {
            let (key, id) = (lease.key.clone(), id.clone());
            async move { Ok::<_, Error>(self.inner.known(&key, vec![id]).await?.remove(0)) }
        };
        match self.how {
            Break::ForgetsPosition => commit.state = None,
            Break::ForgetsLabels => commit.upserts.iter_mut().for_each(|row| row.labels.clear()),
            Break::KeepsOldRow => {
                let mut new = Vec::new();
                for row in commit.upserts {
                    if known(&row.message.id).await?.labels.is_none() {
                        new.push(row);
                    }
                }
                commit.upserts = new;
            }
            Break::AnnouncedReplace => {
                let first = SyncCommit {
                    removals: commit.announced.iter().map(|message| message.id.clone()).collect(),
                    ..SyncCommit::default()
                };
                self.inner.commit(lease, first).await?;
            }
            Break::RelabelsMark => commit
                .seen
                .extend(commit.relabels.iter().map(|one| one.message.clone())),
            Break::RelabelsInsert => {
                for relabel in &commit.relabels {
                    if known(&relabel.message).await?.labels.is_none() {
                        let mut row = message(relabel.message.as_str(), &[]);
                        row.labels.clone_from(&relabel.labels);
                        commit.upserts.push(row);
                    }
                }
            }
            Break::SeenNothing => commit.seen.clear(),
            Break::RemovesNothing => commit.removals.clear(),
            Break::CuresNothing => commit.cured.clear(),
            _ => {}
        }
        Ok(commit)
    }
}

#[async_trait]
impl SyncStore for Broken {
    async fn lease(&self, connection: &ConnectionRef, holder: &HolderId, ttl: Duration) -> Result<SyncLease> {
        let mut connection = connection.clone();
        let key = MailboxKey::from(&connection);
        connection.tenant = self.place(&key).tenant;
        let placed = MailboxKey::from(&connection);
        let ttl = match self.how {
            Break::EndlessLease => ttl * 10_000,
            _ => ttl,
        };
        if self.is(Break::OwnLeaseLocked) {
            let held = self.newest.lock().unwrap().get(&key).cloned();
            if held.is_some_and(|held| held.holder == *holder && held.epoch == connection.epoch) {
                return Err(Error::new(StorageFault::Locked, "sync.lease"));
            }
        }
        if self.is(Break::PauseIgnored) {
            self.inner.set_paused(&placed, false).await?;
        }
        let mut lease = match self.inner.lease(&connection, holder, ttl).await {
            Err(error) if self.is(Break::LeaseForAll) && error.code() == "storage.locked" => {
                let held = self.newest.lock().unwrap().get(&key).cloned();
                self.inner.release(&held.unwrap()).await?;
                self.inner.lease(&connection, holder, ttl).await?
            }
            outcome => outcome?,
        };
        lease.key = key.clone();
        self.newest.lock().unwrap().insert(key, lease.clone());
        Ok(lease)
    }

    async fn renew(&self, lease: &SyncLease, ttl: Duration) -> Result<()> {
        let lease = match self.how {
            Break::FenceIgnored => self.newest(lease),
            _ => lease.clone(),
        };
        let ttl = match self.how {
            Break::RenewsNothing => Duration::ZERO,
            _ => ttl,
        };
        self.inner.renew(&self.placed(&lease), ttl).await
    }

    async fn release(&self, lease: &SyncLease) -> Result<()> {
        if self.is(Break::ReleasesNothing) {
            return Ok(());
        }
        self.newest.lock().unwrap().retain(|_, newest| newest != lease);
        self.inner.release(&self.placed(lease)).await
    }

    async fn state(&self, key: &MailboxKey) -> Result<SyncState> {
        let state = self.inner.state(&self.place(key)).await?;
        if self.is(Break::InventsPosition) && state == SyncState::default() {
            return Ok(at(1));
        }
        let kept = self.positions.lock().unwrap().get(key).cloned();
        Ok(kept.filter(|_| self.is(Break::ErasesRowsOnly)).unwrap_or(state))
    }

    async fn known(&self, key: &MailboxKey, mut ids: Vec<MessageId>) -> Result<Vec<KnownMessage>> {
        if self.is(Break::KnownSorted) {
            ids.sort();
        }
        self.inner.known(&self.place(key), ids).await
    }

    async fn unseen(
        &self,
        key: &MailboxKey,
        generation: u64,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageRef>> {
        if self.is(Break::UnseenOnePage) && after.is_some() {
            return Ok(Vec::new());
        }
        let generation = generation + u64::from(self.is(Break::UnseenWithNewest));
        self.inner.unseen(&self.place(key), generation, after, limit).await
    }

    async fn commit(&self, lease: &SyncLease, commit: SyncCommit) -> Result<()> {
        if self.is(Break::ErasesRowsOnly)
            && let Some(state) = &commit.state
        {
            let kept = (lease.key.clone(), state.clone());
            self.positions.lock().unwrap().extend([kept]);
        }
        let lease = self.placed(lease);
        match self.how {
            Break::FenceIgnored => {
                let newest = self.newest(&lease);
                return self.inner.commit(&newest, commit).await;
            }
            Break::EpochIgnored => match self.inner.commit(&lease, commit.clone()).await {
                Err(error) if *error.kind() == ErrorKind::Cancelled => {
                    return self.inner.commit(&self.newest(&lease), commit).await;
                }
                outcome => return outcome,
            },
            Break::WritesThenChecks => {
                let rows = SyncCommit {
                    state: None,
                    ..commit.clone()
                };
                self.inner.commit(&self.newest(&lease), rows).await.ok();
            }
            Break::TwoSteps | Break::TwoStepsWhenDropped => {
                // Of all steps with a position, only the one that the suite drops has two rows.
                let seen = self.is(Break::TwoSteps) || (commit.state.is_some() && commit.upserts.len() == 2);
                let state = SyncCommit {
                    state: commit.state.clone(),
                    ..SyncCommit::default()
                };
                let rows = SyncCommit { state: None, ..commit };
                self.inner.commit(&lease, rows).await?;
                if seen {
                    yield_now().await;
                }
                return self.inner.commit(&lease, state).await;
            }
            _ => {}
        }
        let commit = self.changed(&lease, commit).await?;
        self.inner.commit(&lease, commit).await
    }

    async fn faults(
        &self,
        key: &MailboxKey,
        state: FaultState,
        after: Option<&MessageId>,
        limit: usize,
    ) -> Result<Vec<MessageFault>> {
        let mut found = self.inner.faults(&self.place(key), state, after, limit).await?;
        if self.is(Break::FaultsOfAnyState) {
            let other = match state {
                FaultState::Pending => FaultState::Quarantined,
                FaultState::Quarantined => FaultState::Pending,
            };
            found.extend(self.inner.faults(key, other, after, limit).await?);
            found.sort_by(|one, two| one.message.id.cmp(&two.message.id));
            found.truncate(limit);
        }
        Ok(found)
    }

    async fn fault_counts(&self, key: &MailboxKey) -> Result<(u64, u64)> {
        let (pending, quarantined) = self.inner.fault_counts(&self.place(key)).await?;
        Ok(match self.how {
            Break::CountsSwapped => (quarantined, pending),
            _ => (pending, quarantined),
        })
    }

    async fn requeue(&self, key: &MailboxKey, message: Option<&MessageId>) -> Result<u64> {
        let message = message.filter(|_| !self.is(Break::RequeuesAll));
        self.inner.requeue(&self.place(key), message).await
    }

    async fn raise_epoch(&self, key: &MailboxKey, epoch: Epoch) -> Result<()> {
        let epoch = match self.how {
            Break::RaisesNothing => return Ok(()),
            Break::LowersEpoch => {
                let held = self.newest.lock().unwrap().get(key).map(|lease| lease.epoch);
                held.map_or(epoch, |held| held.next().max(epoch))
            }
            _ => epoch,
        };
        self.inner.raise_epoch(&self.place(key), epoch).await
    }

    async fn set_paused(&self, key: &MailboxKey, paused: bool) -> Result<()> {
        self.inner.set_paused(&self.place(key), paused).await
    }

    async fn erase(&self, key: &MailboxKey) -> Result<()> {
        if self.is(Break::EraseResumes) {
            self.inner.set_paused(key, false).await?;
        }
        self.inner.erase(&self.place(key)).await
    }
}
