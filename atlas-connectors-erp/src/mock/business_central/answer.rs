//! Answers in Business Central's dialect.

use atlas_connectors::testkit::server::Answer;
use serde_json::json;

/// The content type of every JSON answer.
pub(super) const JSON: &str = "application/json; odata.metadata=minimal; odata.streaming=true";

/// An error as the service words it. The text comes back with a correlation id behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The status.
    pub status: u16,
    /// The code.
    pub code: &'static str,
    /// The text, without correlation id.
    pub text: String,
}

impl ApiError {
    /// An error of this status, code and text.
    pub fn new(status: u16, code: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            code,
            text: text.into(),
        }
    }

    /// The token is none, or over.
    pub fn unauthenticated() -> Self {
        Self::new(
            401,
            "Authentication_InvalidCredentials",
            "The server has rejected the client credentials.",
        )
    }

    /// The token is good, and its user is not set up here.
    pub fn unauthorized() -> Self {
        Self::new(
            401,
            "Authentication_InvalidCredentials",
            "Web service call failed because user could not be authenticated or authorized.",
        )
    }

    /// A right is missing: table number and name, right (`Read`, `Insert`, `Modify`, `Delete`).
    pub fn forbidden(number: u32, table: &str, right: &str) -> Self {
        Self::new(
            403,
            "Internal_ServerError",
            format!(
                "Sorry, the current permissions prevented the action. (TableData {number} {table} {right}: Base Application)"
            ),
        )
    }

    /// The address leads nowhere.
    pub fn no_segment(segment: &str) -> Self {
        Self::new(
            404,
            "BadRequest_ResourceNotFound",
            format!("Resource not found for the segment '{segment}'."),
        )
    }

    /// The record is gone.
    pub fn no_record() -> Self {
        Self::new(404, "Internal_RecordNotFound", "The record does not exist.")
    }

    /// The etag is an old one.
    pub fn changed() -> Self {
        Self::new(
            409,
            "Request_EntityChanged",
            "Another user has already changed the record.",
        )
    }

    /// A business rule refused.
    pub fn dialog(text: impl Into<String>) -> Self {
        Self::new(400, "Application_DialogException", text)
    }

    /// The request is not one.
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", text)
    }

    /// Too many requests under way.
    pub fn throttled() -> Self {
        Self::new(
            429,
            "Application_TooManyRequests",
            "Too many requests reached. Actual (101). Maximum (100).",
        )
    }

    /// The queue was full for too long.
    pub fn unavailable() -> Self {
        Self::new(503, "Internal_ServerError", "Service Temporarily Unavailable")
    }

    pub(super) fn body(&self, correlation: &str) -> serde_json::Value {
        json!({"error": {
            "code": self.code,
            "message": format!("{}  CorrelationId:  {correlation}.", self.text),
        }})
    }
}

/// The answer to one request or one operation of a batch.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    /// JSON text; empty for none.
    pub(super) body: String,
    pub(super) content_type: &'static str,
}

impl Reply {
    pub(super) fn json(status: u16, body: String) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            content_type: JSON,
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self::json(status, String::new())
    }

    pub(super) fn of(status: u16, content_type: &'static str, body: String) -> Self {
        Self {
            content_type,
            ..Self::json(status, body)
        }
    }

    pub(super) fn error(error: &ApiError, correlation: &str) -> Self {
        Self::json(error.status, error.body(correlation).to_string())
    }

    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn answer(self, correlation: &str) -> Answer {
        let mut answer = if self.body.is_empty() {
            Answer::empty(self.status)
        } else {
            Answer::of(self.status, self.content_type, self.body).with_header("odata-version", "4.0")
        };
        for (name, value) in self.headers {
            answer = answer.with_header(name, value);
        }
        answer
            .with_header("ms-correlation-x", correlation)
            .with_header("request-id", correlation)
    }
}
