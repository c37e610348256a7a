//! Ends the work at every named point and at every await, over both kinds of scopes: never two mails, never a lost one.

use super::world::*;
use crate::action::*;
use crate::testkit::{CrashPoint, DropAt};

/// What the host does with one job, from start to end; after a crash it does all of it again under the same key.
async fn job(world: &World, outbox: &Outbox, mail: &crate::mail::OutgoingMessage) {
    let gate = outbox.gate();
    let outcome = gate.propose(world.proposal("job-1"), mail.clone()).await.unwrap();
    if let Outcome::Held { intent, review } = &outcome {
        gate.approve(world.tenant(), intent, &"mia".into(), &review.digest)
            .await
            .unwrap();
    }
    outbox.drain().await.unwrap();
    for ended in outbox.events(10).await.unwrap() {
        outbox.acknowledge(world.tenant(), &ended).await.unwrap();
    }
    // The answer may be lost: then the outbox looks it up after its quiet period.
    world.clock.advance(std::time::Duration::from_secs(61));
    outbox.drain().await.unwrap();
}

/// After the crash: the host repeats the job, workers run for an hour, and then it is counted.
async fn aftermath(world: &World, mail: &crate::mail::OutgoingMessage, faults: &[Fault], what: &str) -> IntentState {
    let outbox = world.process();
    outbox.recover(None).await.unwrap();
    job(world, &outbox, mail).await;
    let outbox = world.settle().await;
    let rows = outbox.list(world.tenant(), &[], None, 10).await.unwrap();
    assert_eq!(rows.len(), 1, "{what}: one job is one intent");
    let state = rows[0].state;
    let accepted = world.accepted();
    assert!(accepted <= 1, "{what}: {accepted} mails");
    match world.mode {
        Mode::Draft => {
            assert_eq!((state, accepted), (IntentState::Sent, 1), "{what}: {:?}", rows[0]);
            assert!(world.with(|p| p.drafts.is_empty()), "{what}: drafts are left");
        }
        Mode::SendOnly => {
            let fine = match state {
                IntentState::Sent => accepted == 1,
                IntentState::Uncertain => true,
                _ => false,
            };
            assert!(fine, "{what}: {state}, {accepted} mails, {faults:?}");
        }
    }
    assert_eq!(
        outbox.events(10).await.unwrap().len(),
        usize::from(!acknowledged(&rows[0], world).await)
    );
    world.store.verify(None).await.unwrap().unwrap();
    state
}

async fn acknowledged(intent: &Intent, world: &World) -> bool {
    !world.row(&intent.id).await.unannounced
}

#[tokio::test]
async fn a_crash_at_any_named_point_gives_exactly_one_mail() {
    let mut reached = Vec::new();
    for mode in [Mode::Draft, Mode::SendOnly] {
        for faults in [&[][..], &[Fault::LostBefore], &[Fault::LostAfter]] {
            for point in CrashPoint::ALL {
                for nth in 1..=3 {
                    let what = format!("{mode:?}, {faults:?}, {} for the {nth}. time", point.as_str());
                    let world = World::new(mode);
                    world.with(|p| p.faults = faults.to_vec());
                    let mail = world.mail("Order 4711");
                    let first = world.process();
                    let ended = point
                        .run_until(nth, async {
                            first.recover(None).await.unwrap();
                            job(&world, &first, &mail).await;
                        })
                        .await;
                    if ended.is_none() {
                        reached.push(*point);
                    }
                    let state = aftermath(&world, &mail, faults, &what).await;
                    let may_be_unclear = faults != [] as [Fault; 0]
                        || matches!(point, CrashPoint::SendingStored | CrashPoint::CommitReturned);
                    assert!(state == IntentState::Sent || may_be_unclear, "{what}: {state}");
                }
            }
        }
    }
    for point in CrashPoint::ALL {
        let passed = reached.contains(point);
        // Nothing is left behind by a run without a crash before it: sweeping has its own test.
        assert!(
            passed || *point == CrashPoint::Swept,
            "{} is never passed",
            point.as_str()
        );
    }
}

#[tokio::test]
async fn a_future_dropped_at_any_await_gives_exactly_one_mail() {
    for mode in [Mode::Draft, Mode::SendOnly] {
        for faults in [&[][..], &[Fault::LostAfter]] {
            for nth in 1.. {
                let what = format!("{mode:?}, {faults:?}, dropped at await {nth}");
                let world = World::new(mode);
                world.with(|p| p.faults = faults.to_vec());
                let mail = world.mail("Order 4711");
                let first = world.process();
                let ended = DropAt::new(nth, job(&world, &first, &mail)).await;
                aftermath(&world, &mail, faults, &what).await;
                if ended.is_some() {
                    assert!(nth > 40, "only {nth} awaits");
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn an_interrupted_look_up_begins_again() {
    for point in [CrashPoint::LookupBegun, CrashPoint::LookupReturned] {
        for fault in [Fault::LostBefore, Fault::LostAfter] {
            let world = World::new(Mode::Draft);
            world.with(|p| p.faults = vec![fault]);
            let mail = world.mail("Order 4711");
            let outbox = world.process();
            world.approved(&outbox, &mail, "job-1").await;
            outbox.drain().await.unwrap();
            for _ in 0..3 {
                world.clock.advance(std::time::Duration::from_secs(400));
                let interrupted = point.run_until(1, outbox.drain()).await;
                assert!(interrupted.is_none());
            }
            aftermath(&world, &mail, &[fault], point.as_str()).await;
        }
    }
}

#[tokio::test]
async fn a_draft_made_twice_is_swept() {
    let world = World::new(Mode::Draft);
    let mail = world.mail("Order 4711");
    let outbox = world.process();
    world.approved(&outbox, &mail, "job-1").await;
    assert!(CrashPoint::PrepareReturned.run_until(1, outbox.drain()).await.is_none());
    world.clock.advance(std::time::Duration::from_secs(400));
    let again = world.process();
    assert!(CrashPoint::Swept.run_until(1, again.drain()).await.is_none());
    world.settle().await;
    assert_eq!(world.with(|p| (p.made, p.drafts.len(), p.sent.len())), (2, 0, 1));
}
