//! Everything in memory, one file a concern.

mod base;

pub use base::MemoryStore;
