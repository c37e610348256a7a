//! Everything in one SQLite file that many processes may share, one file a concern.

mod base;
mod connections;
mod credentials;
mod migrations;
mod outbox;
mod values;

pub use base::SqliteStore;
