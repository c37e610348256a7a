//! How a request of the Gmail API is put together.

use atlas_connectors::error::ErrorKind;
use atlas_connectors::http::Call;
use atlas_connectors::{Error, Result};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use url::Url;

use crate::endpoints::Endpoints;
use crate::quota::Tariff;
use crate::scopes;
use crate::wire::Method;

/// What every request is built from: the addresses and the price list. The mailbox is always `me`, the account of the
/// token: naming another one is answered with "Delegation denied" (`gmail.md`, section 7).
#[derive(Clone, Debug)]
pub struct Api {
    endpoints: Endpoints,
    tariff: Tariff,
}

impl Api {
    /// Requests to these addresses at these prices.
    pub fn new(endpoints: Endpoints, tariff: Tariff) -> Self {
        Self { endpoints, tariff }
    }

    /// The addresses.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The price list.
    pub fn tariff(&self) -> Tariff {
        self.tariff
    }

    /// Address of `gmail/v1/users/me/…`; the segments are escaped.
    pub(crate) fn url(&self, method: Method, segments: &[&str]) -> Result<Url> {
        join(&self.endpoints.api, &["gmail", "v1", "users", "me"], segments, method)
    }

    /// Address of `upload/gmail/v1/users/me/…`.
    pub(crate) fn upload_url(&self, method: Method, segments: &[&str]) -> Result<Url> {
        let root = ["upload", "gmail", "v1", "users", "me"];
        join(&self.endpoints.api, &root, segments, method)
    }

    /// A call without a body.
    pub(crate) fn bare(&self, method: Method, verb: http::Method, url: &Url) -> Result<Call> {
        self.call(method, verb, url, None, Bytes::new())
    }

    /// A call with a JSON body.
    pub(crate) fn json(&self, method: Method, verb: http::Method, url: &Url, body: &impl Serialize) -> Result<Call> {
        let body = serde_json::to_vec(body).map_err(|_| invalid(method, "body", "cannot be written as JSON"))?;
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        self.call(method, verb, url, Some(json), body.into())
    }

    /// A call with any body.
    pub(crate) fn call(
        &self,
        method: Method,
        verb: http::Method,
        url: &Url,
        content_type: Option<HeaderValue>,
        body: Bytes,
    ) -> Result<Call> {
        let mut request = http::Request::builder()
            .method(verb)
            .uri(url.as_str())
            .body(body)
            .map_err(|_| invalid(method, "address", "cannot be requested"))?;
        if let Some(content_type) = content_type {
            request.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        let call = match method.class() {
            atlas_connectors::http::CallClass::Read => Call::read(method.name(), request),
            atlas_connectors::http::CallClass::Effect => Call::effect(method.name(), request),
        };
        Ok(call
            .with_cost(self.tariff.price(method))
            .with_any_scope(scopes::required(method)))
    }
}

/// An argument that cannot go into a request; nothing was sent.
pub(crate) fn invalid(method: Method, what: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid { what, why }, method.name())
        .with_class(method.operation_class())
        .with_provider(crate::provider())
}

fn join(root: &Url, prefix: &[&str], segments: &[&str], method: Method) -> Result<Url> {
    // An empty or dotted segment would name another resource: `messages/` is the list.
    let strange = |segment: &&str| segment.is_empty() || segment.chars().all(|c| c == '.');
    if segments.iter().any(strange) {
        return Err(invalid(method, "id", "empty or made of dots"));
    }
    let mut url = root.clone();
    url.path_segments_mut()
        .map_err(|()| invalid(method, "address", "cannot have a path"))?
        .pop_if_empty()
        .extend(prefix)
        .extend(segments);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> Api {
        Api::new(Endpoints::google().unwrap(), Tariff::default())
    }

    #[test]
    fn segments_are_escaped_and_never_climb() {
        let api = api();
        let url = api.url(Method::MessagesGet, &["messages", "a/b?c#d e"]).unwrap();
        assert_eq!(
            url.as_str(),
            "https://gmail.googleapis.com/gmail/v1/users/me/messages/a%2Fb%3Fc%23d%20e"
        );
        for id in ["", ".", ".."] {
            let error = api.url(Method::MessagesGet, &["messages", id]).unwrap_err();
            assert_eq!(error.code(), "invalid", "{id}");
        }
    }

    #[test]
    fn upload_has_its_own_root_and_a_base_path_is_kept() {
        let url = api().upload_url(Method::MessagesSend, &["messages", "send"]).unwrap();
        assert_eq!(url.path(), "/upload/gmail/v1/users/me/messages/send");
        let proxy = Endpoints::at(&Url::parse("https://proxy.example/google/").unwrap()).unwrap();
        let url = Api::new(proxy, Tariff::default())
            .url(Method::Profile, &["profile"])
            .unwrap();
        assert_eq!(url.path(), "/google/gmail/v1/users/me/profile");
    }
}
