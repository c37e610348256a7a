//! The faults that every mock can have, and the handle by which a test scripts them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::{Answer, Match, Request, Script, WireFault};

/// What goes wrong with one call, and whether its effect happens.
///
/// ```
/// use std::time::Duration;
/// use atlas_connectors::testkit::server::Fault;
///
/// let slow = Fault::Delay(Duration::from_millis(50));
/// let lost = Fault::CutAfter;
/// assert!(lost.carries_out() && slow.carries_out());
/// assert!(!Fault::CutBefore.carries_out() && !Fault::status(503).carries_out());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is carried out; exactly this is answered.
    Answer(Answer),
    /// The request is carried out; something else is answered, such as a gateway's 504 after the effect.
    AnswerAfter(Answer),
    /// The request is carried out and answered in full, this much later.
    Delay(Duration),
    /// The connection is closed before anything is carried out.
    CutBefore,
    /// The request is carried out, then the connection is closed without an answer.
    CutAfter,
    /// The request is carried out; the answer breaks off after this many bytes of its body.
    Truncate(usize),
    /// The request is carried out; the body comes in pieces of so many bytes with a pause before each.
    Drip {
        /// Bytes a piece, at least one.
        bytes: usize,
        /// The pause.
        every: Duration,
    },
    /// Nothing is carried out and nothing is ever answered; the connection stays open until the client leaves.
    HangBefore,
    /// The request is carried out and nothing is ever answered: a time-out after the effect.
    HangAfter,
    /// The request is carried out; the answer is a page in HTML with status 200, as a captive portal serves.
    HtmlAfter,
    /// The request is carried out; the answer is well-formed JSON of a shape that no caller expects.
    OtherJsonAfter,
}

impl Fault {
    /// Nothing is carried out; a bare status is answered.
    pub fn status(status: u16) -> Self {
        Self::Answer(Answer::empty(status))
    }

    /// Nothing is carried out; this JSON is answered.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::Answer(Answer::json(status, value))
    }

    /// Nothing is carried out; text of this content type is answered.
    pub fn text(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self::Answer(Answer::of(status, content_type, body))
    }

    /// Nothing is carried out; a page in HTML is answered with this status, as front ends do.
    pub fn html(status: u16) -> Self {
        Self::Answer(Answer::html(status, "Error"))
    }

    /// Whether the provider carries the request out under this fault, whatever the client sees.
    pub fn carries_out(&self) -> bool {
        !matches!(self, Self::Answer(_) | Self::CutBefore | Self::HangBefore)
    }

    /// Carries a request out, or not, and spoils its answer.
    pub fn strike(self, carry_out: impl FnOnce() -> Answer) -> Answer {
        match self {
            Self::Answer(answer) => answer,
            Self::AnswerAfter(answer) => {
                carry_out();
                answer
            }
            Self::Delay(delay) => carry_out().delayed_by(delay),
            Self::CutBefore => Answer::empty(200).spoiled_by(WireFault::Cut),
            Self::CutAfter => carry_out().spoiled_by(WireFault::Cut),
            Self::Truncate(after) => carry_out().spoiled_by(WireFault::Truncate(after)),
            Self::Drip { bytes, every } => carry_out().spoiled_by(WireFault::Drip {
                bytes: bytes.max(1),
                every,
            }),
            Self::HangBefore => Answer::empty(200).spoiled_by(WireFault::Hang),
            Self::HangAfter => carry_out().spoiled_by(WireFault::Hang),
            Self::HtmlAfter => {
                carry_out();
                Answer::html(200, "Sign in to the network")
            }
            Self::OtherJsonAfter => {
                carry_out();
                Answer::of(200, "application/json", r#"[{"unexpected":[1,2,3]}]"#)
            }
        }
    }
}

impl From<Answer> for Fault {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// The script of faults of one mock. Clones are handles to the same script: the mock keeps one and hands one out.
///
/// Entries are asked in the order in which they were added; the first that is due is taken. Calls are named as the mock names its
/// operations, or by a [`Match`] of method and path.
///
/// ```
/// use atlas_connectors::testkit::server::{Answer, Fault, Faults, Request};
///
/// let faults = Faults::default();
/// faults.nth("read", 2, Fault::status(503));
/// let read = Request::new("GET", "/");
/// let mut reads = 0;
/// let mut statuses = Vec::new();
/// for _ in 0..3 {
///     let answer = faults.carry_out("read", &read, || { reads += 1; Answer::empty(204) });
///     statuses.push(answer.status);
/// }
/// assert_eq!((statuses, reads), (vec![204, 503, 204], 2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Script<Fault>>>);

impl Faults {
    /// Strikes the next such call, once.
    pub fn next(&self, on: impl Into<Match>, fault: impl Into<Fault>) -> &Self {
        self.nth(on, 1, fault)
    }

    /// Strikes the n-th such call from now on, counted from 1, once.
    pub fn nth(&self, on: impl Into<Match>, n: u64, fault: impl Into<Fault>) -> &Self {
        self.script().add(on, n.saturating_sub(1), Some(1), fault.into());
        self
    }

    /// Strikes the next so many calls.
    pub fn times(&self, on: impl Into<Match>, times: u64, fault: impl Into<Fault>) -> &Self {
        self.script().add(on, 0, Some(times), fault.into());
        self
    }

    /// Strikes every such call until [`Faults::clear`].
    pub fn always(&self, on: impl Into<Match>, fault: impl Into<Fault>) -> &Self {
        self.script().add(on, 0, None, fault.into());
        self
    }

    /// Answers everything this much later, without blocking other answers. Real time, not the mock's clock.
    pub fn latency(&self, latency: Duration) -> &Self {
        self.script().set_latency(latency);
        self
    }

    /// Answers these calls this much later, instead of the general latency.
    pub fn latency_of(&self, on: impl Into<Match>, latency: Duration) -> &Self {
        self.script().set_latency_of(on, latency);
        self
    }

    /// Forgets all faults and latencies.
    pub fn clear(&self) {
        self.script().clear();
    }

    /// How many faults still wait for a call; 0 at the end of a test proves that each one struck.
    pub fn pending(&self) -> usize {
        self.script().pending()
    }

    /// How many answers a fault has struck so far.
    pub fn struck(&self) -> u64 {
        self.script().struck()
    }

    /// Answers a call as its handler does, or as the script has it. The handler runs at most once, and not at all where the fault
    /// leaves nothing carried out. The script is not locked meanwhile, so a handler may carry out further calls of a batch.
    pub fn carry_out(&self, operation: &str, request: &Request, handler: impl FnOnce() -> Answer) -> Answer {
        let (fault, latency) = {
            let mut script = self.script();
            let fault = script.strike(operation, Some(request));
            (fault, script.latency(operation, Some(request)))
        };
        match fault {
            Some(fault) => fault.strike(handler),
            None => handler(),
        }
        .delayed_by(latency)
    }

    fn script(&self) -> MutexGuard<'_, Script<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_carries_out_what_it_says_it_carries_out() {
        let pause = Duration::from_millis(1);
        for fault in [
            Fault::status(500),
            Fault::html(502),
            Fault::AnswerAfter(Answer::empty(504)),
            Fault::Delay(pause),
            Fault::CutBefore,
            Fault::CutAfter,
            Fault::Truncate(1),
            Fault::Drip { bytes: 1, every: pause },
            Fault::HangBefore,
            Fault::HangAfter,
            Fault::HtmlAfter,
            Fault::OtherJsonAfter,
        ] {
            let mut ran = false;
            let says = fault.carries_out();
            let answer = fault.clone().strike(|| {
                ran = true;
                Answer::empty(204)
            });
            assert_eq!(ran, says, "{fault:?}");
            assert_ne!(answer, Answer::empty(204), "{fault:?} leaves the answer as it is");
        }
    }
}
