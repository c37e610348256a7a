//! Ends the work on a write at every named point and at every await: never two effects, never a lost one.

use std::time::Duration;

use super::records::{Records, new_order};
use crate::action::*;
use crate::erp::{RecordKey, Value, Write};
use crate::testkit::erp::story::{ORDERS, days};
use crate::testkit::{CrashPoint, DropAt, ErpFault, RecordStates};

/// What is written, and how it is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    /// By what the connector marks it with.
    CreateMarked,
    /// By its natural key alone.
    CreateByKey,
    /// By ETag and fields.
    UpdateByEtag,
    /// By old and new values alone.
    UpdateByValues,
}

const JOBS: [Job; 4] = [
    Job::CreateMarked,
    Job::CreateByKey,
    Job::UpdateByEtag,
    Job::UpdateByValues,
];

struct Work {
    world: Records,
    write: Write,
    order: Option<RecordKey>,
}

impl Work {
    fn new(job: Job, fault: Option<&ErpFault>) -> Self {
        let states = match job {
            Job::UpdateByValues => RecordStates::Neither,
            _ => RecordStates::Etags,
        };
        let world = Records::able(states, |can| can.finds_creates = job != Job::CreateByKey);
        if let Some(fault) = fault {
            world.erp.fail_write(fault.clone());
        }
        let order = matches!(job, Job::UpdateByEtag | Job::UpdateByValues).then(|| world.order());
        let write = match &order {
            Some(key) => world.postponed(key),
            None => {
                let mut create = new_order("AT-1");
                if job == Job::CreateMarked {
                    create.natural_key = None;
                }
                create.into()
            }
        };
        Self { world, write, order }
    }

    /// What the host does with one job, from start to end; after a crash it does all of it again under the same key.
    async fn run(&self, outbox: &Outbox) {
        let gate = outbox.gate();
        let proposal = self.world.proposal("job-1");
        let outcome = gate.propose(proposal, self.write.clone()).await.unwrap();
        if let Outcome::Held { intent, review } = &outcome {
            gate.approve(self.world.tenant(), intent, &"mia".into(), &review.digest)
                .await
                .unwrap();
        }
        outbox.drain().await.unwrap();
        for ended in outbox.events(10).await.unwrap() {
            outbox.acknowledge(self.world.tenant(), &ended).await.unwrap();
        }
        self.world.clock.advance(Duration::from_secs(61));
        outbox.drain().await.unwrap();
    }

    /// After the crash: the host repeats the job, workers run for an hour, and then it is counted.
    async fn aftermath(&self, what: &str) {
        let world = &self.world;
        let outbox = world.process();
        outbox.recover(None).await.unwrap();
        self.run(&outbox).await;
        let outbox = world.settle().await;
        let rows = outbox.list(world.tenant(), &[], None, 10).await.unwrap();
        assert_eq!(rows.len(), 1, "{what}: one job is one intent");
        assert_eq!(
            (rows[0].state, world.erp.effects()),
            (IntentState::Sent, 1),
            "{what}: {:?}",
            rows[0]
        );
        let written = rows[0].outcome_of::<Write>().unwrap();
        match &self.order {
            Some(key) => assert_eq!(world.day(key), Some(Value::Date(days()[1])), "{what}"),
            None => assert_eq!(world.erp.records(ORDERS), 1, "{what}"),
        }
        assert!(written.key.is_some(), "{what}: the record is known");
        world.store.verify(None).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_crash_at_any_named_point_gives_exactly_one_effect() {
    let mut reached = Vec::new();
    for job in JOBS {
        for fault in [None, Some(ErpFault::LostBefore), Some(ErpFault::LostAfter)] {
            for point in CrashPoint::ALL {
                for nth in 1..=2 {
                    let what = format!("{job:?}, {fault:?}, {} for the {nth}. time", point.as_str());
                    let work = Work::new(job, fault.as_ref());
                    let first = work.world.process();
                    let ended = point
                        .run_until(nth, async {
                            first.recover(None).await.unwrap();
                            work.run(&first).await;
                        })
                        .await;
                    if ended.is_none() {
                        reached.push(*point);
                    }
                    work.aftermath(&what).await;
                }
            }
        }
    }
    for point in CrashPoint::ALL {
        let passed = reached.contains(point);
        // A write leaves nothing behind that would have to be swept, unless it was taken up twice.
        assert!(
            passed || *point == CrashPoint::Swept,
            "{} is never passed",
            point.as_str()
        );
    }
}

#[tokio::test]
async fn a_future_dropped_at_any_await_gives_exactly_one_effect() {
    for job in JOBS {
        for fault in [None, Some(ErpFault::LostAfter)] {
            for nth in 1.. {
                let what = format!("{job:?}, {fault:?}, dropped at await {nth}");
                let work = Work::new(job, fault.as_ref());
                let first = work.world.process();
                let ended = DropAt::new(nth, work.run(&first)).await;
                work.aftermath(&what).await;
                if ended.is_some() {
                    assert!(nth > 40, "only {nth} awaits");
                    break;
                }
            }
        }
    }
}
