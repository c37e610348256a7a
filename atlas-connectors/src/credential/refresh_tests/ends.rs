//! How a grant ends, and how a disconnect or reconnect wins.

use super::*;

/// F13.
#[tokio::test]
async fn a_refused_grant_is_over_for_every_process_after_one_call() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Fail(revoked())]);
    let source = world.source();
    for _ in 0..3 {
        let error = source.token().await.unwrap_err();
        assert_eq!(error.code(), "oauth.invalid_grant.revoked");
        assert!(error.oauth().unwrap().ends_grant());
    }
    assert_eq!(world.events.counts(), (0, 1), "one event");
    let stored = world.stored().await;
    assert_eq!(stored.ended.unwrap().cause, GrantEnd::RevokedOrExpired);
    assert!(
        stored.refresh_token.is_some(),
        "kept, sealed, until the connection is disconnected"
    );

    let elsewhere = world.source();
    assert_eq!(
        elsewhere.token().await.unwrap_err().code(),
        "oauth.invalid_grant.revoked"
    );
    assert_eq!(world.events.counts(), (0, 2), "each process learns of it");
    assert_eq!(world.endpoint.calls(), 1);
}

#[tokio::test]
async fn many_tasks_hear_of_the_end_after_one_call() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Fail(revoked())]);
    let source = world.source();
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.token().await.unwrap_err().code() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "oauth.invalid_grant.revoked");
    }
    assert_eq!(world.endpoint.calls(), 1);
    assert_eq!(world.events.counts(), (0, 1));
}

#[tokio::test]
async fn a_grant_refused_early_is_over_at_once() {
    let world = World::new().await;
    let source = world.source();
    source.token().await.unwrap();
    world.clock.advance(56 * MINUTE);
    world.endpoint.answer([Answer::Fail(revoked())]);
    assert!(source.token().await.is_err());
    assert!(source.cached().is_none());
    assert!(source.token().await.is_err());
    assert_eq!(world.endpoint.calls(), 1);
}

/// The end is known although it cannot be stored.
#[tokio::test]
async fn a_full_disk_does_not_make_a_refused_grant_ask_again() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Fail(revoked())]);
    world.store.set_full(true);
    let source = world.source();
    for _ in 0..3 {
        assert_eq!(source.token().await.unwrap_err().code(), "oauth.invalid_grant.revoked");
    }
    assert_eq!(world.endpoint.calls(), 1);
    assert_eq!(world.events.counts(), (0, 1));
}

/// F14.
#[tokio::test]
async fn a_refusal_of_an_outdated_grant_is_no_end() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Held(Box::new(Answer::Fail(revoked())))]);
    let source = world.source();
    let asking = tokio::spawn(async move { source.token().await });
    world.endpoint.arrived(1).await;
    let newer = world.grant().renewed(
        RefreshedGrant::new("newer".into()).with_expires_in(HOUR),
        world.clock.now(),
    );
    world.put(Epoch::FIRST, newer).await;
    world.endpoint.open();
    let token = world.drive(asking).await.unwrap().unwrap();
    assert_eq!(secret(&token), "newer");
    assert_eq!(world.events.counts(), (0, 0));
    assert!(world.stored().await.ended.is_none());
    assert_eq!(world.endpoint.calls(), 1);
}

/// F23: disconnect.
#[tokio::test]
async fn a_disconnect_beats_a_refresh_in_flight() {
    for answer in [Answer::Rotated, Answer::Fail(revoked())] {
        let world = World::expired().await;
        world.endpoint.answer([Answer::Held(Box::new(answer))]);
        let source = world.source();
        let asking = tokio::spawn(async move { source.token().await });
        world.endpoint.arrived(1).await;
        world.vault.erase(&world.key, Epoch::FIRST.next()).await.unwrap();
        world.endpoint.open();
        let error = asking.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Cancelled), "{error}");
        assert!(world.vault.load(&world.key).await.unwrap().is_none(), "no resurrection");
        assert_eq!(world.events.counts(), (0, 0));
    }
}

/// F23: reconnect.
#[tokio::test]
async fn a_reconnect_beats_a_refresh_in_flight() {
    for answer in [Answer::Rotated, Answer::Fail(revoked())] {
        let world = World::expired().await;
        world.endpoint.answer([Answer::Held(Box::new(answer))]);
        let source = world.source();
        let asking = tokio::spawn({
            let source = source.clone();
            async move { source.token().await }
        });
        world.endpoint.arrived(1).await;
        let mut reconnected = world.grant();
        reconnected.access_token = "reconnected".into();
        world.put(Epoch::FIRST.next(), reconnected).await;
        world.endpoint.open();
        let error = asking.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Cancelled), "{error}");
        assert_eq!(world.stored().await.access_token.expose_secret(), "reconnected");
        // The source belongs to the old epoch for good.
        assert!(matches!(source.token().await.unwrap_err().kind(), ErrorKind::Cancelled));
        assert_eq!(world.endpoint.calls(), 1);
        assert_eq!(world.events.counts(), (0, 0));
    }
}

#[tokio::test]
async fn without_a_stored_grant_nothing_is_asked() {
    let world = World::new().await;
    let source = world.source();
    source.token().await.unwrap();
    world.vault.erase(&world.key, Epoch::FIRST.next()).await.unwrap();
    source.forget();
    assert!(matches!(source.token().await.unwrap_err().kind(), ErrorKind::Cancelled));
    assert_eq!(world.endpoint.calls(), 0);
}

#[tokio::test]
async fn without_a_refresh_token_the_access_ends_with_the_token() {
    let world = World::new().await;
    let mut grant = world.grant();
    grant.refresh_token = None;
    world.put(Epoch::FIRST, grant).await;
    let source = world.source();
    world.clock.advance(58 * MINUTE);
    assert_eq!(secret(&source.token().await.unwrap()), "access-1");
    world.clock.advance(2 * MINUTE);
    assert_eq!(source.token().await.unwrap_err().code(), "oauth.no_offline_access");
    assert_eq!(world.endpoint.calls(), 0);
}

/// A person signed in again under the same epoch: the grant that ended is not this one.
#[tokio::test]
async fn a_new_grant_revives_the_source() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Fail(revoked())]);
    let source = world.source();
    source.token().await.unwrap_err();
    world.clock.advance(MINUTE);
    world.put(Epoch::FIRST, world.grant()).await;
    assert_eq!(secret(&source.token().await.unwrap()), "access-1");
    assert_eq!(world.endpoint.calls(), 1);
}

#[tokio::test]
async fn another_kind_of_credential_is_no_grant() {
    let world = World::new().await;
    let key = crate::credential::ApiKey {
        user: None,
        key: "k".into(),
    };
    world.vault.put(&world.key, Epoch::FIRST, &key.into()).await.unwrap();
    assert_eq!(world.source().token().await.unwrap_err().code(), "invalid");
}
