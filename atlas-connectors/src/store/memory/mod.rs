//! Everything in memory, one file a concern.

mod base;
mod credentials;

pub use base::MemoryStore;
