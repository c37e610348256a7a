//! Connections and open sign-in flows in SQLite: tables `connections` and `sign_in_flows`.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params};

use super::SqliteStore;
use super::base::Fault;
use crate::clock::Timestamp;
use crate::connection::{Connection, ConnectionStore, GrantOwner};
use crate::credential::Versioned;
use crate::error::{Error, ErrorKind, Result, StorageFault};
use crate::ids::{ConnectionId, Epoch, TenantId, Version};
use crate::oauth::{FlowStore, StateHash, StoredFlow};

#[async_trait]
impl ConnectionStore for SqliteStore {
    async fn get(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Option<Versioned<Connection>>> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.read("connection.get", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT version, body FROM connections WHERE tenant = :tenant AND connection = :connection",
            )?;
            let row = statement
                .query_row(
                    named_params! { ":tenant": tenant.as_str(), ":connection": connection.as_str() },
                    raw,
                )
                .optional()?;
            row.map(decode).transpose()
        })
        .await
    }

    async fn list(&self, tenant: &TenantId) -> Result<Vec<Versioned<Connection>>> {
        let tenant = tenant.clone();
        self.read("connection.list", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT version, body FROM connections WHERE tenant = :tenant ORDER BY created, connection",
            )?;
            let rows = statement.query_map(named_params! { ":tenant": tenant.as_str() }, raw)?;
            rows.map(|row| decode(row?)).collect()
        })
        .await
    }

    async fn insert(&self, row: &Connection) -> Result<Version> {
        let row = row.clone();
        self.write("connection.insert", move |transaction| {
            if stored(transaction, &row)?.is_some() {
                return Err(Error::new(StorageFault::Conflict, "connection.insert").into());
            }
            write(transaction, &row, Version::NONE.next())
        })
        .await
    }

    async fn update(&self, row: &Connection, expected: Version) -> Result<Version> {
        let row = row.clone();
        self.write("connection.update", move |transaction| {
            let Some((version, epoch)) = stored(transaction, &row)? else {
                return Err(Error::new(StorageFault::Conflict, "connection.update").into());
            };
            if row.reference.epoch < epoch {
                return Err(Error::new(ErrorKind::Cancelled, "connection.update").into());
            }
            if version != expected {
                return Err(Error::new(StorageFault::Conflict, "connection.update").into());
            }
            write(transaction, &row, expected.next())
        })
        .await
    }

    async fn remove(&self, tenant: &TenantId, connection: &ConnectionId, expected: Version) -> Result<()> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        self.write("connection.remove", move |transaction| {
            let key = named_params! { ":tenant": tenant.as_str(), ":connection": connection.as_str() };
            let version: Option<Version> = transaction
                .prepare_cached("SELECT version FROM connections WHERE tenant = :tenant AND connection = :connection")?
                .query_row(key, |row| row.get(0))
                .optional()?;
            if version.is_some_and(|version| version != expected) {
                return Err(Error::new(StorageFault::Conflict, "connection.remove").into());
            }
            // Its epoch lives on in the mailbox, for a sync that is still under way.
            transaction
                .prepare_cached(
                    "UPDATE mailboxes SET epoch = c.epoch, holder = NULL, lease_from = NULL, lease_until = NULL
                     FROM connections c
                     WHERE c.tenant = :tenant AND c.connection = :connection
                         AND mailboxes.tenant = c.tenant AND mailboxes.connection = c.connection AND mailboxes.epoch < c.epoch",
                )?
                .execute(key)?;
            transaction
                .prepare_cached("DELETE FROM connections WHERE tenant = :tenant AND connection = :connection")?
                .execute(key)?;
            Ok(())
        })
        .await
    }

    async fn sharing_grant(&self, grant: &GrantOwner) -> Result<Vec<(TenantId, ConnectionId)>> {
        let grant = grant.clone();
        self.read("connection.sharing_grant", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT tenant, connection FROM connections
                 WHERE provider = :provider AND client = :client AND subject = :subject
                 ORDER BY tenant, connection",
            )?;
            let rows = statement.query_map(
                named_params! {
                    ":provider": grant.provider.as_str(), ":client": grant.client.as_str(), ":subject": grant.subject,
                },
                |row| Ok((row.get::<_, String>(0)?.into(), row.get::<_, String>(1)?.into())),
            )?;
            rows.map(|row| Ok(row?)).collect()
        })
        .await
    }
}

#[async_trait]
impl FlowStore for SqliteStore {
    async fn put(&self, flow: StoredFlow) -> Result<()> {
        // A state is 256 random bits: a second flow with the same one is refused by the primary key.
        self.write("flow.put", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "INSERT INTO sign_in_flows (state, tenant, connection, expires, envelope)
                 VALUES (:state, :tenant, :connection, :expires, :envelope)",
            )?;
            statement.execute(named_params! {
                ":state": flow.state.as_str(), ":tenant": flow.tenant.as_str(), ":connection": flow.connection.as_str(),
                ":expires": flow.expires, ":envelope": flow.envelope,
            })?;
            Ok(())
        })
        .await
    }

    async fn take(&self, state: &StateHash) -> Result<Option<StoredFlow>> {
        let state = state.clone();
        self.write("flow.take", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "DELETE FROM sign_in_flows WHERE state = :state RETURNING tenant, connection, expires, envelope",
            )?;
            let flow = statement
                .query_row(named_params! { ":state": state.as_str() }, |row| {
                    Ok(StoredFlow {
                        state: state.clone(),
                        tenant: row.get::<_, String>("tenant")?.into(),
                        connection: row.get::<_, String>("connection")?.into(),
                        expires: row.get("expires")?,
                        envelope: row.get("envelope")?,
                    })
                })
                .optional()?;
            Ok(flow)
        })
        .await
    }

    async fn sweep(&self, expired_before: Timestamp) -> Result<u64> {
        self.write("flow.sweep", move |transaction| {
            let swept = transaction
                .prepare_cached("DELETE FROM sign_in_flows WHERE expires < :before")?
                .execute(named_params! { ":before": expired_before })?;
            Ok(u64::try_from(swept).unwrap_or(u64::MAX))
        })
        .await
    }
}

fn raw(row: &Row<'_>) -> rusqlite::Result<(Version, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn decode((version, body): (Version, String)) -> Result<Versioned<Connection>, Fault> {
    match serde_json::from_str(&body) {
        Ok(value) => Ok(Versioned { value, version }),
        // The cause could quote the row, which names an account.
        Err(_) => Err(Error::new(StorageFault::Corrupt, "connection.decode").into()),
    }
}

fn stored(transaction: &Transaction<'_>, row: &Connection) -> Result<Option<(Version, Epoch)>, Fault> {
    let mut statement = transaction
        .prepare_cached("SELECT version, epoch FROM connections WHERE tenant = :tenant AND connection = :connection")?;
    let key = named_params! {
        ":tenant": row.reference.tenant.as_str(), ":connection": row.reference.connection.as_str(),
    };
    Ok(statement
        .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

fn write(transaction: &Transaction<'_>, row: &Connection, version: Version) -> Result<Version, Fault> {
    let body = serde_json::to_string(row).map_err(|_| Error::new(StorageFault::Corrupt, "connection.encode"))?;
    let grant = row.grant();
    let mut statement = transaction.prepare_cached(
        "INSERT INTO connections (tenant, connection, epoch, version, created, provider, client, subject, body)
         VALUES (:tenant, :connection, :epoch, :version, :created, :provider, :client, :subject, :body)
         ON CONFLICT DO UPDATE SET
             epoch = excluded.epoch, version = excluded.version, created = excluded.created,
             provider = excluded.provider, client = excluded.client, subject = excluded.subject, body = excluded.body",
    )?;
    statement.execute(named_params! {
        ":tenant": row.reference.tenant.as_str(), ":connection": row.reference.connection.as_str(),
        ":epoch": row.reference.epoch, ":version": version, ":created": row.created,
        ":provider": row.reference.provider.as_str(),
        ":client": grant.as_ref().map(|grant| grant.client.as_str()),
        ":subject": grant.as_ref().map(|grant| grant.subject.as_str()),
        ":body": body,
    })?;
    Ok(version)
}
