//! The part of the contract that is about messages that could not be read.

use super::sync_store::{Pair, failed, ids, message};
use super::violation::{Case, Violation};
use crate::ids::MessageId;
use crate::sync::{FaultState, MessageFault, SyncCommit};

impl Pair<'_> {
    pub(super) async fn faults_in_pages(&self) -> Result<(), Violation> {
        let case = Case("faults_in_pages");
        let run = self.run(case).await?;
        let rows = [
            failed("d", 1, FaultState::Pending),
            failed("a", 3, FaultState::Quarantined),
            failed("b", 2, FaultState::Pending),
            failed("c", 1, FaultState::Pending),
        ];
        let step = SyncCommit {
            faults: rows.to_vec(),
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let [d, a, b, c] = rows;
        for (state, expected) in [(FaultState::Pending, vec![b, c, d]), (FaultState::Quarantined, vec![a])] {
            let mut found: Vec<MessageFault> = Vec::new();
            loop {
                let after = found.last().map(|last| last.message.id.clone());
                let page = case.ok(self.two.faults(&run.key, state, after.as_ref(), 2).await, "faults")?;
                case.check(page.len() <= 2, "a page is no longer than its limit")?;
                if page.is_empty() {
                    break;
                }
                found.extend(page);
                case.check(found.len() <= 4, "pages go on where the last one ended")?;
            }
            case.check(
                found == expected,
                "failures are listed whole, by their state, once each, in order of id",
            )?;
        }
        let counts = case.ok(self.two.fault_counts(&run.key).await, "fault_counts")?;
        case.check(
            counts == (3, 1),
            "pending and quarantined messages are counted, in this order",
        )
    }

    pub(super) async fn faults_are_replaced_and_cured(&self) -> Result<(), Violation> {
        let case = Case("faults_are_replaced_and_cured");
        let run = self.run(case).await?;
        for attempts in 1..=3 {
            let state = match attempts {
                3 => FaultState::Quarantined,
                _ => FaultState::Pending,
            };
            let step = SyncCommit {
                faults: vec![failed("a", attempts, state), failed("b", attempts, state)],
                ..SyncCommit::default()
            };
            case.ok(self.one.commit(&run, step).await, "commit")?;
            let known = self.known(case, &run.key, "a").await?;
            case.check(
                known.fault == Some(failed("a", attempts, state)),
                "a failure replaces what was known of the same message",
            )?;
        }
        let step = SyncCommit {
            cured: ids(&["a", "nobody"]),
            upserts: vec![message("a", &["INBOX"])],
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let [a, b] = self.two_known(case, &run.key, ["a", "b"]).await?;
        case.check(
            a.fault.is_none() && a.labels.is_some(),
            "the failures of a cured message are over",
        )?;
        case.check(b.fault.is_some(), "those of others are not")
    }

    pub(super) async fn requeue_moves_quarantined(&self) -> Result<(), Violation> {
        let case = Case("requeue_moves_quarantined");
        let run = self.run(case).await?;
        let step = SyncCommit {
            faults: vec![
                failed("a", 3, FaultState::Quarantined),
                failed("b", 4, FaultState::Quarantined),
                failed("c", 5, FaultState::Quarantined),
                failed("d", 1, FaultState::Pending),
            ],
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let key = &run.key;
        let requeue = |id: Option<&'static str>| async move {
            let id = id.map(MessageId::from);
            case.ok(self.two.requeue(key, id.as_ref()).await, "requeue")
        };
        case.check(requeue(Some("b")).await? == 1, "one quarantined message is moved")?;
        for unmoved in ["b", "d", "nobody"] {
            let moved = requeue(Some(unmoved)).await?;
            case.check(moved == 0, "what is not quarantined is not moved")?;
        }
        let [b, d] = self.two_known(case, &run.key, ["b", "d"]).await?;
        case.check(
            b.fault == Some(failed("b", 0, FaultState::Pending)),
            "it is pending again with no failures counted, and otherwise as it was",
        )?;
        case.check(
            d.fault == Some(failed("d", 1, FaultState::Pending)),
            "failures of a pending message stay counted",
        )?;
        case.check(requeue(None).await? == 2, "without an id all of them are moved")?;
        let counts = case.ok(self.one.fault_counts(&run.key).await, "fault_counts")?;
        case.check(counts == (4, 0), "then nothing is set aside")
    }
}
