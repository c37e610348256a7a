//! Values on their way to the service: JSON whose numbers are written digit by digit, checked against the catalog first.

use atlas_connectors::erp::{Entity, Field, FieldKind, FieldName, Value};
use atlas_connectors::error::{ErrorKind, SchemaFault};
use atlas_connectors::{Error, Result};

use super::member;
use super::unset::{NO_DATE, NO_GUID, is_guid};

/// A JSON object under way.
#[derive(Debug, Default)]
pub(super) struct Object(Vec<String>);

impl Object {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a member whose value is JSON already.
    pub(super) fn raw(&mut self, name: &str, json: &str) {
        self.0.push(format!("{}:{json}", quoted(name)));
    }

    /// Adds the fields of an entity, in order.
    pub(super) fn fields<'a>(
        &mut self,
        operation: &'static str,
        entity: &Entity,
        fields: impl IntoIterator<Item = (&'a FieldName, &'a Value)>,
        creates: bool,
    ) -> Result<()> {
        for (name, value) in fields {
            let json = checked(operation, entity, name, value, creates)?;
            self.raw(name.as_str(), &json);
        }
        Ok(())
    }

    pub(super) fn text(&self) -> String {
        format!("{{{}}}", self.0.join(","))
    }
}

/// The JSON of a value for a field that takes it.
fn checked(operation: &'static str, entity: &Entity, name: &FieldName, value: &Value, creates: bool) -> Result<String> {
    let path = format!("{}.{name}", entity.name);
    let Some(field) = entity.field(name.as_str()) else {
        let kind = ErrorKind::SchemaMismatch {
            path,
            fault: SchemaFault::Missing,
        };
        return Err(error(kind, operation));
    };
    let refused = |why| error(ErrorKind::Invalid { what: "value", why }, operation).with_context("field", &path);
    if field.read_only {
        return Err(refused("the field is computed and cannot be written"));
    }
    if field.create_only && !creates {
        return Err(refused(
            "the field can be given when the record is made, and not changed later",
        ));
    }
    encode(field, value).map_err(refused)
}

/// The JSON of a value. Null is written as what the service takes for unset.
fn encode(field: &Field, value: &Value) -> Result<String, &'static str> {
    let text = |text: &str| match field.length {
        Some(most) if text.chars().count() > most as usize => Err("it is longer than the field"),
        _ => Ok(quoted(text)),
    };
    match (field.kind, value) {
        (FieldKind::Text, Value::Null) => Ok(quoted("")),
        (FieldKind::Text, Value::Text(value) | Value::Enum(value)) => text(value),
        (FieldKind::Bool, Value::Bool(flag)) => Ok(flag.to_string()),
        (FieldKind::Integer, Value::Integer(number)) => Ok(number.to_string()),
        (FieldKind::Integer, Value::Decimal(number)) => number
            .to_i64()
            .map(|number| number.to_string())
            .ok_or("a whole number is expected"),
        (FieldKind::Decimal, Value::Integer(number)) => Ok(number.to_string()),
        // The digits as they are: no binary floating point on the way.
        (FieldKind::Decimal, Value::Decimal(number)) => Ok(number.to_string()),
        (FieldKind::Date, Value::Null) => Ok(quoted(NO_DATE)),
        (FieldKind::Date, Value::Date(day)) => Ok(quoted(&day.to_string())),
        (FieldKind::Time, Value::Time(time)) => Ok(quoted(&time.to_string())),
        (FieldKind::Instant, Value::Instant(moment)) => Ok(quoted(&moment.to_string())),
        (FieldKind::Guid, Value::Null) => Ok(quoted(NO_GUID)),
        (FieldKind::Guid, Value::Text(guid)) if is_guid(guid) => Ok(quoted(&guid.to_ascii_lowercase())),
        (FieldKind::Guid, Value::Relation(relation)) => match relation.key.as_single() {
            Some(guid) if is_guid(guid) => Ok(quoted(&guid.to_ascii_lowercase())),
            _ => Err("the key of a record is expected, a GUID"),
        },
        (FieldKind::Guid, _) => Err("a GUID is expected"),
        (FieldKind::Enum, Value::Null) => listed(field, ""),
        (FieldKind::Enum, Value::Text(value) | Value::Enum(value)) => listed(field, value),
        (FieldKind::Binary | FieldKind::Stream, _) => Err("files are not written by this connector"),
        (FieldKind::Relation | FieldKind::Relations, _) => {
            Err("name the field that holds the key, or give lines as lines")
        }
        (FieldKind::Integer | FieldKind::Decimal | FieldKind::Bool, Value::Null) => {
            Err("the service has no empty numbers and flags")
        }
        _ => Err("it is of another type than the field"),
    }
}

/// A listed value by its name as people read it or as it travels.
fn listed(field: &Field, value: &str) -> Result<String, &'static str> {
    let known = |name: &str| field.values.is_empty() || field.values.iter().any(|one| one.value == name);
    let decoded = member::decode(value);
    if known(value) {
        Ok(quoted(&member::encode(value)))
    } else if known(&decoded) {
        Ok(quoted(&member::encode(&decoded)))
    } else {
        Err("it is none of the listed values")
    }
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn error(kind: ErrorKind, operation: &'static str) -> Error {
    Error::new(kind, operation).with_provider(super::provider())
}

#[cfg(test)]
mod tests {
    use atlas_connectors::erp::{Decimal, EnumValue, Relation};

    use super::*;

    fn of(kind: FieldKind) -> Field {
        Field::new("f", kind)
    }

    #[test]
    fn numbers_keep_every_digit_and_null_is_what_the_service_takes_for_unset() {
        let many: Decimal = "12345678901234567890.12345678".parse().unwrap();
        let mut status = of(FieldKind::Enum);
        status.values = vec![EnumValue::new("", ""), EnumValue::new("In Review", "In Review")];
        let guid = "34F03EEE-2A32-F011-9A4A-7CED8D0EE6E7";
        for (field, value, json) in [
            (
                of(FieldKind::Decimal),
                Value::Decimal(many),
                "12345678901234567890.12345678",
            ),
            (of(FieldKind::Decimal), Value::from(3), "3"),
            (of(FieldKind::Text), Value::from("a\"b"), "\"a\\\"b\""),
            (of(FieldKind::Text), Value::Null, "\"\""),
            (of(FieldKind::Date), Value::Null, "\"0001-01-01\""),
            (
                of(FieldKind::Guid),
                Value::Null,
                "\"00000000-0000-0000-0000-000000000000\"",
            ),
            (
                of(FieldKind::Guid),
                Value::Relation(Relation::to(guid)),
                "\"34f03eee-2a32-f011-9a4a-7ced8d0ee6e7\"",
            ),
            (status.clone(), Value::from("In Review"), "\"In_x0020_Review\""),
            (status.clone(), Value::from("In_x0020_Review"), "\"In_x0020_Review\""),
            (status.clone(), Value::Null, "\"_x0020_\""),
        ] {
            assert_eq!(encode(&field, &value).as_deref(), Ok(json));
        }
        assert!(encode(&status, &Value::from("Opened")).is_err());
        assert!(encode(&of(FieldKind::Decimal), &Value::Null).is_err());
        assert!(encode(&of(FieldKind::Guid), &Value::from("10000")).is_err());
        assert!(encode(&of(FieldKind::Date), &Value::from("2026-11-26")).is_err());
        let mut short = of(FieldKind::Text);
        short.length = Some(2);
        assert!(encode(&short, &Value::from("abc")).is_err());
    }
}
