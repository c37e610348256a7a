//! What a grant tells the connection it belongs to.

use std::fmt;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::connection::ConnectionRef;
use crate::error::OAuthError;

/// Hears of the life of a grant, so that the status of its connection can follow.
///
/// ```
/// use atlas_connectors::credential::GrantEvents;
/// use atlas_connectors::{ConnectionRef, OAuthError, Timestamp};
///
/// /// Counts what an operator has to look at.
/// #[derive(Debug, Default)]
/// struct Alarm(std::sync::atomic::AtomicUsize);
///
/// #[async_trait::async_trait]
/// impl GrantEvents for Alarm {
///     async fn renewed(&self, _connection: &ConnectionRef, _at: Timestamp) {}
///     async fn ended(&self, _connection: &ConnectionRef, _why: &OAuthError) {
///         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///     }
/// }
/// ```
#[async_trait]
pub trait GrantEvents: fmt::Debug + Send + Sync + 'static {
    /// The provider gave a new token and it is stored: proof that the grant was alive at this moment.
    async fn renewed(&self, connection: &ConnectionRef, at: Timestamp);

    /// The provider said that the grant is over; the connection is revoked until a person signs in again. Each
    /// [`RefreshingToken`](super::RefreshingToken) says it once, when it learns of it, so that a process that dies right
    /// after the provider's answer loses nothing: take a repetition as the same event.
    async fn ended(&self, connection: &ConnectionRef, why: &OAuthError);
}
