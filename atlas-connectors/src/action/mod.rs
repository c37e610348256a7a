//! Actions: effects on the outside, each written down, judged by policy, approved, and let out once.

mod approved;
mod policy;
mod send;

pub use approved::{Action, Approved, Digest};
pub use policy::{ApprovalPolicy, ProposedAction, Verdict};
pub use send::{Prepared, Reconciled, Sent};
