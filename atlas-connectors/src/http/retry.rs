//! When and how soon a failed read is tried again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::{Error, Retry};
use crate::http::retry_after::clamp_retry;

/// Where chance comes from; tests put in their own.
///
/// ```
/// use atlas_connectors::http::Jitter;
///
/// /// Always the longest pause.
/// #[derive(Debug)]
/// struct Longest;
///
/// impl Jitter for Longest {
///     fn fraction(&self) -> f64 {
///         1.0
///     }
/// }
/// ```
pub trait Jitter: fmt::Debug + Send + Sync + 'static {
    /// A number from 0 to 1.
    fn fraction(&self) -> f64;
}

/// Chance from the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemJitter;

impl Jitter for SystemJitter {
    fn fraction(&self) -> f64 {
        let mut bytes = [0u8; 4];
        crate::random::fill(&mut bytes);
        f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
    }
}

/// How often and how soon a read is repeated: truncated exponential pauses with decorrelated jitter.
///
/// Effects are never repeated, whatever stands here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Tries in all, the first included; at least 1.
    pub max_attempts: u32,
    /// The shortest pause. Gmail asks for at least one second (`gmail.md`, section 7).
    pub base: Duration,
    /// The longest pause chosen by us; a time named by the provider may be longer.
    pub cap: Duration,
    /// Where chance comes from.
    pub jitter: Arc<dyn Jitter>,
}

impl Default for RetryPolicy {
    /// Five tries, pauses from 1 to 32 seconds.
    fn default() -> Self {
        Self {
            max_attempts: 5,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(32),
            jitter: Arc::new(SystemJitter),
        }
    }
}

impl RetryPolicy {
    /// One try only.
    pub fn never() -> Self {
        Self {
            max_attempts: 1,
            ..Self::default()
        }
    }

    /// Sets the number of tries.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the shortest and the longest pause.
    #[must_use]
    pub fn with_pauses(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap.max(base);
        self
    }

    /// Sets where chance comes from.
    #[must_use]
    pub fn with_jitter(mut self, jitter: Arc<dyn Jitter>) -> Self {
        self.jitter = jitter;
        self
    }

    /// The pause before the next try, or `None` if there is to be none: the error says never, the tries are used up,
    /// or the pause would not end within `remaining`. `tried` counts the tries made, `previous` is the last pause.
    pub fn pause(
        &self,
        error: &Error,
        tried: u32,
        previous: Option<Duration>,
        remaining: Duration,
        now: Timestamp,
    ) -> Option<Duration> {
        if tried >= self.max_attempts {
            return None;
        }
        let pause = match error.retry() {
            Retry::Never => return None,
            Retry::Backoff => self.backoff(previous),
            // Everybody was told the same moment: spread a little after it, never before.
            Retry::At(at) => {
                let named = clamp_retry(at, now).since(now);
                named.saturating_add(self.base.mul_f64(self.fraction()))
            }
        };
        (pause < remaining).then_some(pause)
    }

    /// Decorrelated jitter: between the base and three times the pause before, under the cap.
    fn backoff(&self, previous: Option<Duration>) -> Duration {
        let previous = previous.unwrap_or(self.base);
        let highest = previous.saturating_mul(3).clamp(self.base, self.cap);
        let span = highest.saturating_sub(self.base);
        self.base.saturating_add(span.mul_f64(self.fraction())).min(self.cap)
    }

    fn fraction(&self) -> f64 {
        let fraction = self.jitter.fraction();
        if fraction.is_finite() {
            fraction.clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, ThrottleScope, Unreachable};

    #[derive(Debug)]
    struct Fixed(f64);

    impl Jitter for Fixed {
        fn fraction(&self) -> f64 {
            self.0
        }
    }

    const HOUR: Duration = Duration::from_secs(3600);
    const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    fn policy(fraction: f64) -> RetryPolicy {
        RetryPolicy::default().with_jitter(Arc::new(Fixed(fraction)))
    }

    fn transient() -> Error {
        Error::new(ErrorKind::Transient, "test")
    }

    #[test]
    fn pauses_grow_from_the_base_to_the_cap() {
        let policy = policy(1.0).with_max_attempts(20);
        let mut previous = None;
        let mut pauses = Vec::new();
        for tried in 1..8 {
            previous = policy.pause(&transient(), tried, previous, HOUR, NOW);
            pauses.push(previous.unwrap().as_secs());
        }
        assert_eq!(pauses, [3, 9, 27, 32, 32, 32, 32]);
    }

    #[test]
    fn jitter_spreads_over_the_whole_range_and_never_below_the_base() {
        for (fraction, seconds) in [
            (0.0, 1.0),
            (0.5, 2.0),
            (1.0, 3.0),
            (-4.0, 1.0),
            (f64::NAN, 1.0),
            (7.0, 3.0),
        ] {
            let pause = policy(fraction).pause(&transient(), 1, None, HOUR, NOW).unwrap();
            assert_eq!(pause, Duration::from_secs_f64(seconds), "{fraction}");
        }
        let system = RetryPolicy::default();
        for _ in 0..1000 {
            let pause = system.pause(&transient(), 1, None, HOUR, NOW).unwrap();
            assert!(pause >= system.base && pause <= system.base * 3);
        }
    }

    #[test]
    fn a_named_time_is_kept_and_never_undercut() {
        let throttled = |until| {
            Error::new(
                ErrorKind::Throttled {
                    scope: ThrottleScope::Account,
                    until: Some(until),
                },
                "test",
            )
        };
        let until = NOW.after(Duration::from_secs(90));
        let pause = policy(0.0).pause(&throttled(until), 1, None, HOUR, NOW);
        assert_eq!(pause, Some(Duration::from_secs(90)));
        let pause = policy(1.0).pause(&throttled(until), 1, None, HOUR, NOW);
        assert_eq!(pause, Some(Duration::from_secs(91)));
        // A moment that has passed means now.
        let past = policy(0.0).pause(&throttled(Timestamp::UNIX_EPOCH), 1, None, HOUR, NOW);
        assert_eq!(past, Some(Duration::ZERO));
    }

    #[test]
    fn no_pause_when_it_cannot_help() {
        let dns = Error::new(Unreachable::Dns, "test");
        assert!(policy(0.0).pause(&dns, 1, None, HOUR, NOW).is_some());
        // Used up.
        assert_eq!(policy(0.0).pause(&dns, 5, None, HOUR, NOW), None);
        assert_eq!(RetryPolicy::never().pause(&dns, 1, None, HOUR, NOW), None);
        // The deadline comes first.
        assert_eq!(policy(1.0).pause(&dns, 1, None, Duration::from_secs(2), NOW), None);
        // Not worth repeating.
        let missing = Error::new(ErrorKind::NotFound { object: "message" }, "test");
        assert_eq!(policy(0.0).pause(&missing, 1, None, HOUR, NOW), None);
    }
}
