//! Counters of what the system accepted: what a test asserts on.

use std::collections::BTreeMap;

/// What the mock has accepted since it started. A snapshot: take it by [`Sap::counters`](super::Sap::counters).
///
/// An *effect* counts when the system has carried it out, whether or not the answer reached the client. What a change set
/// rolled back has not been carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Records created, items of a deep insert not counted apart.
    pub creates: u64,
    /// Records changed.
    pub updates: u64,
    /// Records deleted.
    pub deletes: u64,
    /// Functions and actions carried out.
    pub actions: u64,
    /// Drafts begun, by creating or editing.
    pub drafts: u64,
    /// Drafts activated.
    pub activations: u64,
    /// CSRF tokens handed out.
    pub tokens: u64,
    /// Requests refused for want of a valid token.
    pub token_refusals: u64,
    /// Sessions begun because a request brought no cookie of a live one.
    pub sessions: u64,
    /// Logons refused.
    pub refused_logons: u64,
    /// Creates that were told as done before, by their request id.
    pub repeats: u64,
    /// Requests by operation: `token`, `metadata`, `read`, `get`, `create`, `update`, `delete`, `action`, `batch`, `service`;
    /// those in a batch each on their own as well.
    pub requests: BTreeMap<&'static str, u64>,
}

impl Counters {
    /// How many requests of an operation arrived.
    ///
    /// ```
    /// assert_eq!(atlas_connectors_erp::mock::sap::Counters::default().requests_of("create"), 0);
    /// ```
    pub fn requests_of(&self, operation: &str) -> u64 {
        self.requests.get(operation).copied().unwrap_or(0)
    }

    /// Everything that changed something.
    pub fn effects(&self) -> u64 {
        self.creates + self.updates + self.deletes + self.actions + self.activations
    }
}
