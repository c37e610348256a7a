//! Records without our types around them: as plain JSON, and into structs of the host's own.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeSeq as _, SerializeStruct as _};
use serde::{Serialize, Serializer, forward_to_deserialize_any};

use crate::erp::{Record, RecordKey, Relation, Value};

/// A value as plain JSON.
pub(super) struct PlainValue<'a>(pub(super) &'a Value);

impl Serialize for PlainValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Decimal(number) => serializer.collect_str(number),
            Value::Text(text) | Value::Enum(text) => serializer.serialize_str(text),
            Value::Date(date) => serializer.collect_str(date),
            Value::Time(time) => serializer.collect_str(time),
            Value::Instant(moment) => serializer.collect_str(moment),
            Value::Binary(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            Value::Relation(relation) => {
                let mut out = serializer.serialize_struct("Relation", 2)?;
                out.serialize_field("key", &relation.key.to_string())?;
                out.serialize_field("label", &relation.label)?;
                out.end()
            }
            Value::List(values) => {
                let mut out = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    out.serialize_element(&PlainValue(value))?;
                }
                out.end()
            }
            Value::Record(record) => record.plain().serialize(serializer),
            Value::Records(records) => {
                let mut out = serializer.serialize_seq(Some(records.len()))?;
                for record in records {
                    out.serialize_element(&record.plain())?;
                }
                out.end()
            }
        }
    }
}

/// Which field did not fit. No content.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) field: String,
    pub(super) missing: bool,
}

impl Misfit {
    fn new() -> Self {
        Self {
            field: String::new(),
            missing: false,
        }
    }

    fn within(mut self, field: &str) -> Self {
        self.field = match self.field.is_empty() {
            true => field.to_owned(),
            false => format!("{field}.{}", self.field),
        };
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not fit", self.field)
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        // The message may repeat the value.
        Self::new()
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            field: field.to_owned(),
            missing: true,
        }
    }
}

pub(super) fn from_record<T: DeserializeOwned>(record: &Record) -> Result<T, Misfit> {
    T::deserialize(RecordDeserializer(record))
}

struct RecordDeserializer<'a>(&'a Record);

impl<'de> Deserializer<'de> for RecordDeserializer<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(Fields {
            fields: self.0.fields(),
            value: None,
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

struct Fields<'a, I> {
    fields: I,
    value: Option<(&'a str, &'a Value)>,
}

impl<'de, 'a, I: Iterator<Item = (&'a crate::erp::FieldName, &'a Value)>> MapAccess<'de> for Fields<'a, I> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((field, value)) = self.fields.next() else {
            return Ok(None);
        };
        self.value = Some((field.as_str(), value));
        let name: StrDeserializer<'_, Misfit> = field.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let (field, value) = self.value.take().ok_or_else(Misfit::new)?;
        seed.deserialize(ValueDeserializer(value))
            .map_err(|misfit| misfit.within(field))
    }
}

struct ValueDeserializer<'a>(&'a Value);

impl<'de> Deserializer<'de> for ValueDeserializer<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Decimal(number) => visitor.visit_string(number.to_string()),
            Value::Text(text) | Value::Enum(text) => visitor.visit_str(text),
            Value::Date(date) => visitor.visit_string(date.to_string()),
            Value::Time(time) => visitor.visit_string(time.to_string()),
            Value::Instant(moment) => visitor.visit_string(moment.to_string()),
            Value::Binary(bytes) => visitor.visit_bytes(bytes),
            Value::Relation(relation) => visit_key(&relation.key, visitor),
            Value::List(values) => visitor.visit_seq(Items(values.iter())),
            Value::Record(record) => RecordDeserializer(record).deserialize_any(visitor),
            Value::Records(records) => visitor.visit_seq(Rows(records.iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Value::Relation(relation) => visitor.visit_map(RelationParts { relation, at: 0 }),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Value::Relation(relation) => visitor.visit_string(relation.key.to_string()),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct
        enum identifier ignored_any
    }
}

/// A key as a number where it is one, since hosts keep numeric ids as numbers.
fn visit_key<'de, V: Visitor<'de>>(key: &RecordKey, visitor: V) -> Result<V::Value, Misfit> {
    match key
        .as_single()
        .and_then(|key| key.parse::<i64>().ok().filter(|number| number.to_string() == key))
    {
        Some(number) => visitor.visit_i64(number),
        None => visitor.visit_string(key.to_string()),
    }
}

struct RelationParts<'a> {
    relation: &'a Relation,
    at: usize,
}

impl<'de> MapAccess<'de> for RelationParts<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some(name) = ["key", "label", "entity"].get(self.at) else {
            return Ok(None);
        };
        let name: StrDeserializer<'_, Misfit> = (*name).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Misfit> {
        let at = self.at;
        self.at += 1;
        let text = match at {
            0 => Some(self.relation.key.to_string()),
            1 => self.relation.label.clone(),
            _ => self.relation.entity.as_ref().map(ToString::to_string),
        };
        let value = Value::from(text);
        seed.deserialize(ValueDeserializer(&value))
    }
}

struct Items<'a>(std::slice::Iter<'a, Value>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.0
            .next()
            .map(|value| seed.deserialize(ValueDeserializer(value)))
            .transpose()
    }
}

struct Rows<'a>(std::slice::Iter<'a, Record>);

impl<'de> SeqAccess<'de> for Rows<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.0
            .next()
            .map(|record| seed.deserialize(RecordDeserializer(record)))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::erp::{Columns, Decimal};
    use crate::error::{ErrorKind, SchemaFault};

    fn line(number: i64, price: &str) -> Record {
        let columns = Columns::new(["position", "price"]);
        let price: Decimal = price.parse().unwrap();
        Record::new("line".into(), number.into(), columns, vec![number.into(), price.into()])
    }

    fn order() -> Record {
        let columns = Columns::new(["name", "partner", "note", "lines"]);
        let partner = Relation::to("12").labelled("ACME");
        let lines = Value::Records(vec![line(1, "10.00"), line(2, "1234567890123456789012345.678")]);
        Record::new(
            "order".into(),
            "7".into(),
            columns,
            vec!["S7".into(), partner.into(), Value::Null, lines],
        )
    }

    #[test]
    fn a_struct_of_the_host_is_filled() {
        #[derive(Deserialize)]
        struct Party {
            key: String,
            label: Option<String>,
        }
        #[derive(Deserialize)]
        struct Line {
            position: u32,
            price: Decimal,
        }
        #[derive(Deserialize)]
        struct Order {
            name: String,
            partner: Party,
            note: Option<String>,
            lines: Vec<Line>,
        }
        #[derive(Deserialize)]
        struct ById {
            partner: i64,
        }
        let read: Order = order().read_as().unwrap();
        assert_eq!((read.name.as_str(), read.note), ("S7", None));
        assert_eq!(
            (read.partner.key.as_str(), read.partner.label.as_deref()),
            ("12", Some("ACME"))
        );
        assert_eq!(read.lines[1].position, 2);
        assert_eq!(read.lines[1].price.to_string(), "1234567890123456789012345.678");
        assert_eq!(order().read_as::<ById>().unwrap().partner, 12);
    }

    #[test]
    fn what_does_not_fit_is_named_without_its_value() {
        #[derive(Debug, Deserialize)]
        struct Line {
            #[allow(dead_code, reason = "only its type matters")]
            price: f64,
        }
        #[derive(Debug, Deserialize)]
        struct Order {
            #[allow(dead_code, reason = "only its type matters")]
            lines: Vec<Line>,
        }
        #[derive(Debug, Deserialize)]
        struct Other {
            #[allow(dead_code, reason = "only its name matters")]
            total: Decimal,
        }
        let error = order().read_as::<Order>().unwrap_err();
        let expected = ErrorKind::SchemaMismatch {
            path: "order.lines.price".into(),
            fault: SchemaFault::Type,
        };
        assert_eq!(*error.kind(), expected);
        let error = order().read_as::<Other>().unwrap_err();
        let expected = ErrorKind::SchemaMismatch {
            path: "order.total".into(),
            fault: SchemaFault::Missing,
        };
        assert_eq!(*error.kind(), expected);
    }

    #[test]
    fn plain_json_keeps_the_digits() {
        let json = serde_json::to_string(&order().plain()).unwrap();
        let expected = r#"{"name":"S7","partner":{"key":"12","label":"ACME"},"note":null,"lines":[{"position":1,"price":"10.00"},{"position":2,"price":"1234567890123456789012345.678"}]}"#;
        assert_eq!(json, expected);
    }
}
