//! From a schema to its model.

use std::collections::HashMap;
use std::sync::Arc;

use atlas_connectors::erp::{
    ActionName, ActionSpec, Entity, EntityName, EnumValue, Field, FieldKind, FieldName, Support, Verbs,
};

use crate::odata::metadata::{
    Edm, EntitySet, FieldControl, Name, Navigation, Operation, OperationKind, Property, Restrictions, Schema,
    StructuredType, TypeRef,
};
use crate::odata::model::{CatalogSettings, EntityModel, Model, Wire};

/// RAP's messages in a row; they are read as messages, not as a field.
const ROW_MESSAGES: &str = "SAP__Messages";

pub(super) fn model(schema: &Schema, settings: &CatalogSettings) -> Model {
    let building = Building {
        schema,
        settings,
        sets_of: sets_by_type(schema),
    };
    let mut entities: Vec<EntityModel> = schema
        .entity_sets
        .iter()
        .filter_map(|set| building.of_set(set))
        .collect();
    let public = entities.len();
    let mut by_type = HashMap::new();
    for (at, entity) in entities.iter().enumerate() {
        by_type.entry(Name::clone(&entity.type_name)).or_insert(at);
    }
    // Parts without a set of their own, such as contained lines, come expanded.
    for ty in schema.entity_types.iter().filter(|ty| !ty.is_abstract) {
        if !by_type.contains_key(&ty.name) {
            by_type.insert(Name::clone(&ty.name), entities.len());
            entities.push(building.entity(ty.name.rsplit('.').next().unwrap_or_default(), ty, None));
        }
    }
    let unbound = building.actions(&mut entities, public);
    let by_name = entities.iter().take(public).enumerate();
    let by_name = by_name
        .map(|(at, model)| (model.entity.name.as_str().into(), at))
        .collect();
    Model {
        version: schema.version,
        entities: entities.into_iter().map(Arc::new).collect(),
        public,
        by_name,
        by_type,
        unbound,
        filter_functions: schema.filter_functions.clone(),
    }
}

fn sets_by_type(schema: &Schema) -> HashMap<&str, Vec<&EntitySet>> {
    let mut out: HashMap<&str, Vec<&EntitySet>> = HashMap::new();
    for set in schema.entity_sets.iter().filter(|set| !set.singleton) {
        out.entry(&*set.entity_type).or_default().push(set);
    }
    out
}

struct Building<'a> {
    schema: &'a Schema,
    settings: &'a CatalogSettings,
    sets_of: HashMap<&'a str, Vec<&'a EntitySet>>,
}

impl Building<'_> {
    fn of_set(&self, set: &EntitySet) -> Option<EntityModel> {
        let ty = self.schema.entity_type(&set.entity_type)?;
        Some(self.entity(&set.name, ty, Some(set)))
    }

    fn entity(&self, name: &str, ty: &StructuredType, set: Option<&EntitySet>) -> EntityModel {
        let free = Restrictions::default();
        let may = set.map_or(&free, |set| &set.restrictions);
        let singleton = set.is_some_and(|set| set.singleton);
        let key = self.schema.key(ty);
        let mut entity = Entity::new(name, key.iter().map(|name| FieldName::new(Name::clone(name))));
        if let Some(label) = set.and_then(|set| set.label.as_deref()).or(ty.label.as_deref()) {
            label.clone_into(&mut entity.label);
        }
        entity.service.clone_from(&self.settings.service);
        entity.verbs = Verbs {
            read: may.readable != Some(false) || may.readable_by_key == Some(true),
            create: may.insertable != Some(false) && !singleton && set.is_some(),
            update: may.updatable != Some(false) && set.is_some(),
            delete: may.deletable != Some(false) && !singleton && set.is_some(),
        };
        let mut wires = Vec::new();
        let mut stamped = false;
        for property in self
            .schema
            .properties(ty)
            .filter(|property| &*property.name != ROW_MESSAGES)
        {
            stamped |= property.concurrency;
            let (field, wire) = self.property(property, may);
            entity.fields.push(field);
            wires.push(wire);
        }
        for navigation in self.schema.navigations(ty) {
            let (field, wire) = self.navigation(navigation, set, may);
            entity.fields.push(field);
            wires.push(wire);
        }
        entity.etag = self.settings.etags || stamped || may.concurrency.is_some();
        let changed_at = self.settings.changed_at.iter().filter_map(|name| entity.field(name));
        let mut moments = changed_at.filter(|field| field.filterable && matches!(field.kind, FieldKind::Instant));
        entity.changed_at = moments.next().map(|field| field.name.clone());
        entity.support = Support {
            paging: !singleton,
            counting: may.countable != Some(false),
            filtering: may.filterable != Some(false),
            ordering: may.sortable != Some(false),
            change_tracking: may.change_tracking == Some(true) || entity.changed_at.is_some(),
        };
        let by_name: HashMap<FieldName, usize> = entity
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| (field.name.clone(), at))
            .collect();
        EntityModel {
            singleton,
            key: key.iter().filter_map(|name| by_name.get(&**name).copied()).collect(),
            wires,
            by_name,
            type_name: Name::clone(&ty.name),
            own_etag: !may.concurrency.iter().flatten().any(|path| path.contains('/')),
            entity,
        }
    }

    fn property(&self, property: &Property, may: &Restrictions) -> (Field, Wire) {
        let (kind, wire, values) = self.kind(&property.ty, property.is_day);
        let name = &property.name;
        let mut field = Field::new(FieldName::new(Name::clone(name)), kind);
        if let Some(label) = &property.label {
            (**label).clone_into(&mut field.label);
        }
        field.length = property.max_length;
        let number = matches!(kind, FieldKind::Decimal);
        field.precision = property.precision.filter(|_| number);
        field.scale = property.scale.filter(|_| number);
        field.nullable = property.nullable;
        let control = property.control;
        let creatable = property.creatable && !may.non_insertable.contains(name);
        let updatable = property.updatable && !property.immutable && !may.non_updatable.contains(name);
        let shown_only = matches!(control, Some(FieldControl::ReadOnly | FieldControl::Hidden));
        field.read_only = property.computed || shown_only || (!creatable && !updatable);
        field.create_only = !field.read_only && creatable && !updatable;
        field.required = !field.read_only
            && !property.computed_default
            && (may.required_on_insert.contains(name) || control == Some(FieldControl::Mandatory));
        let scalar = !matches!(kind, FieldKind::Other | FieldKind::Stream | FieldKind::Binary);
        field.filterable =
            scalar && property.filterable && may.filterable != Some(false) && !may.non_filterable.contains(name);
        field.sortable = scalar && property.sortable && may.sortable != Some(false) && !may.non_sortable.contains(name);
        field.upper_case = property.upper_case;
        field.values = values;
        field.custom = self
            .settings
            .custom
            .iter()
            .any(|start| name.starts_with(start.as_str()));
        (field, wire)
    }

    fn navigation(&self, navigation: &Navigation, set: Option<&EntitySet>, may: &Restrictions) -> (Field, Wire) {
        let kind = if navigation.many {
            FieldKind::Relations
        } else {
            FieldKind::Relation
        };
        let name = &navigation.name;
        let mut field = Field::new(FieldName::new(Name::clone(name)), kind);
        let bound = set
            .and_then(|set| set.bindings.iter().find(|(path, _)| path == name))
            .map(|(_, to)| to);
        let target = bound.or_else(|| match self.sets_of.get(&*navigation.target)?.as_slice() {
            [only] => Some(&only.name),
            _ => None,
        });
        field.relation = target.map(|set| EntityName::new(Name::clone(set)));
        field.nullable = navigation.many || navigation.nullable;
        field.filterable = false;
        field.sortable = false;
        let said = may.navigations.iter().find(|said| said.path == *name);
        let creatable = navigation.creatable
            && said.and_then(|said| said.insertable) != Some(false)
            && !may.non_insertable.contains(name);
        // Lines are given together with a new record; later they are records of their own.
        field.read_only = !creatable || !navigation.many;
        field.create_only = !field.read_only;
        field.custom = self
            .settings
            .custom
            .iter()
            .any(|start| name.starts_with(start.as_str()));
        let wire = Wire::Navigation {
            ty: Name::clone(&navigation.target),
            set: target.map(Name::clone),
            many: navigation.many,
        };
        (field, wire)
    }

    fn kind(&self, ty: &TypeRef, is_day: bool) -> (FieldKind, Wire, Vec<EnumValue>) {
        let (kind, wire) = match ty {
            TypeRef::Edm(edm @ (Edm::DateTime | Edm::DateTimeOffset)) if is_day => (FieldKind::Date, Wire::Day(*edm)),
            TypeRef::Edm(edm) => (kind_of(*edm), Wire::Edm(*edm)),
            TypeRef::Named(name) => match self.schema.enum_type(name) {
                Some(found) if !found.flags => {
                    let label = |member: &crate::odata::metadata::EnumMember| match &member.label {
                        Some(label) => label.to_string(),
                        None => (self.settings.member_label)(&member.name),
                    };
                    let values = found
                        .members
                        .iter()
                        .map(|member| EnumValue::new(&*member.name, label(member)));
                    return (FieldKind::Enum, Wire::Enum(Name::clone(name)), values.collect());
                }
                _ => (FieldKind::Other, Wire::Other),
            },
            TypeRef::EdmList(_) | TypeRef::NamedList(_) => (FieldKind::Other, Wire::Other),
        };
        (kind, wire, Vec::new())
    }

    /// Gives each action to the entities it is called on; what is left belongs to the service.
    fn actions(&self, entities: &mut [EntityModel], public: usize) -> Vec<ActionSpec> {
        let mut unbound = Vec::new();
        for operation in &self.schema.operations {
            match operation.kind {
                OperationKind::Function => {}
                OperationKind::Action if operation.bound => {
                    let Some(binding) = operation.parameters.first() else {
                        continue;
                    };
                    let mut spec = self.action(operation, operation.parameters.get(1..).unwrap_or_default());
                    spec.bound = !binding.ty.is_list();
                    let Some(ty) = binding.ty.named() else { continue };
                    for model in entities.iter_mut().filter(|model| self.is_a(&model.type_name, ty)) {
                        model.entity.actions.push(spec.clone());
                    }
                }
                OperationKind::Action => unbound.push(self.action(operation, &operation.parameters)),
                OperationKind::FunctionImport if operation.posts => {
                    let mut spec = self.action(operation, &operation.parameters);
                    match self
                        .called_on(operation, entities, public)
                        .and_then(|at| entities.get_mut(at))
                    {
                        Some(model) => model.entity.actions.push(spec),
                        None => {
                            spec.bound = false;
                            unbound.push(spec);
                        }
                    }
                }
                OperationKind::FunctionImport => {}
            }
        }
        // V4's unbound actions are called by the name of their import.
        for import in &self.schema.imports {
            for spec in unbound
                .iter_mut()
                .filter(|spec| spec.name.as_str() == &*import.operation)
            {
                spec.name = ActionName::new(Name::clone(&import.name));
            }
        }
        unbound
    }

    /// V2: the entity whose type the import names, or else the one of whose key most fields are parameters, all of them.
    fn called_on(&self, operation: &Operation, entities: &[EntityModel], public: usize) -> Option<usize> {
        let sets = || entities.iter().take(public).enumerate();
        if let Some(ty) = &operation.action_for {
            return sets().find(|(_, model)| model.type_name == *ty).map(|(at, _)| at);
        }
        let given = |name: &FieldName| {
            operation
                .parameters
                .iter()
                .any(|parameter| &*parameter.name == name.as_str())
        };
        let matching = sets().filter(|(_, model)| !model.entity.key.is_empty() && model.entity.key.iter().all(given));
        // Of equals the first, which is the header's set.
        matching
            .min_by_key(|(_, model)| std::cmp::Reverse(model.entity.key.len()))
            .map(|(at, _)| at)
    }

    fn is_a(&self, ty: &Name, base: &Name) -> bool {
        ty == base
            || self
                .schema
                .entity_type(ty)
                .is_some_and(|ty| self.schema.lineage(ty).iter().any(|known| known.name == *base))
    }

    fn action(&self, operation: &Operation, parameters: &[crate::odata::metadata::Parameter]) -> ActionSpec {
        let mut spec = ActionSpec::new(ActionName::new(Name::clone(&operation.name)));
        spec.bound = operation.kind != OperationKind::Action || operation.bound;
        spec.parameters = parameters
            .iter()
            .map(|parameter| {
                let (kind, _, values) = self.kind(&parameter.ty, false);
                let mut field = Field::new(FieldName::new(Name::clone(&parameter.name)), kind);
                if let Some(label) = &parameter.label {
                    (**label).clone_into(&mut field.label);
                }
                field.length = parameter.max_length;
                field.precision = parameter.precision;
                field.scale = parameter.scale;
                field.nullable = parameter.nullable;
                field.required = !parameter.optional && !parameter.nullable;
                field.values = values;
                field
            })
            .collect();
        spec.returns = operation.returns.as_ref().map(|ty| match ty {
            TypeRef::Named(name) if self.schema.entity_type(name).is_some() => FieldKind::Relation,
            TypeRef::NamedList(name) if self.schema.entity_type(name).is_some() => FieldKind::Relations,
            ty => self.kind(ty, false).0,
        });
        spec
    }
}

fn kind_of(edm: Edm) -> FieldKind {
    match edm {
        Edm::Boolean => FieldKind::Bool,
        Edm::Byte | Edm::SByte | Edm::Int16 | Edm::Int32 | Edm::Int64 => FieldKind::Integer,
        Edm::Decimal | Edm::Double | Edm::Single => FieldKind::Decimal,
        Edm::String => FieldKind::Text,
        Edm::Date => FieldKind::Date,
        Edm::Time | Edm::TimeOfDay => FieldKind::Time,
        Edm::DateTime | Edm::DateTimeOffset => FieldKind::Instant,
        Edm::Guid => FieldKind::Guid,
        Edm::Binary => FieldKind::Binary,
        Edm::Stream => FieldKind::Stream,
        Edm::Duration | Edm::Geo | Edm::Other => FieldKind::Other,
    }
}
