//! The server itself: what a harness starts, scripts and asks.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use atlas_connectors::testkit::server::{Answer, Faults, Listener, Server, SigningKey};
use atlas_connectors::{Clock, SystemClock};
use serde_json::Value;
use url::Url;

use super::account::{AdminChoice, Blocked, Client, Consent, Person};
use super::counters::Counters;
use super::world::{Settings, Shared, World, route};

/// The tenant that every mock has first.
pub const TENANT: &str = "11111111-1111-4111-8111-111111111111";
/// The other tenant that every mock has.
pub const OTHER_TENANT: &str = "22222222-2222-4222-8222-222222222222";
/// The account of [`TENANT`] that every mock has first.
pub const USER: &str = "full@contoso.example";
/// The client with a secret that every mock has, and that may come back to `http://localhost:8765/callback`.
pub const CLIENT_ID: &str = "aaaaaaaa-0000-4000-8000-000000000001";
/// The secret of [`CLIENT_ID`].
pub const CLIENT_SECRET: &str = "mock-entra-not-a-secret";
/// The public client that every mock has.
pub const PUBLIC_CLIENT_ID: &str = "aaaaaaaa-0000-4000-8000-000000000002";

/// An Entra ID that answers on loopback, with a memory. Clones are handles to the same one; it stops when the last is gone.
///
/// See the [module page](super) for the whole picture and an example.
#[derive(Clone)]
pub struct Entra {
    shared: Arc<Shared>,
    faults: Faults,
    server: Server,
}

impl fmt::Debug for Entra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entra")
            .field("uri", &self.server.uri())
            .finish_non_exhaustive()
    }
}

impl Entra {
    /// Starts one on the system's clock.
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

    /// The address that stands for `https://login.microsoftonline.com`, without a slash at the end.
    pub fn uri(&self) -> &str {
        self.server.uri()
    }

    /// The address as a URL, with the slash.
    pub fn url(&self) -> Url {
        self.server.url()
    }

    /// What has been asked and given so far.
    pub fn counters(&self) -> Counters {
        self.world().counters.clone()
    }

    /// The script of faults. Calls are named as in [`Counters::requests`]; a [`Refusal`](super::Refusal) is a fault.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What the person does on the next sign-in page that has no outcome yet; the pages after that are approved.
    pub fn next_consent(&self, consent: Consent) {
        self.world().consents.push_back(consent);
    }

    /// What the administrator does on the next page for administrators; the pages after that are approved.
    pub fn next_admin_consent(&self, choice: AdminChoice) {
        self.world().admin_choices.push_back(choice);
    }

    /// The person's browser: opens an authorization address, acts as [`Entra::next_consent`] said, and returns the address that the
    /// browser is sent back to. A GET of the same address does the same over HTTP.
    ///
    /// # Errors
    /// [`Blocked`] when Entra would show a page of its own and never redirect.
    pub fn consent(&self, authorize: &Url) -> Result<Url, Blocked> {
        self.browse(authorize, "entra.authorize")
    }

    /// The administrator's browser, as [`Entra::consent`].
    ///
    /// # Errors
    /// As [`Entra::consent`].
    pub fn admin_consent(&self, page: &Url) -> Result<Url, Blocked> {
        self.browse(page, "entra.adminconsent")
    }

    fn browse(&self, address: &Url, operation: &'static str) -> Result<Url, Blocked> {
        let query: Vec<(String, String)> = address.query_pairs().into_owned().collect();
        let tenant = address.path_segments().and_then(|mut segments| segments.next());
        let tenant = tenant.unwrap_or_default().to_lowercase();
        let mut world = self.world();
        *world.counters.requests.entry(operation).or_default() += 1;
        let back = match operation {
            "entra.authorize" => world.authorize(&tenant, &query),
            _ => world.admin_consent(&tenant, address.path().ends_with("/v2.0/adminconsent"), &query),
        };
        back?.parse().map_err(|_| Blocked { number: 50_011 })
    }

    /// The person types a device code and signs in as this account. False if no such code waits, or the account is not one of the
    /// authority that was asked.
    pub fn approve_device(&self, user_code: &str, name: &str) -> bool {
        self.world().decide(user_code, Some(name)).is_some()
    }

    /// The person types a device code and declines.
    pub fn decline_device(&self, user_code: &str) -> bool {
        self.world().decide(user_code, None).is_some()
    }

    /// Whose access token this is: the name of the person, or the id of the client where there is none; `None` for one that was never
    /// given or has ended. A mock API asks this.
    pub fn who(&self, access_token: &str) -> Option<String> {
        let world = self.world();
        let now = world.clock.now();
        let access = world.access.get(access_token).filter(|access| access.expires > now)?;
        Some(access.who.clone())
    }

    /// The tenant that an access token is of.
    pub fn tenant_of(&self, access_token: &str) -> Option<String> {
        self.world()
            .access
            .get(access_token)
            .map(|access| access.tenant.clone())
    }

    /// A refresh token of a client for an account, without a sign-in.
    ///
    /// Gives `None` for an account that is not there.
    pub fn refresh_token(&self, client: &str, name: &str, scopes: &str) -> Option<String> {
        let mut world = self.world();
        let person = world.person("organizations", Some(name))?.clone();
        world.consented.insert((person.oid.clone(), client.to_owned()));
        let scopes: Vec<String> = scopes.split_ascii_whitespace().map(str::to_owned).collect();
        Some(world.issue_refresh(client, &person, &scopes))
    }

    /// Takes back every consent to a client, of people and administrators: refreshes are refused with 65001.
    pub fn withdraw_consent(&self, client: &str) {
        let mut world = self.world();
        world.approved.retain(|(_, approved)| approved != client);
        world.consented.retain(|(_, consented)| consented != client);
    }

    /// Ends every session of an account: refreshes are refused with 50173 until the person signs in again.
    pub fn revoke_sessions(&self, name: &str) {
        let mut world = self.world();
        for oid in world.oids(name) {
            world.revoke(&oid);
        }
    }

    /// Disables an account: 50057.
    pub fn disable(&self, name: &str) {
        let mut world = self.world();
        let oids = world.oids(name);
        world.disabled.extend(oids);
    }

    /// Demands claims (JSON) of an account: refreshes are refused with 50076 and these claims, until an authorization request brings them.
    pub fn demand_claims(&self, name: &str, claims: &str) {
        let mut world = self.world();
        for oid in world.oids(name) {
            world.demanded.insert(oid, claims.to_owned());
        }
    }

    /// Changes to the claims of the next id token, an object; a null removes one.
    pub fn next_claims(&self, changes: Value) {
        self.world().claims.push_back(changes);
    }

    /// Adds an account; its tenant too, if it is new.
    pub fn add_person(&self, person: Person) {
        self.world().add(person);
    }

    /// Adds a client, or replaces the one with the same id.
    pub fn add_client(&self, client: Client) {
        self.world().clients.insert(client.id.clone(), client);
    }

    /// Signs with a new key from now on; the old one stays published.
    pub fn rotate_keys(&self) {
        if let Some(key) = SigningKey::generate() {
            self.world().keys.insert(0, key);
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}

impl World {
    fn add(&mut self, person: Person) {
        self.tenants.insert(person.tenant.clone());
        self.people.push(person);
    }

    fn oids(&self, name: &str) -> Vec<String> {
        let of_name = self
            .people
            .iter()
            .filter(|person| person.name.eq_ignore_ascii_case(name));
        of_name.map(|person| person.oid.clone()).collect()
    }
}

/// Settings of a mock that is about to start.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    clock: Arc<dyn Clock>,
    people: Vec<Person>,
    clients: Vec<Client>,
    settings: Settings,
    port: u16,
}

impl Builder {
    fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            people: vec![
                Person::new(TENANT, USER),
                Person::new(TENANT, "reader@contoso.example"),
                Person::new(OTHER_TENANT, "owner@fabrikam.example"),
            ],
            clients: vec![
                Client::confidential(CLIENT_ID, CLIENT_SECRET).with_redirect("http://localhost:8765/callback"),
                Client::public(PUBLIC_CLIENT_ID),
            ],
            settings: Settings {
                expires_in: Duration::from_secs(3_599),
                code_lifetime: Duration::from_secs(600),
                refresh_lifetime: Duration::from_secs(90 * 24 * 60 * 60),
                device_lifetime: Duration::from_secs(900),
                rotate: false,
                admins_consent_only: false,
                refresh_at_tenant_only: false,
            },
            port: 0,
        }
    }

    /// The clock for expiry. Latency and drips are always real time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// An account besides those that every mock has.
    pub fn person(mut self, person: Person) -> Self {
        self.people.push(person);
        self
    }

    /// A client besides those that every mock has.
    pub fn client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// A fixed port on loopback; any free one by default.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// How long access tokens live; 3,599 seconds by default.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.settings.expires_in = lifetime;
        self
    }

    /// How long a refresh token lives unused; 90 days by default.
    pub fn refresh_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.refresh_lifetime = lifetime;
        self
    }

    /// Each refresh ends the old refresh token, and using it again ends the grant. Entra keeps the old one; other servers do not.
    pub fn rotate_refresh_tokens(mut self) -> Self {
        self.settings.rotate = true;
        self
    }

    /// Only administrators may consent: people are sent back with 90094.
    pub fn admins_consent_only(mut self) -> Self {
        self.settings.admins_consent_only = true;
        self
    }

    /// Refreshes over `organizations` are refused, as in some tenants.
    pub fn refresh_at_tenant_only(mut self) -> Self {
        self.settings.refresh_at_tenant_only = true;
        self
    }

    /// Starts.
    ///
    /// # Panics
    /// When no port on loopback can be had: a harness cannot go on without it.
    #[allow(clippy::panic, reason = "a test harness without a server has nothing better to do")]
    pub async fn start(self) -> Entra {
        match self.try_start().await {
            Ok(entra) => entra,
            Err(error) => panic!("the mock of Entra cannot listen on loopback: {error}"),
        }
    }

    /// Starts, or says why not.
    ///
    /// # Errors
    /// When the port is taken or loopback cannot be listened on.
    pub async fn try_start(self) -> io::Result<Entra> {
        let listener = Listener::bind(self.port)?;
        let mut world = World {
            clock: self.clock,
            base: listener.uri(),
            settings: self.settings,
            tenants: BTreeSet::new(),
            people: Vec::new(),
            disabled: BTreeSet::new(),
            clients: self
                .clients
                .into_iter()
                .map(|client| (client.id.clone(), client))
                .collect(),
            approved: BTreeSet::new(),
            consented: BTreeSet::new(),
            demanded: BTreeMap::new(),
            consents: VecDeque::new(),
            admin_choices: VecDeque::new(),
            claims: VecDeque::new(),
            keys: SigningKey::first().into_iter().collect(),
            codes: HashMap::new(),
            grants: HashMap::new(),
            access: HashMap::new(),
            devices: HashMap::new(),
            counters: Counters::default(),
        };
        for person in self.people {
            world.add(person);
        }
        let shared = Arc::new(Shared(Mutex::new(world)));
        let (faults, answering) = (Faults::default(), Arc::clone(&shared));
        let script = faults.clone();
        let server = listener.serve(move |request| {
            let Some((tenant, operation)) = route(request) else {
                return Answer::of(501, "text/plain", "the mock of Entra has no such address\n");
            };
            {
                let counters = &mut answering.world().counters;
                *counters.requests.entry(operation).or_default() += 1;
                counters.token_calls += u64::from(operation == "entra.token");
            }
            script.carry_out(operation, request, || {
                answering.world().answer(&tenant, operation, request)
            })
        });
        Ok(Entra {
            shared,
            faults,
            server: server.await?,
        })
    }
}
