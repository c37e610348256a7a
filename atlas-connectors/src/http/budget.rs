//! The arithmetic of the quota governor: no I/O, no clock of its own.
//!
//! A token bucket whose rate is found as congestion control finds it (CUBIC, RFC 9438): full speed as long as nothing
//! is refused; after a refusal the rate is cut, rises quickly to just below where it was refused, stays there long, and
//! only then looks for more. So an unseen client that takes part of the budget costs a refusal every few minutes, and
//! its share comes back by itself when it leaves.

use std::time::Duration;

/// Part of the provider's limit that is asked for; the rest covers its other way of counting time.
const HEADROOM: f64 = 0.975;
/// Size of the bucket as part of one minute's limit: with the headroom it never exceeds the limit in any minute.
const BURST: f64 = 0.02;
/// What is left of the rate after a refusal.
const CUT: f64 = 0.8;
/// How long after a refusal the old rate is reached again, in seconds.
const PLATEAU: f64 = 120.0;
/// The rate never falls below this part of the limit.
const FLOOR: f64 = 0.01;
/// The first pause after a refusal without a named time; doubled with each that follows closely, up to [`LONGEST_REST`].
const REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(60);

/// Units that may be spent, on a monotonic clock that the caller reads.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    /// The provider's limit in units a second.
    limit: f64,
    /// Units at hand; negative after a call dearer than the bucket.
    tokens: f64,
    /// When `tokens` was computed.
    at: Duration,
    /// Nothing is spent before.
    rests_until: Duration,
    /// The last refusal that cut the rate.
    cut: Option<Cut>,
    /// Refusals that followed each other closely.
    strikes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    at: Duration,
    /// The rate that was refused, in units a second.
    rate: f64,
}

impl Budget {
    /// A full bucket of a provider that allows this many units a minute.
    pub(super) fn new(units_per_minute: u32, now: Duration) -> Self {
        let limit = f64::from(units_per_minute.max(1)) / 60.0;
        Self {
            limit,
            tokens: limit * 60.0 * BURST,
            at: now,
            rests_until: Duration::ZERO,
            cut: None,
            strikes: 0,
        }
    }

    /// Spends `cost` units, or says how long to wait before asking again.
    pub(super) fn spend(&mut self, cost: u32, now: Duration) -> Result<(), Duration> {
        self.refill(now);
        if let Some(rest) = self.resting(now) {
            return Err(rest);
        }
        // A call dearer than the bucket goes when the bucket is full, and the next ones wait for its debt.
        let needed = f64::from(cost).min(self.burst());
        if self.tokens >= needed {
            self.tokens -= f64::from(cost);
            return Ok(());
        }
        let wait = (needed - self.tokens) / self.rate(now);
        // Never zero: whoever waits must make progress.
        Err(Duration::from_secs_f64(wait.clamp(0.001, 3600.0)))
    }

    /// How long nothing may be spent, if a refusal or a named time says so.
    pub(super) fn resting(&self, now: Duration) -> Option<Duration> {
        let rest = self.rests_until.saturating_sub(now);
        (!rest.is_zero()).then_some(rest)
    }

    /// Spends nothing before `until`, whatever the rate.
    pub(super) fn rest_until(&mut self, until: Duration) {
        self.rests_until = self.rests_until.max(until);
    }

    /// A call admitted at `issued` was refused for the account's rate. `named`: how long the provider says to wait.
    pub(super) fn refused(&mut self, issued: Duration, now: Duration, named: Option<Duration>) {
        self.refill(now);
        // Calls that were under way together are refused together: they tell one thing, once.
        let known = self.cut.is_some_and(|cut| issued <= cut.at);
        if !known {
            let rate = self.rate(now);
            let close = self
                .cut
                .is_some_and(|cut| now.saturating_sub(cut.at).as_secs_f64() < PLATEAU / 4.0);
            self.strikes = if close { self.strikes.saturating_add(1) } else { 0 };
            self.cut = Some(Cut { at: now, rate });
            self.tokens = self.tokens.min(0.0);
            let rest = REST.saturating_mul(1 << self.strikes.min(8)).min(LONGEST_REST);
            self.rest_until(now.saturating_add(rest));
        }
        if let Some(named) = named {
            self.rest_until(now.saturating_add(named));
        }
    }

    /// The present rate in units a second.
    pub(super) fn rate(&self, now: Duration) -> f64 {
        let highest = self.limit * HEADROOM;
        let Some(cut) = self.cut else { return highest };
        let since = now.saturating_sub(cut.at).as_secs_f64();
        let bend = (since - PLATEAU) / PLATEAU;
        let rate = cut.rate * (1.0 + (1.0 - CUT) * bend.powi(3));
        rate.clamp(self.limit * FLOOR, highest)
    }

    fn burst(&self) -> f64 {
        // At least one unit, so that the smallest limits work too.
        (self.limit * 60.0 * BURST).max(1.0)
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate(now)).min(self.burst());
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests;
