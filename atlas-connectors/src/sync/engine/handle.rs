//! What the host holds.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use crate::clock::{Clock, SystemClock};
use crate::credential::Sealer;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{HolderId, MessageId};
use crate::mail::Mailbox;
use crate::sync::engine::run::Run;
use crate::sync::schedule::lot;
use crate::sync::{
    Coverage, FaultState, MailboxKey, MessageFault, PushOutcome, PushSignal, Schedule, Sink, SyncPhase, SyncProgress,
    SyncReport, SyncSettings, SyncStore,
};

/// Reads one mailbox into the embedded inbox, a [`Sink`], or both. Clones share everything.
///
/// Nothing runs on its own: the host awaits [`SyncEngine::sync_now`], or spawns [`SyncEngine::run`]. Dropping the future at any
/// point equals a crash at that point and loses nothing; the next run, in whatever process, goes on from the last commit.
#[derive(Clone)]
pub struct SyncEngine(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) mailbox: Arc<dyn Mailbox>,
    pub(super) store: Arc<dyn SyncStore>,
    pub(super) sealer: Option<Sealer>,
    pub(super) sink: Option<Arc<dyn Sink>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: SyncSettings,
    pub(super) key: MailboxKey,
    pub(super) holder: HolderId,
    pub(super) paused: watch::Sender<bool>,
    pub(super) progress: watch::Sender<SyncProgress>,
    /// One run at a time in this engine; the lease keeps out other engines and processes.
    turn: Mutex<()>,
}

/// Puts an engine together.
#[derive(Debug)]
pub struct SyncEngineBuilder {
    mailbox: Arc<dyn Mailbox>,
    store: Arc<dyn SyncStore>,
    sealer: Option<Sealer>,
    sink: Option<Arc<dyn Sink>>,
    clock: Arc<dyn Clock>,
    settings: SyncSettings,
}

impl SyncEngineBuilder {
    /// Keeps the mail in the store, sealed; read it through [`crate::sync::Inbox`]. Mail and position are committed in one
    /// transaction.
    #[must_use]
    pub fn with_inbox(mut self, sealer: Sealer) -> Self {
        self.sealer = Some(sealer);
        self
    }

    /// Hands the mail to the host, at least once. The store then keeps ids, labels and times only, unless there is an inbox too.
    #[must_use]
    pub fn with_sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.sink = Some(sink);
        self
    }

    /// Uses this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Uses these settings.
    #[must_use]
    pub fn with_settings(mut self, settings: SyncSettings) -> Self {
        self.settings = settings;
        self
    }

    /// The engine.
    ///
    /// # Errors
    /// `ErrorKind::Invalid` if the mail has nowhere to go or a setting makes no sense.
    pub fn build(self) -> Result<SyncEngine> {
        self.settings.check()?;
        if self.sealer.is_none() && self.sink.is_none() {
            let what = ErrorKind::Invalid {
                what: "destination",
                why: "neither an inbox nor a sink is set",
            };
            return Err(Error::new(what, "sync.build"));
        }
        Ok(SyncEngine(Arc::new(Inner {
            key: MailboxKey::from(self.mailbox.connection()),
            mailbox: self.mailbox,
            store: self.store,
            sealer: self.sealer,
            sink: self.sink,
            clock: self.clock,
            settings: self.settings,
            holder: HolderId::random(),
            paused: watch::Sender::new(false),
            progress: watch::Sender::new(SyncProgress::default()),
            turn: Mutex::new(()),
        })))
    }
}

impl SyncEngine {
    /// Begins an engine that reads this mailbox and keeps its position in this store.
    pub fn builder(mailbox: Arc<dyn Mailbox>, store: Arc<dyn SyncStore>) -> SyncEngineBuilder {
        SyncEngineBuilder {
            mailbox,
            store,
            sealer: None,
            sink: None,
            clock: Arc::new(SystemClock),
            settings: SyncSettings::default(),
        }
    }

    /// The mailbox this engine works for.
    pub fn key(&self) -> &MailboxKey {
        &self.0.key
    }

    /// Reads everything that is new, to the end. A call while another runs in this engine waits for it and then looks again.
    ///
    /// # Errors
    /// What the mailbox, the sink or the store said, with what was committed before kept; [`Error::retry`] says when to come
    /// again. `StorageFault::Locked` while another engine or process reads the same mailbox. `ErrorKind::Paused` after
    /// [`SyncEngine::pause`]. `ErrorKind::Cancelled` once the connection was disconnected or reconnected: build a new engine then.
    /// `ErrorKind::CursorExpired` if the provider forgets one baseline after the other at once.
    pub async fn sync_now(&self) -> Result<SyncReport> {
        let _turn = self.0.turn.lock().await;
        Box::pin(self.sync_in_turn()).await
    }

    async fn sync_in_turn(&self) -> Result<SyncReport> {
        let inner = &*self.0;
        let lease = inner
            .store
            .lease(inner.mailbox.connection(), &inner.holder, inner.settings.lease)
            .await?;
        let idle = SetIdle(&inner.progress);
        let result = Box::pin(Run::begin(inner, lease.clone()).go()).await;
        drop(idle);
        let released = inner.store.release(&lease).await;
        let report = result?;
        released?;
        Ok(report)
    }

    /// Follows a push notification: reads what is new unless the stored position has reached the hint already. Doubled, late
    /// and reordered notifications are harmless.
    ///
    /// # Errors
    /// As [`SyncEngine::sync_now`].
    pub async fn notify(&self, signal: &PushSignal) -> Result<PushOutcome> {
        // Asked in turn: what a run under way is about to store must count.
        let _turn = self.0.turn.lock().await;
        let state = self.0.store.state(&self.0.key).await?;
        if let Some(follow) = &state.follow
            && follow.page.is_none()
            && signal.is_reached_by(&follow.cursor)
        {
            return Ok(PushOutcome::Known);
        }
        let report = Box::pin(self.sync_in_turn()).await?;
        Ok(PushOutcome::Synced(Box::new(report)))
    }

    /// Looks again and again by the schedule, until an error comes that looking again does not cure. `report` hears of
    /// each look. Spawn it, or await it beside something else; dropping it stops it.
    pub async fn run(&self, schedule: &Schedule, mut report: impl FnMut(&Result<SyncReport>) + Send) -> Error {
        let mut failures = 0;
        loop {
            let result = self.sync_now().await;
            report(&result);
            let now = self.0.clock.now();
            failures = if result.is_ok() { 0 } else { failures + 1 };
            let Some(pause) = schedule.pause(result.as_ref().map(|_| ()), failures, now, lot()) else {
                if let Err(error) = result {
                    return error;
                }
                continue;
            };
            self.0.clock.sleep(pause).await;
        }
    }

    /// Stops the run under way at its next step and keeps new ones from beginning, in all processes, until
    /// [`SyncEngine::resume`]. Runs of other processes notice when they renew their lease.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    pub async fn pause(&self) -> Result<()> {
        self.0.paused.send_replace(true);
        self.0.store.set_paused(&self.0.key, true).await
    }

    /// Lets runs begin again. Begins none.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    pub async fn resume(&self) -> Result<()> {
        self.0.store.set_paused(&self.0.key, false).await?;
        self.0.paused.send_replace(false);
        Ok(())
    }

    /// What is proven complete and what is not.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    pub async fn coverage(&self) -> Result<Coverage> {
        self.0.coverage().await
    }

    /// How the run under way is getting on; `Idle` between runs, with the counts of the last one.
    pub fn progress(&self) -> watch::Receiver<SyncProgress> {
        self.0.progress.subscribe()
    }

    /// Messages that were set aside, in order of id, after this one, at most `limit`.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    pub async fn quarantined(&self, after: Option<&MessageId>, limit: usize) -> Result<Vec<MessageFault>> {
        let store = &self.0.store;
        store.faults(&self.0.key, FaultState::Quarantined, after, limit).await
    }

    /// Has the next run try a message that was set aside once more, or all of them. Gives how many.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    pub async fn retry_quarantined(&self, message: Option<&MessageId>) -> Result<u64> {
        self.0.store.requeue(&self.0.key, message).await
    }
}

impl Inner {
    pub(super) async fn coverage(&self) -> Result<Coverage> {
        let mut coverage = self.store.state(&self.key).await?.coverage();
        (coverage.pending, coverage.quarantined) = self.store.fault_counts(&self.key).await?;
        Ok(coverage)
    }
}

/// Says `Idle` however a run ends, also when it is dropped.
struct SetIdle<'a>(&'a watch::Sender<SyncProgress>);

impl Drop for SetIdle<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|progress| progress.phase = SyncPhase::Idle);
    }
}

impl fmt::Debug for SyncEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncEngine")
            .field("key", &self.0.key)
            .field("mailbox", &self.0.mailbox)
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}
