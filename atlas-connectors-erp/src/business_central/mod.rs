//! Microsoft Dynamics 365 Business Central and its sign-in, Entra ID.
//!
//! | to | use |
//! | --- | --- |
//! | say where it lives | [`Address`]: cloud, on premises, custom API routes |
//! | draw the card | [`connector_form`] |
//! | connect | [`BusinessCentralBuilder`] → [`BusinessCentral`], an [`ErpConnector`](atlas_connectors::erp::ErpConnector) |
//! | sign in | [`entra`] |
//! | choose environment and company | [`BusinessCentral::environments`], `companies()` |
//! | hear of changes | [`webhooks`], or `changes()` |

mod address;
mod builder;
mod catalog;
mod changes;
mod classify;
mod company;
mod connector;
mod described;
mod documents;
pub mod entra;
mod environments;
mod form;
mod learned;
pub mod member;
mod operation;
mod probe;
mod quota;
mod reading;
mod service;
mod translate;
pub mod unset;
pub mod webhooks;
mod writing;

pub use address::{Address, ApiRoute, CLOUD, ENVIRONMENTS};
pub use builder::{BusinessCentralBuilder, ClientIds};
pub use classify::BusinessCentralErrors;
pub use connector::BusinessCentral;
pub use documents::document_map;
pub use environments::Environment;
pub use form::connector_form;
pub use quota::Limits;

use atlas_connectors::{Error, ErrorKind};

/// The provider's stable name in code, spans and errors.
pub const PROVIDER: &str = "business_central";

/// The provider's name as an id.
pub fn provider() -> atlas_connectors::ProviderId {
    PROVIDER.into()
}

/// An error of this provider.
fn failed(kind: impl Into<ErrorKind>, operation: &'static str) -> Error {
    Error::new(kind, operation).with_provider(provider())
}

/// A setting or argument that is wrong, found before anything was sent.
fn invalid(operation: &'static str, what: &'static str, why: &'static str) -> Error {
    failed(ErrorKind::Invalid { what, why }, operation)
}
