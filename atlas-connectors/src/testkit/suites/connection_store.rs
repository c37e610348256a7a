//! The contract of [`ConnectionStore`], sentence by sentence.

use std::sync::Arc;

use futures_util::future::join_all;

use super::violation::{Case, Violation};
use crate::clock::Timestamp;
use crate::connection::{Connection, ConnectionEvent, ConnectionRef, ConnectionStore, Identity, ProofKind};
use crate::error::Result as AtlasResult;
use crate::ids::{ConnectionId, Epoch, TenantId, Version};
use crate::oauth::ClientId;

const MANY: usize = 12;

/// Checks every sentence of the contract of [`ConnectionStore`]. `open` gives another handle on the same data at each
/// call, as another process would have; the data may hold other rows.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::connection::ConnectionStore;
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::testkit::suites::connection_store;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// connection_store(|| Ok(Arc::new(store.clone()) as Arc<dyn ConnectionStore>)).await
/// # }).unwrap();
/// ```
///
/// # Errors
/// The first sentence that is broken.
pub async fn connection_store<F>(open: F) -> Result<(), Violation>
where
    F: Fn() -> AtlasResult<Arc<dyn ConnectionStore>> + Sync,
{
    let handle = || Case("open").ok(open(), "open");
    let (one, two) = (handle()?, handle()?);
    insert_and_get(&*one, &*two).await?;
    compare_and_set(&*one, &*two).await?;
    epochs_never_go_back(&*one).await?;
    one_of_many_wins(&*one, &*two).await?;
    tenants_do_not_mix(&*one, &*two).await?;
    lists_oldest_first(&*one).await?;
    removal(&*one, &*two).await?;
    grants_are_found(&*one, &*two).await
}

fn row(tenant: &TenantId) -> Connection {
    let reference = ConnectionRef {
        tenant: tenant.clone(),
        connection: ConnectionId::random(),
        epoch: Epoch::new(2),
        provider: "suite".into(),
    };
    Connection::new(reference, Timestamp::from_unix_seconds(1_790_000_000))
}

fn tenant() -> TenantId {
    TenantId::new(ConnectionId::random().as_str())
}

/// A row that holds a credential of this person.
fn signed_in(tenant: &TenantId, client: &str, subject: &str) -> Result<Connection, Violation> {
    let mut row = row(tenant);
    row.client = Some(ClientId::new(client));
    row.identity = Some(Identity {
        subject: subject.to_owned(),
        address: Some("Jörg.O'Neil@example.com".to_owned()),
        tenant: None,
    });
    let event = ConnectionEvent::SignedIn {
        at: row.created,
        needs: ProofKind::Signal,
    };
    let created = row.created;
    row.apply(&event, created)
        .map_err(|error| Violation::new("signed_in", error))?;
    Ok(row)
}

async fn insert_and_get(one: &dyn ConnectionStore, two: &dyn ConnectionStore) -> Result<(), Violation> {
    let case = Case("insert_and_get");
    let row = signed_in(&tenant(), "c", "s")?;
    let (tenant, id) = (&row.reference.tenant, &row.reference.connection);
    let none = case.ok(one.get(tenant, id).await, "get")?;
    case.check(none.is_none(), "nothing before the insert")?;
    let version = case.ok(one.insert(&row).await, "insert")?;
    case.check(version != Version::NONE, "a version that says that the row exists")?;
    let found = case.ok(two.get(tenant, id).await, "get")?;
    let whole = found.is_some_and(|found| found.value == row && found.version == version);
    case.check(whole, "the whole row with its version, at another handle")?;
    case.refused(two.insert(&row).await, "storage.conflict", "a second insert")
}

async fn compare_and_set(one: &dyn ConnectionStore, two: &dyn ConnectionStore) -> Result<(), Violation> {
    let case = Case("compare_and_set");
    let mut row = row(&tenant());
    case.refused(
        one.update(&row, Version::NONE).await,
        "storage.conflict",
        "an update of nothing",
    )?;
    let first = case.ok(one.insert(&row).await, "insert")?;
    row.last_sync = Some(row.created);
    let second = case.ok(two.update(&row, first).await, "update")?;
    case.check(second > first, "a higher version after each write")?;
    let mut other = row.clone();
    other.last_sync = None;
    case.refused(
        one.update(&other, first).await,
        "storage.conflict",
        "an update of an older version",
    )?;
    let found = case.ok(one.get(&row.reference.tenant, &row.reference.connection).await, "get")?;
    case.check(
        found.is_some_and(|found| found.value == row),
        "the row unchanged by what was refused",
    )
}

async fn epochs_never_go_back(store: &dyn ConnectionStore) -> Result<(), Violation> {
    let case = Case("epochs_never_go_back");
    let mut row = row(&tenant());
    let version = case.ok(store.insert(&row).await, "insert")?;
    row.reference.epoch = Epoch::new(1);
    case.refused(
        store.update(&row, version).await,
        "cancelled",
        "an update of an older epoch",
    )?;
    row.reference.epoch = Epoch::new(3);
    case.ok(store.update(&row, version).await, "an update of a newer epoch")
        .map(|_| ())
}

async fn one_of_many_wins(one: &dyn ConnectionStore, two: &dyn ConnectionStore) -> Result<(), Violation> {
    let case = Case("one_of_many_wins");
    let row = row(&tenant());
    let version = case.ok(one.insert(&row).await, "insert")?;
    let rows: Vec<Connection> = (0..MANY)
        .map(|_| {
            let mut row = row.clone();
            row.last_sync = Some(row.created);
            row
        })
        .collect();
    let writes = rows.iter().enumerate().map(|(index, row)| {
        let store = if index % 2 == 0 { one } else { two };
        store.update(row, version)
    });
    let won = join_all(writes).await.into_iter().filter(Result::is_ok).count();
    case.check(won == 1, "one of many writes of the same version to win")
}

async fn tenants_do_not_mix(one: &dyn ConnectionStore, two: &dyn ConnectionStore) -> Result<(), Violation> {
    let case = Case("tenants_do_not_mix");
    let mine = row(&tenant());
    let mut theirs = mine.clone();
    theirs.reference.tenant = tenant();
    theirs.last_sync = Some(mine.created);
    case.ok(one.insert(&mine).await, "insert")?;
    case.ok(two.insert(&theirs).await, "an insert of the same id for another tenant")?;
    for row in [&mine, &theirs] {
        let listed = case.ok(one.list(&row.reference.tenant).await, "list")?;
        let alone = listed.len() == 1 && listed.iter().all(|found| found.value == *row);
        case.check(alone, "each tenant to see its own row only")?;
    }
    Ok(())
}

async fn lists_oldest_first(store: &dyn ConnectionStore) -> Result<(), Violation> {
    let case = Case("lists_oldest_first");
    let tenant = tenant();
    let mut rows: Vec<Connection> = Vec::new();
    for seconds in [30, 10, 20, 10] {
        let mut row = row(&tenant);
        row.created = Timestamp::from_unix_seconds(seconds);
        case.ok(store.insert(&row).await, "insert")?;
        rows.push(row);
    }
    rows.sort_by(|one, two| {
        let key = |row: &Connection| (row.created, row.reference.connection.clone());
        key(one).cmp(&key(two))
    });
    let listed = case.ok(store.list(&tenant).await, "list")?;
    let listed: Vec<Connection> = listed.into_iter().map(|row| row.value).collect();
    case.check(listed == rows, "the oldest first, then by id")
}

async fn removal(one: &dyn ConnectionStore, two: &dyn ConnectionStore) -> Result<(), Violation> {
    let case = Case("removal");
    let mut row = row(&tenant());
    let first = case.ok(one.insert(&row).await, "insert")?;
    row.last_sync = Some(row.created);
    let second = case.ok(one.update(&row, first).await, "update")?;
    let (tenant, id) = (&row.reference.tenant, &row.reference.connection);
    case.refused(
        two.remove(tenant, id, first).await,
        "storage.conflict",
        "a removal of an older version",
    )?;
    case.ok(two.remove(tenant, id, second).await, "remove")?;
    case.ok(two.remove(tenant, id, second).await, "a removal of nothing")?;
    let gone = case.ok(one.get(tenant, id).await, "get")?;
    case.check(gone.is_none(), "nothing after the removal")
}

async fn grants_are_found(one: &dyn ConnectionStore, two: &dyn ConnectionStore) -> Result<(), Violation> {
    let case = Case("grants_are_found");
    let subject = ConnectionId::random();
    let (here, there) = (tenant(), tenant());
    let mine = signed_in(&here, "client", subject.as_str())?;
    let theirs = signed_in(&there, "client", subject.as_str())?;
    let other_client = signed_in(&here, "another", subject.as_str())?;
    let other_person = signed_in(&here, "client", ConnectionId::random().as_str())?;
    let mut versions = Vec::new();
    for row in [&mine, &theirs, &other_client, &other_person] {
        versions.push(case.ok(one.insert(row).await, "insert")?);
    }
    let Some(grant) = mine.grant() else {
        return Err(Violation::new("grants_are_found", "the row holds no grant"));
    };
    let mut found = case.ok(two.sharing_grant(&grant).await, "sharing_grant")?;
    found.sort();
    let name = |row: &Connection| (row.reference.tenant.clone(), row.reference.connection.clone());
    let mut expected = vec![name(&mine), name(&theirs)];
    expected.sort();
    case.check(
        found == expected,
        "those of the same person and client, of every tenant, and no other",
    )?;

    // What was disconnected or has ended holds no part of it any more.
    let mut ended = theirs.clone();
    let created = ended.created;
    ended
        .apply(&ConnectionEvent::Disconnected, created)
        .map_err(|error| Violation::new("grants_are_found", error))?;
    let version = versions.get(1).copied().unwrap_or_default();
    case.ok(two.update(&ended, version).await, "update")?;
    let found = case.ok(one.sharing_grant(&grant).await, "sharing_grant")?;
    case.check(found == [name(&mine)], "what was disconnected no longer counts")
}
