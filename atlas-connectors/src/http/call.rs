//! One call as a connector describes it, and its answer. No I/O here.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::error::OperationClass;
use crate::oauth::{Scope, ScopeSet};

/// One request with everything the pipeline must know about it. Built by pure functions, sent by [`crate::http::Client`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Call {
    /// Stable name, also the span's: `gmail.messages.get`.
    pub operation: &'static str,
    /// Whether it may be repeated.
    pub class: CallClass,
    /// What kind of work it is, for errors and for pauses that concern sending only.
    pub work: OperationClass,
    /// The request, without its authorization header.
    pub request: http::Request<Bytes>,
    /// Which credential it carries.
    pub auth: Auth,
    /// Price in the provider's quota units; 0 where nothing is counted.
    pub cost: u32,
    /// Scopes of which at least one must be granted; empty where none is needed.
    pub any_scope: ScopeSet,
    /// The scope to name as missing when none of `any_scope` is granted; `None` names them all. Set it to the narrowest.
    pub scope_to_ask: Option<Scope>,
    /// Overall time for all tries; `None` takes the client's setting.
    pub deadline: Option<Duration>,
    /// Cap on the decompressed body in bytes; `None` takes the client's setting.
    pub max_body: Option<u64>,
}

impl Call {
    /// A read with the connection's bearer token.
    pub fn read(operation: &'static str, request: http::Request<Bytes>) -> Self {
        Self::new(operation, CallClass::Read, OperationClass::Read, request)
    }

    /// An effect with the connection's bearer token: sent at most once by the pipeline, whatever happens.
    pub fn effect(operation: &'static str, request: http::Request<Bytes>) -> Self {
        Self::new(operation, CallClass::Effect, OperationClass::Write, request)
    }

    /// An effect that sends mail: as [`Call::effect`], and it also keeps the account's pause of sending.
    pub fn sending(operation: &'static str, request: http::Request<Bytes>) -> Self {
        Self::new(operation, CallClass::Effect, OperationClass::Send, request)
    }

    fn new(operation: &'static str, class: CallClass, work: OperationClass, request: http::Request<Bytes>) -> Self {
        Self {
            operation,
            class,
            work,
            request,
            auth: Auth::Bearer,
            cost: 0,
            any_scope: ScopeSet::new(),
            scope_to_ask: None,
            deadline: None,
            max_body: None,
        }
    }

    /// Sets the price in quota units.
    #[must_use]
    pub fn with_cost(mut self, units: u32) -> Self {
        self.cost = units;
        self
    }

    /// Sets the scopes of which one must be granted.
    #[must_use]
    pub fn with_any_scope(mut self, scopes: ScopeSet) -> Self {
        self.any_scope = scopes;
        self
    }

    /// Sets the scope to name as missing when none of them is granted.
    #[must_use]
    pub fn with_scope_to_ask(mut self, scope: Scope) -> Self {
        self.scope_to_ask = Some(scope);
        self
    }

    /// Sends no credential.
    #[must_use]
    pub fn without_auth(mut self) -> Self {
        self.auth = Auth::None;
        self
    }

    /// Says that the request holds its credential already: no token is added, and it stays within the credential's origins.
    #[must_use]
    pub fn with_own_auth(mut self) -> Self {
        self.auth = Auth::InRequest;
        self
    }

    /// Sets the overall time for all tries.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Caps the decompressed body, in bytes.
    #[must_use]
    pub fn with_max_body(mut self, bytes: u64) -> Self {
        self.max_body = Some(bytes);
        self
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.operation)
            .field("class", &self.class)
            .field("method", self.request.method())
            .field("host", &self.request.uri().host())
            .field("body_bytes", &self.request.body().len())
            .finish_non_exhaustive()
    }
}

/// Whether a call may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallClass {
    /// Changes nothing; retried with jitter under the deadline.
    Read,
    /// May change something; one request leaves, and an unclear end is [`crate::error::Effect::Unknown`].
    Effect,
}

/// Which credential a call carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// The connection's access token as bearer.
    Bearer,
    /// None.
    None,
    /// The request holds it already, in a header or in its body, as user name and password or a key do. It goes to the
    /// credential's origins and nowhere else, like a token.
    InRequest,
}

/// A complete answer with a success status.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The decompressed body, within the cap.
    pub body: Bytes,
}

impl Response {
    /// An answer from its parts.
    pub fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { status, headers, body }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
