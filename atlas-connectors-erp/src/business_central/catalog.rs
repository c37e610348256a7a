//! From `$metadata` and the captions beside it to a catalog.
//!
//! Source: `business-central.md`, sections 2 and 3. Metadata is the same for all companies and users of an environment;
//! rights are checked on access only.

use std::collections::HashMap;

use atlas_connectors::Timestamp;
use atlas_connectors::erp::{
    ActionSpec, Catalog, Entity, EntityKind, EntityName, EnumValue, Field, FieldKind, Service, ServiceState, Support,
    Verbs,
};
use serde::Deserialize;

use super::member;
use crate::odata::metadata::{
    Edm, EntitySet, Navigation, Operation, OperationKind, Property, Schema, StructuredType, TypeRef,
};

/// The field that tells when a record was last changed; entities without it cannot be read by change.
pub(super) const CHANGED_AT: &str = "lastModifiedDateTime";
/// The same on the few pages that expose the system's own.
const SYSTEM_CHANGED_AT: &str = "systemModifiedAt";
/// Captions are asked for in the language of every call, US English.
const LANGUAGE: (&str, i32) = ("en-US", 1033);

/// What people call entities, fields and enum members.
#[derive(Debug, Default)]
pub(super) struct Captions {
    /// By entity set.
    sets: HashMap<String, String>,
    /// By entity set and field.
    fields: HashMap<(String, String), String>,
    /// By entity set and encoded member.
    members: HashMap<(String, String), String>,
}

#[derive(Deserialize)]
struct Definitions {
    value: Vec<Definition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Definition {
    entity_set_name: String,
    entity_set_captions: Vec<Caption>,
    properties: Vec<Named>,
    enum_members: Vec<Named>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Named {
    name: String,
    captions: Vec<Caption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Caption {
    language_code: i32,
    caption: String,
}

impl Captions {
    /// Reads the answer of `entityDefinitions`. What cannot be read leaves names in place of labels.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut captions = Self::default();
        let Ok(definitions) = serde_json::from_slice::<Definitions>(body) else {
            return captions;
        };
        let pick = |captions: Vec<Caption>| {
            let found = captions.into_iter().find(|one| one.language_code == LANGUAGE.1);
            found.map(|one| one.caption).filter(|text| !text.trim().is_empty())
        };
        for one in definitions.value {
            let set = one.entity_set_name;
            for named in one.properties {
                if let Some(label) = pick(named.captions) {
                    captions.fields.insert((set.clone(), named.name), label);
                }
            }
            for named in one.enum_members {
                if let Some(label) = pick(named.captions) {
                    captions.members.insert((set.clone(), named.name), label);
                }
            }
            if let Some(label) = pick(one.entity_set_captions) {
                captions.sets.insert(set, label);
            }
        }
        captions
    }
}

#[derive(Deserialize)]
struct Routes {
    value: Vec<Route>,
}

#[derive(Deserialize)]
struct Route {
    route: String,
}

/// The routes of all installed APIs, by the answer of `apicategoryroutes`.
pub(super) fn read_routes(body: &[u8]) -> Vec<String> {
    serde_json::from_slice::<Routes>(body)
        .map(|routes| routes.value.into_iter().map(|route| route.route).collect())
        .unwrap_or_default()
}

/// The catalog of one API.
pub(super) fn build(schema: &Schema, route: &str, routes: &[String], captions: &Captions, now: Timestamp) -> Catalog {
    let mut catalog = Catalog::new(super::PROVIDER, now);
    catalog.language = Some(LANGUAGE.0.to_owned());
    let mut services: Vec<&str> = routes.iter().map(String::as_str).collect();
    if !services.contains(&route) {
        services.insert(0, route);
    }
    catalog.services = services
        .into_iter()
        .map(|name| Service {
            name: name.to_owned(),
            state: ServiceState::Active,
        })
        .collect();
    catalog.entities = schema
        .entity_sets
        .iter()
        .filter_map(|set| {
            Some(entity(
                schema,
                set,
                schema.entity_type(&set.entity_type)?,
                route,
                captions,
            ))
        })
        .collect();
    catalog
}

fn entity(schema: &Schema, set: &EntitySet, ty: &StructuredType, route: &str, captions: &Captions) -> Entity {
    let key = ty.key.iter().map(|name| name.to_string());
    let mut entity = Entity::new(set.name.to_string(), key);
    if let Some(label) = captions.sets.get(&*set.name) {
        entity.label.clone_from(label);
    }
    entity.service = Some(route.to_owned());
    let restrictions = &set.restrictions;
    let allowed = |restriction: Option<bool>| restriction != Some(false);
    entity.verbs = Verbs {
        read: allowed(restrictions.readable),
        create: allowed(restrictions.insertable),
        update: allowed(restrictions.updatable),
        delete: allowed(restrictions.deletable),
    };
    entity.etag = true;
    let has = |name: &str| ty.properties.iter().any(|property| &*property.name == name);
    entity.changed_at = [CHANGED_AT, SYSTEM_CHANGED_AT]
        .into_iter()
        .find(|name| has(name))
        .map(Into::into);
    entity.support = Support {
        paging: true,
        counting: allowed(restrictions.countable),
        filtering: allowed(restrictions.filterable),
        ordering: allowed(restrictions.sortable),
        change_tracking: entity.changed_at.is_some(),
    };
    entity.kind = kind(schema, set, ty, has("number") && has("displayName"));
    for property in &ty.properties {
        entity.fields.push(field(schema, set, ty, property, captions));
    }
    for navigation in &ty.navigations {
        entity.fields.push(relation(schema, navigation));
    }
    let bound_here = |operation: &&Operation| {
        let first = operation.parameters.first();
        operation.bound
            && operation.kind == OperationKind::Action
            && first
                .and_then(|parameter| parameter.ty.named())
                .is_some_and(|name| **name == *ty.name)
    };
    for operation in schema.operations.iter().filter(bound_here) {
        let mut action = ActionSpec::new(operation.name.to_string());
        action.parameters = operation
            .parameters
            .iter()
            .skip(1)
            .map(|parameter| {
                let mut field = Field::new(parameter.name.to_string(), field_kind(schema, &parameter.ty));
                field.required = !parameter.optional && !parameter.nullable;
                field
            })
            .collect();
        action.returns = operation.returns.as_ref().map(|ty| field_kind(schema, ty));
        entity.actions.push(action);
    }
    entity
}

fn kind(schema: &Schema, set: &EntitySet, ty: &StructuredType, named: bool) -> EntityKind {
    let lines = |navigation: &&Navigation| {
        let target = schema.entity_type(&navigation.target);
        navigation.many && target.is_some_and(|target| is_line(target))
    };
    if is_line(ty) {
        EntityKind::Line
    } else if ty
        .navigations
        .iter()
        .find(lines)
        .is_some_and(|_| &*set.name != "companies")
    {
        EntityKind::Document
    } else if named {
        EntityKind::Master
    } else {
        EntityKind::Other
    }
}

/// A line knows its document and its place in it.
fn is_line(ty: &StructuredType) -> bool {
    let has = |name: &str| ty.properties.iter().any(|property| &*property.name == name);
    has("documentId") && has("sequence")
}

fn field(schema: &Schema, set: &EntitySet, ty: &StructuredType, property: &Property, captions: &Captions) -> Field {
    let mut field = Field::new(property.name.to_string(), field_kind(schema, &property.ty));
    let own = |name: &str| (set.name.to_string(), name.to_owned());
    if let Some(label) = captions.fields.get(&own(&property.name)) {
        field.label.clone_from(label);
    }
    let is_key = ty.key.iter().any(|key| **key == *property.name);
    let stamp = matches!(&*property.name, CHANGED_AT | SYSTEM_CHANGED_AT);
    let stream = field.kind == FieldKind::Stream;
    field.length = property.max_length;
    field.precision = property.precision;
    field.scale = property.scale;
    field.nullable = property.nullable;
    field.read_only = property.computed || stamp || stream;
    // A record's id may be chosen on create and never changes.
    field.create_only = is_key || property.immutable;
    field.filterable = property.filterable && !stream;
    field.sortable = property.sortable && !stream;
    // `customerNumber` never is null and yet need not be given where `customerId` is.
    let other_way = property.name.strip_suffix("Number").is_some_and(|stem| {
        let id = format!("{stem}Id");
        ty.properties.iter().any(|other| *other.name == *id)
    });
    field.required = !property.nullable && !is_key && !other_way && !field.read_only;
    if let Some(named) = property.ty.named()
        && let Some(of) = schema.enum_type(named)
    {
        field.values = of
            .members
            .iter()
            .map(|one| {
                let value = member::decode(&one.name);
                let label = captions.members.get(&own(&one.name)).cloned();
                EnumValue::new(value.clone(), label.unwrap_or(value))
            })
            .collect();
    }
    // `customerId` points where `customer` leads.
    field.relation = ty
        .navigations
        .iter()
        .filter(|navigation| !navigation.many)
        .find(|navigation| {
            matches!(navigation.constraints.as_slice(), [(mine, theirs)] if **mine == *property.name && &**theirs == "id")
        })
        .and_then(|navigation| set_of(schema, &navigation.target));
    field
}

fn relation(schema: &Schema, navigation: &Navigation) -> Field {
    let kind = if navigation.many {
        FieldKind::Relations
    } else {
        FieldKind::Relation
    };
    let mut field = Field::new(navigation.name.to_string(), kind);
    field.relation = set_of(schema, &navigation.target);
    field.filterable = false;
    field.sortable = false;
    // Lines come with their new document; afterwards each is written on its own.
    field.create_only = navigation.many;
    field.read_only = !navigation.many;
    field
}

/// The set whose records are of this type.
pub(super) fn set_of(schema: &Schema, ty: &str) -> Option<EntityName> {
    let set = schema.entity_sets.iter().find(|set| *set.entity_type == *ty)?;
    Some(EntityName::new(set.name.to_string()))
}

fn field_kind(schema: &Schema, ty: &TypeRef) -> FieldKind {
    if ty.is_list() {
        return FieldKind::Other;
    }
    if let Some(named) = ty.named() {
        return match schema.enum_type(named) {
            Some(_) => FieldKind::Enum,
            None => FieldKind::Other,
        };
    }
    match ty.edm() {
        Some(Edm::Boolean) => FieldKind::Bool,
        Some(Edm::Byte | Edm::SByte | Edm::Int16 | Edm::Int32 | Edm::Int64) => FieldKind::Integer,
        Some(Edm::Decimal | Edm::Double | Edm::Single) => FieldKind::Decimal,
        Some(Edm::String) => FieldKind::Text,
        Some(Edm::Date) => FieldKind::Date,
        Some(Edm::DateTime | Edm::DateTimeOffset) => FieldKind::Instant,
        Some(Edm::TimeOfDay | Edm::Time) => FieldKind::Time,
        Some(Edm::Guid) => FieldKind::Guid,
        Some(Edm::Binary) => FieldKind::Binary,
        Some(Edm::Stream) => FieldKind::Stream,
        _ => FieldKind::Other,
    }
}
