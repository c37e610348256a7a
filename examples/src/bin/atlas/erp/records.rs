//! How records look: a table of what was read, one record with its lines, and JSON as it streams.

use atlas_connectors::erp::{Record, Value};
use atlas_connectors_examples::ui::{Tone, Ui, plain};
use serde_json::json;

/// A record for scripts: its key and its fields as plain JSON, numbers that are not whole as text.
pub(super) fn document(record: &Record) -> serde_json::Value {
    let mut document = json!({
        "key": record.key().to_string(),
        "fields": record.plain(),
    });
    if let Some(etag) = record.etag() {
        document["etag"] = etag.as_str().into();
    }
    if let Some(version) = record.version() {
        document["version"] = version.into();
    }
    document
}

/// Records as a table: the key first, then the fields in their order.
pub(super) fn table(ui: &Ui, records: &[Record]) {
    let Some(first) = records.first() else { return };
    let names: Vec<&str> = first.columns().names().iter().map(|name| name.as_str()).collect();
    let mut header = vec!["KEY"];
    header.extend(&names);
    // A column of numbers is read by its right edge.
    let numeric = |name: &str| {
        let mut values = records
            .iter()
            .filter_map(|record| record.value(name))
            .filter(|value| !value.is_null());
        let mut any = false;
        values.all(|value| {
            any = true;
            matches!(value, Value::Integer(_) | Value::Decimal(_))
        }) && any
    };
    let right: Vec<usize> = names
        .iter()
        .enumerate()
        .filter(|(_, name)| numeric(name))
        .map(|(at, _)| at + 1)
        .collect();
    let rows = records
        .iter()
        .map(|record| {
            let mut row = vec![plain(record.key().to_string())];
            row.extend(names.iter().map(|name| cell(record.value(name))));
            row
        })
        .collect();
    ui.table(&header, rows, &right);
}

fn cell(value: Option<&Value>) -> (String, Tone) {
    match value {
        None | Some(Value::Null) => ("-".to_owned(), Tone::Dim),
        Some(value) => plain(value.to_string()),
    }
}

/// One record, field by field, with the records that came along.
pub(super) fn whole(ui: &Ui, record: &Record) {
    ui.heading(&format!("{} {}", record.entity(), record.key()));
    for (name, value) in record.fields() {
        if value.as_records().is_none() {
            ui.fact(name.as_str(), cell(Some(value)).0);
        }
    }
    for (name, value) in record.fields() {
        if let Some(records) = value.as_records() {
            ui.line("");
            ui.fact(name.as_str(), format_args!("{} records", records.len()));
            table(ui, records);
        }
    }
}
