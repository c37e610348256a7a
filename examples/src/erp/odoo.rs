//! Opening an Odoo.

use std::sync::Arc;

use atlas_connectors::credential::Credential;
use atlas_connectors::erp::{Company, ErpConnector, Query, field};
use atlas_connectors::{Error, ErrorKind, Identity, Result};
use atlas_connectors_erp::odoo::OdooBuilder;
use atlas_connectors_erp::odoo::wire::Endpoint;

use crate::erp::OdooPlace;
use crate::erp::erps::Opening;

pub(super) fn open(opening: &Opening<'_>, place: &OdooPlace, credential: &Credential) -> Result<Arc<dyn ErpConnector>> {
    let at = Endpoint::new(&place.url, &place.database)?;
    let transport = Arc::clone(&opening.transport);
    let mut builder = OdooBuilder::with_credential(transport, opening.connection.clone(), at, credential)?;
    if let Some(company) = opening.company {
        builder = builder.with_company(company.clone());
    }
    if let Some(language) = &place.language {
        builder = builder.with_language(language);
    }
    Ok(Arc::new(builder.build()?))
}

/// Who the login is in this database: users are numbered, and a login may be given to another user one day.
pub(super) async fn identity(
    connector: &dyn ErpConnector,
    place: &OdooPlace,
    companies: &[Company],
) -> Result<Identity> {
    let mut query = Query::of("res.users")
        .select(["login"])
        .filter(field("login").equals(place.login.as_str()))
        .limit(1);
    // Any will do: users are the same in all of them, and none is chosen yet.
    query.company = companies.first().map(|company| company.id.clone());
    let found = connector.read(&query, None).await?;
    let user = found
        .items
        .first()
        .ok_or_else(|| Error::new(ErrorKind::NotFound { object: "user" }, "erp.identity"))?;
    Ok(Identity {
        subject: format!("{}#{}/{}", place.url.trim_end_matches('/'), place.database, user.key()),
        address: Some(format!("{}@{}", place.login, place.database)),
        tenant: None,
    })
}
