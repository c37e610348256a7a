//! Mock servers of the providers, for test harnesses: stateful, scripted, counting.

#[cfg(feature = "sap")]
pub mod sap;

#[cfg(feature = "sap")]
pub use sap::Sap;
