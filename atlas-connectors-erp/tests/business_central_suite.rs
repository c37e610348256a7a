//! The contract of ERP connectors, told by the core's suite, on the connector of Business Central and the mock behind it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::erp::{
    Create, Decimal, DocumentField, DocumentKind, DocumentRef, Expectation, ExpectedEntity, FieldKind, FieldName,
    Lines, RecordKey, RecordRef, Relation, Value, Verb,
};
use atlas_connectors::testkit::server::{Fault, Match};
use atlas_connectors::testkit::suites::{ErpStory, ErpWorld, LostAnswer, StoryOrder, erp};
use atlas_connectors::{Identity, Result};
use atlas_connectors_erp::business_central::{ClientIds, document_map};
use atlas_connectors_erp::mock::BusinessCentral;
use atlas_connectors_erp::mock::business_central::{COMPANY, Rights, TENANT};

#[path = "business_central/support.rs"]
mod support;

/// Purchase orders have no field for a reference in the standard API: here the host has chosen this one.
const REFERENCE: &str = "shipToContact";

#[derive(Debug)]
struct World(BusinessCentral);

#[async_trait]
impl ErpWorld for World {
    fn story(&self) -> ErpStory {
        let days = ["2026-12-01", "2026-12-02", "2026-12-03"].map(|day| day.parse().unwrap());
        let vendor = DocumentRef::number("V100001");
        let item = DocumentRef::number("1896-S");
        let listing = ("items", "displayName", "unitPrice");
        let mut story = ErpStory::new("Trey Research 2", vendor, item, listing, "requestedReceiptDate", days);
        story.open_orders = vec![StoryOrder::new("S-ORD100001", 2), StoryOrder::new("S-ORD100002", 2)];
        story.other_orders = vec!["S-ORD100004".to_owned()];
        story.expectation = Expectation::new("purchasing").entity(
            ExpectedEntity::new("purchaseOrders")
                .verbs([Verb::Read, Verb::Create, Verb::Update])
                .field("requestedReceiptDate", FieldKind::Date)
                .states("status", ["Draft", "In Review", "Open"])
                .action("Microsoft.NAV.receiveAndInvoice"),
        );
        story.adjusted = Some(("currencyCode".into(), "eur".into(), "EUR".into()));
        let digits: Decimal = "1234567890123456789.123456789".parse().unwrap();
        story.exact = Some(("discountAmount".into(), digits));
        let invoice = Create::new("purchaseInvoices").set("vendorNumber", "V100001");
        story.forbidden = Some(invoice.into());
        let nameless = Create::new("customers").set("displayName", "");
        story.refused = Some((nameless.into(), Some("displayName".into())));
        story.deletes = true;
        story
    }

    fn new_order(&self, reference: &str, vendor: &RecordKey, item: &RecordKey) -> Option<Create> {
        let line = [
            ("lineType", "Item".into()),
            ("itemId", Value::from(Relation::to(item.clone()))),
            ("quantity", 3.into()),
        ];
        let create = Create::new("purchaseOrders")
            .set("vendorId", Value::from(Relation::to(vendor.clone())))
            .lines(Lines::new("purchaseOrderLines").row(line));
        Some(create.with_natural_key(REFERENCE, reference))
    }

    async fn effects(&self) -> Result<Option<u64>> {
        Ok(Some(self.0.counters().effects()))
    }

    async fn requests(&self) -> Result<Option<u64>> {
        Ok(Some(self.0.counters().requests.values().sum()))
    }

    async fn change(&self, at: &RecordRef, field: &FieldName, value: &Value) -> Result<bool> {
        let changes = serde_json::json!({ field.as_str(): value.to_string() }).to_string();
        Ok(self.0.edit(COMPANY, at.entity.as_str(), &at.key.to_string(), &changes))
    }

    async fn insert(&self) -> Result<Option<RecordKey>> {
        let id = self
            .0
            .put(COMPANY, "items", r#"{"displayName":"Somebody else's","unitPrice":7}"#);
        Ok(id.map(RecordKey::from))
    }

    async fn delete(&self, at: &RecordRef) -> Result<bool> {
        Ok(self.0.erase(COMPANY, at.entity.as_str(), &at.key.to_string()))
    }

    async fn lose(&self, answer: LostAnswer) -> Result<bool> {
        let fault = match answer {
            LostAnswer::BeforeTheEffect => Fault::CutBefore,
            _ => Fault::CutAfter,
        };
        self.0
            .faults()
            .next(Match::when(|request| request.method != "GET"), fault);
        Ok(true)
    }
}

async fn tell(ids: ClientIds) {
    let service = BusinessCentral::start().await;
    service.add_user(
        "buyer@contoso.example",
        "buyer",
        TENANT,
        Rights::full().without("purchaseInvoices"),
    );
    let mut documents = document_map();
    for table in &mut documents.tables {
        if table.kind == DocumentKind::PurchaseOrder {
            table.fields.push((DocumentField::Reference, REFERENCE.into()));
        }
    }
    let connector = support::builder(&service, "buyer")
        .with_documents(documents)
        .with_client_ids(ids)
        .build()
        .unwrap();
    let identity = Identity {
        subject: "oid-1".to_owned(),
        address: None,
        tenant: Some("tid-1".to_owned()),
    };
    erp(Arc::new(connector), &identity, &World(service.clone()))
        .await
        .unwrap();
    assert_eq!(service.faults().pending(), 0);
    assert_eq!(service.counters().default_company, 0);
}

#[tokio::test]
async fn the_contract_holds() {
    Box::pin(tell(ClientIds::Learned)).await;
}

#[tokio::test]
async fn the_contract_holds_where_ids_are_trusted() {
    Box::pin(tell(ClientIds::Trusted)).await;
}
