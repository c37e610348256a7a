//! How much of a provider's budget does the governor use, and how often is it refused?

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas_connectors::error::ThrottleScope;
use atlas_connectors::http::{Governor, Quota};
use atlas_connectors::testkit::ManualClock;
use atlas_connectors::{Clock, Timestamp};

use crate::table::Figure;
use crate::world::Failure;

const LIMIT: u32 = 6_000;
const MINUTE: Duration = Duration::from_secs(60);
/// Price of Gmail's `messages.get`.
const COST: u32 = 20;
const LATENCY: Duration = Duration::from_millis(120);
const WORKERS: usize = 10;
/// What the unseen client asks for at a time.
const UNSEEN_COST: u32 = 5;

/// Ten workers on simulated time, alone and beside a client that nobody tells the governor of.
pub(crate) async fn measure(quick: bool) -> Result<Vec<Figure>, Failure> {
    let minutes = if quick { 5 } else { 60 };
    let alone = simulate(0, minutes).await;
    let beside = simulate(LIMIT / 2, minutes).await;
    let refused = |tally: &Tally| format!("{} of {} calls", tally.refused, tally.calls);
    let budget = format!("{LIMIT} units a minute, sliding window");
    Ok(vec![
        Figure::new(
            format!("governor alone, {minutes} simulated minutes: budget used"),
            format!("{:.0} units a minute", tally_rate(&alone, minutes)),
            ">= 0.95",
        )
        .against(
            &budget,
            format!("{:.3}", tally_rate(&alone, minutes) / f64::from(LIMIT)),
        ),
        Figure::new("governor alone: throttled", refused(&alone), "0")
            .against(&budget, format!("{:.4}", alone.share())),
        Figure::new(
            "beside an unseen client with half: throttled",
            refused(&beside),
            "<= 0.01",
        )
        .against(&budget, format!("{:.4}", beside.share())),
        Figure::new(
            "beside an unseen client with half: budget used",
            format!("{:.0} units a minute", tally_rate(&beside, minutes)),
            "(information)",
        )
        .against(
            format!("the {} units left", LIMIT / 2),
            format!("{:.3}", tally_rate(&beside, minutes) / f64::from(LIMIT / 2)),
        ),
    ])
}

fn tally_rate(tally: &Tally, minutes: u32) -> f64 {
    tally.units as f64 / f64::from(minutes)
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    calls: u64,
    refused: u64,
    units: u64,
}

impl Tally {
    fn share(&self) -> f64 {
        self.refused as f64 / self.calls.max(1) as f64
    }
}

/// A provider that counts units in the minute before each call: the strictest reading of its limit.
#[derive(Debug, Default)]
struct Provider {
    accepted: VecDeque<(Duration, u32)>,
    in_window: u32,
    tally: Tally,
}

impl Provider {
    fn call(&mut self, cost: u32, now: Duration) -> bool {
        while let Some((at, units)) = self.accepted.front().copied()
            && now.saturating_sub(at) >= MINUTE
        {
            self.accepted.pop_front();
            self.in_window -= units;
        }
        let fits = self.in_window + cost <= LIMIT;
        if fits {
            self.accepted.push_back((now, cost));
            self.in_window += cost;
        }
        fits
    }
}

/// The first minutes are for learning; what counts is the steady state after them.
async fn simulate(unseen_units: u32, minutes: u32) -> Tally {
    let clock = ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000));
    let provider = Arc::new(Mutex::new(Provider::default()));
    let governor = Governor::new(Quota::per_minute(LIMIT), Arc::new(clock.clone()));
    // All in one task: the order of things is the same in every run.
    let workers = (0..WORKERS).map(|_| work(clock.clone(), Arc::clone(&provider), governor.clone()));
    let workers = futures_util::future::join_all(workers);
    let unseen = interfere(clock.clone(), Arc::clone(&provider), unseen_units);
    let drive = async {
        pass(&clock, MINUTE * 5).await;
        lock(&provider).tally = Tally::default();
        pass(&clock, MINUTE * minutes).await;
        lock(&provider).tally
    };
    tokio::select! {
        biased;
        tally = drive => tally,
        never = unseen => match never {},
        // They never end either; a list of what cannot be has no `match` of its own.
        _ = workers => lock(&provider).tally,
    }
}

async fn work(clock: ManualClock, provider: Arc<Mutex<Provider>>, governor: Governor) -> Infallible {
    loop {
        let Ok(permit) = governor.admit(COST, false, MINUTE * 3).await else {
            continue;
        };
        let accepted = {
            let mut provider = lock(&provider);
            let accepted = provider.call(COST, clock.monotonic());
            provider.tally.calls += 1;
            provider.tally.refused += u64::from(!accepted);
            provider.tally.units += if accepted { u64::from(COST) } else { 0 };
            accepted
        };
        clock.sleep(LATENCY).await;
        if accepted {
            permit.succeeded();
        } else {
            permit.throttled(ThrottleScope::Account, None);
        }
    }
}

async fn interfere(clock: ManualClock, provider: Arc<Mutex<Provider>>, units_per_minute: u32) -> Infallible {
    if units_per_minute == 0 {
        return std::future::pending().await;
    }
    let pause = MINUTE * UNSEEN_COST / units_per_minute;
    loop {
        lock(&provider).call(UNSEEN_COST, clock.monotonic());
        clock.sleep(pause).await;
    }
}

/// Lets time pass from one sleeper's end to the next.
async fn pass(clock: &ManualClock, span: Duration) {
    let end = clock.monotonic() + span;
    while clock.monotonic() < end {
        // Long enough for everyone who woke to fall asleep again.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        let left = end.saturating_sub(clock.monotonic());
        let step = clock.next_wake().unwrap_or(left).min(left);
        clock.advance(step.max(Duration::from_micros(1)));
    }
}

fn lock(provider: &Mutex<Provider>) -> MutexGuard<'_, Provider> {
    provider.lock().unwrap_or_else(PoisonError::into_inner)
}
