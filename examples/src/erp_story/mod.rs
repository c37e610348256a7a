//! The story of three ERPs: one program text, played against a mock of each, and what came of every step.
//!
//! `script.rs` is what a host would write. It knows no ERP by name: all that differs between them is in a
//! [`Stage`], as data.

mod business_central;
mod odoo;
mod play;
mod sap;
mod script;
mod show;
mod stage;

pub use play::{Played, play};
pub use script::{Cell, Column, STEPS};
pub use show::tell;
pub use stage::{Stage, Stagehand};

/// Why the story broke off.
pub type Story<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
