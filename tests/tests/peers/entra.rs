//! Entra as the emulator and the façade in front of the peer of Business Central play it: sign-in with PKCE, refresh, device code, the
//! client itself, and an administrator's consent. `ATLAS_PEER_ENTRA` is where people sign in, such as `http://127.0.0.1:14007/login`.
//!
//! What the peer lacks is said where a test steps around it: it has no consent page, cancels a refresh token once it was used, and gives
//! a device an access token only.

use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::connection::Connections;
use atlas_connectors::credential::{CredentialKey, KeyRing, RefreshingToken, Sealer, TokenSource as _, Vault};
use atlas_connectors::http::HttpTransport;
use atlas_connectors::oauth::{
    AdminConsentCallback, Begun, Callback, OAuthApp, OAuthClient, SignIn, SignInRequest, SignedIn, Workflow,
};
use atlas_connectors::store::SqliteStore;
use atlas_connectors::{ConnectionId, Result, SystemClock, TenantId};
use atlas_connectors_erp::business_central::entra::{EntraOAuth, EntraTenant};
use atlas_connectors_tests::peer::{get, loopback_transport, olivia, post, redirect};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use url::Url;

const TENANT: &str = "11111111-1111-4111-8111-111111111111";
const CLIENT: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const PERSON: &str = "full@contoso.example";
const SOMEBODY_ELSE: &str = "owner@fabrikam.example";
const WORKFLOWS: [Workflow; 1] = [Workflow::ReadRecords];
const BACK: &str = "http://127.0.0.1:14080/callback";

struct World {
    login: Url,
    /// Where the emulator behind the façade answers.
    emulator: Url,
    transport: Arc<dyn HttpTransport>,
    dialect: EntraOAuth,
    app: OAuthApp,
    connections: Connections,
    store: Arc<SqliteStore>,
    sign_in: SignIn,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let login = Url::parse(&std::env::var("ATLAS_PEER_ENTRA").unwrap()).unwrap();
        let transport = loopback_transport().unwrap();
        let document = format!("{login}/{TENANT}/v2.0/.well-known/openid-configuration");
        let document = get(&*transport, &document.parse().unwrap(), None).await.unwrap();
        let document: Value = serde_json::from_slice(document.body()).unwrap();
        // The façade passes the emulator's issuer on, which is at another address.
        let issuer = document["issuer"].as_str().unwrap();
        let dialect = EntraOAuth::builder(EntraTenant::Organizations)
            .login(login.clone())
            .issuer(issuer.replace(TENANT, "{tenantid}"))
            .keys(document["jwks_uri"].as_str().unwrap().parse().unwrap())
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path().join("atlas.db")).unwrap());
        let sealer = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
        let vault = Vault::new(Arc::clone(&store) as _, sealer);
        let connections = Connections::new(Arc::clone(&store) as _, vault, Arc::new(SystemClock));
        let client = OAuthClient::new(CLIENT, "peer-secret".into());
        let app = OAuthApp::new(Arc::new(dialect.clone()), client, Arc::clone(&transport)).unwrap();
        Self {
            login,
            emulator: issuer.parse().unwrap(),
            transport,
            dialect,
            sign_in: SignIn::new(app.clone(), connections.clone(), Arc::clone(&store) as _),
            app,
            connections,
            store,
            _folder: folder,
        }
    }

    async fn begin(&self, connection: Option<&ConnectionId>) -> Begun {
        let (actor, session) = olivia();
        let redirect = BACK.parse().unwrap();
        let request = SignInRequest::connect(TenantId::new("acme"), actor, session, redirect, WORKFLOWS);
        let request = match connection {
            Some(connection) => request.reconnecting(connection.clone()),
            None => request,
        };
        self.sign_in.begin(request).await.unwrap()
    }

    /// Chooses an account at the emulator's page, having changed a parameter on the way there.
    async fn choose(&self, begun: &Begun, email: &str, changed: Option<(&str, &str)>) -> Result<SignedIn> {
        // The façade leads to the emulator's page with the query as it came.
        let page = redirect(&begun.url, String::new()).await.unwrap();
        assert_eq!(page.query(), begun.url.query());
        let chosen = page.query_pairs().map(|(name, value)| match changed {
            Some((change, to)) if change == name => (name.into_owned(), to.to_owned()),
            _ => (name.into_owned(), value.into_owned()),
        });
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("email", email)
            .extend_pairs(chosen)
            .finish();
        let callback = self.emulator.join("/oauth2/v2.0/authorize/callback").unwrap();
        let back = redirect(&callback, form).await.unwrap();
        let (actor, session) = olivia();
        self.sign_in
            .complete(Callback::from_url(&back)?, &actor, &session)
            .await
    }

    async fn connect(&self) -> SignedIn {
        let begun = self.begin(None).await;
        self.choose(&begun, PERSON, None).await.unwrap()
    }

    /// The tokens of a connection, refreshed at its tenant.
    fn tokens(&self, signed_in: &SignedIn) -> RefreshingToken {
        let app = self
            .app
            .at(Arc::new(self.dialect.at_tenant_of(&signed_in.identity).unwrap()))
            .unwrap();
        let vault = self.connections.vault().clone();
        RefreshingToken::new(signed_in.connection.clone(), vault, Arc::new(app.refresher()))
    }

    async fn refresh_token(&self, signed_in: &SignedIn) -> String {
        let key = CredentialKey::oauth(&signed_in.connection);
        let stored = self.connections.vault().load(&key).await.unwrap().unwrap();
        let grant = stored.credential.as_oauth().unwrap();
        grant.refresh_token.as_ref().unwrap().expose_secret().to_owned()
    }

    /// Asks the peer's own controls.
    async fn control(&self, path: &str) -> Value {
        let answer = get(&*self.transport, &self.login.join(path).unwrap(), None)
            .await
            .unwrap();
        serde_json::from_slice(answer.body()).unwrap()
    }

    async fn next_token_call(&self, fault: &str) {
        let script = serde_json::json!([{ "method": "POST", "path": "oauth2/v2.0/token", "fault": fault, "times": 1 }]);
        let url = self.login.join("/__peer/faults").unwrap();
        let answer = post(&*self.transport, &url, script.to_string()).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_ENTRA, see .ci/run"]
async fn a_person_signs_in_with_pkce_and_is_refreshed_at_home() {
    let world = World::new().await;
    let signed_in = world.connect().await;
    let (tenant, user) = signed_in.identity.subject.split_once('/').unwrap();
    assert_eq!((tenant, user.len()), (TENANT, 36));
    assert_eq!(signed_in.identity.address.as_deref(), Some(PERSON));
    assert!(signed_in.excess.is_empty());

    let first = world.refresh_token(&signed_in).await;
    let tokens = world.tokens(&signed_in);
    let token = tokens.token().await.unwrap();
    tokens.reject(&token).await;
    let renewed = tokens.token().await.unwrap();
    assert_eq!(renewed.generation(), token.generation() + 1);
    assert_ne!(world.refresh_token(&signed_in).await, first, "the new one is stored");
    // The peer has cancelled the first one; the stored one still works.
    tokens.reject(&renewed).await;
    tokens.token().await.unwrap();
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_ENTRA, see .ci/run"]
async fn what_was_changed_on_the_way_to_entra_is_noticed() {
    let world = World::new().await;
    for (changed, code) in [
        (
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            "oauth.invalid_grant.code",
        ),
        (("nonce", "somebody-elses"), "oauth.flow.id_token"),
        (("state", "somebody-elses"), "oauth.flow.unknown_state"),
    ] {
        let begun = world.begin(None).await;
        let error = world.choose(&begun, PERSON, Some(changed)).await.unwrap_err();
        assert_eq!(error.code(), code, "{changed:?}");
    }
    assert!(world.connections.list(&TenantId::new("acme")).await.unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_ENTRA, see .ci/run"]
async fn somebody_of_another_tenant_is_not_taken_for_the_owner() {
    let world = World::new().await;
    let signed_in = world.connect().await;
    let begun = world.begin(Some(&signed_in.connection.connection)).await;
    let error = world.choose(&begun, SOMEBODY_ELSE, None).await.unwrap_err();
    assert_eq!(error.code(), "oauth.wrong_account");
    assert!(error.context().any(|fact| fact == ("expected_organization", TENANT)));
    world.tokens(&signed_in).token().await.unwrap();

    // Nor is the emulator's page, which lets everybody in, believed at the authority of one tenant.
    let home = world
        .app
        .at(Arc::new(world.dialect.at_tenant(TENANT).unwrap()))
        .unwrap();
    let mut world = world;
    world.sign_in = SignIn::new(home, world.connections.clone(), Arc::clone(&world.store) as _);
    let begun = world.begin(None).await;
    let error = world.choose(&begun, SOMEBODY_ELSE, None).await.unwrap_err();
    assert_eq!(error.code(), "oauth.wrong_account");
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_ENTRA, see .ci/run"]
async fn refusals_of_a_refresh_become_what_the_person_or_the_administrator_does() {
    let world = World::new().await;
    for (fault, code, over) in [
        ("53003", "oauth.access_denied.tenant_policy", false),
        ("90002", "oauth.client.tenant", false),
        ("7000222", "oauth.client.credentials", false),
        ("503;retry-after=1", "oauth.transient", false),
        ("50076", "oauth.invalid_grant.interaction_required", true),
        ("65001", "oauth.invalid_grant.revoked", true),
        ("50173", "oauth.invalid_grant.revoked", true),
        ("700082", "oauth.invalid_grant.expired", true),
        ("50057", "oauth.invalid_grant.account", true),
    ] {
        let signed_in = world.connect().await;
        let tokens = world.tokens(&signed_in);
        let token = tokens.token().await.unwrap();
        tokens.reject(&token).await;
        world.next_token_call(fault).await;
        let error = tokens.token().await.unwrap_err();
        assert_eq!(error.code(), code, "{fault}");
        // Another source, which does not remember the failure.
        let again = world.tokens(&signed_in).token().await;
        assert_eq!(again.is_err(), over, "{fault}");
    }
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_ENTRA, see .ci/run"]
async fn a_device_waits_until_the_person_has_decided() {
    let world = World::new().await;
    let begin = || world.sign_in.begin_device(TenantId::new("acme"), &WORKFLOWS, None);

    // The first question comes after five seconds and finds the person undecided.
    let device = begin().await.unwrap();
    let typed = device.user_code.clone();
    let decline = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        world
            .control(&format!("/__peer/device?user_code={typed}&result=declined"))
            .await
    };
    let (outcome, decided) = futures_util::future::join(world.sign_in.complete_device(device), decline).await;
    assert_eq!(decided["state"], "declined");
    assert_eq!(outcome.unwrap_err().code(), "oauth.access_denied.user");

    let device = begin().await.unwrap();
    world
        .control(&format!("/__peer/device?user_code={}&result=expired", device.user_code))
        .await;
    let error = world.sign_in.complete_device(device).await.unwrap_err();
    assert_eq!(error.code(), "oauth.flow.expired");

    // The peer names nobody: without an id token there is no account to pin, and nothing is stored.
    let device = begin().await.unwrap();
    world
        .control(&format!(
            "/__peer/device?user_code={}&result=approved",
            device.user_code
        ))
        .await;
    let error = world.sign_in.complete_device(device).await.unwrap_err();
    assert_eq!(error.code(), "oauth.flow.id_token");
    assert!(world.connections.list(&TenantId::new("acme")).await.unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_ENTRA, see .ci/run"]
async fn the_client_itself_signs_in_to_a_tenant_only() {
    let world = World::new().await;
    let dialect = world.dialect.at_tenant(TENANT).unwrap();
    let scopes = dialect.client_credentials_scopes().unwrap();
    let error = world.app.client_credentials(&scopes).await.unwrap_err();
    assert_eq!(error.code(), "oauth.client.tenant");
    let grant = world
        .app
        .at(Arc::new(dialect))
        .unwrap()
        .client_credentials(&scopes)
        .await
        .unwrap();
    assert!(grant.refresh_token.is_none() && grant.lifetime().is_some());
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_ENTRA, see .ci/run"]
async fn an_administrator_who_says_no_is_not_taken_for_one_who_says_yes() {
    let world = World::new().await;
    let (actor, session) = olivia();
    for (deny, expected) in [(false, "granted"), (true, "oauth.access_denied.admin")] {
        let redirect_to = BACK.parse().unwrap();
        let (tenant, by, at) = (TenantId::new("acme"), actor.clone(), session.clone());
        let begun = world
            .sign_in
            .begin_admin_consent(tenant, by, at, redirect_to, &WORKFLOWS);
        let mut page = begun.await.unwrap().url;
        if deny {
            page.query_pairs_mut().append_pair("peer_deny", "1");
        }
        let back = redirect(&page, String::new()).await.unwrap();
        assert!(
            back.query_pairs()
                .any(|(name, value)| name == "admin_consent" && value == "True")
        );
        let callback = AdminConsentCallback::from_url(&back).unwrap();
        let result = world.sign_in.complete_admin_consent(callback, &actor, &session).await;
        assert_eq!(result.map_or_else(|error| error.code(), |()| "granted"), expected);
    }
}
