//! The server itself: what a harness starts, seeds, scripts and asks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas_connectors::Clock;
use atlas_connectors::testkit::server::{Script, Server, SigningKey};
use url::Url;

use super::account::{Blocked, Client, Consent, IdTokenFault, User};
use super::answer::ApiError;
use super::auth::{Auth, Scopes, long};
use super::builder::Builder;
use super::counters::Counters;
use super::faults::{Fault, Faults};
use super::mailbox::Mailbox;
use super::quota::{Meter, Prices, Quota};
use super::send::SentMail;
use super::settings::Push;
use super::upload::Session;
use super::{MailboxHandle, oauth, settings};

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
    pub(super) faults: Script<Fault>,
    pub(super) counters: Counters,
    pub(super) meter: Meter,
    pub(super) sent: Vec<SentMail>,
    pub(super) uploads: HashMap<String, Session>,
}

impl World {
    pub(super) fn mailbox(&self, email: &str) -> Result<&Mailbox, ApiError> {
        self.mailboxes.get(email).ok_or(ApiError::PreconditionFailed)
    }

    pub(super) fn add_user(&mut self, user: User) {
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
pub(super) struct Shared(pub(super) Mutex<World>);

impl Shared {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A Google that answers on loopback: OAuth, OpenID Connect and Gmail with a memory. Clones are handles to the same
/// one; it stops when the last is gone.
///
/// See the [module page](super) for the whole picture and an example.
#[derive(Clone)]
pub struct Google {
    pub(super) shared: Arc<Shared>,
    pub(super) server: Server,
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google")
            .field("uri", &self.uri())
            .finish_non_exhaustive()
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
        self.server.uri()
    }

    /// The address as a URL, with the slash.
    pub fn url(&self) -> Url {
        self.server.url()
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

fn spelled(scopes: &[&str]) -> Scopes {
    scopes
        .iter()
        .map(|scope| match scope.strip_prefix("gmail.") {
            Some(_) => format!("https://www.googleapis.com/auth/{scope}"),
            None => long(scope).to_owned(),
        })
        .collect()
}
