//! Sealing keys in the keyring of the operating system.

use std::fmt;

use keyring_core::{Entry, Error as KeyringError};
use secrecy::{ExposeSecret, SecretString};

use super::key::{KeyProvider, KeyRing, SealingKey, no_key};
use crate::error::{Error, Result};

/// Keys from one entry of the operating system's keyring, in the form of [`KeyRing::parse`]. The host chooses the
/// platform's store first (`keyring_core::set_default_store`). The keyring is asked once, when the keys are opened; that
/// call may block while a person unlocks it.
pub struct KeyringKeys(KeyRing);

impl KeyringKeys {
    /// Reads the entry of this service and user name.
    ///
    /// # Errors
    /// [`crate::error::StorageFault::Key`] if there is no entry, it is empty, or the keyring cannot be reached;
    /// `ErrorKind::Invalid` if a key in it is malformed.
    pub fn open(service: &str, user: &str) -> Result<Self> {
        let text = entry(service, user)?.get_password().map(SecretString::from);
        Ok(Self(KeyRing::parse(&text.map_err(|error| failed(&error))?)?))
    }

    /// Reads the entry, or makes it with a fresh key if there is none. A keyring has no compare-and-set: let one process
    /// make it.
    ///
    /// # Errors
    /// As [`KeyringKeys::open`].
    pub fn open_or_create(service: &str, user: &str) -> Result<Self> {
        let entry = entry(service, user)?;
        match entry.get_password() {
            Err(KeyringError::NoEntry) => {
                let fresh = SealingKey::generate().to_text();
                entry
                    .set_password(fresh.expose_secret())
                    .map_err(|error| failed(&error))?;
            }
            Ok(found) => drop(SecretString::from(found)),
            Err(error) => return Err(failed(&error)),
        }
        // Read back what the keyring really holds.
        Self::open(service, user)
    }
}

impl KeyProvider for KeyringKeys {
    fn current(&self) -> Result<SealingKey> {
        self.0.current()
    }

    fn find(&self, id: &str) -> Result<Option<SealingKey>> {
        self.0.find(id)
    }
}

impl fmt::Debug for KeyringKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyringKeys").field(&self.0).finish()
    }
}

fn entry(service: &str, user: &str) -> Result<Entry> {
    Entry::new(service, user).map_err(|error| failed(&error))
}

/// Some of these errors carry what was stored, so none is kept as the source.
fn failed(error: &KeyringError) -> Error {
    let why = match error {
        KeyringError::NoEntry => "no entry",
        KeyringError::NoStorageAccess(_) => "locked or not accessible",
        KeyringError::NoDefaultStore => "no store chosen",
        KeyringError::BadEncoding(_) | KeyringError::BadDataFormat(..) => "not text",
        KeyringError::Ambiguous(_) => "several entries",
        _ => "failed",
    };
    no_key().with_context("keyring", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, because the store is chosen for the whole process.
    #[test]
    fn an_entry_is_made_once_and_read_again() {
        assert_eq!(KeyringKeys::open("atlas", "none").unwrap_err().code(), "storage.key");
        keyring_core::set_default_store(keyring_core::mock::Store::new().unwrap());
        assert_eq!(KeyringKeys::open("atlas", "none").unwrap_err().code(), "storage.key");

        let made = KeyringKeys::open_or_create("atlas", "sealing")
            .unwrap()
            .current()
            .unwrap();
        let read = KeyringKeys::open("atlas", "sealing").unwrap();
        assert_eq!(read.current().unwrap(), made);
        assert_eq!(
            KeyringKeys::open_or_create("atlas", "sealing")
                .unwrap()
                .current()
                .unwrap(),
            made
        );
        assert!(!format!("{read:?}").contains(made.to_text().expose_secret()));

        Entry::new("atlas", "damaged")
            .unwrap()
            .set_password("no key at all")
            .unwrap();
        assert_eq!(KeyringKeys::open("atlas", "damaged").unwrap_err().code(), "invalid");
        Entry::new("atlas", "binary")
            .unwrap()
            .set_secret(&[0xff, 0xfe])
            .unwrap();
        assert_eq!(KeyringKeys::open("atlas", "binary").unwrap_err().code(), "storage.key");
        keyring_core::unset_default_store();
    }
}
