//! From error answers of Business Central to our kinds: one pure table by status and code.
//!
//! Source: `business-central.md`, sections 6 and 7. Text is read to tell apart what status and code leave open, by
//! fixed sentences of the service, and kept only as the message for people.

use atlas_connectors::error::{
    Error, ErrorKind, FieldFault, OAuthError, OperationClass, ProviderMessage, Retry, Severity, ThrottleScope,
};
use atlas_connectors::http::{Classify, Failure, retry_after};
use http::HeaderMap;

use super::operation;
use crate::odata::{Envelope, ODataFailure};

/// The table for Business Central's APIs.
#[derive(Clone, Copy, Debug, Default)]
pub struct BusinessCentralErrors;

impl Classify for BusinessCentralErrors {
    fn classify(&self, failure: &Failure<'_>) -> Error {
        Answer::read(failure.headers, failure.body).error(failure)
    }

    /// The service's own word that it did not take the request up. A gateway's page, a time-out and a bare
    /// `Internal_ServerError` prove nothing.
    fn proves_refusal(&self, failure: &Failure<'_>) -> bool {
        let answer = Answer::read(failure.headers, failure.body);
        answer.own && answer.code().starts_with("BadRequest_")
    }
}

/// An error answer, read.
#[derive(Debug)]
struct Answer {
    /// Whether the body is the service's own: its JSON envelope.
    own: bool,
    code: Option<String>,
    /// The message without the correlation id.
    text: String,
    correlation: Option<String>,
}

impl Answer {
    fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let read = ODataFailure::of(headers, body);
        let text = read.message.as_ref().map(|text| text.reveal()).unwrap_or_default();
        let (text, correlation) = split_correlation(text);
        Self {
            own: matches!(read.envelope, Envelope::V4 | Envelope::V2),
            correlation: correlation.map(str::to_owned).or_else(|| in_headers(headers)),
            text: text.to_owned(),
            code: read.code,
        }
    }

    fn error(&self, failure: &Failure<'_>) -> Error {
        let status = failure.status.as_u16();
        let class = if operation::changes(failure.operation) {
            OperationClass::Write
        } else {
            OperationClass::Read
        };
        let mut error = Error::new(self.kind(failure), failure.operation)
            .with_class(class)
            .with_provider(super::provider())
            .with_status(status);
        if let Some(code) = &self.code {
            error = error.with_provider_code(code);
        }
        if let Some(correlation) = &self.correlation {
            error = error.with_context("provider_correlation", correlation);
        }
        if let (403, Some(right)) = (status, Right::read(&self.text)) {
            error = error
                .with_context("table", right.table)
                .with_context("right", right.right)
                .with_context("app", right.app);
        }
        if let Some(fix) = self.fix(status) {
            error = error.with_context("fix", fix);
        }
        // A time to come back is documented for 502 and 503 only.
        if let (502 | 503, Some(until)) = (status, retry_after(failure.headers, failure.now)) {
            error = error.with_retry(Retry::At(until));
        }
        if self.text.is_empty() {
            return error;
        }
        let message = ProviderMessage::new(Severity::Error, &self.text).with_code(self.code());
        error.with_messages([match quoted_field(&self.text) {
            Some(field) => message.with_field(field),
            None => message,
        }])
    }

    fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }

    fn kind(&self, failure: &Failure<'_>) -> ErrorKind {
        let operation = failure.operation;
        match (failure.status.as_u16(), self.code()) {
            // Before everything by status: the code says it whatever gateway put its own status on top.
            (_, "Application_TooManyRequests") | (429, _) => self.throttled(),
            (_, "Request_EntityChanged" | "Internal_EntityWithSameKeyExists") | (409 | 412, _) => ErrorKind::Conflict,
            (_, "Application_CallbackNotAllowed") => ErrorKind::NeedsInteraction {
                what: operation::what(operation).to_owned(),
            },
            // The token was good enough for Entra; Business Central knows no user, no licence or no role for it. The
            // same body comes for a token that is over, which the pipeline has replaced by then.
            (401, _) if self.own => OAuthError::InsufficientPrivileges { missing: Vec::new() }.into(),
            (401, _) => OAuthError::Transient.into(),
            (403, _) => match Right::read(&self.text) {
                Some(right) => ErrorKind::PermissionDenied {
                    object: right.table.to_owned(),
                    verb: right.verb(),
                },
                None => ErrorKind::PermissionDenied {
                    object: operation::what(operation).to_owned(),
                    verb: operation::verb(operation),
                },
            },
            (404 | 410, code) => self.missing(code, operation),
            (405, _) if !operation::changes(operation) => ErrorKind::ServiceMissing {
                service: "Business Central API (switched off on this server)".to_owned(),
            },
            (_, "BadRequest_MethodNotImplemented") if self.text.contains("'OR' operator") => ErrorKind::Unsupported {
                what: "or over several fields in one filter",
            },
            (405 | 501, _) | (_, "BadRequest_MethodNotAllowed" | "BadRequest_MethodNotImplemented") => {
                ErrorKind::Unsupported {
                    what: "this operation on this entity",
                }
            }
            // Too much was asked for at once: the same again ends the same way.
            (408 | 504, _) => ErrorKind::DeadlineExceeded,
            (413, _) if operation::changes(operation) => rejected("body", "too_large"),
            (413, _) => rejected("odata.maxpagesize", "too_large"),
            (500, _) if operation == operation::BATCH && self.text.contains("query operations") => {
                rejected("$batch", "too_large")
            }
            (500.., _) => ErrorKind::Transient,
            (400, _) => self.bad_request(),
            _ if self.own => rejected_as_a_whole(),
            // Not the service's answer: something on the way to it answered instead.
            _ => ErrorKind::Transient,
        }
    }

    fn throttled(&self) -> ErrorKind {
        // "Actual (101). Maximum (100)." counts requests under way and queued; anything else is the rate. A time to come
        // back is not documented for it, so none is taken.
        let at_once = self.text.contains("Maximum (100)") || self.text.contains("concurrent");
        ErrorKind::Throttled {
            scope: if at_once {
                ThrottleScope::Request
            } else {
                ThrottleScope::Account
            },
            until: None,
        }
    }

    fn missing(&self, code: &str, operation: &'static str) -> ErrorKind {
        match code {
            "NoEnvironment" => ErrorKind::Invalid {
                what: "environment",
                why: "no environment of this name: compare with the list of environments",
            },
            "Internal_CompanyNotFound" => ErrorKind::Invalid {
                what: "company",
                why: "it is gone or not open to this user: select a company again",
            },
            "Internal_RecordNotFound" | "Internal_DataNotFoundFilter" => ErrorKind::NotFound { object: "record" },
            _ => ErrorKind::ServiceMissing {
                service: segment(&self.text)
                    .unwrap_or_else(|| operation::what(operation))
                    .to_owned(),
            },
        }
    }

    fn bad_request(&self) -> ErrorKind {
        match self.code() {
            "BadRequest_InvalidToken" => rejected("If-Match", "BadRequest_InvalidToken"),
            "Application_DialogException" if self.text.starts_with(DATA_UPGRADE) => ErrorKind::ServiceMissing {
                service: "API page whose data upgrade is pending".to_owned(),
            },
            "Application_DialogException" if self.text.starts_with(FLAT_LINES) => ErrorKind::Unsupported {
                what: "lines without their document",
            },
            code => match quoted_field(&self.text) {
                Some(field) if !code.is_empty() => rejected(field, code),
                _ => rejected_as_a_whole(),
            },
        }
    }

    /// What to do, for errors whose kind does not say it.
    fn fix(&self, status: u16) -> Option<&'static str> {
        match (status, self.code()) {
            (401, _) if self.own => Some(
                "the user or application must exist in this environment, be enabled, licensed and have permission sets",
            ),
            (408 | 504, _) => Some("ask for less at once: a smaller page, fewer fields, fewer parts of a batch"),
            (413, _) => Some("ask for a smaller page, or send less at once"),
            (400, "Application_DialogException") if self.text.starts_with(DATA_UPGRADE) => {
                Some("an administrator schedules the upgrade on the page API Data Upgrade")
            }
            (400, "Application_DialogException") if self.text.starts_with(FLAT_LINES) => {
                Some("read the lines of one document, or expand them")
            }
            (400, "BadRequest_InvalidToken") => Some("read the record again and send its etag"),
            (404, "BadRequest_ResourceNotFound" | "BadRequest_NotFound" | "") => {
                Some("check the address, the API route and that the app with this API page is installed")
            }
            (405, _) => Some("on premises: switch on API services of the server instance"),
            _ => None,
        }
    }
}

/// An API page that was not migrated yet.
const DATA_UPGRADE: &str = "You must run the data upgrade for this API page";
/// A set of lines asked for as a whole.
const FLAT_LINES: &str = "You must specify an Id or a Document Id";

/// The right that a 403 names: `(TableData 36 Sales Header Modify: Base Application)`.
struct Right<'a> {
    table: &'a str,
    right: &'a str,
    app: &'a str,
}

impl<'a> Right<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (_, rest) = text.split_once("(TableData ")?;
        let (inside, _) = rest.split_once(')')?;
        let (object, app) = inside.split_once(": ").unwrap_or((inside, ""));
        let (_number, object) = object.split_once(' ')?;
        let (table, right) = object.rsplit_once(' ')?;
        let name = |text: &str| {
            text.len() <= 100
                && text
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_' | '/' | '&'))
        };
        (name(table) && name(right) && name(app)).then_some(Self { table, right, app })
    }

    fn verb(&self) -> &'static str {
        match self.right.to_ascii_lowercase().as_str() {
            "insert" => "create",
            "modify" => "update",
            "delete" => "delete",
            "execute" => "execute",
            _ => "read",
        }
    }
}

/// The text without its last part, and the id in it: `…  CorrelationId:  {guid}.` with one space or two.
fn split_correlation(text: &str) -> (&str, Option<&str>) {
    let Some((before, after)) = text.rsplit_once("CorrelationId:") else {
        return (text.trim(), None);
    };
    let id = after.trim().trim_end_matches('.');
    let fits = !id.is_empty() && id.len() <= 40 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match fits {
        true => (before.trim(), Some(id)),
        false => (text.trim(), None),
    }
}

fn in_headers(headers: &HeaderMap) -> Option<String> {
    ["ms-correlation-x", "request-id"].into_iter().find_map(|name| {
        let id = headers.get(name)?.to_str().ok()?;
        let fits = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        fits.then(|| id.to_owned())
    })
}

/// A field that the text names as the API does: `A "customerNumber" or a "customerId" must be provided.`
fn quoted_field(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('"') {
        let (inside, next) = after.split_once('"')?;
        let mut bytes = inside.bytes();
        if bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
            && inside.len() <= 60
            && bytes.all(|byte| byte.is_ascii_alphanumeric())
        {
            return Some(inside);
        }
        rest = next;
    }
    None
}

/// The part of the address that leads nowhere: `Resource not found for the segment 'trucks'`.
fn segment(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("for the segment '")?;
    let (name, _) = rest.split_once('\'')?;
    let fits = (1..=100).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'));
    fits.then_some(name)
}

fn rejected(field: &str, code: &str) -> ErrorKind {
    ErrorKind::Rejected {
        fields: vec![FieldFault {
            field: field.to_owned(),
            code: code.to_owned(),
        }],
    }
}

fn rejected_as_a_whole() -> ErrorKind {
    ErrorKind::Rejected { fields: Vec::new() }
}

/// One part of a batch, by the same table. The headers of a part say nothing about time or correlation.
pub(super) fn classify_part(
    operation: &'static str,
    status: http::StatusCode,
    body: &[u8],
    now: atlas_connectors::Timestamp,
) -> Error {
    let headers = HeaderMap::new();
    BusinessCentralErrors.classify(&Failure::new(operation, status, &headers, body, now))
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
