//! Gmail for the Atlas connector SDK.
#![forbid(unsafe_code)]

mod account;
mod attachment;
pub mod base64;
pub mod batch;
mod builder;
mod classify;
mod dialect;
mod endpoints;
mod full;
mod gmail;
mod mailbox;
pub mod query;
mod quota;
pub mod scopes;
mod sending;
pub mod wire;

pub use account::GmailAccount;
pub use builder::{Baseline, GmailBuilder, TRUSTED_SERVER};
pub use classify::GmailErrors;
pub use dialect::GoogleOAuth;
pub use endpoints::Endpoints;
pub use gmail::Gmail;
pub use mailbox::GmailMailbox;
pub use quota::{CONCURRENCY, Tariff};

/// The provider's stable name in code, spans and errors.
pub const PROVIDER: &str = "gmail";

/// The provider's name as an id.
pub fn provider() -> atlas_connectors::ProviderId {
    PROVIDER.into()
}
