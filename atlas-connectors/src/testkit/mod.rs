//! For test harnesses: a clock that is moved by hand, an ERP in memory, behaviour suites, fault injection, crash points and, with the feature
//! `mock-server`, the shell of mock servers.

mod clock;
mod crash;
pub(crate) mod erp;
#[cfg(any(test, feature = "mock-server"))]
pub mod server;
pub mod suites;
mod transport;

pub use clock::ManualClock;
pub use crash::{CrashPoint, DropAt};
pub use erp::{ErpFault, MemoryErp, RecordStates};
pub use transport::{Fault, FaultTransport, ReplayTransport, ScriptedTransport, SentRequest};
