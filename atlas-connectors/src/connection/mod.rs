//! Connections: one provider account of one tenant, with an id that survives reconnects and an epoch that each raises.
//!
//! A [`Connection`] is a row: who it belongs to, what it is used for, and a [`Status`] that only [`next`] moves. What an
//! operator sees of it is a [`ConnectionSummary`]. [`Connections`] keeps them all: lists, pauses, disconnects, and hears what
//! happens to their grants.

mod company;
mod disconnect;
mod enrol;
mod identity;
mod machine;
mod progress;
mod reference;
mod registry;
mod row;
mod status;
mod store;
mod summary;

pub use enrol::Enrolment;
pub use identity::Identity;
pub use machine::{ConnectionEvent, IllegalTransition, next};
pub use progress::{DisconnectProgress, RevokeOutcome};
pub use reference::ConnectionRef;
pub use registry::Connections;
pub(crate) use registry::{is_conflict, only_epoch};
pub use row::{Connection, GrantOwner};
pub use status::{CompanyChoice, Pause, Proof, ProofKind, Reason, Status};
pub use store::ConnectionStore;
pub use summary::{ConnectionAction, ConnectionSummary};
