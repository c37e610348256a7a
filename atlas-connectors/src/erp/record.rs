//! One record: its fields in the provider's order, with what tells its state.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::erp::plain::{PlainValue, from_record};
use crate::erp::{EntityName, FieldName, RecordKey, Value};
use crate::error::{Error, ErrorKind, Result, SchemaFault};

/// The names of the fields of a page's records, shared by all of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Columns(Arc<[FieldName]>);

impl Columns {
    /// Columns in this order.
    pub fn new<F: Into<FieldName>>(names: impl IntoIterator<Item = F>) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }

    /// The names, in order.
    pub fn names(&self) -> &[FieldName] {
        &self.0
    }

    /// Where this field stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|column| column.as_str() == name)
    }
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter())
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Vec::deserialize(deserializer)?.into()))
    }
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(FieldName::as_str)).finish()
    }
}

/// What a provider calls the state of a record (an ETag), byte for byte.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Etag(Box<str>);

impl Etag {
    /// An ETag as the provider wrote it, quotes and `W/` included.
    pub fn new(etag: impl Into<Box<str>>) -> Self {
        Self(etag.into())
    }

    /// As it is sent back.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Etag({})", self.0)
    }
}

/// One record. `Debug` shows its key and which fields it has, not what is in them.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    entity: EntityName,
    key: RecordKey,
    columns: Columns,
    values: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<Etag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Box<str>>,
}

impl Record {
    /// A record of these values, one for each column. Missing values are null, surplus ones are dropped.
    pub fn new(entity: EntityName, key: RecordKey, columns: Columns, mut values: Vec<Value>) -> Self {
        values.resize(columns.names().len(), Value::Null);
        Self {
            entity,
            key,
            columns,
            values,
            etag: None,
            version: None,
        }
    }

    /// Adds the ETag.
    #[must_use]
    pub fn with_etag(mut self, etag: Etag) -> Self {
        self.etag = Some(etag);
        self
    }

    /// Adds what tells its state where there is no ETag: the time of its last change, as the provider writes it.
    #[must_use]
    pub fn with_version(mut self, version: impl Into<Box<str>>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The entity.
    pub fn entity(&self) -> &EntityName {
        &self.entity
    }

    /// The key.
    pub fn key(&self) -> &RecordKey {
        &self.key
    }

    /// The ETag, if the provider has one for this entity.
    pub fn etag(&self) -> Option<&Etag> {
        self.etag.as_ref()
    }

    /// What tells its state where there is no ETag.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The names of its fields.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The value of a field; `None` if it was not read.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.columns.position(field).and_then(|at| self.values.get(at))
    }

    /// The value of a field by a dotted path through expanded records: `partner.name`.
    pub fn value_at(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.value(path) {
            return Some(value);
        }
        let (first, rest) = path.split_once('.')?;
        match self.value(first)? {
            Value::Record(record) => record.value_at(rest),
            _ => None,
        }
    }

    /// The fields and their values, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&FieldName, &Value)> {
        self.columns.names().iter().zip(&self.values)
    }

    /// The record as a struct of the host's own, field by field.
    ///
    /// Numbers that are not whole are handed over as text, so that they fit [`crate::erp::Decimal`] and `String`, and no `f64`.
    /// A reference is its key, or `{key, label}` for a struct; lines are a list.
    ///
    /// ```
    /// use atlas_connectors::erp::{Columns, Decimal, Record, Value};
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Order {
    ///     name: String,
    ///     amount_total: Decimal,
    /// }
    ///
    /// let columns = Columns::new(["name", "amount_total"]);
    /// let total: Decimal = "99.90".parse().unwrap();
    /// let record = Record::new("sale.order".into(), "7".into(), columns, vec!["S00007".into(), total.into()]);
    /// let order: Order = record.read_as()?;
    /// assert_eq!(order.name, "S00007");
    /// assert_eq!(order.amount_total.to_string(), "99.90");
    /// # Ok::<(), atlas_connectors::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] naming the field, if there is none of that name or it is of another type.
    pub fn read_as<T: DeserializeOwned>(&self) -> Result<T> {
        from_record(self).map_err(|fault| {
            let kind = ErrorKind::SchemaMismatch {
                path: format!("{}.{}", self.entity, fault.field),
                fault: if fault.missing {
                    SchemaFault::Missing
                } else {
                    SchemaFault::Type
                },
            };
            Error::new(kind, "record.read_as")
        })
    }

    /// The record as plain JSON for people and scripts: `{"id": …, "name": "…"}` with numbers that are not whole as text.
    pub fn plain(&self) -> PlainRecord<'_> {
        PlainRecord(self)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("entity", &self.entity)
            .field("key", &self.key)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// A record that serialises as plain JSON. Made by [`Record::plain`].
#[derive(Clone, Copy, Debug)]
pub struct PlainRecord<'a>(&'a Record);

impl Serialize for PlainRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.values.len()))?;
        for (field, value) in self.0.fields() {
            map.serialize_entry(field.as_str(), &PlainValue(value))?;
        }
        map.end()
    }
}
