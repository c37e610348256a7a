//! The governor's arithmetic against providers that count in three ways, on simulated time.

use std::collections::VecDeque;

use super::*;

const LIMIT: u32 = 6_000;
/// Price of Gmail's `messages.get`.
const COST: u32 = 20;
const LATENCY: Duration = Duration::from_millis(120);
const AT_ONCE: usize = 10;

/// How a provider counts units a minute.
#[derive(Clone, Copy, Debug)]
enum Counting {
    /// From the beginning of each minute.
    FixedMinute,
    /// In the 60 seconds before each call.
    SlidingMinute,
    /// A bucket that fills at 100 a second up to this many.
    Bucket(f64),
}

struct Provider {
    counting: Counting,
    /// Accepted calls of everybody in the last minute.
    accepted: VecDeque<(Duration, u32)>,
    tokens: f64,
    filled: Duration,
}

impl Provider {
    fn new(counting: Counting) -> Self {
        let tokens = match counting {
            Counting::Bucket(size) => size,
            _ => 0.0,
        };
        Self {
            counting,
            accepted: VecDeque::new(),
            tokens,
            filled: Duration::ZERO,
        }
    }

    fn call(&mut self, cost: u32, now: Duration) -> bool {
        let accepted = match self.counting {
            Counting::Bucket(size) => {
                let passed = (now - self.filled).as_secs_f64();
                self.tokens = (self.tokens + passed * f64::from(LIMIT) / 60.0).min(size);
                self.filled = now;
                self.tokens >= f64::from(cost)
            }
            Counting::SlidingMinute | Counting::FixedMinute => {
                let since = match self.counting {
                    Counting::FixedMinute => Duration::from_secs(now.as_secs() / 60 * 60),
                    _ => (now + Duration::from_nanos(1)).saturating_sub(Duration::from_secs(60)),
                };
                while self.accepted.front().is_some_and(|(at, _)| *at < since) {
                    self.accepted.pop_front();
                }
                let used: u32 = self.accepted.iter().map(|(_, cost)| cost).sum();
                used + cost <= LIMIT
            }
        };
        if accepted {
            self.tokens -= f64::from(cost);
            self.accepted.push_back((now, cost));
        }
        accepted
    }
}

/// What came of a run.
#[derive(Debug, Default)]
struct Tally {
    calls: u32,
    refused: u32,
    units: u64,
}

impl Tally {
    fn refused_share(&self) -> f64 {
        f64::from(self.refused) / f64::from(self.calls)
    }

    /// Units a minute over this many minutes, as a share of the limit.
    fn used(&self, minutes: u32) -> f64 {
        self.units as f64 / f64::from(minutes) / f64::from(LIMIT)
    }
}

/// Our client as fast as its governor lets it, with ten requests at once, and an unseen one that makes calls of this
/// price at this many units a minute for as long as `unseen_until`.
struct World {
    provider: Provider,
    budget: Budget,
    now: Duration,
    /// Requests under way: when the answer comes, when it was issued, whether it was accepted.
    flying: VecDeque<(Duration, Duration, bool)>,
    unseen_units: u32,
    unseen_next: Duration,
    unseen_until: Duration,
}

impl World {
    fn new(counting: Counting, unseen_units: u32, unseen_until: Duration) -> Self {
        Self {
            provider: Provider::new(counting),
            budget: Budget::new(LIMIT, Duration::ZERO),
            now: Duration::ZERO,
            flying: VecDeque::new(),
            unseen_units,
            unseen_next: Duration::from_millis(37),
            unseen_until,
        }
    }

    fn run(&mut self, minutes: u32) -> Tally {
        let end = self.now + Duration::from_secs(60) * minutes;
        let mut tally = Tally::default();
        while self.now < end {
            let mut next = end;
            if self.unseen_units > 0 && self.unseen_next < self.unseen_until {
                if self.unseen_next <= self.now {
                    self.provider.call(5, self.now);
                    self.unseen_next += Duration::from_secs_f64(60.0 * 5.0 / f64::from(self.unseen_units));
                    continue;
                }
                next = next.min(self.unseen_next);
            }
            if let Some((at, issued, accepted)) = self.flying.front().copied() {
                if at <= self.now {
                    self.flying.pop_front();
                    if !accepted {
                        self.budget.refused(issued, self.now, None);
                    }
                    continue;
                }
                next = next.min(at);
            }
            if self.flying.len() < AT_ONCE {
                match self.budget.spend(COST, self.now) {
                    Ok(()) => {
                        let accepted = self.provider.call(COST, self.now);
                        tally.calls += 1;
                        tally.refused += u32::from(!accepted);
                        tally.units += if accepted { u64::from(COST) } else { 0 };
                        self.flying.push_back((self.now + LATENCY, self.now, accepted));
                        continue;
                    }
                    Err(wait) => next = next.min(self.now + wait),
                }
            }
            self.now = next.max(self.now + Duration::from_micros(1));
        }
        tally
    }
}

const EVERY_WAY: [Counting; 4] = [
    Counting::FixedMinute,
    Counting::SlidingMinute,
    Counting::Bucket(6_000.0),
    Counting::Bucket(200.0),
];

#[test]
fn alone_it_uses_the_budget_and_is_never_refused() {
    for counting in EVERY_WAY {
        let mut world = World::new(counting, 0, Duration::ZERO);
        world.run(2);
        let steady = world.run(60);
        println!(
            "alone, {counting:?}: {:.1} % of the budget, {} refused of {}",
            100.0 * steady.used(60),
            steady.refused,
            steady.calls
        );
        assert!(steady.used(60) >= 0.95, "{counting:?}");
        assert_eq!(steady.refused, 0, "{counting:?}");
    }
}

#[test]
fn from_a_standing_start_nothing_is_refused_either() {
    for counting in EVERY_WAY {
        let first = World::new(counting, 0, Duration::ZERO).run(3);
        assert_eq!(first.refused, 0, "{counting:?}");
        assert!(first.used(3) >= 0.95, "{counting:?}");
    }
}

#[test]
fn with_an_unseen_client_it_settles_for_what_is_left() {
    for counting in EVERY_WAY {
        let mut world = World::new(counting, LIMIT / 2, Duration::MAX);
        let learning = world.run(5);
        let steady = world.run(120);
        println!(
            "beside an unseen client with half, {counting:?}: {:.1} % of the budget, {:.2} % refused ({} of {}); \
             in the first five minutes {:.1} %",
            100.0 * steady.used(120),
            100.0 * steady.refused_share(),
            steady.refused,
            steady.calls,
            100.0 * learning.refused_share(),
        );
        assert!(steady.refused_share() <= 0.01, "{counting:?}");
        assert!(steady.used(120) >= 0.40, "{counting:?}");
    }
}

#[test]
fn when_the_unseen_client_leaves_its_share_comes_back() {
    for counting in EVERY_WAY {
        let leaves = Duration::from_secs(30 * 60);
        let mut world = World::new(counting, LIMIT / 2, leaves);
        world.run(30);
        world.run(10);
        let after = world.run(10);
        println!(
            "after it left, {counting:?}: {:.1} % of the budget",
            100.0 * after.used(10)
        );
        assert!(after.used(10) >= 0.95, "{counting:?}");
    }
}

#[test]
fn a_call_dearer_than_the_bucket_goes_and_is_paid_for() {
    let mut budget = Budget::new(60, Duration::ZERO);
    // One unit a second, a bucket of little more than one: a send of 100 units goes when the bucket is full.
    assert_eq!(budget.spend(100, Duration::ZERO), Ok(()));
    let wait = budget.spend(1, Duration::ZERO).unwrap_err();
    assert!(
        wait > Duration::from_secs(95) && wait < Duration::from_secs(105),
        "{wait:?}"
    );
    assert_eq!(budget.spend(1, wait), Ok(()));
}

#[test]
fn requests_refused_together_cut_the_rate_once() {
    let mut budget = Budget::new(LIMIT, Duration::ZERO);
    let now = Duration::from_secs(10);
    let issued = Duration::from_millis(9_900);
    let full = budget.rate(now);
    for _ in 0..10 {
        budget.refused(issued, now, None);
    }
    let cut = budget.rate(now);
    assert!((cut / full - CUT).abs() < 1e-9, "{cut} of {full}");
    // One that was sent after the cut is news.
    budget.refused(Duration::from_secs(11), Duration::from_secs(12), None);
    assert!(budget.rate(Duration::from_secs(12)) < cut);
}

#[test]
fn a_named_time_is_kept() {
    let mut budget = Budget::new(LIMIT, Duration::ZERO);
    let now = Duration::from_secs(10);
    budget.refused(now, now, Some(Duration::from_secs(300)));
    assert_eq!(budget.resting(now), Some(Duration::from_secs(300)));
    assert!(budget.spend(1, Duration::from_secs(309)).is_err());
    assert_eq!(budget.resting(Duration::from_secs(310)), None);
    assert_eq!(budget.spend(1, Duration::from_secs(311)), Ok(()));
}
