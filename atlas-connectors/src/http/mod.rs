//! HTTP: one pipeline for every call, in a fixed order.

mod call;
mod classify;
mod stream;
mod transport;

pub use call::{Auth, Call, CallClass, Response};
pub use classify::{Classify, Failure};
pub use stream::ByteStream;
pub use transport::HttpTransport;
#[cfg(feature = "testkit")]
pub(crate) use transport::collect;
