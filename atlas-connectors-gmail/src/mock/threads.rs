//! `users.threads`.

use serde_json::{Value, json};

use super::answer::{ApiError, Reply, set};
use super::dispatch::{Answer, Call};
use super::mailbox::{Mailbox, hex, parse_hex};
use super::messages::{Format, One, move_to_trash, resource, select, wanted};
use super::mime;
use super::server::World;

/// The messages of a thread in the order of their dates.
fn members(mailbox: &Mailbox, text: &str) -> Result<(u64, Vec<u64>), ApiError> {
    let thread = parse_hex(text).ok_or(ApiError::InvalidId)?;
    let mut ids = mailbox.threads.get(&thread).cloned().ok_or(ApiError::NotFound)?;
    ids.sort_by_key(|id| (mailbox.messages.get(id).map(|stored| stored.date), *id));
    Ok((thread, ids))
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    let format = Format::of(call)?;
    if format == Format::Raw {
        return Err(ApiError::InvalidArgument("Invalid format: raw".to_owned()));
    }
    let mailbox = world.mailbox(&call.user)?;
    let (thread, ids) = members(mailbox, &call.route.id)?;
    let history = ids
        .iter()
        .filter_map(|id| mailbox.messages.get(id))
        .map(|stored| stored.history)
        .max()
        .unwrap_or(0);
    let messages: Vec<String> = ids
        .iter()
        .filter_map(|id| Some(resource(mailbox, *id, mailbox.messages.get(id)?, &format, call.now)))
        .collect();
    let (id, messages) = (hex(thread), messages.join(","));
    Ok(Reply::json_text(format!(
        "{{\"id\":\"{id}\",\"historyId\":\"{history}\",\"messages\":[{messages}]}}"
    )))
}

pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailbox(&call.user)?;
    let selected = select(mailbox, call, One::PerThread)?;
    let entries: Vec<Value> = selected
        .ids
        .iter()
        .filter_map(|id| {
            let stored = mailbox.messages.get(id)?;
            Some(json!({
                "id": hex(stored.thread),
                "snippet": mime::snippet(&stored.raw.bytes()),
                "historyId": stored.history.to_string(),
            }))
        })
        .collect();
    let mut answer = json!({ "resultSizeEstimate": selected.estimate });
    if !entries.is_empty() {
        set(&mut answer, "threads", Value::Array(entries));
    }
    if let Some(next) = selected.next {
        set(&mut answer, "nextPageToken", json!(next));
    }
    Ok(Reply::json(&answer))
}

pub(super) fn modify(world: &mut World, call: &Call<'_>) -> Answer {
    let body = call.json()?;
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let (add, remove) = wanted(mailbox, &body)?;
    let (thread, ids) = members(mailbox, &call.route.id)?;
    for id in ids {
        if mailbox.relabel(id, &add, &remove) {
            world.counters.label_changes += 1;
        }
    }
    brief(mailbox, thread)
}

pub(super) fn trash(world: &mut World, call: &Call<'_>, into: bool) -> Answer {
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let (thread, ids) = members(mailbox, &call.route.id)?;
    for id in ids {
        if move_to_trash(mailbox, id, into) {
            world.counters.label_changes += 1;
        }
    }
    brief(mailbox, thread)
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let (_, ids) = members(mailbox, &call.route.id)?;
    for id in ids {
        mailbox.remove(id);
        world.counters.deletes += 1;
    }
    Ok(Reply::empty())
}

fn brief(mailbox: &Mailbox, thread: u64) -> Answer {
    let (_, ids) = members(mailbox, &hex(thread))?;
    let messages: Vec<Value> = ids
        .iter()
        .filter_map(|id| Some(super::messages::brief(*id, mailbox.messages.get(id)?)))
        .collect();
    Ok(Reply::json(&json!({ "id": hex(thread), "messages": messages })))
}
