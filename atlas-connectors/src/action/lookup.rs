//! After an interruption: finding out whether an effect happened, before anything is repeated.

use std::sync::Arc;

use crate::action::approved::Claim;
use crate::action::carry::{Carrier, Looked, Permit};
use crate::action::desk::settle;
use crate::action::driver::{Driver, Opened, identity_in};
use crate::action::{IntentRow, IntentState, Reconciled};
use crate::clock::Timestamp;
use crate::error::{Result, Retry};
use crate::ids::ActorId;

/// How often leftovers are tried to be removed.
const SWEEPS: u32 = 5;

impl Carrier<'_> {
    /// K8 to K10: the request may have left. Looked up under the account as it is connected now, also after a reconnect.
    pub(super) async fn look_up(&self, row: IntentRow, now: Timestamp) -> Result<IntentRow> {
        let payload = self.desk.open(&row)?;
        let identity = identity_in(&payload)?;
        let bound = &row.connection;
        let standing = self.desk.connectors.standing(&bound.tenant, &bound.connection).await?;
        let Some(standing) = standing.filter(|standing| standing.identity.is_same_account(&identity)) else {
            return self.uncertain(row, "disconnected", now).await;
        };
        let Some(driver) = standing.effectors.driver(&row.kind) else {
            return self.wait(row, now).await;
        };
        if !driver.can_reconcile() {
            return self.uncertain(row, "no_lookup", now).await;
        }
        let superseded = standing.connection.epoch != row.connection.epoch;
        let mut held = row.clone();
        held.lease = Some(self.lease(now));
        held.updated = now;
        let row = self.desk.update(&row, held, &[]).await?;
        crash_point!(LookupBegun);
        let opened = self.opened(&row, payload, now)?;
        let found = self.in_time(driver.reconcile(opened)).await;
        crash_point!(LookupReturned);
        let now = self.desk.now().await?;
        match found {
            Ok(Reconciled::Happened(outcome)) => self.sent(row, Some(outcome)).await,
            Ok(Reconciled::DidNotHappen) if superseded => {
                let mut after = row.clone();
                settle(&mut after, IntentState::NotSent, Some("superseded".to_owned()), now);
                after.sweep = true;
                let audit = [self.desk.event(&row, "not_sent", now).with_detail("superseded")];
                self.desk.update(&row, after, &audit).await
            }
            // The same handle again, never a new one: the provider uses it up once. Everything is checked anew.
            Ok(Reconciled::DidNotHappen) => self.let_out(row).await,
            Ok(Reconciled::Unknown) => self.cannot_tell(row, now).await,
            Err(error) if error.retry() == Retry::Never => self.cannot_tell(row, now).await,
            Err(_) => self.wait(row, now).await,
        }
    }

    /// An intent of a store that was restored from a backup: it may have been sent already.
    pub(super) async fn look_back(&self, row: IntentRow, driver: &Arc<dyn Driver>, opened: &Opened) -> Result<Looked> {
        let now = self.desk.now().await?;
        if !driver.can_reconcile() {
            return self.uncertain(row, "restored", now).await.map(Looked::Ended);
        }
        let found = self.in_time(driver.reconcile(opened.clone())).await;
        let now = self.desk.now().await?;
        match found {
            Ok(Reconciled::Happened(outcome)) => self.sent(row, Some(outcome)).await.map(Looked::Ended),
            Ok(Reconciled::DidNotHappen) => {
                let mut after = row.clone();
                after.generation = self.desk.store.generation().await?;
                after.updated = now;
                self.desk.update(&row, after, &[]).await.map(Looked::DidNotHappen)
            }
            Ok(Reconciled::Unknown) => self.uncertain(row, "restored", now).await.map(Looked::Ended),
            Err(error) if error.retry() == Retry::Never => {
                self.uncertain(row, "restored", now).await.map(Looked::Ended)
            }
            Err(_) => self.wait(row, now).await.map(Looked::Ended),
        }
    }

    /// The handle is gone before our send: somebody sent it or threw it away.
    pub(super) async fn gone(&self, row: IntentRow, permit: &Permit) -> Result<IntentRow> {
        let found = match permit.driver.can_reconcile() {
            true => self.in_time(permit.driver.reconcile(permit.opened.clone())).await,
            false => Ok(Reconciled::Unknown),
        };
        let now = self.desk.now().await?;
        match found {
            Ok(Reconciled::Happened(outcome)) => self.sent(row, Some(outcome)).await,
            Err(error) if error.retry() != Retry::Never => self.wait(row, now).await,
            _ => self.uncertain(row, "handle_gone", now).await,
        }
    }

    /// Removes what an ended intent left behind. Best effort: what is left is a draft, and harms nobody.
    pub(super) async fn sweep(&self, row: IntentRow) -> Result<IntentRow> {
        let now = self.desk.now().await?;
        if row.available > now {
            return Ok(row);
        }
        let swept = self.swept(&row, now).await;
        crash_point!(Swept);
        let mut after = row.clone();
        after.attempts = row.attempts.saturating_add(1);
        after.available = now.after(self.pause(row.attempts));
        after.sweep = swept.is_err() && row.lookups.saturating_add(1) < SWEEPS;
        after.lookups = row.lookups.saturating_add(1);
        self.desk.update(&row, after, &[]).await
    }

    async fn swept(&self, row: &IntentRow, now: Timestamp) -> Result<()> {
        let payload = self.desk.open(row)?;
        let identity = identity_in(&payload)?;
        let bound = &row.connection;
        let standing = self.desk.connectors.standing(&bound.tenant, &bound.connection).await?;
        let standing = standing.filter(|standing| standing.identity.is_same_account(&identity));
        let Some(driver) = standing.and_then(|standing| standing.effectors.driver(&row.kind)) else {
            return Ok(());
        };
        let opened = self.opened(row, payload, now)?;
        self.in_time(driver.sweep(opened)).await
    }

    /// What a look-up and a sweep are called with. It allows nothing that sends: [`Carrier::let_out`] asks for a permit of its own.
    fn opened(&self, row: &IntentRow, payload: Vec<u8>, now: Timestamp) -> Result<Opened> {
        let approver = row.approval.as_ref().map(|record| record.approver.clone());
        Ok(Opened {
            claim: Claim {
                intent: row.intent.clone(),
                connection: row.connection.clone(),
                identity: identity_in(&payload)?,
                digest: row.digest,
                approver: approver.unwrap_or_else(|| ActorId::new("atlas")),
                expires: now,
            },
            payload: Arc::new(payload),
            handle: row.handle.clone(),
        })
    }

    /// Nobody can tell yet: looked up again after a longer pause, and given to a person in the end.
    pub(super) async fn cannot_tell(&self, row: IntentRow, now: Timestamp) -> Result<IntentRow> {
        let lookups = row.lookups.saturating_add(1);
        if lookups >= self.desk.settings.lookups {
            return self.uncertain(row, "not_found", now).await;
        }
        // The provider's search may lag behind what it has accepted.
        let mut after = row.clone();
        after.lookups = lookups;
        after.lease = None;
        after.updated = now;
        after.available = now.after(
            self.desk
                .settings
                .quiet_period
                .saturating_mul(lookups.saturating_add(1)),
        );
        self.desk.update(&row, after, &[]).await
    }

    async fn uncertain(&self, row: IntentRow, why: &'static str, now: Timestamp) -> Result<IntentRow> {
        let mut after = row.clone();
        settle(&mut after, IntentState::Uncertain, Some(why.to_owned()), now);
        let audit = [self.desk.event(&row, "uncertain", now).with_detail(why)];
        self.desk.update(&row, after, &audit).await
    }

    async fn wait(&self, row: IntentRow, now: Timestamp) -> Result<IntentRow> {
        let mut after = row.clone();
        after.attempts = row.attempts.saturating_add(1);
        after.lease = None;
        after.updated = now;
        after.available = now.after(self.pause(row.attempts));
        self.desk.update(&row, after, &[]).await
    }
}
