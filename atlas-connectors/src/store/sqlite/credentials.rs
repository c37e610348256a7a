//! Credentials in SQLite: table `credentials`.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, named_params};

use super::SqliteStore;
use super::base::Fault;
use super::values::Unsigned;
use crate::clock::Timestamp;
use crate::credential::{CredentialKey, CredentialStore, Fence, SealedCredential, Versioned};
use crate::error::{Error, ErrorKind, Result, StorageFault};
use crate::ids::{Epoch, HolderId, Version};

#[async_trait]
impl CredentialStore for SqliteStore {
    async fn load(&self, key: &CredentialKey) -> Result<Option<Versioned<SealedCredential>>> {
        let key = key.clone();
        self.read("credential.load", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT epoch, version, key_id, envelope FROM credentials
                 WHERE tenant = :tenant AND connection = :connection AND field = :field AND version > 0",
            )?;
            let row = statement
                .query_row(
                    named_params! { ":tenant": key.tenant.as_str(), ":connection": key.connection.as_str(), ":field": key.field },
                    |row| {
                        Ok(Versioned {
                            value: SealedCredential {
                                epoch: row.get("epoch")?,
                                key_id: row.get("key_id")?,
                                envelope: row.get("envelope")?,
                            },
                            version: row.get("version")?,
                        })
                    },
                )
                .optional()?;
            Ok(row)
        })
        .await
    }

    async fn commit(
        &self,
        key: &CredentialKey,
        new: SealedCredential,
        expected: Version,
        fence: Option<&Fence>,
    ) -> Result<Version> {
        let (key, fence) = (key.clone(), fence.cloned());
        self.write("credential.commit", move |transaction| {
            let row = Row::find(transaction, &key)?.unwrap_or_default();
            if new.epoch < row.epoch {
                return Err(Error::new(ErrorKind::Cancelled, "credential.commit").into());
            }
            if let Some(fence) = fence
                && (fence.key != key
                    || fence.number != row.fence
                    || row.holder.as_deref() != Some(fence.holder.as_str()))
            {
                return Err(Error::new(StorageFault::Fenced, "credential.commit").into());
            }
            if row.version != expected {
                return Err(Error::new(StorageFault::Conflict, "credential.commit").into());
            }
            let version = expected.next();
            let mut statement = transaction.prepare_cached(
                "INSERT INTO credentials (tenant, connection, field, epoch, version, key_id, envelope)
                 VALUES (:tenant, :connection, :field, :epoch, :version, :key_id, :envelope)
                 ON CONFLICT DO UPDATE SET
                     epoch = excluded.epoch, version = excluded.version,
                     key_id = excluded.key_id, envelope = excluded.envelope",
            )?;
            statement.execute(named_params! {
                ":tenant": key.tenant.as_str(), ":connection": key.connection.as_str(), ":field": key.field,
                ":epoch": new.epoch, ":version": version,
                ":key_id": new.key_id, ":envelope": new.envelope,
            })?;
            Ok(version)
        })
        .await
    }

    async fn erase(&self, key: &CredentialKey, epoch: Epoch) -> Result<()> {
        let key = key.clone();
        self.write("credential.erase", move |transaction| {
            let row = Row::find(transaction, &key)?.unwrap_or_default();
            let mut oldest = row.epoch;
            if row.version != Version::NONE {
                if row.epoch > epoch {
                    return Err(Error::new(ErrorKind::Cancelled, "credential.erase").into());
                }
                oldest = oldest.next();
            }
            let mut statement = transaction.prepare_cached(
                "INSERT INTO credentials (tenant, connection, field, epoch, version)
                 VALUES (:tenant, :connection, :field, :epoch, 0)
                 ON CONFLICT DO UPDATE SET
                     epoch = excluded.epoch, version = 0, key_id = NULL, envelope = NULL,
                     holder = NULL, lease_from = NULL, lease_until = NULL",
            )?;
            statement.execute(named_params! {
                ":tenant": key.tenant.as_str(), ":connection": key.connection.as_str(), ":field": key.field,
                ":epoch": oldest.max(epoch),
            })?;
            Ok(())
        })
        .await
    }

    async fn lease(&self, key: &CredentialKey, holder: &HolderId, ttl: Duration) -> Result<Option<Fence>> {
        let (key, holder) = (key.clone(), holder.clone());
        let clock = std::sync::Arc::clone(&self.clock);
        self.write("credential.lease", move |transaction| {
            // Read under the write lock: waiting for it must not make another's lease look older than it is.
            let now = clock.now();
            let row = Row::find(transaction, &key)?.unwrap_or_default();
            if row.is_leased_at(now) {
                return Ok(None);
            }
            let number = row.fence.saturating_add(1);
            let mut statement = transaction.prepare_cached(
                "INSERT INTO credentials (tenant, connection, field, epoch, version, fence, holder, lease_from, lease_until)
                 VALUES (:tenant, :connection, :field, 0, 0, :fence, :holder, :from, :until)
                 ON CONFLICT DO UPDATE SET
                     fence = excluded.fence, holder = excluded.holder,
                     lease_from = excluded.lease_from, lease_until = excluded.lease_until",
            )?;
            statement.execute(named_params! {
                ":tenant": key.tenant.as_str(), ":connection": key.connection.as_str(), ":field": key.field,
                ":fence": Unsigned(number), ":holder": holder.as_str(),
                ":from": now, ":until": now.after(ttl),
            })?;
            Ok(Some(Fence { key, holder, number }))
        })
        .await
    }

    async fn release(&self, fence: Fence) -> Result<()> {
        self.write("credential.release", move |transaction| {
            let mut statement = transaction.prepare_cached(
                "UPDATE credentials SET holder = NULL, lease_from = NULL, lease_until = NULL
                 WHERE tenant = :tenant AND connection = :connection AND field = :field
                   AND fence = :fence AND holder = :holder",
            )?;
            statement.execute(named_params! {
                ":tenant": fence.key.tenant.as_str(), ":connection": fence.key.connection.as_str(),
                ":field": fence.key.field, ":fence": Unsigned(fence.number), ":holder": fence.holder.as_str(),
            })?;
            Ok(())
        })
        .await
    }

    async fn sealed_with_other_key(
        &self,
        key_id: &str,
        after: Option<&CredentialKey>,
        limit: usize,
    ) -> Result<Vec<CredentialKey>> {
        let (key_id, after) = (key_id.to_owned(), after.cloned());
        self.read("credential.rotate", move |transaction| {
            let (tenant, connection, field) = match &after {
                Some(key) => (key.tenant.as_str(), key.connection.as_str(), &*key.field),
                None => ("", "", ""),
            };
            let mut statement = transaction.prepare_cached(
                "SELECT tenant, connection, field FROM credentials
                 WHERE (:begin OR (tenant, connection, field) > (:tenant, :connection, :field))
                   AND version > 0 AND key_id <> :key_id
                 ORDER BY tenant, connection, field LIMIT :limit",
            )?;
            let keys = statement
                .query_map(
                    named_params! {
                        ":begin": after.is_none(), ":tenant": tenant, ":connection": connection, ":field": field,
                        ":key_id": key_id, ":limit": i64::try_from(limit).unwrap_or(i64::MAX),
                    },
                    |row| {
                        Ok(CredentialKey {
                            tenant: row.get::<_, String>("tenant")?.into(),
                            connection: row.get::<_, String>("connection")?.into(),
                            field: row.get("field")?,
                        })
                    },
                )?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(keys)
        })
        .await
    }
}

/// What a write decides on.
#[derive(Default)]
struct Row {
    epoch: Epoch,
    version: Version,
    fence: u64,
    holder: Option<String>,
    lease: Option<(Timestamp, Timestamp)>,
}

impl Row {
    fn find(transaction: &Transaction<'_>, key: &CredentialKey) -> Result<Option<Self>, Fault> {
        let mut statement = transaction.prepare_cached(
            "SELECT epoch, version, fence, holder, lease_from, lease_until FROM credentials
             WHERE tenant = :tenant AND connection = :connection AND field = :field",
        )?;
        let row = statement
            .query_row(
                named_params! { ":tenant": key.tenant.as_str(), ":connection": key.connection.as_str(), ":field": key.field },
                |row| {
                    let (from, until): (Option<Timestamp>, Option<Timestamp>) =
                        (row.get("lease_from")?, row.get("lease_until")?);
                    Ok(Self {
                        epoch: row.get("epoch")?,
                        version: row.get("version")?,
                        fence: row.get::<_, Unsigned>("fence")?.0,
                        holder: row.get("holder")?,
                        lease: from.zip(until),
                    })
                },
            )
            .optional()?;
        Ok(row)
    }

    /// Processes share nothing but the wall clock, and it jumps. Forwards, a lease ends early and its holder is fenced
    /// off. Back, it would last as long as the jump: so one that seems to have been taken more than its own length from
    /// now is over.
    fn is_leased_at(&self, now: Timestamp) -> bool {
        self.lease
            .is_some_and(|(from, until)| now < until && from.since(now) <= until.since(from))
    }
}
