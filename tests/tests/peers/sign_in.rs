//! Sign-in, refresh and the end of a grant at the emulated Google.

use atlas_connectors::credential::{CredentialKey, TokenSource as _};
use atlas_connectors::mail::Mailbox as _;
use atlas_connectors::oauth::Callback;
use atlas_connectors_tests::peer::{CLIENT_ID, CLIENT_SECRET, OPS, PeerGoogle, WRONG_PERSON, olivia, post, request};
use secrecy::ExposeSecret as _;

use super::google;

#[tokio::test]
#[ignore = "needs ATLAS_PEER_GOOGLE, see .ci/run"]
async fn a_sign_in_goes_from_the_consent_page_to_the_mailbox() {
    let google = google().await;
    let folder = tempfile::tempdir().unwrap();
    let host = google.host(folder.path()).unwrap();
    let (actor, session) = olivia();

    let begun = host.sign_in().begin(request(&host, None)).await.unwrap();
    let parameter = |name: &str| {
        begun
            .url
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    assert_eq!(parameter("code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(parameter("nonce").unwrap().len(), 43);
    let back = google.consent(&begun.url, OPS, &[]).await.unwrap();
    let signed_in = host
        .sign_in()
        .complete(Callback::from_url(&back).unwrap(), &actor, &session)
        .await
        .unwrap();
    assert_eq!(signed_in.identity.address.as_deref(), Some(OPS));
    assert!(signed_in.excess.is_empty() && !signed_in.reconnected);

    // The code and the flow are used up.
    let again = host
        .sign_in()
        .complete(Callback::from_url(&back).unwrap(), &actor, &session)
        .await
        .unwrap_err();
    assert_eq!(again.code(), "oauth.flow.unknown_state");

    let account = host.account(&signed_in.connection.connection).await.unwrap();
    let labels = account.mailbox.labels().await.unwrap();
    assert!(labels.iter().any(|label| label.name == "Purchase orders"));
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_GOOGLE, see .ci/run"]
async fn what_was_changed_on_the_way_is_noticed() {
    let google = google().await;
    let folder = tempfile::tempdir().unwrap();
    let host = google.host(folder.path()).unwrap();
    let (actor, session) = olivia();
    for (changed, code) in [
        (
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            "oauth.client.proof",
        ),
        (("nonce", "somebody-elses"), "oauth.flow.id_token"),
        (("state", "somebody-elses"), "oauth.flow.unknown_state"),
        (("client_id", "another-client"), "oauth.flow.id_token"),
    ] {
        let begun = host.sign_in().begin(request(&host, None)).await.unwrap();
        let back = google.consent(&begun.url, OPS, &[changed]).await.unwrap();
        let callback = Callback::from_url(&back).unwrap();
        let error = host.sign_in().complete(callback, &actor, &session).await.unwrap_err();
        assert_eq!(error.code(), code, "{changed:?}");
    }
    assert!(host.list().await.unwrap().is_empty(), "nothing is stored");
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_GOOGLE, see .ci/run"]
async fn a_reconnect_as_somebody_else_is_refused_and_changes_nothing() {
    let google = google().await;
    let folder = tempfile::tempdir().unwrap();
    let host = google.host(folder.path()).unwrap();
    let first = google.sign_in(&host, None, OPS).await.unwrap();
    let id = &first.connection.connection;

    let error = google.sign_in(&host, Some(id), WRONG_PERSON).await.unwrap_err();
    assert_eq!(error.code(), "oauth.wrong_account");
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains(WRONG_PERSON) && !shown.contains(OPS),
        "addresses are masked"
    );

    let summary = &host.list().await.unwrap()[0];
    assert_eq!(summary.reference, first.connection);
    host.account(id).await.unwrap().mailbox.labels().await.unwrap();

    let again = google.sign_in(&host, Some(id), OPS).await.unwrap();
    assert!(again.reconnected);
    assert_eq!(again.connection.connection, *id);
    assert!(again.connection.epoch > first.connection.epoch);
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_GOOGLE, see .ci/run"]
async fn a_rejected_token_is_renewed_and_a_revoked_grant_is_told_as_such() {
    let google = google().await;
    let folder = tempfile::tempdir().unwrap();
    let host = google.host(folder.path()).unwrap();
    let connection = google.sign_in(&host, None, OPS).await.unwrap().connection;
    let account = host.account(&connection.connection).await.unwrap();

    let first = account.tokens.token().await.unwrap();
    account.tokens.reject(&first).await;
    let second = account.tokens.token().await.unwrap();
    assert_eq!(second.generation(), first.generation() + 1);
    assert_ne!(second.secret().expose_secret(), first.secret().expose_secret());
    account.mailbox.labels().await.unwrap();

    // The person takes the grant back: the peer knows tokens only, so both go.
    revoke(&google, second.secret().expose_secret()).await;
    revoke(&google, &refresh_token(&host, &connection).await).await;
    let error = account.mailbox.labels().await.unwrap_err();
    assert_eq!(error.code(), "oauth.invalid_grant.revoked");
    let summary = &host.list().await.unwrap()[0];
    assert_eq!(summary.status.code(), "revoked");
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_GOOGLE, see .ci/run"]
async fn a_disconnect_ends_the_grant_at_the_provider() {
    let google = google().await;
    let folder = tempfile::tempdir().unwrap();
    let host = google.host(folder.path()).unwrap();
    let connection = google.sign_in(&host, None, OPS).await.unwrap().connection;
    let token = refresh_token(&host, &connection).await;
    assert_eq!(redeem(&google, &token).await, 200);

    let ended = host.disconnect(&connection.connection).await.unwrap();
    assert_eq!(ended.status.code(), "disconnected");
    assert_eq!(
        redeem(&google, &token).await,
        400,
        "the refresh token is worth nothing any more"
    );
    let stored = host
        .connections()
        .vault()
        .load(&CredentialKey::oauth(&connection))
        .await
        .unwrap();
    assert!(stored.is_none(), "the secrets are erased");
}

async fn refresh_token(
    host: &atlas_connectors_examples::host::Host,
    connection: &atlas_connectors::ConnectionRef,
) -> String {
    let stored = host
        .connections()
        .vault()
        .load(&CredentialKey::oauth(connection))
        .await
        .unwrap()
        .unwrap();
    let grant = stored.credential.as_oauth().unwrap();
    grant.refresh_token.as_ref().unwrap().expose_secret().to_owned()
}

async fn revoke(google: &PeerGoogle, token: &str) {
    let url = google.endpoints.oauth.revoke.as_ref().unwrap();
    let answer = post(&*google.transport, url, format!("token={token}")).await.unwrap();
    assert_eq!(answer.status(), 200);
}

async fn redeem(google: &PeerGoogle, token: &str) -> u16 {
    let form =
        format!("grant_type=refresh_token&refresh_token={token}&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}");
    post(&*google.transport, &google.endpoints.oauth.token, form)
        .await
        .unwrap()
        .status()
        .as_u16()
}
