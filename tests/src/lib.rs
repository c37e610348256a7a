//! Support for the suites across crates and processes.

pub mod job;
pub mod shared;
pub mod world;
