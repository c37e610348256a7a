//! The part of the contract that is about leases, epochs and pauses.

use futures_util::future::join_all;

use super::sync_store::{LONG, MANY, Pair, TTL, at, mailbox, message, under, upserting};
use super::violation::{Case, Violation};
use crate::ids::{Epoch, HolderId};
use crate::sync::{MailboxKey, SyncCommit};

impl Pair<'_> {
    pub(super) async fn lease_excludes(&self) -> Result<(), Violation> {
        let case = Case("lease_excludes");
        let (mailbox, holder) = (mailbox(), HolderId::random());
        let run = case.ok(self.one.lease(&mailbox, &holder, LONG).await, "lease")?;
        let names = run.key == MailboxKey::from(&mailbox) && run.epoch == mailbox.epoch && run.holder == holder;
        case.check(names, "the lease names its mailbox, epoch and holder")?;
        let other = self.two.lease(&mailbox, &HolderId::random(), LONG).await;
        case.refused(other, "storage.locked", "a lease that somebody else holds")?;
        case.ok(
            self.two.commit(&run, upserting(1, vec![message("a", &[])])).await,
            "a commit of the holder through another handle",
        )?;
        Ok(())
    }

    pub(super) async fn lease_ends(&self) -> Result<(), Violation> {
        let case = Case("lease_ends");
        let mailbox = mailbox();
        let old = case.ok(self.one.lease(&mailbox, &HolderId::random(), TTL).await, "lease")?;
        self.pace.pass(TTL * 2).await;
        let new = self.two.lease(&mailbox, &HolderId::random(), LONG).await;
        let new = case.ok(new, "a lease whose holder's time is over")?;
        case.check(new.fence > old.fence, "the fence rises with each lease")?;
        let late = self.one.commit(&old, upserting(1, vec![message("a", &[])])).await;
        case.refused(late, "storage.fenced", "a commit of the holder that lost its lease")?;
        case.refused(
            self.one.renew(&old, LONG).await,
            "storage.fenced",
            "renewing a lost lease",
        )?;
        case.ok(self.one.release(&old).await, "releasing a lost lease")?;
        let third = self.one.lease(&mailbox, &HolderId::random(), LONG).await;
        case.refused(
            third,
            "storage.locked",
            "a lease after somebody released one that was lost",
        )?;
        case.ok(
            self.two.commit(&new, upserting(1, vec![message("a", &[])])).await,
            "a commit under the newest lease",
        )?;
        Ok(())
    }

    pub(super) async fn renewal_prolongs(&self) -> Result<(), Violation> {
        let case = Case("renewal_prolongs");
        let mailbox = mailbox();
        let run = case.ok(self.one.lease(&mailbox, &HolderId::random(), TTL).await, "lease")?;
        case.ok(self.two.renew(&run, LONG).await, "renew")?;
        self.pace.pass(TTL * 2).await;
        let other = self.two.lease(&mailbox, &HolderId::random(), LONG).await;
        case.refused(other, "storage.locked", "a lease that was renewed")?;
        // From now, not from the end of the old time.
        case.ok(self.one.renew(&run, TTL).await, "renew")?;
        self.pace.pass(TTL * 2).await;
        case.ok(
            self.two.lease(&mailbox, &HolderId::random(), LONG).await,
            "a lease whose renewed time is over",
        )?;
        Ok(())
    }

    pub(super) async fn release_frees(&self) -> Result<(), Violation> {
        let case = Case("release_frees");
        let mailbox = mailbox();
        let mut last = None;
        for _ in 0..3 {
            let run = self.one.lease(&mailbox, &HolderId::random(), LONG).await;
            let run = case.ok(run, "a lease that was given back")?;
            case.check(Some(run.fence) > last, "the fence rises after a release too")?;
            last = Some(run.fence);
            case.ok(self.two.release(&run).await, "release")?;
            let late = self.one.commit(&run, upserting(1, Vec::new())).await;
            case.refused(late, "storage.fenced", "a commit under a lease that was given back")?;
            case.ok(self.one.release(&run).await, "releasing it again")?;
        }
        Ok(())
    }

    pub(super) async fn lease_of_many(&self) -> Result<(), Violation> {
        let case = Case("lease_of_many");
        let mailbox = mailbox();
        let holders: Vec<HolderId> = (0..MANY).map(|_| HolderId::random()).collect();
        let tries = holders.iter().enumerate().map(|(number, holder)| {
            let store = if number.is_multiple_of(2) { self.one } else { self.two };
            store.lease(&mailbox, holder, LONG)
        });
        let mut held = 0;
        for outcome in join_all(tries).await {
            match outcome {
                Ok(_) => held += 1,
                refused => case.refused(refused, "storage.locked", "a lease that came second")?,
            }
        }
        case.check(held == 1, "exactly one of many gets the lease")
    }

    pub(super) async fn own_lease_is_taken_anew(&self) -> Result<(), Violation> {
        let case = Case("own_lease_is_taken_anew");
        let (mailbox, holder) = (mailbox(), HolderId::random());
        let dropped = case.ok(self.one.lease(&mailbox, &holder, LONG).await, "lease")?;
        let again = self.two.lease(&mailbox, &holder, LONG).await;
        let again = case.ok(again, "the same holder's lease")?;
        case.check(
            again.fence > dropped.fence,
            "the holder takes its own lease anew, with a higher fence",
        )?;
        let late = self.one.commit(&dropped, upserting(1, Vec::new())).await;
        case.refused(late, "storage.fenced", "a commit of the dropped run")?;
        case.ok(self.one.commit(&again, upserting(1, Vec::new())).await, "commit")?;
        Ok(())
    }

    pub(super) async fn older_epochs_are_refused(&self) -> Result<(), Violation> {
        let case = Case("older_epochs_are_refused");
        let mailbox = mailbox();
        let holder = HolderId::random();
        let old = case.ok(self.one.lease(&under(&mailbox, 3), &holder, LONG).await, "lease")?;
        let late = self.two.lease(&under(&mailbox, 2), &holder, LONG).await;
        case.refused(late, "cancelled", "a lease under an older epoch")?;
        // A reconnect does not wait for the run of the epoch before.
        let newer = self.two.lease(&under(&mailbox, 4), &HolderId::random(), LONG).await;
        let newer = case.ok(newer, "a lease under a newer epoch than that of its holder")?;
        case.check(newer.fence > old.fence, "the fence rises over epochs")?;
        let late = self.one.commit(&old, upserting(1, vec![message("a", &[])])).await;
        case.refused(late, "cancelled", "a commit under the epoch before")?;
        case.refused(
            self.one.renew(&old, LONG).await,
            "cancelled",
            "renewing under the epoch before",
        )?;
        let late = self.one.lease(&under(&mailbox, 3), &holder, LONG).await;
        case.refused(
            late,
            "cancelled",
            "a lease under the epoch before: taking one raises it",
        )?;
        case.ok(self.one.commit(&newer, upserting(1, Vec::new())).await, "commit")?;
        Ok(())
    }

    pub(super) async fn raised_epochs_end_runs(&self) -> Result<(), Violation> {
        let case = Case("raised_epochs_end_runs");
        let mailbox = mailbox();
        let key = MailboxKey::from(&mailbox);
        let run = case.ok(self.one.lease(&mailbox, &HolderId::random(), LONG).await, "lease")?;
        for same in [Epoch::new(0), mailbox.epoch] {
            case.ok(self.two.raise_epoch(&key, same).await, "raise_epoch")?;
            let step = SyncCommit {
                state: Some(at(1)),
                ..SyncCommit::default()
            };
            case.ok(
                self.one.commit(&run, step).await,
                "a commit after an epoch was raised that is not newer",
            )?;
        }
        let next = under(&mailbox, mailbox.epoch.next().get());
        case.ok(self.two.raise_epoch(&key, next.epoch).await, "raise_epoch")?;
        let late = self.one.commit(&run, upserting(1, Vec::new())).await;
        case.refused(late, "cancelled", "a commit of a run under the older epoch")?;
        case.refused(
            self.one.renew(&run, LONG).await,
            "cancelled",
            "renewing under the older epoch",
        )?;
        case.ok(
            self.two.lease(&next, &HolderId::random(), LONG).await,
            "a lease under the raised epoch, while one of the older epoch was held",
        )?;
        Ok(())
    }

    pub(super) async fn paused_for_everybody(&self) -> Result<(), Violation> {
        let case = Case("paused_for_everybody");
        let (mailbox, holder) = (mailbox(), HolderId::random());
        let key = MailboxKey::from(&mailbox);
        let run = case.ok(self.one.lease(&mailbox, &holder, LONG).await, "lease")?;
        case.ok(self.two.set_paused(&key, true).await, "set_paused")?;
        case.refused(
            self.one.renew(&run, LONG).await,
            "paused",
            "renewing the lease of a paused mailbox",
        )?;
        // What was read before is kept: only the next renewal stops the run.
        case.ok(
            self.one.commit(&run, upserting(1, Vec::new())).await,
            "a commit of a run under way when the mailbox was paused",
        )?;
        case.ok(self.one.release(&run).await, "release")?;
        let paused = self.one.lease(&mailbox, &holder, LONG).await;
        case.refused(paused, "paused", "a lease of a paused mailbox")?;
        case.ok(self.one.set_paused(&key, false).await, "set_paused")?;
        case.ok(
            self.two.lease(&mailbox, &holder, LONG).await,
            "a lease of a mailbox that was resumed",
        )?;
        Ok(())
    }
}
