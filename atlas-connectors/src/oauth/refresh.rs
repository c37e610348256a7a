//! One call to the token endpoint for the next access token.

use async_trait::async_trait;
use secrecy::ExposeSecret as _;

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
        let grant = self.app.client_credentials(&self.scopes).await?;
        let life = grant.lifetime();
        let mut renewed = RefreshedGrant::new(grant.access_token)
            .with_token_type(&grant.token_type)
            .with_scopes(grant.scopes);
        if let Some(life) = life {
            renewed = renewed.with_expires_in(life);
        }
        Ok(renewed)
    }

    fn needs_refresh_token(&self) -> bool {
        false
    }
}
