//! The sealed envelope: how a secret is kept at rest.

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, AeadInOut, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use secrecy::SecretBox;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::key::{KeyProvider, SealingKey};
use crate::error::{Error, Result, StorageFault};
use crate::ids::{ConnectionId, Epoch, TenantId, Version};

/// First byte of every envelope.
const ENVELOPE_VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// What a sealed value belongs to. An envelope opens only in the context it was sealed for, so that a row cannot be moved
/// to another tenant, connection, field or version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealContext<'a> {
    tenant: &'a str,
    connection: &'a str,
    field: &'a str,
    bound: Bound<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound<'a> {
    Record(Epoch, Version),
    Item(&'a str),
}

impl<'a> SealContext<'a> {
    /// A row that is written again and again: its epoch and version are part of the context.
    pub fn record(
        tenant: &'a TenantId,
        connection: &'a ConnectionId,
        field: &'a str,
        epoch: Epoch,
        version: Version,
    ) -> Self {
        Self {
            tenant: tenant.as_str(),
            connection: connection.as_str(),
            field,
            bound: Bound::Record(epoch, version),
        }
    }

    /// A value that is written once under an id of its own: the payload of an intent, a sign-in flow, a message body.
    /// `field` names the table or purpose (`outbox.payload`), `item` the row.
    pub fn item(tenant: &'a TenantId, connection: &'a ConnectionId, field: &'a str, item: &'a str) -> Self {
        Self {
            tenant: tenant.as_str(),
            connection: connection.as_str(),
            field,
            bound: Bound::Item(item),
        }
    }

    /// The associated data: header of the envelope and every part with its length before it, so that no two contexts
    /// give the same bytes.
    fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        let (tag, record, item);
        let bound: &[u8] = match self.bound {
            Bound::Record(epoch, version) => {
                tag = b"record";
                record = [epoch.get().to_be_bytes(), version.get().to_be_bytes()].concat();
                &record
            }
            Bound::Item(id) => {
                tag = b"item  ";
                item = id.as_bytes();
                item
            }
        };
        let parts = [
            b"atlas envelope".as_slice(),
            header,
            self.tenant.as_bytes(),
            self.connection.as_bytes(),
            self.field.as_bytes(),
            tag,
            bound,
        ];
        let mut data = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

/// Seals and opens bytes with XChaCha20-Poly1305 under the keys of a [`KeyProvider`]. Clones share the keys.
///
/// Envelope: version byte, length and text of the key id, nonce of 24 random bytes, cipher text with tag. The header and
/// the [`SealContext`] are authenticated with it.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::credential::{KeyRing, SealContext, Sealer};
/// use atlas_connectors::{ConnectionId, TenantId};
/// use secrecy::ExposeSecret;
///
/// let sealer = Sealer::new(Arc::new(KeyRing::ephemeral()))?;
/// let (tenant, connection) = (TenantId::new("acme"), ConnectionId::random());
/// let context = SealContext::item(&tenant, &connection, "outbox.payload", "intent-1");
/// let envelope = sealer.seal(context, b"the mail")?;
/// assert_eq!(sealer.open(context, &envelope)?.expose_secret(), b"the mail");
///
/// let elsewhere = SealContext::item(&tenant, &connection, "outbox.payload", "intent-2");
/// assert!(sealer.open(elsewhere, &envelope).is_err());
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
#[derive(Clone)]
pub struct Sealer {
    keys: Arc<dyn KeyProvider>,
}

impl Sealer {
    /// A sealer over these keys.
    ///
    /// # Errors
    /// [`StorageFault::Key`] if there is no current key: without one nothing starts.
    pub fn new(keys: Arc<dyn KeyProvider>) -> Result<Self> {
        keys.current()?;
        Ok(Self { keys })
    }

    /// Id of the key that seals now.
    ///
    /// # Errors
    /// [`StorageFault::Key`] if there is none any more.
    pub fn current_key_id(&self) -> Result<Box<str>> {
        Ok(self.keys.current()?.id().into())
    }

    /// Seals under the current key.
    ///
    /// # Errors
    /// [`StorageFault::Key`] if there is none any more.
    pub fn seal(&self, context: SealContext<'_>, clear: &[u8]) -> Result<Vec<u8>> {
        seal_with(&self.keys.current()?, context, clear.len(), |envelope| {
            envelope.extend_from_slice(clear);
            Ok(())
        })
    }

    /// Seals what `write` appends, about so many bytes: written into the envelope and sealed in place, so that no copy in clear
    /// is left.
    ///
    /// # Errors
    /// As [`Sealer::seal`], and whatever `write` says.
    pub(crate) fn seal_written(
        &self,
        context: SealContext<'_>,
        about: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<Vec<u8>> {
        seal_with(&self.keys.current()?, context, about, write)
    }

    /// Opens an envelope sealed for exactly this context.
    ///
    /// # Errors
    /// [`StorageFault::Key`] if its key is unknown; [`StorageFault::Schema`] if a newer version of this library sealed
    /// it; [`StorageFault::Corrupt`] if it is cut, changed, sealed for another context or under another key of the same
    /// id. Keep the row as it is in every case.
    pub fn open(&self, context: SealContext<'_>, envelope: &[u8]) -> Result<SecretBox<Vec<u8>>> {
        let parts = Parts::of(envelope)?;
        let key = self
            .keys
            .find(parts.key_id)?
            .ok_or_else(|| Error::new(StorageFault::Key, "credential.open").with_context("key", parts.key_id))?;
        let payload = Payload {
            msg: parts.sealed,
            aad: &context.associated_data(parts.header),
        };
        let clear = cipher(&key).decrypt(parts.nonce, payload).map_err(|_| corrupt())?;
        Ok(SecretBox::new(Box::new(clear)))
    }

    /// A key for one other purpose, such as authenticating approvals, made from the current key or, to check what was
    /// made earlier, from the one with this id.
    pub(crate) fn derive(&self, key_id: Option<&str>, purpose: &str) -> Result<DerivedKey> {
        let missing = || Error::new(StorageFault::Key, "seal.derive");
        let key = match key_id {
            None => self.keys.current()?,
            Some(id) => self.keys.find(id)?.ok_or_else(missing)?,
        };
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key.bytes()).map_err(|_| missing())?;
        mac.update(purpose.as_bytes());
        Ok(DerivedKey {
            id: key.id().into(),
            bytes: Zeroizing::new(mac.finalize().into_bytes().into()),
        })
    }

    /// Id of the key that an envelope names. It is not verified before the envelope is opened.
    ///
    /// # Errors
    /// [`StorageFault::Corrupt`] or [`StorageFault::Schema`] if the header cannot be read.
    pub fn key_id(envelope: &[u8]) -> Result<&str> {
        Ok(Parts::of(envelope)?.key_id)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("keys", &self.keys).finish()
    }
}

/// A key made from a sealing key for one purpose (HMAC-SHA-256 over the purpose).
pub(crate) struct DerivedKey {
    id: Box<str>,
    bytes: Zeroizing<[u8; 32]>,
}

impl DerivedKey {
    /// Id of the sealing key it was made from.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

/// An envelope taken apart.
struct Parts<'a> {
    header: &'a [u8],
    key_id: &'a str,
    nonce: &'a XNonce,
    sealed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(envelope: &'a [u8]) -> Result<Self> {
        let (version, rest) = envelope.split_first().ok_or_else(corrupt)?;
        if *version != ENVELOPE_VERSION {
            return Err(Error::new(StorageFault::Schema, "credential.open").with_context("envelope", version));
        }
        let (id_length, rest) = rest.split_first().ok_or_else(corrupt)?;
        let (key_id, rest) = rest.split_at_checked(usize::from(*id_length)).ok_or_else(corrupt)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).ok_or_else(corrupt)?;
        if sealed.len() < TAG_BYTES {
            return Err(corrupt());
        }
        Ok(Self {
            header: envelope.get(..2 + key_id.len()).ok_or_else(corrupt)?,
            key_id: printable(key_id).ok_or_else(corrupt)?,
            nonce: nonce.try_into().map_err(|_| corrupt())?,
            sealed,
        })
    }
}

/// Ids of keys are plain; a damaged one must not reach an error message.
fn printable(key_id: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(key_id).ok()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    (!text.is_empty() && text.chars().all(allowed)).then_some(text)
}

fn seal_with(
    key: &SealingKey,
    context: SealContext<'_>,
    about: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<()>,
) -> Result<Vec<u8>> {
    let no_key = || Error::new(StorageFault::Key, "credential.seal");
    let id = key.id().as_bytes();
    let mut nonce = [0; NONCE_BYTES];
    crate::random::fill(&mut nonce);
    let mut envelope = Vec::with_capacity(2 + id.len() + NONCE_BYTES + about + TAG_BYTES);
    envelope.push(ENVELOPE_VERSION);
    envelope.push(u8::try_from(id.len()).map_err(|_| no_key())?);
    envelope.extend_from_slice(id);
    let bound = context.associated_data(&envelope);
    envelope.extend_from_slice(&nonce);
    let begin = envelope.len();
    write(&mut envelope)?;
    let clear = envelope.get_mut(begin..).ok_or_else(corrupt)?;
    // Fails only beyond 256 GiB of clear text.
    let tag = cipher(key)
        .encrypt_inout_detached(&nonce.into(), &bound, clear.into())
        .map_err(|_| no_key())?;
    envelope.extend_from_slice(&tag);
    Ok(envelope)
}

fn cipher(key: &SealingKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}

fn corrupt() -> Error {
    Error::new(StorageFault::Corrupt, "credential.open")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::super::key::KeyRing;
    use super::*;

    fn sealer(key: &SealingKey) -> Sealer {
        Sealer::new(Arc::new(KeyRing::new(key.clone()))).unwrap()
    }

    fn owner() -> (TenantId, ConnectionId) {
        (TenantId::new("acme"), ConnectionId::new("c1"))
    }

    #[test]
    fn what_was_sealed_opens_and_two_envelopes_differ() {
        let sealer = sealer(&SealingKey::generate());
        let (tenant, connection) = owner();
        let context = SealContext::record(&tenant, &connection, "oauth", Epoch::FIRST, Version::new(3));
        let one = sealer.seal(context, b"secret").unwrap();
        let two = sealer.seal(context, b"secret").unwrap();
        assert_ne!(one, two, "every envelope has its own nonce");
        assert_eq!(sealer.open(context, &one).unwrap().expose_secret(), b"secret");
        assert_eq!(Sealer::key_id(&one).unwrap(), &*sealer.current_key_id().unwrap());
        assert!(
            sealer
                .open(context, &sealer.seal(context, b"").unwrap())
                .unwrap()
                .expose_secret()
                .is_empty()
        );
    }

    #[test]
    fn an_envelope_opens_only_where_it_belongs() {
        let sealer = sealer(&SealingKey::generate());
        let (tenant, connection) = owner();
        let (other_tenant, other_connection) = (TenantId::new("acm"), ConnectionId::new("ec1"));
        let version = Version::new(3);
        let context = SealContext::record(&tenant, &connection, "oauth", Epoch::FIRST, version);
        let envelope = sealer.seal(context, b"secret").unwrap();
        let moved = [
            SealContext::record(&other_tenant, &connection, "oauth", Epoch::FIRST, version),
            SealContext::record(&tenant, &other_connection, "oauth", Epoch::FIRST, version),
            // The same letters, cut elsewhere.
            SealContext::record(&other_tenant, &other_connection, "oauth", Epoch::FIRST, version),
            SealContext::record(&tenant, &connection, "api_key", Epoch::FIRST, version),
            SealContext::record(&tenant, &connection, "oauth", Epoch::FIRST.next(), version),
            SealContext::record(&tenant, &connection, "oauth", Epoch::FIRST, version.next()),
            SealContext::item(&tenant, &connection, "oauth", "3"),
        ];
        for elsewhere in moved {
            let error = sealer.open(elsewhere, &envelope).unwrap_err();
            assert_eq!(error.code(), "storage.corrupt", "{elsewhere:?}");
        }
    }

    #[test]
    fn unknown_wrong_and_newer_are_told_apart() {
        let (tenant, connection) = owner();
        let context = SealContext::item(&tenant, &connection, "oauth", "1");
        let key = SealingKey::generate().named("k").unwrap();
        let envelope = sealer(&key).seal(context, b"secret").unwrap();

        let stranger = sealer(&SealingKey::generate());
        assert_eq!(stranger.open(context, &envelope).unwrap_err().code(), "storage.key");
        let namesake = sealer(&SealingKey::generate().named("k").unwrap());
        assert_eq!(namesake.open(context, &envelope).unwrap_err().code(), "storage.corrupt");
        let mut newer = envelope.clone();
        newer[0] = 2;
        assert_eq!(sealer(&key).open(context, &newer).unwrap_err().code(), "storage.schema");
        for length in 0..envelope.len() {
            let error = sealer(&key).open(context, &envelope[..length]).unwrap_err();
            assert_eq!(error.code(), "storage.corrupt", "cut to {length}");
        }
    }

    #[test]
    fn no_key_no_start() {
        #[derive(Debug)]
        struct Locked;
        impl KeyProvider for Locked {
            fn current(&self) -> Result<SealingKey> {
                Err(Error::new(StorageFault::Key, "test"))
            }
            fn find(&self, _: &str) -> Result<Option<SealingKey>> {
                Ok(None)
            }
        }
        assert_eq!(Sealer::new(Arc::new(Locked)).unwrap_err().code(), "storage.key");
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_refused(clear in proptest::collection::vec(any::<u8>(), 0..200), flip in 1u8.., at in any::<prop::sample::Index>()) {
            let sealer = sealer(&SealingKey::generate());
            let (tenant, connection) = owner();
            let context = SealContext::item(&tenant, &connection, "inbox.body", "m1");
            let mut envelope = sealer.seal(context, &clear).unwrap();
            let opened = sealer.open(context, &envelope).unwrap();
            prop_assert_eq!(opened.expose_secret(), &clear);
            let at = at.index(envelope.len());
            envelope[at] ^= flip;
            prop_assert!(sealer.open(context, &envelope).is_err());
        }

        #[test]
        fn any_other_context_is_refused(
            one in ("[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}"),
            two in ("[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}"),
        ) {
            let sealer = sealer(&SealingKey::generate());
            let owners = [&one, &two].map(|(tenant, connection, _, _)| (TenantId::new(tenant.as_str()), ConnectionId::new(connection.as_str())));
            let sealed = SealContext::item(&owners[0].0, &owners[0].1, &one.2, &one.3);
            let asked = SealContext::item(&owners[1].0, &owners[1].1, &two.2, &two.3);
            let envelope = sealer.seal(sealed, b"clear").unwrap();
            prop_assert_eq!(sealer.open(asked, &envelope).is_ok(), one == two);
        }

        #[test]
        fn arbitrary_bytes_never_open(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let sealer = sealer(&SealingKey::generate());
            let (tenant, connection) = owner();
            prop_assert!(sealer.open(SealContext::item(&tenant, &connection, "f", "i"), &bytes).is_err());
        }
    }
}
