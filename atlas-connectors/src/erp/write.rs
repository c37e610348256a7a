//! Writes: what is to be created, changed, deleted or called, in typed values, as it is proposed and approved.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::erp::{ActionName, EntityName, Etag, FieldName, Record, RecordKey, Value, Verb};
use crate::ids::CompanyId;

/// Something to be written to an ERP. An [`Action`](crate::action::Action) of the kind `erp.write`: proposed at the gate, and let out
/// by the outbox after its approval.
///
/// ```
/// use atlas_connectors::erp::{Create, Decimal, Lines, Write};
///
/// let quantity: Decimal = "40".parse().unwrap();
/// let order = Create::new("purchaseOrders")
///     .in_company("cronus")
///     .set("vendorNumber", "10000")
///     .lines(Lines::new("purchaseOrderLines").row([("lineObjectNumber", "1896-S".into()), ("quantity", quantity.into())]))
///     .with_natural_key("vendorInvoiceNumber", "ATLAS-2026-0042");
/// let write = Write::from(order);
/// assert_eq!(write.verb(), "create");
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Write {
    /// A new record, with its lines.
    Create(Create),
    /// Changed fields of a record.
    Update(Update),
    /// A record to be deleted.
    Delete(Delete),
    /// An action to be called.
    Action(ActionCall),
    /// Several writes in one request.
    Batch(Batch),
}

/// A new record, with its lines where it has any.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Create {
    /// The entity.
    pub entity: EntityName,
    /// The company; `None` takes the connection's own.
    pub company: Option<CompanyId>,
    /// The fields, in order.
    pub fields: Vec<(FieldName, Value)>,
    /// Lines and other dependent records, created together with it.
    pub lines: Vec<Lines>,
    /// What the record is found by if the answer is lost: without it, and without a way of the provider's own, a lost
    /// answer ends as uncertain.
    pub natural_key: Option<NaturalKey>,
}

/// Dependent records of a new record.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lines {
    /// The relation: `order_line`, `to_Item`, `salesOrderLines`.
    pub relation: FieldName,
    /// The fields of each, in order.
    pub rows: Vec<Vec<(FieldName, Value)>>,
}

/// A field whose value tells one record from all others: the customer's order number, an external document number.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct NaturalKey {
    /// The field; the server must be able to filter by it.
    pub field: FieldName,
    /// The value, which no other record of the entity has.
    pub value: Value,
}

/// Changed fields of a record.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Update {
    /// The entity.
    pub entity: EntityName,
    /// The company; `None` takes the connection's own.
    pub company: Option<CompanyId>,
    /// The record.
    pub key: RecordKey,
    /// What was read when the change was decided on.
    pub base: Base,
    /// The changes, in order.
    pub changes: Vec<FieldChange>,
}

/// One changed field.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field.
    pub field: FieldName,
    /// What it held when it was read; `None` if it was not read.
    pub old: Option<Value>,
    /// What it is to hold.
    pub new: Value,
}

/// A record to be deleted.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Delete {
    /// The entity.
    pub entity: EntityName,
    /// The company; `None` takes the connection's own.
    pub company: Option<CompanyId>,
    /// The record.
    pub key: RecordKey,
    /// What was read when it was decided on.
    pub base: Base,
    /// What the reviewer is told about it: its number, its name.
    pub about: Vec<(FieldName, Value)>,
}

/// An action to be called: confirm, post, release.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionCall {
    /// The entity.
    pub entity: EntityName,
    /// The company; `None` takes the connection's own.
    pub company: Option<CompanyId>,
    /// The record it is called on; `None` for an action of the whole entity or service.
    pub key: Option<RecordKey>,
    /// The action.
    pub action: ActionName,
    /// What was read when it was decided on.
    pub base: Base,
    /// What it is given.
    pub parameters: Vec<(FieldName, Value)>,
    /// What the reviewer is told about the record: its number, its state.
    pub about: Vec<(FieldName, Value)>,
}

/// Several writes in one request.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Batch {
    /// The writes, in order. No batches among them.
    pub parts: Vec<Write>,
    /// Whether all of them happen or none. Otherwise each stands for itself.
    pub atomic: bool,
}

/// What a write was decided on. Right before it leaves, the record is compared with it; a record that has changed since is
/// not written, and the approval does not cover it any more.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Base {
    /// The ETag that was read. The server itself refuses the write if it has changed.
    Etag(Etag),
    /// The version that was read, such as the time of the last change. Compared right before the write.
    Version(Box<str>),
    /// The old values of the changes. For entities without ETag and version; compared right before the write, so that a
    /// change within the last moment goes unnoticed.
    OldValues,
}

impl Base {
    /// The strongest that a record has.
    pub fn of(record: &Record) -> Self {
        match (record.etag(), record.version()) {
            (Some(etag), _) => Self::Etag(etag.clone()),
            (None, Some(version)) => Self::Version(version.into()),
            (None, None) => Self::OldValues,
        }
    }

    /// How a reviewer is told.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Etag(_) => "exactly as read (ETag)",
            Self::Version(_) => "exactly as read (time of last change)",
            Self::OldValues => "the old values as read",
        }
    }
}

impl Create {
    /// A new record of this entity.
    pub fn new(entity: impl Into<EntityName>) -> Self {
        Self {
            entity: entity.into(),
            company: None,
            fields: Vec::new(),
            lines: Vec::new(),
            natural_key: None,
        }
    }

    /// In this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }

    /// Sets a field.
    #[must_use]
    pub fn set(mut self, field: impl Into<FieldName>, value: impl Into<Value>) -> Self {
        self.fields.push((field.into(), value.into()));
        self
    }

    /// Adds dependent records.
    #[must_use]
    pub fn lines(mut self, lines: Lines) -> Self {
        self.lines.push(lines);
        self
    }

    /// Sets a field and makes it what the record is found by.
    #[must_use]
    pub fn with_natural_key(mut self, field: impl Into<FieldName>, value: impl Into<Value>) -> Self {
        let (field, value) = (field.into(), value.into());
        self.fields.retain(|(name, _)| *name != field);
        self.fields.push((field.clone(), value.clone()));
        self.natural_key = Some(NaturalKey { field, value });
        self
    }

    /// The value of a field that is set.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|(name, _)| name.as_str() == field)
            .map(|(_, value)| value)
    }
}

impl Lines {
    /// No records of this relation yet.
    pub fn new(relation: impl Into<FieldName>) -> Self {
        Self {
            relation: relation.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a record.
    #[must_use]
    pub fn row<F: Into<FieldName>>(mut self, fields: impl IntoIterator<Item = (F, Value)>) -> Self {
        self.rows
            .push(fields.into_iter().map(|(name, value)| (name.into(), value)).collect());
        self
    }
}

impl Update {
    /// Changes to a record that was read: its base and old values are taken from it.
    pub fn of(record: &Record) -> Self {
        Self {
            entity: record.entity().clone(),
            company: None,
            key: record.key().clone(),
            base: Base::of(record),
            changes: Vec::new(),
        }
    }

    /// Changes to a record of which only the key and the base are known.
    pub fn at(entity: impl Into<EntityName>, key: impl Into<RecordKey>, base: Base) -> Self {
        Self {
            entity: entity.into(),
            company: None,
            key: key.into(),
            base,
            changes: Vec::new(),
        }
    }

    /// In this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }

    /// Sets a field, with what the record held before.
    #[must_use]
    pub fn set_from(mut self, record: &Record, field: impl Into<FieldName>, new: impl Into<Value>) -> Self {
        let field = field.into();
        let old = record.value(field.as_str()).cloned();
        self.changes.push(FieldChange {
            field,
            old,
            new: new.into(),
        });
        self
    }

    /// Adds a change.
    #[must_use]
    pub fn change(mut self, change: FieldChange) -> Self {
        self.changes.push(change);
        self
    }
}

impl Delete {
    /// The deletion of a record that was read.
    pub fn of(record: &Record) -> Self {
        Self {
            entity: record.entity().clone(),
            company: None,
            key: record.key().clone(),
            base: Base::of(record),
            about: record
                .fields()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }

    /// In this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }
}

impl ActionCall {
    /// An action on a record that was read. Its scalar fields are shown to the reviewer.
    pub fn on(record: &Record, action: impl Into<ActionName>) -> Self {
        let scalar = |value: &Value| !matches!(value, Value::Records(_) | Value::Record(_) | Value::Binary(_));
        Self {
            entity: record.entity().clone(),
            company: None,
            key: Some(record.key().clone()),
            action: action.into(),
            base: Base::of(record),
            parameters: Vec::new(),
            about: record
                .fields()
                .filter(|(_, value)| scalar(value))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }

    /// An action that is called on no record.
    pub fn unbound(entity: impl Into<EntityName>, action: impl Into<ActionName>) -> Self {
        Self {
            entity: entity.into(),
            company: None,
            key: None,
            action: action.into(),
            base: Base::OldValues,
            parameters: Vec::new(),
            about: Vec::new(),
        }
    }

    /// In this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }

    /// Gives it a parameter.
    #[must_use]
    pub fn with(mut self, parameter: impl Into<FieldName>, value: impl Into<Value>) -> Self {
        self.parameters.push((parameter.into(), value.into()));
        self
    }
}

impl Batch {
    /// Writes that happen all together or not at all.
    pub fn atomic(parts: impl IntoIterator<Item = Write>) -> Self {
        Self {
            parts: parts.into_iter().collect(),
            atomic: true,
        }
    }

    /// Writes that stand each for itself.
    pub fn independent(parts: impl IntoIterator<Item = Write>) -> Self {
        Self {
            parts: parts.into_iter().collect(),
            atomic: false,
        }
    }
}

impl Write {
    /// The entity; `None` for a batch.
    pub fn entity(&self) -> Option<&EntityName> {
        match self {
            Self::Create(one) => Some(&one.entity),
            Self::Update(one) => Some(&one.entity),
            Self::Delete(one) => Some(&one.entity),
            Self::Action(one) => Some(&one.entity),
            Self::Batch(_) => None,
        }
    }

    /// The company it names, if it names one; of a batch that of its first part that does.
    pub fn company(&self) -> Option<&CompanyId> {
        match self {
            Self::Create(one) => one.company.as_ref(),
            Self::Update(one) => one.company.as_ref(),
            Self::Delete(one) => one.company.as_ref(),
            Self::Action(one) => one.company.as_ref(),
            Self::Batch(batch) => batch.parts.iter().find_map(Self::company),
        }
    }

    /// The record it is about; `None` for what is created.
    pub fn key(&self) -> Option<&RecordKey> {
        match self {
            Self::Create(_) | Self::Batch(_) => None,
            Self::Update(one) => Some(&one.key),
            Self::Delete(one) => Some(&one.key),
            Self::Action(one) => one.key.as_ref(),
        }
    }

    /// What it was decided on; `None` for what is created.
    pub fn base(&self) -> Option<&Base> {
        match self {
            Self::Create(_) | Self::Batch(_) => None,
            Self::Update(one) => Some(&one.base),
            Self::Delete(one) => Some(&one.base),
            Self::Action(one) => Some(&one.base),
        }
    }

    /// Stable word: `create`, `update`, `delete`, `action`, `batch`.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Create(_) => Verb::Create.as_str(),
            Self::Update(_) => Verb::Update.as_str(),
            Self::Delete(_) => Verb::Delete.as_str(),
            Self::Action(_) => "action",
            Self::Batch(_) => "batch",
        }
    }

    /// This write, or the parts of a batch.
    pub fn parts(&self) -> &[Self] {
        match self {
            Self::Batch(batch) => &batch.parts,
            one => std::slice::from_ref(one),
        }
    }
}

/// Business data does not belong in logs: what is written where, without the values.
impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Write");
        out.field("verb", &self.verb());
        if let Some(entity) = self.entity() {
            out.field("entity", entity);
        }
        if let Self::Action(call) = self {
            out.field("action", &call.action);
        }
        if let Some(key) = self.key() {
            out.field("key", key);
        }
        if let Self::Batch(batch) = self {
            out.field("parts", &batch.parts).field("atomic", &batch.atomic);
        }
        out.finish_non_exhaustive()
    }
}

/// The parts of a write print as the write does.
macro_rules! debug_as_write {
    ($($part:ident => $variant:ident),*) => {$(
        impl From<$part> for Write {
            fn from(part: $part) -> Self {
                Self::$variant(part)
            }
        }

        impl fmt::Debug for $part {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Write::$variant(self.clone()).fmt(f)
            }
        }
    )*};
}
debug_as_write!(Create => Create, Update => Update, Delete => Delete, ActionCall => Action, Batch => Batch);

/// Values are not printed.
macro_rules! name_only {
    ($($part:ident . $name:ident),*) => {$(
        impl fmt::Debug for $part {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($part)).field(stringify!($name), &self.$name).finish_non_exhaustive()
            }
        }
    )*};
}
name_only!(Lines.relation, NaturalKey.field, FieldChange.field);

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Etag(_) => "Base::Etag",
            Self::Version(_) => "Base::Version",
            Self::OldValues => "Base::OldValues",
        })
    }
}
