//! `mock::Sap`: an SAP system on loopback for test harnesses, demonstrations and benches.
//!
//! It answers V2 and V4 services over the same records as an ABAP system does: security sessions and CSRF tokens, server
//! paging, etags, locks, business rules with messages, batches in all forms, function imports and actions, a draft entity,
//! the service catalog, and services that are missing or forbidden. It misbehaves by script and counts the effects that it
//! accepted. It knows nothing of this library: whatever speaks HTTP can be tested against it.
//!
//! | to | use |
//! | --- | --- |
//! | start it | [`Sap::start`], [`Sap::builder`] (clock, tokens, page sizes, careless services, padded keys) |
//! | log on | [`WRITER`], [`READER`], [`NOBODY`] with [`PASSWORD`]; [`Sap::accept_bearer`] |
//! | act as a colleague | [`Sap::edit`], [`Sap::insert`], [`Sap::remove`], [`Sap::lock`], [`Sap::unlock`] |
//! | act as an administrator | [`Sap::unregister`], [`Sap::forbid`], [`Sap::close`], [`Sap::end_sessions`] |
//! | break things | [`Sap::faults`] |
//! | assert | [`Sap::counters`], [`Sap::count`], [`Sap::field`] |
//!
//! ```
//! use atlas_connectors::testkit::server::Fault;
//! use atlas_connectors_erp::mock::Sap;
//! use atlas_connectors_erp::mock::sap::Table;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let sap = Sap::start().await?;
//! sap.lock(Table::SalesOrder, "7");
//! sap.faults().next("create", Fault::CutAfter);
//! // Point the code under test at `sap.uri()`.
//! assert_eq!(sap.field(Table::SalesOrder, "1", "PurchaseOrderByCustomer").as_deref(), Some("CUST-0001"));
//! assert_eq!(sap.counters().effects(), 0);
//! # Ok(()) }
//! ```
//!
//! # What is like an ABAP system and what is not
//! Status, codes and envelopes of errors, names and types of fields, sessions, paging and batches follow `sap-odata.md`;
//! `tests/sap_drift.rs` compares shapes with recorded traffic. Plainly different: HTTP/1.1 without TLS, no Atom, a handful
//! of sets with a handful of fields, one client, answers never compressed.

mod answer;
mod batch;
mod body;
mod counters;
mod door;
mod filter;
mod metadata;
mod read;
mod route;
mod schema;
mod seed;
mod server;
mod service;
mod world;
mod write;

pub use counters::Counters;
pub use schema::Table;
pub use server::{Builder, NOBODY, PASSWORD, READER, Sap, Tokens, WRITER};
