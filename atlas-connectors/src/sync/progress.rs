//! How a run is getting on, and what came of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::sync::Coverage;

/// What was done, in messages unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SyncCounts {
    /// Changes and listed items read.
    pub listed: u64,
    /// Fetched.
    pub fetched: u64,
    /// Stored or handed to the sink, new ones and those read again.
    pub stored: u64,
    /// Whose labels changed.
    pub relabeled: u64,
    /// Removed: deleted, or moved to where the settings do not look.
    pub removed: u64,
    /// Known already, and therefore passed over.
    pub duplicates: u64,
    /// Left out by the settings: spam, trash, drafts, too old.
    pub excluded: u64,
    /// Gone between the list and the read.
    pub missing: u64,
    /// That failed in a way that repeating does not cure.
    pub failed: u64,
    /// Bytes of the messages stored, about.
    pub bytes: u64,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SyncPhase {
    /// No run is under way.
    #[default]
    Idle,
    /// Messages that failed in earlier runs are tried again.
    Retrying,
    /// Changes since the last position are read.
    Following,
    /// The mailbox is listed, for the first time or to repair a gap.
    Listing,
    /// The newest part is listed once more.
    Confirming,
    /// Known messages that were not listed are looked at.
    Sweeping,
}

/// How a run is getting on. Watch it with [`crate::sync::SyncEngine::progress`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SyncProgress {
    /// What it is doing.
    pub phase: SyncPhase,
    /// What it has done.
    pub counts: SyncCounts,
    /// Items of the listing under way that are done, those of earlier runs included.
    pub done: u64,
    /// The provider's estimate of all items of the listing under way.
    pub estimate: Option<u64>,
    /// Items a second in this run.
    pub rate: f64,
    /// How long the listing will take still, at this rate.
    pub remaining: Option<Duration>,
}

/// What came of a run that reached the end of the changes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SyncReport {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// When the last read of changes that came back complete was begun: the mailbox was reachable then.
    pub proven: Timestamp,
    /// When the newest message of this run was received at the provider; `None` if no message came.
    pub newest_signal: Option<Timestamp>,
    /// What it has done.
    pub counts: SyncCounts,
    /// What is complete now.
    pub coverage: Coverage,
}

impl SyncReport {
    /// Whether a message received at or after this moment came in with this run: the fresh signal that a reconnect waits for. What
    /// was stored before does not count.
    pub fn has_signal_since(&self, moment: Timestamp) -> bool {
        self.newest_signal.is_some_and(|newest| newest >= moment)
    }
}

impl SyncProgress {
    /// With rate and remaining time worked out from the span since the run began.
    pub(super) fn measured(mut self, listed_in_run: u64, span: Duration) -> Self {
        let seconds = span.as_secs_f64();
        if seconds > 0.0 {
            #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
            let items = listed_in_run as f64;
            self.rate = items / seconds;
        }
        if let Some(estimate) = self.estimate
            && self.rate > 0.0
        {
            #[allow(clippy::cast_precision_loss, reason = "a time for people")]
            let left = estimate.saturating_sub(self.done) as f64;
            self.remaining = Duration::try_from_secs_f64(left / self.rate).ok();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_remaining_time() {
        let progress = SyncProgress {
            done: 600,
            estimate: Some(1000),
            ..SyncProgress::default()
        };
        let measured = progress.measured(200, Duration::from_secs(10));
        assert!((measured.rate - 20.0).abs() < 1e-9);
        assert_eq!(measured.remaining, Some(Duration::from_secs(20)));
        let none = progress.measured(0, Duration::ZERO);
        assert_eq!((none.rate, none.remaining), (0.0, None));
    }
}
