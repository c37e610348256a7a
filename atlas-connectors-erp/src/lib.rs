//! Three ERPs behind one trait: Odoo, SAP OData (V2 and V4) and Microsoft Dynamics 365 Business Central.
//!
//! Each module gives a builder; what it builds is an [`ErpConnector`](atlas_connectors::erp::ErpConnector). From there on one text serves all:
//! documents by common names, records by the provider's own, a catalog that is compared with what a workflow needs, and writes
//! that nobody can make without an approval.
//!
//! ```no_run
//! use std::sync::Arc;
//! use atlas_connectors::ConnectionRef;
//! use atlas_connectors::erp::{DocumentFilter, ErpConnector, ErpConnectorExt as _, SalesOrder};
//! use atlas_connectors::http::HttpTransport;
//! use atlas_connectors_erp::odoo::OdooBuilder;
//! use atlas_connectors_erp::odoo::wire::{Endpoint, Secret};
//!
//! # async fn read(transport: Arc<dyn HttpTransport>, connection: ConnectionRef, key: secrecy::SecretString) -> atlas_connectors::Result<()> {
//! let at = Endpoint::new("https://erp.example.com", "production")?;
//! let odoo = OdooBuilder::new(transport, connection, at, "bot@example.com", Secret::Key(key)).with_company("1").build()?;
//! let erp: Arc<dyn ErpConnector> = Arc::new(odoo); // or a SapConnector, or a BusinessCentral
//!
//! for order in erp.find_documents::<SalesOrder>(&DocumentFilter::all().open().limit(100)).await? {
//!     let total = order.total.as_ref().map(ToString::to_string).unwrap_or_default();
//!     println!("{:?} of {:?}: {total}", order.number, order.customer.name);
//! }
//! # Ok(()) }
//! ```
//!
//! Writes go through gate and outbox of the core: `Effectors::with_erp` lets the outbox drive a connector. The repository's
//! `cargo run -- erp` does the same job on all three, mocks included.
//!
//! # Features
//! | feature | default | gives |
//! | --- | --- | --- |
//! | `odoo` | yes | [`odoo`]: Odoo 14 and later |
//! | `sap` | yes | [`sap`]: SAP OData V2 and V4 |
//! | `business-central` | yes | [`business_central`]: Business Central and Entra ID |
//! | `testkit` | no | `mock`: servers of all of them for your own tests |
//!
//! # What was tried against what
//! Odoo against a mock that is held to some 1,100 recordings of real 18.0 and 19.0 servers; SAP against SAP's own OData stack and application
//! router, and the mock; Business Central against an OData server generated from a real tenant's metadata, and the mock; Entra's sign-in against
//! an emulator and the mock. None of it was run against a customer's system by us. `QUIRKS.md` lists what is odd, with the tests.
#![forbid(unsafe_code)]

#[cfg(feature = "business-central")]
pub mod business_central;
#[cfg(feature = "testkit")]
pub mod mock;
#[cfg(feature = "odata")]
pub mod odata;
#[cfg(feature = "odoo")]
pub mod odoo;
#[cfg(feature = "odata")]
pub mod rows;
#[cfg(feature = "sap")]
pub mod sap;
