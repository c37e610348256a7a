//! Connector SDK core.
#![forbid(unsafe_code)]

pub mod action;
mod clock;
pub mod connection;
pub mod credential;
pub mod error;
pub mod http;
mod ids;
pub mod mail;
pub mod oauth;
mod page;
mod random;
pub mod store;
pub mod sync;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use clock::{Clock, ParseTimestampError, SystemClock, Timestamp};
pub use connection::{ConnectionRef, Identity};
pub use error::{Error, ErrorKind, OAuthError, Result};
pub use ids::{
    ActorId, CompanyId, ConnectionId, CorrelationId, DraftId, Epoch, HolderId, IntentId, LabelId, MessageId,
    ProviderId, SessionId, TenantId, ThreadId, Version,
};
pub use page::{Page, PageToken};
