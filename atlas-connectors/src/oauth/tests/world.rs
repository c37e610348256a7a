//! A provider in memory, and a host that signs in to it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use bytes::Bytes;
use http::{Request, Response};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use crate::connection::{Connection, Connections, Identity};
use crate::credential::{Credential, CredentialKey, KeyRing, OAuthGrant, Sealer, Vault};
use crate::http::HttpTransport;
use crate::oauth::{
    Begun, Callback, Endpoints, IdClaims, OAuthApp, OAuthClient, OAuthProvider, Revocation, ScopeSet, SignIn,
    SignInRequest, SignedIn, Workflow,
};
use crate::store::MemoryStore;
use crate::testkit::ManualClock;
use crate::{ActorId, Clock as _, ConnectionId, Error, ErrorKind, ProviderId, Result, SessionId, TenantId, Timestamp};

pub(super) const ISSUER: &str = "https://post.example";
pub(super) const CLIENT: &str = "client-1";
pub(super) const CLIENT_SECRET: &str = "client-secret-canary";
pub(super) const REFRESH: &str = "refresh-canary";
pub(super) const ACCESS: &str = "access-canary";

/// A dialect with one scope for reading and one for sending, whose revocation ends a person's whole grant.
#[derive(Debug)]
pub(super) struct Post {
    endpoints: Endpoints,
}

impl OAuthProvider for Post {
    fn id(&self) -> ProviderId {
        ProviderId::new("post")
    }
    fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }
    fn scopes_for(&self, workflows: &[Workflow]) -> Result<ScopeSet> {
        let scope = |workflow: &Workflow| match workflow {
            Workflow::Triage => Ok("mail.read".into()),
            Workflow::ApprovedReplies => Ok("mail.send".into()),
            _ => Err(Error::new(ErrorKind::Unsupported { what: "workflow" }, "test")),
        };
        workflows.iter().map(scope).collect()
    }
    fn identity(&self, claims: &IdClaims) -> Identity {
        Identity {
            subject: claims.subject.clone(),
            address: claims.email.clone(),
            tenant: claims.text("hd").map(str::to_owned),
        }
    }
    fn revocation(&self) -> Revocation {
        Revocation::WholeGrant
    }
}

/// A signing key with its public half.
pub(super) struct Key {
    private: EncodingKey,
    pub(super) public: Value,
    id: String,
}

impl Key {
    pub(super) fn new(id: &str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let private = EncodingKey::from_ec_der(pkcs8.as_ref());
        let mut public = serde_json::to_value(Jwk::from_encoding_key(&private, Algorithm::ES256).unwrap()).unwrap();
        public["kid"] = json!(id);
        Self {
            private,
            public,
            id: id.to_owned(),
        }
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

/// Who consents, and what comes back.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) subject: &'static str,
    pub(super) email: &'static str,
    pub(super) scope: &'static str,
    pub(super) refresh_token: bool,
}

pub(super) const ANNA: Person = Person {
    subject: "subject-anna-1",
    email: "anna@acme.example",
    scope: "openid email mail.read",
    refresh_token: true,
};
pub(super) const STRANGER: Person = Person {
    subject: "subject-stranger-2",
    email: "eve@elsewhere.example",
    ..ANNA
};

/// The provider's side.
#[derive(Clone)]
pub(super) struct Server(Arc<Mutex<State>>);

pub(super) struct State {
    clock: ManualClock,
    pub(super) key: Key,
    /// What the key set answers with.
    pub(super) jwks: Value,
    pub(super) person: Person,
    /// The nonce of the newest authorization request.
    pub(super) nonce: Option<String>,
    /// Changes to the claims of the next id tokens; a null removes one.
    pub(super) claims: Value,
    /// Answers of the token endpoint to give before the usual ones.
    pub(super) token_answers: VecDeque<(u16, &'static str, String)>,
    /// Answers of the revocation endpoint to give before the usual ones.
    pub(super) revoke_answers: VecDeque<(u16, &'static str, String)>,
    /// Forms that arrived, by path.
    pub(super) requests: Vec<(String, HashMap<String, String>)>,
    /// How often each request lets others go first.
    pub(super) yields: usize,
    /// Something that happens while the token endpoint is working, once.
    pub(super) meanwhile: Option<futures_util::future::BoxFuture<'static, ()>>,
    issued: usize,
}

impl Server {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, path: &str) -> usize {
        self.state().requests.iter().filter(|(seen, _)| seen == path).count()
    }

    pub(super) fn last(&self, path: &str) -> HashMap<String, String> {
        let state = self.state();
        let found = state.requests.iter().rev().find(|(seen, _)| seen == path);
        found.unwrap_or_else(|| panic!("nothing was sent to {path}")).1.clone()
    }

    pub(super) fn refuse_tokens(&self, status: u16, body: &str) {
        let answer = (status, "application/json", body.to_owned());
        self.state().token_answers.push_back(answer);
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

#[async_trait]
impl HttpTransport for Server {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let path = request.uri().path().to_owned();
        let form = url::form_urlencoded::parse(request.body()).into_owned().collect();
        let (yields, meanwhile) = {
            let mut state = self.state();
            state.requests.push((path.clone(), form));
            let meanwhile = if path == "/token" { state.meanwhile.take() } else { None };
            (state.yields, meanwhile)
        };
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        let (status, kind, body) = self.state().answer(&path);
        let answer = Response::builder().status(status).header("content-type", kind);
        Ok(answer.body(Bytes::from(body)).unwrap())
    }
}

impl State {
    fn answer(&mut self, path: &str) -> (u16, &'static str, String) {
        const JSON: &str = "application/json; charset=utf-8";
        match path {
            "/certs" => (200, JSON, self.jwks.to_string()),
            "/revoke" => self.revoke_answers.pop_front().unwrap_or((200, JSON, "{}".to_owned())),
            "/device" => {
                let body = json!({ "device_code": "device-canary", "user_code": "ABCD-EFGH",
                    "verification_url": "https://post.example/device", "expires_in": 60, "interval": 5 });
                (200, JSON, body.to_string())
            }
            _ => match self.token_answers.pop_front() {
                Some(answer) => answer,
                None => (200, JSON, self.tokens().to_string()),
            },
        }
    }

    fn tokens(&mut self) -> Value {
        self.issued += 1;
        let now = self.clock.now().unix_seconds();
        let mut claims = json!({ "iss": ISSUER, "aud": CLIENT, "sub": self.person.subject, "email": self.person.email,
            "iat": now, "exp": now + 3600 });
        if let Some(nonce) = &self.nonce {
            claims["nonce"] = json!(nonce);
        }
        for (name, value) in self.claims.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let mut reply = json!({ "access_token": format!("{ACCESS}-{}", self.issued), "expires_in": 3600,
            "token_type": "Bearer", "scope": self.person.scope, "id_token": self.key.sign(&claims) });
        if self.person.refresh_token {
            reply["refresh_token"] = json!(format!("{REFRESH}-{}", self.issued));
        }
        reply
    }
}

/// A host with one app, one store and one person at the keyboard.
pub(super) struct World {
    pub(super) clock: ManualClock,
    pub(super) server: Server,
    pub(super) store: MemoryStore,
    pub(super) connections: Connections,
    pub(super) app: OAuthApp,
    pub(super) sign_in: SignIn,
    pub(super) tenant: TenantId,
    pub(super) actor: ActorId,
    pub(super) session: SessionId,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000));
        let key = Key::new("k1");
        let server = Server(Arc::new(Mutex::new(State {
            clock: clock.clone(),
            jwks: json!({ "keys": [{ "kty": "unknown" }, key.public] }),
            key,
            person: ANNA,
            nonce: None,
            claims: json!({}),
            token_answers: VecDeque::new(),
            revoke_answers: VecDeque::new(),
            requests: Vec::new(),
            yields: 0,
            meanwhile: None,
            issued: 0,
        })));
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        let sealer = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
        let vault = Vault::new(Arc::new(store.clone()), sealer);
        let connections = Connections::new(Arc::new(store.clone()), vault, Arc::new(clock.clone()));
        let app = app(&server, &clock, CLIENT);
        Self {
            sign_in: SignIn::new(app.clone(), connections.clone(), Arc::new(store.clone())),
            app,
            clock,
            server,
            store,
            connections,
            tenant: "acme".into(),
            actor: "u-1".into(),
            session: "s-1".into(),
        }
    }

    pub(super) fn request(&self) -> SignInRequest {
        let redirect = Url::parse("https://host.example/callback").unwrap();
        SignInRequest::connect(
            self.tenant.clone(),
            self.actor.clone(),
            self.session.clone(),
            redirect,
            [Workflow::Triage],
        )
    }

    pub(super) async fn begin(&self, request: SignInRequest) -> Begun {
        let begun = self.sign_in.begin(request).await.unwrap();
        self.server.state().nonce = Some(parameter(&begun, "nonce"));
        begun
    }

    /// The callback of somebody who agreed. The code holds a slash, as Google's does.
    pub(super) fn agreed(begun: &Begun) -> Callback {
        Callback::from_query(&format!("state={}&code=4%2F0code-canary", parameter(begun, "state"))).unwrap()
    }

    pub(super) async fn complete(&self, callback: Callback) -> Result<SignedIn> {
        self.sign_in.complete(callback, &self.actor, &self.session).await
    }

    /// A whole sign-in as this person.
    pub(super) async fn sign_in_as(&self, person: Person, connection: Option<&ConnectionId>) -> Result<SignedIn> {
        self.server.state().person = person;
        let request = match connection {
            Some(connection) => self.request().reconnecting(connection.clone()),
            None => self.request(),
        };
        let begun = self.begin(request).await;
        self.complete(Self::agreed(&begun)).await
    }

    pub(super) async fn connect(&self) -> ConnectionId {
        self.sign_in_as(ANNA, None).await.unwrap().connection.connection
    }

    pub(super) async fn row(&self, connection: &ConnectionId) -> Connection {
        self.connections.row(&self.tenant, connection).await.unwrap().value
    }

    pub(super) async fn grant(&self, connection: &ConnectionId) -> Option<OAuthGrant> {
        let key = CredentialKey {
            tenant: self.tenant.clone(),
            connection: connection.clone(),
            field: "oauth".into(),
        };
        match self.connections.vault().load(&key).await.unwrap()?.credential {
            Credential::OAuth(grant) => Some(grant),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn nothing_is_stored(&self) -> bool {
        self.connections.list(&self.tenant).await.unwrap().is_empty()
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(super) fn app(server: &Server, clock: &ManualClock, client: &str) -> OAuthApp {
    let url = |path: &str| Url::parse(&format!("{ISSUER}{path}")).unwrap();
    let endpoints = Endpoints::new(ISSUER, url("/authorize"), url("/token"))
        .with_revoke(url("/revoke"))
        .with_jwks(url("/certs"))
        .with_device(url("/device"))
        .with_admin_consent(url("/adminconsent"));
    let client = OAuthClient::new(client, SecretString::from(CLIENT_SECRET));
    OAuthApp::with_clock(
        Arc::new(Post { endpoints }),
        client,
        Arc::new(server.clone()),
        Arc::new(clock.clone()),
    )
    .unwrap()
}

pub(super) fn parameter(begun: &Begun, name: &str) -> String {
    try_parameter(&begun.url, name).unwrap_or_else(|| panic!("no {name}"))
}

pub(super) fn try_parameter(url: &Url, name: &str) -> Option<String> {
    let found = url.query_pairs().find(|(found, _)| found == name);
    found.map(|(_, value)| value.into_owned())
}
