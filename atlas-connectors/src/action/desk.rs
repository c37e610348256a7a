//! What gate and outbox share: the store, the keys, the policy, and the steps that both take.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;

use crate::action::driver::Kind;
use crate::action::record::Facts;
use crate::action::{
    ApprovalPolicy, ApprovalRecord, AuditEvent, AutomaticCount, Circle, Connectors, Decision, Digest, History, Intent,
    IntentChange, IntentRow, IntentState, Nonce, OutboxSettings, OutboxStore, ProposedAction, Review, Verdict,
};
use crate::clock::{Clock, Timestamp};
use crate::connection::Identity;
use crate::credential::{SealContext, Sealer};
use crate::error::{Error, ErrorKind, NotApproved, Rejection, Result, StorageFault};
use crate::ids::{ActorId, IntentId, TenantId};

/// Version of [`IntentRow`] as written by this library.
pub(super) const ROW_SCHEMA: u16 = 1;

const PAYLOAD: &str = "outbox.payload";
const OUTCOME: &str = "outbox.outcome";
/// Marks an outcome that is sealed; no JSON begins like it.
const SEALED: &str = "sealed:";
const APPROVALS: &str = "atlas outbox approvals";

pub(super) struct Desk {
    pub(super) store: Arc<dyn OutboxStore>,
    pub(super) sealer: Sealer,
    pub(super) policy: Arc<dyn ApprovalPolicy>,
    pub(super) connectors: Arc<dyn Connectors>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) kinds: HashMap<&'static str, Arc<dyn Kind>>,
    pub(super) circle: Circle,
    pub(super) settings: OutboxSettings,
}

/// What the policy answered, or that it could not.
pub(super) enum Judgement {
    Verdict(Verdict),
    /// It failed, panicked or took too long: deny for now.
    Failed(&'static str),
}

impl Desk {
    /// The present moment, never earlier than anything stored.
    pub(super) async fn now(&self) -> Result<Timestamp> {
        Ok(self.clock.now().max(self.store.latest_time().await?))
    }

    pub(super) async fn load(&self, tenant: &TenantId, intent: &IntentId) -> Result<IntentRow> {
        let row = self.store.load_intent(tenant, intent).await?;
        let row = row.ok_or_else(|| Error::new(ErrorKind::NotFound { object: "intent" }, "outbox.load"))?;
        if row.schema > ROW_SCHEMA {
            return Err(Error::new(StorageFault::Schema, "outbox.load"));
        }
        Ok(row)
    }

    pub(super) fn kind(&self, kind: &str) -> Result<&Arc<dyn Kind>> {
        self.kinds
            .get(kind)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported { what: "kind of action" }, "outbox.kind"))
    }

    pub(super) fn seal(&self, row: &IntentRow, payload: &[u8]) -> Result<Vec<u8>> {
        self.sealer.seal(payload_context(row), payload)
    }

    /// Opens the payload and checks that it is the one whose digest the row holds.
    pub(super) fn open(&self, row: &IntentRow) -> Result<Vec<u8>> {
        let payload = self.sealer.open(payload_context(row), &row.payload)?;
        let payload = payload.expose_secret().clone();
        let digests = self.kind(&row.kind)?.digests(&payload, &row.connection)?;
        if !same(&digests.bound, &row.digest) || !same(&digests.content, &row.content) {
            return Err(NotApproved::Digest.at("outbox.open"));
        }
        Ok(payload)
    }

    /// The provider's answer as it is kept: as it is where it holds ids only, sealed where it holds business data.
    pub(super) fn keep_outcome(&self, row: &IntentRow, outcome: String) -> Result<String> {
        if !self.kind(&row.kind)?.seals_outcome() {
            return Ok(outcome);
        }
        self.seal_outcome(row, outcome.as_bytes())
    }

    /// What a refusal said, as it is kept. Nothing is kept of what cannot be sealed: the reason stands in the row anyway.
    pub(super) fn keep_rejection(&self, row: &IntentRow, error: &Error) -> Option<String> {
        let rejection = serde_json::to_vec(&Rejection::of(error)).ok()?;
        self.seal_outcome(row, &rejection).ok()
    }

    fn seal_outcome(&self, row: &IntentRow, outcome: &[u8]) -> Result<String> {
        let sealed = self.sealer.seal(outcome_context(row), outcome)?;
        Ok(format!("{SEALED}{}", STANDARD.encode(sealed)))
    }

    /// The intent as a host sees it, with the provider's answer opened. An answer that cannot be opened is left out: the state
    /// does not depend on it.
    pub(super) fn intent(&self, row: &IntentRow) -> Intent {
        let opened = row.outcome.as_deref().and_then(|kept| {
            let Some(sealed) = kept.strip_prefix(SEALED) else {
                return Some(kept.as_bytes().to_vec());
            };
            let sealed = STANDARD.decode(sealed).ok()?;
            let opened = self.sealer.open(outcome_context(row), &sealed).ok()?;
            Some(opened.expose_secret().clone())
        });
        let mut intent = Intent::unopened(row);
        if let Some(json) = opened {
            if row.state == IntentState::Sent {
                intent.outcome = serde_json::from_slice(&json).ok();
            } else {
                intent.rejection = serde_json::from_slice(&json).ok();
            }
        }
        intent
    }

    /// Writes a step, and gives the row as stored.
    pub(super) async fn update(&self, before: &IntentRow, after: IntentRow, audit: &[AuditEvent]) -> Result<IntentRow> {
        self.update_spending(before, after, None, audit).await
    }

    /// Writes a step that consumes an approval in the same transaction.
    pub(super) async fn update_spending(
        &self,
        before: &IntentRow,
        mut after: IntentRow,
        spend: Option<&Nonce>,
        audit: &[AuditEvent],
    ) -> Result<IntentRow> {
        if !before.state.may_become(after.state) {
            let why = "an intent cannot go from its state to that one";
            return Err(Error::new(ErrorKind::Invalid { what: "step", why }, "outbox.update"));
        }
        let change = IntentChange::new(before, &after).spending(spend).recording(audit);
        after.version = self.store.update_intent(change).await?;
        Ok(after)
    }

    /// An event of the library itself about a row.
    pub(super) fn event(&self, row: &IntentRow, event: &'static str, at: Timestamp) -> AuditEvent {
        self.event_by(row, event, at, ActorId::new("atlas"))
    }

    pub(super) fn event_by(&self, row: &IntentRow, event: &'static str, at: Timestamp, actor: ActorId) -> AuditEvent {
        AuditEvent::new(
            event,
            at,
            actor,
            &row.connection,
            &row.intent,
            row.kind.clone(),
            row.digest,
        )
    }

    /// Ends a row that has not begun.
    pub(super) async fn cancel(&self, row: &IntentRow, reason: String, now: Timestamp) -> Result<IntentRow> {
        let audit = [self.event(row, "cancelled", now).with_detail(reason.clone())];
        let mut after = row.clone();
        settle(&mut after, IntentState::Cancelled, Some(reason), now);
        self.update(row, after, &audit).await
    }

    /// Asks the policy, within bounded time.
    pub(super) async fn judge(
        &self,
        row: &IntentRow,
        payload: &[u8],
        identity: &Identity,
        leaving: bool,
        now: Timestamp,
    ) -> Result<Judgement> {
        let reach = self.kind(&row.kind)?.reach(payload)?;
        let history = StoreHistory {
            store: Arc::clone(&self.store),
            row: row.clone(),
            now,
        };
        let action = ProposedAction {
            kind: &row.kind,
            connection: &row.connection,
            identity,
            author: &row.author,
            recipients: &reach.recipients,
            target: reach.target.as_ref(),
            now,
            leaving,
            approved: row.approval.as_ref().is_some_and(|r| r.decision == Decision::Approved),
            history: &history,
        };
        let thinking = AssertUnwindSafe(self.policy.evaluate(&action)).catch_unwind();
        Ok(match self.within(self.settings.policy_timeout, thinking).await {
            Some(Ok(Ok(verdict))) => Judgement::Verdict(verdict),
            Some(Ok(Err(_))) => Judgement::Failed("policy-error"),
            Some(Err(_)) => Judgement::Failed("policy-panic"),
            None => Judgement::Failed("policy-timeout"),
        })
    }

    /// The policy's answer to a stored draft: held, ready or cancelled. Pure, so it may be asked again after a crash.
    pub(super) async fn judge_draft(&self, row: &IntentRow) -> Result<IntentRow> {
        let now = self.now().await?;
        if now >= row.expires {
            return self.cancel(row, "expired".to_owned(), now).await;
        }
        let payload = self.open(row)?;
        let identity = crate::action::driver::identity_in(&payload)?;
        let judgement = self.judge(row, &payload, &identity, false, now).await?;
        crash_point!(PolicyAnswered);
        let mut after = row.clone();
        after.updated = now;
        let audit = match judgement {
            Judgement::Verdict(Verdict::Allow { rule }) => {
                let approver = ActorId::new(format!("policy:{rule}"));
                after.approval = Some(self.decide(row, approver, Decision::Allowed, now)?);
                after.automatic = true;
                after.state = IntentState::Ready;
                after.available = now;
                self.event(row, "allowed", now).with_detail(rule)
            }
            Judgement::Verdict(Verdict::Hold { rule }) => {
                after.state = IntentState::AwaitingApproval;
                after.reason = Some(format!("policy:{rule}"));
                self.event(row, "held", now).with_detail(rule)
            }
            Judgement::Verdict(Verdict::Deny { rule }) => {
                settle(&mut after, IntentState::Cancelled, Some(format!("policy:{rule}")), now);
                self.event(row, "denied", now).with_detail(rule)
            }
            Judgement::Failed(rule) => {
                settle(&mut after, IntentState::Cancelled, Some(format!("policy:{rule}")), now);
                self.event(row, "denied", now).with_detail(rule)
            }
        };
        let stored = self.update(row, after, &[audit]).await?;
        crash_point!(VerdictStored);
        Ok(stored)
    }

    /// Writes a decision down, with its authenticator.
    pub(super) fn decide(
        &self,
        row: &IntentRow,
        approver: ActorId,
        decision: Decision,
        now: Timestamp,
    ) -> Result<ApprovalRecord> {
        let key = self.sealer.derive(None, APPROVALS)?;
        let facts = Facts {
            digest: row.digest,
            intent: row.intent.clone(),
            epoch: row.connection.epoch,
            approver,
            decision,
            policy: self.policy.version(),
            issued: now,
            expires: row.expires,
        };
        ApprovalRecord::issue(facts, key.id(), key.bytes())
    }

    /// Checks the decision against the row, in constant time where it counts.
    pub(super) fn verify(&self, row: &IntentRow, now: Timestamp) -> Result<ApprovalRecord> {
        let record = row
            .approval
            .clone()
            .ok_or_else(|| NotApproved::Missing.at("outbox.verify"))?;
        let key = self.sealer.derive(Some(&record.key_id), APPROVALS)?;
        record.verify(key.bytes())?;
        if record.intent != row.intent || !same(&record.digest, &row.digest) {
            return Err(NotApproved::Digest.at("outbox.verify"));
        }
        if record.epoch != row.connection.epoch {
            return Err(NotApproved::Context.at("outbox.verify"));
        }
        if now >= record.expires || now >= row.expires {
            return Err(NotApproved::Expired.at("outbox.verify"));
        }
        Ok(record)
    }

    /// What a reviewer is shown, from the stored bytes.
    pub(super) fn review(&self, row: &IntentRow) -> Result<Review> {
        let payload = self.open(row)?;
        let identity = crate::action::driver::identity_in(&payload)?;
        let content = self.kind(&row.kind)?.review(&payload)?;
        Ok(Review {
            intent: row.intent.clone(),
            digest: row.digest,
            kind: row.kind.clone(),
            connection: row.connection.connection.clone(),
            warnings: self.circle.warnings(&content, &identity),
            account: identity.address.unwrap_or(identity.subject),
            author: row.author.clone(),
            proposed: row.created,
            expires: row.expires,
            content,
        })
    }

    /// Runs something for at most this long; `None`: it took longer.
    pub(super) async fn within<F: Future>(&self, limit: Duration, work: F) -> Option<F::Output> {
        let work = std::pin::pin!(work);
        match select(work, self.clock.sleep(limit)).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(((), _)) => None,
        }
    }
}

/// Ends a row: no lease, no pause, and the host is to be told.
pub(super) fn settle(row: &mut IntentRow, state: IntentState, reason: Option<String>, now: Timestamp) {
    row.state = state;
    row.reason = reason;
    row.lease = None;
    row.updated = now;
    row.available = now;
    row.unannounced = true;
}

/// Compares digests in constant time.
pub(super) fn same(one: &Digest, other: &Digest) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

impl NotApproved {
    /// The error of this fault in this operation.
    pub(super) fn at(self, operation: &'static str) -> Error {
        Error::new(self, operation)
    }
}

/// Counts from the store.
#[derive(Debug)]
struct StoreHistory {
    store: Arc<dyn OutboxStore>,
    row: IntentRow,
    now: Timestamp,
}

#[async_trait::async_trait]
impl History for StoreHistory {
    async fn automatic(&self, window: Duration) -> Result<u64> {
        let count = AutomaticCount {
            tenant: &self.row.connection.tenant,
            connection: &self.row.connection.connection,
            kind: &self.row.kind,
            since: self.now.before(window),
            before: self.row.sequence,
        };
        self.store.count_automatic(&count).await
    }
}

fn outcome_context(row: &IntentRow) -> SealContext<'_> {
    let connection = &row.connection;
    SealContext::item(&connection.tenant, &connection.connection, OUTCOME, row.intent.as_str())
}

fn payload_context(row: &IntentRow) -> SealContext<'_> {
    let connection = &row.connection;
    SealContext::item(&connection.tenant, &connection.connection, PAYLOAD, row.intent.as_str())
}
