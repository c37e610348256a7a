//! Rows out of an answer, each value by the type of its field: `false` is null for everything but a flag, and a number
//! is its text.

use std::fmt;

use atlas_connectors::erp::{Columns, Decimal, FieldName, Record, RecordKey, Relation, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::odoo::shapes::Shape;
use crate::odoo::values;
use crate::odoo::wire::Answer;

/// What the columns of an answer are.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    shape: &'a Shape,
    columns: Columns,
    kinds: Vec<Cell>,
}

/// How a cell is read.
#[derive(Clone, Debug)]
enum Cell {
    Flag,
    Integer,
    Decimal,
    Text,
    Enum,
    Date,
    Instant,
    Binary,
    Relation(Option<atlas_connectors::erp::EntityName>),
    Relations(Option<atlas_connectors::erp::EntityName>),
    Other,
}

/// A row with what the connector itself needs of it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: i64,
    pub(super) write_date: Option<Box<str>>,
    pub(super) values: Vec<Value>,
}

impl<'a> Plan<'a> {
    /// A plan for these columns.
    ///
    /// # Errors
    /// [`atlas_connectors::ErrorKind::SchemaMismatch`] for a field that is not there.
    pub(super) fn new(shape: &'a Shape, names: &[FieldName]) -> atlas_connectors::Result<Self> {
        let mut kinds = Vec::new();
        for name in names {
            let (field, kind) = shape.field(name.as_str())?;
            kinds.push(match kind {
                "boolean" => Cell::Flag,
                "integer" | "many2one_reference" => Cell::Integer,
                "float" | "monetary" => Cell::Decimal,
                "char" | "text" | "html" | "reference" => Cell::Text,
                "selection" => Cell::Enum,
                "date" => Cell::Date,
                "datetime" => Cell::Instant,
                "binary" | "image" => Cell::Binary,
                "many2one" => Cell::Relation(field.relation.clone()),
                "one2many" | "many2many" => Cell::Relations(field.relation.clone()),
                _ => Cell::Other,
            });
        }
        Ok(Self {
            shape,
            columns: Columns::new(names.iter().cloned()),
            kinds,
        })
    }

    /// The rows of an answer.
    ///
    /// # Errors
    /// As the answer is not a list of rows of these types.
    pub(super) fn rows(&self, answer: &Answer) -> atlas_connectors::Result<Vec<Row>> {
        let mut reader = serde_json::Deserializer::from_slice(answer.bytes());
        let rows = Rows(self).deserialize(&mut reader).and_then(|rows| {
            reader.end()?;
            Ok(rows)
        });
        rows.map_err(|error| match error.classify() {
            serde_json::error::Category::Data => answer.wrong_type(self.shape.model()),
            _ => answer.unread(&error),
        })
    }

    /// A record out of a row.
    pub(super) fn record(&self, row: Row) -> Record {
        let entity = self.shape.entity.name.clone();
        let record = Record::new(entity, RecordKey::from(row.id), self.columns.clone(), row.values);
        match row.write_date {
            Some(moment) => record.with_version(moment),
            None => record,
        }
    }
}

struct Rows<'p, 'a>(&'p Plan<'a>);

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = Vec<Row>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Row>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = Vec<Row>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Row>, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = seq.next_element_seed(OneRow(self.0))? {
            rows.push(row);
        }
        Ok(rows)
    }
}

struct OneRow<'p, 'a>(&'p Plan<'a>);

impl<'de> DeserializeSeed<'de> for OneRow<'_, '_> {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneRow<'_, '_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let plan = self.0;
        let mut values = vec![Value::Null; plan.kinds.len()];
        let (mut id, mut write_date) = (None, None);
        // The server keeps the order that was asked for: most often the next column is the next key.
        let mut expected = 0_usize;
        let names = plan.columns.names();
        while let Some(key) = map.next_key_seed(KeySeed { names, expected })? {
            let at = key.at;
            match key.what {
                Known::Id => {
                    let number: i64 = map.next_value()?;
                    id = Some(number);
                    if let Some(slot) = at.and_then(|at| values.get_mut(at)) {
                        *slot = Value::Integer(number);
                    }
                }
                Known::WriteDate => {
                    let text: OrFalse = map.next_value()?;
                    if let (Some(slot), Some(text)) = (at.and_then(|at| values.get_mut(at)), &text.0) {
                        let moment = values::moment(text).ok_or_else(|| A::Error::custom("not a datetime"))?;
                        *slot = Value::Instant(moment);
                    }
                    write_date = text.0.map(Into::into);
                }
                Known::Column => {
                    let raw: &RawValue = map.next_value()?;
                    let value = at.and_then(|at| decoded(plan.kinds.get(at)?, raw.get()));
                    let value = value.ok_or_else(|| A::Error::custom("a value of another type"))?;
                    if let Some(slot) = at.and_then(|at| values.get_mut(at)) {
                        *slot = value;
                    }
                }
                Known::Nothing => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if let Some(at) = at {
                expected = at.saturating_add(1);
            }
        }
        let id = id.ok_or_else(|| A::Error::missing_field("id"))?;
        Ok(Row { id, write_date, values })
    }
}

/// What a key of a row names, and where its column stands.
struct Key {
    what: Known,
    at: Option<usize>,
}

enum Known {
    Id,
    WriteDate,
    Column,
    Nothing,
}

/// Finds the column of a key without keeping the key.
struct KeySeed<'p> {
    names: &'p [FieldName],
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Key, E> {
        let at = match self.names.get(self.expected) {
            Some(name) if name.as_str() == key => Some(self.expected),
            _ => self.names.iter().position(|name| name.as_str() == key),
        };
        let what = match (key, at) {
            ("id", _) => Known::Id,
            ("write_date", _) => Known::WriteDate,
            (_, Some(_)) => Known::Column,
            (_, None) => Known::Nothing,
        };
        Ok(Key { what, at })
    }
}

/// A text, or `false` for none.
struct OrFalse(Option<String>);

impl<'de> serde::Deserialize<'de> for OrFalse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(text(raw.get())))
    }
}

/// The text of a JSON string; most need no unescaping.
fn text(raw: &str) -> Option<String> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(raw).ok();
    }
    Some(inner.to_owned())
}

fn decoded(cell: &Cell, raw: &str) -> Option<Value> {
    if raw == "null" || (raw == "false" && !matches!(cell, Cell::Flag)) {
        return Some(Value::Null);
    }
    Some(match cell {
        Cell::Flag => match raw {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return None,
        },
        Cell::Integer => match raw.parse() {
            Ok(number) => Value::Integer(number),
            // `json` columns of old modules give whole numbers as 3.0.
            Err(_) => Value::Integer(raw.parse::<Decimal>().ok()?.to_i64()?),
        },
        Cell::Decimal => Value::Decimal(raw.parse().ok()?),
        Cell::Text => Value::Text(text(raw)?),
        Cell::Enum => match text(raw) {
            Some(text) => Value::Enum(text),
            // Some selections are of numbers.
            None => Value::Enum(raw.parse::<i64>().ok()?.to_string()),
        },
        Cell::Date => {
            let text = text(raw)?;
            Value::Date(text.parse().ok()?)
        }
        Cell::Instant => Value::Instant(values::moment(&text(raw)?)?),
        Cell::Binary => {
            let text = text(raw)?;
            Value::Binary(Bytes::from(STANDARD.decode(text).ok()?))
        }
        Cell::Relation(entity) => relation(entity.as_ref(), raw)?,
        Cell::Relations(entity) => {
            let ids: Vec<i64> = serde_json::from_str(raw).ok()?;
            let one = |id: i64| {
                let mut relation = Relation::to(id);
                relation.entity.clone_from(entity);
                Value::from(relation)
            };
            Value::List(ids.into_iter().map(one).collect())
        }
        // Properties, JSON and the like: kept as they are written.
        Cell::Other => Value::Text(text(raw).unwrap_or_else(|| raw.to_owned())),
    })
}

/// `[id, label]`, or a bare id.
fn relation(entity: Option<&atlas_connectors::erp::EntityName>, raw: &str) -> Option<Value> {
    let (id, label) = if raw.starts_with('[') {
        let (id, label): (i64, Option<std::borrow::Cow<'_, str>>) = serde_json::from_str(raw).ok()?;
        (id, label.map(std::borrow::Cow::into_owned))
    } else {
        (raw.parse().ok()?, None)
    };
    let mut relation = Relation::to(id);
    relation.entity = entity.cloned();
    relation.label = label;
    Some(Value::from(relation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn false_is_null_but_for_flags_and_numbers_keep_their_digits() {
        let value = |cell: Cell, raw: &str| decoded(&cell, raw).unwrap();
        assert_eq!(value(Cell::Flag, "false"), Value::Bool(false));
        assert_eq!(value(Cell::Text, "false"), Value::Null);
        assert_eq!(value(Cell::Text, r#""a\"b""#), Value::Text("a\"b".to_owned()));
        let exact = "1234567890123456789012345.678";
        assert_eq!(value(Cell::Decimal, exact).to_string(), exact);
        let acme = value(Cell::Relation(None), r#"[9, "Acme, \"Inc\""]"#);
        assert_eq!(acme.as_relation().unwrap().label.as_deref(), Some("Acme, \"Inc\""));
        assert_eq!(value(Cell::Relation(None), "false"), Value::Null);
        assert_eq!(
            value(Cell::Instant, r#""2026-11-22 02:40:03""#).to_string(),
            "2026-11-22T02:40:03Z"
        );
        assert!(decoded(&Cell::Flag, "1").is_none());
        assert!(decoded(&Cell::Date, r#""22.11.2026""#).is_none());
    }
}
