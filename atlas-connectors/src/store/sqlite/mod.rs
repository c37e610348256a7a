//! Everything in one SQLite file that many processes may share, one file a concern.

mod base;
mod connections;
mod credentials;
mod inbox;
mod migrations;
mod outbox;
mod sync;
mod values;

pub use base::SqliteStore;
