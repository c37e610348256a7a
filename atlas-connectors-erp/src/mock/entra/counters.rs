//! Counters of what Entra was asked and gave: what a test asserts on.

use std::collections::BTreeMap;

/// What the mock was asked and gave since it started. A snapshot: take it by [`Entra::counters`](super::Entra::counters).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Calls of the token endpoint, refused ones and those that a fault has struck included.
    pub token_calls: u64,
    /// Codes exchanged for tokens.
    pub code_exchanges: u64,
    /// Access tokens issued for a refresh token.
    pub refreshes: u64,
    /// Access tokens issued to a client itself.
    pub client_grants: u64,
    /// Device codes exchanged for tokens.
    pub device_grants: u64,
    /// Questions whether the person has typed the device code, answered with `authorization_pending`.
    pub pending_polls: u64,
    /// Token calls refused by the rules; those refused by script are not among them.
    pub refused: u64,
    /// Uses of a refresh token that had been replaced, with rotation switched on; each ends its grant.
    pub rotated_reuses: u64,
    /// Consents of administrators.
    pub admin_consents: u64,
    /// Requests by operation: `entra.authorize`, `entra.token`, `entra.devicecode`, `entra.adminconsent`, `entra.keys`,
    /// `entra.discovery`.
    pub requests: BTreeMap<&'static str, u64>,
}
