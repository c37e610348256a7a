//! A service's entities in the core's words, and beside each field what it is on the wire.

mod build;
mod entity;
mod settings;

pub use entity::{EntityModel, Wire};
pub use settings::CatalogSettings;

use std::collections::HashMap;
use std::sync::Arc;

use atlas_connectors::erp::{ActionSpec, Entity};
use atlas_connectors::{Error, ErrorKind, Result, error::SchemaFault};

use crate::odata::Version;
use crate::odata::metadata::{Name, Schema};

/// A service, ready for queries, rows and writes. Made once per metadata document; cheap to share.
#[derive(Debug)]
pub struct Model {
    version: Version,
    entities: Vec<Arc<EntityModel>>,
    /// How many of them have a set; the others come as parts of records only.
    public: usize,
    by_name: HashMap<Box<str>, usize>,
    by_type: HashMap<Name, usize>,
    unbound: Vec<ActionSpec>,
    filter_functions: Option<Vec<Name>>,
}

impl Model {
    /// The model of a schema.
    pub fn new(schema: &Schema, settings: &CatalogSettings) -> Self {
        build::model(schema, settings)
    }

    /// The version of the protocol.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The entities with a set or singleton, for a [`atlas_connectors::erp::Catalog`].
    pub fn entities(&self) -> impl Iterator<Item = &Entity> {
        self.entities.iter().take(self.public).map(|model| model.entity())
    }

    /// An entity by its name: the name of its set.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] naming it, if the service does not have it.
    pub fn entity(&self, operation: &'static str, name: &str) -> Result<&Arc<EntityModel>> {
        let found = self.by_name.get(name).and_then(|at| self.entities.get(*at));
        found.ok_or_else(|| {
            let kind = ErrorKind::SchemaMismatch {
                path: name.to_owned(),
                fault: SchemaFault::Missing,
            };
            Error::new(kind, operation)
        })
    }

    /// The entity of a type: of its first set, or without one.
    pub(in crate::odata) fn of_type(&self, name: &str) -> Option<&Arc<EntityModel>> {
        self.by_type.get(name).and_then(|at| self.entities.get(*at))
    }

    /// The entity that a relation leads to.
    pub(in crate::odata) fn related(&self, wire: &Wire) -> Option<&Arc<EntityModel>> {
        let Wire::Navigation { set, ty, .. } = wire else {
            return None;
        };
        let named = set.as_ref().and_then(|set| self.by_name.get(&**set));
        named.and_then(|at| self.entities.get(*at)).or_else(|| self.of_type(ty))
    }

    /// Actions of the service as a whole, which belong to no entity.
    pub fn unbound(&self) -> &[ActionSpec] {
        &self.unbound
    }

    /// The words that `$filter` may use, if the service lists them.
    pub fn filter_functions(&self) -> Option<&[Name]> {
        self.filter_functions.as_deref()
    }
}

#[cfg(test)]
pub(in crate::odata) mod tests;
