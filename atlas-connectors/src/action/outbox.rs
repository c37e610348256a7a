//! The outbox: drives intents to their end, once, whatever happens on the way.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::action::carry::Carrier;
use crate::action::desk::{Desk, settle};
use crate::action::driver::{Kind, KindOf};
use crate::action::{
    Action, ApprovalPolicy, AuditHead, Autonomy, Circle, Connectors, Gate, Intent, IntentState, OutboxSettings,
    OutboxStore,
};
use crate::clock::{Clock, SystemClock};
use crate::credential::Sealer;
use crate::erp::Write;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ActorId, IntentId, TenantId};
use crate::mail::{LabelChange, OutgoingMessage};

/// Builds gate and outbox over one store.
pub struct OutboxBuilder {
    desk: Desk,
}

impl OutboxBuilder {
    /// Sets who decides about actions. Default: [`Autonomy::AskForEverything`].
    #[must_use]
    pub fn policy(mut self, policy: impl ApprovalPolicy) -> Self {
        self.desk.policy = Arc::new(policy);
        self
    }

    /// Like [`OutboxBuilder::policy`], with a policy that is shared.
    #[must_use]
    pub fn shared_policy(mut self, policy: Arc<dyn ApprovalPolicy>) -> Self {
        self.desk.policy = policy;
        self
    }

    /// Sets the clock. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.desk.clock = clock;
        self
    }

    /// Sets whose domains are the own and the known ones, for the warnings of reviews.
    #[must_use]
    pub fn circle(mut self, circle: Circle) -> Self {
        self.desk.circle = circle;
        self
    }

    /// Changes settings.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut OutboxSettings)) -> Self {
        change(&mut self.desk.settings);
        // An approval is never good for longer than a day.
        let most = OutboxSettings::default().approval_ttl;
        self.desk.settings.approval_ttl = self.desk.settings.approval_ttl.min(most);
        self
    }

    /// Adds a kind of action beside mail.
    #[must_use]
    pub fn kind<A: Action>(mut self) -> Self {
        self.desk.kinds.insert(A::KIND, Arc::new(KindOf::<A>::new()));
        self
    }

    /// The outbox; its gate comes from [`Outbox::gate`].
    pub fn build(self) -> Outbox {
        Outbox {
            desk: Arc::new(self.desk),
        }
    }
}

impl fmt::Debug for OutboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxBuilder").finish_non_exhaustive()
    }
}

/// Drives intents to their end. Clones share everything; any number of workers, in any number of processes, may share one store.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::action::{Connected, Outbox};
/// use atlas_connectors::credential::{KeyRing, Sealer};
/// use atlas_connectors::store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let sealer = Sealer::new(Arc::new(KeyRing::ephemeral()))?;
/// let connectors = Connected::new();
/// let outbox = Outbox::builder(Arc::new(MemoryStore::new()), sealer, Arc::new(connectors)).build();
///
/// outbox.recover(None).await?;
/// let pass = outbox.run_once().await?;
/// assert_eq!(pass.driven.len(), 0);
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Outbox {
    desk: Arc<Desk>,
}

/// What one pass of a worker did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Pass {
    /// The intents it touched, as they are now.
    pub driven: Vec<Intent>,
    /// The intents it could not bring further, and why. They are taken up again.
    pub failed: Vec<(IntentId, Error)>,
}

/// What was found at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Whether the store is older than the anchor: it was restored from a backup, and what it holds is looked up before it
    /// is sent.
    pub restored: bool,
    /// Number of the store's life.
    pub generation: u64,
    /// The end of the audit, to be kept outside as the next anchor.
    pub head: AuditHead,
}

/// What an operator found out about an uncertain intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// It was sent.
    Sent,
    /// It was not sent. If it is still wanted, propose it again: it is never sent again by itself.
    NotSent,
    /// Nobody will find out.
    Abandon,
}

impl Outbox {
    /// Begins an outbox: where intents live, what seals them, and what tells how connections stand.
    pub fn builder(store: Arc<dyn OutboxStore>, sealer: Sealer, connectors: Arc<dyn Connectors>) -> OutboxBuilder {
        let kinds: HashMap<&'static str, Arc<dyn Kind>> = HashMap::new();
        let builder = OutboxBuilder {
            desk: Desk {
                store,
                sealer,
                policy: Arc::new(Autonomy::default()),
                connectors,
                clock: Arc::new(SystemClock),
                kinds,
                circle: Circle::default(),
                settings: OutboxSettings::default(),
            },
        };
        builder.kind::<OutgoingMessage>().kind::<LabelChange>().kind::<Write>()
    }

    /// Where actions are proposed and reviewed.
    pub fn gate(&self) -> Gate {
        Gate {
            desk: Arc::clone(&self.desk),
        }
    }

    /// To be called at start, before the first worker. Compares the store with an audit head that was kept outside, if there
    /// is one; a store that is older was restored from a backup, and every open intent in it is looked up before it is sent.
    ///
    /// # Errors
    /// `StorageFailed`.
    pub async fn recover(&self, anchor: Option<AuditHead>) -> Result<Recovery> {
        crash_point!(RecoveryBegun);
        let store = &self.desk.store;
        let head = store.audit_head().await?;
        let restored = match anchor {
            None => false,
            Some(anchor) if anchor.sequence > head.sequence => true,
            Some(anchor) if anchor.sequence == 0 => false,
            Some(anchor) => {
                let link = store.audit_entries(anchor.sequence - 1, 1).await?;
                link.first().is_none_or(|link| link.head() != anchor)
            }
        };
        let generation = if restored {
            store.raise_generation().await?
        } else {
            store.generation().await?
        };
        Ok(Recovery {
            restored,
            generation,
            head,
        })
    }

    /// Says that the store was restored from a backup, where no anchor tells: every open intent in it is looked up
    /// before it is sent. Gives the new generation.
    ///
    /// # Errors
    /// `StorageFailed`.
    pub async fn mark_restored(&self) -> Result<u64> {
        self.desk.store.raise_generation().await
    }

    /// Brings one intent as far as it goes now, and gives it as it is then: sent, uncertain, or waiting for its next step
    /// ([`Intent::available`]).
    ///
    /// # Errors
    /// `NotApproved` with the reason, or `PolicyBlocked`, if it may not leave; `Paused` or `Unsupported` if the connection cannot
    /// do it now; `NotFound`; `StorageFailed`. With an effect other than [`crate::error::Effect::None`] if it left and its result could not be
    /// stored: the worker looks it up later.
    pub async fn dispatch(&self, tenant: &TenantId, intent: &IntentId) -> Result<Intent> {
        Carrier::new(&self.desk).drive(tenant, intent).await
    }

    /// One pass over everything that is due: proposals without a verdict, expiries, approved intents, interrupted ones, sweeping.
    /// An intent that fails does not keep the others.
    ///
    /// # Errors
    /// `StorageFailed` if the store cannot say what is due.
    pub async fn run_once(&self) -> Result<Pass> {
        let now = self.desk.now().await?;
        let due = self.desk.store.due_intents(now, self.desk.settings.batch).await?;
        let mut pass = Pass::default();
        for (tenant, intent) in due {
            match Carrier::new(&self.desk).drive(&tenant, &intent).await {
                Ok(intent) => pass.driven.push(intent),
                Err(error) => {
                    self.postpone(&tenant, &intent).await;
                    pass.failed.push((intent, error));
                }
            }
        }
        Ok(pass)
    }

    /// Passes until nothing is due. Gives all that were touched, in order.
    ///
    /// # Errors
    /// As [`Outbox::run_once`].
    pub async fn drain(&self) -> Result<Pass> {
        let mut all = Pass::default();
        loop {
            let pass = self.run_once().await?;
            // A pass that brings nothing further ends it, whatever a store believes to be due.
            let done = pass.driven.iter().all(|intent| all.driven.contains(intent));
            all.driven.extend(pass.driven);
            all.failed.extend(pass.failed);
            if done {
                return Ok(all);
            }
        }
    }

    /// Lets an intent that failed wait, so that it does not stand in the way of the others. Best effort: it stays due otherwise.
    async fn postpone(&self, tenant: &TenantId, intent: &IntentId) {
        let (Ok(now), Ok(row)) = (self.desk.now().await, self.desk.load(tenant, intent).await) else {
            return;
        };
        if row.available <= now && (!row.state.is_settled() || row.sweep) {
            let mut after = row.clone();
            after.available = now.after(self.desk.settings.backoff);
            let _ = self.desk.update(&row, after, &[]).await;
        }
    }

    /// Works until dropped: a pass, a pause, again. A store that fails is asked again after the pause.
    pub async fn run(&self, pause: Duration) {
        loop {
            // Failures of single intents are in their rows; a failing store is tried again.
            let _ = self.run_once().await;
            self.desk.clock.sleep(pause).await;
        }
    }

    /// An operator's decision about an uncertain intent.
    ///
    /// # Errors
    /// `Conflict` if it is not uncertain; `NotFound`; `StorageFailed`.
    pub async fn resolve(
        &self,
        tenant: &TenantId,
        intent: &IntentId,
        resolution: Resolution,
        operator: &ActorId,
    ) -> Result<Intent> {
        let desk = &self.desk;
        let row = desk.load(tenant, intent).await?;
        if row.state != IntentState::Uncertain {
            return Err(Error::new(ErrorKind::Conflict, "outbox.resolve"));
        }
        let now = desk.now().await?;
        let (state, word) = match resolution {
            Resolution::Sent => (IntentState::Sent, "sent"),
            Resolution::NotSent => (IntentState::NotSent, "not_sent"),
            Resolution::Abandon => (IntentState::Cancelled, "abandoned"),
        };
        let mut after = row.clone();
        settle(&mut after, state, Some(format!("operator:{word}")), now);
        after.sweep = row.handle.is_some() && state != IntentState::Sent;
        let audit = [desk.event_by(&row, "resolved", now, operator.clone()).with_detail(word)];
        let stored = desk.update(&row, after, &audit).await?;
        Ok(self.desk.intent(&stored))
    }

    /// Intents of a tenant, oldest first, after this one (`None`: from the beginning), at most `limit`; in these states, or in any if none
    /// is given.
    ///
    /// # Errors
    /// `StorageFailed`; `NotFound` for an unknown `after`.
    pub async fn list(
        &self,
        tenant: &TenantId,
        states: &[IntentState],
        after: Option<&IntentId>,
        limit: usize,
    ) -> Result<Vec<Intent>> {
        let after = match after {
            Some(intent) => self.desk.load(tenant, intent).await?.sequence,
            None => 0,
        };
        let rows = self.desk.store.list_intents(tenant, states, after, limit).await?;
        Ok(rows.iter().map(|row| self.desk.intent(row)).collect())
    }

    /// Ended intents that the host has not acknowledged, oldest first, at most `limit`: given again until
    /// [`Outbox::acknowledge`], so tell them apart by [`Intent::id`] and [`Intent::state`]. An uncertain one appears again when it
    /// is resolved.
    ///
    /// # Errors
    /// `StorageFailed`.
    pub async fn events(&self, limit: usize) -> Result<Vec<Intent>> {
        let rows = self.desk.store.unannounced_intents(limit).await?;
        Ok(rows.iter().map(|row| self.desk.intent(row)).collect())
    }

    /// Says that the host has taken note of how an intent ended, as it saw it. If the intent has changed since, it stays among the
    /// events.
    ///
    /// # Errors
    /// `NotFound`; `StorageFailed`.
    pub async fn acknowledge(&self, tenant: &TenantId, seen: &Intent) -> Result<()> {
        let row = self.desk.load(tenant, &seen.id).await?;
        if !row.unannounced || row.state != seen.state {
            return Ok(());
        }
        let mut after = row.clone();
        after.unannounced = false;
        crash_point!(BeforeAcknowledged);
        self.desk.update(&row, after, &[]).await?;
        Ok(())
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("store", &self.desk.store)
            .finish_non_exhaustive()
    }
}
