//! The fidelity check: whether an ERP still is what a workflow was made for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::connection::ConnectionEvent;
use crate::erp::{
    ActionName, Catalog, Entity, EntityName, Expectation, ExpectedEntity, ExpectedField, Field, FieldKind, FieldName,
    Fingerprint, ServiceState, Verb,
};
use crate::ids::CompanyId;

/// What a workflow needs and an ERP does not have. Empty if everything is as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FidelityReport {
    /// The workflow.
    pub workflow: String,
    /// The company that was checked.
    pub company: Option<CompanyId>,
    /// The catalog that was checked.
    pub fingerprint: Fingerprint,
    /// What does not fit.
    pub faults: Vec<FidelityFault>,
}

impl FidelityReport {
    /// Whether everything is as expected.
    pub fn passed(&self) -> bool {
        self.faults.is_empty()
    }

    /// What a report that fails does to the connection: it pauses until somebody has looked. `None` for a report that passes.
    pub fn event(&self) -> Option<ConnectionEvent> {
        (!self.passed()).then(|| ConnectionEvent::CatalogUnfit {
            company: self.company.clone(),
            missing: self.faults.iter().map(FidelityFault::path).collect(),
        })
    }
}

impl fmt::Display for FidelityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.passed() {
            return writeln!(f, "{}: everything is as expected", self.workflow);
        }
        for fault in &self.faults {
            writeln!(f, "{}: {fault}. {}", self.workflow, fault.operator())?;
        }
        Ok(())
    }
}

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FidelityFault {
    /// A module or service is not there.
    ServiceMissing {
        /// Its name.
        service: String,
    },
    /// A module or service is there, and this account may not use it.
    ServiceForbidden {
        /// Its name.
        service: String,
    },
    /// An entity is not there: a page that is hidden, not published or not installed.
    EntityMissing {
        /// The entity.
        entity: EntityName,
    },
    /// A field is not there. It may also be hidden from this account.
    FieldMissing {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// A field that may be it under another name.
        perhaps: Option<FieldName>,
    },
    /// A field has another type.
    TypeChanged {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// What is needed.
        needed: FieldKind,
        /// What it is.
        found: FieldKind,
    },
    /// A listed value that the workflow relies on is not there.
    StateMissing {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// The value.
        value: String,
        /// What there is instead.
        found: Vec<String>,
    },
    /// A field is too short for what is written to it.
    TooShort {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// What is needed, in characters.
        needed: u32,
        /// What it holds.
        found: u32,
    },
    /// A field that is written cannot be.
    ReadOnly {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
    },
    /// A field that the customer added must be named in every new record, and the workflow does not know it.
    CustomRequired {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
    },
    /// Records of the entity may not be treated so.
    VerbNotAllowed {
        /// The entity.
        entity: EntityName,
        /// The verb.
        verb: Verb,
    },
    /// An action is not there.
    ActionMissing {
        /// The entity.
        entity: EntityName,
        /// The action.
        action: ActionName,
    },
}

impl FidelityFault {
    /// Where it is, as one path: `sale.order.state`.
    pub fn path(&self) -> String {
        match self {
            Self::ServiceMissing { service } | Self::ServiceForbidden { service } => service.clone(),
            Self::EntityMissing { entity } => entity.to_string(),
            Self::FieldMissing { entity, field, .. }
            | Self::TypeChanged { entity, field, .. }
            | Self::TooShort { entity, field, .. }
            | Self::ReadOnly { entity, field }
            | Self::CustomRequired { entity, field } => format!("{entity}.{field}"),
            Self::StateMissing {
                entity, field, value, ..
            } => format!("{entity}.{field}={value}"),
            Self::VerbNotAllowed { entity, verb } => format!("{entity}:{}", verb.as_str()),
            Self::ActionMissing { entity, action } => format!("{entity}:{action}"),
        }
    }

    /// What the operator can do.
    pub const fn operator(&self) -> &'static str {
        match self {
            Self::ServiceMissing { .. } => "Have the module or service installed and activated.",
            Self::ServiceForbidden { .. } => "Ask the administrator for the right to use the service.",
            Self::EntityMissing { .. } => {
                "Have the page published or the app installed, or check the rights of the account."
            }
            Self::FieldMissing { perhaps: Some(_), .. } => {
                "Check whether the field was renamed, and adjust the workflow's settings."
            }
            Self::FieldMissing { perhaps: None, .. } => {
                "Check whether the field was removed or is hidden from the account."
            }
            Self::TypeChanged { .. } => "Have the workflow adjusted to the new type before it writes again.",
            Self::StateMissing { .. } => "Check whether the state was renamed, and adjust the workflow's settings.",
            Self::TooShort { .. } => "Have the field widened, or shorten what is written to it.",
            Self::ReadOnly { .. } => "Ask the administrator why the field cannot be written.",
            Self::CustomRequired { .. } => "Give the field a default value, or add it to the workflow's settings.",
            Self::VerbNotAllowed { .. } => "Ask the administrator for the right, or switch the workflow off.",
            Self::ActionMissing { .. } => "Have the module installed that brings the action.",
        }
    }
}

impl fmt::Display for FidelityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceMissing { service } => write!(f, "the service {service} is missing"),
            Self::ServiceForbidden { service } => write!(f, "the service {service} is not allowed"),
            Self::EntityMissing { entity } => write!(f, "{entity} is missing"),
            Self::FieldMissing { entity, field, perhaps } => {
                write!(f, "{entity}.{field} is missing")?;
                match perhaps {
                    Some(perhaps) => write!(f, ", perhaps it is {perhaps} now"),
                    None => Ok(()),
                }
            }
            Self::TypeChanged {
                entity,
                field,
                needed,
                found,
            } => {
                write!(f, "{entity}.{field} is {found:?}, not {needed:?}")
            }
            Self::StateMissing {
                entity,
                field,
                value,
                found,
            } => {
                write!(f, "{entity}.{field} does not know {value:?}, but {found:?}")
            }
            Self::TooShort {
                entity,
                field,
                needed,
                found,
            } => {
                write!(f, "{entity}.{field} holds {found} characters, {needed} are needed")
            }
            Self::ReadOnly { entity, field } => write!(f, "{entity}.{field} cannot be written"),
            Self::CustomRequired { entity, field } => write!(f, "{entity}.{field} was added and is required"),
            Self::VerbNotAllowed { entity, verb } => write!(f, "{} of {entity} is not allowed", verb.as_str()),
            Self::ActionMissing { entity, action } => write!(f, "{entity} has no {action}"),
        }
    }
}

impl Catalog {
    /// Whether this system has what a workflow needs.
    ///
    /// ```
    /// use atlas_connectors::Timestamp;
    /// use atlas_connectors::erp::{Catalog, Expectation, ExpectedEntity};
    ///
    /// let empty = Catalog::new("odoo", Timestamp::UNIX_EPOCH);
    /// let needs = Expectation::new("orders").entity(ExpectedEntity::new("sale.order"));
    /// let report = empty.check(&needs);
    /// assert!(!report.passed());
    /// assert_eq!(report.faults[0].to_string(), "sale.order is missing");
    /// ```
    pub fn check(&self, needs: &Expectation) -> FidelityReport {
        let mut faults = Vec::new();
        for service in &needs.services {
            match self.service(service).map(|found| found.state) {
                Some(ServiceState::Active) => {}
                Some(ServiceState::Forbidden) => faults.push(FidelityFault::ServiceForbidden {
                    service: service.clone(),
                }),
                Some(ServiceState::Missing) | None => faults.push(FidelityFault::ServiceMissing {
                    service: service.clone(),
                }),
            }
        }
        for needed in &needs.entities {
            match self.entity(needed.name.as_str()) {
                Some(found) => check_entity(needed, found, &mut faults),
                None => faults.push(FidelityFault::EntityMissing {
                    entity: needed.name.clone(),
                }),
            }
        }
        FidelityReport {
            workflow: needs.workflow.clone(),
            company: self.company.clone(),
            fingerprint: self.fingerprint(),
            faults,
        }
    }
}

fn check_entity(needed: &ExpectedEntity, found: &Entity, faults: &mut Vec<FidelityFault>) {
    let entity = &needed.name;
    for verb in &needed.verbs {
        if !found.verbs.allows(*verb) {
            faults.push(FidelityFault::VerbNotAllowed {
                entity: entity.clone(),
                verb: *verb,
            });
        }
    }
    for field in &needed.fields {
        match found.field(field.name.as_str()) {
            Some(present) => check_field(entity, field, present, faults),
            None => faults.push(FidelityFault::FieldMissing {
                entity: entity.clone(),
                field: field.name.clone(),
                perhaps: perhaps(field, needed, found),
            }),
        }
    }
    for action in &needed.actions {
        if found.action(action).is_none() {
            faults.push(FidelityFault::ActionMissing {
                entity: entity.clone(),
                action: action.clone(),
            });
        }
    }
    if needed.verbs.contains(&Verb::Create) {
        let known = |field: &Field| needed.fields.iter().any(|one| one.name == field.name);
        let unexpected = found
            .fields
            .iter()
            .filter(|field| field.custom && field.required && !known(field));
        faults.extend(unexpected.map(|field| FidelityFault::CustomRequired {
            entity: entity.clone(),
            field: field.name.clone(),
        }));
    }
}

fn check_field(entity: &EntityName, needed: &ExpectedField, found: &Field, faults: &mut Vec<FidelityFault>) {
    let (entity, field) = (entity.clone(), needed.name.clone());
    if let Some(kind) = needed.kind
        && kind != found.kind
    {
        faults.push(FidelityFault::TypeChanged {
            entity: entity.clone(),
            field: field.clone(),
            needed: kind,
            found: found.kind,
        });
    }
    // A field that lists no values takes any.
    if !found.values.is_empty() {
        for value in &needed.values {
            if !found.values.iter().any(|one| one.value == *value) {
                faults.push(FidelityFault::StateMissing {
                    entity: entity.clone(),
                    field: field.clone(),
                    value: value.clone(),
                    found: found.values.iter().map(|one| one.value.clone()).collect(),
                });
            }
        }
    }
    if let Some(length) = found.length
        && needed.writes_up_to > length
    {
        faults.push(FidelityFault::TooShort {
            entity: entity.clone(),
            field: field.clone(),
            needed: needed.writes_up_to,
            found: length,
        });
    }
    if needed.written && found.read_only {
        faults.push(FidelityFault::ReadOnly { entity, field });
    }
}

/// A field of the right type that the workflow does not name otherwise and whose name shares most of its letters.
fn perhaps(lost: &ExpectedField, needed: &ExpectedEntity, found: &Entity) -> Option<FieldName> {
    let unclaimed = |field: &&Field| !needed.fields.iter().any(|one| one.name == field.name);
    let fits = |field: &&Field| lost.kind.is_none_or(|kind| kind == field.kind);
    let alike = |field: &&Field| {
        let (one, other) = (folded(lost.name.as_str()), folded(field.name.as_str()));
        one == other || (one.len() >= 4 && other.len() >= 4 && (one.contains(&other) || other.contains(&one)))
    };
    let mut candidates = found.fields.iter().filter(unclaimed).filter(fits).filter(alike);
    let first = candidates.next()?;
    candidates.next().is_none().then(|| first.name.clone())
}

fn folded(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::erp::{EnumValue, Service, Verbs};

    #[test]
    fn every_kind_of_fault_is_found_and_says_what_to_do() {
        let mut entity = Entity::new("sale.order", ["id"]);
        entity.verbs = Verbs::READ;
        entity.fields = vec![
            Field {
                length: Some(20),
                read_only: true,
                ..Field::new("name", FieldKind::Text)
            },
            Field::new("client_order_ref_2", FieldKind::Text),
            Field {
                values: vec![EnumValue::new("draft", "Quotation"), EnumValue::new("order", "Order")],
                ..Field::new("state", FieldKind::Enum)
            },
            Field::new("amount_total", FieldKind::Text),
            Field {
                custom: true,
                required: true,
                ..Field::new("x_cost_center", FieldKind::Text)
            },
        ];
        let mut catalog = Catalog::new("odoo", Timestamp::UNIX_EPOCH);
        catalog.entities.push(entity);
        catalog.services = vec![
            Service {
                name: "sale".into(),
                state: ServiceState::Missing,
            },
            Service {
                name: "stock".into(),
                state: ServiceState::Forbidden,
            },
            Service {
                name: "base".into(),
                state: ServiceState::Active,
            },
        ];
        let needs = Expectation::new("orders")
            .service("base")
            .service("sale")
            .service("stock")
            .service("unheard_of")
            .entity(
                ExpectedEntity::new("sale.order")
                    .verbs([Verb::Read, Verb::Create])
                    .writes("name", FieldKind::Text, 35)
                    .field("client_order_ref", FieldKind::Text)
                    .field("x_gone", FieldKind::Bool)
                    .states("state", ["draft", "sale"])
                    .field("amount_total", FieldKind::Decimal)
                    .action("action_confirm"),
            )
            .entity(ExpectedEntity::new("purchase.order"));
        let report = catalog.check(&needs);
        let found: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        let expected = [
            "the service sale is missing",
            "the service stock is not allowed",
            "the service unheard_of is missing",
            "create of sale.order is not allowed",
            "sale.order.name holds 20 characters, 35 are needed",
            "sale.order.name cannot be written",
            "sale.order.client_order_ref is missing, perhaps it is client_order_ref_2 now",
            "sale.order.x_gone is missing",
            "sale.order.state does not know \"sale\", but [\"draft\", \"order\"]",
            "sale.order.amount_total is Text, not Decimal",
            "sale.order has no action_confirm",
            "sale.order.x_cost_center was added and is required",
            "purchase.order is missing",
        ];
        assert_eq!(found, expected);
        assert!(report.faults.iter().all(|fault| fault.operator().ends_with('.')));
        let Some(ConnectionEvent::CatalogUnfit { missing, .. }) = report.event() else {
            panic!("a report that fails pauses the connection");
        };
        assert_eq!(missing.len(), expected.len());
    }

    #[test]
    fn what_fits_passes() {
        let mut catalog = Catalog::new("odoo", Timestamp::UNIX_EPOCH);
        catalog.entities.push(Entity::new("res.partner", ["id"]));
        let report = catalog.check(&Expectation::new("look up").entity(ExpectedEntity::new("res.partner")));
        assert!(report.passed());
        assert_eq!(report.event(), None);
    }
}
