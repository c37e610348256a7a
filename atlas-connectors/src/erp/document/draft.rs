//! New orders by common names.

use std::fmt;

use crate::erp::document::map::{DocumentField, DocumentKind, DocumentTable, LineField};
use crate::erp::document::typed::Document;
use crate::erp::{Create, Date, Decimal, FieldChange, FieldName, Lines, RecordKey, Relation, Update, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::CompanyId;

/// A new order or invoice, said without any provider's names. [`DocumentTable::create`] makes a [`Create`] of it.
#[derive(Clone)]
#[non_exhaustive]
pub struct NewOrder {
    /// The kind.
    pub kind: DocumentKind,
    /// The company; `None` takes the connection's own.
    pub company: Option<CompanyId>,
    /// The customer or vendor, as the key of its record.
    pub partner: RecordKey,
    /// The reference by which it is found again: the partner's own number, unique for them. What is created without one
    /// cannot be told from a second one if the answer is lost.
    pub reference: String,
    /// The day it is dated; `None` lets the system choose.
    pub date: Option<Date>,
    /// The day it is wanted.
    pub due: Option<Date>,
    /// The currency, in the provider's spelling or key; `None` takes the partner's.
    pub currency: Option<Value>,
    /// Its lines.
    pub lines: Vec<NewLine>,
    /// Fields beyond the common ones, in the provider's spelling.
    pub also: Vec<(FieldName, Value)>,
}

/// A line of a new order.
#[derive(Clone)]
#[non_exhaustive]
pub struct NewLine {
    /// The item, as the key of its record.
    pub item: RecordKey,
    /// How much.
    pub quantity: Decimal,
    /// The price of one unit; `None` lets the system find it.
    pub price: Option<Decimal>,
    /// What it says; `None` takes the item's own.
    pub description: Option<String>,
    /// Fields beyond the common ones, in the provider's spelling.
    pub also: Vec<(FieldName, Value)>,
}

impl NewOrder {
    /// A new order without lines.
    pub fn new(kind: DocumentKind, partner: impl Into<RecordKey>, reference: impl Into<String>) -> Self {
        Self {
            kind,
            company: None,
            partner: partner.into(),
            reference: reference.into(),
            date: None,
            due: None,
            currency: None,
            lines: Vec::new(),
            also: Vec::new(),
        }
    }

    /// In this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }

    /// Sets the day it is dated.
    #[must_use]
    pub fn dated(mut self, day: Date) -> Self {
        self.date = Some(day);
        self
    }

    /// Sets the day it is wanted.
    #[must_use]
    pub fn due(mut self, day: Date) -> Self {
        self.due = Some(day);
        self
    }

    /// Adds a line.
    #[must_use]
    pub fn line(mut self, line: NewLine) -> Self {
        self.lines.push(line);
        self
    }

    /// Sets a field beyond the common ones.
    #[must_use]
    pub fn also(mut self, field: impl Into<FieldName>, value: impl Into<Value>) -> Self {
        self.also.push((field.into(), value.into()));
        self
    }
}

impl NewLine {
    /// So much of an item.
    pub fn new(item: impl Into<RecordKey>, quantity: Decimal) -> Self {
        Self {
            item: item.into(),
            quantity,
            price: None,
            description: None,
            also: Vec::new(),
        }
    }

    /// At this price for one unit.
    #[must_use]
    pub fn at(mut self, price: Decimal) -> Self {
        self.price = Some(price);
        self
    }

    /// Saying this.
    #[must_use]
    pub fn saying(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets a field beyond the common ones.
    #[must_use]
    pub fn also(mut self, field: impl Into<FieldName>, value: impl Into<Value>) -> Self {
        self.also.push((field.into(), value.into()));
        self
    }
}

/// Business data does not belong in logs: what is ordered of whom, without amounts and words.
impl fmt::Debug for NewOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewOrder")
            .field("kind", &self.kind)
            .field("company", &self.company)
            .field("partner", &self.partner)
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewLine")
            .field("item", &self.item)
            .finish_non_exhaustive()
    }
}

impl DocumentTable {
    /// The write that creates this order, with the reference as its natural key.
    ///
    /// A provider that has no field for the reference (purchase orders of Business Central) gets none: there its connector finds the
    /// order again by an id of its own ([`crate::erp::ErpCapabilities::finds_creates`]).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an order of another kind or without a reference; [`ErrorKind::Unsupported`] if the provider has no
    /// field for something else that is set.
    pub fn create(&self, order: &NewOrder) -> Result<Create> {
        if order.kind != self.kind {
            return Err(invalid("order", "it is of another kind than the table"));
        }
        if order.reference.trim().is_empty() {
            return Err(invalid("reference", "without one a lost answer cannot be looked up"));
        }
        let mut create = Create::new(self.entity.clone());
        create.company.clone_from(&order.company);
        for (field, value) in &self.defaults {
            create = create.set(field.clone(), value.clone());
        }
        let partner = Relation::to(order.partner.clone());
        create = create.set(self.needed(DocumentField::Partner)?.clone(), partner);
        let optional = [
            (DocumentField::Date, order.date.map(Value::from)),
            (DocumentField::DueDate, order.due.map(Value::from)),
            (DocumentField::Currency, order.currency.clone()),
        ];
        for (field, value) in optional {
            if let Some(value) = value {
                create = create.set(self.needed(field)?.clone(), value);
            }
        }
        for (field, value) in &order.also {
            create = create.set(field.clone(), value.clone());
        }
        if !order.lines.is_empty() {
            create = create.lines(self.new_lines(&order.lines)?);
        }
        Ok(match self.name(DocumentField::Reference) {
            Some(field) => create.with_natural_key(field.clone(), order.reference.as_str()),
            None => create,
        })
    }

    /// The write that sets common fields of a document that was read.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the provider has no such field; [`ErrorKind::Invalid`] for one that is reached through a relation.
    pub fn update<D: Document>(
        &self,
        document: &D,
        changes: impl IntoIterator<Item = (DocumentField, Value)>,
    ) -> Result<Update> {
        let mut update = Update::of(document.record());
        for (field, new) in changes {
            let name = self.needed(field)?;
            if name.as_str().contains('.') {
                return Err(invalid("field", "it belongs to a related record"));
            }
            update = update.change(FieldChange {
                field: name.clone(),
                old: document.record().value(name.as_str()).cloned(),
                new,
            });
        }
        Ok(update)
    }

    fn new_lines(&self, lines: &[NewLine]) -> Result<Lines> {
        let unsupported = || Error::new(ErrorKind::Unsupported { what: "document line" }, "erp.document");
        let table = self.lines.as_ref().ok_or_else(unsupported)?;
        let name = |field: LineField| table.name(field).cloned().ok_or_else(unsupported);
        let mut out = Lines::new(table.relation.clone());
        for line in lines {
            let mut row: Vec<(FieldName, Value)> = Vec::new();
            for (field, value) in &table.defaults {
                row.push((field.clone(), value.as_str().into()));
            }
            row.push((name(LineField::Item)?, Relation::to(line.item.clone()).into()));
            row.push((name(LineField::Quantity)?, line.quantity.clone().into()));
            if let Some(price) = &line.price {
                row.push((name(LineField::Price)?, price.clone().into()));
            }
            if let Some(description) = &line.description {
                row.push((name(LineField::Description)?, description.as_str().into()));
            }
            row.extend(line.also.iter().cloned());
            out = out.row(row);
        }
        Ok(out)
    }
}

fn invalid(what: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid { what, why }, "erp.document")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erp::{DocumentTable, LineTable};

    fn table() -> DocumentTable {
        DocumentTable::new(DocumentKind::PurchaseOrder, "orders")
            .fields([(DocumentField::Number, "number"), (DocumentField::Partner, "vendor")])
            .lines(LineTable::new(
                "lines",
                "orderLines",
                [(LineField::Item, "item"), (LineField::Quantity, "quantity")],
            ))
    }

    fn order() -> NewOrder {
        let line = NewLine::new("5", Decimal::from(10));
        NewOrder::new(DocumentKind::PurchaseOrder, "8", "REQ-1").line(line)
    }

    #[test]
    fn the_reference_is_the_natural_key_where_there_is_a_field_for_it() {
        let table = table().fields([(DocumentField::Reference, "theirNumber")]);
        let create = table.create(&order()).unwrap();
        let key = create.natural_key.unwrap();
        assert_eq!((key.field.as_str(), key.value), ("theirNumber", Value::from("REQ-1")));
        assert_eq!(create.lines[0].rows[0].len(), 2);
    }

    #[test]
    fn without_such_a_field_the_connector_finds_it_by_its_own_mark() {
        let create = table().create(&order()).unwrap();
        assert_eq!(create.natural_key, None);
        assert_eq!(create.fields.len(), 1);
        let nameless = NewOrder::new(DocumentKind::PurchaseOrder, "8", " ");
        assert_eq!(table().create(&nameless).unwrap_err().code(), "invalid");
        assert_eq!(
            table()
                .create(&order().due("2026-12-01".parse().unwrap()))
                .unwrap_err()
                .code(),
            "unsupported"
        );
    }
}
