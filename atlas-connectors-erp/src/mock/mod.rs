//! Mock servers of the three ERPs: stateful, on loopback, with scripted faults and counts of accepted effects.

#[cfg(feature = "odoo")]
pub mod odoo;

#[cfg(feature = "odoo")]
pub use odoo::Odoo;
//! Mock servers of the providers, for test harnesses: stateful, scripted, counting.

#[cfg(feature = "sap")]
pub mod sap;

#[cfg(feature = "sap")]
pub use sap::Sap;
#[cfg(feature = "business-central")]
pub mod business_central;

#[cfg(feature = "business-central")]
pub use business_central::BusinessCentral;
