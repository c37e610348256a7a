//! A push is believed only if Google signed it for this subscription, now.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing helper fails its test"
)]

use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::testkit::{ManualClock, ScriptedTransport};
use atlas_connectors_gmail::Endpoints;
use atlas_connectors_gmail::push::{PushMessage, PushVerifier};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const NOW: i64 = 1_795_300_000;
const AUDIENCE: &str = "https://app.acme.example/push";
const ACCOUNT: &str = "push@acme-project.iam.gserviceaccount.com";

/// The body of Google's push guide (gmail-push-notification), which spaces its JSON.
const BODY: &[u8] =
    br#"{"message":{"data":"eyJlbWFpbEFkZHJlc3MiOiAidXNlckBleGFtcGxlLmNvbSIsICJoaXN0b3J5SWQiOiAiMTIzNDU2Nzg5MCJ9",
    "messageId":"2070443601311540","publishTime":"2021-02-26T19:13:55.749Z"},
    "subscription":"projects/myproject/subscriptions/mysubscription"}"#;

struct Signer {
    id: &'static str,
    pair: KeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { id, pair }
    }

    /// The key set. The public key is DER: a sequence of modulus and exponent.
    fn jwks(&self) -> String {
        let der = self.pair.public_key().as_ref();
        let (modulus, exponent) = (&der[der.len() - 262..der.len() - 5], &der[der.len() - 3..]);
        assert_eq!((modulus[0], exponent), (0, [1u8, 0, 1].as_slice()));
        let key = json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.id,
            "n": URL_SAFE_NO_PAD.encode(&modulus[1..]), "e": URL_SAFE_NO_PAD.encode(exponent)});
        json!({"keys": [{"kty": "OKP-of-tomorrow"}, key]}).to_string()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .unwrap();
        format!("Bearer {text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = json!({"iss": "https://accounts.google.com", "aud": AUDIENCE, "email": ACCOUNT,
            "email_verified": true, "iat": NOW, "exp": NOW + 3600, "sub": "1"});
        change(&mut claims);
        self.sign(&json!({"alg": "RS256", "kid": self.id}), &claims)
    }
}

fn verifier(transport: &ScriptedTransport, clock: &ManualClock) -> PushVerifier {
    let (transport, clock) = (Arc::new(transport.clone()), Arc::new(clock.clone()));
    PushVerifier::with_clock(transport, &Endpoints::google().unwrap(), AUDIENCE, ACCOUNT, clock).unwrap()
}

fn clock() -> ManualClock {
    ManualClock::new(atlas_connectors::Timestamp::from_unix_seconds(NOW))
}

#[tokio::test]
async fn a_push_of_the_subscription_is_read_and_the_keys_are_fetched_once() {
    let signer = Signer::new("k1");
    let transport = ScriptedTransport::new().with_json(200, signer.jwks());
    let verifier = verifier(&transport, &clock());
    for _ in 0..3 {
        let push = verifier.accept(Some(&signer.token(|_| {})), BODY).await.unwrap();
        assert_eq!(push.address, "user@example.com");
        assert_eq!(push.history_id.as_str(), "1234567890");
        assert!(!format!("{push:?}").contains("user@"));
    }
    let without_scheme = signer.token(|claims| claims["iss"] = "accounts.google.com".into());
    assert!(verifier.accept(Some(&without_scheme), BODY).await.is_ok());
    assert_eq!(transport.requests().len(), 1);
    assert_eq!(transport.requests()[0].bearer(), None);
}

#[tokio::test]
async fn anything_else_is_refused_by_the_check_that_failed() {
    let signer = Signer::new("k1");
    let stranger = Signer::new("k1");
    let transport = ScriptedTransport::new().with_json(200, signer.jwks());
    let verifier = verifier(&transport, &clock());
    let set = |name: &'static str, value: Value| signer.token(move |claims| claims[name] = value);
    let other_header = |header: Value| signer.sign(&header, &json!({}));
    let cases = [
        (None, "missing"),
        (Some("Basic eDp5".to_owned()), "missing"),
        (Some("Bearer not-a-token".to_owned()), "header"),
        (Some(other_header(json!({"alg": "HS256", "kid": "k1"}))), "algorithm"),
        (Some(other_header(json!({"alg": "RS256"}))), "key"),
        (Some(other_header(json!({"alg": "RS256", "kid": "k9"}))), "key"),
        (Some(stranger.token(|_| {})), "signature"),
        (Some(set("iss", "https://evil.example".into())), "issuer"),
        (Some(set("aud", "https://other.example/push".into())), "audience"),
        (Some(set("email", "someone@evil.example".into())), "service_account"),
        (Some(set("email_verified", false.into())), "service_account"),
        (Some(set("exp", (NOW - 60).into())), "expiry"),
        (Some(set("iat", (NOW + 61).into())), "issued_at"),
        (Some(format!("Bearer {}", "x".repeat(20_000))), "size"),
    ];
    // Fill the key cache, so that the made-up id cannot make us fetch.
    verifier.accept(Some(&signer.token(|_| {})), BODY).await.unwrap();
    for (header, check) in cases {
        let error = verifier.accept(header.as_deref(), BODY).await.unwrap_err();
        assert_eq!(error.code(), "oauth.flow.id_token", "{check}");
        assert_eq!(error.context().next(), Some(("check", check)));
    }
    assert_eq!(transport.requests().len(), 1);
}

#[tokio::test]
async fn new_keys_are_found_after_a_pause_and_an_outage_is_told_as_one() {
    let (old, new) = (Signer::new("k1"), Signer::new("k2"));
    let transport = ScriptedTransport::new()
        .with_json(200, old.jwks())
        .with_json(200, new.jwks());
    let clock = clock();
    let verifier = verifier(&transport, &clock);
    verifier.accept(Some(&old.token(|_| {})), BODY).await.unwrap();
    assert!(verifier.accept(Some(&new.token(|_| {})), BODY).await.is_err());
    clock.advance(Duration::from_secs(61));
    assert!(verifier.accept(Some(&new.token(|_| {})), BODY).await.is_ok());

    let broken = ScriptedTransport::new().with_json(200, "<html>");
    let error = self::verifier(&broken, &clock)
        .accept(Some(&new.token(|_| {})), BODY)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "bad_payload.syntax");
}

#[test]
fn damaged_bodies_are_named_and_not_repeated() {
    for (body, code) in [
        (&b"{\"message\":{\"data\":\"secret"[..], "bad_payload.truncated"),
        (b"<html>secret", "bad_payload.syntax"),
        (b"{\"message\":{}}", "bad_payload.type"),
        (b"{\"message\":{\"data\":\"*secret*\"}}", "bad_payload.syntax"),
        (b"{\"message\":{\"data\":\"e30\"}}", "bad_payload.type"),
    ] {
        let error = PushMessage::decode(body).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(!format!("{error:?}").contains("secret"));
    }
}
