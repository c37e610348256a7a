//! Three ERPs behind one trait: Odoo, SAP OData (V2 and V4) and Microsoft Dynamics 365 Business Central.
//!
//! # Features
//! | feature | default | gives |
//! | --- | --- | --- |
//! | `odoo` | yes | [`odoo`]: Odoo 14 and later |
//! | `sap` | yes | [`sap`]: SAP OData V2 and V4 |
//! | `business-central` | yes | [`business_central`]: Business Central and Entra ID |
//! | `testkit` | no | mock servers of all of them for your own tests |
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
