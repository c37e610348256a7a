//! Answers recorded from real tenants, and documented ones, read by the connector. They stay in the shared folder.

use atlas_connectors::erp::{ErpConnector as _, Expand, Query, RecordRef, Shape, Value};
use atlas_connectors::testkit::server::Fault;
use atlas_connectors_erp::business_central::webhooks::{ChangeType, Subscription, notifications};
use atlas_connectors_erp::mock::BusinessCentral;
use atlas_connectors_erp::mock::business_central::FULL;
use libtest_mimic::Failed;
use serde_json::Value as Json;

use super::support::builder;

/// The cases of this file.
pub(super) const CASES: &[&str] = &[
    "real-companies",
    "real-customer",
    "real-salesorders-expanded",
    "real-subscription",
    "real-webhook-notification",
    "doc-webhook-notification-collection",
    "doc-environments",
];

/// Gives the answer to the connector in place of the mock's own.
pub(super) async fn read(name: &str, case: &Json) -> Result<(), Failed> {
    let service = BusinessCentral::start().await;
    let erp = builder(&service, FULL).build().unwrap();
    let answer = Fault::json(200, &case["response"]["body"]);
    match name {
        "real-companies" => {
            service.faults().next("companies.list", answer);
            let names: Vec<String> = erp.companies().await?.into_iter().map(|company| company.name).collect();
            assert_eq!(names, ["My Company", "Demo Sp. z o.o."]);
        }
        "real-customer" => {
            service.faults().next("customers.get", answer);
            let at = RecordRef::new("customers", "34f03eee-2a32-f011-9a4a-7ced8d0ee6e7");
            let shape = Shape::of(["number", "blocked", "creditLimit", "currencyId", "taxAreaId"]);
            let record = erp.get(&at, &shape).await?;
            assert_eq!(record.value("blocked"), Some(&Value::Enum(String::new())));
            assert_eq!(record.value("currencyId"), Some(&Value::Null));
            assert_eq!(record.value("number"), Some(&Value::from("NA0007")));
            assert!(record.etag().unwrap().as_str().starts_with("W/\""));
        }
        "real-salesorders-expanded" => {
            service.faults().next("salesOrders.list", answer);
            let lines = Expand::of("salesOrderLines").select(["quantity", "amountIncludingTax"]);
            let query = Query::of("salesOrders")
                .select(["number", "status", "requestedDeliveryDate"])
                .expand(lines);
            let page = erp.read(&query, None).await?;
            assert!(!page.items.is_empty());
            for record in &page.items {
                let lines = record.value("salesOrderLines").and_then(Value::as_records).unwrap();
                assert!(
                    lines
                        .iter()
                        .all(|line| line.value("quantity").and_then(Value::as_decimal).is_some())
                );
            }
        }
        "real-subscription" => {
            let made = Subscription::read(case["response"]["body"].to_string().as_bytes())?;
            assert_eq!((made.resource.entity(), made.id.len()), (Some("items"), 32));
            assert_eq!(made.renewal_due().to_string(), "2025-10-01T09:58:45Z");
        }
        "real-webhook-notification" | "doc-webhook-notification-collection" => {
            let notices = notifications(case["request"]["body"].to_string().as_bytes())?;
            let [notice] = notices.as_slice() else {
                return Err("one notice is expected".into());
            };
            match name {
                "real-webhook-notification" => {
                    assert_eq!(
                        (&notice.change, notice.resource.entity()),
                        (&ChangeType::Updated, Some("items"))
                    );
                    assert!(notice.resource.key().is_some() && notice.is_from(&"testClientState".into()));
                }
                _ => {
                    assert_eq!(
                        (&notice.change, notice.resource.entity()),
                        (&ChangeType::Collection, Some("salesInvoices"))
                    );
                    assert!(notice.resource.changed_after().is_some());
                }
            }
        }
        "doc-environments" => {
            service.faults().next("environments", answer);
            let environments = erp.environments().await?;
            assert_eq!(
                (&*environments[0].name, &*environments[0].kind),
                ("Production", "Production")
            );
        }
        _ => return Err("no such case".into()),
    }
    Ok(())
}
