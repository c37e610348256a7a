//! What may fail on the way, and what must not be lost by it.

use super::*;
use crate::error::{BadPayload, ClientFault, Denier, Retry, ThrottleScope, TlsFault, Unreachable};

/// F17, F18: only the provider's own word ends a grant.
#[tokio::test]
async fn every_other_failure_leaves_the_grant_alone() {
    let failures: Vec<ErrorKind> = vec![
        ErrorKind::Transient,
        Unreachable::Dns.into(),
        Unreachable::Timeout.into(),
        TlsFault::Ca.into(),
        BadPayload::Syntax.into(),
        BadPayload::Type.into(),
        ErrorKind::Throttled {
            scope: ThrottleScope::Project,
            until: None,
        },
        OAuthError::Transient.into(),
        OAuthError::Other.into(),
        OAuthError::AccessDenied { by: Denier::Admin }.into(),
        OAuthError::ClientMisconfigured {
            fault: ClientFault::Credentials,
        }
        .into(),
    ];
    for failure in failures {
        let world = World::expired().await;
        world.endpoint.answer([Answer::Fail(failure.clone())]);
        let source = world.source();
        // Those who waited, and those who come at once, get the same answer without another call.
        for _ in 0..5 {
            assert_eq!(source.token().await.unwrap_err().code(), failure.code());
        }
        assert_eq!(world.endpoint.calls(), 1, "{failure:?}");
        assert_eq!(world.events.counts(), (0, 0), "{failure:?}");
        let stored = world.stored().await;
        assert!(stored.ended.is_none() && stored.generation == 1);
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(secret(&source.token().await.unwrap()), "access-2", "{failure:?}");
    }
}

#[tokio::test]
async fn pauses_grow_to_a_minute_and_end_with_success() {
    let world = World::expired().await;
    let source = world.source();
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        world.endpoint.answer([Answer::Fail(ErrorKind::Transient)]);
        let calls = world.endpoint.calls();
        source.token().await.unwrap_err();
        world
            .clock
            .advance(Duration::from_secs(seconds) - Duration::from_millis(1));
        let error = source.token().await.unwrap_err();
        assert_eq!(
            error.retry(),
            Retry::At(world.clock.now().after(Duration::from_millis(1)))
        );
        assert_eq!(world.endpoint.calls(), calls + 1, "{seconds}");
        world.clock.advance(Duration::from_millis(1));
    }
    source.token().await.unwrap();
    world.clock.advance(HOUR);
    world.endpoint.answer([Answer::Fail(ErrorKind::Transient)]);
    source.token().await.unwrap_err();
    world.clock.advance(Duration::from_secs(1));
    source.token().await.unwrap();
}

#[tokio::test]
async fn the_time_that_the_provider_names_is_kept() {
    let world = World::expired().await;
    let until = world.clock.now().after(10 * MINUTE);
    world.endpoint.answer([Answer::Fail(ErrorKind::Throttled {
        scope: ThrottleScope::Account,
        until: Some(until),
    })]);
    let source = world.source();
    source.token().await.unwrap_err();
    world.clock.advance(9 * MINUTE);
    assert_eq!(source.token().await.unwrap_err().retry(), Retry::At(until));
    assert_eq!(world.endpoint.calls(), 1);
    world.clock.advance(MINUTE);
    source.token().await.unwrap();
}

#[tokio::test]
async fn a_failed_early_refresh_keeps_the_valid_token() {
    let world = World::new().await;
    let source = world.source();
    source.token().await.unwrap();
    world.clock.advance(HOUR - 5 * MINUTE);
    world
        .endpoint
        .answer([Answer::Fail(ErrorKind::Transient), Answer::Fail(ErrorKind::Transient)]);
    for _ in 0..10 {
        assert_eq!(secret(&source.token().await.unwrap()), "access-1");
    }
    assert_eq!(world.endpoint.calls(), 1, "one try, then a pause");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(secret(&source.token().await.unwrap()), "access-1");
    assert_eq!(world.endpoint.calls(), 2);
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(secret(&source.token().await.unwrap()), "access-2");
}

#[tokio::test]
async fn a_rejected_token_is_not_kept_when_the_refresh_fails() {
    let world = World::new().await;
    let source = world.source();
    let token = source.token().await.unwrap();
    source.reject(&token).await;
    world.endpoint.answer([Answer::Fail(ErrorKind::Transient)]);
    assert_eq!(source.token().await.unwrap_err().code(), "transient");
}

#[tokio::test]
async fn a_call_without_answer_ends_in_time() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Never]);
    let source = world.source();
    let asking = tokio::spawn({
        let source = source.clone();
        async move { source.token().await }
    });
    world.endpoint.arrived(1).await;
    settle().await;
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(asking.await.unwrap().unwrap_err().code(), "unreachable.timeout");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(secret(&source.token().await.unwrap()), "access-2");
}

/// F49.
#[tokio::test]
async fn a_panic_of_the_host_says_nothing_about_the_grant() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Panic]);
    let source = world.source();
    assert_eq!(source.token().await.unwrap_err().code(), "oauth.transient");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(secret(&source.token().await.unwrap()), "access-2");
}

/// F16: a holder that died before its call.
#[tokio::test]
async fn the_lease_of_a_dead_holder_ends() {
    let world = World::expired().await;
    let ghost = HolderId::new("ghost");
    world.store.lease(&world.key, &ghost, MINUTE).await.unwrap().unwrap();
    let source = world.source();
    let began = world.clock.monotonic();
    let token = world.drive(async move { source.token().await.unwrap() }).await;
    assert_eq!(secret(&token), "access-2");
    let waited = world.clock.monotonic() - began;
    assert!(
        (MINUTE..MINUTE + Duration::from_secs(1)).contains(&waited),
        "{waited:?}"
    );
    assert_eq!(world.endpoint.calls(), 1);
}

/// F16: a holder that died after it had stored the token.
#[tokio::test]
async fn what_a_dead_holder_stored_is_used_without_waiting_for_its_lease() {
    let world = World::expired().await;
    world
        .store
        .lease(&world.key, &HolderId::new("ghost"), HOUR)
        .await
        .unwrap()
        .unwrap();
    let answer = RefreshedGrant::new("from the ghost".into()).with_expires_in(HOUR);
    let newer = world.stored().await.renewed(answer, world.clock.now());
    world.put(Epoch::FIRST, newer).await;
    assert_eq!(secret(&world.source().token().await.unwrap()), "from the ghost");
    assert_eq!(world.endpoint.calls(), 0);
}

/// F16: a holder that died after a rotating answer; the provider may honestly refuse the old token.
#[tokio::test]
async fn a_lost_answer_may_honestly_end_the_grant() {
    let world = World::expired().await;
    world
        .store
        .lease(&world.key, &HolderId::new("ghost"), MINUTE)
        .await
        .unwrap()
        .unwrap();
    world.endpoint.answer([Answer::Fail(revoked())]);
    let source = world.source();
    let outcome = world.drive(async move { source.token().await }).await;
    assert_eq!(outcome.unwrap_err().code(), "oauth.invalid_grant.revoked");
}

/// F16: a process that stood still while its lease ended.
#[tokio::test]
async fn a_stale_holder_never_overwrites_what_the_next_one_stored() {
    for late in [Answer::Rotated, Answer::Fail(revoked())] {
        let world = World::expired().await;
        let standing_still = ManualClock::new(world.clock.now());
        let settings = RefreshSettings::default();
        let stale = world.source_with(settings, &standing_still);
        world.endpoint.answer([Answer::Held(Box::new(late)), Answer::Rotated]);
        let asking = tokio::spawn(async move { stale.token().await });
        world.endpoint.arrived(1).await;
        world.clock.advance(2 * MINUTE);
        let fresh = world.source();
        assert_eq!(secret(&fresh.token().await.unwrap()), "access-2");
        let stored = world.stored().await;
        world.endpoint.open();
        while !asking.is_finished() {
            settle().await;
            standing_still.advance(Duration::from_millis(200));
        }
        assert_eq!(secret(&asking.await.unwrap().unwrap()), "access-2");
        let after = world.stored().await;
        assert!(after.ended.is_none());
        assert_eq!(
            (after.generation, after.obtained_at),
            (stored.generation, stored.obtained_at)
        );
        assert_eq!(world.events.counts(), (1, 0));
    }
}

/// F45: the disk is full when the answer comes.
#[tokio::test]
async fn a_token_that_cannot_be_stored_is_neither_used_nor_lost() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Held(Box::new(Answer::Rotated))]);
    let source = world.source();
    let asking = tokio::spawn({
        let source = source.clone();
        async move { source.token().await }
    });
    world.endpoint.arrived(1).await;
    world.store.set_full(true);
    world.endpoint.open();
    assert_eq!(asking.await.unwrap().unwrap_err().code(), "storage.full");
    assert_eq!(source.token().await.unwrap_err().code(), "storage.full");
    assert_eq!(world.stored().await.generation, 1);
    world.store.set_full(false);
    assert_eq!(secret(&source.token().await.unwrap()), "access-2");
    assert_eq!(world.stored().await.refresh_token.unwrap().expose_secret(), "refresh-2");
    assert_eq!(
        world.endpoint.calls(),
        1,
        "the rotated token was kept and stored, not asked for again"
    );
}

#[tokio::test]
async fn a_kept_token_that_is_over_when_the_disk_has_room_again_is_stored_and_renewed() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Held(Box::new(Answer::Rotated))]);
    let source = world.source();
    let asking = tokio::spawn({
        let source = source.clone();
        async move { source.token().await }
    });
    world.endpoint.arrived(1).await;
    world.store.set_full(true);
    world.endpoint.open();
    assert_eq!(asking.await.unwrap().unwrap_err().code(), "storage.full");
    world.clock.advance(HOUR);
    world.store.set_full(false);
    let token = world.drive(async move { source.token().await.unwrap() }).await;
    assert_eq!(secret(&token), "access-3", "asked with the refresh token that was kept");
    assert_eq!(world.stored().await.refresh_token.unwrap().expose_secret(), "refresh-2");
    assert_eq!(world.endpoint.calls(), 2);
}

/// F46: the stored grant cannot be opened.
#[tokio::test]
async fn a_damaged_row_is_left_as_it_is() {
    let world = World::expired().await;
    let row = world.store.load(&world.key).await.unwrap().unwrap();
    let mut damaged = row.value.clone();
    *damaged.envelope.last_mut().unwrap() ^= 1;
    world
        .store
        .commit(&world.key, damaged.clone(), row.version, None)
        .await
        .unwrap();
    let error = world.source().token().await.unwrap_err();
    assert_eq!(error.code(), "storage.corrupt");
    assert_eq!(world.store.load(&world.key).await.unwrap().unwrap().value, damaged);
    assert_eq!(world.endpoint.calls(), 0);

    let stranger = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
    let vault = Vault::new(Arc::clone(&world.store) as Arc<dyn CredentialStore>, stranger);
    let source = RefreshingToken::new(
        world.connection.clone(),
        vault,
        Arc::clone(&world.endpoint) as Arc<dyn Refresh>,
    );
    assert_eq!(source.token().await.unwrap_err().code(), "storage.key");
}

/// F24: the wall clock jumps while a token lives.
#[tokio::test]
async fn a_jump_of_the_clock_costs_one_call_at_most_and_no_token() {
    for hours in [-1i64, 1] {
        let world = World::new().await;
        let source = world.source();
        source.token().await.unwrap();
        world.clock.advance(MINUTE);
        world.clock.jump(hours * 3_600_000);
        world.endpoint.answer([Answer::Fail(ErrorKind::Transient)]);
        assert_eq!(
            secret(&source.token().await.unwrap()),
            "access-1",
            "valid by the time that has passed"
        );
        world.clock.advance(MINUTE);
        for _ in 0..10 {
            source.token().await.unwrap();
        }
        assert!(world.endpoint.calls() <= 2);
    }
}
