//! From elements to the parts of a schema.

use atlas_connectors::error::BadPayload;
use atlas_connectors::{Error, Result};

use crate::odata::Version;
use crate::odata::metadata::annotation::{Fact, Target};
use crate::odata::metadata::names::Names;
use crate::odata::metadata::vocabulary::Aliases;
use crate::odata::metadata::xml::{Step, Tag, Xml};
use crate::odata::metadata::{
    Edm, EntitySet, EnumMember, EnumType, Name, Navigation, Operation, OperationImport, OperationKind, Parameter,
    Property, Restrictions, Schema, StructuredType, TypeRef,
};

const SAP_ATTRIBUTES: &str = "http://www.sap.com/Protocols/SAPData";
const V4_ELEMENTS: &str = "http://docs.oasis-open.org/odata/ns/edm";

/// More types, sets, operations or associations than any service has; the largest known ones have thousands.
const MOST: usize = 20_000;

type Done = Result<(), BadPayload>;

impl Schema {
    /// Reads a metadata document of V2 or V4, at most 64 MiB.
    ///
    /// Unknown elements, attributes and terms are left out, a reference to what is not there as well. A document type
    /// declaration and entities of its own are refused.
    ///
    /// # Errors
    /// [`BadPayload`]: ended early, broken syntax, another kind of document (a login page, JSON), or too large.
    pub fn parse(document: &[u8]) -> Result<Self> {
        Parser::new(document)
            .and_then(Parser::document)
            .map_err(|fault| Error::new(fault, "odata.metadata").with_context("bytes", document.len()))
    }
}

/// A document while it is read.
pub(super) struct Parser<'a> {
    pub(super) xml: Xml<'a>,
    pub(super) names: Names,
    pub(super) aliases: Aliases,
    pub(super) schema: Schema,
    /// What annotations say, applied at the end: they may stand before what they are about.
    pub(super) facts: Vec<(Target, Fact)>,
    /// Alias and namespace of the schemas.
    pub(super) own: Vec<(Name, Name)>,
    pub(super) container: Option<Name>,
    pub(super) associations: Vec<Association>,
    pub(super) association_sets: Vec<AssociationSet>,
    pub(super) v2_navigations: Vec<V2Navigation>,
    namespace: Name,
    /// The prefix of SAP's attributes with its colon.
    sap: String,
}

/// V2: two types and how many of each.
pub(super) struct Association {
    pub(super) name: Name,
    pub(super) ends: Vec<End>,
    pub(super) principal: Option<(Name, Vec<Name>)>,
    pub(super) dependent: Option<(Name, Vec<Name>)>,
}

pub(super) struct End {
    pub(super) role: Name,
    pub(super) ty: Name,
    pub(super) multiplicity: Name,
}

/// V2: the sets at the ends of an association.
pub(super) struct AssociationSet {
    pub(super) association: Name,
    /// Role and set.
    pub(super) ends: Vec<(Name, Name)>,
}

/// V2: a navigation that waits for its association.
pub(super) struct V2Navigation {
    pub(super) ty: usize,
    pub(super) at: usize,
    pub(super) association: Name,
    pub(super) from: Name,
    pub(super) to: Name,
}

impl<'a> Parser<'a> {
    fn new(document: &'a [u8]) -> Result<Self, BadPayload> {
        Ok(Self {
            xml: Xml::new(document)?,
            names: Names::default(),
            aliases: Aliases::default(),
            schema: Schema {
                version: Version::V4,
                namespaces: Vec::new(),
                entity_types: Vec::new(),
                complex_types: Vec::new(),
                enum_types: Vec::new(),
                entity_sets: Vec::new(),
                operations: Vec::new(),
                imports: Vec::new(),
                filter_functions: None,
                batch: None,
            },
            facts: Vec::new(),
            own: Vec::new(),
            container: None,
            associations: Vec::new(),
            association_sets: Vec::new(),
            v2_navigations: Vec::new(),
            namespace: Name::default(),
            sap: "sap:".to_owned(),
        })
    }

    fn document(mut self) -> Result<Schema, BadPayload> {
        let mut found = false;
        loop {
            match self.xml.next()? {
                Step::Open(tag) if tag.name() == "Edmx" => {
                    found = true;
                    self.edmx(&tag)?;
                }
                // Some services send the schema alone.
                Step::Open(tag) if tag.name() == "Schema" => {
                    found = true;
                    self.schema(&tag)?;
                }
                Step::Open(_) => return Err(BadPayload::Type),
                Step::Text(_) | Step::Close => {}
                Step::End if found => return Ok(self.resolve()),
                Step::End => return Err(BadPayload::Truncated),
            }
        }
    }

    /// Hands every child over, which the callee reads to its end.
    fn each(&mut self, tag: &Tag<'_>, mut take: impl FnMut(&mut Self, &Tag<'a>) -> Done) -> Done {
        if tag.empty {
            return Ok(());
        }
        loop {
            match self.xml.next()? {
                Step::Open(child) => take(self, &child)?,
                Step::Text(_) => {}
                Step::Close => return Ok(()),
                Step::End => return Err(BadPayload::Truncated),
            }
        }
    }

    fn edmx(&mut self, tag: &Tag<'a>) -> Done {
        let (version, sap) = (&mut self.schema.version, &mut self.sap);
        tag.attributes(|name, value| match name {
            // `1.0` is of the container format, and of V2 and V3.
            "Version" if value.starts_with('1') => *version = Version::V2,
            _ => sap_prefix(sap, name, value),
        })?;
        self.each(tag, |parser, child| match child.name() {
            "Reference" => parser.reference(child),
            "DataServices" => parser.each(child, |parser, child| match child.name() {
                "Schema" => parser.schema(child),
                _ => parser.xml.skip(child),
            }),
            _ => parser.xml.skip(child),
        })
    }

    fn reference(&mut self, tag: &Tag<'a>) -> Done {
        self.each(tag, |parser, child| {
            let (mut namespace, mut alias) = (String::new(), String::new());
            child.attributes(|name, value| match name {
                "Namespace" => value.clone_into(&mut namespace),
                "Alias" => value.clone_into(&mut alias),
                _ => {}
            })?;
            if child.name() == "Include" && !alias.is_empty() {
                parser.aliases.include(&namespace, &alias);
            }
            parser.xml.skip(child)
        })
    }

    fn schema(&mut self, tag: &Tag<'a>) -> Done {
        let (mut namespace, mut alias) = (Name::default(), None);
        let (names, sap, version) = (&mut self.names, &mut self.sap, &mut self.schema.version);
        tag.attributes(|name, value| match name {
            "Namespace" => namespace = names.of(value),
            "Alias" => alias = Some(names.of(value)),
            "xmlns" if value == V4_ELEMENTS => *version = Version::V4,
            "xmlns" if value.starts_with("http://schemas.microsoft.com/ado/") => *version = Version::V2,
            _ => sap_prefix(sap, name, value),
        })?;
        if let Some(alias) = alias {
            self.own.push((alias, Name::clone(&namespace)));
        }
        self.schema.namespaces.push(Name::clone(&namespace));
        self.namespace = namespace;
        self.each(tag, |parser, child| match child.name() {
            "EntityType" => parser.structured(child, false),
            "ComplexType" => parser.structured(child, true),
            "EnumType" => parser.enum_type(child),
            "Association" => parser.association(child),
            "Action" => parser.operation(child, OperationKind::Action),
            "Function" => parser.operation(child, OperationKind::Function),
            "EntityContainer" => parser.container(child),
            "Annotations" => parser.annotations(child),
            _ => parser.xml.skip(child),
        })
    }

    /// The name in full, within the schema that is being read.
    fn full(&mut self, name: &str) -> Name {
        let full = format!("{}.{name}", self.namespace);
        self.names.of(&full)
    }

    fn structured(&mut self, tag: &Tag<'a>, complex: bool) -> Done {
        let mut ty = StructuredType {
            name: Name::default(),
            base: None,
            label: None,
            is_abstract: false,
            open: false,
            has_stream: false,
            key: Vec::new(),
            properties: Vec::new(),
            navigations: Vec::new(),
        };
        let mut name_of = String::new();
        let (names, own, sap) = (&mut self.names, &self.own, &self.sap);
        tag.attributes(|name, value| match name {
            "Name" => value.clone_into(&mut name_of),
            "BaseType" => ty.base = Some(full_name(names, own, value)),
            "Abstract" => ty.is_abstract = value == "true",
            "OpenType" => ty.open = value == "true",
            _ => match name.strip_prefix(sap.as_str()) {
                Some("label") => ty.label = Some(names.of(value)),
                None if name.ends_with("HasStream") => ty.has_stream = value == "true",
                _ => {}
            },
        })?;
        ty.name = self.full(&name_of);
        let at = self.types(complex).len();
        at_most(at)?;
        self.types(complex).push(ty);
        self.each(tag, |parser, child| match child.name() {
            "Key" => parser.key(child, at),
            "Property" => parser.property(child, complex, at),
            "NavigationProperty" => parser.navigation(child, complex, at),
            "Annotation" => parser.annotation(child, &Target::Type { complex, at }),
            _ => parser.xml.skip(child),
        })?;
        if let Some(ty) = self.types(complex).get_mut(at) {
            ty.key.shrink_to_fit();
            ty.properties.shrink_to_fit();
            ty.navigations.shrink_to_fit();
        }
        Ok(())
    }

    fn types(&mut self, complex: bool) -> &mut Vec<StructuredType> {
        if complex {
            &mut self.schema.complex_types
        } else {
            &mut self.schema.entity_types
        }
    }

    fn key(&mut self, tag: &Tag<'a>, ty: usize) -> Done {
        self.each(tag, |parser, child| {
            let mut part = None;
            let names = &mut parser.names;
            child.attributes(|name, value| {
                if name == "Name" {
                    part = Some(names.of(value));
                }
            })?;
            if let (Some(ty), Some(part)) = (parser.schema.entity_types.get_mut(ty), part) {
                ty.key.push(part);
            }
            parser.xml.skip(child)
        })
    }

    fn property(&mut self, tag: &Tag<'a>, complex: bool, ty: usize) -> Done {
        let mut property = Property {
            name: Name::default(),
            ty: TypeRef::Edm(Edm::Other),
            nullable: true,
            max_length: None,
            precision: None,
            scale: None,
            label: None,
            unit: None,
            text: None,
            creatable: true,
            updatable: true,
            filterable: true,
            sortable: true,
            required_in_filter: false,
            upper_case: false,
            digits: false,
            is_day: false,
            computed: false,
            computed_default: false,
            immutable: false,
            concurrency: false,
            language_dependent: false,
            control: None,
        };
        let (names, own, sap) = (&mut self.names, &self.own, &self.sap);
        tag.attributes(|name, value| match name {
            "Name" => property.name = names.of(value),
            "Type" => property.ty = type_ref(names, own, value),
            "Nullable" => property.nullable = value != "false",
            "MaxLength" => property.max_length = value.parse().ok(),
            "Precision" => property.precision = value.parse().ok(),
            "Scale" => property.scale = value.parse().ok(),
            "ConcurrencyMode" => property.concurrency = value == "Fixed",
            _ => {
                let no = value == "false";
                match name.strip_prefix(sap.as_str()) {
                    Some("label") => property.label = Some(names.of(value)),
                    Some("unit") => property.unit = Some(names.of(value)),
                    Some("text") => property.text = Some(names.of(value)),
                    Some("creatable") => property.creatable = !no,
                    Some("updatable") => property.updatable = !no,
                    Some("filterable") => property.filterable = !no,
                    Some("sortable") => property.sortable = !no,
                    Some("required-in-filter") => property.required_in_filter = value == "true",
                    Some("display-format") => match value {
                        "UpperCase" => property.upper_case = true,
                        "NonNegative" => property.digits = true,
                        "Date" => property.is_day = true,
                        _ => {}
                    },
                    _ => {}
                }
            }
        })?;
        let types = self.types(complex);
        let at = types.get(ty).map_or(0, |ty| ty.properties.len());
        if let Some(ty) = types.get_mut(ty) {
            ty.properties.push(property);
        }
        self.inline(tag, &Target::Property { complex, ty, at })
    }

    /// Only annotations are expected inside.
    fn inline(&mut self, tag: &Tag<'a>, target: &Target) -> Done {
        self.each(tag, |parser, child| match child.name() {
            "Annotation" => parser.annotation(child, target),
            _ => parser.xml.skip(child),
        })
    }

    fn navigation(&mut self, tag: &Tag<'a>, complex: bool, ty: usize) -> Done {
        let mut navigation = Navigation {
            name: Name::default(),
            target: Name::default(),
            many: false,
            nullable: true,
            contains: false,
            partner: None,
            constraints: Vec::new(),
            creatable: true,
            filterable: true,
        };
        let (mut association, mut from, mut to) = (None, Name::default(), Name::default());
        let (names, own, sap) = (&mut self.names, &self.own, &self.sap);
        tag.attributes(|name, value| match name {
            "Name" => navigation.name = names.of(value),
            "Type" => {
                let ty = type_ref(names, own, value);
                navigation.many = ty.is_list();
                navigation.target = ty.named().map(Name::clone).unwrap_or_default();
            }
            "Nullable" => navigation.nullable = value != "false",
            "ContainsTarget" => navigation.contains = value == "true",
            "Partner" => navigation.partner = Some(names.of(value)),
            "Relationship" => association = Some(full_name(names, own, value)),
            "FromRole" => from = names.of(value),
            "ToRole" => to = names.of(value),
            _ => match name.strip_prefix(sap.as_str()) {
                Some("creatable") => navigation.creatable = value != "false",
                Some("filterable") => navigation.filterable = value != "false",
                _ => {}
            },
        })?;
        let at = self.types(complex).get(ty).map_or(0, |ty| ty.navigations.len());
        if let (Some(association), false) = (association, complex) {
            self.v2_navigations.push(V2Navigation {
                ty,
                at,
                association,
                from,
                to,
            });
        }
        let mut constraints = Vec::new();
        self.each(tag, |parser, child| match child.name() {
            "ReferentialConstraint" => {
                let (mut here, mut there) = (None, None);
                let names = &mut parser.names;
                child.attributes(|name, value| match name {
                    "Property" => here = Some(names.of(value)),
                    "ReferencedProperty" => there = Some(names.of(value)),
                    _ => {}
                })?;
                constraints.extend(here.zip(there));
                parser.xml.skip(child)
            }
            "Annotation" if !complex => parser.annotation(child, &Target::Navigation { ty, at }),
            _ => parser.xml.skip(child),
        })?;
        navigation.constraints = constraints;
        navigation.constraints.shrink_to_fit();
        if let Some(ty) = self.types(complex).get_mut(ty) {
            ty.navigations.push(navigation);
        }
        Ok(())
    }

    fn enum_type(&mut self, tag: &Tag<'a>) -> Done {
        let (mut plain, mut flags) = (String::new(), false);
        tag.attributes(|name, value| match name {
            "Name" => value.clone_into(&mut plain),
            "IsFlags" => flags = value == "true",
            _ => {}
        })?;
        let (name, ty) = (self.full(&plain), self.schema.enum_types.len());
        self.schema.enum_types.push(EnumType {
            name,
            flags,
            members: Vec::new(),
        });
        self.each(tag, |parser, child| {
            if child.name() != "Member" {
                return parser.xml.skip(child);
            }
            let mut member = EnumMember {
                name: Name::default(),
                value: None,
                label: None,
            };
            let names = &mut parser.names;
            child.attributes(|name, value| match name {
                "Name" => member.name = names.of(value),
                "Value" => member.value = value.parse().ok(),
                _ => {}
            })?;
            let Some(members) = parser.schema.enum_types.get_mut(ty).map(|ty| &mut ty.members) else {
                return parser.xml.skip(child);
            };
            let at = members.len();
            members.push(member);
            parser.inline(child, &Target::Member { ty, at })
        })
    }

    fn association(&mut self, tag: &Tag<'a>) -> Done {
        let mut plain = String::new();
        tag.attributes(|name, value| {
            if name == "Name" {
                value.clone_into(&mut plain);
            }
        })?;
        let mut association = Association {
            name: self.full(&plain),
            ends: Vec::new(),
            principal: None,
            dependent: None,
        };
        self.each(tag, |parser, child| match child.name() {
            "End" => {
                let mut end = End {
                    role: Name::default(),
                    ty: Name::default(),
                    multiplicity: Name::default(),
                };
                let (names, own) = (&mut parser.names, &parser.own);
                child.attributes(|name, value| match name {
                    "Role" => end.role = names.of(value),
                    "Type" => end.ty = full_name(names, own, value),
                    "Multiplicity" => end.multiplicity = names.of(value),
                    _ => {}
                })?;
                association.ends.push(end);
                parser.xml.skip(child)
            }
            "ReferentialConstraint" => parser.each(child, |parser, side| {
                let found = parser.constraint_side(side)?;
                match side.name() {
                    "Principal" => association.principal = Some(found),
                    "Dependent" => association.dependent = Some(found),
                    _ => {}
                }
                Ok(())
            }),
            _ => parser.xml.skip(child),
        })?;
        at_most(self.associations.len())?;
        self.associations.push(association);
        Ok(())
    }

    /// V2's `Principal` or `Dependent`: role and properties.
    fn constraint_side(&mut self, tag: &Tag<'a>) -> Result<(Name, Vec<Name>), BadPayload> {
        let (mut role, mut properties) = (Name::default(), Vec::new());
        let names = &mut self.names;
        tag.attributes(|name, value| {
            if name == "Role" {
                role = names.of(value);
            }
        })?;
        self.each(tag, |parser, child| {
            let names = &mut parser.names;
            child.attributes(|name, value| {
                if name == "Name" {
                    properties.push(names.of(value));
                }
            })?;
            parser.xml.skip(child)
        })?;
        Ok((role, properties))
    }

    /// An action, a function, or a function import of V2.
    fn operation(&mut self, tag: &Tag<'a>, kind: OperationKind) -> Done {
        let mut operation = Operation {
            name: Name::default(),
            kind,
            bound: false,
            posts: kind == OperationKind::Action,
            action_for: None,
            parameters: Vec::new(),
            returns: None,
            entity_set: None,
            label: None,
        };
        let mut plain = String::new();
        let (names, own, sap) = (&mut self.names, &self.own, &self.sap);
        tag.attributes(|name, value| match name {
            "Name" => value.clone_into(&mut plain),
            "IsBound" => operation.bound = value == "true",
            "ReturnType" => operation.returns = Some(type_ref(names, own, value)),
            "EntitySet" => operation.entity_set = Some(names.of(value)),
            _ => match name.strip_prefix(sap.as_str()) {
                Some("action-for") => operation.action_for = Some(full_name(names, own, value)),
                Some("label") => operation.label = Some(names.of(value)),
                None if name.ends_with("HttpMethod") => operation.posts = value == "POST",
                _ => {}
            },
        })?;
        operation.name = match kind {
            OperationKind::FunctionImport => self.names.of(&plain),
            OperationKind::Action | OperationKind::Function => self.full(&plain),
        };
        let at = self.schema.operations.len();
        at_most(at)?;
        self.schema.operations.push(operation);
        self.each(tag, |parser, child| match child.name() {
            "Parameter" => parser.parameter(child, at),
            "ReturnType" => {
                let mut returns = None;
                let (names, own) = (&mut parser.names, &parser.own);
                child.attributes(|name, value| {
                    if name == "Type" {
                        returns = Some(type_ref(names, own, value));
                    }
                })?;
                if let Some(operation) = parser.schema.operations.get_mut(at) {
                    operation.returns = returns;
                }
                parser.xml.skip(child)
            }
            "Annotation" => parser.annotation(child, &Target::Operation(at)),
            _ => parser.xml.skip(child),
        })
    }

    fn parameter(&mut self, tag: &Tag<'a>, operation: usize) -> Done {
        let mut parameter = Parameter {
            name: Name::default(),
            ty: TypeRef::Edm(Edm::Other),
            nullable: true,
            optional: false,
            max_length: None,
            precision: None,
            scale: None,
            label: None,
        };
        let (names, own, sap) = (&mut self.names, &self.own, &self.sap);
        tag.attributes(|name, value| match name {
            "Name" => parameter.name = names.of(value),
            "Type" => parameter.ty = type_ref(names, own, value),
            "Nullable" => parameter.nullable = value != "false",
            "MaxLength" => parameter.max_length = value.parse().ok(),
            "Precision" => parameter.precision = value.parse().ok(),
            "Scale" => parameter.scale = value.parse().ok(),
            _ if name.strip_prefix(sap.as_str()) == Some("label") => parameter.label = Some(names.of(value)),
            _ => {}
        })?;
        let Some(parameters) = self
            .schema
            .operations
            .get_mut(operation)
            .map(|known| &mut known.parameters)
        else {
            return self.xml.skip(tag);
        };
        let at = parameters.len();
        parameters.push(parameter);
        self.inline(tag, &Target::Parameter { operation, at })
    }

    fn container(&mut self, tag: &Tag<'a>) -> Done {
        let mut plain = String::new();
        tag.attributes(|name, value| {
            if name == "Name" {
                value.clone_into(&mut plain);
            }
        })?;
        self.container = Some(self.full(&plain));
        self.each(tag, |parser, child| match child.name() {
            "EntitySet" => parser.entity_set(child, false),
            "Singleton" => parser.entity_set(child, true),
            "AssociationSet" => parser.association_set(child),
            "ActionImport" => parser.import(child),
            // V4's only names a function; V2's is one.
            "FunctionImport" if parser.schema.version == Version::V4 => parser.import(child),
            "FunctionImport" => parser.operation(child, OperationKind::FunctionImport),
            "Annotation" => parser.annotation(child, &Target::Container),
            _ => parser.xml.skip(child),
        })
    }

    fn entity_set(&mut self, tag: &Tag<'a>, singleton: bool) -> Done {
        let mut set = EntitySet {
            name: Name::default(),
            entity_type: Name::default(),
            label: None,
            singleton,
            restrictions: Restrictions::default(),
            bindings: Vec::new(),
        };
        let may = &mut set.restrictions;
        let (names, own, sap) = (&mut self.names, &self.own, &self.sap);
        tag.attributes(|name, value| match name {
            "Name" => set.name = names.of(value),
            "EntityType" | "Type" => set.entity_type = full_name(names, own, value),
            _ => {
                let flag = match name.strip_prefix(sap.as_str()) {
                    Some("label") => {
                        set.label = Some(names.of(value));
                        return;
                    }
                    Some("pageable") => {
                        (may.top, may.skip) = (Some(value == "true"), Some(value == "true"));
                        return;
                    }
                    Some("creatable") => &mut may.insertable,
                    Some("updatable") => &mut may.updatable,
                    Some("deletable") => &mut may.deletable,
                    Some("searchable") => &mut may.searchable,
                    Some("countable") => &mut may.countable,
                    Some("addressable") => &mut may.addressable,
                    Some("requires-filter") => &mut may.requires_filter,
                    Some("change-tracking") => &mut may.change_tracking,
                    _ => return,
                };
                *flag = Some(value == "true");
            }
        })?;
        let at = self.schema.entity_sets.len();
        at_most(at)?;
        self.schema.entity_sets.push(set);
        self.each(tag, |parser, child| match child.name() {
            "NavigationPropertyBinding" => {
                let (mut path, mut target) = (None, None);
                let names = &mut parser.names;
                child.attributes(|name, value| match name {
                    "Path" => path = Some(names.of(value)),
                    // `Container/Set` across containers; the set's name is its end.
                    "Target" => target = value.rsplit('/').next().map(|set| names.of(set)),
                    _ => {}
                })?;
                if let Some(set) = parser.schema.entity_sets.get_mut(at) {
                    set.bindings.extend(path.zip(target));
                }
                parser.xml.skip(child)
            }
            "Annotation" => parser.annotation(child, &Target::Set(at)),
            _ => parser.xml.skip(child),
        })
    }

    fn association_set(&mut self, tag: &Tag<'a>) -> Done {
        let mut set = AssociationSet {
            association: Name::default(),
            ends: Vec::new(),
        };
        let (names, own) = (&mut self.names, &self.own);
        tag.attributes(|name, value| {
            if name == "Association" {
                set.association = full_name(names, own, value);
            }
        })?;
        self.each(tag, |parser, child| {
            let (mut role, mut of) = (None, None);
            let names = &mut parser.names;
            child.attributes(|name, value| match name {
                "Role" => role = Some(names.of(value)),
                "EntitySet" => of = Some(names.of(value)),
                _ => {}
            })?;
            set.ends.extend(role.zip(of));
            parser.xml.skip(child)
        })?;
        at_most(self.association_sets.len())?;
        self.association_sets.push(set);
        Ok(())
    }

    fn import(&mut self, tag: &Tag<'a>) -> Done {
        let mut import = OperationImport {
            name: Name::default(),
            operation: Name::default(),
            entity_set: None,
        };
        let (names, own) = (&mut self.names, &self.own);
        tag.attributes(|name, value| match name {
            "Name" => import.name = names.of(value),
            "Action" | "Function" => import.operation = full_name(names, own, value),
            "EntitySet" => import.entity_set = Some(names.of(value)),
            _ => {}
        })?;
        self.schema.imports.push(import);
        self.xml.skip(tag)
    }

    /// Annotations out of line.
    fn annotations(&mut self, tag: &Tag<'a>) -> Done {
        let mut target = Name::default();
        tag.attributes(|name, value| {
            if name == "Target" {
                // Not shared: each target comes once.
                target = Name::from(value);
            }
        })?;
        self.inline(tag, &Target::Path(target))
    }
}

fn at_most(known: usize) -> Done {
    if known >= MOST {
        Err(BadPayload::TooLarge)
    } else {
        Ok(())
    }
}

fn sap_prefix(sap: &mut String, name: &str, value: &str) {
    if let (Some(prefix), SAP_ATTRIBUTES) = (name.strip_prefix("xmlns:"), value) {
        *sap = format!("{prefix}:");
    }
}

/// A type's name with the schema's alias resolved.
fn full_name(names: &mut Names, own: &[(Name, Name)], name: &str) -> Name {
    if let Some((prefix, plain)) = name.rsplit_once('.')
        && let Some((_, namespace)) = own.iter().find(|(alias, _)| &**alias == prefix)
    {
        return names.of(&format!("{namespace}.{plain}"));
    }
    names.of(name)
}

fn type_ref(names: &mut Names, own: &[(Name, Name)], text: &str) -> TypeRef {
    let inner = text.strip_prefix("Collection(").and_then(|rest| rest.strip_suffix(')'));
    let name = inner.unwrap_or(text);
    match (name.strip_prefix("Edm."), inner.is_some()) {
        (Some(edm), false) => TypeRef::Edm(Edm::of(edm)),
        (Some(edm), true) => TypeRef::EdmList(Edm::of(edm)),
        (None, false) => TypeRef::Named(full_name(names, own, name)),
        (None, true) => TypeRef::NamedList(full_name(names, own, name)),
    }
}
