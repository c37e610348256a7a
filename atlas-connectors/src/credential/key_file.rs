//! Sealing keys in a file that only its owner can read.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as IoKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::key::{KeyProvider, KeyRing, SealingKey, no_key};
use crate::error::{Error, Result, StorageFault};

/// Larger files are no key files.
const MOST_BYTES: u64 = 64 * 1024;

/// Keys from a file in the form of [`KeyRing::parse`]: one key a line, the current one first. On Unix the file must be a
/// regular one that nobody but its owner may read or write (mode 0600 or less); elsewhere guard it by other means. A key
/// that another process has added is found when an envelope names it.
///
/// ```
/// use atlas_connectors::credential::{KeyFile, KeyProvider};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("sealing.key");
/// let keys = KeyFile::open_or_create(&path)?;
/// let old = keys.current()?;
/// keys.add_key()?;
/// assert_ne!(keys.current()?.id(), old.id());
/// assert!(keys.find(old.id())?.is_some(), "what the old key sealed still opens");
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
pub struct KeyFile {
    path: PathBuf,
    ring: ArcSwap<KeyRing>,
}

impl KeyFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`StorageFault::Key`] if it is missing, empty, not a regular file or open to others; `ErrorKind::Invalid` if a key in
    /// it is malformed.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let ring = ArcSwap::from_pointee(read(&path)?);
        Ok(Self { path, ring })
    }

    /// Reads the file, or makes it with a fresh key if it is missing. Of several processes that make it at once one wins,
    /// and all use its key.
    ///
    /// # Errors
    /// As [`KeyFile::open`]; [`StorageFault::Key`] if it cannot be written.
    pub fn open_or_create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let is_missing = |path: &Path| {
            path.symlink_metadata()
                .is_err_and(|error| error.kind() == IoKind::NotFound)
        };
        if is_missing(&path) {
            let draft = Draft::write(&path, &[SealingKey::generate()])?;
            // A link is made only where nothing is, and the file is whole before it has the name.
            match std::fs::hard_link(&draft.0, &path) {
                Ok(()) => {}
                Err(error) if error.kind() == IoKind::AlreadyExists => {}
                Err(error) => return Err(no_key().with_context("key_file", "cannot be made").with_source(error)),
            }
            sync_folder(&path);
        }
        Self::open(path)
    }

    /// Puts a fresh key before the others, which then only open. Follow it with
    /// [`Vault::rotate`](super::Vault::rotate). One process at a time.
    ///
    /// # Errors
    /// As [`KeyFile::open`]; [`StorageFault::Key`] if the file cannot be written: the keys are as before then.
    pub fn add_key(&self) -> Result<()> {
        let mut keys = vec![SealingKey::generate()];
        keys.extend(read(&self.path)?.keys().cloned());
        self.replace(&keys)
    }

    /// Leaves only the current key. Do this when [`Rotation::is_complete`](super::Rotation::is_complete) says so: what is
    /// still sealed under another key cannot be opened afterwards.
    ///
    /// # Errors
    /// As [`KeyFile::add_key`].
    pub fn retire_older_keys(&self) -> Result<()> {
        self.replace(&[read(&self.path)?.current()?])
    }

    fn replace(&self, keys: &[SealingKey]) -> Result<()> {
        let draft = Draft::write(&self.path, keys)?;
        std::fs::rename(&draft.0, &self.path).map_err(|error| {
            no_key()
                .with_context("key_file", "cannot be replaced")
                .with_source(error)
        })?;
        sync_folder(&self.path);
        self.reload()
    }

    fn reload(&self) -> Result<()> {
        self.ring.store(Arc::new(read(&self.path)?));
        Ok(())
    }
}

impl KeyProvider for KeyFile {
    fn current(&self) -> Result<SealingKey> {
        self.ring.load().current()
    }

    fn find(&self, id: &str) -> Result<Option<SealingKey>> {
        if let Some(key) = self.ring.load().find(id)? {
            return Ok(Some(key));
        }
        self.reload()?;
        self.ring.load().find(id)
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("keys", &*self.ring.load())
            .finish_non_exhaustive()
    }
}

/// A new version of the file under a name of its own; removed when dropped.
struct Draft(PathBuf);

impl Draft {
    fn write(beside: &Path, keys: &[SealingKey]) -> Result<Self> {
        let failed = |error: std::io::Error| {
            no_key()
                .with_context("key_file", "cannot be written")
                .with_source(error)
        };
        let mut name = beside.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", crate::ids::HolderId::random()));
        let draft = Self(beside.with_file_name(name));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&draft.0).map_err(failed)?;
        file.write_all(b"# Sealing keys; the first one seals, the others open. Keep a copy elsewhere.\n")
            .map_err(failed)?;
        for key in keys {
            file.write_all(key.to_text().expose_secret().as_bytes())
                .map_err(failed)?;
            file.write_all(b"\n").map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename there is nothing under this name.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn read(path: &Path) -> Result<KeyRing> {
    let failed = |error: std::io::Error| no_key().with_context("key_file", "cannot be read").with_source(error);
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() || about.len() > MOST_BYTES {
        return Err(no_key().with_context("key_file", "not a key file"));
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions());
        if mode & 0o077 != 0 {
            return Err(no_key()
                .with_context("key_file", "open to others, must be 0600")
                .with_context("mode", format_args!("{:o}", mode & 0o777)));
        }
    }
    let capacity = usize::try_from(about.len()).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity.saturating_add(1)));
    file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::new(StorageFault::Key, "credential.key"))?;
    KeyRing::parse(&SecretString::from(text))
}

/// A name that survives a power cut; not every system can do it, and a lost name is noticed at the next start.
fn sync_folder(path: &Path) {
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_missing_file_is_no_key_unless_asked_to_make_one() {
        let folder = folder();
        let path = folder.path().join("sealing.key");
        assert_eq!(KeyFile::open(&path).unwrap_err().code(), "storage.key");
        let made = KeyFile::open_or_create(&path).unwrap().current().unwrap();
        assert_eq!(KeyFile::open(&path).unwrap().current().unwrap(), made);
        assert_eq!(KeyFile::open_or_create(&path).unwrap().current().unwrap(), made);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no draft stays behind"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let folder = folder();
        let path = folder.path().join("sealing.key");
        KeyFile::open_or_create(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for (mode, accepted) in [
            (0o640, false),
            (0o604, false),
            (0o620, false),
            (0o601, false),
            (0o400, true),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let opened = KeyFile::open(&path);
            assert_eq!(opened.is_ok(), accepted, "{mode:o}");
            if let Err(error) = opened {
                assert_eq!(error.code(), "storage.key");
            }
        }
        assert_eq!(KeyFile::open(folder.path()).unwrap_err().code(), "storage.key");
    }

    #[test]
    fn an_empty_or_damaged_file_is_not_replaced() {
        for content in ["", "not a key"] {
            let folder = folder();
            let path = folder.path().join("sealing.key");
            KeyFile::open_or_create(&path).unwrap();
            std::fs::write(&path, content).unwrap();
            assert!(KeyFile::open_or_create(&path).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn processes_that_make_it_at_once_share_one_key() {
        let folder = folder();
        let path = folder.path().join("sealing.key");
        let ids: std::collections::HashSet<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        KeyFile::open_or_create(&path)
                            .unwrap()
                            .current()
                            .unwrap()
                            .id()
                            .to_owned()
                    })
                })
                .collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn a_key_that_another_process_added_is_found_and_retiring_forgets_the_others() {
        let folder = folder();
        let path = folder.path().join("sealing.key");
        let (here, there) = (KeyFile::open_or_create(&path).unwrap(), KeyFile::open(&path).unwrap());
        let old = here.current().unwrap();
        here.add_key().unwrap();
        let new = here.current().unwrap();
        assert_eq!(there.current().unwrap(), old);
        assert_eq!(there.find(new.id()).unwrap(), Some(new.clone()));
        assert_eq!(there.current().unwrap(), new, "and seals from now on");
        here.retire_older_keys().unwrap();
        assert_eq!(here.find(old.id()).unwrap(), None);
        assert_eq!(here.current().unwrap(), new);
        assert!(here.find("unknown").unwrap().is_none());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
