//! Settings of a connector.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::credential::TokenSource;
use atlas_connectors::erp::DocumentMap;
use atlas_connectors::http::{Client, ClientBuilder, ConnectionGate, Governor, HttpTransport, Quota, RetryPolicy};
use atlas_connectors::{Clock, CompanyId, ConnectionRef, Result, SystemClock};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::connector::BusinessCentral;
use super::service::Service;
use super::{Address, BusinessCentralErrors, Limits};

/// Whether creates bring an id of their own, by which they are found again after a lost answer.
///
/// The id is documented as possible; that it is kept, and that a second create with it collides, is known of no
/// real system yet (`business-central.md`, section 5). So a record that is not there proves that its create did not happen only
/// where the page is known to keep ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientIds {
    /// Never: for pages that refuse an id. Creates are found by their natural key alone.
    Off,
    /// An id is sent, and trusted for an entity once an answer has shown that it was kept.
    #[default]
    Learned,
    /// An id is sent and trusted: right after a test on a sandbox.
    Trusted,
}

/// How a connector goes about its work.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) company: Option<CompanyId>,
    pub(super) limits: Limits,
    pub(super) page_size: u32,
    pub(super) replica: bool,
    pub(super) captions: bool,
    pub(super) catalog_age: Duration,
    pub(super) overlap: Duration,
    pub(super) client_ids: ClientIds,
    pub(super) max_metadata: u64,
}

/// Where the credential comes from.
enum Credential {
    Tokens(Arc<dyn TokenSource>),
    Basic(ConnectionRef, String, SecretString),
}

/// Builds a [`BusinessCentral`]. Every setting but transport, credential and address has a default.
///
/// ```no_run
/// use std::sync::Arc;
/// use atlas_connectors::credential::TokenSource;
/// use atlas_connectors::http::HttpTransport;
/// use atlas_connectors_erp::business_central::{Address, BusinessCentral, BusinessCentralBuilder};
///
/// fn connector(
///     transport: Arc<dyn HttpTransport>,
///     tokens: Arc<dyn TokenSource>,
/// ) -> atlas_connectors::Result<BusinessCentral> {
///     let address = Address::cloud(Some("contoso.com"), "Production")?;
///     BusinessCentralBuilder::new(transport, tokens, address)
///         .with_company("3d2d08b2-83fd-41f0-8024-050bb55a8b28")
///         .build()
/// }
/// ```
#[must_use]
pub struct BusinessCentralBuilder {
    transport: Arc<dyn HttpTransport>,
    credential: Credential,
    address: Address,
    settings: Settings,
    quota: Option<Quota>,
    governor: Option<Governor>,
    gate: Option<ConnectionGate>,
    retry: Option<RetryPolicy>,
    deadline: Option<Duration>,
    max_body: Option<u64>,
    documents: DocumentMap,
    clock: Arc<dyn Clock>,
}

impl BusinessCentralBuilder {
    /// A connector for one connection: the transport that all connections share, the connection's tokens, and where it
    /// lives. The token goes to the address's origin and nowhere else.
    pub fn new(transport: Arc<dyn HttpTransport>, tokens: Arc<dyn TokenSource>, address: Address) -> Self {
        Self::with_credential(transport, Credential::Tokens(tokens), address)
    }

    /// A connector for a server of one's own, where users sign in with a web service access key. The cloud takes none.
    pub fn with_access_key(
        transport: Arc<dyn HttpTransport>,
        connection: ConnectionRef,
        user: impl Into<String>,
        key: SecretString,
        address: Address,
    ) -> Self {
        Self::with_credential(transport, Credential::Basic(connection, user.into(), key), address)
    }

    fn with_credential(transport: Arc<dyn HttpTransport>, credential: Credential, address: Address) -> Self {
        Self {
            transport,
            credential,
            address,
            settings: Settings {
                company: None,
                limits: Limits::CLOUD,
                page_size: 1_000,
                replica: true,
                captions: true,
                catalog_age: Duration::from_secs(3_600),
                overlap: Duration::from_secs(120),
                client_ids: ClientIds::default(),
                max_metadata: 64 * 1024 * 1024,
            },
            quota: None,
            governor: None,
            gate: None,
            retry: None,
            deadline: None,
            max_body: None,
            documents: super::document_map(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Pins the company, by id, as the person has chosen it. Without one, queries and writes must name theirs: there is no
    /// default, and never is the first one taken.
    pub fn with_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.settings.company = Some(company.into());
        self
    }

    /// Sets what the service allows one user. Default: Microsoft's cloud.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Sets the quota, where other programs work as the same user. Default: [`Limits::quota`].
    pub fn with_quota(mut self, quota: Quota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// Sets the governor, to share one among several connectors of the same user. It brings its own quota.
    pub fn with_governor(mut self, governor: Governor) -> Self {
        self.governor = Some(governor);
        self
    }

    /// Sets the gate by which the connection is paused or closed.
    pub fn with_gate(mut self, gate: ConnectionGate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Sets how reads are repeated.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Sets the overall time of a call, tries and waiting included.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets where the common documents are. Default: [`document_map`](super::document_map). For API pages of one's own, and to
    /// name the field that holds a purchase order's reference, which the standard API does not have.
    pub fn with_documents(mut self, documents: DocumentMap) -> Self {
        self.documents = documents;
        self
    }

    /// Caps an answer, in bytes, after decompression. Default: 64 MiB. Metadata has a cap of its own.
    pub fn with_max_body(mut self, bytes: u64) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Caps the metadata document, in bytes. Default: 64 MiB; a large one is known to be 366 kB.
    pub fn with_max_metadata(mut self, bytes: u64) -> Self {
        self.settings.max_metadata = bytes;
        self
    }

    /// Sets the clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the rows of a page where a query does not say, 1 to [`Limits::page`]. Default: 1,000.
    pub fn with_page_size(mut self, rows: u32) -> Self {
        self.settings.page_size = rows;
        self
    }

    /// Sets whether lists and changes are read from the replica (`Data-Access-Intent: ReadOnly`), which may lag a
    /// little and spares the people at work. Default: yes. Single records, and everything around a write, never are.
    pub fn with_replica(mut self, replica: bool) -> Self {
        self.settings.replica = replica;
        self
    }

    /// Sets whether captions are read for the catalog (`entityDefinitions`). Default: yes.
    pub fn with_captions(mut self, captions: bool) -> Self {
        self.settings.captions = captions;
        self
    }

    /// Sets how long metadata is kept. Default: an hour.
    pub fn with_catalog_age(mut self, age: Duration) -> Self {
        self.settings.catalog_age = age;
        self
    }

    /// Sets by how much a read of changes goes back behind its cursor. Default: two minutes; one at least, because the
    /// replica lags and a long posting stamps its rows before it commits.
    pub fn with_overlap(mut self, overlap: Duration) -> Self {
        self.settings.overlap = overlap.max(Duration::from_secs(60));
        self
    }

    /// Sets whether creates bring an id of their own. Default: [`ClientIds::Learned`].
    pub fn with_client_ids(mut self, ids: ClientIds) -> Self {
        self.settings.client_ids = ids;
        self
    }

    /// The connector.
    ///
    /// # Errors
    /// [`atlas_connectors::ErrorKind::EgressDenied`] for an address that a credential may not go to,
    /// [`atlas_connectors::ErrorKind::Invalid`] for a user or key that no header can hold.
    pub fn build(mut self) -> Result<BusinessCentral> {
        let origin = self.address.origin()?;
        self.settings.page_size = self.settings.page_size.clamp(1, self.settings.limits.page.max(1));
        let governor = self.governor.unwrap_or_else(|| {
            let quota = self.quota.unwrap_or_else(|| self.settings.limits.quota());
            Governor::new(quota, Arc::clone(&self.clock))
        });
        let client = Client::builder(super::PROVIDER, self.transport, Arc::new(BusinessCentralErrors));
        let (client, connection, basic): (ClientBuilder, _, _) = match self.credential {
            Credential::Tokens(tokens) => {
                let connection = tokens.connection().clone();
                (client.with_credential(tokens, [origin]), connection, None)
            }
            Credential::Basic(connection, user, key) => {
                let header = basic(&user, &key)?;
                (
                    client.with_origins(connection.clone(), [origin]),
                    connection,
                    Some(header),
                )
            }
        };
        let mut client = client.with_governor(governor).with_clock(Arc::clone(&self.clock));
        if let Some(gate) = self.gate {
            client = client.with_gate(gate);
        }
        if let Some(retry) = self.retry {
            client = client.with_retry(retry);
        }
        if let Some(deadline) = self.deadline {
            client = client.with_deadline(deadline);
        }
        if let Some(bytes) = self.max_body {
            client = client.with_max_body(bytes);
        }
        let service = Service::new(client.build(), self.address, basic);
        Ok(BusinessCentral::new(
            service,
            connection,
            self.settings,
            self.documents,
            self.clock,
        ))
    }
}

fn basic(user: &str, key: &SecretString) -> Result<HeaderValue> {
    let pair = SecretString::from(format!("{user}:{}", key.expose_secret()));
    let text = SecretString::from(format!("Basic {}", STANDARD.encode(pair.expose_secret())));
    let mut header = HeaderValue::from_str(text.expose_secret()).map_err(|_| {
        super::invalid(
            "business_central.build",
            "access key",
            "it holds characters that no header may hold",
        )
    })?;
    header.set_sensitive(true);
    Ok(header)
}

impl fmt::Debug for BusinessCentralBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusinessCentralBuilder")
            .field("address", &self.address)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
