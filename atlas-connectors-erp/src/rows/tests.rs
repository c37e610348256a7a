use std::sync::Arc;

use atlas_connectors::erp::{RecordKey, Value};

use super::*;

fn plan(nulls: NullRules) -> RowPlan {
    let line = RowPlan::new(
        "line",
        ["no"],
        vec![
            Cell::new("no", CellKind::Integer),
            Cell::new("price", CellKind::Decimal),
        ],
        nulls,
    );
    let line = Arc::new(line);
    let cells = vec![
        Cell::new("id", CellKind::Text),
        Cell::new("amount", CellKind::Decimal),
        Cell::new("count", CellKind::Integer),
        Cell::new("open", CellKind::Bool),
        Cell::new("day", CellKind::Date),
        Cell::new("at", CellKind::Instant),
        Cell::new("time", CellKind::Time),
        Cell::new("guid", CellKind::Guid),
        Cell::new("note", CellKind::Text),
        Cell::new("data", CellKind::Binary),
        Cell::new("any", CellKind::Other),
        Cell::new("lines", CellKind::Many(Arc::clone(&line))),
        Cell::new("one", CellKind::One(line)),
    ];
    RowPlan::new("order", ["id"], cells, nulls).with_version("at")
}

fn record(plan: &RowPlan, json: &str) -> atlas_connectors::erp::Record {
    read_one("t", plan, json.as_bytes()).unwrap().unwrap()
}

fn texts(plan: &RowPlan, json: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (field, value) in record(plan, json).fields() {
        if !value.is_null() {
            out.push(format!("{field}={value}"));
        }
    }
    out
}

#[test]
fn both_versions_give_the_same_values() {
    let plan = plan(NullRules::SAP);
    let v2 = r#"{"__metadata":{"uri":"x","type":"y","etag":"W/\"1\""},"id":"7","amount":"1234567890123456789012345.678","count":"9223372036854775807","open":false,"day":"/Date(1704067200000)/","at":"/Date(1704067200123+0060)/","time":"PT23H59M59S","guid":"00000000-0000-4000-8000-00000000000A","note":"a \"b\" \u00e4","data":"+/8=","unknown":{"x":[1]},"lines":{"results":[{"no":10,"price":"1.10"},{"no":"20","price":"2"}]},"one":{"__deferred":{"uri":"x"}}}"#;
    let v4 = r#"{"id":"7","amount":1234567890123456789012345.678,"count":9223372036854775807,"open":false,"day":"2024-01-01","at":"2024-01-01T00:00:00.1234567Z","time":"23:59:59.1","guid":"00000000-0000-4000-8000-00000000000a","note":"a \"b\" ä","data":"-_8","lines@odata.context":"x","lines":[{"no":10,"price":1.10,"@odata.etag":"W/\"2\""},{"no":20,"price":2}],"one":null,"@odata.etag":"W/\"1\""}"#;
    let expected = [
        "id=7",
        "amount=1234567890123456789012345.678",
        "count=9223372036854775807",
        "open=no",
        "day=2024-01-01",
        "at=2024-01-01T00:00:00.123Z",
        "time=23:59:59",
        "guid=00000000-0000-4000-8000-00000000000a",
        "note=a \"b\" ä",
        "data=2 bytes",
        "lines=2 records",
    ];
    for json in [v2, v4] {
        assert_eq!(texts(&plan, json), expected);
        let record = record(&plan, json);
        assert_eq!(record.key(), &RecordKey::single("7"));
        assert_eq!(record.etag().map(|etag| etag.as_str()), Some("W/\"1\""));
        let lines = record.value("lines").and_then(Value::as_records).unwrap();
        assert_eq!(lines[0].value("price").unwrap().to_string(), "1.10");
        assert_eq!(lines[1].key(), &RecordKey::single("20"));
    }
}

#[test]
fn what_a_provider_writes_for_no_value() {
    let sap = r#"{"id":"","amount":"","day":"0000-00-00","at":"/Date(-62135596800000)/","guid":"00000000-0000-0000-0000-000000000000","note":""}"#;
    assert_eq!(texts(&plan(NullRules::SAP), sap), ["id="], "the key stays as it is");
    let central = r#"{"id":"1","day":"0001-01-01","at":"0001-01-01T00:00:00Z","note":"","amount":0}"#;
    assert_eq!(texts(&plan(NullRules::BUSINESS_CENTRAL), central), ["id=1", "amount=0"]);
    let odoo =
        r#"{"id":"1","amount":false,"open":false,"day":false,"at":"2024-01-01 10:00:00","note":false,"any":false}"#;
    assert_eq!(
        texts(&plan(NullRules::ODOO), odoo),
        ["id=1", "open=no", "at=2024-01-01T10:00:00Z", "any=no"]
    );
    let strict = r#"{"id":"1","note":"","day":"0001-01-01","guid":"00000000-0000-0000-0000-000000000000"}"#;
    assert_eq!(
        texts(&plan(NullRules::default()), strict),
        [
            "id=1",
            "day=0001-01-01",
            "guid=00000000-0000-0000-0000-000000000000",
            "note="
        ]
    );
}

#[test]
fn order_of_members_does_not_matter() {
    let plan = plan(NullRules::SAP);
    let rows = r#"[{"id":"1","count":1,"note":"a"},{"note":"b","x":0,"id":"2","count":2},{"count":3,"id":"3"},{"id":"4","count":4,"note":"d"}]"#;
    let rows = read_rows("t", &plan, rows.as_bytes(), 10).unwrap();
    let seen: Vec<_> = rows
        .records
        .iter()
        .map(|record| (record.key().to_string(), record.value("count").unwrap().as_i64()))
        .collect();
    assert_eq!(
        seen,
        [("1", 1), ("2", 2), ("3", 3), ("4", 4)].map(|(key, count)| (key.to_owned(), Some(count)))
    );
    assert_eq!(rows.records[0].version(), None);
}

#[test]
fn the_version_is_the_time_of_the_last_change_where_there_is_no_etag() {
    let plan = plan(NullRules::SAP);
    assert_eq!(
        record(&plan, r#"{"id":"1","at":"2024-01-01T00:00:00Z"}"#).version(),
        Some("2024-01-01T00:00:00Z")
    );
}

#[test]
fn faults_name_the_field_and_nothing_else() {
    let plan = plan(NullRules::SAP);
    for (json, code, text) in [
        (r#"[{"id":"1","amount":"secret"}]"#, "schema_mismatch", "order.amount"),
        (r#"[{"id":"1","day":"secret"}]"#, "schema_mismatch", "order.day"),
        (r#"[{"id":"1","note":1.5}]"#, "schema_mismatch", "order.note"),
        (
            r#"[{"id":"1","lines":[{"no":1,"price":true}]}]"#,
            "schema_mismatch",
            "line.price",
        ),
        (r#"[{"note":"no key"}]"#, "schema_mismatch", "order.id"),
        (r#"[{"id":"1","note":"secr"#, "bad_payload.truncated", ""),
        (r#"[{"id":"1",}]"#, "bad_payload.syntax", ""),
        (r#"{"id":"1"}"#, "bad_payload.type", ""),
        ("<html>secret</html>", "bad_payload.type", ""),
        ("", "bad_payload.type", ""),
        (r#"[{"id":"1"},{"id":"2"},{"id":"3"}]"#, "bad_payload.too_large", ""),
        (r#"[{"id":"1","lines":{"results":[],"__next":"x"}}]"#, "unsupported", ""),
        (
            r#"[{"id":"1","lines":[],"lines@odata.nextLink":"x"}]"#,
            "unsupported",
            "",
        ),
    ] {
        let error = read_rows("t", &plan, json.as_bytes(), 2).unwrap_err();
        assert_eq!(error.code(), code, "{json}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(text) && !shown.contains("secret"), "{shown}");
    }
}

#[test]
fn references_of_odoo() {
    let cells = vec![
        Cell::new("id", CellKind::Integer),
        Cell::new("partner", CellKind::Reference(Some("res.partner".into()))),
        Cell::new("lines", CellKind::References(None)),
    ];
    let plan = RowPlan::new("sale.order", ["id"], cells, NullRules::ODOO);
    let read = record(&plan, r#"{"id":3,"partner":[12,"ACME"],"lines":[4,5]}"#);
    let partner = read.value("partner").and_then(Value::as_relation).unwrap();
    assert_eq!(
        (partner.key.to_string(), partner.label.as_deref()),
        ("12".to_owned(), Some("ACME"))
    );
    assert_eq!(read.value("lines").unwrap().to_string(), "4, 5");
    assert_eq!(read.key(), &RecordKey::single("3"));
    assert!(
        record(&plan, r#"{"id":3,"partner":false}"#)
            .value("partner")
            .unwrap()
            .is_null()
    );
}

mod arbitrary {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_rows("t", &plan(NullRules::SAP), &bytes, 10);
        }

        #[test]
        fn texts_never_panic(text in "\\PC{0,40}") {
            let json = serde_json::json!([{"id":"1","day":text,"at":"x"},{"id":"1","time":text},{"id":"1","at":text},{"id":"1","data":text},{"id":"1","amount":text}]);
            for row in json.as_array().unwrap() {
                let _ = read_one("t", &plan(NullRules::SAP), row.to_string().as_bytes());
            }
        }

        /// 28 digits and more, as text and as a number.
        #[test]
        fn decimals_keep_every_digit(number in "-?[1-9][0-9]{0,27}(\\.[0-9]{1,12})?") {
            for json in [format!("{{\"id\":\"1\",\"amount\":{number}}}"), format!("{{\"id\":\"1\",\"amount\":\"{number}\"}}")] {
                let read = record(&plan(NullRules::SAP), &json);
                prop_assert_eq!(read.value("amount").unwrap().to_string(), number.clone());
            }
        }

        #[test]
        fn moments_are_those_of_the_clock(millis in -60_000_000_000_000i64..200_000_000_000_000) {
            let moment = atlas_connectors::Timestamp::from_unix_millis(millis);
            let read = record(&plan(NullRules::SAP), &format!("{{\"id\":\"1\",\"at\":\"{moment}\"}}"));
            prop_assert_eq!(read.value("at").unwrap().as_instant(), Some(moment));
            let read = record(&plan(NullRules::SAP), &format!("{{\"id\":\"1\",\"at\":\"/Date({millis})/\"}}"));
            prop_assert_eq!(read.value("at").unwrap().as_instant(), Some(moment));
        }
    }
}
