//! Sealing through the store: kinds, rotation, damage.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::clock::Timestamp;
use crate::credential::codec::tests::every_kind;
use crate::credential::{Basic, KeyRing, OAuthGrant, SealingKey};
use crate::ids::{ConnectionId, HolderId, TenantId};
use crate::oauth::ScopeSet;
use crate::store::MemoryStore;

fn key(name: &str) -> CredentialKey {
    CredentialKey {
        tenant: TenantId::new("acme"),
        connection: ConnectionId::new(name),
        field: "oauth".into(),
    }
}

fn sealer(ring: KeyRing) -> Sealer {
    Sealer::new(Arc::new(ring)).unwrap()
}

/// The same store under an old ring and under one where a new key has come before it.
fn before_and_after(store: &Arc<dyn CredentialStore>) -> (Vault, Vault) {
    let old = SealingKey::generate().named("old").unwrap();
    let new = SealingKey::generate().named("new").unwrap();
    (
        Vault::new(Arc::clone(store), sealer(KeyRing::new(old.clone()))),
        Vault::new(Arc::clone(store), sealer(KeyRing::new(new).with_older(old))),
    )
}

fn memory() -> Arc<dyn CredentialStore> {
    Arc::new(MemoryStore::new())
}

fn clear(credential: &Credential) -> Vec<u8> {
    codec::encode(credential).unwrap().to_vec()
}

async fn key_id(store: &Arc<dyn CredentialStore>, key: &CredentialKey) -> Box<str> {
    store.load(key).await.unwrap().unwrap().value.key_id
}

#[tokio::test]
async fn every_kind_is_rotated_and_reads_the_same() {
    let store = memory();
    let (before, after) = before_and_after(&store);
    let rows: Vec<(CredentialKey, Credential)> = (0..).map(|n| key(&format!("c{n}"))).zip(every_kind()).collect();
    for (key, credential) in &rows {
        before.put(key, Epoch::new(7), credential).await.unwrap();
    }
    let rotation = after.rotate().await.unwrap();
    assert_eq!(rotation.resealed, rows.len() as u64);
    assert!(rotation.is_complete());
    for (key, credential) in &rows {
        assert_eq!(&*key_id(&store, key).await, "new");
        let stored = after.load(key).await.unwrap().unwrap();
        assert_eq!(clear(&stored.credential), clear(credential), "{}", credential.kind());
        assert_eq!((stored.epoch, stored.version), (Epoch::new(7), Version::new(2)));
    }
    assert_eq!(after.rotate().await.unwrap().resealed, 0, "nothing is left to do");
}

#[tokio::test]
async fn reading_seals_again_under_the_current_key() {
    let store = memory();
    let (before, after) = before_and_after(&store);
    let credential = &every_kind()[0];
    before.put(&key("c"), Epoch::FIRST, credential).await.unwrap();
    let first = after.load(&key("c")).await.unwrap().unwrap();
    assert_eq!(
        first.version,
        Version::new(2),
        "the version told is the one to commit over"
    );
    assert_eq!(&*key_id(&store, &key("c")).await, "new");
    let second = after.load(&key("c")).await.unwrap().unwrap();
    assert_eq!(second.version, first.version);
    let next = after
        .commit(&key("c"), Epoch::FIRST, credential, second.version, None)
        .await;
    assert_eq!(next.unwrap(), Version::new(3));
}

/// The process is killed after any number of writes: every row is readable, and the next run finishes.
#[tokio::test]
async fn a_rotation_that_is_killed_midway_leaves_all_readable() {
    for writes in 0..8 {
        let inner = memory();
        let (before, revived) = before_and_after(&inner);
        let mortal = Arc::new(Mortal::new(Arc::clone(&inner), writes));
        let after = Vault::new(mortal, revived.sealer().clone());
        let kinds = every_kind();
        for (number, credential) in kinds.iter().enumerate() {
            before
                .put(&key(&format!("c{number}")), Epoch::FIRST, credential)
                .await
                .unwrap();
        }
        let outcome = after.rotate().await;
        assert_eq!(outcome.is_ok(), writes >= kinds.len());
        for (number, credential) in kinds.iter().enumerate() {
            let row = inner.load(&key(&format!("c{number}"))).await.unwrap().unwrap();
            let read = revived.open(&key(&format!("c{number}")), &row).unwrap();
            assert_eq!(clear(&read.credential), clear(credential));
        }
        assert_eq!(
            revived.rotate().await.unwrap().resealed,
            kinds.len().saturating_sub(writes) as u64
        );
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_opened_is_named_and_left_and_the_rest_goes_on() {
    let store = memory();
    let (before, after) = before_and_after(&store);
    let lost = Vault::new(Arc::clone(&store), sealer(KeyRing::ephemeral()));
    let credential = &every_kind()[0];
    before.put(&key("a"), Epoch::FIRST, credential).await.unwrap();
    lost.put(&key("b"), Epoch::FIRST, credential).await.unwrap();
    before.put(&key("c"), Epoch::FIRST, credential).await.unwrap();
    let row = store.load(&key("c")).await.unwrap().unwrap();
    let mut damaged = row.value;
    damaged.envelope.truncate(damaged.envelope.len() - 1);
    store
        .commit(&key("c"), damaged.clone(), row.version, None)
        .await
        .unwrap();

    let rotation = after.rotate().await.unwrap();
    assert_eq!(rotation.resealed, 1);
    assert_eq!(
        rotation.failed,
        [(key("b"), "storage.key"), (key("c"), "storage.corrupt")]
    );
    assert!(!rotation.is_complete());
    assert_eq!(store.load(&key("c")).await.unwrap().unwrap().value, damaged);
    assert_eq!(after.load(&key("b")).await.unwrap_err().code(), "storage.key");
    assert_eq!(after.load(&key("c")).await.unwrap_err().code(), "storage.corrupt");
}

/// F46: rows that were moved or rolled back by whoever can write to the database.
#[tokio::test]
async fn an_envelope_under_another_row_or_version_does_not_open() {
    let store = memory();
    let (vault, _) = before_and_after(&store);
    let credential = &every_kind()[0];
    let version = vault.put(&key("a"), Epoch::FIRST, credential).await.unwrap();
    let mine = store.load(&key("a")).await.unwrap().unwrap().value;
    store
        .commit(&key("b"), mine.clone(), Version::NONE, None)
        .await
        .unwrap();
    assert_eq!(vault.load(&key("b")).await.unwrap_err().code(), "storage.corrupt");
    let version = vault
        .commit(&key("a"), Epoch::FIRST, credential, version, None)
        .await
        .unwrap();
    store.commit(&key("a"), mine, version, None).await.unwrap();
    assert_eq!(vault.load(&key("a")).await.unwrap_err().code(), "storage.corrupt");
}

#[tokio::test]
async fn putting_wins_over_others_but_not_over_a_newer_epoch() {
    let store = memory();
    let (vault, _) = before_and_after(&store);
    let kinds = every_kind();
    for credential in &kinds {
        vault.put(&key("c"), Epoch::new(2), credential).await.unwrap();
    }
    let late = vault.put(&key("c"), Epoch::new(1), &kinds[0]).await.unwrap_err();
    assert!(matches!(late.kind(), ErrorKind::Cancelled));
    vault.erase(&key("c"), Epoch::new(3)).await.unwrap();
    assert!(vault.load(&key("c")).await.unwrap().is_none());
    vault.put(&key("c"), Epoch::new(3), &kinds[0]).await.unwrap();
    assert!(vault.load(&key("c")).await.unwrap().is_some());
}

/// No secret reaches the store, whatever the kind.
#[tokio::test]
async fn the_store_sees_no_clear_text() {
    let store = memory();
    let (vault, _) = before_and_after(&store);
    for credential in every_kind() {
        vault.put(&key("c"), Epoch::FIRST, &credential).await.unwrap();
        let envelope = store.load(&key("c")).await.unwrap().unwrap().value.envelope;
        let clear = clear(&credential);
        let pieces: HashSet<&[u8]> = clear.windows(8).collect();
        assert!(!envelope.windows(8).any(|window| pieces.contains(window)));
    }
}

/// Nor does the file, the log beside it included, before and after an erasure.
#[cfg(feature = "sqlite")]
#[tokio::test]
async fn the_file_holds_no_clear_text() {
    use crate::store::SqliteStore;

    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn CredentialStore> = Arc::new(SqliteStore::open(folder.path().join("atlas.db")).unwrap());
    let (vault, _) = before_and_after(&store);
    let canaries = ["canary-access-Zq7", "canary-refresh-Zq7", "canary-password-Zq7"];
    let grant = OAuthGrant::new(canaries[0].into(), ScopeSet::new(), Timestamp::UNIX_EPOCH)
        .with_refresh_token(canaries[1].into());
    let basic = Basic {
        user: "reader".into(),
        password: canaries[2].into(),
    };
    vault.put(&key("a"), Epoch::FIRST, &grant.into()).await.unwrap();
    vault.put(&key("b"), Epoch::FIRST, &basic.into()).await.unwrap();
    let envelope = store.load(&key("b")).await.unwrap().unwrap().value.envelope;
    let holds = |piece: &[u8]| {
        std::fs::read_dir(folder.path()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(piece.len()).any(|window| window == piece)
        })
    };
    assert!(holds(&envelope[..40]), "the search finds what is there");
    for canary in canaries {
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, canary);
        assert!(!holds(canary.as_bytes()) && !holds(encoded.as_bytes()));
    }
}

/// Dies at the write after so many.
#[derive(Debug)]
struct Mortal {
    inner: Arc<dyn CredentialStore>,
    left: Mutex<usize>,
}

impl Mortal {
    fn new(inner: Arc<dyn CredentialStore>, writes: usize) -> Self {
        Self {
            inner,
            left: Mutex::new(writes),
        }
    }
}

#[async_trait]
impl CredentialStore for Mortal {
    async fn load(&self, key: &CredentialKey) -> Result<Option<Versioned<SealedCredential>>> {
        self.inner.load(key).await
    }

    async fn commit(
        &self,
        key: &CredentialKey,
        new: SealedCredential,
        expected: Version,
        fence: Option<&Fence>,
    ) -> Result<Version> {
        {
            let mut left = self.left.lock().unwrap();
            *left = left
                .checked_sub(1)
                .ok_or_else(|| Error::new(StorageFault::Io, "killed"))?;
        }
        self.inner.commit(key, new, expected, fence).await
    }

    async fn erase(&self, key: &CredentialKey, epoch: Epoch) -> Result<()> {
        self.inner.erase(key, epoch).await
    }

    async fn lease(&self, key: &CredentialKey, holder: &HolderId, ttl: Duration) -> Result<Option<Fence>> {
        self.inner.lease(key, holder, ttl).await
    }

    async fn release(&self, fence: Fence) -> Result<()> {
        self.inner.release(fence).await
    }

    async fn sealed_with_other_key(
        &self,
        key_id: &str,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<CredentialKey>> {
        self.inner.sealed_with_other_key(key_id, after, limit).await
    }
}
