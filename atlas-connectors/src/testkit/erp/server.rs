//! The server's side: rights, rules, locks, faults, and how a write is carried out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use crate::erp::{
    ActionCall, ActionName, Base, Batch, Catalog, Create, Delete, Entity, EntityName, Field, FieldKind, FieldName,
    PartOutcome, RecordKey, Relation, Update, Value, Write, Written,
};
use crate::error::{Error, ErrorKind, FieldFault, OperationClass, ProviderMessage, Rejection, Result, Severity};
use crate::ids::CompanyId;
use crate::testkit::erp::check;
use crate::testkit::erp::data::{Data, Parent, Stored};
use crate::testkit::erp::memory::{ErpFault, RecordStates};
use crate::testkit::erp::read::etag;

/// Whether a value is refused.
pub(super) type Refuses = Arc<dyn Fn(&Value) -> bool + Send + Sync>;

pub(super) struct Server {
    pub(super) catalog: Arc<Catalog>,
    pub(super) states: RecordStates,
    pub(super) data: Data,
    pub(super) denied: BTreeSet<(EntityName, String)>,
    pub(super) locked: BTreeSet<(EntityName, RecordKey)>,
    pub(super) rules: Vec<Rule>,
    pub(super) numbering: Vec<(EntityName, FieldName, String)>,
    pub(super) actions: Vec<(EntityName, ActionName, ActionEffect)>,
    pub(super) write_faults: VecDeque<ErpFault>,
    pub(super) read_faults: VecDeque<ErrorKind>,
    pub(super) requests: u64,
    /// Cursors up to this state are too old.
    pub(super) oldest: u64,
}

pub(super) struct Rule {
    pub(super) entity: EntityName,
    pub(super) field: FieldName,
    pub(super) code: String,
    pub(super) refuses: Refuses,
}

/// What an action does.
#[derive(Clone, Debug)]
pub(super) enum ActionEffect {
    Sets(Vec<(FieldName, Value)>),
    Asks,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("effects", &self.data.effects)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Refuses what the account may not do.
    pub(super) fn may(&self, entity: &EntityName, verb: &'static str) -> Result<()> {
        if !self.denied.contains(&(entity.clone(), verb.to_owned())) {
            return Ok(());
        }
        let object = entity.to_string();
        Err(
            Error::new(ErrorKind::PermissionDenied { object, verb }, "memory.server")
                .with_status(403)
                .with_provider_code("NoAuthorization"),
        )
    }

    /// Carries a write out, with what creates are found by again.
    pub(super) fn apply(
        &mut self,
        write: &Write,
        company: Option<&CompanyId>,
        marker: Option<&str>,
    ) -> Result<Written> {
        match write {
            Write::Create(create) => {
                self.may(&create.entity, "create")?;
                let key = self.create(create, company, marker)?;
                self.data.effects += 1;
                Ok(Written::at(key))
            }
            Write::Update(update) => self.update(update, company),
            Write::Delete(delete) => self.delete(delete, company),
            Write::Action(call) => self.call(call, company),
            Write::Batch(batch) => self.batch(batch, company, marker),
        }
    }

    fn batch(&mut self, batch: &Batch, company: Option<&CompanyId>, marker: Option<&str>) -> Result<Written> {
        let before = batch.atomic.then(|| self.data.clone());
        let mut written = Written::unread();
        for (index, part) in batch.parts.iter().enumerate() {
            let marker = marker.map(|marker| part_marker(marker, index));
            let outcome = match (self.apply(part, company, marker.as_deref()), &before) {
                (Ok(done), _) => PartOutcome::Done(Box::new(done)),
                (Err(error), None) => PartOutcome::Rejected(Rejection::of(&error)),
                (Err(error), Some(before)) => {
                    self.data = before.clone();
                    return Err(error.with_context("part", index));
                }
            };
            written.parts.push(outcome);
        }
        Ok(written)
    }

    /// Stores a new record with its lines.
    pub(super) fn create(
        &mut self,
        create: &Create,
        company: Option<&CompanyId>,
        marker: Option<&str>,
    ) -> Result<RecordKey> {
        let catalog = Arc::clone(&self.catalog);
        let entity = check::entity(&catalog, &create.entity)?;
        let gone = self.data.gone.len();
        let key = self.store(entity, &create.fields, company, marker, None)?;
        for lines in &create.lines {
            let target = check::related(&catalog, entity, &lines.relation)?;
            for row in &lines.rows {
                let parent = Parent {
                    entity: entity.name.clone(),
                    key: key.clone(),
                    relation: lines.relation.clone(),
                };
                if let Err(error) = self.store(target, row, company, None, Some(parent)) {
                    // All or nothing: a document without one of its lines is not what was asked for.
                    self.data.remove(&entity.name, company, &key);
                    self.data.gone.truncate(gone);
                    return Err(error);
                }
            }
        }
        Ok(key)
    }

    fn store(
        &mut self,
        entity: &Entity,
        fields: &[(FieldName, Value)],
        company: Option<&CompanyId>,
        marker: Option<&str>,
        parent: Option<Parent>,
    ) -> Result<RecordKey> {
        let mut values = BTreeMap::new();
        for (name, value) in fields {
            let field = check::field(&self.catalog, entity, name.as_str())?;
            values.insert(name.clone(), self.accepted(entity, field, value)?);
        }
        let needed = entity.fields.iter().filter(|field| field.required);
        for field in needed {
            if values.get(&field.name).is_none_or(Value::is_null) {
                return Err(rejected(&field.name, "required"));
            }
        }
        if let Some(parent) = &parent {
            let back = entity
                .fields
                .iter()
                .find(|field| field.kind == FieldKind::Relation && field.relation.as_ref() == Some(&parent.entity));
            if let Some(back) = back {
                let relation = Relation::to(parent.key.clone()).in_entity(parent.entity.clone());
                values.insert(back.name.clone(), relation.into());
            }
        }
        self.data.serial += 1;
        let key = self.key_of(entity, &mut values)?;
        for (of, field, prefix) in &self.numbering {
            if *of == entity.name && !values.contains_key(field) {
                values.insert(field.clone(), format!("{prefix}{:05}", self.data.serial).into());
            }
        }
        if self.data.find(&entity.name, company, &key).is_some() {
            return Err(Error::new(ErrorKind::Conflict, "memory.server").with_status(409));
        }
        let tick = self.data.next_tick();
        let stored = Stored {
            key: key.clone(),
            values,
            tick,
            marker: marker.map(str::to_owned),
            parent,
        };
        self.data.insert(&entity.name, company, stored);
        Ok(key)
    }

    /// The key that was given, or a number for a key of one field.
    fn key_of(&self, entity: &Entity, values: &mut BTreeMap<FieldName, Value>) -> Result<RecordKey> {
        let text = |value: &Value| value.to_string();
        let [only] = entity.key.as_slice() else {
            let mut parts = Vec::new();
            for name in &entity.key {
                let value = values.get(name).ok_or_else(|| rejected(name, "required"))?;
                parts.push((name.clone(), text(value).into_boxed_str()));
            }
            return Ok(RecordKey::Composite(parts));
        };
        if let Some(given) = values.get(only).filter(|value| !value.is_null()) {
            return Ok(RecordKey::single(text(given)));
        }
        let number = self.data.serial;
        let value = match entity.field(only.as_str()).map(|field| field.kind) {
            Some(FieldKind::Integer) => Value::Integer(number),
            _ => number.to_string().into(),
        };
        values.insert(only.clone(), value);
        Ok(RecordKey::single(number.to_string()))
    }

    fn update(&mut self, update: &Update, company: Option<&CompanyId>) -> Result<Written> {
        self.may(&update.entity, "update")?;
        self.untouched(&update.entity, company, &update.key, &update.base)?;
        let catalog = Arc::clone(&self.catalog);
        let entity = check::entity(&catalog, &update.entity)?;
        let mut accepted = Vec::new();
        for change in &update.changes {
            let field = check::field(&catalog, entity, change.field.as_str())?;
            if field.create_only {
                return Err(rejected(&field.name, "create_only"));
            }
            accepted.push((field.name.clone(), self.accepted(entity, field, &change.new)?));
        }
        self.set(&update.entity, company, &update.key, accepted)
    }

    fn delete(&mut self, delete: &Delete, company: Option<&CompanyId>) -> Result<Written> {
        self.may(&delete.entity, "delete")?;
        self.untouched(&delete.entity, company, &delete.key, &delete.base)?;
        self.data.remove(&delete.entity, company, &delete.key);
        self.data.effects += 1;
        Ok(Written::at(delete.key.clone()))
    }

    fn call(&mut self, call: &ActionCall, company: Option<&CompanyId>) -> Result<Written> {
        self.may(&call.entity, "action")?;
        if let Some(key) = &call.key {
            self.untouched(&call.entity, company, key, &call.base)?;
        }
        let known = self
            .actions
            .iter()
            .find(|(entity, action, _)| *entity == call.entity && action.matches(&call.action));
        let sets = match known.map(|(_, _, effect)| effect.clone()) {
            Some(ActionEffect::Asks) => {
                let what = call.action.to_string();
                return Err(Error::new(ErrorKind::NeedsInteraction { what }, "memory.server"));
            }
            Some(ActionEffect::Sets(fields)) => fields,
            None => Vec::new(),
        };
        match &call.key {
            Some(key) => self.set(&call.entity, company, key, sets),
            None => {
                self.data.effects += 1;
                Ok(Written::unread())
            }
        }
    }

    fn set(
        &mut self,
        entity: &EntityName,
        company: Option<&CompanyId>,
        key: &RecordKey,
        fields: Vec<(FieldName, Value)>,
    ) -> Result<Written> {
        let tick = self.data.next_tick();
        let stored = self.data.find_mut(entity, company, key).ok_or_else(gone)?;
        stored.values.extend(fields);
        stored.tick = tick;
        self.data.effects += 1;
        Ok(Written::at(key.clone()))
    }

    /// Changes a record behind everybody's back, without rights, rules and counting.
    pub(super) fn overwrite(
        &mut self,
        entity: &EntityName,
        company: Option<&CompanyId>,
        key: &RecordKey,
        fields: Vec<(FieldName, Value)>,
    ) -> Result<()> {
        let effects = self.data.effects;
        let set = self.set(entity, company, key, fields);
        self.data.effects = effects;
        set.map(|_| ())
    }

    /// Refuses what is gone, locked, or by its ETag another state than the one that was read.
    fn untouched(&self, entity: &EntityName, company: Option<&CompanyId>, key: &RecordKey, base: &Base) -> Result<()> {
        let stored = self.data.find(entity, company, key).ok_or_else(gone)?;
        if self.locked.contains(&(entity.clone(), key.clone())) {
            return Err(Error::new(ErrorKind::Locked, "memory.server").with_status(409));
        }
        match base {
            Base::Etag(read) if self.states == RecordStates::Etags && *read != etag(stored.tick) => {
                Err(Error::new(ErrorKind::Conflict, "memory.server").with_status(412))
            }
            _ => Ok(()),
        }
    }

    /// A value as it is stored: in the field's type, rounded to its digits; or why it is refused.
    fn accepted(&self, entity: &Entity, field: &Field, value: &Value) -> Result<Value> {
        if field.read_only {
            return Err(rejected(&field.name, "read_only"));
        }
        if value.is_null() && !field.nullable {
            return Err(rejected(&field.name, "required"));
        }
        let too_long = |text: &str| {
            let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
            field.length.is_some_and(|most| length > most)
        };
        if value.as_str().is_some_and(too_long) {
            return Err(rejected(&field.name, "too_long"));
        }
        let rule = self
            .rules
            .iter()
            .find(|rule| rule.entity == entity.name && rule.field == field.name && (rule.refuses)(value));
        if let Some(rule) = rule {
            let said = format!("{} cannot be {value}", field.label);
            let message = ProviderMessage::new(Severity::Error, said).with_field(field.name.as_str());
            return Err(rejected(&field.name, &rule.code).with_messages([message]));
        }
        Ok(stored_as(field, value))
    }
}

/// A value in the type of its field, as the server keeps it.
pub(super) fn stored_as(field: &Field, value: &Value) -> Value {
    let relation = |key: RecordKey| {
        let relation = Relation::to(key);
        match &field.relation {
            Some(target) => relation.in_entity(target.clone()).into(),
            None => relation.into(),
        }
    };
    match (field.kind, value) {
        (FieldKind::Decimal, Value::Integer(_) | Value::Decimal(_)) => match (value.as_decimal(), field.scale) {
            (Some(number), Some(scale)) if number.scale() > scale => number.round(scale).into(),
            (Some(number), _) => number.into(),
            (None, _) => value.clone(),
        },
        (FieldKind::Integer, Value::Decimal(number)) => number.to_i64().map_or_else(|| value.clone(), Value::Integer),
        (FieldKind::Enum, Value::Text(text)) => Value::Enum(text.clone()),
        (FieldKind::Relation, Value::Integer(key)) => relation((*key).into()),
        (FieldKind::Relation, Value::Text(key)) => relation(key.as_str().into()),
        _ => value.clone(),
    }
}

/// What one part of a batch is found by.
pub(super) fn part_marker(marker: &str, index: usize) -> String {
    format!("{marker}.{}", index + 1)
}

pub(super) fn gone() -> Error {
    Error::new(ErrorKind::NotFound { object: "record" }, "memory.server").with_status(404)
}

fn rejected(field: &FieldName, code: &str) -> Error {
    let fault = FieldFault {
        field: field.to_string(),
        code: code.to_owned(),
    };
    Error::new(ErrorKind::Rejected { fields: vec![fault] }, "memory.server")
        .with_class(OperationClass::Write)
        .with_status(422)
}
