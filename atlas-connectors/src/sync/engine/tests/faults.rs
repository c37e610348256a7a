//! One fault at a time.

use std::time::Duration;

use super::mailbox::FakeMailbox;
use super::world::World;
use crate::error::{BadPayload, ErrorKind, Retry};
use crate::ids::{Epoch, HolderId};
use crate::mail::{Mailbox as _, SyncCursor};
use crate::sync::{FaultState, GapCause, InboxQuery, PushOutcome, PushSignal, SyncEngine, SyncPhase};

fn filled(messages: usize) -> World {
    let world = World::new(7);
    for _ in 0..messages {
        world.mailbox.state().deliver(&["INBOX", "UNREAD"]);
    }
    world
}

#[tokio::test]
async fn first_sync_then_changes() {
    let world = filled(40);
    let report = world.sync().await.unwrap();
    assert_eq!(report.counts.stored, 40);
    assert!(report.coverage.is_complete(), "{}", report.coverage);
    assert!(
        report
            .coverage
            .to_string()
            .starts_with("complete from the beginning to")
    );
    assert_eq!(world.mailbox.state().calls.most_at_once, 10);
    world.assert_equal("first").await;

    let listings = world.mailbox.state().calls.listings;
    let new = {
        let mut state = world.mailbox.state();
        let ids: Vec<_> = state.mail.keys().cloned().collect();
        state.delete(&ids[0]);
        state.relabel(&ids[1], &["TRASH"], &["INBOX"]);
        state.relabel(&ids[2], &["STARRED"], &["UNREAD"]);
        state.deliver(&["INBOX"])
    };
    let report = world.sync().await.unwrap();
    assert_eq!(
        (report.counts.fetched, report.counts.relabeled, report.counts.removed),
        (1, 1, 2)
    );
    assert_eq!(report.newest_signal, Some(world.mailbox.state().mail[&new].received));
    assert_eq!(
        world.mailbox.state().calls.listings,
        listings,
        "no listing without need"
    );
    world.assert_equal("second").await;
    assert_eq!(
        world.sync().await.unwrap().newest_signal,
        None,
        "what is stored is no fresh signal"
    );
}

#[tokio::test]
async fn what_leaves_trash_appears() {
    let world = filled(3);
    let id = world.mailbox.state().deliver(&["TRASH"]);
    world.sync().await.unwrap();
    world.mailbox.state().relabel(&id, &["INBOX"], &["TRASH"]);
    world.sync().await.unwrap();
    assert!(world.inbox().message(&id).await.unwrap().is_some());
    world.assert_equal("untrashed").await;
}

#[tokio::test]
async fn a_lost_position_is_a_gap_until_it_is_proven_closed() {
    let world = filled(30);
    world.sync().await.unwrap();
    {
        let mut state = world.mailbox.state();
        for _ in 0..20 {
            state.live();
        }
        state.forget_history();
        state.transient = 0;
    }
    // The repair is stopped in the middle, and the gap is visible.
    let engine = world.engine();
    let run = super::world::CrashAfter {
        work: Box::pin(engine.sync_now()),
        polls: 40,
    };
    assert!(run.await.is_none());
    let coverage = engine.coverage().await.unwrap();
    assert_eq!(coverage.gaps.len(), 1, "{coverage}");
    assert_eq!(coverage.gaps[0].cause, GapCause::CursorExpired);
    world.clock.advance(Duration::from_secs(120));
    let report = world.sync().await.unwrap();
    assert!(report.coverage.is_complete(), "{}", report.coverage);
    assert_eq!(report.coverage.closed.len(), 2);
    world.assert_equal("repaired").await;
}

#[tokio::test]
async fn stale_baselines_end_in_a_typed_error_with_a_time() {
    let world = filled(10);
    world.mailbox.state().stale = true;
    let error = world.sync().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::CursorExpired);
    assert!(matches!(error.retry(), Retry::At(_)));
    let listings = world.mailbox.state().calls.listings;
    assert_eq!(listings, 3);
    assert!(world.sync().await.is_err());
    assert_eq!(
        world.mailbox.state().calls.listings,
        listings,
        "nothing is asked before that time"
    );

    world.mailbox.state().stale = false;
    world.mailbox.state().deliver(&["INBOX"]);
    world.clock.advance(Duration::from_secs(3601));
    world.sync().await.unwrap();
    world.assert_equal("no longer stale").await;
}

#[tokio::test]
async fn poison_is_set_aside_and_the_rest_flows() {
    let world = filled(12);
    let bad = {
        let mut state = world.mailbox.state();
        let bad = state.deliver(&["INBOX"]);
        state.spoiled.insert(bad.clone(), (BadPayload::TooLarge.into(), 3));
        bad
    };
    for (pending, quarantined) in [(1, 0), (1, 0), (0, 1), (0, 1)] {
        let coverage = world.sync().await.unwrap().coverage;
        assert_eq!((coverage.pending, coverage.quarantined), (pending, quarantined));
        assert!(!coverage.is_complete());
    }
    assert_eq!(world.stored().await.len(), 12);
    let engine = world.engine();
    let faults = engine.quarantined(None, 10).await.unwrap();
    assert_eq!(faults[0].message.id, bad);
    assert_eq!(
        (faults[0].attempts, faults[0].reason.as_str()),
        (3, "bad_payload.too_large")
    );
    assert_eq!(faults[0].state, FaultState::Quarantined);

    assert_eq!(engine.retry_quarantined(Some(&bad)).await.unwrap(), 1);
    assert!(world.sync().await.unwrap().coverage.is_complete());
    world.assert_equal("cured").await;
}

#[tokio::test]
async fn outages_and_limits_never_count_as_poison() {
    let world = filled(12);
    let id = world.mailbox.state().mail.keys().next().unwrap().clone();
    world.mailbox.state().spoiled.insert(id, (ErrorKind::Transient, 5));
    for _ in 0..5 {
        let error = world.sync().await.unwrap_err();
        assert_eq!(error.retry(), Retry::Backoff);
    }
    let coverage = world.sync().await.unwrap().coverage;
    assert_eq!((coverage.pending, coverage.quarantined), (0, 0));
    world.assert_equal("after the outage").await;
}

#[tokio::test]
async fn everything_failing_is_not_poison() {
    let world = filled(60);
    {
        let mut state = world.mailbox.state();
        let ids: Vec<_> = state.mail.keys().cloned().collect();
        for id in ids {
            state.spoiled.insert(id, (BadPayload::Type.into(), 1));
        }
    }
    assert_eq!(world.sync().await.unwrap_err().code(), "bad_payload.type");
    for _ in 0..6 {
        let _ = world.sync().await;
    }
    world.assert_equal("it was a passing fault").await;
}

#[tokio::test]
async fn a_message_announced_too_early_is_looked_for_again() {
    let world = filled(2);
    world.sync().await.unwrap();
    {
        let mut state = world.mailbox.state();
        let early = state.deliver(&["INBOX"]);
        state
            .spoiled
            .insert(early, (ErrorKind::NotFound { object: "message" }, 2));
    }
    world.sync().await.unwrap();
    world.assert_equal("found later").await;
}

#[tokio::test]
async fn a_reconnect_stops_the_old_run() {
    let world = filled(20);
    let old = world.engine();
    world
        .store
        .raise_epoch(&world.key(), Epoch::FIRST.next())
        .await
        .unwrap();
    assert_eq!(*old.sync_now().await.unwrap_err().kind(), ErrorKind::Cancelled);
    let again: FakeMailbox = world.mailbox.reconnected();
    let engine = SyncEngine::builder(std::sync::Arc::new(again), std::sync::Arc::clone(&world.store) as _)
        .with_inbox(world.sealer.clone())
        .with_sink(std::sync::Arc::clone(&world.sink) as _)
        .with_clock(std::sync::Arc::new(world.clock.clone()))
        .build()
        .unwrap();
    world.with_time(engine.sync_now()).await.unwrap();
    world.assert_equal("reconnected").await;
}

#[tokio::test]
async fn one_at_a_time_and_paused_means_paused() {
    let world = filled(5);
    let (connection, holder) = (world.mailbox.connection(), HolderId::random());
    let stranger = world
        .store
        .lease(connection, &holder, Duration::from_secs(30))
        .await
        .unwrap();
    assert_eq!(world.sync().await.unwrap_err().code(), "storage.locked");
    world.store.release(&stranger).await.unwrap();

    let engine = world.engine();
    engine.pause().await.unwrap();
    assert_eq!(world.sync().await.unwrap_err().code(), "paused");
    engine.resume().await.unwrap();
    engine.sync_now().await.unwrap();
    let progress = *engine.progress().borrow();
    assert_eq!((progress.phase, progress.counts.stored), (SyncPhase::Idle, 5));
}

#[tokio::test]
async fn push_hints_that_are_known_already_ask_nothing() {
    let world = filled(5);
    let engine = world.engine();
    let first = engine.notify(&PushSignal::at(SyncCursor::new("999999"))).await.unwrap();
    assert!(matches!(first, PushOutcome::Synced(report) if report.counts.stored == 5));
    let follows = world.mailbox.state().calls.follows;
    let old = engine.notify(&PushSignal::at(SyncCursor::new("3"))).await.unwrap();
    assert_eq!(old, PushOutcome::Known);
    assert_eq!(world.mailbox.state().calls.follows, follows);
    world.mailbox.state().deliver(&["INBOX"]);
    engine.notify(&PushSignal { cursor: None }).await.unwrap();
    world.assert_equal("pushed").await;
}

#[tokio::test]
async fn the_inbox_lists_searches_and_opens() {
    let world = filled(9);
    world.sync().await.unwrap();
    let inbox = world.inbox();
    let first = inbox.threads(&InboxQuery::all(), None, 2).await.unwrap();
    let second = inbox.threads(&InboxQuery::all(), first.next.as_ref(), 2).await.unwrap();
    assert_eq!((first.items.len(), second.items.len()), (2, 2));
    assert!(second.next.is_none());
    assert!(first.items[0].received >= first.items[1].received);
    let thread = inbox.thread(&first.items[0].id).await.unwrap().unwrap();
    assert_eq!(thread.messages.len() as u64, first.items[0].messages);
    let newest = &first.items[0].newest;
    let found = inbox
        .threads(&InboxQuery::all().with_text(format!("order {newest}")), None, 10)
        .await
        .unwrap();
    assert_eq!(found.items.len(), 1);
    assert_eq!(
        inbox.message(newest).await.unwrap().unwrap().subject,
        Some(format!("Order {newest}"))
    );
    assert_eq!(inbox.counts().await.unwrap().unread, 9);
}
