//! The mail of an operations desk at a manufacturer: something to read, search, answer and trip over.

mod desk;
mod files;
mod thread;

pub use desk::{operations, operations_until};
