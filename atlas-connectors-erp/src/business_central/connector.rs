//! The connector: one environment of one connection behind the core's trait.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::action::{Approved, HandleState, Prepared, Reconciled};
use atlas_connectors::erp::{
    Catalog, CatalogScope, ChangePoint, Company, DocumentMap, ErpCapabilities, ErpConnector, Probes, Query, QueryPlan,
    Record, RecordChanges, RecordRef, Shape, TestReport, Write, Written,
};
use atlas_connectors::http::Client;
use atlas_connectors::{Clock, ConnectionRef, Page, PageToken, Result};

use super::builder::Settings;
use super::described::Kept;
use super::environments::{self, Environment};
use super::learned::Learned;
use super::service::Service;
use super::webhooks::{NewSubscription, Subscription, Subscriptions};
use super::{Address, operation};

/// A connection to one environment of Business Central. Cheap to clone; clones share catalog, quota and what they learned.
///
/// Queries and writes name a company, or work in the one that was pinned
/// ([`BusinessCentralBuilder::with_company`](super::BusinessCentralBuilder::with_company)); without either they end as
/// [`atlas_connectors::ErrorKind::Paused`] (`select_company`). Members of enums come and go as people read them (`In Review`); the blank
/// one is empty text. Unset dates and GUIDs are null.
#[derive(Clone)]
pub struct BusinessCentral(pub(super) Arc<Inner>);

/// What clones share.
pub(super) struct Inner {
    pub(super) service: Service,
    pub(super) connection: ConnectionRef,
    pub(super) settings: Settings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) documents: DocumentMap,
    pub(super) kept: Kept,
    pub(super) learned: Learned,
}

impl BusinessCentral {
    pub(super) fn new(
        service: Service,
        connection: ConnectionRef,
        settings: Settings,
        documents: DocumentMap,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            service,
            connection,
            settings,
            clock,
            documents,
            kept: Kept::default(),
            learned: Learned::default(),
        }))
    }

    /// Where it lives.
    pub fn address(&self) -> &Address {
        self.0.service.address()
    }

    /// The HTTP client, to show or share its governor and gate.
    pub fn client(&self) -> &Client {
        self.0.service.client()
    }

    /// The environments of the tenant, as the cloud lists them. That one is listed does not say that the user may enter it.
    ///
    /// # Errors
    /// [`atlas_connectors::ErrorKind::Unsupported`] on premises; those of a read.
    pub async fn environments(&self) -> Result<Vec<Environment>> {
        environments::list(&self.0.service).await
    }

    /// Makes a webhook subscription. The service calls the host's endpoint before it answers.
    ///
    /// # Errors
    /// As [`Subscriptions::create`], and those of a write.
    pub async fn subscribe(&self, new: &NewSubscription) -> Result<Subscription> {
        let call = Subscriptions::of(self.address()).create(new)?;
        Subscription::read(&self.0.service.send(call).await?.body)
    }

    /// Renews a webhook subscription for another three days.
    ///
    /// # Errors
    /// As [`Subscriptions::renew`]; [`atlas_connectors::ErrorKind::NotFound`] once it has ended.
    pub async fn renew(&self, subscription: &Subscription, new: &NewSubscription) -> Result<Subscription> {
        let call = Subscriptions::of(self.address()).renew(subscription, new)?;
        Subscription::read(&self.0.service.send(call).await?.body)
    }

    /// Ends a webhook subscription.
    ///
    /// # Errors
    /// As [`Subscriptions::cancel`], and those of a write.
    pub async fn unsubscribe(&self, subscription: &Subscription) -> Result<()> {
        let call = Subscriptions::of(self.address()).cancel(subscription)?;
        self.0.service.send(call).await.map(|_| ())
    }

    /// The webhook subscriptions of the environment.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        let call = Subscriptions::of(self.address()).list()?;
        Subscription::read_all(&self.0.service.send(call).await?.body)
    }
}

#[async_trait]
impl ErpConnector for BusinessCentral {
    fn connection(&self) -> &ConnectionRef {
        &self.0.connection
    }

    fn capabilities(&self) -> ErpCapabilities {
        let mut can = ErpCapabilities::default();
        can.companies = true;
        can.count = true;
        can.etags = true;
        can.changes = true;
        can.deletions = false;
        can.deep_create = true;
        can.batch = true;
        can.atomic_batch = true;
        can.actions = true;
        can.finds_creates = self.0.settings.client_ids != super::ClientIds::Off;
        can
    }

    fn documents(&self) -> &DocumentMap {
        &self.0.documents
    }

    async fn test(&self, probes: &Probes) -> Result<TestReport> {
        self.0.test(probes).await
    }

    async fn companies(&self) -> Result<Vec<Company>> {
        Ok(self.0.companies(operation::COMPANIES).await?.list)
    }

    async fn catalog(&self, scope: &CatalogScope) -> Result<Arc<Catalog>> {
        self.0.catalog(scope).await
    }

    async fn explain(&self, query: &Query) -> Result<QueryPlan> {
        self.0.explain(query).await
    }

    async fn read(&self, query: &Query, page: Option<&PageToken>) -> Result<Page<Record>> {
        self.0.page(query, page).await
    }

    async fn get(&self, at: &RecordRef, shape: &Shape) -> Result<Record> {
        self.0.record(at, shape, operation::GET).await
    }

    async fn changes(&self, query: &Query, since: &ChangePoint, page: Option<&PageToken>) -> Result<RecordChanges> {
        self.0.changes(query, since, page).await
    }

    async fn prepare(&self, write: &Approved<Write>) -> Result<Prepared<Write>> {
        self.0.prepare(write).await
    }

    async fn check_base(&self, prepared: &Prepared<Write>) -> Result<HandleState> {
        self.0.check_base(prepared.action()).await
    }

    async fn commit(&self, prepared: Prepared<Write>) -> Result<Written> {
        self.0.commit(prepared.action(), prepared.handle()).await
    }

    async fn reconcile(&self, prepared: &Prepared<Write>) -> Result<Reconciled<Written>> {
        self.0.reconcile(prepared.action(), prepared.handle()).await
    }
}

impl fmt::Debug for BusinessCentral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusinessCentral")
            .field("connection", &self.0.connection)
            .field("service", &self.0.service)
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}
