//! Calls to one environment: the headers that each carries, and answers that are the service's own.

use std::fmt;

use atlas_connectors::error::BadPayload;
use atlas_connectors::http::{Call, Client, Response};
use atlas_connectors::{Error, Result};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use http::{HeaderName, HeaderValue, Method, Request};
use url::Url;

use super::Address;

/// Language and regional format of texts and option captions. Fixed: without it they follow the user's profile.
const LANGUAGE: HeaderValue = HeaderValue::from_static("en-US");
const INTENT: HeaderName = HeaderName::from_static("data-access-intent");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const ISOLATION: HeaderName = HeaderName::from_static("isolation");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One environment behind its client.
pub(super) struct Service {
    client: Client,
    address: Address,
    /// User and key on a server of one's own.
    basic: Option<HeaderValue>,
}

/// A read: where, and how.
#[derive(Clone, Debug)]
pub(super) struct Read<'a> {
    pub(super) operation: &'static str,
    pub(super) url: &'a Url,
    /// `Prefer`, with the size of the page.
    pub(super) prefer: Option<&'a str>,
    /// Whether the replica may answer. Wrong after a write of one's own.
    pub(super) replica: bool,
}

/// An effect: one request that is sent once.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    pub(super) operation: &'static str,
    pub(super) method: Method,
    /// Below the API's root.
    pub(super) path: String,
    pub(super) body: Option<String>,
    /// The state that it was decided on.
    pub(super) if_match: Option<HeaderValue>,
}

impl Service {
    pub(super) fn new(client: Client, address: Address, basic: Option<HeaderValue>) -> Self {
        Self { client, address, basic }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// JSON from an address.
    pub(super) async fn read(&self, read: Read<'_>) -> Result<Response> {
        let mut request = self.request(Method::GET, read.url, read.operation)?;
        let headers = request.headers_mut();
        if let Some(prefer) = read.prefer {
            headers.insert(PREFER, header(read.operation, prefer)?);
        }
        if read.replica {
            headers.insert(INTENT, HeaderValue::from_static("ReadOnly"));
        }
        let answer = self.send(Call::read(read.operation, request).with_cost(1)).await?;
        check_json(read.operation, &answer.body)?;
        Ok(answer)
    }

    /// JSON from a path below the API's root, without a page size.
    pub(super) async fn read_path(&self, operation: &'static str, path: &str, replica: bool) -> Result<Response> {
        let url = self.address.at(path)?;
        let read = Read {
            operation,
            url: &url,
            prefer: None,
            replica,
        };
        self.read(read).await
    }

    /// The metadata document, which is XML only.
    pub(super) async fn metadata(&self, operation: &'static str, most: u64) -> Result<Response> {
        let url = self.address.at("$metadata")?;
        let mut request = self.request(Method::GET, &url, operation)?;
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static("application/xml"));
        self.send(Call::read(operation, request).with_cost(1).with_max_body(most))
            .await
    }

    /// Lets an effect out.
    pub(super) async fn effect(&self, effect: Effect) -> Result<Response> {
        let url = self.address.at(&effect.path)?;
        let mut request = self.request(effect.method, &url, effect.operation)?;
        if let Some(etag) = effect.if_match {
            request.headers_mut().insert(IF_MATCH, etag);
        }
        if let Some(body) = effect.body {
            request.headers_mut().insert(CONTENT_TYPE, JSON);
            *request.body_mut() = Bytes::from(body);
        }
        self.send(Call::effect(effect.operation, request).with_cost(1)).await
    }

    /// Lets several effects out in one request; each counts as one.
    pub(super) async fn batch(
        &self,
        operation: &'static str,
        body: Bytes,
        parts: u32,
        atomic: bool,
    ) -> Result<Response> {
        let url = self.address.at("$batch")?;
        let mut request = self.request(Method::POST, &url, operation)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        if atomic {
            headers.insert(ISOLATION, HeaderValue::from_static("snapshot"));
        } else {
            headers.insert(PREFER, HeaderValue::from_static("odata.continue-on-error"));
        }
        *request.body_mut() = body;
        self.send(Call::effect(operation, request).with_cost(parts.max(1)))
            .await
    }

    /// A call that somebody else has built, such as one of webhooks.
    pub(super) async fn send(&self, mut call: Call) -> Result<Response> {
        if let Some(basic) = &self.basic {
            call.request.headers_mut().insert(AUTHORIZATION, basic.clone());
            call = call.with_own_auth();
        }
        call.request.headers_mut().insert(ACCEPT_LANGUAGE, LANGUAGE);
        self.client.send(call).await
    }

    fn request(&self, method: Method, url: &Url, operation: &'static str) -> Result<Request<Bytes>> {
        Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(ACCEPT, JSON)
            .body(Bytes::new())
            .map_err(|_| super::invalid(operation, "address", "it cannot be part of a request"))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("client", &self.client)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// An ETag as a header, byte for byte.
pub(super) fn etag(operation: &'static str, text: &str) -> Result<HeaderValue> {
    header(operation, text)
}

fn header(operation: &'static str, text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text)
        .map_err(|_| super::invalid(operation, "header", "it holds characters that no header may hold"))
}

/// A page for people with a good status: a proxy, a login form, another server.
fn check_json(operation: &'static str, body: &[u8]) -> Result<()> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'<') {
        return Err(Error::new(BadPayload::Type, operation)
            .with_provider(super::provider())
            .with_context(
                "fix",
                "something else answered in place of Business Central: check the address and the proxy",
            ));
    }
    Ok(())
}
