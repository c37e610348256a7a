//! Opening an SAP system: by a communication user, or by an OAuth client of its own.

use std::sync::Arc;

use atlas_connectors::credential::Credential;
use atlas_connectors::erp::{CatalogScope, ErpConnector};
use atlas_connectors::oauth::{Endpoints, OAuthApp, OAuthClient, OAuthProvider, ScopeSet, Workflow};
use atlas_connectors::{Identity, ProviderId, Result};
use atlas_connectors_erp::sap::{SapAuth, SapBuilder, ServiceAddress, SystemAddress, provider};
use url::Url;

use crate::erp::erps::{Opening, wrong_credential};
use crate::erp::tokens::AppTokens;
use crate::erp::{SapPlace, SapWay};

pub(super) fn open(opening: &Opening<'_>, place: &SapPlace, credential: &Credential) -> Result<Arc<dyn ErpConnector>> {
    let auth = match (&place.way, credential) {
        (SapWay::Basic { .. }, Credential::Basic(user)) => SapAuth::Basic(user.clone()),
        (SapWay::App { token_url, client_id }, Credential::ClientCredentials(secret)) => {
            let client = OAuthClient::new(client_id.as_str(), secret.client_secret.clone());
            let dialect = Arc::new(TokenEndpoint::at(token_url));
            let app = OAuthApp::new(dialect, client, Arc::clone(&opening.transport))?;
            let tokens = AppTokens::new(opening.connection.clone(), app, ScopeSet::new());
            SapAuth::Bearer(Arc::new(tokens))
        }
        _ => return Err(wrong_credential()),
    };
    let mut system = SystemAddress::parse(&place.address)?;
    if let Some(client) = &place.client {
        system = system.with_client(client)?;
    }
    if let Some(language) = &place.language {
        system = system.with_language(language)?;
    }
    let transport = Arc::clone(&opening.transport);
    let mut builder = SapBuilder::new(transport, opening.connection.clone(), system, auth);
    for service in &place.services {
        builder = builder.with_service(ServiceAddress::parse(service)?);
    }
    Ok(Arc::new(builder.build()?))
}

/// User and client: the same name in two clients is two users. The metadata of the services is what a sign-in is tried with.
pub(super) async fn identity(connector: &dyn ErpConnector, place: &SapPlace) -> Result<Identity> {
    connector.catalog(&CatalogScope::all()).await?;
    let client = place.client.as_deref().unwrap_or("-");
    let address = place.address.trim_end_matches('/');
    let (account, name) = match &place.way {
        SapWay::Basic { user } => (user.to_uppercase(), user),
        SapWay::App { client_id, .. } => (format!("oauth:{client_id}"), client_id),
    };
    Ok(Identity {
        subject: format!("{address}#{client}/{account}"),
        address: Some(name.clone()),
        tenant: None,
    })
}

/// The authorization server of an SAP system, as far as a client needs it that signs in as itself.
#[derive(Debug)]
struct TokenEndpoint(Endpoints);

impl TokenEndpoint {
    fn at(token: &Url) -> Self {
        // No person is ever sent to it: where people would sign in does not matter.
        Self(Endpoints::new(token.as_str(), token.clone(), token.clone()))
    }
}

impl OAuthProvider for TokenEndpoint {
    fn id(&self) -> ProviderId {
        provider()
    }

    fn endpoints(&self) -> &Endpoints {
        &self.0
    }

    /// What the client may do is set at the system, service by service.
    fn scopes_for(&self, _workflows: &[Workflow]) -> Result<ScopeSet> {
        Ok(ScopeSet::new())
    }
}
