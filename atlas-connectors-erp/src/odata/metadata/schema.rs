//! What a service says about itself, the same for V2 and V4.

use std::sync::Arc;

use crate::odata::Version;
use crate::odata::metadata::TypeRef;

/// A name of the document, shared by all that use it.
pub type Name = Arc<str>;

/// A service's description of itself. Types are named in full (`API_SALES_ORDER_SRV.A_SalesOrderType`), aliases are resolved.
///
/// Lists keep the order of the document. What the document says and this model does not know is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schema {
    /// The version of the protocol.
    pub version: Version,
    /// The namespaces of the schemas.
    pub namespaces: Vec<Name>,
    /// Entity types.
    pub entity_types: Vec<StructuredType>,
    /// Complex types.
    pub complex_types: Vec<StructuredType>,
    /// Enum types.
    pub enum_types: Vec<EnumType>,
    /// Entity sets and singletons.
    pub entity_sets: Vec<EntitySet>,
    /// Actions, functions and V2's function imports.
    pub operations: Vec<Operation>,
    /// V4's action and function imports: the names under which unbound operations are called.
    pub imports: Vec<OperationImport>,
    /// The words that `$filter` may use, if the service lists them (`Capabilities.FilterFunctions`): `eq`, `contains`, …
    pub filter_functions: Option<Vec<Name>>,
    /// Whether `$batch` is offered, if the service says so.
    pub batch: Option<bool>,
}

/// An entity type or a complex type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StructuredType {
    /// Full name.
    pub name: Name,
    /// Full name of the type whose properties it has as well.
    pub base: Option<Name>,
    /// For people.
    pub label: Option<Name>,
    /// Has no records of its own.
    pub is_abstract: bool,
    /// Records may have further properties.
    pub open: bool,
    /// The record itself is a file (`$value`).
    pub has_stream: bool,
    /// Names of the key's properties; empty for complex types and where the base type has them.
    pub key: Vec<Name>,
    /// Its own properties.
    pub properties: Vec<Property>,
    /// Its own navigations.
    pub navigations: Vec<Navigation>,
}

/// A property. The flags are what is said about the property itself; a set may restrict it further, see [`Restrictions`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Property {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
    /// May be null.
    pub nullable: bool,
    /// Longest text in characters, or bytes; `None` for no limit.
    pub max_length: Option<u32>,
    /// Digits of a decimal, or fractions of a second.
    pub precision: Option<u32>,
    /// Digits behind the point; `None` for any number of them (`Variable`) and where it is not said.
    pub scale: Option<u32>,
    /// For people.
    pub label: Option<Name>,
    /// The property that holds the unit or currency of this amount.
    pub unit: Option<Name>,
    /// The property that holds the text of this code.
    pub text: Option<Name>,
    /// May be given on create.
    pub creatable: bool,
    /// May be changed later.
    pub updatable: bool,
    /// May be filtered by.
    pub filterable: bool,
    /// May be sorted by.
    pub sortable: bool,
    /// Reads must filter by it.
    pub required_in_filter: bool,
    /// Holds upper case only (`sap:display-format="UpperCase"`, `Common.IsUpperCase`).
    pub upper_case: bool,
    /// Holds digits only, with leading zeros (`NonNegative`, `Common.IsDigitSequence`).
    pub digits: bool,
    /// A day, although its type has a time (`sap:display-format="Date"`).
    pub is_day: bool,
    /// Computed by the server (`Core.Computed`).
    pub computed: bool,
    /// Given by the server where it is left out (`Core.ComputedDefaultValue`).
    pub computed_default: bool,
    /// Never changes once set (`Core.Immutable`).
    pub immutable: bool,
    /// Part of the concurrency stamp (`ConcurrencyMode="Fixed"`).
    pub concurrency: bool,
    /// Its values are words of the session's language (`Core.IsLanguageDependent`).
    pub language_dependent: bool,
    /// How a person may edit it, where that is fixed.
    pub control: Option<FieldControl>,
}

/// `Common.FieldControl` with a fixed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldControl {
    /// Must be filled.
    Mandatory,
    /// May be filled.
    Optional,
    /// Shown only.
    ReadOnly,
    /// Not even shown.
    Hidden,
}

/// A way to other records.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Navigation {
    /// Its name.
    pub name: Name,
    /// Full name of the type it leads to; empty where a V2 document does not have its association.
    pub target: Name,
    /// Leads to many records.
    pub many: bool,
    /// May lead to none.
    pub nullable: bool,
    /// The records have no set of their own (V4).
    pub contains: bool,
    /// The navigation back (V4).
    pub partner: Option<Name>,
    /// Pairs of this type's property and the target's property that are equal.
    pub constraints: Vec<(Name, Name)>,
    /// May be given on create.
    pub creatable: bool,
    /// May be filtered by.
    pub filterable: bool,
}

/// An enum type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnumType {
    /// Full name.
    pub name: Name,
    /// Members may be combined.
    pub flags: bool,
    /// Its members.
    pub members: Vec<EnumMember>,
}

/// A member of an enum type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnumMember {
    /// The name as it travels, encoded where the server encodes it (`In_x0020_Review`).
    pub name: Name,
    /// Its number, where given.
    pub value: Option<i64>,
    /// For people.
    pub label: Option<Name>,
}

/// An entity set or a singleton.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntitySet {
    /// Its name, the first part of addresses.
    pub name: Name,
    /// Full name of the type of its records. Never derive one name from the other.
    pub entity_type: Name,
    /// For people.
    pub label: Option<Name>,
    /// One record without key.
    pub singleton: bool,
    /// What it cannot do.
    pub restrictions: Restrictions,
    /// Navigation path and the set that its records belong to.
    pub bindings: Vec<(Name, Name)>,
}

/// What is said about a set. `None` is for "nothing is said", which means yes, except for searching in V2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restrictions {
    /// Records may be created.
    pub insertable: Option<bool>,
    /// Records may be changed.
    pub updatable: Option<bool>,
    /// Records may be deleted.
    pub deletable: Option<bool>,
    /// The set may be listed.
    pub readable: Option<bool>,
    /// A record may be read by its key; where nothing is said, as [`Restrictions::readable`].
    pub readable_by_key: Option<bool>,
    /// `$filter` is offered.
    pub filterable: Option<bool>,
    /// `$filter` is required.
    pub requires_filter: Option<bool>,
    /// `$orderby` is offered.
    pub sortable: Option<bool>,
    /// `$search` is offered.
    pub searchable: Option<bool>,
    /// Counting is offered.
    pub countable: Option<bool>,
    /// `$top` is offered.
    pub top: Option<bool>,
    /// `$skip` is offered.
    pub skip: Option<bool>,
    /// `$expand` is offered.
    pub expandable: Option<bool>,
    /// Change tracking is offered.
    pub change_tracking: Option<bool>,
    /// Addressed through another record only (`sap:addressable="false"`).
    pub addressable: Option<bool>,
    /// Must be given on create.
    pub required_on_insert: Vec<Name>,
    /// May not be given on create.
    pub non_insertable: Vec<Name>,
    /// May not be changed.
    pub non_updatable: Vec<Name>,
    /// May not be filtered by.
    pub non_filterable: Vec<Name>,
    /// Must be filtered by.
    pub required_in_filter: Vec<Name>,
    /// May not be sorted by.
    pub non_sortable: Vec<Name>,
    /// Navigations that may not be expanded.
    pub non_expandable: Vec<Name>,
    /// Paths of the properties that make the concurrency stamp (`Core.OptimisticConcurrency`); `Some` and empty: an etag
    /// of unknown make. A path such as `_SalesOrder/LastChangeDateTime` is the parent's.
    pub concurrency: Option<Vec<Name>>,
    /// Words that `$filter` may use here.
    pub filter_functions: Option<Vec<Name>>,
    /// What is said about single navigations.
    pub navigations: Vec<NavigationRestriction>,
}

/// What is said about one navigation of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NavigationRestriction {
    /// The path.
    pub path: Name,
    /// Records may be created through it, also together with the parent.
    pub insertable: Option<bool>,
    /// Records may be changed through it.
    pub updatable: Option<bool>,
    /// Records may be deleted through it.
    pub deletable: Option<bool>,
    /// May be read.
    pub readable: Option<bool>,
    /// May be filtered by.
    pub filterable: Option<bool>,
}

/// An action, a function, or V2's function import.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// Full name (`Microsoft.NAV.shipAndInvoice`); V2 imports have a plain name.
    pub name: Name,
    /// Which of the three.
    pub kind: OperationKind,
    /// Called on a record or a list; the first parameter then stands for it.
    pub bound: bool,
    /// V2: called by POST rather than GET.
    pub posts: bool,
    /// V2: the type that a person would call it on (`sap:action-for`).
    pub action_for: Option<Name>,
    /// Its parameters in order, the binding one included.
    pub parameters: Vec<Parameter>,
    /// What it answers.
    pub returns: Option<TypeRef>,
    /// V2: the set of the answered records.
    pub entity_set: Option<Name>,
    /// For people.
    pub label: Option<Name>,
}

impl Operation {
    /// The name without its namespace.
    pub fn short_name(&self) -> &str {
        self.name.rsplit_once('.').map_or(&*self.name, |(_, short)| short)
    }
}

/// Which kind of operation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperationKind {
    /// May change something.
    Action,
    /// Changes nothing.
    Function,
    /// V2, either of both.
    FunctionImport,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
    /// May be null.
    pub nullable: bool,
    /// May be left out (`Core.OptionalParameter`).
    pub optional: bool,
    /// Longest text.
    pub max_length: Option<u32>,
    /// Digits of a decimal.
    pub precision: Option<u32>,
    /// Digits behind the point.
    pub scale: Option<u32>,
    /// For people.
    pub label: Option<Name>,
}

/// An unbound operation as the container offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationImport {
    /// The name in addresses.
    pub name: Name,
    /// Full name of the operation.
    pub operation: Name,
    /// The set of the answered records.
    pub entity_set: Option<Name>,
}

impl Schema {
    /// An entity type by its full name.
    pub fn entity_type(&self, name: &str) -> Option<&StructuredType> {
        self.entity_types.iter().find(|ty| &*ty.name == name)
    }

    /// A complex type by its full name.
    pub fn complex_type(&self, name: &str) -> Option<&StructuredType> {
        self.complex_types.iter().find(|ty| &*ty.name == name)
    }

    /// An enum type by its full name.
    pub fn enum_type(&self, name: &str) -> Option<&EnumType> {
        self.enum_types.iter().find(|ty| &*ty.name == name)
    }

    /// A set or singleton.
    pub fn entity_set(&self, name: &str) -> Option<&EntitySet> {
        self.entity_sets.iter().find(|set| &*set.name == name)
    }

    /// The type and the types below it, its own first. A circle ends where it began, and a chain after 32 types.
    pub fn lineage<'a>(&'a self, ty: &'a StructuredType) -> Vec<&'a StructuredType> {
        let mut line = vec![ty];
        let mut base = ty.base.as_deref();
        while let Some(next) = base.and_then(|name| self.entity_type(name).or_else(|| self.complex_type(name))) {
            if line.len() >= 32 || line.iter().any(|known| std::ptr::eq(*known, next)) {
                break;
            }
            line.push(next);
            base = next.base.as_deref();
        }
        line
    }

    /// All properties of a type, those of its bases first.
    pub fn properties<'a>(&'a self, ty: &'a StructuredType) -> impl Iterator<Item = &'a Property> {
        self.lineage(ty).into_iter().rev().flat_map(|ty| &ty.properties)
    }

    /// All navigations of a type, those of its bases first.
    pub fn navigations<'a>(&'a self, ty: &'a StructuredType) -> impl Iterator<Item = &'a Navigation> {
        self.lineage(ty).into_iter().rev().flat_map(|ty| &ty.navigations)
    }

    /// The key of a type, which a base may hold.
    pub fn key<'a>(&'a self, ty: &'a StructuredType) -> &'a [Name] {
        let found = self.lineage(ty).into_iter().find(|ty| !ty.key.is_empty());
        found.map_or(&[], |ty| &ty.key)
    }
}
