//! The catalog out of the live metadata of all connected services.

use std::sync::Arc;

use atlas_connectors::Result;
use atlas_connectors::erp::{Catalog, CatalogScope, DocumentKind, Entity, EntityKind, Service};

use crate::sap::connector::Inner;
use crate::sap::schema::Known;

impl Inner {
    pub(super) async fn catalog(&self, scope: &CatalogScope) -> Result<Arc<Catalog>> {
        self.check_company(scope.company.as_ref())?;
        let mut catalog = Catalog::new(crate::sap::provider(), self.session.clock().now());
        catalog.language = Some(self.session.system().language().to_owned());
        catalog.system = self.session.system().client().map(|client| format!("client {client}"));
        let mut absent = None;
        let known = self.services.load(scope.refresh).await?;
        for (service, state) in &known {
            catalog.services.push(Service {
                name: service.address.name().to_owned(),
                state: state.state(),
            });
            match state {
                Known::Loaded(loaded) => {
                    for entity in loaded.model.entities() {
                        let asked = scope.entities.is_empty() || scope.entities.contains(&entity.name);
                        if asked && catalog.entity(entity.name.as_str()).is_none() {
                            let mut entity = entity.clone();
                            entity.kind = self.entity_kind(&entity);
                            catalog.entities.push(entity);
                        }
                    }
                }
                Known::Missing | Known::Forbidden => absent = Some(state.error(&service.address)),
            }
        }
        match absent {
            Some(error) if known.iter().all(|(_, state)| !matches!(state, Known::Loaded(_))) => Err(error),
            _ => Ok(Arc::new(catalog)),
        }
    }

    /// What the common documents make of an entity.
    fn entity_kind(&self, entity: &Entity) -> EntityKind {
        for table in &self.documents.tables {
            if table.lines.as_ref().is_some_and(|lines| lines.entity == entity.name) {
                return EntityKind::Line;
            }
            if table.entity == entity.name {
                return match table.kind {
                    DocumentKind::Customer | DocumentKind::Vendor | DocumentKind::Item => EntityKind::Master,
                    _ => EntityKind::Document,
                };
            }
        }
        EntityKind::Other
    }
}
