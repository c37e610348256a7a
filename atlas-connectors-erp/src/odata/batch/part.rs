//! One request of a batch, and what became of it.

use std::fmt;

use atlas_connectors::{Error, ErrorKind, Result};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

/// One request of a batch.
#[derive(Clone)]
pub struct BatchPart {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl BatchPart {
    /// A request without body. The path is relative to the service root and already encoded: `A_SalesOrder('1')`. `$2/to_Item`
    /// means what part 2 makes; parts are counted from 1 over the whole batch.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a path that is empty or not encoded.
    pub fn new(method: Method, path: impl Into<String>) -> Result<Self> {
        let path = path.into();
        if path.is_empty() || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            let invalid = ErrorKind::Invalid {
                what: "path",
                why: "it is empty or not encoded",
            };
            return Err(Error::new(invalid, "odata.batch"));
        }
        Ok(Self {
            method,
            path,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        })
    }

    /// Adds a header, such as `If-Match`.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Adds a JSON body.
    #[must_use]
    pub fn with_json(mut self, body: impl Into<Bytes>) -> Self {
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = body.into();
        self
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The numbers of the parts it refers to.
    pub(super) fn references(&self) -> Option<usize> {
        let rest = self.path.strip_prefix('$')?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    }
}

impl fmt::Debug for BatchPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys and filters are in the path.
        write!(f, "BatchPart({}, {} bytes)", self.method, self.body.len())
    }
}

/// The answer to one part.
#[derive(Clone)]
#[non_exhaustive]
pub struct PartResponse {
    /// Its own status.
    pub status: StatusCode,
    /// Its own headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl fmt::Debug for PartResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartResponse({}, {} bytes)", self.status.as_u16(), self.body.len())
    }
}

/// What became of one part.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PartResult {
    /// Done.
    Done(PartResponse),
    /// Refused, by this answer.
    Rejected(PartResponse),
    /// The set it belongs to was refused as a whole, and the answer does not say because of which part.
    SetRejected(PartResponse),
    /// It would have been done, but another part of its set was refused: nothing of the set remains, even where an answer
    /// with 201 and a key came for this part.
    RolledBack,
    /// It was not tried: the server stopped before it.
    NotExecuted,
    /// The answer ended before it came to this part, or contradicts itself.
    Unknown,
}

impl PartResult {
    /// The answer, where there is one that counts.
    pub fn response(&self) -> Option<&PartResponse> {
        match self {
            Self::Done(response) | Self::Rejected(response) | Self::SetRejected(response) => Some(response),
            Self::RolledBack | Self::NotExecuted | Self::Unknown => None,
        }
    }

    /// Whether it was done.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}
