//! Everything in memory, one file a concern.

mod base;
mod connections;
mod credentials;
mod inbox;
mod sync;
mod outbox;

pub use base::MemoryStore;
