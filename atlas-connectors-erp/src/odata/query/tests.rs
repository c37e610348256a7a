use atlas_connectors::erp::{Date, Decimal, Expand, Filter, Query, Value, field};

use super::*;
use crate::odata::model::tests::{v2, v4};
use crate::odata::{Dialect, Model, OrSupport, PageStyle, key_predicate};

fn plain(dialect: Dialect) -> Dialect {
    Dialect {
        page: PageStyle::Server,
        key_order: false,
        ..dialect
    }
}

fn compiled(dialect: Dialect, model: &Model, query: &Query) -> ODataQuery {
    ODataQuery::compile(&dialect, model, query).unwrap()
}

/// The options of a V2 filter, without its name.
fn v2_filter(filter: Filter) -> String {
    let query = compiled(plain(Dialect::sap_v2()), &v2(), &Query::of("A_Order").filter(filter));
    query.options.strip_prefix("$filter=").unwrap_or_default().to_owned()
}

fn business_central(filter: Filter) -> ODataQuery {
    let dialect = plain(Dialect::business_central());
    compiled(dialect, &v4(), &Query::of("Order").filter(filter))
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

#[test]
fn conditions_in_v2() {
    for (filter, expected) in [
        (
            field("Order").equals("O'Neill & Söhne"),
            "Order%20eq%20'O''Neill%20%26%20S%C3%B6hne'",
        ),
        (field("Type").equals("or"), "Type%20eq%20'OR'"),
        (field("Type").starts_with("z'"), "startswith(Type,'Z''')"),
        (field("Order").contains("1/2"), "substringof('1%2F2',Order)"),
        (
            field("Created").at_least(day("2025-11-01")),
            "Created%20ge%20datetime'2025-11-01T00:00:00'",
        ),
        (
            field("Changed").greater(day("2025-11-01").midnight()),
            "Changed%20gt%20datetimeoffset'2025-11-01T00:00:00Z'",
        ),
        (
            field("Order")
                .equals("1")
                .and(field("Type").equals("OR").or(field("Type").equals("TA"))),
            "Order%20eq%20'1'%20and%20(Type%20eq%20'OR'%20or%20Type%20eq%20'TA')",
        ),
        (
            field("Order")
                .equals("1")
                .or(field("Type").equals("OR").and(field("Currency").equals("EUR"))),
            "Order%20eq%20'1'%20or%20Type%20eq%20'OR'%20and%20Currency%20eq%20'EUR'",
        ),
        (
            field("Order").is_in(["1", "2"]),
            "Order%20eq%20'1'%20or%20Order%20eq%20'2'",
        ),
        (field("Order").is_in(["1"]), "Order%20eq%20'1'"),
        (
            field("Order").is_in(["1", "2"]).negated(),
            "Order%20ne%20'1'%20and%20Order%20ne%20'2'",
        ),
        (field("Created").is_null(), "Created%20eq%20null"),
        (
            field("Currency").is_null(),
            "Currency%20eq%20''%20or%20Currency%20eq%20null",
        ),
        (
            field("Currency").is_null().negated(),
            "Currency%20ne%20''%20and%20Currency%20ne%20null",
        ),
        (field("Order").equals(Value::Null), "Order%20eq%20''"),
        (
            field("Created").greater(day("2025-01-01")).negated(),
            "Created%20le%20datetime'2025-01-01T00:00:00'%20or%20Created%20eq%20null",
        ),
        (field("Order").greater("5").negated(), "Order%20le%20'5'"),
        (
            Filter::And(vec![field("Order").equals("1"), field("Type").equals("A")]).negated(),
            "Order%20ne%20'1'%20or%20Type%20ne%20'A'",
        ),
        (field("Order").contains("x").negated(), "not%20substringof('x',Order)"),
        (
            Filter::And(vec![Filter::And(vec![field("Order").equals("1")])]),
            "Order%20eq%20'1'",
        ),
        (Filter::And(Vec::new()), ""),
    ] {
        assert_eq!(v2_filter(filter), expected);
    }
}

#[test]
fn conditions_in_v4_and_what_is_left_for_the_client() {
    let amount: Decimal = "90000.50".parse().unwrap();
    let query = business_central(
        field("Net")
            .greater(amount)
            .and(field("Created").at_least(day("2025-01-01"))),
    );
    assert_eq!(
        query.options,
        "$filter=Net%20gt%2090000.50%20and%20Created%20ge%202025-01-01"
    );
    assert!(query.client.is_none() && query.plan.on_client.is_empty());

    // An enum's member as it travels, a GUID bare.
    let query = business_central(field("Status").equals("In_x0020_Review"));
    assert_eq!(query.options, "$filter=Status%20eq%20'In_x0020_Review'");
    let rap = plain(Dialect::sap_v4());
    let by_enum = Query::of("Order").filter(field("Status").equals("_x0020_"));
    assert_eq!(
        compiled(rap, &v4(), &by_enum).options,
        "$filter=Status%20eq%20com.x.v1.Status'_x0020_'"
    );

    // `or` over two fields: the client's work, and said so.
    let either = field("Kind").equals("A").or(field("Currency").equals("EUR"));
    let query = business_central(either.clone().and(field("Net").less(5)));
    assert_eq!(query.options, "$filter=Net%20lt%205");
    assert_eq!(query.client, Some(either));
    assert_eq!(query.plan.on_client.len(), 1);
    assert_eq!(query.plan.on_client[0].what, "filter Kind, Currency");
    let alike = business_central(field("Currency").is_in(["EUR", "USD"]));
    assert_eq!(
        alike.options,
        "$filter=Currency%20eq%20'EUR'%20or%20Currency%20eq%20'USD'"
    );
    let negated = business_central(field("Currency").contains("U").negated());
    assert_eq!((negated.options.as_str(), negated.client.is_some()), ("", true));
    assert_eq!(
        business_central(field("Created").is_null()).options,
        "$filter=Created%20eq%200001-01-01"
    );

    // What can never hold needs no request.
    assert!(business_central(field("Net").is_in(Vec::<Value>::new())).never);
    assert!(business_central(field("Net").equals(1).and(Filter::Or(Vec::new()))).never);
}

#[test]
fn in_where_the_server_has_it() {
    let dialect = Dialect {
        is_in: true,
        not: true,
        or: OrSupport::Any,
        ..plain(Dialect::sap_v4())
    };
    let query = Query::of("Order").filter(field("Currency").is_in(["1", "2"]));
    assert_eq!(
        compiled(dialect.clone(), &v4(), &query).options,
        "$filter=Currency%20in%20('1','2')"
    );
    // The sample service lists `eq and contains` only.
    let narrowed = plain(dialect).narrowed(&v4());
    assert!(!narrowed.is_in && !narrowed.not && !narrowed.starts_with && narrowed.contains);
}

#[test]
fn the_rest_of_a_query() {
    let query = Query::of("A_Order")
        .select(["Type", "Currency"])
        .expand(Expand::of("to_Item").select(["Quantity"]))
        .order_by_descending("Created")
        .page_size(200)
        .counted();
    let v2_query = compiled(Dialect::sap_v2(), &v2(), &query);
    assert_eq!(
        v2_query.options,
        "$select=Type,Currency,Order,to_Item/Quantity,to_Item/Order,to_Item/Item&$expand=to_Item&$orderby=Created%20desc,Order&$inlinecount=allpages&$top=200"
    );
    assert!(v2_query.plan.request.starts_with("A_Order?$select="));
    let all = Query::of("A_Order")
        .expand(Expand::of("to_Item").select(["Quantity"]))
        .limit(5);
    assert_eq!(
        compiled(Dialect::sap_v2(), &v2(), &all).options,
        "$select=*,to_Item/Quantity,to_Item/Order,to_Item/Item&$expand=to_Item&$orderby=Order&$top=5"
    );
    let nested = Query::of("A_Order").expand(Expand::of("to_Item").expand("to_Order"));
    assert_eq!(
        compiled(plain(Dialect::sap_v2()), &v2(), &nested).options,
        "$expand=to_Item/to_Order"
    );

    let query = Query::of("Order")
        .select(["Net"])
        .expand(
            Expand::of("_Item")
                .select(["Quantity"])
                .expand(Expand::of("_Order").select(["Net"])),
        )
        .expand("_Text")
        .order_by("Net")
        .counted();
    let v4_query = compiled(Dialect::business_central(), &v4(), &query);
    assert_eq!(
        v4_query.options,
        "$select=Net,ID&$expand=_Item($select=Quantity,Order,Item;$expand=_Order($select=Net,ID)),_Text&$orderby=Net&$count=true"
    );
    assert_eq!(v4_query.prefer.as_deref(), Some("odata.maxpagesize=1000"));
}

#[test]
fn everything_is_checked_before_anything_is_sent() {
    let model = v2();
    let failed = |query: Query| {
        let error = ODataQuery::compile(&Dialect::sap_v2(), &model, &query).unwrap_err();
        let context: Vec<String> = error.context().map(|(_, value)| value.to_owned()).collect();
        format!("{} {} {}", error.code(), error.kind(), context.join(","))
    };
    let of = |filter| Query::of("A_Order").filter(filter);
    for (query, expected) in [
        (
            Query::of("A_Nothing"),
            "schema_mismatch A_Nothing differs from what was expected: missing ",
        ),
        (
            of(field("Nope").equals("1")),
            "schema_mismatch A_Order.Nope differs from what was expected: missing ",
        ),
        (
            of(field("Order").equals(1)),
            "schema_mismatch A_Order.Order differs from what was expected: another type ",
        ),
        (
            of(field("Created").equals("x")),
            "schema_mismatch A_Order.Created differs from what was expected: another type ",
        ),
        (
            of(field("Created").contains("x")),
            "schema_mismatch A_Order.Created differs from what was expected: another type ",
        ),
        (
            of(field("Order").greater(Value::Null)),
            "schema_mismatch A_Order.Order differs from what was expected: another type ",
        ),
        (
            of(field("Net").equals(1)),
            "unsupported not supported: filtering by this field A_Order.Net",
        ),
        (
            of(field("to_Item").is_null()),
            "unsupported not supported: filtering by this field A_Order.to_Item",
        ),
        (
            Query::of("A_Order").order_by("Net"),
            "unsupported not supported: ordering by this field A_Order.Net",
        ),
        (
            Query::of("A_Order").select(["Nope"]),
            "schema_mismatch A_Order.Nope differs from what was expected: missing ",
        ),
        (
            Query::of("A_Order").select(["to_Item"]),
            "schema_mismatch A_Order.to_Item differs from what was expected: another type ",
        ),
        (
            Query::of("A_Order").expand("Net"),
            "schema_mismatch A_Order.Net differs from what was expected: another type ",
        ),
        (
            Query::of("A_Order").expand(Expand::of("to_Item").select(["Nope"])),
            "schema_mismatch A_Item.Nope differs from what was expected: missing ",
        ),
        (
            Query::of("A_Item").expand("to_Nowhere"),
            "schema_mismatch A_Item.to_Nowhere differs from what was expected: missing ",
        ),
        (
            of(field("Order").is_in((0..2_000).map(|at| at.to_string()))),
            "invalid invalid query: it is longer than the server takes 53920",
        ),
    ] {
        assert_eq!(failed(query).split(" 5").next(), expected.split(" 5").next());
    }
    let status = Query::of("Order").filter(field("Status").equals("Lost"));
    let error = ODataQuery::compile(&Dialect::sap_v4(), &v4(), &status).unwrap_err();
    assert_eq!(
        error.kind().to_string(),
        "Order.Status differs from what was expected: unknown value"
    );
}

/// The recorded key addresses of CAP V2 and V4.
#[test]
fn keys_have_the_literals_of_their_types() {
    let (v2, v4) = (v2(), v4());
    let (two, four) = (Dialect::sap_v2(), Dialect::sap_v4());
    let order = v2.entity("t", "A_Order").unwrap();
    let item = v2.entity("t", "A_Item").unwrap();
    assert_eq!(
        key_predicate(&two, order, &"1/2 'x'".into()).unwrap(),
        "('1%2F2%20''x''')"
    );
    use atlas_connectors::erp::RecordKey;
    let swapped = RecordKey::composite([("Item", "10"), ("Order", "2")]);
    assert_eq!(key_predicate(&two, item, &swapped).unwrap(), "(Order='2',Item='10')");
    let guid = "00000000-0000-4000-8000-000000000001";
    let order4 = v4.entity("t", "Order").unwrap();
    assert_eq!(key_predicate(&four, order4, &guid.into()).unwrap(), format!("({guid})"));
    assert_eq!(
        key_predicate(&two, order4, &guid.into()).unwrap(),
        format!("(guid'{guid}')")
    );
    let item4 = v4.entity("t", "Item").unwrap();
    let both = RecordKey::composite([("Order", guid), ("Item", "7")]);
    assert_eq!(
        key_predicate(&four, item4, &both).unwrap(),
        format!("(Order={guid},Item=7)")
    );
    assert_eq!(
        key_predicate(&four, v4.entity("t", "Me").unwrap(), &"x".into()).unwrap(),
        ""
    );
    for (model, key) in [
        (item, RecordKey::single("1")),
        (order, RecordKey::composite([("Order", "1"), ("Item", "2")])),
        (order4, RecordKey::single("1) or (1")),
        (item4, RecordKey::composite([("Order", guid), ("Item", "x")])),
        (item4, RecordKey::composite([("Order", guid), ("Other", "1")])),
    ] {
        assert!(key_predicate(&four, model, &key).is_err());
    }
}
