//! An ERP in memory, for hosts' tests and as the reference of the behaviour suite.

mod check;
mod connector;
mod data;
mod memory;
mod read;
mod server;
#[cfg(test)]
pub(crate) mod story;
#[cfg(test)]
mod tests;

pub use memory::{ErpFault, MemoryErp, RecordStates};
