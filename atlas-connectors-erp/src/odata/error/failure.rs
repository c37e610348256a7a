//! The contents of an error answer, free of its form.

use std::fmt;

use atlas_connectors::error::{FieldFault, ProviderCode, ProviderMessage, ProviderText, Severity};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::odata::error::{json, xml};

/// More of a body is not read: an error is small, and what is larger is a page for people.
const READ: usize = 256 * 1024;
/// More details are not kept.
pub(super) const DETAILS: usize = 500;

/// The form in which an error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Envelope {
    /// JSON with a plain text as message.
    V4,
    /// JSON with `message{lang,value}`.
    V2,
    /// XML of a gateway or of the web server before it.
    Xml,
    /// A page for people: a proxy, a login form, a stack trace.
    Html,
    /// Anything else, a plain sentence mostly.
    Text,
    /// No body at all.
    Empty,
}

/// An error answer, read. Nothing of the body is in its `Debug` but codes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ODataFailure {
    /// The form it came in. [`Envelope::Html`] and [`Envelope::Text`] come without a code: decide by status and headers.
    pub envelope: Envelope,
    /// The provider's code as sent, such as `/IWFND/MED/170`, `V1/313`, `Request_EntityChanged`.
    pub code: Option<String>,
    /// What it says to people. The readable rest of a plain text; nothing of an HTML page.
    pub message: Option<ProviderText>,
    /// What it is about: a property, a path, an entity's address. Shown, never parsed.
    pub target: Option<String>,
    /// The part of a batch it is about.
    pub content_id: Option<String>,
    /// The further messages, without those that repeat the first one; warnings and notes among them, see
    /// [`FailureDetail::severity`].
    pub details: Vec<FailureDetail>,
    /// The provider's id of the transaction, for its support.
    pub transaction_id: Option<String>,
    /// SAP's short reference to the program: component, namespace, service.
    pub service_id: Option<String>,
    /// The body ended early; what stood before is kept.
    pub cut: bool,
}

/// One message of several.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureDetail {
    /// The provider's code as sent.
    pub code: Option<String>,
    /// What it says to people.
    pub message: ProviderText,
    /// How serious it is; what has no word about it counts as an error.
    pub severity: Severity,
    /// What it is about (`target`, or V2's `propertyref`).
    pub target: Option<String>,
    /// The part of a batch it is about.
    pub content_id: Option<String>,
}

impl ODataFailure {
    /// Reads the body of an error answer. Never fails: what cannot be read is [`Envelope::Text`] without a code.
    ///
    /// ```
    /// use atlas_connectors_erp::odata::{Envelope, ODataFailure};
    ///
    /// let failure = ODataFailure::read(None, br#"{"error":{"code":"VP/204","message":{"lang":"en","value":"Not defined"}}}"#);
    /// assert_eq!((failure.envelope, failure.code.as_deref()), (Envelope::V2, Some("VP/204")));
    /// ```
    pub fn read(content_type: Option<&str>, body: &[u8]) -> Self {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let mut cut = body.len() > READ;
        let body = String::from_utf8_lossy(body.get(..READ).unwrap_or(body));
        let text = body.trim();
        let mut failure = match text.as_bytes().first() {
            None => Self::new(Envelope::Empty),
            Some(b'{' | b'[') => match json::failure(text) {
                json::Read::Whole(failure) => failure,
                json::Read::Cut(failure) => {
                    cut = true;
                    failure
                }
                json::Read::Foreign => Self::new(Envelope::Text),
            },
            Some(b'<') if is_html(content_type, text) => Self::new(Envelope::Html),
            Some(b'<') => xml::failure(text),
            Some(_) if content_type.is_some_and(|kind| kind.contains("html")) => Self::new(Envelope::Html),
            Some(_) => {
                let mut failure = Self::new(Envelope::Text);
                failure.message = Some(ProviderText::new(text));
                failure
            }
        };
        failure.cut = cut;
        failure.drop_repeated();
        failure
    }

    /// Reads body and headers: where the body says nothing, a `sap-message` header may (C4C does so).
    pub fn of(headers: &HeaderMap, body: &[u8]) -> Self {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let mut failure = Self::read(content_type, body);
        if failure.code.is_none() {
            for detail in crate::odata::messages::header_details(headers) {
                if failure.code.is_none() && failure.message.is_none() {
                    failure.code.clone_from(&detail.code);
                    failure.message = Some(detail.message);
                    failure.target = detail.target;
                } else {
                    failure.details.push(detail);
                }
            }
            failure.drop_repeated();
        }
        failure
    }

    /// An empty one.
    pub(super) fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            code: None,
            message: None,
            target: None,
            content_id: None,
            details: Vec::new(),
            transaction_id: None,
            service_id: None,
            cut: false,
        }
    }

    /// The details that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &FailureDetail> {
        self.details.iter().filter(|detail| detail.severity == Severity::Error)
    }

    /// Whether the main code or the code of an error among the details is this one.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code) || self.errors().any(|detail| detail.code.as_deref() == Some(code))
    }

    /// All codes: the main one, then those of the errors among the details.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.code
            .as_deref()
            .into_iter()
            .chain(self.errors().filter_map(|detail| detail.code.as_deref()))
    }

    /// Everything it says to people, the first message first, for [`atlas_connectors::Error::with_messages`].
    pub fn messages(&self) -> Vec<ProviderMessage> {
        let first = self
            .message
            .iter()
            .map(|text| message(Severity::Error, text, self.code.as_deref(), self.target.as_deref()));
        first.chain(self.details.iter().map(FailureDetail::message)).collect()
    }

    /// The refused fields, for [`atlas_connectors::ErrorKind::Rejected`]: those that errors name.
    pub fn fields(&self) -> Vec<FieldFault> {
        let first = self.target.as_deref().zip(self.code.as_deref());
        let rest = self
            .errors()
            .filter_map(|detail| detail.target.as_deref().zip(detail.code.as_deref()));
        let mut out: Vec<FieldFault> = Vec::new();
        for (target, code) in first.into_iter().chain(rest) {
            let (true, Some(code)) = (names_a_field(target), ProviderCode::new(code)) else {
                continue;
            };
            let fault = FieldFault {
                field: target.to_owned(),
                code: code.as_str().to_owned(),
            };
            if !out.contains(&fault) {
                out.push(fault);
            }
        }
        out
    }

    /// Gateways repeat the first message among the details, under another code; and some repeat a detail as well.
    fn drop_repeated(&mut self) {
        let details = std::mem::take(&mut self.details);
        for detail in details {
            let repeats_first = self.message.as_ref() == Some(&detail.message)
                && (detail.target.is_none() || self.target.is_none() || detail.target == self.target);
            if repeats_first {
                if self.target.is_none() {
                    self.target = detail.target;
                }
                if self.content_id.is_none() {
                    self.content_id = detail.content_id;
                }
                continue;
            }
            let known = self.details.iter().any(|other| {
                other.message == detail.message && other.target == detail.target && other.severity == detail.severity
            });
            if !known && self.details.len() < DETAILS {
                self.details.push(detail);
            }
        }
    }
}

impl FailureDetail {
    /// The message for people.
    pub fn message(&self) -> ProviderMessage {
        message(
            self.severity,
            &self.message,
            self.code.as_deref(),
            self.target.as_deref(),
        )
    }
}

fn message(severity: Severity, text: &ProviderText, code: Option<&str>, target: Option<&str>) -> ProviderMessage {
    let mut message = ProviderMessage::new(severity, text.reveal());
    if let Some(code) = code {
        message = message.with_code(code);
    }
    match target {
        Some(target) if names_a_field(target) => message.with_field(target),
        _ => message,
    }
}

/// `SalesOrderType`, `to_Item('0')/Material` and `_Item(0)/Product` name a field; `/#TRANSIENT#` and an entity's address do not.
fn names_a_field(target: &str) -> bool {
    let odd = |c: char| c.is_control() || matches!(c, '#' | '?' | '=' | ' ' | '"' | '<');
    !target.is_empty()
        && target.len() <= 200
        && !target.starts_with('/')
        && !target.contains("://")
        && !target.contains(odd)
}

fn is_html(content_type: Option<&str>, text: &str) -> bool {
    let start: String = text.chars().take(512).collect::<String>().to_ascii_lowercase();
    content_type.is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
        || start.starts_with("<!doctype html")
        || start.contains("<html")
}

/// A code as a log may show it.
struct Shown<'a>(Option<&'a str>);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.0.and_then(ProviderCode::new)) {
            (_, Some(code)) => fmt::Display::fmt(&code, f),
            (Some(_), None) => f.write_str("(text)"),
            (None, None) => f.write_str("-"),
        }
    }
}

impl fmt::Debug for ODataFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ODataFailure")
            .field("envelope", &self.envelope)
            .field("code", &Shown(self.code.as_deref()))
            .field("details", &self.details)
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for FailureDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureDetail")
            .field("code", &Shown(self.code.as_deref()))
            .field("severity", &self.severity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
