//! A transport that remembers the secrets that go through it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use atlas_connectors::Result;
use atlas_connectors::http::{ByteStream, HttpTransport};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

/// The secrets seen so far, by what they are.
pub(crate) type Seen = Arc<Mutex<BTreeSet<(&'static str, Vec<u8>)>>>;

/// Passes everything on and keeps the secrets.
pub(crate) struct Spy {
    pub(crate) inner: Arc<dyn HttpTransport>,
    pub(crate) seen: Seen,
}

impl Spy {
    fn keep(&self, kind: &'static str, secret: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((kind, secret.as_bytes().to_vec()));
    }

    fn look_at_request(&self, request: &Request<Bytes>) {
        let header = request
            .headers()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if let Some(token) = header.and_then(|value| value.strip_prefix("Bearer ")) {
            self.keep("access token", token);
        }
        for (name, value) in url::form_urlencoded::parse(request.body()) {
            match &*name {
                "code" => self.keep("code", &value),
                "code_verifier" => self.keep("verifier", &value),
                "refresh_token" => self.keep("refresh token", &value),
                "client_secret" => self.keep("client secret", &value),
                _ => {}
            }
        }
    }

    fn look_at_answer(&self, answer: &Response<Bytes>) {
        let Ok(body) = serde_json::from_slice::<Value>(answer.body()) else {
            return;
        };
        for (field, kind) in [
            ("access_token", "access token"),
            ("refresh_token", "refresh token"),
            ("id_token", "id token"),
        ] {
            if let Some(secret) = body.get(field).and_then(Value::as_str) {
                self.keep(kind, secret);
            }
        }
    }
}

// What it has seen stays with it: hosts print their transport.
impl fmt::Debug for Spy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spy").field(&self.inner).finish()
    }
}

#[async_trait]
impl HttpTransport for Spy {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.look_at_request(&request);
        let answer = self.inner.send(request).await?;
        self.look_at_answer(&answer);
        Ok(answer)
    }

    async fn send_streaming(&self, request: Request<Bytes>) -> Result<Response<ByteStream>> {
        self.look_at_request(&request);
        self.inner.send_streaming(request).await
    }
}
