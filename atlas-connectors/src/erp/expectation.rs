//! What a workflow needs of an ERP.

use serde::{Deserialize, Serialize};

use crate::erp::{ActionName, EntityName, FieldKind, FieldName, Verb};

/// What a workflow needs: written down once, and checked against the live catalog before anything is written.
///
/// ```
/// use atlas_connectors::erp::{Expectation, ExpectedEntity, FieldKind, Verb};
///
/// let needs = Expectation::new("confirm orders").service("sale").entity(
///     ExpectedEntity::new("sale.order")
///         .verbs([Verb::Read, Verb::Update])
///         .field("client_order_ref", FieldKind::Text)
///         .states("state", ["draft", "sale"])
///         .action("action_confirm"),
/// );
/// assert_eq!(needs.entities[0].fields.len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Expectation {
    /// The workflow, as it is shown to the operator.
    pub workflow: String,
    /// Modules or services that must be there.
    #[serde(default)]
    pub services: Vec<String>,
    /// The entities.
    #[serde(default)]
    pub entities: Vec<ExpectedEntity>,
}

/// What is needed of one entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExpectedEntity {
    /// The entity.
    pub name: EntityName,
    /// What is done with its records. Reading, where a document does not say.
    #[serde(default = "reading")]
    pub verbs: Vec<Verb>,
    /// The fields.
    #[serde(default)]
    pub fields: Vec<ExpectedField>,
    /// The actions.
    #[serde(default)]
    pub actions: Vec<ActionName>,
}

/// What is needed of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExpectedField {
    /// The field.
    pub name: FieldName,
    /// Its type; `None` if any will do.
    #[serde(default)]
    pub kind: Option<FieldKind>,
    /// Values that must be among its listed ones.
    #[serde(default)]
    pub values: Vec<String>,
    /// Most characters that are written to it; 0 if nothing is.
    #[serde(default)]
    pub writes_up_to: u32,
    /// Whether it is written.
    #[serde(default)]
    pub written: bool,
}

fn reading() -> Vec<Verb> {
    vec![Verb::Read]
}

impl Expectation {
    /// A workflow that needs nothing yet.
    pub fn new(workflow: impl Into<String>) -> Self {
        Self {
            workflow: workflow.into(),
            ..Self::default()
        }
    }

    /// Needs a module or service.
    #[must_use]
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.services.push(name.into());
        self
    }

    /// Needs an entity.
    #[must_use]
    pub fn entity(mut self, entity: ExpectedEntity) -> Self {
        self.entities.push(entity);
        self
    }
}

impl ExpectedEntity {
    /// An entity that must be there to be read.
    pub fn new(name: impl Into<EntityName>) -> Self {
        Self {
            name: name.into(),
            verbs: vec![Verb::Read],
            fields: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// Sets what is done with its records.
    #[must_use]
    pub fn verbs(mut self, verbs: impl IntoIterator<Item = Verb>) -> Self {
        self.verbs = verbs.into_iter().collect();
        self
    }

    /// Needs a field of this type.
    #[must_use]
    pub fn field(mut self, name: impl Into<FieldName>, kind: FieldKind) -> Self {
        self.fields.push(ExpectedField::new(name, Some(kind)));
        self
    }

    /// Needs a field that can be written, with up to so many characters; 0 where it is no text.
    #[must_use]
    pub fn writes(mut self, name: impl Into<FieldName>, kind: FieldKind, up_to: u32) -> Self {
        self.fields.push(ExpectedField {
            writes_up_to: up_to,
            written: true,
            ..ExpectedField::new(name, Some(kind))
        });
        self
    }

    /// Needs these values to be among those of a field.
    #[must_use]
    pub fn states<V: Into<String>>(mut self, name: impl Into<FieldName>, values: impl IntoIterator<Item = V>) -> Self {
        self.fields.push(ExpectedField {
            values: values.into_iter().map(Into::into).collect(),
            ..ExpectedField::new(name, None)
        });
        self
    }

    /// Needs an action.
    #[must_use]
    pub fn action(mut self, name: impl Into<ActionName>) -> Self {
        self.actions.push(name.into());
        self
    }
}

impl ExpectedField {
    /// A field that must be there.
    pub fn new(name: impl Into<FieldName>, kind: Option<FieldKind>) -> Self {
        Self {
            name: name.into(),
            kind,
            values: Vec::new(),
            writes_up_to: 0,
            written: false,
        }
    }
}
