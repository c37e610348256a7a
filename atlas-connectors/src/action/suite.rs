//! Approvals for the behaviour suite of mailboxes, which stands where the outbox stands otherwise.

use crate::action::approved::Claim;
use crate::action::{Action, Approved, Digest};
use crate::clock::Timestamp;
use crate::connection::{ConnectionRef, Identity};
use crate::ids::IntentId;

/// An approval of this action by nobody. For `testkit::suites` alone: it never leaves the crate.
pub(crate) fn approved_for_suite<A: Action>(action: A, connection: ConnectionRef, identity: Identity) -> Approved<A> {
    let claim = Claim {
        intent: IntentId::random(),
        connection,
        identity,
        digest: Digest::new([0; 32]),
        approver: "behaviour-suite".into(),
        expires: Timestamp::from_unix_seconds(i64::from(u32::MAX)),
    };
    Approved::mint(action, claim)
}
