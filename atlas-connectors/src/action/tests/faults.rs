//! What the provider, the store and people can do to an intent on its way.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::world::*;
use crate::action::*;
use crate::error::{Effect, ErrorKind};
use crate::mail::LabelChange;
use crate::store::MemoryStore;
use crate::testkit::CrashPoint;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_send_that_works_takes_one_request_and_one_draft() {
    for mode in [Mode::Draft, Mode::SendOnly] {
        let world = World::new(mode);
        let outbox = world.process();
        let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
        let sent = outbox.dispatch(world.tenant(), &intent).await.unwrap();
        assert_eq!(sent.state, IntentState::Sent);
        assert!(
            sent.outcome_of::<crate::mail::OutgoingMessage>()
                .unwrap()
                .message
                .is_some()
        );
        assert_eq!(
            world.with(|p| (p.send_requests, p.sent.len(), p.drafts.len())),
            (1, 1, 0)
        );
        // Dispatched again, it stays what it is.
        let again = outbox.dispatch(world.tenant(), &intent).await.unwrap();
        assert_eq!((again.state, world.accepted()), (IntentState::Sent, 1));
    }
}

#[tokio::test]
async fn labels_are_driven_by_the_same_machine() {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let change = LabelChange {
        messages: vec!["m-1".into()],
        add: vec!["orders".into()],
        remove: Vec::new(),
    };
    for key in ["job-1", "job-2"] {
        // The same change may be wanted again: only the key makes it the same.
        let outcome = outbox
            .gate()
            .propose(world.proposal(key), change.clone())
            .await
            .unwrap();
        let Outcome::Held { intent, review } = outcome else {
            panic!("{outcome:?}")
        };
        outbox
            .gate()
            .approve(world.tenant(), &intent, &"mia".into(), &review.digest)
            .await
            .unwrap();
        // A crash in the middle: setting labels twice is harmless.
        let nth = 1;
        assert!(
            CrashPoint::CommitReturned
                .run_until(nth, outbox.drain())
                .await
                .is_none()
        );
        world.settle().await;
        assert_eq!(world.state(&intent).await, IntentState::Sent);
    }
    assert_eq!(world.with(|p| p.organized), 4);
}

#[tokio::test]
async fn each_answer_of_the_provider_leads_where_it_should() {
    use Fault::*;
    // scopes, what the provider does, where it ends, mails, requests that send
    let table: &[(Mode, &[Fault], IntentState, usize, usize)] = &[
        (Mode::Draft, &[LostBefore], IntentState::Sent, 1, 2),
        (
            Mode::Draft,
            &[LostBefore, LostBefore, LostAfter],
            IntentState::Sent,
            1,
            3,
        ),
        (Mode::Draft, &[LostAfter], IntentState::Sent, 1, 1),
        (Mode::Draft, &[Unreadable], IntentState::Sent, 1, 1),
        (Mode::Draft, &[Unauthorized], IntentState::Sent, 1, 2),
        (Mode::Draft, &[Unauthorized, Unauthorized], IntentState::NotSent, 0, 2),
        (Mode::Draft, &[Throttled, Throttled, Throttled], IntentState::Sent, 1, 4),
        (Mode::Draft, &[Rejected], IntentState::NotSent, 0, 1),
        (Mode::Draft, &[Hangs], IntentState::Sent, 1, 1),
        (Mode::SendOnly, &[LostBefore], IntentState::Uncertain, 0, 1),
        (Mode::SendOnly, &[LostAfter], IntentState::Uncertain, 1, 1),
        (Mode::SendOnly, &[Unreadable], IntentState::Sent, 1, 1),
        (Mode::SendOnly, &[Unauthorized], IntentState::Sent, 1, 2),
        (Mode::SendOnly, &[Throttled], IntentState::Sent, 1, 2),
        (Mode::SendOnly, &[Rejected], IntentState::NotSent, 0, 1),
    ];
    for (mode, faults, state, mails, requests) in table {
        let what = format!("{mode:?} {faults:?}");
        let world = World::new(*mode);
        world.with(|p| p.faults = faults.to_vec());
        let outbox = world.process();
        let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
        let clock = world.clock.clone();
        let turning = async {
            // Lets a hanging step run into its time limit.
            while faults.contains(&Hangs) {
                tokio::task::yield_now().await;
                if clock.next_wake().is_some() && world.accepted() == 1 {
                    clock.advance(3 * MINUTE);
                    break;
                }
            }
        };
        tokio::join!(async { outbox.drain().await.unwrap() }, turning);
        world.settle().await;
        assert_eq!(world.state(&intent).await, *state, "{what}");
        assert_eq!(
            world.with(|p| (p.sent.len(), p.send_requests)),
            (*mails, *requests),
            "{what}"
        );
        assert!(world.with(|p| p.drafts.is_empty()), "{what}: a draft is left");
        world.store.verify(None).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_failed_look_up_proves_nothing() {
    let world = World::new(Mode::Draft);
    world.with(|p| {
        p.faults = vec![Fault::LostAfter];
        p.failing_lookups = 5;
    });
    let outbox = world.process();
    let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
    outbox.drain().await.unwrap();
    world.clock.advance(2 * MINUTE);
    outbox.drain().await.unwrap();
    assert_eq!(world.state(&intent).await, IntentState::Sending);
    world.settle().await;
    assert_eq!((world.state(&intent).await, world.accepted()), (IntentState::Sent, 1));
}

#[tokio::test]
async fn a_look_up_that_cannot_tell_sends_nothing_and_ends_with_a_person() {
    // Look-ups that cannot tell, where it ends, requests that send. The draft is there all the time.
    for (blind, state, requests) in [(2, IntentState::Sent, 2), (3, IntentState::Uncertain, 1)] {
        let world = World::new(Mode::Draft);
        world.with(|p| {
            p.faults = vec![Fault::LostBefore];
            p.blind_lookups = blind;
        });
        let outbox = world.process();
        let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
        world.settle().await;
        assert_eq!(
            (world.state(&intent).await, world.with(|p| p.send_requests)),
            (state, requests),
            "{blind} look-ups that cannot tell"
        );
    }
}

#[tokio::test]
async fn a_draft_edited_by_a_person_is_not_sent_and_not_removed() {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
    assert!(CrashPoint::HandleStored.run_until(1, outbox.drain()).await.is_none());
    let other = world.mail("Something else");
    world.with(|p| p.drafts.values_mut().for_each(|(_, raw)| *raw = other.raw().clone()));
    world.clock.advance(10 * MINUTE);
    let error = outbox.dispatch(world.tenant(), &intent).await.unwrap_err();
    assert_eq!(code(&error), "not_approved.digest");
    world.settle().await;
    assert_eq!(world.state(&intent).await, IntentState::NotSent);
    assert_eq!(world.with(|p| (p.sent.len(), p.drafts.len())), (0, 1));
}

#[tokio::test]
async fn a_draft_that_somebody_threw_away_is_not_made_again() {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
    assert!(CrashPoint::HandleStored.run_until(1, outbox.drain()).await.is_none());
    world.with(|p| p.drafts.clear());
    world.settle().await;
    assert_eq!(
        (world.state(&intent).await, world.accepted()),
        (IntentState::Uncertain, 0)
    );

    let operator = "olga".into();
    let resolved = outbox
        .resolve(world.tenant(), &intent, Resolution::NotSent, &operator)
        .await
        .unwrap();
    assert_eq!(resolved.state, IntentState::NotSent);
    let twice = outbox
        .resolve(world.tenant(), &intent, Resolution::Sent, &operator)
        .await
        .unwrap_err();
    assert_eq!(code(&twice), "conflict");
}

#[tokio::test]
async fn a_reconnect_cancels_what_has_not_begun_and_looks_up_what_has() {
    for point in [
        CrashPoint::ApprovalStored,
        CrashPoint::Claimed,
        CrashPoint::HandleStored,
        CrashPoint::SendingStored,
        CrashPoint::CommitReturned,
    ] {
        let world = World::new(Mode::Draft);
        let outbox = world.process();
        let mail = world.mail("Order");
        let intent = Arc::new(Mutex::new(None));
        let stopped = point
            .run_until(1, async {
                let outcome = outbox
                    .gate()
                    .propose(world.proposal("job"), mail.clone())
                    .await
                    .unwrap();
                *intent.lock().unwrap() = Some(outcome.intent().clone());
                world.approved(&outbox, &mail, "job").await;
                outbox.drain().await.unwrap();
            })
            .await;
        assert!(stopped.is_none());
        world.reconnect();
        world.settle().await;
        let intent = intent.lock().unwrap().clone().unwrap();
        let (state, mails) = match point {
            CrashPoint::SendingStored => (IntentState::NotSent, 0),
            CrashPoint::CommitReturned => (IntentState::Sent, 1),
            _ => (IntentState::Cancelled, 0),
        };
        assert_eq!(
            (world.state(&intent).await, world.accepted()),
            (state, mails),
            "{}",
            point.as_str()
        );
        assert!(world.with(|p| p.drafts.is_empty()), "{}", point.as_str());
    }
}

#[tokio::test]
async fn a_store_that_cannot_write_lets_nothing_leave() {
    let mut sent_with = None;
    for writes in 0..12 {
        let clock = crate::testkit::ManualClock::new(START);
        let full = Arc::new(Full {
            store: Arc::new(MemoryStore::with_clock(Arc::new(clock.clone()))),
            writes_left: Mutex::new(None),
        });
        let world = World::over(Mode::Draft, Arc::clone(&full) as Arc<dyn OutboxStore>, clock);
        let outbox = world.process();
        let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
        *full.writes_left.lock().unwrap() = Some(writes);
        let outcome = outbox.dispatch(world.tenant(), &intent).await;
        let accepted = world.accepted();
        // Claim, handle and `Sending` are stored before anything leaves.
        assert_eq!(accepted, usize::from(writes >= 3), "{writes} writes");
        if writes < 4 {
            let error = outcome.unwrap_err();
            let effect = if writes < 3 { Effect::None } else { Effect::Happened };
            assert_eq!(
                (code(&error), error.effect()),
                ("storage.full", effect),
                "{writes} writes"
            );
        } else {
            sent_with.get_or_insert(writes);
            assert_eq!(outcome.unwrap().state, IntentState::Sent);
        }
        *full.writes_left.lock().unwrap() = None;
        world.settle().await;
        assert_eq!(
            (world.state(&intent).await, world.accepted()),
            (IntentState::Sent, 1),
            "{writes} writes"
        );
    }
    assert_eq!(sent_with, Some(4));
}

#[tokio::test]
async fn a_store_from_an_old_backup_sends_nothing_again() {
    for mode in [Mode::Draft, Mode::SendOnly] {
        // The backup was made when the intent was approved; then it was sent, and the backup restored.
        let world = World::new(mode);
        let outbox = world.process();
        let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
        let waiting = world.approved(&outbox, &world.mail("Not sent yet"), "other").await;
        let marker = world.mail("x");
        drop(marker);
        let approved = world.row(&intent).await;
        outbox.dispatch(world.tenant(), &intent).await.unwrap();
        let anchor = world.store.audit_head().await.unwrap();

        let restored = World::over(
            mode,
            restore(&world, &[approved, world.row(&waiting).await]).await,
            world.clock.clone(),
        );
        restored.with(|p| p.sent = world.with(|p| p.sent.clone()));
        let outbox = restored_process(&world, &restored);
        let recovery = outbox.recover(Some(anchor)).await.unwrap();
        assert!(recovery.restored);
        for _ in 0..10 {
            outbox.drain().await.unwrap();
            world.clock.advance(10 * MINUTE);
        }
        let expected = match mode {
            Mode::Draft => IntentState::Sent,
            Mode::SendOnly => IntentState::Uncertain,
        };
        assert_eq!((restored.state(&intent).await, restored.accepted()), (expected, 1));
        // It cannot be told that the other one was not sent either.
        assert_eq!(restored.state(&waiting).await, IntentState::Uncertain);
    }
}

async fn restore(_world: &World, rows: &[IntentRow]) -> Arc<dyn OutboxStore> {
    let store = MemoryStore::new();
    for row in rows {
        store.insert_intent(row, &[]).await.unwrap();
    }
    Arc::new(store)
}

fn restored_process(world: &World, restored: &World) -> Outbox {
    // The keys are the host's and outlive the store.
    world
        .builder_over(Arc::clone(&restored.store), &restored.connected)
        .build()
}

#[tokio::test]
async fn an_uncertain_intent_is_decided_by_a_person_only() {
    let table = [
        (Resolution::Sent, IntentState::Sent),
        (Resolution::NotSent, IntentState::NotSent),
        (Resolution::Abandon, IntentState::Cancelled),
    ];
    for (resolution, state) in table {
        let world = World::new(Mode::SendOnly);
        world.with(|p| p.faults = vec![Fault::LostAfter]);
        let outbox = world.process();
        let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
        let unclear = outbox.dispatch(world.tenant(), &intent).await.unwrap();
        assert_eq!(unclear.state, IntentState::Uncertain);
        outbox.acknowledge(world.tenant(), &unclear).await.unwrap();
        world.settle().await;
        assert_eq!(world.state(&intent).await, IntentState::Uncertain);
        let resolved = outbox
            .resolve(world.tenant(), &intent, resolution, &"olga".into())
            .await
            .unwrap();
        assert_eq!(resolved.state, state);
        // The host is told anew.
        assert_eq!(outbox.events(10).await.unwrap().len(), 1);
        world.settle().await;
        assert_eq!((world.state(&intent).await, world.accepted()), (state, 1));
    }
}

#[tokio::test]
async fn a_paused_connection_keeps_the_intent() {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
    world.connected.put(Standing::new(
        world.connection.clone(),
        World::identity(),
        Effectors::new(),
    ));
    let error = outbox.dispatch(world.tenant(), &intent).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Paused { .. }));
    world.connect(&world.connection);
    world.settle().await;
    assert_eq!((world.state(&intent).await, world.accepted()), (IntentState::Sent, 1));
}
