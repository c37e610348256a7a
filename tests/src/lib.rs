//! Support for the suites across crates and processes.

pub mod canary;
pub mod job;
pub mod peer;
pub mod shared;
pub mod world;
