//! What an ERP really has: entities, fields, verbs, actions, as its live metadata says.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::erp::{ActionName, EntityName, FieldName};
use crate::ids::{CompanyId, ProviderId};

/// The entities of one connection as its ERP described them at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Catalog {
    /// The provider.
    pub provider: ProviderId,
    /// The company it is for, where entities differ by company.
    pub company: Option<CompanyId>,
    /// The language of the labels, as asked for.
    pub language: Option<String>,
    /// When it was read.
    pub taken_at: Timestamp,
    /// Version of the system, as it says.
    pub system: Option<String>,
    /// Modules and services, and whether they are there.
    pub services: Vec<Service>,
    /// The entities, in the provider's order.
    pub entities: Vec<Entity>,
}

impl Catalog {
    /// A catalog without entities.
    pub fn new(provider: impl Into<ProviderId>, taken_at: Timestamp) -> Self {
        Self {
            provider: provider.into(),
            company: None,
            language: None,
            taken_at,
            system: None,
            services: Vec::new(),
            entities: Vec::new(),
        }
    }

    /// An entity by its name.
    pub fn entity(&self, name: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.name.as_str() == name)
    }

    /// A module or service by its name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// Changes if and only if something changes that a workflow could notice: names, types, sizes, values, verbs, services.
    /// Labels, order and the time of reading do not count.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut parts: Vec<String> = self.entities.iter().map(Entity::essence).collect();
        parts.extend(
            self.services
                .iter()
                .map(|service| format!("service {} {:?}", service.name, service.state)),
        );
        parts.sort_unstable();
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Fingerprint(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// SHA-256 over what matters in a catalog, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(Box<str>);

impl Fingerprint {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A module or service that entities come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The provider's name: `sale`, `API_SALES_ORDER_SRV`.
    pub name: String,
    /// Whether it is there.
    pub state: ServiceState,
}

/// Whether a module or service is there for this account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceState {
    /// It answers.
    Active,
    /// It is not installed, registered or published.
    Missing,
    /// It is there, and this account may not use it.
    Forbidden,
}

/// One kind of record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entity {
    /// The provider's name.
    pub name: EntityName,
    /// What people call it, in the catalog's language.
    pub label: String,
    /// The module or service it comes from.
    pub service: Option<String>,
    /// What kind of thing it is.
    pub kind: EntityKind,
    /// The fields that identify a record, in order.
    pub key: Vec<FieldName>,
    /// What may be done with its records, as far as the metadata tells. The account may have fewer rights.
    pub verbs: Verbs,
    /// What reading of it can do.
    pub support: Support,
    /// Whether its records carry an ETag.
    pub etag: bool,
    /// The field that tells when a record was last changed, where there is one.
    pub changed_at: Option<FieldName>,
    /// Its fields and relations, in the provider's order.
    pub fields: Vec<Field>,
    /// What else can be done with its records.
    pub actions: Vec<ActionSpec>,
}

impl Entity {
    /// An entity of this name with this key, of which everything is allowed.
    pub fn new<K: Into<FieldName>>(name: impl Into<EntityName>, key: impl IntoIterator<Item = K>) -> Self {
        let name = name.into();
        Self {
            label: name.as_str().to_owned(),
            name,
            service: None,
            kind: EntityKind::Other,
            key: key.into_iter().map(Into::into).collect(),
            verbs: Verbs::ALL,
            support: Support::ALL,
            etag: false,
            changed_at: None,
            fields: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// A field or relation by its name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }

    /// An action by its name, whatever its case and namespace.
    pub fn action(&self, name: &ActionName) -> Option<&ActionSpec> {
        self.actions.iter().find(|action| action.name.matches(name))
    }

    fn essence(&self) -> String {
        use std::fmt::Write as _;

        let mut out = format!("entity {} {:?} {:?} {}", self.name, self.verbs, self.support, self.etag);
        for key in &self.key {
            let _ = write!(out, " key {key}");
        }
        let mut fields: Vec<String> = self.fields.iter().map(Field::essence).collect();
        fields.sort_unstable();
        let mut actions: Vec<String> = self.actions.iter().map(ActionSpec::essence).collect();
        actions.sort_unstable();
        for part in fields.iter().chain(&actions) {
            let _ = write!(out, "\n{part}");
        }
        out
    }
}

/// What kind of thing an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntityKind {
    /// Something that happens: an order, an invoice.
    Document,
    /// A part of a document: its lines.
    Line,
    /// Something that lasts: a customer, an item.
    Master,
    /// Settings, codes, texts, and everything else.
    Other,
}

/// What may be done with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Verbs {
    /// Read.
    pub read: bool,
    /// Create.
    pub create: bool,
    /// Change.
    pub update: bool,
    /// Delete.
    pub delete: bool,
}

impl Verbs {
    /// All of them.
    pub const ALL: Self = Self {
        read: true,
        create: true,
        update: true,
        delete: true,
    };

    /// Reading only.
    pub const READ: Self = Self {
        read: true,
        create: false,
        update: false,
        delete: false,
    };

    /// Whether this one is among them.
    pub const fn allows(self, verb: Verb) -> bool {
        match verb {
            Verb::Read => self.read,
            Verb::Create => self.create,
            Verb::Update => self.update,
            Verb::Delete => self.delete,
        }
    }
}

/// One thing that may be done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Read.
    Read,
    /// Create.
    Create,
    /// Change.
    Update,
    /// Delete.
    Delete,
}

impl Verb {
    /// Stable word: `read`, `create`, `update`, `delete`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What reading of an entity can do at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Support {
    /// Pages.
    pub paging: bool,
    /// The number of all matching records.
    pub counting: bool,
    /// Conditions.
    pub filtering: bool,
    /// Orders other than the key's.
    pub ordering: bool,
    /// Changes since a point, by a delta link or a field with the time of the last change.
    pub change_tracking: bool,
}

impl Support {
    /// All of it.
    pub const ALL: Self = Self {
        paging: true,
        counting: true,
        filtering: true,
        ordering: true,
        change_tracking: true,
    };
}

/// One field or relation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Field {
    /// The provider's name.
    pub name: FieldName,
    /// What people call it, in the catalog's language.
    pub label: String,
    /// The type.
    pub kind: FieldKind,
    /// Most characters of a text.
    pub length: Option<u32>,
    /// Digits of a number in all.
    pub precision: Option<u32>,
    /// Digits of a number after the point.
    pub scale: Option<u32>,
    /// Whether it may be without a value.
    pub nullable: bool,
    /// Whether a create must name it.
    pub required: bool,
    /// Whether it cannot be written.
    pub read_only: bool,
    /// Whether it can be written on create only.
    pub create_only: bool,
    /// Whether the server can filter by it.
    pub filterable: bool,
    /// Whether the server can order by it.
    pub sortable: bool,
    /// Whether it holds upper case only, so that what is searched for must be too.
    pub upper_case: bool,
    /// The listed values of an enumeration.
    pub values: Vec<EnumValue>,
    /// Where a relation points.
    pub relation: Option<EntityName>,
    /// Whether this customer added it: `x_…`, `YY1_…`, an extension field.
    pub custom: bool,
}

impl Field {
    /// A field of this type: nullable, writable, filterable, sortable.
    pub fn new(name: impl Into<FieldName>, kind: FieldKind) -> Self {
        let name = name.into();
        Self {
            label: name.as_str().to_owned(),
            name,
            kind,
            length: None,
            precision: None,
            scale: None,
            nullable: true,
            required: false,
            read_only: false,
            create_only: false,
            filterable: true,
            sortable: true,
            upper_case: false,
            values: Vec::new(),
            relation: None,
            custom: false,
        }
    }

    fn essence(&self) -> String {
        let mut values: Vec<&str> = self.values.iter().map(|one| one.value.as_str()).collect();
        values.sort_unstable();
        format!(
            "field {} {:?} {:?} {:?} {:?} null {} required {} read_only {} create_only {} filter {} sort {} to {:?} values {values:?}",
            self.name,
            self.kind,
            self.length,
            self.precision,
            self.scale,
            self.nullable,
            self.required,
            self.read_only,
            self.create_only,
            self.filterable,
            self.sortable,
            self.relation,
        )
    }
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FieldKind {
    /// True or false.
    Bool,
    /// A whole number.
    Integer,
    /// An exact number.
    Decimal,
    /// Text.
    Text,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// A moment.
    Instant,
    /// A GUID, held as text in lower case.
    Guid,
    /// Bytes within the record.
    Binary,
    /// Bytes beside the record, fetched on their own.
    Stream,
    /// One of listed values.
    Enum,
    /// A reference to one record.
    Relation,
    /// References to several records, such as lines.
    Relations,
    /// A type that this library does not interpret; its values come as text or lists.
    Other,
}

/// A listed value of an enumeration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnumValue {
    /// What is stored, in the provider's spelling.
    pub value: String,
    /// What people read, in the catalog's language.
    pub label: String,
}

impl EnumValue {
    /// A value and its label.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            label: label.into(),
        }
    }
}

/// Something that can be done with a record beside the four verbs: confirm, post, release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActionSpec {
    /// The provider's name.
    pub name: ActionName,
    /// Whether it is called on one record.
    pub bound: bool,
    /// What it is given.
    pub parameters: Vec<Field>,
    /// What it answers, if anything.
    pub returns: Option<FieldKind>,
}

impl ActionSpec {
    /// An action on one record without parameters and answer.
    pub fn new(name: impl Into<ActionName>) -> Self {
        Self {
            name: name.into(),
            bound: true,
            parameters: Vec::new(),
            returns: None,
        }
    }

    fn essence(&self) -> String {
        let parameters: Vec<String> = self.parameters.iter().map(Field::essence).collect();
        format!("action {} {} {parameters:?}", self.name, self.bound)
    }
}

/// Which part of a catalog is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CatalogScope {
    /// The company; `None` takes the connection's own.
    pub company: Option<CompanyId>,
    /// These entities only; empty takes all that the connector knows to look for.
    pub entities: Vec<EntityName>,
    /// Whether what is cached does not count.
    pub refresh: bool,
}

impl CatalogScope {
    /// Everything, from the cache where it is fresh.
    pub fn all() -> Self {
        Self::default()
    }

    /// These entities only.
    pub fn entities<E: Into<EntityName>>(entities: impl IntoIterator<Item = E>) -> Self {
        Self {
            entities: entities.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// In this company.
    #[must_use]
    pub fn in_company(mut self, company: impl Into<CompanyId>) -> Self {
        self.company = Some(company.into());
        self
    }

    /// Read anew, whatever is cached.
    #[must_use]
    pub fn refreshed(mut self) -> Self {
        self.refresh = true;
        self
    }
}
