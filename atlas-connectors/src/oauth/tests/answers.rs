//! F17, F18: what the token endpoint may say, and what only it may say.

use bytes::Bytes;
use http::Response;
use secrecy::ExposeSecret as _;

use super::world::*;
use crate::connection::{ConnectionEvent, RevokeOutcome};
use crate::credential::Refresh as _;
use crate::error::{Effect, ErrorKind, Unreachable};
use crate::oauth::GrantType;
use crate::oauth::answer::{revoke_answer, token_answer};
use crate::{Error, Timestamp};

const JSON: &str = "application/json; charset=utf-8";
const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);
const CANARY: &str = "canary-in-the-body";

fn answer(status: u16, kind: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    let answer = Response::builder().status(status).header("content-type", kind);
    answer.body(body.into()).unwrap()
}

fn refused(grant: GrantType, answer: &Response<Bytes>) -> Error {
    let world = World::new();
    let error = token_answer("test", world.app.provider(), grant, answer, NOW)
        .map(|_| ())
        .unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(CANARY), "{shown}");
    error
}

#[test]
fn the_table_of_the_rfc() {
    use GrantType::{AuthorizationCode as Code, RefreshToken as Refresh};

    for (grant, status, error, code) in [
        (Code, 400, "invalid_grant", "oauth.invalid_grant.code"),
        (Refresh, 400, "invalid_grant", "oauth.invalid_grant.revoked"),
        (Refresh, 401, "invalid_grant", "oauth.invalid_grant.revoked"),
        (
            Refresh,
            400,
            "interaction_required",
            "oauth.invalid_grant.interaction_required",
        ),
        (Refresh, 401, "invalid_client", "oauth.client.credentials"),
        (Refresh, 400, "unauthorized_client", "oauth.client.not_authorized"),
        (Code, 400, "redirect_uri_mismatch", "oauth.client.redirect_uri"),
        (Code, 400, "invalid_scope", "oauth.client.scope"),
        (Code, 400, "invalid_request", "oauth.client.request"),
        (Code, 400, "unsupported_grant_type", "oauth.client.request"),
        (Refresh, 400, "use_dpop_nonce", "oauth.client.proof"),
        (Refresh, 400, "temporarily_unavailable", "oauth.transient"),
        (Refresh, 400, "server_error", "oauth.transient"),
        (Refresh, 400, "never_heard_of", "oauth.other"),
        // Not the answer of RFC 6749, section 5.2: it must not end a grant.
        (Refresh, 403, "invalid_grant", "oauth.other"),
    ] {
        let body = format!(r#"{{"error":"{error}","error_description":"{CANARY} @ somebody"}}"#);
        let refusal = refused(grant, &answer(status, JSON, body));
        assert_eq!(refusal.code(), code, "{status} {error}");
        assert_eq!(refusal.provider_code().unwrap().as_str(), error);
        assert_eq!(refusal.status(), Some(status));
    }
}

#[test]
fn whatever_else_answers_never_ends_a_grant() {
    let gone = format!(r#"{{"error":"invalid_grant","error_description":"{CANARY}"}}"#);
    let html = format!("<html><body>invalid_grant {CANARY}</body></html>");
    let cut = gone.get(..gone.len() - 3).unwrap().to_owned();
    for (status, kind, body, code) in [
        (500, JSON, gone.clone(), "oauth.transient"),
        (502, "text/html", html.clone(), "oauth.transient"),
        (503, JSON, gone.clone(), "oauth.transient"),
        (504, JSON, gone.clone(), "oauth.transient"),
        (408, JSON, gone.clone(), "oauth.transient"),
        (429, JSON, gone.clone(), "throttled.project"),
        (400, "text/html", html.clone(), "oauth.transient"),
        (400, "text/html", gone.clone(), "oauth.transient"),
        (401, JSON, html.clone(), "oauth.transient"),
        (400, JSON, cut, "oauth.transient"),
        (400, JSON, String::new(), "oauth.transient"),
        (400, JSON, "[]".to_owned(), "oauth.transient"),
        (
            400,
            JSON,
            r#"{"error":{"code":"invalid_grant"}}"#.to_owned(),
            "oauth.transient",
        ),
        (400, JSON, r#"{"error":""}"#.to_owned(), "oauth.transient"),
        (
            400,
            JSON,
            r#"{"error":"x","error":"invalid_grant"}"#.to_owned(),
            "oauth.transient",
        ),
        (404, JSON, gone.clone(), "oauth.transient"),
        (302, "text/html", html.clone(), "egress.redirect"),
        (200, "text/html", html.clone(), "bad_payload.type"),
        (200, JSON, html, "bad_payload.type"),
        (
            200,
            JSON,
            format!(r#"{{"access_token":"{CANARY}"#),
            "bad_payload.truncated",
        ),
        (
            200,
            JSON,
            format!(r#"{{"access_token":"{CANARY}",}}"#),
            "bad_payload.syntax",
        ),
        (
            200,
            JSON,
            format!(r#"{{"refresh_token":"{CANARY}"}}"#),
            "bad_payload.type",
        ),
        (200, JSON, r#"{"access_token":""}"#.to_owned(), "bad_payload.type"),
        (
            200,
            JSON,
            format!(r#"{{"access_token":"{CANARY}","token_type":"mac"}}"#),
            "schema_mismatch",
        ),
        (200, JSON, gone, "bad_payload.type"),
    ] {
        let error = refused(GrantType::RefreshToken, &answer(status, kind, body.clone()));
        assert_eq!(error.code(), code, "{status} {kind} {body}");
        assert!(!error.oauth().is_some_and(|class| class.ends_grant()), "{body}");
        assert_eq!(ConnectionEvent::of_error(&error, NOW), None, "{body}");
    }
}

#[test]
fn every_cut_of_a_refusal_is_passing() {
    let whole = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
    for length in 0..whole.len() {
        let error = refused(GrantType::RefreshToken, &answer(400, JSON, &whole.as_bytes()[..length]));
        assert_eq!(error.code(), "oauth.transient", "cut to {length}");
    }
}

#[test]
fn a_client_at_fault_is_not_the_grant() {
    for error in ["invalid_client", "unauthorized_client", "redirect_uri_mismatch"] {
        let body = format!(r#"{{"error":"{error}"}}"#);
        let refusal = refused(GrantType::RefreshToken, &answer(401, JSON, body));
        let event = ConnectionEvent::of_error(&refusal, NOW).unwrap();
        assert!(matches!(event, ConnectionEvent::Failed { .. }), "{event:?}");
    }
}

#[test]
fn throttling_tells_until_when_within_reason() {
    for (header, seconds) in [
        ("30", Some(30)),
        ("999999999", Some(3600)),
        ("soon", None),
        ("-5", None),
    ] {
        let mut throttled = answer(429, JSON, "{}");
        throttled.headers_mut().insert("retry-after", header.parse().unwrap());
        let error = refused(GrantType::RefreshToken, &throttled);
        let ErrorKind::Throttled { until, .. } = error.kind() else {
            panic!("{error:?}");
        };
        assert_eq!(
            *until,
            seconds.map(|seconds| NOW.after(std::time::Duration::from_secs(seconds))),
            "{header}"
        );
    }
}

#[test]
fn numbers_may_be_texts_and_scopes_may_be_absent() {
    let world = World::new();
    let body = r#"{"access_token":"a","expires_in":"3599","refresh_token":"","scope":""}"#;
    let reply = token_answer(
        "test",
        world.app.provider(),
        GrantType::RefreshToken,
        &answer(200, JSON, body),
        NOW,
    );
    let reply = reply.map_err(|error| error.to_string()).ok().unwrap();
    assert_eq!(reply.expires_in.unwrap().as_secs(), 3599);
    assert!(reply.refresh_token.is_none() && reply.scope.is_none());
    assert_eq!(&*reply.token_type, "Bearer");
}

#[test]
fn revocation_is_believed_only_when_confirmed() {
    let world = World::new();
    let ask = |status, body: &str| revoke_answer(world.app.provider(), &answer(status, JSON, body.to_owned()), NOW);
    assert_eq!(ask(200, "").unwrap(), RevokeOutcome::Revoked);
    let gone = r#"{"error":"invalid_token","error_description":"Token expired or revoked"}"#;
    assert_eq!(ask(400, gone).unwrap(), RevokeOutcome::AlreadyGone);
    assert_eq!(ask(503, gone).unwrap_err().code(), "oauth.transient");
    assert_eq!(ask(400, "<html>").unwrap_err().code(), "oauth.transient");
    assert_eq!(ask(429, "").unwrap_err().code(), "throttled.project");
}

#[tokio::test]
async fn a_refresh_sends_the_refresh_token_once() {
    let world = World::new();
    let connection = world.connect().await;
    let grant = world.grant(&connection).await.unwrap();
    let renewed = world.app.refresher().refresh(&grant).await.unwrap();
    assert_eq!(world.server.last("/token")["grant_type"], "refresh_token");
    assert_eq!(world.server.last("/token")["refresh_token"], format!("{REFRESH}-1"));
    assert_eq!(renewed.access_token.expose_secret(), format!("{ACCESS}-2"));
    assert_eq!(world.server.count("/token"), 2);

    world.server.refuse_tokens(503, "");
    let error = world.app.refresher().refresh(&grant).await.unwrap_err();
    assert_eq!(error.code(), "oauth.transient");
    assert_eq!(world.server.count("/token"), 3, "a failed call is not repeated here");
}

#[tokio::test]
async fn a_client_signs_in_as_itself() {
    let world = World::new();
    let scopes = crate::oauth::ScopeSet::parse("records.read");
    let grant = world.app.client_credentials(&scopes).await.unwrap();
    assert_eq!(world.server.last("/token")["grant_type"], "client_credentials");
    assert_eq!(world.server.last("/token")["scope"], "records.read");
    let refresher = world.app.client_credentials_refresher(scopes);
    assert!(!refresher.needs_refresh_token());
    let renewed = refresher.refresh(&grant).await.unwrap();
    assert_eq!(renewed.expires_in.unwrap().as_secs(), 3600);
    assert_eq!(world.app.provider().id().as_str(), "post");
}

/// An identity provider that numbers its assertions.
#[derive(Debug, Default)]
struct Assertions(std::sync::atomic::AtomicU32);

#[async_trait::async_trait]
impl crate::oauth::SamlAssertions for Assertions {
    async fn assertion(&self) -> crate::Result<secrecy::SecretString> {
        let number = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(format!("<saml2:Assertion ID=\"_{number}\"/>").into())
    }
}

#[tokio::test]
async fn every_renewal_for_a_person_with_an_assertion_sends_a_new_one_encoded() {
    use base64::Engine as _;
    let world = World::new();
    let scopes = crate::oauth::ScopeSet::parse("API_SALES_ORDER_SRV_0001");
    let assertion = "<saml2:Assertion ID=\"first\"/>".to_owned().into();
    let grant = world.app.saml_bearer(&assertion, &scopes).await.unwrap();
    let sent = world.server.last("/token");
    assert_eq!(sent["grant_type"], "urn:ietf:params:oauth:grant-type:saml2-bearer");
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(&sent["assertion"])
        .unwrap();
    assert_eq!(decoded, b"<saml2:Assertion ID=\"first\"/>");

    let refresher = world
        .app
        .saml_bearer_refresher(std::sync::Arc::new(Assertions::default()), scopes);
    assert!(!refresher.needs_refresh_token());
    let first = refresher.refresh(&grant).await.unwrap();
    let one = world.server.last("/token")["assertion"].clone();
    let second = refresher.refresh(&grant).await.unwrap();
    assert_ne!(world.server.last("/token")["assertion"], one);
    assert_ne!(first.access_token.expose_secret(), second.access_token.expose_secret());

    world.server.refuse_tokens(400, r#"{"error":"invalid_grant"}"#);
    assert_eq!(
        refresher.refresh(&grant).await.unwrap_err().code(),
        "oauth.invalid_grant.revoked"
    );
}

#[test]
fn passing_errors_of_the_network_leave_a_connection_alone() {
    let errors = [
        Error::new(Unreachable::Dns, "t"),
        Error::new(Unreachable::Timeout, "t").with_effect(Effect::Unknown),
        Error::new(ErrorKind::Transient, "t"),
        Error::new(ErrorKind::DeadlineExceeded, "t"),
        Error::new(ErrorKind::Cancelled, "t"),
    ];
    for error in errors {
        assert_eq!(ConnectionEvent::of_error(&error, NOW), None, "{error}");
    }
}
