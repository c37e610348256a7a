//! Settings of a connector.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::erp::DocumentMap;
use atlas_connectors::http::{ConnectionGate, Governor, HttpTransport, Quota, RetryPolicy};
use atlas_connectors::{Clock, ConnectionRef, Error, ErrorKind, Result, SystemClock};

use crate::odata::Version;
use crate::sap::address::{ServiceAddress, SystemAddress};
use crate::sap::auth::SapAuth;
use crate::sap::connector::{Inner, SapConnector, Settings};
use crate::sap::documents::document_map;
use crate::sap::schema::Services;
use crate::sap::session::{Session, SessionSettings};

/// Requests at once: systems are shared, and some allow fewer than ten (`sap-odata.md`, section 15).
const AT_ONCE: u32 = 4;

/// Builds a [`SapConnector`]. Everything but transport, connection, system, credential and services has a default.
///
/// ```no_run
/// use std::sync::Arc;
/// use atlas_connectors::ConnectionRef;
/// use atlas_connectors::credential::Basic;
/// use atlas_connectors::http::HttpTransport;
/// use atlas_connectors_erp::sap::{SapAuth, SapBuilder, SapConnector, ServiceAddress, SystemAddress};
///
/// fn connector(
///     transport: Arc<dyn HttpTransport>,
///     connection: ConnectionRef,
///     user: Basic,
/// ) -> atlas_connectors::Result<SapConnector> {
///     let system = SystemAddress::parse("https://my300001-api.s4hana.cloud.sap")?;
///     SapBuilder::new(transport, connection, system, SapAuth::Basic(user))
///         .with_service(ServiceAddress::parse("API_SALES_ORDER_SRV")?)
///         .with_service(ServiceAddress::parse("API_BUSINESS_PARTNER")?)
///         .build()
/// }
/// ```
#[must_use]
pub struct SapBuilder {
    transport: Arc<dyn HttpTransport>,
    connection: ConnectionRef,
    system: SystemAddress,
    auth: SapAuth,
    services: Vec<ServiceAddress>,
    documents: Option<DocumentMap>,
    governor: Option<Governor>,
    gate: Option<ConnectionGate>,
    retry: RetryPolicy,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    catalog_age: Duration,
    page_size: Option<u32>,
    settings: Settings,
}

impl SapBuilder {
    /// A connector for one connection to one system.
    pub fn new(
        transport: Arc<dyn HttpTransport>,
        connection: ConnectionRef,
        system: SystemAddress,
        auth: SapAuth,
    ) -> Self {
        Self {
            transport,
            connection,
            system,
            auth,
            services: Vec::new(),
            documents: None,
            governor: None,
            gate: None,
            // A dump is worth one more try of a read, not five.
            retry: RetryPolicy::default().with_max_attempts(3),
            deadline: Duration::from_secs(120),
            clock: Arc::new(SystemClock),
            catalog_age: Duration::from_secs(3600),
            page_size: None,
            settings: Settings::default(),
        }
    }

    /// Adds a service. Where two have a set of the same name, the one added first is meant.
    pub fn with_service(mut self, service: ServiceAddress) -> Self {
        if !self.services.contains(&service) {
            self.services.push(service);
        }
        self
    }

    /// Sets the table by which the common documents are found, for systems that mix versions or have services of their own.
    /// Default: [`document_map`] of V4 if only V4 services are connected, and of V2 otherwise.
    pub fn with_documents(mut self, documents: DocumentMap) -> Self {
        self.documents = Some(documents);
        self
    }

    /// Sets the governor, to share one among several clients of a system. Default: four requests at once.
    pub fn with_governor(mut self, governor: Governor) -> Self {
        self.governor = Some(governor);
        self
    }

    /// Sets the gate by which the connection is paused or closed.
    pub fn with_gate(mut self, gate: ConnectionGate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Sets how reads are repeated. Default: three tries.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the overall time of a call, tries and waiting included. Default: 120 seconds.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how long metadata is kept before it is asked for again. Default: an hour. What is missing is asked for sooner.
    pub fn with_catalog_age(mut self, age: Duration) -> Self {
        self.catalog_age = age;
        self
    }

    /// Sets the records of a page where the query does not say, 1 to 5000. Default: 1000.
    pub fn with_page_size(mut self, records: u32) -> Self {
        self.page_size = Some(records.clamp(1, 5_000));
        self
    }

    /// Sets the most rows that one answer may hold, lines included: what a service that ignores `$top` may send.
    /// Default: 200,000.
    pub fn with_most_rows(mut self, rows: usize) -> Self {
        self.settings.most_rows = rows.max(1);
        self
    }

    /// Caps an answer, in decompressed bytes. Default: 64 MiB.
    pub fn with_max_body(mut self, bytes: u64) -> Self {
        self.settings.max_body = bytes;
        self
    }

    /// Sets how far changes are read again behind the last point: clocks of application servers differ and commits come
    /// late. Default: two minutes.
    pub fn with_overlap(mut self, overlap: Duration) -> Self {
        self.settings.overlap = overlap;
        self
    }

    /// Sets the pause before the second look for a lost create: a search may lag behind a commit. Default: three seconds.
    pub fn with_look_pause(mut self, pause: Duration) -> Self {
        self.settings.look_pause = pause;
        self
    }

    /// Sets the most writes of one batch. Default: 100.
    pub fn with_batch_size(mut self, parts: usize) -> Self {
        self.settings.batch_most = parts.max(1);
        self
    }

    /// The connector. Sends nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] without any service; [`ErrorKind::EgressDenied`] for plain http to anything but this machine.
    pub fn build(self) -> Result<SapConnector> {
        if self.services.is_empty() {
            let kind = ErrorKind::Invalid {
                what: "services",
                why: "at least one service is needed",
            };
            return Err(Error::new(kind, "sap.build"));
        }
        let only_v4 = self.services.iter().all(|service| service.version() == Version::V4);
        let version = if only_v4 { Version::V4 } else { Version::V2 };
        let documents = self.documents.unwrap_or_else(|| document_map(version));
        let governor = self
            .governor
            .unwrap_or_else(|| Governor::new(Quota::uncounted().with_concurrency(AT_ONCE), Arc::clone(&self.clock)));
        let session = Arc::new(Session::new(SessionSettings {
            connection: self.connection,
            system: self.system,
            auth: self.auth,
            transport: self.transport,
            governor,
            gate: self.gate.unwrap_or_default(),
            retry: self.retry,
            deadline: self.deadline,
            max_body: self.settings.max_body,
            clock: self.clock,
        })?);
        Ok(SapConnector::new(Inner {
            services: Services::new(Arc::clone(&session), &self.services, self.catalog_age, self.page_size)?,
            session,
            documents,
            settings: self.settings,
        }))
    }
}

impl fmt::Debug for SapBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SapBuilder")
            .field("connection", &self.connection)
            .field("system", &self.system)
            .field("auth", &self.auth)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}
