//! Opening a Business Central: by a person's sign-in, by the app's own secret, or by an access key.

use std::sync::Arc;

use atlas_connectors::credential::{Credential, RefreshingToken, TokenSource};
use atlas_connectors::erp::ErpConnector;
use atlas_connectors::http::HttpTransport;
use atlas_connectors::oauth::{ClientId, FlowStore, OAuthApp, OAuthClient, SignIn};
use atlas_connectors::{Error, ErrorKind, Identity, Result};
use atlas_connectors_erp::business_central::entra::{EntraOAuth, EntraTenant};
use atlas_connectors_erp::business_central::{Address, ApiRoute, BusinessCentralBuilder};

use crate::erp::erps::{Opening, Parts, wrong_credential};
use crate::erp::tokens::AppTokens;
use crate::erp::{BusinessCentralPlace, Entra, Place, SignInWay, System};

/// The connector where a person has signed in; `None` for all other ways.
pub(super) fn signed_in(parts: &Parts, opening: &Opening<'_>, place: &Place) -> Result<Option<Arc<dyn ErpConnector>>> {
    let System::BusinessCentral(place) = &place.system else {
        return Ok(None);
    };
    let SignInWay::Person(entra) = &place.way else {
        return Ok(None);
    };
    let mut dialect = dialect(entra)?;
    if let Some(identity) = opening.identity {
        dialect = dialect.at_tenant_of(identity)?;
    }
    let app = app(entra, dialect, None, opening)?;
    let tokens = RefreshingToken::builder(
        opening.connection.clone(),
        parts.connections.vault().clone(),
        Arc::new(app.refresher()),
    )
    .events(Arc::new(parts.connections.clone()))
    .build();
    build(opening, place, address(entra)?, Arc::new(tokens)).map(Some)
}

pub(super) fn open(
    opening: &Opening<'_>,
    place: &BusinessCentralPlace,
    credential: &Credential,
) -> Result<Arc<dyn ErpConnector>> {
    match (&place.way, credential) {
        (SignInWay::App(entra), Credential::ClientCredentials(client)) => {
            let dialect = dialect(entra)?;
            let scopes = dialect.client_credentials_scopes()?;
            let app = app(entra, dialect, Some(client.client_secret.clone()), opening)?;
            let tokens = AppTokens::new(opening.connection.clone(), app, scopes);
            build(opening, place, address(entra)?, Arc::new(tokens))
        }
        (SignInWay::AccessKey { address, tenant, .. }, Credential::Basic(user)) => {
            let address = routed(place, Address::on_premises(address, tenant.as_deref())?)?;
            let mut builder = BusinessCentralBuilder::with_access_key(
                Arc::clone(&opening.transport),
                opening.connection.clone(),
                user.user.as_ref(),
                user.password.clone(),
                address,
            );
            if let Some(company) = opening.company {
                builder = builder.with_company(company.clone());
            }
            Ok(Arc::new(builder.build()?))
        }
        _ => Err(wrong_credential()),
    }
}

/// Whose connection it is, where no person signs in.
pub(super) fn identity(place: &BusinessCentralPlace) -> Result<Identity> {
    match &place.way {
        SignInWay::App(entra) => dialect(entra)?.client_identity(&ClientId::new(entra.client_id.as_str())),
        SignInWay::AccessKey { address, user, .. } => Ok(Identity {
            subject: format!("{}#{}", address.trim_end_matches('/'), user.to_lowercase()),
            address: Some(user.clone()),
            tenant: None,
        }),
        SignInWay::Person(_) => Err(wrong_credential()),
    }
}

pub(super) fn sign_in(parts: &Parts, place: &Place, transport: Arc<dyn HttpTransport>) -> Result<SignIn> {
    let System::BusinessCentral(place) = &place.system else {
        return Err(no_sign_in());
    };
    let SignInWay::Person(entra) = &place.way else {
        return Err(no_sign_in());
    };
    let client = OAuthClient::public(entra.client_id.as_str());
    let app = OAuthApp::new(Arc::new(dialect(entra)?), client, transport)?;
    let flows = Arc::clone(&parts.store) as Arc<dyn FlowStore>;
    Ok(SignIn::new(app, parts.connections.clone(), flows))
}

fn no_sign_in() -> Error {
    Error::new(ErrorKind::Unsupported { what: "sign-in" }, "erp.sign_in")
}

fn dialect(entra: &Entra) -> Result<EntraOAuth> {
    let tenant = match &entra.tenant {
        Some(id) => EntraTenant::id(id)?,
        None => EntraTenant::Organizations,
    };
    let mut builder = EntraOAuth::builder(tenant);
    if let Some(login) = &entra.login {
        builder = builder.login(login.clone());
    }
    builder.build()
}

/// A program on a desk keeps no secret: only an app that signs in as itself has one.
fn app(
    entra: &Entra,
    dialect: EntraOAuth,
    secret: Option<secrecy::SecretString>,
    opening: &Opening<'_>,
) -> Result<OAuthApp> {
    let client = match secret {
        Some(secret) => OAuthClient::new(entra.client_id.as_str(), secret),
        None => OAuthClient::public(entra.client_id.as_str()),
    };
    OAuthApp::new(Arc::new(dialect), client, Arc::clone(&opening.transport))
}

fn address(entra: &Entra) -> Result<Address> {
    match &entra.api {
        Some(api) => Address::cloud_at(api, entra.tenant.as_deref(), &entra.environment),
        None => Address::cloud(entra.tenant.as_deref(), &entra.environment),
    }
}

fn routed(place: &BusinessCentralPlace, address: Address) -> Result<Address> {
    Ok(match &place.route {
        Some(route) => address.with_route(ApiRoute::parse(route)?),
        None => address,
    })
}

fn build(
    opening: &Opening<'_>,
    place: &BusinessCentralPlace,
    address: Address,
    tokens: Arc<dyn TokenSource>,
) -> Result<Arc<dyn ErpConnector>> {
    let transport = Arc::clone(&opening.transport);
    let mut builder = BusinessCentralBuilder::new(transport, tokens, routed(place, address)?);
    if let Some(company) = opening.company {
        builder = builder.with_company(company.clone());
    }
    Ok(Arc::new(builder.build()?))
}
