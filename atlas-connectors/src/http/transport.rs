//! The seam to the network: sends one request, once.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

use crate::error::Result;
use crate::http::ByteStream;

/// Sends one request and gives the answer, whatever its status.
///
/// An implementation follows no redirect, repeats nothing, takes no proxy from the environment, decompresses, and
/// reads at most a bounded body. A status is never an error here; only the lack of a complete answer is.
///
/// ```
/// use atlas_connectors::Result;
/// use atlas_connectors::http::HttpTransport;
/// use bytes::Bytes;
///
/// /// Answers every request in the same way, as a test would.
/// #[derive(Debug)]
/// struct Always(&'static str);
///
/// #[async_trait::async_trait]
/// impl HttpTransport for Always {
///     async fn send(&self, _request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
///         Ok(http::Response::new(Bytes::from_static(self.0.as_bytes())))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let transport = Always("{}");
/// let answer = transport.send(http::Request::new(Bytes::new())).await?;
/// assert_eq!(answer.status(), 200);
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait HttpTransport: fmt::Debug + Send + Sync + 'static {
    /// Sends the request once and gives the whole answer.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unreachable`], [`crate::ErrorKind::TlsRejected`] and [`crate::ErrorKind::EgressDenied`] with
    /// [`crate::error::Effect::None`] if the request never left. Once it may have left, the effect is `Unknown`:
    /// [`crate::ErrorKind::Transient`] for a lost connection, `Unreachable(Timeout)` for silence,
    /// [`crate::ErrorKind::BadPayload`] for a body that is cut or too large.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>>;

    /// Sends the request once and gives the answer as soon as its headers are there; the body follows as it arrives.
    ///
    /// Unless overridden, this waits for the whole answer: right for every transport, and enough for small bodies.
    ///
    /// # Errors
    /// As [`HttpTransport::send`]; what goes wrong with the body is told by the stream.
    async fn send_streaming(&self, request: Request<Bytes>) -> Result<Response<ByteStream>> {
        Ok(self.send(request).await?.map(ByteStream::once))
    }
}

/// Waits for the whole body of a streamed answer, at most `limit` bytes.
///
/// # Errors
/// [`crate::ErrorKind::BadPayload`] for a body that is cut or too large, and whatever else ends the stream.
#[cfg(any(test, feature = "testkit", feature = "reqwest"))]
pub(crate) async fn collect(answer: Response<ByteStream>, limit: usize) -> Result<Response<Bytes>> {
    use crate::error::Effect;

    let (parts, body) = answer.into_parts();
    let body = body.gather(limit).await.map_err(|error| match error.effect() {
        // The answer had begun, so the request had left.
        Effect::None => error.with_effect(Effect::Unknown),
        _ => error,
    })?;
    Ok(Response::from_parts(parts, body))
}
