//! Connecting with a credential that was typed in or handed over: a key, a password, a certificate, a client's own secret.

use std::fmt;

use crate::clock::Timestamp;
use crate::connection::registry::{is_conflict, only_epoch};
use crate::connection::{
    Connection, ConnectionEvent, ConnectionRef, Connections, Identity, Pause, Proof, ProofKind, Reason, Status,
};
use crate::credential::{Credential, CredentialKey};
use crate::error::{Error, ErrorKind, OAuthError, Result};
use crate::ids::{ConnectionId, Epoch, ProviderId, TenantId};
use crate::oauth::Workflow;

const OPERATION: &str = "connection.enrol";

/// A connection that is made, or made anew, with a credential of its own instead of a sign-in page.
#[derive(Clone)]
#[non_exhaustive]
pub struct Enrolment {
    /// The tenant that it belongs to.
    pub tenant: TenantId,
    /// The provider.
    pub provider: ProviderId,
    /// The connection that gets a new credential; `None` for a new one.
    pub connection: Option<ConnectionId>,
    /// What it is used for.
    pub workflows: Vec<Workflow>,
    /// What the provider's crate needs to reach it (address, database, service) as it writes it down; no secret. `None` keeps
    /// what a connection has.
    pub settings: Option<String>,
}

impl Enrolment {
    /// A new connection.
    pub fn new(tenant: TenantId, provider: impl Into<ProviderId>, workflows: impl Into<Vec<Workflow>>) -> Self {
        Self {
            tenant,
            provider: provider.into(),
            connection: None,
            workflows: workflows.into(),
            settings: None,
        }
    }

    /// A new credential for a connection that exists.
    #[must_use]
    pub fn renewing(mut self, connection: ConnectionId) -> Self {
        self.connection = Some(connection);
        self
    }

    /// Keeps what the provider's crate needs to reach it.
    #[must_use]
    pub fn with_settings(mut self, settings: impl Into<String>) -> Self {
        self.settings = Some(settings.into());
        self
    }
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enrolment")
            .field("tenant", &self.tenant)
            .field("provider", &self.provider)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

impl Connections {
    /// Stores a credential that has been tried: `identity` is who the provider said it belongs to, in an answer to a request
    /// sent at `tried`. The identity is pinned; a credential of another account changes nothing.
    ///
    /// Stored in the order of a sign-in: the new epoch first, so that whatever is in flight is void, then the credential
    /// under it, then that it works. It lies under [`Credential::kind`] in the vault.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use atlas_connectors::connection::{Connections, Enrolment};
    /// use atlas_connectors::credential::{ApiKey, KeyRing, Sealer, Vault};
    /// use atlas_connectors::oauth::Workflow;
    /// use atlas_connectors::store::MemoryStore;
    /// use atlas_connectors::{Clock, Identity, SystemClock, TenantId};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let store = Arc::new(MemoryStore::new());
    /// # let vault = Vault::new(store.clone(), Sealer::new(Arc::new(KeyRing::ephemeral()))?);
    /// let connections = Connections::new(store, vault, Arc::new(SystemClock));
    /// let key = ApiKey { user: Some("bot".into()), key: "from the settings page".into() };
    /// // … a call with the key, whose answer names the account …
    /// let identity = Identity { subject: "acme/7".into(), address: Some("bot@acme.example".into()), tenant: None };
    /// let request = Enrolment::new(TenantId::new("acme"), "odoo", [Workflow::ReadRecords])
    ///     .with_settings(r#"{"url":"https://acme.odoo.example"}"#);
    /// let connection = connections.enrol(&request, &key.into(), &identity, SystemClock.now()).await?;
    /// assert_eq!(connections.summary(&connection.tenant, &connection.connection).await?.status.code(), "connected");
    /// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`OAuthError::WrongAccount`] if the connection is pinned to another account; [`ErrorKind::Cancelled`] if a sign-in or
    /// disconnect overtook it; [`ErrorKind::NotFound`]; [`crate::error::StorageFault`]. In each case the old credential is as
    /// it was, unless its epoch was raised already: then the connection waits for its person.
    pub async fn enrol(
        &self,
        request: &Enrolment,
        credential: &Credential,
        identity: &Identity,
        tried: Timestamp,
    ) -> Result<ConnectionRef> {
        let field = credential.kind();
        let row = match &request.connection {
            None => self.begin(request, field, identity).await?,
            Some(connection) => self.begin_again(request, connection, field, identity).await?,
        };
        let reference = row.reference;
        let key = CredentialKey {
            tenant: reference.tenant.clone(),
            connection: reference.connection.clone(),
            field: field.into(),
        };
        self.vault.put(&key, reference.epoch, credential).await?;
        // The grant counts from just before the call that proved it.
        let at = Timestamp::from_unix_millis(tried.unix_millis().saturating_sub(1));
        let needs = ProofKind::Answer;
        self.apply(&reference, ConnectionEvent::SignedIn { at, needs }).await?;
        let proof = Proof::new(ProofKind::Answer, tried);
        self.apply(&reference, ConnectionEvent::Proven(proof)).await?;
        Ok(reference)
    }

    /// What the provider's crate needs to reach a connection, as it was enrolled with.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`crate::error::StorageFault`].
    pub async fn settings(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Option<String>> {
        Ok(self.row(tenant, connection).await?.value.settings.map(Into::into))
    }

    /// Keeps what the provider's crate needs to reach a connection. An address that leads elsewhere makes the credential
    /// one of another origin: enrol anew instead.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`] if the connection is of a newer epoch; [`ErrorKind::NotFound`]; [`crate::error::StorageFault`].
    pub async fn keep_settings(&self, connection: &ConnectionRef, settings: &str) -> Result<()> {
        self.change(connection, |row| {
            row.settings = Some(settings.into());
            Ok(true)
        })
        .await
    }

    async fn begin(&self, request: &Enrolment, field: &str, identity: &Identity) -> Result<Connection> {
        let now = self.clock.now();
        let reference = ConnectionRef {
            tenant: request.tenant.clone(),
            connection: ConnectionId::random(),
            epoch: Epoch::FIRST,
            provider: request.provider.clone(),
        };
        let mut row = Connection::new(reference, now);
        fill(&mut row, request, field, identity, now);
        match self.store.insert(&row).await {
            Ok(_) => Ok(row),
            Err(error) if is_conflict(&error) => Err(Error::new(ErrorKind::Cancelled, OPERATION)),
            Err(error) => Err(error),
        }
    }

    async fn begin_again(
        &self,
        request: &Enrolment,
        connection: &ConnectionId,
        field: &str,
        identity: &Identity,
    ) -> Result<Connection> {
        let now = self.clock.now();
        let begun = self.row(&request.tenant, connection).await?.value.reference.epoch;
        self.change_any(&request.tenant, connection, |row| {
            only_epoch(row, begun)?;
            if row.reference.provider != request.provider {
                let why = "the connection is one of another provider";
                return Err(Error::new(ErrorKind::Invalid { what: "provider", why }, OPERATION));
            }
            if let Some(pinned) = &row.identity
                && !pinned.is_same_account(identity)
            {
                let wrong = OAuthError::WrongAccount {
                    expected: pinned.masked(),
                    actual: identity.masked(),
                };
                return Err(Error::new(wrong, OPERATION).with_provider(request.provider.clone()));
            }
            row.reference.epoch = begun.next();
            fill(row, request, field, identity, now);
            Ok(true)
        })
        .await
    }
}

fn fill(row: &mut Connection, request: &Enrolment, field: &str, identity: &Identity, now: Timestamp) {
    row.identity = Some(identity.clone());
    row.workflows.clone_from(&request.workflows);
    row.workflows.sort_unstable();
    row.workflows.dedup();
    if let Some(settings) = &request.settings {
        row.settings = Some(settings.as_str().into());
    }
    if !row.secrets.iter().any(|known| &**known == field) {
        row.secrets.push(field.into());
    }
    // What a crash between the steps leaves behind is a connection that waits for its person.
    row.status = Status::Paused(Pause::SignIn {
        reason: Reason {
            code: "connection.enrol.interrupted".into(),
            cause: "The connection was interrupted before its credential was stored.".into(),
            operator: "Enter the credential again.".into(),
        },
    });
    row.status_since = now;
    row.disconnect = None;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::connection::CompanyChoice;
    use crate::credential::{ApiKey, KeyRing, Sealer, Vault};
    use crate::store::{MemoryStore, SqliteStore};
    use crate::testkit::ManualClock;

    fn connections() -> Connections {
        let store = Arc::new(MemoryStore::new());
        let sealer = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_000)));
        Connections::new(Arc::clone(&store) as _, Vault::new(store, sealer), clock)
    }

    fn identity(subject: &str) -> Identity {
        Identity {
            subject: subject.into(),
            address: None,
            tenant: None,
        }
    }

    fn key(secret: &str) -> Credential {
        let key = ApiKey {
            user: None,
            key: secret.into(),
        };
        key.into()
    }

    fn request() -> Enrolment {
        Enrolment::new("acme".into(), "odoo", [Workflow::WriteRecords, Workflow::ReadRecords]).with_settings("{}")
    }

    async fn secret(connections: &Connections, reference: &ConnectionRef) -> String {
        use secrecy::ExposeSecret as _;

        let key = CredentialKey {
            tenant: reference.tenant.clone(),
            connection: reference.connection.clone(),
            field: "api_key".into(),
        };
        match connections.vault().load(&key).await.unwrap().unwrap().credential {
            Credential::ApiKey(key) => key.key.expose_secret().to_owned(),
            _ => panic!("another kind of credential"),
        }
    }

    #[tokio::test]
    async fn a_tried_key_connects_and_a_new_one_of_the_same_account_raises_the_epoch() {
        let connections = connections();
        let tried = Timestamp::from_unix_seconds(900);
        let first = connections
            .enrol(&request(), &key("one"), &identity("7"), tried)
            .await
            .unwrap();
        assert_eq!(
            connections
                .summary(&first.tenant, &first.connection)
                .await
                .unwrap()
                .status,
            Status::Connected
        );
        assert_eq!(
            connections
                .settings(&first.tenant, &first.connection)
                .await
                .unwrap()
                .as_deref(),
            Some("{}")
        );

        let again = request().renewing(first.connection.clone());
        let second = connections
            .enrol(&again, &key("two"), &identity("7"), tried)
            .await
            .unwrap();
        assert_eq!(second.epoch, first.epoch.next());
        assert_eq!(secret(&connections, &second).await, "two");
        assert!(connections.admit(&first).await.is_err());
    }

    #[tokio::test]
    async fn a_key_of_somebody_else_changes_nothing() {
        let connections = connections();
        let tried = Timestamp::from_unix_seconds(900);
        let first = connections
            .enrol(&request(), &key("one"), &identity("7"), tried)
            .await
            .unwrap();
        let again = request().renewing(first.connection.clone());
        let error = connections
            .enrol(&again, &key("two"), &identity("8"), tried)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "oauth.wrong_account");
        connections.admit(&first).await.unwrap();
        assert_eq!(secret(&connections, &first).await, "one");
    }

    #[tokio::test]
    async fn a_disconnect_erases_the_key() {
        let connections = connections();
        let reference = connections
            .enrol(
                &request(),
                &key("one"),
                &identity("7"),
                Timestamp::from_unix_seconds(900),
            )
            .await
            .unwrap();
        connections
            .disconnect(None, &reference.tenant, &reference.connection)
            .await
            .unwrap();
        let key = CredentialKey {
            tenant: reference.tenant.clone(),
            connection: reference.connection.clone(),
            field: "api_key".into(),
        };
        assert!(connections.vault().load(&key).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_chosen_company_is_pinned_and_rows_written_before_it_still_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path().join("atlas.db")).unwrap());
        let sealer = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_000)));
        let connections = Connections::new(Arc::clone(&store) as _, Vault::new(store, sealer), clock);
        let reference = connections
            .enrol(
                &request(),
                &key("one"),
                &identity("7"),
                Timestamp::from_unix_seconds(900),
            )
            .await
            .unwrap();
        let choices = vec![CompanyChoice {
            id: "c1".into(),
            name: "Acme".into(),
        }];
        connections
            .apply(&reference, ConnectionEvent::CompanyNeeded(choices))
            .await
            .unwrap();
        connections
            .apply(&reference, ConnectionEvent::CompanySelected("c1".into()))
            .await
            .unwrap();
        let summary = connections
            .summary(&reference.tenant, &reference.connection)
            .await
            .unwrap();
        assert_eq!(summary.company, Some("c1".into()));

        let old = r#"{"reference":{"tenant":"t","connection":"c","epoch":1,"provider":"gmail"},"identity":null,"client":null,"secrets":[],"workflows":[],"granted":[],"status":{"state":"disconnected"},"status_since":"2026-01-01T00:00:00Z","last_proof":null,"last_sync":null,"created":"2026-01-01T00:00:00Z","disconnect":null}"#;
        let row: Connection = serde_json::from_str(old).unwrap();
        assert_eq!((row.company, row.settings), (None, None));
    }
}
