//! `mock::BusinessCentral`: a Business Central on loopback for test harnesses, demonstrations and benches.
//!
//! It answers API v2.0 with the service's own paths, texts and oddities, has a memory (tenants, environments, companies,
//! customers, vendors, items, orders and invoices with lines), misbehaves by script, and counts the effects that it
//! accepted and kept. It knows nothing of the connector: whatever speaks HTTP can be tested against it.
//!
//! | to | use |
//! | --- | --- |
//! | start it | [`BusinessCentral::start`], [`BusinessCentral::builder`] |
//! | call it | [`BusinessCentral::uri`] in place of the cloud, [`TENANT`], `Production`, a token such as [`FULL`] |
//! | take tokens of a sign-in | [`Builder::identify`], [`BusinessCentral::add_user`] |
//! | act as a person in the program | [`BusinessCentral::put`], [`BusinessCentral::edit`], [`BusinessCentral::erase`] |
//! | break things | [`BusinessCentral::faults`], [`BusinessCentral::refusal`] with an [`ApiError`], [`BusinessCentral::hide`], [`BusinessCentral::outdate`], [`BusinessCentral::freeze_replica`], [`BusinessCentral::set_foreign_link`] |
//! | send notices | [`BusinessCentral::notify`] |
//! | assert | [`BusinessCentral::counters`], [`BusinessCentral::field`] |
//!
//! ```
//! use atlas_connectors_erp::mock::business_central::{BusinessCentral, COMPANY};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let service = BusinessCentral::start().await;
//! let order = service.ids(COMPANY, "salesOrders")[0].clone();
//! assert_eq!(service.field(COMPANY, "salesOrders", &order, "number").as_deref(), Some("S-ORD100001"));
//! assert_eq!(service.counters().effects(), 0);
//! # }
//! ```
//!
//! # What is like the service and what is not
//! Paths, error bodies, etags, paging, the refusals of `$filter`, `$batch` and its lies follow `business-central.md`. No
//! posting, tax, dimension or inventory logic; rows are ordered as a page would, by number; the largest numbers are kept
//! digit by digit, which the service's own database does not do. Writing a computed field is refused; what the service does
//! with it is not known.

mod answer;
mod batch;
mod cell;
mod counters;
mod dispatch;
mod filter;
mod metadata;
mod options;
mod posting;
mod records;
mod route;
mod rules;
mod schema;
mod seed;
mod server;
mod store;
mod subscriptions;
mod world;

pub use answer::ApiError;
pub use counters::Counters;
pub use server::{
    Builder, BusinessCentral, COMPANY, DOMAIN, FULL, NO_PURCHASING, NO_USER, ONE_COMPANY, OTHER, OTHER_TENANT, READER,
    SECOND_COMPANY, TENANT,
};
pub use world::Rights;
