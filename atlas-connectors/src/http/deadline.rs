//! The overall time of one call.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;

/// A moment on the monotonic clock after which a call is over.
#[derive(Clone, Debug)]
pub(super) struct Deadline {
    clock: Arc<dyn Clock>,
    at: Duration,
}

impl Deadline {
    pub(super) fn after(clock: &Arc<dyn Clock>, time: Duration) -> Self {
        Self {
            clock: Arc::clone(clock),
            at: clock.monotonic().saturating_add(time),
        }
    }

    pub(super) fn remaining(&self) -> Duration {
        self.at.saturating_sub(self.clock.monotonic())
    }

    /// Resolves when it has passed.
    pub(super) async fn passed(&self) {
        // The clock may be moved while this sleeps; only the monotonic reading counts.
        while !self.remaining().is_zero() {
            self.clock.sleep(self.remaining()).await;
        }
    }
}
