//! Id tokens: whose they are is believed only after the provider's signature and every claim were checked.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;

use crate::error::{BadPayload, Error, FlowFault, OAuthError, Result};
use crate::oauth::{IdClaims, OAuthApp};

const OPERATION: &str = "oauth.id_token";
/// How long a key set is used before it is fetched again.
const KEYS_LIVE: Duration = Duration::from_secs(3600);
/// An unknown key id makes us fetch the set again, but not more often than this: anyone can send us a made-up id.
const REFETCH_PAUSE: Duration = Duration::from_secs(60);
const MAX_KEY_SET: usize = 256 * 1024;
const MAX_ID_TOKEN: usize = 16 * 1024;

/// The provider's signing keys, fetched when first needed. Waiters share one fetch.
#[derive(Default)]
pub(crate) struct KeySet(Mutex<Option<Fetched>>);

struct Fetched {
    keys: JwkSet,
    /// On the monotonic clock.
    at: Duration,
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySet")
    }
}

impl KeySet {
    /// Fetches the keys unless they are there, so that an outage shows before a code is spent on it.
    pub(crate) async fn warm(&self, app: &OAuthApp) -> Result<()> {
        let mut held = self.0.lock().await;
        let now = app.clock().monotonic();
        if held
            .as_ref()
            .is_none_or(|held| now.saturating_sub(held.at) >= KEYS_LIVE)
        {
            let keys = fetch(app).await?;
            *held = Some(Fetched { keys, at: now });
        }
        Ok(())
    }

    async fn find(&self, app: &OAuthApp, id: Option<&str>) -> Result<Option<Jwk>> {
        let mut held = self.0.lock().await;
        let now = app.clock().monotonic();
        if let Some(held) = &*held
            && now.saturating_sub(held.at) < KEYS_LIVE
        {
            let found = pick(&held.keys, id);
            if found.is_some() || now.saturating_sub(held.at) < REFETCH_PAUSE {
                return Ok(found);
            }
        }
        let keys = fetch(app).await?;
        let found = pick(&keys, id);
        *held = Some(Fetched { keys, at: now });
        Ok(found)
    }
}

/// The key with this id; without an id, the only key there is.
fn pick(keys: &JwkSet, id: Option<&str>) -> Option<Jwk> {
    match (id, keys.keys.as_slice()) {
        (Some(id), _) => keys.find(id).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}

async fn fetch(app: &OAuthApp) -> Result<JwkSet> {
    let Some(endpoint) = &app.provider().endpoints().jwks else {
        return Err(rejected("key_set"));
    };
    let request = http::Request::get(endpoint.as_str())
        .header(ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|_| rejected("key_set"))?;
    let answer = app.transport().send(request).await?;
    if answer.status() != 200 {
        return Err(Error::new(OAuthError::Transient, OPERATION).with_status(answer.status().as_u16()));
    }
    if answer.body().len() > MAX_KEY_SET {
        return Err(Error::new(BadPayload::TooLarge, OPERATION));
    }
    // Keys of kinds that we do not know must not hide those that we do.
    let Ok(Value::Object(mut set)) = serde_json::from_slice::<Value>(answer.body()) else {
        return Err(Error::new(BadPayload::Syntax, OPERATION));
    };
    let Some(Value::Array(keys)) = set.remove("keys") else {
        return Err(Error::new(BadPayload::Type, OPERATION));
    };
    let keys = keys
        .into_iter()
        .filter_map(|key| serde_json::from_value(key).ok())
        .collect();
    Ok(JwkSet { keys })
}

/// The claims of an id token, after signature, audience, issuer, times and nonce were checked.
pub(crate) async fn verify(app: &OAuthApp, token: &SecretString, nonce: Option<&SecretString>) -> Result<IdClaims> {
    let token = token.expose_secret();
    if token.len() > MAX_ID_TOKEN {
        return Err(rejected("size"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| rejected("header"))?;
    // Never what the token likes: no `none`, no shared secret under a public key.
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(rejected("algorithm"));
    }
    let Some(key) = app.keys().find(app, header.kid.as_deref()).await? else {
        return Err(rejected("key"));
    };
    let key = DecodingKey::from_jwk(&key).map_err(|_| rejected("key"))?;
    // Times and audience are checked below, by our clock.
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims: IdClaims = jsonwebtoken::decode(token, &key, &validation)
        .map_err(|_| rejected("signature"))?
        .claims;
    check(app, &claims, nonce)?;
    Ok(claims)
}

fn check(app: &OAuthApp, claims: &IdClaims, nonce: Option<&SecretString>) -> Result<()> {
    let client = app.client().id.as_str();
    let audience_fits = match claims.other.get("aud") {
        Some(Value::String(audience)) => audience == client,
        // With several, the token must say that it was made for us (OpenID Connect Core, section 3.1.3.7).
        Some(Value::Array(audiences)) => {
            let ours = audiences.iter().any(|audience| audience.as_str() == Some(client));
            ours && (audiences.len() == 1 || claims.text("azp") == Some(client))
        }
        _ => false,
    };
    let party_fits = claims
        .other
        .get("azp")
        .is_none_or(|party| party.as_str() == Some(client));
    if !(audience_fits && party_fits) {
        return Err(rejected("audience"));
    }
    if !app.provider().accepts_issuer(claims) {
        return Err(rejected("issuer"));
    }
    if claims.subject.is_empty() || claims.subject.len() > 255 {
        return Err(rejected("subject"));
    }
    let now = app.clock().now().unix_seconds();
    let leeway = i64::try_from(app.leeway().as_secs()).unwrap_or(0);
    let time = |name: &str| claims.other.get(name).and_then(Value::as_i64);
    if time("exp").is_none_or(|expires| now >= expires.saturating_add(leeway)) {
        return Err(rejected("expiry"));
    }
    if time("iat").is_none_or(|issued| issued > now.saturating_add(leeway)) {
        return Err(rejected("issued_at"));
    }
    if time("nbf").is_some_and(|from| from > now.saturating_add(leeway)) {
        return Err(rejected("not_before"));
    }
    if let Some(nonce) = nonce {
        let returned = claims.nonce.as_deref().unwrap_or_default();
        if !bool::from(returned.as_bytes().ct_eq(nonce.expose_secret().as_bytes())) {
            return Err(rejected("nonce"));
        }
    }
    Ok(())
}

pub(crate) fn rejected(check: &'static str) -> Error {
    let fault = FlowFault::IdToken;
    Error::new(OAuthError::FlowRejected { fault }, OPERATION).with_context("check", check)
}
