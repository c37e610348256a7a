//! Values as Odoo takes them.
//!
//! A many2one that is anything but a bare whole number is silently stored as empty, a date in ISO form fails, and a text
//! where a number belongs fails on the server (`odoo.md`, section 2): all of that is refused here, before the call.

use atlas_connectors::erp::{Date, Field, FieldKind, RecordKey, Value};
use atlas_connectors::error::{ErrorKind, SchemaFault};
use atlas_connectors::{Error, Result, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::odoo::shapes::Shape;
use crate::odoo::wire::{Json, endpoint_invalid};

/// `2026-11-22 02:40:03`: no zone, no fraction.
pub(super) fn datetime(moment: Timestamp) -> String {
    let whole = Timestamp::from_unix_seconds(moment.unix_seconds());
    whole.to_string().replace('T', " ").trim_end_matches('Z').to_owned()
}

/// A datetime as Odoo writes it.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once(' ')?;
    format!("{date}T{time}Z").parse().ok()
}

/// A record's id out of its key.
///
/// # Errors
/// [`ErrorKind::Invalid`] if the key is not one positive number.
pub(super) fn id_of(key: &RecordKey) -> Result<i64> {
    let id = key
        .as_single()
        .and_then(|key| key.parse::<i64>().ok())
        .filter(|id| *id > 0);
    id.ok_or_else(|| endpoint_invalid("key", "a record of Odoo is named by its number"))
}

/// A value that does not fit its field.
pub(super) fn misfit(shape: &Shape, field: &Field) -> Error {
    endpoint_invalid("value", "it does not fit the type of its field")
        .with_context("field", format_args!("{}.{}", shape.model(), field.name))
}

/// A value as it will be read again once it is stored: a day in a field of moments is its midnight.
pub(super) fn as_stored(shape: &Shape, name: &str, value: &Value) -> Value {
    let kind = shape.field(name).map(|(field, _)| field.kind);
    match (kind, value) {
        (Ok(FieldKind::Instant), Value::Date(day)) => Value::Instant(day.midnight()),
        (Ok(FieldKind::Instant), Value::Instant(moment)) => {
            Value::Instant(Timestamp::from_unix_seconds(moment.unix_seconds()))
        }
        (Ok(FieldKind::Date), Value::Instant(moment)) => Value::Date(Date::of(*moment)),
        _ => value.clone(),
    }
}

/// A value of a plain field as it is written, and as a domain compares with it.
///
/// # Errors
/// [`ErrorKind::Invalid`] if it is of another type than the field.
pub(super) fn plain(shape: &Shape, field: &Field, value: &Value) -> Result<Json> {
    Ok(match (field.kind, value) {
        (_, Value::Null) => Json::Bool(false),
        (FieldKind::Bool, Value::Bool(flag)) => Json::Bool(*flag),
        (FieldKind::Integer | FieldKind::Relation, Value::Integer(number)) => Json::int(*number),
        (FieldKind::Decimal, Value::Integer(number)) => Json::int(*number),
        (FieldKind::Decimal, Value::Decimal(number)) => Json::Number(number.to_string().into()),
        // A key is a text; a record's number as a field is a whole number.
        (FieldKind::Integer, Value::Text(key)) if field.name.as_str() == "id" => {
            Json::int(id_of(&RecordKey::single(key.as_str()))?)
        }
        (FieldKind::Integer, Value::Decimal(number)) => match number.to_i64() {
            Some(number) => Json::int(number),
            None => return Err(misfit(shape, field)),
        },
        (FieldKind::Text | FieldKind::Enum, Value::Text(text) | Value::Enum(text)) => {
            if text.contains('\0') {
                return Err(endpoint_invalid("text", "a NUL character cannot be stored"));
            }
            Json::text(text)
        }
        (FieldKind::Date, Value::Date(date)) => Json::text(date.to_string()),
        (FieldKind::Date, Value::Instant(moment)) => Json::text(Date::of(*moment).to_string()),
        (FieldKind::Instant, Value::Instant(moment)) => Json::text(datetime(*moment)),
        (FieldKind::Instant, Value::Date(date)) => Json::text(datetime(date.midnight())),
        (FieldKind::Relation, Value::Relation(relation)) => Json::int(id_of(&relation.key)?),
        (FieldKind::Relation, Value::Text(key)) => Json::int(id_of(&RecordKey::single(key.as_str()))?),
        (FieldKind::Binary, Value::Binary(bytes)) => Json::text(STANDARD.encode(bytes)),
        _ => return Err(misfit(shape, field)),
    })
}

/// A value as `write` and `create` take it, commands for lists included.
///
/// # Errors
/// As [`plain`]; a value outside a selection; a list of another kind than references, or rows where no lines are.
pub(super) fn written(shape: &Shape, name: &str, value: &Value) -> Result<Json> {
    let (field, kind) = shape.field(name)?;
    in_selection(shape, field, value)?;
    match (kind, value) {
        ("many2many", Value::List(values)) => {
            let ids = references(shape, field, values)?;
            Ok(Json::List(Vec::from([command(6, 0, Json::ids(&ids))])))
        }
        // Rows with a key are changed, rows without a number for it are added; others stay.
        ("one2many", Value::Records(rows)) => {
            let mut commands = Vec::new();
            for row in rows {
                let members = row.fields().filter(|(name, _)| name.as_str() != "id");
                let values: Vec<(String, Json)> = members
                    .map(|(name, value)| Ok((name.to_string(), loose(value)?)))
                    .collect::<Result<_>>()?;
                commands.push(match id_of(row.key()) {
                    Ok(id) => command(1, id, Json::Object(values)),
                    Err(_) => command(0, 0, Json::Object(values)),
                });
            }
            Ok(Json::List(commands))
        }
        ("one2many" | "many2many", _) => Err(misfit(shape, field)),
        _ => plain(shape, field, value),
    }
}

/// `[command, id, values]`.
fn command(number: i64, id: i64, values: Json) -> Json {
    Json::List(Vec::from([Json::int(number), Json::int(id), values]))
}

/// A value of a line by its own type, where the line's model is not at hand.
fn loose(value: &Value) -> Result<Json> {
    Ok(match value {
        Value::Null => Json::Bool(false),
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Integer(number) => Json::int(*number),
        Value::Decimal(number) => Json::Number(number.to_string().into()),
        Value::Text(text) | Value::Enum(text) => Json::text(text),
        Value::Date(date) => Json::text(date.to_string()),
        Value::Instant(moment) => Json::text(datetime(*moment)),
        Value::Relation(relation) => Json::int(id_of(&relation.key)?),
        _ => return Err(endpoint_invalid("line", "a value of a kind that lines do not take")),
    })
}

/// The ids of a list of references.
pub(super) fn references(shape: &Shape, field: &Field, values: &[Value]) -> Result<Vec<i64>> {
    let id = |value: &Value| match value {
        Value::Relation(relation) => id_of(&relation.key),
        Value::Integer(id) if *id > 0 => Ok(*id),
        _ => Err(misfit(shape, field)),
    };
    values.iter().map(id).collect()
}

/// A value outside a selection fails on the server with a fault of the program; here it is told by name.
fn in_selection(shape: &Shape, field: &Field, value: &Value) -> Result<()> {
    let (FieldKind::Enum, Some(text)) = (field.kind, value.as_str()) else {
        return Ok(());
    };
    if field.values.is_empty() || field.values.iter().any(|known| known.value == text) {
        return Ok(());
    }
    let kind = ErrorKind::SchemaMismatch {
        path: format!("{}.{}", shape.model(), field.name),
        fault: SchemaFault::Value,
    };
    Err(Error::new(kind, "odoo.fields").with_provider(super::provider()))
}

/// A value as a cell of `load`, which takes texts only; `None` where it cannot be told there: files, an emptied default.
///
/// # Errors
/// As [`plain`].
pub(super) fn cell(shape: &Shape, name: &str, value: &Value) -> Result<Option<(String, String)>> {
    let (field, kind) = shape.field(name)?;
    in_selection(shape, field, value)?;
    if let ("many2many", Value::List(values)) = (kind, value) {
        let ids = references(shape, field, values)?;
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        return Ok((!ids.is_empty()).then(|| (format!("{name}/.id"), ids.join(","))));
    }
    if matches!(kind, "one2many" | "many2many") {
        return Err(misfit(shape, field));
    }
    let json = plain(shape, field, value)?;
    Ok(match (field.kind, json) {
        (FieldKind::Binary | FieldKind::Other, _) => None,
        (FieldKind::Bool, Json::Bool(flag)) => Some((name.to_owned(), if flag { "1" } else { "0" }.to_owned())),
        (_, Json::Bool(_)) => None,
        (FieldKind::Relation, Json::Number(id)) => Some((format!("{name}/.id"), id.into())),
        (_, Json::Number(text)) => Some((name.to_owned(), text.into())),
        // An empty cell leaves the default alone.
        (_, Json::Text(text)) if !text.is_empty() => Some((name.to_owned(), text)),
        _ => None,
    })
}
