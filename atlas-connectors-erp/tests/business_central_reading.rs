//! Reading Business Central through the connector, on the mock.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use std::collections::BTreeSet;
use std::sync::Arc;

use atlas_connectors::ErrorKind;
use atlas_connectors::credential::TokenSource as _;
use atlas_connectors::erp::{
    Capability, CatalogScope, ChangePoint, Customer, Document as _, DocumentFilter, DocumentRef, DocumentState,
    EntityKind, ErpConnector, ErpConnectorExt as _, Expand, Expectation, ExpectedEntity, FieldKind, ProbeOutcome,
    Probes, Query, RecordKey, RecordRef, SalesOrder, Shape, Value, Verb, field,
};
use atlas_connectors::testkit::server::{Answer, Fault, Request, Server};
use atlas_connectors_erp::business_central::{
    Address, ApiRoute, BusinessCentral, BusinessCentralBuilder, connector_form, webhooks,
};
use atlas_connectors_erp::mock;
use atlas_connectors_erp::mock::business_central::{
    ApiError, COMPANY, FULL, NO_PURCHASING, NO_USER, ONE_COMPANY, READER, Rights, SECOND_COMPANY, TENANT,
};

#[path = "business_central/support.rs"]
mod support;

use support::{Fixed, builder, quick, transport};

async fn world() -> (mock::BusinessCentral, BusinessCentral) {
    let service = mock::BusinessCentral::start().await;
    let erp = builder(&service, FULL).build().unwrap();
    (service, erp)
}

fn texts(records: &[atlas_connectors::erp::Record], name: &str) -> Vec<String> {
    let text = |record: &atlas_connectors::erp::Record| record.value(name).unwrap().to_string();
    records.iter().map(text).collect()
}

#[tokio::test]
async fn companies_are_chosen_by_id_and_never_guessed() {
    let (service, _) = world().await;
    let base = || {
        let address = Address::cloud_at(&service.url(), Some(TENANT), "Production").unwrap();
        BusinessCentralBuilder::new(transport(), Fixed::token(FULL), address).with_retry(quick())
    };
    let erp = base().build().unwrap();
    let companies = erp.companies().await.unwrap();
    let shown: Vec<_> = companies
        .iter()
        .map(|one| (one.id.as_str(), one.name.as_str()))
        .collect();
    assert_eq!(shown, [(COMPANY, "CRONUS USA, Inc."), (SECOND_COMPANY, "My Company")]);
    let names: Vec<_> = erp
        .environments()
        .await
        .unwrap()
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(names, ["Production", "Sandbox"]);

    let none = erp.read(&Query::of("customers"), None).await.unwrap_err();
    assert_eq!(*none.kind(), ErrorKind::Paused { why: "select_company" });
    let by_name = base().with_company("CRONUS USA, Inc.").build().unwrap();
    assert_eq!(
        by_name.read(&Query::of("customers"), None).await.unwrap_err().code(),
        "invalid"
    );
    let named = erp
        .read(&Query::of("customers").in_company(SECOND_COMPANY), None)
        .await
        .unwrap();
    assert_eq!(named.items.len(), 2);

    let gone = base().with_company(SECOND_COMPANY).build().unwrap();
    service.remove_company(SECOND_COMPANY);
    let error = gone.read(&Query::of("customers"), None).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Invalid { what: "company", .. }),
        "{error:?}"
    );
    let report = gone.test(&Probes::sign_in()).await.unwrap();
    assert!(matches!(
        report.outcome(&Capability::Company),
        Some(ProbeOutcome::Failed { .. })
    ));
    assert_eq!(service.counters().default_company, 0);
    assert_eq!(service.counters().without_language, 0);
}

#[tokio::test]
async fn the_catalog_is_what_the_metadata_says_and_is_kept() {
    let (service, erp) = world().await;
    let catalog = erp.catalog(&CatalogScope::all()).await.unwrap();
    let orders = catalog.entity("salesOrders").unwrap();
    assert_eq!((orders.kind, &*orders.label), (EntityKind::Document, "Sales Orders"));
    assert!(orders.etag && orders.verbs.create && orders.support.change_tracking);
    assert_eq!(catalog.entity("salesOrderLines").unwrap().kind, EntityKind::Line);
    assert!(!catalog.entity("salesOrderLines").unwrap().support.change_tracking);
    assert_eq!(catalog.entity("customers").unwrap().kind, EntityKind::Master);
    assert!(!catalog.entity("companies").unwrap().verbs.update);
    let status = orders.field("status").unwrap();
    let values: Vec<_> = status.values.iter().map(|one| (&*one.value, &*one.label)).collect();
    assert_eq!(
        values,
        [("Draft", "Draft"), ("In Review", "In Review"), ("Open", "Open")]
    );
    let reference = orders.field("externalDocumentNumber").unwrap();
    assert_eq!((reference.kind, reference.length), (FieldKind::Text, Some(35)));
    assert_eq!(
        orders.field("customerId").unwrap().relation.as_ref().unwrap().as_str(),
        "customers"
    );
    assert!(!orders.field("customerNumber").unwrap().required, "customerId will do");
    assert!(
        catalog
            .entity("customers")
            .unwrap()
            .field("displayName")
            .unwrap()
            .required
    );
    assert!(orders.field("lastModifiedDateTime").unwrap().read_only);
    assert_eq!(orders.field("salesOrderLines").unwrap().kind, FieldKind::Relations);
    assert!(orders.action(&"Microsoft.NAV.SHIPANDINVOICE".into()).is_some());
    assert!(catalog.service("microsoft/automation/v2.0").is_some());

    let part = erp.catalog(&CatalogScope::entities(["items"])).await.unwrap();
    assert_eq!(part.entities.len(), 1);
    assert_eq!(service.counters().requests_of("metadata"), 1, "read once");
    service.hide("Production", "items");
    let later = erp.catalog(&CatalogScope::all().refreshed()).await.unwrap();
    assert!(later.entity("items").is_none());
    assert_ne!(later.fingerprint(), catalog.fingerprint());
    let needs = Expectation::new("orders").entity(
        ExpectedEntity::new("salesOrders")
            .states("status", ["Open", "Released"])
            .action("Microsoft.NAV.shipAndInvoice"),
    );
    assert!(!later.check(&needs).passed(), "there is no state Released");
}

#[tokio::test]
async fn pages_are_gap_free_and_resumable() {
    let service = mock::BusinessCentral::builder().rows(40).start().await;
    let erp = builder(&service, FULL).with_page_size(7).build().unwrap();
    let query = Query::of("items").select(["number"]).order_by("number").counted();
    let first = erp.read(&query, None).await.unwrap();
    assert_eq!((first.items.len(), first.estimate), (7, Some(40)));
    let mut seen = texts(&first.items, "number");
    // Another process goes on, while somebody deletes what was read and adds what comes later.
    let other = builder(&service, FULL).with_page_size(7).build().unwrap();
    assert!(service.erase(COMPANY, "items", &service.ids(COMPANY, "items")[0]));
    assert!(
        service
            .put(COMPANY, "items", r#"{"number":"ZZ-1","displayName":"Late"}"#)
            .is_some()
    );
    let mut token = first.next;
    while let Some(at) = token {
        let page = other.read(&query, Some(&at)).await.unwrap();
        seen.extend(texts(&page.items, "number"));
        token = page.next;
    }
    assert_eq!(seen.len(), 41);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 41);
    let limited = erp.read_all(&query.clone().limit(10)).await.unwrap();
    assert_eq!(limited.len(), 10);
    assert!(
        erp.read(&query, Some(&atlas_connectors::PageToken::new("x")))
            .await
            .is_err()
    );

    service.set_foreign_link(Some("https://evil.example/v2.0/x/Production/api/v2.0/items"));
    let error = erp.read(&query, None).await.unwrap_err();
    assert_eq!(error.code(), "egress.origin");
}

#[tokio::test]
async fn filters_go_to_the_server_or_are_done_here_and_said() {
    let (service, erp) = world().await;
    let select = |filter| Query::of("customers").select(["number"]).filter(filter);
    let numbers = |query| {
        let erp = erp.clone();
        async move { texts(&erp.read_all(&query).await.unwrap(), "number") }
    };
    let one_field = select(field("number").is_in(["C100001", "C100003"]));
    assert_eq!(numbers(one_field.clone()).await, ["C100001", "C100003"]);
    assert!(erp.explain(&one_field).await.unwrap().on_client.is_empty());

    let two_fields = select(
        field("number")
            .equals("C100001")
            .or(field("displayName").starts_with("Trey")),
    );
    let plan = erp.explain(&two_fields).await.unwrap();
    assert!(
        !plan.request.contains(" or ") && !plan.request.contains("%20or%20"),
        "{}",
        plan.request
    );
    assert_eq!(plan.on_client.len(), 1);
    assert_eq!(numbers(two_fields).await, ["C100001", "C100002", "C100008"]);

    let quoted = select(field("displayName").equals("it's 100% & more + #1"));
    assert!(numbers(quoted).await.is_empty());
    let blank = select(field("blocked").equals(Value::Enum(String::new())));
    assert_eq!(numbers(blank.clone()).await.len(), 12);
    assert!(erp.explain(&blank).await.unwrap().request.contains("_x0020_"));
    assert_eq!(numbers(select(field("blocked").is_null())).await.len(), 12);
    assert_eq!(numbers(select(field("currencyId").is_null())).await.len(), 12);

    for (query, code) in [
        (Query::of("trucks"), "schema_mismatch"),
        (Query::of("customers").select(["colour"]), "schema_mismatch"),
        (select(field("colour").equals("red")), "schema_mismatch"),
        (select(field("creditLimit").equals("much")), "invalid"),
        (select(field("blocked").equals("Perhaps")), "invalid"),
        (Query::of("customers").order_by("colour"), "schema_mismatch"),
        (Query::of("salesOrderLines"), "unsupported"),
    ] {
        let error = erp.read(&query, None).await.unwrap_err();
        assert_eq!(error.code(), code, "{query:?}");
    }
    assert_eq!(service.counters().requests_of("trucks.list"), 0, "nothing was sent");
}

#[tokio::test]
async fn lines_come_through_their_document() {
    let (service, erp) = world().await;
    let order = service.ids(COMPANY, "salesOrders")[2].clone();
    let by_document = Query::of("salesOrderLines")
        .select(["sequence", "quantity", "lineType"])
        .filter(field("documentId").equals(order.as_str()));
    let plan = erp.explain(&by_document).await.unwrap();
    assert!(
        plan.request.contains(&format!("salesOrders({order})/salesOrderLines?")),
        "{}",
        plan.request
    );
    let lines = erp.read_all(&by_document).await.unwrap();
    assert_eq!(texts(&lines, "sequence"), ["10000", "20000"]);
    assert_eq!(lines[0].value("lineType"), Some(&Value::Enum("Item".to_owned())));
    let by_id = Query::of("salesOrderLines").filter(field("id").equals(lines[1].key().to_string()));
    assert_eq!(erp.read_all(&by_id).await.unwrap().len(), 1);
    let at = RecordRef::new("salesOrders", order.as_str());
    let shape = Shape::of([
        "number",
        "status",
        "requestedDeliveryDate",
        "currencyId",
        "totalAmountIncludingTax",
    ])
    .expand(Expand::of("salesOrderLines").select(["quantity", "unitPrice"]));
    let record = erp.get(&at, &shape).await.unwrap();
    assert!(record.etag().is_some());
    assert_eq!(record.value("requestedDeliveryDate"), Some(&Value::Null));
    assert_eq!(record.value("currencyId"), Some(&Value::Null));
    assert_eq!(record.value("salesOrderLines").unwrap().as_records().unwrap().len(), 2);
    let missing = erp
        .get(&RecordRef::new("salesOrders", TENANT), &shape)
        .await
        .unwrap_err();
    assert_eq!(*missing.kind(), ErrorKind::NotFound { object: "record" });
    assert!(erp.get(&RecordRef::new("salesOrders", "7"), &shape).await.is_err());
}

#[tokio::test]
async fn common_documents_are_found() {
    let (service, erp) = world().await;
    let found: Option<Customer> = erp.find_document(&DocumentRef::name("Trey Research 2")).await.unwrap();
    let customer = found.unwrap();
    assert_eq!(
        (customer.number.as_deref(), customer.blocked),
        (Some("C100002"), Some(false))
    );
    let of_customer = DocumentFilter::of(DocumentRef::partner(customer.key().clone())).open();
    let orders: Vec<SalesOrder> = erp.find_documents(&of_customer).await.unwrap();
    assert_eq!(orders.len(), 1);
    let order = &orders[0];
    assert_eq!(order.state.state, DocumentState::Open);
    assert_eq!(order.customer.key.as_ref(), Some(customer.key()));
    assert_eq!((order.reference.as_deref(), order.lines.len()), (Some("PO-0002"), 2));
    assert_eq!(order.lines[0].quantity.as_ref().unwrap().to_string(), "2");
    let open: Vec<SalesOrder> = erp.find_documents(&DocumentFilter::all().open()).await.unwrap();
    assert_eq!(open.len(), 9, "three of four are released");
    let by_reference: Option<SalesOrder> = erp.find_document(&DocumentRef::reference("PO-0007")).await.unwrap();
    assert_eq!(by_reference.unwrap().number.as_deref(), Some("S-ORD100007"));
    for kind in atlas_connectors::erp::DocumentKind::ALL {
        let table = erp.documents().table(*kind).unwrap();
        let catalog = erp.catalog(&CatalogScope::all()).await.unwrap();
        let records = erp
            .read_all(&table.query(&catalog, &DocumentFilter::all()).unwrap())
            .await
            .unwrap();
        assert_eq!(records.len(), 12, "{kind:?}");
        let known = catalog.entity(table.entity.as_str()).unwrap();
        assert!(
            table
                .fields
                .iter()
                .all(|(_, name)| known.field(name.as_str()).is_some()),
            "{kind:?}"
        );
    }
    assert_eq!(service.counters().effects(), 0);
}

#[tokio::test]
async fn numbers_keep_all_their_digits() {
    let (service, erp) = world().await;
    let digits = "1234567890123456789.123456789";
    let item = service
        .put(
            COMPANY,
            "items",
            &format!(r#"{{"number":"BIG","displayName":"Big","unitPrice":{digits}}}"#),
        )
        .unwrap();
    let record = erp
        .get(&RecordRef::new("items", item.as_str()), &Shape::of(["unitPrice"]))
        .await
        .unwrap();
    assert_eq!(
        record.value("unitPrice").unwrap().as_decimal().unwrap().to_string(),
        digits
    );
    let exactly = Query::of("items")
        .select(["number"])
        .filter(field("unitPrice").equals(digits.parse::<atlas_connectors::erp::Decimal>().unwrap()));
    assert_eq!(texts(&erp.read_all(&exactly).await.unwrap(), "number"), ["BIG"]);
}

#[tokio::test]
async fn changes_overlap_without_coming_twice_and_deletions_are_swept() {
    let (service, erp) = world().await;
    let query = Query::of("customers").select(["number", "city"]).page_size(5);
    let mut all = Vec::new();
    let cursor = erp
        .changes_since(&query, &ChangePoint::Beginning, |page| {
            all.extend(page.records);
            std::future::ready(Ok(()))
        })
        .await
        .unwrap();
    assert_eq!(all.len(), 12);
    let ids = service.ids(COMPANY, "customers");
    assert!(service.edit(COMPANY, "customers", &ids[3], r#"{"city":"Berlin"}"#));
    let next = async |cursor: atlas_connectors::mail::SyncCursor| {
        let mut found = Vec::new();
        let cursor = erp
            .changes_since(&query, &ChangePoint::After(cursor), |page| {
                found.extend(page.records);
                std::future::ready(Ok(()))
            })
            .await
            .unwrap();
        (found, cursor)
    };
    let (changed, cursor) = next(cursor).await;
    assert_eq!(texts(&changed, "city"), ["Berlin"]);
    let (again, cursor) = next(cursor).await;
    assert!(again.is_empty(), "within the overlap, at the same state");
    assert!(service.edit(COMPANY, "customers", &ids[3], r#"{"city":"Hamburg"}"#));
    let (changed, cursor) = next(cursor).await;
    assert_eq!(texts(&changed, "city"), ["Hamburg"]);
    assert!(cursor.as_str().len() < 4_000);

    let keys: Vec<RecordKey> = ids.iter().map(|id| RecordKey::single(id.as_str())).collect();
    assert!(service.erase(COMPANY, "customers", &ids[5]));
    let missing = erp.missing(&"customers".into(), None, &keys).await.unwrap();
    assert_eq!(missing, [keys[5].clone()]);
    let unstamped = Query::of("salesOrderLines");
    let error = erp
        .changes(&unstamped, &ChangePoint::Beginning, None)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "unsupported");
    let foreign = ChangePoint::After(atlas_connectors::mail::SyncCursor::new("{}"));
    assert_eq!(erp.changes(&query, &foreign, None).await.unwrap_err().code(), "invalid");
}

#[tokio::test]
async fn lists_may_come_from_the_replica_and_single_records_never() {
    let (service, erp) = world().await;
    let id = service.ids(COMPANY, "customers")[0].clone();
    erp.catalog(&CatalogScope::all()).await.unwrap();
    service.freeze_replica();
    assert!(service.edit(COMPANY, "customers", &id, r#"{"city":"Rome"}"#));
    let list = erp
        .read(&Query::of("customers").select(["city"]).limit(1), None)
        .await
        .unwrap();
    assert_ne!(texts(&list.items, "city"), ["Rome"]);
    let one = erp
        .get(&RecordRef::new("customers", id.as_str()), &Shape::of(["city"]))
        .await
        .unwrap();
    assert_eq!(one.value("city"), Some(&Value::from("Rome")));
    let fresh = builder(&service, FULL).with_replica(false).build().unwrap();
    let list = fresh
        .read(&Query::of("customers").select(["city"]).limit(1), None)
        .await
        .unwrap();
    assert_eq!(texts(&list.items, "city"), ["Rome"]);
}

#[tokio::test]
async fn a_test_says_of_each_capability_what_came_of_it() {
    let (service, erp) = world().await;
    service.outdate("Production", "vendors");
    service.hide("Production", "items");
    let probes = Probes::sign_in()
        .entity("customers", [Verb::Read, Verb::Create])
        .entity("salesOrderLines", [Verb::Read])
        .entity("vendors", [Verb::Read])
        .entity("items", [Verb::Read, Verb::Update])
        .entity("companies", [Verb::Update]);
    let report = erp.test(&probes).await.unwrap();
    let of = |entity: &str, verb| {
        let capability = Capability::Entity {
            entity: entity.into(),
            verb,
        };
        report.outcome(&capability).unwrap().clone()
    };
    assert_eq!(report.system.as_deref(), Some("26.0.30643.32100"));
    assert_eq!(report.outcome(&Capability::Company), Some(&ProbeOutcome::Allowed));
    assert_eq!(of("customers", Verb::Read), ProbeOutcome::Allowed);
    assert!(matches!(of("customers", Verb::Create), ProbeOutcome::NotProbed { .. }));
    assert_eq!(of("salesOrderLines", Verb::Read), ProbeOutcome::Allowed);
    assert!(matches!(of("vendors", Verb::Read), ProbeOutcome::MissingService { .. }));
    assert!(matches!(of("items", Verb::Read), ProbeOutcome::MissingService { .. }));
    assert!(matches!(of("companies", Verb::Update), ProbeOutcome::Denied { .. }));
    assert_eq!(service.counters().effects(), 0);

    let limited = builder(&service, NO_PURCHASING).build().unwrap();
    let report = limited
        .test(&Probes::sign_in().entity("purchaseOrders", []))
        .await
        .unwrap();
    let purchase = Capability::Entity {
        entity: "purchaseOrders".into(),
        verb: Verb::Read,
    };
    assert!(
        matches!(report.outcome(&purchase), Some(ProbeOutcome::Denied { code, .. }) if &**code == "permission_denied")
    );
    let nobody = builder(&service, NO_USER).build().unwrap();
    let report = nobody.test(&Probes::sign_in()).await.unwrap();
    assert!(!report.passed() && report.rows.len() == 1);
    let other = builder(&service, ONE_COMPANY)
        .with_company(SECOND_COMPANY)
        .build()
        .unwrap();
    let report = other.test(&Probes::sign_in()).await.unwrap();
    assert!(matches!(
        report.outcome(&Capability::Company),
        Some(ProbeOutcome::Failed { .. })
    ));
    let reader = builder(&service, READER).build().unwrap();
    assert!(
        reader
            .test(&Probes::sign_in().entity("customers", []))
            .await
            .unwrap()
            .passed()
    );
}

#[tokio::test]
async fn bad_answers_are_typed_errors_that_name_the_fix() {
    let (service, erp) = world().await;
    let query = Query::of("customers").select(["number"]);
    erp.read(&query, None).await.unwrap();
    let fix = |error: &atlas_connectors::Error| {
        error
            .context()
            .find(|(name, _)| *name == "fix")
            .map(|(_, text)| text.to_owned())
            .unwrap_or_default()
    };
    for (fault, code) in [
        (Fault::HtmlAfter, "bad_payload.type"),
        (
            Fault::text(200, "text/html", "<html>words-of-a-page</html>"),
            "bad_payload.type",
        ),
        (
            Fault::text(200, "application/json", "{\"value\":[{\"number\":"),
            "bad_payload.truncated",
        ),
        (Fault::text(200, "application/json", "[1,2]"), "bad_payload.type"),
        (
            Fault::text(200, "application/json", "{\"value\":[{\"number\":7}]}"),
            "schema_mismatch",
        ),
        (Fault::html(403), "permission_denied"),
        (Fault::html(404), "service_missing"),
        (Fault::status(504), "deadline_exceeded"),
        (Fault::status(413), "rejected"),
        (
            mock::BusinessCentral::refusal(&ApiError::no_segment("customers")),
            "service_missing",
        ),
    ] {
        service.faults().clear();
        service.faults().always("customers.list", fault.clone());
        let error = erp.read(&query, None).await.unwrap_err();
        assert_eq!(error.code(), code, "{fault:?}");
        assert!(!format!("{error} {error:?}").contains("words-of-a-page"));
        if matches!(fault, Fault::HtmlAfter) {
            assert!(fix(&error).contains("check the address"));
        }
    }
    service.faults().clear();
    let small = builder(&service, FULL).with_max_body(2_500).build().unwrap();
    let narrow = small.read(&query, None).await.unwrap();
    assert_eq!(
        narrow.items.len(),
        12,
        "small answers pass, and metadata has a limit of its own"
    );
    let wide = small.read(&Query::of("customers"), None).await.unwrap_err();
    assert_eq!(wide.code(), "bad_payload.too_large");

    service
        .faults()
        .next("customers.list", mock::BusinessCentral::refusal(&ApiError::throttled()));
    assert_eq!(
        erp.read(&query, None).await.unwrap().items.len(),
        12,
        "asked again after a pause"
    );
    service
        .faults()
        .next("customers.list", Answer::empty(503).with_header("retry-after", "0"));
    assert!(erp.read(&query, None).await.is_ok());

    service.set_api_enabled(false);
    let off = erp.read(&query, None).await.unwrap_err();
    assert!(matches!(off.kind(), ErrorKind::ServiceMissing { service } if service.contains("switched off")));
    assert!(fix(&off).contains("switch on API services"));
    service.set_api_enabled(true);

    let nowhere = Address::cloud_at(&service.url(), Some(TENANT), "Nowhere").unwrap();
    let erp = BusinessCentralBuilder::new(transport(), Fixed::token(FULL), nowhere)
        .with_company(COMPANY)
        .build()
        .unwrap();
    let error = erp.read(&query, None).await.unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Invalid {
                what: "environment",
                ..
            }
        ),
        "{error:?}"
    );
    let route = ApiRoute::custom("contoso", "trucks", "v1.0").unwrap();
    let custom = Address::cloud_at(&service.url(), None, "Production")
        .unwrap()
        .with_route(route);
    let erp = BusinessCentralBuilder::new(transport(), Fixed::token(FULL), custom.clone())
        .with_company(COMPANY)
        .build()
        .unwrap();
    assert_eq!(erp.read(&query, None).await.unwrap_err().code(), "service_missing");
    let with_route = mock::BusinessCentral::builder()
        .route("contoso/trucks/v1.0")
        .start()
        .await;
    let custom = Address::cloud_at(&with_route.url(), None, "Production")
        .unwrap()
        .with_route(ApiRoute::parse("contoso/trucks/v1.0").unwrap());
    let erp = BusinessCentralBuilder::new(transport(), Fixed::token(FULL), custom)
        .with_company(COMPANY)
        .build()
        .unwrap();
    assert_eq!(erp.read(&query, None).await.unwrap().items.len(), 12);
    let unauthorised = builder(&service, "nonsense").build().unwrap();
    let error = unauthorised.read(&query, None).await.unwrap_err();
    assert_eq!(error.code(), "oauth.insufficient_privileges");
}

#[tokio::test]
async fn a_server_of_one_s_own_takes_a_user_and_a_key() {
    let (service, _) = world().await;
    service.add_user("sa", "sa:the-key", TENANT, Rights::full());
    let connect = |key: &str| {
        let address = Address::on_premises(&format!("{}/Production", service.uri()), Some("default")).unwrap();
        let connection = Fixed::token("").connection().clone();
        BusinessCentralBuilder::with_access_key(transport(), connection, "sa", key.into(), address)
            .with_company(COMPANY)
            .with_retry(quick())
            .build()
            .unwrap()
    };
    let erp = connect("the-key");
    assert_eq!(
        erp.read(&Query::of("items").select(["number"]), None)
            .await
            .unwrap()
            .items
            .len(),
        12
    );
    assert_eq!(erp.environments().await.unwrap_err().code(), "unsupported");
    assert!(!format!("{erp:?}").contains("the-key"));
    let wrong = connect("another").companies().await.unwrap_err();
    assert_eq!(wrong.code(), "oauth.insufficient_privileges");
    // What belongs to the environment is read there, not in the company.
    let companies = erp.read(&Query::of("companies").select(["name"]), None).await.unwrap();
    assert_eq!(companies.items.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_are_made_renewed_and_ended() {
    let host = Server::start(|request: &Request| match webhooks::handshake(&request.raw_query) {
        Some(token) => Answer::of(200, "text/plain", token),
        None => Answer::empty(202),
    })
    .await
    .unwrap();
    let (service, erp) = world().await;
    let new = webhooks::NewSubscription {
        notification_url: host.url(),
        resource: webhooks::Resource::set(erp.address().route(), &COMPANY.into(), "customers"),
        client_state: "the-state".into(),
    };
    let made = erp.subscribe(&new).await.unwrap();
    assert_eq!(erp.subscriptions().await.unwrap(), std::slice::from_ref(&made));
    let renewed = erp.renew(&made, &new).await.unwrap();
    assert!(renewed.expires >= made.expires && renewed.etag != made.etag);
    assert_eq!(erp.renew(&made, &new).await.unwrap_err().code(), "conflict");
    erp.unsubscribe(&renewed).await.unwrap();
    assert_eq!(service.subscriptions(), 0);
    assert_eq!(erp.renew(&renewed, &new).await.unwrap_err().code(), "not_found");
}

#[tokio::test]
async fn the_form_asks_for_what_the_builder_needs() {
    let form = connector_form();
    assert!(form.fields.iter().any(|field| field.name == "environment"));
    let erp: Arc<dyn ErpConnector> = Arc::new(world().await.1);
    let can = erp.capabilities();
    assert!(can.companies && can.atomic_batch && can.finds_creates && !can.deletions);
    assert!(!format!("{erp:?}").contains(FULL));
}
