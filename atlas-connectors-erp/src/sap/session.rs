//! One session with one system: credential, cookies and CSRF token around every call.
//!
//! Source: `sap-odata.md`, sections 3 to 5.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use atlas_connectors::error::{Effect, EgressRule, GrantEnd};
use atlas_connectors::http::{
    Call, CallClass, Client, ConnectionGate, Governor, HttpTransport, Origin, Response, RetryPolicy,
};
use atlas_connectors::{Clock, ConnectionRef, Error, ErrorKind, OAuthError, Result};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE};
use http::{HeaderName, HeaderValue, Method, Request};
use secrecy::SecretString;

use crate::odata::ServiceRoot;
use crate::sap::address::{ServiceAddress, SystemAddress};
use crate::sap::auth::{SapAuth, sensitive};
use crate::sap::classify::{SapErrors, TOKEN_REQUIRED, WEB_PAGE};
use crate::sap::cookies::{CookieTransport, FETCH, Held, Jar, TOKEN_HEADER, Token};

const CLIENT_HEADER: HeaderName = HeaderName::from_static("sap-client");

/// What a session is made of.
pub(super) struct SessionSettings {
    pub(super) connection: ConnectionRef,
    pub(super) system: SystemAddress,
    pub(super) auth: SapAuth,
    pub(super) transport: Arc<dyn HttpTransport>,
    pub(super) governor: Governor,
    pub(super) gate: ConnectionGate,
    pub(super) retry: RetryPolicy,
    pub(super) deadline: Duration,
    pub(super) max_body: u64,
    pub(super) clock: Arc<dyn Clock>,
}

/// The session of one connection. All its calls share cookies and token, however many run side by side.
pub(super) struct Session {
    settings: SessionSettings,
    origin: Origin,
    jar: Jar,
    /// Held while a token is fetched: everybody else waits and takes the same.
    fetching: tokio::sync::Mutex<()>,
    /// Held by the first request until the system has taken the credential once: a wrong password is then tried once
    /// and not sixty times at once.
    logon: tokio::sync::Mutex<()>,
    logged_on: AtomicBool,
    refused: AtomicBool,
    head_refused: AtomicBool,
}

/// One service of the session.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) address: ServiceAddress,
    pub(super) root: ServiceRoot,
    client: Client,
}

impl Session {
    pub(super) fn new(settings: SessionSettings) -> Result<Self> {
        Ok(Self {
            origin: Origin::parse(settings.system.base())?,
            jar: Jar::default(),
            fetching: tokio::sync::Mutex::default(),
            logon: tokio::sync::Mutex::default(),
            logged_on: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            head_refused: AtomicBool::new(false),
            settings,
        })
    }

    pub(super) fn system(&self) -> &SystemAddress {
        &self.settings.system
    }

    pub(super) fn connection(&self) -> &ConnectionRef {
        &self.settings.connection
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.settings.clock
    }

    /// A service of this system, with its own table of errors on the shared session.
    pub(super) fn service(&self, address: &ServiceAddress) -> Result<Service> {
        let settings = &self.settings;
        let bearer = settings.auth.renewable();
        let transport = CookieTransport {
            inner: Arc::clone(&settings.transport),
            jar: self.jar.clone(),
        };
        let errors = SapErrors::new(address.name(), bearer);
        let mut builder = Client::builder(crate::sap::provider(), Arc::new(transport), Arc::new(errors))
            .with_governor(settings.governor.clone())
            .with_gate(settings.gate.clone())
            .with_retry(settings.retry.clone())
            .with_deadline(settings.deadline)
            .with_max_body(settings.max_body)
            .with_clock(Arc::clone(&settings.clock));
        builder = match &settings.auth {
            SapAuth::Bearer(source) => builder.with_credential(Arc::clone(source), [self.origin.clone()]),
            _ => builder.with_origins(settings.connection.clone(), [self.origin.clone()]),
        };
        Ok(Service {
            address: address.clone(),
            root: ServiceRoot::new(&settings.system.link_root(address))?,
            client: builder.build(),
        })
    }

    /// Sends a read: no token, the session's cookies.
    pub(super) async fn read(
        &self,
        service: &Service,
        operation: &'static str,
        request: Request<Bytes>,
    ) -> Result<Response> {
        let held = self.jar.held();
        self.send(service, Call::read(operation, request), Carry::Cookies(&held))
            .await
    }

    /// The same with another cap on the body, in bytes.
    pub(super) async fn read_up_to(
        &self,
        service: &Service,
        operation: &'static str,
        request: Request<Bytes>,
        most: u64,
    ) -> Result<Response> {
        let held = self.jar.held();
        let call = Call::read(operation, request).with_max_body(most);
        self.send(service, call, Carry::Cookies(&held)).await
    }

    /// Sends an effect, once. The one repeat after a refused token is no second effect: the first was not executed.
    pub(super) async fn write(
        &self,
        service: &Service,
        operation: &'static str,
        request: Request<Bytes>,
    ) -> Result<Response> {
        self.with_token(service, &Call::effect(operation, request)).await
    }

    async fn with_token(&self, service: &Service, call: &Call) -> Result<Response> {
        let mut held = self.token(service).await?;
        let first = self.send(service, call.clone(), Carry::Token(&held)).await;
        match first {
            Err(error) if is_token_refusal(&error) => {
                held = self.renew(service, held.fetched).await?;
                self.send(service, call.clone(), Carry::Token(&held)).await
            }
            other => other,
        }
    }

    /// The token with its cookies, fetched if nobody has yet.
    async fn token(&self, service: &Service) -> Result<Held> {
        let held = self.jar.held();
        match held.token {
            Token::Unknown => self.renew(service, held.fetched).await,
            _ => Ok(held),
        }
    }

    /// A token newer than the fetch of this number: whoever comes first fetches, the others take it.
    async fn renew(&self, service: &Service, seen: u64) -> Result<Held> {
        let _one = self.fetching.lock().await;
        let held = self.jar.held();
        if held.fetched != seen {
            return Ok(held);
        }
        let token = self.fetch(service).await?;
        self.jar.fetched(token);
        Ok(self.jar.held())
    }

    async fn fetch(&self, service: &Service) -> Result<Option<SecretString>> {
        const OPERATION: &str = "sap.token";
        if !self.head_refused.load(Ordering::Relaxed) {
            match self.ask(service, OPERATION, Method::HEAD).await {
                Ok(Some(token)) => return Ok(Some(token)),
                // HEAD gave none, or is not there at all: some gateways only let GET through.
                Ok(None) => {}
                Err(error) if head_is_not_there(&error) => {
                    self.head_refused.store(true, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
        self.ask(service, OPERATION, Method::GET).await
    }

    async fn ask(&self, service: &Service, operation: &'static str, method: Method) -> Result<Option<SecretString>> {
        let address = self.settings.system.root(&service.address);
        let request = Request::builder()
            .method(method)
            .uri(address)
            .header(TOKEN_HEADER, FETCH)
            .header(ACCEPT, "application/json")
            .body(Bytes::new());
        let request = request.map_err(|_| bad_request(operation))?;
        let held = self.jar.held();
        let answer = self
            .send(service, Call::read(operation, request), Carry::Cookies(&held))
            .await?;
        let token = answer.headers.get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
        let token = token.filter(|token| !token.is_empty() && !token.eq_ignore_ascii_case("required"));
        Ok(token.map(|token| token.to_owned().into()))
    }

    /// One call under the session: credential, language, client, cookies, token; and what its answer says of the logon.
    async fn send(&self, service: &Service, mut call: Call, carry: Carry<'_>) -> Result<Response> {
        let operation = call.operation;
        let headers = call.request.headers_mut();
        let (Carry::Cookies(held) | Carry::Token(held)) = carry;
        if let Some(cookies) = &held.cookies {
            headers.insert(COOKIE, cookies.clone());
        }
        if let (Carry::Token(_), Token::Given(token)) = (&carry, &held.token) {
            headers.insert(TOKEN_HEADER, sensitive(token)?);
        }
        if let Ok(language) = HeaderValue::from_str(self.settings.system.language()) {
            headers.insert(ACCEPT_LANGUAGE, language);
        }
        if let Some(client) = self.settings.system.client() {
            // As a header too: a next link is sent as it came, and must stay in the same client.
            if let Ok(client) = HeaderValue::from_str(client) {
                headers.insert(CLIENT_HEADER, client);
            }
        }

        // Until the credential has been taken once, one request at a time.
        let alone = match self.logged_on.load(Ordering::Acquire) || matches!(self.settings.auth, SapAuth::Bearer(_)) {
            true => None,
            false => Some(self.logon.lock().await),
        };
        if self.refused.load(Ordering::Acquire) {
            return Err(refused_before(operation));
        }
        let result = self.authenticated(service, call).await;
        match result.as_ref().map_err(|error| error.status()) {
            Err(Some(401)) if !self.settings.auth.renewable() => self.refused.store(true, Ordering::Release),
            // What answers for the system in its absence has not looked at the credential.
            Err(None | Some(401 | 407 | 429 | 500..=599)) => {}
            Ok(_) | Err(Some(_)) => self.logged_on.store(true, Ordering::Release),
        }
        drop(alone);
        result
    }

    async fn authenticated(&self, service: &Service, mut call: Call) -> Result<Response> {
        let SapAuth::Bearer(_) = &self.settings.auth else {
            self.settings.auth.apply(call.request.headers_mut()).await?;
            let result = deliver(service, call.clone().with_own_auth()).await;
            let SapAuth::Headers(source) = &self.settings.auth else {
                return result;
            };
            // A 401 was not executed, whatever it was: once more with fresh headers, and then it is over.
            return match result {
                Err(error) if error.status() == Some(401) => {
                    source.refused().await;
                    self.settings.auth.apply(call.request.headers_mut()).await?;
                    deliver(service, call.with_own_auth()).await
                }
                other => other,
            };
        };
        let again = (call.class == CallClass::Effect).then(|| call.clone());
        match (deliver(service, call).await, again) {
            // The pipeline has renewed the token; reads it has repeated by itself.
            (Err(error), Some(again)) if error.status() == Some(401) => deliver(service, again).await,
            (result, _) => result,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("system", &self.settings.system)
            .field("auth", &self.settings.auth)
            .field("jar", &self.jar)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Service").field(&self.address).finish()
    }
}

/// What of the session a request takes along.
enum Carry<'a> {
    Cookies(&'a Held),
    Token(&'a Held),
}

/// Sends, and takes a page of a logon for what it is.
async fn deliver(service: &Service, call: Call) -> Result<Response> {
    let operation = call.operation;
    let effect = match call.class {
        CallClass::Effect => Effect::Unknown,
        CallClass::Read => Effect::None,
    };
    let answer = service.client.send(call).await.map_err(as_logon_page)?;
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("html")) {
        return Err(logon_page(operation)
            .with_status(answer.status.as_u16())
            .with_provider_code(WEB_PAGE)
            .with_effect(effect));
    }
    Ok(answer)
}

/// A redirect leads to a logon page: no service redirects.
fn as_logon_page(error: Error) -> Error {
    if *error.kind() != ErrorKind::EgressDenied(EgressRule::Redirect) {
        return error;
    }
    let mut page = logon_page(error.operation())
        .with_class(error.class())
        .with_provider_code("redirect")
        .with_effect(error.effect());
    if let Some(status) = error.status() {
        page = page.with_status(status);
    }
    page.with_source(error)
}

fn logon_page(operation: &'static str) -> Error {
    let kind = OAuthError::InvalidGrant {
        cause: GrantEnd::InteractionRequired,
    };
    Error::new(kind, operation)
        .with_provider(crate::sap::provider())
        .with_context(
            "answer",
            "a web page, probably of a logon: check address and kind of sign-in",
        )
}

fn refused_before(operation: &'static str) -> Error {
    let kind = OAuthError::InvalidGrant {
        cause: GrantEnd::RevokedOrExpired,
    };
    Error::new(kind, operation)
        .with_provider(crate::sap::provider())
        .with_context(
            "sent",
            "no: the credential was refused before, and repeated tries lock the user",
        )
}

fn is_token_refusal(error: &Error) -> bool {
    error
        .provider_code()
        .is_some_and(|code| code.as_str() == TOKEN_REQUIRED)
}

/// What a server without HEAD answers to it. A refusal of the credential is none of these.
fn head_is_not_there(error: &Error) -> bool {
    matches!(error.status(), Some(400 | 403 | 404 | 405 | 406 | 501))
}

pub(super) fn bad_request(operation: &'static str) -> Error {
    let kind = ErrorKind::Invalid {
        what: "request",
        why: "it cannot be written as HTTP",
    };
    Error::new(kind, operation)
}
