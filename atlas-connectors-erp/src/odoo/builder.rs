//! Settings of an Odoo connector.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::credential::Credential;
use atlas_connectors::http::{Client, ConnectionGate, Governor, HttpTransport, Quota, RetryPolicy};
use atlas_connectors::{Clock, CompanyId, ConnectionRef, Result, SystemClock};

use crate::odoo::OdooErrors;
use crate::odoo::connector::OdooConnector;
use crate::odoo::session::Door;
use crate::odoo::wire::{Endpoint, Secret, endpoint_invalid};

/// Builds an [`OdooConnector`].
///
/// ```no_run
/// use std::sync::Arc;
/// use atlas_connectors::ConnectionRef;
/// use atlas_connectors::http::HttpTransport;
/// use atlas_connectors_erp::odoo::wire::{Endpoint, Secret};
/// use atlas_connectors_erp::odoo::{OdooBuilder, OdooConnector};
///
/// fn connect(
///     transport: Arc<dyn HttpTransport>,
///     connection: ConnectionRef,
///     key: secrecy::SecretString,
/// ) -> atlas_connectors::Result<OdooConnector> {
///     let at = Endpoint::new("https://erp.example.com", "production")?;
///     OdooBuilder::new(transport, connection, at, "bot@example.com", Secret::Key(key))
///         .with_company("1")
///         .build()
/// }
/// ```
#[must_use]
pub struct OdooBuilder {
    transport: Arc<dyn HttpTransport>,
    connection: ConnectionRef,
    at: Endpoint,
    login: Box<str>,
    secret: Secret,
    pub(super) settings: Settings,
    governor: Option<Governor>,
    gate: Option<ConnectionGate>,
    retry: Option<RetryPolicy>,
    deadline: Duration,
    max_body: u64,
    clock: Arc<dyn Clock>,
}

/// How the connector goes about its work.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) company: Option<CompanyId>,
    pub(super) language: Box<str>,
    pub(super) page_size: u32,
    pub(super) overlap: Duration,
    pub(super) catalog_age: Duration,
}

/// Most records of one page: larger ones gain nothing (`odoo.md`, section 7).
pub(super) const PAGE_MAX: u32 = 2_000;

impl OdooBuilder {
    /// A connector for one database and user.
    pub fn new(
        transport: Arc<dyn HttpTransport>,
        connection: ConnectionRef,
        at: Endpoint,
        login: &str,
        secret: Secret,
    ) -> Self {
        Self {
            transport,
            connection,
            at,
            login: login.trim().into(),
            secret,
            settings: Settings {
                company: None,
                language: "en_US".into(),
                page_size: 500,
                overlap: Duration::from_secs(300),
                catalog_age: Duration::from_secs(3600),
            },
            governor: None,
            gate: None,
            retry: None,
            deadline: Duration::from_secs(110),
            max_body: 64 * 1024 * 1024,
            clock: Arc::new(SystemClock),
        }
    }

    /// As [`OdooBuilder::new`] with a stored credential: an API key with its login, or login and password.
    ///
    /// # Errors
    /// [`atlas_connectors::ErrorKind::Invalid`] for another kind of credential, or a key without its login.
    pub fn with_credential(
        transport: Arc<dyn HttpTransport>,
        connection: ConnectionRef,
        at: Endpoint,
        credential: &Credential,
    ) -> Result<Self> {
        let (login, secret) = Secret::of(credential).ok_or_else(|| {
            endpoint_invalid(
                "credential",
                "Odoo takes an API key with its login, or login and password",
            )
        })?;
        Ok(Self::new(transport, connection, at, &login, secret))
    }

    /// Pins the company that is worked in. Without it the user's only one is taken, and with several the host is asked.
    pub fn with_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.settings.company = Some(company.into());
        self
    }

    /// Sets the language of translated values and of messages. It must be installed, or every call is refused with "Invalid
    /// language code"; `en_US` is unless somebody took it away. Default: `en_US`.
    pub fn with_language(mut self, language: &str) -> Self {
        self.settings.language = language.into();
        self
    }

    /// Sets the records of a page, 1 to 2,000. Default: 500.
    pub fn with_page_size(mut self, records: u32) -> Self {
        self.settings.page_size = records.clamp(1, PAGE_MAX);
        self
    }

    /// Sets how far incremental reads reach back behind their last moment: `write_date` is the start of a transaction,
    /// and a long one commits late. Default: five minutes.
    pub fn with_overlap(mut self, overlap: Duration) -> Self {
        self.settings.overlap = overlap;
        self
    }

    /// Sets how long what is known of a model is kept. Default: one hour.
    pub fn with_catalog_age(mut self, age: Duration) -> Self {
        self.settings.catalog_age = age;
        self
    }

    /// Sets the governor, to share one among several clients of the same database.
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

    /// Sets the overall time of a call. Default: 110 seconds, within a step of the outbox.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Caps the body of an answer, in bytes. Default: 64 MiB.
    pub fn with_max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The connector. Nothing is sent; the server is asked with the first call.
    ///
    /// # Errors
    /// [`atlas_connectors::ErrorKind::Invalid`] for a login that is empty or a company that is not a number.
    pub fn build(self) -> Result<OdooConnector> {
        if self.login.is_empty() {
            return Err(endpoint_invalid(
                "login",
                "name the user that the key or password belongs to",
            ));
        }
        if let Some(company) = &self.settings.company {
            super::session::company_id(company)?;
        }
        let governor = self
            .governor
            .unwrap_or_else(|| Governor::new(quota(&self.at), Arc::clone(&self.clock)));
        let mut client = Client::builder(super::PROVIDER, self.transport, Arc::new(OdooErrors))
            .with_origins(self.connection.clone(), [self.at.origin()?])
            .with_governor(governor)
            .with_deadline(self.deadline)
            .with_max_body(self.max_body)
            .with_clock(Arc::clone(&self.clock));
        if let Some(gate) = self.gate {
            client = client.with_gate(gate);
        }
        if let Some(retry) = self.retry {
            client = client.with_retry(retry);
        }
        let door = Door::new(client.build(), self.at, self.login, self.secret, self.settings);
        Ok(OdooConnector::new(self.connection, door))
    }
}

/// The open source server counts nothing. On Odoo Online no number is published; one call at a time is what integrators
/// were told (`odoo.md`, section 9).
fn quota(at: &Endpoint) -> Quota {
    let online = at.base().host_str().is_some_and(|host| host.ends_with(".odoo.com"));
    Quota::uncounted().with_concurrency(if online { 1 } else { 4 })
}

impl fmt::Debug for OdooBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OdooBuilder")
            .field("connection", &self.connection)
            .field("database", &self.at.database())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
