//! Credentials: sealed at rest, written by compare-and-set, refreshed once for all tasks and processes.

mod store;
mod token;

pub use store::{CredentialKey, CredentialStore, Fence, SealedCredential, Versioned};
pub use token::{AccessToken, TokenSource};
