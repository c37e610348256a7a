//! The connector: one trait, carried out by the parts beside this file.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atlas_connectors::action::{Approved, HandleState, Prepared, Reconciled};
use atlas_connectors::erp::{
    Catalog, CatalogScope, ChangePoint, Company, DocumentMap, ErpCapabilities, ErpConnector, Probes, Query, QueryPlan,
    Record, RecordChanges, RecordRef, Shape, TestReport, Write, Written,
};
use atlas_connectors::{CompanyId, ConnectionRef, Error, ErrorKind, Page, PageToken, Result};

use crate::sap::catalog_service::ListedService;
use crate::sap::schema::Services;
use crate::sap::session::Session;

/// One connection to one SAP system, over one or several of its OData services, V2 and V4 alike.
///
/// Made by [`SapBuilder`](crate::sap::SapBuilder). Cheap to clone; clones share session, metadata and limits.
#[derive(Clone)]
pub struct SapConnector(Arc<Inner>);

pub(super) struct Inner {
    pub(super) session: Arc<Session>,
    pub(super) services: Services,
    pub(super) documents: DocumentMap,
    pub(super) settings: Settings,
}

/// How a connector goes about its work.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) most_rows: usize,
    pub(super) max_body: u64,
    pub(super) overlap: Duration,
    pub(super) look_pause: Duration,
    pub(super) batch_most: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            most_rows: 200_000,
            max_body: 64 * 1024 * 1024,
            overlap: Duration::from_secs(120),
            look_pause: Duration::from_secs(3),
            batch_most: 100,
        }
    }
}

impl SapConnector {
    pub(super) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The services that the system's own catalog lists; `None` where there is no catalog to ask, which is common.
    ///
    /// # Errors
    /// Those of a read, a missing or forbidden catalog excepted.
    pub async fn listed_services(&self) -> Result<Option<Vec<ListedService>>> {
        self.0.listed_services().await
    }
}

impl Inner {
    /// The client is fixed by the connection; a company code is data, and no company of the connection.
    pub(super) fn check_company(&self, company: Option<&CompanyId>) -> Result<()> {
        match company {
            None => Ok(()),
            Some(company) if Some(company.as_str()) == self.session.system().client() => Ok(()),
            Some(_) => {
                let kind = ErrorKind::Invalid {
                    what: "company",
                    why: "the client is fixed by the connection; filter by company code instead",
                };
                Err(Error::new(kind, "sap.company"))
            }
        }
    }
}

#[async_trait]
impl ErpConnector for SapConnector {
    fn connection(&self) -> &ConnectionRef {
        self.0.session.connection()
    }

    fn capabilities(&self) -> ErpCapabilities {
        let mut can = ErpCapabilities::default();
        // ETags are not said of all: sales orders have one, and most of the rest has none.
        can.count = true;
        can.changes = true;
        can.deep_create = true;
        can.batch = true;
        can.atomic_batch = true;
        can.actions = true;
        can
    }

    fn documents(&self) -> &DocumentMap {
        &self.0.documents
    }

    async fn test(&self, probes: &Probes) -> Result<TestReport> {
        self.0.test(probes).await
    }

    async fn companies(&self) -> Result<Vec<Company>> {
        Ok(Vec::new())
    }

    async fn catalog(&self, scope: &CatalogScope) -> Result<Arc<Catalog>> {
        self.0.catalog(scope).await
    }

    async fn explain(&self, query: &Query) -> Result<QueryPlan> {
        self.0.explain(query).await
    }

    async fn read(&self, query: &Query, page: Option<&PageToken>) -> Result<Page<Record>> {
        self.0.read_list(query, page).await
    }

    async fn get(&self, at: &RecordRef, shape: &Shape) -> Result<Record> {
        self.0.get_one(at, shape).await
    }

    async fn changes(&self, query: &Query, since: &ChangePoint, page: Option<&PageToken>) -> Result<RecordChanges> {
        self.0.changes(query, since, page).await
    }

    async fn prepare(&self, write: &Approved<Write>) -> Result<Prepared<Write>> {
        let handle = self.0.prepare(write.action(), write.intent().as_str()).await?;
        Ok(write.prepared(Some(handle)))
    }

    async fn check_base(&self, prepared: &Prepared<Write>) -> Result<HandleState> {
        self.0.check_base(prepared.action()).await
    }

    async fn commit(&self, prepared: Prepared<Write>) -> Result<Written> {
        self.0.commit(prepared.action(), prepared.handle()).await
    }

    async fn reconcile(&self, prepared: &Prepared<Write>) -> Result<Reconciled<Written>> {
        self.0.reconcile(prepared.action()).await
    }
}

impl fmt::Debug for SapConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SapConnector")
            .field("session", &self.0.session)
            .field("services", &self.0.services)
            .finish_non_exhaustive()
    }
}
