//! Connector SDK core.
#![forbid(unsafe_code)]

mod clock;
pub mod error;
mod ids;
mod random;

pub use clock::{Clock, ParseTimestampError, SystemClock, Timestamp};
pub use error::{Error, ErrorKind, OAuthError, Result};
pub use ids::{
    ActorId, ConnectionId, CorrelationId, DraftId, Epoch, HolderId, IntentId, LabelId, MessageId, ProviderId, SessionId,
    TenantId, ThreadId, Version,
};
