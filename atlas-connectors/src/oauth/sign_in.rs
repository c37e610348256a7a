//! Signing in: the two halves of the authorization code flow.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use url::Url;

use crate::clock::Timestamp;
use crate::connection::Connections;
use crate::credential::{Credential, CredentialKey};
use crate::error::{EgressRule, Error, FlowFault, OAuthError, Result};
use crate::ids::{ActorId, ConnectionId, SessionId, TenantId};
use crate::oauth::accept::Attempt;
use crate::oauth::callback::Outcome;
use crate::oauth::client::is_loopback;
use crate::oauth::flow::{Flow, Purpose};
use crate::oauth::wire::{self, FlowSecrets};
use crate::oauth::{
    AccountProfile, AuthorizeRequest, Callback, FlowStore, GrantType, OAUTH_FIELD, OAuthApp, RedirectRefusal,
    ScopePlan, SignedIn, StateHash, Workflow,
};

/// How long a person has between the consent address and the callback, unless set otherwise.
const FLOW_LIVES: Duration = Duration::from_secs(600);

/// Signs people in to connections of one provider: authorization code with PKCE (S256), `state` and `nonce`, bound to the
/// host's user and session, single use, expiring. What waits for the callback is stored sealed, so that it may reach another
/// process. Cheap to clone.
///
/// A host calls [`SignIn::begin`], sends the browser to the address, and hands what the browser brings back to
/// [`SignIn::complete`].
#[derive(Clone)]
pub struct SignIn {
    app: OAuthApp,
    connections: Connections,
    flows: Arc<dyn FlowStore>,
    profile: Option<Arc<dyn AccountProfile>>,
    flow_lives: Duration,
}

/// What a person is to be asked for.
#[derive(Clone)]
#[non_exhaustive]
pub struct SignInRequest {
    /// The tenant that the connection belongs to.
    pub tenant: TenantId,
    /// Who begins, from the host's session. The callback must come from the same.
    pub actor: ActorId,
    /// In which session. The callback must arrive in the same.
    pub session: SessionId,
    /// Where the browser is sent back to, exactly as registered.
    pub redirect: Url,
    /// What the connection is for.
    pub workflows: Vec<Workflow>,
    /// The connection that signs in again; `None` for a new one.
    pub connection: Option<ConnectionId>,
    /// Address or subject that is expected. Fills in the form and binds nothing; a reconnect takes the pinned address.
    pub login_hint: Option<String>,
    /// What the page is to show in any case, in order; `None` for what the provider needs
    /// ([`OAuthProvider::default_prompt`](crate::oauth::OAuthProvider::default_prompt)).
    pub prompt: Option<Vec<Prompt>>,
    /// Domain of the organization that is expected.
    pub organization: Option<String>,
    /// A claims challenge from an earlier refusal, which asks the person for more proof (Entra). A reconnect without one carries the
    /// challenge that the connection's grant ended with, if there was one.
    pub claims: Option<SecretString>,
}

impl SignInRequest {
    /// A new connection for these workflows.
    pub fn connect(
        tenant: TenantId,
        actor: ActorId,
        session: SessionId,
        redirect: Url,
        workflows: impl Into<Vec<Workflow>>,
    ) -> Self {
        Self {
            tenant,
            actor,
            session,
            redirect,
            workflows: workflows.into(),
            connection: None,
            login_hint: None,
            prompt: None,
            organization: None,
            claims: None,
        }
    }

    /// Signs in again to a connection that exists, with the account it is pinned to.
    #[must_use]
    pub fn reconnecting(mut self, connection: ConnectionId) -> Self {
        self.connection = Some(connection);
        self
    }

    /// Fills in who is expected.
    #[must_use]
    pub fn with_login_hint(mut self, hint: impl Into<String>) -> Self {
        self.login_hint = Some(hint.into());
        self
    }

    /// Sets what the page is to show in any case.
    #[must_use]
    pub fn with_prompt(mut self, prompt: impl Into<Vec<Prompt>>) -> Self {
        self.prompt = Some(prompt.into());
        self
    }

    /// Names the organization that is expected.
    #[must_use]
    pub fn with_organization(mut self, domain: impl Into<String>) -> Self {
        self.organization = Some(domain.into());
        self
    }

    /// Carries a claims challenge into the authorization request.
    #[must_use]
    pub fn with_claims(mut self, challenge: SecretString) -> Self {
        self.claims = Some(challenge);
        self
    }
}

impl fmt::Debug for SignInRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInRequest")
            .field("tenant", &self.tenant)
            .field("workflows", &self.workflows)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

/// What the sign-in page is to show in any case (`prompt`, OpenID Connect Core, section 3.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Prompt {
    /// The consent page.
    Consent,
    /// The choice of account.
    SelectAccount,
    /// The password or its like.
    Login,
}

impl Prompt {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
            Self::Login => "login",
        }
    }
}

/// What a redirect brought of the flow that it claims to belong to.
pub(crate) struct Arrived<'a> {
    pub(crate) state: &'a SecretString,
    pub(crate) issuer: Option<&'a str>,
    pub(crate) purpose: Purpose,
}

/// A sign-in that waits for its callback.
#[derive(Clone)]
#[non_exhaustive]
pub struct Begun {
    /// Where to send the browser. Carries the state: show it to nobody else and do not log it.
    pub url: Url,
    /// The connection that is signing in; a new one is stored only once the sign-in has succeeded.
    pub connection: ConnectionId,
    /// What is asked for.
    pub plan: ScopePlan,
    /// After this moment the callback is refused.
    pub expires: Timestamp,
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun")
            .field("connection", &self.connection)
            .field("plan", &self.plan)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl SignIn {
    /// Signs in with this app; connections and credentials are kept by `connections`, open flows by `flows`.
    pub fn new(app: OAuthApp, connections: Connections, flows: Arc<dyn FlowStore>) -> Self {
        Self {
            app,
            connections,
            flows,
            profile: None,
            flow_lives: FLOW_LIVES,
        }
    }

    /// Asks for a second opinion on who signed in.
    #[must_use]
    pub fn with_profile(mut self, profile: Arc<dyn AccountProfile>) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Sets how long a person has between the consent address and the callback; 10 minutes unless set.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.flow_lives = limit;
        self
    }

    /// The app that signs in.
    pub fn app(&self) -> &OAuthApp {
        &self.app
    }

    /// Where the connections are kept.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    pub(crate) fn flows(&self) -> &dyn FlowStore {
        &*self.flows
    }

    /// How long a person has.
    pub(crate) fn time_limit(&self) -> Duration {
        self.flow_lives
    }

    pub(crate) fn profile(&self) -> Option<&dyn AccountProfile> {
        self.profile.as_deref()
    }

    /// Prepares a sign-in and gives the address of the consent page.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] for a connection that does not exist; [`crate::ErrorKind::Invalid`] if it is of another provider
    /// or no workflow is named; [`crate::ErrorKind::Unsupported`] for a workflow that the provider does not have;
    /// [`EgressRule`] for a redirect address that would bring the code back in the clear;
    /// [`StorageFault`](crate::error::StorageFault).
    pub async fn begin(&self, request: SignInRequest) -> Result<Begun> {
        check_redirect(&request.redirect)?;
        let plan = ScopePlan::new(self.app.provider(), &request.workflows)?;
        let (connection, epoch, pinned) = self.target(&request.tenant, request.connection.as_ref()).await?;
        let now = self.app.clock().now();
        // A late callback is told that it is late for as long again; then its flow is forgotten.
        self.flows.sweep(now.before(self.flow_lives)).await?;

        let secrets = FlowSecrets::random();
        let mut extras = self.app.provider().authorize_extras(&AuthorizeRequest {
            reconnect: epoch.is_some(),
            organization: request.organization.as_deref(),
            ..AuthorizeRequest::new(&plan.asked)
        });
        let hint = request.login_hint.or(pinned);
        extras.extend(hint.map(|hint| ("login_hint", hint)));
        let prompt = request
            .prompt
            .unwrap_or_else(|| self.app.provider().default_prompt(epoch.is_some()));
        if !prompt.is_empty() {
            let prompt: Vec<_> = prompt.iter().map(|prompt| prompt.as_str()).collect();
            extras.push(("prompt", prompt.join(" ")));
        }
        let claims = match request.claims {
            Some(claims) => Some(claims),
            None => self.challenge(&request.tenant, &connection, epoch).await,
        };
        if let Some(claims) = &claims {
            extras.push(("claims", claims.expose_secret().to_owned()));
        }
        let page = &self.app.provider().endpoints().authorize;
        let url = wire::authorize_url(
            page,
            self.app.client(),
            &request.redirect,
            &plan.asked,
            &secrets,
            &extras,
        );
        let flow = Flow {
            provider: self.app.provider().id(),
            client: self.app.client().id.clone(),
            tenant: request.tenant,
            connection,
            epoch,
            actor: request.actor,
            session: request.session,
            redirect: request.redirect.into(),
            purpose: Purpose::SignIn,
            plan,
            expires: now.after(self.flow_lives),
            state: secrets.state,
            nonce: secrets.nonce,
            verifier: secrets.verifier,
        };
        self.flows.put(flow.seal(self.connections.vault().sealer())?).await?;
        Ok(Begun {
            url,
            connection: flow.connection,
            plan: flow.plan,
            expires: flow.expires,
        })
    }

    /// Finishes a sign-in with what the browser brought back. `actor` and `session` come from the host's own session of the
    /// request in which it arrived, never from the address.
    ///
    /// The checks, in this order: a flow with this state waits (taken out here: a second callback finds none); not too
    /// late; same user, session, provider and client; `iss` exact where present; no error; the connection is as it was.
    /// Only then the code is redeemed. After that: id token; pinned account; second opinion; scopes; refresh token; the
    /// connection still as it was. Only then anything is stored.
    ///
    /// # Errors
    /// [`OAuthError`], with nothing stored: `FlowRejected` (the code was not redeemed unless the fault is `IdToken` or
    /// `Superseded`), `AccessDenied`, `WrongAccount`, `InsufficientPrivileges`, `NoOfflineAccess`, `InvalidGrant` (the
    /// code), `ClientMisconfigured`. A grant that was refused after it was given is revoked as far as the provider's
    /// rule allows; the error's context `refused_grant` says what became of it. Else whatever keeps the provider from
    /// answering, or the store.
    pub async fn complete(&self, callback: Callback, actor: &ActorId, session: &SessionId) -> Result<SignedIn> {
        let arrived = Arrived {
            state: &callback.state,
            issuer: callback.issuer.as_deref(),
            purpose: Purpose::SignIn,
        };
        let flow = self.take(&arrived, actor, session).await?;
        let code = match &callback.outcome {
            Outcome::Code(code) => code,
            Outcome::Refused {
                error,
                description,
                suberror,
            } => {
                let refusal = RedirectRefusal::new(error)
                    .with_description(description.as_deref())
                    .with_suberror(suberror.as_deref());
                let class = self.app.provider().classify_redirect_error(&refusal);
                return Err(self.app.refused(class, "oauth.callback").with_provider_code(error));
            }
        };
        self.unchanged(&flow).await?;
        self.app.keys().warm(&self.app).await?;
        let asked_at = self.app.clock().now();
        let parameters = [
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", &flow.redirect),
            ("code_verifier", flow.verifier.expose_secret()),
        ];
        let reply = self
            .app
            .token("oauth.code", GrantType::AuthorizationCode, &parameters)
            .await?;
        let attempt = Attempt {
            tenant: &flow.tenant,
            connection: &flow.connection,
            epoch: flow.epoch,
            plan: &flow.plan,
            nonce: Some(&flow.nonce),
            asked_at,
        };
        self.accept(&attempt, reply).await
    }

    /// What the provider asked for when it ended the grant that the connection holds. A grant that cannot be read is no reason against
    /// a sign-in, which is what replaces it.
    async fn challenge(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        epoch: Option<crate::Epoch>,
    ) -> Option<SecretString> {
        let epoch = epoch?;
        let key = CredentialKey {
            tenant: tenant.clone(),
            connection: connection.clone(),
            field: OAUTH_FIELD.into(),
        };
        let stored = self.connections.vault().load(&key).await.ok()??;
        match stored.credential {
            Credential::OAuth(grant) if stored.epoch == epoch => grant.claims_challenge,
            _ => None,
        }
    }

    /// Takes the flow out and checks that what arrived belongs to it.
    pub(crate) async fn take(&self, arrived: &Arrived<'_>, actor: &ActorId, session: &SessionId) -> Result<Flow> {
        let state = arrived.state.expose_secret();
        let Some(stored) = self.flows.take(&StateHash::of(state)).await? else {
            return Err(rejected(FlowFault::UnknownState));
        };
        let flow = Flow::open(self.connections.vault().sealer(), &stored)?;
        if !same(flow.state.expose_secret(), state) || flow.purpose != arrived.purpose {
            return Err(rejected(FlowFault::UnknownState));
        }
        if self.app.clock().now() > flow.expires {
            return Err(rejected(FlowFault::Expired));
        }
        let same_person = same(flow.actor.as_str(), actor.as_str()) & same(flow.session.as_str(), session.as_str());
        if !same_person {
            return Err(rejected(FlowFault::OtherSession));
        }
        let ours = flow.provider == self.app.provider().id() && flow.client == self.app.client().id;
        let issuer_fits = arrived
            .issuer
            .is_none_or(|issuer| self.app.provider().accepts_redirect_issuer(issuer));
        if !(ours && issuer_fits) {
            return Err(rejected(FlowFault::Issuer));
        }
        Ok(flow)
    }

    /// Refuses a flow whose connection was disconnected, reconnected or made meanwhile.
    async fn unchanged(&self, flow: &Flow) -> Result<()> {
        let found = self.connections.store().get(&flow.tenant, &flow.connection).await?;
        let epoch = found.map(|row| row.value.reference.epoch);
        if epoch == flow.epoch {
            Ok(())
        } else {
            Err(rejected(FlowFault::Superseded))
        }
    }

    /// The connection that is to sign in, its epoch and the address it is pinned to, if it exists.
    pub(crate) async fn target(
        &self,
        tenant: &TenantId,
        connection: Option<&ConnectionId>,
    ) -> Result<(ConnectionId, Option<crate::Epoch>, Option<String>)> {
        let Some(connection) = connection else {
            return Ok((ConnectionId::random(), None, None));
        };
        let row = self.connections.row(tenant, connection).await?.value;
        if row.reference.provider != self.app.provider().id() {
            let kind = crate::ErrorKind::Invalid {
                what: "connection",
                why: "it is of another provider",
            };
            return Err(Error::new(kind, "oauth.begin"));
        }
        let pinned = row.identity.and_then(|identity| identity.address);
        Ok((connection.clone(), Some(row.reference.epoch), pinned))
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIn").field("app", &self.app).finish_non_exhaustive()
    }
}

pub(crate) fn rejected(fault: FlowFault) -> Error {
    Error::new(OAuthError::FlowRejected { fault }, "oauth.sign_in")
}

/// Compares in a time that tells nothing about where two texts differ.
fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The code travels in this address: TLS, or this machine itself.
pub(crate) fn check_redirect(redirect: &Url) -> Result<()> {
    let secure = redirect.scheme() == "https" || (redirect.scheme() == "http" && is_loopback(redirect));
    if !secure {
        return Err(Error::new(EgressRule::Scheme, "oauth.begin"));
    }
    if redirect.fragment().is_some() || !redirect.username().is_empty() {
        return Err(Error::new(EgressRule::Url, "oauth.begin"));
    }
    Ok(())
}
