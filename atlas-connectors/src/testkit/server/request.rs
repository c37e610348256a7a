//! A request as a handler reads it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

/// A request that reached a mock, or one that was inside another, such as an operation of a batch.
///
/// `Debug` shows method, path and sizes only, so that a test's log holds no token.
///
/// ```
/// use atlas_connectors::testkit::server::Request;
///
/// let inner = Request::new("GET", "/items?$top=5&$filter=no%20eq%20%27A%27")
///     .with_header("authorization", "Bearer t-1");
/// assert_eq!((inner.path.as_str(), inner.raw_query.as_str()), ("/items", "$top=5&$filter=no%20eq%20%27A%27"));
/// assert_eq!(inner.query("$filter"), Some("no eq 'A'"));
/// assert_eq!(inner.bearer(), Some("t-1"));
/// assert_eq!(format!("{inner:?}"), r#"Request { method: GET, path: "/items", body_bytes: 0, .. }"#);
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path as it was sent, percent-encoding included.
    pub path: String,
    /// The query as it was sent, without the question mark; empty when there is none.
    pub raw_query: String,
    /// The query's pairs in order, decoded as a form is (`+` is a space).
    pub query: Vec<(String, String)>,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Request {
    /// A request made by hand: an operation of a batch, or one for a test of a handler. A method that is none becomes GET.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.parse().unwrap_or(Method::GET),
            path: path.to_owned(),
            raw_query: raw_query.to_owned(),
            query: pairs(raw_query.as_bytes()),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn of(request: &wiremock::Request) -> Self {
        let raw_query = request.url.query().unwrap_or_default();
        Self {
            method: request.method.clone(),
            path: request.url.path().to_owned(),
            raw_query: raw_query.to_owned(),
            query: pairs(raw_query.as_bytes()),
            headers: request.headers.clone(),
            body: Bytes::copy_from_slice(&request.body),
        }
    }

    /// Adds a header. One that HTTP does not allow is left out.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.append(name, value);
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The first value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// The first value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The segments of the path between slashes, percent-decoded: `/a/b%20c` is `["a", "b c"]`.
    pub fn segments(&self) -> Vec<String> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.split('/').map(decoded).collect()
    }

    /// The body as a form, decoded, in order.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }

    /// The body as JSON; `None` where it is none.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The token of `Authorization: Bearer`.
    pub fn bearer(&self) -> Option<&str> {
        self.authorization("Bearer")
    }

    /// User and password of `Authorization: Basic`, decoded from base64 and not further.
    pub fn basic(&self) -> Option<(String, String)> {
        let bytes = STANDARD.decode(self.authorization("Basic")?).ok()?;
        let pair = String::from_utf8(bytes).ok()?;
        let (user, password) = pair.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all(http::header::COOKIE).iter();
        lines.filter_map(|line| line.to_str().ok()).find_map(|line| {
            line.split(';').find_map(|pair| {
                let (found, value) = pair.trim().split_once('=')?;
                (found == name).then_some(value)
            })
        })
    }

    fn authorization(&self, scheme: &str) -> Option<&str> {
        let (found, rest) = self.header("authorization")?.split_once(' ')?;
        found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// Percent-decoding of a path: a plus stays a plus, a broken escape stays as it is, bytes that are no UTF-8 are replaced.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| after.get(..2)).flatten();
        let value = escaped
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            Some(value) => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_one_by_one() {
        let request = Request::new("GET", "/Company('A%2FB')/caf%C3%A9+x/%zz%");
        assert_eq!(request.segments(), ["Company('A/B')", "café+x", "%zz%"]);
        assert_eq!(Request::new("GET", "/").segments(), [""]);
    }

    #[test]
    fn credentials_cookies_and_forms_are_read() {
        let request = Request::new("POST", "/token")
            .with_header("authorization", "basic dXNlcjpwOmE=")
            .with_header("cookie", "a=1; session_id=s-2")
            .with_header("cookie", "b=3")
            .with_body("grant_type=refresh_token&scope=a+b%2Fc");
        assert_eq!(request.basic(), Some(("user".to_owned(), "p:a".to_owned())));
        assert_eq!(request.bearer(), None);
        assert_eq!(request.cookie("session_id"), Some("s-2"));
        assert_eq!(request.cookie("b"), Some("3"));
        assert_eq!(request.cookie("ession_id"), None);
        let form = request.form();
        assert_eq!(form.get(1), Some(&("scope".to_owned(), "a b/c".to_owned())));
        assert_eq!(request.json(), None);
    }
}
