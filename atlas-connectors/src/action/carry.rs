//! One attempt at one intent: claim, prepare, check, let out. What a crash or a dropped future leaves at each step is in
//! `security-reliability.md`, section 4; the names K0 to K12 here are from its table.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::action::approved::Claim;
use crate::action::desk::{Desk, Judgement, settle};
use crate::action::driver::{Driver, Opened, identity_in};
use crate::action::gate::why_cancelled;
use crate::action::{Decision, HandleState, Intent, IntentLease, IntentRow, IntentState, Standing, Verdict};
use crate::clock::Timestamp;
use crate::connection::Identity;
use crate::error::{Effect, Error, ErrorKind, NotApproved, Result, Retry, StorageFault};
use crate::ids::{HolderId, IntentId, TenantId};

/// One worker's attempt.
pub(super) struct Carrier<'a> {
    pub(super) desk: &'a Arc<Desk>,
    pub(super) holder: HolderId,
}

/// What may leave now: opened, approved, judged.
pub(super) struct Permit {
    pub(super) opened: Opened,
    pub(super) driver: Arc<dyn Driver>,
}

/// Why something may not leave.
pub(super) enum Refusal {
    /// Never: the intent ends.
    Final { reason: String, error: Error },
    /// Not now: the intent waits.
    Wait(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Wait(error)
    }
}

impl<'a> Carrier<'a> {
    pub(super) fn new(desk: &'a Arc<Desk>) -> Self {
        Self {
            desk,
            holder: HolderId::random(),
        }
    }

    /// Brings an intent as far as it goes now.
    pub(super) async fn drive(&self, tenant: &TenantId, intent: &IntentId) -> Result<Intent> {
        let row = self.desk.load(tenant, intent).await?;
        match self.step(row).await {
            Ok(row) => Ok(self.desk.intent(&row)),
            Err(error)
                if *error.kind() == ErrorKind::StorageFailed(StorageFault::Conflict)
                    && error.effect() == Effect::None =>
            {
                // Somebody else was faster: as it is now is the answer.
                Ok(self.desk.intent(&self.desk.load(tenant, intent).await?))
            }
            Err(error) => Err(error),
        }
    }

    async fn step(&self, mut row: IntentRow) -> Result<IntentRow> {
        if row.state == IntentState::Draft {
            row = self.desk.judge_draft(&row).await?;
        }
        if row.state == IntentState::Cancelled {
            let policy = row.reason.as_deref().and_then(|reason| reason.strip_prefix("policy:"));
            let error = match policy {
                Some(rule) => blocked(rule),
                None => why_cancelled(&row).at("outbox.dispatch"),
            };
            if row.sweep {
                return self.sweep(row).await;
            }
            return Err(error);
        }
        if row.state.is_settled() {
            return if row.sweep { self.sweep(row).await } else { Ok(row) };
        }
        let now = self.desk.now().await?;
        if row.state == IntentState::AwaitingApproval {
            if now >= row.expires {
                return self.desk.cancel(&row, "expired".to_owned(), now).await;
            }
            return Err(NotApproved::Missing.at("outbox.dispatch"));
        }
        let held = row.lease.as_ref().is_some_and(|lease| lease.until > now);
        if held || row.available > now {
            return Ok(row);
        }
        if row.state == IntentState::Sending {
            self.look_up(row, now).await
        } else {
            self.carry_out(row, now).await
        }
    }

    /// From an approved intent to the wire.
    async fn carry_out(&self, row: IntentRow, now: Timestamp) -> Result<IntentRow> {
        let permit = match self.authorize(&row, now).await {
            Ok(permit) => permit,
            Err(refusal) => return self.refuse(row, refusal, now).await,
        };
        crash_point!(BeforeClaim);
        let mut row = self.claim(row, now).await?;
        crash_point!(Claimed);
        let mut opened = permit.opened;
        if row.generation != self.desk.store.generation().await? {
            // The store was restored from a backup: it may have been sent in what the backup does not know.
            match self.look_back(row, &permit.driver, &opened).await? {
                Looked::DidNotHappen(looked) => row = looked,
                Looked::Ended(ended) => return Ok(ended),
            }
        }
        if row.handle.is_none() {
            let prepared = self.in_time(permit.driver.prepare(opened.clone())).await;
            crash_point!(PrepareReturned);
            let handle = match prepared {
                Ok(handle) => handle,
                // No effect that counts, even if its answer was lost: what it made is found again, or swept (K5). So the kind alone
                // says whether another attempt can help, and not that the provider's call was one of those never repeated.
                Err(error) => {
                    let retry = error.kind().retry();
                    return self.failed_before(row, error.with_retry(retry)).await;
                }
            };
            if let Some(handle) = handle {
                row = self.keep_handle(row, handle).await?;
                crash_point!(HandleStored);
                opened.handle.clone_from(&row.handle);
            }
        }
        self.let_out(row).await
    }

    /// The last steps before the wire: the handle still holds what was approved, the approval still holds, and the row is
    /// still ours. Then the one request.
    pub(super) async fn let_out(&self, row: IntentRow) -> Result<IntentRow> {
        let now = self.desk.now().await?;
        let permit = match self.authorize(&row, now).await {
            Ok(permit) => permit,
            Err(refusal) => return self.refuse(row, refusal, now).await,
        };
        match self.in_time(permit.driver.check_handle(permit.opened.clone())).await {
            Ok(HandleState::AsApproved) => {}
            Ok(HandleState::Changed) => return self.changed(row).await,
            Ok(HandleState::Gone) => return self.gone(row, &permit).await,
            // A look-up has just said that nothing happened, and now the record is another: it may be our own late request.
            Err(error)
                if row.state == IntentState::Sending
                    && matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound { .. }) =>
            {
                let now = self.desk.now().await?;
                return self.cannot_tell(row, now).await;
            }
            Err(error) => return self.failed_before(row, error).await,
        }
        crash_point!(HandleChecked);
        // Reading the handle back took time: ask again, right before the wire.
        let now = self.desk.now().await?;
        let permit = match self.authorize(&row, now).await {
            Ok(permit) => permit,
            Err(refusal) => return self.refuse(row, refusal, now).await,
        };
        let mut sending = row.clone();
        sending.state = IntentState::Sending;
        sending.updated = now;
        sending.lease = Some(self.lease(now));
        let audit = [self.desk.event(&row, "sending", now)];
        // The compare-and-set is the check of our lease: whoever took the row over has raised its version.
        let row = self.desk.update(&row, sending, &audit).await?;
        crash_point!(SendingStored);
        let result = self.in_time(permit.driver.commit(permit.opened)).await;
        crash_point!(CommitReturned);
        self.conclude(row, &permit.driver, result).await
    }

    /// Everything that has to hold for an effect: approval, epoch, account, content, policy.
    pub(super) async fn authorize(&self, row: &IntentRow, now: Timestamp) -> Result<Permit, Refusal> {
        let desk = self.desk;
        let payload = desk.open(row).map_err(final_if_not_approved)?;
        let identity = identity_in(&payload)?;
        let record = desk.verify(row, now).map_err(final_if_not_approved)?;
        let standing = self.standing(row, &identity).await?;
        let standing = standing.ok_or_else(|| Refusal::Final {
            reason: "superseded".to_owned(),
            error: Error::new(ErrorKind::Cancelled, "outbox.authorize"),
        })?;
        let driver = standing.effectors.driver(&row.kind);
        let driver = driver.ok_or_else(|| Error::new(ErrorKind::Paused { why: "no_effector" }, "outbox.authorize"))?;
        match desk.judge(row, &payload, &identity, true, now).await? {
            Judgement::Verdict(Verdict::Allow { .. }) => {}
            Judgement::Verdict(Verdict::Hold { .. }) if record.decision == Decision::Approved => {}
            Judgement::Verdict(Verdict::Hold { rule } | Verdict::Deny { rule }) => {
                return Err(Refusal::Final {
                    reason: format!("policy:{rule}"),
                    error: blocked(&rule),
                });
            }
            Judgement::Failed(rule) => return Err(Refusal::Wait(blocked(rule))),
        }
        let claim = Claim {
            intent: row.intent.clone(),
            connection: row.connection.clone(),
            identity,
            digest: row.digest,
            approver: record.approver,
            expires: record.expires,
        };
        Ok(Permit {
            opened: Opened {
                claim,
                payload: Arc::new(payload),
                handle: row.handle.clone(),
            },
            driver,
        })
    }

    /// The connection as it is now, if it is still the one that was approved; `None` otherwise.
    async fn standing(&self, row: &IntentRow, identity: &Identity) -> Result<Option<Standing>> {
        let bound = &row.connection;
        let standing = self.desk.connectors.standing(&bound.tenant, &bound.connection).await?;
        Ok(standing.filter(|now| now.connection.epoch == bound.epoch && now.identity.is_same_account(identity)))
    }

    /// Takes the row and consumes its approval, in one transaction.
    async fn claim(&self, row: IntentRow, now: Timestamp) -> Result<IntentRow> {
        let mut claimed = row.clone();
        if row.state == IntentState::Ready {
            claimed.state = IntentState::Claimed;
        }
        claimed.attempts = row.attempts.saturating_add(1);
        claimed.lease = Some(self.lease(now));
        claimed.updated = now;
        let audit = [self.desk.event(&row, "claimed", now)];
        let nonce = row.approval.as_ref().map(|record| record.nonce.clone());
        self.desk.update_spending(&row, claimed, nonce.as_ref(), &audit).await
    }

    async fn keep_handle(&self, row: IntentRow, handle: String) -> Result<IntentRow> {
        let now = self.desk.now().await?;
        let mut kept = row.clone();
        kept.state = IntentState::Handle;
        kept.handle = Some(handle);
        kept.updated = now;
        kept.lease = Some(self.lease(now));
        let audit = [self.desk.event(&row, "prepared", now)];
        self.desk.update(&row, kept, &audit).await
    }

    /// What may not leave: ended for good, or to be tried later.
    pub(super) async fn refuse(&self, row: IntentRow, refusal: Refusal, now: Timestamp) -> Result<IntentRow> {
        match refusal {
            Refusal::Final { reason, error } => {
                // Only a look-up leads here from `Sending`, and it has shown that nothing was sent.
                let state = match row.state {
                    IntentState::Sending => IntentState::NotSent,
                    _ => IntentState::Cancelled,
                };
                let audit = [self.desk.event(&row, "refused", now).with_detail(reason.clone())];
                let mut after = row.clone();
                settle(&mut after, state, Some(reason), now);
                after.sweep = row.attempts > 0;
                self.desk.update(&row, after, &audit).await?;
                Err(error)
            }
            Refusal::Wait(error) => {
                let mut after = row.clone();
                after.lease = None;
                after.updated = now;
                after.available = now.after(self.pause(row.attempts));
                after.reason = Some(error.code().to_owned());
                self.desk.update(&row, after, &[]).await?;
                Err(error)
            }
        }
    }

    /// A step failed of which it is certain that nothing was sent: another attempt, or the end.
    pub(super) async fn failed_before(&self, row: IntentRow, error: Error) -> Result<IntentRow> {
        let now = self.desk.now().await?;
        let mut after = row.clone();
        after.reason = Some(error.code().to_owned());
        after.lease = None;
        after.updated = now;
        let refused_account = matches!(error.kind(), ErrorKind::OAuth(_) | ErrorKind::PermissionDenied { .. })
            || matches!(error.status(), Some(401 | 403));
        let passing = match error.retry() {
            Retry::Backoff => Some(now.after(self.pause(row.attempts))),
            Retry::At(at) => Some(at.max(now)),
            Retry::Never => match error.kind() {
                // The connection is about to change; the next attempt sees how.
                ErrorKind::Cancelled
                | ErrorKind::Paused { .. }
                | ErrorKind::StorageFailed(_)
                | ErrorKind::DeadlineExceeded => Some(now.after(self.pause(row.attempts))),
                _ => None,
            },
        };
        if refused_account && passing.is_none() {
            // Refused before acting: ready once more, in case the token was just being renewed; then it is meant.
            after.refusals = row.refusals.saturating_add(1);
        }
        let again =
            passing.or_else(|| (refused_account && after.refusals == 1).then(|| now.after(self.desk.settings.backoff)));
        let event = match again {
            Some(at) => {
                after.state = IntentState::Ready;
                after.available = at;
                self.desk.event(&row, "postponed", now)
            }
            None => {
                settle(&mut after, IntentState::NotSent, Some(error.code().to_owned()), now);
                after.outcome = self.desk.keep_rejection(&row, &error);
                after.sweep = row.attempts > 0;
                self.desk.event(&row, "not_sent", now)
            }
        };
        self.desk.update(&row, after, &[event.with_detail(error.code())]).await
    }

    /// What the one request came to.
    async fn conclude(&self, row: IntentRow, driver: &Arc<dyn Driver>, result: Result<String>) -> Result<IntentRow> {
        match result {
            Ok(outcome) => self.sent(row, Some(outcome)).await,
            Err(error) => match error.effect() {
                Effect::Happened => self.sent(row, None).await,
                Effect::None => self.failed_before(row, error).await,
                Effect::Unknown => self.unclear(row, driver, &error).await,
            },
        }
    }

    /// It happened; stored as such whoever has touched the row meanwhile, because we know it at first hand.
    pub(super) async fn sent(&self, mut row: IntentRow, outcome: Option<String>) -> Result<IntentRow> {
        loop {
            let now = self.desk.now().await.map_err(happened)?;
            let mut after = row.clone();
            settle(&mut after, IntentState::Sent, None, now);
            after.outcome = match &outcome {
                Some(outcome) => Some(self.desk.keep_outcome(&row, outcome.clone()).map_err(happened)?),
                None => None,
            };
            // A second draft may have been made if the first attempt ended between making and storing it.
            after.sweep = row.attempts > 1;
            let audit = [self.desk.event(&row, "sent", now)];
            match self.desk.update(&row, after, &audit).await {
                Ok(stored) => {
                    crash_point!(ResultStored);
                    return Ok(stored);
                }
                Err(error) if *error.kind() == ErrorKind::StorageFailed(StorageFault::Conflict) => {
                    let (tenant, intent) = (&row.connection.tenant, &row.intent);
                    let present = self.desk.load(tenant, intent).await.map_err(happened)?;
                    if !present.state.may_become(IntentState::Sent) || present.state == IntentState::Sent {
                        return Ok(present);
                    }
                    row = present;
                }
                Err(error) => return Err(happened(error)),
            }
        }
    }

    /// The request left and no clear answer came.
    async fn unclear(&self, row: IntentRow, driver: &Arc<dyn Driver>, error: &Error) -> Result<IntentRow> {
        let now = self.desk.now().await.map_err(unknown)?;
        let mut after = row.clone();
        after.updated = now;
        after.lease = None;
        let event = if driver.can_reconcile() {
            after.reason = Some(error.code().to_owned());
            after.available = now.after(self.desk.settings.quiet_period);
            self.desk.event(&row, "unclear", now)
        } else {
            settle(&mut after, IntentState::Uncertain, Some(error.code().to_owned()), now);
            self.desk.event(&row, "uncertain", now)
        };
        self.desk
            .update(&row, after, &[event.with_detail(error.code())])
            .await
            .map_err(unknown)
    }

    /// Somebody has edited the draft: it is theirs now, and not what was approved. It is neither sent nor removed.
    async fn changed(&self, row: IntentRow) -> Result<IntentRow> {
        let error = NotApproved::Digest.at("outbox.check_handle");
        let now = self.desk.now().await?;
        let mut after = row.clone();
        settle(&mut after, IntentState::NotSent, Some(error.code().to_owned()), now);
        let audit = [self.desk.event(&row, "not_sent", now).with_detail("draft_changed")];
        self.desk.update(&row, after, &audit).await?;
        Err(error)
    }

    pub(super) fn lease(&self, now: Timestamp) -> IntentLease {
        IntentLease {
            holder: self.holder.clone(),
            until: now.after(self.desk.settings.lease),
        }
    }

    /// Doubled with each attempt, up to an hour.
    pub(super) fn pause(&self, attempts: u32) -> std::time::Duration {
        const MOST: std::time::Duration = std::time::Duration::from_secs(3600);
        let factor = 2_u32.saturating_pow(attempts.min(20));
        self.desk.settings.backoff.saturating_mul(factor).min(MOST)
    }

    /// A step at the provider within its time. A step that takes too long or panics means that nobody knows.
    pub(super) async fn in_time<T>(&self, step: impl Future<Output = Result<T>>) -> Result<T> {
        let limit = self.desk.settings.step_timeout;
        let step = AssertUnwindSafe(step).catch_unwind();
        match self.desk.within(limit, step).await {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(unknown(Error::new(ErrorKind::Transient, "outbox.step"))),
            None => Err(unknown(Error::new(ErrorKind::DeadlineExceeded, "outbox.step"))),
        }
    }
}

/// What a look-up before a first send found.
pub(super) enum Looked {
    DidNotHappen(IntentRow),
    Ended(IntentRow),
}

fn blocked(rule: &str) -> Error {
    Error::new(ErrorKind::PolicyBlocked { rule: rule.to_owned() }, "outbox.authorize")
}

/// An approval that does not hold ends the intent; a store that fails does not.
fn final_if_not_approved(error: Error) -> Refusal {
    match error.kind() {
        ErrorKind::NotApproved(fault) => Refusal::Final {
            reason: match fault {
                NotApproved::Expired => "expired".to_owned(),
                NotApproved::Context => "superseded".to_owned(),
                _ => error.code().to_owned(),
            },
            error,
        },
        _ => Refusal::Wait(error),
    }
}

fn happened(error: Error) -> Error {
    error.with_effect(Effect::Happened)
}

fn unknown(error: Error) -> Error {
    error.with_effect(Effect::Unknown)
}
