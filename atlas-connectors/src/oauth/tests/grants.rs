//! F21, F22: whose grant came back and what it holds; disconnect and its crashes.

use std::sync::Arc;

use async_trait::async_trait;

use super::world::*;
use crate::connection::{ConnectionAction, ConnectionEvent, Pause, Proof, ProofKind, RevokeOutcome, Status};
use crate::credential::AccessToken;
use crate::oauth::{AccountProfile, ScopeSet, SignIn, Workflow};
use crate::{Clock as _, ErrorKind, Result};

#[tokio::test]
async fn another_account_changes_nothing_and_is_sent_away() {
    let world = World::new();
    let connection = world.connect().await;
    let before = (
        world.row(&connection).await,
        format!("{:?}", world.grant(&connection).await),
    );
    let error = world.sign_in_as(STRANGER, Some(&connection)).await.unwrap_err();

    assert_eq!(error.code(), "oauth.wrong_account");
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("a**@acme.example") && shown.contains("e**@elsewhere.example"),
        "{shown}"
    );
    assert!(
        !shown.contains(ANNA.email) && !shown.contains(STRANGER.email),
        "{shown}"
    );
    let after = (
        world.row(&connection).await,
        format!("{:?}", world.grant(&connection).await),
    );
    assert_eq!(before, after);
    // The stranger's fresh grant is the only one of that person: it is taken back.
    assert_eq!(world.server.last("/revoke")["token"], format!("{REFRESH}-2"));
    assert!(error.context().any(|fact| fact == ("refused_grant", "revoked")));
}

#[tokio::test]
async fn a_refused_grant_is_left_alone_if_others_live_on_it() {
    let world = World::new();
    let connection = world.connect().await;
    // The stranger has a connection elsewhere, of another tenant even.
    let mut elsewhere = World::new();
    elsewhere.server = world.server.clone();
    elsewhere.sign_in = world.sign_in.clone();
    elsewhere.connections = world.connections.clone();
    elsewhere.tenant = "other".into();
    elsewhere.sign_in_as(STRANGER, None).await.unwrap();

    let error = world.sign_in_as(STRANGER, Some(&connection)).await.unwrap_err();
    assert_eq!(error.code(), "oauth.wrong_account");
    assert_eq!(world.server.count("/revoke"), 0);
    assert!(error.context().any(|fact| fact == ("refused_grant", "shared")));
}

#[tokio::test]
async fn another_organization_is_another_account() {
    let world = World::new();
    world.server.state().claims = serde_json::json!({ "hd": "acme.example" });
    let connection = world.connect().await;
    world.server.state().claims = serde_json::json!({ "hd": "elsewhere.example" });
    let error = world.sign_in_as(ANNA, Some(&connection)).await.unwrap_err();
    assert_eq!(error.code(), "oauth.wrong_account");
}

#[tokio::test]
async fn the_same_account_reconnects_in_a_new_epoch_and_needs_a_fresh_signal() {
    let world = World::new();
    let connection = world.connect().await;
    let old = world.row(&connection).await.reference;
    world.advance(60);
    let signed_in = world.sign_in_as(ANNA, Some(&connection)).await.unwrap();
    assert!(signed_in.reconnected);
    assert_eq!(signed_in.connection.epoch, old.epoch.next());

    // Work begun before is void.
    let connections = &world.connections;
    let proof = Proof::new(ProofKind::Signal, world.clock.now());
    let late = connections
        .apply(&old, ConnectionEvent::Proven(proof))
        .await
        .unwrap_err();
    assert_eq!(late.code(), "cancelled");
    assert_eq!(connections.admit(&old).await.unwrap_err().code(), "cancelled");
    connections.admit(&signed_in.connection).await.unwrap();

    // A message from before the grant proves nothing, an answer is not enough, a time to come does not count.
    let granted = world.clock.now();
    world.advance(10);
    for (kind, at) in [
        (ProofKind::Signal, granted.before(std::time::Duration::from_secs(5))),
        (ProofKind::Signal, granted),
        (ProofKind::Answer, world.clock.now()),
    ] {
        let event = ConnectionEvent::Proven(Proof::new(kind, at));
        assert_eq!(connections.apply(&signed_in.connection, event).await.unwrap(), None);
    }
    let fresh = Proof::new(ProofKind::Signal, world.clock.now());
    let status = connections
        .apply(&signed_in.connection, ConnectionEvent::Proven(fresh))
        .await
        .unwrap();
    assert_eq!(status, Some(Status::Connected));
}

#[tokio::test]
async fn missing_scopes_are_named_and_the_grant_is_taken_back() {
    let world = World::new();
    let person = Person {
        scope: "openid email",
        ..ANNA
    };
    let error = world.sign_in_as(person.clone(), None).await.unwrap_err();
    assert_eq!(error.code(), "oauth.insufficient_privileges");
    assert!(error.to_string().contains("mail.read"));
    assert!(world.nothing_is_stored().await);
    assert_eq!(world.server.count("/revoke"), 1);

    // On a reconnect the old grant of the same person still serves: revoking would end it too.
    let connection = world.connect().await;
    let error = world.sign_in_as(person, Some(&connection)).await.unwrap_err();
    assert_eq!(error.code(), "oauth.insufficient_privileges");
    assert_eq!(world.server.count("/revoke"), 1);
    assert!(world.grant(&connection).await.is_some());
}

#[tokio::test]
async fn wider_grants_are_stored_as_they_are_and_reported() {
    let world = World::new();
    let person = Person {
        scope: "openid email mail.read mail.send",
        ..ANNA
    };
    let signed_in = world.sign_in_as(person, None).await.unwrap();
    assert_eq!(signed_in.excess, ScopeSet::parse("mail.send"));
    let row = world.row(&signed_in.connection.connection).await;
    assert_eq!(row.granted, ScopeSet::parse("openid email mail.read mail.send"));
    assert_eq!(row.workflows, [Workflow::Triage]);
}

#[tokio::test]
async fn a_missing_refresh_token_is_noticed() {
    let world = World::new();
    let person = Person {
        refresh_token: false,
        ..ANNA
    };
    let error = world.sign_in_as(person, None).await.unwrap_err();
    assert_eq!(error.code(), "oauth.no_offline_access");
    assert!(world.nothing_is_stored().await);
    // Without one, the access token is what can be revoked.
    assert_eq!(world.server.last("/revoke")["token"], format!("{ACCESS}-1"));
}

#[derive(Debug)]
struct Mailbox(Option<&'static str>);

#[async_trait]
impl AccountProfile for Mailbox {
    async fn address(&self, token: &AccessToken) -> Result<Option<String>> {
        assert!(token.scopes().contains(&"mail.read".into()));
        Ok(self.0.map(str::to_owned))
    }
}

#[tokio::test]
async fn the_mailbox_is_heard_as_a_second_opinion() {
    for (address, accepted) in [
        (Some("Anna@ACME.example"), true),
        (None, true),
        (Some("eve@elsewhere.example"), false),
    ] {
        let world = World::new();
        let profile = Arc::new(Mailbox(address));
        let sign_in: SignIn = world.sign_in.clone().with_profile(profile);
        let begun = world.begin(world.request()).await;
        let outcome = sign_in
            .complete(World::agreed(&begun), &world.actor, &world.session)
            .await;
        assert_eq!(outcome.is_ok(), accepted, "{address:?}");
        if let Err(error) = outcome {
            assert_eq!(error.code(), "oauth.wrong_account");
            assert!(world.nothing_is_stored().await);
        }
    }
}

#[tokio::test]
async fn a_second_connection_of_the_same_account_is_pointed_out() {
    let world = World::new();
    let first = world.connect().await;
    let second = world.sign_in_as(ANNA, None).await.unwrap();
    assert_eq!(second.same_account, [first]);
}

#[tokio::test]
async fn a_disconnect_revokes_erases_and_stays_done() {
    let world = World::new();
    let connection = world.connect().await;
    let before = world.row(&connection).await.reference;
    let done = disconnect(&world, &connection).await.unwrap();

    assert_eq!(done.revoke, Some(RevokeOutcome::Revoked));
    assert!(done.is_complete());
    assert_eq!(world.server.last("/revoke")["token"], format!("{REFRESH}-1"));
    assert!(world.grant(&connection).await.is_none());
    let row = world.row(&connection).await;
    assert_eq!(
        (row.status.clone(), row.reference.epoch),
        (Status::Disconnected, before.epoch.next())
    );
    assert!(row.identity.is_some(), "the identity stays pinned");
    assert_eq!(world.connections.admit(&before).await.unwrap_err().code(), "cancelled");

    let again = disconnect(&world, &connection).await.unwrap();
    assert_eq!(again, done);
    assert_eq!(world.server.count("/revoke"), 1);

    let error = world.sign_in_as(STRANGER, Some(&connection)).await.unwrap_err();
    assert_eq!(error.code(), "oauth.wrong_account");
    world.sign_in_as(ANNA, Some(&connection)).await.unwrap();
    assert!(world.grant(&connection).await.is_some());
    assert_eq!(
        world
            .connections
            .remove(&world.tenant, &connection)
            .await
            .unwrap_err()
            .code(),
        "invalid"
    );
    disconnect(&world, &connection).await.unwrap();
    world.connections.remove(&world.tenant, &connection).await.unwrap();
    assert!(world.nothing_is_stored().await);
}

#[tokio::test]
async fn a_shared_grant_outlives_the_disconnect_of_one() {
    let world = World::new();
    let (one, two) = (world.connect().await, world.connect().await);
    let done = disconnect(&world, &one).await.unwrap();
    assert_eq!(done.revoke, Some(RevokeOutcome::Shared { others: 1 }));
    assert_eq!(world.server.count("/revoke"), 0);
    assert!(world.grant(&one).await.is_none() && world.grant(&two).await.is_some());
    assert_eq!(
        disconnect(&world, &two).await.unwrap().revoke,
        Some(RevokeOutcome::Revoked)
    );
}

#[tokio::test]
async fn a_provider_out_of_reach_does_not_stop_a_disconnect() {
    let world = World::new();
    let connection = world.connect().await;
    let answer = (503, "text/html", "<html>".to_owned());
    world.server.state().revoke_answers.push_back(answer);
    let done = disconnect(&world, &connection).await.unwrap();
    let code = "oauth.transient".into();
    assert_eq!(done.revoke, Some(RevokeOutcome::Failed { code }));
    assert!(world.grant(&connection).await.is_none());
    let summary = world.connections.summary(&world.tenant, &connection).await.unwrap();
    assert!(summary.line().contains("did not confirm"), "{}", summary.line());
    assert_eq!(summary.recovery().len(), 1);
}

/// Drops the future after every possible number of polls, as a crash would, and goes on from what is stored.
#[tokio::test]
async fn a_disconnect_cut_anywhere_is_finished_by_the_next() {
    let mut cuts = 0;
    loop {
        let world = World::new();
        world.server.state().yields = 2;
        let connection = world.connect().await;
        let cut = super::races::polled(disconnect(&world, &connection), cuts).await;
        let row = world.row(&connection).await;
        if cuts > 0 {
            assert_eq!(row.status, Status::Disconnected, "the epoch is raised first");
        }
        world
            .connections
            .finish_disconnects(Some(&world.app), &world.tenant)
            .await
            .unwrap();
        if cuts > 0 {
            let row = world.row(&connection).await;
            assert!(row.disconnect.unwrap().is_complete());
            assert!(world.grant(&connection).await.is_none());
            assert!(world.server.count("/revoke") >= 1);
        }
        if cut.is_some() {
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 2, "the disconnect was cut {cuts} times only");
}

/// The same for a sign-in: whatever is left behind is a working connection or one that says it needs its person.
#[tokio::test]
async fn a_sign_in_cut_anywhere_leaves_nothing_half_working() {
    let mut cuts = 0;
    loop {
        let world = World::new();
        let connection = world.connect().await;
        world.server.state().yields = 2;
        let sign_in = world.sign_in_as(ANNA, Some(&connection));
        let done = super::races::polled(sign_in, cuts).await.is_some();
        let row = world.row(&connection).await;
        let works = row.status.may_work() && world.grant(&connection).await.is_some();
        let asks = matches!(row.status, Status::Paused(Pause::SignIn { .. }));
        assert!(works || asks, "after {cuts} polls: {row:?}");
        world.server.state().yields = 0;
        world.sign_in_as(ANNA, Some(&connection)).await.unwrap();
        if done {
            break;
        }
        cuts += 1;
    }
}

#[tokio::test]
async fn an_ended_grant_shows_reconnect_and_only_a_sign_in_brings_it_back() {
    use crate::credential::GrantEvents as _;

    let world = World::new();
    let connection = world.connect().await;
    let reference = world.row(&connection).await.reference;
    let cause = crate::error::GrantEnd::RevokedOrExpired;
    let ended = crate::OAuthError::InvalidGrant { cause };
    world.connections.ended(&reference, &ended).await;
    world.connections.ended(&reference, &ended).await;
    world.connections.renewed(&reference, world.clock.now()).await;

    let summary = world.connections.summary(&world.tenant, &connection).await.unwrap();
    assert!(matches!(summary.status, Status::Revoked { .. }));
    assert_eq!(
        summary.actions(),
        [ConnectionAction::Reconnect, ConnectionAction::Disconnect]
    );
    assert!(summary.recovery().iter().any(|step| step.contains("a**@acme.example")));
    let refused = world.connections.admit(&reference).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::OAuth(class) if class.ends_grant()));
    let resumed = world.connections.resume(&world.tenant, &connection).await.unwrap_err();
    assert_eq!(resumed.code(), "invalid");
    world.sign_in_as(ANNA, Some(&connection)).await.unwrap();
}

pub(super) async fn disconnect(
    world: &World,
    connection: &crate::ConnectionId,
) -> Result<crate::connection::DisconnectProgress> {
    world
        .connections
        .disconnect(Some(&world.app), &world.tenant, connection)
        .await
}
