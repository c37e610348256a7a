//! What the ERP in memory does beyond the suite: orders, paths, rights, rules, companies, cursors.

use crate::erp::{
    Batch, CatalogScope, ChangePoint, Create, Decimal, ErpConnector, ErpConnectorExt as _, Expand, Query, Record,
    RecordKey, RecordRef, SalesOrder, Shape, Value, Write, field,
};
use crate::error::ErrorKind;
use crate::mail::SyncCursor;
use crate::page::PageToken;
use crate::testkit::erp::story::{ORDERS, erp};
use crate::testkit::{MemoryErp, RecordStates};

fn here() -> MemoryErp {
    erp(RecordStates::Etags)
}

fn texts(records: &[Record], name: &str) -> Vec<String> {
    records
        .iter()
        .map(|record| record.value_at(name).map(ToString::to_string).unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn any_order_is_kept_over_pages() {
    let erp = here();
    for (number, balance) in [("60", 10), ("70", -5), ("80", 7)] {
        let create = Create::new("customer").set("no", number).set("balance", balance);
        erp.put(&create).unwrap();
    }
    let query = Query::of("customer")
        .select(["no"])
        .order_by_descending("balance")
        .order_by("name")
        .page_size(2);
    let found = texts(&erp.read_all(&query).await.unwrap(), "no");
    // Equal balances by name, those without one first; then the lower ones.
    assert_eq!(found, ["60", "10", "30", "40", "50", "20", "80", "70"]);
    let four = erp.read_all(&query.clone().limit(4)).await.unwrap();
    assert_eq!(texts(&four, "no"), found[..4]);
    let counted = erp.read(&query.counted(), None).await.unwrap();
    assert_eq!((counted.items.len(), counted.estimate), (2, Some(8)));
    let forged = erp.read(&Query::of("customer"), Some(&PageToken::new("7"))).await;
    assert_eq!(forged.unwrap_err().code(), "invalid");
}

#[tokio::test]
async fn paths_lead_through_relations_and_lines_are_expanded() {
    let erp = here();
    let query = Query::of("sales.order")
        .select(["number", "customer_id.name"])
        .filter(
            field("customer_id.name")
                .equals("Adatum")
                .and(field("number").equals("SO-1")),
        )
        .expand(Expand::of("customer_id").select(["no"]))
        .expand(
            Expand::of("lines")
                .select(["quantity"])
                .expand(Expand::of("item_id").select(["name"])),
        );
    let found = erp.read_all(&query).await.unwrap();
    assert_eq!(texts(&found, "customer_id.name"), ["Adatum"]);
    assert_eq!(texts(&found, "customer_id.no"), ["10"]);
    let lines = found[0].value("lines").and_then(Value::as_records).unwrap();
    assert_eq!(texts(lines, "quantity"), ["1", "2"]);
    assert_eq!(texts(lines, "item_id.name"), ["Athens Desk", "Athens Desk"]);
    // Not expanded, lines are references.
    let listed = erp
        .read_all(&Query::of("sales.order").select(["lines"]).limit(1))
        .await
        .unwrap();
    assert!(matches!(listed[0].value("lines"), Some(Value::List(lines)) if lines.len() == 2));
}

#[tokio::test]
async fn a_sweep_finds_what_is_gone_by_numbers_too() {
    let erp = here();
    let listed = erp
        .read_all(&Query::of("sales.order").select(["number"]))
        .await
        .unwrap();
    let keys: Vec<RecordKey> = listed.iter().map(|record| record.key().clone()).collect();
    let entity = "sales.order".into();
    assert_eq!(erp.missing(&entity, None, &keys).await.unwrap(), []);
    erp.remove(&RecordRef::new("sales.order", keys[1].clone())).unwrap();
    assert_eq!(erp.missing(&entity, None, &keys).await.unwrap(), [keys[1].clone()]);
    // Lines go with their order.
    assert_eq!(erp.records("sales.line"), 3);
}

#[tokio::test]
async fn what_the_server_cannot_filter_is_done_here_and_said() {
    let erp = here();
    let mut catalog = crate::erp::Catalog::clone(&*erp.catalog(&CatalogScope::all()).await.unwrap());
    catalog.company = None;
    for entity in &mut catalog.entities {
        for field in &mut entity.fields {
            field.filterable = field.name.as_str() != "balance";
            field.sortable = field.filterable;
        }
        entity.support.counting = false;
    }
    erp.set_catalog(catalog);
    let query = Query::of("customer").filter(field("no").equals("10").and(field("balance").at_least(10)));
    let plan = erp.explain(&query).await.unwrap();
    assert_eq!(plan.on_client.len(), 1);
    assert_eq!(plan.on_client[0].what, "filter balance");
    assert_eq!(erp.read_all(&query).await.unwrap().len(), 1);
    for beyond in [query.clone().order_by("balance"), query.counted()] {
        assert_eq!(erp.read(&beyond, None).await.unwrap_err().code(), "unsupported");
    }
}

#[tokio::test]
async fn companies_do_not_see_each_other() {
    let erp = here();
    let abroad = Create::new("customer")
        .in_company("c2")
        .set("no", "10")
        .set("name", "Autre");
    erp.put(&abroad).unwrap();
    let names = |company: &'static str| {
        let erp = erp.clone();
        let query = Query::of("customer").in_company(company).select(["name"]);
        async move { texts(&erp.read_all(&query).await.unwrap(), "name") }
    };
    assert_eq!(names("c2").await, ["Autre"]);
    assert_eq!(names("c1").await.len(), 5);
    let nowhere = erp.read(&Query::of("customer").in_company("c9"), None).await;
    assert_eq!(nowhere.unwrap_err().code(), "not_found");
    let unsure = erp.with_companies([crate::erp::Company::new("c1", "Acme")], None);
    let asked = unsure.read(&Query::of("customer"), None).await.unwrap_err();
    assert_eq!(*asked.kind(), ErrorKind::Paused { why: "select_company" });
}

#[tokio::test]
async fn rights_are_per_verb_and_reads_can_fail() {
    let erp = here();
    let read = |erp: MemoryErp| async move { erp.read(&Query::of("customer"), None).await };
    erp.deny("customer", "read");
    assert_eq!(read(erp.clone()).await.unwrap_err().code(), "permission_denied");
    erp.allow("customer", "read");
    erp.fail_read(ErrorKind::Transient);
    assert_eq!(read(erp.clone()).await.unwrap_err().code(), "transient");
    assert_eq!(read(erp.clone()).await.unwrap().items.len(), 5);
    let gone = erp.get(&RecordRef::new("customer", "99"), &Shape::usual()).await;
    assert_eq!(gone.unwrap_err().code(), "not_found");
}

#[tokio::test]
async fn an_old_cursor_is_told_as_expired() {
    let erp = here();
    let query = Query::of("customer").select(["no"]);
    let first = erp.changes(&query, &ChangePoint::Beginning, None).await.unwrap();
    let since = ChangePoint::After(first.cursor.unwrap());
    assert!(erp.changes(&query, &since, None).await.unwrap().records.is_empty());
    erp.expire_cursors();
    let garbage = ChangePoint::After(SyncCursor::new("yesterday"));
    for old in [since, garbage] {
        let expired = erp.changes(&query, &old, None).await.unwrap_err();
        assert_eq!(expired.code(), "cursor_expired");
    }
}

#[test]
fn records_are_stored_as_their_fields_are() {
    let erp = here();
    let key = erp
        .put(
            &Create::new(ORDERS)
                .set("vendor_id", "V1")
                .set("state", "open")
                .set("total", 7),
        )
        .unwrap();
    let record = erp.peek(&RecordRef::new(ORDERS, key.clone())).unwrap();
    assert_eq!(record.value("state"), Some(&Value::Enum("open".into())));
    let vendor = record.value("vendor_id").and_then(Value::as_relation).unwrap();
    assert_eq!(vendor.entity.as_ref().map(|entity| entity.as_str()), Some("vendor"));
    assert_eq!(record.value("total"), Some(&Value::Decimal(Decimal::from(7))));
    let number = record.value("number").and_then(Value::as_str).unwrap();
    assert!(
        number.starts_with('P') && number.ends_with(&key.to_string()),
        "{number}"
    );
    assert!(record.etag().is_some());
    let refused = [
        (Create::new("customer").set("no", "10"), "conflict"),
        (Create::new("customer").set("no", "x".repeat(21)), "rejected"),
        (Create::new("sales.order").set("id", 1), "rejected"),
        (Create::new("customer").set("nothing", 1), "schema_mismatch"),
        (Create::new("nothing").set("no", 1), "service_missing"),
    ];
    let before = erp.records("customer");
    for (create, code) in refused {
        assert_eq!(erp.put(&create).unwrap_err().code(), code);
    }
    assert_eq!((erp.records("customer"), erp.effects()), (before, 0));
}

#[tokio::test]
async fn an_atomic_batch_leaves_nothing_behind() {
    let erp = here();
    let bound = erp.connection().clone();
    let identity = crate::Identity {
        subject: "s".into(),
        address: None,
        tenant: None,
    };
    let good = Create::new(ORDERS).set("reference", "A");
    let bad = Create::new(ORDERS).set("note", "secret discount of 12.75");
    let batch = Write::from(Batch::atomic([good.into(), bad.into()]));
    let approved = crate::action::approved_for_suite(batch, bound, identity);
    let prepared = erp.prepare(&approved).await.unwrap();
    let error = erp.commit(prepared).await.unwrap_err();
    assert_eq!((error.code(), erp.records(ORDERS), erp.effects()), ("rejected", 0, 0));
    // What the server said is for people, and not in the error's text.
    assert!(error.messages()[0].text.reveal().contains("12.75"));
    assert!(!format!("{error} {error:?}").contains("12.75"));
}

#[tokio::test]
async fn several_documents_that_match_are_never_one() {
    let erp = here();
    let twin = Create::new("sales.order").set("number", "SO-1").set("state", "open");
    erp.put(&twin).unwrap();
    let wanted = crate::erp::DocumentRef::number("SO-1");
    let found = erp.find_document::<SalesOrder>(&wanted).await;
    assert_eq!(found.unwrap_err().code(), "invalid");
}
