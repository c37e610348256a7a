//! Writes: checked and prepared, compared with their base, let out once, and found again.

use atlas_connectors::action::{Approved, HandleState, Prepared, Reconciled};
use atlas_connectors::erp::{ActionCall, Base, Delete, FieldName, RecordKey, Update, Value, Write, Written};
use atlas_connectors::error::{Effect, ErrorKind};
use atlas_connectors::{CompanyId, Error, Result, Timestamp};
use serde::{Deserialize, Serialize};

use crate::odoo::read::{self, Selection};
use crate::odoo::session::Door;
use crate::odoo::shapes::{Shape, Shapes};
use crate::odoo::wire::{Json, Method, ModelCall};
use crate::odoo::{actions, creating, values};

/// What a call may still be running after its caller has left: a server's own limits, and some more.
pub(super) const STILL_RUNNING: std::time::Duration = std::time::Duration::from_secs(150);

/// What finds a write again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Handle {
    /// The external id that a create goes by; `None` for everything else.
    pub(super) name: Option<String>,
    /// The server's time when it was prepared.
    pub(super) since: String,
}

impl Handle {
    pub(super) fn of(prepared: &Prepared<Write>) -> Result<Self> {
        let text = prepared.handle().unwrap_or_default();
        serde_json::from_str(text).map_err(|_| {
            let (what, why) = ("handle", "not one of this connector's");
            Error::new(ErrorKind::Invalid { what, why }, "odoo.write").with_provider(super::provider())
        })
    }

    pub(super) fn since(&self) -> Timestamp {
        values::moment(&self.since).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// From when on what it made may be dated: `create_date` is the start of a transaction, in whole seconds.
    pub(super) fn earliest(&self) -> String {
        values::datetime(self.since().before(std::time::Duration::from_secs(2)))
    }
}

/// Checks a write against what the server has, and makes what finds it again.
pub(super) async fn prepare(door: &Door, shapes: &Shapes, approved: &Approved<Write>) -> Result<Prepared<Write>> {
    let write = approved.action();
    let company = write.company();
    let entity = write.entity().ok_or_else(no_batches)?;
    let shape = shapes.of(door, entity.as_str(), false).await?;
    let mut handle = Handle {
        name: None,
        since: values::datetime(server_now(door, shape.model(), company).await?),
    };
    match write {
        Write::Create(create) => {
            let ready = creating::ready(door, shapes, &shape, create, approved.intent()).await?;
            handle.name = ready.external_id();
        }
        Write::Update(update) => {
            values::id_of(&update.key)?;
            changes_of(&shape, update)?;
        }
        Write::Delete(delete) => {
            values::id_of(&delete.key)?;
        }
        Write::Action(call) => actions::check(&shape, call)?,
        _ => return Err(no_batches()),
    }
    let handle = serde_json::to_string(&handle).unwrap_or_default();
    Ok(approved.prepared(Some(handle)))
}

fn no_batches() -> Error {
    let what = "a batch: Odoo has no transaction over several calls";
    Error::new(ErrorKind::Unsupported { what }, "odoo.write").with_provider(super::provider())
}

async fn server_now(door: &Door, model: &str, company: Option<&CompanyId>) -> Result<Timestamp> {
    let context = door.context(company).await?;
    let call = ModelCall::new(model, Method::Search)
        .with(
            "domain",
            Json::List(Vec::from([Json::List(Vec::from([
                Json::text("id"),
                Json::text("="),
                Json::int(0),
            ]))])),
        )
        .with("limit", Json::int(1))
        .within(context);
    // A user who may create but not read has no other way to the server's time.
    match door.ask_at(&call).await {
        Ok((_, date)) => Ok(date.unwrap_or_else(|| door.clock().now())),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied { .. }) => Ok(door.clock().now()),
        Err(error) => Err(error),
    }
}

/// The values of an update as they are written.
fn changes_of(shape: &Shape, update: &Update) -> Result<Vec<(String, Json)>> {
    let mut written = Vec::new();
    for change in &update.changes {
        let name = change.field.as_str();
        let (field, _) = shape.field(name)?;
        // Odoo itself would take it: a computed total can be set to anything, and stays so.
        if field.read_only || name == "id" {
            let (what, why) = ("field", "Odoo computes it, or keeps it for its own steps");
            return Err(Error::new(ErrorKind::Invalid { what, why }, "odoo.write")
                .with_provider(super::provider())
                .with_context("field", name));
        }
        if field.required && change.new.is_null() {
            let (what, why) = ("field", "it cannot be emptied");
            return Err(Error::new(ErrorKind::Invalid { what, why }, "odoo.write")
                .with_provider(super::provider())
                .with_context("field", name));
        }
        written.push((name.to_owned(), values::written(shape, name, &change.new)?));
    }
    Ok(written)
}

/// Reads the record again and compares it with what the write was decided on.
pub(super) async fn check_base(door: &Door, shapes: &Shapes, prepared: &Prepared<Write>) -> Result<HandleState> {
    let (key, base, olds): (&RecordKey, &Base, Vec<(&FieldName, &Value)>) = match prepared.action() {
        Write::Update(update) => {
            let olds = update
                .changes
                .iter()
                .filter_map(|change| Some((&change.field, change.old.as_ref()?)));
            (&update.key, &update.base, olds.collect())
        }
        Write::Delete(Delete { key, base, about, .. }) => (key, base, pairs(about)),
        Write::Action(ActionCall {
            key: Some(key),
            base,
            about,
            ..
        }) => (key, base, pairs(about)),
        _ => return Ok(HandleState::AsApproved),
    };
    let write = prepared.action();
    let entity = write.entity().ok_or_else(no_batches)?;
    let shape = shapes.of(door, entity.as_str(), false).await?;
    let comparable = |value: &Value| !matches!(value, Value::Record(_) | Value::Records(_) | Value::Binary(_));
    let compared: Vec<(&FieldName, &Value)> = olds
        .into_iter()
        .filter(|(name, value)| shape.has(name.as_str()) && comparable(value) && name.as_str() != "write_date")
        .collect();
    let names: Vec<FieldName> = compared.iter().map(|(name, _)| (*name).clone()).collect();
    let names = if names.is_empty() {
        Vec::from(["id".into()])
    } else {
        names
    };
    let Some(now) = look(door, shapes, &shape, key, &names, write.company()).await? else {
        return Ok(HandleState::Gone);
    };
    let same_version = match base {
        Base::Version(version) => now.version() == Some(&**version),
        Base::OldValues => true,
        // There are no ETags here: a base of another connector.
        _ => false,
    };
    // The shown second may hide a second change: what was read is compared too.
    let same_values = compared
        .iter()
        .all(|(name, old)| now.value(name.as_str()).is_some_and(|value| value.says_the_same(old)));
    Ok(if same_version && same_values {
        HandleState::AsApproved
    } else {
        HandleState::Changed
    })
}

fn pairs(fields: &[(FieldName, Value)]) -> Vec<(&FieldName, &Value)> {
    fields.iter().map(|(name, value)| (name, value)).collect()
}

/// A record as it is now, archived or not; `None` if it is gone.
pub(super) async fn look(
    door: &Door,
    shapes: &Shapes,
    shape: &Shape,
    key: &RecordKey,
    names: &[FieldName],
    company: Option<&CompanyId>,
) -> Result<Option<atlas_connectors::erp::Record>> {
    let selection = Selection::new(shape, names, &[])?;
    let id = values::id_of(key)?;
    let found = read::by_ids(door, shapes, shape, &selection, &[id], company).await?;
    Ok(found.into_iter().next())
}

/// Lets the write out.
pub(super) async fn commit(door: &Door, shapes: &Shapes, prepared: &Prepared<Write>) -> Result<Written> {
    let write = prepared.action();
    let entity = write.entity().ok_or_else(no_batches)?;
    let shape = shapes.of(door, entity.as_str(), false).await?;
    match write {
        Write::Create(create) => {
            let ready = creating::ready(door, shapes, &shape, create, prepared.intent()).await?;
            creating::commit(door, shapes, &shape, create, &ready).await
        }
        Write::Update(update) => {
            let values = changes_of(&shape, update)?;
            let id = values::id_of(&update.key)?;
            let call = ModelCall::new(shape.model(), Method::Write)
                .on(&[id])
                .with("vals", Json::Object(values))
                .within(door.context(update.company.as_ref()).await?);
            expect_true(&door.ask(&call).await?)?;
            Ok(after(door, shapes, &shape, update).await)
        }
        Write::Delete(delete) => {
            let id = values::id_of(&delete.key)?;
            let call = ModelCall::new(shape.model(), Method::Unlink)
                .on(&[id])
                .within(door.context(delete.company.as_ref()).await?);
            match door.ask(&call).await {
                Ok(answer) => expect_true(&answer)?,
                // Somebody was faster: what was wanted is so.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
            Ok(Written::at(delete.key.clone()))
        }
        Write::Action(call) => actions::commit(door, shapes, &shape, call).await,
        _ => Err(no_batches()),
    }
}

fn expect_true(answer: &crate::odoo::wire::Answer) -> Result<()> {
    match answer.value()? {
        Json::Bool(true) => Ok(()),
        _ => Err(answer.wrong_type("result")),
    }
}

/// An update that has happened, with what the server made of it. A read that fails does not undo the write.
async fn after(door: &Door, shapes: &Shapes, shape: &Shape, update: &Update) -> Written {
    let names: Vec<FieldName> = update.changes.iter().map(|change| change.field.clone()).collect();
    let written = Written::at(update.key.clone());
    match look(door, shapes, shape, &update.key, &names, update.company.as_ref()).await {
        Ok(Some(record)) => {
            let asked = asked_of(shape, update);
            written.read_back(record, asked.iter().map(|(name, value)| (name, value)))
        }
        Ok(None) | Err(_) => written,
    }
}

/// What an update asks for, as it is read once it is stored. Rows of lines are left out: they are told by keys.
fn asked_of(shape: &Shape, update: &Update) -> Vec<(FieldName, Value)> {
    let plain = update
        .changes
        .iter()
        .filter(|change| !matches!(change.new, Value::Records(_)));
    plain
        .map(|change| {
            let name = change.field.clone();
            let asked = values::as_stored(shape, name.as_str(), &change.new);
            (name, asked)
        })
        .collect()
}

/// Finds out whether an earlier commit happened.
pub(super) async fn reconcile(door: &Door, shapes: &Shapes, prepared: &Prepared<Write>) -> Result<Reconciled<Written>> {
    let write = prepared.action();
    let entity = write.entity().ok_or_else(no_batches)?;
    let shape = shapes.of(door, entity.as_str(), false).await?;
    let handle = Handle::of(prepared)?;
    match write {
        Write::Create(create) => creating::reconcile(door, shapes, &shape, create, &handle).await,
        Write::Update(update) => reconcile_update(door, shapes, &shape, update).await,
        Write::Delete(delete) => {
            let names = ["id".into()];
            let found = look(door, shapes, &shape, &delete.key, &names, delete.company.as_ref()).await?;
            Ok(match found {
                // It was there when it was read, under the same rules.
                None => Reconciled::Happened(Written::at(delete.key.clone())),
                Some(_) => settled(door, &handle)?,
            })
        }
        Write::Action(call) => actions::reconcile(door, shapes, &shape, call, &handle).await,
        _ => Ok(Reconciled::Unknown),
    }
}

/// "It did not happen", once no call of that time can be running any more: hanging up does not cancel one.
pub(super) fn settled<T>(door: &Door, handle: &Handle) -> Result<Reconciled<T>> {
    if door.clock().now().since(handle.since()) >= STILL_RUNNING {
        return Ok(Reconciled::DidNotHappen);
    }
    Err(Error::new(ErrorKind::Transient, "odoo.reconcile")
        .with_provider(super::provider())
        .with_effect(Effect::None)
        .with_context("wait_seconds", STILL_RUNNING.as_secs()))
}

async fn reconcile_update(door: &Door, shapes: &Shapes, shape: &Shape, update: &Update) -> Result<Reconciled<Written>> {
    let mut names: Vec<FieldName> = update.changes.iter().map(|change| change.field.clone()).collect();
    let writer = FieldName::from("write_uid");
    if shape.has("write_uid") && !names.contains(&writer) {
        names.push(writer);
    }
    let Some(now) = look(door, shapes, shape, &update.key, &names, update.company.as_ref()).await? else {
        return Ok(Reconciled::Unknown);
    };
    let stored = |name: &FieldName| now.value(name.as_str()).cloned().unwrap_or(Value::Null);
    let asked = asked_of(shape, update);
    let as_asked = asked.iter().all(|(name, value)| stored(name).says_the_same(value));
    let unmoved = matches!(&update.base, Base::Version(version) if now.version() == Some(version));
    let untouched = update.changes.iter().all(|change| {
        let old = change.old.as_ref();
        old.is_some_and(|old| stored(&change.field).says_the_same(old))
    });
    let uid = door.session().await?.uid;
    let by_us = now
        .value("write_uid")
        .and_then(Value::as_relation)
        .is_some_and(|writer| values::id_of(&writer.key).ok() == Some(uid));
    // The shown second may hide a change: what is stored decides before it.
    let told_apart = as_asked && !untouched;
    // Writing what is there already moves `write_date`: an unmoved one with the old values proves that nothing was written.
    if unmoved && !told_apart && (untouched || as_asked) {
        return Ok(Reconciled::DidNotHappen);
    }
    // Rounded on the way in, and nobody else has written since.
    let rounded = by_us && !untouched;
    if as_asked || rounded {
        let asked = asked.iter().map(|(name, value)| (name, value));
        let written = Written::at(update.key.clone()).read_back(now, asked);
        return Ok(Reconciled::Happened(written));
    }
    Ok(Reconciled::Unknown)
}
