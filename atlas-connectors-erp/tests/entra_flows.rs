//! Signing in to Entra, refreshing and losing the grant again: the core's own flows with the dialect, against the mock.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use atlas_connectors::connection::Connections;
use atlas_connectors::credential::{CredentialKey, KeyRing, RefreshingToken, Sealer, TokenSource as _, Vault};
use atlas_connectors::http::{EgressRules, ReqwestTransport};
use atlas_connectors::oauth::{
    AdminConsentCallback, Begun, Callback, DeviceSignIn, Loopback, OAuthApp, OAuthClient, OAuthProvider as _, SignIn,
    SignInRequest, SignedIn, Workflow,
};
use atlas_connectors::store::MemoryStore;
use atlas_connectors::testkit::ManualClock;
use atlas_connectors::testkit::server::{Answer, Fault};
use atlas_connectors::{ActorId, ConnectionId, ConnectionRef, Error, Result, SessionId, TenantId, Timestamp};
use atlas_connectors_erp::business_central::entra::{BUSINESS_CENTRAL, EntraOAuth, EntraTenant};
use atlas_connectors_erp::mock::business_central::{BusinessCentral, Rights};
use atlas_connectors_erp::mock::entra::{
    AdminChoice, Builder, CLIENT_ID, CLIENT_SECRET, Consent, Entra, OTHER_TENANT, PUBLIC_CLIENT_ID, Person, Refusal,
    TENANT, USER,
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use url::Url;

const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
const CHALLENGE: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"claims-canary"}}}"#;
const WORKFLOWS: [Workflow; 1] = [Workflow::ReadRecords];

/// A host with one registration at the mock.
struct World {
    clock: ManualClock,
    entra: Entra,
    dialect: EntraOAuth,
    connections: Connections,
    store: MemoryStore,
    app: OAuthApp,
    sign_in: SignIn,
    tenant: TenantId,
    actor: ActorId,
    session: SessionId,
}

impl World {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let client = OAuthClient::new(CLIENT_ID, CLIENT_SECRET.into());
        Self::of(client, settings).await
    }

    async fn of(client: OAuthClient, settings: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000));
        let entra = settings(Entra::builder().clock(clock.clone())).start().await;
        let dialect = EntraOAuth::builder(EntraTenant::Organizations)
            .login(entra.url())
            .build()
            .unwrap();
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        let sealer = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
        let vault = Vault::new(Arc::new(store.clone()), sealer);
        let connections = Connections::new(Arc::new(store.clone()), vault, Arc::new(clock.clone()));
        let rules = EgressRules::strict().allow_loopback();
        let transport = Arc::new(ReqwestTransport::builder().with_egress(rules).build().unwrap());
        let app = OAuthApp::with_clock(Arc::new(dialect.clone()), client, transport, Arc::new(clock.clone())).unwrap();
        Self {
            sign_in: SignIn::new(app.clone(), connections.clone(), Arc::new(store.clone())),
            app,
            clock,
            entra,
            dialect,
            connections,
            store,
            tenant: "acme".into(),
            actor: "u-1".into(),
            session: "s-1".into(),
        }
    }

    fn request(&self) -> SignInRequest {
        let redirect = Url::parse("http://localhost:8765/callback").unwrap();
        let (tenant, actor, session) = (self.tenant.clone(), self.actor.clone(), self.session.clone());
        SignInRequest::connect(tenant, actor, session, redirect, WORKFLOWS)
    }

    async fn come_back(&self, sign_in: &SignIn, begun: &Begun) -> Result<SignedIn> {
        let back = self.entra.consent(&begun.url).unwrap();
        sign_in
            .complete(Callback::from_url(&back)?, &self.actor, &self.session)
            .await
    }

    /// A whole sign-in.
    async fn try_sign_in(&self, connection: Option<&ConnectionId>) -> Result<SignedIn> {
        let request = match connection {
            Some(connection) => self.request().reconnecting(connection.clone()),
            None => self.request(),
        };
        let begun = self.sign_in.begin(request).await.unwrap();
        self.come_back(&self.sign_in, &begun).await
    }

    async fn connect(&self) -> SignedIn {
        self.try_sign_in(None).await.unwrap()
    }

    /// The app at the authority of the tenant that an account belongs to.
    fn app_of(&self, signed_in: &SignedIn) -> OAuthApp {
        let dialect = self.dialect.at_tenant_of(&signed_in.identity).unwrap();
        self.app.at(Arc::new(dialect)).unwrap()
    }

    fn tokens(&self, app: &OAuthApp, connection: &ConnectionRef) -> RefreshingToken {
        RefreshingToken::builder(
            connection.clone(),
            self.connections.vault().clone(),
            Arc::new(app.refresher()),
        )
        .clock(Arc::new(self.clock.clone()))
        .events(Arc::new(self.connections.clone()))
        .build()
    }

    async fn status(&self, connection: &ConnectionRef) -> &'static str {
        let list = self.connections.list(&self.tenant).await.unwrap();
        let summary = list
            .into_iter()
            .find(|one| one.reference.connection == connection.connection);
        summary.unwrap().status.code()
    }

    async fn nothing_is_stored(&self) -> bool {
        self.connections.list(&self.tenant).await.unwrap().is_empty()
    }

    async fn refresh_token(&self, connection: &ConnectionRef) -> String {
        let stored = self
            .connections
            .vault()
            .load(&CredentialKey::oauth(connection))
            .await
            .unwrap()
            .unwrap();
        let grant = stored.credential.as_oauth().unwrap();
        grant.refresh_token.as_ref().unwrap().expose_secret().to_owned()
    }

    fn an_hour_later(&self) {
        self.clock.advance(Duration::from_secs(3_600));
    }
}

fn parameters(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

/// The code of an error that shows neither challenge nor address nor secret.
fn code(error: &Error) -> &'static str {
    let shown = format!("{error} {error:?}");
    for secret in [
        "claims-canary",
        USER,
        "mock-access",
        "mock-refresh",
        "mock-code",
        CLIENT_SECRET,
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    error.code()
}

#[tokio::test]
async fn a_person_signs_in_anywhere_and_is_refreshed_at_home() {
    let world = World::with(Builder::refresh_at_tenant_only).await;
    let begun = world.sign_in.begin(world.request()).await.unwrap();
    let sent = parameters(&begun.url);
    assert!(begun.url.path().starts_with("/organizations/oauth2/v2.0/authorize"));
    assert_eq!(sent["prompt"], "select_account");
    assert_eq!(
        sent["scope"],
        format!("{BUSINESS_CENTRAL}/.default offline_access openid profile")
    );
    let signed_in = world.come_back(&world.sign_in, &begun).await.unwrap();
    let person = Person::new(TENANT, USER);
    assert_eq!(signed_in.identity.subject, format!("{TENANT}/{}", person.oid));
    assert_eq!(signed_in.identity.address.as_deref(), Some(USER));
    assert!(signed_in.excess.is_empty());

    world.an_hour_later();
    let anywhere = world.tokens(&world.app, &signed_in.connection);
    assert_eq!(code(&anywhere.token().await.unwrap_err()), "oauth.client.tenant");
    let at_home = world.tokens(&world.app_of(&signed_in), &signed_in.connection);
    let token = at_home.token().await.unwrap();
    assert_eq!(world.entra.who(token.secret().expose_secret()).as_deref(), Some(USER));
    assert_eq!(
        world.entra.tenant_of(token.secret().expose_secret()).as_deref(),
        Some(TENANT)
    );
    assert_eq!(world.entra.counters().refreshes, 1);

    // The reconnect leads straight to the account and its organization.
    let sign_in = SignIn::new(
        world.app_of(&signed_in),
        world.connections.clone(),
        Arc::new(world.store.clone()),
    );
    let request = world.request().reconnecting(signed_in.connection.connection.clone());
    let begun = sign_in.begin(request).await.unwrap();
    let sent = parameters(&begun.url);
    assert_eq!(sent["login_hint"], USER);
    assert_eq!(sent["domain_hint"], TENANT);
    assert!(!sent.contains_key("prompt"));
    assert!(begun.url.path().starts_with(&format!("/{TENANT}/oauth2")));
    assert!(world.come_back(&sign_in, &begun).await.unwrap().reconnected);
}

#[tokio::test]
async fn another_account_on_a_reconnect_changes_nothing() {
    // The same person as a guest of another organization: the address is the same, the account is not.
    let world = World::with(|builder| builder.person(Person::new(OTHER_TENANT, USER))).await;
    let signed_in = world.connect().await;
    let before = world.refresh_token(&signed_in.connection).await;

    world
        .entra
        .next_consent(Consent::Account("reader@contoso.example".to_owned()));
    let error = world
        .try_sign_in(Some(&signed_in.connection.connection))
        .await
        .unwrap_err();
    assert_eq!(code(&error), "oauth.wrong_account");
    assert!(error.context().any(|fact| fact == ("refused_grant", "unsupported")));

    let elsewhere = world
        .app
        .at(Arc::new(world.dialect.at_tenant(OTHER_TENANT).unwrap()))
        .unwrap();
    let sign_in = SignIn::new(elsewhere, world.connections.clone(), Arc::new(world.store.clone()));
    let request = world.request().reconnecting(signed_in.connection.connection.clone());
    let begun = sign_in.begin(request).await.unwrap();
    let error = world.come_back(&sign_in, &begun).await.unwrap_err();
    assert_eq!(code(&error), "oauth.wrong_account");
    let facts: Vec<_> = error.context().collect();
    assert!(facts.contains(&("expected_organization", TENANT)) && facts.contains(&("organization", OTHER_TENANT)));

    assert_eq!(world.refresh_token(&signed_in.connection).await, before);
    world.an_hour_later();
    world.tokens(&world.app, &signed_in.connection).token().await.unwrap();
}

#[tokio::test]
async fn id_tokens_of_the_wrong_kind_of_account_or_issuer_store_nothing() {
    let world = World::new().await;
    let base = world.entra.uri().to_owned();
    for (claims, expected) in [
        (
            json!({"tid": CONSUMERS, "iss": format!("{base}/{CONSUMERS}/v2.0")}),
            "oauth.wrong_account",
        ),
        (json!({"tid": OTHER_TENANT}), "oauth.flow.id_token"),
        (
            json!({"iss": format!("{base}/organizations/v2.0")}),
            "oauth.flow.id_token",
        ),
        (json!({"tid": null}), "oauth.flow.id_token"),
        (json!({"oid": null}), "oauth.flow.id_token"),
        (json!({"aud": PUBLIC_CLIENT_ID}), "oauth.flow.id_token"),
        (json!({"nonce": "another"}), "oauth.flow.id_token"),
        (json!({"exp": 1}), "oauth.flow.id_token"),
    ] {
        world.entra.next_claims(claims.clone());
        let error = world.try_sign_in(None).await.unwrap_err();
        assert_eq!(code(&error), expected, "{claims}");
        assert!(world.nothing_is_stored().await);
    }
    // Signed with a key that is published by now.
    world.entra.rotate_keys();
    world.clock.advance(Duration::from_secs(61));
    world.connect().await;
}

#[tokio::test]
async fn consent_has_more_than_one_end() {
    for (consent, expected) in [
        (Consent::Deny, "oauth.access_denied.user"),
        (
            Consent::Refused(Refusal::new("access_denied", 90_094)),
            "oauth.access_denied.admin",
        ),
        (
            Consent::Refused(Refusal::new("access_denied", 53_003)),
            "oauth.access_denied.tenant_policy",
        ),
        (
            Consent::Refused(Refusal::new("server_error", 50_000)),
            "oauth.transient",
        ),
        (
            Consent::Only(vec!["openid".to_owned(), "profile".to_owned()]),
            "oauth.insufficient_privileges",
        ),
    ] {
        let world = World::new().await;
        world.entra.next_consent(consent.clone());
        let error = world.try_sign_in(None).await.unwrap_err();
        assert_eq!(code(&error), expected, "{consent:?}");
        assert!(world.nothing_is_stored().await);
        let counters = world.entra.counters();
        assert_eq!(
            counters.code_exchanges,
            u64::from(expected == "oauth.insufficient_privileges")
        );
    }
    let world = World::new().await;
    world.entra.next_consent(Consent::Blocked(50_105));
    let begun = world.sign_in.begin(world.request()).await.unwrap();
    assert_eq!(world.entra.consent(&begun.url).unwrap_err().number, 50_105);
}

#[tokio::test]
async fn an_administrator_opens_the_door_for_everybody() {
    let world = World::with(Builder::admins_consent_only).await;
    assert_eq!(
        code(&world.try_sign_in(None).await.unwrap_err()),
        "oauth.access_denied.admin"
    );

    let ask = || async {
        let redirect = Url::parse("http://localhost:8765/callback").unwrap();
        let (tenant, actor, session) = (world.tenant.clone(), world.actor.clone(), world.session.clone());
        let begun = world
            .sign_in
            .begin_admin_consent(tenant, actor, session, redirect, &WORKFLOWS);
        let begun = begun.await.unwrap();
        assert_eq!(parameters(&begun.url)["scope"], format!("{BUSINESS_CENTRAL}/.default"));
        let back = world.entra.admin_consent(&begun.url).unwrap();
        assert_eq!(parameters(&back)["admin_consent"], "True");
        let callback = AdminConsentCallback::from_url(&back).unwrap();
        world
            .sign_in
            .complete_admin_consent(callback, &world.actor, &world.session)
            .await
    };
    world.entra.next_admin_consent(AdminChoice::Deny);
    assert_eq!(code(&ask().await.unwrap_err()), "oauth.access_denied.admin");
    assert_eq!(
        code(&world.try_sign_in(None).await.unwrap_err()),
        "oauth.access_denied.admin"
    );
    ask().await.unwrap();
    world.connect().await;
    assert_eq!(world.entra.counters().admin_consents, 1);
}

#[tokio::test]
async fn a_claims_challenge_travels_from_the_refused_refresh_to_the_next_sign_in() {
    let world = World::new().await;
    let signed_in = world.connect().await;
    world.entra.demand_claims(USER, CHALLENGE);
    world.an_hour_later();
    let error = world
        .tokens(&world.app, &signed_in.connection)
        .token()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "oauth.invalid_grant.interaction_required");
    assert_eq!(error.claims_challenge().unwrap().expose_secret(), CHALLENGE);
    assert_eq!(
        world.status(&signed_in.connection).await,
        "paused",
        "the person has to come back"
    );

    // The host knows nothing of it: the challenge lies sealed with the ended grant.
    let request = world.request().reconnecting(signed_in.connection.connection.clone());
    let begun = world.sign_in.begin(request).await.unwrap();
    assert_eq!(parameters(&begun.url)["claims"], CHALLENGE);
    let again = world.come_back(&world.sign_in, &begun).await.unwrap();
    world.an_hour_later();
    world.tokens(&world.app, &again.connection).token().await.unwrap();
}

#[tokio::test]
async fn consent_that_is_withdrawn_ends_the_grant_and_stops_all_calls() {
    type Withdraw = fn(&Entra);
    let cases: [(Withdraw, &str); 3] = [
        (|entra| entra.withdraw_consent(CLIENT_ID), "oauth.invalid_grant.revoked"),
        (|entra| entra.revoke_sessions(USER), "oauth.invalid_grant.revoked"),
        (|entra| entra.disable(USER), "oauth.invalid_grant.account"),
    ];
    for (withdraw, expected) in cases {
        let world = World::new().await;
        let signed_in = world.connect().await;
        let tokens = world.tokens(&world.app, &signed_in.connection);
        withdraw(&world.entra);
        // What was issued lives on for its hour.
        tokens.token().await.unwrap();
        world.an_hour_later();
        assert_eq!(code(&tokens.token().await.unwrap_err()), expected);
        assert_eq!(world.status(&signed_in.connection).await, "revoked");
        let calls = world.entra.counters().token_calls;
        for tokens in [tokens, world.tokens(&world.app, &signed_in.connection)] {
            tokens.token().await.unwrap_err();
        }
        assert_eq!(world.entra.counters().token_calls, calls);
    }
    // 90 days unused.
    let world = World::new().await;
    let signed_in = world.connect().await;
    world.clock.advance(Duration::from_secs(91 * 24 * 60 * 60));
    let error = world
        .tokens(&world.app, &signed_in.connection)
        .token()
        .await
        .unwrap_err();
    assert_eq!(code(&error), "oauth.invalid_grant.expired");
}

#[tokio::test]
async fn policies_registrations_and_outages_leave_the_grant_alone() {
    let world = World::new().await;
    let signed_in = world.connect().await;
    let tokens = world.tokens(&world.app, &signed_in.connection);
    let faults: Vec<(Fault, &str)> = vec![
        (Refusal::of(53_003).into(), "oauth.access_denied.tenant_policy"),
        (Refusal::of(7_000_222).into(), "oauth.client.credentials"),
        (Refusal::of(7_000_112).into(), "oauth.client.deleted"),
        (Refusal::of(90_002).into(), "oauth.client.tenant"),
        (Refusal::of(70_011).into(), "oauth.client.scope"),
        (Refusal::of(9_002_313).into(), "oauth.client.request"),
        (Refusal::of(90_033).into(), "oauth.transient"),
        (Refusal::of(70_000).with_status(403).into(), "oauth.other"),
        (Refusal::of(70_000).with_status(500).into(), "oauth.transient"),
        (
            Fault::Answer(Answer::empty(429).with_header("retry-after", "7")),
            "throttled.project",
        ),
        (Fault::html(502), "oauth.transient"),
        (Fault::HtmlAfter, "bad_payload.type"),
        (Fault::Truncate(10), "bad_payload.truncated"),
        (Fault::OtherJsonAfter, "bad_payload.type"),
    ];
    for (fault, expected) in faults {
        world.an_hour_later();
        world.entra.faults().next("entra.token", fault.clone());
        let error = tokens.token().await.unwrap_err();
        assert_eq!(code(&error), expected, "{fault:?}");
        assert_ne!(world.status(&signed_in.connection).await, "revoked");
        world.an_hour_later();
        tokens.token().await.unwrap();
    }
    assert_eq!(world.entra.faults().pending(), 0);
}

#[tokio::test]
async fn a_lost_answer_costs_nothing_because_the_old_token_stays_good() {
    let world = World::new().await;
    let signed_in = world.connect().await;
    let first = world.refresh_token(&signed_in.connection).await;
    let tokens = world.tokens(&world.app, &signed_in.connection);
    world.an_hour_later();
    world.entra.faults().next("entra.token", Fault::CutAfter);
    tokens.token().await.unwrap_err();
    assert_eq!(world.entra.counters().refreshes, 1);
    world.an_hour_later();
    tokens.token().await.unwrap();
    let second = world.refresh_token(&signed_in.connection).await;
    assert_ne!(
        first, second,
        "each refresh gives a new one, which replaces the old here"
    );

    // A server that ends the old one: then the lost answer was the grant.
    let world = World::with(Builder::rotate_refresh_tokens).await;
    let signed_in = world.connect().await;
    let tokens = world.tokens(&world.app, &signed_in.connection);
    world.an_hour_later();
    world.entra.faults().next("entra.token", Fault::CutAfter);
    tokens.token().await.unwrap_err();
    world.an_hour_later();
    assert_eq!(code(&tokens.token().await.unwrap_err()), "oauth.invalid_grant.revoked");
    assert_eq!(world.entra.counters().rotated_reuses, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_make_one_call() {
    let world = World::new().await;
    let signed_in = world.connect().await;
    world.an_hour_later();
    let before = world.entra.counters().token_calls;
    world.entra.faults().latency(Duration::from_millis(50));
    // Two sources, as two parts of a host may have them.
    let sources = [(); 2].map(|()| world.tokens(&world.app, &signed_in.connection));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let tokens = sources[0].clone();
        tasks.spawn(async move { tokens.token().await.map(|token| token.generation()) });
    }
    while let Some(result) = tasks.join_next().await {
        assert_eq!(result.unwrap().unwrap(), 2);
    }
    assert_eq!(world.entra.counters().token_calls, before + 1);
    assert_eq!(sources[1].token().await.unwrap().generation(), 2, "found in the store");
    assert_eq!(world.entra.counters().token_calls, before + 1);
}

#[tokio::test]
async fn a_desktop_app_is_sent_back_to_localhost_with_any_port() {
    let world = World::of(OAuthClient::public(PUBLIC_CLIENT_ID), |builder| builder).await;
    let loopback = Loopback::bind().await.unwrap().named_localhost();
    let mut request = world.request();
    request.redirect = loopback.redirect().clone();
    assert_eq!(request.redirect.host_str(), Some("localhost"));
    let begun = world.sign_in.begin(request).await.unwrap();
    let back = world.entra.consent(&begun.url).unwrap();
    let browser = async {
        let (status, _) = try_get(back.as_str(), None).await;
        assert_eq!(status, 200);
    };
    let (callback, ()) = futures_util::future::join(loopback.wait(&begun, &world.clock), browser).await;
    let signed_in = world
        .sign_in
        .complete(callback.unwrap(), &world.actor, &world.session)
        .await
        .unwrap();
    assert_eq!(signed_in.identity.address.as_deref(), Some(USER));

    // The number is another address, and not registered.
    let mut request = world.request();
    request.redirect = Loopback::bind().await.unwrap().redirect().clone();
    let begun = world.sign_in.begin(request).await.unwrap();
    assert_eq!(world.entra.consent(&begun.url).unwrap_err().number, 50_011);
}

/// Runs a device sign-in to its end, moving the clock whenever it waits; `meanwhile` acts after the first question.
async fn run_device(world: &World, device: DeviceSignIn, meanwhile: impl FnOnce()) -> Result<SignedIn> {
    let done = AtomicBool::new(false);
    let sign_in = async {
        let outcome = world.sign_in.complete_device(device).await;
        done.store(true, Ordering::Relaxed);
        outcome
    };
    let time = async {
        let mut meanwhile = Some(meanwhile);
        while !done.load(Ordering::Relaxed) {
            if world.entra.counters().pending_polls == 1
                && let Some(act) = meanwhile.take()
            {
                act();
            }
            if let Some(wake) = world.clock.next_wake() {
                world.clock.advance(wake);
            }
            tokio::task::yield_now().await;
        }
    };
    futures_util::future::join(sign_in, time).await.0
}

#[tokio::test]
async fn a_device_waits_for_the_person() {
    for (case, expected) in [
        ("approve", "signed in"),
        ("decline", "oauth.access_denied.user"),
        ("nothing", "oauth.flow.expired"),
    ] {
        let client = OAuthClient::public(PUBLIC_CLIENT_ID);
        let world = World::of(client, |builder| builder).await;
        let device = world
            .sign_in
            .begin_device(world.tenant.clone(), &WORKFLOWS, None)
            .await
            .unwrap();
        assert!(
            device.verification_url_complete.is_none(),
            "Entra gives no such address"
        );
        let typed = device.user_code.clone();
        let outcome = run_device(&world, device, || match case {
            "approve" => assert!(world.entra.approve_device(&typed, USER)),
            "decline" => assert!(world.entra.decline_device(&typed)),
            _ => {}
        });
        let outcome = outcome.await;
        assert_eq!(outcome.as_ref().map_or_else(code, |_| "signed in"), expected, "{case}");
        match outcome {
            Ok(signed_in) => {
                assert_eq!(signed_in.identity.tenant.as_deref(), Some(TENANT));
                world.an_hour_later();
                world
                    .tokens(&world.app_of(&signed_in), &signed_in.connection)
                    .token()
                    .await
                    .unwrap();
            }
            Err(_) => assert!(world.nothing_is_stored().await),
        }
        assert!(world.entra.counters().pending_polls >= 1);
    }
}

#[tokio::test]
async fn device_refusals_by_script() {
    for (refusal, expected) in [
        (Refusal::of(70_018), "oauth.client.request"),
        (Refusal::of(70_019), "oauth.flow.expired"),
        (Refusal::of(70_017), "oauth.access_denied.user"),
    ] {
        let world = World::new().await;
        let device = world
            .sign_in
            .begin_device(world.tenant.clone(), &WORKFLOWS, None)
            .await
            .unwrap();
        world.entra.faults().next("entra.token", refusal);
        let error = run_device(&world, device, || {}).await.unwrap_err();
        assert_eq!(code(&error), expected);
        assert!(world.nothing_is_stored().await);
    }
}

#[tokio::test]
async fn the_client_itself_signs_in_once_an_administrator_agreed() {
    let world = World::new().await;
    let dialect = world.dialect.at_tenant(TENANT).unwrap();
    let scopes = dialect.client_credentials_scopes().unwrap();
    // Over `organizations` Entra refuses, and the dialect says so without asking.
    let error = world.app.client_credentials(&scopes).await.unwrap_err();
    assert_eq!(code(&error), "oauth.client.tenant");

    let app = world.app.at(Arc::new(dialect.clone())).unwrap();
    assert_eq!(
        code(&app.client_credentials(&scopes).await.unwrap_err()),
        "oauth.client.credentials"
    );
    let page = dialect.endpoints().admin_consent.clone().unwrap();
    let page = format!("{page}?client_id={CLIENT_ID}&redirect_uri=http://localhost:8765/callback&scope=x/.default");
    world.entra.admin_consent(&page.parse().unwrap()).unwrap();
    let grant = app.client_credentials(&scopes).await.unwrap();
    assert!(grant.refresh_token.is_none());
    assert_eq!(
        world.entra.who(grant.access_token.expose_secret()).as_deref(),
        Some(CLIENT_ID)
    );
    assert_eq!(world.entra.counters().client_grants, 1);
}

#[tokio::test]
async fn a_secret_belongs_to_confidential_clients_only() {
    let public = World::of(OAuthClient::public(PUBLIC_CLIENT_ID), |builder| builder).await;
    public.connect().await;
    for client in [
        // 7000218, 700025, 7000215.
        OAuthClient::public(CLIENT_ID),
        OAuthClient::new(PUBLIC_CLIENT_ID, "a-secret".into()),
        OAuthClient::new(CLIENT_ID, "another-secret".into()),
    ] {
        let world = World::of(client, |builder| builder).await;
        assert_eq!(
            code(&world.try_sign_in(None).await.unwrap_err()),
            "oauth.client.credentials"
        );
        assert!(world.nothing_is_stored().await);
    }
}

/// Refusals of a code, each as it is known; nothing is stored, and the challenge of the last one is handed over.
#[tokio::test]
async fn every_known_refusal_of_a_code() {
    for (number, expected) in [
        (65_001, "oauth.access_denied.user"),
        (70_000, "oauth.invalid_grant.code"),
        (7_000_222, "oauth.client.credentials"),
        (700_082, "oauth.invalid_grant.expired"),
        (70_011, "oauth.client.scope"),
        (9_002_313, "oauth.client.request"),
        (54_005, "oauth.invalid_grant.code"),
        (700_005, "oauth.invalid_grant.code"),
        (501_481, "oauth.invalid_grant.code"),
        (50_020, "oauth.wrong_account"),
        (500_011, "oauth.client.service"),
        (50_076, "oauth.invalid_grant.interaction_required"),
    ] {
        let world = World::new().await;
        world
            .entra
            .faults()
            .next("entra.token", Refusal::of(number).with_claims(CHALLENGE));
        let error = world.try_sign_in(None).await.unwrap_err();
        assert_eq!(code(&error), expected, "{number}");
        assert!(world.nothing_is_stored().await);
        let request = world.request().with_claims(error.claims_challenge().unwrap().clone());
        let begun = world.sign_in.begin(request).await.unwrap();
        assert_eq!(parameters(&begun.url)["claims"], CHALLENGE);
    }
}

#[tokio::test]
async fn the_dialect_and_the_discovery_document_name_the_same_addresses() {
    let world = World::new().await;
    for tenant in [None, Some(TENANT)] {
        let dialect = match tenant {
            Some(tenant) => world.dialect.at_tenant(tenant).unwrap(),
            None => world.dialect.clone(),
        };
        let endpoints = dialect.endpoints();
        let name = dialect.tenant().as_str();
        let address = format!("{}/{name}/v2.0/.well-known/openid-configuration", world.entra.uri());
        let document: Value = get(&address).await;
        for (field, ours) in [
            ("issuer", endpoints.issuer.as_str()),
            ("authorization_endpoint", endpoints.authorize.as_str()),
            ("token_endpoint", endpoints.token.as_str()),
            (
                "device_authorization_endpoint",
                endpoints.device.as_ref().unwrap().as_str(),
            ),
            ("jwks_uri", endpoints.jwks.as_ref().unwrap().as_str()),
        ] {
            assert_eq!(document[field], ours);
        }
    }
}

#[tokio::test]
async fn a_mock_of_business_central_knows_whose_tokens_these_are() {
    let world = World::new().await;
    let entra = world.entra.clone();
    let service = BusinessCentral::builder()
        .identify(move |token| entra.who(token))
        .start()
        .await;
    service.add_user(USER, "unused", TENANT, Rights::full());
    let signed_in = world.connect().await;
    let token = world.tokens(&world.app, &signed_in.connection).token().await.unwrap();
    let companies = format!("{}/v2.0/{TENANT}/Production/api/v2.0/companies", service.uri());
    let (status, body) = try_get(&companies, Some(token.secret().expose_secret())).await;
    assert_eq!(status, 200);
    assert!(!body["value"].as_array().unwrap().is_empty());
    assert_eq!(try_get(&companies, Some("somebody-elses")).await.0, 401);
}

async fn get(address: &str) -> Value {
    let (status, body) = try_get(address, None).await;
    assert_eq!(status, 200);
    body
}

async fn try_get(address: &str, bearer: Option<&str>) -> (u16, Value) {
    use atlas_connectors::http::HttpTransport as _;
    let rules = EgressRules::strict().allow_loopback();
    let transport = ReqwestTransport::builder().with_egress(rules).build().unwrap();
    let mut request = http::Request::get(address);
    if let Some(bearer) = bearer {
        request = request.header("authorization", format!("Bearer {bearer}"));
    }
    let answer = transport
        .send(request.body(bytes::Bytes::new()).unwrap())
        .await
        .unwrap();
    let body = serde_json::from_slice(answer.body()).unwrap_or_default();
    (answer.status().as_u16(), body)
}
