//! The consent page, discovery, keys, userinfo and tokeninfo.

use atlas_connectors::Timestamp;
use atlas_connectors::testkit::server::{jwks, random};
use serde_json::{Value, json};
use url::Url;

use super::account::{Blocked, Consent, User};
use super::answer::{HTML, JSON, Reply, set};
use super::auth::{Auth, Challenge, Code, Scopes, is_sign_in, long};

/// What the browser gets for an authorization request: the address it is sent back to, or a page of Google's.
pub(super) fn authorize(auth: &mut Auth, query: &[(String, String)], now: Timestamp) -> Result<String, Blocked> {
    let value = |name: &str| {
        query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let client = value("client_id")
        .and_then(|id| auth.clients.get(id))
        .ok_or(Blocked::InvalidClient)?;
    if client.deleted {
        return Err(Blocked::DeletedClient);
    }
    let redirect = value("redirect_uri").ok_or(Blocked::InvalidRequest)?;
    if !client.accepts(redirect) {
        return Err(Blocked::RedirectUriMismatch);
    }
    let desktop = client.redirects.is_none();
    let client = client.id.clone();
    if value("response_type") != Some("code") {
        return Err(Blocked::InvalidRequest);
    }
    let asked: Scopes = value("scope")
        .unwrap_or_default()
        .split_ascii_whitespace()
        .map(|scope| long(scope).to_owned())
        .collect();
    if asked.is_empty() {
        return Err(Blocked::InvalidRequest);
    }
    if asked.iter().any(|scope| !known_scope(scope)) {
        return Err(Blocked::InvalidScope);
    }
    let challenge = match (value("code_challenge"), value("code_challenge_method")) {
        (None, None) => None,
        (Some(challenge), Some("S256")) => Some(Challenge::S256(challenge.to_owned())),
        (Some(challenge), None | Some("plain")) => Some(Challenge::Plain(challenge.to_owned())),
        _ => return Err(Blocked::InvalidRequest),
    };
    let mut back = Url::parse(redirect).map_err(|_| Blocked::InvalidRequest)?;
    let state = value("state").map(str::to_owned);
    let consent = auth.consents.pop_front().unwrap_or(Consent::Approve);
    let hinted = value("login_hint")
        .and_then(|hint| auth.user(hint))
        .or_else(|| auth.users.first());
    let (user, ticked) = match consent {
        Consent::Deny => {
            let mut pairs = back.query_pairs_mut();
            pairs.append_pair("error", "access_denied");
            if let Some(state) = state {
                pairs.append_pair("state", &state);
            }
            drop(pairs);
            return Ok(back.into());
        }
        Consent::Blocked(why) => return Err(why),
        Consent::Approve => (hinted, None),
        Consent::Only(scopes) => {
            let ticked: Scopes = scopes.iter().map(|scope| long(scope).to_owned()).collect();
            (hinted, Some(ticked))
        }
        Consent::Account(email) => (auth.user(&email), None),
    };
    let user = user.cloned().ok_or(Blocked::InvalidRequest)?;
    let key = (user.email.clone(), client.clone());
    let earlier = auth.granted.get(&key).cloned().unwrap_or_default();
    let prompt = value("prompt").unwrap_or_default();
    if prompt == "none" && !asked.is_subset(&earlier) {
        let mut pairs = back.query_pairs_mut();
        pairs.append_pair("error", "interaction_required");
        if let Some(state) = state {
            pairs.append_pair("state", &state);
        }
        drop(pairs);
        return Ok(back.into());
    }
    let mut scopes: Scopes = asked
        .into_iter()
        .filter(|scope| is_sign_in(scope) || ticked.as_ref().is_none_or(|ticked| ticked.contains(scope)))
        .collect();
    if value("include_granted_scopes") == Some("true") {
        scopes.extend(earlier.iter().cloned());
    }
    // A web client gets a refresh token with offline access, the first time or when consent was asked for again.
    let offline = desktop
        || value("access_type") == Some("offline")
            && (earlier.is_empty() || prompt.split_ascii_whitespace().any(|one| one == "consent"));
    auth.granted.entry(key).or_default().extend(scopes.iter().cloned());
    let code = format!("4/0A{}", random(70));
    let scope_list = list(&scopes);
    let expires = now.after(auth.settings.code_lifetime);
    auth.codes.insert(
        code.clone(),
        Code {
            client,
            user: user.email.clone(),
            redirect: redirect.to_owned(),
            scopes,
            nonce: value("nonce").map(str::to_owned),
            challenge,
            offline,
            expires,
            spent: false,
        },
    );
    let iss = match &auth.settings.redirect_iss {
        None => Some(auth.settings.issuer.clone()),
        Some(chosen) => chosen.clone(),
    };
    let mut pairs = back.query_pairs_mut();
    if let Some(state) = state {
        pairs.append_pair("state", &state);
    }
    if let Some(iss) = iss {
        pairs.append_pair("iss", &iss);
    }
    pairs
        .append_pair("code", &code)
        .append_pair("scope", &scope_list)
        .append_pair("authuser", "0");
    if let Some(hd) = &user.hd {
        pairs.append_pair("hd", hd);
    }
    pairs.append_pair("prompt", if prompt.is_empty() { "consent" } else { prompt });
    drop(pairs);
    Ok(back.into())
}

pub(super) fn page(why: Blocked) -> Reply {
    let body = format!(
        "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Error {status}: {code}</title><h1>Access blocked</h1><p>Error {status}: {code}</html>\n",
        status = why.status(),
        code = why.code()
    );
    Reply::with_status(why.status(), HTML, body.into_bytes())
}

/// The discovery document, with the mock's own addresses.
pub(super) fn discovery(auth: &Auth, base: &str) -> Reply {
    Reply::json(&json!({
        "issuer": auth.settings.issuer,
        "authorization_endpoint": format!("{base}/o/oauth2/v2/auth"),
        "token_endpoint": format!("{base}/token"),
        "userinfo_endpoint": format!("{base}/v1/userinfo"),
        "revocation_endpoint": format!("{base}/revoke"),
        "jwks_uri": format!("{base}/oauth2/v3/certs"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["aud", "email", "email_verified", "exp", "family_name", "given_name", "hd", "iat", "iss", "name", "picture", "sub"],
        "code_challenge_methods_supported": ["plain", "S256"],
    }))
}

pub(super) fn certs(auth: &Auth) -> Reply {
    Reply::json(&jwks(&auth.keys)).header("cache-control", "public, max-age=19800, must-revalidate, no-transform")
}

pub(super) fn userinfo(auth: &Auth, bearer: Option<&str>, now: Timestamp) -> Reply {
    let access = bearer
        .and_then(|token| auth.access.get(token))
        .filter(|access| access.expires > now);
    match access.and_then(|access| Some((access, auth.user(&access.user)?))) {
        Some((access, user)) => Reply::json(&claims_about(user, &access.scopes)),
        None => {
            let body = json!({"error": "invalid_request", "error_description": "Invalid Credentials"});
            Reply::with_status(401, JSON, body.to_string().into_bytes())
        }
    }
}

pub(super) fn tokeninfo(auth: &Auth, token: Option<&str>, now: Timestamp) -> Reply {
    let access = token
        .and_then(|token| auth.access.get(token))
        .filter(|access| access.expires > now);
    let Some((access, user)) = access.and_then(|access| Some((access, auth.user(&access.user)?))) else {
        let body = json!({"error": "invalid_token", "error_description": "Invalid Value"});
        return Reply::with_status(400, JSON, body.to_string().into_bytes());
    };
    let mut info = json!({
        "azp": access.client,
        "aud": access.client,
        "sub": user.sub,
        "scope": list(&access.scopes),
        "exp": access.expires.unix_seconds().to_string(),
        "expires_in": access.expires.since(now).as_secs().to_string(),
        "access_type": "offline",
    });
    if access.scopes.contains(long("email")) {
        set(&mut info, "email", json!(user.email));
        set(&mut info, "email_verified", json!(user.verified.to_string()));
    }
    Reply::json(&info)
}

/// What the sign-in scopes tell about a person.
pub(super) fn claims_about(user: &User, scopes: &Scopes) -> Value {
    let mut claims = json!({ "sub": user.sub });
    if scopes.contains(long("email")) {
        set(&mut claims, "email", json!(user.email));
        set(&mut claims, "email_verified", json!(user.verified));
    }
    if scopes.contains(long("profile")) {
        let (given, family) = user.name.split_once(' ').unwrap_or((&user.name, ""));
        set(&mut claims, "name", json!(user.name));
        set(&mut claims, "given_name", json!(given));
        if !family.is_empty() {
            set(&mut claims, "family_name", json!(family));
        }
        set(
            &mut claims,
            "picture",
            json!("https://lh3.googleusercontent.com/a/mock=s96-c"),
        );
    }
    if let Some(hd) = &user.hd {
        set(&mut claims, "hd", json!(hd));
    }
    claims
}

pub(super) fn list(scopes: &Scopes) -> String {
    scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn known_scope(scope: &str) -> bool {
    is_sign_in(scope) || scope == "https://mail.google.com/" || scope.starts_with("https://www.googleapis.com/auth/")
}
