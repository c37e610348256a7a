//! A batch to be sent, and the reading of its answer.

use atlas_connectors::error::BadPayload;
use atlas_connectors::{Error, Result};
use bytes::Bytes;

use crate::odata::Version;
use crate::odata::batch::{BatchPart, PartResult, json, multipart, sort, write};

/// Requests to be sent together, in order.
#[derive(Clone, Debug, Default)]
pub struct BatchPlan {
    pub(super) items: Vec<BatchItem>,
}

/// One request, or several that happen together or not at all.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BatchItem {
    /// A request of its own.
    Single(BatchPart),
    /// A change set (multipart) or atomicity group (JSON). No reads.
    Set(Vec<BatchPart>),
}

impl BatchItem {
    pub(super) fn parts(&self) -> &[BatchPart] {
        match self {
            Self::Single(part) => std::slice::from_ref(part),
            Self::Set(parts) => parts,
        }
    }
}

/// A batch as it is sent: `POST {root}$batch`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchBody {
    /// For the `Content-Type` header.
    pub content_type: String,
    /// For the `Accept` header.
    pub accept: &'static str,
    /// The body.
    pub body: Bytes,
}

impl BatchPlan {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a request.
    #[must_use]
    pub fn with(mut self, part: BatchPart) -> Self {
        self.items.push(BatchItem::Single(part));
        self
    }

    /// Adds requests that happen together or not at all. An empty set adds nothing.
    #[must_use]
    pub fn with_set(mut self, parts: Vec<BatchPart>) -> Self {
        if !parts.is_empty() {
            self.items.push(BatchItem::Set(parts));
        }
        self
    }

    /// The number of parts, which is what servers limit.
    pub fn parts(&self) -> usize {
        self.items.iter().map(|item| item.parts().len()).sum()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// As multipart. In V2 a change outside a set is written as a set of one, which the protocol wants.
    pub fn multipart(&self, version: Version) -> BatchBody {
        write::multipart(self, version)
    }

    /// As JSON (V4). The ids are the parts' numbers.
    ///
    /// # Errors
    /// [`atlas_connectors::ErrorKind::Invalid`] for a body that is not JSON.
    pub fn json(&self) -> Result<BatchBody> {
        write::json(self)
    }

    /// What became of each part, by the body of an answer with a 2xx status; as many results as parts, in their order.
    ///
    /// # Errors
    /// [`BadPayload`]: neither multipart nor JSON, unreadable, or answers to what was not asked. The parts' fate is then
    /// unknown.
    pub fn read(&self, content_type: &str, body: &Bytes) -> Result<Vec<PartResult>> {
        self.answers(content_type, body, false)
    }

    /// The same for a batch that was one transaction from end to end (Business Central's `Isolation: snapshot`): any inner
    /// status of 400 and more voids all of it (`business-central.md`, section 5).
    ///
    /// # Errors
    /// As [`BatchPlan::read`].
    pub fn read_as_one(&self, content_type: &str, body: &Bytes) -> Result<Vec<PartResult>> {
        self.answers(content_type, body, true)
    }

    fn answers(&self, content_type: &str, body: &Bytes, as_one: bool) -> Result<Vec<PartResult>> {
        let kind = content_type.trim().to_ascii_lowercase();
        let read = if kind.starts_with("multipart/") {
            multipart::boundary(content_type)
                .ok_or(BadPayload::Type)
                .and_then(|boundary| multipart::read(&boundary, body))
                .and_then(|answers| sort::multipart(self, answers))
        } else if kind.contains("json") {
            json::read(body).and_then(|answers| sort::json(self, answers))
        } else {
            Err(BadPayload::Type)
        };
        let results = read.map_err(|fault| Error::new(fault, "odata.batch").with_context("bytes", body.len()))?;
        Ok(if as_one { sort::as_one(results) } else { results })
    }
}
