//! What a row holds.

use std::collections::HashMap;
use std::sync::Arc;

use atlas_connectors::erp::{Columns, EntityName, FieldName};

/// How the rows of an entity are read.
#[derive(Clone, Debug)]
pub struct RowPlan {
    pub(super) entity: EntityName,
    pub(super) columns: Columns,
    pub(super) cells: Vec<Cell>,
    /// Which cells make the key, in order.
    pub(super) key: Vec<usize>,
    pub(super) index: HashMap<Box<str>, usize>,
    pub(super) nulls: NullRules,
    /// The cell that tells when the record was last changed.
    pub(super) version: Option<usize>,
}

/// One member of a row.
#[derive(Clone, Debug)]
pub struct Cell {
    pub(super) name: FieldName,
    pub(super) kind: CellKind,
}

/// What a member holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CellKind {
    /// True or false.
    Bool,
    /// A whole number; also as text.
    Integer,
    /// An exact number; also as text.
    Decimal,
    /// A binary number of the provider, taken as the exact number that it is written as; what is none (`INF`, an exponent of
    /// hundreds) is kept as text.
    Float,
    /// Text; a whole number counts as its digits.
    Text,
    /// A member of an enum type, by its name.
    Enum,
    /// A GUID, kept in lower case.
    Guid,
    /// A day: `2026-11-22`, the day of a moment, or V2's `/Date(…)/`.
    Date,
    /// A time of day: `23:59:59` or V2's `PT23H59M59S`.
    Time,
    /// A moment: RFC 3339, `2026-11-22 09:30:00` (UTC), or V2's `/Date(…)/`.
    Instant,
    /// Bytes in base64, either alphabet.
    Binary,
    /// Something that is not interpreted: text as it is, lists item by item, the JSON of anything else.
    Other,
    /// A reference: an id, or a pair of id and label, or an object with `id` and `display_name`.
    Reference(Option<EntityName>),
    /// A list of references.
    References(Option<EntityName>),
    /// An expanded record.
    One(Arc<RowPlan>),
    /// Expanded records.
    Many(Arc<RowPlan>),
}

/// What a provider writes for "no value", beside `null`. The fields of the key are taken as they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NullRules {
    /// `""` for text.
    pub empty_text: bool,
    /// The zero GUID.
    pub zero_guid: bool,
    /// `0001-01-01` and `0000-00-00` for days and moments.
    pub zero_date: bool,
    /// `false` for anything but true or false.
    pub false_value: bool,
}

impl NullRules {
    /// ABAP's (`sap-odata.md`, section 6).
    pub const SAP: Self = Self {
        empty_text: true,
        zero_guid: true,
        zero_date: true,
        false_value: false,
    };
    /// Business Central's (`business-central.md`, section 3).
    pub const BUSINESS_CENTRAL: Self = Self {
        empty_text: true,
        zero_guid: true,
        zero_date: true,
        false_value: false,
    };
    /// Odoo's.
    pub const ODOO: Self = Self {
        empty_text: false,
        zero_guid: false,
        zero_date: false,
        false_value: true,
    };
}

impl Cell {
    /// A member of this name.
    pub fn new(name: impl Into<FieldName>, kind: CellKind) -> Self {
        Self {
            name: name.into(),
            kind,
        }
    }
}

impl RowPlan {
    /// Rows of an entity with these members, in this order. The names of the key are those of members; a name that is none is
    /// left out.
    pub fn new<'a>(
        entity: impl Into<EntityName>,
        key: impl IntoIterator<Item = &'a str>,
        cells: Vec<Cell>,
        nulls: NullRules,
    ) -> Self {
        let columns = Columns::new(cells.iter().map(|cell| cell.name.clone()));
        Self {
            entity: entity.into(),
            key: key.into_iter().filter_map(|name| columns.position(name)).collect(),
            index: cells
                .iter()
                .enumerate()
                .map(|(at, cell)| (cell.name.as_str().into(), at))
                .collect(),
            columns,
            cells,
            nulls,
            version: None,
        }
    }

    /// Names the member that tells when a record was last changed: what tells its state where it carries no ETag.
    #[must_use]
    pub fn with_version(mut self, name: &str) -> Self {
        self.version = self.columns.position(name);
        self
    }

    /// The entity.
    pub fn entity(&self) -> &EntityName {
        &self.entity
    }

    /// The columns of its records.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }
}
