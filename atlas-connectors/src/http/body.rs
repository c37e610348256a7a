//! The body of an answer on its way to the caller: capped, timed, and never silent about how it ended.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;

use crate::clock::Clock;
use crate::error::{BadPayload, Error, ErrorKind, Result};
use crate::http::ByteStream;
use crate::http::governor::Permit;

/// A body with its caps. Holds the permit of its call until it ends or is dropped.
pub(super) struct GuardedBody<F> {
    inner: ByteStream,
    /// Bytes that may still come.
    room: u64,
    clock: Arc<dyn Clock>,
    /// Time that may still be spent waiting for the provider. The caller's own time does not count.
    patience: Duration,
    wait: Option<Wait>,
    /// Gives each error its operation, class and effect.
    settle: F,
    permit: Option<Permit>,
}

struct Wait {
    since: Duration,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<F> GuardedBody<F>
where
    F: Fn(Error) -> Error + Send + Unpin + 'static,
{
    pub(super) fn new(
        inner: ByteStream,
        cap: u64,
        clock: Arc<dyn Clock>,
        patience: Duration,
        permit: Permit,
        settle: F,
    ) -> Self {
        Self {
            inner,
            room: cap,
            clock,
            patience,
            wait: None,
            settle,
            permit: Some(permit),
        }
    }

    fn fail(&mut self, kind: impl Into<ErrorKind>) -> Poll<Option<Result<Bytes>>> {
        self.end();
        Poll::Ready(Some(Err((self.settle)(Error::new(kind, "http.body")))))
    }

    /// Nothing more will come: the next call may go.
    fn end(&mut self) {
        self.permit = None;
        self.inner = ByteStream::new(futures_util::stream::empty());
    }

    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let wait = self.wait.get_or_insert_with(|| Wait {
            since: self.clock.monotonic(),
            over: self.clock.sleep(self.patience),
        });
        match wait.over.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => self.fail(ErrorKind::DeadlineExceeded),
        }
    }
}

impl<F> Stream for GuardedBody<F>
where
    F: Fn(Error) -> Error + Send + Unpin + 'static,
{
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.get_mut();
        let Poll::Ready(next) = Pin::new(&mut body.inner).poll_next(context) else {
            return body.poll_waiting(context);
        };
        if let Some(wait) = body.wait.take() {
            let waited = body.clock.monotonic().saturating_sub(wait.since);
            body.patience = body.patience.saturating_sub(waited);
        }
        match next {
            None => {
                body.end();
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                body.end();
                Poll::Ready(Some(Err((body.settle)(error))))
            }
            Some(Ok(chunk)) => match body.room.checked_sub(chunk.len() as u64) {
                Some(room) => {
                    body.room = room;
                    Poll::Ready(Some(Ok(chunk)))
                }
                None => body.fail(BadPayload::TooLarge),
            },
        }
    }
}
