//! F20: whatever is wrong with a callback, nothing is stored and no code is redeemed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::world::*;
use crate::connection::{ProofKind, Status};
use crate::oauth::{Callback, OAUTH_FIELD, SignIn};
use crate::{ActorId, Error, SessionId};

#[tokio::test]
async fn a_sign_in_stores_identity_credential_and_status() {
    let world = World::new();
    let begun = world.begin(world.request()).await;
    assert!(
        world.nothing_is_stored().await,
        "before the callback there is no connection"
    );
    let signed_in = world.complete(World::agreed(&begun)).await.unwrap();

    assert_eq!(signed_in.connection.connection, begun.connection);
    assert!(!signed_in.reconnected && signed_in.excess.is_empty());
    let row = world.row(&begun.connection).await;
    assert_eq!(row.identity.unwrap().address.as_deref(), Some(ANNA.email));
    assert_eq!(row.secrets, [OAUTH_FIELD.into()]);
    assert!(matches!(
        row.status,
        Status::Verifying {
            needs: ProofKind::Answer,
            ..
        }
    ));
    let grant = world.grant(&begun.connection).await.unwrap();
    assert_eq!(grant.scopes, begun.plan.asked);
    assert!(grant.refresh_token.is_some());
}

#[tokio::test]
async fn the_request_carries_every_protection() {
    let world = World::new();
    let request = world.request().with_login_hint("anna@acme.example");
    let begun = world.begin(request).await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", "https://host.example/callback"),
        ("scope", "email mail.read openid"),
        ("code_challenge_method", "S256"),
        ("prompt", "consent"),
        ("login_hint", "anna@acme.example"),
    ] {
        assert_eq!(parameter(&begun, name), value);
    }
    assert_eq!(parameter(&begun, "state").len(), 43);
    assert_eq!(parameter(&begun, "nonce").len(), 43);
    let challenge = parameter(&begun, "code_challenge");

    world.complete(World::agreed(&begun)).await.unwrap();
    let sent = world.server.last("/token");
    assert_eq!(sent["code"], "4/0code-canary", "decoded once");
    assert_eq!(sent["redirect_uri"], "https://host.example/callback");
    assert_eq!(sent["client_secret"], CLIENT_SECRET);
    let verifier = &sent["code_verifier"];
    assert!((43..=128).contains(&verifier.len()));
    assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), challenge);
}

#[tokio::test]
async fn no_two_flows_share_a_secret() {
    let world = World::new();
    let (one, two) = (world.begin(world.request()).await, world.begin(world.request()).await);
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(parameter(&one, name), parameter(&two, name));
    }
    assert_ne!(one.connection, two.connection);
}

#[tokio::test]
async fn malformed_callbacks_are_refused_before_anything_is_looked_up() {
    for query in [
        "",
        "state=s",
        "code=c",
        "state=&code=c",
        "state=s&code=c&error=access_denied",
        "state=s&state=s&code=c",
        "state=s&code=c&code=c",
        "state=s&code=c&iss=a&iss=b",
        "state=s&code=c&scope=a&scope=b",
        "state=s&code=c&access_token=t",
        "state=s&code=c&id_token=t",
        "state=s&code=c&refresh_token=t",
    ] {
        let error = Callback::from_query(query).unwrap_err();
        assert_eq!(error.code(), "oauth.flow.malformed", "{query}");
    }
    assert!(Callback::from_query(&format!("state=s&code={}", "c".repeat(20_000))).is_err());
    // What Google adds to it is no fault (`gmail.md`, section 1).
    Callback::from_query("state=s&code=c&scope=email&authuser=0&prompt=consent&hd=acme.example").unwrap();
}

#[derive(Clone, Copy, Debug)]
enum Wrong {
    State,
    Session,
    Actor,
    Late,
    Issuer,
    IssuerSlash,
    Client,
    Denied,
}

#[tokio::test]
async fn a_wrong_callback_redeems_nothing_and_burns_the_flow() {
    for (wrong, code) in [
        (Wrong::State, "oauth.flow.unknown_state"),
        (Wrong::Session, "oauth.flow.other_session"),
        (Wrong::Actor, "oauth.flow.other_session"),
        (Wrong::Late, "oauth.flow.expired"),
        (Wrong::Issuer, "oauth.flow.issuer"),
        (Wrong::IssuerSlash, "oauth.flow.issuer"),
        (Wrong::Client, "oauth.flow.issuer"),
        (Wrong::Denied, "oauth.access_denied.user"),
    ] {
        let world = World::new();
        let begun = world.begin(world.request()).await;
        let state = parameter(&begun, "state");
        let good = format!("state={state}&code=c");
        let (mut query, mut actor, mut session) = (good.clone(), world.actor.clone(), world.session.clone());
        let mut sign_in = world.sign_in.clone();
        match wrong {
            Wrong::State => query = format!("state={}x&code=c", state),
            Wrong::Session => session = SessionId::new("s-2"),
            Wrong::Actor => actor = ActorId::new("u-2"),
            Wrong::Late => world.advance(601),
            Wrong::Issuer => query.push_str("&iss=https://evil.example"),
            Wrong::IssuerSlash => query.push_str("&iss=https://post.example/"),
            Wrong::Client => {
                let other = app(&world.server, &world.clock, "client-2");
                sign_in = SignIn::new(other, world.connections.clone(), Arc::new(world.store.clone()));
            }
            Wrong::Denied => query = format!("state={state}&error=access_denied&error_description=secret+words"),
        }
        let error = sign_in
            .complete(Callback::from_query(&query).unwrap(), &actor, &session)
            .await
            .unwrap_err();
        assert_eq!(error.code(), code, "{wrong:?}");
        assert_eq!(world.server.count("/token"), 0, "{wrong:?}");
        assert!(world.nothing_is_stored().await, "{wrong:?}");
        assert_silent(&error);
        if !matches!(wrong, Wrong::State) {
            let replay = world.complete(Callback::from_query(&good).unwrap()).await.unwrap_err();
            assert_eq!(replay.code(), "oauth.flow.unknown_state", "{wrong:?}");
        }
    }
}

#[tokio::test]
async fn the_exact_issuer_is_welcome_and_a_replay_is_not() {
    let world = World::new();
    let begun = world.begin(world.request()).await;
    let query = format!(
        "state={}&code=c&iss=https%3A%2F%2Fpost.example",
        parameter(&begun, "state")
    );
    world.complete(Callback::from_query(&query).unwrap()).await.unwrap();
    let replay = world.complete(Callback::from_query(&query).unwrap()).await.unwrap_err();
    assert_eq!(replay.code(), "oauth.flow.unknown_state");
    assert_eq!(world.server.count("/token"), 1);
}

#[tokio::test]
async fn of_many_callbacks_at_once_one_redeems() {
    let world = World::new();
    world.server.state().yields = 3;
    let begun = world.begin(world.request()).await;
    let tries = (0..8).map(|_| world.complete(World::agreed(&begun)));
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(world.server.count("/token"), 1);
}

#[tokio::test]
async fn flows_that_nobody_came_back_for_are_swept() {
    use crate::oauth::{FlowStore as _, StateHash};

    let world = World::new();
    let begun = world.begin(world.request()).await;
    world.advance(1201);
    world.begin(world.request()).await;
    let state = StateHash::of(&parameter(&begun, "state"));
    assert!(world.store.take(&state).await.unwrap().is_none());
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn the_callback_may_reach_another_process() {
    use crate::connection::Connections;
    use crate::credential::{KeyRing, Sealer, SealingKey, Vault};
    use crate::store::SqliteStore;

    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let key = SealingKey::generate();
    let process = || {
        let store =
            SqliteStore::open_with_clock(folder.path().join("atlas.db"), Arc::new(world.clock.clone())).unwrap();
        let keys = KeyRing::new(SealingKey::parse(&key.to_text()).unwrap());
        let vault = Vault::new(Arc::new(store.clone()), Sealer::new(Arc::new(keys)).unwrap());
        let connections = Connections::new(Arc::new(store.clone()), vault, Arc::new(world.clock.clone()));
        SignIn::new(app(&world.server, &world.clock, CLIENT), connections, Arc::new(store))
    };
    let begun = process().begin(world.request()).await.unwrap();
    world.server.state().nonce = Some(parameter(&begun, "nonce"));
    let signed_in = process()
        .complete(World::agreed(&begun), &world.actor, &world.session)
        .await
        .unwrap();
    assert_eq!(signed_in.identity.address.as_deref(), Some(ANNA.email));

    let mut bytes = Vec::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let text = String::from_utf8_lossy(&bytes);
    let state = parameter(&begun, "state");
    for secret in [REFRESH, ACCESS, &state, &parameter(&begun, "nonce"), CLIENT_SECRET] {
        assert!(!text.contains(secret), "a secret lies in the file in the clear");
    }
}

#[tokio::test]
async fn unsafe_addresses_are_refused_at_the_start() {
    let world = World::new();
    for (redirect, code) in [
        ("http://host.example/callback", "egress.scheme"),
        ("ftp://host.example/callback", "egress.scheme"),
        ("https://host.example/callback#x", "egress.url"),
    ] {
        let mut request = world.request();
        request.redirect = redirect.parse().unwrap();
        let error = world.sign_in.begin(request).await.unwrap_err();
        assert_eq!(error.code(), code, "{redirect}");
    }
    let mut request = world.request();
    request.redirect = "http://127.0.0.1:4711/callback".parse().unwrap();
    world.sign_in.begin(request).await.unwrap();
}

#[tokio::test]
async fn nothing_that_can_be_printed_holds_a_secret() {
    let world = World::new();
    let request = world.request();
    let shown = format!("{request:?}");
    let begun = world.begin(request).await;
    let callback = World::agreed(&begun);
    let shown = format!("{shown} {begun:?} {callback:?}");
    let (state, nonce) = (parameter(&begun, "state"), parameter(&begun, "nonce"));
    let signed_in = world.complete(callback).await.unwrap();
    let summary = world.connections.list(&world.tenant).await.unwrap();
    let shown = format!("{shown} {signed_in:?} {summary:?} {:?} {:?}", world.sign_in, world.app);
    let row = world.row(&begun.connection).await;
    let shown = format!("{shown} {row:?}");
    for secret in [
        &*state,
        &*nonce,
        "code-canary",
        REFRESH,
        ACCESS,
        CLIENT_SECRET,
        ANNA.email,
        ANNA.subject,
    ] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

fn assert_silent(error: &Error) {
    let shown = format!("{error} {error:?}");
    for secret in ["code-canary", "secret words", "state=", REFRESH, ACCESS] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
