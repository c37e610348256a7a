//! Words of reading: companies, single records, changes since a point.

use serde::{Deserialize, Serialize};

use crate::connection::CompanyChoice;
use crate::erp::{EntityName, Expand, FieldName, Record, RecordKey};
use crate::ids::CompanyId;
use crate::mail::SyncCursor;
use crate::page::PageToken;

/// A company, database or client of an ERP. The id is pinned; the name is only shown, and may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Company {
    /// The provider's id.
    pub id: CompanyId,
    /// Its name as people know it.
    pub name: String,
}

impl Company {
    /// A company.
    pub fn new(id: impl Into<CompanyId>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
        }
    }
}

impl From<Company> for CompanyChoice {
    fn from(company: Company) -> Self {
        Self {
            id: company.id,
            name: company.name,
        }
    }
}

/// Where a record is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordRef {
    /// The entity.
    pub entity: EntityName,
    /// The company; `None` takes the connection's own.
    pub company: Option<CompanyId>,
    /// The key.
    pub key: RecordKey,
}

impl RecordRef {
    /// A record of an entity.
    pub fn new(entity: impl Into<EntityName>, key: impl Into<RecordKey>) -> Self {
        Self {
            entity: entity.into(),
            company: None,
            key: key.into(),
        }
    }

    /// Where a record that was read is.
    pub fn of(record: &Record) -> Self {
        Self::new(record.entity().clone(), record.key().clone())
    }

    /// In this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }
}

/// Which fields of a record are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Shape {
    /// The fields; empty takes the connector's default for the entity.
    pub select: Vec<FieldName>,
    /// Relations whose records come along.
    pub expand: Vec<Expand>,
}

impl Shape {
    /// The connector's default.
    pub fn usual() -> Self {
        Self::default()
    }

    /// These fields.
    pub fn of<F: Into<FieldName>>(fields: impl IntoIterator<Item = F>) -> Self {
        Self {
            select: fields.into_iter().map(Into::into).collect(),
            expand: Vec::new(),
        }
    }

    /// Adds a relation whose records come along.
    #[must_use]
    pub fn expand(mut self, expand: impl Into<Expand>) -> Self {
        self.expand.push(expand.into());
        self
    }
}

/// From where changes are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangePoint {
    /// From the beginning: every record once, and then the cursor to go on from. The cursor's moment is taken from the
    /// system's clock before anything is read.
    Beginning,
    /// Since this cursor.
    After(SyncCursor),
}

/// One page of what changed.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RecordChanges {
    /// Records that are new or changed, as they are now. May be empty on any page.
    pub records: Vec<Record>,
    /// Records that are gone, where the provider tells.
    pub deleted: Vec<RecordKey>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<PageToken>,
    /// On the last page, where to go on from the next time. Store it together with everything up to it.
    pub cursor: Option<SyncCursor>,
}

impl RecordChanges {
    /// A page of changes.
    pub fn page(records: Vec<Record>, next: PageToken) -> Self {
        Self {
            records,
            next: Some(next),
            ..Self::default()
        }
    }

    /// The last page.
    pub fn last(records: Vec<Record>, cursor: SyncCursor) -> Self {
        Self {
            records,
            cursor: Some(cursor),
            ..Self::default()
        }
    }
}
