//! A harness as a host would write it: the host's own code speaks HTTP, `mock::Google` plays the provider.
//! Nothing here uses this library's client side.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::time::Duration;

use atlas_connectors_gmail::mock::{CLIENT_ID, CLIENT_SECRET, Consent, Fault, Google, Mail, TokenError, USER};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

mod support;
use support::{Http, body, status};

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123456789";
const REDIRECT: &str = "http://127.0.0.1:53111/callback";

fn authorize(google: &Google, scopes: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut url = google.url().join("o/oauth2/v2/auth").unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", CLIENT_ID)
        .append_pair("redirect_uri", REDIRECT)
        .append_pair("response_type", "code")
        .append_pair("scope", scopes)
        .append_pair("state", "st-1")
        .append_pair("nonce", "n-1")
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    url.into()
}

fn callback(address: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(address).unwrap();
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

async fn exchange(http: &Http, code: &str, verifier: &str) -> (u16, Value) {
    http.form(
        "/token",
        &[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier),
        ],
    )
    .await
}

async fn refresh(http: &Http, token: &str) -> (u16, Value) {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_id", CLIENT_ID),
        ("client_secret", CLIENT_SECRET),
    ];
    http.form("/token", &form).await
}

const MODIFY: &str = "openid email https://www.googleapis.com/auth/gmail.modify";

#[tokio::test]
async fn a_person_connects_reads_and_sends_once() {
    let google = Google::start().await;
    let http = Http::to(&google);
    let jana = google.mailbox("jana@precision-parts.example");
    google.mailbox(USER).deliver(
        &Mail::from("Jana Novak <jana@precision-parts.example>")
            .to(USER)
            .subject("RFQ 4471: M8 stainless hex bolts")
            .message_id("rfq-4471@precision-parts.example")
            .text("Please quote 2,000 pieces."),
    );

    let back = google.consent(&authorize(&google, MODIFY)).unwrap();
    assert!(back.starts_with(REDIRECT));
    assert_eq!(callback(&back, "state").as_deref(), Some("st-1"));
    assert_eq!(callback(&back, "iss").as_deref(), Some(google.uri()));
    let code = callback(&back, "code").unwrap();
    assert!(code.starts_with("4/"), "a code has a slash");

    assert_eq!(
        exchange(&http, &code, &VERIFIER.replace('a', "b")).await.1["error_description"],
        "Invalid code verifier."
    );
    let (_, tokens) = exchange(&http, &code, VERIFIER).await;
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(tokens["expires_in"], 3599);
    assert!(
        tokens["scope"]
            .as_str()
            .unwrap()
            .contains("https://www.googleapis.com/auth/userinfo.email")
    );
    assert_eq!(
        exchange(&http, &code, VERIFIER).await.1["error"],
        "invalid_grant",
        "a code is good once"
    );

    let http = http.with_token(access);
    let list = http.get("/gmail/v1/users/me/messages?q=subject:rfq").await;
    let id = list["messages"][0]["id"].as_str().unwrap().to_owned();
    let thread = list["messages"][0]["threadId"].as_str().unwrap().to_owned();
    let full = http.get(&format!("/gmail/v1/users/me/messages/{id}?format=full")).await;
    assert_eq!(full["snippet"], "Please quote 2,000 pieces.");

    let reply = format!(
        "From: {USER}\r\nTo: jana@precision-parts.example\r\nSubject: Re: RFQ 4471: M8 stainless hex bolts\r\nIn-Reply-To: <rfq-4471@precision-parts.example>\r\nReferences: <rfq-4471@precision-parts.example>\r\nMessage-ID: <mine@acme.example>\r\nX-Mine: 1\r\n\r\nQuote attached."
    );
    let draft = http
        .post(
            "/gmail/v1/users/me/drafts",
            &json!({"message": {"raw": URL_SAFE.encode(&reply), "threadId": thread}}),
        )
        .await;
    let draft = draft["id"].as_str().unwrap();
    let sent = http.post("/gmail/v1/users/me/drafts/send", &json!({"id": draft})).await;
    assert_eq!(sent["threadId"], json!(thread));
    assert_eq!(sent["labelIds"], json!(["SENT"]));
    let again = http
        .try_post("/gmail/v1/users/me/drafts/send", &json!({"id": draft}))
        .await;
    assert_eq!(again.0, 404, "a draft is sent once");

    let counters = google.counters();
    assert_eq!((counters.sends, counters.drafts_created), (1, 1));
    assert_eq!(google.sent().len(), 1);
    assert_eq!(google.sent()[0].subject(), "Re: RFQ 4471: M8 stainless hex bolts");
    let delivered = jana.labelled("INBOX");
    assert_eq!(delivered.len(), 1);
    assert!(
        delivered[0].header("Message-ID").unwrap().ends_with("@mail.gmail.com>"),
        "Gmail replaces the Message-ID"
    );
    assert_eq!(delivered[0].header("X-Mine").as_deref(), Some("1"));
}

#[tokio::test]
async fn a_send_whose_answer_is_lost_was_still_a_send() {
    let google = Google::start().await;
    let http = Http::to(&google).with_token(&google.access_token(USER, &["gmail.send"]));
    let mail = json!({"raw": URL_SAFE.encode("To: a@b.example\r\nSubject: x\r\n\r\nhi")});
    google
        .faults()
        .next("gmail.users.messages.send", Fault::CutBefore)
        .next("gmail.users.messages.send", Fault::CutAfter);
    assert!(
        http.send("POST", "/gmail/v1/users/me/messages/send", Some(&mail))
            .await
            .is_err()
    );
    assert_eq!(google.counters().sends, 0, "cut before: nothing left");
    assert!(
        http.send("POST", "/gmail/v1/users/me/messages/send", Some(&mail))
            .await
            .is_err()
    );
    assert_eq!(google.counters().sends, 1, "cut after: it left");
    assert_eq!(google.faults().pending(), 0);
    assert_eq!(
        http.try_post("/gmail/v1/users/me/messages/send", &mail).await.0,
        200,
        "and the mock goes on"
    );
}

#[tokio::test]
async fn the_wire_can_break_an_answer_off_or_drip_it() {
    let google = Google::start().await;
    let http = Http::to(&google).with_token(&google.access_token(USER, &["gmail.readonly"]));
    google.faults().next("gmail.users.getProfile", Fault::Truncate(10));
    assert!(
        http.send("GET", "/gmail/v1/users/me/profile", None).await.is_err(),
        "ten bytes are not the answer"
    );
    google.faults().next(
        "gmail.users.getProfile",
        Fault::Drip {
            bytes: 20,
            every: Duration::from_millis(1),
        },
    );
    assert_eq!(http.get("/gmail/v1/users/me/profile").await["emailAddress"], USER);
    google.faults().next("gmail.users.getProfile", Fault::HtmlAfter);
    let page = http.send("GET", "/gmail/v1/users/me/profile", None).await.unwrap();
    assert_eq!(status(&page), 200);
    assert!(body(&page).starts_with(b"<!DOCTYPE html>"));
    google
        .faults()
        .next("gmail.users.getProfile", Fault::Throttle(Duration::from_secs(30)));
    let (status, error) = http.try_get("/gmail/v1/users/me/profile").await;
    assert_eq!(status, 429);
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("User-rate limit exceeded.  Retry after 20")
    );
    assert_eq!(google.counters().throttled, 1);
}

#[tokio::test]
async fn consent_has_more_than_one_end() {
    let google = Google::start().await;
    let http = Http::to(&google);
    let url = authorize(&google, MODIFY);
    google.next_consent(Consent::Deny);
    let back = google.consent(&url).unwrap();
    assert_eq!(callback(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(callback(&back, "state").as_deref(), Some("st-1"));

    google.next_consent(Consent::only(&[]));
    let code = callback(&google.consent(&url).unwrap(), "code").unwrap();
    let (_, tokens) = exchange(&http, &code, VERIFIER).await;
    assert!(!tokens["scope"].as_str().unwrap().contains("gmail"));

    google.mailbox("wrong.person@gmail.example");
    google.next_consent(Consent::account("wrong.person@gmail.example"));
    let code = callback(&google.consent(&url).unwrap(), "code").unwrap();
    let (_, tokens) = exchange(&http, &code, VERIFIER).await;
    let claims = tokens["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["email"], "wrong.person@gmail.example");
    assert_eq!(claims["nonce"], "n-1");

    google.next_consent(Consent::Blocked(
        atlas_connectors_gmail::mock::Blocked::AdminPolicyEnforced,
    ));
    assert_eq!(google.consent(&url).unwrap_err().code(), "admin_policy_enforced");
    // The same over HTTP: a redirect, and a page.
    let path = url.strip_prefix(google.uri()).unwrap();
    let redirect = http.send("GET", path, None).await.unwrap();
    assert_eq!(status(&redirect), 302);
    let stranger = path.replace("127.0.0.1", "evil.example");
    assert_eq!(status(&http.send("GET", &stranger, None).await.unwrap()), 400);
}

#[tokio::test]
async fn a_grant_ends_and_says_so() {
    let google = Google::start().await;
    let http = Http::to(&google);
    let token = google.refresh_token(USER, &["gmail.readonly"]);
    google.faults().next("oauth.token", TokenError::SessionControl);
    let (status, refused) = refresh(&http, &token).await;
    assert_eq!((status, refused["error_subtype"].as_str()), (400, Some("invalid_rapt")));
    let (_, good) = refresh(&http, &token).await;
    assert!(good.get("refresh_token").is_none(), "Google does not rotate");
    let reading = http.with_token(good["access_token"].as_str().unwrap());
    assert_eq!(reading.try_get("/gmail/v1/users/me/profile").await.0, 200);

    google.revoke_grant(USER);
    assert_eq!(reading.try_get("/gmail/v1/users/me/profile").await.0, 401);
    assert_eq!(
        refresh(&http, &token).await.1["error_description"],
        "Token has been expired or revoked."
    );

    let token = google.refresh_token(USER, &["gmail.readonly"]);
    assert_eq!(http.form("/revoke", &[("token", &token)]).await.0, 200);
    assert_eq!(
        http.form("/revoke", &[("token", &token)]).await.1["error"],
        "invalid_token"
    );
    let counters = google.counters();
    assert_eq!(
        (
            counters.token_calls,
            counters.refreshes,
            counters.revokes,
            counters.rotations
        ),
        (3, 1, 1, 0)
    );
}
