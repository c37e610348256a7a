//! The behaviour suite of every ERP, on the mock of SAP: V2 and V4.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod sap_world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use atlas_connectors::erp::{
    Create, DocumentRef, Expectation, ExpectedEntity, FieldKind, FieldName, RecordKey, RecordRef, Value,
};
use atlas_connectors::testkit::server::{Fault, Match, Request};
use atlas_connectors::testkit::suites::{ErpStory, ErpWorld, LostAnswer, StoryOrder, erp};
use atlas_connectors::{Identity, Result};
use atlas_connectors_erp::mock::Sap;
use atlas_connectors_erp::mock::sap::{PASSWORD, Table, WRITER};
use atlas_connectors_erp::odata::Version;
use sap_world::{BOTH, Words, basic, builder, words};

/// The rest of the world around the mock.
#[derive(Debug)]
struct Office {
    sap: Sap,
    version: Version,
    next: AtomicU64,
}

impl Office {
    fn words(&self) -> Words {
        words(self.version)
    }

    fn table(&self, at: &RecordRef) -> Table {
        let purchase = at.entity.as_str() == self.words().purchase;
        if purchase {
            Table::PurchaseOrder
        } else {
            Table::SalesOrder
        }
    }
}

#[async_trait]
impl ErpWorld for Office {
    fn story(&self) -> ErpStory {
        let words = self.words();
        let days = ["2026-12-01", "2026-12-02", "2026-12-03"].map(|day| day.parse().unwrap());
        let listing = (words.order, "PurchaseOrderByCustomer", "RequestedDeliveryDate");
        let (vendor, item) = (DocumentRef::name("Stahlhandel Nord"), DocumentRef::number("RM120"));
        let mut story = ErpStory::new("Precision Parts GmbH", vendor, item, listing, "PurchaseOrderDate", days);
        story.open_orders = vec![StoryOrder::new("1", 1), StoryOrder::new("2", 2)];
        story.other_orders = vec!["3".to_owned(), "6".to_owned()];
        story.also = vec![
            ("CompanyCode".into(), "1710".into()),
            ("PurchasingOrganization".into(), "1710".into()),
        ];
        story.price = Some("12.34".parse().unwrap());
        story.expectation = Expectation::new("orders").entity(
            ExpectedEntity::new(words.purchase)
                .field("Supplier", FieldKind::Text)
                .field("PurchaseOrderDate", FieldKind::Date)
                .field("YY1_ExactAmount_PDH", FieldKind::Decimal)
                .field(words.purchase_items, FieldKind::Relations),
        );
        let exact = "1234567890123456789012345.678".parse().unwrap();
        story.exact = Some(("YY1_ExactAmount_PDH".into(), exact));
        story.adjusted = Some(("DocumentCurrency".into(), "eur".into(), "EUR".into()));
        let product = if self.version == Version::V2 {
            "A_Product"
        } else {
            "Product"
        };
        story.forbidden = Some(Create::new(product).set("Product", "NEW-1").into());
        let without_supplier = Create::new(words.purchase).set("PurchaseOrderType", "NB");
        story.refused = Some((without_supplier.into(), Some("Supplier".into())));
        story.deletes = true;
        story
    }

    async fn effects(&self) -> Result<Option<u64>> {
        Ok(Some(self.sap.counters().effects()))
    }

    async fn requests(&self) -> Result<Option<u64>> {
        Ok(Some(self.sap.counters().requests.values().sum()))
    }

    async fn change(&self, at: &RecordRef, field: &FieldName, value: &Value) -> Result<bool> {
        self.sap
            .edit(self.table(at), &at.key.to_string(), field.as_str(), &value.to_string());
        Ok(true)
    }

    async fn insert(&self) -> Result<Option<RecordKey>> {
        let number = self.next.fetch_add(1, Ordering::SeqCst).to_string();
        let fields = [
            ("SalesOrder", number.as_str()),
            ("SoldToParty", "1000000"),
            ("PurchaseOrderByCustomer", "Somebody new"),
        ];
        self.sap.insert(Table::SalesOrder, &fields);
        Ok(Some(RecordKey::single(number)))
    }

    async fn delete(&self, at: &RecordRef) -> Result<bool> {
        self.sap.remove(self.table(at), &at.key.to_string());
        Ok(true)
    }

    async fn lose(&self, answer: LostAnswer) -> Result<bool> {
        let fault = match answer {
            LostAnswer::BeforeTheEffect => Fault::CutBefore,
            _ => Fault::CutAfter,
        };
        self.sap.faults().next(Match::when(is_write), fault);
        Ok(true)
    }
}

fn is_write(request: &Request) -> bool {
    !matches!(request.method.as_str(), "GET" | "HEAD")
}

async fn holds(version: Version) {
    let sap = Sap::start().await.unwrap();
    sap.close(Table::Product);
    let connector = builder(sap.uri(), version, basic(WRITER, PASSWORD)).build().unwrap();
    let identity = Identity {
        subject: WRITER.to_owned(),
        address: None,
        tenant: None,
    };
    let world = Office {
        sap,
        version,
        next: AtomicU64::new(800_000),
    };
    let suite = Box::pin(erp(Arc::new(connector), &identity, &world));
    suite.await.unwrap();
}

#[tokio::test]
async fn every_sentence_holds_over_v2() {
    holds(BOTH[0]).await;
}

#[tokio::test]
async fn every_sentence_holds_over_v4() {
    holds(BOTH[1]).await;
}
