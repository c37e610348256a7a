//! What the environment has, read once and kept for a while.

use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::Result;
use atlas_connectors::erp::{Catalog, CatalogScope, Entity};
use tokio::sync::Mutex;

use super::catalog::{self, Captions};
use super::connector::Inner;
use super::operation;
use crate::odata::Model;
use crate::odata::metadata::Schema;

/// Metadata in the wire's words and in the catalog's.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) model: Model,
    pub(super) catalog: Arc<Catalog>,
    since: Duration,
}

/// One document is kept: it is the same for all companies and users of an environment.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Option<Arc<Described>>>);

impl Kept {
    /// Forgets it, after an answer that shows that something has changed.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

impl Inner {
    /// What the environment has. Whoever comes meanwhile waits for the one who reads.
    pub(super) async fn described(&self, refresh: bool) -> Result<Arc<Described>> {
        let mut kept = self.kept.0.lock().await;
        let now = self.clock.monotonic();
        if let Some(known) = kept.as_ref()
            && !refresh
            && now.saturating_sub(known.since) < self.settings.catalog_age
        {
            return Ok(Arc::clone(known));
        }
        let fresh = Arc::new(self.describe(now).await?);
        *kept = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    async fn describe(&self, since: Duration) -> Result<Described> {
        let route = self.service.address().route().as_str();
        let document = self
            .service
            .metadata(operation::METADATA, self.settings.max_metadata)
            .await?;
        let schema = Schema::parse(&document.body).map_err(|error| error.with_provider(super::provider()))?;
        // Labels and routes are for people: without them the catalog is as good.
        let captions = match self.settings.captions {
            true => match self
                .service
                .read_path(operation::DEFINITIONS, "entityDefinitions", self.settings.replica)
                .await
            {
                Ok(answer) => Captions::read(&answer.body),
                Err(error) if is_final(&error) => return Err(error),
                Err(_) => Captions::default(),
            },
            false => Captions::default(),
        };
        let routes = match self
            .service
            .read_path(operation::ROUTES, "apicategoryroutes", self.settings.replica)
            .await
        {
            Ok(answer) => catalog::read_routes(&answer.body),
            Err(error) if is_final(&error) => return Err(error),
            Err(_) => Vec::new(),
        };
        let system = match self.companies(operation::COMPANIES).await {
            Ok(companies) => companies.system,
            Err(error) if is_final(&error) => return Err(error),
            Err(_) => None,
        };
        let model = catalog::model(&schema, route);
        let mut catalog = catalog::build(&schema, &model, route, &routes, &captions, self.clock.now());
        catalog.system = system;
        Ok(Described {
            model,
            catalog: Arc::new(catalog),
            since,
        })
    }

    /// The part of the catalog that is wanted.
    pub(super) async fn catalog(&self, scope: &CatalogScope) -> Result<Arc<Catalog>> {
        let described = self.described(scope.refresh).await?;
        let company = scope.company.clone().or_else(|| self.settings.company.clone());
        if scope.entities.is_empty() && company.is_none() {
            return Ok(Arc::clone(&described.catalog));
        }
        let whole = &described.catalog;
        let mut catalog = Catalog::new(whole.provider.clone(), whole.taken_at);
        catalog.company = company;
        catalog.language.clone_from(&whole.language);
        catalog.system.clone_from(&whole.system);
        catalog.services.clone_from(&whole.services);
        let wanted = |entity: &&Entity| scope.entities.is_empty() || scope.entities.contains(&entity.name);
        catalog.entities = whole.entities.iter().filter(wanted).cloned().collect();
        Ok(Arc::new(catalog))
    }
}

/// The connection is paused, closed or signed out: what is optional would fail for the same reason.
fn is_final(error: &atlas_connectors::Error) -> bool {
    use atlas_connectors::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::Paused { .. } | ErrorKind::Cancelled | ErrorKind::OAuth(_) | ErrorKind::DeadlineExceeded
    )
}
