//! Credentials: sealed at rest, written by compare-and-set, refreshed once for all tasks and processes.
//!
//! From the bottom up: a [`KeyProvider`] holds the keys, a [`Sealer`] seals bytes with them, a [`CredentialStore`] keeps
//! the envelopes, a [`Vault`] reads and writes typed [`Credential`]s, and a [`RefreshingToken`] gives the valid access
//! token of one connection.

mod codec;
mod events;
mod flight;
mod grant;
mod key;
mod key_file;
#[cfg(feature = "keyring")]
mod keyring;
mod kind;
mod refresh;
#[cfg(test)]
mod refresh_tests;
mod refreshing_token;
mod seal;
mod store;
mod token;
mod token_cache;
mod vault;

pub use events::GrantEvents;
pub use grant::{EndedGrant, OAuthGrant, RefreshedGrant};
pub use key::{KeyProvider, KeyRing, SealingKey};
pub use key_file::KeyFile;
#[cfg(feature = "keyring")]
pub use keyring::KeyringKeys;
pub use kind::{ApiKey, Basic, ClientCertificate, ClientCredentials, Credential};
pub use refresh::{Refresh, RefreshSettings};
pub use refreshing_token::{RefreshingToken, RefreshingTokenBuilder};
pub use seal::{SealContext, Sealer};
pub use store::{CredentialKey, CredentialStore, Fence, SealedCredential, Versioned};
pub use token::{AccessToken, TokenSource};
pub use vault::{Rotation, StoredCredential, Vault};
