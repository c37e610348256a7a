//! Sealing keys and where they come from.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result, StorageFault};

/// Length of a key in bytes (XChaCha20-Poly1305).
const KEY_BYTES: usize = 32;
/// Longest id of a key in bytes: its length is one byte in the envelope.
const ID_BYTES: usize = 64;

/// A key of 256 bits with its id. Cheap to clone; overwritten with zeros when the last clone goes; `Debug` shows the id.
#[derive(Clone)]
pub struct SealingKey {
    id: Arc<str>,
    bytes: Arc<Zeroizing<[u8; KEY_BYTES]>>,
}

impl SealingKey {
    /// A fresh random key, named by its fingerprint.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        crate::random::fill(bytes.as_mut());
        Self::from_bytes(bytes)
    }

    /// Reads `base64` or `id:base64`, where the base64 (standard alphabet) stands for 32 bytes. Without an id the key is
    /// named by its fingerprint, so that a wrong key is noticed as an unknown one.
    ///
    /// # Errors
    /// `ErrorKind::Invalid` if the text has another form; the error does not repeat it.
    pub fn parse(text: &SecretString) -> Result<Self> {
        let text = text.expose_secret().trim();
        let (id, encoded) = match text.split_once(':') {
            Some((id, encoded)) => (Some(id.trim()), encoded.trim()),
            None => (None, text),
        };
        // Room for one byte more than a key, so that a longer one is told from a fitting one.
        let mut buffer = Zeroizing::new([0; KEY_BYTES + 4]);
        let length = STANDARD
            .decode_slice(encoded, buffer.as_mut())
            .map_err(|_| invalid("not base64 of 32 bytes"))?;
        if length != KEY_BYTES {
            return Err(invalid("not base64 of 32 bytes"));
        }
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        bytes.copy_from_slice(buffer.get(..KEY_BYTES).unwrap_or_default());
        let key = Self::from_bytes(bytes);
        match id {
            None => Ok(key),
            Some(id) => key.named(id),
        }
    }

    /// The same key under a name of the host's choice.
    ///
    /// # Errors
    /// `ErrorKind::Invalid` if the name is empty, longer than 64 bytes, or has characters other than ASCII letters,
    /// digits and `._-/`.
    pub fn named(self, id: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        if id.is_empty() || id.len() > ID_BYTES || !id.chars().all(allowed) {
            return Err(invalid("the id of a key has 1 to 64 letters, digits or ._-/"));
        }
        Ok(Self { id: id.into(), ..self })
    }

    /// The id that the envelopes carry.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `id:base64`, as [`SealingKey::parse`] reads it: for a host that stores a generated key itself.
    pub fn to_text(&self) -> SecretString {
        let encoded = Zeroizing::new(STANDARD.encode(self.bytes()));
        let mut text = String::with_capacity(self.id.len() + 1 + encoded.len());
        text.push_str(&self.id);
        text.push(':');
        text.push_str(&encoded);
        text.into()
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let digest = Sha256::new()
            .chain_update(b"atlas sealing key id")
            .chain_update(bytes.as_ref())
            .finalize();
        let id: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self {
            id: id.into(),
            bytes: Arc::new(bytes),
        }
    }
}

impl PartialEq for SealingKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && bool::from(self.bytes().ct_eq(other.bytes()))
    }
}

impl Eq for SealingKey {}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id)
    }
}

/// Gives the keys that open and seal what is stored. A host may bring its own, over a key service for instance; it then
/// keeps the unwrapped keys in memory, because sealing does not wait.
///
/// ```
/// use atlas_connectors::credential::{KeyProvider, SealingKey};
/// use atlas_connectors::Result;
///
/// /// One key for the life of the process.
/// #[derive(Debug)]
/// struct Ephemeral(SealingKey);
///
/// impl KeyProvider for Ephemeral {
///     fn current(&self) -> Result<SealingKey> {
///         Ok(self.0.clone())
///     }
///     fn find(&self, id: &str) -> Result<Option<SealingKey>> {
///         Ok((id == self.0.id()).then(|| self.0.clone()))
///     }
/// }
///
/// let keys = Ephemeral(SealingKey::generate());
/// assert!(keys.find("another")?.is_none());
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
pub trait KeyProvider: fmt::Debug + Send + Sync + 'static {
    /// The key that seals from now on.
    ///
    /// # Errors
    /// [`StorageFault::Key`] if there is none: nothing may be stored then.
    fn current(&self) -> Result<SealingKey>;

    /// The key with this id, to open what it sealed; `None` if it is not known.
    ///
    /// # Errors
    /// [`StorageFault::Key`] if the keys cannot be reached.
    fn find(&self, id: &str) -> Result<Option<SealingKey>>;
}

/// Keys handed in by the host: one that seals, and older ones that only open. For a rotation put the new key first and
/// keep the old one until [`Vault::rotate`](super::Vault::rotate) has nothing left to do.
#[derive(Clone, Debug)]
pub struct KeyRing {
    current: SealingKey,
    older: Vec<SealingKey>,
}

impl KeyRing {
    /// A ring of one key.
    pub fn new(current: SealingKey) -> Self {
        Self {
            current,
            older: Vec::new(),
        }
    }

    /// A fresh random key that nobody else has: for tests, and for stores that do not outlive the process.
    pub fn ephemeral() -> Self {
        Self::new(SealingKey::generate())
    }

    /// Adds a key that opens but does not seal.
    #[must_use]
    pub fn with_older(mut self, key: SealingKey) -> Self {
        self.older.push(key);
        self
    }

    /// Reads keys as [`SealingKey::parse`] does, separated by commas or white space, the current one first; the rest of
    /// a line after `#` is a remark. This is the form of the environment variable and of the key file.
    ///
    /// # Errors
    /// [`StorageFault::Key`] if there is no key in the text; `ErrorKind::Invalid` if one is malformed or two have the
    /// same id.
    pub fn parse(text: &SecretString) -> Result<Self> {
        let words = text
            .expose_secret()
            .lines()
            .filter_map(|line| line.split('#').next())
            .flat_map(|line| line.split([',', ' ', '\t']))
            .filter(|word| !word.is_empty());
        let mut keys = Vec::new();
        for word in words {
            let key = SealingKey::parse(&SecretString::from(word))?;
            if keys.iter().any(|known: &SealingKey| known.id() == key.id()) {
                return Err(invalid("two keys have the same id"));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or_else(no_key)?;
        Ok(Self {
            current,
            older: keys.collect(),
        })
    }

    /// Reads the keys from an environment variable, in the form of [`KeyRing::parse`]. This is the only place in the
    /// library that reads the environment; it does so once, when called.
    ///
    /// # Errors
    /// [`StorageFault::Key`] if the variable is not set or empty, else as [`KeyRing::parse`].
    #[allow(
        clippy::disallowed_methods,
        reason = "a key in the environment is a documented choice of the host, made by calling this"
    )]
    pub fn from_environment(variable: &str) -> Result<Self> {
        let value = std::env::var(variable).map_err(|_| no_key().with_context("variable", variable))?;
        Self::parse(&value.into()).map_err(|error| error.with_context("variable", variable))
    }

    /// The keys, the current one first.
    pub(super) fn keys(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.current).chain(&self.older)
    }
}

impl KeyProvider for KeyRing {
    fn current(&self) -> Result<SealingKey> {
        Ok(self.current.clone())
    }

    fn find(&self, id: &str) -> Result<Option<SealingKey>> {
        Ok(self.keys().find(|key| key.id() == id).cloned())
    }
}

/// There is no key: nothing starts.
pub(super) fn no_key() -> Error {
    Error::new(StorageFault::Key, "credential.key")
}

fn invalid(why: &'static str) -> Error {
    Error::new(
        ErrorKind::Invalid {
            what: "sealing key",
            why,
        },
        "credential.key",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_key_survives_being_written_and_read() {
        let key = SealingKey::generate();
        assert_eq!(SealingKey::parse(&key.to_text()).unwrap(), key);
        let named = key.clone().named("2026-11").unwrap();
        assert_eq!(SealingKey::parse(&named.to_text()).unwrap(), named);
        assert_ne!(named, key);
        assert_ne!(SealingKey::generate(), key);
    }

    #[test]
    fn the_fingerprint_tells_keys_apart_and_is_stable() {
        let zeros = STANDARD.encode([0u8; 32]);
        let ones = STANDARD.encode([1u8; 32]);
        let id = |encoded: &str| SealingKey::parse(&text(encoded)).unwrap().id().to_owned();
        assert_eq!(id(&zeros), id(&zeros));
        assert_ne!(id(&zeros), id(&ones));
        assert_eq!(id(&zeros).len(), 16);
    }

    #[test]
    fn malformed_keys_are_refused_without_being_repeated() {
        let short = STANDARD.encode([7u8; 31]);
        let long = STANDARD.encode([7u8; 33]);
        let very_long = STANDARD.encode([7u8; 64]);
        for bad in ["", "secret-passphrase", "bad id:AAAA", &short, &long, &very_long] {
            let error = SealingKey::parse(&text(bad)).unwrap_err();
            assert_eq!(error.code(), "invalid", "{bad}");
            assert!(bad.is_empty() || !format!("{error} {error:?}").contains(bad));
        }
        let good = STANDARD.encode([7u8; 32]);
        assert!(SealingKey::parse(&text(&format!("bad id:{good}"))).is_err());
        assert!(SealingKey::parse(&text(&format!("{}:{good}", "x".repeat(65)))).is_err());
    }

    #[test]
    fn a_ring_seals_with_the_first_key_and_opens_with_all() {
        let (new, old) = (STANDARD.encode([1u8; 32]), STANDARD.encode([2u8; 32]));
        let ring = KeyRing::parse(&text(&format!("# keys\nnew:{new}  # since May\nold:{old}\n"))).unwrap();
        assert_eq!(ring.current().unwrap().id(), "new");
        assert_eq!(ring.find("old").unwrap().unwrap().id(), "old");
        assert!(ring.find("other").unwrap().is_none());
        let ring = KeyRing::parse(&text(&format!("new:{new},old:{old}"))).unwrap();
        assert_eq!(ring.keys().count(), 2);
    }

    #[test]
    fn no_key_is_a_typed_error() {
        for empty in ["", "  \n", "# nothing yet\n"] {
            assert_eq!(KeyRing::parse(&text(empty)).unwrap_err().code(), "storage.key");
        }
        let missing = KeyRing::from_environment("ATLAS_TEST_NO_SUCH_VARIABLE").unwrap_err();
        assert_eq!(missing.code(), "storage.key");
        let twice = STANDARD.encode([1u8; 32]);
        assert_eq!(
            KeyRing::parse(&text(&format!("a:{twice},a:{twice}")))
                .unwrap_err()
                .code(),
            "invalid"
        );
    }

    #[test]
    fn debug_shows_ids_only() {
        let key = SealingKey::generate();
        let shown = format!("{key:?} {:?}", KeyRing::new(key.clone()));
        let encoded = STANDARD.encode(key.bytes());
        assert!(shown.contains(key.id()));
        assert!(!shown.contains(&encoded));
    }
}
