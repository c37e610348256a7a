//! How records look: a table of what was read, one record with its lines, and JSON as it streams.

use atlas_connectors::erp::{Query, Record, Value};
use atlas_connectors_examples::ui::{Tone, Ui, plain, printable};
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

/// Narrower columns say nothing, wider ones leave no room for others.
const COLUMN: std::ops::RangeInclusive<usize> = 6..=28;

/// Which fields a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fields {
    /// Those that somebody has named: all of them.
    Named,
    /// What the connector gives by itself: those that hold something, as far as they fit.
    Usual,
}

impl Fields {
    /// Which ones a query is meant to show.
    pub(super) fn of(query: &Query) -> Self {
        match query.select.is_empty() {
            true => Self::Usual,
            false => Self::Named,
        }
    }
}

/// Records as a table: the key first, then the fields in their order. Gives how many fields were left out.
pub(super) fn table(ui: &Ui, records: &[Record], fields: Fields) -> usize {
    let Some(first) = records.first() else { return 0 };
    let all: Vec<&str> = first.columns().names().iter().map(|name| name.as_str()).collect();
    let names = match fields {
        Fields::Named => all.clone(),
        Fields::Usual => fitting(ui, records, &all),
    };
    let mut header = vec!["KEY"];
    header.extend(&names);
    // A column of numbers is read by its right edge.
    let right: Vec<usize> = (names.iter().enumerate())
        .filter(|(_, name)| is_numeric(records, name))
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
    all.len() - names.len()
}

/// The first fields that hold something and stand beside each other on one line.
fn fitting<'a>(ui: &Ui, records: &[Record], names: &[&'a str]) -> Vec<&'a str> {
    let width = |text: &str| console::measure_text_width(text);
    let keys = records.iter().map(|record| width(&record.key().to_string())).max();
    let mut left = usize::from(ui.width()).saturating_sub(4 + keys.unwrap_or_default());
    let mut taken = Vec::new();
    for name in names {
        let held: Vec<&Value> = records.iter().filter_map(|record| record.value(name)).collect();
        if held.iter().all(|value| value.is_null()) {
            continue;
        }
        let widest = held.iter().map(|value| width(&cell(Some(value)).0)).max();
        let needed = widest.unwrap_or_default().max(width(name));
        let needed = needed.clamp(*COLUMN.start(), *COLUMN.end()) + 2;
        if needed <= left {
            left -= needed;
            taken.push(*name);
        }
    }
    taken
}

fn is_numeric(records: &[Record], name: &str) -> bool {
    let values = records.iter().filter_map(|record| record.value(name));
    let mut held = values.filter(|value| !value.is_null()).peekable();
    held.peek().is_some() && held.all(|value| matches!(value, Value::Integer(_) | Value::Decimal(_)))
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
    let scalar = record.fields().filter(|(_, value)| value.as_records().is_none());
    ui.facts(scalar.map(|(name, value)| (name.as_str(), printable(&cell(Some(value)).0))));
    for (name, value) in record.fields() {
        if let Some(records) = value.as_records() {
            ui.line("");
            ui.fact(name.as_str(), format_args!("{} records", records.len()));
            table(ui, records, Fields::Usual);
        }
    }
}
