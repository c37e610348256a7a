//! A connector over the mock of SAP, with real HTTP on loopback, and a host around it.
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
use atlas_connectors::credential::{Basic, KeyRing, Sealer};
use atlas_connectors::erp::{ErpConnector as _, Write, Written};
use atlas_connectors::http::{EgressRules, ReqwestTransport, RetryPolicy};
use atlas_connectors::store::MemoryStore;
use atlas_connectors::{Clock, ConnectionId, ConnectionRef, Epoch, Identity, SystemClock, Timestamp};
use atlas_connectors_erp::mock::Sap;
use atlas_connectors_erp::mock::sap::{Builder, PASSWORD, WRITER};
use atlas_connectors_erp::odata::Version;
use atlas_connectors_erp::sap::{PROVIDER, SapAuth, SapBuilder, SapConnector, ServiceAddress, SystemAddress};

pub const BOTH: [Version; 2] = [Version::V2, Version::V4];

/// The words of a version.
pub struct Words {
    pub order: &'static str,
    pub item: &'static str,
    pub items: &'static str,
    pub product: &'static str,
    pub purchase: &'static str,
    pub purchase_items: &'static str,
    pub partner: &'static str,
}

pub fn words(version: Version) -> Words {
    match version {
        Version::V2 => Words {
            order: "A_SalesOrder",
            item: "A_SalesOrderItem",
            items: "to_Item",
            product: "Material",
            purchase: "A_PurchaseOrder",
            purchase_items: "to_PurchaseOrderItem",
            partner: "A_BusinessPartner",
        },
        _ => Words {
            order: "SalesOrder",
            item: "SalesOrderItem",
            items: "_Item",
            product: "Product",
            purchase: "PurchaseOrder",
            purchase_items: "_PurchaseOrderItem",
            partner: "BusinessPartner",
        },
    }
}

pub fn services(version: Version) -> Vec<&'static str> {
    match version {
        Version::V2 => vec![
            "API_SALES_ORDER_SRV",
            "API_PURCHASEORDER_PROCESS_SRV",
            "API_BUSINESS_PARTNER",
            "API_PRODUCT_SRV",
            "API_BILLING_DOCUMENT_SRV",
            "API_SUPPLIERINVOICE_PROCESS_SRV",
        ],
        _ => vec![
            "api_salesorder/srvd_a2x/salesorder/0001",
            "api_purchaseorder_2/srvd_a2x/purchaseorder/0001",
            "api_business_partner/srvd_a2x/businesspartner/0001",
            "api_product/srvd_a2x/product/0002",
            "api_invoices/srvd_a2x/invoices/0001",
            "zui_requisition/srvd/zrequisition/0001",
        ],
    }
}

/// A clock that can leap.
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

pub fn basic(user: &str, password: &str) -> SapAuth {
    SapAuth::Basic(Basic {
        user: user.into(),
        password: password.to_owned().into(),
    })
}

/// A builder for this user over all services of a version, in a hurry.
pub fn builder(address: &str, version: Version, auth: SapAuth) -> SapBuilder {
    let system = SystemAddress::parse(address).unwrap().with_client("100").unwrap();
    let retry = RetryPolicy::default().with_pauses(Duration::from_millis(5), Duration::from_millis(20));
    let mut builder = SapBuilder::new(transport(), connection(), system, auth)
        .with_retry(retry)
        .with_look_pause(Duration::from_millis(20))
        .with_deadline(Duration::from_secs(10));
    for service in services(version) {
        builder = builder.with_service(ServiceAddress::parse(service).unwrap());
    }
    builder
}

pub fn writer(sap: &Sap, version: Version) -> SapConnector {
    builder(sap.uri(), version, basic(WRITER, PASSWORD)).build().unwrap()
}

/// A host with an outbox.
pub struct World {
    pub sap: Sap,
    pub clock: LeapingClock,
    pub connection: ConnectionRef,
    pub erp: Arc<SapConnector>,
    pub outbox: Outbox,
    pub words: Words,
}

impl World {
    pub async fn new(version: Version) -> Self {
        Self::of(Sap::builder(), version, WRITER).await
    }

    pub async fn of(sap: Builder, version: Version, user: &str) -> Self {
        let clock = LeapingClock::default();
        let shared = || Arc::new(clock.clone());
        let sap = sap.clock(shared()).start().await.unwrap();
        let erp = builder(sap.uri(), version, basic(user, PASSWORD))
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
        let connection = erp.connection().clone();
        let identity = Identity {
            subject: user.to_owned(),
            address: None,
            tenant: None,
        };
        connected.put(Standing::new(
            connection.clone(),
            identity,
            Effectors::new().with_erp(Arc::clone(&erp) as Arc<_>),
        ));
        Self {
            sap,
            clock,
            connection,
            erp,
            outbox,
            words: words(version),
        }
    }

    /// Proposes a write, has it approved, and works until it has come to rest.
    pub async fn write(&self, write: impl Into<Write>) -> Intent {
        let proposal = Proposal::new(&self.connection, "agent", ConnectionId::random().as_str());
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
