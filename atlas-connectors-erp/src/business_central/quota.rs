//! What Business Central allows one user, and what a client asks for out of it.
//!
//! Source: `business-central.md`, section 7. The service tells none of this in headers.

use std::time::Duration;

use atlas_connectors::http::Quota;

/// The limits of the cloud for one user, application users included. Settings: a contract may have others, and on
/// premises they are what the administrator has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Requests within [`Limits::window`], answered 429 beyond.
    pub requests: u32,
    /// The sliding window of [`Limits::requests`].
    pub window: Duration,
    /// Requests worked on at once; the next ones queue.
    pub concurrent: u32,
    /// Requests that may queue, answered 429 beyond.
    pub queue: u32,
    /// Longest wait in the queue, answered 503 beyond.
    pub queue_wait: Duration,
    /// Longest run of one request, answered 408 beyond (504 by the gateway two minutes later).
    pub run: Duration,
    /// Operations in one `$batch`; one more is answered 500.
    pub batch: usize,
    /// Rows of one page; asking for more is answered 413.
    pub page: u32,
    /// Bytes of one request body, answered 413 beyond.
    pub body: u64,
    /// Webhook subscriptions of one environment.
    pub subscriptions: u32,
}

impl Limits {
    /// Microsoft's cloud, as documented on 2025-04-08.
    pub const CLOUD: Self = Self {
        requests: 6_000,
        window: Duration::from_secs(300),
        concurrent: 5,
        queue: 95,
        queue_wait: Duration::from_secs(480),
        run: Duration::from_secs(480),
        batch: 100,
        page: 20_000,
        body: 350 * 1024 * 1024,
        subscriptions: 200,
    };

    /// What one connection asks for: nine tenths of the rate and one request fewer at once than allowed, so that a
    /// person at the same account still gets through. For the cloud 1,080 requests a minute (18 a second), 4 at once.
    pub fn quota(&self) -> Quota {
        let seconds = self.window.as_secs().max(1);
        let a_minute = u64::from(self.requests).saturating_mul(60) / seconds;
        let asked = u32::try_from(a_minute.saturating_mul(9) / 10).unwrap_or(u32::MAX);
        Quota::per_minute(asked.max(1)).with_concurrency(self.concurrent.saturating_sub(1))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::CLOUD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cloud_gives_four_at_once_and_eighteen_a_second() {
        let quota = Limits::CLOUD.quota();
        assert_eq!(quota.units_per_minute, Some(1_080));
        assert_eq!(quota.concurrency, 4);
    }
}
