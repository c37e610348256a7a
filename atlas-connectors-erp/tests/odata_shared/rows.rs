//! Rows of recorded answers.

use std::path::Path;

use atlas_connectors::erp::{Expand, Query, Record, Value};
use atlas_connectors_erp::odata::metadata::Schema;
use atlas_connectors_erp::odata::{
    CatalogSettings, Dialect, Model, NullStyle, ODataPage, ODataQuery, PageLimits, ServiceRoot, read_page, read_record,
};

use super::metadata::{business_central, sap};
use super::{Case, case, recorded};

const V2_SALES: &str = "sap/cap-v2/API_SALES_ORDER_SRV.metadata.xml";
const V4_SALES: &str = "sap/cap-v4/CE_SALESORDER_0001.metadata.xml";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("rows::both_versions_tell_the_same", both_versions),
        case("rows::all_types", all_types),
        case("rows::whole_pages", whole_pages),
        case("rows::expanded", expanded),
        case("rows::mock_server_with_numbers", mock_server),
        case("rows::next_links", next_links),
        case("rows::odatapy_and_its_changes", odatapy),
        case("rows::business_central", central),
        case("rows::single_records", single),
        case("rows::what_is_no_page", no_page),
    ]
}

fn page(folder: &Path, name: &str, dialect: &Dialect, model: &Model, query: &Query) -> ODataPage {
    let answer = recorded::read(folder, name);
    let query = ODataQuery::compile(dialect, model, query).unwrap();
    read_page("t", &query.rows, &answer.body, PageLimits::default()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn shown(record: &Record, fields: &[&str]) -> Vec<String> {
    fields
        .iter()
        .map(|field| record.value(field).unwrap().to_string())
        .collect()
}

/// The first order, as both versions of the same server tell it.
fn both_versions(folder: &Path) {
    let fields = [
        "SalesOrder",
        "SalesOrderType",
        "SoldToParty",
        "TotalNetAmount",
        "TransactionCurrency",
        "CreationDate",
        "LastChangeDateTime",
    ];
    for (name, document, set, dialect) in [
        (
            "sap/cap-v2/collection_inlinecount",
            V2_SALES,
            "A_SalesOrder",
            Dialect::sap_v2(),
        ),
        ("sap/cap-v4/collection_count", V4_SALES, "SalesOrder", Dialect::sap_v4()),
    ] {
        let page = page(
            folder,
            name,
            &dialect,
            &sap(folder, document),
            &Query::of(set).select(fields),
        );
        assert_eq!((page.records.len(), page.count), (2, Some(3000)), "{name}");
        let first = shown(&page.records[0], &fields);
        assert_eq!(first[..3], ["1", "OR", "1000335"]);
        assert_eq!(
            page.records[0].value("TotalNetAmount").unwrap().as_decimal(),
            Some("23656.5".parse().unwrap())
        );
        assert_eq!(first[4..], ["USD", "2024-01-01", "2024-01-01T00:00:00Z"]);
        assert_eq!(
            page.records[0].etag().unwrap().as_str(),
            "W/\"2024-01-01T00:00:00.000Z\""
        );
        assert_eq!(page.records[1].key().to_string(), "10");
    }
}

fn all_types(folder: &Path) {
    for (name, document, dialect) in [
        (
            "sap/cap-v2/types_all",
            "sap/cap-v2/Z_ATLAS_TYPES_SRV.metadata.xml",
            Dialect::sap_v2(),
        ),
        (
            "sap/cap-v4/types_all",
            "sap/cap-v4/Z_ATLAS_TYPES_SRV.metadata.xml",
            Dialect::sap_v4(),
        ),
    ] {
        let page = page(folder, name, &dialect, &sap(folder, document), &Query::of("AllTypes"));
        let first = &page.records[0];
        assert_eq!(
            first.key().to_string(),
            "ID=00000000-0000-4000-8000-000000000001,Seq=1",
            "{name}"
        );
        assert_eq!(
            shown(first, &["Text", "I64"]),
            ["O'Brien / ünï \"q\" %41 +&#", "9223372036854775807"]
        );
        let raw = recorded::read(folder, name);
        let text = std::str::from_utf8(&raw.body).unwrap();
        // Every decimal of the body is in the record as it stands.
        for field in first.columns().names() {
            if let Some(Value::Decimal(number)) = first.value(field.as_str()) {
                assert!(text.contains(&number.to_string()), "{name}.{field}: {number}");
            }
        }
        assert!(
            first
                .fields()
                .filter(|(_, value)| matches!(value, Value::Decimal(_)))
                .count()
                >= 2
        );
    }
}

fn whole_pages(folder: &Path) {
    let partners = sap(folder, "sap/edmx/API_BUSINESS_PARTNER.xml");
    let query = Query::of("A_BusinessPartner").select(["BusinessPartner"]);
    let first = page(folder, "sap/cap-v2/paging_page1", &Dialect::sap_v2(), &partners, &query);
    assert_eq!(first.records.len(), 200);
    assert!(first.next.is_some() && first.count.is_some());
    let full = page(
        folder,
        "sap/cap-v2/collection_full_row",
        &Dialect::sap_v2(),
        &sap(folder, V2_SALES),
        &Query::of("A_SalesOrder"),
    );
    let order = &full.records[0];
    assert_eq!(order.columns().names().len(), order.fields().count());
    assert!(order.value("SalesGroup").unwrap().is_null(), "initial is no value");
    let large = page(
        folder,
        "sap/cap-v4/paging_max_exceeded",
        &Dialect::sap_v4(),
        &sap(folder, V4_SALES),
        &Query::of("SalesOrder").select(["SalesOrder"]),
    );
    assert!(large.records.len() >= 1000 && large.records.iter().all(|record| !record.key().to_string().is_empty()));
}

fn expanded(folder: &Path) {
    let items = ["SalesOrderItem", "RequestedQuantity"];
    let query = Query::of("A_SalesOrder")
        .select(["SalesOrder"])
        .expand(Expand::of("to_Item").select(items))
        .expand("to_Partner");
    let v2 = page(
        folder,
        "sap/cap-v2/expand_items",
        &Dialect::sap_v2(),
        &sap(folder, V2_SALES),
        &query,
    );
    let query = Query::of("SalesOrder")
        .select(["SalesOrder"])
        .expand(Expand::of("_Item").select(items))
        .expand("_Partner");
    let v4 = page(
        folder,
        "sap/cap-v4/expand_items",
        &Dialect::sap_v4(),
        &sap(folder, V4_SALES),
        &query,
    );
    let lines = v2.records[0].value("to_Item").and_then(Value::as_records).unwrap();
    assert_eq!(lines[0].value("RequestedQuantity").unwrap().to_string(), "19.000");
    assert_eq!(lines[0].key().to_string(), "SalesOrder=10,SalesOrderItem=10");
    let one = v4.records[0].value("_Item").and_then(Value::as_records).unwrap();
    assert_eq!(
        (one.len(), one[0].value("RequestedQuantity").unwrap().to_string()),
        (1, "27.000".to_owned())
    );
    assert_eq!(
        v4.records[0].etag().unwrap().as_str(),
        "W/\"2024-01-10T00:00:09.000Z\"",
        "the stamp stands last"
    );
    assert_eq!(
        v4.records[0]
            .value("_Partner")
            .and_then(Value::as_records)
            .unwrap()
            .len(),
        2
    );
}

/// Numbers where V2 has texts, a count that is a number, an odd ETag.
fn mock_server(folder: &Path) {
    let query = Query::of("A_SalesOrder").select(["TotalNetAmount", "CreationDate"]);
    let model = sap(folder, "sap/edmx/API_SALES_ORDER_SRV.xml");
    let page = page(
        folder,
        "sap/sap-fe-mockserver/v2_collection",
        &Dialect::sap_v2(),
        &model,
        &query,
    );
    assert_eq!(page.count, Some(151));
    assert_eq!(
        shown(&page.records[0], &["TotalNetAmount", "CreationDate"]),
        ["397.32", "2015-05-09"]
    );
    assert!(page.records[0].etag().is_some());
}

fn next_links(folder: &Path) {
    let root = ServiceRoot::new("http://localhost:14004/sap/opu/odata/sap/API_BUSINESS_PARTNER").unwrap();
    let partners = sap(folder, "sap/edmx/API_BUSINESS_PARTNER.xml");
    let query = Query::of("A_BusinessPartner").select(["BusinessPartner"]);
    let first = page(folder, "sap/cap-v2/paging_page1", &Dialect::sap_v2(), &partners, &query);
    let next = root.resolve("t", &first.next.unwrap()).unwrap();
    assert!(next.as_str().contains("skiptoken=200"));
    let odp = page(
        folder,
        "sap/gateway-samples/v2_paging_next_odp",
        &Dialect::sap_v2(),
        &odp_model(),
        &Query::of("MySet"),
    );
    assert_eq!(odp.records.len(), 2);
    let link = odp.next.unwrap();
    assert!(root.resolve("t", &link).is_err(), "another host");
    let home = ServiceRoot::new("https://example.com/sap/opu/odata/TYED/MySvc").unwrap();
    assert_eq!(home.resolve("t", &link).unwrap().as_str(), link);
    let padded = page(
        folder,
        "sap/gateway-samples/v4_collection_padded_key",
        &Dialect::sap_v4(),
        &shop_model(),
        &Query::of("onlineshop"),
    );
    assert_eq!(padded.records[0].value("OrderID").unwrap().to_string(), "        1");
}

fn odp_model() -> Model {
    let document = br#"<Schema Namespace="a" xmlns="http://schemas.microsoft.com/ado/2008/09/edm"><EntityType Name="T"><Key><PropertyRef Name="ID"/></Key><Property Name="ID" Type="Edm.String"/><Property Name="Name" Type="Edm.String"/></EntityType><EntityContainer Name="C"><EntitySet Name="MySet" EntityType="a.T"/></EntityContainer></Schema>"#;
    Model::new(&Schema::parse(document).unwrap(), &CatalogSettings::sap("t"))
}

fn shop_model() -> Model {
    let document = br#"<Schema Namespace="a" xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityType Name="T"><Key><PropertyRef Name="OrderUUID"/></Key><Property Name="OrderUUID" Type="Edm.Guid"/><Property Name="OrderID" Type="Edm.String"/><Property Name="Quantity" Type="Edm.Int32"/><Property Name="LocalLastChangedAt" Type="Edm.DateTimeOffset"/></EntityType><EntityContainer Name="C"><EntitySet Name="onlineshop" EntityType="a.T"/></EntityContainer></Schema>"#;
    Model::new(&Schema::parse(document).unwrap(), &CatalogSettings::sap("t"))
}

/// An OData 4.01 server that is not from SAP.
fn odatapy(folder: &Path) {
    let document = recorded::read(folder, "sap/odatapy/metadata");
    let model = Model::new(&Schema::parse(&document.body).unwrap(), &CatalogSettings::sap("t"));
    let mut dialect = Dialect::sap_v4();
    dialect.null = NullStyle::Null;
    let query = Query::of("SalesOrder").select(["SalesOrder", "TotalNetAmount", "Revision"]);
    for name in [
        "collection_numbers",
        "collection_ieee754",
        "paging_page1",
        "paging_page2",
        "v401_short_names",
        "collection_full_metadata",
    ] {
        let page = page(folder, &format!("sap/odatapy/{name}"), &dialect, &model, &query);
        assert!(!page.records.is_empty(), "{name}");
    }
    let changes = page(folder, "sap/odatapy/delta_changes", &dialect, &model, &query);
    assert_eq!((changes.records.len(), changes.removed.len()), (3, 1));
    assert!(changes.removed[0].ends_with("SalesOrder('98')"));
    assert!(changes.delta.is_some() && changes.next.is_none());
    assert_eq!(
        changes.records[2].value("Revision").unwrap().as_i64(),
        Some(9_007_199_254_740_994)
    );
}

fn central(folder: &Path) {
    let model = business_central(folder);
    let dialect = Dialect::business_central();
    let query = Query::of("salesOrders").expand("customer").expand("salesOrderLines");
    let real = page(folder, "bc/real-salesorders-expanded", &dialect, &model, &query);
    let order = &real.records[0];
    assert_eq!(
        shown(order, &["number", "totalAmountIncludingTax", "status"]),
        ["SZA/25/000042", "413.28", "Open"]
    );
    assert!(order.value("requestedDeliveryDate").unwrap().is_null() && order.value("currencyId").unwrap().is_null());
    assert!(order.value("sellToCity").unwrap().is_null());
    assert_eq!(
        order.etag().unwrap().as_str(),
        "W/\"JzIwOzE2NzI4NzUyNjQ5OTA1ODk3MzEwMTswMDsn\""
    );
    let customer = order.value("customer").and_then(Value::as_records).unwrap();
    assert_eq!(shown(&customer[0], &["number", "blocked"]), ["30000", "_x0020_"]);
    assert!(customer[0].etag().is_some());
    let lines = order.value("salesOrderLines").and_then(Value::as_records).unwrap();
    assert!(!lines.is_empty() && lines.iter().all(|line| line.etag().is_some()));
    let customers = page(
        folder,
        "bc/peer-customers-page",
        &dialect,
        &model,
        &Query::of("customers").select(["number", "displayName"]),
    );
    assert_eq!((customers.records.len(), customers.count), (3, Some(800)));
    assert!(customers.next.is_some());
}

fn single(folder: &Path) {
    let central = business_central(folder);
    let plan = ODataQuery::compile(&Dialect::business_central(), &central, &Query::of("customers"))
        .unwrap()
        .rows;
    let customer = read_record("t", &plan, &recorded::read(folder, "bc/real-customer").body)
        .unwrap()
        .unwrap();
    assert_eq!(
        customer.records[0].key().to_string(),
        "34f03eee-2a32-f011-9a4a-7ced8d0ee6e7"
    );
    assert_eq!(shown(&customer.records[0], &["creditLimit"]), ["2000"]);

    let v2 = sap(folder, V2_SALES);
    let plan = ODataQuery::compile(&Dialect::sap_v2(), &v2, &Query::of("A_SalesOrder").expand("to_Item"))
        .unwrap()
        .rows;
    let created = read_record("t", &plan, &recorded::read(folder, "sap/cap-v2/create_warning").body)
        .unwrap()
        .unwrap();
    let order = &created.records[0];
    assert_eq!(
        (
            order.key().to_string().as_str(),
            order.value("to_Item").unwrap().is_null()
        ),
        ("900002", true)
    );
    let deep = read_record(
        "t",
        &plan,
        &recorded::read(folder, "sap/cap-v2/create_deep_insert").body,
    )
    .unwrap()
    .unwrap();
    assert!(
        !deep.records[0]
            .value("to_Item")
            .and_then(Value::as_records)
            .unwrap()
            .is_empty()
    );

    let v4 = sap(folder, V4_SALES);
    let plan = ODataQuery::compile(&Dialect::sap_v4(), &v4, &Query::of("SalesOrder"))
        .unwrap()
        .rows;
    let read = read_record("t", &plan, &recorded::read(folder, "sap/cap-v4/key_single").body)
        .unwrap()
        .unwrap();
    assert_eq!(read.records[0].key().to_string(), "1");
    assert!(read_record("t", &plan, b"").unwrap().is_none());
}

fn no_page(folder: &Path) {
    let model = sap(folder, V4_SALES);
    let plan = ODataQuery::compile(
        &Dialect::sap_v4(),
        &model,
        &Query::of("SalesOrder").select(["SalesOrder"]),
    )
    .unwrap()
    .rows;
    let whole = recorded::read(folder, "sap/cap-v4/collection_select").body;
    for at in (1..whole.len()).step_by(7) {
        assert_eq!(
            read_page("t", &plan, &whole[..at], PageLimits::default())
                .unwrap_err()
                .code(),
            "bad_payload.truncated",
            "{at}"
        );
    }
    let html = recorded::read(folder, "sap/cap-v2/create_error_malformed_json").body;
    assert_eq!(
        read_page("t", &plan, &html, PageLimits::default()).unwrap_err().code(),
        "bad_payload.type"
    );
    let error = recorded::read(folder, "sap/cap-v4/create_error_single").body;
    assert_eq!(
        read_page("t", &plan, &error, PageLimits::default()).unwrap_err().code(),
        "bad_payload.type"
    );
    let mut few = PageLimits::default();
    few.rows = 2;
    assert_eq!(
        read_page("t", &plan, &whole, few).unwrap_err().code(),
        "bad_payload.too_large"
    );
    few.bytes = 100;
    assert_eq!(
        read_page("t", &plan, &whole, few).unwrap_err().code(),
        "bad_payload.too_large"
    );
}
