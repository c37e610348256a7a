//! Everything in memory, one file a concern.

mod base;
mod connections;
mod credentials;
mod inbox;
mod outbox;
mod sync;

pub use base::MemoryStore;
