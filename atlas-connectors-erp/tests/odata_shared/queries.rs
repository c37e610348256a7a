//! Queries, as recorded addresses have them.

use std::path::Path;

use atlas_connectors::Timestamp;
use atlas_connectors::erp::{Date, Decimal, Expand, Filter, Query, RecordKey, TimeOfDay, Value, field};
use atlas_connectors_erp::odata::{Dialect, Model, NullStyle, ODataQuery, PageStyle, key_predicate};

use super::metadata::{business_central, sap};
use super::{Case, case, recorded};

const V2_SALES: &str = "sap/cap-v2/API_SALES_ORDER_SRV.metadata.xml";
const V2_TYPES: &str = "sap/cap-v2/Z_ATLAS_TYPES_SRV.metadata.xml";
const V2_PARTNER: &str = "sap/edmx/API_BUSINESS_PARTNER.xml";
const V4_SALES: &str = "sap/cap-v4/CE_SALESORDER_0001.metadata.xml";
const V4_TYPES: &str = "sap/cap-v4/Z_ATLAS_TYPES_SRV.metadata.xml";

fn plain(dialect: Dialect) -> Dialect {
    let mut dialect = dialect;
    dialect.page = PageStyle::Server;
    dialect.key_order = false;
    dialect.null = NullStyle::Null;
    dialect
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) fn cases() -> Vec<Case> {
    let guid = "00000000-0000-4000-8000-000000000002";
    let since: Timestamp = "2025-11-01T00:00:00Z".parse().unwrap();
    let late: TimeOfDay = "23:59:59".parse().unwrap();
    let filters: [(&str, &str, &str, Filter); 15] = [
        (
            "cap-v2/filter_datetime",
            V2_SALES,
            "A_SalesOrder",
            field("CreationDate").at_least(day("2025-11-01")),
        ),
        (
            "cap-v2/filter_datetimeoffset",
            V2_SALES,
            "A_SalesOrder",
            field("LastChangeDateTime").greater(since),
        ),
        ("cap-v2/filter_guid", V2_TYPES, "AllTypes", field("ID").equals(guid)),
        (
            "cap-v2/filter_int64",
            V2_TYPES,
            "AllTypes",
            field("I64").equals(i64::MAX),
        ),
        ("cap-v2/filter_null", V2_TYPES, "AllTypes", field("Text").is_null()),
        (
            "cap-v2/filter_startswith_quote",
            V2_PARTNER,
            "A_BusinessPartner",
            field("BusinessPartnerFullName").starts_with("O'Neill"),
        ),
        (
            "cap-v2/filter_string_and_decimal",
            V2_SALES,
            "A_SalesOrder",
            field("SalesOrganization")
                .equals("1710")
                .and(field("TotalNetAmount").greater(decimal("100000"))),
        ),
        (
            "cap-v2/filter_substringof",
            V2_PARTNER,
            "A_BusinessPartner",
            field("BusinessPartnerFullName").contains("Alpine"),
        ),
        ("cap-v2/filter_time", V2_TYPES, "AllTypes", field("T").equals(late)),
        (
            "cap-v2/filter_unicode",
            V2_PARTNER,
            "A_BusinessPartner",
            field("BusinessPartnerFullName").starts_with("Müller & Söhne"),
        ),
        (
            "cap-v4/filter_decimal_date",
            V4_SALES,
            "SalesOrder",
            field("TotalNetAmount")
                .greater(decimal("90000.5"))
                .and(field("CreationDate").at_least(day("2025-01-01"))),
        ),
        ("cap-v4/filter_guid", V4_TYPES, "AllTypes", field("ID").equals(guid)),
        ("cap-v4/filter_null", V4_TYPES, "AllTypes", field("Text").is_null()),
        (
            "cap-v4/filter_in",
            V4_SALES,
            "SalesOrder",
            field("SalesOrder").is_in(["1", "2"]),
        ),
        (
            "cap-v4/filter_timestamp_orderby",
            V4_SALES,
            "SalesOrder",
            field("LastChangeDateTime").greater(since),
        ),
    ];
    let mut out: Vec<Case> = filters
        .into_iter()
        .map(|(name, document, set, filter)| {
            case(format!("query::{name}"), move |folder| {
                let expected = recorded::read(&folder.join("sap"), name);
                let v2 = name.starts_with("cap-v2");
                let mut dialect = plain(if v2 { Dialect::sap_v2() } else { Dialect::sap_v4() });
                // CAP takes `in`; a RAP service does not.
                dialect.is_in = name.ends_with("filter_in");
                let query = compiled(&dialect, &sap(folder, document), &Query::of(set).filter(filter));
                assert_eq!(
                    query.options,
                    format!("$filter={}", expected.option("$filter").unwrap())
                );
                assert!(query.client.is_none());
            })
        })
        .collect();
    out.push(case("query::keyset", keyset));
    out.push(case("query::expands", expands));
    out.push(case("query::keys", keys));
    out.push(case("query::business_central", central));
    out
}

fn compiled(dialect: &Dialect, model: &Model, query: &Query) -> ODataQuery {
    ODataQuery::compile(dialect, model, query).unwrap()
}

/// The recorded form has parentheses that the grammar does not need; ours is the same condition without them.
fn keyset(folder: &Path) {
    let expected = recorded::read(&folder.join("sap"), "cap-v4/filter_keyset");
    let since: Timestamp = "2025-11-01T00:00:00Z".parse().unwrap();
    let same = field("LastChangeDateTime")
        .equals(since)
        .and(field("SalesOrder").greater("100"));
    let query = Query::of("SalesOrder")
        .filter(field("LastChangeDateTime").greater(since).or(same))
        .order_by("LastChangeDateTime")
        .order_by("SalesOrder");
    let query = compiled(&plain(Dialect::sap_v4()), &sap(folder, V4_SALES), &query);
    let (filter, order) = (
        expected.option("$filter").unwrap(),
        expected.option("$orderby").unwrap(),
    );
    let bare = filter.replace(['(', ')'], "");
    assert_eq!(query.options, format!("$filter={bare}&$orderby={order}"));
}

fn expands(folder: &Path) {
    let model = sap(folder, V2_SALES);
    let expected = recorded::read(&folder.join("sap"), "cap-v2/expand_nested");
    let nested = Expand::of("to_Item").expand("to_ScheduleLine");
    let query = compiled(
        &plain(Dialect::sap_v2()),
        &model,
        &Query::of("A_SalesOrder").expand(nested),
    );
    assert_eq!(
        query.options,
        format!("$expand={}", expected.option("$expand").unwrap())
    );

    let expected = recorded::read(&folder.join("sap"), "cap-v4/expand_nested");
    let lines = Expand::of("_ScheduleLine").select(["ScheduleLine", "RequestedDeliveryDate"]);
    let items = Expand::of("_Item").select(["SalesOrderItem"]).expand(lines);
    let query = Query::of("SalesOrder").select(["SalesOrder"]).expand(items);
    let query = compiled(&plain(Dialect::sap_v4()), &sap(folder, V4_SALES), &query);
    // The keys come along, so that each record can be found again.
    let with_keys = expected
        .option("$expand")
        .unwrap()
        .replace("$select=SalesOrderItem;", "$select=SalesOrderItem,SalesOrder;")
        .replace(
            "RequestedDeliveryDate)",
            "RequestedDeliveryDate,SalesOrder,SalesOrderItem)",
        );
    assert_eq!(query.options, format!("$select=SalesOrder&$expand={with_keys}"));
}

fn keys(folder: &Path) {
    let composite = || RecordKey::composite([("SalesOrderItem", "10"), ("SalesOrder", "2")]);
    let stock = RecordKey::composite([
        ("Material", "TG0000"),
        ("Plant", "1010"),
        ("StorageLocation", "101A"),
        ("Batch", ""),
        ("Supplier", ""),
        ("Customer", ""),
        ("WBSElementInternalID", ""),
        ("SDDocument", ""),
        ("SDDocumentItem", ""),
        ("InventorySpecialStockType", ""),
        ("InventoryStockType", "01"),
    ]);
    let guid = RecordKey::composite([("ID", "00000000-0000-4000-8000-000000000001"), ("Seq", "1")]);
    for (name, document, set, key) in [
        ("cap-v2/key_single", V2_SALES, "A_SalesOrder", RecordKey::single("1")),
        ("cap-v2/key_composite", V2_SALES, "A_SalesOrderItem", composite()),
        (
            "cap-v2/key_composite_eleven_parts",
            "sap/edmx/API_MATERIAL_STOCK_SRV.xml",
            "A_MatlStkInAcctMod",
            stock,
        ),
        ("cap-v2/key_guid", V2_TYPES, "AllTypes", guid),
        ("cap-v4/key_single", V4_SALES, "SalesOrder", RecordKey::single("1")),
        ("cap-v4/key_composite", V4_SALES, "SalesOrderItem", composite()),
    ] {
        let expected = recorded::read(&folder.join("sap"), name);
        let dialect = if name.starts_with("cap-v2") {
            Dialect::sap_v2()
        } else {
            Dialect::sap_v4()
        };
        let model = sap(folder, document);
        let entity = model.entity("t", set).unwrap();
        let predicate = key_predicate(&dialect, entity, &key).unwrap();
        let address = format!("/{set}{predicate}");
        let path = expected.path.split('?').next().unwrap();
        assert!(path.ends_with(&address), "{name}: {address}");
    }
}

/// `business-central.md`, section 4.
fn central(folder: &Path) {
    let model = business_central(folder);
    let dialect = Dialect::business_central();
    let query = Query::of("salesOrders")
        .filter(
            field("status")
                .equals("In_x0020_Review")
                .and(field("customerId").is_null()),
        )
        .filter(field("number").is_in(["A", "B"]))
        .select(["number"])
        .expand(Expand::of("salesOrderLines").select(["quantity"]))
        .page_size(50_000);
    let compiled = compiled(&dialect, &model, &query);
    assert_eq!(
        compiled.options,
        "$select=number,id&$expand=salesOrderLines($select=quantity,id)&$filter=status%20eq%20'In_x0020_Review'%20and%20customerId%20eq%2000000000-0000-0000-0000-000000000000%20and%20(number%20eq%20'A'%20or%20number%20eq%20'B')"
    );
    assert_eq!(compiled.prefer.as_deref(), Some("odata.maxpagesize=20000"));
    let either = Query::of("salesOrders").filter(field("number").equals("A").or(field("email").equals("x")));
    let either = ODataQuery::compile(&dialect, &model, &either).unwrap();
    assert!(either.client.is_some() && !either.options.contains("or"));
    let lost = Query::of("salesOrders").filter(field("status").equals(Value::from("Lost")));
    assert_eq!(
        ODataQuery::compile(&dialect, &model, &lost).unwrap_err().code(),
        "schema_mismatch"
    );
}
