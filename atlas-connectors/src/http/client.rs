//! The client of one connection: its settings and its two doors.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::connection::ConnectionRef;
use crate::credential::TokenSource;
use crate::error::Result;
use crate::http::{
    ByteStream, Call, Classify, ConnectionGate, Governor, HttpTransport, Origin, Quota, Response, RetryPolicy,
};
use crate::ids::ProviderId;
use crate::oauth::ScopeSet;

/// Sends the calls of one connection through one pipeline. Cheap to clone; clones share everything.
///
/// The steps, in this order, for every call:
///
/// 1. **Policy**: the connection's [`ConnectionGate`] is open, the call stays within the credential's [`Origin`]s, and
///    one of its scopes is granted. Nothing has touched the network yet.
/// 2. **Deadline**: one overall time for everything below.
/// 3. **Quota**: the [`Governor`] admits the call at its price, in order of arrival.
/// 4. **Retry**: reads only, by the [`RetryPolicy`]; each further try passes 3 again. An effect is sent at most once.
/// 5. **Auth**: the token of the [`TokenSource`]. A 401 rejects it; a read is tried once more with a fresh one.
/// 6. **Egress** and **transport**: [`HttpTransport`], which checks address and certificate when it connects.
///
/// Answers outside 2xx go through the provider's [`Classify`]. What it calls throttled pauses the whole account (or
/// its sending, or the project) for everybody who shares the governor.
///
/// # How an effect ends
/// Success, or an error whose [`crate::Error::effect`] is `None` if the request never left or the provider refused it,
/// `Unknown` if it left and no clear answer came (lost, timed out, 5xx), `Happened` after a 2xx whose body could not be read.
///
/// # Spans
/// One `tracing` span a call, named `atlas.call`, with `otel.name` = `atlas.<provider>.<operation>` (span names are
/// static in `tracing`; exporters take `otel.name`), `provider`, `operation`, `correlation`, `units`, and when it is over
/// `attempts`, `status`, `bytes`, `elapsed_ms`, `error`. No address, query, header or body.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::http::{Call, Classify, Client, Failure, HttpTransport};
/// use atlas_connectors::{Error, ErrorKind, Result};
/// use bytes::Bytes;
///
/// /// A provider's table of errors.
/// #[derive(Debug)]
/// struct Table;
/// impl Classify for Table {
///     fn classify(&self, failure: &Failure<'_>) -> Error {
///         Error::new(ErrorKind::Transient, failure.operation).with_status(failure.status.as_u16())
///     }
/// }
///
/// /// In place of a network: everything is fine.
/// #[derive(Debug)]
/// struct Fine;
/// #[async_trait::async_trait]
/// impl HttpTransport for Fine {
///     async fn send(&self, _request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
///         Ok(http::Response::new(Bytes::from_static(b"{}")))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let client = Client::builder("example", Arc::new(Fine), Arc::new(Table)).build();
/// let request = http::Request::get("https://api.example.com/ping").body(Bytes::new()).unwrap();
/// let answer = client.send(Call::read("example.ping", request).without_auth()).await?;
/// assert_eq!(answer.body, "{}");
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Client(pub(super) Arc<Settings>);

pub(super) struct Settings {
    pub(super) provider: ProviderId,
    pub(super) transport: Arc<dyn HttpTransport>,
    pub(super) classify: Arc<dyn Classify>,
    pub(super) credential: Option<Credential>,
    pub(super) granted: Option<ScopeSet>,
    pub(super) governor: Governor,
    pub(super) gate: ConnectionGate,
    pub(super) retry: RetryPolicy,
    pub(super) deadline: Duration,
    pub(super) max_body: u64,
    pub(super) clock: Arc<dyn Clock>,
}

pub(super) struct Credential {
    pub(super) connection: ConnectionRef,
    /// `None` where the requests hold their credential already.
    pub(super) source: Option<Arc<dyn TokenSource>>,
    pub(super) origins: Vec<Origin>,
}

impl Client {
    /// A client of this provider (`gmail`) over this transport. Without further settings: no credential, nothing
    /// counted, ten requests at once, five tries of a read, 120 seconds for a call, 64 MiB for a body.
    pub fn builder(
        provider: impl Into<ProviderId>,
        transport: Arc<dyn HttpTransport>,
        classify: Arc<dyn Classify>,
    ) -> ClientBuilder {
        ClientBuilder {
            provider: provider.into(),
            transport,
            classify,
            credential: None,
            granted: None,
            governor: None,
            gate: ConnectionGate::new(),
            retry: RetryPolicy::default(),
            deadline: Duration::from_secs(120),
            max_body: 64 * 1024 * 1024,
            clock: Arc::new(SystemClock),
        }
    }

    /// Sends the call and gives the whole answer.
    ///
    /// # Errors
    /// What the provider's [`Classify`] says of an answer outside 2xx;
    /// [`crate::OAuthError::InsufficientPrivileges`] before anything left if no scope of the call is granted;
    /// [`crate::ErrorKind::Paused`] and [`crate::ErrorKind::Cancelled`] from the gate;
    /// [`crate::ErrorKind::EgressDenied`] for a foreign origin, a refused address or a redirect;
    /// [`crate::ErrorKind::DeadlineExceeded`], [`crate::ErrorKind::Throttled`], [`crate::ErrorKind::BadPayload`], and the
    /// errors of [`HttpTransport`] and [`TokenSource`].
    pub async fn send(&self, call: Call) -> Result<Response> {
        Box::pin(self.whole(call)).await
    }

    /// Sends the call and gives the answer as soon as its headers are there. The body follows under the call's cap;
    /// the deadline counts the time spent waiting for the provider, not the reader's own.
    ///
    /// # Errors
    /// As [`Client::send`]; what goes wrong with the body is told by the stream, and is not repeated.
    pub async fn stream(&self, call: Call) -> Result<http::Response<ByteStream>> {
        Box::pin(self.streamed(call)).await
    }

    /// The connection whose credential the calls carry; `None` without a credential.
    pub fn connection(&self) -> Option<&ConnectionRef> {
        self.0.credential.as_ref().map(|credential| &credential.connection)
    }

    /// The provider's name.
    pub fn provider(&self) -> &ProviderId {
        &self.0.provider
    }

    /// The governor, to show what it does or to share it.
    pub fn governor(&self) -> &Governor {
        &self.0.governor
    }

    /// The gate, to pause or close it.
    pub fn gate(&self) -> &ConnectionGate {
        &self.0.gate
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("provider", &self.0.provider)
            .field("connection", &self.connection())
            .field("transport", &self.0.transport)
            .field("governor", &self.0.governor)
            .finish_non_exhaustive()
    }
}

/// Settings of a [`Client`].
#[must_use]
pub struct ClientBuilder {
    provider: ProviderId,
    transport: Arc<dyn HttpTransport>,
    classify: Arc<dyn Classify>,
    credential: Option<Credential>,
    granted: Option<ScopeSet>,
    governor: Option<Governor>,
    gate: ConnectionGate,
    retry: RetryPolicy,
    deadline: Duration,
    max_body: u64,
    clock: Arc<dyn Clock>,
}

impl ClientBuilder {
    /// Sets whose token the calls carry, and the only origins it goes to.
    pub fn with_credential(mut self, source: Arc<dyn TokenSource>, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.credential = Some(Credential {
            connection: source.connection().clone(),
            source: Some(source),
            origins: origins.into_iter().collect(),
        });
        self
    }

    /// Sets the only origins that requests with a credential of their own ([`Call::with_own_auth`]) go to.
    pub fn with_origins(mut self, connection: ConnectionRef, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.credential = Some(Credential {
            connection,
            source: None,
            origins: origins.into_iter().collect(),
        });
        self
    }

    /// Sets the granted scopes as far as they are known beforehand: a missing one is then told without asking for a
    /// token. Without this, the token's own scopes are asked.
    pub fn with_granted_scopes(mut self, scopes: ScopeSet) -> Self {
        self.granted = Some(scopes);
        self
    }

    /// Sets the governor; share one among all clients of an account.
    pub fn with_governor(mut self, governor: Governor) -> Self {
        self.governor = Some(governor);
        self
    }

    /// Sets the gate; share one among all clients of a connection.
    pub fn with_gate(mut self, gate: ConnectionGate) -> Self {
        self.gate = gate;
        self
    }

    /// Sets how reads are repeated.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the overall time of a call that names none.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Caps the decompressed body of a call that names no cap, in bytes.
    pub fn with_max_body(mut self, bytes: u64) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sets the clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The client.
    pub fn build(self) -> Client {
        let governor = self
            .governor
            .unwrap_or_else(|| Governor::new(Quota::uncounted(), Arc::clone(&self.clock)));
        Client(Arc::new(Settings {
            provider: self.provider,
            transport: self.transport,
            classify: self.classify,
            credential: self.credential,
            granted: self.granted,
            governor,
            gate: self.gate,
            retry: self.retry,
            deadline: self.deadline,
            max_body: self.max_body,
            clock: self.clock,
        }))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("provider", &self.provider)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
