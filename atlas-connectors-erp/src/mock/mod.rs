//! Mock servers of the three ERPs: stateful, on loopback, with scripted faults and counts of accepted effects.

#[cfg(feature = "odoo")]
pub mod odoo;

#[cfg(feature = "odoo")]
pub use odoo::Odoo;
