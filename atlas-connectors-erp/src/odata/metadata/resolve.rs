//! The end of reading: annotations find their targets, V2's navigations their associations.

use std::collections::HashMap;

use crate::odata::metadata::annotation::{Fact, Flag, List, Target};
use crate::odata::metadata::parse::{Parser, V2Navigation};
use crate::odata::metadata::{EntitySet, Name, Restrictions, Schema, StructuredType, TypeRef};

impl Parser<'_> {
    pub(super) fn resolve(mut self) -> Schema {
        self.resolve_late_aliases();
        self.resolve_navigations();
        self.resolve_facts();
        let schema = &mut self.schema;
        schema.entity_types.shrink_to_fit();
        schema.entity_sets.shrink_to_fit();
        schema.operations.shrink_to_fit();
        self.schema
    }

    /// A schema may be used by its alias before it comes.
    fn resolve_late_aliases(&mut self) {
        if self.own.is_empty() || self.schema.namespaces.len() < 2 {
            return;
        }
        let own = std::mem::take(&mut self.own);
        let names = &mut self.names;
        let mut fix = |name: &mut Name| {
            let Some((prefix, plain)) = name.rsplit_once('.') else {
                return;
            };
            if let Some((_, namespace)) = own.iter().find(|(alias, _)| &**alias == prefix) {
                *name = names.of(&format!("{namespace}.{plain}"));
            }
        };
        let schema = &mut self.schema;
        for ty in schema.entity_types.iter_mut().chain(&mut schema.complex_types) {
            ty.base.iter_mut().for_each(&mut fix);
            for property in &mut ty.properties {
                if let TypeRef::Named(name) | TypeRef::NamedList(name) = &mut property.ty {
                    fix(name);
                }
            }
            ty.navigations
                .iter_mut()
                .for_each(|navigation| fix(&mut navigation.target));
        }
        for operation in &mut schema.operations {
            let types = operation.parameters.iter_mut().map(|parameter| &mut parameter.ty);
            for ty in types.chain(operation.returns.as_mut()) {
                if let TypeRef::Named(name) | TypeRef::NamedList(name) = ty {
                    fix(name);
                }
            }
        }
        schema.entity_sets.iter_mut().for_each(|set| fix(&mut set.entity_type));
        schema.imports.iter_mut().for_each(|import| fix(&mut import.operation));
        self.v2_navigations
            .iter_mut()
            .for_each(|navigation| fix(&mut navigation.association));
        self.association_sets
            .iter_mut()
            .for_each(|set| fix(&mut set.association));
        for end in self
            .associations
            .iter_mut()
            .flat_map(|association| &mut association.ends)
        {
            fix(&mut end.ty);
        }
        self.own = own;
    }

    fn resolve_navigations(&mut self) {
        let by_name: HashMap<Name, usize> = self
            .associations
            .iter()
            .enumerate()
            .map(|(at, association)| (Name::clone(&association.name), at))
            .collect();
        let mut sets: HashMap<Name, Vec<usize>> = HashMap::new();
        for (at, set) in self.association_sets.iter().enumerate() {
            sets.entry(Name::clone(&set.association)).or_default().push(at);
        }
        for waiting in std::mem::take(&mut self.v2_navigations) {
            let association = by_name
                .get(&waiting.association)
                .and_then(|at| self.associations.get(*at));
            let Some(ty) = self.schema.entity_types.get_mut(waiting.ty) else {
                continue;
            };
            let Some(navigation) = ty.navigations.get_mut(waiting.at) else {
                continue;
            };
            let Some(association) = association else { continue };
            if let Some(end) = association.ends.iter().find(|end| end.role == waiting.to) {
                navigation.target = Name::clone(&end.ty);
                navigation.many = &*end.multiplicity == "*";
                navigation.nullable = &*end.multiplicity != "1";
            }
            if let (Some((principal, above)), Some((dependent, below))) =
                (&association.principal, &association.dependent)
            {
                let pair = |(a, b): (&Name, &Name)| (Name::clone(a), Name::clone(b));
                navigation.constraints = if *dependent == waiting.from {
                    below.iter().zip(above).map(pair).collect()
                } else if *principal == waiting.from {
                    above.iter().zip(below).map(pair).collect()
                } else {
                    Vec::new()
                };
            }
            let (name, ty) = (Name::clone(&navigation.name), Name::clone(&ty.name));
            for at in sets.get(&waiting.association).into_iter().flatten() {
                self.bind(*at, &waiting, &name, &ty);
            }
        }
    }

    /// The set at the other end, for the set of this type at this end.
    fn bind(&mut self, at: usize, waiting: &V2Navigation, name: &Name, ty: &Name) {
        let Some(set) = self.association_sets.get(at) else {
            return;
        };
        let end = |role: &Name| set.ends.iter().find(|(of, _)| of == role).map(|(_, set)| set);
        let (Some(from), Some(to)) = (end(&waiting.from), end(&waiting.to)) else {
            return;
        };
        let source = self
            .schema
            .entity_sets
            .iter_mut()
            .find(|set| set.name == *from && set.entity_type == *ty);
        if let Some(source) = source {
            source.bindings.push((Name::clone(name), Name::clone(to)));
        }
    }

    fn resolve_facts(&mut self) {
        let facts = std::mem::take(&mut self.facts);
        if facts.is_empty() {
            return;
        }
        let places = Places::of(self);
        // Facts of one target stand together.
        let mut last: Option<(Name, Option<Target>)> = None;
        for (target, fact) in facts {
            let target = match target {
                Target::Path(path) => {
                    if !last.as_ref().is_some_and(|(known, _)| Name::ptr_eq(known, &path)) {
                        let found = places.find(self, &path);
                        last = Some((path, found));
                    }
                    match last.as_ref().and_then(|(_, found)| found.clone()) {
                        Some(found) => found,
                        None => continue,
                    }
                }
                place => place,
            };
            apply(&mut self.schema, &places, &target, fact);
        }
    }
}

/// Where the named parts of the schema are.
struct Places {
    types: HashMap<Name, (bool, usize)>,
    enums: HashMap<Name, usize>,
    operations: HashMap<Name, usize>,
    sets: HashMap<Name, usize>,
    /// By the type of their records.
    sets_of: HashMap<Name, Vec<usize>>,
}

impl Places {
    fn of(parser: &Parser<'_>) -> Self {
        let schema = &parser.schema;
        let named = |types: &[StructuredType], complex: bool| {
            let one = |(at, ty): (usize, &StructuredType)| (Name::clone(&ty.name), (complex, at));
            types.iter().enumerate().map(one).collect::<Vec<_>>()
        };
        let mut types: HashMap<_, _> = named(&schema.complex_types, true).into_iter().collect();
        types.extend(named(&schema.entity_types, false));
        let mut sets_of: HashMap<Name, Vec<usize>> = HashMap::new();
        for (at, set) in schema.entity_sets.iter().enumerate() {
            sets_of.entry(Name::clone(&set.entity_type)).or_default().push(at);
        }
        Self {
            sets_of,
            types,
            enums: (schema.enum_types.iter().enumerate())
                .map(|(at, ty)| (Name::clone(&ty.name), at))
                .collect(),
            operations: (schema.operations.iter().enumerate())
                .map(|(at, operation)| (Name::clone(&operation.name), at))
                .collect(),
            sets: (schema.entity_sets.iter().enumerate())
                .map(|(at, set)| (Name::clone(&set.name), at))
                .collect(),
        }
    }

    /// `Namespace.Type/Property`, `Namespace.Container/Set`, `Namespace.Action(Type)/Parameter`, and each without its end.
    fn find(&self, parser: &Parser<'_>, path: &str) -> Option<Target> {
        let head_end = path
            .find('(')
            .unwrap_or(path.len())
            .min(path.find('/').unwrap_or(path.len()));
        let (head, rest) = path.split_at_checked(head_end)?;
        let rest = match rest.strip_prefix('(') {
            Some(signature) => signature.split_once(')')?.1,
            None => rest,
        };
        let rest = rest.strip_prefix('/');
        let head = match head.rsplit_once('.') {
            Some((prefix, plain)) => match parser.own.iter().find(|(alias, _)| &**alias == prefix) {
                Some((_, namespace)) => format!("{namespace}.{plain}"),
                None => head.to_owned(),
            },
            None => head.to_owned(),
        };
        let schema = &parser.schema;
        if let Some(&(complex, ty)) = self.types.get(head.as_str()) {
            let Some(member) = rest else {
                return Some(Target::Type { complex, at: ty });
            };
            let of = if complex {
                &schema.complex_types
            } else {
                &schema.entity_types
            };
            let of = of.get(ty)?;
            if let Some(at) = of.properties.iter().position(|property| &*property.name == member) {
                return Some(Target::Property { complex, ty, at });
            }
            let at = of
                .navigations
                .iter()
                .position(|navigation| &*navigation.name == member)?;
            return (!complex).then_some(Target::Navigation { ty, at });
        }
        if parser.container.as_deref() == Some(head.as_str()) {
            return match rest {
                None => Some(Target::Container),
                Some(set) => self.sets.get(set).map(|at| Target::Set(*at)),
            };
        }
        if let Some(&operation) = self.operations.get(head.as_str()) {
            let Some(parameter) = rest else {
                return Some(Target::Operation(operation));
            };
            let parameters = &schema.operations.get(operation)?.parameters;
            let at = parameters.iter().position(|known| &*known.name == parameter)?;
            return Some(Target::Parameter { operation, at });
        }
        let ty = *self.enums.get(head.as_str())?;
        let at = schema
            .enum_types
            .get(ty)?
            .members
            .iter()
            .position(|member| Some(&*member.name) == rest)?;
        Some(Target::Member { ty, at })
    }
}

fn apply(schema: &mut Schema, places: &Places, target: &Target, fact: Fact) {
    match target {
        Target::Property { complex, ty, at } => {
            let types = if *complex {
                &mut schema.complex_types
            } else {
                &mut schema.entity_types
            };
            let Some(property) = types.get_mut(*ty).and_then(|ty| ty.properties.get_mut(*at)) else {
                return;
            };
            match fact {
                Fact::Label(label) => property.label = Some(label),
                Fact::Unit(unit) => property.unit = Some(unit),
                Fact::Text(text) => property.text = Some(text),
                Fact::UpperCase(yes) => property.upper_case = yes,
                Fact::Digits(yes) => property.digits = yes,
                Fact::Computed(yes) => property.computed = yes,
                Fact::ComputedDefault(yes) => property.computed_default = yes,
                Fact::Immutable(yes) => property.immutable = yes,
                Fact::LanguageDependent(yes) => property.language_dependent = yes,
                Fact::Control(control) => property.control = Some(control),
                _ => {}
            }
        }
        Target::Navigation { ty, at } => {
            let navigation = schema
                .entity_types
                .get_mut(*ty)
                .and_then(|ty| ty.navigations.get_mut(*at));
            if let (Some(navigation), Fact::Computed(true) | Fact::Flag(Flag::Insertable, false)) = (navigation, fact) {
                navigation.creatable = false;
            }
        }
        Target::Type { complex, at } => {
            let types = if *complex {
                &mut schema.complex_types
            } else {
                &mut schema.entity_types
            };
            match (types.get_mut(*at), fact) {
                (Some(ty), Fact::Label(label)) => ty.label = Some(label),
                // Some documents restrict the type where they mean its sets.
                (Some(ty), fact) => {
                    for at in places.sets_of.get(&ty.name).into_iter().flatten() {
                        if let Some(set) = schema.entity_sets.get_mut(*at) {
                            restrict(set, fact.clone());
                        }
                    }
                }
                (None, _) => {}
            }
        }
        Target::Set(at) => {
            if let Some(set) = schema.entity_sets.get_mut(*at) {
                restrict(set, fact);
            }
        }
        Target::Operation(at) => {
            if let (Some(operation), Fact::Label(label)) = (schema.operations.get_mut(*at), fact) {
                operation.label = Some(label);
            }
        }
        Target::Parameter { operation, at } => {
            let operation = schema.operations.get_mut(*operation);
            match (operation.and_then(|known| known.parameters.get_mut(*at)), fact) {
                (Some(parameter), Fact::Label(label)) => parameter.label = Some(label),
                (Some(parameter), Fact::OptionalParameter) => parameter.optional = true,
                _ => {}
            }
        }
        Target::Member { ty, at } => {
            let member = schema.enum_types.get_mut(*ty).and_then(|ty| ty.members.get_mut(*at));
            if let (Some(member), Fact::Label(label)) = (member, fact) {
                member.label = Some(label);
            }
        }
        Target::Container => match fact {
            Fact::Begun(List::FilterFunctions) => schema.filter_functions = Some(Vec::new()),
            Fact::Listed(List::FilterFunctions, word) => {
                schema.filter_functions.get_or_insert_default().push(word);
            }
            Fact::Flag(Flag::Batch, yes) => schema.batch = Some(yes),
            _ => {}
        },
        Target::Path(_) => {}
    }
}

fn restrict(set: &mut EntitySet, fact: Fact) {
    let may = &mut set.restrictions;
    match fact {
        Fact::Label(label) => set.label = Some(label),
        Fact::Flag(flag, yes) => {
            if let Some(flag) = flag_of(may, flag) {
                *flag = Some(yes);
            }
        }
        Fact::Begun(List::Concurrency) => {
            may.concurrency.get_or_insert_default();
        }
        Fact::Begun(List::FilterFunctions) => {
            may.filter_functions.get_or_insert_default();
        }
        Fact::Listed(list, name) => list_of(may, list).push(name),
        Fact::Navigation(navigation) => may.navigations.push(navigation),
        _ => {}
    }
}

fn flag_of(may: &mut Restrictions, flag: Flag) -> Option<&mut Option<bool>> {
    Some(match flag {
        Flag::Insertable => &mut may.insertable,
        Flag::Updatable => &mut may.updatable,
        Flag::Deletable => &mut may.deletable,
        Flag::Readable => &mut may.readable,
        Flag::ReadableByKey => &mut may.readable_by_key,
        Flag::Filterable => &mut may.filterable,
        Flag::RequiresFilter => &mut may.requires_filter,
        Flag::Sortable => &mut may.sortable,
        Flag::Searchable => &mut may.searchable,
        Flag::Countable => &mut may.countable,
        Flag::Top => &mut may.top,
        Flag::Skip => &mut may.skip,
        Flag::Expandable => &mut may.expandable,
        Flag::ChangeTracking => &mut may.change_tracking,
        Flag::Batch => return None,
    })
}

fn list_of(may: &mut Restrictions, list: List) -> &mut Vec<Name> {
    match list {
        List::RequiredOnInsert => &mut may.required_on_insert,
        List::NonInsertable => &mut may.non_insertable,
        List::NonUpdatable => &mut may.non_updatable,
        List::NonFilterable => &mut may.non_filterable,
        List::RequiredInFilter => &mut may.required_in_filter,
        List::NonSortable => &mut may.non_sortable,
        List::NonExpandable => &mut may.non_expandable,
        List::Concurrency => may.concurrency.get_or_insert_default(),
        List::FilterFunctions => may.filter_functions.get_or_insert_default(),
    }
}
