//! Behaviour suites: one for each trait that a host may implement. A suite says which sentence of the contract an
//! implementation breaks, and returns it instead of panicking.

mod connection_store;
#[cfg(test)]
mod connection_store_tests;
mod credential_leases;
mod credential_store;
mod erp;
#[cfg(test)]
mod erp_tests;
mod flow_store;
mod inbox_search;
mod inbox_store;
mod mailbox;
mod mailbox_peer;
mod mailbox_search;
mod mailbox_sends;
#[cfg(test)]
mod mailbox_tests;
mod outbox_lists;
mod outbox_store;
mod sync_faults;
mod sync_leases;
mod sync_steps;
mod sync_store;
mod violation;

pub use connection_store::connection_store;
pub use credential_store::credential_store;
pub use erp::{ErpStory, ErpWorld, LostAnswer, StoryAction, StoryOrder, erp};
pub use flow_store::flow_store;
pub use inbox_store::inbox_store;
pub use mailbox::mailbox;
pub use mailbox_peer::{MailboxPeer, PeerAbilities, PeerSearch};
pub use outbox_store::outbox_store;
pub use sync_store::sync_store;
pub use violation::{Pace, Violation};
