//! Signing in on another device, at the provider's pace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join;

use super::world::*;
use crate::oauth::Workflow;
use crate::{Clock as _, Result};

/// Runs a sign-in, moving the clock whenever it waits. Gives how long each wait was.
async fn run(world: &World) -> (Result<crate::oauth::SignedIn>, Vec<u64>) {
    let device = world
        .sign_in
        .begin_device(world.tenant.clone(), &[Workflow::Triage], None)
        .await
        .unwrap();
    assert_eq!(device.user_code, "ABCD-EFGH");
    assert!(!format!("{device:?}").contains("device-canary"));
    let mut waits = Vec::new();
    let done = AtomicBool::new(false);
    let sign_in = async {
        let outcome = world.sign_in.complete_device(device).await;
        done.store(true, Ordering::Relaxed);
        outcome
    };
    let time = async {
        while !done.load(Ordering::Relaxed) {
            if let Some(wake) = world.clock.next_wake() {
                waits.push(wake.as_secs());
                world.clock.advance(wake);
            }
            tokio::task::yield_now().await;
        }
    };
    let (outcome, ()) = join(sign_in, time).await;
    (outcome, waits)
}

#[tokio::test]
async fn it_asks_at_the_pace_that_the_provider_sets() {
    let world = World::new();
    world.server.refuse_tokens(400, r#"{"error":"authorization_pending"}"#);
    world.server.refuse_tokens(400, r#"{"error":"slow_down"}"#);
    world.server.refuse_tokens(400, r#"{"error":"authorization_pending"}"#);
    let (outcome, waits) = run(&world).await;
    let signed_in = outcome.unwrap();
    assert_eq!(waits, [5, 5, 10, 10]);
    assert_eq!(world.server.last("/token")["device_code"], "device-canary");
    assert!(world.grant(&signed_in.connection.connection).await.is_some());
}

#[tokio::test]
async fn an_outage_slows_it_down_and_the_end_of_the_code_ends_it() {
    let world = World::new();
    for _ in 0..9 {
        world.server.refuse_tokens(503, "");
    }
    let (outcome, waits) = run(&world).await;
    assert_eq!(outcome.unwrap_err().code(), "oauth.flow.expired");
    assert_eq!(waits.get(..3), Some(&[5, 10, 20][..]));
    assert!(world.nothing_is_stored().await);
}

#[tokio::test]
async fn refusals_end_it() {
    for (error, code) in [
        ("access_denied", "oauth.access_denied.user"),
        ("expired_token", "oauth.flow.expired"),
        ("invalid_client", "oauth.client.credentials"),
    ] {
        let world = World::new();
        world.server.refuse_tokens(400, &format!(r#"{{"error":"{error}"}}"#));
        let (outcome, _) = run(&world).await;
        assert_eq!(outcome.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn it_stands_under_the_same_checks() {
    let world = World::new();
    let connection = world.connect().await;
    world.server.state().person = STRANGER;
    let device = world
        .sign_in
        .begin_device(world.tenant.clone(), &[Workflow::Triage], Some(&connection))
        .await
        .unwrap();
    let time = async {
        while world.clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        world.clock.advance(Duration::from_secs(5));
    };
    let (outcome, ()) = join(world.sign_in.complete_device(device), time).await;
    assert_eq!(outcome.unwrap_err().code(), "oauth.wrong_account");
    assert!(world.clock.monotonic() > Duration::ZERO);
}
