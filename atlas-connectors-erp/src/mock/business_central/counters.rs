//! What has been asked and what has been accepted.

use std::collections::BTreeMap;

/// Requests by operation, and effects that were accepted and kept. What a batch rolled back is not among the effects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests by operation (`customers.list`, `salesOrders.create`, `salesOrders.shipAndInvoice`, `batch`, `metadata`, …).
    pub requests: BTreeMap<String, u64>,
    /// Records made, by set; lines that came with their header are not counted on their own.
    pub created: BTreeMap<String, u64>,
    /// Records changed, by set.
    pub updated: BTreeMap<String, u64>,
    /// Records deleted, by set.
    pub deleted: BTreeMap<String, u64>,
    /// Actions run, by `set.action`.
    pub actions: BTreeMap<String, u64>,
    /// Requests that named no company where one is needed, so that the user's default company was taken.
    pub default_company: u64,
    /// Requests without `Accept-Language`: their texts follow the user's profile.
    pub without_language: u64,
    /// Reads that went to the replica.
    pub replica_reads: u64,
    /// Requests that were refused because the user sent too many.
    pub throttled: u64,
}

impl Counters {
    /// All effects together.
    pub fn effects(&self) -> u64 {
        [&self.created, &self.updated, &self.deleted, &self.actions]
            .into_iter()
            .flat_map(BTreeMap::values)
            .sum()
    }

    /// Requests of one operation.
    pub fn requests_of(&self, operation: &str) -> u64 {
        self.requests.get(operation).copied().unwrap_or(0)
    }

    /// Records made in one set.
    pub fn created_in(&self, set: &str) -> u64 {
        self.created.get(set).copied().unwrap_or(0)
    }

    pub(super) fn add(counter: &mut BTreeMap<String, u64>, name: &str) {
        *counter.entry(name.to_owned()).or_default() += 1;
    }
}
