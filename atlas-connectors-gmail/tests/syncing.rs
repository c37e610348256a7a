//! The real sync over the real connector over HTTP, the mock of Google behind it, and both stores: whatever goes wrong on the way, the
//! inbox ends as the mailbox is, and until then the coverage says what is missing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::connection::{Connection, ConnectionEvent, ConnectionStore, Connections, ProofKind};
use atlas_connectors::credential::{CredentialStore, KeyRing, Sealer, Vault};
use atlas_connectors::error::Retry;
use atlas_connectors::mail::Message;
use atlas_connectors::store::{MemoryStore, SqliteStore};
use atlas_connectors::sync::{
    GapCause, Inbox, InboxQuery, InboxStore, MailboxKey, SyncEngine, SyncReport, SyncSettings, SyncStore,
};
use atlas_connectors::{Clock as _, ConnectionRef, ErrorKind};
use atlas_connectors_gmail::mock::{ApiError, Fault, Google, Kept, Mail, MailboxHandle, USER};
use atlas_connectors_gmail::scopes;

mod live;

use live::LeapingClock;

const GET: &str = "gmail.users.messages.get";
const LIST: &str = "gmail.users.messages.list";
const HISTORY: &str = "gmail.users.history.list";
/// More than two pages.
const MANY: usize = 23;

trait Stores: InboxStore + ConnectionStore + CredentialStore {}
impl<T: InboxStore + ConnectionStore + CredentialStore> Stores for T {}

struct World {
    google: Google,
    clock: LeapingClock,
    store: Arc<dyn Stores>,
    sealer: Sealer,
    connection: ConnectionRef,
}

impl World {
    async fn new(on_disk: bool) -> Self {
        let clock = LeapingClock::default();
        let shared = || Arc::new(clock.clone());
        let store: Arc<dyn Stores> = match on_disk {
            true => Arc::new(SqliteStore::in_memory_with_clock(shared()).unwrap()),
            false => Arc::new(MemoryStore::with_clock(shared())),
        };
        Self {
            google: Google::builder().clock(clock.clone()).start().await,
            clock,
            store,
            sealer: Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap(),
            connection: live::connection(),
        }
    }

    /// An engine as another process would build it.
    fn engine(&self, connection: &ConnectionRef) -> SyncEngine {
        let mailbox = live::gmail(&self.google, connection, &[scopes::READONLY])
            .with_clock(Arc::new(self.clock.clone()))
            .with_deadline(Duration::from_secs(5))
            .with_page_size(10)
            .mailbox()
            .unwrap();
        let mut settings = SyncSettings::default();
        settings.batch_messages = 4;
        settings.fresh_delay = Duration::from_millis(5);
        SyncEngine::builder(Arc::new(mailbox), Arc::clone(&self.store) as Arc<dyn SyncStore>)
            .with_inbox(self.sealer.clone())
            .with_clock(Arc::new(self.clock.clone()))
            .with_settings(settings)
            .build()
            .unwrap()
    }

    async fn sync(&self) -> atlas_connectors::Result<SyncReport> {
        self.engine(&self.connection).sync_now().await
    }

    /// What does not pass by itself within a run is for the next one; two faults need two more at most.
    async fn sync_until_complete(&self, told: &str) {
        for _ in 0..3 {
            if let Ok(report) = self.sync().await
                && report.coverage.is_complete()
            {
                return;
            }
        }
        panic!("{told}: not complete after three runs");
    }

    fn mailbox(&self) -> MailboxHandle {
        self.google.mailbox(USER)
    }

    fn deliver(&self, subject: &str) -> String {
        let mail = Mail::from("Jana Novák <jana@precision-parts.example>")
            .to(USER)
            .subject(subject)
            .text("Please quote 2,000 pieces.")
            .at(self.clock.now());
        self.mailbox().deliver(&mail)
    }

    fn fill(&self, messages: usize) -> Vec<String> {
        (0..messages).map(|n| self.deliver(&format!("RFQ {n}"))).collect()
    }

    fn inbox(&self) -> Inbox {
        let key = MailboxKey::from(&self.connection);
        Inbox::new(Arc::clone(&self.store) as Arc<dyn InboxStore>, self.sealer.clone(), key)
    }

    async fn stored(&self) -> u64 {
        self.inbox().counts().await.unwrap().messages
    }

    /// All of the inbox, page by page.
    async fn synced(&self) -> BTreeMap<String, Message> {
        let (inbox, mut page, mut found) = (self.inbox(), None, BTreeMap::new());
        loop {
            let threads = inbox.threads(&InboxQuery::all(), page.as_ref(), 7).await.unwrap();
            for thread in threads.items {
                let thread = inbox.thread(&thread.id).await.unwrap().unwrap();
                let messages = thread.messages.into_iter();
                found.extend(messages.map(|message| (message.meta.id.to_string(), message)));
            }
            page = threads.next;
            if page.is_none() {
                return found;
            }
        }
    }

    /// The inbox is what the mailbox is, but for spam, trash and drafts.
    async fn assert_equal(&self, told: &str) {
        let left_out = |kept: &Kept| {
            ["SPAM", "TRASH", "DRAFT"]
                .iter()
                .any(|out| kept.labels.iter().any(|label| label == out))
        };
        let mut synced = self.synced().await;
        for kept in self.mailbox().messages().into_iter().filter(|kept| !left_out(kept)) {
            let message = synced.remove(&kept.id);
            let message = message.unwrap_or_else(|| panic!("{told}: {} is missing", kept.id));
            let expected = Message::parse(message.meta.clone(), &kept.raw);
            assert_eq!(message.meta.thread.as_str(), kept.thread_id, "{told}");
            assert_eq!(
                (message.subject, message.text),
                (expected.subject, expected.text),
                "{told}"
            );
            let mut labels = [
                kept.labels,
                message.meta.labels.iter().map(ToString::to_string).collect(),
            ];
            labels.iter_mut().for_each(|labels| labels.sort());
            assert_eq!(labels[0], labels[1], "{told}: labels of {}", kept.id);
        }
        assert!(synced.is_empty(), "{told}: too many: {:?}", synced.keys());
    }
}

async fn worlds() -> [World; 2] {
    [World::new(false).await, World::new(true).await]
}

#[tokio::test]
async fn first_everything_then_what_changed() {
    for world in worlds().await {
        let ids = world.fill(MANY);
        let report = world.sync().await.unwrap();
        assert_eq!(report.counts.stored, MANY as u64);
        assert!(report.coverage.is_complete(), "{}", report.coverage);
        world.assert_equal("first").await;

        let before = world.google.counters();
        let inbox = world.mailbox();
        inbox.deliver(
            &Mail::from("bot@elsewhere.example")
                .to(USER)
                .subject("Win")
                .labels(&["SPAM"]),
        );
        world.deliver("RFQ 4471");
        inbox.relabel(&ids[0], &["STARRED"], &["UNREAD"]);
        inbox.relabel(&ids[1], &["TRASH"], &["INBOX"]);
        inbox.delete(&ids[2]);
        let report = world.sync().await.unwrap();
        assert!(report.coverage.is_complete(), "{}", report.coverage);
        assert!(report.newest_signal.is_some());
        world.assert_equal("then").await;
        let after = world.google.counters();
        assert_eq!(
            after.requests_of(LIST),
            before.requests_of(LIST),
            "nothing is listed again"
        );
        assert_eq!(
            world.sync().await.unwrap().newest_signal,
            None,
            "what is stored is no fresh signal"
        );

        inbox.relabel(&ids[1], &["INBOX"], &["TRASH"]);
        world.sync().await.unwrap();
        world.assert_equal("back from the trash").await;
    }
}

/// F4, F6, F8, F11, F26, F28 on reads, in the middle of a first sync and of a later one.
#[tokio::test]
async fn faults_in_the_middle_lose_nothing() {
    let faults: [Fault; 8] = [
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::Truncate(20),
        Fault::HtmlAfter,
        ApiError::Unavailable.into(),
        ApiError::TooManyConcurrentRequests.into(),
        ApiError::Unauthenticated.into(),
        Fault::Throttle(Duration::from_millis(300)),
    ];
    for fault in faults {
        for world in worlds().await {
            let told = format!("{fault:?}");
            world.fill(12);
            world
                .google
                .faults()
                .nth(GET, 5, fault.clone())
                .nth(LIST, 2, fault.clone());
            world.sync_until_complete(&told).await;
            world.assert_equal(&told).await;
            world.fill(3);
            world
                .google
                .faults()
                .next(HISTORY, fault.clone())
                .nth(GET, 2, fault.clone());
            world.sync_until_complete(&told).await;
            world.assert_equal(&told).await;
            assert_eq!(world.google.faults().pending(), 0, "{told}: each fault struck");
        }
    }
}

/// F25: a throttle longer than a call may take ends the run with the moment to come back; what was read is kept.
#[tokio::test]
async fn a_long_throttle_says_when_to_come_back() {
    for world in worlds().await {
        world.fill(MANY);
        world
            .google
            .faults()
            .nth(GET, 15, Fault::Throttle(Duration::from_secs(600)));
        let error = world.sync().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Throttled { .. }), "{error}");
        assert!(
            matches!(error.retry(), Retry::At(at) if at > world.clock.now()),
            "{error}"
        );
        assert!(!world.engine(&world.connection).coverage().await.unwrap().is_complete());
        world.clock.leap(Duration::from_secs(601));
        let report = world.sync().await.unwrap();
        assert!(report.coverage.is_complete(), "{}", report.coverage);
        world.assert_equal("after the throttle").await;
    }
}

/// F29: the position is too old. The gap is there until a new listing has proven it closed.
#[tokio::test]
async fn an_expired_history_is_a_gap_until_it_is_proven_closed() {
    for world in worlds().await {
        let ids = world.fill(MANY);
        world.sync().await.unwrap();
        let inbox = world.mailbox();
        world.fill(5);
        inbox.relabel(&ids[3], &["STARRED"], &["UNREAD"]);
        inbox.delete(&ids[4]);
        inbox.expire_history();

        world.google.faults().always(LIST, ApiError::Unavailable);
        assert!(world.sync().await.is_err());
        let coverage = world.engine(&world.connection).coverage().await.unwrap();
        assert_eq!(coverage.gaps.len(), 1, "{coverage}");
        assert_eq!(coverage.gaps[0].cause, GapCause::CursorExpired);
        world.google.faults().clear();

        let report = world.sync().await.unwrap();
        assert!(report.coverage.is_complete(), "{}", report.coverage);
        let closed = report
            .coverage
            .closed
            .iter()
            .filter(|gap| gap.cause == GapCause::CursorExpired);
        assert_eq!(closed.count(), 1);
        world.assert_equal("repaired").await;
    }
}

/// F31: a message that cannot be read is set aside by its id, the rest goes on, and an operator can have it tried again.
#[tokio::test]
async fn a_poison_message_is_set_aside() {
    for world in worlds().await {
        world.fill(3);
        world.sync().await.unwrap();
        let poison = world.deliver("Poison");
        world.google.faults().always(GET, Fault::OtherJsonAfter);
        for attempt in 1..=3 {
            let report = world.sync().await.unwrap();
            assert_eq!(
                report.coverage.pending + report.coverage.quarantined,
                1,
                "attempt {attempt}"
            );
        }
        let engine = world.engine(&world.connection);
        let aside = engine.quarantined(None, 10).await.unwrap();
        assert_eq!(aside.len(), 1);
        assert_eq!((aside[0].message.id.as_str(), aside[0].attempts), (poison.as_str(), 3));

        world.google.faults().clear();
        world.fill(2);
        let report = world.sync().await.unwrap();
        assert_eq!(
            (report.counts.stored, report.coverage.quarantined),
            (2, 1),
            "the rest goes on"
        );
        assert!(!report.coverage.is_complete());
        assert_eq!(engine.retry_quarantined(None).await.unwrap(), 1);
        assert!(world.sync().await.unwrap().coverage.is_complete());
        world.assert_equal("tried again").await;
    }
}

/// F23: a disconnect raises the connection's epoch and tells the sync store nothing; the sync in flight stops at its next step.
#[tokio::test]
async fn a_disconnect_stops_a_sync_in_flight() {
    for world in worlds().await {
        world.fill(60);
        let now = world.clock.now();
        let mut row = Connection::new(world.connection.clone(), now);
        let needs = ProofKind::Answer;
        row.apply(&ConnectionEvent::SignedIn { at: now, needs }, now).unwrap();
        world.store.insert(&row).await.unwrap();
        let vault = Vault::new(
            Arc::clone(&world.store) as Arc<dyn CredentialStore>,
            world.sealer.clone(),
        );
        let store = Arc::clone(&world.store) as Arc<dyn ConnectionStore>;
        let connections = Connections::new(store, vault, Arc::new(world.clock.clone()));

        world.google.faults().latency_of(GET, Duration::from_millis(50));
        let engine = world.engine(&world.connection);
        let run = tokio::spawn({
            let engine = engine.clone();
            async move { engine.sync_now().await }
        });
        let mut progress = engine.progress();
        progress.wait_for(|progress| progress.counts.stored > 0).await.unwrap();
        let reference = &world.connection;
        connections
            .disconnect(None, &reference.tenant, &reference.connection)
            .await
            .unwrap();
        let stored = world.stored().await;
        let error = run.await.unwrap().unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Cancelled);
        assert!(stored < 60, "the run was in flight");
        assert_eq!(world.stored().await, stored, "nothing is written after a disconnect");
        assert_eq!(*engine.sync_now().await.unwrap_err().kind(), ErrorKind::Cancelled);

        // Connected again, it goes on where it was, at once.
        let next = connections
            .summary(&reference.tenant, &reference.connection)
            .await
            .unwrap()
            .reference;
        let report = world.engine(&next).sync_now().await.unwrap();
        assert!(report.coverage.is_complete(), "{}", report.coverage);
        world.assert_equal("connected again").await;
    }
}
