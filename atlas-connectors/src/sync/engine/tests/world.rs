//! A mailbox, a store, a sink and an engine between them; and the comparison of all three.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use async_trait::async_trait;

use super::mailbox::FakeMailbox;
use crate::clock::Timestamp;
use crate::credential::{KeyRing, Sealer};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::MessageId;
use crate::store::MemoryStore;
use crate::sync::{
    Inbox, InboxStore, MailBatch, MailSignal, MailboxKey, Sink, SyncEngine, SyncReport, SyncSettings, SyncStore,
};
use crate::testkit::ManualClock;

/// Keeps the labels of every message, and fails as told.
#[derive(Debug, Default)]
pub(super) struct KeepingSink {
    pub(super) kept: Mutex<BTreeMap<MessageId, BTreeSet<String>>>,
    pub(super) fail_next: Mutex<u32>,
}

#[async_trait]
impl Sink for KeepingSink {
    async fn apply(&self, batch: &MailBatch) -> Result<()> {
        tokio::task::yield_now().await;
        {
            let mut fail = self.fail_next.lock().unwrap();
            if *fail > 0 {
                *fail -= 1;
                return Err(Error::new(ErrorKind::Transient, "sink"));
            }
            let mut kept = self.kept.lock().unwrap();
            let names = |labels: &[crate::LabelId]| labels.iter().map(ToString::to_string).collect();
            for signal in &batch.signals {
                match signal {
                    MailSignal::Message(message) => {
                        kept.insert(message.meta.id.clone(), names(&message.meta.labels));
                    }
                    MailSignal::Labels { message, labels } => {
                        kept.insert(message.id.clone(), names(labels));
                    }
                    MailSignal::Removed { message, .. } => {
                        kept.remove(&message.id);
                    }
                }
            }
        }
        tokio::task::yield_now().await;
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: ManualClock,
    pub(super) mailbox: FakeMailbox,
    pub(super) store: Arc<dyn InboxStore>,
    pub(super) sink: Arc<KeepingSink>,
    pub(super) sealer: Sealer,
    pub(super) settings: SyncSettings,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let clock = ManualClock::new(Timestamp::from_unix_seconds(1_700_100_000));
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        Self::on(seed, clock, Arc::new(store))
    }

    pub(super) fn on(seed: u64, clock: ManualClock, store: Arc<dyn InboxStore>) -> Self {
        let settings = SyncSettings {
            batch_messages: 4,
            ..SyncSettings::default()
        };
        Self {
            clock,
            mailbox: FakeMailbox::new(seed),
            store,
            sink: Arc::default(),
            sealer: Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap(),
            settings,
        }
    }

    /// An engine as another process would build it.
    pub(super) fn engine(&self) -> SyncEngine {
        let store = Arc::clone(&self.store) as Arc<dyn SyncStore>;
        SyncEngine::builder(Arc::new(self.mailbox.clone()), store)
            .with_inbox(self.sealer.clone())
            .with_sink(Arc::clone(&self.sink) as Arc<dyn Sink>)
            .with_clock(Arc::new(self.clock.clone()))
            .with_settings(self.settings.clone())
            .build()
            .unwrap()
    }

    pub(super) fn inbox(&self) -> Inbox {
        Inbox::new(Arc::clone(&self.store), self.sealer.clone(), self.key())
    }

    pub(super) fn key(&self) -> MailboxKey {
        MailboxKey {
            tenant: "acme".into(),
            connection: "c1".into(),
        }
    }

    /// Runs to the end, letting time pass for whoever sleeps.
    pub(super) async fn sync(&self) -> Result<SyncReport> {
        self.with_time(self.engine().sync_now()).await
    }

    pub(super) async fn with_time<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut idle = 0;
        std::future::poll_fn(|context| {
            if let Poll::Ready(value) = work.as_mut().poll(context) {
                return Poll::Ready(value);
            }
            // Only short sleeps are cut short: the renewal of the lease is for real time.
            idle += 1;
            if idle % 50 == 0
                && let Some(wake) = self.clock.next_wake()
                && wake <= self.settings.fresh_delay
            {
                self.clock.advance(wake);
                context.waker().wake_by_ref();
            }
            if self
                .clock
                .next_wake()
                .is_some_and(|wake| wake <= self.settings.fresh_delay)
            {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await
    }

    /// What is in the store: ids and labels.
    pub(super) async fn stored(&self) -> BTreeMap<MessageId, BTreeSet<String>> {
        let rows = self
            .store
            .unseen(&self.key(), i64::MAX as u64, None, 1_000_000)
            .await
            .unwrap();
        let ids: Vec<MessageId> = rows.into_iter().map(|row| row.id).collect();
        let known = self.store.known(&self.key(), ids.clone()).await.unwrap();
        let labels = known
            .into_iter()
            .map(|known| known.labels.unwrap().iter().map(ToString::to_string).collect());
        ids.into_iter().zip(labels).collect()
    }

    /// What ought to be there.
    pub(super) fn expected(&self) -> BTreeMap<MessageId, BTreeSet<String>> {
        let state = self.mailbox.state();
        let wanted = state
            .mail
            .iter()
            .filter(|(_, mail)| self.settings.wants(&mail.labels, mail.received));
        wanted
            .map(|(id, mail)| (id.clone(), mail.labels.iter().map(ToString::to_string).collect()))
            .collect()
    }

    pub(super) async fn assert_equal(&self, what: &str) {
        let expected = self.expected();
        assert_eq!(self.stored().await, expected, "store, {what}");
        assert_eq!(*self.sink.kept.lock().unwrap(), expected, "sink, {what}");
        let counts = self.inbox().counts().await.unwrap();
        assert_eq!(counts.messages, expected.len() as u64, "inbox, {what}");
    }
}

/// Drops a future after so many polls: a crash at whatever `.await` it stands then.
pub(super) struct CrashAfter<F> {
    pub(super) work: Pin<Box<F>>,
    pub(super) polls: u64,
}

impl<F: Future> Future for CrashAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.work.as_mut().poll(context).map(Some)
    }
}
