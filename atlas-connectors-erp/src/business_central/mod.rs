//! Microsoft Dynamics 365 Business Central and its sign-in, Entra ID.

mod address;
mod body;
mod catalog;
mod classify;
mod documents;
pub mod entra;
mod form;
pub mod member;
mod operation;
mod quota;
pub mod unset;
pub mod webhooks;

pub use address::{Address, ApiRoute, CLOUD, ENVIRONMENTS};
pub use classify::BusinessCentralErrors;
pub use documents::document_map;
pub use form::connector_form;
pub use quota::Limits;

/// The provider's stable name in code, spans and errors.
pub const PROVIDER: &str = "business_central";

/// The provider's name as an id.
pub fn provider() -> atlas_connectors::ProviderId {
    PROVIDER.into()
}
