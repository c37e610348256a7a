//! A host in miniature: what an application composes once at start, and what it does with a connection.
//!
//! Everything here is public API. The pieces are small on purpose; a real host keeps the ones it needs and puts its own in place of
//! the others (its database, its web pages, its job queue).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use atlas_connectors::action::{
    ApprovalPolicy, Autonomy, Circle, Connectors, Effectors, Outbox, OutboxSettings, Standing,
};
use atlas_connectors::connection::{ConnectionEvent, ConnectionSummary, Connections, Proof, ProofKind, Status};
use atlas_connectors::credential::{RefreshingToken, Sealer, Vault};
use atlas_connectors::erp::ErpConnector;
use atlas_connectors::http::HttpTransport;
use atlas_connectors::oauth::{OAuthApp, OAuthClient, SignIn};
use atlas_connectors::store::SqliteStore;
use atlas_connectors::sync::{
    Coverage, Inbox, InboxStore, MailboxKey, SyncEngine, SyncReport, SyncSettings, SyncStore,
};
use atlas_connectors::{ConnectionId, ConnectionRef, Epoch, Error, ErrorKind, Identity, Result, SystemClock, TenantId};
use atlas_connectors_gmail::{Baseline, Endpoints, GmailBuilder, GmailMailbox, GoogleOAuth};

use crate::erp::Erps;

/// What the application decides: where things are kept, what seals them, which Google, as which client.
#[derive(Debug)]
pub struct Settings {
    /// The tenant that the connections belong to.
    pub tenant: TenantId,
    /// The embedded store.
    pub store: SqliteStore,
    /// What seals credentials, mail bodies and waiting actions.
    pub sealer: Sealer,
    /// The network.
    pub transport: Arc<dyn HttpTransport>,
    /// Google's addresses, or an emulator's.
    pub endpoints: Endpoints,
    /// Where the position of a first sync comes from; emulators without `getProfile` need another than Gmail.
    pub baseline: Baseline,
    /// The app's registration at Google.
    pub client: OAuthClient,
    /// How syncs go about their work.
    pub sync: SyncSettings,
    /// Whom the organization knows, for the reviewer's warnings.
    pub circle: Circle,
    /// Limits of the outbox.
    pub outbox: OutboxSettings,
}

/// The composed pieces.
#[derive(Clone)]
pub struct Host {
    parts: Arc<Parts>,
    sign_in: SignIn,
    outbox: Outbox,
}

struct Parts {
    tenant: TenantId,
    store: Arc<SqliteStore>,
    sealer: Sealer,
    transport: Arc<dyn HttpTransport>,
    endpoints: Endpoints,
    baseline: Baseline,
    app: OAuthApp,
    connections: Connections,
    erps: Erps,
    sync: SyncSettings,
    /// One mailbox for each connection and epoch, so that quota, cool-downs and token cache are shared.
    open: Mutex<HashMap<(ConnectionId, Epoch), Account>>,
}

/// A connected mailbox with everything that works on it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account at the provider.
    pub identity: Identity,
    /// Its access tokens, refreshed once for everybody.
    pub tokens: RefreshingToken,
    /// The mailbox itself.
    pub mailbox: Arc<GmailMailbox>,
    /// What keeps the inbox in step.
    pub sync: SyncEngine,
}

impl Host {
    /// Puts the pieces together. Whatever leaves, a person has approved it.
    ///
    /// # Errors
    /// An address of the provider that would send secrets in the clear.
    pub fn new(settings: Settings) -> Result<Self> {
        Self::with_policy(settings, Arc::new(Autonomy::AskForEverything))
    }

    /// Puts the pieces together under rules of the host's own.
    ///
    /// # Errors
    /// As [`Host::new`].
    pub fn with_policy(settings: Settings, policy: Arc<dyn ApprovalPolicy>) -> Result<Self> {
        let store = Arc::new(settings.store);
        let vault = Vault::new(Arc::clone(&store) as _, settings.sealer.clone());
        let connections = Connections::new(Arc::clone(&store) as _, vault, Arc::new(SystemClock));
        let dialect = Arc::new(GoogleOAuth::new(&settings.endpoints));
        let app = OAuthApp::new(dialect, settings.client, Arc::clone(&settings.transport))?;
        let sign_in = SignIn::new(app.clone(), connections.clone(), Arc::clone(&store) as _);
        let erps = Erps::new(connections.clone(), Arc::clone(&store), Arc::clone(&settings.transport));
        let parts = Arc::new(Parts {
            tenant: settings.tenant,
            store: Arc::clone(&store),
            sealer: settings.sealer.clone(),
            transport: settings.transport,
            endpoints: settings.endpoints,
            baseline: settings.baseline,
            app,
            connections,
            erps,
            sync: settings.sync,
            open: Mutex::new(HashMap::new()),
        });
        let connectors = Arc::new(LiveConnections(Arc::clone(&parts)));
        let outbox = Outbox::builder(store, settings.sealer, connectors)
            .shared_policy(policy)
            .circle(settings.circle)
            .settings(|limits| *limits = settings.outbox)
            .build();
        Ok(Self { parts, sign_in, outbox })
    }

    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.parts.tenant
    }

    /// The registry of connections.
    pub fn connections(&self) -> &Connections {
        &self.parts.connections
    }

    /// Signing in.
    pub fn sign_in(&self) -> &SignIn {
        &self.sign_in
    }

    /// Where actions wait, and from where they leave.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The store.
    pub fn store(&self) -> &SqliteStore {
        &self.parts.store
    }

    /// All connections, as the settings page shows them.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self) -> Result<Vec<ConnectionSummary>> {
        self.parts.connections.list(&self.parts.tenant).await
    }

    /// The mailbox of a connection as it is now.
    ///
    /// # Errors
    /// Not connected, paused, or the grant has ended.
    pub async fn account(&self, connection: &ConnectionId) -> Result<Account> {
        let summary = self.parts.connections.summary(&self.parts.tenant, connection).await?;
        self.parts.connections.admit(&summary.reference).await?;
        self.parts.account(&summary).await
    }

    /// The connections to ERPs: connecting, opening.
    pub fn erps(&self) -> &Erps {
        &self.parts.erps
    }

    /// The ERP of a connection as it is now.
    ///
    /// # Errors
    /// Not connected, paused, or the grant has ended.
    pub async fn erp(&self, connection: &ConnectionId) -> Result<Arc<dyn ErpConnector>> {
        let summary = self.parts.connections.summary(&self.parts.tenant, connection).await?;
        self.parts.connections.admit(&summary.reference).await?;
        self.parts.erps.open(&summary).await
    }

    /// The synced copy of a connection; readable whatever the state of the grant.
    pub fn inbox(&self, connection: &ConnectionRef) -> Inbox {
        let store = Arc::clone(&self.parts.store) as Arc<dyn InboxStore>;
        Inbox::new(store, self.parts.sealer.clone(), MailboxKey::from(connection))
    }

    /// What of a mailbox is proven complete; readable whatever the state of the grant.
    ///
    /// # Errors
    /// The store's.
    pub async fn coverage(&self, connection: &ConnectionRef) -> Result<Coverage> {
        Ok(self.parts.store.state(&MailboxKey::from(connection)).await?.coverage())
    }

    /// Brings the inbox up to date and tells the connection how that went.
    ///
    /// # Errors
    /// What ended the run; what it had done is kept.
    pub async fn sync(&self, account: &Account) -> Result<SyncReport> {
        let reference = self.reference(account);
        match account.sync.sync_now().await {
            Ok(report) => {
                self.note(reference, &report).await?;
                Ok(report)
            }
            Err(error) => {
                self.parts.connections.failed(reference, &error).await?;
                Err(error)
            }
        }
    }

    /// Ends a connection: epoch first, then the grant at the provider, then the secrets.
    ///
    /// # Errors
    /// The store's, or a reconnect that was faster.
    pub async fn disconnect(&self, connection: &ConnectionId) -> Result<ConnectionSummary> {
        let Parts {
            tenant,
            app,
            connections,
            ..
        } = &*self.parts;
        // Keys and passwords are erased here; only the grants of this host's own app can be revoked at the provider.
        let summary = connections.summary(tenant, connection).await?;
        let app = (app.provider().id() == summary.reference.provider).then_some(app);
        connections.disconnect(app, tenant, connection).await?;
        // Nothing more for syncs under way: they are kept in the same store and go by the connection's own epoch.
        connections.summary(tenant, connection).await
    }

    fn reference<'a>(&self, account: &'a Account) -> &'a ConnectionRef {
        use atlas_connectors::mail::Mailbox as _;
        account.mailbox.connection()
    }

    /// A complete answer proves that the account can be reached; new mail proves that signals arrive.
    async fn note(&self, reference: &ConnectionRef, report: &SyncReport) -> Result<()> {
        let connections = &self.parts.connections;
        let proof = match report.newest_signal {
            Some(newest) => Proof::new(ProofKind::Signal, newest),
            None => Proof::new(ProofKind::Answer, report.proven),
        };
        connections.apply(reference, ConnectionEvent::Proven(proof)).await?;
        connections.synced(reference, report.ended).await
    }
}

impl Parts {
    async fn account(&self, summary: &ConnectionSummary) -> Result<Account> {
        let reference = &summary.reference;
        let slot = (reference.connection.clone(), reference.epoch);
        if let Some(account) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&slot) {
            return Ok(account.clone());
        }
        let row = self
            .connections
            .store()
            .get(&self.tenant, &reference.connection)
            .await?;
        let row = row
            .ok_or_else(|| Error::new(ErrorKind::NotFound { object: "connection" }, "host.account"))?
            .value;
        let identity = row
            .identity
            .ok_or_else(|| Error::new(ErrorKind::Paused { why: "sign_in" }, "host.account"))?;
        let tokens = RefreshingToken::builder(
            reference.clone(),
            self.connections.vault().clone(),
            Arc::new(self.app.refresher()),
        )
        .events(Arc::new(self.connections.clone()))
        .build();
        let mailbox = GmailBuilder::new(Arc::clone(&self.transport), Arc::new(tokens.clone()), row.granted)
            .with_endpoints(self.endpoints.clone())
            .with_baseline(self.baseline)
            .mailbox()?;
        let mailbox = Arc::new(mailbox);
        let sync = SyncEngine::builder(Arc::clone(&mailbox) as _, Arc::clone(&self.store) as _)
            .with_inbox(self.sealer.clone())
            .with_settings(self.sync.clone())
            .build()?;
        let account = Account {
            identity,
            tokens,
            mailbox,
            sync,
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(connection, _), _| *connection != slot.0);
        Ok(open.entry(slot).or_insert(account).clone())
    }
}

/// Tells the outbox how a connection stands *now*, from the store: a disconnect in another process counts as well.
struct LiveConnections(Arc<Parts>);

#[async_trait]
impl Connectors for LiveConnections {
    async fn standing(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Option<Standing>> {
        if *tenant != self.0.tenant {
            return Ok(None);
        }
        let summary = match self.0.connections.summary(tenant, connection).await {
            Ok(summary) => summary,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if summary.status == Status::Disconnected {
            return Ok(None);
        }
        let Some(identity) = summary.identity.clone() else {
            return Ok(None);
        };
        // A paused or revoked connection keeps its approved intents, and nothing leaves.
        let effectors = match self.0.connections.admit(&summary.reference).await {
            Ok(()) if Erps::is_erp(&summary.reference.provider) => {
                Effectors::new().with_erp(self.0.erps.open(&summary).await?)
            }
            Ok(()) => Effectors::new().with_mailbox(self.0.account(&summary).await?.mailbox),
            Err(_) => Effectors::new(),
        };
        Ok(Some(Standing::new(summary.reference, identity, effectors)))
    }
}

impl fmt::Debug for LiveConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveConnections")
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("tenant", &self.parts.tenant)
            .finish_non_exhaustive()
    }
}
