//! Kill the process between any two steps of gate and outbox: never two mails, never a lost one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing helper fails its test"
)]

use atlas_connectors::SystemClock;
use atlas_connectors::action::IntentState;
use atlas_connectors::mail::OutgoingMessage;
use atlas_connectors::oauth::Workflow;
use atlas_connectors::testkit::CrashPoint;
use atlas_connectors_gmail::mock::{Fault, Google, USER};
use atlas_connectors_tests::job::{Job, KEY};
use atlas_connectors_tests::world::World;

const WORKER: &str = env!("CARGO_BIN_EXE_worker");

fn mail() -> OutgoingMessage {
    OutgoingMessage::builder()
        .from(USER)
        .to("jana@precision-parts.example")
        .bcc("archive@acme-manufacturing.example")
        .subject("Order 4711")
        .text("We confirm your order.")
        .build(&SystemClock)
        .unwrap()
}

/// How one schedule ended.
struct Ended {
    crashed: bool,
    state: IntentState,
    sends: u64,
    drafts_left: usize,
}

/// Lets a first process die at the point, and a second one finish the work.
async fn schedule(workflow: Workflow, point: CrashPoint, nth: u32, fault: Option<(&str, Fault)>) -> Ended {
    let world = World::new(Google::start().await).await.unwrap();
    let connection = world.connect(&[Workflow::Triage, workflow]).await.unwrap();
    if let Some((method, fault)) = fault {
        world.google.faults().next(method, fault);
    }
    // The same bytes for both processes.
    let mail = mail();
    let job = |crash| Job::Send {
        place: world.place.clone(),
        connection: connection.clone(),
        mail: mail.clone(),
        crash,
    };
    let first = world
        .run(WORKER, "first", &job(Some((point.as_str().to_owned(), nth))))
        .await
        .unwrap();
    let second = world.run(WORKER, "second", &job(None)).await.unwrap();
    assert!(
        second.status.success(),
        "{point:?}: {}",
        String::from_utf8_lossy(&second.stderr)
    );

    let intents = world
        .host
        .outbox()
        .list(world.host.tenant(), &[], None, 10)
        .await
        .unwrap();
    assert_eq!(intents.len(), 1, "{point:?}: one job is one intent");
    assert_eq!(intents[0].key, KEY);
    Ended {
        crashed: !first.status.success(),
        state: intents[0].state,
        sends: world.google.counters().sends,
        drafts_left: world.google.mailbox(USER).drafts().len(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_with_a_draft_as_handle_it_is_sent_exactly_once() {
    let mut reached = 0;
    for &point in CrashPoint::ALL {
        let ended = schedule(Workflow::DraftedReplies, point, 1, None).await;
        assert_eq!(ended.sends, 1, "{point:?}");
        assert_eq!(ended.state, IntentState::Sent, "{point:?}");
        assert_eq!(ended.drafts_left, 0, "{point:?}");
        reached += usize::from(ended.crashed);
    }
    // Look-ups and sweeping are not passed by an undisturbed first process.
    assert!(
        reached >= CrashPoint::ALL.len() - 3,
        "only {reached} points were reached"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_without_a_handle_it_is_sent_at_most_once_and_never_silently_lost() {
    for &point in CrashPoint::ALL {
        let ended = schedule(Workflow::ApprovedReplies, point, 1, None).await;
        match ended.state {
            IntentState::Sent => assert_eq!(ended.sends, 1, "{point:?}"),
            // A person decides; the mail may or may not have left, and nothing leaves by itself.
            IntentState::Uncertain => assert!(ended.sends <= 1, "{point:?}"),
            other => panic!("{point:?}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_and_a_crash_during_the_look_up_still_make_one_mail() {
    let method = "gmail.users.drafts.send";
    for (fault, sent_by_first) in [
        (Fault::CutAfter, true),
        (Fault::CutBefore, false),
        (Fault::Status(503), false),
    ] {
        for point in [
            CrashPoint::LookupBegun,
            CrashPoint::LookupReturned,
            CrashPoint::ResultStored,
        ] {
            let ended = schedule(Workflow::DraftedReplies, point, 1, Some((method, fault.clone()))).await;
            assert_eq!(ended.sends, 1, "{fault:?} {point:?} {sent_by_first}");
            assert_eq!(ended.state, IntentState::Sent, "{fault:?} {point:?}");
        }
    }
}
