//! Support for the suites across crates and processes.

pub mod shared;
