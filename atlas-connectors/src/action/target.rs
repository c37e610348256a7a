//! What of an ERP an action would touch, as rules see it.

use crate::erp::{ActionName, EntityName};
use crate::ids::CompanyId;

/// Which records an action would touch and how. Rules see this and not the values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The company, where one is named.
    pub company: Option<CompanyId>,
    /// The parts; one unless several writes go together.
    pub parts: Vec<TargetPart>,
}

/// One part of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetPart {
    /// The entity in the provider's spelling.
    pub entity: EntityName,
    /// `create`, `update`, `delete` or `action`.
    pub verb: String,
    /// The action that is called. Compared whatever its case and namespace.
    pub action: Option<ActionName>,
}

impl Target {
    /// A target of one part.
    pub fn new(entity: impl Into<EntityName>, verb: impl Into<String>) -> Self {
        Self {
            company: None,
            parts: vec![TargetPart {
                entity: entity.into(),
                verb: verb.into(),
                action: None,
            }],
        }
    }

    /// A target that calls an action.
    pub fn action(entity: impl Into<EntityName>, action: impl Into<ActionName>) -> Self {
        Self {
            company: None,
            parts: vec![TargetPart {
                entity: entity.into(),
                verb: "action".to_owned(),
                action: Some(action.into()),
            }],
        }
    }

    /// In this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }
}
