//! Everything in memory, one file a concern.

mod base;
mod connections;
mod credentials;

pub use base::MemoryStore;
