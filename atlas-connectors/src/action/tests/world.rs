//! A provider that survives the "process", and everything around it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::action::*;
use crate::clock::Timestamp;
use crate::connection::{ConnectionRef, Identity};
use crate::credential::{KeyRing, Sealer};
use crate::error::{Effect, Error, ErrorKind, Result, StorageFault, Unreachable};
use crate::http::ByteStream;
use crate::ids::*;
use crate::mail::*;
use crate::page::{Page, PageToken};
use crate::store::MemoryStore;
use crate::testkit::ManualClock;

pub(super) const START: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

/// What the provider does with the next request that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The request is lost on its way.
    LostBefore,
    /// The mail is accepted and the answer lost.
    LostAfter,
    /// The mail is accepted and the answer unreadable.
    Unreadable,
    /// 401 before acting.
    Unauthorized,
    /// 429 before acting.
    Throttled,
    /// 400 before acting.
    Rejected,
    /// It never answers, and the mail is accepted.
    Hangs,
}

#[derive(Debug, Default)]
pub(super) struct ProviderState {
    pub(super) drafts: BTreeMap<String, (String, Bytes)>,
    pub(super) made: usize,
    pub(super) sent: Vec<String>,
    pub(super) send_requests: usize,
    pub(super) organized: usize,
    pub(super) faults: Vec<Fault>,
    pub(super) failing_lookups: usize,
    pub(super) blind_lookups: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Drafts can be made and mail read.
    Draft,
    /// `gmail.send` alone.
    SendOnly,
}

#[derive(Clone, Debug)]
pub(super) struct FakeMailbox {
    pub(super) provider: Arc<Mutex<ProviderState>>,
    pub(super) connection: ConnectionRef,
    pub(super) mode: Mode,
}

impl FakeMailbox {
    fn state(&self) -> MutexGuard<'_, ProviderState> {
        self.provider.lock().unwrap()
    }

    fn answer(&self, marker: &str) -> Sent {
        Sent {
            message: Some(MessageId::new(format!("m-{marker}"))),
            thread: None,
        }
    }
}

fn lost() -> Error {
    Error::new(Unreachable::Timeout, "fake.send").with_effect(Effect::Unknown)
}

fn unsupported<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported { what: "reading" }, "fake"))
}

#[async_trait]
impl Mailbox for FakeMailbox {
    fn connection(&self) -> &ConnectionRef {
        &self.connection
    }
    fn capabilities(&self) -> MailboxCapabilities {
        let draft = self.mode == Mode::Draft;
        MailboxCapabilities {
            draft,
            send: true,
            organize: true,
            reconcile: draft,
            ..MailboxCapabilities::default()
        }
    }
    async fn profile(&self) -> Result<MailboxProfile> {
        unsupported()
    }
    async fn changes(&self, _from: &SyncPoint, _page: Option<&PageToken>) -> Result<ChangePage> {
        unsupported()
    }
    async fn message(&self, _id: &MessageId) -> Result<Message> {
        unsupported()
    }
    async fn thread(&self, _id: &ThreadId) -> Result<Thread> {
        unsupported()
    }
    async fn attachment(&self, _part: &PartRef) -> Result<ByteStream> {
        unsupported()
    }
    async fn search(&self, _query: &MailQuery, _page: Option<&PageToken>) -> Result<Page<MessageRef>> {
        unsupported()
    }
    async fn labels(&self) -> Result<Vec<Label>> {
        unsupported()
    }
    async fn organize(&self, _change: &Approved<LabelChange>) -> Result<()> {
        tokio::task::yield_now().await;
        self.state().organized += 1;
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn prepare(&self, send: &Approved<OutgoingMessage>) -> Result<Prepared> {
        if self.mode == Mode::SendOnly {
            return Ok(send.prepared(None));
        }
        tokio::task::yield_now().await;
        // A second draft is made on purpose: the outbox has to survive a provider whose search lags.
        let id = {
            let mut state = self.state();
            state.made += 1;
            let id = format!("d-{}", state.made);
            let draft = (send.action().marker().to_owned(), send.action().raw().clone());
            state.drafts.insert(id.clone(), draft);
            id
        };
        tokio::task::yield_now().await;
        Ok(send.prepared(Some(id)))
    }

    async fn read_back(&self, prepared: &Prepared) -> Result<Option<Bytes>> {
        tokio::task::yield_now().await;
        let state = self.state();
        Ok(prepared
            .handle()
            .and_then(|id| state.drafts.get(id))
            .map(|(_, raw)| raw.clone()))
    }

    async fn commit(&self, prepared: Prepared) -> Result<Sent> {
        tokio::task::yield_now().await;
        let marker = prepared.message().marker().to_owned();
        let fault = {
            let mut state = self.state();
            state.send_requests += 1;
            let fault = (!state.faults.is_empty()).then(|| state.faults.remove(0));
            let refuse = |kind: ErrorKind, status| {
                Err(Error::new(kind, "fake.send")
                    .with_status(status)
                    .with_effect(Effect::None))
            };
            match fault {
                Some(Fault::LostBefore) => return Err(lost()),
                Some(Fault::Unauthorized) => {
                    let denied = ErrorKind::PermissionDenied {
                        object: "message".into(),
                        verb: "send",
                    };
                    return refuse(denied, 401);
                }
                Some(Fault::Throttled) => {
                    let kind = ErrorKind::Throttled {
                        scope: crate::error::ThrottleScope::Sending,
                        until: None,
                    };
                    return refuse(kind, 429);
                }
                Some(Fault::Rejected) => return refuse(ErrorKind::Rejected { fields: Vec::new() }, 400),
                _ => {}
            }
            if let Some(id) = prepared.handle() {
                // The provider uses a draft up once.
                if state.drafts.remove(id).is_none() {
                    return Err(Error::new(ErrorKind::NotFound { object: "draft" }, "fake.send"));
                }
            }
            state.sent.push(marker.clone());
            fault
        };
        tokio::task::yield_now().await;
        match fault {
            Some(Fault::LostAfter) => Err(lost()),
            Some(Fault::Unreadable) => {
                Err(Error::new(crate::error::BadPayload::Truncated, "fake.send").with_effect(Effect::Happened))
            }
            Some(Fault::Hangs) => std::future::pending().await,
            _ => Ok(self.answer(&marker)),
        }
    }

    async fn reconcile(&self, prepared: &Prepared) -> Result<Reconciled> {
        tokio::task::yield_now().await;
        let mut state = self.state();
        if state.failing_lookups > 0 {
            state.failing_lookups -= 1;
            return Err(Error::new(Unreachable::Dns, "fake.find"));
        }
        if state.blind_lookups > 0 {
            state.blind_lookups -= 1;
            return Ok(Reconciled::Unknown);
        }
        let marker = prepared.message().marker();
        if state.sent.iter().any(|sent| sent == marker) {
            return Ok(Reconciled::Happened(self.answer(marker)));
        }
        Ok(match prepared.handle() {
            Some(id) if state.drafts.contains_key(id) => Reconciled::DidNotHappen,
            _ => Reconciled::Unknown,
        })
    }

    async fn sweep(&self, ended: &Prepared) -> Result<()> {
        tokio::task::yield_now().await;
        let marker = ended.message().marker();
        self.state().drafts.retain(|_, (of, _)| of != marker);
        Ok(())
    }
}

/// Everything that outlives a process, and the connection.
#[derive(Debug)]
pub(super) struct World {
    pub(super) provider: Arc<Mutex<ProviderState>>,
    pub(super) store: Arc<dyn OutboxStore>,
    pub(super) clock: ManualClock,
    pub(super) connected: Connected,
    pub(super) connection: ConnectionRef,
    pub(super) mode: Mode,
    keys: KeyRing,
}

impl World {
    pub(super) fn new(mode: Mode) -> Self {
        let clock = ManualClock::new(START);
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        Self::over(mode, Arc::new(Slow(Arc::new(store))), clock)
    }

    pub(super) fn over(mode: Mode, store: Arc<dyn OutboxStore>, clock: ManualClock) -> Self {
        let world = Self {
            provider: Arc::default(),
            store,
            clock,
            connected: Connected::new(),
            connection: ConnectionRef {
                tenant: TenantId::new("acme"),
                connection: ConnectionId::new("c-1"),
                epoch: Epoch::FIRST,
                provider: ProviderId::new("fake"),
            },
            mode,
            keys: KeyRing::ephemeral(),
        };
        world.connect(&world.connection);
        world
    }

    pub(super) fn identity() -> Identity {
        Identity {
            subject: "subject-1".to_owned(),
            address: Some("ops@acme.example".to_owned()),
            tenant: None,
        }
    }

    /// Connects, or reconnects under another epoch.
    pub(super) fn connect(&self, connection: &ConnectionRef) {
        let mailbox = FakeMailbox {
            provider: Arc::clone(&self.provider),
            connection: connection.clone(),
            mode: self.mode,
        };
        self.connected.put_mailbox(Arc::new(mailbox), Self::identity());
    }

    pub(super) fn reconnect(&self) {
        let mut next = self.connection.clone();
        next.epoch = next.epoch.next();
        self.connect(&next);
    }

    /// A process: everything in memory is new.
    pub(super) fn process(&self) -> Outbox {
        self.builder().build()
    }

    pub(super) fn builder(&self) -> OutboxBuilder {
        self.builder_over(Arc::clone(&self.store), &self.connected)
    }

    pub(super) fn builder_over(&self, store: Arc<dyn OutboxStore>, connected: &Connected) -> OutboxBuilder {
        let sealer = Sealer::new(Arc::new(self.keys.clone())).unwrap();
        Outbox::builder(store, sealer, Arc::new(connected.clone())).clock(Arc::new(self.clock.clone()))
    }

    /// Another store under the same keys and clock, with a provider of its own.
    pub(super) fn beside(&self, store: Arc<dyn OutboxStore>) -> Self {
        let mut world = Self::over(self.mode, store, self.clock.clone());
        world.keys = self.keys.clone();
        world
    }

    pub(super) fn mail(&self, subject: &str) -> OutgoingMessage {
        OutgoingMessage::builder()
            .from(Address::named("Acme Operations", "ops@acme.example"))
            .to("jana@parts.example")
            .subject(subject)
            .text("We order 40 pieces.\n")
            .build(&self.clock)
            .unwrap()
    }

    pub(super) fn proposal(&self, key: &str) -> Proposal {
        Proposal::new(&self.connection, "agent", key)
    }

    pub(super) fn tenant(&self) -> &TenantId {
        &self.connection.tenant
    }

    /// Proposes and approves.
    pub(super) async fn approved(&self, outbox: &Outbox, mail: &OutgoingMessage, key: &str) -> IntentId {
        let gate = outbox.gate();
        let outcome = gate.propose(self.proposal(key), mail.clone()).await.unwrap();
        let intent = outcome.intent().clone();
        if let Outcome::Held { review, .. } = outcome {
            gate.approve(self.tenant(), &intent, &"mia".into(), &review.digest)
                .await
                .unwrap();
        }
        intent
    }

    pub(super) async fn state(&self, intent: &IntentId) -> IntentState {
        self.row(intent).await.state
    }

    pub(super) async fn row(&self, intent: &IntentId) -> IntentRow {
        self.store.load_intent(self.tenant(), intent).await.unwrap().unwrap()
    }

    pub(super) fn accepted(&self) -> usize {
        self.provider.lock().unwrap().sent.len()
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut ProviderState) -> T) -> T {
        change(&mut self.provider.lock().unwrap())
    }

    /// A new process works until everything has come to rest, over many leases, pauses and quiet periods.
    pub(super) async fn settle(&self) -> Outbox {
        let outbox = self.process();
        outbox.recover(None).await.unwrap();
        for _ in 0..12 {
            outbox.drain().await.unwrap();
            self.clock.advance(Duration::from_secs(400));
        }
        outbox
    }
}

/// A policy whose answer is what its name says.
#[derive(Debug)]
pub(super) enum Odd {
    Fails,
    Panics,
    Hangs,
}

#[async_trait]
impl ApprovalPolicy for Odd {
    async fn evaluate(&self, _action: &ProposedAction<'_>) -> Result<Verdict> {
        match self {
            Self::Fails => Err(Error::new(ErrorKind::Transient, "policy")),
            Self::Panics => panic!("a policy of a host"),
            Self::Hangs => std::future::pending().await,
        }
    }
}

/// A store that waits before and after each call, so that a future can be dropped on both sides of every commit.
#[derive(Debug)]
pub(super) struct Slow(pub(super) Arc<dyn OutboxStore>);

macro_rules! slowly {
    ($call:expr) => {{
        tokio::task::yield_now().await;
        let answer = $call.await;
        tokio::task::yield_now().await;
        answer
    }};
}

#[async_trait]
impl OutboxStore for Slow {
    async fn insert_intent(&self, row: &IntentRow, audit: &[AuditEvent]) -> Result<Inserted> {
        slowly!(self.0.insert_intent(row, audit))
    }
    async fn load_intent(&self, tenant: &TenantId, intent: &IntentId) -> Result<Option<IntentRow>> {
        slowly!(self.0.load_intent(tenant, intent))
    }
    async fn update_intent(&self, change: IntentChange<'_>) -> Result<Version> {
        slowly!(self.0.update_intent(change))
    }
    async fn due_intents(&self, now: Timestamp, limit: usize) -> Result<Vec<(TenantId, IntentId)>> {
        slowly!(self.0.due_intents(now, limit))
    }
    async fn list_intents(
        &self,
        tenant: &TenantId,
        states: &[IntentState],
        after: u64,
        limit: usize,
    ) -> Result<Vec<IntentRow>> {
        slowly!(self.0.list_intents(tenant, states, after, limit))
    }
    async fn count_automatic(&self, of: &AutomaticCount<'_>) -> Result<u64> {
        slowly!(self.0.count_automatic(of))
    }
    async fn unannounced_intents(&self, limit: usize) -> Result<Vec<IntentRow>> {
        slowly!(self.0.unannounced_intents(limit))
    }
    async fn latest_time(&self) -> Result<Timestamp> {
        slowly!(self.0.latest_time())
    }
    async fn generation(&self) -> Result<u64> {
        slowly!(self.0.generation())
    }
    async fn raise_generation(&self) -> Result<u64> {
        slowly!(self.0.raise_generation())
    }
}

#[async_trait]
impl AuditLog for Slow {
    async fn audit_head(&self) -> Result<AuditHead> {
        slowly!(self.0.audit_head())
    }
    async fn audit_entries(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>> {
        slowly!(self.0.audit_entries(after, limit))
    }
}

/// A store whose writes fail from the n-th on.
#[derive(Debug)]
pub(super) struct Full {
    pub(super) store: Arc<dyn OutboxStore>,
    pub(super) writes_left: Mutex<Option<usize>>,
}

impl Full {
    fn write(&self) -> Result<()> {
        let mut left = self.writes_left.lock().unwrap();
        match left.as_mut() {
            None => Ok(()),
            Some(0) => Err(Error::new(StorageFault::Full, "test")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

#[async_trait]
impl OutboxStore for Full {
    async fn insert_intent(&self, row: &IntentRow, audit: &[AuditEvent]) -> Result<Inserted> {
        self.write()?;
        self.store.insert_intent(row, audit).await
    }
    async fn load_intent(&self, tenant: &TenantId, intent: &IntentId) -> Result<Option<IntentRow>> {
        self.store.load_intent(tenant, intent).await
    }
    async fn update_intent(&self, change: IntentChange<'_>) -> Result<Version> {
        self.write()?;
        self.store.update_intent(change).await
    }
    async fn due_intents(&self, now: Timestamp, limit: usize) -> Result<Vec<(TenantId, IntentId)>> {
        self.store.due_intents(now, limit).await
    }
    async fn list_intents(
        &self,
        tenant: &TenantId,
        states: &[IntentState],
        after: u64,
        limit: usize,
    ) -> Result<Vec<IntentRow>> {
        self.store.list_intents(tenant, states, after, limit).await
    }
    async fn count_automatic(&self, of: &AutomaticCount<'_>) -> Result<u64> {
        self.store.count_automatic(of).await
    }
    async fn unannounced_intents(&self, limit: usize) -> Result<Vec<IntentRow>> {
        self.store.unannounced_intents(limit).await
    }
    async fn latest_time(&self) -> Result<Timestamp> {
        self.store.latest_time().await
    }
    async fn generation(&self) -> Result<u64> {
        self.store.generation().await
    }
    async fn raise_generation(&self) -> Result<u64> {
        self.store.raise_generation().await
    }
}

#[async_trait]
impl AuditLog for Full {
    async fn audit_head(&self) -> Result<AuditHead> {
        self.store.audit_head().await
    }
    async fn audit_entries(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>> {
        self.store.audit_entries(after, limit).await
    }
}

pub(super) fn code(error: &Error) -> &'static str {
    error.code()
}
