//! The file and its connections: many openers, wide permissions, damage, full disks, dropped futures.

use std::time::Duration;

use super::*;
use crate::error::ErrorKind;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn number(store: &SqliteStore, sql: &'static str) -> i64 {
    store
        .read("test.read", move |transaction| {
            Ok(transaction.query_row(sql, [], |row| row.get(0))?)
        })
        .await
        .unwrap()
}

async fn execute(store: &SqliteStore, sql: &'static str) -> Result<()> {
    store
        .write("test.write", move |transaction| Ok(transaction.execute_batch(sql)?))
        .await
}

#[tokio::test]
async fn the_file_is_durable_private_and_erases() {
    let folder = folder();
    let path = folder.path().join("atlas.db");
    let store = SqliteStore::open(&path).unwrap();
    let mode: String = store
        .read("test", |transaction| {
            Ok(transaction.query_row("PRAGMA journal_mode", [], |row| row.get(0))?)
        })
        .await
        .unwrap();
    assert_eq!(mode, "wal");
    let writer = store.writer.lock().await;
    let pragma = |name: &str| -> i64 { writer.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
    assert_eq!(pragma("synchronous"), 2, "FULL");
    assert_eq!(pragma("foreign_keys"), 1);
    assert_eq!(pragma("secure_delete"), 1);
    drop(writer);
    #[cfg(unix)]
    for name in ["atlas.db", "atlas.db-wal", "atlas.db-shm"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = folder.path().join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn many_may_open_a_new_file_at_once() {
    for _ in 0..5 {
        let folder = folder();
        let path = folder.path().join("atlas.db");
        std::thread::scope(|scope| {
            let openers: Vec<_> = (0..8).map(|_| scope.spawn(|| SqliteStore::open(&path))).collect();
            for opener in openers {
                opener.join().unwrap().unwrap();
            }
        });
    }
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left() {
    let folder = folder();
    let path = folder.path().join("letter.txt");
    let letter = "not a database at all, but somebody's letter. ".repeat(200);
    std::fs::write(&path, &letter).unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap_err().code(), "storage.corrupt");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), letter);

    let newer = folder.path().join("newer.db");
    drop(SqliteStore::open(&newer).unwrap());
    let connection = Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 9_999).unwrap();
    drop(connection);
    assert_eq!(SqliteStore::open(&newer).unwrap_err().code(), "storage.schema");

    let nowhere = folder.path().join("no such folder").join("atlas.db");
    assert_eq!(SqliteStore::open(nowhere).unwrap_err().code(), "storage.io");
}

#[test]
fn a_step_that_fails_leaves_the_file_as_it_was() {
    let mut connection = Connection::open_in_memory().unwrap();
    let good = "CREATE TABLE one (id INTEGER PRIMARY KEY);";
    assert!(migrate(&mut connection, &[good]).unwrap());
    assert!(migrate(&mut connection, &[good, "CREATE TABLE two (id INTEGER); NONSENSE;"]).is_err());
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 1);
    assert!(connection.prepare("SELECT * FROM two").is_err());
    assert!(migrate(&mut connection, &[good, "CREATE TABLE two (id INTEGER);"]).unwrap());
    assert!(connection.prepare("SELECT * FROM two").is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_do_not_wait_for_a_writer_and_see_whole_transactions() {
    let folder = folder();
    let store = SqliteStore::open(folder.path().join("atlas.db")).unwrap();
    execute(&store, "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1);")
        .await
        .unwrap();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (finish, may_finish) = std::sync::mpsc::channel::<()>();
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .write("test.write", move |transaction| {
                    transaction.execute_batch("UPDATE t SET n = 2; INSERT INTO t VALUES (2);")?;
                    begun.send(()).unwrap();
                    may_finish.recv().unwrap();
                    Ok(())
                })
                .await
        }
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
        .await
        .unwrap();
    for _ in 0..20 {
        assert_eq!(number(&store, "SELECT sum(n) FROM t").await, 1);
    }
    finish.send(()).unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(number(&store, "SELECT sum(n) FROM t").await, 4);
}

/// Another process that writes, or has the whole file to itself for a moment, is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openers_and_writers_wait_for_another_process() {
    let folder = folder();
    let path = folder.path().join("atlas.db");
    let store = SqliteStore::open(&path).unwrap();
    execute(&store, "CREATE TABLE t (n INTEGER)").await.unwrap();
    for begin in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        let other = Connection::open(&path).unwrap();
        other.execute_batch(begin).unwrap();
        let writing = tokio::spawn({
            let store = store.clone();
            async move { execute(&store, "INSERT INTO t VALUES (1)").await }
        });
        let opening = tokio::task::spawn_blocking({
            let path = path.clone();
            move || SqliteStore::open(path)
        });
        SystemClock.sleep(Duration::from_millis(50)).await;
        assert!(!writing.is_finished() && !opening.is_finished(), "{begin}");
        other.execute_batch("COMMIT").unwrap();
        writing.await.unwrap().unwrap();
        opening.await.unwrap().unwrap();
    }
    assert_eq!(number(&store, "SELECT count(*) FROM t").await, 2);
}

#[tokio::test]
async fn readers_cannot_write() {
    let folder = folder();
    let store = SqliteStore::open(folder.path().join("atlas.db")).unwrap();
    let outcome = store
        .read("test.read", |transaction| {
            Ok(transaction.execute_batch("CREATE TABLE t (n INTEGER)")?)
        })
        .await;
    assert!(outcome.is_err());
}

#[tokio::test]
async fn a_refusal_or_a_panic_rolls_back_and_the_store_goes_on() {
    for store in [
        SqliteStore::in_memory().unwrap(),
        SqliteStore::open(folder().path().join("a.db")).unwrap(),
    ] {
        execute(&store, "CREATE TABLE t (n INTEGER)").await.unwrap();
        let refused: Result<()> = store
            .write("test.write", |transaction| {
                transaction.execute_batch("INSERT INTO t VALUES (1)")?;
                Err(Error::new(ErrorKind::Conflict, "test.refused").into())
            })
            .await;
        assert_eq!(refused.unwrap_err().code(), "conflict");
        let panicked: Result<()> = store
            .write("test.write", |transaction| {
                transaction.execute_batch("INSERT INTO t VALUES (2)")?;
                panic!("a defect")
            })
            .await;
        assert_eq!(panicked.unwrap_err().code(), "storage.io");
        execute(&store, "INSERT INTO t VALUES (4)").await.unwrap();
        assert_eq!(number(&store, "SELECT sum(n) FROM t").await, 4);
    }
}

/// F45: no page more fits.
#[tokio::test]
async fn a_full_disk_is_typed_and_loses_nothing() {
    let folder = folder();
    let store = SqliteStore::open(folder.path().join("atlas.db")).unwrap();
    execute(
        &store,
        "CREATE TABLE t (bytes BLOB); INSERT INTO t VALUES (zeroblob(10))",
    )
    .await
    .unwrap();
    {
        let writer = store.writer.lock().await;
        let pages: i64 = writer.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let _: i64 = writer
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0))
            .unwrap();
    }
    let outcome = execute(&store, "INSERT INTO t VALUES (zeroblob(100000))").await;
    assert_eq!(outcome.unwrap_err().code(), "storage.full");
    assert_eq!(number(&store, "SELECT count(*) FROM t").await, 1);
}

/// F50: a caller that goes away.
#[tokio::test]
async fn a_dropped_write_is_done_or_not_done() {
    let folder = folder();
    let store = SqliteStore::open(folder.path().join("atlas.db")).unwrap();
    execute(&store, "CREATE TABLE t (n INTEGER)").await.unwrap();
    for _ in 0..20 {
        let writing = tokio::spawn({
            let store = store.clone();
            async move { execute(&store, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (-1);").await }
        });
        tokio::task::yield_now().await;
        writing.abort();
    }
    execute(&store, "SELECT 1").await.unwrap();
    assert_eq!(number(&store, "SELECT coalesce(sum(n), 0) FROM t").await, 0);
}

/// F24: a lease of a clock that jumped back does not last as long as the jump.
#[tokio::test]
async fn a_lease_survives_small_steps_of_the_clock_but_not_a_jump_back() {
    use crate::clock::Timestamp;
    use crate::credential::{CredentialKey, CredentialStore as _};
    use crate::ids::{ConnectionId, HolderId, TenantId};
    use crate::testkit::ManualClock;

    let clock = ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000));
    let store = SqliteStore::in_memory_with_clock(Arc::new(clock.clone())).unwrap();
    let key = CredentialKey {
        tenant: TenantId::new("acme"),
        connection: ConnectionId::random(),
        field: "oauth".into(),
    };
    let minute = Duration::from_secs(60);
    let lease = async || store.lease(&key, &HolderId::random(), minute).await.unwrap();
    let first = lease().await.unwrap();
    clock.jump(-30_000);
    assert!(lease().await.is_none(), "a small step back");
    clock.jump(-3_600_000);
    let second = lease().await.expect("an hour back: it would last an hour");
    assert!(second.number > first.number);
    clock.jump(7_200_000);
    assert!(
        lease().await.is_some(),
        "forwards, it ends early and its holder is fenced off"
    );
}
