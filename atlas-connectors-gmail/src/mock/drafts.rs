//! `users.drafts`.

use serde_json::{Value, json};

use super::answer::{ApiError, Reply, set};
use super::dispatch::{Answer, Call};
use super::mailbox::{Mailbox, Raw, draft_labels, hex, parse_hex};
use super::messages::{Format, One, brief, resource, select};
use super::send::{incoming, send};
use super::server::World;

pub(super) fn create(world: &mut World, call: &Call<'_>) -> Answer {
    let incoming = incoming(call, &world.settings)?;
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let thread = thread_for(mailbox, incoming.thread.as_deref())?;
    let thread = thread.or_else(|| mailbox.thread_of(&incoming.raw));
    let message = mailbox.add(Raw::Bytes(incoming.raw.into()), draft_labels(), thread, call.now);
    let draft = mailbox.new_draft(message);
    world.counters.drafts_created += 1;
    summary(world.mailbox(&call.user)?, &draft)
}

pub(super) fn update(world: &mut World, call: &Call<'_>) -> Answer {
    let incoming = incoming(call, &world.settings)?;
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    if !mailbox.drafts.contains_key(&call.route.id) {
        return Err(ApiError::NotFound);
    }
    let thread = thread_for(mailbox, incoming.thread.as_deref())?;
    mailbox
        .rewrite_draft(&call.route.id, incoming.raw, thread, call.now)
        .ok_or(ApiError::NotFound)?;
    world.counters.drafts_updated += 1;
    summary(world.mailbox(&call.user)?, &call.route.id)
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    let format = Format::of(call)?;
    let mailbox = world.mailbox(&call.user)?;
    let message = mailbox.drafts.get(&call.route.id).ok_or(ApiError::NotFound)?;
    let stored = mailbox.messages.get(message).ok_or(ApiError::NotFound)?;
    let shown = resource(mailbox, *message, stored, &format, call.now);
    let id = Value::String(call.route.id.clone());
    Ok(Reply::json_text(format!("{{\"id\":{id},\"message\":{shown}}}")))
}

pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailbox(&call.user)?;
    let all = Call {
        drafts_only: true,
        ..call.clone()
    };
    let selected = select(mailbox, &all, One::PerMessage)?;
    let entries: Vec<Value> = selected
        .ids
        .iter()
        .filter_map(|id| {
            let draft = mailbox.drafts.iter().find(|(_, message)| *message == id)?.0;
            let thread = mailbox.messages.get(id)?.thread;
            Some(json!({ "id": draft, "message": { "id": hex(*id), "threadId": hex(thread) } }))
        })
        .collect();
    let mut answer = json!({ "resultSizeEstimate": selected.estimate });
    if !entries.is_empty() {
        set(&mut answer, "drafts", Value::Array(entries));
    }
    if let Some(next) = selected.next {
        set(&mut answer, "nextPageToken", json!(next));
    }
    Ok(Reply::json(&answer))
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let message = mailbox.drafts.remove(&call.route.id).ok_or(ApiError::NotFound)?;
    mailbox.remove(message);
    world.counters.drafts_deleted += 1;
    Ok(Reply::empty())
}

/// Sends a draft by id, or what the request holds in its place. The draft is gone after that.
pub(super) fn send_draft(world: &mut World, call: &Call<'_>) -> Answer {
    let body = if call.route.upload { Value::Null } else { call.json()? };
    let given = body.get("id").and_then(Value::as_str).map(str::to_owned);
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let Some(draft) = given else {
        let incoming = incoming(call, &world.settings)?;
        let id = send(world, &call.user, incoming, call.now)?;
        return answer(world.mailbox(&call.user)?, id);
    };
    let message = *mailbox.drafts.get(&draft).ok_or(ApiError::NotFound)?;
    let stored = mailbox.messages.get(&message).ok_or(ApiError::NotFound)?;
    let mut incoming = super::send::Incoming {
        raw: stored.raw.bytes().to_vec(),
        // A draft in a thread of its own names no thread that outlives it.
        thread: None,
        labels: Vec::new(),
    };
    if mailbox
        .threads
        .get(&stored.thread)
        .is_some_and(|members| members.len() > 1)
    {
        incoming.thread = Some(hex(stored.thread));
    }
    if let Some(text) = body.pointer("/message/raw").and_then(Value::as_str) {
        incoming.raw = super::send::decode(text)?;
    }
    let kept_thread = incoming.thread.is_none().then_some(stored.thread);
    let id = super::send::send_in(world, &call.user, incoming, kept_thread, call.now)?;
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    mailbox.drafts.remove(&draft);
    mailbox.remove(message);
    answer(mailbox, id)
}

fn answer(mailbox: &Mailbox, id: u64) -> Answer {
    let stored = mailbox.messages.get(&id).ok_or(ApiError::NotFound)?;
    Ok(Reply::json(&brief(id, stored)))
}

/// What creating and updating answer: the draft with its message's ids and labels.
fn summary(mailbox: &Mailbox, draft: &str) -> Answer {
    let message = mailbox.drafts.get(draft).ok_or(ApiError::NotFound)?;
    let stored = mailbox.messages.get(message).ok_or(ApiError::NotFound)?;
    Ok(Reply::json(&json!({ "id": draft, "message": brief(*message, stored) })))
}

fn thread_for(mailbox: &Mailbox, text: Option<&str>) -> Result<Option<u64>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let thread = parse_hex(text).ok_or(ApiError::InvalidThreadId)?;
    mailbox
        .threads
        .contains_key(&thread)
        .then_some(Some(thread))
        .ok_or(ApiError::NotFound)
}
