//! From a provider's error answer to our kinds: a pure table per provider.

use std::fmt;

use http::{HeaderMap, StatusCode};

use crate::clock::Timestamp;
use crate::error::Error;

/// An answer with an error status, as the provider's table sees it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// The call's stable name: a 404 means one thing on history and another on a message.
    pub operation: &'static str,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body as far as it came and was within the cap. Never put any of it into an error.
    pub body: &'a [u8],
    /// The present moment, for times relative to it.
    pub now: Timestamp,
}

impl<'a> Failure<'a> {
    /// A failure from its parts.
    pub fn new(
        operation: &'static str,
        status: StatusCode,
        headers: &'a HeaderMap,
        body: &'a [u8],
        now: Timestamp,
    ) -> Self {
        Self {
            operation,
            status,
            headers,
            body,
            now,
        }
    }
}

impl fmt::Debug for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("operation", &self.operation)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// A provider's table from error answers to [`Error`].
///
/// ```
/// use atlas_connectors::http::{Classify, Failure};
/// use atlas_connectors::{Error, ErrorKind};
///
/// #[derive(Debug)]
/// struct Table;
///
/// impl Classify for Table {
///     fn classify(&self, failure: &Failure<'_>) -> Error {
///         let kind = match failure.status.as_u16() {
///             404 => ErrorKind::NotFound { object: "message" },
///             _ => ErrorKind::Transient,
///         };
///         Error::new(kind, failure.operation).with_status(failure.status.as_u16())
///     }
/// }
/// ```
pub trait Classify: fmt::Debug + Send + Sync + 'static {
    /// The error for this answer. Pure; decides by status and the provider's codes together, never by free text alone.
    fn classify(&self, failure: &Failure<'_>) -> Error;

    /// Whether this answer proves that nothing happened although its status (5xx, 408) alone would leave that open: the
    /// application itself says that it has rolled back. Without such a word an effect ends as
    /// [`Effect::Unknown`](crate::error::Effect::Unknown).
    fn proves_refusal(&self, failure: &Failure<'_>) -> bool {
        let _ = failure;
        false
    }
}
