//! F19: a claims challenge reaches the next authorization request, and no log.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::world::*;
use crate::Error;
use crate::credential::{RefreshingToken, TokenSource as _};

const CHALLENGE: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"claims-canary"}}}"#;

fn refusal(claims: serde_json::Value) -> String {
    serde_json::json!({ "error": "interaction_required", "suberror": "basic_action", "claims": claims }).to_string()
}

fn challenge(error: &Error) -> Option<&str> {
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("claims-canary"), "{shown}");
    error.claims_challenge().map(|challenge| challenge.expose_secret())
}

#[tokio::test]
async fn the_challenge_of_a_refused_refresh_is_kept_sealed_and_carried_by_the_reconnect() {
    let world = World::new();
    let connection = world.connect().await;
    let reference = world.row(&connection).await.reference;
    world.server.refuse_tokens(400, &refusal(CHALLENGE.into()));
    let tokens = || {
        let refresher = Arc::new(world.app.refresher());
        RefreshingToken::builder(reference.clone(), world.connections.vault().clone(), refresher)
            .clock(Arc::new(world.clock.clone()))
            .build()
    };
    world.advance(3_600);
    let error = tokens().token().await.unwrap_err();
    assert_eq!(error.code(), "oauth.invalid_grant.interaction_required");
    assert_eq!(challenge(&error), Some(CHALLENGE));

    // Another process, which never saw the refusal, is told the same without a second call.
    let calls = world.server.count("/token");
    assert_eq!(challenge(&tokens().token().await.unwrap_err()), Some(CHALLENGE));
    assert_eq!(world.server.count("/token"), calls);

    let begun = world.begin(world.request().reconnecting(connection.clone())).await;
    assert_eq!(parameter(&begun, "claims"), CHALLENGE);
    assert!(!format!("{begun:?}").contains("claims-canary"));
    world.complete(World::agreed(&begun)).await.unwrap();

    // The new grant has met it.
    assert!(world.grant(&connection).await.unwrap().claims_challenge.is_none());
    let begun = world.begin(world.request().reconnecting(connection)).await;
    assert_eq!(try_parameter(&begun.url, "claims"), None);
}

#[tokio::test]
async fn what_the_host_hands_over_goes_before_what_is_stored() {
    let world = World::new();
    let connection = world.connect().await;
    let given = r#"{"id_token":{"given":null}}"#;
    let request = world
        .request()
        .reconnecting(connection)
        .with_claims(SecretString::from(given));
    assert!(!format!("{request:?}").contains("given"));
    assert_eq!(parameter(&world.begin(request).await, "claims"), given);
}

#[tokio::test]
async fn a_refused_code_tells_its_challenge_too_and_only_an_object_is_one() {
    for (claims, kept) in [
        (serde_json::json!(CHALLENGE), Some(CHALLENGE)),
        (serde_json::json!("claims-canary"), None),
        (serde_json::json!(["claims-canary"]), None),
        (serde_json::json!({ "access_token": "claims-canary" }), None),
        (
            serde_json::json!(format!(r#"{{"claims-canary":"{}"}}"#, "x".repeat(5_000))),
            None,
        ),
        (serde_json::Value::Null, None),
    ] {
        let world = World::new();
        world.server.refuse_tokens(400, &refusal(claims));
        let begun = world.begin(world.request()).await;
        let error = world.complete(World::agreed(&begun)).await.unwrap_err();
        assert_eq!(error.code(), "oauth.invalid_grant.interaction_required");
        assert_eq!(challenge(&error), kept);
    }
}
