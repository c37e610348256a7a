//! What changed between two catalogs.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::erp::{ActionName, Catalog, Entity, EntityName, Field, FieldKind, FieldName, Verb};

/// What changed from one catalog to a newer one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CatalogDiff {
    /// The changes, entity by entity in the older catalog's order, new entities last.
    pub changes: Vec<CatalogChange>,
}

impl CatalogDiff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes that can break a workflow: everything but what was only added or widened.
    pub fn breaking(&self) -> impl Iterator<Item = &CatalogChange> {
        self.changes.iter().filter(|change| change.is_breaking())
    }
}

/// One change of a catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CatalogChange {
    /// An entity is new.
    EntityAdded(EntityName),
    /// An entity is gone.
    EntityRemoved(EntityName),
    /// An entity seems to have another name now.
    EntityRenamed {
        /// Before.
        from: EntityName,
        /// Now.
        to: EntityName,
        /// Why it seems so.
        reason: String,
    },
    /// Records are identified by other fields.
    KeyChanged(EntityName),
    /// A verb is not allowed any more.
    VerbRemoved(EntityName, Verb),
    /// A verb is allowed now.
    VerbAdded(EntityName, Verb),
    /// A field is new.
    FieldAdded {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// Whether every new record must name it.
        required: bool,
    },
    /// A field is gone.
    FieldRemoved(EntityName, FieldName),
    /// A field seems to have another name now.
    FieldRenamed {
        /// The entity.
        entity: EntityName,
        /// Before.
        from: FieldName,
        /// Now.
        to: FieldName,
        /// Why it seems so.
        reason: String,
    },
    /// A field has another type.
    TypeChanged {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// Before.
        from: FieldKind,
        /// Now.
        to: FieldKind,
    },
    /// A field holds more or less than before.
    SizeChanged {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// Length, precision and scale before.
        from: (Option<u32>, Option<u32>, Option<u32>),
        /// Now.
        to: (Option<u32>, Option<u32>, Option<u32>),
    },
    /// The listed values of a field are others.
    ValuesChanged {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// New values.
        added: Vec<String>,
        /// Values that are gone.
        removed: Vec<String>,
    },
    /// Every new record must name the field now.
    NewlyRequired(EntityName, FieldName),
    /// The field cannot be written any more.
    NewlyReadOnly(EntityName, FieldName),
    /// The field points to another entity.
    RelationChanged(EntityName, FieldName),
    /// An action is new.
    ActionAdded(EntityName, ActionName),
    /// An action is gone.
    ActionRemoved(EntityName, ActionName),
}

impl CatalogChange {
    /// Whether it can break a workflow that worked before.
    pub fn is_breaking(&self) -> bool {
        match self {
            Self::EntityAdded(_)
            | Self::VerbAdded(..)
            | Self::FieldAdded { required: false, .. }
            | Self::ActionAdded(..) => false,
            Self::SizeChanged { from, to, .. } => shrinks(*from, *to),
            Self::ValuesChanged { removed, .. } => !removed.is_empty(),
            _ => true,
        }
    }
}

type Size = (Option<u32>, Option<u32>, Option<u32>);

/// Whether something that fitted before may not fit now. No bound is the widest.
fn shrinks(from: Size, to: Size) -> bool {
    let less = |from: Option<u32>, to: Option<u32>| to.is_some_and(|to| from.is_none_or(|from| to < from));
    less(from.0, to.0) || less(from.1, to.1) || less(from.2, to.2)
}

impl fmt::Display for CatalogChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntityAdded(entity) => write!(f, "{entity} is new"),
            Self::EntityRemoved(entity) => write!(f, "{entity} is gone"),
            Self::EntityRenamed { from, to, reason } => write!(f, "{from} seems to be {to} now: {reason}"),
            Self::KeyChanged(entity) => write!(f, "{entity} has another key"),
            Self::VerbRemoved(entity, verb) => write!(f, "{} of {entity} is not allowed any more", verb.as_str()),
            Self::VerbAdded(entity, verb) => write!(f, "{} of {entity} is allowed now", verb.as_str()),
            Self::FieldAdded {
                entity,
                field,
                required,
            } => {
                let must = if *required { " and required" } else { "" };
                write!(f, "{entity}.{field} is new{must}")
            }
            Self::FieldRemoved(entity, field) => write!(f, "{entity}.{field} is gone"),
            Self::FieldRenamed {
                entity,
                from,
                to,
                reason,
            } => {
                write!(f, "{entity}.{from} seems to be {to} now: {reason}")
            }
            Self::TypeChanged {
                entity,
                field,
                from,
                to,
            } => write!(f, "{entity}.{field} is {to:?}, was {from:?}"),
            Self::SizeChanged {
                entity,
                field,
                from,
                to,
            } => {
                write!(f, "{entity}.{field} holds {}, was {}", size(*to), size(*from))
            }
            Self::ValuesChanged {
                entity,
                field,
                added,
                removed,
            } => {
                write!(f, "{entity}.{field}: new values {added:?}, gone {removed:?}")
            }
            Self::NewlyRequired(entity, field) => write!(f, "{entity}.{field} is required now"),
            Self::NewlyReadOnly(entity, field) => write!(f, "{entity}.{field} cannot be written any more"),
            Self::RelationChanged(entity, field) => write!(f, "{entity}.{field} points elsewhere"),
            Self::ActionAdded(entity, action) => write!(f, "{entity}: {action} is new"),
            Self::ActionRemoved(entity, action) => write!(f, "{entity}: {action} is gone"),
        }
    }
}

fn size((length, precision, scale): Size) -> String {
    match (length, precision, scale) {
        (Some(length), ..) => format!("{length} characters"),
        (None, Some(precision), scale) => format!("{precision} digits, {} after the point", scale.unwrap_or(0)),
        (None, None, Some(scale)) => format!("{scale} digits after the point"),
        (None, None, None) => "any size".to_owned(),
    }
}

impl Catalog {
    /// What changed from this catalog to a newer one. Renames are guesses, and each says why.
    ///
    /// ```
    /// use atlas_connectors::Timestamp;
    /// use atlas_connectors::erp::{Catalog, CatalogChange, Entity, Field, FieldKind};
    ///
    /// let with = |fields: Vec<Field>| {
    ///     let mut entity = Entity::new("sale.order", ["id"]);
    ///     entity.fields = fields;
    ///     let mut catalog = Catalog::new("odoo", Timestamp::UNIX_EPOCH);
    ///     catalog.entities.push(entity);
    ///     catalog
    /// };
    /// let before = with(vec![Field::new("x_route", FieldKind::Text)]);
    /// let after = with(vec![]);
    /// let diff = before.diff(&after);
    /// assert_eq!(diff.changes, [CatalogChange::FieldRemoved("sale.order".into(), "x_route".into())]);
    /// ```
    pub fn diff(&self, newer: &Self) -> CatalogDiff {
        let mut changes = Vec::new();
        let removed: Vec<&Entity> = missing(&self.entities, &newer.entities, |entity| entity.name.as_str());
        let mut added: Vec<&Entity> = missing(&newer.entities, &self.entities, |entity| entity.name.as_str());
        for entity in &self.entities {
            if let Some(now) = newer.entity(entity.name.as_str()) {
                compare(entity, now, &mut changes);
            } else if removed.iter().any(|one| one.name == entity.name) {
                match guess(&mut added, |candidate| entity_likeness(entity, candidate)) {
                    Some((to, reason)) => {
                        changes.push(CatalogChange::EntityRenamed {
                            from: entity.name.clone(),
                            to: to.name.clone(),
                            reason,
                        });
                        compare(entity, to, &mut changes);
                    }
                    None => changes.push(CatalogChange::EntityRemoved(entity.name.clone())),
                }
            }
        }
        changes.extend(
            added
                .iter()
                .map(|entity| CatalogChange::EntityAdded(entity.name.clone())),
        );
        CatalogDiff { changes }
    }
}

fn compare(before: &Entity, now: &Entity, changes: &mut Vec<CatalogChange>) {
    let name = &before.name;
    if before.key != now.key {
        changes.push(CatalogChange::KeyChanged(name.clone()));
    }
    for verb in [Verb::Read, Verb::Create, Verb::Update, Verb::Delete] {
        match (before.verbs.allows(verb), now.verbs.allows(verb)) {
            (true, false) => changes.push(CatalogChange::VerbRemoved(name.clone(), verb)),
            (false, true) => changes.push(CatalogChange::VerbAdded(name.clone(), verb)),
            _ => {}
        }
    }
    let mut added: Vec<&Field> = missing(&now.fields, &before.fields, |field| field.name.as_str());
    for field in &before.fields {
        if let Some(now) = now.field(field.name.as_str()) {
            compare_fields(name, field, now, changes);
            continue;
        }
        match guess(&mut added, |candidate| field_likeness(field, candidate)) {
            Some((to, reason)) => {
                changes.push(CatalogChange::FieldRenamed {
                    entity: name.clone(),
                    from: field.name.clone(),
                    to: to.name.clone(),
                    reason,
                });
                // Renamed, it may also have become shorter or required.
                compare_fields(name, field, to, changes);
            }
            None => changes.push(CatalogChange::FieldRemoved(name.clone(), field.name.clone())),
        }
    }
    changes.extend(added.iter().map(|field| CatalogChange::FieldAdded {
        entity: name.clone(),
        field: field.name.clone(),
        required: field.required,
    }));
    for action in &before.actions {
        if now.action(&action.name).is_none() {
            changes.push(CatalogChange::ActionRemoved(name.clone(), action.name.clone()));
        }
    }
    for action in &now.actions {
        if before.action(&action.name).is_none() {
            changes.push(CatalogChange::ActionAdded(name.clone(), action.name.clone()));
        }
    }
}

fn compare_fields(entity: &EntityName, before: &Field, now: &Field, changes: &mut Vec<CatalogChange>) {
    let field = &before.name;
    if before.kind != now.kind {
        changes.push(CatalogChange::TypeChanged {
            entity: entity.clone(),
            field: field.clone(),
            from: before.kind,
            to: now.kind,
        });
    }
    let size = |field: &Field| (field.length, field.precision, field.scale);
    if size(before) != size(now) {
        changes.push(CatalogChange::SizeChanged {
            entity: entity.clone(),
            field: field.clone(),
            from: size(before),
            to: size(now),
        });
    }
    let values = |field: &Field| -> BTreeSet<String> { field.values.iter().map(|one| one.value.clone()).collect() };
    let (old, new) = (values(before), values(now));
    if old != new {
        changes.push(CatalogChange::ValuesChanged {
            entity: entity.clone(),
            field: field.clone(),
            added: new.difference(&old).cloned().collect(),
            removed: old.difference(&new).cloned().collect(),
        });
    }
    if now.required && !before.required {
        changes.push(CatalogChange::NewlyRequired(entity.clone(), field.clone()));
    }
    if now.read_only && !before.read_only {
        changes.push(CatalogChange::NewlyReadOnly(entity.clone(), field.clone()));
    }
    if before.relation != now.relation {
        changes.push(CatalogChange::RelationChanged(entity.clone(), field.clone()));
    }
}

/// Those of the first list whose name is not in the second.
fn missing<'a, T>(these: &'a [T], those: &[T], name: impl Fn(&T) -> &str) -> Vec<&'a T> {
    let known: BTreeSet<&str> = those.iter().map(&name).collect();
    these.iter().filter(|one| !known.contains(name(one))).collect()
}

/// Takes the one candidate that is likest out of the list, if one is like enough and no other is as much.
fn guess<'a, T>(
    candidates: &mut Vec<&'a T>,
    likeness: impl Fn(&T) -> Option<(u32, String)>,
) -> Option<(&'a T, String)> {
    let mut best: Option<(usize, u32, String)> = None;
    let mut tie = false;
    for (index, candidate) in candidates.iter().enumerate() {
        let Some((points, reason)) = likeness(candidate) else {
            continue;
        };
        match &best {
            Some((_, most, _)) if points < *most => {}
            Some((_, most, _)) if points == *most => tie = true,
            _ => {
                best = Some((index, points, reason));
                tie = false;
            }
        }
    }
    let (index, _, reason) = best.filter(|_| !tie)?;
    Some((candidates.remove(index), reason))
}

/// How sure it is that one field is the other under a new name: same type, and the same label, the same letters, or the
/// same distinctive shape.
fn field_likeness(before: &Field, now: &Field) -> Option<(u32, String)> {
    if before.kind != now.kind || before.relation != now.relation {
        return None;
    }
    let labelled = |field: &Field| field.label != field.name.as_str() && !field.label.is_empty();
    let labels = labelled(before) && before.label == now.label;
    let letters = letters(before.name.as_str()) == letters(now.name.as_str());
    let near = near(before.name.as_str(), now.name.as_str());
    let shape = (before.length, before.precision, before.scale) == (now.length, now.precision, now.scale);
    match (labels, letters, near) {
        (true, _, _) => Some((30 + u32::from(shape), format!("same label {:?} and type", before.label))),
        (false, true, _) => Some((
            20 + u32::from(shape),
            "same name but for case and separators, same type".to_owned(),
        )),
        (false, false, true) if shape => Some((10, "nearly the same name, same type and size".to_owned())),
        _ => None,
    }
}

/// How sure it is that one entity is the other under a new name: most of its fields are there.
fn entity_likeness(before: &Entity, now: &Entity) -> Option<(u32, String)> {
    let held = before
        .fields
        .iter()
        .filter(|field| now.field(field.name.as_str()).is_some())
        .count();
    let share = held.checked_mul(100)?.checked_div(before.fields.len())?;
    let labels = before.label != before.name.as_str() && before.label == now.label;
    let enough = share >= 80 || (labels && share >= 50);
    let points = u32::try_from(share).unwrap_or(0) + if labels { 50 } else { 0 };
    enough.then(|| (points, format!("{share} % of its fields are there")))
}

/// The letters and digits of a name in lower case: `partner_id` and `PartnerID` are alike.
fn letters(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether one name is the other with a little added: `tax_id` and `tax_ids`, `x_route` and `x_route_2`.
fn near(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    let added = long.len() - short.len();
    short.len() >= 4 && added <= 3 && (long.starts_with(short) || long.ends_with(short))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::erp::{ActionSpec, EnumValue};

    fn catalog(fields: Vec<Field>) -> Catalog {
        let mut entity = Entity::new("order", ["id"]);
        entity.fields = fields;
        let mut catalog = Catalog::new("odoo", Timestamp::UNIX_EPOCH);
        catalog.entities.push(entity);
        catalog
    }

    fn text(name: &str, label: &str, length: Option<u32>) -> Field {
        Field {
            label: label.to_owned(),
            length,
            ..Field::new(name, FieldKind::Text)
        }
    }

    #[test]
    fn every_kind_of_change_is_told() {
        let mut before = catalog(vec![
            text("name", "Number", Some(20)),
            text("ref", "Customer reference", None),
            text("tax_id", "tax_id", None),
            Field::new("gone", FieldKind::Bool),
            Field {
                values: vec![EnumValue::new("draft", "Draft"), EnumValue::new("sale", "Sale")],
                ..Field::new("state", FieldKind::Enum)
            },
            Field::new("total", FieldKind::Decimal),
        ]);
        let mut after = catalog(vec![
            text("name", "Number", Some(10)),
            text("client_order_ref", "Customer reference", None),
            text("tax_ids", "tax_ids", None),
            Field {
                values: vec![EnumValue::new("draft", "Draft"), EnumValue::new("order", "Order")],
                required: true,
                ..Field::new("state", FieldKind::Enum)
            },
            Field {
                read_only: true,
                ..Field::new("total", FieldKind::Text)
            },
            Field {
                required: true,
                custom: true,
                ..Field::new("x_cost_center", FieldKind::Integer)
            },
        ]);
        before.entities[0].actions.push(ActionSpec::new("post"));
        after.entities[0].verbs.delete = false;
        let told: Vec<String> = before.diff(&after).changes.iter().map(ToString::to_string).collect();
        let expected = [
            "delete of order is not allowed any more",
            "order.name holds 10 characters, was 20 characters",
            "order.ref seems to be client_order_ref now: same label \"Customer reference\" and type",
            "order.tax_id seems to be tax_ids now: nearly the same name, same type and size",
            "order.gone is gone",
            "order.state: new values [\"order\"], gone [\"sale\"]",
            "order.state is required now",
            "order.total is Text, was Decimal",
            "order.total cannot be written any more",
            "order.x_cost_center is new and required",
            "order: post is gone",
        ];
        assert_eq!(told, expected);
        assert_eq!(before.diff(&after).breaking().count(), expected.len());
        assert!(before.diff(&before).is_empty());
    }

    #[test]
    fn what_is_only_wider_breaks_nothing() {
        let before = catalog(vec![text("name", "Number", Some(20))]);
        let after = catalog(vec![text("name", "Number", Some(35)), text("note", "Note", None)]);
        assert_eq!(before.diff(&after).changes.len(), 2);
        assert_eq!(before.diff(&after).breaking().count(), 0);
        assert_ne!(before.fingerprint(), after.fingerprint());
    }

    #[test]
    fn two_candidates_are_no_guess() {
        let before = catalog(vec![text("ref", "Reference", None)]);
        let after = catalog(vec![text("ref_a", "Reference", None), text("ref_b", "Reference", None)]);
        let diff = before.diff(&after);
        assert!(
            diff.changes
                .contains(&CatalogChange::FieldRemoved("order".into(), "ref".into()))
        );
    }

    #[test]
    fn a_renamed_entity_is_known_by_its_fields() {
        let fields = || vec![text("a", "a", None), text("b", "b", None), text("c", "c", None)];
        let before = catalog(fields());
        let mut after = catalog(fields());
        after.entities[0].name = "orders".into();
        assert!(matches!(
            before.diff(&after).changes.as_slice(),
            [CatalogChange::EntityRenamed { .. }]
        ));
    }

    #[test]
    fn labels_and_order_do_not_move_the_fingerprint() {
        let one = catalog(vec![text("a", "A", None), text("b", "B", None)]);
        let mut other = catalog(vec![text("b", "Bee", None), text("a", "A", None)]);
        other.taken_at = Timestamp::from_unix_seconds(5);
        assert_eq!(one.fingerprint(), other.fingerprint());
    }
}
