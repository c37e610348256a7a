//! `users.labels`.

use serde_json::{Value, json};

use super::answer::{ApiError, Reply, set};
use super::dispatch::{Answer, Call};
use super::mailbox::{Label, Mailbox, SYSTEM_LABELS};
use super::server::World;

pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailbox(&call.user)?;
    let system = SYSTEM_LABELS.iter().map(|id| describe(mailbox, id, false));
    let user = mailbox.labels.keys().map(|id| describe(mailbox, id, false));
    let labels: Vec<Value> = system.chain(user).flatten().collect();
    Ok(Reply::json(&json!({ "labels": labels })))
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailbox(&call.user)?;
    describe(mailbox, &call.route.id, true)
        .map(|label| Reply::json(&label))
        .ok_or(ApiError::NotFound)
}

/// A label; counts only where Gmail gives them, which is `labels.get`.
fn describe(mailbox: &Mailbox, id: &str, counted: bool) -> Option<Value> {
    let mut label = match mailbox.labels.get(id) {
        Some(label) => {
            let mut shown = json!({
                "id": id,
                "name": label.name,
                "messageListVisibility": label.message_list,
                "labelListVisibility": label.label_list,
                "type": "user",
            });
            if let Some((text, background)) = &label.color {
                set(
                    &mut shown,
                    "color",
                    json!({ "textColor": text, "backgroundColor": background }),
                );
            }
            shown
        }
        None if SYSTEM_LABELS.contains(&id) && id.starts_with("CATEGORY_") => json!({
            "id": id,
            "name": id,
            "messageListVisibility": "hide",
            "labelListVisibility": "labelHide",
            "type": "system",
        }),
        None if SYSTEM_LABELS.contains(&id) => json!({ "id": id, "name": id, "type": "system" }),
        None => return None,
    };
    if counted {
        let (mut messages, mut unread) = (0, 0);
        let (mut threads, mut unread_threads) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for stored in mailbox.messages.values().filter(|stored| stored.has(id)) {
            messages += 1;
            threads.insert(stored.thread);
            if stored.has("UNREAD") {
                unread += 1;
                unread_threads.insert(stored.thread);
            }
        }
        set(&mut label, "messagesTotal", json!(messages));
        set(&mut label, "messagesUnread", json!(unread));
        set(&mut label, "threadsTotal", json!(threads.len()));
        set(&mut label, "threadsUnread", json!(unread_threads.len()));
    }
    Some(label)
}

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let body = call.json()?;
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let label = read(&body, None)?;
    if mailbox.label_named(&label.name).is_some() {
        return Err(ApiError::LabelConflict);
    }
    let id = mailbox.new_label(label);
    world.counters.labels_created += 1;
    let mailbox = world.mailbox(&call.user)?;
    describe(mailbox, &id, false)
        .map(|label| Reply::json(&label))
        .ok_or(ApiError::NotFound)
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    let body = call.json()?;
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let id = call.route.id.clone();
    if SYSTEM_LABELS.contains(&id.as_str()) {
        return Err(ApiError::InvalidArgument("Invalid update request".to_owned()));
    }
    let old = mailbox.labels.get(&id).cloned().ok_or(ApiError::NotFound)?;
    let label = read(&body, Some(old))?;
    if mailbox.label_named(&label.name).is_some_and(|other| other != id) {
        return Err(ApiError::LabelConflict);
    }
    mailbox.labels.insert(id.clone(), label);
    describe(mailbox, &id, false)
        .map(|label| Reply::json(&label))
        .ok_or(ApiError::NotFound)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let id = call.route.id.clone();
    if SYSTEM_LABELS.contains(&id.as_str()) {
        return Err(ApiError::InvalidArgument("Invalid delete request".to_owned()));
    }
    mailbox.labels.remove(&id).ok_or(ApiError::NotFound)?;
    let bearers: Vec<u64> = mailbox
        .messages
        .iter()
        .filter(|(_, stored)| stored.has(&id))
        .map(|(message, _)| *message)
        .collect();
    for message in bearers {
        mailbox.relabel(message, &[], std::slice::from_ref(&id));
    }
    Ok(Reply::empty())
}

fn read(body: &Value, old: Option<Label>) -> Result<Label, ApiError> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    let old = old.unwrap_or_else(|| Label {
        name: String::new(),
        message_list: "show".to_owned(),
        label_list: "labelShow".to_owned(),
        color: None,
    });
    let name = text("name").unwrap_or(old.name);
    if name.trim().is_empty() || name.len() > 225 {
        return Err(ApiError::InvalidArgument("Invalid label name".to_owned()));
    }
    let color = |key: &str| {
        body.pointer(&format!("/color/{key}"))
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    Ok(Label {
        name,
        message_list: text("messageListVisibility").unwrap_or(old.message_list),
        label_list: text("labelListVisibility").unwrap_or(old.label_list),
        color: color("textColor").zip(color("backgroundColor")).or(old.color),
    })
}
