//! Typed credentials over a store that sees sealed envelopes only.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretBox};

use super::codec;
use super::kind::Credential;
use super::seal::{SealContext, Sealer};
use super::store::{CredentialKey, CredentialStore, Fence, SealedCredential, Versioned};
use crate::error::{Error, ErrorKind, Result, StorageFault};
use crate::ids::{Epoch, Version};

/// How often an unconditional write meets somebody else's before it gives up.
const ATTEMPTS: usize = 16;
/// Rows that one step of a rotation looks at.
const ROTATION_BATCH: usize = 100;

/// Loads, writes and erases typed credentials, sealing them on the way. Cheap to clone.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::credential::{Basic, Credential, CredentialKey, KeyRing, Sealer, Vault};
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::{ConnectionId, Epoch, TenantId};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let sealer = Sealer::new(Arc::new(KeyRing::ephemeral()))?;
/// let vault = Vault::new(Arc::new(MemoryStore::new()), sealer);
/// let key = CredentialKey { tenant: TenantId::new("acme"), connection: ConnectionId::random(), field: "basic".into() };
/// let basic = Basic { user: "reader".into(), password: "correct horse".into() };
/// vault.put(&key, Epoch::FIRST, &basic.into()).await?;
/// assert!(matches!(vault.load(&key).await?.unwrap().credential, Credential::Basic(_)));
///
/// vault.erase(&key, Epoch::FIRST.next()).await?;
/// assert!(vault.load(&key).await?.is_none());
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Vault {
    store: Arc<dyn CredentialStore>,
    sealer: Sealer,
}

/// A credential as it was stored. `Debug` shows no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoredCredential {
    /// The credential.
    pub credential: Credential,
    /// The epoch of the connection it belongs to.
    pub epoch: Epoch,
    /// The version of its row, base of the next [`Vault::commit`].
    pub version: Version,
}

/// What a key rotation has done.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Rotation {
    /// Rows that were sealed again and read back.
    pub resealed: u64,
    /// Rows that somebody else wrote meanwhile; they are looked at again by the next run.
    pub skipped: u64,
    /// Rows that cannot be opened, left as they are, with the code of the error.
    pub failed: Vec<(CredentialKey, &'static str)>,
}

impl Rotation {
    /// Whether every row is under the current key now, so that the older keys may be retired.
    pub fn is_complete(&self) -> bool {
        self.skipped == 0 && self.failed.is_empty()
    }
}

impl Vault {
    /// A vault over this store and these keys.
    pub fn new(store: Arc<dyn CredentialStore>, sealer: Sealer) -> Self {
        Self { store, sealer }
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn CredentialStore> {
        &self.store
    }

    /// The sealer, for other secrets of the same connection.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// The stored credential; `None` if there is none or it was erased. A row under an older key is sealed again under
    /// the current one on the way; if that fails the row stays readable as it was.
    ///
    /// # Errors
    /// [`StorageFault::Key`] or [`StorageFault::Corrupt`] if it cannot be opened (the row is left as it is), or as the
    /// store says.
    pub async fn load(&self, key: &CredentialKey) -> Result<Option<StoredCredential>> {
        let Some(row) = self.store.load(key).await? else {
            return Ok(None);
        };
        let mut stored = self.open(key, &row)?;
        if self.sealer.current_key_id()? != row.value.key_id {
            match self.reseal(key, &row).await {
                Ok(version) => stored.version = version,
                Err(error) => tracing::debug!(code = error.code(), "credential kept under its older key for now"),
            }
        }
        Ok(Some(stored))
    }

    /// Writes if the row still has the expected version ([`Version::NONE`]: does not exist).
    ///
    /// # Errors
    /// As [`CredentialStore::commit`]; [`StorageFault::Key`] if there is no key to seal with.
    pub async fn commit(
        &self,
        key: &CredentialKey,
        epoch: Epoch,
        credential: &Credential,
        expected: Version,
        fence: Option<&Fence>,
    ) -> Result<Version> {
        let clear = codec::encode(credential)?;
        let version = expected.next();
        let envelope = self.sealer.seal(context(key, epoch, version), &clear)?;
        let sealed = SealedCredential {
            epoch,
            key_id: Sealer::key_id(&envelope)?.into(),
            envelope,
        };
        let written = self.store.commit(key, sealed, expected, fence).await?;
        if written != version {
            // The envelope is bound to the next version; under another one it would never open again.
            return Err(Error::new(StorageFault::Corrupt, "credential.commit").with_context("version", written));
        }
        Ok(written)
    }

    /// Writes whatever the row holds now: the end of a sign-in. Only the epoch can refuse it.
    ///
    /// # Errors
    /// `ErrorKind::Cancelled` if the connection is of a newer epoch already; [`StorageFault::Conflict`] if others wrote
    /// again and again; else as the store says.
    pub async fn put(&self, key: &CredentialKey, epoch: Epoch, credential: &Credential) -> Result<Version> {
        let mut attempt = 1;
        loop {
            let expected = match self.store.load(key).await? {
                Some(row) => row.version,
                None => Version::NONE,
            };
            match self.commit(key, epoch, credential, expected, None).await {
                Err(error) if is(&error, StorageFault::Conflict) && attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// Erases the secret; commits of work begun under an older epoch are refused from now on.
    ///
    /// # Errors
    /// As [`CredentialStore::erase`].
    pub async fn erase(&self, key: &CredentialKey, epoch: Epoch) -> Result<()> {
        self.store.erase(key, epoch).await
    }

    /// Seals every row under the current key and reads each back. Safe to stop at any moment and to run again, in several
    /// processes at once: each row is replaced by compare-and-set and stays readable all the time.
    ///
    /// # Errors
    /// As the store says; rows that cannot be opened are no error but listed.
    pub async fn rotate(&self) -> Result<Rotation> {
        let mut rotation = Rotation::default();
        let mut after = None;
        loop {
            let current = self.sealer.current_key_id()?;
            let keys = self
                .store
                .sealed_with_other_key(&current, after.as_ref(), ROTATION_BATCH)
                .await?;
            for key in &keys {
                match self.rotate_row(key).await {
                    Ok(()) => rotation.resealed += 1,
                    Err(error) => match error.kind() {
                        ErrorKind::StorageFailed(StorageFault::Conflict) | ErrorKind::Cancelled => {
                            rotation.skipped += 1;
                        }
                        ErrorKind::StorageFailed(StorageFault::Key | StorageFault::Corrupt | StorageFault::Schema) => {
                            rotation.failed.push((key.clone(), error.code()));
                        }
                        _ => return Err(error),
                    },
                }
            }
            match keys.into_iter().next_back() {
                Some(last) => after = Some(last),
                None => return Ok(rotation),
            }
        }
    }

    async fn rotate_row(&self, key: &CredentialKey) -> Result<()> {
        let Some(row) = self.store.load(key).await? else {
            return Ok(());
        };
        self.reseal(key, &row).await?;
        // Read back: what the store holds now must open, whoever wrote it.
        if let Some(row) = self.store.load(key).await? {
            self.clear(key, &row)?;
        }
        Ok(())
    }

    /// Seals a row again without looking inside, so that what a newer version wrote is kept, and proves that the new
    /// envelope opens before it replaces the only copy.
    async fn reseal(&self, key: &CredentialKey, row: &Versioned<SealedCredential>) -> Result<Version> {
        let epoch = row.value.epoch;
        let clear = self.clear(key, row)?;
        let version = row.version.next();
        let envelope = self.sealer.seal(context(key, epoch, version), clear.expose_secret())?;
        let proof = self.sealer.open(context(key, epoch, version), &envelope)?;
        if proof.expose_secret() != clear.expose_secret() {
            return Err(Error::new(StorageFault::Corrupt, "credential.rotate"));
        }
        let sealed = SealedCredential {
            epoch,
            key_id: Sealer::key_id(&envelope)?.into(),
            envelope,
        };
        self.store.commit(key, sealed, row.version, None).await
    }

    fn clear(&self, key: &CredentialKey, row: &Versioned<SealedCredential>) -> Result<SecretBox<Vec<u8>>> {
        self.sealer
            .open(context(key, row.value.epoch, row.version), &row.value.envelope)
    }

    fn open(&self, key: &CredentialKey, row: &Versioned<SealedCredential>) -> Result<StoredCredential> {
        let clear = self.clear(key, row)?;
        Ok(StoredCredential {
            credential: codec::decode(clear.expose_secret())?,
            epoch: row.value.epoch,
            version: row.version,
        })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("store", &self.store)
            .field("sealer", &self.sealer)
            .finish()
    }
}

fn context(key: &CredentialKey, epoch: Epoch, version: Version) -> SealContext<'_> {
    SealContext::record(&key.tenant, &key.connection, &key.field, epoch, version)
}

fn is(error: &Error, fault: StorageFault) -> bool {
    matches!(error.kind(), ErrorKind::StorageFailed(found) if *found == fault)
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
