//! What the example programs share: a host in miniature, how it opens ERPs, and how they print.

pub mod erp;
pub mod host;
pub mod ui;
