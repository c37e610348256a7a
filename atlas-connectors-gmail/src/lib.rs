//! Gmail for the Atlas connector SDK.
#![forbid(unsafe_code)]

mod attachment;
pub mod base64;
pub mod batch;
mod classify;
mod dialect;
mod endpoints;
mod quota;
pub mod scopes;
pub mod wire;

pub use classify::GmailErrors;
pub use dialect::GoogleOAuth;
pub use endpoints::Endpoints;
pub use quota::{CONCURRENCY, Tariff};

/// The provider's stable name in code, spans and errors.
pub const PROVIDER: &str = "gmail";

/// The provider's name as an id.
pub fn provider() -> atlas_connectors::ProviderId {
    PROVIDER.into()
}
