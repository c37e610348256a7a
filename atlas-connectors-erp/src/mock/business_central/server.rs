//! The server itself: what a harness starts, seeds, scripts and asks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use atlas_connectors::testkit::server::{Answer, Fault, Faults, Listener, Request, Server};
use atlas_connectors::{Clock, SystemClock};

use url::Url;

use super::answer::{ApiError, JSON};
use super::counters::Counters;
use super::rules::{self, ClientIds, Sequence};
use super::schema::of_set;
use super::store::Company;
use super::world::{Environment, Rights, Settings, Shared, Tenant, User, World};
use super::{dispatch, seed, subscriptions};

/// The tenant that every mock has.
pub const TENANT: &str = "11111111-1111-4111-8111-111111111111";
/// Its domain.
pub const DOMAIN: &str = "contoso.example";
/// A second tenant, of which the users of the first know nothing.
pub const OTHER_TENANT: &str = "22222222-2222-4222-8222-222222222222";
/// The company that every environment has first, with customers, vendors, items and orders.
pub const COMPANY: &str = "3d2d08b2-83fd-41f0-8024-050bb55a8b28";
/// The other company of the first tenant: nearly empty, and without a display name.
pub const SECOND_COMPANY: &str = "9732926f-12ad-4f0c-8114-af2f22b63156";
/// The token of a user who may do everything.
pub const FULL: &str = "peer-full";
/// The token of a user who may only read.
pub const READER: &str = "peer-reader";
/// The token of a user without purchasing.
pub const NO_PURCHASING: &str = "peer-nopurch";
/// The token of a user of one company only.
pub const ONE_COMPANY: &str = "peer-onecompany";
/// The token of a user whom Business Central does not know.
pub const NO_USER: &str = "peer-nouser";
/// The token of a user of [`OTHER_TENANT`].
pub const OTHER: &str = "peer-fabrikam";

/// A Business Central that answers on loopback, with a memory. Clones are handles to the same one; it stops when the
/// last is gone.
///
/// See the [module page](super) for the whole picture and an example.
#[derive(Clone)]
pub struct BusinessCentral {
    shared: Arc<Shared>,
    faults: Faults,
    server: Server,
}

impl fmt::Debug for BusinessCentral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusinessCentral")
            .field("uri", &self.server.uri())
            .finish_non_exhaustive()
    }
}

impl BusinessCentral {
    /// Starts one on the system's clock, with the limits of the cloud but no limit of rate.
    ///
    /// # Panics
    /// When no port on loopback can be had: a harness cannot go on without it.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Settings for another one.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The address that stands for `https://api.businesscentral.dynamics.com`, without a slash at the end.
    pub fn uri(&self) -> &str {
        self.server.uri()
    }

    /// The address as a URL, with the slash.
    pub fn url(&self) -> Url {
        self.server.url()
    }

    /// What has been asked and accepted so far.
    pub fn counters(&self) -> Counters {
        self.world().counters.clone()
    }

    /// The script of faults. Calls are named as in [`Counters::requests`].
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// An answer in the service's dialect, for [`BusinessCentral::faults`].
    pub fn refusal(error: &ApiError) -> Fault {
        let id = "0e82377d-b2af-437d-be1d-71c99ea29421";
        Fault::Answer(
            Answer::of(error.status, JSON, error.body(id).to_string())
                .with_header("odata-version", "4.0")
                .with_header("ms-correlation-x", id)
                .with_header("request-id", id),
        )
    }

    /// A user with a token.
    pub fn add_user(&self, name: &str, token: &str, tenant: &str, rights: Rights) {
        let mut world = self.world();
        world.tokens.insert(token.to_owned(), name.to_owned());
        let user = User {
            tenant: tenant.to_owned(),
            rights,
        };
        world.users.insert(name.to_owned(), user);
    }

    /// What a user may do from now on.
    pub fn set_rights(&self, token: &str, rights: Rights) {
        let mut world = self.world();
        let name = world.tokens.get(token).cloned().unwrap_or_else(|| token.to_owned());
        if let Some(user) = world.users.get_mut(&name) {
            user.rights = rights;
        }
    }

    /// Hides the API page of a set in an environment: its address leads nowhere, and the metadata does not name it.
    pub fn hide(&self, environment: &str, set: &str) {
        self.in_environment(environment, |one| one.hidden.insert(set.to_owned()));
    }

    /// Lets the API page of a set wait for a data upgrade.
    pub fn outdate(&self, environment: &str, set: &str) {
        self.in_environment(environment, |one| one.outdated.insert(set.to_owned()));
    }

    /// A company is gone.
    pub fn remove_company(&self, id: &str) {
        for tenant in &mut self.world().tenants {
            for environment in &mut tenant.environments {
                environment.companies.retain(|company| company.id != id);
            }
        }
    }

    /// Switches the API off or on: off, every call is answered 405.
    pub fn set_api_enabled(&self, enabled: bool) {
        self.world().settings.api_enabled = enabled;
    }

    /// From now on, next links lead there, as those of a hostile server would.
    pub fn set_foreign_link(&self, link: Option<&str>) {
        self.world().settings.foreign_link = link.map(str::to_owned);
    }

    /// The replica stands still from now on: reads with read-only intent see the present state until
    /// [`BusinessCentral::thaw_replica`].
    pub fn freeze_replica(&self) {
        let mut world = self.world();
        world.replica = Some(world.tenants.clone());
    }

    /// The replica follows again.
    pub fn thaw_replica(&self) {
        self.world().replica = None;
    }

    /// Makes a record in the first environment of the first tenant, past all counters: what a person does in the
    /// program. Gives its id; `None` if the rules refuse it. Numbers are taken by their text.
    pub fn put(&self, company: &str, set: &str, record: &str) -> Option<String> {
        let body = rules::read_body(record.as_bytes()).ok()?;
        let mut world = self.world();
        let setting = world.setting();
        let World { tenants, sequence, .. } = &mut *world;
        let company = company_mut(tenants, company)?;
        rules::create(company, sequence, of_set(set)?, &body, None, setting).ok()
    }

    /// Changes a record as a person does in the program; its etag and its time of change move. False if it is refused.
    pub fn edit(&self, company: &str, set: &str, id: &str, changes: &str) -> bool {
        let (Ok(body), Some(entity)) = (rules::read_body(changes.as_bytes()), of_set(set)) else {
            return false;
        };
        let mut world = self.world();
        let setting = world.setting();
        let World { tenants, sequence, .. } = &mut *world;
        company_mut(tenants, company)
            .is_some_and(|company| rules::update(company, sequence, entity, id, &body, setting).is_ok())
    }

    /// Deletes a record as a person does in the program.
    pub fn erase(&self, company: &str, set: &str, id: &str) -> bool {
        let Some(entity) = of_set(set) else { return false };
        let mut world = self.world();
        let setting = world.setting();
        let World { tenants, sequence, .. } = &mut *world;
        company_mut(tenants, company)
            .is_some_and(|company| rules::delete(company, sequence, entity, id, setting).is_ok())
    }

    /// The ids in a set, in the order in which they were made.
    pub fn ids(&self, company: &str, set: &str) -> Vec<String> {
        let mut world = self.world();
        let rows = company_mut(&mut world.tenants, company).map(|company| company.rows(set).to_vec());
        rows.unwrap_or_default().into_iter().map(|row| row.id).collect()
    }

    /// One field of a record as text; a number exactly as it is held.
    pub fn field(&self, company: &str, set: &str, id: &str, field: &str) -> Option<String> {
        let mut world = self.world();
        let company = company_mut(&mut world.tenants, company)?;
        let row = company.row(set, id).ok()?;
        Some(row.text(field).to_owned())
    }

    /// Sends the notices of a change to all who subscribed: a resource path without host, and `created`, `updated`,
    /// `deleted` or `collection`. Gives the status of each endpoint's answer. Blocks; call it off the runtime that
    /// serves the endpoint.
    pub fn notify(&self, resource: &str, change: &str) -> Vec<u16> {
        let notices = subscriptions::notices(&self.world(), resource, change);
        notices
            .into_iter()
            .filter_map(|(url, body)| subscriptions::post(&url, &body))
            .map(|(status, _)| status)
            .collect()
    }

    /// How many subscriptions are alive.
    pub fn subscriptions(&self) -> usize {
        let world = self.world();
        let now = world.clock.now();
        let all = world.tenants.iter().flat_map(|tenant| &tenant.environments);
        all.flat_map(|environment| &environment.subscriptions)
            .filter(|one| one.expires > now)
            .count()
    }

    /// The metadata of an environment, as the service would answer it.
    pub fn metadata(&self) -> String {
        super::metadata::document(&BTreeSet::new())
    }

    fn in_environment(&self, name: &str, change: impl Fn(&mut Environment) -> bool) {
        for tenant in &mut self.world().tenants {
            for environment in &mut tenant.environments {
                if environment.name == name {
                    change(environment);
                }
            }
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}

fn company_mut<'a>(tenants: &'a mut [Tenant], id: &str) -> Option<&'a mut Company> {
    tenants
        .iter_mut()
        .flat_map(|tenant| &mut tenant.environments)
        .flat_map(|environment| &mut environment.companies)
        .find(|company| company.id == id)
}

/// Settings of a mock that is about to start.
#[must_use]
pub struct Builder {
    clock: Arc<dyn Clock>,
    settings: Settings,
    identify: Option<super::world::Identify>,
    rows: u32,
    port: u16,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Builder {
    fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            settings: Settings {
                max_page: 20_000,
                max_batch: 100,
                max_subscriptions: 200,
                rate: None,
                manual_numbers: false,
                client_ids: ClientIds::Kept,
                stale_status: 409,
                api_enabled: true,
                routes: Vec::new(),
                foreign_link: None,
            },
            identify: None,
            rows: 12,
            port: 0,
        }
    }

    /// The clock for times of change, expiry and the window of the rate.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Who a token belongs to when it is none of the static ones: the name of a user added with
    /// [`BusinessCentral::add_user`]. This is how tokens of a mock sign-in are taken.
    pub fn identify(mut self, identify: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.identify = Some(Arc::new(identify));
        self
    }

    /// Rows of each kind in the first company; 12 by default.
    pub fn rows(mut self, rows: u32) -> Self {
        self.rows = rows;
        self
    }

    /// The largest page; 20,000 by default.
    pub fn max_page(mut self, rows: usize) -> Self {
        self.settings.max_page = rows;
        self
    }

    /// Requests of one user within five minutes before 429; no limit by default.
    pub fn rate(mut self, requests: usize) -> Self {
        self.settings.rate = Some(requests);
        self
    }

    /// Headers of documents may be numbered by hand.
    pub fn manual_numbers(mut self) -> Self {
        self.settings.manual_numbers = true;
        self
    }

    /// A create may not bring its own id, as some pages have it.
    pub fn refuse_client_ids(mut self) -> Self {
        self.settings.client_ids = ClientIds::Refused;
        self
    }

    /// A create may bring its own id, and is given another one all the same.
    pub fn ignore_client_ids(mut self) -> Self {
        self.settings.client_ids = ClientIds::Ignored;
        self
    }

    /// A stale etag is answered 412, as older servers and texts have it.
    pub fn stale_is_412(mut self) -> Self {
        self.settings.stale_status = 412;
        self
    }

    /// A custom API route, `publisher/group/version`, with the same sets.
    pub fn route(mut self, route: &str) -> Self {
        self.settings.routes.push(route.to_owned());
        self
    }

    /// A fixed port on loopback; any free one by default.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When no port on loopback can be had: a harness cannot go on without it.
    #[allow(clippy::panic, reason = "a harness without its mock cannot go on")]
    pub async fn start(self) -> BusinessCentral {
        let listener = match Listener::bind(self.port) {
            Ok(listener) => listener,
            Err(error) => panic!("no port on loopback: {error}"),
        };
        let mut sequence = Sequence::default();
        let tenants = seed::tenants(&mut sequence, self.rows);
        let (users, tokens) = seed::users();
        let world = World {
            clock: self.clock,
            base: listener.uri(),
            tenants,
            users,
            tokens,
            identify: self.identify,
            settings: self.settings,
            counters: Counters::default(),
            sequence,
            replica: None,
            stamps: HashMap::new(),
        };
        let shared = Arc::new(Shared(Mutex::new(world)));
        let faults = Faults::default();
        let (inside, script) = (Arc::clone(&shared), faults.clone());
        let handler = move |request: &Request| {
            let operation = dispatch::operation(request);
            Counters::add(&mut inside.world().counters.requests, &operation);
            script.carry_out(&operation, request, || inside.world().answer(request))
        };
        let server = match listener.serve(handler).await {
            Ok(server) => server,
            Err(error) => panic!("the mock cannot be served: {error}"),
        };
        BusinessCentral { shared, faults, server }
    }
}

/// The users by name, and the tokens that stand for them.
pub(super) type Accounts = (BTreeMap<String, User>, BTreeMap<String, String>);
