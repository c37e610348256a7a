//! One value of a record, in types that lose nothing.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::erp::{Date, Decimal, EntityName, FieldName, Record, TimeOfDay};

/// One value. Null is null, whatever the provider writes for it: Odoo's `false`, Business Central's zero id and
/// `0001-01-01`.
///
/// Its own JSON names the type (`{"decimal":"1.50"}`), so that stored writes keep it. For people and scripts there is
/// [`Record::plain`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// An exact number: amounts, prices, quantities.
    Decimal(Decimal),
    /// Text; also identifiers and GUIDs.
    Text(String),
    /// One of the field's listed values, in the provider's spelling. Its label is in the catalog.
    Enum(String),
    /// A day.
    Date(Date),
    /// A time of day.
    Time(TimeOfDay),
    /// A moment in UTC.
    Instant(Timestamp),
    /// Bytes.
    Binary(Bytes),
    /// A reference to one record. Boxed, since most values are none and a page holds very many.
    Relation(Box<Relation>),
    /// Several values: a multi-value field, or references to several records that were not expanded.
    List(Vec<Self>),
    /// An expanded record.
    Record(Box<Record>),
    /// Expanded records, such as the lines of an order.
    Records(Vec<Record>),
}

impl Value {
    /// Whether there is no value.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a text, an enum value or the key of a reference.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Enum(text) => Some(text),
            Self::Relation(relation) => relation.key.as_single(),
            _ => None,
        }
    }

    /// True or false.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A whole number.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Decimal(number) => number.to_i64(),
            _ => None,
        }
    }

    /// An exact number, whole ones included.
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Decimal(number) => Some(number.clone()),
            Self::Integer(number) => Some(Decimal::from(*number)),
            _ => None,
        }
    }

    /// A day; the day of a moment in UTC.
    pub fn as_date(&self) -> Option<Date> {
        match self {
            Self::Date(date) => Some(*date),
            Self::Instant(moment) => Some(Date::of(*moment)),
            _ => None,
        }
    }

    /// A moment.
    pub const fn as_instant(&self) -> Option<Timestamp> {
        match self {
            Self::Instant(moment) => Some(*moment),
            _ => None,
        }
    }

    /// A reference.
    pub fn as_relation(&self) -> Option<&Relation> {
        match self {
            Self::Relation(relation) => Some(relation),
            _ => None,
        }
    }

    /// Expanded records.
    pub fn as_records(&self) -> Option<&[Record]> {
        match self {
            Self::Records(records) => Some(records),
            Self::Record(record) => Some(std::slice::from_ref(record)),
            _ => None,
        }
    }

    /// Whether both say the same, in spite of how a provider writes it: numbers by value, text and enum values by their
    /// letters, references by their key. What a server changed on the way in is what differs here.
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(mine), Self::List(theirs)) => {
                mine.len() == theirs.len() && mine.iter().zip(theirs).all(|(a, b)| a.says_the_same(b))
            }
            (Self::Integer(_) | Self::Decimal(_), Self::Integer(_) | Self::Decimal(_)) => {
                self.as_decimal() == other.as_decimal()
            }
            (Self::Relation(mine), Self::Relation(theirs)) => mine.key == theirs.key,
            (Self::Relation(relation), Self::Integer(number)) | (Self::Integer(number), Self::Relation(relation)) => {
                relation.key.as_single().and_then(|key| key.parse().ok()) == Some(*number)
            }
            _ => match (self.as_str(), other.as_str()) {
                (Some(mine), Some(theirs)) => mine == theirs,
                _ => self == other,
            },
        }
    }
}

impl fmt::Display for Value {
    /// As a person reads it: in a table, in a review. Bytes and lists tell their number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("-"),
            Self::Bool(true) => f.write_str("yes"),
            Self::Bool(false) => f.write_str("no"),
            Self::Integer(number) => number.fmt(f),
            Self::Decimal(number) => number.fmt(f),
            Self::Text(text) | Self::Enum(text) => f.write_str(text),
            Self::Date(date) => date.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Instant(moment) => moment.fmt(f),
            Self::Binary(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Relation(relation) => relation.fmt(f),
            Self::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    value.fmt(f)?;
                }
                Ok(())
            }
            Self::Record(record) => record.key().fmt(f),
            Self::Records(records) => write!(f, "{} records", records.len()),
        }
    }
}

impl fmt::Debug for Value {
    /// The type, without the content: records hold business data and do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Bool(_) => "Bool",
            Self::Integer(_) => "Integer",
            Self::Decimal(_) => "Decimal",
            Self::Text(_) => "Text",
            Self::Enum(_) => "Enum",
            Self::Date(_) => "Date",
            Self::Time(_) => "Time",
            Self::Instant(_) => "Instant",
            Self::Binary(_) => "Binary",
            Self::Relation(_) => "Relation",
            Self::List(_) => "List",
            Self::Record(_) => "Record",
            Self::Records(_) => "Records",
        })
    }
}

/// Declares the plain conversions into a value.
macro_rules! into_value {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}
into_value! {
    bool => Bool, i64 => Integer, i32 => Integer, u32 => Integer, Decimal => Decimal, &str => Text, String => Text,
    Date => Date, TimeOfDay => Time, Timestamp => Instant, Bytes => Binary, Relation => Relation,
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A reference to a record: its key, and the label that the provider shows for it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Relation {
    /// The entity it points into, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<EntityName>,
    /// The key of the record.
    pub key: RecordKey,
    /// What the provider shows for it; may have changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Relation {
    /// A reference by key alone.
    pub fn to(key: impl Into<RecordKey>) -> Self {
        Self {
            entity: None,
            key: key.into(),
            label: None,
        }
    }

    /// Names the entity.
    #[must_use]
    pub fn in_entity(mut self, entity: impl Into<EntityName>) -> Self {
        self.entity = Some(entity.into());
        self
    }

    /// Adds what the provider shows for it.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => write!(f, "{label} ({})", self.key),
            None => self.key.fmt(f),
        }
    }
}

impl fmt::Debug for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relation")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// What identifies a record within its entity: one text, or several named ones. The text is the provider's, without
/// quotes or type marks: `42`, `4500000001`, a GUID.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum RecordKey {
    /// One key field.
    Single(Box<str>),
    /// Several key fields, in the catalog's order: an order and its item.
    Composite(Vec<(FieldName, Box<str>)>),
}

impl RecordKey {
    /// A key of one field.
    pub fn single(key: impl Into<Box<str>>) -> Self {
        Self::Single(key.into())
    }

    /// A key of several fields.
    pub fn composite<F: Into<FieldName>, V: Into<Box<str>>>(parts: impl IntoIterator<Item = (F, V)>) -> Self {
        Self::Composite(
            parts
                .into_iter()
                .map(|(field, value)| (field.into(), value.into()))
                .collect(),
        )
    }

    /// The text of a key of one field.
    pub fn as_single(&self) -> Option<&str> {
        match self {
            Self::Single(key) => Some(key),
            Self::Composite(parts) => match parts.as_slice() {
                [(_, key)] => Some(key),
                _ => None,
            },
        }
    }

    /// The text of one of its fields; of a single key whatever the field is called.
    pub fn part(&self, field: &str) -> Option<&str> {
        match self {
            Self::Single(key) => Some(key),
            Self::Composite(parts) => parts
                .iter()
                .find(|(name, _)| name.as_str() == field)
                .map(|(_, value)| &**value),
        }
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single(key) => f.write_str(key),
            Self::Composite(parts) => {
                for (index, (field, value)) in parts.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{field}={value}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({self})")
    }
}

impl From<&str> for RecordKey {
    fn from(key: &str) -> Self {
        Self::single(key)
    }
}

impl From<String> for RecordKey {
    fn from(key: String) -> Self {
        Self::single(key)
    }
}

impl From<i64> for RecordKey {
    fn from(key: i64) -> Self {
        Self::single(key.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_values_keep_their_type() {
        let values = vec![
            Value::Null,
            Value::from(true),
            Value::from(7),
            Value::Decimal("1.50".parse().unwrap()),
            Value::from("x"),
            Value::Enum("sale".into()),
            Value::Date("2026-11-22".parse().unwrap()),
            Value::from(Relation::to(3_i64).labelled("ACME")),
            Value::Binary(Bytes::from_static(b"\x00\xff")),
        ];
        let json = serde_json::to_string(&values).unwrap();
        assert!(json.contains(r#"{"decimal":"1.50"}"#), "{json}");
        assert_eq!(serde_json::from_str::<Vec<Value>>(&json).unwrap(), values);
    }

    #[test]
    fn sameness_looks_through_the_spelling() {
        let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
        assert!(decimal("1.50").says_the_same(&decimal("1.5")));
        assert!(Value::from(2).says_the_same(&decimal("2.00")));
        assert!(Value::Enum("sale".into()).says_the_same(&Value::from("sale")));
        let relation = Value::from(Relation::to("7").labelled("ACME"));
        assert!(relation.says_the_same(&Value::from(Relation::to("7"))));
        assert!(relation.says_the_same(&Value::from(7)));
        assert!(!decimal("1.23").says_the_same(&decimal("1.234")));
        assert!(!Value::Null.says_the_same(&Value::from("")));
    }

    #[test]
    fn debug_shows_no_content() {
        let shown = format!("{:?}", Value::from("secret price list"));
        assert_eq!(shown, "Text");
    }
}
