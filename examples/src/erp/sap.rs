//! Opening an SAP system.

use std::sync::Arc;

use atlas_connectors::credential::Credential;
use atlas_connectors::erp::{CatalogScope, ErpConnector};
use atlas_connectors::{Identity, Result};
use atlas_connectors_erp::sap::{SapAuth, SapBuilder, ServiceAddress, SystemAddress};

use crate::erp::SapPlace;
use crate::erp::erps::{Opening, wrong_credential};

pub(super) fn open(opening: &Opening<'_>, place: &SapPlace, credential: &Credential) -> Result<Arc<dyn ErpConnector>> {
    let Credential::Basic(user) = credential else {
        return Err(wrong_credential());
    };
    let mut system = SystemAddress::parse(&place.address)?;
    if let Some(client) = &place.client {
        system = system.with_client(client)?;
    }
    if let Some(language) = &place.language {
        system = system.with_language(language)?;
    }
    let transport = Arc::clone(&opening.transport);
    let auth = SapAuth::Basic(user.clone());
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
    Ok(Identity {
        subject: format!("{address}#{client}/{}", place.user.to_uppercase()),
        address: Some(place.user.clone()),
        tenant: None,
    })
}
