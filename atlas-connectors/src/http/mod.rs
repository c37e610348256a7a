//! HTTP: one pipeline for every call, in a fixed order.

mod body;
mod budget;
mod call;
pub(crate) mod challenge;
mod classify;
mod client;
mod deadline;
mod egress;
mod gate;
mod governor;
#[cfg(feature = "reqwest")]
mod gunzip;
mod origin;
mod pipeline;
mod redirect;
#[cfg(feature = "reqwest")]
mod reqwest;
mod resolver;
mod retry;
mod retry_after;
mod stream;
#[cfg(feature = "reqwest")]
mod tls;
mod transport;

pub use call::{Auth, Call, CallClass, Response};
pub use challenge::claims_challenge;
pub use classify::{Classify, Failure};
pub use client::{Client, ClientBuilder};
pub use egress::EgressRules;
pub use gate::ConnectionGate;
pub use governor::{Governor, GovernorState, Permit, ProjectPause, Quota};
#[cfg(feature = "reqwest")]
pub use gunzip::BodyLimits;
pub use origin::Origin;
#[cfg(feature = "reqwest")]
pub use reqwest::{ReqwestTransport, ReqwestTransportBuilder};
pub use resolver::{NameResolver, SystemResolver};
pub use retry::{Jitter, RetryPolicy, SystemJitter};
pub use retry_after::{LONGEST_PAUSE, clamp_retry, parse_retry_after, retry_after};
pub use stream::ByteStream;
#[cfg(feature = "reqwest")]
pub use tls::TlsSettings;
pub use transport::HttpTransport;
#[cfg(any(test, feature = "testkit"))]
pub(crate) use transport::collect;
