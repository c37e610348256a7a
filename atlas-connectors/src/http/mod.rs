//! HTTP: one pipeline for every call, in a fixed order.

mod body;
mod budget;
mod call;
mod classify;
mod client;
mod deadline;
mod gate;
mod governor;
mod origin;
mod pipeline;
mod redirect;
mod retry;
mod retry_after;
mod stream;
mod transport;

pub use call::{Auth, Call, CallClass, Response};
pub use classify::{Classify, Failure};
pub use client::{Client, ClientBuilder};
pub use gate::ConnectionGate;
pub use governor::{Governor, GovernorState, Permit, ProjectPause, Quota};
pub use origin::Origin;
pub use retry::{Jitter, RetryPolicy, SystemJitter};
pub use retry_after::{LONGEST_PAUSE, clamp_retry, parse_retry_after, retry_after};
pub use stream::ByteStream;
pub use transport::HttpTransport;
#[cfg(any(test, feature = "testkit"))]
pub(crate) use transport::collect;
