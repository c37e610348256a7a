//! A connector over the mock of Odoo, with real HTTP on loopback, and a host around it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared by several test programs, each using a part of it"
)]

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atlas_connectors::action::{Connected, Effectors, Intent, Outbox, Outcome, Proposal, Standing};
use atlas_connectors::credential::{KeyRing, Sealer};
use atlas_connectors::erp::{Write, Written};
use atlas_connectors::http::{EgressRules, ReqwestTransport, RetryPolicy};
use atlas_connectors::store::MemoryStore;
use atlas_connectors::{Clock, ConnectionId, ConnectionRef, Epoch, Identity, SystemClock, Timestamp};
use atlas_connectors_erp::mock::Odoo;
use atlas_connectors_erp::mock::odoo::{DATABASE, Version};
use atlas_connectors_erp::odoo::wire::{Endpoint, Secret};
use atlas_connectors_erp::odoo::{OdooBuilder, OdooConnector, PROVIDER};

/// Both recorded servers.
pub const BOTH: [Version; 2] = [Version::V18, Version::V19];

/// A clock that sleeps by leaping.
#[derive(Clone, Debug, Default)]
pub struct LeapingClock(Arc<Mutex<Duration>>);

impl LeapingClock {
    pub fn leap(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }

    fn leapt(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

impl Clock for LeapingClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().after(self.leapt())
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic() + self.leapt()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        SystemClock.sleep(duration)
    }
}

pub fn connection() -> ConnectionRef {
    ConnectionRef {
        tenant: "acme".into(),
        connection: ConnectionId::random(),
        epoch: Epoch::FIRST,
        provider: PROVIDER.into(),
    }
}

pub fn transport() -> Arc<ReqwestTransport> {
    let egress = EgressRules::strict().allow_loopback();
    Arc::new(ReqwestTransport::builder().with_egress(egress).build().unwrap())
}

/// A builder for this user and key, in a hurry.
pub fn builder(odoo: &Odoo, login: &str, key: &str) -> OdooBuilder {
    builder_at(odoo.url().as_str(), DATABASE, login, Secret::Key(key.into()))
}

pub fn builder_at(address: &str, database: &str, login: &str, secret: Secret) -> OdooBuilder {
    let at = Endpoint::new(address, database).unwrap();
    let retry = RetryPolicy::default().with_pauses(Duration::from_millis(5), Duration::from_millis(20));
    OdooBuilder::new(transport(), connection(), at, login, secret).with_retry(retry)
}

/// The bot with sales, purchase and invoicing rights.
pub fn bot(odoo: &Odoo) -> OdooConnector {
    builder(odoo, "atlas.bot", "bot-key").build().unwrap()
}

/// The administrator, in the first company.
pub fn admin(odoo: &Odoo) -> OdooConnector {
    builder(odoo, "admin", "admin-key").with_company("1").build().unwrap()
}

/// A host with an outbox.
pub struct World {
    pub odoo: Odoo,
    pub clock: LeapingClock,
    pub connection: ConnectionRef,
    pub erp: Arc<OdooConnector>,
    pub outbox: Outbox,
}

impl World {
    pub async fn new(version: Version) -> Self {
        Self::of(version, "atlas.bot", "bot-key").await
    }

    pub async fn of(version: Version, login: &str, key: &str) -> Self {
        let clock = LeapingClock::default();
        let shared = || Arc::new(clock.clone());
        let odoo = Odoo::builder().version(version).clock(shared()).start().await.unwrap();
        let erp = builder(&odoo, login, key)
            .with_company("1")
            .with_clock(shared())
            .build()
            .unwrap();
        let erp = Arc::new(erp);
        let connected = Connected::new();
        let sealer = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
        let store = Arc::new(MemoryStore::with_clock(shared()));
        let outbox = Outbox::builder(store, sealer, Arc::new(connected.clone()))
            .clock(shared())
            .kind::<Write>()
            .settings(|settings| settings.step_timeout = Duration::from_secs(3))
            .build();
        use atlas_connectors::erp::ErpConnector as _;
        let connection = erp.connection().clone();
        let identity = Identity {
            subject: login.to_owned(),
            address: None,
            tenant: None,
        };
        connected.put(Standing::new(
            connection.clone(),
            identity,
            Effectors::new().with_erp(Arc::clone(&erp) as Arc<_>),
        ));
        Self {
            odoo,
            clock,
            connection,
            erp,
            outbox,
        }
    }

    /// Proposes a write, has it approved, and works until it has come to rest.
    pub async fn write(&self, write: impl Into<Write>) -> Intent {
        let proposal = Proposal::new(&self.connection, "agent", uuid());
        let gate = self.outbox.gate();
        let outcome = gate.propose(proposal, write.into()).await.unwrap();
        let Outcome::Held { intent, review } = outcome else {
            panic!("nothing leaves without a person: {outcome:?}");
        };
        let tenant = &self.connection.tenant;
        gate.approve(tenant, &intent, &"mia".into(), &review.digest)
            .await
            .unwrap();
        for _ in 0..8 {
            self.outbox.drain().await.unwrap();
            self.clock.leap(Duration::from_secs(200));
        }
        gate.intent(tenant, &intent).await.unwrap()
    }

    /// What became of a write that has happened.
    pub async fn done(&self, write: impl Into<Write>) -> Written {
        let intent = self.write(write).await;
        let state = (intent.state, intent.reason.clone(), intent.rejection.clone());
        intent.outcome_of::<Write>().unwrap_or_else(|| panic!("{state:?}"))
    }

    /// The code of the refusal of a write.
    pub async fn refused(&self, write: impl Into<Write>) -> String {
        let intent = self.write(write).await;
        let state = (intent.state, intent.reason.clone());
        intent
            .rejection
            .map_or_else(|| format!("{state:?}"), |rejection| rejection.code.into())
    }
}

fn uuid() -> String {
    ConnectionId::random().as_str().to_owned()
}
