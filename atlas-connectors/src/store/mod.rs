//! Stores: in memory for tests and short-lived hosts, SQLite for one machine. One schema, one behaviour.

#[cfg(test)]
mod epoch_tests;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
