//! Who signed in.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Masked;

/// The account at the provider, pinned at the first sign-in. The subject decides; an address may change over time.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The provider's stable subject (`sub`; for Entra `tid` and `oid` together), never reused.
    pub subject: String,
    /// The address people know the account by, where the provider tells it.
    pub address: Option<String>,
    /// The organization of the account (`hd`, `tid`), where there is one.
    pub tenant: Option<String>,
}

impl Identity {
    /// Whether this is the same account: the subject is equal, and the organization where both are known.
    pub fn is_same_account(&self, other: &Self) -> bool {
        let same_tenant = match (&self.tenant, &other.tenant) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => true,
        };
        self.subject == other.subject && same_tenant
    }

    /// The address, or else the subject, with most of it hidden.
    pub fn masked(&self) -> Masked {
        Masked::new(self.address.as_deref().unwrap_or(&self.subject))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("account", &self.masked())
            .finish_non_exhaustive()
    }
}
