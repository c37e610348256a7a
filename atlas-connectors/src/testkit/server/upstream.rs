//! The HTTP servers behind the proxy, one at a time.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

use super::{Answer, Request};

/// What answers.
pub(super) type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// One HTTP server behind the proxy.
#[derive(Debug)]
pub(super) struct Target(MockServer);

impl Target {
    pub(super) fn address(&self) -> SocketAddr {
        *self.0.address()
    }
}

/// What wiremock calls for every request.
struct Responder(Arc<Handler>);

impl Respond for Responder {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        (self.0)(&Request::of(request)).template()
    }
}

/// The HTTP servers behind the proxy, one at a time. wiremock keeps a copy of every request a mounted mock has
/// matched and offers no way to forget them but a fresh server; so one takes over after a few thousand answers.
pub(super) struct Upstream {
    handler: Arc<Handler>,
    current: tokio::sync::Mutex<Arc<Target>>,
    answered: AtomicU64,
}

const ANSWERS_PER_SERVER: u64 = 2_000;

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("answered", &self.answered)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    pub(super) async fn start(handler: Arc<Handler>) -> Self {
        let first = Self::serve(&handler).await;
        Self {
            handler,
            current: tokio::sync::Mutex::new(first),
            answered: AtomicU64::new(0),
        }
    }

    async fn serve(handler: &Arc<Handler>) -> Arc<Target> {
        let server = MockServer::builder().disable_request_recording().start().await;
        Mock::given(wiremock::matchers::any())
            .respond_with(Responder(Arc::clone(handler)))
            .mount(&server)
            .await;
        Arc::new(Target(server))
    }

    /// The server that takes new requests.
    pub(super) async fn current(&self) -> Arc<Target> {
        let mut current = self.current.lock().await;
        if self.answered.load(Ordering::Relaxed) >= ANSWERS_PER_SERVER {
            self.answered.store(0, Ordering::Relaxed);
            *current = Self::serve(&self.handler).await;
        }
        Arc::clone(&current)
    }

    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }
}
