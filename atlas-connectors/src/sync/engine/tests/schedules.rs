//! Random schedules: whatever fails in whatever order, in the end the inbox equals the mailbox.

use std::sync::Arc;

use super::mailbox::Lots;
use super::world::{CrashAfter, World};
use crate::clock::Timestamp;
use crate::store::SqliteStore;
use crate::testkit::ManualClock;

/// One life of a mailbox: runs that are killed, outages, limits, lost positions, disorder, mail that comes and goes meanwhile.
async fn live_through(world: &World, seed: u64) {
    let mut lots = Lots::new(seed ^ 0xABCD);
    {
        let mut state = world.mailbox.state();
        for _ in 0..lots.below(60) {
            state.live();
        }
        state.page = 1 + usize::try_from(lots.below(12)).unwrap();
        state.transient = lots.below(4);
        state.disorder = 30;
        state.busy = lots.below(60);
        state.forgetful = if lots.percent(50) { lots.below(20) } else { 0 };
    }
    for _ in 0..4 + lots.below(8) {
        for _ in 0..lots.below(12) {
            world.mailbox.state().live();
        }
        if lots.percent(15) {
            world.mailbox.state().forget_history();
        }
        if lots.percent(20) {
            *world.sink.fail_next.lock().unwrap() = 1;
        }
        let polls = lots.below(400);
        let killed = lots.percent(60);
        let run = CrashAfter {
            work: Box::pin(world.sync()),
            polls: if killed { polls } else { u64::MAX },
        };
        // Whether it ends well, badly or not at all: nothing may be lost.
        let _ = run.await;
        world.clock.advance(std::time::Duration::from_secs(90));
    }
    {
        let mut state = world.mailbox.state();
        (state.transient, state.busy, state.forgetful) = (0, 0, 0);
        state.spoiled.clear();
    }
    *world.sink.fail_next.lock().unwrap() = 0;
    world.clock.advance(std::time::Duration::from_secs(2 * 3600));
    let report = world.sync().await.unwrap();
    assert!(report.coverage.is_complete(), "seed {seed}: {}", report.coverage);
    world.assert_equal(&format!("seed {seed}")).await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_in_memory() {
    for seed in 0..400 {
        live_through(&World::new(seed), seed).await;
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_in_sqlite() {
    for seed in 1000..1040 {
        let clock = ManualClock::new(Timestamp::from_unix_seconds(1_700_100_000));
        let store = SqliteStore::in_memory_with_clock(Arc::new(clock.clone())).unwrap();
        live_through(&World::on(seed, clock, Arc::new(store)), seed).await;
    }
}
