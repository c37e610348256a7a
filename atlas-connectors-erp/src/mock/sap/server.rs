//! The system itself: what a harness starts, seeds, scripts and asks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atlas_connectors::testkit::server::{Faults, Listener, Request, Server};
use atlas_connectors::{Clock, SystemClock};

use super::counters::Counters;
use super::door;
use super::schema::{Kind, SERVICES, Table};
use super::seed;
use super::world::{Row, User, World, scaled};

/// The user that may read and write.
pub const WRITER: &str = "ATLAS_COMM";
/// The user that may read only.
pub const READER: &str = "ATLAS_READ";
/// The user that may log on and see no data.
pub const NOBODY: &str = "ATLAS_NONE";
/// The password of all three.
pub const PASSWORD: &str = "Welcome#2026";

/// How the system behaves; set by the builder.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) tokens: Tokens,
    pub(super) page_v2: usize,
    pub(super) page_v4: usize,
    pub(super) most_rows: usize,
    pub(super) ignores_filters: bool,
    pub(super) counts_fail: bool,
    pub(super) padded_keys: bool,
    pub(super) repeatability: bool,
    pub(super) lock_status: u16,
}

impl Settings {
    pub(super) fn page_size(&self, v4: bool) -> usize {
        if v4 { self.page_v4 } else { self.page_v2 }
    }
}

/// How CSRF tokens are given out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tokens {
    /// By HEAD and GET, demanded for every write.
    #[default]
    Demanded,
    /// By GET only: HEAD is refused with 405, as behind some gateways.
    HeadRefused,
    /// By GET only: HEAD is answered without one.
    HeadSilent,
    /// None given, none demanded.
    NotNeeded,
}

/// Settings of another system.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    clock: Arc<dyn Clock>,
    settings: Settings,
}

impl Builder {
    /// Sets the clock of stamps and dates.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how CSRF tokens are given out.
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.settings.tokens = tokens;
        self
    }

    /// Sets the rows of a page without `$top`: 1000 in V2, 100 in V4 unless set.
    pub fn page_size(mut self, v2: usize, v4: usize) -> Self {
        self.settings.page_v2 = v2.max(1);
        self.settings.page_v4 = v4.max(1);
        self
    }

    /// Answers every list as a careless custom service does: `$filter` and `$top` are ignored without a word.
    pub fn ignoring_filters(mut self) -> Self {
        self.settings.ignores_filters = true;
        self
    }

    /// Answers 500 to every wish for a count, as the public cloud does on all sales orders.
    pub fn failing_counts(mut self) -> Self {
        self.settings.counts_fail = true;
        self
    }

    /// Keeps numbers with leading zeros, and knows them only so.
    pub fn padded_keys(mut self) -> Self {
        self.settings.padded_keys = true;
        self
    }

    /// Keeps the answers to creates by their request id.
    pub fn repeatability(mut self) -> Self {
        self.settings.repeatability = true;
        self
    }

    /// Sets the status of a refusal for a lock; 423 unless set. On a gateway it may be 400.
    pub fn lock_status(mut self, status: u16) -> Self {
        self.settings.lock_status = status;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When no port on loopback can be had.
    pub async fn start(self) -> io::Result<Sap> {
        let listener = Listener::bind(0)?;
        let base = listener.uri();
        let user = |may_read, may_write| User {
            password: PASSWORD.to_owned(),
            may_read,
            may_write,
            failures: 0,
        };
        let mut world = World {
            clock: self.clock,
            base: base.clone(),
            settings: self.settings,
            data: BTreeMap::new(),
            users: BTreeMap::from([
                (WRITER.to_owned(), user(true, true)),
                (READER.to_owned(), user(true, false)),
                (NOBODY.to_owned(), user(false, false)),
            ]),
            bearers: BTreeSet::new(),
            sessions: HashMap::new(),
            locks: BTreeMap::new(),
            absent: BTreeSet::new(),
            forbidden: BTreeSet::new(),
            closed: BTreeSet::new(),
            counters: Counters::default(),
            numbers: BTreeMap::new(),
            repeats: HashMap::new(),
        };
        seed::fill(&mut world);
        let shared = Arc::new(Mutex::new(world));
        let faults = Faults::default();
        let (inside, script) = (Arc::clone(&shared), faults.clone());
        let server = listener
            .serve(move |request: &Request| {
                let operation = door::operation(request);
                script.carry_out(operation, request, || {
                    let mut world = inside.lock().unwrap_or_else(PoisonError::into_inner);
                    door::answer(&mut world, request)
                })
            })
            .await?;
        Ok(Sap {
            shared,
            faults,
            uri: base.into(),
            _server: Arc::new(server),
        })
    }
}

/// An SAP system that answers on loopback: V2 and V4 services over the same records, sessions and CSRF tokens, batches,
/// locks, drafts. Clones are handles to the same one; it stops when the last is gone.
///
/// See the [module page](super) for the whole picture and an example.
#[derive(Clone)]
pub struct Sap {
    shared: Arc<Mutex<World>>,
    faults: Faults,
    uri: Arc<str>,
    _server: Arc<Server>,
}

impl fmt::Debug for Sap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sap").field("uri", &self.uri).finish_non_exhaustive()
    }
}

impl Sap {
    /// Starts one with the users [`WRITER`], [`READER`] and [`NOBODY`] and a small business.
    ///
    /// # Errors
    /// When no port on loopback can be had.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// Settings for another one.
    pub fn builder() -> Builder {
        Builder {
            clock: Arc::new(SystemClock),
            settings: Settings {
                tokens: Tokens::default(),
                page_v2: 1_000,
                page_v4: 100,
                most_rows: 5_000,
                ignores_filters: false,
                counts_fail: false,
                padded_keys: false,
                repeatability: false,
                lock_status: 423,
            },
        }
    }

    /// The address, such as `http://127.0.0.1:49152`, without a slash at the end.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// What has been accepted so far.
    pub fn counters(&self) -> Counters {
        self.world().counters.clone()
    }

    /// The script of faults. Operations: `token`, `metadata`, `service`, `read`, `get`, `create`, `update`, `delete`,
    /// `action`, `batch`.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Lets a bearer token in, with the rights of [`WRITER`].
    pub fn accept_bearer(&self, token: &str) {
        self.world().bearers.insert(token.to_owned());
    }

    /// Lets a bearer token in no longer.
    pub fn reject_bearer(&self, token: &str) {
        self.world().bearers.remove(token);
    }

    /// Ends all sessions, as a restart of the system does: cookies and tokens of before are worth nothing.
    pub fn end_sessions(&self) {
        self.world().sessions.clear();
    }

    /// Locks a document for another user: every change is refused until [`Sap::unlock`].
    pub fn lock(&self, table: Table, number: &str) {
        self.world()
            .locks
            .insert((table, number.to_owned()), "CB9980000009".to_owned());
    }

    /// Takes a lock away.
    pub fn unlock(&self, table: Table, number: &str) {
        self.world().locks.remove(&(table, number.to_owned()));
    }

    /// Takes a service away, as if nobody had registered it. Path without a slash at its end.
    pub fn unregister(&self, path: &str) {
        self.world().absent.insert(path.to_owned());
    }

    /// Lets nobody start a service any longer. Path without a slash at its end.
    pub fn forbid(&self, path: &str) {
        self.world().forbidden.insert(path.to_owned());
    }

    /// Lets nobody write to a set any longer, reading stays allowed.
    pub fn close(&self, table: Table) {
        self.world().closed.insert(table);
    }

    /// The paths of all services.
    pub fn services(&self) -> Vec<String> {
        SERVICES.iter().map(super::schema::ServiceDef::root).collect()
    }

    /// How many records a table holds, drafts included.
    pub fn count(&self, table: Table) -> usize {
        self.world().rows(table).len()
    }

    /// A field of a record by its number, as it is kept: numbers with their scale, dates as `2026-11-26`.
    pub fn field(&self, table: Table, number: &str, field: &str) -> Option<String> {
        let world = self.world();
        let def = table.def();
        let row = world
            .rows(table)
            .iter()
            .find(|row| row.values.first().and_then(Option::as_deref) == Some(number))?;
        row.value(def, field).map(str::to_owned)
    }

    /// Changes a field of a record behind everybody's back, as a colleague in the application does. The record counts as
    /// changed; no effect is counted.
    pub fn edit(&self, table: Table, number: &str, field: &str, value: &str) {
        let mut world = self.world();
        let def = table.def();
        let stamp = world.stamp();
        let found = world
            .rows_mut(table)
            .iter_mut()
            .find(|row| row.values.first().and_then(Option::as_deref) == Some(number));
        if let Some(row) = found {
            row.set(def, field, value);
            row.set(def, "LastChangeDateTime", stamp);
            row.version += 1_000_000;
        }
    }

    /// Deletes a record behind everybody's back. No effect is counted.
    pub fn remove(&self, table: Table, number: &str) {
        self.world()
            .rows_mut(table)
            .retain(|row| row.values.first().and_then(Option::as_deref) != Some(number));
    }

    /// Adds a record of the table with these fields, changed now; all others are initial. No effect is counted.
    pub fn insert(&self, table: Table, fields: &[(&str, &str)]) {
        let def = table.def();
        let mut world = self.world();
        let mut row = Row::initial(def);
        for (name, value) in fields {
            let kind = def.at(name, false).or_else(|| def.at(name, true));
            let value = match kind.and_then(|at| def.fields.get(at)).map(|field| field.kind) {
                Some(Kind::Decimal(_, scale)) => scaled(value, scale),
                _ => (*value).to_owned(),
            };
            row.set(def, name, value);
        }
        if row.value(def, "LastChangeDateTime").is_none() {
            row.set(def, "LastChangeDateTime", world.stamp());
        }
        world.rows_mut(table).push(row);
    }

    /// Adds sales orders `1..=count` without items, for long reads; orders of the same number are replaced.
    pub fn fill_orders(&self, count: u64) {
        let mut world = self.world();
        seed::orders(&mut world, count);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
