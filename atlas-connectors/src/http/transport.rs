//! The seam to the network: sends one request, once.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

/// Sends one request and gives the whole answer, whatever its status.
///
/// An implementation follows no redirect, repeats nothing, takes no proxy from the environment and reads at most a
/// bounded body. A status is never an error here; only the lack of a complete answer is.
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
    /// Sends the request once.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unreachable`], [`crate::ErrorKind::TlsRejected`], [`crate::ErrorKind::EgressDenied`],
    /// [`crate::ErrorKind::DeadlineExceeded`], [`crate::ErrorKind::BadPayload`] for a body that is cut or too large. The effect of the
    /// error ([`crate::Error::effect`]) is `Unknown` once the request may have left.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>>;
}
