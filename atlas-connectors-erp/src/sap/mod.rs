//! SAP OData, V2 and V4, by one connector.

mod address;
mod auth;
mod classify;
mod cookies;
mod session;
#[cfg(all(test, feature = "testkit"))]
mod session_tests;

pub use address::{ServiceAddress, SystemAddress};
pub use auth::{ReadyHeaders, SapAuth};
pub use classify::{SapErrors, Situation};

/// The provider's name in connections and errors.
pub const PROVIDER: &str = "sap";

/// The provider's name as an id.
pub fn provider() -> atlas_connectors::ProviderId {
    PROVIDER.into()
}
