//! F23: disconnect and reconnect against sign-in and refresh, in every order that matters.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use futures_util::future::{join, poll_immediate};

use super::grants::disconnect;
use super::world::*;
use crate::connection::{Connection, ConnectionStore, Connections, GrantOwner, Status};
use crate::credential::{RefreshingToken, TokenSource as _, Versioned};
use crate::oauth::SignIn;
use crate::{ConnectionId, Result, TenantId, Version};

/// Polls a future at most this often, then drops it: a crash at that point.
pub(super) async fn polled<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Some(output) = poll_immediate(future.as_mut()).await {
            return Some(output);
        }
    }
    None
}

/// Polls two futures in the order of the bits, again from the start when they are used up, until both are done.
async fn interleaved<A: Future, B: Future>(schedule: u32, one: A, two: B) -> (A::Output, B::Output) {
    let (mut one, mut two) = (pin!(one), pin!(two));
    let (mut first, mut second) = (None, None);
    let mut step = 0;
    poll_fn(move |context| {
        loop {
            let take_first = (schedule >> (step % 16)) & 1 == 0;
            step += 1;
            if (take_first || second.is_some()) && first.is_none() {
                if let Poll::Ready(output) = one.as_mut().poll(context) {
                    first = Some(output);
                }
            } else if second.is_none()
                && let Poll::Ready(output) = two.as_mut().poll(context)
            {
                second = Some(output);
            }
            if let (Some(_), Some(_)) = (&first, &second)
                && let (Some(first), Some(second)) = (first.take(), second.take())
            {
                return Poll::Ready((first, second));
            }
        }
    })
    .await
}

/// Lets others go first before every step of the store.
#[derive(Debug)]
struct Yielding<S>(S);

async fn turn() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[async_trait]
impl<S: ConnectionStore> ConnectionStore for Yielding<S> {
    async fn get(&self, tenant: &TenantId, connection: &ConnectionId) -> Result<Option<Versioned<Connection>>> {
        turn().await;
        self.0.get(tenant, connection).await
    }
    async fn list(&self, tenant: &TenantId) -> Result<Vec<Versioned<Connection>>> {
        turn().await;
        self.0.list(tenant).await
    }
    async fn insert(&self, row: &Connection) -> Result<Version> {
        turn().await;
        self.0.insert(row).await
    }
    async fn update(&self, row: &Connection, expected: Version) -> Result<Version> {
        turn().await;
        let done = self.0.update(row, expected).await;
        turn().await;
        done
    }
    async fn remove(&self, tenant: &TenantId, connection: &ConnectionId, expected: Version) -> Result<()> {
        turn().await;
        self.0.remove(tenant, connection, expected).await
    }
    async fn sharing_grant(&self, grant: &GrantOwner) -> Result<Vec<(TenantId, ConnectionId)>> {
        turn().await;
        self.0.sharing_grant(grant).await
    }
}

fn yielding(world: &mut World) {
    let store = Arc::new(Yielding(world.store.clone()));
    let vault = world.connections.vault().clone();
    world.connections = Connections::new(store, vault, Arc::new(world.clock.clone()));
    world.sign_in = SignIn::new(
        world.app.clone(),
        world.connections.clone(),
        Arc::new(world.store.clone()),
    );
}

/// What must hold whatever happened: a connection that works has its credential, one that is disconnected has none.
async fn consistent(world: &World, connection: &ConnectionId, story: &str) {
    let row = world.row(connection).await;
    let grant = world.grant(connection).await;
    match &row.status {
        Status::Disconnected => assert!(grant.is_none(), "{story}: a credential rose again: {row:?}"),
        Status::Verifying { .. } => assert!(grant.is_some(), "{story}: no credential: {row:?}"),
        other => panic!("{story}: {other:?}"),
    }
}

#[tokio::test]
async fn a_disconnect_and_a_reconnect_never_leave_half_of_each() {
    let (mut reconnected, mut superseded) = (0, 0);
    for schedule in (0..=u32::from(u16::MAX)).step_by(127) {
        let mut world = World::new();
        let connection = world.connect().await;
        yielding(&mut world);
        world.server.state().yields = 1;
        let begun = world.begin(world.request().reconnecting(connection.clone())).await;
        let (signed_in, disconnected) = interleaved(
            schedule,
            world.complete(World::agreed(&begun)),
            disconnect(&world, &connection),
        )
        .await;
        let story = format!("schedule {schedule:#018b}");
        consistent(&world, &connection, &story).await;
        match signed_in {
            Ok(_) => reconnected += 1,
            Err(error) => {
                assert_eq!(error.code(), "oauth.flow.superseded", "{story}");
                superseded += 1;
            }
        }
        if let Err(error) = disconnected {
            assert_eq!(error.code(), "cancelled", "{story}");
        }
    }
    assert!(
        reconnected > 0 && superseded > 0,
        "{reconnected} / {superseded}: the schedules are too tame"
    );
}

#[tokio::test]
async fn of_two_reconnects_at_once_one_wins_whole() {
    for schedule in (0..=u32::from(u16::MAX)).step_by(509) {
        let mut world = World::new();
        let connection = world.connect().await;
        yielding(&mut world);
        world.server.state().yields = 1;
        world.server.state().claims = serde_json::json!({ "nonce": null });
        let one = world.begin(world.request().reconnecting(connection.clone())).await;
        let nonce = parameter(&one, "nonce");
        world.server.state().claims = serde_json::json!({ "nonce": nonce });
        let two = world.begin(world.request().reconnecting(connection.clone())).await;
        // The second speaks for the same nonce only by mistake: it is refused at the id token or at the epoch.
        let (first, second) = interleaved(
            schedule,
            world.complete(World::agreed(&one)),
            world.complete(World::agreed(&two)),
        )
        .await;
        first.unwrap();
        assert!(matches!(
            second.unwrap_err().code(),
            "oauth.flow.id_token" | "oauth.flow.superseded"
        ));
        consistent(&world, &connection, &format!("schedule {schedule:#018b}")).await;
    }
}

#[tokio::test]
async fn a_disconnect_while_the_code_is_redeemed_wins() {
    let world = World::new();
    let connection = world.connect().await;
    let begun = world.begin(world.request().reconnecting(connection.clone())).await;
    let (connections, app) = (world.connections.clone(), world.app.clone());
    let (tenant, id) = (world.tenant.clone(), connection.clone());
    world.server.state().meanwhile = Some(Box::pin(async move {
        connections.disconnect(Some(&app), &tenant, &id).await.unwrap();
    }));
    let error = world.complete(World::agreed(&begun)).await.unwrap_err();
    assert_eq!(error.code(), "oauth.flow.superseded");
    consistent(&world, &connection, "late").await;
    // Nobody holds a grant of this person any more: the fresh one is taken back as well.
    assert_eq!(world.server.last("/revoke")["token"], format!("{REFRESH}-2"));
}

#[tokio::test]
async fn a_disconnect_before_the_callback_spends_no_code() {
    let world = World::new();
    let connection = world.connect().await;
    let begun = world.begin(world.request().reconnecting(connection.clone())).await;
    disconnect(&world, &connection).await.unwrap();
    let error = world.complete(World::agreed(&begun)).await.unwrap_err();
    assert_eq!(error.code(), "oauth.flow.superseded");
    assert_eq!(world.server.count("/token"), 1, "that of the first sign-in");
}

#[tokio::test]
async fn a_refresh_in_flight_never_brings_a_credential_back() {
    for yields in 0..24 {
        let mut world = World::new();
        let connection = world.connect().await;
        let reference = world.row(&connection).await.reference;
        yielding(&mut world);
        world.advance(3600);
        world.server.state().yields = yields;
        let tokens = RefreshingToken::builder(
            reference,
            world.connections.vault().clone(),
            Arc::new(world.app.refresher()),
        )
        .clock(Arc::new(world.clock.clone()))
        .events(Arc::new(world.connections.clone()))
        .build();
        let (token, disconnected) = join(tokens.token(), disconnect(&world, &connection)).await;
        let story = format!(
            "{yields} yields, token {:?}",
            token.map(|_| ()).map_err(|error| error.code())
        );
        disconnected.unwrap();
        consistent(&world, &connection, &story).await;
        assert!(tokens.token().await.is_err() || tokens.cached().is_some(), "{story}");
    }
}
