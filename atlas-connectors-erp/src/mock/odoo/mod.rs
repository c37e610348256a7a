//! A mock Odoo, made from the recordings of 18.0 and 19.0: models with rows, users with rights, companies with record
//! rules, both protocols, and the oddities a client has to live with.
//!
//! | to | use |
//! | --- | --- |
//! | start one | [`Odoo::builder`], [`OdooBuilder::start`] |
//! | break it | [`Odoo::faults`], [`Odoo::lose_loads`], [`Odoo::lock`] |
//! | be somebody else | [`Odoo::change`], [`Odoo::add`], [`Odoo::remove`], [`Odoo::uninstall`], [`Odoo::revoke_keys`] |
//! | count what was carried out | [`Odoo::created`], [`Odoo::written`], [`Odoo::deleted`], [`Odoo::acted`], [`Odoo::posted`] |
//!
//! Like the real one it clears a many2one that is written wrongly, hides rows by rule, answers `true` to writes on no
//! record, and keeps a hidden fraction of a second in `write_date`. Unlike it, numbers keep all the digits they came with
//! where the field has no digits of its own: the real one stores a binary float.

mod business;
mod calls;
mod database;
mod domain;
mod env;
mod figure;
mod http;
mod load;
mod models;
mod oops;
mod read;
mod schema;
mod seed;
mod server;
mod version;
mod world;
mod write;

pub use database::Rights;
pub use server::{DATABASE, Odoo, OdooBuilder};
pub use version::Version;
