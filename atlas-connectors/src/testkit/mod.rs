//! For test harnesses: a clock that is moved by hand, behaviour suites, fault injection and crash points.

mod clock;
mod crash;
pub mod suites;
mod transport;

pub use clock::ManualClock;
pub use crash::{CrashPoint, DropAt};
pub use transport::{Fault, FaultTransport, ReplayTransport, ScriptedTransport, SentRequest};
