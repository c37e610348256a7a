//! When to look again.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::{Error, Retry};

/// When to look again: every interval, a little earlier or later so that many mailboxes do not ask at once, later after a
/// failure, and never before the provider's own time. Polling stays on beside push, because pushes get lost.
///
/// **Cost**: one look at an unchanged Gmail mailbox is one `history.list`, 2 quota units.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    interval: Duration,
    jitter: f64,
    longest: Duration,
}

impl Schedule {
    /// Every interval, at least one second, with a tenth of jitter; after failures at most an hour apart.
    pub fn every(interval: Duration) -> Self {
        let interval = interval.max(Duration::from_secs(1));
        Self {
            interval,
            jitter: 0.1,
            longest: Duration::from_secs(3600).max(interval),
        }
    }

    /// Sets the share of the interval by which a look may be earlier or later: 0 to 0.5.
    #[must_use]
    pub fn with_jitter(mut self, share: f64) -> Self {
        self.jitter = if share.is_finite() { share.clamp(0.0, 0.5) } else { 0.0 };
        self
    }

    /// Sets the longest pause after failures; never shorter than the interval.
    #[must_use]
    pub fn with_longest_pause(mut self, longest: Duration) -> Self {
        self.longest = longest.max(self.interval);
        self
    }

    /// The pause before the next look, after this many failures in a row. `lot` is a random number from 0 to 1.
    ///
    /// `None`: looking again does not help before a person or the code has changed something.
    pub fn pause(&self, last: Result<(), &Error>, failures: u32, now: Timestamp, lot: f64) -> Option<Duration> {
        let grown = |failures: u32| {
            let factor = 1_u32.checked_shl(failures.min(16)).unwrap_or(u32::MAX);
            self.interval.saturating_mul(factor).min(self.longest)
        };
        let spread = |pause: Duration| pause.mul_f64(1.0 + self.jitter * (2.0 * lot.clamp(0.0, 1.0) - 1.0));
        match last {
            Ok(()) => Some(spread(self.interval)),
            Err(error) => match error.retry() {
                Retry::Never => None,
                // Never before the provider's time: asking earlier moves it further out (`gmail.md`, section 7).
                Retry::At(until) => Some(until.since(now).max(spread(self.interval))),
                Retry::Backoff => Some(spread(grown(failures.saturating_sub(1)))),
            },
        }
    }
}

/// A random number from 0 to 1.
pub(super) fn lot() -> f64 {
    let mut bytes = [0; 4];
    crate::random::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, ThrottleScope};

    #[test]
    fn pauses() {
        let now = Timestamp::from_unix_seconds(1000);
        let schedule = Schedule::every(Duration::from_secs(100)).with_longest_pause(Duration::from_secs(500));
        let seconds = |last: Result<(), &Error>, failures, lot| {
            schedule.pause(last, failures, now, lot).map(|pause| pause.as_secs())
        };
        assert_eq!(seconds(Ok(()), 0, 0.5), Some(100));
        assert_eq!(seconds(Ok(()), 0, 0.0), Some(90));
        assert_eq!(seconds(Ok(()), 0, 1.0), Some(110));

        let transient = Error::new(ErrorKind::Transient, "test");
        for (failures, pause) in [(1, 100), (2, 200), (3, 400), (4, 500), (40, 500)] {
            assert_eq!(seconds(Err(&transient), failures, 0.5), Some(pause));
        }
        let throttled = |until| {
            let scope = ThrottleScope::Account;
            Error::new(
                ErrorKind::Throttled {
                    scope,
                    until: Some(until),
                },
                "test",
            )
        };
        assert_eq!(
            seconds(Err(&throttled(now.after(Duration::from_secs(700)))), 1, 0.5),
            Some(700)
        );
        assert_eq!(seconds(Err(&throttled(now)), 1, 0.5), Some(100));
        assert_eq!(seconds(Err(&Error::new(ErrorKind::Cancelled, "test")), 1, 0.5), None);
    }

    #[test]
    fn odd_settings_are_tamed() {
        let schedule = Schedule::every(Duration::ZERO).with_jitter(f64::NAN);
        let pause = schedule.pause(Ok(()), 0, Timestamp::UNIX_EPOCH, 7.0);
        assert_eq!(pause, Some(Duration::from_secs(1)));
        assert!((0.0..=1.0).contains(&lot()));
    }
}
