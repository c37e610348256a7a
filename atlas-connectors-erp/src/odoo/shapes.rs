//! What is known of models: `fields_get`, kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas_connectors::erp::{Entity, EnumValue, Field, FieldKind};
use atlas_connectors::error::{ErrorKind, SchemaFault};
use atlas_connectors::{Clock, Error, Result};

use crate::odoo::catalog;
use crate::odoo::session::Door;
use crate::odoo::wire::{Answer, CallContext, Json, Method, ModelCall};

/// Models that are kept at most.
const MOST: usize = 128;

/// The attributes that are asked for: the whole answer is ten times as large.
const ATTRIBUTES: [&str; 13] = [
    "type",
    "string",
    "required",
    "readonly",
    "store",
    "relation",
    "relation_field",
    "selection",
    "searchable",
    "sortable",
    "digits",
    "size",
    "manual",
];

/// A model as the connector works with it.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) entity: Entity,
    /// Odoo's own type of each field, in the entity's order.
    kinds: Vec<Box<str>>,
    /// Whether a field is in the database; computed ones cost time.
    stored: Vec<bool>,
}

impl Shape {
    pub(super) fn model(&self) -> &str {
        self.entity.name.as_str()
    }

    /// A field by its name, and Odoo's own type of it.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] if there is none, or none that this user may see.
    pub(super) fn field(&self, name: &str) -> Result<(&Field, &str)> {
        let at = self.entity.fields.iter().position(|field| field.name.as_str() == name);
        at.and_then(|at| Some((self.entity.fields.get(at)?, &**self.kinds.get(at)?)))
            .ok_or_else(|| no_field(self.model(), name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.entity.field(name).is_some()
    }

    /// The fields that are read where none are named: stored, and neither files nor lists.
    pub(super) fn usual(&self) -> impl Iterator<Item = &Field> {
        let fields = self.entity.fields.iter().zip(&self.stored);
        fields
            .filter(|(field, stored)| {
                **stored && !matches!(field.kind, FieldKind::Binary | FieldKind::Relations | FieldKind::Other)
            })
            .map(|(field, _)| field)
    }
}

pub(super) fn no_field(model: &str, name: &str) -> Error {
    let kind = ErrorKind::SchemaMismatch {
        path: format!("{model}.{name}"),
        fault: SchemaFault::Missing,
    };
    Error::new(kind, "odoo.fields").with_provider(super::provider())
}

/// Shapes by model, each with the time since when it is kept.
type Kept = HashMap<Box<str>, (Duration, Arc<Shape>)>;

/// Shapes that are kept for a while.
#[derive(Debug)]
pub(super) struct Shapes {
    clock: Arc<dyn Clock>,
    age: Duration,
    kept: Mutex<Kept>,
}

impl Shapes {
    pub(super) fn new(clock: Arc<dyn Clock>, age: Duration) -> Self {
        Self {
            clock,
            age,
            kept: Mutex::default(),
        }
    }

    /// The shape of a model.
    ///
    /// # Errors
    /// [`ErrorKind::ServiceMissing`] naming the model if it is not installed.
    pub(super) async fn of(&self, door: &Door, model: &str, refresh: bool) -> Result<Arc<Shape>> {
        let now = self.clock.monotonic();
        if !refresh
            && let Some((since, shape)) = self.map().get(model)
            && now.saturating_sub(*since) < self.age
        {
            return Ok(Arc::clone(shape));
        }
        let mut context = CallContext::default();
        context.language.clone_from(&door.settings.language);
        let call = ModelCall::new(model, Method::FieldsGet)
            .with("attributes", Json::texts(ATTRIBUTES))
            .within(context);
        let answer = door.ask(&call).await?;
        let shape = Arc::new(shape(model, &answer)?);
        let mut kept = self.map();
        while kept.len() >= MOST {
            let oldest = kept
                .iter()
                .min_by_key(|(_, (since, _))| *since)
                .map(|(model, _)| model.clone());
            match oldest {
                Some(oldest) => kept.remove(&oldest),
                None => break,
            };
        }
        kept.insert(model.into(), (now, Arc::clone(&shape)));
        Ok(shape)
    }

    fn map(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shape(model: &str, answer: &Answer) -> Result<Shape> {
    let described = answer.value()?;
    let members = described.as_object().ok_or_else(|| answer.wrong_type("fields_get"))?;
    let mut entity = Entity::new(model, ["id"]);
    let (mut kinds, mut stored) = (Vec::new(), Vec::new());
    for (name, attributes) in members {
        let text = |attribute: &str| attributes.member(attribute).and_then(Json::as_text);
        let flag = |attribute: &str| attributes.member(attribute) == Some(&Json::Bool(true));
        let kind = text("type").ok_or_else(|| answer.wrong_type("fields_get.type"))?;
        let mut field = Field::new(name.as_str(), kind_of(kind));
        field.label = text("string").unwrap_or(name).to_owned();
        field.required = flag("required");
        field.read_only = flag("readonly");
        // Numbers and flags are never empty: they read as zero and no.
        field.nullable = !field.required && !matches!(kind, "integer" | "float" | "monetary" | "boolean");
        field.filterable = flag("searchable");
        field.sortable = flag("sortable");
        field.custom = flag("manual") || name.starts_with("x_");
        field.relation = text("relation").map(Into::into);
        field.length = attributes
            .member("size")
            .and_then(Json::as_int)
            .and_then(|size| u32::try_from(size).ok());
        if let Some([precision, scale]) = attributes.member("digits").and_then(Json::as_ids).as_deref() {
            field.precision = u32::try_from(*precision).ok();
            field.scale = u32::try_from(*scale).ok();
        }
        for pair in attributes
            .member("selection")
            .and_then(Json::as_list)
            .unwrap_or_default()
        {
            if let Some([value, label]) = pair.as_list()
                && let (Some(value), Some(label)) = (value.as_text(), label.as_text())
            {
                field.values.push(EnumValue::new(value, label));
            }
        }
        entity.fields.push(field);
        kinds.push(kind.into());
        stored.push(flag("store"));
    }
    catalog::complete(&mut entity);
    Ok(Shape { entity, kinds, stored })
}

fn kind_of(odoo: &str) -> FieldKind {
    match odoo {
        "boolean" => FieldKind::Bool,
        "integer" | "many2one_reference" => FieldKind::Integer,
        "float" | "monetary" => FieldKind::Decimal,
        "char" | "text" | "html" | "reference" => FieldKind::Text,
        "date" => FieldKind::Date,
        "datetime" => FieldKind::Instant,
        "selection" => FieldKind::Enum,
        "many2one" => FieldKind::Relation,
        "one2many" | "many2many" => FieldKind::Relations,
        "binary" | "image" => FieldKind::Binary,
        _ => FieldKind::Other,
    }
}
