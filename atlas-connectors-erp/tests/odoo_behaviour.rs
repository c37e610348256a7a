//! The behaviour suite of every ERP, on the mock of Odoo: both recorded versions.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod odoo_world;

use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::erp::{
    Create, DocumentRef, Expectation, ExpectedEntity, FieldKind, FieldName, RecordKey, RecordRef, Value,
};
use atlas_connectors::testkit::server::{Fault, Match, Request};
use atlas_connectors::testkit::suites::{ErpStory, ErpWorld, LostAnswer, StoryAction, StoryOrder, erp};
use atlas_connectors::{Identity, Result};
use atlas_connectors_erp::mock::Odoo;
use atlas_connectors_erp::mock::odoo::Version;
use atlas_connectors_erp::odoo::wire::Json;
use odoo_world::{BOTH, builder};

/// The rest of the world around the mock.
#[derive(Debug)]
struct Office(Odoo);

const ORDERS: &str = "purchase.order";

fn id(key: &RecordKey) -> i64 {
    key.to_string().parse().unwrap()
}

#[async_trait]
impl ErpWorld for Office {
    fn story(&self) -> ErpStory {
        let days = ["2026-12-01", "2026-12-02", "2026-12-03"].map(|day| day.parse().unwrap());
        let listing = ("res.partner", "name", "customer_rank");
        let (vendor, item) = (DocumentRef::name("Wood Corner"), DocumentRef::number("FURN_7777"));
        let mut story = ErpStory::new("Acme Corporation", vendor, item, listing, "date_planned", days);
        story.company = Some("1".into());
        story.open_orders = vec![StoryOrder::new("S00003", 2), StoryOrder::new("S00004", 1)];
        story.other_orders = vec!["S00001".to_owned(), "S00002".to_owned()];
        story.expectation = Expectation::new("orders").entity(
            ExpectedEntity::new(ORDERS)
                .field("partner_id", FieldKind::Relation)
                .field("date_planned", FieldKind::Instant)
                .field("amount_total", FieldKind::Decimal)
                .field("order_line", FieldKind::Relations),
        );
        let exact = "1234567890123456789012345.678".parse().unwrap();
        story.exact = Some(("x_atlas_amount".into(), exact));
        let (asked, stored): (atlas_connectors::erp::Decimal, atlas_connectors::erp::Decimal) =
            ("2.34567".parse().unwrap(), "2.35".parse().unwrap());
        story.adjusted = Some(("x_atlas_weight".into(), asked.into(), stored.into()));
        story.action = Some(StoryAction::new("button_cancel", "state", "cancel"));
        story.forbidden = Some(Create::new("res.country").set("name", "Utopia").into());
        let without_vendor = Create::new(ORDERS).set("partner_ref", "without a vendor");
        story.refused = Some((without_vendor.into(), Some("partner_id".into())));
        story.deletes = true;
        story
    }

    async fn effects(&self) -> Result<Option<u64>> {
        let odoo = &self.0;
        let counts = [
            odoo.created(ORDERS),
            odoo.written(ORDERS),
            odoo.deleted(ORDERS),
            odoo.acted(ORDERS),
        ];
        Ok(Some(counts.iter().sum()))
    }

    async fn requests(&self) -> Result<Option<u64>> {
        Ok(Some(self.0.requests()))
    }

    async fn change(&self, at: &RecordRef, field: &FieldName, value: &Value) -> Result<bool> {
        let value = match value {
            Value::Date(day) => Json::Text(format!("{day} 00:00:00")),
            value => Json::text(value.as_str().unwrap()),
        };
        self.0.change(at.entity.as_str(), id(&at.key), field.as_str(), value);
        Ok(true)
    }

    async fn insert(&self) -> Result<Option<RecordKey>> {
        let values = [("name", Json::text("Somebody new")), ("active", Json::Bool(true))];
        Ok(Some(self.0.add("res.partner", &values).into()))
    }

    async fn delete(&self, at: &RecordRef) -> Result<bool> {
        self.0.remove(at.entity.as_str(), id(&at.key));
        Ok(true)
    }

    async fn lose(&self, answer: LostAnswer) -> Result<bool> {
        let fault = match answer {
            LostAnswer::BeforeTheEffect => Fault::CutBefore,
            _ => Fault::CutAfter,
        };
        self.0.faults().next(Match::when(is_write), fault);
        Ok(true)
    }
}

/// Whether a request writes, in either protocol.
fn is_write(request: &Request) -> bool {
    let body = String::from_utf8_lossy(&request.body);
    ["load", "write", "unlink", "create"].iter().any(|method| {
        let named = format!("\"{ORDERS}\",\"{method}\"");
        request.path.ends_with(&format!("/{ORDERS}/{method}")) || body.contains(&named)
    })
}

async fn holds(version: Version) {
    let odoo = Odoo::builder().version(version).start().await.unwrap();
    let connector = builder(&odoo, "atlas.bot", "bot-key")
        .with_company("1")
        .build()
        .unwrap();
    let identity = Identity {
        subject: "atlas.bot".to_owned(),
        address: None,
        tenant: None,
    };
    let world = Office(odoo);
    let suite = Box::pin(erp(Arc::new(connector), &identity, &world));
    suite.await.unwrap();
}

#[tokio::test]
async fn every_sentence_holds_over_json_rpc() {
    holds(BOTH[0]).await;
}

#[tokio::test]
async fn every_sentence_holds_over_json2() {
    holds(BOTH[1]).await;
}
