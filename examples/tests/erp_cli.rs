//! `atlas erp` against the mocks, as a script would use it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

#[path = "erp_cli/atlas.rs"]
mod atlas;
#[path = "erp_cli/business_central.rs"]
mod business_central;
#[path = "erp_cli/odoo.rs"]
mod odoo;
#[path = "erp_cli/sap.rs"]
mod sap;
