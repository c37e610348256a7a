//! From `$metadata` and the captions beside it to a catalog.
//!
//! Source: `business-central.md`, sections 2 and 3. Metadata is the same for all companies and users of an environment;
//! rights are checked on access only.

use std::collections::HashMap;

use atlas_connectors::erp::{
    Catalog, Entity, EntityKind, EntityName, EnumValue, Field, FieldKind, Service, ServiceState, Verbs,
};
use atlas_connectors::{CompanyId, Timestamp};
use serde::Deserialize;

use super::member;
use crate::odata::metadata::{Schema, StructuredType};
use crate::odata::{CatalogSettings, EntityModel, Model, Wire};

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

/// The model of an API: entities as the wire has them, members of enums by their name there.
pub(super) fn model(schema: &Schema, route: &str) -> Model {
    let mut settings = CatalogSettings::business_central().with_member_label(member::decode);
    settings.service = Some(route.to_owned());
    Model::new(schema, &settings)
}

/// The catalog of one API: members of enums as people read them.
pub(super) fn build(
    schema: &Schema,
    model: &Model,
    route: &str,
    routes: &[String],
    captions: &Captions,
    now: Timestamp,
) -> Catalog {
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
    catalog.entities = model
        .entities()
        .map(|known| {
            let mut entity = known.clone();
            if let Ok(model) = model.entity(super::operation::METADATA, entity.name.as_str()) {
                finish(&mut entity, model, schema, captions);
            }
            entity
        })
        .collect();
    catalog
}

/// Adds what the metadata does not say in so many words.
fn finish(entity: &mut Entity, model: &EntityModel, schema: &Schema, captions: &Captions) {
    let set = entity.name.as_str().to_owned();
    if let Some(label) = captions.sets.get(&set) {
        entity.label.clone_from(label);
    }
    // Pages say what may be done with them; a set that says nothing is one of the service's own lists, to be read only.
    let said = schema.entity_set(&set).map(|known| &known.restrictions);
    if said.is_some_and(|may| (may.insertable, may.updatable, may.deletable) == (None, None, None)) {
        entity.verbs = Verbs::READ;
    }
    let ty = schema.entity_type(model.type_name());
    entity.kind = ty.map_or(EntityKind::Other, |ty| kind(schema, &set, ty, entity));
    let names: Vec<String> = entity
        .fields
        .iter()
        .map(|field| field.name.as_str().to_owned())
        .collect();
    let stamp = entity.changed_at.clone();
    let key = entity.key.clone();
    for field in &mut entity.fields {
        let own = (set.clone(), field.name.as_str().to_owned());
        if let Some(label) = captions.fields.get(&own) {
            field.label.clone_from(label);
        }
        let is_key = key.contains(&field.name);
        if stamp.as_ref() == Some(&field.name) || field.kind == FieldKind::Stream {
            field.read_only = true;
        }
        // A record's id may be chosen when it is made, and never changes.
        field.create_only |= is_key;
        // `customerNumber` never is null and yet need not be given where `customerId` is.
        let other_way = field
            .name
            .as_str()
            .strip_suffix("Number")
            .map(|stem| format!("{stem}Id"));
        let other_way = other_way.is_some_and(|id| names.contains(&id));
        field.required |= !field.nullable && !is_key && !field.read_only && !other_way && is_plain(field);
        for value in &mut field.values {
            let label = captions.members.get(&(set.clone(), value.value.clone())).cloned();
            let text = member::decode(&value.value);
            *value = EnumValue::new(text.clone(), label.unwrap_or(text));
        }
        field.relation = field
            .relation
            .take()
            .or_else(|| points_to(schema, ty?, field.name.as_str()));
    }
}

fn is_plain(field: &Field) -> bool {
    !matches!(
        field.kind,
        FieldKind::Relation | FieldKind::Relations | FieldKind::Other
    )
}

fn kind(schema: &Schema, set: &str, ty: &StructuredType, entity: &Entity) -> EntityKind {
    let has_lines = ty.navigations.iter().any(|navigation| {
        let target = schema.entity_type(&navigation.target);
        navigation.many && target.is_some_and(is_line)
    });
    if is_line(ty) {
        EntityKind::Line
    } else if has_lines && set != "companies" {
        EntityKind::Document
    } else if entity.field("number").is_some() && entity.field("displayName").is_some() {
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

/// `customerId` points where `customer` leads.
fn points_to(schema: &Schema, ty: &StructuredType, field: &str) -> Option<EntityName> {
    let single = ty.navigations.iter().filter(|navigation| !navigation.many);
    let navigation = single.into_iter().find(|navigation| {
        matches!(navigation.constraints.as_slice(), [(mine, theirs)] if &**mine == field && &**theirs == "id")
    })?;
    let set = schema
        .entity_sets
        .iter()
        .find(|set| set.entity_type == navigation.target)?;
    Some(EntityName::new(set.name.to_string()))
}

/// The path of a set below the API's root: within the company, but for the few that belong to the environment. A company
/// has a relation to each of its own sets.
pub(super) fn set_path(model: &Model, company: &CompanyId, set: &str) -> String {
    let companies = model.entity(super::operation::READ, "companies");
    match companies.is_ok_and(|companies| companies.field(set).is_none()) {
        true => set.to_owned(),
        false => format!("companies({company})/{set}"),
    }
}

/// The document whose lines an entity holds: its set, and the relation that leads to the lines.
pub(super) fn document_of(model: &Model, lines: &EntityModel) -> Option<(EntityName, String)> {
    lines.field("documentId")?;
    lines.field("sequence")?;
    model.entities().find_map(|header| {
        if header.name.as_str() == "companies" {
            return None;
        }
        let model = model.entity(super::operation::READ, header.name.as_str()).ok()?;
        let (relation, _) = model
            .fields()
            .find(|(_, wire)| matches!(wire, Wire::Navigation { ty, many: true, .. } if &**ty == lines.type_name()))?;
        Some((header.name.clone(), relation.name.as_str().to_owned()))
    })
}
