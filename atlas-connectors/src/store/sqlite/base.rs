//! The connection to the file, and how statements get to it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Result, StorageFault};
use crate::store::sqlite::migrations::MIGRATIONS;

/// Keeps everything in one SQLite file (bundled SQLite, write-ahead log). Any number of processes may share the file.
/// Clones share the connection.
#[derive(Clone)]
pub struct SqliteStore {
    connection: Arc<Mutex<Connection>>,
    pub(super) clock: Arc<dyn Clock>,
}

impl SqliteStore {
    /// Opens or makes the file and brings its schema up to date.
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
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| failed("store.open", e))?;
        Self::prepare(connection, clock)
    }

    /// A private database in memory, gone when the last clone is dropped.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn in_memory() -> Result<Self> {
        let connection = Connection::open_in_memory().map_err(|e| failed("store.open", e))?;
        Self::prepare(connection, Arc::new(SystemClock))
    }

    fn prepare(mut connection: Connection, clock: Arc<dyn Clock>) -> Result<Self> {
        let set_up = |connection: &mut Connection| -> rusqlite::Result<bool> {
            // Other processes hold the write lock for one short transaction at a time.
            connection.busy_timeout(Duration::from_secs(10))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // Durable before use: a commit that returned survives a power cut.
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", "ON")?;
            // Erased secrets do not linger in free pages.
            connection.pragma_update(None, "secure_delete", "ON")?;
            connection.set_prepared_statement_cache_capacity(64);
            migrate(connection)
        };
        match set_up(&mut connection) {
            Ok(true) => Ok(Self {
                connection: Arc::new(Mutex::new(connection)),
                clock,
            }),
            Ok(false) => Err(Error::new(StorageFault::Schema, "store.open")),
            Err(error) => Err(failed("store.open", error)),
        }
    }

    /// Runs `work` in one immediate transaction on a blocking thread; commits if it returns `Ok`. Dropping the future does not
    /// stop a transaction that has begun: it commits or rolls back whole.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        self.run(operation, move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
        .await
    }

    /// Runs `work` in one read transaction on a blocking thread.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        self.run(operation, move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            work(&transaction)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let connection = Arc::clone(&self.connection);
        let joined = tokio::task::spawn_blocking(move || {
            // A panic inside a transaction has rolled it back when it was dropped; the connection itself stays sound.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection)
        })
        .await;
        match joined {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Fault::Sqlite(error))) => Err(failed(operation, error)),
            Ok(Err(Fault::Typed(error))) => Err(error),
            Err(_) => Err(Error::new(StorageFault::Io, operation)),
        }
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

/// Runs the steps that are missing. `false`: the file is of a newer version.
fn migrate(connection: &mut Connection) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let Some(missing) = MIGRATIONS.get(usize::try_from(done).unwrap_or(usize::MAX)..) else {
        return Ok(false);
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(
        None,
        "user_version",
        u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX),
    )?;
    transaction.commit()?;
    Ok(true)
}

/// SQLite's failure as one of ours. The source keeps SQLite's code and its fixed text, never a value.
fn failed(operation: &'static str, error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;

    let code = error.sqlite_error_code();
    let fault = match code {
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly) => StorageFault::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StorageFault::Corrupt,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StorageFault::Locked,
        Some(ErrorCode::ConstraintViolation) => StorageFault::Conflict,
        _ => StorageFault::Io,
    };
    let error_out = Error::new(fault, operation);
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => error_out.with_context("sqlite", failure.extended_code),
        _ => error_out,
    }
}
