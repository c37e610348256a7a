//! Counters of what the provider accepted: what a test asserts on.

use std::collections::BTreeMap;

/// What the mock has accepted since it started. A snapshot: take it by [`Google::counters`](super::Google::counters).
///
/// An *effect* counts when the provider has carried it out, whether or not the answer reached the client. A request
/// that a fault cut before it was carried out, that was throttled or refused counts as a request only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Mails accepted for sending, by `messages.send`, uploads and `drafts.send`.
    pub sends: u64,
    /// Drafts created.
    pub drafts_created: u64,
    /// Drafts rewritten through the API.
    pub drafts_updated: u64,
    /// Drafts deleted through the API without being sent.
    pub drafts_deleted: u64,
    /// Messages whose labels were really changed by modify, batchModify, trash and untrash.
    pub label_changes: u64,
    /// Labels created.
    pub labels_created: u64,
    /// Messages deleted for good.
    pub deletes: u64,
    /// Messages imported or inserted.
    pub imports: u64,
    /// Calls of the token endpoint, refused ones included.
    pub token_calls: u64,
    /// Codes exchanged for tokens.
    pub code_exchanges: u64,
    /// Access tokens issued for a refresh token.
    pub refreshes: u64,
    /// Refresh tokens replaced by a new one; stays 0 unless rotation is switched on.
    pub rotations: u64,
    /// Uses of a refresh token that had been replaced; each ends its grant.
    pub rotated_reuses: u64,
    /// Grants ended at the revocation endpoint.
    pub revokes: u64,
    /// Quota units spent by answered requests.
    pub units: u64,
    /// Requests refused for quota, rate or concurrency, by rule or by script.
    pub throttled: u64,
    /// Answers spoiled by a fault of the script.
    pub faults: u64,
    /// Requests per method, such as `gmail.users.messages.get`, `oauth.token`; those in a batch each on their own.
    pub requests: BTreeMap<&'static str, u64>,
}

impl Counters {
    /// How many requests of a method arrived.
    ///
    /// ```
    /// assert_eq!(atlas_connectors_gmail::mock::Counters::default().requests_of("oauth.token"), 0);
    /// ```
    pub fn requests_of(&self, method: &str) -> u64 {
        self.requests.get(method).copied().unwrap_or(0)
    }

    /// How many requests arrived in all.
    pub fn requests_total(&self) -> u64 {
        self.requests.values().sum()
    }
}
