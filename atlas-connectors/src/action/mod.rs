//! Actions: effects on the outside, each written down, judged by policy, approved, and let out once.
//!
//! A host proposes an [`Action`] at the [`Gate`], which stores it with the digest of exactly what would leave and asks the
//! [`ApprovalPolicy`]. What is held waits for [`Gate::approve`]; what is ready is driven by the [`Outbox`], which stores each
//! step before the next depends on it, so that a crash anywhere gives neither a second effect nor a lost one. An effect
//! of which nobody can tell ends as [`IntentState::Uncertain`] and is decided by an operator. Every step is
//! in the audit, a hash chain that [`AuditLogExt::verify`] checks.

#[macro_use]
mod crash;

mod approved;
mod audit;
mod autonomy;
mod canonical;
mod carry;
#[cfg(feature = "cedar")]
mod cedar;
mod combine;
mod content;
mod desk;
mod driver;
mod effector;
mod gate;
mod intent;
mod lookup;
mod mail;
mod outbox;
mod policy;
mod record;
mod record_writes;
mod review;
mod send;
mod store;
#[cfg(any(test, feature = "testkit"))]
mod suite;
mod target;
#[cfg(test)]
mod tests;
mod warning;
mod write_rules;

pub use approved::{Action, Approved, Digest};
pub use audit::{AuditEntry, AuditEvent, AuditFault, AuditHead, AuditLog, AuditLogExt, ChainVerifier};
pub use autonomy::{Autonomy, Limits, Rate};
pub use canonical::{CANONICAL_VERSION, Canonical};
#[cfg(feature = "cedar")]
pub use cedar::{CEDAR_SCHEMA, CedarPolicy};
pub use combine::{AllOf, AnyOf};
pub use effector::{Connected, Connectors, Effector, Effectors, HandleState, Standing};
pub use gate::{Gate, Outcome, Proposal};
pub use intent::{Intent, IntentLease, IntentRow, IntentState};
pub use outbox::{Outbox, OutboxBuilder, Pass, Recovery, Resolution};
pub use policy::{ApprovalPolicy, History, ProposedAction, Verdict};
pub use record::{ApprovalRecord, Decision, Nonce};
pub use review::{MailReview, Review, ReviewAddress, ReviewAttachment, ReviewContent};
pub use send::{Prepared, Reconciled, Sent};
pub use store::{AutomaticCount, Inserted, IntentChange, OutboxSettings, OutboxStore};
pub use target::{Target, TargetPart};
pub use warning::{Circle, Warning};
pub use write_rules::{WriteRule, WriteRules};

#[cfg(any(test, feature = "testkit"))]
pub(crate) use suite::approved_for_suite;
