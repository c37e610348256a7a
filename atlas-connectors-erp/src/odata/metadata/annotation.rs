//! Annotations, inline and out of line, as single facts about a target.

use atlas_connectors::error::BadPayload;

use crate::odata::metadata::parse::Parser;
use crate::odata::metadata::vocabulary::Vocabulary;
use crate::odata::metadata::xml::{Step, Tag};
use crate::odata::metadata::{FieldControl, Name, NavigationRestriction};

/// What is annotated. Places are positions in the schema that is being built.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Type {
        complex: bool,
        at: usize,
    },
    Property {
        complex: bool,
        ty: usize,
        at: usize,
    },
    Navigation {
        ty: usize,
        at: usize,
    },
    Member {
        ty: usize,
        at: usize,
    },
    Set(usize),
    Operation(usize),
    Parameter {
        operation: usize,
        at: usize,
    },
    Container,
    /// Out of line: a path, looked up once the whole document is read.
    Path(Name),
}

/// One thing that an annotation says.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    Label(Name),
    Unit(Name),
    Text(Name),
    UpperCase(bool),
    Digits(bool),
    Computed(bool),
    ComputedDefault(bool),
    Immutable(bool),
    LanguageDependent(bool),
    OptionalParameter,
    Control(FieldControl),
    Flag(Flag, bool),
    Listed(List, Name),
    /// The list was given, maybe empty.
    Begun(List),
    Navigation(NavigationRestriction),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    Insertable,
    Updatable,
    Deletable,
    Readable,
    ReadableByKey,
    Filterable,
    RequiresFilter,
    Sortable,
    Searchable,
    Countable,
    Top,
    Skip,
    Expandable,
    ChangeTracking,
    Batch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    RequiredOnInsert,
    NonInsertable,
    NonUpdatable,
    NonFilterable,
    RequiredInFilter,
    NonSortable,
    NonExpandable,
    Concurrency,
    FilterFunctions,
}

/// The terms that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Term {
    Label,
    Unit,
    Text,
    UpperCase,
    Digits,
    Computed,
    ComputedDefault,
    Immutable,
    LanguageDependent,
    OptionalParameter,
    Permissions,
    Control,
    Concurrency,
    FilterFunctions,
    Insert,
    Update,
    Delete,
    Read,
    Filter,
    Sort,
    Search,
    Count,
    Expand,
    Top,
    Skip,
    ChangeTracking,
    Batch,
    Navigation,
}

impl Term {
    fn of(vocabulary: Vocabulary, name: &str) -> Option<Self> {
        Some(match (vocabulary, name) {
            (Vocabulary::Common, "Label") => Self::Label,
            (Vocabulary::Common, "Text") => Self::Text,
            (Vocabulary::Common, "IsUpperCase") => Self::UpperCase,
            (Vocabulary::Common, "IsDigitSequence") => Self::Digits,
            (Vocabulary::Common, "FieldControl") => Self::Control,
            (Vocabulary::Measures, "Unit" | "ISOCurrency") => Self::Unit,
            (Vocabulary::Core, "Computed") => Self::Computed,
            (Vocabulary::Core, "ComputedDefaultValue") => Self::ComputedDefault,
            (Vocabulary::Core, "Immutable") => Self::Immutable,
            (Vocabulary::Core, "IsLanguageDependent") => Self::LanguageDependent,
            (Vocabulary::Core, "OptionalParameter") => Self::OptionalParameter,
            (Vocabulary::Core, "Permissions") => Self::Permissions,
            (Vocabulary::Core, "OptimisticConcurrency") => Self::Concurrency,
            (Vocabulary::Capabilities, "FilterFunctions") => Self::FilterFunctions,
            (Vocabulary::Capabilities, "InsertRestrictions") => Self::Insert,
            (Vocabulary::Capabilities, "UpdateRestrictions") => Self::Update,
            (Vocabulary::Capabilities, "DeleteRestrictions") => Self::Delete,
            (Vocabulary::Capabilities, "ReadRestrictions") => Self::Read,
            (Vocabulary::Capabilities, "FilterRestrictions") => Self::Filter,
            (Vocabulary::Capabilities, "SortRestrictions") => Self::Sort,
            (Vocabulary::Capabilities, "SearchRestrictions") => Self::Search,
            (Vocabulary::Capabilities, "CountRestrictions") => Self::Count,
            (Vocabulary::Capabilities, "ExpandRestrictions") => Self::Expand,
            (Vocabulary::Capabilities, "TopSupported") => Self::Top,
            (Vocabulary::Capabilities, "SkipSupported") => Self::Skip,
            (Vocabulary::Capabilities, "ChangeTracking") => Self::ChangeTracking,
            (Vocabulary::Capabilities, "BatchSupport" | "BatchSupported") => Self::Batch,
            (Vocabulary::Capabilities, "NavigationRestrictions") => Self::Navigation,
            _ => return None,
        })
    }

    /// The list that the term itself is.
    fn list(self) -> Option<List> {
        match self {
            Self::Concurrency => Some(List::Concurrency),
            Self::FilterFunctions => Some(List::FilterFunctions),
            _ => None,
        }
    }
}

/// An annotation while it is read.
struct Reading {
    term: Term,
    /// Names of the record members down to where the reader stands.
    path: Vec<Box<str>>,
    navigation: NavigationRestriction,
    facts: Vec<Fact>,
}

impl Parser<'_> {
    /// Reads an `Annotation` element. An unknown term is left out.
    pub(super) fn annotation(&mut self, tag: &Tag<'_>, on: &Target) -> Result<(), BadPayload> {
        let (mut term, mut known) = (None, true);
        let mut value: Option<String> = None;
        let aliases = &self.aliases;
        tag.attributes(|name, text| match name {
            "Term" => {
                let (vocabulary, name) = aliases.term(text);
                term = Term::of(vocabulary, name);
                known = term.is_some();
            }
            // `Path` and `AnnotationPath` are computed at run time, except where they name a property.
            _ if known && is_value(name) => value = Some(text.to_owned()),
            _ => {}
        })?;
        let Some(term) = term else {
            return self.xml.skip(tag);
        };
        let mut reading = Reading {
            term,
            path: Vec::new(),
            navigation: NavigationRestriction::default(),
            facts: Vec::new(),
        };
        if let Some(list) = term.list() {
            reading.facts.push(Fact::Begun(list));
        }
        // It is there or not; what it holds is the default value.
        if term == Term::OptionalParameter {
            reading.facts.push(Fact::OptionalParameter);
        }
        match value {
            Some(value) => self.value(&mut reading, &value),
            None if tag.empty => self.value(&mut reading, "true"),
            None => {}
        }
        self.expression(tag, &mut reading)?;
        self.facts
            .extend(reading.facts.into_iter().map(|fact| (on.clone(), fact)));
        Ok(())
    }

    /// The contents of an annotation, a record, a collection or a member.
    fn expression(&mut self, tag: &Tag<'_>, reading: &mut Reading) -> Result<(), BadPayload> {
        if tag.empty {
            return Ok(());
        }
        loop {
            match self.xml.next()? {
                Step::Open(child) => match child.name() {
                    "Record" => {
                        self.expression(&child, reading)?;
                        if reading.term == Term::Navigation && reading.path.len() == 1 {
                            let done = std::mem::take(&mut reading.navigation);
                            if !done.path.is_empty() {
                                reading.facts.push(Fact::Navigation(done));
                            }
                        }
                    }
                    "Collection" => self.expression(&child, reading)?,
                    "PropertyValue" => {
                        let mut member = Box::<str>::default();
                        let mut value = None;
                        child.attributes(|name, text| match name {
                            "Property" => member = text.into(),
                            _ if is_value(name) => value = Some(text.to_owned()),
                            _ => {}
                        })?;
                        reading.path.push(member);
                        if let Some(value) = value {
                            self.value(reading, &value);
                        }
                        self.expression(&child, reading)?;
                        reading.path.pop();
                    }
                    name if is_value(name) => {
                        let value = self.xml.text(&child)?;
                        self.value(reading, &value);
                    }
                    _ => self.xml.skip(&child)?,
                },
                Step::Text(_) => {}
                Step::Close => return Ok(()),
                Step::End => return Err(BadPayload::Truncated),
            }
        }
    }

    /// A single value at the place where the reader stands.
    fn value(&mut self, reading: &mut Reading, value: &str) {
        let yes = value != "false";
        let path: Vec<&str> = reading.path.iter().map(|member| &**member).collect();
        let fact = match (reading.term, path.as_slice()) {
            (Term::Label, []) => Fact::Label(self.names.of(value)),
            (Term::Unit, []) => Fact::Unit(self.names.of(value)),
            (Term::Text, []) => Fact::Text(self.names.of(value)),
            (Term::UpperCase, []) => Fact::UpperCase(yes),
            (Term::Digits, []) => Fact::Digits(yes),
            (Term::Computed, []) => Fact::Computed(yes),
            (Term::ComputedDefault, []) => Fact::ComputedDefault(yes),
            (Term::Immutable, []) => Fact::Immutable(yes),
            (Term::LanguageDependent, []) => Fact::LanguageDependent(yes),
            (Term::Permissions, []) if value.ends_with("/Read") && !value.contains(' ') => Fact::Computed(true),
            (Term::Control, []) => match value.rsplit('/').next() {
                Some("Mandatory" | "7") => Fact::Control(FieldControl::Mandatory),
                Some("Optional" | "3") => Fact::Control(FieldControl::Optional),
                Some("ReadOnly" | "1") => Fact::Control(FieldControl::ReadOnly),
                Some("Hidden" | "Inapplicable" | "0") => Fact::Control(FieldControl::Hidden),
                _ => return,
            },
            (Term::Concurrency, []) if value != "true" => Fact::Listed(List::Concurrency, self.names.of(value)),
            (Term::FilterFunctions, []) => Fact::Listed(List::FilterFunctions, self.names.of(value)),
            (Term::Top, []) => Fact::Flag(Flag::Top, yes),
            (Term::Skip, []) => Fact::Flag(Flag::Skip, yes),
            (Term::Batch, [] | ["Supported"]) => Fact::Flag(Flag::Batch, yes),
            (Term::Insert, ["Insertable"]) => Fact::Flag(Flag::Insertable, yes),
            (Term::Update, ["Updatable"]) => Fact::Flag(Flag::Updatable, yes),
            (Term::Delete, ["Deletable"]) => Fact::Flag(Flag::Deletable, yes),
            (Term::Read, ["Readable"]) => Fact::Flag(Flag::Readable, yes),
            (Term::Read, ["ReadByKeyRestrictions", "Readable"]) => Fact::Flag(Flag::ReadableByKey, yes),
            (Term::Filter, ["Filterable"]) => Fact::Flag(Flag::Filterable, yes),
            (Term::Filter, ["RequiresFilter"]) => Fact::Flag(Flag::RequiresFilter, yes),
            (Term::Sort, ["Sortable"]) => Fact::Flag(Flag::Sortable, yes),
            (Term::Search, ["Searchable"]) => Fact::Flag(Flag::Searchable, yes),
            (Term::Count, ["Countable"]) => Fact::Flag(Flag::Countable, yes),
            (Term::Expand, ["Expandable"]) => Fact::Flag(Flag::Expandable, yes),
            (Term::ChangeTracking, [] | ["Supported"]) => Fact::Flag(Flag::ChangeTracking, yes),
            (Term::Insert, ["RequiredProperties"]) => Fact::Listed(List::RequiredOnInsert, self.names.of(value)),
            (Term::Insert, ["NonInsertableProperties" | "NonInsertableNavigationProperties"]) => {
                Fact::Listed(List::NonInsertable, self.names.of(value))
            }
            (Term::Update, ["NonUpdatableProperties" | "NonUpdatableNavigationProperties"]) => {
                Fact::Listed(List::NonUpdatable, self.names.of(value))
            }
            (Term::Filter, ["NonFilterableProperties"]) => Fact::Listed(List::NonFilterable, self.names.of(value)),
            (Term::Filter, ["RequiredProperties"]) => Fact::Listed(List::RequiredInFilter, self.names.of(value)),
            (Term::Sort, ["NonSortableProperties"]) => Fact::Listed(List::NonSortable, self.names.of(value)),
            (Term::Expand, ["NonExpandableProperties"]) => Fact::Listed(List::NonExpandable, self.names.of(value)),
            (Term::Navigation, ["RestrictedProperties", rest @ ..]) => {
                let navigation = &mut reading.navigation;
                let into = match rest {
                    ["NavigationProperty"] => {
                        navigation.path = self.names.of(value);
                        return;
                    }
                    ["InsertRestrictions", "Insertable"] => &mut navigation.insertable,
                    ["UpdateRestrictions", "Updatable"] => &mut navigation.updatable,
                    ["DeleteRestrictions", "Deletable"] => &mut navigation.deletable,
                    ["ReadRestrictions", "Readable"] => &mut navigation.readable,
                    ["FilterRestrictions", "Filterable"] => &mut navigation.filterable,
                    _ => return,
                };
                *into = Some(yes);
                return;
            }
            _ => return,
        };
        reading.facts.push(fact);
    }
}

/// Names of the attributes, and of the elements, that hold a constant.
fn is_value(name: &str) -> bool {
    matches!(
        name,
        "String" | "Bool" | "PropertyPath" | "NavigationPropertyPath" | "EnumMember" | "Int" | "Path"
    )
}
