//! How the rows of a query are read.

use std::sync::Arc;

use atlas_connectors::Result;
use atlas_connectors::erp::{Expand, Field, FieldKind, FieldName};
use atlas_connectors::error::SchemaFault;

use crate::odata::metadata::Edm;
use crate::odata::{Dialect, EntityModel, Model, NullStyle, Wire};
use crate::rows::{Cell, CellKind, NullRules, RowPlan};

const OPERATION: &str = "odata.query";

impl RowPlan {
    /// The rows of an entity with these fields (all for none) and these relations.
    ///
    /// # Errors
    /// [`atlas_connectors::ErrorKind::SchemaMismatch`] for an unknown field or relation.
    pub fn odata(
        dialect: &Dialect,
        model: &Model,
        entity: &EntityModel,
        select: &[FieldName],
        expand: &[Expand],
    ) -> Result<Self> {
        let plain = |field: &Field, wire: &Wire| {
            let related = matches!(wire, Wire::Navigation { .. });
            let float = matches!(wire, Wire::Edm(Edm::Double | Edm::Single));
            let kind = if float { CellKind::Float } else { kind(field.kind) };
            (!related).then(|| Cell::new(field.name.clone(), kind))
        };
        let mut cells: Vec<Cell> = if select.is_empty() {
            let fields = entity.fields().filter(|(field, _)| field.kind != FieldKind::Stream);
            fields.filter_map(|(field, wire)| plain(field, wire)).collect()
        } else {
            let mut cells = Vec::with_capacity(select.len());
            for name in select {
                let (field, wire) = entity.require(OPERATION, name.as_str())?;
                cells.extend(plain(field, wire));
            }
            // The key comes along, asked for or not.
            for (field, wire) in entity.key() {
                if !select.contains(&field.name) {
                    cells.extend(plain(field, wire));
                }
            }
            cells
        };
        for expand in expand {
            let (field, wire) = entity.require(OPERATION, expand.relation.as_str())?;
            let Wire::Navigation { many, .. } = wire else {
                return Err(entity.mismatch(OPERATION, expand.relation.as_str(), SchemaFault::Type));
            };
            let target = model
                .related(wire)
                .ok_or_else(|| entity.mismatch(OPERATION, expand.relation.as_str(), SchemaFault::Missing))?;
            let nested = Arc::new(Self::odata(dialect, model, target, &expand.select, &expand.expand)?);
            let kind = if *many {
                CellKind::Many(nested)
            } else {
                CellKind::One(nested)
            };
            cells.push(Cell::new(field.name.clone(), kind));
        }
        let nulls = match dialect.null {
            NullStyle::Null => NullRules::default(),
            NullStyle::Initial => NullRules::BUSINESS_CENTRAL,
            NullStyle::Either => NullRules::SAP,
        };
        let described = entity.entity();
        let plan = Self::new(
            described.name.clone(),
            described.key.iter().map(FieldName::as_str),
            cells,
            nulls,
        );
        Ok(match &described.changed_at {
            Some(field) => plan.with_version(field.as_str()),
            None => plan,
        })
    }
}

fn kind(kind: FieldKind) -> CellKind {
    match kind {
        FieldKind::Bool => CellKind::Bool,
        FieldKind::Integer => CellKind::Integer,
        FieldKind::Decimal => CellKind::Decimal,
        FieldKind::Text => CellKind::Text,
        FieldKind::Date => CellKind::Date,
        FieldKind::Time => CellKind::Time,
        FieldKind::Instant => CellKind::Instant,
        FieldKind::Guid => CellKind::Guid,
        FieldKind::Binary => CellKind::Binary,
        FieldKind::Enum => CellKind::Enum,
        _ => CellKind::Other,
    }
}
