//! The transport over reqwest and rustls.

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::reqwest::dns::{Addrs, Name, Resolve, Resolving};
use ::reqwest::redirect;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderValue, Request, Response};
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{BadPayload, Effect, EgressRule, Error, ErrorKind, Result, Unreachable};
use crate::http::egress::EgressRules;
use crate::http::gunzip::{BodyLimits, decoded};
use crate::http::redirect::refuse_redirect;
use crate::http::resolver::{NameResolver, SystemResolver};
use crate::http::tls::{self, TlsSettings};
use crate::http::transport::collect;
use crate::http::{ByteStream, HttpTransport};

/// The most that [`HttpTransport::send`] collects by default, in bytes: 4 MiB. Streams are not bound by it.
const WHOLE_BODY: usize = 4 * 1024 * 1024;
/// By how much the read timeout outlasts the connect timeout at least.
const AFTER_CONNECT: Duration = Duration::from_millis(250);
/// Headers of one answer.
const MAX_HEADERS: usize = 100;
/// Their size over HTTP/2, in bytes.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// Sends over the network: HTTP/2 or 1.1, rustls with aws-lc-rs, gzip.
///
/// Follows no redirect, repeats nothing, takes no proxy from the environment, keeps no cookie. Every address is checked
/// by the [`EgressRules`] when it is connected to.
///
/// ```
/// use atlas_connectors::http::{EgressRules, ReqwestTransport};
///
/// let transport = ReqwestTransport::builder()
///     .with_egress(EgressRules::strict().allow("erp.plant.example", "10.20.0.0/16")?)
///     .with_user_agent("acme-desk/4.2")
///     .build()?;
/// # let _ = transport;
/// # Ok::<(), atlas_connectors::Error>(())
/// ```
#[derive(Clone)]
pub struct ReqwestTransport {
    client: ::reqwest::Client,
    egress: Arc<EgressRules>,
    user_agent: HeaderValue,
    limits: BodyLimits,
    whole_body: usize,
    proxy: bool,
}

impl ReqwestTransport {
    /// A transport with the strict rules and all defaults.
    ///
    /// # Errors
    /// As [`ReqwestTransportBuilder::build`].
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Settings of a transport.
    pub fn builder() -> ReqwestTransportBuilder {
        ReqwestTransportBuilder {
            egress: EgressRules::strict(),
            resolver: Arc::new(SystemResolver),
            tls: TlsSettings::new(),
            proxy: None,
            user_agent: concat!("atlas-connectors/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            limits: BodyLimits::default(),
            whole_body: WHOLE_BODY,
        }
    }

    fn prepare(&self, mut request: Request<Bytes>) -> Result<::reqwest::Request> {
        self.egress.check(request.uri()).map_err(|rule| {
            let error = Error::new(rule, "http.send");
            match request.uri().host() {
                Some(host) => error.with_context("host", host),
                None => error,
            }
        })?;
        let headers = request.headers_mut();
        headers.entry(USER_AGENT).or_insert_with(|| self.user_agent.clone());
        headers
            .entry(ACCEPT_ENCODING)
            .or_insert(HeaderValue::from_static("gzip"));
        ::reqwest::Request::try_from(request).map_err(|error| {
            let kind = ErrorKind::Invalid {
                what: "request",
                why: "it cannot be written as HTTP",
            };
            Error::new(kind, "http.send").with_source(error.without_url())
        })
    }
}

#[async_trait]
impl HttpTransport for ReqwestTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        collect(self.send_streaming(request).await?, self.whole_body).await
    }

    async fn send_streaming(&self, request: Request<Bytes>) -> Result<Response<ByteStream>> {
        let request = self.prepare(request)?;
        let answer = self.client.execute(request).await;
        let mut answer = answer.map_err(|error| unanswered(error, self.proxy))?;
        let status = answer.status();
        let mut headers = std::mem::take(answer.headers_mut());
        refuse_redirect("http.send", status, &headers)?;
        if headers.len() > MAX_HEADERS {
            return Err(Error::new(BadPayload::TooLarge, "http.send").with_effect(Effect::Unknown));
        }
        let wire = ByteStream::new(answer.bytes_stream().map(|chunk| chunk.map_err(cut)));
        let body = decoded(&mut headers, wire, self.limits)?;
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport")
            .field("egress", &self.egress)
            .field("limits", &self.limits)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

/// Settings of a [`ReqwestTransport`].
#[must_use]
pub struct ReqwestTransportBuilder {
    egress: EgressRules,
    resolver: Arc<dyn NameResolver>,
    tls: TlsSettings,
    proxy: Option<::reqwest::Proxy>,
    user_agent: String,
    connect_timeout: Duration,
    read_timeout: Duration,
    limits: BodyLimits,
    whole_body: usize,
}

impl ReqwestTransportBuilder {
    /// Sets which addresses may be connected to.
    pub fn with_egress(mut self, rules: EgressRules) -> Self {
        self.egress = rules;
        self
    }

    /// Sets who resolves names; what it gives is checked by the egress rules all the same.
    pub fn with_resolver(mut self, resolver: Arc<dyn NameResolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Sets authorities and client certificate of this connection.
    pub fn with_tls(mut self, tls: TlsSettings) -> Self {
        self.tls = tls;
        self
    }

    /// Sends everything through this proxy (`http://proxy.corp.example:3128`), which may carry user and password.
    ///
    /// The proxy resolves the names and connects: the address rules then hold for the proxy only, not for what lies
    /// behind it. A proxy on a private network must be allowed in the egress rules by host and network.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is not an address.
    pub fn with_proxy(mut self, proxy: &SecretString) -> Result<Self> {
        let proxy = ::reqwest::Proxy::all(proxy.expose_secret()).map_err(|_| {
            let kind = ErrorKind::Invalid {
                what: "proxy",
                why: "not an address such as http://proxy.corp.example:3128",
            };
            Error::new(kind, "http.proxy")
        })?;
        self.proxy = Some(proxy);
        Ok(self)
    }

    /// Sets the name told to providers (`acme-desk/4.2`); the word gzip is added, which Google asks for (`gmail.md`, section 8).
    pub fn with_user_agent(mut self, product: &str) -> Self {
        product.clone_into(&mut self.user_agent);
        self
    }

    /// Sets the time for name, connection and handshake together; 10 seconds.
    pub fn with_connect_timeout(mut self, time: Duration) -> Self {
        self.connect_timeout = time;
        self
    }

    /// Sets the longest silence while an answer is awaited or read; 30 seconds. It counts from the beginning, so a value
    /// below the connect timeout is raised just above it: else a dead connection would look like a lost answer.
    pub fn with_read_timeout(mut self, time: Duration) -> Self {
        self.read_timeout = time;
        self
    }

    /// Sets the caps on bodies, compressed and decompressed.
    pub fn with_limits(mut self, limits: BodyLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Caps what [`HttpTransport::send`] collects, in bytes; 4 MiB.
    pub fn with_whole_body(mut self, bytes: usize) -> Self {
        self.whole_body = bytes;
        self
    }

    /// The transport.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a user agent that no header may hold, or TLS settings that do not fit together.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that makes a client, with redirects and the environment's proxy off"
    )]
    pub fn build(self) -> Result<ReqwestTransport> {
        let invalid = |what, why| Error::new(ErrorKind::Invalid { what, why }, "http.build");
        let user_agent = HeaderValue::from_str(&format!("{} (gzip)", self.user_agent))
            .map_err(|_| invalid("user agent", "it holds characters that no header may hold"))?;
        let egress = Arc::new(self.egress);
        let resolver = CheckedResolver {
            inner: self.resolver,
            rules: Arc::clone(&egress),
        };
        let mut builder = ::reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.config()?)
            .dns_resolver(Arc::new(resolver))
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(::reqwest::retry::never())
            .no_proxy()
            .connect_timeout(self.connect_timeout)
            .read_timeout(
                self.read_timeout
                    .max(self.connect_timeout.saturating_add(AFTER_CONNECT)),
            )
            .pool_max_idle_per_host(16)
            .http1_max_headers(MAX_HEADERS)
            .http2_max_header_list_size(MAX_HEADER_BYTES);
        let proxy = self.proxy.is_some();
        if let Some(proxy) = self.proxy {
            builder = builder.proxy(proxy);
        }
        let client = builder
            .build()
            .map_err(|error| invalid("HTTP settings", "they do not fit together").with_source(error.without_url()))?;
        Ok(ReqwestTransport {
            client,
            egress,
            user_agent,
            limits: self.limits,
            whole_body: self.whole_body,
            proxy,
        })
    }
}

impl fmt::Debug for ReqwestTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransportBuilder")
            .field("egress", &self.egress)
            .field("tls", &self.tls)
            .field("proxy", &self.proxy.is_some())
            .finish_non_exhaustive()
    }
}

/// Resolves, and lets only checked addresses through to the socket.
struct CheckedResolver {
    inner: Arc<dyn NameResolver>,
    rules: Arc<EgressRules>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let inner = Arc::clone(&self.inner);
        let rules = Arc::clone(&self.rules);
        Box::pin(async move {
            let addresses = inner.resolve(name.as_str()).await?;
            if addresses.is_empty() {
                return Err(std::io::Error::from(std::io::ErrorKind::NotFound).into());
            }
            rules.check_addresses(name.as_str(), &addresses).map_err(Refused)?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// The egress rules refused what the name resolved to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(EgressRule);

/// No answer came: how far did the request get?
fn unanswered(error: ::reqwest::Error, proxy: bool) -> Error {
    let error = error.without_url();
    let (kind, effect) = verdict(&error, proxy);
    Error::new(kind, "http.send").with_effect(effect).with_source(error)
}

fn verdict(error: &::reqwest::Error, proxy: bool) -> (ErrorKind, Effect) {
    if let Some(Refused(rule)) = find(error) {
        return (ErrorKind::EgressDenied(*rule), Effect::None);
    }
    // A peer that refuses our certificate says so after the handshake by TLS 1.3, and reads nothing of the request.
    if let Some(fault) = tls_fault(error) {
        return (ErrorKind::TlsRejected(fault), Effect::None);
    }
    if error.is_connect() {
        let fault = match () {
            () if error.is_timeout() => Unreachable::Timeout,
            () if error.is_dns() => Unreachable::Dns,
            () if proxy => Unreachable::Proxy,
            () => Unreachable::Connect,
        };
        return (fault.into(), Effect::None);
    }
    let kind = match () {
        () if error.is_timeout() => Unreachable::Timeout.into(),
        () => match find::<hyper::Error>(error).filter(|error| error.is_parse()) {
            // hyper tells this apart by text only; a changed text would make it a matter of syntax.
            Some(parse) if parse.to_string() == "message head is too large" => BadPayload::TooLarge.into(),
            Some(_) => BadPayload::Syntax.into(),
            None => ErrorKind::Transient,
        },
    };
    (kind, Effect::Unknown)
}

/// The answer had begun, and its body did not come to its end.
fn cut(error: ::reqwest::Error) -> Error {
    let error = error.without_url();
    let kind = match error.is_timeout() {
        true => Unreachable::Timeout.into(),
        false => ErrorKind::from(BadPayload::Truncated),
    };
    Error::new(kind, "http.body")
        .with_effect(Effect::Unknown)
        .with_source(error)
}

fn tls_fault(error: &::reqwest::Error) -> Option<crate::error::TlsFault> {
    find::<rustls::Error>(error).map(tls::fault)
}

fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    sources(error).find_map(|source| source.downcast_ref())
}

/// The error and everything beneath it.
fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        // Input and output errors hide what they carry from `source`, and come in layers.
        let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match carried {
            Some(carried) => Some(carried),
            None => error.source(),
        };
        Some(error)
    })
}
