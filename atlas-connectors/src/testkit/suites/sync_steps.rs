//! The part of the contract that is about steps: whole, or not at all.

use std::pin::pin;

use futures_util::future::{join, poll_immediate};

use super::sync_store::{LONG, MANY, Pair, at, failed, ids, labels, mailbox, message, reference, under, upserting};
use super::violation::{Case, Violation, yield_now};
use crate::ids::{Epoch, HolderId};
use crate::sync::{FaultState, KnownMessage, Relabel, SyncCommit, SyncLease, SyncState};

impl Pair<'_> {
    pub(super) async fn erase_empties(&self) -> Result<(), Violation> {
        let case = Case("erase_empties");
        let mailbox = mailbox();
        let run = case.ok(self.one.lease(&mailbox, &HolderId::random(), LONG).await, "lease")?;
        let step = SyncCommit {
            state: Some(at(4)),
            faults: vec![failed("f", 1, FaultState::Pending)],
            ..upserting(1, vec![message("a", &["INBOX"])])
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        case.ok(self.two.set_paused(&run.key, true).await, "set_paused")?;
        case.ok(self.two.raise_epoch(&run.key, Epoch::new(6)).await, "raise_epoch")?;
        case.ok(self.two.erase(&run.key).await, "erase")?;
        let [a, f] = self.two_known(case, &run.key, ["a", "f"]).await?;
        let counts = case.ok(self.one.fault_counts(&run.key).await, "fault_counts")?;
        let empty = a == KnownMessage::default() && f == KnownMessage::default() && counts == (0, 0);
        case.check(
            empty && self.state(case, &run.key).await? == SyncState::default(),
            "messages, failures and position are gone",
        )?;
        let old = self.one.lease(&mailbox, &HolderId::random(), LONG).await;
        case.refused(old, "cancelled", "a lease under an epoch from before the erasure")?;
        let newer = under(&mailbox, 6);
        let paused = self.one.lease(&newer, &HolderId::random(), LONG).await;
        case.refused(
            paused,
            "paused",
            "a lease of a mailbox that was paused before it was erased",
        )?;
        case.ok(self.two.set_paused(&run.key, false).await, "set_paused")?;
        let run = case.ok(self.one.lease(&newer, &HolderId::random(), LONG).await, "lease")?;
        case.ok(self.two.erase(&run.key).await, "erase")?;
        let late = self.one.commit(&run, upserting(1, vec![message("a", &[])])).await;
        case.refused(late, "storage.fenced", "a commit of a run from before the erasure")
    }

    pub(super) async fn a_refused_step_leaves_nothing(&self) -> Result<(), Violation> {
        let case = Case("a_refused_step_leaves_nothing");
        let run = self.run(case).await?;
        let step = SyncCommit {
            state: Some(at(1)),
            ..upserting(1, vec![message("a", &["INBOX"])])
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let late = || SyncCommit {
            state: Some(at(2)),
            generation: 2,
            announced: vec![reference("n")],
            upserts: vec![message("b", &[])],
            relabels: vec![Relabel {
                message: "a".into(),
                labels: labels(&["LATE"]),
            }],
            seen: ids(&["a"]),
            removals: Vec::new(),
            faults: vec![failed("f", 1, FaultState::Pending)],
            cured: Vec::new(),
        };
        let stranger = SyncLease {
            holder: HolderId::random(),
            ..run.clone()
        };
        let ahead = SyncLease {
            fence: run.fence.saturating_add(1),
            ..run.clone()
        };
        for wrong in [&stranger, &ahead] {
            let refused = self.two.commit(wrong, late()).await;
            case.refused(refused, "storage.fenced", "a commit under somebody else's lease")?;
        }
        case.ok(self.two.raise_epoch(&run.key, Epoch::new(2)).await, "raise_epoch")?;
        case.refused(
            self.one.commit(&run, late()).await,
            "cancelled",
            "a commit under an older epoch",
        )?;
        let [a, b] = self.two_known(case, &run.key, ["a", "b"]).await?;
        let [n, f] = self.two_known(case, &run.key, ["n", "f"]).await?;
        let untouched = a.labels == Some(labels(&["INBOX"])) && a.generation == 1;
        let nothing = [b, n, f].iter().all(|known| *known == KnownMessage::default());
        case.check(
            untouched && nothing && self.state(case, &run.key).await? == at(1),
            "nothing of a refused step was written",
        )
    }

    pub(super) async fn a_step_is_never_seen_in_part(&self) -> Result<(), Violation> {
        let case = Case("a_step_is_never_seen_in_part");
        let run = self.run(case).await?;
        let run = &run;
        let writer = async move {
            for number in 1..=20u64 {
                let rows = ["a", "b", "c"].map(|id| message(id, &[&format!("L{number}")]));
                let step = SyncCommit {
                    state: Some(at(number)),
                    ..upserting(number, rows.to_vec())
                };
                case.ok(self.one.commit(run, step).await, "commit")?;
                yield_now().await;
            }
            Ok(())
        };
        let reader = async move {
            for _ in 0..60 {
                // The position is read before and after: the rows lie between the two.
                let before = number_of(&case.ok(self.two.state(&run.key).await, "state")?);
                let known = self.two.known(&run.key, ids(&["a", "b", "c"])).await;
                let known = case.ok(known, "known")?;
                let after = number_of(&case.ok(self.two.state(&run.key).await, "state")?);
                let first = known.first().map_or(0, |known| known.generation);
                let alike = known.iter().all(|known| known.generation == first);
                case.check(alike, "the rows of one step appear together")?;
                case.check(
                    before <= first && first <= after,
                    "the position and the rows of one step appear together",
                )?;
                yield_now().await;
            }
            Ok(())
        };
        let (wrote, read) = join(writer, reader).await;
        wrote.and(read)
    }

    pub(super) async fn a_dropped_step_is_whole(&self) -> Result<(), Violation> {
        let case = Case("a_dropped_step_is_whole");
        let run = self.run(case).await?;
        {
            let step = SyncCommit {
                state: Some(at(1)),
                ..upserting(1, vec![message("a", &[]), message("b", &[])])
            };
            let mut commit = pin!(self.one.commit(&run, step));
            // Polled once and dropped: from now on it has happened, or it has not.
            let _ = poll_immediate(&mut commit).await;
        }
        // It may still land between two reads: what is read between two equal positions belongs to that position.
        for _ in 0..MANY {
            let before = case.ok(self.two.state(&run.key).await, "state")?;
            let known = case.ok(self.two.known(&run.key, ids(&["a", "b"])).await, "known")?;
            if case.ok(self.two.state(&run.key).await, "state")? != before {
                continue;
            }
            let done = before == at(1);
            let whole = known.iter().all(|known| known.labels.is_some() == done);
            case.check(whole, "a dropped step is done or not done: rows and position alike")?;
        }
        let next = upserting(2, vec![message("c", &[])]);
        case.ok(self.one.commit(&run, next).await, "the next commit")?;
        Ok(())
    }
}

fn number_of(state: &SyncState) -> u64 {
    state.generation
}
