//! A running mock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use atlas_connectors::testkit::server::{Answer, Faults, Request, Server};
use atlas_connectors::{Clock, SystemClock};
use url::Url;

use crate::mock::odoo::database::Database;
use crate::mock::odoo::http;
use crate::mock::odoo::world::World;
use crate::mock::odoo::{Version, models, seed};
use crate::odoo::wire::Json;

/// The database that every mock has.
pub const DATABASE: &str = "atlas";

/// An Odoo on loopback.
///
/// Users: `admin`, `atlas.limited`, `atlas.sales`, `atlas.bot`, `atlas.totp` (second factor) and `atlas.gone` (archived);
/// passwords are the login and `-password`, keys `admin-key`, `limited-key`, `sales-key`, `bot-key`, `totp-key`,
/// `gone-key`, `scoped-key` and `expired-key`.
///
/// ```
/// use atlas_connectors_erp::mock::Odoo;
/// use atlas_connectors_erp::mock::odoo::Version;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let odoo = Odoo::builder().version(Version::V18).start().await?;
/// assert_eq!(odoo.created("sale.order"), 0);
/// assert!(odoo.url().as_str().starts_with("http://127.0.0.1"));
/// # Ok::<(), std::io::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Odoo {
    world: Arc<Mutex<World>>,
    faults: Faults,
    server: Server,
}

/// Settings of an [`Odoo`].
#[derive(Debug)]
#[must_use]
pub struct OdooBuilder {
    version: Version,
    clock: Arc<dyn Clock>,
    databases: Vec<String>,
}

impl OdooBuilder {
    /// Sets which Odoo it is like. Default: 19.
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Sets the clock that dates writes and answers.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Adds a database beside [`DATABASE`]: JSON-2 then needs to be told which.
    pub fn database(mut self, name: &str) -> Self {
        self.databases.push(name.to_owned());
        self
    }

    fn world(self) -> World {
        let now = self.clock.now();
        let fresh = |name: String| {
            let mut database = seed::fresh(self.version, now);
            // A key is good for its own database only.
            if name != DATABASE {
                database.users.iter_mut().for_each(|user| user.keys.clear());
            }
            (name, database)
        };
        World {
            version: self.version,
            databases: self.databases.into_iter().map(fresh).collect(),
            clock: self.clock,
            conflicts: BTreeMap::new(),
            locked: BTreeSet::new(),
            requests: 0,
        }
    }

    /// Starts it on a free port.
    ///
    /// # Errors
    /// No port to be had.
    pub async fn start(self) -> std::io::Result<Odoo> {
        let world = Arc::new(Mutex::new(self.world()));
        let faults = Faults::default();
        let (asked, script) = (Arc::clone(&world), faults.clone());
        let server = Server::start(move |request: &Request| answer(&asked, &script, request)).await?;
        Ok(Odoo { world, faults, server })
    }
}

impl Odoo {
    /// Settings with one database.
    pub fn builder() -> OdooBuilder {
        OdooBuilder {
            version: Version::default(),
            clock: Arc::new(SystemClock),
            databases: Vec::from([DATABASE.to_owned()]),
        }
    }

    /// Its address.
    pub fn url(&self) -> Url {
        self.server.url()
    }

    /// The script of faults. Operations are named `sale.order.load` (model and method), `common.authenticate`,
    /// `common.version` and `web.version`.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Records created and committed, lines of documents included under their own model.
    pub fn created(&self, model: &str) -> u64 {
        self.count("create", model)
    }

    /// Records written and committed.
    pub fn written(&self, model: &str) -> u64 {
        self.count("write", model)
    }

    /// Records deleted and committed.
    pub fn deleted(&self, model: &str) -> u64 {
        self.count("unlink", model)
    }

    /// Steps of documents carried out (`action_confirm` and its like).
    pub fn acted(&self, model: &str) -> u64 {
        self.count("action", model)
    }

    /// Messages posted on records of the model.
    pub fn posted(&self, model: &str) -> u64 {
        self.count("message", model)
    }

    /// All effects that were carried out and committed.
    pub fn effects(&self) -> u64 {
        let world = self.world();
        let Some(database) = world.databases.get(DATABASE) else {
            return 0;
        };
        ["create", "write", "unlink", "action", "message"]
            .iter()
            .map(|kind| database.counts.sum(kind))
            .sum()
    }

    fn count(&self, kind: &'static str, model: &str) -> u64 {
        let world = self.world();
        world
            .databases
            .get(DATABASE)
            .map_or(0, |database| database.counts.of(kind, model))
    }

    /// Requests that arrived.
    pub fn requests(&self) -> u64 {
        self.world().requests
    }

    /// A field of a record as it is stored; `None` if either is not there.
    pub fn stored(&self, model: &str, id: i64, field: &str) -> Option<Json> {
        let world = self.world();
        let row = world.databases.get(DATABASE)?.row(model, id)?;
        row.values.get(field).cloned()
    }

    /// The ids of a model's records.
    pub fn ids(&self, model: &str) -> Vec<i64> {
        let world = self.world();
        let table = world.databases.get(DATABASE).and_then(|database| database.table(model));
        table.map_or_else(Vec::new, |table| table.rows.keys().copied().collect())
    }

    /// Somebody else changes a field; not counted.
    pub fn change(&self, model: &str, id: i64, field: &str, value: Json) {
        self.in_database(|db| {
            let field = models::model(model).and_then(|model| model.field(field));
            let now = db.now;
            if let (Some(field), Some(row)) = (field, db.row_mut(model, id)) {
                row.values.insert(field.name, value);
                row.written = now;
            }
        });
    }

    /// Somebody else adds a record; not counted. Fields the model does not have are left away.
    pub fn add(&self, model: &str, values: &[(&str, Json)]) -> i64 {
        let mut made = 0;
        self.in_database(|db| {
            if let Some(model) = models::model(model) {
                let known = values
                    .iter()
                    .filter_map(|(name, value)| Some((model.field(name)?.name, value.clone())));
                let known: BTreeMap<_, _> = known.collect();
                made = db.insert(model.name, 2, known);
            }
        });
        made
    }

    /// Somebody else adds a record under this id; not counted.
    pub fn add_at(&self, model: &str, id: i64, values: &[(&str, Json)]) {
        self.in_database(|db| {
            if let Some(model) = models::model(model) {
                let last = db.table(model.name).map_or(0, |table| table.last);
                let known = values
                    .iter()
                    .filter_map(|(name, value)| Some((model.field(name)?.name, value.clone())));
                let known: BTreeMap<_, _> = known.collect();
                db.tables.entry(model.name).or_default().last = id.saturating_sub(1);
                db.insert(model.name, 2, known);
                if let Some(table) = db.tables.get_mut(model.name) {
                    table.last = table.last.max(last);
                }
            }
        });
    }

    /// Somebody else deletes a record; not counted.
    pub fn remove(&self, model: &str, id: i64) {
        self.in_database(|db| {
            if let Some(table) = db.tables.get_mut(model) {
                table.rows.remove(&id);
            }
            db.names.retain(|_, (of, record)| (*of, *record) != (model, id));
        });
    }

    /// Takes a model away, as where its module is not installed.
    pub fn uninstall(&self, model: &str) {
        self.in_database(|db| {
            db.uninstalled.insert(model.to_owned());
        });
    }

    /// Revokes every key of a user.
    pub fn revoke_keys(&self, login: &str) {
        self.in_database(|db| {
            if let Some(user) = db.users.iter_mut().find(|user| user.login == login) {
                user.keys.clear();
            }
        });
    }

    /// Somebody else holds the record: calls on it are refused until [`Odoo::unlock`].
    pub fn lock(&self, model: &str, id: i64) {
        self.world().locked.insert((model.to_owned(), id));
    }

    /// Lets the record go.
    pub fn unlock(&self, model: &str, id: i64) {
        self.world().locked.remove(&(model.to_owned(), id));
    }

    /// The next so many loads of the model lose against another transaction: nothing is written.
    pub fn lose_loads(&self, model: &str, times: u32) {
        self.world().conflicts.insert(model.to_owned(), times);
    }

    fn in_database(&self, change: impl FnOnce(&mut Database)) {
        let mut world = self.world();
        let now = world.clock.now();
        if let Some(database) = world.databases.get_mut(DATABASE) {
            database.begin(now);
            change(database);
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(world: &Mutex<World>, faults: &Faults, request: &Request) -> Answer {
    let world = || world.lock().unwrap_or_else(PoisonError::into_inner);
    let operation = http::operation_of(request);
    {
        let mut world = world();
        world.requests = world.requests.saturating_add(1);
    }
    faults.carry_out(&operation, request, || http::answer(&mut world(), request))
}

impl fmt::Debug for Odoo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Odoo")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
