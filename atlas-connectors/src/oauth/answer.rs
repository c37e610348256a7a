//! Answers of the token and revocation endpoints, read with suspicion: only a well-formed refusal may end a grant.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Response};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use crate::clock::Timestamp;
use crate::connection::RevokeOutcome;
use crate::error::{BadPayload, EgressRule, Error, ErrorKind, OAuthError, Result, SchemaFault, ThrottleScope};
use crate::http::challenge;
use crate::oauth::{GrantType, OAuthProvider, ScopeSet, TokenRefusal};

/// No answer of a token endpoint is longer than this, in bytes; whatever is has another sender.
const MAX_ANSWER: usize = 256 * 1024;
/// The longest that a `Retry-After` is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// A token reply, its secrets sealed away from `Debug` by their types.
pub(crate) struct TokenReply {
    pub(crate) access_token: SecretString,
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) id_token: Option<SecretString>,
    pub(crate) token_type: Box<str>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) refresh_expires_in: Option<Duration>,
    /// As the provider wrote it, not yet normalised.
    pub(crate) scope: Option<ScopeSet>,
}

/// The answer to a device authorization request (RFC 8628, section 3.2).
pub(crate) struct DeviceReply {
    pub(crate) device_code: SecretString,
    pub(crate) user_code: String,
    pub(crate) verification_url: Url,
    pub(crate) verification_url_complete: Option<Url>,
    pub(crate) expires_in: Duration,
    pub(crate) interval: Duration,
}

#[derive(Deserialize)]
struct RawDevice {
    #[serde(deserialize_with = "secret")]
    device_code: SecretString,
    user_code: String,
    /// Google writes `verification_url`.
    #[serde(alias = "verification_url")]
    verification_uri: Url,
    #[serde(default, alias = "verification_url_complete")]
    verification_uri_complete: Option<Url>,
    #[serde(deserialize_with = "seconds")]
    expires_in: Option<Duration>,
    #[serde(default, deserialize_with = "seconds")]
    interval: Option<Duration>,
}

#[derive(Deserialize)]
struct RawReply {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
    #[serde(default, deserialize_with = "maybe_secret")]
    refresh_token: Option<SecretString>,
    #[serde(default, deserialize_with = "maybe_secret")]
    id_token: Option<SecretString>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<Duration>,
    #[serde(default, deserialize_with = "seconds")]
    refresh_token_expires_in: Option<Duration>,
    #[serde(default)]
    scope: Option<String>,
}

#[derive(Deserialize)]
struct RawRefusal {
    error: String,
    #[serde(default)]
    error_description: Option<Value>,
    #[serde(default)]
    error_subtype: Option<Value>,
    #[serde(default)]
    suberror: Option<Value>,
    #[serde(default)]
    error_codes: Option<Value>,
    #[serde(default, deserialize_with = "lenient_secret")]
    claims: Option<SecretString>,
}

/// The reply, or what its lack means.
pub(crate) fn token_answer(
    operation: &'static str,
    provider: &dyn OAuthProvider,
    grant: GrantType,
    answer: &Response<Bytes>,
    now: Timestamp,
) -> Result<TokenReply> {
    let status = answer.status().as_u16();
    if status == 200 {
        return reply(operation, answer);
    }
    Err(refusal(operation, provider, grant, answer, now).with_status(status))
}

/// What became of a token that was to be revoked.
pub(crate) fn revoke_answer(
    provider: &dyn OAuthProvider,
    answer: &Response<Bytes>,
    now: Timestamp,
) -> Result<RevokeOutcome> {
    const OPERATION: &str = "oauth.revoke";
    let status = answer.status().as_u16();
    if status == 200 {
        return Ok(RevokeOutcome::Revoked);
    }
    // Google answers 400 `invalid_token` for what is not valid any more (`gmail.md`, section 1).
    if status == 400
        && let Some(raw) = well_formed(answer)
        && raw.error == "invalid_token"
    {
        return Ok(RevokeOutcome::AlreadyGone);
    }
    Err(refusal(OPERATION, provider, GrantType::RefreshToken, answer, now).with_status(status))
}

/// The device code, or what its lack means.
pub(crate) fn device_answer(
    operation: &'static str,
    provider: &dyn OAuthProvider,
    answer: &Response<Bytes>,
    now: Timestamp,
) -> Result<DeviceReply> {
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(refusal(operation, provider, GrantType::DeviceCode, answer, now).with_status(status));
    }
    let raw: RawDevice = json(operation, answer)?;
    Ok(DeviceReply {
        device_code: raw.device_code,
        user_code: raw.user_code,
        verification_url: raw.verification_uri,
        verification_url_complete: raw.verification_uri_complete,
        expires_in: raw.expires_in.unwrap_or_default(),
        // RFC 8628, section 3.2: 5 seconds where nothing is said.
        interval: raw
            .interval
            .unwrap_or(Duration::from_secs(5))
            .max(Duration::from_secs(1)),
    })
}

fn json<T: DeserializeOwned>(operation: &'static str, answer: &Response<Bytes>) -> Result<T> {
    let body = answer.body();
    if body.len() > MAX_ANSWER {
        return Err(Error::new(BadPayload::TooLarge, operation));
    }
    if !may_be_json(answer.headers(), body) {
        return Err(Error::new(BadPayload::Type, operation));
    }
    // The parser's own error may quote what it read, which holds tokens: only its class goes on.
    serde_json::from_slice(body).map_err(|error| {
        let fault = match error.classify() {
            serde_json::error::Category::Eof | serde_json::error::Category::Io => BadPayload::Truncated,
            serde_json::error::Category::Syntax => BadPayload::Syntax,
            serde_json::error::Category::Data => BadPayload::Type,
        };
        Error::new(fault, operation)
    })
}

fn reply(operation: &'static str, answer: &Response<Bytes>) -> Result<TokenReply> {
    let raw: RawReply = json(operation, answer)?;
    let token_type = raw.token_type.unwrap_or_else(|| "Bearer".to_owned());
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err(Error::new(
            ErrorKind::SchemaMismatch {
                path: "token_type".to_owned(),
                fault: SchemaFault::Value,
            },
            operation,
        ));
    }
    Ok(TokenReply {
        access_token: raw.access_token,
        refresh_token: raw.refresh_token,
        id_token: raw.id_token,
        token_type: token_type.into(),
        expires_in: raw.expires_in,
        refresh_expires_in: raw.refresh_token_expires_in,
        scope: raw
            .scope
            .map(|list| ScopeSet::parse(&list))
            .filter(|scopes| !scopes.is_empty()),
    })
}

fn refusal(
    operation: &'static str,
    provider: &dyn OAuthProvider,
    grant: GrantType,
    answer: &Response<Bytes>,
    now: Timestamp,
) -> Error {
    let status = answer.status().as_u16();
    match status {
        300..=399 => return Error::new(EgressRule::Redirect, operation),
        429 => {
            return Error::new(
                ErrorKind::Throttled {
                    scope: ThrottleScope::Project,
                    until: retry_after(answer.headers(), now),
                },
                operation,
            );
        }
        408 | 425 | 500..=599 => return Error::new(OAuthError::Transient, operation),
        _ => {}
    }
    // A page of a proxy, a cut body: whoever wrote it, it was not the authorization server in its own words.
    let (Some(raw), 400 | 401 | 403) = (well_formed(answer), status) else {
        return Error::new(OAuthError::Transient, operation);
    };
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let description = text(&raw.error_description);
    let suberror = text(&raw.error_subtype).or_else(|| text(&raw.suberror));
    let codes: Vec<u64> = match &raw.error_codes {
        Some(Value::Array(codes)) => codes.iter().filter_map(Value::as_u64).collect(),
        _ => Vec::new(),
    };
    let refusal = TokenRefusal::new(grant, status, &raw.error)
        .with_description(description.as_deref())
        .with_suberror(suberror.as_deref())
        .with_codes(&codes);
    let class = match provider.classify_token_error(&refusal) {
        // RFC 6749, section 5.2, knows 400 and 401 only; a gateway's 403 must not end a grant.
        error if error.ends_grant() && status == 403 => OAuthError::Other,
        error => error,
    };
    let error = Error::new(class, operation).with_provider_code(&raw.error);
    match raw.claims.as_ref().and_then(challenge::of_text) {
        Some(challenge) => error.with_claims_challenge(challenge),
        None => error,
    }
}

/// The refusal, if this is a JSON object with `error` as RFC 6749, section 5.2, has it.
fn well_formed(answer: &Response<Bytes>) -> Option<RawRefusal> {
    let body = answer.body();
    if body.len() > MAX_ANSWER || !may_be_json(answer.headers(), body) {
        return None;
    }
    let raw: RawRefusal = serde_json::from_slice(body).ok()?;
    (!raw.error.is_empty()).then_some(raw)
}

/// Says no to what declares itself to be something else, or plainly is.
fn may_be_json(headers: &HeaderMap, body: &[u8]) -> bool {
    let declared = match headers.get(CONTENT_TYPE) {
        None => true,
        Some(value) => value
            .to_str()
            .is_ok_and(|text| text.to_ascii_lowercase().contains("json")),
    };
    declared && body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(now.after(Duration::from_secs(seconds).min(MAX_RETRY_AFTER)))
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Err(serde::de::Error::custom("empty"));
    }
    Ok(SecretString::from(text))
}

fn maybe_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(SecretString::from))
}

/// A text; whatever else stands there is passed over.
fn lenient_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(SecretString::from(text)),
        _ => None,
    })
}

/// Seconds as a number, or as a text with a number in it, which some servers write.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    let seconds = match value {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(seconds.map(Duration::from_secs))
}
