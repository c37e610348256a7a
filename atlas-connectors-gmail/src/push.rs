//! Pushes: what Pub/Sub delivers when a mailbox changes, and whether it really comes from Google.
//!
//! Source: `gmail.md`, section 9. A push says only that something changed. Start from the stored cursor, never from the id in
//! the push: from that id on there is nothing new. Pushes come late, doubled, out of order or not at all, so poll as well. Pulling a
//! subscription is left to the host; its messages decode with [`PushMessage::decode`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::error::{BadPayload, Error, ErrorKind, FlowFault, Masked, OAuthError};
use atlas_connectors::http::{Call, Client, HttpTransport};
use atlas_connectors::{Clock, Result, SystemClock};
use bytes::Bytes;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use crate::classify::GmailErrors;
use crate::endpoints::Endpoints;
use crate::wire::HistoryId;

const OPERATION: &str = "gmail.push";
/// Google's own tokens are below 2 KiB.
const TOKEN_MAX: usize = 16 * 1024;
/// How long a key set is used before it is fetched again.
const KEYS_LIVE: Duration = Duration::from_secs(60 * 60);
/// An unknown key id makes us fetch again, but not more often than this: anyone can make one up.
const REFETCH_PAUSE: Duration = Duration::from_secs(60);
/// Difference of clocks that is borne.
const LEEWAY_SECONDS: i64 = 60;

/// A push as Pub/Sub delivers it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushMessage {
    /// Pub/Sub's id of the delivery; equal in repeats.
    pub message_id: String,
    /// The subscription, `projects/…/subscriptions/…`.
    pub subscription: String,
    /// Whose mailbox changed.
    pub address: String,
    /// The end of its history at that time. Not a position to start from.
    pub history_id: HistoryId,
}

impl fmt::Debug for PushMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushMessage")
            .field("message_id", &self.message_id)
            .field("subscription", &self.subscription)
            .field("address", &Masked::new(&self.address))
            .field("history_id", &self.history_id)
            .finish()
    }
}

#[derive(Deserialize)]
struct Envelope {
    message: Delivered,
    #[serde(default)]
    subscription: String,
}

#[derive(Deserialize)]
struct Delivered {
    data: String,
    #[serde(rename = "messageId", alias = "message_id", default)]
    message_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    email_address: String,
    history_id: HistoryId,
}

impl PushMessage {
    /// Reads the body of a push request. Says nothing of who sent it; see [`PushVerifier`].
    ///
    /// ```
    /// use atlas_connectors_gmail::push::PushMessage;
    ///
    /// let body = br#"{"message":{"data":"eyJlbWFpbEFkZHJlc3MiOiJvcHNAYWNtZS5leGFtcGxlIiwiaGlzdG9yeUlkIjoxNzEwfQ",
    ///     "messageId":"2070443601311540"},"subscription":"projects/p/subscriptions/s"}"#;
    /// let push = PushMessage::decode(body)?;
    /// assert_eq!(push.address, "ops@acme.example");
    /// assert_eq!(push.history_id.as_str(), "1710");
    /// # Ok::<(), atlas_connectors::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`BadPayload`] when it is not such a body.
    pub fn decode(body: &[u8]) -> Result<Self> {
        let envelope: Envelope = serde_json::from_slice(body).map_err(|error| failed(fault(&error)))?;
        let data = crate::base64::decode(&envelope.message.data).map_err(|_| failed(BadPayload::Syntax))?;
        let changed: Changed = serde_json::from_slice(&data).map_err(|error| failed(fault(&error)))?;
        Ok(Self {
            message_id: envelope.message.message_id,
            subscription: envelope.subscription,
            address: changed.email_address,
            history_id: changed.history_id,
        })
    }
}

/// Checks the token that an authenticated subscription sends with each push: Google's signature, issuer, audience, the
/// service account of the subscription, and times. Keys are fetched when first needed and kept for an hour.
#[derive(Debug)]
pub struct PushVerifier {
    client: Client,
    jwks: Url,
    issuer: String,
    audience: String,
    service_account: String,
    clock: Arc<dyn Clock>,
    keys: Mutex<Option<Fetched>>,
}

struct Fetched {
    keys: JwkSet,
    /// On the monotonic clock.
    at: Duration,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.keys.keys.len())
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: i64,
    iat: i64,
    email: Option<String>,
    email_verified: Option<bool>,
}

impl PushVerifier {
    /// Expects pushes for this audience (as set at the subscription, by default the push address) from the subscription's
    /// service account.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when the endpoints name no key set, or the audience or account is empty.
    pub fn new(
        transport: Arc<dyn HttpTransport>,
        endpoints: &Endpoints,
        audience: impl Into<String>,
        service_account: impl Into<String>,
    ) -> Result<Self> {
        Self::with_clock(transport, endpoints, audience, service_account, Arc::new(SystemClock))
    }

    /// The same on another clock.
    ///
    /// # Errors
    /// As [`PushVerifier::new`].
    pub fn with_clock(
        transport: Arc<dyn HttpTransport>,
        endpoints: &Endpoints,
        audience: impl Into<String>,
        service_account: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let invalid =
            |what, why| Error::new(ErrorKind::Invalid { what, why }, OPERATION).with_provider(crate::provider());
        let (audience, service_account) = (audience.into(), service_account.into());
        if audience.is_empty() || service_account.is_empty() {
            return Err(invalid("push", "audience and service account are needed"));
        }
        let jwks = endpoints.oauth.jwks.clone();
        Ok(Self {
            client: Client::builder(crate::PROVIDER, transport, Arc::new(GmailErrors))
                .with_clock(Arc::clone(&clock))
                .build(),
            issuer: endpoints.oauth.issuer.clone(),
            jwks: jwks.ok_or_else(|| invalid("endpoints", "they name no key set"))?,
            audience,
            service_account,
            clock,
            keys: Mutex::new(None),
        })
    }

    /// Verifies the `Authorization` header of a push, then reads its body.
    ///
    /// # Errors
    /// [`FlowFault::IdToken`] with the check that failed; answer 403 then. [`BadPayload`] for a body that is no push; answer
    /// 400. Anything else kept the keys from being fetched; answer 503, and Pub/Sub will repeat the push.
    pub async fn accept(&self, authorization: Option<&str>, body: &[u8]) -> Result<PushMessage> {
        let token = authorization
            .and_then(|header| header.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| rejected("missing"))?;
        self.verify(token).await?;
        PushMessage::decode(body)
    }

    async fn verify(&self, token: &str) -> Result<()> {
        if token.len() > TOKEN_MAX {
            return Err(rejected("size"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| rejected("header"))?;
        // Never what the token likes: no `none`, no shared secret under a public key.
        if header.alg != Algorithm::RS256 {
            return Err(rejected("algorithm"));
        }
        let id = header.kid.as_deref().ok_or_else(|| rejected("key"))?;
        let key = self.key(id).await?.ok_or_else(|| rejected("key"))?;
        let key = DecodingKey::from_jwk(&key).map_err(|_| rejected("key"))?;
        let mut validation = Validation::new(Algorithm::RS256);
        // Audience and times are checked below, by our clock.
        validation.validate_aud = false;
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.required_spec_claims.clear();
        let claims: Claims = jsonwebtoken::decode(token, &key, &validation)
            .map_err(|_| rejected("signature"))?
            .claims;

        // Google names itself with or without the scheme.
        let is_issuer = claims.iss == self.issuer || self.issuer.strip_prefix("https://") == Some(&claims.iss);
        if !is_issuer {
            return Err(rejected("issuer"));
        }
        if claims.aud != self.audience {
            return Err(rejected("audience"));
        }
        let is_account = claims.email.as_deref() == Some(self.service_account.as_str());
        if !is_account || claims.email_verified != Some(true) {
            return Err(rejected("service_account"));
        }
        let now = self.clock.now().unix_seconds();
        if now >= claims.exp.saturating_add(LEEWAY_SECONDS) {
            return Err(rejected("expiry"));
        }
        if claims.iat > now.saturating_add(LEEWAY_SECONDS) {
            return Err(rejected("issued_at"));
        }
        Ok(())
    }

    async fn key(&self, id: &str) -> Result<Option<Jwk>> {
        let mut held = self.keys.lock().await;
        let now = self.clock.monotonic();
        if let Some(held) = &*held {
            let age = now.saturating_sub(held.at);
            let found = held.keys.find(id).cloned();
            if age < KEYS_LIVE && (found.is_some() || age < REFETCH_PAUSE) {
                return Ok(found);
            }
        }
        let keys = self.fetch().await?;
        let found = keys.find(id).cloned();
        *held = Some(Fetched { keys, at: now });
        Ok(found)
    }

    async fn fetch(&self) -> Result<JwkSet> {
        let request = http::Request::get(self.jwks.as_str())
            .body(Bytes::new())
            .map_err(|_| failed(BadPayload::Type))?;
        let call = Call::read("gmail.push.keys", request)
            .without_auth()
            .with_max_body(256 * 1024);
        let answer = self.client.send(call).await?;
        let mut set: Value = serde_json::from_slice(&answer.body).map_err(|error| failed(fault(&error)))?;
        let Some(Value::Array(keys)) = set.get_mut("keys").map(Value::take) else {
            return Err(failed(BadPayload::Type));
        };
        // Keys of kinds that we do not know must not hide those that we do.
        let keys = keys
            .into_iter()
            .filter_map(|key| serde_json::from_value(key).ok())
            .collect();
        Ok(JwkSet { keys })
    }
}

fn fault(error: &serde_json::Error) -> BadPayload {
    match error.classify() {
        serde_json::error::Category::Eof => BadPayload::Truncated,
        serde_json::error::Category::Syntax => BadPayload::Syntax,
        serde_json::error::Category::Data | serde_json::error::Category::Io => BadPayload::Type,
    }
}

fn failed(fault: BadPayload) -> Error {
    Error::new(fault, OPERATION).with_provider(crate::provider())
}

fn rejected(check: &'static str) -> Error {
    let fault = FlowFault::IdToken;
    Error::new(OAuthError::FlowRejected { fault }, OPERATION)
        .with_provider(crate::provider())
        .with_context("check", check)
}
