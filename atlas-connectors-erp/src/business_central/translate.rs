//! Between the host's words and the wire's: members of enums, references as keys.

use atlas_connectors::erp::{Field, FieldKind, Filter, Record, Value};

use super::member;
use super::unset::is_unset;
use crate::odata::EntityModel;

/// A condition with values as the wire has them.
pub(super) fn filter(model: &EntityModel, filter: &Filter) -> Filter {
    let each = |parts: &[Filter]| parts.iter().map(|part| self::filter(model, part)).collect();
    let of = |name: &str| model.field(name).map(|(field, _)| field);
    match filter {
        Filter::And(parts) => Filter::And(each(parts)),
        Filter::Or(parts) => Filter::Or(each(parts)),
        Filter::Not(part) => Filter::Not(Box::new(self::filter(model, part))),
        Filter::Compare { field, op, value } => Filter::Compare {
            field: field.clone(),
            op: *op,
            value: of(field.as_str()).map_or_else(|| value.clone(), |known| outbound(known, value)),
        },
        Filter::In { field, values } => Filter::In {
            field: field.clone(),
            values: match of(field.as_str()) {
                Some(known) => values.iter().map(|value| outbound(known, value)).collect(),
                None => values.clone(),
            },
        },
        // A blank option is a member like any other.
        Filter::IsNull { field } if of(field.as_str()).is_some_and(has_blank) => Filter::Compare {
            field: field.clone(),
            op: atlas_connectors::erp::Comparison::Equal,
            value: Value::Text(member::encode("")),
        },
        other => other.clone(),
    }
}

fn has_blank(field: &Field) -> bool {
    let blank = member::encode("");
    field.kind == FieldKind::Enum && field.values.iter().any(|known| known.value == blank)
}

fn outbound(field: &Field, value: &Value) -> Value {
    match (field.kind, value) {
        (FieldKind::Guid, Value::Relation(relation)) => match relation.key.as_single() {
            Some(key) => Value::Text(key.to_owned()),
            None => value.clone(),
        },
        (FieldKind::Enum, Value::Null) if has_blank(field) => Value::Text(member::encode("")),
        (FieldKind::Enum, Value::Text(text) | Value::Enum(text)) => {
            let known = |name: &str| field.values.iter().any(|one| one.value == name);
            let encoded = member::encode(text);
            let name = if known(text) || !known(&encoded) {
                text.clone()
            } else {
                encoded
            };
            Value::Text(name)
        }
        _ => value.clone(),
    }
}

/// A value of a field as the wire has it.
pub(super) fn value(model: &EntityModel, field: &str, value: &Value) -> Value {
    match model.field(field) {
        Some((known, _)) => outbound(known, value),
        None => value.clone(),
    }
}

/// A value in the one form in which two of the same field can be compared: no references, no unset text, GUIDs in lower case.
pub(super) fn normal(model: &EntityModel, field: &str, value: &Value) -> Value {
    let Some((known, _)) = model.field(field) else {
        return value.clone();
    };
    match (known.kind, value) {
        (FieldKind::Text, Value::Null) => Value::Text(String::new()),
        (FieldKind::Enum, Value::Null) => Value::Enum(String::new()),
        (FieldKind::Enum, Value::Text(text) | Value::Enum(text)) => Value::Enum(member::decode(text)),
        (FieldKind::Guid, _) => match outbound(known, value) {
            Value::Text(guid) if is_unset(&guid) => Value::Null,
            Value::Text(guid) => Value::Text(guid.to_ascii_lowercase()),
            other => other,
        },
        _ => value.clone(),
    }
}

/// A record with the members of its enums as people read them, its expanded records too.
pub(super) fn record(record: Record) -> Record {
    let plain = |value: &Value| !matches!(value, Value::Enum(_) | Value::Record(_) | Value::Records(_));
    if record.fields().all(|(_, value)| plain(value)) {
        return record;
    }
    let values = record.fields().map(|(_, value)| inbound(value)).collect();
    let mut out = Record::new(
        record.entity().clone(),
        record.key().clone(),
        record.columns().clone(),
        values,
    );
    if let Some(etag) = record.etag() {
        out = out.with_etag(etag.clone());
    }
    match record.version() {
        Some(version) => out.with_version(version),
        None => out,
    }
}

fn inbound(value: &Value) -> Value {
    match value {
        Value::Enum(wire) => Value::Enum(member::decode(wire)),
        Value::Record(inner) => Value::Record(Box::new(record(Record::clone(inner)))),
        Value::Records(inner) => Value::Records(inner.iter().cloned().map(record).collect()),
        other => other.clone(),
    }
}
