//! The token and revocation endpoints.

use atlas_connectors::Timestamp;
use atlas_connectors::testkit::server::SigningKey;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::account::{Client, IdTokenFault};
use super::answer::{Reply, TokenError, set};
use super::auth::{Auth, Challenge, Scopes, long};
use super::counters::Counters;
use super::oauth::{claims_about, list};

/// A form, decoded.
pub(super) type Form = [(String, String)];

fn field<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

pub(super) fn token(
    auth: &mut Auth,
    counters: &mut Counters,
    form: &Form,
    basic: Option<&str>,
    now: Timestamp,
) -> Result<Reply, TokenError> {
    auth.sweep(now);
    let client = authenticate(auth, form, basic)?;
    match field(form, "grant_type") {
        Some("authorization_code") => exchange(auth, counters, form, &client, now),
        Some("refresh_token") => refresh(auth, counters, form, &client, now),
        _ => Err(TokenError::UnsupportedGrantType),
    }
}

fn authenticate(auth: &Auth, form: &Form, basic: Option<&str>) -> Result<String, TokenError> {
    let decoded = basic
        .and_then(|text| STANDARD.decode(text).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let basic = decoded.as_deref().and_then(|pair| pair.split_once(':'));
    let (id, secret) = match basic {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => (field(form, "client_id"), field(form, "client_secret")),
    };
    let client: &Client = id
        .and_then(|id| auth.clients.get(id))
        .ok_or(TokenError::ClientNotFound)?;
    match (&client.secret, secret) {
        (Some(_), None | Some("")) => Err(TokenError::SecretMissing),
        (Some(wanted), Some(given)) if wanted != given => Err(TokenError::WrongSecret),
        _ if client.deleted => Err(TokenError::ClientNotFound),
        _ => Ok(client.id.clone()),
    }
}

fn exchange(
    auth: &mut Auth,
    counters: &mut Counters,
    form: &Form,
    client: &str,
    now: Timestamp,
) -> Result<Reply, TokenError> {
    let text = field(form, "code").unwrap_or_default();
    // A code that was encoded twice or cut is told apart from one that is merely spent.
    if !text.starts_with("4/") {
        return Err(TokenError::MalformedCode);
    }
    let code = auth.codes.get_mut(text).ok_or(TokenError::BadRequest)?;
    if code.spent || code.client != client || code.expires <= now {
        return Err(TokenError::BadRequest);
    }
    if field(form, "redirect_uri") != Some(code.redirect.as_str()) {
        return Err(TokenError::RedirectUriMismatch);
    }
    match (&code.challenge, field(form, "code_verifier")) {
        (None, None) => {}
        (Some(_), None | Some("")) => return Err(TokenError::MissingVerifier),
        (None, Some(_)) => return Err(TokenError::InvalidVerifier),
        (Some(challenge), Some(verifier)) => {
            if !fits(challenge, verifier) {
                return Err(TokenError::InvalidVerifier);
            }
        }
    }
    code.spent = true;
    let code = code.clone();
    counters.code_exchanges += 1;
    let refresh = code
        .offline
        .then(|| auth.issue_refresh(&code.user, client, &code.scopes, now));
    Ok(answer(
        auth,
        &code.user,
        client,
        &code.scopes,
        code.nonce.as_deref(),
        refresh,
        now,
    ))
}

fn refresh(
    auth: &mut Auth,
    counters: &mut Counters,
    form: &Form,
    client: &str,
    now: Timestamp,
) -> Result<Reply, TokenError> {
    let text = field(form, "refresh_token").unwrap_or_default();
    let held = auth.refresh.get(text).cloned().ok_or(TokenError::Revoked)?;
    if held.client != client {
        return Err(TokenError::Revoked);
    }
    if held.expires.is_some_and(|expires| expires <= now) {
        auth.refresh.remove(text);
        return Err(TokenError::Revoked);
    }
    if held.replaced {
        counters.rotated_reuses += 1;
        auth.end_grant(&held.user, client);
        return Err(TokenError::Revoked);
    }
    let scopes: Scopes = match field(form, "scope") {
        None | Some("") => held.scopes.clone(),
        Some(narrower) => narrower
            .split_ascii_whitespace()
            .map(|scope| long(scope).to_owned())
            .filter(|scope| held.scopes.contains(scope))
            .collect(),
    };
    counters.refreshes += 1;
    let next = auth.settings.rotate.then(|| {
        counters.rotations += 1;
        if let Some(old) = auth.refresh.get_mut(text) {
            old.replaced = true;
        }
        auth.issue_refresh(&held.user, client, &held.scopes, now)
    });
    Ok(answer(auth, &held.user, client, &scopes, None, next, now))
}

fn answer(
    auth: &mut Auth,
    user: &str,
    client: &str,
    scopes: &Scopes,
    nonce: Option<&str>,
    refresh: Option<String>,
    now: Timestamp,
) -> Reply {
    let mut body = json!({
        "access_token": auth.issue_access(user, client, scopes, now),
        "expires_in": auth.settings.expires_in.as_secs(),
        "scope": list(scopes),
        "token_type": "Bearer",
    });
    if let Some(refresh) = refresh {
        set(&mut body, "refresh_token", json!(refresh));
        if let Some(lifetime) = auth.settings.refresh_token_lifetime {
            set(&mut body, "refresh_token_expires_in", json!(lifetime.as_secs()));
        }
    }
    if scopes.contains("openid")
        && let Some(token) = id_token(auth, user, client, scopes, nonce, now)
    {
        set(&mut body, "id_token", json!(token));
    }
    Reply::with_status(200, "application/json; charset=utf-8", body.to_string().into_bytes())
        .header("cache-control", "no-cache, no-store, max-age=0, must-revalidate")
}

fn id_token(
    auth: &mut Auth,
    user: &str,
    client: &str,
    scopes: &Scopes,
    nonce: Option<&str>,
    now: Timestamp,
) -> Option<String> {
    let fault = auth.id_token_faults.pop_front();
    let mut claims = claims_about(auth.user(user)?, scopes);
    let issued = now.unix_seconds();
    let put = |claims: &mut Value, key: &str, value: Value| set(claims, key, value);
    put(&mut claims, "iss", json!(auth.settings.issuer));
    put(&mut claims, "azp", json!(client));
    put(&mut claims, "aud", json!(client));
    put(&mut claims, "iat", json!(issued));
    put(&mut claims, "exp", json!(issued.saturating_add(3600)));
    if let Some(nonce) = nonce {
        put(&mut claims, "nonce", json!(nonce));
    }
    match fault {
        Some(IdTokenFault::Missing) => return None,
        Some(IdTokenFault::Audience) => put(&mut claims, "aud", json!("someone-else.apps.googleusercontent.com")),
        Some(IdTokenFault::Issuer) => put(&mut claims, "iss", json!("https://accounts.evil.example")),
        Some(IdTokenFault::Expired) => {
            put(&mut claims, "iat", json!(issued.saturating_sub(7200)));
            put(&mut claims, "exp", json!(issued.saturating_sub(3600)));
        }
        Some(IdTokenFault::Nonce) => put(&mut claims, "nonce", json!("another-nonce")),
        Some(IdTokenFault::Signature) => return Some(SigningKey::generate()?.sign(&claims)),
        None => {}
    }
    Some(auth.keys.first()?.sign(&claims))
}

fn fits(challenge: &Challenge, verifier: &str) -> bool {
    let fit_to_be_one = (43..=128).contains(&verifier.len())
        && verifier
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    match challenge {
        Challenge::Plain(challenge) => fit_to_be_one && challenge == verifier,
        Challenge::S256(challenge) => {
            fit_to_be_one && *challenge == URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
        }
    }
}

/// Ends the grant behind a token: 200 the first time, 400 `invalid_token` after that.
pub(super) fn revoke(auth: &mut Auth, counters: &mut Counters, form: &Form) -> Reply {
    let token = field(form, "token").unwrap_or_default();
    let owner = match (auth.refresh.get(token), auth.access.get(token)) {
        (Some(refresh), _) => Some((refresh.user.clone(), refresh.client.clone())),
        (None, Some(access)) => Some((access.user.clone(), access.client.clone())),
        (None, None) => None,
    };
    let Some((user, client)) = owner else {
        let body = json!({"error": "invalid_token", "error_description": "Token expired or revoked"});
        return Reply::with_status(400, "application/json; charset=utf-8", body.to_string().into_bytes());
    };
    auth.end_grant(&user, &client);
    counters.revokes += 1;
    Reply::json(&json!({}))
}
