//! An answer of a handler.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use wiremock::ResponseTemplate;

use super::wire::{WIRE_HEADER, WireFault};

/// What a handler answers, with what the wire shall do to it. `Debug` shows status and sizes only.
///
/// ```
/// use atlas_connectors::testkit::server::Answer;
///
/// let refused = Answer::json(429, &serde_json::json!({"error": "slow_down"})).with_header("retry-after", "3");
/// assert_eq!(refused.header("Content-Type"), Some("application/json"));
/// assert_eq!(refused.body.as_ref(), br#"{"error":"slow_down"}"#);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers in order, `content-type` among them; names may repeat. `content-length` is added on the way out.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub body: Bytes,
    /// How much later it leaves, in real time, without blocking other answers.
    pub delay: Duration,
    /// What the wire does to it.
    pub wire: Option<WireFault>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .field("delay", &self.delay)
            .field("wire", &self.wire)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// A status alone.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            delay: Duration::ZERO,
            wire: None,
        }
    }

    /// A status with a body of this content type.
    pub fn of(status: u16, content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::empty(status).with_header("content-type", content_type);
        answer.body = body.into();
        answer
    }

    /// A status with JSON, `application/json`.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::of(status, "application/json", value.to_string())
    }

    /// A page in HTML with this title, as front ends and captive portals serve.
    pub fn html(status: u16, title: &str) -> Self {
        let page = format!("<!DOCTYPE html><html lang=en><title>{title}</title><p>{title}</html>\n");
        Self::of(status, "text/html; charset=utf-8", page)
    }

    /// A 302 to this address.
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::empty(302).with_header("location", location)
    }

    /// Adds a header; `content-type` replaces the one that is there.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        let name = name.into();
        if name.eq_ignore_ascii_case("content-type") {
            self.headers
                .retain(|(one, _)| !one.eq_ignore_ascii_case("content-type"));
        }
        self.headers.push((name, value.into()));
        self
    }

    /// Leaves this much later than it would have.
    #[must_use]
    pub fn delayed_by(mut self, delay: Duration) -> Self {
        self.delay = self.delay.saturating_add(delay);
        self
    }

    /// Hands the answer over to the wire's mercy.
    #[must_use]
    pub fn spoiled_by(mut self, wire: WireFault) -> Self {
        self.wire = Some(wire);
        self
    }

    /// The first value of a header, its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(one, _)| one.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// For wiremock. A status or header that HTTP does not allow becomes a 500 or is left out.
    pub(super) fn template(self) -> ResponseTemplate {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut template = ResponseTemplate::new(status);
        let mut content_type = String::new();
        for (name, value) in self.headers {
            let (Ok(name), Ok(header)) = (HeaderName::try_from(&*name), HeaderValue::try_from(&value)) else {
                continue;
            };
            match name {
                // The proxy finds the end of an answer by the length that the server counts.
                http::header::CONTENT_LENGTH | http::header::TRANSFER_ENCODING => {}
                http::header::CONTENT_TYPE => content_type = value,
                name => template = template.append_header(name, header),
            }
        }
        if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
            template = template.set_body_raw(self.body, &content_type);
        }
        if let Some(wire) = self.wire {
            template = template.insert_header(WIRE_HEADER, wire.write().as_str());
        }
        if self.delay.is_zero() {
            template
        } else {
            template.set_delay(self.delay)
        }
    }
}
