//! The server itself: what a harness starts, seeds, scripts and asks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas_connectors::{Clock, SystemClock};
use url::Url;
use wiremock::{Mock, MockServer};

use super::account::{Blocked, Client, Consent, IdTokenFault, User};
use super::answer::ApiError;
use super::auth::{Auth, AuthSettings, Scopes, long};
use super::counters::Counters;
use super::dispatch::Dispatcher;
use super::faults::{Faults, Script};
use super::keys::SigningKey;
use super::mailbox::Mailbox;
use super::quota::{Meter, Prices, Quota};
use super::send::SentMail;
use super::settings::Push;
use super::upload::Session;
use super::{MailboxHandle, oauth, proxy, settings};

/// The address of the account that every mock has: the first on the consent page.
pub const USER: &str = "ops@acme-manufacturing.example";
/// The client id of the desktop client that every mock has.
pub const CLIENT_ID: &str = "atlas-mock-desktop.apps.googleusercontent.com";
/// The secret of [`CLIENT_ID`].
pub const CLIENT_SECRET: &str = "GOCSPX-mock-desktop-not-a-secret";

/// How Gmail behaves; set by the builder.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) prices: Prices,
    pub(super) quota: Option<Quota>,
    pub(super) keeps_message_ids: bool,
    pub(super) keeps_own_headers: bool,
    pub(super) send_limit: usize,
    pub(super) import_limit: usize,
    pub(super) attachment_lifetime: Duration,
    pub(super) bounces: BTreeSet<String>,
}

/// Everything the mock knows, behind one lock.
#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) base: String,
    pub(super) settings: Settings,
    pub(super) auth: Auth,
    pub(super) mailboxes: BTreeMap<String, Mailbox>,
    pub(super) faults: Script,
    pub(super) counters: Counters,
    pub(super) meter: Meter,
    pub(super) sent: Vec<SentMail>,
    pub(super) uploads: HashMap<String, Session>,
}

impl World {
    pub(super) fn mailbox(&self, email: &str) -> Result<&Mailbox, ApiError> {
        self.mailboxes.get(email).ok_or(ApiError::PreconditionFailed)
    }

    fn add_user(&mut self, user: User) {
        let number = self.mailboxes.len() as u64;
        self.mailboxes
            .entry(user.email.clone())
            .or_insert_with(|| Mailbox::new(&user.email, number));
        self.auth.users.retain(|one| one.email != user.email);
        self.auth.users.push(user);
    }
}

/// The world as server, proxy and handles share it.
#[derive(Debug)]
pub(super) struct Shared(Mutex<World>);

impl Shared {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One HTTP server behind the proxy.
#[derive(Debug)]
pub(super) struct Target(MockServer);

impl Target {
    pub(super) fn address(&self) -> SocketAddr {
        *self.0.address()
    }
}

/// The HTTP servers behind the proxy, one at a time. wiremock keeps a copy of every request a mounted mock has
/// matched and offers no way to forget them but a fresh server; so one takes over after a few thousand answers.
#[derive(Debug)]
pub(super) struct Upstream {
    shared: Arc<Shared>,
    current: tokio::sync::Mutex<Arc<Target>>,
    answered: AtomicU64,
}

const ANSWERS_PER_SERVER: u64 = 2_000;

impl Upstream {
    async fn start(shared: Arc<Shared>) -> Self {
        let first = Self::serve(&shared).await;
        Self {
            shared,
            current: tokio::sync::Mutex::new(first),
            answered: AtomicU64::new(0),
        }
    }

    async fn serve(shared: &Arc<Shared>) -> Arc<Target> {
        let server = MockServer::builder().disable_request_recording().start().await;
        let dispatcher = Dispatcher {
            shared: Arc::clone(shared),
        };
        Mock::given(wiremock::matchers::any())
            .respond_with(dispatcher)
            .mount(&server)
            .await;
        Arc::new(Target(server))
    }

    /// The server that takes new requests.
    pub(super) async fn current(&self) -> Arc<Target> {
        let mut current = self.current.lock().await;
        if self.answered.load(Ordering::Relaxed) >= ANSWERS_PER_SERVER {
            self.answered.store(0, Ordering::Relaxed);
            *current = Self::serve(&self.shared).await;
        }
        Arc::clone(&current)
    }

    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// A Google that answers on loopback: OAuth, OpenID Connect and Gmail with a memory. Clones are handles to the same
/// one; it stops when the last is gone.
///
/// See the [module page](super) for the whole picture and an example.
#[derive(Clone)]
pub struct Google {
    shared: Arc<Shared>,
    uri: Arc<str>,
    url: Url,
    _stop: Arc<tokio::sync::watch::Sender<()>>,
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google").field("uri", &self.uri).finish_non_exhaustive()
    }
}

impl Google {
    /// Starts one with the account [`USER`] and the desktop client [`CLIENT_ID`], on the system's clock, with no quota
    /// enforced.
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

    /// The address that stands for all of Google, such as `http://127.0.0.1:49152`, without a slash at the end. Every
    /// path under it is Google's own. It is the issuer too unless the builder was told otherwise.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The address as a URL, with the slash.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// What has been accepted so far.
    pub fn counters(&self) -> Counters {
        self.world().counters.clone()
    }

    /// Every mail accepted for sending, in order.
    pub fn sent(&self) -> Vec<SentMail> {
        self.world().sent.clone()
    }

    /// The script of faults.
    pub fn faults(&self) -> Faults<'_> {
        Faults { google: self }
    }

    /// The mailbox of an account, to seed and to look into. An account that is not there yet is added.
    pub fn mailbox(&self, email: &str) -> MailboxHandle {
        let email = email.to_lowercase();
        if !self.world().mailboxes.contains_key(&email) {
            self.add_user(User::new(email.clone()));
        }
        MailboxHandle {
            google: self.clone(),
            email,
        }
    }

    /// Adds an account, or replaces what is known about it; its mailbox stays.
    pub fn add_user(&self, user: User) {
        self.world().add_user(user);
    }

    /// Adds an OAuth client, or replaces the one with the same id.
    pub fn add_client(&self, client: Client) {
        self.world().auth.clients.insert(client.id.clone(), client);
    }

    /// What the person does on the next consent page that has no outcome yet; the pages after that are approved.
    pub fn next_consent(&self, consent: Consent) {
        self.world().auth.consents.push_back(consent);
    }

    /// What is wrong with the next id token.
    pub fn next_id_token(&self, fault: IdTokenFault) {
        self.world().auth.id_token_faults.push_back(fault);
    }

    /// The person's browser: opens an authorization address, acts as [`Google::next_consent`] said, and returns the
    /// address that the browser is sent back to. A GET of the same address does the same over HTTP.
    ///
    /// # Errors
    /// [`Blocked`] when Google would show a page of its own and never redirect.
    pub fn consent(&self, authorize: &str) -> Result<String, Blocked> {
        let url = Url::parse(authorize).map_err(|_| Blocked::InvalidRequest)?;
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let mut world = self.world();
        *world.counters.requests.entry("oauth.authorize").or_default() += 1;
        let now = world.clock.now();
        oauth::authorize(&mut world.auth, &query, now)
    }

    /// An access token for an account, without a sign-in. Scopes may be short (`gmail.readonly`) or long.
    pub fn access_token(&self, email: &str, scopes: &[&str]) -> String {
        let mut world = self.world();
        let now = world.clock.now();
        world
            .auth
            .issue_access(&email.to_lowercase(), CLIENT_ID, &spelled(scopes), now)
    }

    /// A refresh token of [`CLIENT_ID`] for an account, without a sign-in.
    pub fn refresh_token(&self, email: &str, scopes: &[&str]) -> String {
        let (email, scopes) = (email.to_lowercase(), spelled(scopes));
        let mut world = self.world();
        let now = world.clock.now();
        world
            .auth
            .granted
            .entry((email.clone(), CLIENT_ID.to_owned()))
            .or_default()
            .extend(scopes.iter().cloned());
        world.auth.issue_refresh(&email, CLIENT_ID, &scopes, now)
    }

    /// The person takes the grant back in the account's settings: every token of the account dies, of all clients.
    pub fn revoke_grant(&self, email: &str) {
        let email = email.to_lowercase();
        let mut world = self.world();
        let clients: Vec<String> = world.auth.clients.keys().cloned().collect();
        for client in clients {
            world.auth.end_grant(&email, &client);
        }
    }

    /// Every access token issued so far expires now; refresh tokens live on.
    pub fn expire_access_tokens(&self) {
        self.world().auth.access.clear();
    }

    /// How long access tokens issued from now on live.
    pub fn set_expires_in(&self, lifetime: Duration) {
        self.world().auth.settings.expires_in = lifetime;
    }

    /// The `iss` of redirects from now on; `None` leaves it out, as Google did before 2026.
    pub fn set_redirect_iss(&self, iss: Option<&str>) {
        self.world().auth.settings.redirect_iss = Some(iss.map(str::to_owned));
    }

    /// Signs with a new key from now on. The old one stays published until [`Google::forget_old_keys`].
    pub fn rotate_keys(&self) {
        if let Some(key) = SigningKey::generate() {
            self.world().auth.keys.insert(0, key);
        }
    }

    /// Publishes the newest key only.
    pub fn forget_old_keys(&self) {
        self.world().auth.keys.truncate(1);
    }

    /// The limits enforced from now on; `None` counts units and refuses nothing.
    pub fn set_quota(&self, quota: Option<Quota>) {
        self.world().settings.quota = quota;
    }

    /// Another client of the same mailbox spends units now: one that the code under test cannot see.
    pub fn spend_units(&self, email: &str, units: u32) {
        let mut world = self.world();
        let tick = world.clock.monotonic();
        world.meter.take(&email.to_lowercase(), units, tick);
    }

    /// Mail to this address comes back as undeliverable, into the thread of the mail that was sent.
    pub fn bounce(&self, address: &str) {
        self.world().settings.bounces.insert(address.to_lowercase());
    }

    /// The push that Pub/Sub would deliver now for a watched mailbox, signed; `None` when it is not watched or the
    /// watch has run out. `audience` and `service_account` are what the push subscription was set up with.
    pub fn push(&self, email: &str, audience: &str, service_account: &str) -> Option<Push> {
        settings::push(&self.world(), &email.to_lowercase(), audience, service_account)
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}

/// Settings of a mock that is about to start.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    clock: Arc<dyn Clock>,
    users: Vec<User>,
    clients: Vec<Client>,
    settings: Settings,
    auth: AuthSettings,
    port: u16,
}

impl Builder {
    fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            users: Vec::new(),
            clients: vec![Client::desktop(CLIENT_ID, CLIENT_SECRET)],
            settings: Settings {
                prices: Prices::New,
                quota: None,
                keeps_message_ids: false,
                keeps_own_headers: true,
                send_limit: 36_700_160,
                import_limit: 157_286_400,
                attachment_lifetime: Duration::from_secs(600),
                bounces: BTreeSet::new(),
            },
            auth: AuthSettings {
                issuer: String::new(),
                expires_in: Duration::from_secs(3_599),
                code_lifetime: Duration::from_secs(600),
                rotate: false,
                refresh_tokens_per_client: 100,
                refresh_token_lifetime: None,
                redirect_iss: None,
            },
            port: 0,
        }
    }

    /// The clock for expiry, quota windows and arrival of mail. Latency and drips are always real time.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// An account. The first takes the place of [`USER`].
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// An OAuth client besides [`CLIENT_ID`].
    pub fn client(mut self, client: Client) -> Self {
        self.clients.push(client);
        self
    }

    /// A fixed port on loopback; any free one by default.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The issuer in id tokens and redirects; the mock's own address by default.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.auth.issuer = issuer.into();
        self
    }

    /// How long access tokens live; 3,599 seconds by default.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.auth.expires_in = lifetime;
        self
    }

    /// How long authorization codes live; ten minutes by default.
    pub fn code_lifetime(mut self, lifetime: Duration) -> Self {
        self.auth.code_lifetime = lifetime;
        self
    }

    /// How long refresh tokens live: an app in testing (seven days), or time-based access. For ever by default.
    pub fn refresh_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.auth.refresh_token_lifetime = Some(lifetime);
        self
    }

    /// How many refresh tokens an account may have of one client before the oldest dies; 100 by default.
    pub fn refresh_token_limit(mut self, tokens: usize) -> Self {
        self.auth.refresh_tokens_per_client = tokens;
        self
    }

    /// Every refresh replaces the refresh token, and using a replaced one ends the grant. Google does not do this;
    /// other providers do.
    pub fn rotate_refresh_tokens(mut self) -> Self {
        self.auth.rotate = true;
        self
    }

    /// The price list; that of new projects by default.
    pub fn prices(mut self, prices: Prices) -> Self {
        self.settings.prices = prices;
        self
    }

    /// The limits that are enforced; none by default.
    pub fn quota(mut self, quota: Quota) -> Self {
        self.settings.quota = Some(quota);
        self
    }

    /// Keeps the Message-ID of sent mail. By default it is replaced, as Gmail's API does in many accounts.
    pub fn keep_message_ids(mut self) -> Self {
        self.settings.keeps_message_ids = true;
        self
    }

    /// Drops `X-` headers from sent mail. By default they are kept; what Gmail does is not documented.
    pub fn drop_own_headers(mut self) -> Self {
        self.settings.keeps_own_headers = false;
        self
    }

    /// The largest mail that may be sent, in bytes; 36,700,160 by default.
    pub fn send_limit(mut self, bytes: usize) -> Self {
        self.settings.send_limit = bytes;
        self
    }

    /// How long an attachment id is good; ten minutes by default.
    pub fn attachment_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.attachment_lifetime = lifetime;
        self
    }

    /// Starts.
    ///
    /// # Panics
    /// When no port on loopback can be had: a harness cannot go on without it.
    #[allow(clippy::panic, reason = "a test harness without a server has nothing better to do")]
    pub async fn start(self) -> Google {
        match self.try_start().await {
            Ok(google) => google,
            Err(error) => panic!("the mock of Google cannot listen on loopback: {error}"),
        }
    }

    /// Starts, or says why not.
    ///
    /// # Errors
    /// When the port is taken or loopback cannot be listened on.
    pub async fn try_start(mut self) -> io::Result<Google> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", self.port))?;
        let base = format!("http://{}", listener.local_addr()?);
        if self.auth.issuer.is_empty() {
            self.auth.issuer.clone_from(&base);
        }
        if self.users.is_empty() {
            self.users
                .push(User::new(USER).with_name("Acme Operations").in_workspace());
        }
        let mut world = World {
            clock: self.clock,
            base: base.clone(),
            settings: self.settings,
            auth: Auth::new(self.auth),
            mailboxes: BTreeMap::new(),
            faults: Script::default(),
            counters: Counters::default(),
            meter: Meter::default(),
            sent: Vec::new(),
            uploads: HashMap::new(),
        };
        for user in self.users {
            world.add_user(user);
        }
        for client in self.clients {
            world.auth.clients.insert(client.id.clone(), client);
        }
        let shared = Arc::new(Shared(Mutex::new(world)));
        let upstream = Arc::new(Upstream::start(Arc::clone(&shared)).await);
        let (stop, stopped) = tokio::sync::watch::channel(());
        proxy::spawn(listener, upstream, stopped)?;
        let url = Url::parse(&base).map_err(|_| io::Error::from(io::ErrorKind::AddrNotAvailable))?;
        Ok(Google {
            shared,
            uri: base.into(),
            url,
            _stop: Arc::new(stop),
        })
    }
}

fn spelled(scopes: &[&str]) -> Scopes {
    scopes
        .iter()
        .map(|scope| match scope.strip_prefix("gmail.") {
            Some(_) => format!("https://www.googleapis.com/auth/{scope}"),
            None => long(scope).to_owned(),
        })
        .collect()
}
