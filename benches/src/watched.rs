//! A transport that tells how many requests were under way, and how long an answer took.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use atlas_connectors::Result;
use atlas_connectors::http::{ByteStream, HttpTransport};
use bytes::Bytes;
use http::{Request, Response};

use crate::world;

/// Passes everything on.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Arc<dyn HttpTransport>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    answers: u32,
    /// Time of all requests together, each until the head of its answer.
    waited: Duration,
    first: Option<Duration>,
    last: Duration,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn HttpTransport>) -> Self {
        Self {
            inner,
            seen: Mutex::default(),
        }
    }

    /// Requests under way on average from the first to the last, and how long an answer took on average.
    pub(crate) fn averages(&self) -> (f64, Duration) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let span = seen.last.saturating_sub(seen.first.unwrap_or_default());
        (
            seen.waited.as_secs_f64() / span.as_secs_f64(),
            seen.waited / seen.answers.max(1),
        )
    }
}

#[async_trait]
impl HttpTransport for Watched {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.inner.send(request).await
    }

    async fn send_streaming(&self, request: Request<Bytes>) -> Result<Response<ByteStream>> {
        let start = world::now();
        let answer = self.inner.send_streaming(request).await;
        let end = world::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.answers += 1;
        seen.waited += end.saturating_sub(start);
        seen.first.get_or_insert(start);
        seen.last = end;
        answer
    }
}
