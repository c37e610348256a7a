//! What several questions share: a mailbox to read, mail to put into it, and the measuring of time and CPU.

use std::error::Error as StdError;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atlas_connectors::credential::{AccessToken, KeyRing, Sealer, TokenSource};
use atlas_connectors::http::{EgressRules, HttpTransport, Quota, ReqwestTransport};
use atlas_connectors::mail::Mailbox;
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::store::SqliteStore;
use atlas_connectors::sync::SyncEngine;
use atlas_connectors::{Clock as _, ConnectionId, ConnectionRef, Epoch, Result, SystemClock, Timestamp};
use atlas_connectors_gmail::mock::{Google, Mail, USER};
use atlas_connectors_gmail::{Endpoints, GmailBuilder, scopes};

/// What ends a measurement early.
pub(crate) type Failure = Box<dyn StdError + Send + Sync>;

/// Requests in flight, of ours and of the peers.
pub(crate) const IN_FLIGHT: u32 = 10;

/// A token that outlasts the measurement.
#[derive(Debug)]
struct Fixed(ConnectionRef, AccessToken);

#[async_trait]
impl TokenSource for Fixed {
    fn connection(&self) -> &ConnectionRef {
        &self.0
    }

    async fn token(&self) -> Result<AccessToken> {
        Ok(self.1.clone())
    }

    async fn reject(&self, _rejected: &AccessToken) {}
}

/// Gives this token always.
pub(crate) fn fixed(token: AccessToken) -> Arc<dyn TokenSource> {
    Arc::new(Fixed(connection(), token))
}

/// A connection of its own.
pub(crate) fn connection() -> ConnectionRef {
    ConnectionRef {
        tenant: "acme".into(),
        connection: ConnectionId::random(),
        epoch: Epoch::FIRST,
        provider: atlas_connectors_gmail::provider(),
    }
}

/// A sealer with a key that is gone after the run.
pub(crate) fn sealer() -> Result<Sealer> {
    Sealer::new(Arc::new(KeyRing::ephemeral()))
}

/// The network, with loopback allowed.
pub(crate) fn network() -> Result<Arc<dyn HttpTransport>> {
    let rules = EgressRules::strict().allow_loopback();
    Ok(Arc::new(ReqwestTransport::builder().with_egress(rules).build()?))
}

/// An engine that syncs the mailbox behind this transport into this file: default settings, sealed inbox, quota not counted, so
/// that the governor is not what is measured.
pub(crate) fn engine(
    transport: Arc<dyn HttpTransport>,
    base: &str,
    token: &str,
    file: &Path,
) -> Result<SyncEngine, Failure> {
    let granted = ScopeSet::parse(scopes::READONLY);
    let token = AccessToken::new(token.into(), granted.clone(), 1);
    let tokens = Arc::new(Fixed(connection(), token));
    let mailbox = GmailBuilder::new(transport, tokens, granted)
        .with_endpoints(Endpoints::at(&base.parse()?)?)
        .with_quota(Quota::uncounted().with_concurrency(IN_FLIGHT))
        .mailbox()?;
    engine_of(Arc::new(mailbox), file)
}

/// The same for a mailbox of whatever kind.
pub(crate) fn engine_of(mailbox: Arc<dyn Mailbox>, file: &Path) -> Result<SyncEngine, Failure> {
    let store = Arc::new(SqliteStore::open(file)?);
    Ok(SyncEngine::builder(mailbox, store).with_inbox(sealer()?).build()?)
}

/// A mock Google whose mailbox holds so many messages, and a token to read them.
pub(crate) async fn google(messages: u64) -> (Google, String) {
    let google = Google::start().await;
    let until = Timestamp::from_unix_seconds(1_790_000_000);
    google.mailbox(USER).fill(messages, until, mail);
    let token = google.access_token(USER, &["gmail.readonly"]);
    (google, token)
}

/// The n-th mail: an order as text and HTML, about 4 KB; every tenth with a PDF-sized attachment of 24 KB.
pub(crate) fn mail(n: u64) -> Vec<u8> {
    let line = "Please confirm the delivery of 2,000 pieces of item M8x40 to gate 3 by the end of the week.\r\n";
    let mail = Mail::from("Jana Novak <jana@precision-parts.example>")
        .to("Operations <ops@acme-manufacturing.example>, lars@nordmetall.example")
        .subject(&format!("Order {n}: M8 hex bolts, Größe 40"))
        .message_id(&format!("order-{n}@precision-parts.example"))
        .header("Date", "Mon, 21 Sep 2026 14:13:20 +0000")
        .text(&line.repeat(12))
        .html(&format!("<html><body><p>{}</p></body></html>", line.repeat(24)));
    match n % 10 {
        0 => mail.attach("order.pdf", "application/pdf", &[0xA5; 24 * 1024]).raw(),
        _ => mail.raw(),
    }
}

/// Time on the monotonic clock since another reading.
pub(crate) fn since(start: Duration) -> Duration {
    now().saturating_sub(start)
}

/// The monotonic clock.
pub(crate) fn now() -> Duration {
    SystemClock.monotonic()
}

/// CPU that this process has used, all threads together; `None` where the system does not tell by file.
pub(crate) fn cpu() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    // Linux counts in hundredths of a second here, whatever its timer.
    Some(Duration::from_millis((user + system) * 10))
}

/// Seconds to so many of something a second.
pub(crate) fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
