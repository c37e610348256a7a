//! Whether a row can be one that was asked for: a custom service may ignore `$filter` without a word
//! (`sap-odata.md`, section 7).
//!
//! Lenient where the server compares in its own way: case, leading zeros and blanks of texts, and the order of texts, are
//! its own matter. A row that fails here all the same was not selected by the condition.

use atlas_connectors::erp::{Comparison, Filter, Record, Value};

/// Whether the row may fulfil the condition. True wherever that cannot be told.
pub(super) fn may_match(filter: &Filter, record: &Record) -> bool {
    judge(filter, record).unwrap_or(true)
}

fn judge(filter: &Filter, record: &Record) -> Option<bool> {
    match filter {
        Filter::And(parts) => {
            // One part that surely fails is enough.
            match parts.iter().any(|part| judge(part, record) == Some(false)) {
                true => Some(false),
                false => Some(true),
            }
        }
        Filter::Or(parts) => {
            let judged: Vec<_> = parts.iter().map(|part| judge(part, record)).collect();
            match judged.iter().all(|one| *one == Some(false)) {
                true => Some(false),
                false => Some(true),
            }
        }
        // The opposite of "may match" says nothing.
        Filter::Not(_) => None,
        Filter::Compare { field, op, value } => {
            let held = record.value_at(field.as_str())?;
            match (held.as_str(), value.as_str()) {
                (Some(held), Some(wanted)) => match op {
                    Comparison::Equal => Some(folded(held) == folded(wanted)),
                    Comparison::NotEqual => Some(held != wanted),
                    _ => None,
                },
                _ if text_without_value(held, value) => None,
                _ => filter.matches(record),
            }
        }
        Filter::In { field, values } => {
            let held = record.value_at(field.as_str())?;
            match held.as_str() {
                Some(held) => Some(
                    values
                        .iter()
                        .any(|wanted| wanted.as_str().is_none_or(|wanted| folded(held) == folded(wanted))),
                ),
                None => filter.matches(record),
            }
        }
        Filter::Contains { field, text } => {
            let held = record.value_at(field.as_str())?;
            Some(
                held.as_str()
                    .unwrap_or_default()
                    .to_lowercase()
                    .contains(&text.to_lowercase()),
            )
        }
        Filter::StartsWith { field, text } => {
            let held = record.value_at(field.as_str())?;
            let held = held.as_str().unwrap_or_default().trim_start().to_lowercase();
            Some(held.starts_with(text.trim_start().to_lowercase().as_str()))
        }
        // `''` and null are one to us and two to the server, or the other way round.
        _ => None,
    }
}

/// A text field that holds nothing, or a condition on nothing: initial values and null are mixed by the server.
fn text_without_value(held: &Value, wanted: &Value) -> bool {
    (held.is_null() && wanted.as_str().is_some_and(str::is_empty)) || wanted.is_null()
}

fn folded(text: &str) -> String {
    let text = text.trim().to_uppercase();
    let stripped = text.trim_start_matches('0');
    match stripped.is_empty() {
        true => text,
        false => stripped.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use atlas_connectors::erp::{Columns, RecordKey, field};

    use super::*;

    #[test]
    fn a_row_is_dropped_only_where_it_surely_was_not_selected() {
        let record = Record::new(
            "A_X".into(),
            RecordKey::single("1"),
            Columns::new(["Id", "Name", "Net", "Empty"]),
            vec![
                Value::from("0000000001"),
                Value::from("Water+Pipe"),
                Value::Decimal("10.50".parse().unwrap()),
                Value::Null,
            ],
        );
        for (filter, may) in [
            (field("Id").equals("1"), true),
            (field("Id").equals("2"), false),
            (field("Name").equals("WATER+PIPE"), true),
            (field("Name").contains("pipe"), true),
            (field("Name").contains("steel"), false),
            (field("Name").greater("zzz"), true),
            (field("Net").greater(Value::Decimal("10.4".parse().unwrap())), true),
            (field("Net").less(Value::Decimal("10.4".parse().unwrap())), false),
            (field("Empty").equals(""), true),
            (field("Empty").is_null(), true),
            (field("Absent").equals("x"), true),
            (field("Id").is_in(["7", "01"]), true),
            (field("Id").is_in(["7", "8"]), false),
            (field("Id").equals("2").or(field("Name").contains("pipe")), true),
            (field("Id").equals("2").or(field("Name").contains("steel")), false),
            (field("Id").equals("1").and(field("Name").contains("steel")), false),
            (field("Id").equals("1").negated(), true),
        ] {
            assert_eq!(may_match(&filter, &record), may, "{filter:?}");
        }
    }
}
