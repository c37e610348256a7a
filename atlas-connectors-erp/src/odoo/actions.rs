//! Steps of documents, quiet notes and activities.

use atlas_connectors::action::Reconciled;
use atlas_connectors::erp::{ActionCall, Base, EntityName, FieldName, Record, RecordKey, Value, Written};
use atlas_connectors::error::{Effect, ErrorKind, ProviderMessage, Severity};
use atlas_connectors::{Error, Result};

use crate::odoo::session::Door;
use crate::odoo::shapes::{Shape, Shapes};
use crate::odoo::wire::{Json, Method, ModelCall, endpoint_invalid};
use crate::odoo::writing::{self, Handle};
use crate::odoo::{domain, values};

/// The states that say that a step is done, by model and method.
const DONE: &[(&str, &str, &[&str])] = &[
    ("sale.order", "action_confirm", &["sale", "done"]),
    ("sale.order", "action_cancel", &["cancel"]),
    ("sale.order", "action_draft", &["draft"]),
    ("purchase.order", "button_confirm", &["purchase", "to approve", "done"]),
    ("purchase.order", "button_cancel", &["cancel"]),
    ("purchase.order", "button_draft", &["draft"]),
    ("account.move", "action_post", &["posted"]),
    ("account.move", "button_cancel", &["cancel"]),
    ("account.move", "button_draft", &["draft"]),
];

fn done_states(model: &str, method: &str) -> Option<&'static [&'static str]> {
    let found = DONE.iter().find(|(of, step, _)| *of == model && *step == method);
    found.map(|(_, _, states)| *states)
}

/// A quiet note on a record: it is kept in the record's history and mails nobody.
pub fn note(record: &Record, text: &str) -> ActionCall {
    ActionCall::on(record, "message_post")
        .with("body", text)
        .with("message_type", "comment")
        .with("subtype_xmlid", "mail.mt_note")
}

/// A to-do on a record for a person: the place for "somebody must look". `user` is the number of the user's record.
pub fn activity(
    record: &Record,
    summary: &str,
    user: Option<i64>,
    due: Option<atlas_connectors::erp::Date>,
) -> ActionCall {
    let mut call = ActionCall::on(record, "activity_schedule")
        .with("act_type_xmlid", "mail.mail_activity_data_todo")
        .with("summary", summary);
    if let Some(user) = user {
        call = call.with("user_id", user);
    }
    if let Some(due) = due {
        call = call.with("date_deadline", due);
    }
    call
}

/// Refuses what cannot be called.
pub(super) fn check(shape: &Shape, call: &ActionCall) -> Result<()> {
    let Some(key) = &call.key else {
        let what = "an action on no record";
        return Err(Error::new(ErrorKind::Unsupported { what }, "odoo.action").with_provider(super::provider()));
    };
    built(shape, call, key).map(|_| ())
}

fn built(shape: &Shape, call: &ActionCall, key: &RecordKey) -> Result<ModelCall> {
    let id = values::id_of(key)?;
    let method = match call.action.as_str() {
        "message_post" => Method::MessagePost,
        "activity_schedule" => Method::ActivitySchedule,
        // What every model has is not an action: it has a kind of write of its own.
        "write" | "unlink" | "create" | "load" | "copy" | "read" | "search" => {
            return Err(endpoint_invalid(
                "action",
                "this is a write of its own kind, not an action",
            ));
        }
        name => Method::Action(name.into()),
    };
    let mut built = ModelCall::new(shape.model(), method).on(&[id]);
    for (name, value) in &call.parameters {
        built = built.with(name.as_str(), argument(value)?);
    }
    built.check()?;
    Ok(built)
}

fn argument(value: &Value) -> Result<Json> {
    Ok(match value {
        Value::Null => Json::Bool(false),
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Integer(number) => Json::int(*number),
        Value::Decimal(number) => Json::Number(number.to_string().into()),
        Value::Text(text) | Value::Enum(text) => Json::text(text),
        Value::Date(date) => Json::text(date.to_string()),
        Value::Instant(moment) => Json::text(values::datetime(*moment)),
        Value::Relation(relation) => Json::int(values::id_of(&relation.key)?),
        Value::List(items) => Json::List(items.iter().map(argument).collect::<Result<_>>()?),
        _ => return Err(endpoint_invalid("parameter", "a value of a kind that no action takes")),
    })
}

/// Calls the action, and looks at the record afterwards.
pub(super) async fn commit(door: &Door, shapes: &Shapes, shape: &Shape, call: &ActionCall) -> Result<Written> {
    let Some(key) = &call.key else {
        return Err(endpoint_invalid("action", "it names no record"));
    };
    let context = door.context(call.company.as_ref()).await?;
    let answer = door.ask(&built(shape, call, key)?.within(context)).await?;
    let result = answer.value()?;
    let after = state(door, shapes, shape, call, key).await;
    let wizard = result
        .member("type")
        .and_then(Json::as_text)
        .is_some_and(|kind| kind.starts_with("ir.actions"));
    let done = done_states(shape.model(), call.action.local());
    let reached = match (&after, done) {
        (Ok(Some(record)), Some(states)) => Some(
            record
                .value("state")
                .and_then(Value::as_str)
                .is_some_and(|state| states.contains(&state)),
        ),
        _ => None,
    };
    // A dialog is Odoo's way to say "not yet": a person has to answer. Unless the record says that it is done.
    if (wizard && reached != Some(true)) || (done.is_some() && reached == Some(false)) {
        let what = format!("{}.{}", shape.model(), call.action.local());
        return Err(Error::new(ErrorKind::NeedsInteraction { what }, "odoo.action")
            .with_provider(super::provider())
            .with_class(atlas_connectors::error::OperationClass::Write)
            .with_effect(Effect::None));
    }
    let mut written = Written::at(key.clone());
    if let Ok(Some(record)) = after {
        written.record = Some(record);
    }
    if wizard {
        let text = "Odoo opens a window for it in its own program; the record is already in the state that was wanted.";
        written = written.with_messages([ProviderMessage::new(Severity::Info, text)]);
    }
    Ok(written)
}

async fn state(
    door: &Door,
    shapes: &Shapes,
    shape: &Shape,
    call: &ActionCall,
    key: &RecordKey,
) -> Result<Option<Record>> {
    let names: Vec<FieldName> = ["name", "state", "active"]
        .iter()
        .filter(|name| shape.has(name))
        .map(|name| FieldName::from(*name))
        .collect();
    let names = if names.is_empty() {
        Vec::from(["id".into()])
    } else {
        names
    };
    writing::look(door, shapes, shape, key, &names, call.company.as_ref()).await
}

/// Finds out whether a step was taken: by the state that follows it, or by what it left behind.
pub(super) async fn reconcile(
    door: &Door,
    shapes: &Shapes,
    shape: &Shape,
    call: &ActionCall,
    handle: &Handle,
) -> Result<Reconciled<Written>> {
    let Some(key) = &call.key else {
        return Ok(Reconciled::Unknown);
    };
    match call.action.local() {
        "message_post" => {
            let found = left_behind(door, shape, call, handle, "mail.message", "model", &["body"]).await?;
            return found_or_settled(door, handle, key, found);
        }
        "activity_schedule" => {
            let found = left_behind(door, shape, call, handle, "mail.activity", "res_model", &["summary"]).await?;
            return found_or_settled(door, handle, key, found);
        }
        _ => {}
    }
    let Some(now) = state(door, shapes, shape, call, key).await? else {
        return Ok(Reconciled::Unknown);
    };
    let states = done_states(shape.model(), call.action.local()).unwrap_or_default();
    let is_done = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .is_some_and(|state| states.contains(&state))
    };
    let reached = is_done(now.value("state"));
    let before = call.about.iter().find(|(name, _)| name.as_str() == "state");
    // The shown second may hide a change: a state that was not there before decides before it.
    let told_apart = reached && before.is_some_and(|(_, value)| !is_done(Some(value)));
    let unmoved = matches!(&call.base, Base::Version(version) if now.version() == Some(version));
    if unmoved && !told_apart {
        return writing::settled(door, handle);
    }
    if reached {
        let mut written = Written::at(key.clone());
        written.record = Some(now);
        return Ok(Reconciled::Happened(written));
    }
    Ok(Reconciled::Unknown)
}

fn found_or_settled(door: &Door, handle: &Handle, key: &RecordKey, found: bool) -> Result<Reconciled<Written>> {
    if found {
        return Ok(Reconciled::Happened(Written::at(key.clone())));
    }
    writing::settled(door, handle)
}

/// Whether the user has left such a row on the record since the write was prepared.
async fn left_behind(
    door: &Door,
    shape: &Shape,
    call: &ActionCall,
    handle: &Handle,
    entity: &str,
    model_field: &str,
    texts: &[&str],
) -> Result<bool> {
    let Some(key) = &call.key else { return Ok(false) };
    let uid = door.session().await?.uid;
    let own = [
        domain::term(model_field, "=", Json::text(shape.model())),
        domain::term("res_id", "=", Json::int(values::id_of(key)?)),
        domain::term("create_uid", "=", Json::int(uid)),
        domain::term("create_date", ">=", Json::text(handle.earliest())),
    ];
    let terms = own.into_iter().fold(domain::Domain::new(), domain::both);
    let name = EntityName::from(entity);
    let search = ModelCall::new(name.as_str(), Method::SearchRead)
        .with("domain", Json::List(terms))
        .with("fields", Json::texts(texts))
        .with("limit", Json::int(200))
        .with("order", Json::text("id desc"))
        .within(door.context(call.company.as_ref()).await?);
    let answer = door.ask(&search).await?;
    let rows = answer.value()?;
    let wanted = |field: &str| {
        let held = call.parameters.iter().find(|(name, _)| name.as_str() == field);
        held.and_then(|(_, value)| value.as_str())
            .map(words)
            .unwrap_or_default()
    };
    Ok(rows.as_list().unwrap_or_default().iter().any(|row| {
        texts
            .iter()
            .all(|field| row.member(field).and_then(Json::as_text).map(words).unwrap_or_default() == wanted(field))
    }))
}

/// The words of a text, whatever markup the server put around them.
fn words(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut inside = false;
    for c in text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
        .chars()
    {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_known_again_through_the_servers_markup() {
        assert_eq!(
            words("<p>Hello from &lt;b&gt;Atlas&lt;/b&gt;</p>"),
            words("Hello from <b>Atlas</b>")
        );
        assert_ne!(words("<p>Hello</p>"), words("Goodbye"));
    }
}
