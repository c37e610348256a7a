//! The quota governor: one account's units a minute and requests at once, shared by all its clients.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Timestamp};
use crate::error::{ErrorKind, ThrottleScope};
use crate::http::budget::Budget;
use crate::http::retry_after::clamp_retry;

/// How long sending rests when the provider says that its limit was hit and not until when: 15 minutes.
const SENDING_REST: Duration = Duration::from_secs(15 * 60);
/// How long a project rests in the same case.
const PROJECT_REST: Duration = Duration::from_secs(30);

/// What a provider allows one account. `gmail.md`, section 6, has Gmail's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// Quota units a minute; `None` where nothing is counted.
    pub units_per_minute: Option<u32>,
    /// Requests under way at once, at least 1.
    pub concurrency: u32,
}

impl Quota {
    /// This many units a minute, ten requests at once.
    pub const fn per_minute(units: u32) -> Self {
        Self {
            units_per_minute: Some(units),
            concurrency: 10,
        }
    }

    /// No units are counted; ten requests at once.
    pub const fn uncounted() -> Self {
        Self {
            units_per_minute: None,
            concurrency: 10,
        }
    }

    /// Sets the number of requests at once.
    #[must_use]
    pub const fn with_concurrency(mut self, requests: u32) -> Self {
        self.concurrency = if requests == 0 { 1 } else { requests };
        self
    }
}

/// A pause that all accounts of one project share. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct ProjectPause(Arc<Mutex<Duration>>);

impl ProjectPause {
    /// No pause.
    pub fn new() -> Self {
        Self::default()
    }

    fn until(&self) -> Duration {
        *lock(&self.0)
    }

    fn extend(&self, until: Duration) {
        let mut now = lock(&self.0);
        *now = until.max(*now);
    }
}

/// Admits the calls of one account in the order in which they came: a token bucket priced in the provider's units, a
/// bound on requests at once, and pauses for the whole account. Per process; clones share it.
///
/// It learns from refusals. An account whose budget is shared with a client nobody sees (a phone, another process)
/// settles below that client's share and takes more when there is more. Dropping a waiting call costs nothing.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use atlas_connectors::SystemClock;
/// use atlas_connectors::http::{Governor, Quota};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let governor = Governor::new(Quota::per_minute(6_000), Arc::new(SystemClock));
/// let permit = governor.admit(20, false, Duration::from_secs(10)).await.unwrap();
/// // … one call …
/// drop(permit);
/// # });
/// ```
#[derive(Clone)]
pub struct Governor(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    project: ProjectPause,
    /// Whoever holds it is the first in line; tokio's mutex is fair.
    line: tokio::sync::Mutex<()>,
    /// A request has ended.
    ended: Notify,
    state: Mutex<State>,
}

struct State {
    /// `None` where nothing is counted.
    budget: Option<Budget>,
    /// Pause of an account whose units are not counted.
    rests_until: Duration,
    sending_rests_until: Duration,
    in_flight: u32,
    waiting: u32,
    /// Requests at once: the setting, and what the provider bears at present.
    most: u32,
    bearable: f64,
    narrowed_at: Option<Duration>,
}

/// What a governor does at present, for a progress display or a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GovernorState {
    /// Units a minute at the present rate; `None` where nothing is counted.
    pub units_per_minute: Option<f64>,
    /// Requests under way.
    pub in_flight: u32,
    /// Calls in line.
    pub waiting: u32,
    /// Requests allowed at once.
    pub concurrency: u32,
    /// How long the account still rests after a refusal.
    pub resting: Option<Duration>,
    /// How long sending still rests after a refusal.
    pub sending_resting: Option<Duration>,
}

impl Governor {
    /// A governor with a full bucket.
    pub fn new(quota: Quota, clock: Arc<dyn Clock>) -> Self {
        Self::with_project(quota, clock, ProjectPause::new())
    }

    /// A governor that shares the pauses of its project with others.
    pub fn with_project(quota: Quota, clock: Arc<dyn Clock>, project: ProjectPause) -> Self {
        let now = clock.monotonic();
        Self(Arc::new(Shared {
            clock,
            project,
            line: tokio::sync::Mutex::new(()),
            ended: Notify::new(),
            state: Mutex::new(State {
                budget: quota.units_per_minute.map(|units| Budget::new(units, now)),
                rests_until: Duration::ZERO,
                sending_rests_until: Duration::ZERO,
                in_flight: 0,
                waiting: 0,
                most: quota.concurrency.max(1),
                bearable: f64::from(quota.concurrency.max(1)),
                narrowed_at: None,
            }),
        }))
    }

    /// Waits in line until a call of this price may go. `sends` marks calls that send mail: they also keep the pause of
    /// sending. Gives up at once if a known pause outlasts `patience`.
    ///
    /// # Errors
    /// [`ErrorKind::Throttled`] with the end of the pause, [`ErrorKind::DeadlineExceeded`] once patience is over.
    pub async fn admit(&self, cost: u32, sends: bool, patience: Duration) -> Result<Permit, ErrorKind> {
        // The usual case: nobody waits, and there is enough.
        if !sends
            && let Ok(_first) = self.0.line.try_lock()
            && let Verdict::Go(permit) = self.try_admit(cost)
        {
            return Ok(permit);
        }
        let until = self.0.clock.monotonic().saturating_add(patience);
        let mut over = self.0.clock.sleep(patience);
        tokio::select! {
            biased;
            permit = self.wait_in_line(cost, sends, until) => permit,
            () = &mut over => Err(ErrorKind::DeadlineExceeded),
        }
    }

    /// What it does at present.
    pub fn state(&self) -> GovernorState {
        let now = self.0.clock.monotonic();
        let state = self.lock();
        let left = |until: Duration| Some(until.saturating_sub(now)).filter(|left| !left.is_zero());
        GovernorState {
            units_per_minute: state.budget.as_ref().map(|budget| budget.rate(now) * 60.0),
            in_flight: state.in_flight,
            waiting: state.waiting,
            concurrency: state.concurrency(),
            resting: self.pause(&state, now).map(|(_, rest)| rest),
            sending_resting: left(state.sending_rests_until),
        }
    }

    async fn wait_in_line(&self, cost: u32, sends: bool, until: Duration) -> Result<Permit, ErrorKind> {
        let _waiting = Waiting::enter(self);
        // Mail waits for its own pause outside the line, so that reads go past it.
        while sends && let Some(rest) = self.sending_pause() {
            self.rest(ThrottleScope::Sending, rest, until).await?;
        }
        let _first = self.0.line.lock().await;
        loop {
            match self.try_admit(cost) {
                Verdict::Go(permit) => return Ok(permit),
                Verdict::Rest(scope, rest) => self.rest(scope, rest, until).await?,
                Verdict::Wait(wait) => self.0.clock.sleep(wait).await,
                Verdict::Full => self.0.ended.notified().await,
            }
        }
    }

    fn try_admit(&self, cost: u32) -> Verdict {
        let now = self.0.clock.monotonic();
        let mut state = self.lock();
        if let Some((scope, rest)) = self.pause(&state, now) {
            return Verdict::Rest(scope, rest);
        }
        if state.in_flight >= state.concurrency() {
            return Verdict::Full;
        }
        if let Some(budget) = state.budget.as_mut()
            && let Err(wait) = budget.spend(cost, now)
        {
            return Verdict::Wait(wait);
        }
        state.in_flight = state.in_flight.saturating_add(1);
        Verdict::Go(Permit {
            governor: self.clone(),
            issued: now,
        })
    }

    /// Sleeps through a pause, or gives up at once if it lasts longer than the caller has time.
    async fn rest(&self, scope: ThrottleScope, rest: Duration, until: Duration) -> Result<(), ErrorKind> {
        let clock = &self.0.clock;
        if clock.monotonic().saturating_add(rest) >= until {
            return Err(ErrorKind::Throttled {
                scope,
                until: Some(clock.now().after(rest)),
            });
        }
        clock.sleep(rest).await;
        Ok(())
    }

    fn pause(&self, state: &State, now: Duration) -> Option<(ThrottleScope, Duration)> {
        let account = state.rests_until.saturating_sub(now);
        let budget = state.budget.as_ref().and_then(|budget| budget.resting(now));
        let account = account.max(budget.unwrap_or_default());
        let project = self.0.project.until().saturating_sub(now);
        let (scope, rest) = if project > account {
            (ThrottleScope::Project, project)
        } else {
            (ThrottleScope::Account, account)
        };
        (!rest.is_zero()).then_some((scope, rest))
    }

    fn sending_pause(&self) -> Option<Duration> {
        let now = self.0.clock.monotonic();
        let rest = self.lock().sending_rests_until.saturating_sub(now);
        (!rest.is_zero()).then_some(rest)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

impl fmt::Debug for Governor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Governor").field(&self.state()).finish()
    }
}

enum Verdict {
    Go(Permit),
    /// The whole account or project rests.
    Rest(ThrottleScope, Duration),
    /// The bucket fills.
    Wait(Duration),
    /// As many requests as allowed are under way.
    Full,
}

impl State {
    fn concurrency(&self) -> u32 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "kept between 1 and `most`"
        )]
        let bearable = self.bearable as u32;
        bearable.clamp(1, self.most)
    }
}

/// One admitted call; keep it until its answer has been read. Dropping it lets the next one go.
#[derive(Debug)]
#[must_use = "dropping it lets the next call go"]
pub struct Permit {
    governor: Governor,
    issued: Duration,
}

impl Permit {
    /// The call was answered without a refusal for rate.
    pub fn succeeded(&self) {
        let mut state = self.governor.lock();
        // One more at once for each round of answers.
        let step = 1.0 / state.bearable.max(1.0);
        state.bearable = (state.bearable + step).min(f64::from(state.most));
    }

    /// The provider refused for rate: what counts, and until when if it said so.
    pub fn throttled(&self, scope: ThrottleScope, until: Option<Timestamp>) {
        let shared = &self.governor.0;
        let now = shared.clock.monotonic();
        let wall = shared.clock.now();
        let named = until.map(|until| clamp_retry(until, wall).since(wall));
        let mut state = self.governor.lock();
        match scope {
            ThrottleScope::Sending => {
                let rest = named.unwrap_or(SENDING_REST);
                state.sending_rests_until = state.sending_rests_until.max(now.saturating_add(rest));
            }
            ThrottleScope::Project => {
                let rest = named.unwrap_or(PROJECT_REST);
                shared.project.extend(now.saturating_add(rest));
            }
            ThrottleScope::Request => {
                // Requests under way together are refused together: halve once.
                if state.narrowed_at.is_none_or(|at| self.issued > at) {
                    state.narrowed_at = Some(now);
                    state.bearable = (state.bearable / 2.0).max(1.0);
                }
                if let Some(named) = named {
                    state.rests_until = state.rests_until.max(now.saturating_add(named));
                }
            }
            ThrottleScope::Account => match state.budget.as_mut() {
                Some(budget) => budget.refused(self.issued, now, named),
                None => {
                    let rest = named.unwrap_or(Duration::from_secs(2));
                    state.rests_until = state.rests_until.max(now.saturating_add(rest));
                }
            },
        }
    }

    /// The call succeeded, and the provider asks not to come back before this moment.
    pub fn rest_until(&self, until: Timestamp) {
        let shared = &self.governor.0;
        let wall = shared.clock.now();
        let rest = clamp_retry(until, wall).since(wall);
        let until = shared.clock.monotonic().saturating_add(rest);
        let mut state = self.governor.lock();
        state.rests_until = state.rests_until.max(until);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.governor.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        drop(state);
        self.governor.0.ended.notify_one();
    }
}

/// Counts a call as waiting for as long as it lives.
struct Waiting<'a>(&'a Governor);

impl<'a> Waiting<'a> {
    fn enter(governor: &'a Governor) -> Self {
        let mut state = governor.lock();
        state.waiting = state.waiting.saturating_add(1);
        drop(state);
        Self(governor)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
