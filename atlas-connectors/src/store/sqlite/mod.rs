//! Everything in one SQLite file that many processes may share, one file a concern.

mod base;
mod credentials;
mod migrations;

pub use base::SqliteStore;
