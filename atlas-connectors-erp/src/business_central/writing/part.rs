//! One write as a request, checked against the metadata before anything is sent.

use atlas_connectors::erp::{
    ActionCall, Base, Create, Etag, FieldName, Lines, Record, RecordKey, Shape, Update, Value, Write,
};
use atlas_connectors::error::{ErrorKind, FieldFault, SchemaFault};
use atlas_connectors::{CompanyId, Error, Result};
use http::Method;

use crate::business_central::connector::Inner;
use crate::business_central::described::Described;
use crate::business_central::service::{self, Effect};
use crate::business_central::{catalog, failed, operation, provider, translate};
use crate::odata::{BodyFor, BodyWriter, EntityModel, key_predicate};

impl Inner {
    /// The request of one part.
    pub(super) fn part(
        &self,
        described: &Described,
        company: &CompanyId,
        write: &Write,
        id: Option<&str>,
        etag: Option<&Etag>,
    ) -> Result<Effect> {
        let operation = name(write);
        let within = |error: Error| error.with_operation(operation).with_provider(provider());
        let entity = entity_of(write, operation)?;
        let model = described.model.entity(operation, entity).map_err(within)?;
        let if_match = etag.map(|etag| service::etag(operation, etag.as_str())).transpose()?;
        let set = catalog::set_path(&described.model, company, entity);
        let one = |key: &RecordKey| {
            let key = key_predicate(&self.dialect(), model, key).map_err(within)?;
            Ok::<_, Error>(format!("{set}{key}"))
        };
        let dialect = self.dialect();
        let writer = BodyWriter::new(&dialect, &described.model);
        let body = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).ok();
        let (method, path, body) = match write {
            Write::Create(create) => {
                let fields = create_fields(model, create, id);
                check_writable(described, entity, fields.iter().map(|(name, _)| name), operation)?;
                let lines = create_lines(described, model, create);
                let bytes = writer.record(model, BodyFor::Create, &fields, &lines).map_err(within)?;
                (Method::POST, set, body(bytes))
            }
            Write::Update(update) => {
                let fields = update_fields(model, update);
                check_writable(described, entity, fields.iter().map(|(name, _)| name), operation)?;
                let bytes = writer.record(model, BodyFor::Update, &fields, &[]).map_err(within)?;
                (Method::PATCH, one(&update.key)?, body(bytes))
            }
            Write::Delete(delete) => (Method::DELETE, one(&delete.key)?, None),
            Write::Action(call) => {
                let (path, parameters) = action(model, call, &one)?;
                let bytes = writer.parameters(&parameters, &call.parameters).map_err(within)?;
                (Method::POST, path, body(bytes))
            }
            _ => {
                return Err(failed(
                    ErrorKind::Unsupported {
                        what: "a batch within a batch",
                    },
                    operation,
                ));
            }
        };
        Ok(Effect {
            operation,
            method,
            path,
            body,
            if_match,
        })
    }

    /// The state of the record that a write was decided on, if it still is that: its etag, for the request.
    pub(super) async fn base(&self, described: &Described, company: &CompanyId, write: &Write) -> Result<BaseNow> {
        let operation = name(write);
        let (Some(base), Some(key)) = (write.base(), write.key()) else {
            return Ok(BaseNow::Nothing);
        };
        let Some(entity) = write.entity() else {
            return Ok(BaseNow::Nothing);
        };
        let model = described.model.entity(operation, entity.as_str())?;
        let shape = Shape::of(watched(model, write));
        let record = match self.record_of(described, company, entity, key, &shape, operation).await {
            Ok(record) => record,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => return Ok(BaseNow::Gone),
            Err(error) => return Err(error),
        };
        let same = match base {
            Base::Etag(etag) => record.etag() == Some(etag),
            Base::Version(version) => record.version() == Some(&**version),
            _ => old_values(write).all(|(field, old)| {
                let now = record.value(field.as_str()).unwrap_or(&Value::Null);
                says_the_same(model, field, old, now)
            }),
        };
        Ok(match (same, record.etag().cloned()) {
            (true, Some(etag)) => BaseNow::Same(etag),
            (true, None) => {
                return Err(failed(
                    ErrorKind::SchemaMismatch {
                        path: format!("{entity}.@odata.etag"),
                        fault: SchemaFault::Missing,
                    },
                    operation,
                ));
            }
            (false, _) => BaseNow::Changed(Box::new(record)),
        })
    }
}

/// What became of the state that a write was decided on.
#[derive(Debug)]
pub(super) enum BaseNow {
    /// The write has none.
    Nothing,
    /// It is still the same.
    Same(Etag),
    /// Somebody changed it.
    Changed(Box<Record>),
    /// The record is gone.
    Gone,
}

/// The stable name of a write's call.
pub(super) fn name(write: &Write) -> &'static str {
    match write {
        Write::Create(_) => operation::CREATE,
        Write::Update(_) => operation::UPDATE,
        Write::Delete(_) => operation::DELETE,
        Write::Action(_) => operation::ACTION,
        _ => operation::BATCH,
    }
}

fn entity_of<'a>(write: &'a Write, operation: &'static str) -> Result<&'a str> {
    let entity = write.entity().map(|entity| entity.as_str());
    entity.ok_or_else(|| {
        failed(
            ErrorKind::Unsupported {
                what: "a batch within a batch",
            },
            operation,
        )
    })
}

fn create_fields(model: &EntityModel, create: &Create, id: Option<&str>) -> Vec<(FieldName, Value)> {
    let mut fields: Vec<(FieldName, Value)> = Vec::with_capacity(create.fields.len() + 1);
    if let Some(id) = id {
        fields.push((FieldName::new("id"), Value::Text(id.to_owned())));
    }
    let others = create
        .fields
        .iter()
        .filter(|(name, _)| id.is_none() || name.as_str() != "id");
    fields.extend(others.map(|(name, value)| (name.clone(), translate::value(model, name.as_str(), value))));
    fields
}

fn create_lines(described: &Described, model: &EntityModel, create: &Create) -> Vec<Lines> {
    let translated = |lines: &Lines| {
        let target = model
            .field(lines.relation.as_str())
            .and_then(|(field, _)| field.relation.as_ref())
            .and_then(|set| described.model.entity(operation::CREATE, set.as_str()).ok());
        let mut out = Lines::new(lines.relation.clone());
        for row in &lines.rows {
            out = out.row(row.iter().map(|(name, value)| {
                let value = match target {
                    Some(target) => translate::value(target, name.as_str(), value),
                    None => value.clone(),
                };
                (name.clone(), value)
            }));
        }
        out
    };
    create.lines.iter().map(translated).collect()
}

fn update_fields(model: &EntityModel, update: &Update) -> Vec<(FieldName, Value)> {
    let changes = update.changes.iter();
    changes
        .map(|change| {
            let value = translate::value(model, change.field.as_str(), &change.new);
            (change.field.clone(), value)
        })
        .collect()
}

/// Fields of which the catalog knows more than the metadata says: times of change, keys.
fn check_writable<'a>(
    described: &Described,
    entity: &str,
    fields: impl Iterator<Item = &'a FieldName>,
    operation: &'static str,
) -> Result<()> {
    let Some(known) = described.catalog.entity(entity) else {
        return Ok(());
    };
    let computed = |name: &&FieldName| known.field(name.as_str()).is_some_and(|field| field.read_only);
    let faults: Vec<FieldFault> = fields
        .filter(computed)
        .map(|name| FieldFault {
            field: name.as_str().to_owned(),
            code: "read_only".to_owned(),
        })
        .collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(failed(ErrorKind::Rejected { fields: faults }, operation)),
    }
}

/// The address of an action by the metadata's own name, whatever case it was asked for in: the service itself does not
/// tell `Post` from `post`, and posting cannot be undone.
fn action(
    model: &EntityModel,
    call: &ActionCall,
    one: &dyn Fn(&RecordKey) -> Result<String>,
) -> Result<(String, Vec<atlas_connectors::erp::Field>)> {
    let Some(key) = &call.key else {
        let what = "actions that are called on no record";
        return Err(failed(ErrorKind::Unsupported { what }, operation::ACTION));
    };
    let Some(spec) = model.entity().action(&call.action) else {
        let kind = ErrorKind::SchemaMismatch {
            path: format!("{}.{}", call.entity, call.action.local()),
            fault: SchemaFault::Missing,
        };
        return Err(failed(kind, operation::ACTION));
    };
    Ok((format!("{}/{}", one(key)?, spec.name), spec.parameters.clone()))
}

/// The fields that tell whether a write has happened or may still happen: those it changes, those it was decided on, and
/// how far a document has come.
pub(super) fn watched(model: &EntityModel, write: &Write) -> Vec<FieldName> {
    let known = |name: &&FieldName| {
        model.field(name.as_str()).is_some_and(|(field, _)| {
            use atlas_connectors::erp::FieldKind;
            !matches!(
                field.kind,
                FieldKind::Relation | FieldKind::Relations | FieldKind::Stream
            )
        })
    };
    let mut fields: Vec<FieldName> = model.entity().key.clone();
    fields.extend(model.entity().changed_at.iter().cloned());
    match write {
        Write::Create(create) => fields.extend(create.fields.iter().map(|(name, _)| name).filter(known).cloned()),
        Write::Update(update) => {
            fields.extend(update.changes.iter().map(|change| &change.field).filter(known).cloned());
        }
        Write::Delete(delete) => fields.extend(delete.about.iter().map(|(name, _)| name).filter(known).cloned()),
        Write::Action(call) => {
            fields.extend(call.about.iter().map(|(name, _)| name).filter(known).cloned());
            fields.extend([FieldName::new("status")].iter().filter(known).cloned());
        }
        _ => {}
    }
    let mut once: Vec<FieldName> = Vec::with_capacity(fields.len());
    for field in fields {
        if !once.contains(&field) {
            once.push(field);
        }
    }
    once
}

fn old_values(write: &Write) -> Box<dyn Iterator<Item = (&FieldName, &Value)> + Send + '_> {
    match write {
        Write::Update(update) => {
            let known = update.changes.iter();
            Box::new(known.filter_map(|change| change.old.as_ref().map(|old| (&change.field, old))))
        }
        Write::Delete(delete) => Box::new(scalars(&delete.about)),
        Write::Action(call) => Box::new(scalars(&call.about)),
        _ => Box::new(std::iter::empty()),
    }
}

fn scalars(fields: &[(FieldName, Value)]) -> impl Iterator<Item = (&FieldName, &Value)> {
    fields
        .iter()
        .filter(|(_, value)| !matches!(value, Value::Record(_) | Value::Records(_) | Value::Binary(_)))
        .map(|(name, value)| (name, value))
}

/// Whether a field holds what was asked for, both as people read them.
pub(super) fn says_the_same(model: &EntityModel, field: &FieldName, asked: &Value, stored: &Value) -> bool {
    translate::normal(model, field.as_str(), asked).says_the_same(&translate::normal(model, field.as_str(), stored))
}
