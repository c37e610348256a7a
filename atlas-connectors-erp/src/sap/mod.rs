//! SAP OData, V2 and V4, by one connector.
//!
//! [`SapBuilder`] makes a [`SapConnector`], which stands behind the core's
//! [`ErpConnector`](atlas_connectors::erp::ErpConnector). What is special about SAP, and where it is dealt with:
//!
//! | matter | here |
//! | --- | --- |
//! | a service is a V2 name or the four parts of a V4 group; the client belongs to the system | [`ServiceAddress`], [`SystemAddress`] |
//! | five ways to sign in; a wrong password is sent once | [`SapAuth`] |
//! | CSRF token and cookies, one session for all tasks | inside; nothing to do |
//! | 403 and 404 mean several things | [`SapErrors::situation`] |
//! | a service may be missing, or list itself in a catalog | [`SapConnector::listed_services`] |
//! | what a host's form asks for | [`connector_form`], [`check_form`] |
//! | the common documents in V2's and V4's words | [`document_map`] |
//!
//! Set names are entity names: `A_SalesOrder` in V2, `SalesOrder` in V4.

mod address;
mod auth;
mod base;
mod batch;
mod builder;
mod catalog;
mod catalog_service;
mod changes;
mod classify;
mod commit;
mod connector;
mod cookies;
mod documents;
mod drafts;
mod form;
pub(crate) mod http_date;
mod keys;
mod lenient;
mod parameters;
mod plan;
mod probe;
mod read;
mod reconcile;
mod schema;
mod session;
#[cfg(all(test, feature = "testkit"))]
mod session_tests;
mod token;

pub use address::{ServiceAddress, SystemAddress};
pub use auth::{ReadyHeaders, SapAuth};
pub use builder::SapBuilder;
pub use catalog_service::ListedService;
pub use classify::{SapErrors, Situation};
pub use connector::SapConnector;
pub use documents::document_map;
pub use form::{check_form, connector_form};

/// The provider's name in connections and errors.
pub const PROVIDER: &str = "sap";

/// The provider's name as an id.
pub fn provider() -> atlas_connectors::ProviderId {
    PROVIDER.into()
}
