//! An ERP that survives the "process", and everything around it.

use std::sync::Arc;
use std::time::Duration;

use super::world::{START, Slow};
use crate::action::*;
use crate::credential::{KeyRing, Sealer};
use crate::erp::{
    Create, Decimal, ErpCapabilities, ErpConnector as _, Lines, Record, RecordKey, RecordRef, Relation, Update, Value,
    Write,
};
use crate::ids::*;
use crate::store::MemoryStore;
use crate::testkit::erp::story::{ORDERS, days, erp};
use crate::testkit::{ManualClock, MemoryErp, RecordStates};

/// Everything that outlives a process, and the connection.
#[derive(Debug)]
pub(super) struct Records {
    pub(super) erp: MemoryErp,
    pub(super) store: Arc<dyn OutboxStore>,
    pub(super) clock: ManualClock,
    keys: KeyRing,
}

impl Records {
    pub(super) fn new(states: RecordStates) -> Self {
        Self::able(states, |_| {})
    }

    /// An ERP that can do other things than usual.
    pub(super) fn able(states: RecordStates, change: impl FnOnce(&mut ErpCapabilities)) -> Self {
        let clock = ManualClock::new(START);
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        Self::over(states, Arc::new(Slow(Arc::new(store))), clock, change)
    }

    pub(super) fn over(
        states: RecordStates,
        store: Arc<dyn OutboxStore>,
        clock: ManualClock,
        change: impl FnOnce(&mut ErpCapabilities),
    ) -> Self {
        let erp = erp(states)
            .with_capabilities(change)
            .with_clock(Arc::new(clock.clone()));
        Self {
            erp,
            store,
            clock,
            keys: KeyRing::ephemeral(),
        }
    }

    pub(super) fn process(&self) -> Outbox {
        self.builder().build()
    }

    pub(super) fn builder(&self) -> OutboxBuilder {
        let connected = Connected::new();
        connected.put_erp(Arc::new(self.erp.clone()), super::world::World::identity());
        self.builder_over(&connected)
    }

    pub(super) fn builder_over(&self, connected: &Connected) -> OutboxBuilder {
        let sealer = Sealer::new(Arc::new(self.keys.clone())).unwrap();
        Outbox::builder(Arc::clone(&self.store), sealer, Arc::new(connected.clone()))
            .clock(Arc::new(self.clock.clone()))
    }

    pub(super) fn tenant(&self) -> &TenantId {
        &self.erp.connection().tenant
    }

    pub(super) fn proposal(&self, key: &str) -> Proposal {
        Proposal::new(self.erp.connection(), "agent", key)
    }

    /// Proposes and approves.
    pub(super) async fn approved(&self, outbox: &Outbox, write: &Write, key: &str) -> IntentId {
        let gate = outbox.gate();
        let outcome = gate.propose(self.proposal(key), write.clone()).await.unwrap();
        let intent = outcome.intent().clone();
        if let Outcome::Held { review, .. } = outcome {
            gate.approve(self.tenant(), &intent, &"mia".into(), &review.digest)
                .await
                .unwrap();
        }
        intent
    }

    /// Works until everything has come to rest, over many leases, pauses and quiet periods.
    pub(super) async fn settle(&self) -> Outbox {
        let outbox = self.process();
        outbox.recover(None).await.unwrap();
        for _ in 0..12 {
            outbox.drain().await.unwrap();
            self.clock.advance(Duration::from_secs(400));
        }
        outbox
    }

    /// What became of a write that was approved.
    pub(super) async fn ended(&self, write: impl Into<Write>) -> Intent {
        let outbox = self.process();
        let intent = self.approved(&outbox, &write.into(), "job").await;
        let outbox = self.settle().await;
        let rows = outbox.list(self.tenant(), &[], None, 10).await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].id, intent);
        rows[0].clone()
    }

    /// An order that is there already.
    pub(super) fn order(&self) -> RecordKey {
        let create = Create::new(ORDERS).set("reference", "OLD").set("due", days()[0]);
        self.erp.put(&create).unwrap()
    }

    pub(super) fn read(&self, key: &RecordKey) -> Record {
        self.erp.peek(&RecordRef::new(ORDERS, key.clone())).unwrap()
    }

    /// The change of an order's day.
    pub(super) fn postponed(&self, key: &RecordKey) -> Write {
        let record = self.read(key);
        Update::of(&record)
            .in_company("c1")
            .set_from(&record, "due", days()[1])
            .into()
    }

    pub(super) fn day(&self, key: &RecordKey) -> Option<Value> {
        self.read(key).value("due").cloned()
    }
}

/// A new order with a line, under a reference.
pub(super) fn new_order(reference: &str) -> Create {
    let quantity: Decimal = "40".parse().unwrap();
    Create::new(ORDERS)
        .in_company("c1")
        .set("vendor_id", Relation::to("V1"))
        .set("due", days()[0])
        .lines(Lines::new("lines").row([
            ("item_id", Relation::to("1896-S").into()),
            ("quantity", quantity.into()),
        ]))
        .with_natural_key("reference", reference)
}
