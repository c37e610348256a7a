//! One call to the token endpoint for the next access token.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use crate::credential::{OAuthGrant, Refresh, RefreshedGrant};
use crate::error::{OAuthError, Result};
use crate::oauth::workflow::normalized;
use crate::oauth::{GrantType, OAuthApp, ScopeSet};

/// Renews grants of people with their refresh token.
#[derive(Clone, Debug)]
pub struct RefreshGrant(OAuthApp);

/// Renews the grant of the client itself.
#[derive(Clone, Debug)]
pub struct RenewClientCredentials {
    app: OAuthApp,
    scopes: ScopeSet,
}

/// Gives a fresh SAML assertion about the connection's person each time one is needed: the host's identity provider.
#[async_trait]
pub trait SamlAssertions: fmt::Debug + Send + Sync + 'static {
    /// The assertion as XML, not encoded.
    ///
    /// # Errors
    /// Whatever keeps the identity provider from making one; the connection then waits as after any failed refresh.
    async fn assertion(&self) -> Result<SecretString>;
}

/// Renews the grant of a person for whom the host hands in SAML assertions.
#[derive(Clone, Debug)]
pub struct RenewSamlBearer {
    app: OAuthApp,
    scopes: ScopeSet,
    assertions: Arc<dyn SamlAssertions>,
}

impl OAuthApp {
    /// Renews grants that hold a refresh token: hand it to the connection's
    /// [`TokenSource`](crate::credential::TokenSource).
    pub fn refresher(&self) -> RefreshGrant {
        RefreshGrant(self.clone())
    }

    /// Renews grants that [`OAuthApp::client_credentials`] gave.
    pub fn client_credentials_refresher(&self, scopes: ScopeSet) -> RenewClientCredentials {
        RenewClientCredentials {
            app: self.clone(),
            scopes,
        }
    }

    /// Renews grants that [`OAuthApp::saml_bearer`] gave, each time with a new assertion.
    pub fn saml_bearer_refresher(&self, assertions: Arc<dyn SamlAssertions>, scopes: ScopeSet) -> RenewSamlBearer {
        RenewSamlBearer {
            app: self.clone(),
            scopes,
            assertions,
        }
    }
}

#[async_trait]
impl Refresh for RefreshGrant {
    async fn refresh(&self, grant: &OAuthGrant) -> Result<RefreshedGrant> {
        const OPERATION: &str = "oauth.refresh";
        let Some(token) = &grant.refresh_token else {
            return Err(self.0.refused(OAuthError::NoOfflineAccess, OPERATION));
        };
        let parameters = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose_secret()),
        ];
        let reply = self.0.token(OPERATION, GrantType::RefreshToken, &parameters).await?;
        let mut renewed = RefreshedGrant::new(reply.access_token).with_token_type(&reply.token_type);
        if let Some(life) = reply.expires_in {
            renewed = renewed.with_expires_in(life);
        }
        if let Some(token) = reply.refresh_token {
            renewed = renewed.with_refresh_token(token);
        }
        if let Some(life) = reply.refresh_expires_in {
            renewed = renewed.with_refresh_expires_in(life);
        }
        if let Some(scopes) = reply.scope {
            renewed = renewed.with_scopes(normalized(self.0.provider(), &scopes));
        }
        Ok(renewed)
    }
}

#[async_trait]
impl Refresh for RenewClientCredentials {
    async fn refresh(&self, _grant: &OAuthGrant) -> Result<RefreshedGrant> {
        Ok(as_renewed(self.app.client_credentials(&self.scopes).await?))
    }

    fn needs_refresh_token(&self) -> bool {
        false
    }
}

#[async_trait]
impl Refresh for RenewSamlBearer {
    async fn refresh(&self, _grant: &OAuthGrant) -> Result<RefreshedGrant> {
        let assertion = self.assertions.assertion().await?;
        Ok(as_renewed(self.app.saml_bearer(&assertion, &self.scopes).await?))
    }

    fn needs_refresh_token(&self) -> bool {
        false
    }
}

fn as_renewed(grant: OAuthGrant) -> RefreshedGrant {
    let life = grant.lifetime();
    let mut renewed = RefreshedGrant::new(grant.access_token)
        .with_token_type(&grant.token_type)
        .with_scopes(grant.scopes);
    if let Some(life) = life {
        renewed = renewed.with_expires_in(life);
    }
    renewed
}
