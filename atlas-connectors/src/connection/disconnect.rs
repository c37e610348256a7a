//! The end of a connection, in steps that can each be the last before a crash.

use crate::connection::registry::{is_conflict, only_epoch};
use crate::connection::{
    Connection, ConnectionEvent, ConnectionRef, Connections, DisconnectProgress, GrantOwner, RevokeOutcome, Status,
};
use crate::credential::{Credential, CredentialKey, OAuthGrant};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ConnectionId, TenantId};
use crate::oauth::{OAUTH_FIELD, OAuthApp, Revocation};

const OPERATION: &str = "connection.disconnect";
/// How often a refresh in flight may write before the disconnect gives up.
const ATTEMPTS: usize = 16;

impl Connections {
    /// Ends a connection: raises its epoch (work in flight stops at its next step), moves the credential to the new epoch (a
    /// refresh in flight can no longer be stored), revokes the grant at the provider as far as its rule allows, erases
    /// the secrets. Each step is stored before the next; calling it again goes on where the last call stopped, and does nothing
    /// once all is done. The identity stays pinned, so that the connection can be connected again.
    ///
    /// A provider that cannot be asked does not stop the disconnect: the outcome says so ([`RevokeOutcome::Failed`]).
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`] if a reconnect overtook it; [`ErrorKind::NotFound`];
    /// [`StorageFault`](crate::error::StorageFault).
    pub async fn disconnect(
        &self,
        app: Option<&OAuthApp>,
        tenant: &TenantId,
        connection: &ConnectionId,
    ) -> Result<DisconnectProgress> {
        let row = self.raise_epoch(tenant, connection).await?;
        let Some(progress) = row.disconnect.clone() else {
            // Never signed in: there is nothing to take back.
            return Ok(DisconnectProgress {
                begun: row.status_since,
                revoke: Some(RevokeOutcome::NoCredential),
                erased: Some(row.status_since),
            });
        };
        if progress.revoke.is_none() {
            let outcome = match self.fence_grant(&row).await {
                Ok(Some(grant)) => self.revoke(app, &row, &grant).await?,
                Ok(None) => RevokeOutcome::NoCredential,
                // Not readable (wrong key, damaged): it cannot be revoked, but it can be erased.
                Err(error) if matches!(error.kind(), ErrorKind::StorageFailed(_)) && !is_conflict(&error) => {
                    RevokeOutcome::Failed {
                        code: error.code().into(),
                    }
                }
                Err(error) => return Err(error),
            };
            self.note(&row.reference, |progress| progress.revoke = Some(outcome.clone()))
                .await?;
        }
        if progress.erased.is_none() {
            for field in &row.secrets {
                self.vault.erase(&key(&row, field), row.reference.epoch).await?;
            }
            let now = self.clock.now();
            self.note(&row.reference, |progress| progress.erased = Some(now))
                .await?;
        }
        let row = self.row(tenant, connection).await?.value;
        only_epoch(&row, row.reference.epoch)?;
        row.disconnect
            .ok_or_else(|| Error::new(ErrorKind::Cancelled, OPERATION))
    }

    /// Goes on with every disconnect of a tenant that a crash has left half done. Gives how many.
    ///
    /// # Errors
    /// As [`Connections::disconnect`]; the others are still tried at the next call.
    pub async fn finish_disconnects(&self, app: Option<&OAuthApp>, tenant: &TenantId) -> Result<usize> {
        let mut finished = 0;
        for row in self.store.list(tenant).await? {
            let half_done = row.value.disconnect.as_ref().is_some_and(|done| !done.is_complete());
            let ours = app.is_none_or(|app| app.provider().id() == row.value.reference.provider);
            if half_done && ours {
                self.disconnect(app, tenant, &row.value.reference.connection).await?;
                finished += 1;
            }
        }
        Ok(finished)
    }

    /// First of all, the epoch: whatever was begun before is void from here on.
    async fn raise_epoch(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Connection> {
        let now = self.clock.now();
        self.change_any(tenant, connection, |row| {
            if row.status == Status::Disconnected {
                return Ok(false);
            }
            row.apply(&ConnectionEvent::Disconnected, now)
                .map_err(|error| Error::new(ErrorKind::Cancelled, OPERATION).with_source(error))?;
            row.reference.epoch = row.reference.epoch.next();
            row.disconnect = Some(DisconnectProgress::begun(now));
            Ok(true)
        })
        .await
    }

    /// Moves the stored grant to the new epoch: a refresh in flight is refused from here on.
    async fn fence_grant(&self, row: &Connection) -> Result<Option<OAuthGrant>> {
        if !row.secrets.iter().any(|field| &**field == OAUTH_FIELD) {
            return Ok(None);
        }
        let key = key(row, OAUTH_FIELD);
        let mut attempt = 1;
        loop {
            let Some(stored) = self.vault.load(&key).await? else {
                return Ok(None);
            };
            if stored.epoch > row.reference.epoch {
                return Err(Error::new(ErrorKind::Cancelled, OPERATION));
            }
            let Credential::OAuth(grant) = &stored.credential else {
                return Ok(None);
            };
            let fenced = self
                .vault
                .commit(&key, row.reference.epoch, &stored.credential, stored.version, None)
                .await;
            match fenced {
                Ok(_) => return Ok(Some(grant.clone())),
                Err(error) if is_conflict(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn revoke(&self, app: Option<&OAuthApp>, row: &Connection, grant: &OAuthGrant) -> Result<RevokeOutcome> {
        let Some(app) = app else {
            return Ok(RevokeOutcome::Unsupported);
        };
        if app.provider().id() != row.reference.provider {
            let kind = ErrorKind::Invalid {
                what: "app",
                why: "it is of another provider than the connection",
            };
            return Err(Error::new(kind, OPERATION));
        }
        // Not after a reconnect: its grant would end with the old one.
        let present = self.row(&row.reference.tenant, &row.reference.connection).await?;
        only_epoch(&present.value, row.reference.epoch)?;
        self.revoke_under_rule(app, row.owner().as_ref(), grant).await
    }

    /// Revokes a grant unless that would end other connections. An owner that is not known might be anyone's.
    pub(crate) async fn revoke_under_rule(
        &self,
        app: &OAuthApp,
        owner: Option<&GrantOwner>,
        grant: &OAuthGrant,
    ) -> Result<RevokeOutcome> {
        if app.provider().revocation() == Revocation::WholeGrant {
            let others = match owner {
                Some(owner) => self.store.sharing_grant(owner).await?.len(),
                None => return Ok(RevokeOutcome::Shared { others: 0 }),
            };
            if others > 0 {
                let others = u32::try_from(others).unwrap_or(u32::MAX);
                return Ok(RevokeOutcome::Shared { others });
            }
        }
        let token = grant.refresh_token.as_ref().unwrap_or(&grant.access_token);
        Ok(match app.revoke(token).await {
            Ok(outcome) => outcome,
            Err(error) => RevokeOutcome::Failed {
                code: error.code().into(),
            },
        })
    }

    async fn note(
        &self,
        connection: &ConnectionRef,
        mut step: impl FnMut(&mut DisconnectProgress) + Send,
    ) -> Result<()> {
        self.change(connection, |row| match &mut row.disconnect {
            Some(progress) => {
                step(progress);
                Ok(true)
            }
            None => Err(Error::new(ErrorKind::Cancelled, OPERATION)),
        })
        .await
    }
}

fn key(row: &Connection, field: &str) -> CredentialKey {
    CredentialKey {
        tenant: row.reference.tenant.clone(),
        connection: row.reference.connection.clone(),
        field: field.into(),
    }
}
