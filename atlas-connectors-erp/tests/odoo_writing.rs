//! Writing to an Odoo through gate and outbox: both recorded versions, over HTTP, counted by the mock.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

mod odoo_world;

use std::sync::Arc;

use atlas_connectors::action::{IntentState, Proposal};
use atlas_connectors::erp::{
    ActionCall, Create, Decimal, Delete, DocumentKind, ErpConnector as _, ErpConnectorExt as _, Lines, NewLine,
    NewOrder, PurchaseOrder, Query, Record, RecordRef, Relation, Shape, Update, Value, Write, field,
};
use atlas_connectors::testkit::server::Fault;
use atlas_connectors_erp::mock::odoo::Version;
use atlas_connectors_erp::odoo::wire::Json;
use atlas_connectors_erp::odoo::{activity, attachment, note};
use odoo_world::{BOTH, World};

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A purchase order with two lines.
fn order() -> Create {
    Create::new("purchase.order")
        .set("partner_id", Relation::to(8_i64))
        .lines(
            Lines::new("order_line")
                .row([
                    ("product_id", Value::from(Relation::to(5_i64))),
                    ("product_qty", decimal("3").into()),
                    ("price_unit", decimal("12.345").into()),
                ])
                .row([
                    ("product_id", Value::from(Relation::to(6_i64))),
                    ("product_qty", decimal("2").into()),
                ]),
        )
        .with_natural_key("partner_ref", "REQ-4711")
}

async fn read(world: &World, entity: &str, id: i64, fields: &[&str]) -> Record {
    let at = RecordRef::new(entity, id);
    world.erp.get(&at, &Shape::of(fields.iter().copied())).await.unwrap()
}

#[tokio::test]
async fn an_order_is_created_once_with_its_lines() {
    for version in BOTH {
        let world = World::new(version).await;
        let written = world.done(order()).await;
        assert_eq!(world.odoo.created("purchase.order"), 1);
        assert_eq!(world.odoo.created("purchase.order.line"), 2);
        let id: i64 = written.key.unwrap().to_string().parse().unwrap();
        let record = written.record.unwrap();
        assert_eq!(record.value("partner_ref").unwrap().to_string(), "REQ-4711");
        assert!(record.value("name").unwrap().to_string().starts_with('P'));
        assert!(written.adjusted.is_empty(), "{:?}", written.adjusted);
        assert_eq!(
            world.odoo.stored("purchase.order", id, "partner_id"),
            Some(Json::int(8))
        );
    }
}

#[tokio::test]
async fn a_create_cut_off_in_the_middle_is_found_and_not_repeated() {
    for version in BOTH {
        for fault in [Fault::CutAfter, Fault::HangAfter, Fault::HtmlAfter, Fault::Truncate(30)] {
            let world = World::new(version).await;
            world.odoo.faults().next("purchase.order.load", fault.clone());
            let intent = world.write(order()).await;
            assert_eq!(
                intent.state,
                IntentState::Sent,
                "{version:?} {fault:?} {:?}",
                intent.reason
            );
            assert_eq!(world.odoo.created("purchase.order"), 1, "{version:?} {fault:?}");
            assert_eq!(world.odoo.created("purchase.order.line"), 2, "{version:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_create_that_never_arrived_is_made_once() {
    for version in BOTH {
        for fault in [Fault::CutBefore, Fault::html(502), Fault::html(504)] {
            let world = World::new(version).await;
            world.odoo.faults().next("purchase.order.load", fault.clone());
            let intent = world.write(order()).await;
            assert_eq!(
                intent.state,
                IntentState::Sent,
                "{version:?} {fault:?} {:?}",
                intent.reason
            );
            assert_eq!(world.odoo.created("purchase.order"), 1, "{version:?} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_create_that_loses_against_another_transaction_is_tried_again() {
    for version in BOTH {
        let world = World::new(version).await;
        world.odoo.lose_loads("purchase.order", 2);
        let intent = world.write(order()).await;
        assert_eq!(intent.state, IntentState::Sent, "{version:?} {:?}", intent.reason);
        assert_eq!(world.odoo.created("purchase.order"), 1);
    }
}

#[tokio::test]
async fn the_story_by_common_names() {
    for version in BOTH {
        let world = World::new(version).await;
        let table = world
            .erp
            .documents()
            .table(DocumentKind::PurchaseOrder)
            .unwrap()
            .clone();
        let new = NewOrder::new(DocumentKind::PurchaseOrder, 8_i64, "REQ-1")
            .line(NewLine::new(5_i64, decimal("10")).at(decimal("55")))
            .line(NewLine::new(6_i64, decimal("1")).saying("Lamp, blue"));
        world.done(table.create(&new).unwrap()).await;
        let reference = atlas_connectors::erp::DocumentRef::reference("REQ-1");
        let made: PurchaseOrder = world.erp.find_document(&reference).await.unwrap().unwrap();
        assert_eq!(made.vendor.name.as_deref(), Some("Wood Corner"));
        assert_eq!(made.lines.len(), 2);
        assert_eq!(made.lines[1].description.as_deref(), Some("Lamp, blue"));
        assert_eq!(made.net.clone().unwrap(), decimal("585"));
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_before_the_call() {
    for version in BOTH {
        let world = World::new(version).await;
        world
            .erp
            .read(&Query::of("sale.order").select(["name"]), None)
            .await
            .unwrap();
        let create = |name: &str, value: Value| {
            Create::new("sale.order")
                .set("partner_id", Relation::to(9_i64))
                .set(name, value)
        };
        for (write, code) in [
            (create("x_studio_gone", "a".into()), "schema_mismatch"),
            (create("x_studio_stage", "zzz".into()), "schema_mismatch"),
            (create("commitment_date", "2026-01-02T03:04:05Z".into()), "invalid"),
            (create("user_id", "Mitchell Admin".into()), "invalid"),
            (create("amount_total", decimal("1").into()), "invalid"),
            (create("client_order_ref", "a\0b".into()), "invalid"),
            (Create::new("sale.order").set("partner_id", decimal("20.0")), "invalid"),
        ] {
            let intent = world.write(write.clone()).await;
            assert_eq!(intent.state, IntentState::NotSent, "{write:?} {:?}", intent.reason);
            assert_eq!(
                intent.rejection.map(|rejection| rejection.code.to_string()).as_deref(),
                Some(code),
                "{write:?}"
            );
        }
        assert_eq!(world.odoo.effects(), 0);
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    for version in BOTH {
        // By permission: `load` says so in a text only.
        let world = World::of(version, "atlas.limited", "limited-key").await;
        let contact = Create::new("res.partner").set("name", "Nobody");
        assert_eq!(world.refused(contact).await, "permission_denied");
        assert_eq!(world.odoo.effects(), 0);
        // By validation, with what it says to people.
        let world = World::new(version).await;
        let nameless = Create::new("purchase.order").set("partner_ref", "x");
        let intent = world.write(nameless).await;
        let rejection = intent.rejection.unwrap();
        assert_eq!(&*rejection.code, "rejected");
        assert!(rejection.messages[0].text.reveal().contains("Vendor"), "{version:?}");
        // By a lock, for as long as it is held.
        let partner = read(&world, "res.partner", 9, &["city"]).await;
        world.odoo.lock("res.partner", 9);
        let update = Update::of(&partner).set_from(&partner, "city", "Lyon");
        let intent = world.write(update).await;
        assert_ne!(intent.state, IntentState::Sent);
        assert_eq!(world.odoo.written("res.partner"), 0);
    }
}

#[tokio::test]
async fn an_update_goes_only_from_the_state_it_was_decided_on() {
    for version in BOTH {
        let world = World::new(version).await;
        let partner = read(&world, "res.partner", 9, &["city", "country_id"]).await;
        let update = Update::of(&partner).set_from(&partner, "city", "Lyon").set_from(
            &partner,
            "country_id",
            Relation::to(75_i64),
        );
        let written = world.done(update).await;
        assert_eq!(written.record.unwrap().value("city").unwrap().to_string(), "Lyon");
        assert_eq!(world.odoo.stored("res.partner", 9, "country_id"), Some(Json::int(75)));

        // Somebody else was there meanwhile.
        let partner = read(&world, "res.partner", 9, &["city"]).await;
        world.odoo.change("res.partner", 9, "city", Json::text("Nice"));
        let update = Update::of(&partner).set_from(&partner, "city", "Paris");
        assert_eq!(world.refused(update).await, "conflict");
        // Gone altogether.
        let partner = read(&world, "res.partner", 15, &["city"]).await;
        world.odoo.remove("res.partner", 15);
        let update = Update::of(&partner).set_from(&partner, "city", "Paris");
        assert_eq!(world.refused(update).await, "not_found");
        assert_eq!(world.odoo.written("res.partner"), 1);
    }
}

#[tokio::test]
async fn what_the_server_changed_on_the_way_in_is_told() {
    for version in BOTH {
        let world = World::new(version).await;
        let line = read(&world, "sale.order.line", 1, &["product_uom_qty", "discount"]).await;
        let update = Update::of(&line)
            .set_from(&line, "product_uom_qty", decimal("1.23456"))
            .set_from(&line, "discount", decimal("3"));
        let written = world.done(update).await;
        assert_eq!(written.adjusted.len(), 1);
        assert_eq!(written.adjusted[0].field.as_str(), "product_uom_qty");
        assert_eq!(written.adjusted[0].stored.to_string(), "1.23");
    }
}

#[tokio::test]
async fn many_digits_go_in_and_come_back() {
    for version in BOTH {
        let world = World::new(version).await;
        let exact = "1234567890123456789012345.678";
        let sale = Create::new("sale.order")
            .set("partner_id", Relation::to(9_i64))
            .set("x_atlas_amount", decimal(exact));
        let written = world.done(sale).await;
        let order = written.record.unwrap();
        assert_eq!(order.value("x_atlas_amount").unwrap().to_string(), exact);
        assert!(written.adjusted.is_empty());
        let more = "9999999999999999999999999.125";
        let update = Update::of(&order).set_from(&order, "x_atlas_amount", decimal(more));
        let written = world.done(update).await;
        assert_eq!(
            written.record.unwrap().value("x_atlas_amount").unwrap().to_string(),
            more
        );
        let found = Query::of("sale.order")
            .select(["name"])
            .filter(field("x_atlas_amount").equals(decimal(more)));
        assert_eq!(world.erp.read_all(&found).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_update_with_a_lost_answer_is_found_by_comparing() {
    for version in BOTH {
        let world = World::new(version).await;
        let partner = read(&world, "res.partner", 9, &["city"]).await;
        world.odoo.faults().next("res.partner.write", Fault::CutAfter);
        let intent = world
            .write(Update::of(&partner).set_from(&partner, "city", "Lyon"))
            .await;
        assert_eq!(intent.state, IntentState::Sent, "{:?}", intent.reason);
        assert_eq!(world.odoo.written("res.partner"), 1);
        let partner = read(&world, "res.partner", 9, &["city"]).await;
        world.odoo.faults().next("res.partner.write", Fault::CutBefore);
        let intent = world
            .write(Update::of(&partner).set_from(&partner, "city", "Nice"))
            .await;
        assert_eq!(intent.state, IntentState::Sent, "{:?}", intent.reason);
        assert_eq!(world.odoo.written("res.partner"), 2);
    }
}

#[tokio::test]
async fn a_deletion_is_done_once_and_a_missing_record_is_no_failure() {
    for version in BOTH {
        let world = World::new(version).await;
        let draft = read(&world, "purchase.order", 1, &["name", "state"]).await;
        world.odoo.faults().next("purchase.order.unlink", Fault::CutAfter);
        let intent = world.write(Delete::of(&draft)).await;
        assert_eq!(intent.state, IntentState::Sent, "{:?}", intent.reason);
        assert_eq!(world.odoo.deleted("purchase.order"), 1);
        // A confirmed order stays.
        let confirmed = read(&world, "purchase.order", 2, &["name", "state"]).await;
        assert_eq!(world.refused(Delete::of(&confirmed)).await, "rejected");
    }
}

#[tokio::test]
async fn a_step_is_taken_once_and_a_dialog_is_no_step() {
    for version in BOTH {
        let world = World::new(version).await;
        let order = read(&world, "sale.order", 1, &["name", "state"]).await;
        world.odoo.faults().next("sale.order.action_confirm", Fault::CutAfter);
        let intent = world.write(ActionCall::on(&order, "action_confirm")).await;
        assert_eq!(intent.state, IntentState::Sent, "{:?}", intent.reason);
        assert_eq!(world.odoo.acted("sale.order"), 1);

        // 18 asks a person before it cancels a confirmed order, 19 does it.
        let order = read(&world, "sale.order", 1, &["name", "state"]).await;
        let intent = world.write(ActionCall::on(&order, "action_cancel")).await;
        match version {
            Version::V18 => {
                assert_eq!(&*intent.rejection.unwrap().code, "needs_interaction");
                assert_eq!(world.odoo.stored("sale.order", 1, "state"), Some(Json::text("sale")));
            }
            _ => assert_eq!(intent.state, IntentState::Sent),
        }
        let order = read(&world, "sale.order", 2, &["name", "state"]).await;
        let mail = ActionCall::on(&order, "action_quotation_send");
        assert_eq!(world.refused(mail).await, "needs_interaction");
        let private = ActionCall::on(&order, "_compute_amounts");
        assert_eq!(world.refused(private).await, "invalid");
        let write = ActionCall::on(&order, "unlink");
        assert_eq!(world.refused(write).await, "invalid");
        let unknown = ActionCall::on(&order, "action_nosuch");
        assert_eq!(world.refused(unknown).await, "unsupported");
    }
}

#[tokio::test]
async fn notes_activities_and_files_are_left_once() {
    for version in BOTH {
        let world = World::new(version).await;
        let order = read(&world, "sale.order", 1, &["name", "state"]).await;
        world.odoo.faults().next("sale.order.message_post", Fault::CutAfter);
        let intent = world.write(note(&order, "Checked <b>by</b> Atlas")).await;
        assert_eq!(intent.state, IntentState::Sent, "{:?}", intent.reason);
        assert_eq!(world.odoo.posted("sale.order"), 1);
        let message = *world.odoo.ids("mail.message").last().unwrap();
        assert_eq!(
            world.odoo.stored("mail.message", message, "subtype_id"),
            Some(Json::int(2))
        );
        // A note moves nothing: the next write from the same state still goes.
        world
            .odoo
            .faults()
            .next("sale.order.activity_schedule", Fault::HangAfter);
        let intent = world.write(activity(&order, "Look at the price", Some(2), None)).await;
        assert_eq!(intent.state, IntentState::Sent, "{:?}", intent.reason);
        assert_eq!(world.odoo.created("mail.activity"), 1);

        let file = attachment(&order, "offer.pdf", "application/pdf", &b"%PDF-1.4 atlas\n"[..]);
        world.odoo.faults().next("ir.attachment.create", Fault::CutAfter);
        let intent = world.write(file).await;
        assert_eq!(intent.state, IntentState::Sent, "{:?}", intent.reason);
        assert_eq!(world.odoo.created("ir.attachment"), 1);
        let written = intent.outcome_of::<Write>().unwrap();
        assert!(written.adjusted.is_empty(), "{:?}", written.adjusted);
    }
}

#[tokio::test]
async fn a_batch_is_not_offered() {
    let world = World::new(Version::V19).await;
    let batch = atlas_connectors::erp::Batch::atomic([Write::from(order())]);
    assert_eq!(world.refused(batch).await, "unsupported");
    assert!(!world.erp.capabilities().batch);
}

#[tokio::test]
async fn parallel_creates_of_one_intent_make_one_record() {
    for version in BOTH {
        let world = Arc::new(World::new(version).await);
        let proposal = Proposal::new(&world.connection, "agent", "once");
        let gate = world.outbox.gate();
        let first = gate.propose(proposal.clone(), Write::from(order())).await.unwrap();
        let second = gate.propose(proposal, Write::from(order())).await.unwrap();
        assert_eq!(first.intent(), second.intent());
        let review = gate.review(&world.connection.tenant, first.intent()).await.unwrap();
        gate.approve(&world.connection.tenant, first.intent(), &"mia".into(), &review.digest)
            .await
            .unwrap();
        let dispatch = || world.outbox.dispatch(&world.connection.tenant, first.intent());
        let _ = tokio::join!(dispatch(), dispatch(), dispatch());
        assert_eq!(world.odoo.created("purchase.order"), 1, "{version:?}");
    }
}

#[tokio::test]
async fn a_create_that_load_cannot_carry_is_found_by_its_reference() {
    for version in BOTH {
        let signed = |reference: &str| {
            Create::new("sale.order")
                .set("partner_id", Relation::to(9_i64))
                .set("signature", bytes::Bytes::from_static(b"ink"))
                .lines(Lines::new("order_line").row([
                    ("product_id", Value::from(Relation::to(5_i64))),
                    ("product_uom_qty", decimal("2").into()),
                ]))
                .with_natural_key("client_order_ref", reference)
        };
        for fault in [Fault::CutAfter, Fault::CutBefore, Fault::HangAfter] {
            let world = World::new(version).await;
            world.odoo.faults().next("sale.order.create", fault.clone());
            let intent = world.write(signed("SIGNED-1")).await;
            assert_eq!(
                intent.state,
                IntentState::Sent,
                "{version:?} {fault:?} {:?}",
                intent.reason
            );
            assert_eq!(world.odoo.created("sale.order"), 1, "{version:?} {fault:?}");
            assert_eq!(world.odoo.created("sale.order.line"), 1, "{version:?} {fault:?}");
        }
        // Without anything to find it by it is not let out.
        let world = World::new(version).await;
        let unmarked = Create::new("sale.order")
            .set("partner_id", Relation::to(9_i64))
            .set("signature", bytes::Bytes::from_static(b"ink"));
        assert_eq!(world.refused(unmarked).await, "invalid");
        assert_eq!(world.odoo.effects(), 0);
    }
}

#[tokio::test]
async fn lists_are_replaced_and_lines_are_changed_by_their_keys() {
    for version in BOTH {
        let world = World::new(version).await;
        let tags = |ids: &[i64]| Value::List(ids.iter().map(|id| Value::from(Relation::to(*id))).collect());
        let create = Create::new("sale.order")
            .set("partner_id", Relation::to(9_i64))
            .set("tag_ids", tags(&[1, 2]));
        let key = world.done(create).await.key.unwrap();
        let id: i64 = key.to_string().parse().unwrap();
        assert_eq!(world.odoo.stored("sale.order", id, "tag_ids"), Some(Json::ids(&[1, 2])));

        let order = read(&world, "sale.order", 1, &["tag_ids", "order_line"]).await;
        let line = |key: &str, quantity: &str, product: Option<i64>| {
            let columns = atlas_connectors::erp::Columns::new(["product_uom_qty", "product_id"]);
            let product = product.map(Relation::to);
            Record::new(
                "sale.order.line".into(),
                key.into(),
                columns,
                vec![decimal(quantity).into(), product.into()],
            )
        };
        let keep = line("1", "7", Some(5));
        let add = line("new", "9", Some(6));
        let update = Update::of(&order).set_from(&order, "tag_ids", tags(&[2])).set_from(
            &order,
            "order_line",
            Value::Records(vec![keep, add]),
        );
        world.done(update).await;
        assert_eq!(world.odoo.stored("sale.order", 1, "tag_ids"), Some(Json::ids(&[2])));
        let quantity = world.odoo.stored("sale.order.line", 1, "product_uom_qty");
        assert_eq!(quantity, Some(Json::Number("7.0".into())));
        let shape =
            Shape::of(["name"]).expand(atlas_connectors::erp::Expand::of("order_line").select(["product_uom_qty"]));
        let order = world
            .erp
            .get(&RecordRef::new("sale.order", 1_i64), &shape)
            .await
            .unwrap();
        assert_eq!(order.value("order_line").unwrap().as_records().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_write_to_another_company_is_refused_by_the_server() {
    for version in BOTH {
        let world = World::new(version).await;
        let partner = read(&world, "res.partner", 9, &["city"]).await;
        let update = Update::of(&partner).set_from(&partner, "city", "Lyon").in_company("77");
        assert_eq!(world.refused(update).await, "permission_denied");
        assert_eq!(world.odoo.effects(), 0);
    }
}
