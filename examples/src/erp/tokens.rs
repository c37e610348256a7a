//! Tokens of an app that signs in as itself: asked for when needed, kept in memory only.

use async_trait::async_trait;
use atlas_connectors::credential::{AccessToken, TokenSource};
use atlas_connectors::oauth::{OAuthApp, ScopeSet};
use atlas_connectors::{Clock as _, ConnectionRef, Result, SystemClock, Timestamp};
use tokio::sync::Mutex;

/// How long before its end a token is not given out any more.
const MARGIN: std::time::Duration = std::time::Duration::from_secs(120);

/// The app's own tokens for one connection.
#[derive(Debug)]
pub(super) struct AppTokens {
    connection: ConnectionRef,
    app: OAuthApp,
    scopes: ScopeSet,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<(AccessToken, Timestamp)>,
    generation: u64,
}

impl AppTokens {
    pub(super) fn new(connection: ConnectionRef, app: OAuthApp, scopes: ScopeSet) -> Self {
        Self {
            connection,
            app,
            scopes,
            held: Mutex::default(),
        }
    }
}

#[async_trait]
impl TokenSource for AppTokens {
    fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    async fn token(&self) -> Result<AccessToken> {
        let mut held = self.held.lock().await;
        if let Some((token, ends)) = &held.token
            && SystemClock.now() < *ends
        {
            return Ok(token.clone());
        }
        let grant = self.app.client_credentials(&self.scopes).await?;
        let life = grant.lifetime().unwrap_or(MARGIN).saturating_sub(MARGIN);
        held.generation += 1;
        let token = AccessToken::new(grant.access_token, grant.scopes, held.generation);
        held.token = Some((token.clone(), SystemClock.now().after(life)));
        Ok(token)
    }

    async fn reject(&self, rejected: &AccessToken) {
        let mut held = self.held.lock().await;
        if held
            .token
            .as_ref()
            .is_some_and(|(token, _)| token.generation() == rejected.generation())
        {
            held.token = None;
        }
    }
}
