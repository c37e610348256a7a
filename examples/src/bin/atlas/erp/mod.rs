//! `atlas erp`: connect, test, read, check and write Odoo, SAP and Business Central.

pub(crate) mod args;
mod catalog;
mod connect;
mod connections;
mod fields;
mod filter;
mod read;
mod records;
mod run;
mod stream;
mod typed;
mod work;
mod write;

pub(crate) use run::run;
