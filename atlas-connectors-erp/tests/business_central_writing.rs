//! Writing to Business Central: the real gate and outbox, the connector over HTTP, the mock behind it. What is lost, refused or
//! changed on the way ends as it should, and nothing is written twice.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use atlas_connectors::action::{Connected, Intent, IntentState, Outbox, Outcome, Proposal};
use atlas_connectors::credential::{KeyRing, Sealer};
use atlas_connectors::erp::{
    ActionCall, Base, Batch, Create, Decimal, Delete, ErpConnector, FieldChange, Lines, PartOutcome, Record, RecordKey,
    RecordRef, Relation, Shape, Update, Value, Write, Written,
};
use atlas_connectors::store::MemoryStore;
use atlas_connectors::testkit::server::{Answer, Fault};
use atlas_connectors::{Clock, ConnectionRef, Identity, SystemClock, Timestamp};
use atlas_connectors_erp::business_central::{BusinessCentral, ClientIds};
use atlas_connectors_erp::mock;
use atlas_connectors_erp::mock::business_central::{ApiError, COMPANY, FULL, NO_PURCHASING, READER};

#[path = "business_central/support.rs"]
mod support;

/// Real time, plus the leaps a test makes.
#[derive(Clone, Debug, Default)]
struct Leaping(Arc<Mutex<Duration>>);

impl Leaping {
    fn leap(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for Leaping {
    fn now(&self) -> Timestamp {
        SystemClock.now().after(*self.0.lock().unwrap())
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic() + *self.0.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        SystemClock.sleep(duration)
    }
}

struct World {
    service: mock::BusinessCentral,
    erp: BusinessCentral,
    clock: Leaping,
    outbox: Outbox,
    connection: ConnectionRef,
}

impl World {
    async fn new() -> Self {
        Self::with(mock::BusinessCentral::builder(), FULL, ClientIds::Trusted).await
    }

    async fn with(service: mock::business_central::Builder, token: &str, ids: ClientIds) -> Self {
        let clock = Leaping::default();
        let service = service.clock(clock.clone()).start().await;
        let erp = support::builder(&service, token)
            .with_clock(Arc::new(clock.clone()))
            .with_client_ids(ids)
            .build()
            .unwrap();
        let connected = Connected::new();
        let identity = Identity {
            subject: "oid-1".to_owned(),
            address: None,
            tenant: Some("tid-1".to_owned()),
        };
        let connection = erp.connection().clone();
        connected.put_erp(Arc::new(erp.clone()), identity);
        let store = Arc::new(MemoryStore::with_clock(Arc::new(clock.clone())));
        let sealer = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
        let outbox = Outbox::builder(store, sealer, Arc::new(connected))
            .clock(Arc::new(clock.clone()))
            .settings(|settings| settings.step_timeout = Duration::from_secs(5))
            .build();
        Self {
            service,
            erp,
            clock,
            outbox,
            connection,
        }
    }

    /// Proposes, approves and works until everything has come to rest.
    async fn run(&self, write: impl Into<Write>) -> Intent {
        let write = write.into();
        let name = format!("{}-{}", write.verb(), SystemClock.monotonic().as_nanos());
        let proposal = Proposal::new(&self.connection, "agent", &*name);
        let gate = self.outbox.gate();
        let (intent, review) = match gate.propose(proposal, write).await.unwrap() {
            Outcome::Held { intent, review } => (intent, review),
            other => panic!("nothing leaves without a person: {other:?}"),
        };
        gate.approve(&self.connection.tenant, &intent, &"mia".into(), &review.digest)
            .await
            .unwrap();
        for _ in 0..8 {
            self.outbox.drain().await.unwrap();
            self.clock.leap(Duration::from_secs(1_200));
        }
        gate.intent(&self.connection.tenant, &intent).await.unwrap()
    }

    async fn get(&self, set: &str, id: &str) -> Record {
        let shape = Shape::usual();
        self.erp.get(&RecordRef::new(set, id), &shape).await.unwrap()
    }
}

fn written(intent: &Intent) -> Written {
    intent.outcome_of::<Write>().unwrap()
}

fn order() -> Create {
    let quantity: Decimal = "3".parse().unwrap();
    Create::new("salesOrders")
        .set("customerNumber", "C100002")
        .lines(Lines::new("salesOrderLines").row([
            ("lineType", "Item".into()),
            ("lineObjectNumber", "1900-S".into()),
            ("quantity", quantity.into()),
        ]))
}

fn purchase(service: &mock::BusinessCentral) -> Create {
    let vendor = service.ids(COMPANY, "vendors")[0].clone();
    let item = service.ids(COMPANY, "items")[0].clone();
    Create::new("purchaseOrders")
        .set("vendorId", Value::from(Relation::to(vendor)))
        .lines(
            Lines::new("purchaseOrderLines").row([("itemId", Value::from(Relation::to(item))), ("quantity", 4.into())]),
        )
}

#[tokio::test]
async fn an_order_is_made_once_with_its_lines() {
    let world = World::new().await;
    let ended = world
        .run(
            order()
                .set("externalDocumentNumber", "ATLAS-1")
                .set("currencyCode", "eur"),
        )
        .await;
    assert_eq!(ended.state, IntentState::Sent, "{:?}", ended.reason);
    let written = written(&ended);
    let id = written.key.clone().unwrap();
    assert_eq!(world.service.counters().created_in("salesOrders"), 1);
    assert_eq!(
        world
            .service
            .field(
                COMPANY,
                "salesOrders",
                id.as_single().unwrap(),
                "externalDocumentNumber"
            )
            .unwrap(),
        "ATLAS-1"
    );
    // The service holds codes in capitals, and says nothing about it.
    let adjusted: Vec<_> = written
        .adjusted
        .iter()
        .map(|one| (one.field.as_str(), one.stored.to_string()))
        .collect();
    assert_eq!(adjusted, [("currencyCode", "EUR".to_owned())]);
    let lines = Query::lines(&world, id.as_single().unwrap()).await;
    assert_eq!(lines.len(), 1);
}

/// Reading the lines of an order.
struct Query;

impl Query {
    async fn lines(world: &World, order: &str) -> Vec<Record> {
        use atlas_connectors::erp::{ErpConnectorExt as _, field};
        let query = atlas_connectors::erp::Query::of("salesOrderLines").filter(field("documentId").equals(order));
        world.erp.read_all(&query).await.unwrap()
    }
}

/// What was cut off is looked up, and made again only where a second one would collide.
#[tokio::test]
async fn a_lost_create_is_found_by_the_id_it_brought() {
    for (fault, requests) in [
        (Fault::CutAfter, 1),
        (Fault::HangAfter, 1),
        (Fault::AnswerAfter(Answer::html(504, "Gateway timeout")), 1),
        (Fault::HtmlAfter, 1),
        (Fault::Truncate(20), 1),
        (Fault::CutBefore, 2),
        (Fault::html(502), 2),
        (mock::BusinessCentral::refusal(&ApiError::throttled()), 2),
    ] {
        let world = World::new().await;
        world.service.faults().next("purchaseOrders.create", fault.clone());
        let ended = world.run(purchase(&world.service)).await;
        assert_eq!(ended.state, IntentState::Sent, "{fault:?}: {:?}", ended.reason);
        let counters = world.service.counters();
        assert_eq!(counters.created_in("purchaseOrders"), 1, "{fault:?}");
        assert_eq!(counters.requests_of("purchaseOrders.create"), requests, "{fault:?}");
        assert!(written(&ended).key.is_some(), "{fault:?}");
        assert_eq!(world.service.faults().pending(), 0);
    }
}

#[tokio::test]
async fn a_lost_create_is_found_by_its_natural_key_where_ids_are_refused() {
    let service = || mock::BusinessCentral::builder().refuse_client_ids();
    let world = World::with(service(), FULL, ClientIds::Off).await;
    world.service.faults().next("salesOrders.create", Fault::CutAfter);
    let ended = world
        .run(order().with_natural_key("externalDocumentNumber", "ATLAS-7"))
        .await;
    assert_eq!(ended.state, IntentState::Sent, "{:?}", ended.reason);
    assert_eq!(world.service.counters().created_in("salesOrders"), 1);

    // Not there: it may still be at work, so only a person can tell, and nothing is repeated.
    let world = World::with(service(), FULL, ClientIds::Off).await;
    world.service.faults().next("salesOrders.create", Fault::CutBefore);
    let ended = world
        .run(order().with_natural_key("externalDocumentNumber", "ATLAS-8"))
        .await;
    assert_eq!(ended.state, IntentState::Uncertain);
    let counters = world.service.counters();
    assert_eq!(
        (
            counters.created_in("salesOrders"),
            counters.requests_of("salesOrders.create")
        ),
        (0, 1)
    );

    // A page that refuses ids says so, and nothing has happened.
    let world = World::with(service(), FULL, ClientIds::Learned).await;
    let ended = world.run(order()).await;
    assert_eq!(ended.state, IntentState::NotSent);
    assert_eq!(world.service.counters().effects(), 0);
}

/// Until an answer has shown that ids are kept, a record that is not there proves nothing.
#[tokio::test]
async fn ids_are_trusted_once_they_were_seen_to_be_kept() {
    let world = World::with(mock::BusinessCentral::builder(), FULL, ClientIds::Learned).await;
    world.service.faults().next("salesOrders.create", Fault::CutBefore);
    assert_eq!(world.run(order()).await.state, IntentState::Uncertain);
    assert_eq!(world.run(order()).await.state, IntentState::Sent);
    world.service.faults().next("salesOrders.create", Fault::CutBefore);
    assert_eq!(world.run(order()).await.state, IntentState::Sent);
    assert_eq!(world.service.counters().created_in("salesOrders"), 2);
}

/// A page that gives another id than it was brought: nothing is concluded from an id that is not there.
#[tokio::test]
async fn ids_that_are_not_kept_prove_nothing() {
    let service = mock::BusinessCentral::builder().ignore_client_ids();
    let world = World::with(service, FULL, ClientIds::Learned).await;
    let first = world.run(order()).await;
    assert_eq!(first.state, IntentState::Sent);
    for (create, state) in [
        (
            order().with_natural_key("externalDocumentNumber", "ATLAS-9"),
            IntentState::Sent,
        ),
        (order(), IntentState::Uncertain),
    ] {
        let before = world.service.counters().created_in("salesOrders");
        world.service.faults().next("salesOrders.create", Fault::CutAfter);
        assert_eq!(world.run(create).await.state, state);
        assert_eq!(world.service.counters().created_in("salesOrders"), before + 1);
    }
}

/// The first try came through late, and the second one collides with it: that is no conflict with somebody else.
#[tokio::test]
async fn a_create_that_collides_with_its_own_earlier_try_has_happened() {
    let world = World::new().await;
    let taken = ApiError::new(400, "Internal_EntityWithSameKeyExists", "It already exists.");
    let Fault::Answer(answer) = mock::BusinessCentral::refusal(&taken) else {
        panic!("a refusal is an answer");
    };
    world
        .service
        .faults()
        .next("salesOrders.create", Fault::AnswerAfter(answer));
    let ended = world.run(order()).await;
    assert_eq!(ended.state, IntentState::Sent, "{:?}", ended.reason);
    assert_eq!(world.service.counters().created_in("salesOrders"), 1);
}

/// A token that is over in the moment of an effect is no lack of rights.
#[tokio::test]
async fn a_write_with_a_token_that_is_over_is_tried_again() {
    let world = World::new().await;
    world.service.faults().next(
        "salesOrders.create",
        mock::BusinessCentral::refusal(&ApiError::unauthenticated()),
    );
    let ended = world.run(order()).await;
    assert_eq!(ended.state, IntentState::Sent, "{:?}", ended.reason);
    let counters = world.service.counters();
    assert_eq!(
        (
            counters.created_in("salesOrders"),
            counters.requests_of("salesOrders.create")
        ),
        (1, 2)
    );

    let world = World::new().await;
    let refused = mock::BusinessCentral::refusal(&ApiError::unauthorized());
    world.service.faults().always("*", refused);
    assert_eq!(world.run(order()).await.state, IntentState::NotSent);
    assert_eq!(world.service.counters().effects(), 0);
}

#[tokio::test]
async fn an_update_is_made_on_what_was_read_and_on_nothing_else() {
    let world = World::new().await;
    let id = world.service.ids(COMPANY, "salesOrders")[0].clone();
    let read = world.get("salesOrders", &id).await;
    let date: atlas_connectors::erp::Date = "2026-12-24".parse().unwrap();
    let update = |record: &Record| Update::of(record).set_from(record, "requestedDeliveryDate", date);
    let ended = world.run(Write::Update(update(&read))).await;
    assert_eq!(ended.state, IntentState::Sent, "{:?}", ended.reason);
    assert_eq!(
        world
            .service
            .field(COMPANY, "salesOrders", &id, "requestedDeliveryDate")
            .unwrap(),
        "2026-12-24"
    );
    assert!(written(&ended).adjusted.is_empty());

    // The same base again: somebody (we) changed it since.
    let ended = world.run(Write::Update(update(&read))).await;
    assert_eq!(
        (ended.state, ended.reason.as_deref()),
        (IntentState::NotSent, Some("conflict"))
    );
    assert_eq!(
        world.service.counters().requests_of("salesOrders.update"),
        1,
        "found before anything was sent"
    );

    // Changed in the last moment: the service refuses.
    let read = world.get("salesOrders", &id).await;
    world.service.faults().next(
        "salesOrders.update",
        mock::BusinessCentral::refusal(&ApiError::changed()),
    );
    let ended = world.run(Write::Update(update(&read))).await;
    assert_eq!(ended.state, IntentState::NotSent);

    // Lost on the way, before and after.
    for (fault, requests) in [(Fault::CutAfter, 1), (Fault::CutBefore, 2)] {
        let world = World::new().await;
        let id = world.service.ids(COMPANY, "customers")[0].clone();
        let read = world.get("customers", &id).await;
        world.service.faults().next("customers.update", fault);
        let change = Update::of(&read).set_from(&read, "phoneNumber", "030 1234");
        let ended = world.run(Write::Update(change)).await;
        assert_eq!(ended.state, IntentState::Sent, "{:?}", ended.reason);
        let counters = world.service.counters();
        assert_eq!(
            (counters.updated["customers"], counters.requests_of("customers.update")),
            (1, requests)
        );
    }

    // Decided on old values alone: compared and sent with the etag of the moment.
    let world = World::new().await;
    let id = world.service.ids(COMPANY, "customers")[0].clone();
    let by_values = |old: &str| {
        Update::at("customers", id.as_str(), Base::OldValues).change(FieldChange {
            field: "city".into(),
            old: Some(old.into()),
            new: "Bonn".into(),
        })
    };
    assert_eq!(
        world.run(Write::Update(by_values("Chicago"))).await.state,
        IntentState::Sent
    );
    assert_eq!(
        world.run(Write::Update(by_values("Chicago"))).await.reason.as_deref(),
        Some("conflict")
    );
}

#[tokio::test]
async fn deletions_and_actions_are_found_by_what_they_leave() {
    for (fault, requests) in [(None, 1), (Some(Fault::CutAfter), 1), (Some(Fault::CutBefore), 2)] {
        let world = World::new().await;
        let told = format!("{fault:?}");
        for operation in [
            "customers.delete",
            "salesOrders.shipAndInvoice",
            "purchaseInvoices.post",
        ] {
            if let Some(fault) = &fault {
                world.service.faults().next(operation, fault.clone());
            }
        }
        let customer = world.service.ids(COMPANY, "customers")[11].clone();
        let read = world.get("customers", &customer).await;
        let ended = world.run(Write::Delete(Delete::of(&read))).await;
        assert_eq!(ended.state, IntentState::Sent, "{told}: {:?}", ended.reason);

        let order = world.service.ids(COMPANY, "salesOrders")[0].clone();
        let read = world.get("salesOrders", &order).await;
        // In another case, which the service would run all the same: the metadata's own name is sent.
        let ended = world
            .run(Write::Action(ActionCall::on(&read, "Microsoft.NAV.ShipAndInvoice")))
            .await;
        assert_eq!(ended.state, IntentState::Sent, "{told}: {:?}", ended.reason);

        let invoice = world.service.ids(COMPANY, "purchaseInvoices")[0].clone();
        let read = world.get("purchaseInvoices", &invoice).await;
        let ended = world.run(Write::Action(ActionCall::on(&read, "post"))).await;
        assert_eq!(ended.state, IntentState::Sent, "{told}: {:?}", ended.reason);
        assert_eq!(
            world
                .service
                .field(COMPANY, "purchaseInvoices", &invoice, "status")
                .unwrap(),
            "Open"
        );

        let counters = world.service.counters();
        assert_eq!(counters.deleted["customers"], 1, "{told}");
        assert_eq!(counters.actions["salesOrders.shipAndInvoice"], 1, "{told}");
        assert_eq!(counters.actions["purchaseInvoices.post"], 1, "{told}");
        assert_eq!(counters.requests_of("salesOrders.shipAndInvoice"), requests, "{told}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart_and_change_nothing() {
    let world = World::new().await;
    for (write, reason) in [
        (
            Create::new("customers").set("displayName", "x").set("type", "Alien"),
            "schema_mismatch",
        ),
        (
            Create::new("customers").set("displayName", "x").set("colour", "red"),
            "schema_mismatch",
        ),
        (
            Create::new("customers")
                .set("displayName", "x")
                .set("lastModifiedDateTime", Timestamp::UNIX_EPOCH),
            "rejected",
        ),
        (Create::new("customers").set("displayName", "x".repeat(101)), "rejected"),
        (Create::new("trucks").set("displayName", "x"), "schema_mismatch"),
        (Create::new("customers").set("city", "Bonn"), "rejected"),
        (
            Create::new("customers")
                .set("displayName", "x")
                .set("number", "C100001"),
            "conflict",
        ),
        (order().set("number", "MINE"), "rejected"),
    ] {
        let told = format!("{write:?}");
        let ended = world.run(Write::Create(write)).await;
        assert_eq!(
            (ended.state, ended.reason.as_deref()),
            (IntentState::NotSent, Some(reason)),
            "{told}"
        );
    }
    assert_eq!(world.service.counters().effects(), 0);

    for (token, write) in [
        (READER, Create::new("customers").set("displayName", "x")),
        (
            NO_PURCHASING,
            Create::new("purchaseOrders").set("vendorNumber", "V100001"),
        ),
    ] {
        let world = World::with(mock::BusinessCentral::builder(), token, ClientIds::Trusted).await;
        let ended = world.run(Write::Create(write)).await;
        assert_eq!(
            (ended.state, ended.reason.as_deref()),
            (IntentState::NotSent, Some("permission_denied"))
        );
        assert_eq!(world.service.counters().effects(), 0);
    }
}

#[tokio::test]
async fn a_batch_tells_of_each_part_and_a_snapshot_of_none_that_it_stayed() {
    let good = |name: &str| Write::Create(Create::new("customers").set("displayName", name));
    let bad = || {
        Write::Create(
            Create::new("customers")
                .set("displayName", "x")
                .set("number", "C100001"),
        )
    };
    let kinds = |written: &Written| -> Vec<&'static str> {
        let kind = |part: &PartOutcome| match part {
            PartOutcome::Done(_) => "done",
            PartOutcome::Rejected(_) => "rejected",
            PartOutcome::NotExecuted => "not executed",
            PartOutcome::RolledBack => "rolled back",
            _ => "unknown",
        };
        written.parts.iter().map(kind).collect()
    };
    let world = World::new().await;
    let ended = world
        .run(Write::Batch(Batch::independent([good("A"), bad(), good("C")])))
        .await;
    assert_eq!(kinds(&written(&ended)), ["done", "rejected", "done"]);
    assert_eq!(world.service.counters().created_in("customers"), 2);

    let ended = world
        .run(Write::Batch(Batch::atomic([good("D"), bad(), good("F")])))
        .await;
    let told = (ended.state, ended.reason.as_deref());
    assert_eq!(
        told,
        (IntentState::NotSent, Some("conflict")),
        "the service said 201 of the first"
    );
    assert_eq!(world.service.counters().created_in("customers"), 2);
    let ended = world.run(Write::Batch(Batch::atomic([good("G"), good("H")]))).await;
    assert_eq!(kinds(&written(&ended)), ["done", "done"]);
    assert_eq!(world.service.counters().created_in("customers"), 4);

    for fault in [Fault::CutAfter, Fault::CutBefore] {
        world.service.faults().next("batch", fault);
        let before = world.service.counters().created_in("customers");
        let ended = world.run(Write::Batch(Batch::atomic([good("I"), good("J")]))).await;
        assert_eq!(ended.state, IntentState::Sent, "{:?}", ended.reason);
        assert_eq!(kinds(&written(&ended)), ["done", "done"]);
        assert_eq!(world.service.counters().created_in("customers"), before + 2);
    }
    let many: Vec<Write> = (0..101).map(|at| good(&at.to_string())).collect();
    assert_eq!(
        world.run(Write::Batch(Batch::independent(many))).await.state,
        IntentState::NotSent
    );
}

#[tokio::test]
async fn numbers_are_written_with_all_their_digits() {
    let world = World::new().await;
    let digits = "1234567890123456789.123456789";
    let price: Decimal = digits.parse().unwrap();
    let ended = world
        .run(Write::Create(
            Create::new("items").set("displayName", "Big").set("unitPrice", price),
        ))
        .await;
    let id = written(&ended).key.unwrap();
    let id: &RecordKey = &id;
    assert_eq!(
        world
            .service
            .field(COMPANY, "items", id.as_single().unwrap(), "unitPrice")
            .unwrap(),
        digits
    );
    assert!(written(&ended).adjusted.is_empty());
}

#[tokio::test]
async fn a_write_is_read_back_from_the_record_itself_and_not_from_the_replica() {
    let world = World::new().await;
    let order = world.service.ids(COMPANY, "purchaseInvoices")[1].clone();
    let read = world.get("purchaseInvoices", &order).await;
    world.service.freeze_replica();
    let ended = world.run(Write::Action(ActionCall::on(&read, "Post"))).await;
    let record = written(&ended).record.unwrap();
    assert_eq!(record.value("status"), Some(&Value::Enum("Open".to_owned())));
}
