//! Reading SAP services, V2 and V4, over HTTP against the mock.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

mod sap_world;

use std::collections::BTreeSet;
use std::time::Duration;

use atlas_connectors::erp::{
    Capability, CatalogScope, ChangePoint, Decimal, ErpConnector as _, Expand, FieldKind, ProbeOutcome, Probes, Query,
    RecordKey, RecordRef, ServiceState, Shape, Verb, field,
};
use atlas_connectors::testkit::server::Fault;
use atlas_connectors::{Error, PageToken};
use atlas_connectors_erp::mock::Sap;
use atlas_connectors_erp::mock::sap::{NOBODY, PASSWORD, READER, Table, WRITER};
use atlas_connectors_erp::odata::Version;
use atlas_connectors_erp::sap::{SapConnector, ServiceAddress, SystemAddress};
use sap_world::{BOTH, basic, builder, words, writer};

async fn all(erp: &SapConnector, query: &Query) -> Result<Vec<String>, Error> {
    let mut keys = Vec::new();
    let mut token: Option<PageToken> = None;
    loop {
        let page = erp.read(query, token.as_ref()).await?;
        keys.extend(page.items.iter().map(|record| record.key().to_string()));
        match page.next {
            Some(next) => token = Some(next),
            None => return Ok(keys),
        }
    }
}

#[tokio::test]
async fn the_catalog_tells_types_verbs_and_own_fields_in_both_versions() {
    for version in BOTH {
        let sap = Sap::start().await.unwrap();
        let erp = writer(&sap, version);
        let catalog = erp.catalog(&CatalogScope::all()).await.unwrap();
        assert!(
            catalog
                .services
                .iter()
                .all(|service| service.state == ServiceState::Active)
        );
        let order = catalog.entity(words(version).order).unwrap();
        assert!(order.etag && order.verbs.create && order.support.change_tracking);
        let amount = order.field("YY1_ExactAmount_SDH").unwrap();
        assert!(amount.custom && amount.kind == FieldKind::Decimal);
        assert_eq!((amount.precision, amount.scale), (Some(28), Some(6)));
        assert!(order.field("TotalNetAmount").unwrap().read_only);
        assert!(order.field("SalesOrderType").unwrap().create_only);
        assert!(!order.field("HeaderBillingBlockReason").unwrap().filterable);
        assert!(
            order
                .actions
                .iter()
                .any(|action| action.name.local() == "releaseApprovalRequest")
        );
        let invoice = catalog.entity(if version == Version::V2 {
            "A_BillingDocument"
        } else {
            "BillingDocument"
        });
        assert!(!invoice.unwrap().verbs.create);
        // Asked again within its age nothing is sent; refreshed, the server says that nothing changed.
        let before = sap.counters().requests_of("metadata");
        erp.catalog(&CatalogScope::all()).await.unwrap();
        assert_eq!(sap.counters().requests_of("metadata"), before);
        let again = erp.catalog(&CatalogScope::all().refreshed()).await.unwrap();
        assert_eq!(again.fingerprint(), catalog.fingerprint());
        assert_eq!(sap.counters().requests_of("metadata"), before * 2);
    }
}

#[tokio::test]
async fn missing_and_forbidden_services_are_told_apart() {
    for version in BOTH {
        let sap = Sap::start().await.unwrap();
        let paths: Vec<String> = sap_world::services(version)
            .iter()
            .map(|service| ServiceAddress::parse(service).unwrap().path().to_owned())
            .collect();
        sap.unregister(&paths[0]);
        sap.forbid(&paths[1]);
        let erp = writer(&sap, version);
        let catalog = erp.catalog(&CatalogScope::all()).await.unwrap();
        let states: Vec<_> = catalog.services.iter().take(3).map(|service| service.state).collect();
        assert_eq!(
            states,
            [ServiceState::Missing, ServiceState::Forbidden, ServiceState::Active]
        );
        let words = words(version);
        // Whichever is absent may be the one; the closed door is told first, since opening it is the smaller step.
        let error = erp.read(&Query::of(words.order), None).await.unwrap_err();
        assert_eq!(error.code(), "permission_denied");
        for path in &paths {
            sap.unregister(path);
        }
        let error = writer(&sap, version).catalog(&CatalogScope::all()).await.unwrap_err();
        assert_eq!(error.code(), "service_missing");
    }
}

#[tokio::test]
async fn the_system_lists_its_services_where_it_has_a_catalog() {
    let sap = Sap::start().await.unwrap();
    let erp = writer(&sap, Version::V2);
    let listed = erp.listed_services().await.unwrap().unwrap();
    assert!(
        listed
            .iter()
            .any(|service| service.address.name() == "API_SALES_ORDER_SRV" && service.by_sap)
    );
    sap.unregister("/sap/opu/odata/IWFND/CATALOGSERVICE;v=2");
    assert_eq!(erp.listed_services().await.unwrap(), None);
}

#[tokio::test]
async fn rows_come_typed_filtered_and_with_their_lines() {
    for version in BOTH {
        let sap = Sap::start().await.unwrap();
        let erp = writer(&sap, version);
        let words = words(version);
        let query = Query::of(words.order)
            .select([
                "SalesOrder",
                "TotalNetAmount",
                "CreationDate",
                "LastChangeDateTime",
                "YY1_ExactAmount_SDH",
                "YY1_Plant_SDH",
            ])
            .filter(field("PurchaseOrderByCustomer").equals("CUST-0002"))
            .expand(Expand::of(words.items).select([words.product, "RequestedQuantity"]));
        let page = erp.read(&query, None).await.unwrap();
        assert_eq!(page.items.len(), 1);
        let order = &page.items[0];
        assert_eq!(order.key(), &RecordKey::single("2"));
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(
            order.value("TotalNetAmount").unwrap().as_decimal(),
            Some(decimal("200.5"))
        );
        // 28 digits, as they are.
        assert_eq!(
            order.value("YY1_ExactAmount_SDH").unwrap().to_string(),
            "1234567890123456789012.345678"
        );
        assert_eq!(
            order.value("CreationDate").unwrap().as_date().unwrap().to_string(),
            "2026-01-07"
        );
        assert!(order.value("LastChangeDateTime").unwrap().as_instant().is_some());
        assert!(order.etag().is_some());
        assert!(order.value("YY1_Plant_SDH").unwrap().is_null(), "ABAP's empty text");
        let lines = order.value(words.items).unwrap().as_records().unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0].value("RequestedQuantity").unwrap().as_decimal(),
            Some(decimal("1"))
        );
    }
}

#[tokio::test]
async fn every_breaker_of_addresses_finds_its_row() {
    for version in BOTH {
        let sap = Sap::start().await.unwrap();
        let erp = writer(&sap, version);
        let words = words(version);
        for (name, number) in [("O'Neil & Söhne", "1000002"), ("Water+Pipe 100%", "1000003")] {
            let query = Query::of(words.partner).filter(field("BusinessPartnerName").equals(name));
            assert_eq!(all(&erp, &query).await.unwrap(), [number], "{version:?} {name}");
        }
        let query = Query::of(words.partner).filter(field("BusinessPartnerName").contains("& S"));
        assert_eq!(all(&erp, &query).await.unwrap(), ["1000002"]);
        let query = Query::of(words.order).filter(
            field("SalesOrder")
                .is_in(["3", "5"])
                .and(field("SalesOrder").equals("3").negated()),
        );
        assert_eq!(all(&erp, &query).await.unwrap(), ["5"]);
        let wrong = Query::of(words.order).filter(field("NoSuchField").equals("x"));
        assert_eq!(erp.read(&wrong, None).await.unwrap_err().code(), "schema_mismatch");
        let wrong = Query::of(words.order).filter(field("TotalNetAmount").equals("x"));
        assert_eq!(erp.read(&wrong, None).await.unwrap_err().code(), "invalid");
        let wrong = Query::of(words.order).filter(field("HeaderBillingBlockReason").equals("x"));
        assert_eq!(erp.read(&wrong, None).await.unwrap_err().code(), "unsupported");
        assert_eq!(
            erp.read(&Query::of("NoSuchSet"), None).await.unwrap_err().code(),
            "schema_mismatch"
        );
    }
}

#[tokio::test]
async fn pages_go_behind_the_last_key_and_nothing_is_lost_while_others_write() {
    for version in BOTH {
        let sap = Sap::start().await.unwrap();
        sap.fill_orders(250);
        let erp = writer(&sap, version);
        let words = words(version);
        let query = Query::of(words.order).select(["SalesOrder"]).page_size(40).counted();
        let first = erp.read(&query, None).await.unwrap();
        assert_eq!((first.items.len(), first.estimate), (40, Some(250)));
        let mut keys: Vec<String> = first.items.iter().map(|record| record.key().to_string()).collect();
        // Rows before the place vanish and appear: by offset one would be skipped or come twice.
        sap.remove(Table::SalesOrder, "1");
        sap.insert(Table::SalesOrder, &[("SalesOrder", "0000")]);
        let mut token = first.next;
        while let Some(at) = token {
            // Another process has only the token's text.
            let at = PageToken::new(at.as_str());
            let page = erp.read(&query, Some(&at)).await.unwrap();
            keys.extend(page.items.iter().map(|record| record.key().to_string()));
            token = page.next;
        }
        let distinct: BTreeSet<_> = keys.iter().collect();
        assert_eq!((keys.len(), distinct.len()), (250, 250), "{version:?}");
        assert_eq!(all(&erp, &query.clone().limit(95)).await.unwrap().len(), 95);
        // By another order, downwards, the key breaks ties.
        let ordered = Query::of(words.order)
            .select(["SalesOrder"])
            .order_by_descending("SoldToParty")
            .page_size(30);
        let distinct: BTreeSet<_> = all(&erp, &ordered).await.unwrap().into_iter().collect();
        assert_eq!(distinct.len(), 250);
        let other = Query::of(words.order).filter(field("SalesOrder").equals("1"));
        let token = erp.read(&query, None).await.unwrap().next.unwrap();
        assert_eq!(erp.read(&other, Some(&token)).await.unwrap_err().code(), "invalid");
        assert_eq!(
            erp.read(&query, Some(&PageToken::new("e30"))).await.unwrap_err().code(),
            "bad_payload.syntax"
        );
    }
}

#[tokio::test]
async fn the_servers_own_pages_are_followed_too() {
    for version in BOTH {
        // Smaller pages than were asked for: the next link says that there is more.
        let sap = Sap::builder().start().await.unwrap();
        sap.fill_orders(30);
        let erp = writer(&sap, version);
        let link = if version == Version::V2 {
            r#"{"d":{"results":[],"__next":"A_SalesOrder?$select=SalesOrder&$skiptoken=T~25"}}"#
        } else {
            r#"{"@odata.context":"$metadata#SalesOrder","@odata.nextLink":"SalesOrder?%24select=SalesOrder&%24skiptoken=T~25","value":[]}"#
        };
        // An empty page with a link is not the end.
        sap.faults().next("read", Fault::text(200, "application/json", link));
        let query = Query::of(words(version).order).select(["SalesOrder"]).page_size(10);
        let keys = all(&erp, &query).await.unwrap();
        assert!(keys.len() >= 5, "{version:?} {keys:?}");
        // A link to another host is refused before anything leaves.
        let foreign = link
            .replace("A_SalesOrder?", "https://evil.example/A?")
            .replace("\"SalesOrder?", "\"https://evil.example/A?");
        sap.faults().next("read", Fault::text(200, "application/json", foreign));
        assert_eq!(all(&erp, &query).await.unwrap_err().code(), "egress.origin");
        // A link that leads to itself is a circle.
        sap.faults()
            .times("read", 2, Fault::text(200, "application/json", link));
        assert_eq!(all(&erp, &query).await.unwrap_err().code(), "bad_payload.syntax");
    }
}

#[tokio::test]
async fn a_service_that_ignores_the_filter_gives_no_rows_that_were_not_asked_for() {
    for version in BOTH {
        let sap = Sap::builder().ignoring_filters().start().await.unwrap();
        let erp = writer(&sap, version);
        let words = words(version);
        let query = Query::of(words.order)
            .select(["SalesOrder"])
            .filter(field("SoldToParty").equals("1000001"))
            .page_size(5);
        assert_eq!(all(&erp, &query).await.unwrap(), ["10", "2", "6"], "{version:?}");
        let bounded = builder(sap.uri(), version, basic(WRITER, PASSWORD))
            .with_most_rows(4)
            .build()
            .unwrap();
        assert_eq!(all(&bounded, &query).await.unwrap_err().code(), "bad_payload.too_large");
        // As many rows as asked for, and the same again behind them: told, not repeated for ever.
        let twelve = Query::of(words.order).select(["SalesOrder"]).page_size(12);
        assert_eq!(all(&erp, &twelve).await.unwrap_err().code(), "bad_payload.syntax");
    }
}

#[tokio::test]
async fn a_failing_count_is_told_with_its_advice_and_reading_goes_on_without() {
    let sap = Sap::builder().failing_counts().start().await.unwrap();
    let erp = writer(&sap, Version::V2);
    let query = Query::of("A_SalesOrder").select(["SalesOrder"]);
    let error = erp.read(&query.clone().counted(), None).await.unwrap_err();
    assert_eq!(error.code(), "transient");
    assert!(
        error
            .context()
            .any(|(key, advice)| key == "advice" && advice.contains("without the count"))
    );
    assert_eq!(erp.read(&query, None).await.unwrap().items.len(), 12);
}

#[tokio::test]
async fn a_number_is_found_as_given_and_with_leading_zeros() {
    for version in BOTH {
        let words = words(version);
        for padded in [false, true] {
            let sap = match padded {
                true => Sap::builder().padded_keys().start().await.unwrap(),
                false => Sap::start().await.unwrap(),
            };
            let erp = writer(&sap, version);
            for number in ["7", "0000000007"] {
                let at = RecordRef::new(words.order, number);
                let record = erp.get(&at, &Shape::of(["PurchaseOrderByCustomer"])).await.unwrap();
                assert_eq!(
                    record.value("PurchaseOrderByCustomer").unwrap().to_string(),
                    "CUST-0007"
                );
            }
            let at = RecordRef::new(words.order, "4711");
            assert_eq!(erp.get(&at, &Shape::usual()).await.unwrap_err().code(), "not_found");
            let item = RecordKey::composite([("SalesOrder", "7"), ("SalesOrderItem", "10")]);
            let item = erp
                .get(&RecordRef::new(words.item, item), &Shape::usual())
                .await
                .unwrap();
            assert_eq!(item.value("NetAmount").unwrap().to_string(), "701.500");
        }
    }
}

#[tokio::test]
async fn changes_come_once_with_an_overlap_and_items_are_refused() {
    for version in BOTH {
        let world = sap_world::World::new(version).await;
        let (sap, erp, words) = (&world.sap, &world.erp, &world.words);
        let query = Query::of(words.order)
            .select(["SalesOrder", "PurchaseOrderByCustomer"])
            .page_size(5);
        let mut since = ChangePoint::Beginning;
        let round = async |since: &ChangePoint| {
            let (mut keys, mut token) = (Vec::new(), None);
            loop {
                let changes = erp.changes(&query, since, token.as_ref()).await.unwrap();
                keys.extend(changes.records.iter().map(|record| record.key().to_string()));
                match (changes.next, changes.cursor) {
                    (Some(next), _) => token = Some(next),
                    (None, Some(cursor)) => return (keys, cursor),
                    (None, None) => panic!("the last page has a cursor"),
                }
            }
        };
        let (keys, cursor) = round(&since).await;
        assert_eq!(keys.len(), 12, "{version:?}");
        since = ChangePoint::After(cursor);
        let (keys, cursor) = round(&since).await;
        assert_eq!(keys, Vec::<String>::new());
        since = ChangePoint::After(cursor);
        sap.edit(Table::SalesOrder, "4", "PurchaseOrderByCustomer", "changed");
        let (keys, cursor) = round(&since).await;
        assert_eq!(keys, ["4"]);
        // Within the overlap it is seen again, and not given again.
        let (keys, cursor) = round(&ChangePoint::After(cursor)).await;
        assert_eq!(keys, Vec::<String>::new());
        world.clock.leap(Duration::from_secs(1));
        sap.edit(Table::SalesOrder, "4", "PurchaseOrderByCustomer", "changed again");
        sap.edit(Table::SalesOrder, "9", "PurchaseOrderByCustomer", "changed");
        let (mut keys, _) = round(&ChangePoint::After(cursor)).await;
        keys.sort();
        assert_eq!(keys, ["4", "9"]);
        let error = erp
            .changes(&Query::of(words.item), &ChangePoint::Beginning, None)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "unsupported");
    }
}

#[tokio::test]
async fn the_test_reads_one_row_of_each_entity_and_tells_what_is_wrong() {
    for version in BOTH {
        let sap = Sap::start().await.unwrap();
        let words = words(version);
        let probes = Probes::sign_in()
            .entity(words.order, [Verb::Read, Verb::Create])
            .entity(
                if version == Version::V2 {
                    "A_BillingDocument"
                } else {
                    "BillingDocument"
                },
                [Verb::Create],
            )
            .entity("NoSuchSet", [Verb::Read]);
        let report = writer(&sap, version).test(&probes).await.unwrap();
        let read = Capability::Entity {
            entity: words.order.into(),
            verb: Verb::Read,
        };
        assert_eq!(report.outcome(&Capability::SignIn), Some(&ProbeOutcome::Allowed));
        assert_eq!(report.outcome(&read), Some(&ProbeOutcome::Allowed));
        let create = Capability::Entity {
            entity: words.order.into(),
            verb: Verb::Create,
        };
        assert!(matches!(report.outcome(&create), Some(ProbeOutcome::NotProbed { .. })));
        assert!(
            report
                .rows
                .iter()
                .any(|row| matches!(row.outcome, ProbeOutcome::SchemaMismatch { .. }))
        );
        assert!(
            report
                .rows
                .iter()
                .any(|row| matches!(&row.outcome, ProbeOutcome::Denied { .. }))
        );

        // Metadata readable, data not.
        let nobody = builder(sap.uri(), version, basic(NOBODY, PASSWORD)).build().unwrap();
        let report = nobody.test(&probes).await.unwrap();
        assert_eq!(report.outcome(&Capability::Catalog), Some(&ProbeOutcome::Allowed));
        assert!(
            matches!(report.outcome(&read), Some(ProbeOutcome::Denied { .. })),
            "{report}"
        );

        // A wrong password is sent once, whatever else was to be tried.
        let before = sap.counters().refused_logons;
        let wrong = builder(sap.uri(), version, basic(READER, "wrong")).build().unwrap();
        let report = wrong.test(&probes).await.unwrap();
        assert!(!report.passed());
        assert!(matches!(
            report.outcome(&Capability::SignIn),
            Some(ProbeOutcome::Denied { .. })
        ));
        assert_eq!(sap.counters().refused_logons, before + 1);
    }
}

#[tokio::test]
async fn bad_answers_end_as_typed_errors() {
    for version in BOTH {
        let sap = Sap::start().await.unwrap();
        let erp = writer(&sap, version);
        let query = Query::of(words(version).order).select(["SalesOrder"]);
        erp.read(&query, None).await.unwrap();
        let once = |fault: Fault, code: &'static str| {
            // Reads are tried again: the fault has to last.
            sap.faults().clear();
            sap.faults().times("read", 5, fault);
            let (erp, query) = (erp.clone(), query.clone());
            async move {
                let error = erp.read(&query, None).await.expect_err(code);
                assert_eq!(error.code(), code, "{version:?}");
            }
        };
        once(Fault::HtmlAfter, "oauth.invalid_grant.interaction_required").await;
        once(Fault::Truncate(60), "bad_payload.truncated").await;
        once(Fault::OtherJsonAfter, "bad_payload.type").await;
        once(
            Fault::text(200, "application/json", "{\"d\":{\"results\":[{]"),
            "bad_payload.syntax",
        )
        .await;
        once(
            Fault::text(404, "text/html", "<html>nothing here</html>"),
            "service_missing",
        )
        .await;
        once(Fault::status(503), "transient").await;
        once(Fault::CutBefore, "transient").await;
        sap.faults().clear();
        let small = builder(sap.uri(), version, basic(WRITER, PASSWORD))
            .with_max_body(30_000)
            .build()
            .unwrap();
        small.catalog(&CatalogScope::all()).await.unwrap();
        sap.fill_orders(400);
        let error = small.read(&Query::of(words(version).order), None).await.unwrap_err();
        assert_eq!(error.code(), "bad_payload.too_large");
    }
    // Another system, or none.
    let sap = Sap::start().await.unwrap();
    let system = SystemAddress::parse(&format!("{}/wrong-prefix", sap.uri())).unwrap();
    let erp = atlas_connectors_erp::sap::SapBuilder::new(
        sap_world::transport(),
        sap_world::connection(),
        system,
        basic(WRITER, PASSWORD),
    )
    .with_service(ServiceAddress::parse("API_SALES_ORDER_SRV").unwrap())
    .build()
    .unwrap();
    assert_eq!(
        erp.catalog(&CatalogScope::all()).await.unwrap_err().code(),
        "service_missing"
    );
}

#[tokio::test]
async fn a_bearer_token_is_renewed_once() {
    let sap = Sap::start().await.unwrap();
    sap.accept_bearer("fresh");
    let auth = atlas_connectors_erp::sap::SapAuth::Bearer(std::sync::Arc::new(Tokens::default()));
    let erp = builder(sap.uri(), Version::V2, auth).build().unwrap();
    assert_eq!(
        erp.read(&Query::of("A_SalesOrder").select(["SalesOrder"]), None)
            .await
            .unwrap()
            .items
            .len(),
        12
    );
    assert_eq!(sap.counters().refused_logons, 1);
    sap.reject_bearer("fresh");
    let error = erp.read(&Query::of("A_SalesOrder"), None).await.unwrap_err();
    assert_eq!(error.code(), "oauth.transient");
    assert_eq!(
        sap.counters().refused_logons,
        3,
        "once, and once more with another token"
    );
}

/// Tokens of which the first is old.
#[derive(Debug)]
struct Tokens(atlas_connectors::ConnectionRef, std::sync::atomic::AtomicU64);

impl Default for Tokens {
    fn default() -> Self {
        Self(sap_world::connection(), std::sync::atomic::AtomicU64::new(0))
    }
}

#[async_trait::async_trait]
impl atlas_connectors::credential::TokenSource for Tokens {
    fn connection(&self) -> &atlas_connectors::ConnectionRef {
        &self.0
    }
    async fn token(&self) -> atlas_connectors::Result<atlas_connectors::credential::AccessToken> {
        let generation = self.1.load(std::sync::atomic::Ordering::SeqCst);
        let text = if generation == 0 { "old" } else { "fresh" };
        let scopes = atlas_connectors::oauth::ScopeSet::new();
        Ok(atlas_connectors::credential::AccessToken::new(
            text.to_owned().into(),
            scopes,
            generation,
        ))
    }
    async fn reject(&self, rejected: &atlas_connectors::credential::AccessToken) {
        let next = rejected.generation() + 1;
        self.1.store(next, std::sync::atomic::Ordering::SeqCst);
    }
}

#[tokio::test]
async fn the_plan_says_what_is_done_where() {
    let sap = Sap::start().await.unwrap();
    let erp = writer(&sap, Version::V4);
    let query = Query::of("SalesOrder").filter(field("SoldToParty").equals("1000001"));
    let plan = erp.explain(&query).await.unwrap();
    assert!(
        plan.request.contains("$filter=SoldToParty%20eq%20'1000001'"),
        "{}",
        plan.request
    );
    assert!(plan.on_client.iter().any(|step| step.what.contains("check rows")));
    assert_eq!(sap.counters().requests_of("read"), 0);
}

#[tokio::test]
async fn the_servers_own_change_links_are_used_where_it_gives_them() {
    for (version, first, second) in [
        (
            Version::V2,
            r#"{"d":{"results":[{"SalesOrder":"1"}],"__delta":"A_SalesOrder?$select=SalesOrder&!deltatoken='d1'"}}"#,
            r#"{"d":{"results":[{"SalesOrder":"5"}],"__delta":"A_SalesOrder?$select=SalesOrder&!deltatoken='d2'"}}"#,
        ),
        (
            Version::V4,
            r#"{"value":[{"SalesOrder":"1"}],"@odata.deltaLink":"SalesOrder?$deltatoken=d1"}"#,
            r#"{"value":[{"SalesOrder":"5"},{"@removed":{"reason":"deleted"},"@odata.id":"SalesOrder('4')"}],"@odata.deltaLink":"SalesOrder?$deltatoken=d2"}"#,
        ),
    ] {
        let sap = Sap::start().await.unwrap();
        let erp = writer(&sap, version);
        let query = Query::of(words(version).order).select(["SalesOrder"]);
        sap.faults().next("read", Fault::text(200, "application/json", first));
        let changes = erp.changes(&query, &ChangePoint::Beginning, None).await.unwrap();
        assert_eq!(changes.records.len(), 1);
        let since = ChangePoint::After(changes.cursor.unwrap());
        sap.faults().next("read", Fault::text(200, "application/json", second));
        let changes = erp.changes(&query, &since, None).await.unwrap();
        assert_eq!(changes.records[0].key(), &RecordKey::single("5"), "{version:?}");
        if version == Version::V4 {
            assert_eq!(changes.deleted, [RecordKey::single("4")]);
        }
        // An old link is told: the host begins anew.
        let since = ChangePoint::After(changes.cursor.unwrap());
        sap.faults().next("read", Fault::status(410));
        let error = erp.changes(&query, &since, None).await.unwrap_err();
        assert_eq!(error.code(), "cursor_expired");
        let other = Query::of(words(version).partner);
        assert_eq!(erp.changes(&other, &since, None).await.unwrap_err().code(), "invalid");
    }
}

#[tokio::test]
async fn the_client_is_fixed_and_no_secret_is_shown() {
    let sap = Sap::start().await.unwrap();
    let erp = writer(&sap, Version::V2);
    let query = Query::of("A_SalesOrder").in_company("200");
    assert_eq!(erp.read(&query, None).await.unwrap_err().code(), "invalid");
    let query = Query::of("A_SalesOrder").in_company("100").select(["SalesOrder"]);
    assert_eq!(erp.read(&query, None).await.unwrap().items.len(), 12);
    assert!(erp.companies().await.unwrap().is_empty());
    let shown = format!("{erp:?} {:?}", builder(sap.uri(), Version::V2, basic(WRITER, PASSWORD)));
    assert!(!shown.contains(PASSWORD) && !shown.contains("SAP_SESSIONID"), "{shown}");
}
