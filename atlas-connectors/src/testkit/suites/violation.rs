//! What every suite shares.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::testkit::ManualClock;

/// A sentence of a contract that an implementation breaks.
#[derive(Debug)]
pub struct Violation {
    case: &'static str,
    what: String,
}

impl Violation {
    /// A violation found by this case.
    pub fn new(case: &'static str, what: impl fmt::Display) -> Self {
        Self {
            case,
            what: what.to_string(),
        }
    }

    /// Name of the case that found it.
    pub fn case(&self) -> &'static str {
        self.case
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.what)
    }
}

impl std::error::Error for Violation {}

/// How a suite lets time pass for the implementation under test.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Pace<'a> {
    /// The implementation follows this clock.
    Manual(&'a ManualClock),
    /// The implementation follows a clock of its own, a database server's for instance: the suite really waits. Its spans
    /// are a second at most.
    Real,
}

impl Pace<'_> {
    /// Lets this span pass.
    pub async fn pass(&self, span: Duration) {
        match self {
            Self::Manual(clock) => clock.advance(span),
            Self::Real => SystemClock.sleep(span).await,
        }
    }
}

/// One case of a suite: its name, and checks that say what they expected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case(pub(super) &'static str);

impl Case {
    /// The condition must hold.
    pub(super) fn check(self, holds: bool, expected: &str) -> Result<(), Violation> {
        if holds {
            Ok(())
        } else {
            Err(Violation::new(self.0, expected))
        }
    }

    /// The call must succeed.
    pub(super) fn ok<T>(self, outcome: Result<T, Error>, call: &str) -> Result<T, Violation> {
        outcome.map_err(|error| Violation::new(self.0, format_args!("{call} failed: {error}")))
    }

    /// The call must fail with this code.
    pub(super) fn refused<T>(self, outcome: Result<T, Error>, code: &str, call: &str) -> Result<(), Violation> {
        match outcome {
            Ok(_) => Err(Violation::new(
                self.0,
                format_args!("{call} succeeded, expected {code}"),
            )),
            Err(error) if error.code() == code => Ok(()),
            Err(error) => Err(Violation::new(
                self.0,
                format_args!("{call} failed with {}, expected {code}", error.code()),
            )),
        }
    }
}

/// Lets the other side of a `join` run.
pub(super) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
