//! A clock that moves only when told to.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::{Clock, Timestamp};

/// A clock for tests: time stands still until [`ManualClock::advance`]. Clones share the time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    start: Timestamp,
    /// Added to the wall clock only: a jump of the system time.
    jump_millis: i64,
    elapsed: Duration,
    sleepers: Vec<(Duration, oneshot::Sender<()>)>,
}

impl ManualClock {
    /// A clock standing at this moment.
    pub fn new(start: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(State {
            start,
            jump_millis: 0,
            elapsed: Duration::ZERO,
            sleepers: Vec::new(),
        })))
    }

    /// Lets time pass and wakes everyone whose sleep is over.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.elapsed = state.elapsed.saturating_add(by);
        let now = state.elapsed;
        let (due, waiting) = std::mem::take(&mut state.sleepers)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        state.sleepers = waiting;
        drop(state);
        let due: Vec<(Duration, oneshot::Sender<()>)> = due;
        for (_, wake) in due {
            // Whoever slept may have been dropped meanwhile.
            let _ = wake.send(());
        }
    }

    /// Moves the wall clock without letting time pass, forwards or back, as an administrator would.
    pub fn jump(&self, millis: i64) {
        let mut state = self.state();
        state.jump_millis = state.jump_millis.saturating_add(millis);
    }

    /// How long until the next sleeper wakes; `None` if nobody sleeps.
    pub fn next_wake(&self) -> Option<Duration> {
        let state = self.state();
        state
            .sleepers
            .iter()
            .map(|(at, _)| at.saturating_sub(state.elapsed))
            .min()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let state = self.state();
        let shifted = Timestamp::from_unix_millis(state.start.unix_millis().saturating_add(state.jump_millis));
        shifted.after(state.elapsed)
    }

    fn monotonic(&self) -> Duration {
        self.state().elapsed
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut state = self.state();
        let until = state.elapsed.saturating_add(duration);
        if duration.is_zero() {
            return Box::pin(std::future::ready(()));
        }
        let (wake, woken) = oneshot::channel();
        state.sleepers.push((until, wake));
        Box::pin(async move {
            // An error means that the clock itself is gone: nobody will ever advance it.
            if woken.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
