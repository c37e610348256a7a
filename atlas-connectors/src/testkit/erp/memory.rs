//! The double that hosts put in place of an ERP, and what a test does to it.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::connection::ConnectionRef;
use crate::erp::{
    ActionName, Catalog, Company, Create, DocumentMap, EntityName, ErpCapabilities, FieldName, Record, RecordKey,
    RecordRef, Value,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{CompanyId, Epoch};
use crate::testkit::erp::check;
use crate::testkit::erp::data::Data;
use crate::testkit::erp::server::{ActionEffect, Rule, Server, gone};

/// An [`ErpConnector`](crate::erp::ErpConnector) over records in memory: with pages, changes, permissions, rules, locks and scripted
/// faults, counting what it accepts. Clones share the records, as several processes share one ERP.
///
/// A host puts it in place of its ERP in tests; the behaviour suite
/// [`suites::erp`](crate::testkit::suites::erp) is tried on it.
///
/// ```
/// use atlas_connectors::erp::{
///     Catalog, Create, Entity, ErpConnectorExt as _, Field, FieldKind, Query, field,
/// };
/// use atlas_connectors::testkit::MemoryErp;
/// use atlas_connectors::{Timestamp, ErrorKind};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let mut orders = Entity::new("orders", ["id"]);
/// orders.fields = vec![
///     Field::new("id", FieldKind::Integer),
///     Field::new("name", FieldKind::Text),
///     Field::new("total", FieldKind::Decimal),
/// ];
/// let mut catalog = Catalog::new("memory", Timestamp::UNIX_EPOCH);
/// catalog.entities.push(orders);
///
/// let erp = MemoryErp::new(catalog);
/// erp.put(&Create::new("orders").set("name", "SO-1").set("total", 100))?;
/// erp.put(&Create::new("orders").set("name", "SO-2").set("total", 2_500))?;
///
/// let large = Query::of("orders").select(["name"]).filter(field("total").greater(1_000));
/// let found = erp.read_all(&large).await?;
/// assert_eq!(found[0].value("name").and_then(|name| name.as_str()), Some("SO-2"));
///
/// // What a test wants to see go wrong is scripted.
/// erp.fail_read(ErrorKind::Transient);
/// assert!(erp.read_all(&large).await.is_err());
/// assert_eq!((erp.records("orders"), erp.effects()), (2, 0));
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct MemoryErp {
    pub(super) server: Arc<Mutex<Server>>,
    pub(super) connection: ConnectionRef,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) map: Arc<DocumentMap>,
    pub(super) all_companies: Arc<[Company]>,
    pub(super) own_company: Option<CompanyId>,
    pub(super) can: ErpCapabilities,
    pub(super) page_size: u32,
}

/// What records carry that tells their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordStates {
    /// ETags; the server refuses a write on an old state.
    #[default]
    Etags,
    /// A version, compared by the connector right before a write.
    Versions,
    /// Nothing: old values are compared.
    Neither,
}

/// What goes wrong with the next write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErpFault {
    /// The request is lost on its way.
    LostBefore,
    /// The write happens and its answer is lost.
    LostAfter,
    /// The write happens and its answer cannot be read.
    Unreadable,
    /// The provider refuses before it acts, with this error.
    Refused(ErrorKind),
    /// The write happens, and the answer takes so long.
    Slow(Duration),
}

impl MemoryErp {
    /// An ERP with these entities and no record, that can do everything but tell deletions in its change feed. It has no companies until
    /// [`MemoryErp::with_companies`].
    pub fn new(catalog: Catalog) -> Self {
        let provider = catalog.provider.clone();
        let server = Server {
            catalog: Arc::new(catalog),
            states: RecordStates::Etags,
            data: Data::default(),
            denied: BTreeSet::new(),
            locked: BTreeSet::new(),
            rules: Vec::new(),
            numbering: Vec::new(),
            actions: Vec::new(),
            write_faults: VecDeque::new(),
            read_faults: VecDeque::new(),
            requests: 0,
            oldest: 0,
        };
        Self {
            server: Arc::new(Mutex::new(server)),
            connection: ConnectionRef {
                tenant: "tenant".into(),
                connection: "memory".into(),
                epoch: Epoch::FIRST,
                provider: provider.clone(),
            },
            clock: Arc::new(SystemClock),
            map: Arc::new(DocumentMap::new(provider, [])),
            all_companies: Arc::new([]),
            own_company: None,
            can: ErpCapabilities {
                companies: false,
                count: true,
                etags: true,
                changes: true,
                deletions: false,
                deep_create: true,
                batch: true,
                atomic_batch: true,
                actions: true,
                finds_creates: true,
            },
            page_size: 100,
        }
    }

    /// Sets the connection it stands for.
    #[must_use]
    pub fn with_connection(mut self, connection: ConnectionRef) -> Self {
        self.connection = connection;
        self
    }

    /// Sets the clock, for [`ErpFault::Slow`]. Default: the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets where the common documents are.
    #[must_use]
    pub fn with_documents(mut self, documents: DocumentMap) -> Self {
        self.map = Arc::new(documents);
        self
    }

    /// Gives it companies, each with records of its own. `own` is used where a call names none; without it such a call is refused.
    #[must_use]
    pub fn with_companies(mut self, companies: impl IntoIterator<Item = Company>, own: Option<CompanyId>) -> Self {
        self.all_companies = companies.into_iter().collect();
        self.own_company = own;
        self.can.companies = !self.all_companies.is_empty();
        self
    }

    /// Sets what records carry that tells their state.
    #[must_use]
    pub fn with_states(mut self, states: RecordStates) -> Self {
        self.can.etags = states == RecordStates::Etags;
        self.server().states = states;
        self
    }

    /// Changes what it can do; a call beyond it ends as unsupported.
    #[must_use]
    pub fn with_capabilities(mut self, change: impl FnOnce(&mut ErpCapabilities)) -> Self {
        change(&mut self.can);
        self
    }

    /// Sets the most records of one page, at least one. Default: 100.
    #[must_use]
    pub fn with_page_size(mut self, records: u32) -> Self {
        self.page_size = records.max(1);
        self
    }

    /// Gives new records of an entity a number, such as `P00012`, in this field.
    #[must_use]
    pub fn with_numbers(
        self,
        entity: impl Into<EntityName>,
        field: impl Into<FieldName>,
        prefix: impl Into<String>,
    ) -> Self {
        let numbering = (entity.into(), field.into(), prefix.into());
        self.server().numbering.push(numbering);
        self
    }

    /// Makes an action set these fields of its record. An action without an effect of its own only counts as a change.
    #[must_use]
    pub fn with_action<F: Into<FieldName>>(
        self,
        entity: impl Into<EntityName>,
        action: impl Into<ActionName>,
        sets: impl IntoIterator<Item = (F, Value)>,
    ) -> Self {
        let sets = sets.into_iter().map(|(field, value)| (field.into(), value)).collect();
        let action = (entity.into(), action.into(), ActionEffect::Sets(sets));
        self.server().actions.push(action);
        self
    }

    /// Makes an action ask a person instead of acting.
    #[must_use]
    pub fn with_question(self, entity: impl Into<EntityName>, action: impl Into<ActionName>) -> Self {
        let action = (entity.into(), action.into(), ActionEffect::Asks);
        self.server().actions.push(action);
        self
    }

    /// Refuses values of a field, with this code. What the server says repeats the value, as real ones do.
    #[must_use]
    pub fn refusing(
        self,
        entity: impl Into<EntityName>,
        field: impl Into<FieldName>,
        code: impl Into<String>,
        refuses: impl Fn(&Value) -> bool + Send + Sync + 'static,
    ) -> Self {
        let rule = Rule {
            entity: entity.into(),
            field: field.into(),
            code: code.into(),
            refuses: Arc::new(refuses),
        };
        self.server().rules.push(rule);
        self
    }

    /// Takes a right away: `read`, `create`, `update`, `delete` or `action` on an entity.
    pub fn deny(&self, entity: impl Into<EntityName>, verb: &str) {
        self.server().denied.insert((entity.into(), verb.to_owned()));
    }

    /// Gives a right back.
    pub fn allow(&self, entity: impl Into<EntityName>, verb: &str) {
        self.server().denied.remove(&(entity.into(), verb.to_owned()));
    }

    /// Somebody begins to work on a record: writes to it are refused as locked.
    pub fn lock(&self, entity: impl Into<EntityName>, key: impl Into<RecordKey>) {
        self.server().locked.insert((entity.into(), key.into()));
    }

    /// Somebody is done with a record.
    pub fn unlock(&self, entity: impl Into<EntityName>, key: impl Into<RecordKey>) {
        self.server().locked.remove(&(entity.into(), key.into()));
    }

    /// Lets the next write fail so; several are used up one by one.
    pub fn fail_write(&self, fault: ErpFault) {
        self.server().write_faults.push_back(fault);
    }

    /// Lets the next read fail so, also one that belongs to a write or a look-up; several are used up one by one.
    pub fn fail_read(&self, kind: ErrorKind) {
        self.server().read_faults.push_back(kind);
    }

    /// Makes every cursor given out so far too old.
    pub fn expire_cursors(&self) {
        let mut server = self.server();
        server.oldest = server.data.tick.saturating_add(1);
        server.data.next_tick();
    }

    /// Exchanges the metadata, as an upgrade does. Records stay as they are.
    pub fn set_catalog(&self, catalog: Catalog) {
        self.server().catalog = Arc::new(catalog);
    }

    /// Stores a record and its lines, as if it had always been there. Not counted.
    ///
    /// # Errors
    /// What a server would refuse: unknown fields, missing required ones, a key that is taken.
    pub fn put(&self, create: &Create) -> Result<RecordKey> {
        let company = self.company(create.company.as_ref())?;
        self.server().create(create, company.as_ref(), None)
    }

    /// Somebody else changes fields of a record. Not counted.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such record.
    pub fn change<F: Into<FieldName>>(
        &self,
        at: &RecordRef,
        fields: impl IntoIterator<Item = (F, Value)>,
    ) -> Result<()> {
        let company = self.company(at.company.as_ref())?;
        let fields = fields.into_iter().map(|(field, value)| (field.into(), value)).collect();
        self.server().overwrite(&at.entity, company.as_ref(), &at.key, fields)
    }

    /// Somebody else deletes a record and its lines. Not counted.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such record.
    pub fn remove(&self, at: &RecordRef) -> Result<()> {
        let company = self.company(at.company.as_ref())?;
        match self.server().data.remove(&at.entity, company.as_ref(), &at.key) {
            true => Ok(()),
            false => Err(gone()),
        }
    }

    /// A record as it is stored, without a request.
    pub fn peek(&self, at: &RecordRef) -> Option<Record> {
        let company = self.company(at.company.as_ref()).ok()?;
        let server = self.server();
        let entity = check::entity(&server.catalog, &at.entity).ok()?;
        let stored = server.data.find(&at.entity, company.as_ref(), &at.key)?;
        let columns = server.columns(entity, &[], &[]);
        Some(server.record(entity, company.as_ref(), stored, &columns, &[]))
    }

    /// How many records of an entity there are, in all companies.
    pub fn records(&self, entity: &str) -> usize {
        self.server().data.count(entity)
    }

    /// Writes that were accepted so far; each part of a batch counts.
    pub fn effects(&self) -> u64 {
        self.server().data.effects
    }

    /// Requests that arrived so far.
    pub fn requests(&self) -> u64 {
        self.server().requests
    }

    /// The company of a call: the one it names, or the connection's own.
    pub(super) fn company(&self, named: Option<&CompanyId>) -> Result<Option<CompanyId>> {
        if self.all_companies.is_empty() {
            return Ok(None);
        }
        let company = named.or(self.own_company.as_ref()).ok_or_else(|| {
            let why = "select_company";
            Error::new(ErrorKind::Paused { why }, "memory.company")
        })?;
        match self.all_companies.iter().any(|known| known.id == *company) {
            true => Ok(Some(company.clone())),
            false => Err(Error::new(ErrorKind::NotFound { object: "company" }, "memory.company")),
        }
    }

    pub(super) fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryErp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryErp")
            .field("connection", &self.connection)
            .field("server", &*self.server())
            .finish_non_exhaustive()
    }
}
