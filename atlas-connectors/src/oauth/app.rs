//! One OAuth client at one provider, with the way to reach it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::clock::{Clock, SystemClock};
use crate::connection::RevokeOutcome;
use crate::credential::OAuthGrant;
use crate::error::{Error, ErrorKind, OAuthError, Result};
use crate::http::HttpTransport;
use crate::oauth::answer::{self, TokenReply};
use crate::oauth::id_token::KeySet;
use crate::oauth::wire;
use crate::oauth::workflow::normalized;
use crate::oauth::{GrantType, OAuthClient, OAuthProvider, Revocation, ScopeSet};

/// A host's registration at one provider: everything that talks to its authorization server. Cheap to clone.
///
/// One value serves all connections of that provider: [`SignIn`](crate::oauth::SignIn) signs people in with it,
/// [`OAuthApp::refresher`] renews their tokens, and a disconnect revokes with it.
#[derive(Clone)]
pub struct OAuthApp(Arc<Inner>);

struct Inner {
    provider: Arc<dyn OAuthProvider>,
    client: OAuthClient,
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    keys: KeySet,
    leeway: Duration,
}

impl OAuthApp {
    /// A client at a provider.
    ///
    /// # Errors
    /// [`ErrorKind::EgressDenied`] if an address of the provider would send secrets in the clear.
    pub fn new(
        provider: Arc<dyn OAuthProvider>,
        client: OAuthClient,
        transport: Arc<dyn HttpTransport>,
    ) -> Result<Self> {
        Self::with_clock(provider, client, transport, Arc::new(SystemClock))
    }

    /// Like [`OAuthApp::new`], with expiries and pauses following this clock.
    ///
    /// # Errors
    /// As [`OAuthApp::new`].
    pub fn with_clock(
        provider: Arc<dyn OAuthProvider>,
        client: OAuthClient,
        transport: Arc<dyn HttpTransport>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        provider.endpoints().check()?;
        Ok(Self(Arc::new(Inner {
            provider,
            client,
            transport,
            clock,
            keys: KeySet::default(),
            leeway: Duration::from_secs(60),
        })))
    }

    /// The same registration at another address of its provider, such as the authority of one organization. Client, transport and clock
    /// are shared, signing keys are fetched anew.
    ///
    /// # Errors
    /// As [`OAuthApp::new`].
    pub fn at(&self, provider: Arc<dyn OAuthProvider>) -> Result<Self> {
        let inner = &self.0;
        Self::with_clock(
            provider,
            inner.client.clone(),
            Arc::clone(&inner.transport),
            Arc::clone(&inner.clock),
        )
    }

    /// The provider's dialect.
    pub fn provider(&self) -> &dyn OAuthProvider {
        &*self.0.provider
    }

    /// The registration.
    pub fn client(&self) -> &OAuthClient {
        &self.0.client
    }

    /// The clock that everything follows.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// How far the clocks of provider and host may differ when an id token is checked: 60 seconds.
    pub(crate) fn leeway(&self) -> Duration {
        self.0.leeway
    }

    pub(crate) fn keys(&self) -> &KeySet {
        &self.0.keys
    }

    pub(crate) fn transport(&self) -> &dyn HttpTransport {
        &*self.0.transport
    }

    /// Asks the token endpoint once.
    pub(crate) async fn token(
        &self,
        operation: &'static str,
        grant: GrantType,
        parameters: &[(&str, &str)],
    ) -> Result<TokenReply> {
        let request = wire::form_request(
            &self.provider().endpoints().token,
            parameters,
            Some((self.client(), self.provider().client_authentication())),
        )?;
        let answer = self
            .transport()
            .send(request)
            .await
            .map_err(|error| self.named(error))?;
        answer::token_answer(operation, self.provider(), grant, &answer, self.clock().now())
            .map_err(|error| self.named(error))
    }

    /// A grant for the client itself, without any person (RFC 6749, section 4.4).
    ///
    /// # Errors
    /// [`OAuthError::ClientMisconfigured`] if the client may not, and whatever keeps the token endpoint from answering.
    pub async fn client_credentials(&self, scopes: &ScopeSet) -> Result<OAuthGrant> {
        let scope = scopes.to_list();
        let mut parameters = vec![("grant_type", "client_credentials")];
        if !scope.is_empty() {
            parameters.push(("scope", &scope));
        }
        let asked_at = self.clock().now();
        let reply = self
            .token("oauth.client_credentials", GrantType::ClientCredentials, &parameters)
            .await?;
        Ok(self.grant(reply, scopes, asked_at))
    }

    /// A grant for the person whom a SAML assertion speaks of (RFC 7522). The assertion comes from the host's identity
    /// provider, and travels base64url encoded once more.
    ///
    /// # Errors
    /// [`OAuthError::InvalidGrant`] if the assertion is over or not trusted, [`OAuthError::ClientMisconfigured`] if the
    /// client may not, and whatever keeps the token endpoint from answering.
    pub async fn saml_bearer(&self, assertion: &SecretString, scopes: &ScopeSet) -> Result<OAuthGrant> {
        let scope = scopes.to_list();
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(assertion.expose_secret()));
        let mut parameters = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:saml2-bearer"),
            ("assertion", encoded.as_str()),
        ];
        if !scope.is_empty() {
            parameters.push(("scope", &scope));
        }
        let asked_at = self.clock().now();
        let reply = self
            .token("oauth.saml_bearer", GrantType::SamlBearer, &parameters)
            .await?;
        Ok(self.grant(reply, scopes, asked_at))
    }

    /// Revokes a token at the provider (RFC 7009). Prefer the refresh token: access tokens cannot always be revoked.
    /// Whether revoking is right at all is for the caller to know ([`OAuthProvider::revocation`]).
    ///
    /// # Errors
    /// Whatever keeps the provider from confirming it.
    pub async fn revoke(&self, token: &SecretString) -> Result<RevokeOutcome> {
        let (Some(endpoint), Revocation::Token | Revocation::WholeGrant) =
            (&self.provider().endpoints().revoke, self.provider().revocation())
        else {
            return Ok(RevokeOutcome::Unsupported);
        };
        let client = self
            .provider()
            .revocation_names_client()
            .then(|| (self.client(), self.provider().client_authentication()));
        let request = wire::form_request(endpoint, &[("token", token.expose_secret())], client)?;
        let answer = self
            .transport()
            .send(request)
            .await
            .map_err(|error| self.named(error))?;
        answer::revoke_answer(self.provider(), &answer, self.clock().now()).map_err(|error| self.named(error))
    }

    /// The reply as a grant. A reply without `scope` grants what was asked (RFC 6749, section 5.1).
    pub(crate) fn grant(&self, reply: TokenReply, asked: &ScopeSet, asked_at: crate::Timestamp) -> OAuthGrant {
        let scopes = normalized(self.provider(), reply.scope.as_ref().unwrap_or(asked));
        let mut grant = OAuthGrant::new(reply.access_token, scopes, asked_at).with_token_type(&reply.token_type);
        if let Some(token) = reply.refresh_token {
            grant = grant.with_refresh_token(token);
        }
        if let Some(life) = reply.expires_in {
            grant = grant.with_expires_in(life);
        }
        if let Some(life) = reply.refresh_expires_in {
            grant = grant.with_refresh_expires_in(life);
        }
        grant
    }

    pub(crate) fn refused(&self, error: OAuthError, operation: &'static str) -> Error {
        self.named(Error::new(ErrorKind::OAuth(error), operation))
    }

    pub(crate) fn named(&self, error: Error) -> Error {
        error
            .with_provider(self.provider().id())
            .with_class(crate::error::OperationClass::SignIn)
    }
}

impl fmt::Debug for OAuthApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthApp")
            .field("provider", &self.provider().id())
            .field("client", &self.client().id)
            .finish_non_exhaustive()
    }
}
