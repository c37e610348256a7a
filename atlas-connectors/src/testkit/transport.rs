//! Transports without a network: answers from a script, answers by route, and faults on purpose.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};

use crate::clock::Clock;
use crate::error::{BadPayload, Effect, Error, ErrorKind, Result, Unreachable};
use crate::http::{ByteStream, HttpTransport, collect};

/// A request as a test transport received it. `Debug` shows method, host and path, never headers, query or body.
#[derive(Clone)]
#[non_exhaustive]
pub struct SentRequest {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub uri: Uri,
    /// All headers, credentials included.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl SentRequest {
    fn of(request: &Request<Bytes>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            body: request.body().clone(),
        }
    }

    /// The bearer token that was sent, if there was one.
    pub fn bearer(&self) -> Option<&str> {
        let value = self.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
        value.strip_prefix("Bearer ")
    }
}

impl fmt::Debug for SentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentRequest")
            .field("method", &self.method)
            .field("host", &self.uri.host())
            .field("path", &self.uri.path())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is refused: the request never leaves.
    BeforeSend,
    /// The request arrives, and the connection is lost before the answer.
    AfterSend,
    /// The answer's body is cut after this many bytes.
    MidBody(usize),
    /// The answer comes only after this time on the transport's clock.
    Slow(Duration),
    /// The request arrives, and this status is all that comes back.
    Status(u16),
    /// The request arrives, and nothing ever comes back.
    Hang,
}

enum Step {
    Answer(Response<Bytes>),
    Fault(Fault),
    Error(Error),
}

/// Gives its answers in the order in which they were put in, and keeps every request. Clones share both.
///
/// A request for which no answer is left fails with [`ErrorKind::Invalid`], so that a test cannot pass by accident.
///
/// ```
/// use atlas_connectors::http::HttpTransport as _;
/// use atlas_connectors::testkit::{Fault, ScriptedTransport};
/// use bytes::Bytes;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let transport = ScriptedTransport::new()
///     .with_fault(Fault::BeforeSend)
///     .with_json(200, r#"{"ok":true}"#);
///
/// let get = || http::Request::get("https://api.example.com/x").body(Bytes::new()).unwrap();
/// assert_eq!(transport.send(get()).await.unwrap_err().code(), "unreachable.connect");
/// assert_eq!(transport.send(get()).await.unwrap().status(), 200);
/// assert_eq!(transport.requests().len(), 1); // the refused one never left
/// # });
/// ```
#[derive(Clone, Default)]
pub struct ScriptedTransport(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
    requests: Vec<SentRequest>,
}

impl ScriptedTransport {
    /// A transport with an empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts an answer at the end of the script.
    #[must_use]
    pub fn with_answer(self, answer: Response<Bytes>) -> Self {
        self.push(Step::Answer(answer))
    }

    /// Puts an answer with this status and no body at the end of the script.
    ///
    /// # Panics
    /// If the status is not between 100 and 999.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        self.with_answer(plain(status, Bytes::new()))
    }

    /// Puts an answer with this status and JSON text at the end of the script.
    ///
    /// # Panics
    /// If the status is not between 100 and 999.
    #[must_use]
    pub fn with_json(self, status: u16, json: impl Into<Bytes>) -> Self {
        let mut answer = plain(status, json.into());
        answer.headers_mut().insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        self.with_answer(answer)
    }

    /// Puts a fault at the end of the script. [`Fault::MidBody`] gives an empty 200 cut at once, [`Fault::Slow`] is
    /// for [`FaultTransport`], which has a clock: here both that and [`Fault::Hang`] never answer.
    #[must_use]
    pub fn with_fault(self, fault: Fault) -> Self {
        self.push(Step::Fault(fault))
    }

    /// Puts an error at the end of the script, as a transport would report it.
    #[must_use]
    pub fn with_error(self, error: Error) -> Self {
        self.push(Step::Error(error))
    }

    /// Every request that left, in order.
    pub fn requests(&self) -> Vec<SentRequest> {
        self.script().requests.clone()
    }

    /// How many steps of the script have not been used.
    pub fn remaining(&self) -> usize {
        self.script().steps.len()
    }

    fn push(self, step: Step) -> Self {
        self.script().steps.push_back(step);
        self
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl HttpTransport for ScriptedTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        collect(self.send_streaming(request).await?, usize::MAX).await
    }

    async fn send_streaming(&self, request: Request<Bytes>) -> Result<Response<ByteStream>> {
        let step = {
            let mut script = self.script();
            let step = script
                .steps
                .pop_front()
                .unwrap_or_else(|| Step::Error(no_answer_left()));
            let left = match &step {
                Step::Fault(fault) => *fault != Fault::BeforeSend,
                Step::Answer(_) => true,
                Step::Error(error) => error.effect() != Effect::None,
            };
            if left {
                script.requests.push(SentRequest::of(&request));
            }
            step
        };
        match step {
            Step::Answer(answer) => Ok(answer.map(ByteStream::once)),
            Step::Error(error) => Err(error),
            Step::Fault(fault) => match fault {
                Fault::BeforeSend => Err(refused()),
                Fault::AfterSend => Err(lost()),
                Fault::MidBody(_) => Ok(cut(plain(200, Bytes::new()), 0)),
                Fault::Status(status) => Ok(plain(status, Bytes::new()).map(ByteStream::once)),
                Fault::Slow(_) | Fault::Hang => std::future::pending().await,
            },
        }
    }
}

impl fmt::Debug for ScriptedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        f.debug_struct("ScriptedTransport")
            .field("remaining", &script.steps.len())
            .field("requests", &script.requests)
            .finish()
    }
}

/// Answers by method and path (with query, where the route has one), as often as it is asked: a recording played back.
///
/// An unknown route fails with [`ErrorKind::Invalid`]. Clones share the requests.
#[derive(Clone, Default)]
pub struct ReplayTransport {
    routes: HashMap<(Method, String), Response<Bytes>>,
    requests: Arc<Mutex<Vec<SentRequest>>>,
}

impl ReplayTransport {
    /// A transport that knows no route.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route: `/gmail/v1/users/me/profile`, or with its query to tell it from the same path without.
    #[must_use]
    pub fn with_route(mut self, method: Method, path_and_query: &str, answer: Response<Bytes>) -> Self {
        self.routes.insert((method, path_and_query.to_owned()), answer);
        self
    }

    /// Every request that came, in order.
    pub fn requests(&self) -> Vec<SentRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl HttpTransport for ReplayTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        collect(self.send_streaming(request).await?, usize::MAX).await
    }

    async fn send_streaming(&self, request: Request<Bytes>) -> Result<Response<ByteStream>> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(SentRequest::of(&request));
        let method = request.method();
        let whole = request
            .uri()
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let route = |path: &str| self.routes.get(&(method.clone(), path.to_owned()));
        let answer = route(whole).or_else(|| route(request.uri().path()));
        match answer {
            Some(answer) => Ok(answer.clone().map(ByteStream::once)),
            None => Err(no_answer_left()),
        }
    }
}

impl fmt::Debug for ReplayTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayTransport")
            .field("routes", &self.routes.len())
            .finish_non_exhaustive()
    }
}

/// Puts faults in front of another transport. Each request takes the next entry of the plan; past its end all is well.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::SystemClock;
/// use atlas_connectors::http::HttpTransport as _;
/// use atlas_connectors::testkit::{Fault, FaultTransport, ScriptedTransport};
/// use bytes::Bytes;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let provider = ScriptedTransport::new().with_status(200);
/// let transport = FaultTransport::new(Arc::new(provider.clone()), Arc::new(SystemClock))
///     .with_plan([Some(Fault::AfterSend)]);
///
/// let request = http::Request::post("https://api.example.com/send").body(Bytes::new()).unwrap();
/// let error = transport.send(request).await.unwrap_err();
/// // The provider took it; only the answer was lost.
/// assert_eq!(provider.requests().len(), 1);
/// assert_eq!(error.effect(), atlas_connectors::error::Effect::Unknown);
/// # });
/// ```
#[derive(Debug)]
pub struct FaultTransport {
    inner: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    plan: Mutex<VecDeque<Option<Fault>>>,
}

impl FaultTransport {
    /// A transport that passes everything on to `inner`.
    pub fn new(inner: Arc<dyn HttpTransport>, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner,
            clock,
            plan: Mutex::new(VecDeque::new()),
        }
    }

    /// Appends to the plan, one entry for each request: a fault, or `None` to let it pass.
    #[must_use]
    pub fn with_plan(self, plan: impl IntoIterator<Item = Option<Fault>>) -> Self {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).extend(plan);
        self
    }
}

#[async_trait]
impl HttpTransport for FaultTransport {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        collect(self.send_streaming(request).await?, usize::MAX).await
    }

    async fn send_streaming(&self, request: Request<Bytes>) -> Result<Response<ByteStream>> {
        let fault = self
            .plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
            .flatten();
        match fault {
            None => self.inner.send_streaming(request).await,
            Some(Fault::BeforeSend) => Err(refused()),
            Some(Fault::AfterSend) => {
                self.inner.send_streaming(request).await?;
                Err(lost())
            }
            Some(Fault::MidBody(bytes)) => {
                let (parts, body) = self.inner.send_streaming(request).await?.into_parts();
                let body = body.collect(usize::MAX).await?;
                Ok(cut(Response::from_parts(parts, Bytes::from(body)), bytes))
            }
            Some(Fault::Slow(delay)) => {
                let answer = self.inner.send_streaming(request).await?;
                self.clock.sleep(delay).await;
                Ok(answer)
            }
            Some(Fault::Status(status)) => {
                self.inner.send_streaming(request).await?;
                Ok(plain(status, Bytes::new()).map(ByteStream::once))
            }
            Some(Fault::Hang) => {
                self.inner.send_streaming(request).await?;
                std::future::pending().await
            }
        }
    }
}

#[allow(clippy::panic, reason = "a test that scripts an impossible status is wrong itself")]
fn plain(status: u16, body: Bytes) -> Response<Bytes> {
    let mut answer = Response::new(body);
    match StatusCode::from_u16(status) {
        Ok(status) => *answer.status_mut() = status,
        Err(_) => panic!("{status} is not an HTTP status"),
    }
    answer
}

/// The answer with its body cut after `bytes`.
fn cut(answer: Response<Bytes>, bytes: usize) -> Response<ByteStream> {
    answer.map(|body| {
        let kept = body.slice(..bytes.min(body.len()));
        ByteStream::new(futures_util::stream::iter([
            Ok(kept),
            Err(Error::new(BadPayload::Truncated, "http.body")),
        ]))
    })
}

fn refused() -> Error {
    Error::new(Unreachable::Connect, "http.send")
}

fn lost() -> Error {
    Error::new(ErrorKind::Transient, "http.send").with_effect(Effect::Unknown)
}

fn no_answer_left() -> Error {
    Error::new(
        ErrorKind::Invalid {
            what: "test script",
            why: "no answer for this request",
        },
        "http.send",
    )
}
