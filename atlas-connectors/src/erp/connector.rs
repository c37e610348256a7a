//! The trait behind which every ERP stands.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::action::{Approved, HandleState, Prepared, Reconciled};
use crate::connection::ConnectionRef;
use crate::erp::{
    Catalog, CatalogScope, ChangePoint, Company, DocumentMap, Probes, Query, QueryPlan, Record, RecordChanges,
    RecordRef, Shape, TestReport, Write, Written,
};
use crate::error::Result;
use crate::page::{Page, PageToken};

/// Reads, checks and writes the records of one connection to an ERP. Held as `Arc<dyn ErpConnector>`; conveniences are in
/// [`ErpConnectorExt`](crate::erp::ErpConnectorExt).
///
/// Writes are driven by the outbox through [`ErpConnector::prepare`] to [`ErpConnector::reconcile`]; a host proposes a
/// [`Write`] at the gate and calls `Outbox::dispatch`.
///
/// One text for every ERP:
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::erp::{DocumentRef, ErpConnector, ErpConnectorExt as _, SalesOrder};
///
/// async fn total(erp: Arc<dyn ErpConnector>) -> atlas_connectors::Result<Option<String>> {
///     let order: Option<SalesOrder> = erp.find_document(&DocumentRef::number("SO-1042")).await?;
///     Ok(order.and_then(|order| order.total).map(|total| total.to_string()))
/// }
/// ```
#[async_trait]
pub trait ErpConnector: fmt::Debug + Send + Sync + 'static {
    /// The connection and the epoch under which this was made.
    fn connection(&self) -> &ConnectionRef;

    /// What this system can do.
    fn capabilities(&self) -> ErpCapabilities;

    /// The table by which the common documents are found in this system.
    fn documents(&self) -> &DocumentMap;

    /// Tries each capability with a live call that changes nothing, and says of each what came of it.
    ///
    /// # Errors
    /// Only what keeps the test itself from running; a refused probe is a row of the report.
    async fn test(&self, probes: &Probes) -> Result<TestReport>;

    /// The companies that the account can work in. Empty where the system has none.
    ///
    /// # Errors
    /// Those of a read.
    async fn companies(&self) -> Result<Vec<Company>>;

    /// What the system has, from its live metadata; cached within bounds.
    ///
    /// # Errors
    /// [`crate::ErrorKind::ServiceMissing`] if no part of it can be read; an entity that is missing is just not in it.
    async fn catalog(&self, scope: &CatalogScope) -> Result<Arc<Catalog>>;

    /// How a query would be carried out, checked against the catalog: what the server does, and what is done here.
    ///
    /// # Errors
    /// [`crate::ErrorKind::SchemaMismatch`] for a field that is not there, [`crate::ErrorKind::Invalid`] for a value that does not
    /// fit its type, [`crate::ErrorKind::Unsupported`] for what neither side can do.
    async fn explain(&self, query: &Query) -> Result<QueryPlan>;

    /// One page of records. Resumable anywhere: the token may be stored and used by another process. Nothing is skipped
    /// while others write; a record that changes in between may come twice.
    ///
    /// # Errors
    /// As [`ErpConnector::explain`], before anything was sent; and those of a read.
    async fn read(&self, query: &Query, page: Option<&PageToken>) -> Result<Page<Record>>;

    /// One record, as it is now.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if it is gone or hidden; and those of a read.
    async fn get(&self, at: &RecordRef, shape: &Shape) -> Result<Record>;

    /// One page of what changed since a point, with the overlap that the provider's clock needs and without what was given
    /// before at the same state. The query says which entity, company, fields and filter; its order is not used.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] for an entity that tells no time of change, [`crate::ErrorKind::CursorExpired`]; and those
    /// of a read.
    async fn changes(&self, query: &Query, since: &ChangePoint, page: Option<&PageToken>) -> Result<RecordChanges>;

    /// Makes ready what finds the effect again if its answer is lost: an external id, a client-made id, the natural key.
    /// Checks names and types against the catalog.
    ///
    /// # Errors
    /// As [`ErpConnector::explain`] for what does not fit; nothing has been changed in any case.
    async fn prepare(&self, write: &Approved<Write>) -> Result<Prepared<Write>>;

    /// Reads the record again and compares it with the base of the write, right before it leaves. Of a batch every part;
    /// a create has no base, and is as approved.
    ///
    /// # Errors
    /// Those of a read; the write is not let out then.
    async fn check_base(&self, prepared: &Prepared<Write>) -> Result<HandleState>;

    /// Lets the write out, with exactly one request that can have an effect, and reads the record back.
    ///
    /// # Errors
    /// With [`crate::error::Effect::Unknown`] when the request left and no clear answer came,
    /// [`crate::error::Effect::Happened`] when it was accepted and the answer could not be read,
    /// [`crate::error::Effect::None`] only if the provider refused before acting, or says that it rolled back. An atomic batch that
    /// was undone is such an error too, and no [`Written`]: what did not happen is never told as done.
    /// [`crate::erp::WriteRejected::of`] tells the refusals apart.
    async fn commit(&self, prepared: Prepared<Write>) -> Result<Written>;

    /// Finds out whether an earlier commit happened: by what [`ErpConnector::prepare`] made, by the natural key, or by comparing
    /// the fields of the record.
    ///
    /// # Errors
    /// Those of a read; a failed look-up proves nothing.
    async fn reconcile(&self, prepared: &Prepared<Write>) -> Result<Reconciled<Written>>;
}

/// What a system can do. Chosen by suites and hosts; a call beyond it ends as [`crate::ErrorKind::Unsupported`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErpCapabilities {
    /// The system has companies, and one must be named or pinned.
    pub companies: bool,
    /// The number of all matching records can be asked for.
    pub count: bool,
    /// Records carry ETags, so that the server itself refuses a write on an old state.
    pub etags: bool,
    /// Changes since a point can be read.
    pub changes: bool,
    /// The change feed tells deletions. Otherwise they are found by [`crate::erp::ErpConnectorExt::missing`].
    pub deletions: bool,
    /// A record is created together with its lines in one request.
    pub deep_create: bool,
    /// Several writes go in one request.
    pub batch: bool,
    /// Several writes can be made to happen all together or not at all.
    pub atomic_batch: bool,
    /// Records have actions.
    pub actions: bool,
    /// Every create can be found again after a lost answer, without a natural key of the host's.
    pub finds_creates: bool,
}
