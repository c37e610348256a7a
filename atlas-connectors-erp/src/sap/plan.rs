//! From a write to the one request that carries it out. Pure: checks names and types, sends nothing.

use atlas_connectors::erp::{ActionCall, Base, Create, Delete, EntityName, Etag, RecordKey, Update, Write};
use atlas_connectors::{Error, ErrorKind, Result, Timestamp};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH};
use http::{HeaderMap, Method};
use sha2::{Digest as _, Sha256};

use crate::odata::{BodyFor, BodyWriter, EntityModel, NumberStyle, Version, key_predicate};
use crate::sap::drafts;
use crate::sap::http_date;
use crate::sap::parameters;
use crate::sap::schema::Loaded;

const REQUEST_ID: HeaderName = HeaderName::from_static("requestid");
const REPEATABILITY_CREATION: HeaderName = HeaderName::from_static("repeatabilitycreation");
const REPEATABILITY_ID: HeaderName = HeaderName::from_static("repeatability-request-id");
const REPEATABILITY_SENT: HeaderName = HeaderName::from_static("repeatability-first-sent");

/// One request: path and query below the root of the service, encoded.
#[derive(Clone)]
pub(super) struct Planned {
    pub(super) operation: &'static str,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) entity: EntityName,
    /// The record it is about, where there is one before.
    pub(super) key: Option<RecordKey>,
}

/// What a plan needs to know beside the write.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    /// 32 hexadecimal digits, the same for every try of the same intent.
    pub(super) id: &'a str,
    pub(super) now: Timestamp,
    /// The state that the write depends on, where the base does not hold it.
    pub(super) etag: Option<&'a Etag>,
}

/// The request id of an intent's part.
pub(super) fn request_id(intent: &str, part: usize) -> String {
    let digest = Sha256::digest(format!("{intent}/{part}").as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02X}")).collect()
}

pub(super) fn plan(loaded: &Loaded, write: &Write, terms: Terms<'_>) -> Result<Planned> {
    match write {
        Write::Create(create) => create_plan(loaded, create, terms),
        Write::Update(update) => update_plan(loaded, update, terms),
        Write::Delete(delete) => delete_plan(loaded, delete, terms),
        Write::Action(call) => action_plan(loaded, call, terms),
        _ => {
            let kind = ErrorKind::Unsupported {
                what: "a batch inside of a batch",
            };
            Err(Error::new(kind, "sap.batch"))
        }
    }
}

fn writer(loaded: &Loaded) -> BodyWriter<'_> {
    BodyWriter::new(&loaded.dialect, &loaded.model).with_numbers(NumberStyle::Text)
}

fn create_plan(loaded: &Loaded, create: &Create, terms: Terms<'_>) -> Result<Planned> {
    let entity = loaded.entity(create.entity.as_str())?;
    allowed(entity, entity.entity().verbs.create, "create")?;
    let writer = writer(loaded);
    let body = writer.record(entity, BodyFor::Create, &create.fields, &create.lines)?;
    let mut planned = Planned::new("sap.create", Method::POST, &create.entity, loaded);
    planned
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(writer.content_type()));
    planned.repeatable(loaded.version(), terms);
    planned.body = body;
    Ok(planned)
}

fn update_plan(loaded: &Loaded, update: &Update, terms: Terms<'_>) -> Result<Planned> {
    let entity = loaded.entity(update.entity.as_str())?;
    allowed(entity, entity.entity().verbs.update, "update")?;
    let writer = writer(loaded);
    let fields: Vec<_> = update
        .changes
        .iter()
        .map(|change| (change.field.clone(), change.new.clone()))
        .collect();
    let body = writer.record(entity, BodyFor::Update, &fields, &[])?;
    let method = match loaded.version() {
        // Gateways of before 2014 know no PATCH; MERGE they all know.
        Version::V2 => Method::from_bytes(b"MERGE").unwrap_or(Method::PATCH),
        _ => Method::PATCH,
    };
    let mut planned = Planned::new("sap.update", method, &update.entity, loaded);
    planned.at(loaded, entity, &update.key)?;
    planned
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(writer.content_type()));
    planned.condition(&update.base, terms)?;
    planned.body = body;
    Ok(planned)
}

fn delete_plan(loaded: &Loaded, delete: &Delete, terms: Terms<'_>) -> Result<Planned> {
    let entity = loaded.entity(delete.entity.as_str())?;
    allowed(entity, entity.entity().verbs.delete, "delete")?;
    let mut planned = Planned::new("sap.delete", Method::DELETE, &delete.entity, loaded);
    planned.at(loaded, entity, &delete.key)?;
    planned.condition(&delete.base, terms)?;
    Ok(planned)
}

fn action_plan(loaded: &Loaded, call: &ActionCall, terms: Terms<'_>) -> Result<Planned> {
    let operation = "sap.action";
    let entity = loaded.entity(call.entity.as_str())?;
    let spec = entity.entity().action(&call.action).or_else(|| {
        loaded
            .model
            .unbound()
            .iter()
            .find(|spec| spec.name.matches(&call.action))
    });
    let Some(spec) = spec else {
        let kind = ErrorKind::SchemaMismatch {
            path: format!("{}.{}", call.entity, call.action),
            fault: atlas_connectors::error::SchemaFault::Missing,
        };
        return Err(Error::new(kind, operation));
    };
    let mut planned = Planned::new(operation, Method::POST, &call.entity, loaded);
    planned.key.clone_from(&call.key);
    planned.repeatable(loaded.version(), terms);
    // Without a body some servers lose the parameters in the address (`sap-odata.md`, section 13).
    planned.body = Bytes::from_static(b"{}");
    planned
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if loaded.version() == Version::V2 {
        let mut given = call.parameters.clone();
        if let Some(key) = &call.key {
            for (field, _) in entity.key() {
                let takes = spec.parameters.iter().any(|parameter| parameter.name == field.name);
                if takes
                    && !given.iter().any(|(name, _)| *name == field.name)
                    && let Some(part) = key.part(field.name.as_str())
                {
                    given.push((field.name.clone(), part.into()));
                }
            }
        }
        spec.name.as_str().clone_into(&mut planned.path);
        planned.query = parameters::query(spec, &given)?;
        return Ok(planned);
    }
    let writer = writer(loaded);
    planned.body = writer.parameters(&spec.parameters, &call.parameters)?;
    planned
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(writer.content_type()));
    match (&call.key, spec.bound) {
        (Some(key), true) => {
            planned.at(loaded, entity, key)?;
            planned.path = format!("{}/{}", planned.path, spec.name);
            planned.condition(&call.base, terms)?;
        }
        (None, true) => {
            let kind = ErrorKind::Invalid {
                what: "action",
                why: "it belongs to a record, and none is named",
            };
            return Err(Error::new(kind, operation));
        }
        (_, false) => spec.name.local().clone_into(&mut planned.path),
    }
    Ok(planned)
}

fn allowed(entity: &EntityModel, may: bool, verb: &'static str) -> Result<()> {
    match may {
        true => Ok(()),
        false => {
            let kind = ErrorKind::Unsupported {
                what: "this verb on this entity",
            };
            Err(Error::new(kind, "sap.write")
                .with_provider(crate::sap::provider())
                .with_context("entity", &entity.entity().name)
                .with_context("verb", verb))
        }
    }
}

impl Planned {
    fn new(operation: &'static str, method: Method, entity: &EntityName, loaded: &Loaded) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(loaded.version().accept()));
        Self {
            operation,
            method,
            path: entity.as_str().to_owned(),
            query: String::new(),
            headers,
            body: Bytes::new(),
            entity: entity.clone(),
            key: None,
        }
    }

    fn at(&mut self, loaded: &Loaded, entity: &EntityModel, key: &RecordKey) -> Result<()> {
        let key = drafts::whole_key(entity, key);
        let predicate = key_predicate(&loaded.dialect, entity, &key)?;
        self.path = format!("{}{predicate}", self.entity);
        self.key = Some(key);
        Ok(())
    }

    /// `If-Match` with the state that was approved; never `*`, which overrides everybody.
    fn condition(&mut self, base: &Base, terms: Terms<'_>) -> Result<()> {
        let etag = match base {
            Base::Etag(etag) => Some(etag),
            _ => terms.etag,
        };
        if let Some(etag) = etag {
            let value = HeaderValue::from_str(etag.as_str()).map_err(|_| {
                let kind = ErrorKind::Invalid {
                    what: "etag",
                    why: "no header can hold it",
                };
                Error::new(kind, self.operation)
            })?;
            self.headers.insert(IF_MATCH, value);
        }
        Ok(())
    }

    /// Headers by which a system that keeps answers knows a repeat. Harmless where it does not; believed only where its
    /// answer says so (`sap-odata.md`, section 13).
    fn repeatable(&mut self, version: Version, terms: Terms<'_>) {
        let dashed = || {
            let id = terms.id.to_ascii_lowercase();
            let part = |from: usize, to: usize| id.get(from..to).unwrap_or_default().to_owned();
            [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
        };
        let pairs = match version {
            Version::V2 => [
                (REQUEST_ID, terms.id.to_owned()),
                (REPEATABILITY_CREATION, terms.now.to_string()),
            ],
            _ => [
                (REPEATABILITY_ID, dashed()),
                (REPEATABILITY_SENT, http_date::format(terms.now)),
            ],
        };
        for (name, value) in pairs {
            if let Ok(value) = HeaderValue::from_str(&value) {
                self.headers.insert(name, value);
            }
        }
    }
}
