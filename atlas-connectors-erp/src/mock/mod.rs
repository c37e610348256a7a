//! Mock servers of the three ERPs, for test harnesses: stateful, on loopback, with scripted faults and counts of accepted effects.

#[cfg(feature = "business-central")]
pub mod business_central;
#[cfg(feature = "business-central")]
pub mod entra;
#[cfg(feature = "odoo")]
pub mod odoo;
#[cfg(feature = "sap")]
pub mod sap;

#[cfg(feature = "business-central")]
pub use business_central::BusinessCentral;
#[cfg(feature = "business-central")]
pub use entra::Entra;
#[cfg(feature = "odoo")]
pub use odoo::Odoo;
#[cfg(feature = "sap")]
pub use sap::Sap;
