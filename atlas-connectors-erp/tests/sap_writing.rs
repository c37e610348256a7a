//! Writing to SAP services through gate and outbox: V2 and V4, over HTTP, counted by the mock.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

mod sap_world;

use atlas_connectors::action::IntentState;
use atlas_connectors::erp::{
    ActionCall, Batch, Create, Decimal, Delete, ErpConnector as _, ErpConnectorExt as _, Lines, PartOutcome, Query,
    Record, RecordRef, SalesOrder, Shape, Update, Value, Write, field,
};
use atlas_connectors::erp::{DocumentRef, RecordKey};
use atlas_connectors::testkit::server::Fault;
use atlas_connectors_erp::mock::Sap;
use atlas_connectors_erp::mock::sap::{READER, Table, WRITER};
use atlas_connectors_erp::odata::Version;
use sap_world::{BOTH, World};

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A sales order with two lines, found by the customer's reference.
fn order(world: &World, reference: &str) -> Create {
    let product = world.words.product;
    Create::new(world.words.order)
        .set("SalesOrderType", "OR")
        .set("SoldToParty", "1000000")
        .set("TransactionCurrency", "eur")
        .set("YY1_ExactAmount_SDH", decimal("9876543210987654321098.123456"))
        .lines(
            Lines::new(world.words.items)
                .row([(product, "TG0000".into()), ("RequestedQuantity", decimal("2.5").into())])
                .row([(product, "TG0010".into()), ("RequestedQuantity", decimal("1").into())]),
        )
        .with_natural_key("PurchaseOrderByCustomer", reference)
}

async fn read(world: &World, number: &str) -> Record {
    let at = RecordRef::new(world.words.order, number);
    world.erp.get(&at, &Shape::usual()).await.unwrap()
}

#[tokio::test]
async fn an_order_is_created_once_with_its_lines_and_every_digit() {
    for version in BOTH {
        let world = World::new(version).await;
        let written = world.done(order(&world, "REQ-1")).await;
        assert_eq!(
            (world.sap.counters().creates, world.sap.count(Table::SalesOrderItem)),
            (1, 26)
        );
        let key = written.key.clone().unwrap().to_string();
        assert_eq!(key, "900000");
        let stored = |name| world.sap.field(Table::SalesOrder, &key, name).unwrap();
        assert_eq!(stored("YY1_ExactAmount_SDH"), "9876543210987654321098.123456");
        let record = written.record.clone().unwrap();
        assert_eq!(
            record.value("YY1_ExactAmount_SDH").unwrap().to_string(),
            "9876543210987654321098.123456"
        );
        assert!(record.etag().is_some());
        // The system writes currencies in capitals, and says nothing of it.
        let adjusted: Vec<_> = written.adjusted.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(adjusted, ["TransactionCurrency"]);
        let texts: Vec<_> = written.messages.iter().map(|message| message.text.reveal()).collect();
        assert_eq!(texts, ["Standard Order 900000 has been saved"]);
    }
}

#[tokio::test]
async fn a_warning_beside_a_success_is_given_to_the_caller() {
    for version in BOTH {
        let world = World::new(version).await;
        let empty = Create::new(world.words.order)
            .set("SalesOrderType", "OR")
            .set("SoldToParty", "1000000");
        let written = world.done(empty).await;
        let codes: Vec<_> = written
            .messages
            .iter()
            .filter_map(|message| message.code.clone())
            .collect();
        let codes: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes, ["V1/311", "V1/555"]);
    }
}

#[tokio::test]
async fn a_create_cut_off_in_the_middle_is_found_and_not_repeated() {
    for version in BOTH {
        let faults = [
            Fault::CutAfter,
            Fault::HangAfter,
            Fault::HtmlAfter,
            Fault::Truncate(30),
            Fault::OtherJsonAfter,
        ];
        for fault in faults {
            let world = World::new(version).await;
            world.sap.faults().next("create", fault.clone());
            let intent = world.write(order(&world, "REQ-2")).await;
            assert_eq!(
                intent.state,
                IntentState::Sent,
                "{version:?} {fault:?} {:?}",
                intent.reason
            );
            assert_eq!(world.sap.counters().creates, 1, "{version:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_create_that_never_arrived_is_looked_for_twice_and_then_sent_again() {
    for version in BOTH {
        for fault in [Fault::CutBefore, Fault::status(504), Fault::status(500)] {
            let world = World::new(version).await;
            world.sap.faults().next("create", fault.clone());
            let intent = world.write(order(&world, "REQ-3")).await;
            assert_eq!(
                intent.state,
                IntentState::Sent,
                "{version:?} {fault:?} {:?}",
                intent.reason
            );
            assert_eq!(world.sap.counters().creates, 1, "{version:?} {fault:?}");
            assert!(world.sap.counters().requests_of("read") >= 2, "looked twice");
        }
    }
}

#[tokio::test]
async fn without_a_natural_key_an_unclear_create_waits_for_a_person() {
    for version in BOTH {
        let world = World::new(version).await;
        world.sap.faults().next("create", Fault::CutAfter);
        let mut order = order(&world, "REQ-4");
        order.natural_key = None;
        let intent = world.write(order).await;
        assert_eq!(intent.state, IntentState::Uncertain, "{:?}", intent.reason);
        assert_eq!(world.sap.counters().creates, 1, "and is not repeated");
    }
}

#[tokio::test]
async fn an_update_depends_on_the_state_it_was_decided_on() {
    for version in BOTH {
        let world = World::new(version).await;
        let before = read(&world, "5").await;
        let update = |value: &str| Update::of(&before).set_from(&before, "PurchaseOrderByCustomer", value);
        let written = world.done(update("first")).await;
        assert_eq!(
            written
                .record
                .unwrap()
                .value("PurchaseOrderByCustomer")
                .unwrap()
                .to_string(),
            "first"
        );
        // The second was decided on the old state.
        assert_eq!(world.refused(update("second")).await, "conflict");
        assert_eq!(world.sap.counters().updates, 1);
        assert_eq!(
            world
                .sap
                .field(Table::SalesOrder, "5", "PurchaseOrderByCustomer")
                .unwrap(),
            "first"
        );
    }
}

#[tokio::test]
async fn a_change_between_the_check_and_the_write_is_refused_by_the_server() {
    for version in BOTH {
        let world = World::new(version).await;
        let before = read(&world, "5").await;
        // The base still holds when it is looked at, and no longer when the write arrives.
        let mut stale = Fault::text(
            412,
            "application/json",
            r#"{"error":{"code":"/IWBEP/CM_V4_RUNTIME/019","message":"Precondition failed"}}"#,
        );
        if let Fault::Answer(answer) = &mut stale {
            answer.headers.push(("x-test".into(), "1".into()));
        }
        world.sap.faults().next("update", stale);
        let update = Update::of(&before).set_from(&before, "PurchaseOrderByCustomer", "x");
        assert_eq!(world.refused(update).await, "conflict");
        assert_eq!(world.sap.counters().updates, 0);
    }
}

#[tokio::test]
async fn records_without_declared_concurrency_are_held_against_their_old_values() {
    for version in BOTH {
        let world = World::new(version).await;
        let at = RecordRef::new(world.words.purchase, "4500000000");
        let before = world
            .erp
            .get(&at, &Shape::of(["PurchasingGroup", "CorrespncExternalReference"]))
            .await
            .unwrap();
        assert!(before.etag().is_none());
        let update = || Update::of(&before).set_from(&before, "PurchasingGroup", "002");
        world.done(update()).await;
        assert_eq!(world.refused(update()).await, "conflict");
        assert_eq!(world.sap.counters().updates, 1);
        world.sap.remove(Table::PurchaseOrder, "4500000000");
        assert_eq!(world.refused(update()).await, "not_found");
    }
}

#[tokio::test]
async fn an_update_whose_answer_was_lost_is_found_by_what_the_record_holds() {
    for version in BOTH {
        let world = World::new(version).await;
        let before = read(&world, "6").await;
        world.sap.faults().next("update", Fault::CutAfter);
        let update = Update::of(&before).set_from(&before, "PurchaseOrderByCustomer", "found");
        let intent = world.write(update).await;
        assert_eq!(intent.state, IntentState::Sent, "{:?}", intent.reason);
        assert_eq!(world.sap.counters().updates, 1);
    }
}

#[tokio::test]
async fn locks_validation_and_permission_are_told_apart_with_their_messages() {
    for version in BOTH {
        let world = World::new(version).await;
        world.sap.lock(Table::SalesOrder, "7");
        let before = read(&world, "7").await;
        let update = || Update::of(&before).set_from(&before, "PurchaseOrderByCustomer", "x");
        let intent = world.write(update()).await;
        assert_eq!(
            (intent.state, intent.reason.as_deref()),
            (IntentState::Ready, Some("locked")),
            "it waits its turn"
        );
        assert_eq!(world.sap.counters().updates, 0);
        world.sap.unlock(Table::SalesOrder, "7");
        for _ in 0..4 {
            world.clock.leap(std::time::Duration::from_secs(600));
            world.outbox.drain().await.unwrap();
        }
        assert_eq!(world.sap.counters().updates, 1);

        let mut wrong = order(&world, "REQ-5").set("SalesOrderType", "XX");
        wrong
            .fields
            .retain(|(name, value)| !(name.as_str() == "SalesOrderType" && value.as_str() == Some("OR")));
        wrong.lines[0].rows[1][0].1 = "NOPE".into();
        let intent = world.write(wrong).await;
        let rejection = intent.rejection.unwrap();
        assert_eq!((&*rejection.code, rejection.status), ("rejected", Some(400)));
        let codes: Vec<_> = rejection.fields.iter().map(|field| field.code.as_str()).collect();
        assert_eq!(codes, ["V1/313", "V1/382"]);
        assert!(
            rejection
                .messages
                .iter()
                .any(|message| message.text.reveal().contains("NOPE"))
        );

        // What the metadata forbids is refused before anything is sent.
        let computed = Create::new(world.words.order)
            .set("SoldToParty", "1000000")
            .set("TotalNetAmount", decimal("1"));
        let requests = world.sap.counters().requests_of("create");
        assert_eq!(world.refused(computed).await, "rejected");
        let unknown = Create::new(world.words.order).set("NoSuchField", "1");
        assert_eq!(world.refused(unknown).await, "schema_mismatch");
        assert_eq!(world.sap.counters().requests_of("create"), requests);

        let reader = World::of(Sap::builder(), version, READER).await;
        assert_eq!(reader.refused(order(&reader, "REQ-6")).await, "permission_denied");
        assert_eq!(reader.sap.counters().effects(), 0);
    }
}

#[tokio::test]
async fn a_lock_told_as_a_plain_400_is_a_lock_by_its_code() {
    for version in BOTH {
        let world = World::of(Sap::builder().lock_status(400), version, WRITER).await;
        world.sap.lock(Table::SalesOrder, "7");
        let before = read(&world, "7").await;
        let update = Update::of(&before).set_from(&before, "PurchaseOrderByCustomer", "x");
        assert_eq!(world.write(update).await.reason.as_deref(), Some("locked"));
        assert_eq!(world.sap.counters().updates, 0);
    }
}

#[tokio::test]
async fn a_document_is_deleted_where_it_may_be() {
    for version in BOTH {
        let world = World::new(version).await;
        let before = read(&world, "8").await;
        world.sap.faults().next("delete", Fault::CutAfter);
        let intent = world.write(Delete::of(&before)).await;
        assert_eq!(intent.state, IntentState::Sent, "gone is gone: {:?}", intent.reason);
        assert_eq!(world.sap.counters().deletes, 1);
        let invoice = if version == Version::V2 {
            "A_BillingDocument"
        } else {
            "BillingDocument"
        };
        let at = RecordRef::new(invoice, "90000000");
        let invoice = world.erp.get(&at, &Shape::usual()).await.unwrap();
        assert_eq!(world.refused(Delete::of(&invoice)).await, "unsupported");
    }
}

#[tokio::test]
async fn actions_are_called_with_their_record() {
    for version in BOTH {
        let world = World::new(version).await;
        let before = read(&world, "9").await;
        let mut call = ActionCall::on(&before, "RELEASEapprovalRequest");
        if version == Version::V4 {
            call = call.with("Note", "fine");
        }
        world.done(call).await;
        assert_eq!(world.sap.counters().actions, 1);
        let unknown = ActionCall::on(&before, "explode");
        assert_eq!(world.refused(unknown).await, "schema_mismatch");
    }
}

#[tokio::test]
async fn a_batch_tells_what_became_of_each_part() {
    for version in BOTH {
        let world = World::new(version).await;
        let wrong = || order(&world, "REQ-9").set("SoldToParty", "9999999");
        let wrong = || {
            let mut create = wrong();
            create
                .fields
                .retain(|(name, value)| !(name.as_str() == "SoldToParty" && value.as_str() == Some("1000000")));
            create
        };
        // All together: the second is refused, so nothing is left of the first.
        let all = Batch::atomic([Write::Create(order(&world, "REQ-7")), wrong().into()]);
        assert_eq!(world.refused(all).await, "rejected");
        assert_eq!(world.sap.counters().creates, 0, "{version:?}");
        // Each for itself.
        let each = Batch::independent([
            Write::Create(order(&world, "REQ-8")),
            wrong().into(),
            order(&world, "REQ-10").into(),
        ]);
        let written = world.done(each).await;
        let kinds: Vec<_> = written
            .parts
            .iter()
            .map(|part| match part {
                PartOutcome::Done(written) => written.key.clone().unwrap().to_string(),
                PartOutcome::Rejected(rejection) => rejection.fields[0].code.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        // Numbers of what was rolled back are used again by the mock, not by an SAP system.
        assert_eq!(kinds, ["900000", "VP/204", "900001"], "{version:?}");
        assert_eq!(world.sap.counters().creates, 2);
        // One that succeeds as a whole.
        let both = Batch::atomic([Write::Create(order(&world, "REQ-11")), order(&world, "REQ-12").into()]);
        let written = world.done(both).await;
        assert!(written.parts.iter().all(|part| matches!(part, PartOutcome::Done(_))));
        assert_eq!(world.sap.counters().creates, 4);
    }
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_found_part_by_part() {
    for version in BOTH {
        for fault in [Fault::CutAfter, Fault::Truncate(200), Fault::HtmlAfter] {
            let world = World::new(version).await;
            world.sap.faults().next("batch", fault.clone());
            let both = Batch::atomic([Write::Create(order(&world, "REQ-13")), order(&world, "REQ-14").into()]);
            let intent = world.write(both).await;
            assert_eq!(
                intent.state,
                IntentState::Sent,
                "{version:?} {fault:?} {:?}",
                intent.reason
            );
            assert_eq!(world.sap.counters().creates, 2, "{version:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_draft_is_made_changed_and_activated() {
    let world = World::new(Version::V4).await;
    let list = Query::of("Requisition").select(["Requisition", "Title"]);
    assert_eq!(world.erp.read(&list, None).await.unwrap().items.len(), 1);
    let draft = Create::new("Requisition")
        .set("Requisition", "REQ-2")
        .set("Total", decimal("10.50"));
    let written = world.done(draft).await;
    let draft = written.record.unwrap();
    assert_eq!(draft.value("IsActiveEntity").unwrap().as_bool(), Some(false));
    // Lists give active records only, unless the draft is asked for.
    let page = world.erp.read(&list, None).await;
    let page = page.unwrap_or_else(|error| {
        panic!(
            "{:?}",
            error
                .messages()
                .iter()
                .map(|m| m.text.reveal().to_owned())
                .collect::<Vec<_>>()
        )
    });
    assert_eq!(page.items.len(), 1);
    let drafts = list.clone().filter(field("IsActiveEntity").equals(false));
    assert_eq!(world.erp.read(&drafts, None).await.unwrap().items.len(), 1);

    // Validation comes with activation.
    let early = ActionCall::on(&draft, "draftActivate");
    assert_eq!(world.refused(early).await, "rejected");
    let named = world
        .done(Update::of(&draft).set_from(&draft, "Title", "Spare parts"))
        .await;
    let draft = named.record.unwrap();
    let activated = world.done(ActionCall::on(&draft, "draftActivate")).await;
    let key = activated.key.unwrap();
    assert_eq!(
        key.part("IsActiveEntity"),
        Some("true"),
        "the real record has another key"
    );
    assert_eq!(world.sap.counters().activations, 1);
    assert_eq!(world.erp.read(&list, None).await.unwrap().items.len(), 2);
    let at = RecordRef::new("Requisition", "REQ-2");
    let active = world.erp.get(&at, &Shape::usual()).await.unwrap();
    assert_eq!(active.value("Total").unwrap().as_decimal(), Some(decimal("10.5")));

    // Edit: a second draft of the same is a conflict.
    world.done(ActionCall::on(&active, "draftEdit")).await;
    assert_eq!(world.refused(ActionCall::on(&active, "draftEdit")).await, "conflict");
}

#[tokio::test]
async fn a_common_document_is_found_by_number_and_reference() {
    for version in BOTH {
        let world = World::new(version).await;
        let by_number: SalesOrder = world
            .erp
            .find_document(&DocumentRef::number("3"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(by_number.lines.len(), 3);
        let by_reference: Option<SalesOrder> = world
            .erp
            .find_document(&DocumentRef::reference("CUST-0003"))
            .await
            .unwrap();
        assert_eq!(by_reference.unwrap().number, by_number.number);
        assert!(
            world
                .erp
                .find_document::<SalesOrder>(&DocumentRef::number("4711"))
                .await
                .unwrap()
                .is_none()
        );
    }
}

#[tokio::test]
async fn keys_in_addresses_are_read_back() {
    let world = World::new(Version::V2).await;
    let at = RecordRef::new(
        "A_SalesOrderItem",
        RecordKey::composite([("SalesOrder", "3"), ("SalesOrderItem", "20")]),
    );
    let item = world.erp.get(&at, &Shape::usual()).await.unwrap();
    assert_eq!(item.key(), &at.key);
    assert_eq!(item.value("Material").unwrap(), &Value::from("TG0010"));
}
