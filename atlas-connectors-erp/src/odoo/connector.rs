//! Odoo behind the trait of all ERPs.

use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::action::{Approved, HandleState, Prepared, Reconciled};
use atlas_connectors::erp::{
    Catalog, CatalogCache, CatalogScope, ChangePoint, Company, DocumentMap, ErpCapabilities, ErpConnector, Probes,
    Query, QueryPlan, Record, RecordChanges, RecordRef, Shape, TestReport, Write, Written,
};
use atlas_connectors::{ConnectionRef, Page, PageToken, Result};

use crate::odoo::session::Door;
use crate::odoo::shapes::Shapes;
use crate::odoo::wire::{Protocol, Series};
use crate::odoo::{catalog, changes, documents, probes, read, writing};

/// One user's view of one Odoo database. Made by [`OdooBuilder`](crate::odoo::OdooBuilder).
///
/// JSON-2 is spoken where the server has it and the secret is an API key, JSON-RPC otherwise; found out with the first call.
#[derive(Debug)]
pub struct OdooConnector {
    connection: ConnectionRef,
    door: Door,
    shapes: Shapes,
    catalogs: CatalogCache,
    documents: DocumentMap,
}

impl OdooConnector {
    pub(super) fn new(connection: ConnectionRef, door: Door) -> Self {
        let age = door.settings.catalog_age;
        Self {
            connection,
            shapes: Shapes::new(Arc::clone(door.clock()), age),
            catalogs: CatalogCache::new(Arc::clone(door.clock())).with_bounds(16, age),
            documents: documents(),
            door,
        }
    }

    /// Which Odoo it is and which protocol is spoken with it.
    ///
    /// # Errors
    /// Those of a sign-in: address, database, login or secret are wrong, or the server cannot be reached.
    pub async fn server(&self) -> Result<(Series, Protocol)> {
        let session = self.door.session().await?;
        Ok((session.series, session.protocol))
    }
}

#[async_trait]
impl ErpConnector for OdooConnector {
    fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    fn capabilities(&self) -> ErpCapabilities {
        let mut can = ErpCapabilities::default();
        can.companies = true;
        can.count = true;
        can.changes = true;
        can.deep_create = true;
        can.actions = true;
        can.finds_creates = true;
        can
    }

    fn documents(&self) -> &DocumentMap {
        &self.documents
    }

    async fn test(&self, probes: &Probes) -> Result<TestReport> {
        probes::run(&self.door, &self.shapes, probes).await
    }

    async fn companies(&self) -> Result<Vec<Company>> {
        let companies = self.door.companies().await?;
        Ok(companies
            .into_iter()
            .map(|(id, name)| Company::new(id.to_string(), name))
            .collect())
    }

    async fn catalog(&self, scope: &CatalogScope) -> Result<Arc<Catalog>> {
        if let Some(kept) = self.catalogs.find(scope) {
            return Ok(kept);
        }
        let taken = catalog::take(&self.door, &self.shapes, scope).await?;
        self.catalogs.keep(scope, Arc::clone(&taken));
        Ok(taken)
    }

    async fn explain(&self, query: &Query) -> Result<QueryPlan> {
        read::explain(&self.door, &self.shapes, query).await
    }

    async fn read(&self, query: &Query, page: Option<&PageToken>) -> Result<Page<Record>> {
        read::page(&self.door, &self.shapes, query, page).await
    }

    async fn get(&self, at: &RecordRef, shape: &Shape) -> Result<Record> {
        read::get(&self.door, &self.shapes, at, shape).await
    }

    async fn changes(&self, query: &Query, since: &ChangePoint, page: Option<&PageToken>) -> Result<RecordChanges> {
        changes::page(&self.door, &self.shapes, query, since, page).await
    }

    async fn prepare(&self, write: &Approved<Write>) -> Result<Prepared<Write>> {
        writing::prepare(&self.door, &self.shapes, write).await
    }

    async fn check_base(&self, prepared: &Prepared<Write>) -> Result<HandleState> {
        writing::check_base(&self.door, &self.shapes, prepared).await
    }

    async fn commit(&self, prepared: Prepared<Write>) -> Result<Written> {
        writing::commit(&self.door, &self.shapes, &prepared).await
    }

    async fn reconcile(&self, prepared: &Prepared<Write>) -> Result<Reconciled<Written>> {
        writing::reconcile(&self.door, &self.shapes, prepared).await
    }
}
