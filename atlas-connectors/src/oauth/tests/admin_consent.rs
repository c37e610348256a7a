//! An administrator's consent stands under the checks of a sign-in, and an error in it is never a yes.

use super::world::*;
use crate::oauth::{AdminConsentBegun, AdminConsentCallback, Callback, Workflow};
use crate::{ActorId, Error, Result, SessionId};

async fn begin(world: &World) -> AdminConsentBegun {
    let redirect = "https://host.example/approved".parse().unwrap();
    let (tenant, actor, session) = (world.tenant.clone(), world.actor.clone(), world.session.clone());
    let begun = world
        .sign_in
        .begin_admin_consent(tenant, actor, session, redirect, &[Workflow::Triage]);
    begun.await.unwrap()
}

fn state(begun: &AdminConsentBegun) -> String {
    try_parameter(&begun.url, "state").unwrap()
}

async fn complete(world: &World, query: &str) -> Result<()> {
    let callback = AdminConsentCallback::from_query(query)?;
    assert_eq!(format!("{callback:?}"), "AdminConsentCallback");
    world
        .sign_in
        .complete_admin_consent(callback, &world.actor, &world.session)
        .await
}

fn code(result: Result<()>) -> &'static str {
    result.as_ref().map_or_else(Error::code, |()| "granted")
}

#[tokio::test]
async fn the_page_is_asked_for_what_the_workflows_need() {
    let world = World::new();
    let begun = begin(&world).await;
    assert!(begun.url.as_str().starts_with("https://post.example/adminconsent?"));
    for (name, value) in [
        ("client_id", CLIENT),
        ("scope", "mail.read"),
        ("redirect_uri", "https://host.example/approved"),
    ] {
        assert_eq!(try_parameter(&begun.url, name).as_deref(), Some(value));
    }
    assert_eq!(state(&begun).len(), 43);
    assert!(!format!("{begun:?}").contains(&state(&begun)));
    assert!(world.nothing_is_stored().await);
}

#[tokio::test]
async fn an_error_beside_the_consent_is_no_consent() {
    for (query, outcome) in [
        ("admin_consent=True&tenant=t&scope=mail.read", "granted"),
        ("admin_consent=true", "granted"),
        ("admin_consent=True&error=access_denied", "oauth.access_denied.admin"),
        ("admin_consent=True&error=temporarily_unavailable", "oauth.transient"),
        (
            "error=access_denied&error_description=canary",
            "oauth.access_denied.admin",
        ),
        ("admin_consent=False", "oauth.flow.malformed"),
        ("admin_consent=", "oauth.flow.malformed"),
        ("tenant=t", "oauth.flow.malformed"),
        ("admin_consent=True&admin_consent=True", "oauth.flow.malformed"),
    ] {
        let world = World::new();
        let begun = begin(&world).await;
        let result = complete(&world, &format!("{query}&state={}", state(&begun))).await;
        assert!(!format!("{result:?}").contains("canary"));
        assert_eq!(code(result), outcome, "{query}");
    }
}

#[tokio::test]
async fn it_is_taken_once_from_whoever_began_it_and_in_time() {
    let world = World::new();
    let query = format!("admin_consent=True&state={}", state(&begin(&world).await));
    assert_eq!(code(complete(&world, &query).await), "granted");
    assert_eq!(code(complete(&world, &query).await), "oauth.flow.unknown_state");
    assert_eq!(
        code(complete(&world, "admin_consent=True").await),
        "oauth.flow.malformed"
    );
    assert_eq!(
        code(complete(&world, "admin_consent=True&state=s").await),
        "oauth.flow.unknown_state"
    );

    for (actor, session) in [("u-2", "s-1"), ("u-1", "s-2")] {
        let query = format!("admin_consent=True&state={}", state(&begin(&world).await));
        let callback = AdminConsentCallback::from_query(&query).unwrap();
        let (actor, session) = (ActorId::from(actor), SessionId::from(session));
        let result = world.sign_in.complete_admin_consent(callback, &actor, &session).await;
        assert_eq!(code(result), "oauth.flow.other_session");
        assert_eq!(
            code(complete(&world, &query).await),
            "oauth.flow.unknown_state",
            "used up"
        );
    }

    let query = format!("admin_consent=True&state={}", state(&begin(&world).await));
    world.advance(601);
    assert_eq!(code(complete(&world, &query).await), "oauth.flow.expired");
}

#[tokio::test]
async fn the_state_of_a_consent_signs_nobody_in_and_the_other_way_round() {
    let world = World::new();
    let begun = begin(&world).await;
    let callback = Callback::from_query(&format!("state={}&code=c", state(&begun))).unwrap();
    let error = world.complete(callback).await.unwrap_err();
    assert_eq!(error.code(), "oauth.flow.unknown_state");
    assert_eq!(world.server.count("/token"), 0);

    let begun = world.begin(world.request()).await;
    let query = format!("admin_consent=True&state={}", parameter(&begun, "state"));
    assert_eq!(code(complete(&world, &query).await), "oauth.flow.unknown_state");
}
