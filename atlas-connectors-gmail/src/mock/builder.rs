//! How a mock is set up before it starts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atlas_connectors::testkit::server::{Listener, Script};
use atlas_connectors::{Clock, SystemClock};

use super::account::{Client, User};
use super::auth::{Auth, AuthSettings};
use super::counters::Counters;
use super::dispatch;
use super::quota::{Meter, Prices, Quota};
use super::server::{CLIENT_ID, CLIENT_SECRET, Google, Settings, Shared, USER, World};

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
    pub(super) fn new() -> Self {
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
        let listener = Listener::bind(self.port)?;
        let base = listener.uri();
        if self.auth.issuer.is_empty() {
            self.auth.issuer.clone_from(&base);
        }
        if self.users.is_empty() {
            self.users
                .push(User::new(USER).with_name("Acme Operations").in_workspace());
        }
        let mut world = World {
            clock: self.clock,
            base,
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
        let answering = Arc::clone(&shared);
        let server = listener
            .serve(move |request| dispatch::answer(&mut answering.world(), request))
            .await?;
        Ok(Google { shared, server })
    }
}
