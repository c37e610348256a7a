//! Proposals, reviews and decisions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::world::*;
use crate::action::*;
use crate::error::ErrorKind;
use crate::ids::{ActorId, ConnectionId, TenantId};
use crate::mail::{Address, OutgoingMessage};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn the_reviewer_sees_what_will_leave() {
    let world = World::new(Mode::Draft);
    let outbox = world.builder().circle(Circle::of_domains(["acme.example"])).build();
    let mail = OutgoingMessage::builder()
        .from(Address::named("Acme Operations", "ops@acme.example"))
        .to("jana@parts.example")
        .bcc("hidden@parts.example")
        .subject("Angebot für Stück 4711")
        .text("We order 40 pieces.\n")
        .build(&world.clock)
        .unwrap();
    let outcome = outbox
        .gate()
        .propose(world.proposal("job"), mail.clone())
        .await
        .unwrap();
    let Outcome::Held { intent, review } = outcome else {
        panic!("{outcome:?}")
    };
    let text = review.to_string();
    for part in [
        "ops@acme.example",
        "jana@parts.example",
        "hidden@parts.example",
        "Angebot für Stück 4711",
        "We order 40 pieces.",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(text.contains(&review.digest.to_string()));
    assert!(review.warnings.contains(&Warning::BlindCopies { count: 1 }));
    let outside = Warning::OutsideRecipient {
        address: "jana@parts.example".into(),
    };
    assert!(review.warnings.contains(&outside));
    // Nothing of it shows where it could be logged.
    let printed = format!("{review:?} {:?} {:?}", review.content, world.row(&intent).await);
    assert!(!printed.contains("hidden") && !printed.contains("Angebot"), "{printed}");
    let json = serde_json::to_string(&review).unwrap();
    assert_eq!(serde_json::from_str::<Review>(&json).unwrap(), *review);
    // At rest it is sealed.
    let row = world.row(&intent).await;
    let stored = serde_json::to_string(&row).unwrap() + &String::from_utf8_lossy(&row.payload);
    assert!(!stored.contains("hidden") && !stored.contains("4711"));
}

#[tokio::test]
async fn nothing_leaves_without_an_approval() {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let outcome = outbox
        .gate()
        .propose(world.proposal("job"), world.mail("Order"))
        .await
        .unwrap();
    let error = outbox.dispatch(world.tenant(), outcome.intent()).await.unwrap_err();
    assert_eq!(code(&error), "not_approved.missing");
    outbox.drain().await.unwrap();
    assert_eq!(world.with(|p| (p.made, p.send_requests)), (0, 0));
    assert_eq!(outbox.gate().pending(world.tenant(), None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_the_right_person_approves_only_what_was_shown() {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let gate = outbox.gate();
    let outcome = gate.propose(world.proposal("job"), world.mail("Order")).await.unwrap();
    let other = gate
        .propose(world.proposal("other"), world.mail("Other"))
        .await
        .unwrap();
    let intent = outcome.intent();
    let seen = gate.review(world.tenant(), intent).await.unwrap().digest;
    let wrong = gate.review(world.tenant(), other.intent()).await.unwrap().digest;
    let mia = ActorId::new("mia");

    let refusals = [
        gate.approve(world.tenant(), intent, &mia, &wrong).await,
        gate.approve(world.tenant(), intent, &ActorId::new("agent"), &seen)
            .await,
        gate.approve(&TenantId::new("another"), intent, &mia, &seen).await,
    ];
    let codes: Vec<_> = refusals
        .into_iter()
        .map(|refusal| code(&refusal.unwrap_err()))
        .collect();
    assert_eq!(codes, ["not_approved.digest", "permission_denied", "not_found"]);

    gate.approve(world.tenant(), intent, &mia, &seen).await.unwrap();
    let twice = gate.approve(world.tenant(), intent, &mia, &seen).await.unwrap_err();
    assert_eq!(code(&twice), "not_approved.used");

    gate.reject(world.tenant(), other.intent(), &mia).await.unwrap();
    let late = gate
        .approve(world.tenant(), other.intent(), &mia, &wrong)
        .await
        .unwrap_err();
    assert_eq!(code(&late), "not_approved.rejected");
    world.settle().await;
    assert_eq!(world.accepted(), 1);
}

#[tokio::test]
async fn approvals_end_and_a_clock_set_back_does_not_revive_them() {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let gate = outbox.gate();
    let approved = world.approved(&outbox, &world.mail("One"), "one").await;
    let held = gate.propose(world.proposal("two"), world.mail("Two")).await.unwrap();
    let seen = gate.review(world.tenant(), held.intent()).await.unwrap().digest;
    world.clock.advance(24 * HOUR);
    let late = gate
        .approve(world.tenant(), held.intent(), &"mia".into(), &seen)
        .await
        .unwrap_err();
    assert_eq!(code(&late), "not_approved.expired");
    // The system's clock jumps back a day; what was written since says otherwise.
    world.clock.jump(-24 * 3_600_000);
    let revived = outbox.dispatch(world.tenant(), &approved).await.unwrap_err();
    assert_eq!(code(&revived), "not_approved.expired");
    assert_eq!(
        (world.state(&approved).await, world.accepted()),
        (IntentState::Cancelled, 0)
    );
}

#[tokio::test]
async fn a_reconnect_voids_open_approvals() {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let gate = outbox.gate();
    let approved = world.approved(&outbox, &world.mail("One"), "one").await;
    let held = gate.propose(world.proposal("two"), world.mail("Two")).await.unwrap();
    let seen = gate.review(world.tenant(), held.intent()).await.unwrap().digest;
    world.reconnect();
    let late = gate
        .approve(world.tenant(), held.intent(), &"mia".into(), &seen)
        .await
        .unwrap_err();
    assert_eq!(code(&late), "not_approved.context");
    assert!(outbox.dispatch(world.tenant(), &approved).await.is_err());
    let again = outbox.dispatch(world.tenant(), &approved).await.unwrap_err();
    assert_eq!(code(&again), "not_approved.context");
    let stale = gate
        .propose(world.proposal("three"), world.mail("Three"))
        .await
        .unwrap_err();
    assert_eq!(code(&stale), "cancelled");
    assert_eq!(world.accepted(), 0);
}

#[tokio::test]
async fn of_many_workers_one_wins() {
    for mode in [Mode::Draft, Mode::SendOnly] {
        let world = World::new(mode);
        let outbox = world.process();
        let intent = world.approved(&outbox, &world.mail("Order"), "job").await;
        let workers: Vec<Outbox> = (0..64).map(|_| world.process()).collect();
        let all = join_all(workers.iter().map(|worker| worker.dispatch(world.tenant(), &intent))).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
        assert_eq!(world.with(|p| (p.made <= 1, p.send_requests)), (true, 1));
        assert_eq!(world.state(&intent).await, IntentState::Sent);
    }
}

#[tokio::test]
async fn one_job_is_one_intent_however_often_it_is_delivered() {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let gate = outbox.gate();
    let mail = world.mail("Order");
    let many = join_all((0..16).map(|_| gate.propose(world.proposal("job"), mail.clone()))).await;
    let intents: BTreeSet<_> = many.into_iter().map(|one| one.unwrap().intent().clone()).collect();
    assert_eq!(intents.len(), 1);
    // The same mail under another key is the same mail.
    let again = gate.propose(world.proposal("other-job"), mail.clone()).await.unwrap();
    assert!(intents.contains(again.intent()));
    // The same key for another mail is a mistake of the caller.
    let error = gate
        .propose(world.proposal("job"), world.mail("Another"))
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Invalid { .. }));
}

#[tokio::test]
async fn a_tampered_row_is_refused() {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let first = world.approved(&outbox, &world.mail("One"), "one").await;
    let second = outbox
        .gate()
        .propose(world.proposal("two"), world.mail("Two"))
        .await
        .unwrap();
    let approved = world.row(&first).await;
    let held = world.row(second.intent()).await;

    // Whoever can write to the store moves an approval, a payload or a binding.
    type Tamper = fn(&mut IntentRow, &IntentRow);
    let tamper: &[(&str, Tamper)] = &[
        ("another's approval", |row, donor| {
            row.approval.clone_from(&donor.approval)
        }),
        ("another's approval and digest", |row, donor| {
            row.approval.clone_from(&donor.approval);
            row.digest = donor.digest;
        }),
        ("another's everything but the intent", |row, donor| {
            row.approval.clone_from(&donor.approval);
            row.digest = donor.digest;
            row.content = donor.content;
            row.payload.clone_from(&donor.payload);
        }),
        ("no approval at all", |row, _| row.approval = None),
        ("a longer life", |row, donor| {
            row.approval.clone_from(&donor.approval);
            if let Some(record) = &mut row.approval {
                record.intent = row.intent.clone();
                record.digest = row.digest;
            }
        }),
        ("another connection", |row, _| {
            row.connection.connection = ConnectionId::new("c-2")
        }),
    ];
    // Untouched, the approved row leaves in the same set-up.
    let control = copy_of(&world, &approved).await;
    let sent = control.process().dispatch(control.tenant(), &first).await.unwrap();
    assert_eq!(sent.state, IntentState::Sent);

    for (what, change) in tamper {
        let world = copy_of(&world, &held).await;
        let mut row = world.row(&held.intent).await;
        let before = row.clone();
        row.state = IntentState::Ready;
        change(&mut row, &approved);
        world
            .store
            .update_intent(IntentChange::new(&before, &row))
            .await
            .unwrap();
        let outcome = world.process().dispatch(world.tenant(), &held.intent).await;
        assert!(outcome.is_err(), "{what}: {outcome:?}");
        assert_eq!(world.with(|p| (p.made, p.send_requests)), (0, 0), "{what}");
    }
}

async fn copy_of(world: &World, row: &IntentRow) -> World {
    let store = crate::store::MemoryStore::new();
    let copy = world.beside(Arc::new(store));
    copy.store.insert_intent(row, &[]).await.unwrap();
    copy
}

#[tokio::test]
async fn a_policy_that_fails_panics_or_hangs_denies() {
    for odd in [Odd::Fails, Odd::Panics, Odd::Hangs] {
        let what = format!("{odd:?}");
        let hangs = matches!(odd, Odd::Hangs);
        let world = World::new(Mode::Draft);
        let outbox = world.builder().policy(odd).build();
        let gate = outbox.gate();
        let asking = gate.propose(world.proposal("job"), world.mail("Order"));
        let turning = async {
            if hangs {
                while world.clock.next_wake().is_none() {
                    tokio::task::yield_now().await;
                }
                world.clock.advance(Duration::from_secs(6));
            }
        };
        let (outcome, ()) = tokio::join!(asking, turning);
        let outcome = outcome.unwrap();
        assert!(matches!(outcome, Outcome::Denied { .. }), "{what}: {outcome:?}");
        // Approved under a policy that worked, and judged again by one that does not: it waits.
        let intent = world.approved(&world.process(), &world.mail("Two"), "two").await;
        if !hangs {
            let error = outbox.dispatch(world.tenant(), &intent).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::PolicyBlocked { .. }), "{what}");
            assert_eq!((world.state(&intent).await, world.accepted()), (IntentState::Ready, 0));
        }
    }
}

#[tokio::test]
async fn each_degree_of_autonomy_does_what_it_says() {
    let world = World::new(Mode::Draft);
    let limits = Limits::new("orders").with_domains(["parts.example"]).with_rate(2, HOUR);
    let table = [
        (Autonomy::ReadOnly, "denied"),
        (Autonomy::DraftOnly, "held"),
        (Autonomy::AskForEverything, "held"),
        (Autonomy::AskExcept(limits.clone()), "ready"),
        (Autonomy::AskExcept(Limits::new("nobody")), "held"),
        (Autonomy::AskExcept(limits.clone().until(START)), "held"),
        (Autonomy::AskExcept(limits.clone().with_max_recipients(0)), "held"),
        (
            Autonomy::AskExcept(limits.clone().with_kinds(["mail.organize"])),
            "held",
        ),
    ];
    for (index, (autonomy, expected)) in table.into_iter().enumerate() {
        let what = format!("{autonomy:?}");
        let outbox = world.builder().policy(autonomy).build();
        let outcome = outbox
            .gate()
            .propose(world.proposal(&format!("job-{index}")), world.mail("x"))
            .await
            .unwrap();
        let word = match outcome {
            Outcome::Denied { .. } => "denied",
            Outcome::Held { .. } => "held",
            Outcome::Ready(_) => "ready",
            Outcome::Known(_) => "known",
        };
        assert_eq!(word, expected, "{what}");
    }
    // Draft only: not even an approval lets it out.
    let drafts = World::new(Mode::Draft);
    let outbox = drafts.builder().policy(Autonomy::DraftOnly).build();
    let intent = drafts.approved(&outbox, &drafts.mail("x"), "job").await;
    assert!(outbox.dispatch(drafts.tenant(), &intent).await.is_err());
    assert_eq!(
        (drafts.state(&intent).await, drafts.with(|p| p.made)),
        (IntentState::Cancelled, 0)
    );
}

#[tokio::test]
async fn the_rate_holds_over_simultaneous_proposals_and_over_restarts() {
    let world = World::new(Mode::Draft);
    let limits = Limits::new("orders").with_domains(["parts.example"]).with_rate(5, HOUR);
    let process = || world.builder().policy(Autonomy::AskExcept(limits.clone())).build();
    let outboxes: Vec<Outbox> = (0..20).map(|_| process()).collect();
    let gates: Vec<Gate> = outboxes.iter().map(Outbox::gate).collect();
    let all = join_all(gates.iter().enumerate().map(|(index, gate)| {
        gate.propose(
            world.proposal(&format!("job-{index}")),
            world.mail(&format!("Order {index}")),
        )
    }))
    .await;
    let ready = all.iter().filter(|one| matches!(one, Ok(Outcome::Ready(_)))).count();
    assert!((1..=5).contains(&ready), "{ready} of 20 may leave");
    process().drain().await.unwrap();
    assert_eq!(world.accepted(), ready);
    let more = process()
        .gate()
        .propose(world.proposal("more"), world.mail("More"))
        .await
        .unwrap();
    assert_eq!(matches!(more, Outcome::Ready(_)), ready < 5);
    world.clock.advance(2 * HOUR);
    let later = process()
        .gate()
        .propose(world.proposal("later"), world.mail("Later"))
        .await
        .unwrap();
    assert!(matches!(later, Outcome::Ready(_)));
}
