//! Whose an id token is, is believed only after every check.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::world::*;
use crate::Clock as _;
use crate::oauth::id_token;

#[tokio::test]
async fn every_wrong_claim_is_refused_and_nothing_is_stored() {
    let now = World::new().clock.now().unix_seconds();
    for (what, claims) in [
        ("audience", json!({ "aud": "client-2" })),
        ("audience", json!({ "aud": null })),
        ("audience", json!({ "aud": [CLIENT, "client-2"] })),
        ("audience", json!({ "azp": "client-2" })),
        ("issuer", json!({ "iss": "https://evil.example" })),
        ("issuer", json!({ "iss": "https://post.example/" })),
        ("expiry", json!({ "exp": now - 61 })),
        ("expiry", json!({ "exp": null })),
        ("issued_at", json!({ "iat": now + 61 })),
        ("issued_at", json!({ "iat": null })),
        ("not_before", json!({ "nbf": now + 61 })),
        ("nonce", json!({ "nonce": "another" })),
        ("nonce", json!({ "nonce": null })),
        ("subject", json!({ "sub": "" })),
        ("subject", json!({ "sub": "x".repeat(256) })),
        ("signature", json!({ "sub": null })),
    ] {
        let world = World::new();
        world.server.state().claims = claims.clone();
        let error = world.sign_in_as(ANNA, None).await.unwrap_err();
        assert_eq!(error.code(), "oauth.flow.id_token", "{claims}");
        assert!(error.context().any(|fact| fact == ("check", what)), "{claims}: {error}");
        assert!(world.nothing_is_stored().await);
        // Whose grant it is was not proven, so nothing is revoked in anybody's name.
        assert_eq!(world.server.count("/revoke"), 0);
    }
}

#[tokio::test]
async fn clocks_may_differ_by_a_minute() {
    let now = World::new().clock.now().unix_seconds();
    for claims in [
        json!({ "exp": now - 59 }),
        json!({ "iat": now + 59 }),
        json!({ "aud": [CLIENT] }),
        json!({ "aud": [CLIENT, "client-2"], "azp": CLIENT }),
    ] {
        let world = World::new();
        world.server.state().claims = claims.clone();
        assert!(world.sign_in_as(ANNA, None).await.is_ok(), "{claims}");
    }
}

fn claims(world: &World) -> Value {
    let now = world.clock.now().unix_seconds();
    json!({ "iss": ISSUER, "aud": CLIENT, "sub": "s", "iat": now, "exp": now + 60 })
}

async fn verify(world: &World, token: &str) -> Result<String, String> {
    let token = SecretString::from(token.to_owned());
    match id_token::verify(&world.app, &token, None).await {
        Ok(claims) => Ok(claims.subject),
        Err(error) => Err(error.context().map(|(_, check)| check.to_owned()).collect()),
    }
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let world = World::new();
    let claims = claims(&world);
    let good = world.server.state().key.sign(&claims);
    assert_eq!(verify(&world, &good).await.unwrap(), "s");

    let stranger = Key::new("k1").sign(&claims);
    assert_eq!(verify(&world, &stranger).await.unwrap_err(), "signature");
    let unknown = Key::new("k9").sign(&claims);
    assert_eq!(verify(&world, &unknown).await.unwrap_err(), "key");
    // A shared secret made of what everybody can read.
    let public = EncodingKey::from_secret(world.server.state().key.public.to_string().as_bytes());
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k1".to_owned());
    let confused = jsonwebtoken::encode(&header, &claims, &public).unwrap();
    assert_eq!(verify(&world, &confused).await.unwrap_err(), "algorithm");

    let parts: Vec<&str> = good.split('.').collect();
    // {"alg":"none"}
    assert_eq!(
        verify(&world, &format!("eyJhbGciOiJub25lIn0.{}.", parts[1]))
            .await
            .unwrap_err(),
        "header"
    );
    assert_eq!(
        verify(&world, &format!("{}.{}.", parts[0], parts[1]))
            .await
            .unwrap_err(),
        "signature"
    );
    assert_eq!(verify(&world, "").await.unwrap_err(), "header");
    assert_eq!(verify(&world, &"x".repeat(20_000)).await.unwrap_err(), "size");
}

#[tokio::test]
async fn rs256_is_understood_and_not_mixed_with_es256() {
    let world = World::new();
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    // Behind the 26 bytes of its PKCS#8 header stands the key in PKCS#1, which jsonwebtoken wants.
    let private = EncodingKey::from_rsa_der(&der.as_ref()[26..]);
    let mut public = serde_json::to_value(Jwk::from_encoding_key(&private, Algorithm::RS256).unwrap()).unwrap();
    public["kid"] = json!("r1");
    world.server.state().jwks = json!({ "keys": [public] });
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some("r1".to_owned());
    let token = jsonwebtoken::encode(&header, &claims(&world), &private).unwrap();
    assert_eq!(verify(&world, &token).await.unwrap(), "s");

    let mixed = Key::new("r1").sign(&claims(&world));
    assert_eq!(verify(&world, &mixed).await.unwrap_err(), "signature");
}

#[tokio::test]
async fn keys_are_cached_and_unknown_ids_fetch_at_most_once_a_minute() {
    let world = World::new();
    let claims = claims(&world);
    let good = world.server.state().key.sign(&claims);
    for _ in 0..3 {
        verify(&world, &good).await.unwrap();
    }
    assert_eq!(world.server.count("/certs"), 1);

    // Rotated: the new key is found as soon as it is asked for, if the pause allows.
    let newer = Key::new("k2");
    world.server.state().jwks = json!({ "keys": [newer.public] });
    let token = newer.sign(&claims);
    assert_eq!(verify(&world, &token).await.unwrap_err(), "key");
    assert_eq!(world.server.count("/certs"), 1);
    world.advance(59);
    assert_eq!(verify(&world, &token).await.unwrap_err(), "key");
    world.advance(1);
    assert_eq!(verify(&world, &token).await.unwrap(), "s");
    for _ in 0..5 {
        assert_eq!(
            verify(&world, &Key::new("made-up").sign(&claims)).await.unwrap_err(),
            "key"
        );
    }
    assert_eq!(world.server.count("/certs"), 2);
}

#[tokio::test]
async fn without_keys_no_code_is_spent() {
    let world = World::new();
    world.server.state().jwks = json!("an error page");
    let error = world.sign_in_as(ANNA, None).await.unwrap_err();
    assert_eq!(error.code(), "bad_payload.syntax");
    assert_eq!(world.server.count("/token"), 0);
}
