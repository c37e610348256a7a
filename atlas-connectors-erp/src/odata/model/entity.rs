//! One entity: the core's description and the wire's.

use std::collections::HashMap;

use atlas_connectors::erp::{Entity, Field, FieldName};
use atlas_connectors::error::SchemaFault;
use atlas_connectors::{Error, ErrorKind, Result};

use crate::odata::metadata::{Edm, Name};

/// One entity of a service.
#[derive(Debug)]
pub struct EntityModel {
    pub(super) entity: Entity,
    pub(super) singleton: bool,
    /// Beside each field.
    pub(super) wires: Vec<Wire>,
    pub(super) by_name: HashMap<FieldName, usize>,
    /// Where the key's fields stand, in the key's order.
    pub(super) key: Vec<usize>,
    pub(super) type_name: Name,
    /// Whether the concurrency stamp is the record's own; another record's changes may change it too.
    pub(super) own_etag: bool,
}

/// What a field is on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wire {
    /// A primitive value.
    Edm(Edm),
    /// A day that travels as a moment (V2's `sap:display-format="Date"`).
    Day(Edm),
    /// A member of this enum type.
    Enum(Name),
    /// Something that is not interpreted: a complex value or a list.
    Other,
    /// Other records.
    Navigation {
        /// Full name of their type.
        ty: Name,
        /// Their set, where it is known.
        set: Option<Name>,
        /// Several of them.
        many: bool,
    },
}

impl EntityModel {
    /// The core's description.
    pub fn entity(&self) -> &Entity {
        &self.entity
    }

    /// Full name of the type of its records, as actions and `@odata.type` name it.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// One record without key.
    pub fn is_singleton(&self) -> bool {
        self.singleton
    }

    /// Whether its ETag changes with its own record alone; SAP items share their order's (`sap-odata.md`, section 10).
    pub fn has_own_etag(&self) -> bool {
        self.own_etag
    }

    /// A field and what it is on the wire.
    pub fn field(&self, name: &str) -> Option<(&Field, &Wire)> {
        let at = *self.by_name.get(name)?;
        Some((self.entity.fields.get(at)?, self.wires.get(at)?))
    }

    /// The same, or an error that names the field.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] if there is no such field.
    pub fn require(&self, operation: &'static str, name: &str) -> Result<(&Field, &Wire)> {
        self.field(name)
            .ok_or_else(|| self.mismatch(operation, name, SchemaFault::Missing))
    }

    /// The fields of the key and what they are on the wire, in the key's order.
    pub fn key(&self) -> impl ExactSizeIterator<Item = (&Field, &Wire)> {
        self.key
            .iter()
            .filter_map(|at| self.entity.fields.get(*at).zip(self.wires.get(*at)))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// All fields and what they are on the wire, in the catalog's order.
    pub fn fields(&self) -> impl Iterator<Item = (&Field, &Wire)> {
        self.entity.fields.iter().zip(&self.wires)
    }

    pub(in crate::odata) fn mismatch(&self, operation: &'static str, field: &str, fault: SchemaFault) -> Error {
        let kind = ErrorKind::SchemaMismatch {
            path: format!("{}.{field}", self.entity.name),
            fault,
        };
        Error::new(kind, operation)
    }

    pub(in crate::odata) fn unsupported(&self, operation: &'static str, field: &str, what: &'static str) -> Error {
        Error::new(ErrorKind::Unsupported { what }, operation)
            .with_context("field", format_args!("{}.{field}", self.entity.name))
    }
}
