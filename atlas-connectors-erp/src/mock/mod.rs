//! Mock servers of the three ERPs: stateful, on loopback, with scripted faults and counts of accepted effects.

#[cfg(feature = "business-central")]
pub mod business_central;

#[cfg(feature = "business-central")]
pub use business_central::BusinessCentral;
