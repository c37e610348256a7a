//! The connections to the file, and how statements get to them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result, StorageFault};
use crate::store::sqlite::migrations::MIGRATIONS;

/// How long a statement waits for another process. Each holds the write lock for one short transaction at a time.
const BUSY: Duration = Duration::from_secs(10);
/// Pause between two tries where SQLite does not wait by itself.
const PAUSE: Duration = Duration::from_millis(10);
/// Reads that run at the same time, each on a connection of its own.
const READERS: usize = 4;

/// Keeps everything in one SQLite file (bundled SQLite, write-ahead log). Any number of processes may share the file, and
/// any number of stores may be open on it. Clones share the connections: one that writes, a few that read.
#[derive(Clone)]
pub struct SqliteStore {
    writer: Arc<AsyncMutex<Connection>>,
    readers: Readers,
    pub(super) clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens or makes the file (readable by its owner only) and brings its schema up to date. Blocks while it does.
    ///
    /// # Errors
    /// [`StorageFault::Schema`] if a newer version of this library wrote it; [`StorageFault::Io`], [`StorageFault::Full`],
    /// [`StorageFault::Locked`] or [`StorageFault::Corrupt`] as SQLite says.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with_clock(path, Arc::new(SystemClock))
    }

    /// Like [`SqliteStore::open`], with leases and expiries following this clock.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with_clock(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self> {
        let path = path.as_ref();
        create_private(path).map_err(|error| Error::new(StorageFault::Io, OPEN).with_source(error))?;
        let writer = prepare(|| open_file(path))?;
        Ok(Self {
            writer: Arc::new(AsyncMutex::new(writer)),
            readers: Readers::Pool(Arc::new(Pool::new(path))),
            clock,
        })
    }

    /// A private database in memory, gone when the last clone is dropped.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn in_memory() -> Result<Self> {
        Self::in_memory_with_clock(Arc::new(SystemClock))
    }

    /// Like [`SqliteStore::in_memory`], with leases and expiries following this clock.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn in_memory_with_clock(clock: Arc<dyn Clock>) -> Result<Self> {
        let writer = prepare(Connection::open_in_memory)?;
        Ok(Self {
            writer: Arc::new(AsyncMutex::new(writer)),
            readers: Readers::Writer,
            clock,
        })
    }

    /// Runs `work` in one immediate transaction on a blocking thread; commits if it returns `Ok`. Dropping the future does
    /// not stop a transaction that has begun: it commits or rolls back whole.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        // Tasks queue here, not each on a blocking thread of its own.
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        blocking(operation, move || {
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
        .await
    }

    /// Runs `work` in one read transaction on a blocking thread: it sees one state of the file, and waits for no writer.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        match &self.readers {
            Readers::Writer => {
                let mut writer = Arc::clone(&self.writer).lock_owned().await;
                blocking(operation, move || read_on(&mut writer, work)).await
            }
            Readers::Pool(pool) => {
                let permit = Arc::clone(&pool.permits).acquire_owned().await;
                let pool = Arc::clone(pool);
                blocking(operation, move || {
                    let mut reader = pool.take()?;
                    let value = read_on(&mut reader, work);
                    pool.idle().push(reader);
                    // Held until here, so that there are never more readers than permits.
                    drop(permit);
                    value
                })
                .await
            }
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteStore")
    }
}

/// Why work inside a transaction stopped: SQLite itself, or a refusal of ours that rolls back.
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    Typed(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Typed(error)
    }
}

const OPEN: &str = "store.open";

/// Where reads run.
#[derive(Clone)]
enum Readers {
    /// On the connection that writes: a database in memory has no other.
    Writer,
    Pool(Arc<Pool>),
}

/// Connections that read beside the one that writes; a write-ahead log lets them.
struct Pool {
    path: PathBuf,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            permits: Arc::new(Semaphore::new(READERS)),
            idle: Mutex::new(Vec::new()),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> rusqlite::Result<Connection> {
        let idle = self.idle().pop();
        match idle {
            Some(reader) => Ok(reader),
            None => {
                let reader = open_file(&self.path)?;
                reader.busy_timeout(BUSY)?;
                reader.pragma_update(None, "query_only", "ON")?;
                reader.set_prepared_statement_cache_capacity(64);
                Ok(reader)
            }
        }
    }
}

fn read_on<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    work(&transaction)
}

async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Fault::Sqlite(error))) => Err(failed(operation, &error)),
        Ok(Err(Fault::Typed(error))) => Err(error),
        // The work panicked, or the runtime is shutting down; the transaction was rolled back when it was dropped.
        Err(_) => Err(Error::new(StorageFault::Io, operation)),
    }
}

/// Makes the file if it is missing, for its owner only. SQLite gives the log beside it the same permissions.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
}

/// Opens and sets up. Changing to the write-ahead log and recovering it want the file alone and do not always wait for it,
/// so the first open by many processes at once is tried again until the time is up.
fn prepare(open: impl Fn() -> rusqlite::Result<Connection>) -> Result<Connection> {
    let give_up = SystemClock.monotonic().saturating_add(BUSY);
    loop {
        match open().and_then(set_up) {
            Ok(Some(connection)) => return Ok(connection),
            Ok(None) => return Err(Error::new(StorageFault::Schema, OPEN)),
            Err(error) if is_busy(&error) && SystemClock.monotonic() < give_up => std::thread::sleep(PAUSE),
            Err(error) => return Err(failed(OPEN, &error)),
        }
    }
}

/// The connection, ready for use. `None`: the file is of a newer version.
fn set_up(mut connection: Connection) -> rusqlite::Result<Option<Connection>> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Durable before use: a commit that returned survives a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // Erased secrets do not linger in free pages.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(migrate(&mut connection, MIGRATIONS)?.then_some(connection))
}

/// Runs the steps that are missing, all in one transaction under the write lock, so that processes cannot run them twice.
/// `false`: the file is of a newer version.
fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let Some(missing) = steps.get(usize::try_from(done).unwrap_or(usize::MAX)..) else {
        return Ok(false);
    };
    if missing.is_empty() {
        return Ok(true);
    }
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", u32::try_from(steps.len()).unwrap_or(u32::MAX))?;
    transaction.commit()?;
    Ok(true)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// SQLite's failure as one of ours. Only SQLite's code is kept, never a value.
fn failed(operation: &'static str, error: &rusqlite::Error) -> Error {
    let fault = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly) => StorageFault::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StorageFault::Corrupt,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StorageFault::Locked,
        Some(ErrorCode::ConstraintViolation) => StorageFault::Conflict,
        Some(_) => StorageFault::Io,
        None => match error {
            // A value of another type than this library writes.
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => StorageFault::Corrupt,
            _ => StorageFault::Io,
        },
    };
    let out = Error::new(fault, operation);
    match error.sqlite_error() {
        Some(failure) => out.with_context("sqlite", failure.extended_code),
        None => out,
    }
}

#[cfg(test)]
#[path = "base_tests.rs"]
mod tests;
