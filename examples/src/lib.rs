//! What the example programs share: a host in miniature, how it opens ERPs, the story of three ERPs, and how they print.

pub mod erp;
pub mod erp_story;
pub mod host;
pub mod ui;
