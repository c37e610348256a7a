//! A mailbox over the mock of Google, with real HTTP on loopback, and both stores.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by several test programs, each using a part of it"
)]

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use atlas_connectors::credential::{AccessToken, TokenSource};
use atlas_connectors::http::{EgressRules, Quota, ReqwestTransport, RetryPolicy};
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::{Clock, ConnectionId, ConnectionRef, Epoch, Result, SystemClock, Timestamp};
use atlas_connectors_gmail::mock::{Google, USER};
use atlas_connectors_gmail::{Endpoints, GmailBuilder};

/// A connection of the first epoch.
pub fn connection() -> ConnectionRef {
    ConnectionRef {
        tenant: "acme".into(),
        connection: ConnectionId::random(),
        epoch: Epoch::FIRST,
        provider: atlas_connectors_gmail::provider(),
    }
}

/// A mailbox of [`USER`] with these scopes, in a hurry: short pauses, no quota of its own.
pub fn gmail(google: &Google, connection: &ConnectionRef, granted: &[&str]) -> GmailBuilder {
    let egress = EgressRules::strict().allow_loopback();
    let transport = ReqwestTransport::builder().with_egress(egress).build().unwrap();
    let tokens = Tokens {
        google: google.clone(),
        connection: connection.clone(),
        scopes: granted.iter().map(|scope| (*scope).to_owned()).collect(),
        current: Mutex::default(),
    };
    let retry = RetryPolicy::default().with_pauses(Duration::from_millis(5), Duration::from_millis(20));
    GmailBuilder::new(
        Arc::new(transport),
        Arc::new(tokens),
        ScopeSet::parse(&granted.join(" ")),
    )
    .with_endpoints(Endpoints::at(&google.url()).unwrap())
    .with_quota(Quota::uncounted())
    .with_retry(retry)
}

/// Tokens straight from the mock; a rejected one is replaced.
#[derive(Debug)]
struct Tokens {
    google: Google,
    connection: ConnectionRef,
    scopes: Vec<String>,
    current: Mutex<(u64, Option<AccessToken>)>,
}

#[async_trait]
impl TokenSource for Tokens {
    fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    async fn token(&self) -> Result<AccessToken> {
        let mut current = self.current.lock().unwrap();
        if let Some(token) = &current.1 {
            return Ok(token.clone());
        }
        let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        let text = self.google.access_token(USER, &scopes);
        current.0 += 1;
        let token = AccessToken::new(text.into(), ScopeSet::parse(&self.scopes.join(" ")), current.0);
        current.1 = Some(token.clone());
        Ok(token)
    }

    async fn reject(&self, rejected: &AccessToken) {
        let mut current = self.current.lock().unwrap();
        if current
            .1
            .as_ref()
            .is_some_and(|token| token.generation() == rejected.generation())
        {
            current.1 = None;
        }
    }
}

/// Real time, plus the leaps a test makes: time-outs strike for real, pauses of minutes need not be waited for.
#[derive(Clone, Debug, Default)]
pub struct LeapingClock(Arc<Mutex<Duration>>);

impl LeapingClock {
    /// Time passes. Sleeps under way do not notice.
    pub fn leap(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }

    fn ahead(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

impl Clock for LeapingClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().after(self.ahead())
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic() + self.ahead()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        SystemClock.sleep(duration)
    }
}
