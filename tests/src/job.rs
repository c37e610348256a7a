//! What a child process of a test is told to do, and the host it does it with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::action::{Circle, OutboxSettings};
use atlas_connectors::credential::{KeyRing, Sealer};
use atlas_connectors::http::{EgressRules, ReqwestTransport};
use atlas_connectors::mail::OutgoingMessage;
use atlas_connectors::oauth::OAuthClient;
use atlas_connectors::store::SqliteStore;
use atlas_connectors::sync::SyncSettings;
use atlas_connectors::{ConnectionRef, Result, TenantId};
use atlas_connectors_examples::host::{Host, Settings};
use atlas_connectors_gmail::mock::{CLIENT_ID, CLIENT_SECRET};
use atlas_connectors_gmail::{Baseline, Endpoints};
use serde::{Deserialize, Serialize};
use url::Url;

/// The tenant of every test.
pub const TENANT: &str = "acme";
/// Who proposes, in every test.
pub const AUTHOR: &str = "olivia";
/// Who approves, in every test.
pub const REVIEWER: &str = "ravi";

/// Where a test's host keeps its state, and which Google it talks to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The SQLite file that the processes share.
    pub database: PathBuf,
    /// Base URL of the mock.
    pub google: Url,
    /// The sealing key, in base64. A test's own; it opens nothing else.
    pub key: String,
}

/// What to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Job {
    /// Propose the mail under a fixed key, approve it, send it; again after a crash.
    Send {
        /// Where.
        place: Place,
        /// The connection to send from.
        connection: ConnectionRef,
        /// The finished mail.
        mail: OutgoingMessage,
        /// Name of the crash point at which the process ends, and for the how manieth time.
        crash: Option<(String, u32)>,
    },
    /// Ask for the token in so many tasks at once.
    Tokens {
        /// Where.
        place: Place,
        /// The connection whose token it is.
        connection: ConnectionRef,
        /// How many tasks.
        tasks: usize,
    },
}

/// The idempotency key of [`Job::Send`].
pub const KEY: &str = "job-1";

impl Place {
    /// The host of this place, with times short enough for tests.
    ///
    /// # Errors
    /// The store or the key.
    pub fn host(&self) -> Result<Host> {
        let mut outbox = OutboxSettings::default();
        outbox.lease = Duration::from_millis(400);
        outbox.step_timeout = Duration::from_millis(300);
        outbox.quiet_period = Duration::from_millis(50);
        outbox.backoff = Duration::from_millis(20);
        Host::new(Settings {
            tenant: TenantId::new(TENANT),
            store: SqliteStore::open(&self.database)?,
            sealer: Sealer::new(Arc::new(KeyRing::parse(&self.key.clone().into())?))?,
            transport: Arc::new(
                ReqwestTransport::builder()
                    .with_egress(EgressRules::strict().allow_loopback())
                    .build()?,
            ),
            endpoints: Endpoints::at(&self.google)?,
            baseline: Baseline::Profile,
            client: OAuthClient::new(CLIENT_ID, CLIENT_SECRET.into()),
            sync: SyncSettings::default(),
            circle: Circle::default(),
            outbox,
        })
    }
}
