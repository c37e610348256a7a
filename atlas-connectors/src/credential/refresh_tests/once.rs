//! One token call per expiry, and none where none is needed.

use super::*;
use crate::clock::SystemClock;

#[tokio::test]
async fn a_valid_token_needs_one_look_into_the_store_and_no_call() {
    let world = World::new().await;
    let source = world.source();
    let loads = world.store.loads.load(Ordering::SeqCst);
    for _ in 0..1_000 {
        assert_eq!(secret(&source.token().await.unwrap()), "access-1");
    }
    assert_eq!(world.endpoint.calls(), 0);
    assert_eq!(world.store.loads.load(Ordering::SeqCst), loads + 1);
    assert_eq!(source.cached().unwrap().generation(), 1);
}

#[tokio::test]
async fn an_expired_token_is_renewed_and_stored_before_it_is_given() {
    let world = World::expired().await;
    let token = world.source().token().await.unwrap();
    assert_eq!(secret(&token), "access-2");
    let stored = world.stored().await;
    assert_eq!(stored.access_token.expose_secret(), "access-2");
    assert_eq!(
        stored.refresh_token.unwrap().expose_secret(),
        "refresh-1",
        "kept: the answer has none"
    );
    assert_eq!(stored.expires_at, Some(world.clock.now().after(HOUR)));
    assert_eq!(world.events.counts(), (1, 0));
}

#[tokio::test]
async fn a_rotated_refresh_token_replaces_the_old_one() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Rotated]);
    world.source().token().await.unwrap();
    assert_eq!(world.stored().await.refresh_token.unwrap().expose_secret(), "refresh-2");
}

/// F15, within a process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tasks_make_one_call() {
    let world = World::expired().await;
    let source = world.source();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let source = source.clone();
            tokio::spawn(async move { source.token().await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(secret(&task.await.unwrap()), "access-2");
    }
    assert_eq!(world.endpoint.calls(), 1);
    assert_eq!(world.events.counts(), (1, 0));
}

/// F15, over processes: each has its own source; they meet in the store only.
#[tokio::test]
async fn eight_processes_make_one_call() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Held(Box::new(Answer::Rotated))]);
    let tasks: Vec<_> = (0..8)
        .flat_map(|_| {
            let source = world.source();
            (0..25).map(move |_| {
                let source = source.clone();
                tokio::spawn(async move { source.token().await.unwrap() })
            })
        })
        .collect();
    let endpoint = Arc::clone(&world.endpoint);
    world
        .drive(async move {
            endpoint.arrived(1).await;
            settle().await;
            endpoint.open();
            for task in tasks {
                assert_eq!(secret(&task.await.unwrap()), "access-2");
            }
        })
        .await;
    assert_eq!(world.endpoint.calls(), 1);
    assert_eq!(world.stored().await.refresh_token.unwrap().expose_secret(), "refresh-2");
}

/// F15 on one file, through several stores as several processes have them.
#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tasks_over_four_files_handles_make_one_call() {
    use crate::store::SqliteStore;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("atlas.db");
    let sealer = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
    let connection = connection();
    let endpoint = Arc::new(Endpoint::default());
    let long_ago = SystemClock.now().before(2 * HOUR);
    let grant = OAuthGrant::new("access-1".into(), ScopeSet::new(), long_ago)
        .with_refresh_token("refresh-1".into())
        .with_expires_in(HOUR);
    let vault = || Vault::new(Arc::new(SqliteStore::open(&path).unwrap()), sealer.clone());
    let key = CredentialKey::oauth(&connection);
    vault().put(&key, Epoch::FIRST, &grant.into()).await.unwrap();

    let tasks: Vec<_> = (0..4)
        .flat_map(|_| {
            let settings = RefreshSettings::default().with_wait(Duration::from_millis(2), MINUTE);
            let source =
                RefreshingToken::builder(connection.clone(), vault(), Arc::clone(&endpoint) as Arc<dyn Refresh>)
                    .settings(settings)
                    .build();
            (0..50).map(move |_| {
                let source = source.clone();
                tokio::spawn(async move { source.token().await.unwrap() })
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(secret(&task.await.unwrap()), "access-2");
    }
    assert_eq!(endpoint.calls(), 1);
}

#[tokio::test]
async fn a_rejected_token_is_renewed_once_for_all_who_had_it() {
    let world = World::new().await;
    let source = world.source();
    let first = source.token().await.unwrap();
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (source, first) = (source.clone(), first.clone());
            tokio::spawn(async move {
                source.reject(&first).await;
                source.token().await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(secret(&task.await.unwrap()), "access-2");
    }
    // A late 401 to the first token says nothing about the second.
    source.reject(&first).await;
    assert_eq!(secret(&source.token().await.unwrap()), "access-2");
    assert_eq!(world.endpoint.calls(), 1);
}

#[tokio::test]
async fn a_token_that_another_process_has_renewed_already_costs_no_call() {
    let world = World::new().await;
    let (here, there) = (world.source(), world.source());
    let first = here.token().await.unwrap();
    let same = there.token().await.unwrap();
    there.reject(&same).await;
    assert_eq!(secret(&there.token().await.unwrap()), "access-2");
    here.reject(&first).await;
    assert_eq!(secret(&here.token().await.unwrap()), "access-2");
    assert_eq!(world.endpoint.calls(), 1);
}

#[tokio::test]
async fn only_one_task_renews_early_and_the_others_go_on_with_the_valid_token() {
    let world = World::new().await;
    let source = world.source();
    source.token().await.unwrap();
    world.clock.advance(HOUR - 5 * MINUTE);
    world.endpoint.answer([Answer::Held(Box::new(Answer::Token))]);
    let renewing = tokio::spawn({
        let source = source.clone();
        async move { source.token().await.unwrap() }
    });
    world.endpoint.arrived(1).await;
    for _ in 0..100 {
        assert_eq!(secret(&source.token().await.unwrap()), "access-1");
    }
    // Nor does another process wait for it.
    assert_eq!(secret(&world.source().token().await.unwrap()), "access-1");
    world.endpoint.open();
    assert_eq!(secret(&renewing.await.unwrap()), "access-2");
    assert_eq!(secret(&source.token().await.unwrap()), "access-2");
    assert_eq!(world.endpoint.calls(), 1);
}

/// F50: the caller is dropped at the worst moment.
#[tokio::test]
async fn the_token_reaches_the_store_although_the_caller_gave_up() {
    let world = World::expired().await;
    world.endpoint.answer([Answer::Held(Box::new(Answer::Rotated))]);
    let source = world.source();
    let caller = tokio::spawn({
        let source = source.clone();
        async move { source.token().await }
    });
    world.endpoint.arrived(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    world.endpoint.open();
    settle().await;
    assert_eq!(world.stored().await.refresh_token.unwrap().expose_secret(), "refresh-2");
    assert_eq!(secret(&source.token().await.unwrap()), "access-2");
    assert_eq!(world.endpoint.calls(), 1);
}

#[tokio::test]
async fn a_row_that_is_sealed_again_meanwhile_does_not_cost_the_new_token() {
    let world = World::expired().await;
    let old = crate::credential::SealingKey::generate();
    let new = crate::credential::SealingKey::generate();
    let ring = |keys: KeyRing| Sealer::new(Arc::new(keys)).unwrap();
    let store = || Arc::clone(&world.store) as Arc<dyn CredentialStore>;
    let before = Vault::new(store(), ring(KeyRing::new(old.clone()).with_older(new.clone())));
    let after = Vault::new(store(), ring(KeyRing::new(new).with_older(old)));
    before
        .put(&world.key, Epoch::FIRST, &world.stored().await.into())
        .await
        .unwrap();

    world.endpoint.answer([Answer::Held(Box::new(Answer::Rotated))]);
    let source = RefreshingToken::builder(
        world.connection.clone(),
        before,
        Arc::clone(&world.endpoint) as Arc<dyn Refresh>,
    )
    .clock(Arc::new(world.clock.clone()))
    .build();
    let renewing = tokio::spawn(async move { source.token().await.unwrap() });
    world.endpoint.arrived(1).await;
    assert_eq!(after.rotate().await.unwrap().resealed, 1);
    world.endpoint.open();
    assert_eq!(secret(&renewing.await.unwrap()), "access-2");
    let stored = after.load(&world.key).await.unwrap().unwrap().credential;
    assert_eq!(
        stored
            .as_oauth()
            .unwrap()
            .refresh_token
            .as_ref()
            .unwrap()
            .expose_secret(),
        "refresh-2"
    );
    assert_eq!(world.endpoint.calls(), 1);
}
