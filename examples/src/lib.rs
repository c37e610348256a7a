//! What the example programs share: a host in miniature, and how they print.

pub mod host;
pub mod ui;
