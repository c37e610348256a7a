//! Connections to ERPs as a host keeps them: where a system is, how it is opened, and how one is connected for the first time.

mod business_central;
mod erps;
mod odoo;
mod place;
mod reach;
mod sap;
mod tokens;

pub use erps::{Connected, Erps, NewErp};
pub use place::{BusinessCentralPlace, Entra, OdooPlace, Place, SapPlace, SapWay, SignInWay, System};
pub use reach::Reach;
