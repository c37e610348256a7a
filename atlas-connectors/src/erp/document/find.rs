//! Looking for documents by common names.

use serde::{Deserialize, Serialize};

use crate::erp::document::map::{DocumentField, DocumentTable};
use crate::erp::{Catalog, Date, Expand, FieldName, Filter, Query, RecordKey, Relation, Value, field};
use crate::error::{Error, ErrorKind, Result, SchemaFault};
use crate::ids::CompanyId;

/// Which document is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DocumentRef {
    /// By its number.
    Number(String),
    /// By the partner's own number for it.
    Reference(String),
    /// By the customer or vendor, as the key of its record.
    Partner(RecordKey),
    /// By its name: of a customer, vendor or item.
    Name(String),
}

impl DocumentRef {
    /// By its number.
    pub fn number(number: impl Into<String>) -> Self {
        Self::Number(number.into())
    }

    /// By the partner's own number for it.
    pub fn reference(reference: impl Into<String>) -> Self {
        Self::Reference(reference.into())
    }

    /// By the customer or vendor.
    pub fn partner(key: impl Into<RecordKey>) -> Self {
        Self::Partner(key.into())
    }

    /// By its name.
    pub fn name(name: impl Into<String>) -> Self {
        Self::Name(name.into())
    }
}

/// Which documents are wanted. All conditions hold together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DocumentFilter {
    /// The company; `None` takes the connection's own.
    pub company: Option<CompanyId>,
    /// Which ones.
    pub refs: Vec<DocumentRef>,
    /// Only those that are binding and not done.
    pub open: bool,
    /// Dated at this day or later.
    pub since: Option<Date>,
    /// Dated before this day.
    pub until: Option<Date>,
    /// Whether their lines come along.
    pub lines: bool,
    /// Fields beyond the common ones, in the provider's spelling.
    pub also: Vec<FieldName>,
    /// At most so many.
    pub limit: Option<u64>,
}

impl DocumentFilter {
    /// All of a kind, with their lines.
    pub fn all() -> Self {
        Self {
            lines: true,
            ..Self::default()
        }
    }

    /// Those that are meant, with their lines.
    pub fn of(reference: DocumentRef) -> Self {
        Self {
            refs: vec![reference],
            ..Self::all()
        }
    }

    /// In this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }

    /// Adds a condition.
    #[must_use]
    pub fn and(mut self, reference: DocumentRef) -> Self {
        self.refs.push(reference);
        self
    }

    /// Only those that are binding and not done.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Dated at this day or later.
    #[must_use]
    pub fn since(mut self, day: Date) -> Self {
        self.since = Some(day);
        self
    }

    /// Dated before this day.
    #[must_use]
    pub fn until(mut self, day: Date) -> Self {
        self.until = Some(day);
        self
    }

    /// Without their lines.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        self.lines = false;
        self
    }

    /// Reads fields beyond the common ones, which come in the documents' `other`.
    #[must_use]
    pub fn also<F: Into<FieldName>>(mut self, fields: impl IntoIterator<Item = F>) -> Self {
        self.also.extend(fields.into_iter().map(Into::into));
        self
    }

    /// At most so many.
    #[must_use]
    pub fn limit(mut self, documents: u64) -> Self {
        self.limit = Some(documents);
        self
    }
}

impl DocumentTable {
    /// The query for these documents. Fields that this system does not have, by its catalog, are left out where a document can
    /// be without them.
    ///
    /// # Errors
    /// [`ErrorKind::ServiceMissing`] if the entity is not in the catalog; [`ErrorKind::SchemaMismatch`] if a field that is asked by is
    /// not; [`ErrorKind::Unsupported`] if the provider has no such field.
    pub fn query(&self, catalog: &Catalog, wanted: &DocumentFilter) -> Result<Query> {
        let Some(entity) = catalog.entity(self.entity.as_str()) else {
            let service = self.entity.to_string();
            return Err(Error::new(ErrorKind::ServiceMissing { service }, "erp.document"));
        };
        let has = |name: &FieldName| {
            // A path leads through its first field.
            let first = name.as_str().split('.').next().unwrap_or_default();
            entity.field(first).is_some()
        };
        let needed = |name: &FieldName| match has(name) {
            true => Ok(name.clone()),
            false => {
                let kind = ErrorKind::SchemaMismatch {
                    path: format!("{}.{name}", self.entity),
                    fault: SchemaFault::Missing,
                };
                Err(Error::new(kind, "erp.document"))
            }
        };
        let mut query = Query::of(self.entity.clone());
        query.company.clone_from(&wanted.company);
        query.limit = wanted.limit;
        for (_, name) in &self.fields {
            if has(name) && !query.select.contains(name) {
                query.select.push(name.clone());
            }
        }
        for name in &wanted.also {
            let name = needed(name)?;
            if !query.select.contains(&name) {
                query.select.push(name);
            }
        }
        if let Some(only) = &self.only {
            query = query.filter(only.clone());
        }
        if wanted.open
            && let Some(open) = &self.open
        {
            query = query.filter(open.clone());
        }
        for reference in &wanted.refs {
            query = query.filter(self.condition(reference, &needed)?);
        }
        if let Some(day) = wanted.since {
            query = query.filter(field(needed(self.needed(DocumentField::Date)?)?).at_least(day));
        }
        if let Some(day) = wanted.until {
            query = query.filter(field(needed(self.needed(DocumentField::Date)?)?).less(day));
        }
        if wanted.lines
            && let Some(lines) = &self.lines
        {
            let known = catalog.entity(lines.entity.as_str());
            let names = lines.fields.iter().map(|(_, name)| name);
            // A path leads through its first field.
            let first = |name: &FieldName| name.as_str().split('.').next().unwrap_or_default().to_owned();
            let present = names.filter(|name| known.is_none_or(|known| known.field(&first(name)).is_some()));
            query = query.expand(Expand::of(lines.relation.clone()).select(present.cloned()));
        }
        Ok(query)
    }

    fn condition(&self, reference: &DocumentRef, needed: &dyn Fn(&FieldName) -> Result<FieldName>) -> Result<Filter> {
        let (common, value) = match reference {
            DocumentRef::Number(number) => (DocumentField::Number, Value::from(number.as_str())),
            DocumentRef::Reference(text) => (DocumentField::Reference, Value::from(text.as_str())),
            DocumentRef::Name(name) => (DocumentField::Name, Value::from(name.as_str())),
            DocumentRef::Partner(key) => (DocumentField::Partner, Value::from(Relation::to(key.clone()))),
        };
        Ok(field(needed(self.needed(common)?)?).equals(value))
    }
}
