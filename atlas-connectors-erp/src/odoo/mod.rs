//! Odoo 14 and later: JSON-2 where the server has it, JSON-RPC for older ones.
//!
//! | to | use |
//! | --- | --- |
//! | connect | [`OdooBuilder`] with an [`wire::Endpoint`] and a [`wire::Secret`] |
//! | draw the card | [`form()`] |
//! | leave a note, a to-do, a file | [`note`], [`activity`], [`attachment`], proposed at the gate like every write |
//!
//! # What to know
//! - The database is named, never guessed. The company is the pinned one or the user's only one; with several the first call
//!   ends as paused, and the host asks.
//! - Pages go by id, so nothing is skipped while others write. Another order needs a limit of at most 2,000.
//! - A create carries an external id made from its intent: the same create again finds the record.
//! - An action that opens a window in Odoo counts as not done.
//!
//! Source: `odoo.md`, sections 1 to 10. What is left out and why: `docs/decisions/0011-odoo-protocols.md`.

mod actions;
mod builder;
mod catalog;
mod changes;
mod classify;
mod connector;
mod creating;
mod documents;
mod domain;
mod files;
mod form;
mod probes;
mod read;
mod rows;
mod session;
mod shapes;
mod values;
pub mod wire;
mod writing;

pub use actions::{activity, note};
pub use builder::OdooBuilder;
pub use classify::OdooErrors;
pub use connector::OdooConnector;
pub use documents::documents;
pub use files::attachment;
pub use form::form;

/// The provider's name in errors, spans and stored rows.
pub const PROVIDER: &str = "odoo";

pub(crate) fn provider() -> atlas_connectors::ProviderId {
    atlas_connectors::ProviderId::new(PROVIDER)
}
