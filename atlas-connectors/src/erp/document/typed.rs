//! The common documents as types.

use std::collections::BTreeMap;
use std::fmt;

use crate::erp::document::map::{DocumentField as F, DocumentKind, DocumentTable, LineField as L, LineTable};
use crate::erp::document::state::StateOf;
use crate::erp::{Base, Date, Decimal, FieldName, Record, RecordKey, Value};

/// A document that every ERP has. Made from a record by the provider's table; a field that the provider does not have is
/// `None`, and the record itself stays at hand.
///
/// ```
/// use atlas_connectors::erp::{
///     Columns, Customer, Document, DocumentField, DocumentKind, DocumentTable, Record,
/// };
///
/// let table = DocumentTable::new(DocumentKind::Customer, "customers")
///     .fields([(DocumentField::Number, "number"), (DocumentField::Name, "displayName")]);
/// let columns = Columns::new(["number", "displayName", "extRating"]);
/// let record = Record::new("customers".into(), "id-1".into(), columns, vec!["10000".into(), "Adatum".into(), "A".into()]);
/// let customer = Customer::of(&table, record);
/// assert_eq!(customer.name.as_deref(), Some("Adatum"));
/// assert_eq!(customer.other.len(), 1); // fields that no common name has are kept
/// ```
pub trait Document: Sized + Send {
    /// The kind.
    const KIND: DocumentKind;

    /// The document in a record, by the provider's table.
    fn of(table: &DocumentTable, record: Record) -> Self;

    /// The record it was made from.
    fn record(&self) -> &Record;

    /// Its key.
    fn key(&self) -> &RecordKey {
        self.record().key()
    }

    /// What a write to it is decided on.
    fn base(&self) -> Base {
        Base::of(self.record())
    }
}

/// A customer or vendor as a document names it.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Party {
    /// The key of its record.
    pub key: Option<RecordKey>,
    /// Its number.
    pub number: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// A line of an order or invoice.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct DocumentLine {
    /// Its position, as the provider writes it.
    pub position: Option<String>,
    /// The key of the item.
    pub item: Option<RecordKey>,
    /// The number of the item.
    pub item_number: Option<String>,
    /// What it says.
    pub description: Option<String>,
    /// How much.
    pub quantity: Option<Decimal>,
    /// In which unit.
    pub unit: Option<String>,
    /// The price of one unit.
    pub price: Option<Decimal>,
    /// The amount without tax.
    pub net: Option<Decimal>,
    /// The day it is wanted.
    pub due: Option<Date>,
    /// Fields that no common name has.
    pub other: BTreeMap<FieldName, Value>,
    /// The record it was made from.
    pub record: Record,
}

/// Declares a document with lines.
macro_rules! with_lines {
    ($(#[$meta:meta])* $name:ident, $party:ident, $party_doc:literal, $due_doc:literal) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            /// The number that people know it by.
            pub number: Option<String>,
            #[doc = $party_doc]
            pub $party: Party,
            /// The partner's own number for it.
            pub reference: Option<String>,
            /// The day it is dated.
            pub date: Option<Date>,
            #[doc = $due_doc]
            pub due: Option<Date>,
            /// How far it has come.
            pub state: StateOf,
            /// The currency, as the provider writes it; often empty for the company's own.
            pub currency: Option<String>,
            /// The amount without tax.
            pub net: Option<Decimal>,
            /// The tax.
            pub tax: Option<Decimal>,
            /// The amount with tax.
            pub total: Option<Decimal>,
            /// Its lines, in order; empty where they were not asked for.
            pub lines: Vec<DocumentLine>,
            /// Fields that no common name has: custom ones, and whatever else was asked for.
            pub other: BTreeMap<FieldName, Value>,
            record: Record,
        }

        impl Document for $name {
            const KIND: DocumentKind = DocumentKind::$name;

            fn of(table: &DocumentTable, record: Record) -> Self {
                let read = Reader { table, record: &record };
                Self {
                    number: read.text(F::Number),
                    $party: read.party(),
                    reference: read.text(F::Reference),
                    date: read.date(F::Date),
                    due: read.date(F::DueDate),
                    state: read.state(),
                    currency: read.label(F::Currency),
                    net: read.decimal(F::Net),
                    tax: read.decimal(F::Tax),
                    total: read.decimal(F::Total),
                    lines: read.lines(),
                    other: read.other(),
                    record,
                }
            }

            fn record(&self) -> &Record {
                &self.record
            }
        }
    };
}

with_lines! {
    /// A customer's order.
    SalesOrder, customer, "Who ordered.", "The day it is wanted."
}
with_lines! {
    /// An order at a vendor.
    PurchaseOrder, vendor, "Where it was ordered.", "The day it is wanted."
}
with_lines! {
    /// An invoice to a customer.
    SalesInvoice, customer, "Who pays.", "The day it is due."
}
with_lines! {
    /// A vendor's invoice.
    PurchaseInvoice, vendor, "Who is paid.", "The day it is due."
}

/// Declares a partner.
macro_rules! partner {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            /// The number that people know it by.
            pub number: Option<String>,
            /// The name.
            pub name: Option<String>,
            /// An address for mail.
            pub email: Option<String>,
            /// A telephone number.
            pub phone: Option<String>,
            /// A number for taxes.
            pub tax_number: Option<String>,
            /// The currency it is dealt with in.
            pub currency: Option<String>,
            /// Whether it may not be dealt with.
            pub blocked: Option<bool>,
            /// Fields that no common name has.
            pub other: BTreeMap<FieldName, Value>,
            record: Record,
        }

        impl Document for $name {
            const KIND: DocumentKind = DocumentKind::$name;

            fn of(table: &DocumentTable, record: Record) -> Self {
                let read = Reader { table, record: &record };
                Self {
                    number: read.text(F::Number),
                    name: read.text(F::Name),
                    email: read.text(F::Email),
                    phone: read.text(F::Phone),
                    tax_number: read.text(F::TaxNumber),
                    currency: read.label(F::Currency),
                    blocked: read.flag(F::Blocked),
                    other: read.other(),
                    record,
                }
            }

            fn record(&self) -> &Record {
                &self.record
            }
        }
    };
}

partner! {
    /// Who buys.
    Customer
}
partner! {
    /// Who is bought from.
    Vendor
}

/// What is bought and sold.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Item {
    /// The number that people know it by.
    pub number: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The unit of measure.
    pub unit: Option<String>,
    /// The price of one unit.
    pub price: Option<Decimal>,
    /// Whether it may not be used.
    pub blocked: Option<bool>,
    /// Fields that no common name has.
    pub other: BTreeMap<FieldName, Value>,
    record: Record,
}

impl Document for Item {
    const KIND: DocumentKind = DocumentKind::Item;

    fn of(table: &DocumentTable, record: Record) -> Self {
        let read = Reader { table, record: &record };
        Self {
            number: read.text(F::Number),
            name: read.text(F::Name),
            unit: read.label(F::Unit),
            price: read.decimal(F::Price),
            blocked: read.flag(F::Blocked),
            other: read.other(),
            record,
        }
    }

    fn record(&self) -> &Record {
        &self.record
    }
}

/// Business data does not belong in logs: which record it is, without what stands in it.
macro_rules! debug_by_record {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("record", &self.record).finish_non_exhaustive()
            }
        }
    )*};
}
debug_by_record!(
    SalesOrder,
    PurchaseOrder,
    SalesInvoice,
    PurchaseInvoice,
    Customer,
    Vendor,
    Item,
    DocumentLine
);

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Party").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Reads a record by a table.
struct Reader<'a> {
    table: &'a DocumentTable,
    record: &'a Record,
}

impl<'a> Reader<'a> {
    fn value(&self, field: F) -> Option<&'a Value> {
        let name = self.table.name(field)?;
        self.record.value_at(name.as_str()).filter(|value| !value.is_null())
    }

    fn text(&self, field: F) -> Option<String> {
        self.value(field).and_then(text_of)
    }

    /// What people read for a reference; of plain text the text.
    fn label(&self, field: F) -> Option<String> {
        self.value(field).and_then(label_of)
    }

    fn date(&self, field: F) -> Option<Date> {
        self.value(field).and_then(Value::as_date)
    }

    fn decimal(&self, field: F) -> Option<Decimal> {
        self.value(field).and_then(Value::as_decimal)
    }

    /// A flag, or a text that is a block reason when it is not empty.
    fn flag(&self, field: F) -> Option<bool> {
        match self.value(field)? {
            Value::Bool(flag) => Some(*flag),
            value => text_of(value).map(|text| !text.trim().is_empty()),
        }
    }

    fn party(&self) -> Party {
        let partner = self.value(F::Partner);
        Party {
            key: partner.and_then(key_of),
            number: self.text(F::PartnerNumber),
            name: self.text(F::PartnerName).or_else(|| {
                partner
                    .and_then(Value::as_relation)
                    .and_then(|relation| relation.label.clone())
            }),
        }
    }

    fn state(&self) -> StateOf {
        match self.text(F::State) {
            Some(text) => self.table.state(&text),
            None => StateOf::unknown(),
        }
    }

    fn lines(&self) -> Vec<DocumentLine> {
        let Some(table) = &self.table.lines else {
            return Vec::new();
        };
        let records = self.record.value(table.relation.as_str()).and_then(Value::as_records);
        records
            .unwrap_or_default()
            .iter()
            .map(|record| line(table, record.clone()))
            .collect()
    }

    fn other(&self) -> BTreeMap<FieldName, Value> {
        let relation = self.table.lines.as_ref().map(|lines| &lines.relation);
        let known = |name: &FieldName| {
            let mapped = self.table.fields.iter().any(|(_, field)| within(field, name));
            mapped || Some(name) == relation
        };
        others(self.record, known)
    }
}

fn line(table: &LineTable, record: Record) -> DocumentLine {
    let value = |field: L| {
        let name = table.name(field)?;
        record.value_at(name.as_str()).filter(|value| !value.is_null())
    };
    let text = |field: L| value(field).and_then(text_of);
    DocumentLine {
        position: text(L::Position),
        item: value(L::Item).and_then(key_of),
        item_number: text(L::ItemNumber),
        description: text(L::Description),
        quantity: value(L::Quantity).and_then(Value::as_decimal),
        unit: value(L::Unit).and_then(label_of),
        price: value(L::Price).and_then(Value::as_decimal),
        net: value(L::Net).and_then(Value::as_decimal),
        due: value(L::DueDate).and_then(Value::as_date),
        other: others(&record, |name| {
            table.fields.iter().any(|(_, field)| within(field, name))
        }),
        record,
    }
}

/// Whether a mapped field is this column or a path that begins at it.
fn within(mapped: &FieldName, column: &FieldName) -> bool {
    let rest = mapped.as_str().strip_prefix(column.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn others(record: &Record, known: impl Fn(&FieldName) -> bool) -> BTreeMap<FieldName, Value> {
    record
        .fields()
        .filter(|(name, value)| !known(name) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Integer(number) => Some(number.to_string()),
        Value::Decimal(number) => Some(number.to_string()),
        value => value.as_str().map(str::to_owned),
    }
}

fn label_of(value: &Value) -> Option<String> {
    match value {
        Value::Relation(relation) => relation.label.clone().or_else(|| Some(relation.key.to_string())),
        value => text_of(value),
    }
}

fn key_of(value: &Value) -> Option<RecordKey> {
    match value {
        Value::Relation(relation) => Some(relation.key.clone()),
        value => text_of(value).map(RecordKey::from),
    }
}
