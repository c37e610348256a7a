//! Odoo 14 and later: JSON-2 where the server has it, JSON-RPC for older ones.
//!
//! Source of everything here: `odoo.md`, sections 1 to 10. What is left out and why: `docs/decisions/0011-odoo-protocols.md`.

mod classify;
pub mod wire;

pub use classify::OdooErrors;

/// The provider's name in errors, spans and stored rows.
pub const PROVIDER: &str = "odoo";

pub(crate) fn provider() -> atlas_connectors::ProviderId {
    atlas_connectors::ProviderId::new(PROVIDER)
}
