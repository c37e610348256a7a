//! Connections: one provider account of one tenant, with an id that survives reconnects and an epoch that each raises.

mod identity;
mod reference;

pub use identity::Identity;
pub use reference::ConnectionRef;
