//! The table by which the common documents are found in one ERP: data, not code.

use serde::{Deserialize, Serialize};

use crate::erp::{DocumentState, EntityName, FieldName, Filter, StateOf, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ProviderId;

/// A kind of document that every ERP has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DocumentKind {
    /// A customer's order.
    SalesOrder,
    /// An order at a vendor.
    PurchaseOrder,
    /// An invoice to a customer.
    SalesInvoice,
    /// A vendor's invoice.
    PurchaseInvoice,
    /// Who buys.
    Customer,
    /// Who is bought from.
    Vendor,
    /// What is bought and sold.
    Item,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::SalesOrder,
        Self::PurchaseOrder,
        Self::SalesInvoice,
        Self::PurchaseInvoice,
        Self::Customer,
        Self::Vendor,
        Self::Item,
    ];

    /// Stable word: `sales_order`, `customer`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SalesOrder => "sales_order",
            Self::PurchaseOrder => "purchase_order",
            Self::SalesInvoice => "sales_invoice",
            Self::PurchaseInvoice => "purchase_invoice",
            Self::Customer => "customer",
            Self::Vendor => "vendor",
            Self::Item => "item",
        }
    }
}

/// A field of a document, by a name common to all ERPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DocumentField {
    /// The number that people know it by.
    Number,
    /// The customer or vendor, as the key that [`DocumentKind::Customer`] and [`DocumentKind::Vendor`] records have.
    Partner,
    /// The customer's or vendor's number.
    PartnerNumber,
    /// The customer's or vendor's name.
    PartnerName,
    /// The partner's own number for it: the customer's purchase order, the vendor's invoice.
    Reference,
    /// The day it is dated.
    Date,
    /// The day it is wanted, or due.
    DueDate,
    /// How far it has come.
    State,
    /// The currency.
    Currency,
    /// The amount without tax.
    Net,
    /// The tax.
    Tax,
    /// The amount with tax.
    Total,
    /// A name: of a customer, a vendor, an item.
    Name,
    /// An address for mail.
    Email,
    /// A telephone number.
    Phone,
    /// A number for taxes.
    TaxNumber,
    /// A unit of measure.
    Unit,
    /// A price for one unit.
    Price,
    /// Whether it may not be used.
    Blocked,
}

/// A field of a line, by a name common to all ERPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LineField {
    /// The position within the document.
    Position,
    /// The item, as the key that [`DocumentKind::Item`] records have.
    Item,
    /// The item's number.
    ItemNumber,
    /// What it says.
    Description,
    /// How much.
    Quantity,
    /// In which unit.
    Unit,
    /// The price of one unit.
    Price,
    /// The amount without tax.
    Net,
    /// The day it is wanted.
    DueDate,
}

/// The tables of one provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DocumentMap {
    /// The provider.
    pub provider: ProviderId,
    /// One table a kind that the provider has.
    pub tables: Vec<DocumentTable>,
}

impl DocumentMap {
    /// The tables of a provider.
    pub fn new(provider: impl Into<ProviderId>, tables: impl IntoIterator<Item = DocumentTable>) -> Self {
        Self {
            provider: provider.into(),
            tables: tables.into_iter().collect(),
        }
    }

    /// The table of one kind.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the provider has no such documents.
    pub fn table(&self, kind: DocumentKind) -> Result<&DocumentTable> {
        let found = self.tables.iter().find(|table| table.kind == kind);
        found.ok_or_else(|| Error::new(ErrorKind::Unsupported { what: kind.as_str() }, "erp.document"))
    }
}

/// Where one kind of document is, and what its fields are called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DocumentTable {
    /// The kind.
    pub kind: DocumentKind,
    /// The entity.
    pub entity: EntityName,
    /// Which records of the entity are of this kind, where it holds several.
    pub only: Option<Filter>,
    /// What a new one is given so that it is of this kind.
    pub defaults: Vec<(FieldName, Value)>,
    /// Which are open: binding and not done.
    pub open: Option<Filter>,
    /// The fields. A dotted name leads through a relation.
    pub fields: Vec<(DocumentField, FieldName)>,
    /// The provider's words for states.
    pub states: Vec<(String, DocumentState)>,
    /// Its lines, where it has any.
    pub lines: Option<LineTable>,
}

impl DocumentTable {
    /// A table without fields.
    pub fn new(kind: DocumentKind, entity: impl Into<EntityName>) -> Self {
        Self {
            kind,
            entity: entity.into(),
            only: None,
            defaults: Vec::new(),
            open: None,
            fields: Vec::new(),
            states: Vec::new(),
            lines: None,
        }
    }

    /// Says which records of the entity are of this kind.
    #[must_use]
    pub fn only(mut self, filter: Filter) -> Self {
        self.only = Some(filter);
        self
    }

    /// Says what a new one is given so that it is of this kind.
    #[must_use]
    pub fn default_value(mut self, field: impl Into<FieldName>, value: impl Into<Value>) -> Self {
        self.defaults.push((field.into(), value.into()));
        self
    }

    /// Says which are open.
    #[must_use]
    pub fn open(mut self, filter: Filter) -> Self {
        self.open = Some(filter);
        self
    }

    /// Adds fields.
    #[must_use]
    pub fn fields<F: Into<FieldName>>(mut self, fields: impl IntoIterator<Item = (DocumentField, F)>) -> Self {
        self.fields
            .extend(fields.into_iter().map(|(field, name)| (field, name.into())));
        self
    }

    /// Adds words for states.
    #[must_use]
    pub fn states<T: Into<String>>(mut self, states: impl IntoIterator<Item = (T, DocumentState)>) -> Self {
        self.states
            .extend(states.into_iter().map(|(text, state)| (text.into(), state)));
        self
    }

    /// Adds the table of its lines.
    #[must_use]
    pub fn lines(mut self, lines: LineTable) -> Self {
        self.lines = Some(lines);
        self
    }

    /// What the provider calls a field; `None` if it has none.
    pub fn name(&self, field: DocumentField) -> Option<&FieldName> {
        self.fields
            .iter()
            .find(|(known, _)| *known == field)
            .map(|(_, name)| name)
    }

    /// What the provider calls a field that cannot be done without.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if it has none.
    pub fn needed(&self, field: DocumentField) -> Result<&FieldName> {
        self.name(field)
            .ok_or_else(|| Error::new(ErrorKind::Unsupported { what: "document field" }, "erp.document"))
    }

    /// The common word for a state; unknown ones are kept and flagged.
    pub fn state(&self, text: &str) -> StateOf {
        let known = self.states.iter().find(|(known, _)| known.eq_ignore_ascii_case(text));
        StateOf::new(known.map_or(DocumentState::Unknown, |(_, state)| *state), text)
    }
}

/// What the fields of lines are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LineTable {
    /// The relation from the document to its lines.
    pub relation: FieldName,
    /// The entity of the lines.
    pub entity: EntityName,
    /// The fields.
    pub fields: Vec<(LineField, FieldName)>,
    /// What a new line is given.
    pub defaults: Vec<(FieldName, String)>,
}

impl LineTable {
    /// Lines behind this relation.
    pub fn new<F: Into<FieldName>>(
        relation: impl Into<FieldName>,
        entity: impl Into<EntityName>,
        fields: impl IntoIterator<Item = (LineField, F)>,
    ) -> Self {
        Self {
            relation: relation.into(),
            entity: entity.into(),
            fields: fields.into_iter().map(|(field, name)| (field, name.into())).collect(),
            defaults: Vec::new(),
        }
    }

    /// Says what a new line is given, such as its type.
    #[must_use]
    pub fn default_value(mut self, field: impl Into<FieldName>, value: impl Into<String>) -> Self {
        self.defaults.push((field.into(), value.into()));
        self
    }

    /// What the provider calls a field; `None` if it has none.
    pub fn name(&self, field: LineField) -> Option<&FieldName> {
        self.fields
            .iter()
            .find(|(known, _)| *known == field)
            .map(|(_, name)| name)
    }
}
