//! Quota units: what each method costs, and the windows in which a user may spend them.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::answer::ApiError;

/// Which of Google's price lists applies.
///
/// Source: `gmail.md`, section 6 (usage limits page after the change of 2026-05-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prices {
    /// Projects that used the API before 2026-05-01.
    Old,
    /// Projects made since.
    New,
}

impl Prices {
    /// Units that a call of this method costs; 0 for what is not a Gmail method.
    ///
    /// ```
    /// use atlas_connectors_gmail::mock::Prices;
    ///
    /// assert_eq!(Prices::Old.units("gmail.users.messages.get"), 5);
    /// assert_eq!(Prices::New.units("gmail.users.messages.get"), 20);
    /// ```
    pub fn units(self, method: &str) -> u32 {
        let by = |old, new| if self == Self::Old { old } else { new };
        let Some(method) = method.strip_prefix("gmail.users.") else {
            return 0;
        };
        match method {
            "getProfile" | "labels.list" | "labels.get" => 1,
            "history.list" => 2,
            "messages.list" | "drafts.list" => 5,
            "messages.get" | "messages.attachments.get" | "drafts.get" => by(5, 20),
            "threads.list" | "threads.modify" => 10,
            "threads.get" => by(10, 40),
            "messages.modify" | "labels.create" | "labels.update" | "labels.patch" | "labels.delete" => 5,
            "messages.trash" | "messages.untrash" => by(5, 20),
            "threads.trash" | "threads.untrash" => by(10, 20),
            "messages.delete" | "drafts.create" | "drafts.delete" => 10,
            "threads.delete" => 20,
            "drafts.update" => 15,
            "messages.import" | "messages.insert" => 25,
            "messages.batchModify" | "messages.batchDelete" => 50,
            "messages.send" | "drafts.send" | "watch" => 100,
            "stop" => 50,
            _ if method.starts_with("settings.") => 1,
            _ => 5,
        }
    }

    /// Units a user may spend in a minute under this list.
    pub fn units_per_minute(self) -> u32 {
        match self {
            Self::Old => 15_000,
            Self::New => 6_000,
        }
    }
}

/// The limits that the mock enforces. Without one, units are counted and nothing is refused.
///
/// ```
/// use atlas_connectors_gmail::mock::{Prices, Quota};
///
/// let quota = Quota::of(Prices::New).with_concurrent(10);
/// assert_eq!(quota.units_per_minute, 6_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// Units per user in any sixty seconds (a sliding window: the strictest reading of "per minute").
    pub units_per_minute: u32,
    /// Requests of one user in the air at once; `None` is no limit. Only a latency keeps requests in the air.
    pub concurrent: Option<usize>,
    /// Mails of one user in any twenty-four hours; `None` is no limit.
    pub sends_per_day: Option<u32>,
    /// Whether spent units are answered as 429 with a time in the text instead of 403 `rateLimitExceeded`.
    pub as_429: bool,
}

impl Quota {
    /// The documented limit of this price list: 15,000 or 6,000 units a minute and user, nothing else.
    pub fn of(prices: Prices) -> Self {
        Self {
            units_per_minute: prices.units_per_minute(),
            concurrent: None,
            sends_per_day: None,
            as_429: false,
        }
    }

    /// With another number of units a minute.
    #[must_use]
    pub fn with_units_per_minute(mut self, units: u32) -> Self {
        self.units_per_minute = units;
        self
    }

    /// With a limit on requests in the air.
    #[must_use]
    pub fn with_concurrent(mut self, requests: usize) -> Self {
        self.concurrent = Some(requests);
        self
    }

    /// With a limit on mails a day.
    #[must_use]
    pub fn with_sends_per_day(mut self, sends: u32) -> Self {
        self.sends_per_day = Some(sends);
        self
    }

    /// Answering spent units as 429 with "Retry after" in the text.
    #[must_use]
    pub fn answered_as_429(mut self) -> Self {
        self.as_429 = true;
        self
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What each user has spent, on the mock's monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Meter {
    users: HashMap<String, Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    units: VecDeque<(Duration, u32)>,
    in_window: u64,
    /// Ends of the answers that are in the air.
    air: Vec<Duration>,
    sends: VecDeque<Duration>,
}

/// A refusal, and how long until it makes sense to come back.
pub(super) struct Refusal {
    pub(super) error: ApiError,
    pub(super) wait: Duration,
}

impl Meter {
    /// Charges a call, or says why not. A refused call costs nothing.
    pub(super) fn charge(
        &mut self,
        quota: Option<&Quota>,
        user: &str,
        units: u32,
        sends: bool,
        now: Duration,
        latency: Duration,
    ) -> Result<(), Refusal> {
        let spent = self.users.entry(user.to_owned()).or_default();
        spent.forget(now);
        if let Some(quota) = quota {
            if quota.concurrent.is_some_and(|limit| spent.air.len() >= limit) {
                return Err(Refusal {
                    error: ApiError::TooManyConcurrentRequests,
                    wait: latency,
                });
            }
            if sends
                && quota
                    .sends_per_day
                    .is_some_and(|limit| spent.sends.len() >= limit as usize)
            {
                return Err(Refusal {
                    error: ApiError::MailSendingLimit,
                    wait: DAY,
                });
            }
            if spent.in_window + u64::from(units) > u64::from(quota.units_per_minute) {
                return Err(Refusal {
                    error: ApiError::QuotaExceeded,
                    wait: spent.wait_for(units, quota, now),
                });
            }
        }
        spent.take(units, now);
        if sends {
            spent.sends.push_back(now);
        }
        if !latency.is_zero() {
            spent.air.push(now + latency);
        }
        Ok(())
    }

    /// Units that another client of the same mailbox spends.
    pub(super) fn take(&mut self, user: &str, units: u32, now: Duration) {
        let spent = self.users.entry(user.to_owned()).or_default();
        spent.forget(now);
        spent.take(units, now);
    }
}

impl Spent {
    fn take(&mut self, units: u32, now: Duration) {
        if units == 0 {
            return;
        }
        self.in_window += u64::from(units);
        match self.units.back_mut() {
            Some((at, sum)) if *at == now => *sum += units,
            _ => self.units.push_back((now, units)),
        }
    }

    fn forget(&mut self, now: Duration) {
        while let Some((at, units)) = self.units.front().copied() {
            if now.saturating_sub(at) < MINUTE {
                break;
            }
            self.in_window = self.in_window.saturating_sub(u64::from(units));
            self.units.pop_front();
        }
        while self.sends.front().is_some_and(|at| now.saturating_sub(*at) >= DAY) {
            self.sends.pop_front();
        }
        self.air.retain(|end| *end > now);
    }

    /// Until enough units have left the window.
    fn wait_for(&self, units: u32, quota: &Quota, now: Duration) -> Duration {
        let mut left = self.in_window;
        for (at, spent) in &self.units {
            left = left.saturating_sub(u64::from(*spent));
            if left + u64::from(units) <= u64::from(quota.units_per_minute) {
                return (*at + MINUTE).saturating_sub(now);
            }
        }
        MINUTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_slides() {
        let quota = Quota::of(Prices::New);
        let mut meter = Meter::default();
        let at = Duration::from_secs;
        let mut charge = |units, now| meter.charge(Some(&quota), "a", units, false, now, Duration::ZERO);
        assert!(charge(3_000, at(0)).is_ok());
        assert!(charge(3_000, at(30)).is_ok());
        let refusal = charge(20, at(59)).err().unwrap();
        assert_eq!(refusal.error, ApiError::QuotaExceeded);
        assert_eq!(refusal.wait, at(1));
        assert!(charge(3_000, at(60)).is_ok());
        assert!(charge(20, at(89)).is_err());
        assert!(charge(20, at(90)).is_ok());
    }

    #[test]
    fn requests_in_the_air_are_limited_until_they_land() {
        let quota = Quota::of(Prices::Old).with_concurrent(2);
        let mut meter = Meter::default();
        let slow = Duration::from_millis(20);
        for _ in 0..2 {
            assert!(meter.charge(Some(&quota), "a", 5, false, Duration::ZERO, slow).is_ok());
        }
        let refusal = meter
            .charge(Some(&quota), "a", 5, false, Duration::ZERO, slow)
            .err()
            .unwrap();
        assert_eq!(refusal.error, ApiError::TooManyConcurrentRequests);
        assert!(meter.charge(Some(&quota), "b", 5, false, Duration::ZERO, slow).is_ok());
        assert!(meter.charge(Some(&quota), "a", 5, false, slow, slow).is_ok());
    }
}
