//! `users.messages`: list, get, modify, trash, delete, import.

use std::sync::Arc;

use atlas_connectors::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

use super::answer::{ApiError, Reply, set};
use super::attachments;
use super::dispatch::{Answer, Call, flag, number, values, word};
use super::mailbox::{Mailbox, Raw, Stored, hex, parse_hex};
use super::mime::{self, Shown};
use super::search::Query;
use super::send::incoming;
use super::server::World;

/// How much of a message an answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Minimal,
    Full,
    Metadata(Vec<String>),
    Raw,
}

impl Format {
    pub(super) fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        let format = match word(call, "format") {
            None | Some("full" | "FULL") => Self::Full,
            Some("minimal" | "MINIMAL") => Self::Minimal,
            Some("metadata" | "METADATA") => Self::Metadata(values(call, "metadataHeaders")),
            Some("raw" | "RAW") => Self::Raw,
            Some(other) => {
                let text =
                    format!("Invalid value at 'format' (type.googleapis.com/google.apps.gmail.v1.Format), \"{other}\"");
                return Err(ApiError::InvalidArgument(text));
            }
        };
        let only_metadata = call.scopes.contains("https://www.googleapis.com/auth/gmail.metadata")
            && !["readonly", "modify", "compose"].iter().any(|name| {
                call.scopes
                    .contains(&format!("https://www.googleapis.com/auth/gmail.{name}"))
            })
            && !call.scopes.contains("https://mail.google.com/");
        match (&format, only_metadata) {
            (Self::Full, true) if word(call, "format").is_none() => Ok(Self::Metadata(Vec::new())),
            (Self::Full, true) => Err(ApiError::MetadataScopeFormat("FULL")),
            (Self::Raw, true) => Err(ApiError::MetadataScopeFormat("RAW")),
            _ => Ok(format),
        }
    }
}

/// The message resource as JSON text.
pub(super) fn resource(mailbox: &Mailbox, id: u64, stored: &Stored, format: &Format, now: Timestamp) -> String {
    let bytes = stored.raw.bytes();
    let mut text = String::with_capacity(if *format == Format::Raw {
        bytes.len() * 4 / 3 + 512
    } else {
        1024
    });
    let labels = json!(*stored.labels);
    let snippet = Value::String(mime::snippet(&bytes));
    let (message, thread) = (hex(id), hex(stored.thread));
    let head = format!(
        "{{\"id\":\"{message}\",\"threadId\":\"{thread}\",\"labelIds\":{labels},\"snippet\":{snippet},\"sizeEstimate\":{},\"historyId\":\"{}\",\"internalDate\":\"{}\"",
        bytes.len(),
        stored.history,
        stored.date,
    );
    text.push_str(&head);
    let attachment = |part: &str| attachments::id(mailbox, id, part, now);
    match format {
        Format::Minimal => {}
        Format::Raw => {
            text.push_str(",\"raw\":\"");
            URL_SAFE.encode_string(&bytes, &mut text);
            text.push('"');
        }
        Format::Full => {
            text.push_str(",\"payload\":");
            text.push_str(&mime::payload(&bytes, Shown::Full, &attachment).to_string());
        }
        Format::Metadata(wanted) => {
            text.push_str(",\"payload\":");
            text.push_str(&mime::payload(&bytes, Shown::Metadata(wanted), &attachment).to_string());
        }
    }
    text.push('}');
    text
}

/// Id, thread and labels: what writes answer.
pub(super) fn brief(id: u64, stored: &Stored) -> Value {
    json!({ "id": hex(id), "threadId": hex(stored.thread), "labelIds": *stored.labels })
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    let format = Format::of(call)?;
    let mailbox = world.mailbox(&call.user)?;
    let (id, stored) = find(mailbox, &call.route.id)?;
    Ok(Reply::json_text(resource(mailbox, id, stored, &format, call.now)))
}

pub(super) fn find<'a>(mailbox: &'a Mailbox, text: &str) -> Result<(u64, &'a Stored), ApiError> {
    let id = parse_hex(text).ok_or(ApiError::InvalidId)?;
    mailbox
        .messages
        .get(&id)
        .map(|stored| (id, stored))
        .ok_or(ApiError::NotFound)
}

/// Messages that a list request selects, newest first: one page and the token of the next.
pub(super) struct Selected {
    pub(super) ids: Vec<u64>,
    pub(super) next: Option<String>,
    pub(super) estimate: usize,
}

/// What a list has one entry for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum One {
    PerMessage,
    /// The newest message that is selected stands for its thread.
    PerThread,
}

pub(super) fn select(mailbox: &Mailbox, call: &Call<'_>, one: One) -> Result<Selected, ApiError> {
    let text = word(call, "q").unwrap_or_default();
    if !text.is_empty() && call.scopes.contains("https://www.googleapis.com/auth/gmail.metadata") {
        return Err(ApiError::MetadataScopeQuery);
    }
    let query = Query::parse(text);
    let labels = values(call, "labelIds");
    if labels.iter().any(|label| !mailbox.label_exists(label)) {
        return Err(ApiError::LabelNotFound);
    }
    let everywhere = flag(call, "includeSpamTrash") || query.names_place();
    let limit = usize::try_from(number(call, "maxResults")?.unwrap_or(100).clamp(1, 500)).unwrap_or(100);
    let after = match word(call, "pageToken") {
        None | Some("") => None,
        Some(token) => Some(page_key(token).ok_or_else(|| ApiError::InvalidArgument("Invalid pageToken".to_owned()))?),
    };
    let hidden =
        |stored: &Stored, place: &str| !everywhere && stored.has(place) && !labels.iter().any(|label| label == place);
    let fits = |id: u64| {
        mailbox.messages.get(&id).is_some_and(|stored| {
            (!call.drafts_only || stored.has("DRAFT"))
                && !hidden(stored, "SPAM")
                && !hidden(stored, "TRASH")
                && labels.iter().all(|label| stored.has(label))
                && query.matches(mailbox, stored)
        })
    };
    let upper = after.unwrap_or((i64::MAX, u64::MAX));
    let mut ids = Vec::new();
    let mut last = None;
    let mut more = false;
    for (date, id) in mailbox.order.range(..upper).rev() {
        if !fits(*id) || (one == One::PerThread && stands_behind(mailbox, (*date, *id), &fits)) {
            continue;
        }
        if ids.len() == limit {
            more = true;
            break;
        }
        ids.push(*id);
        last = Some((*date, *id));
    }
    let next = last.filter(|_| more).map(page_token);
    // Gmail's estimate is famously 201 when there is more than it cared to count.
    let estimate = if more { ids.len().max(201) } else { ids.len() };
    Ok(Selected { ids, next, estimate })
}

/// Whether a newer message of the same thread is selected too.
fn stands_behind(mailbox: &Mailbox, (date, id): (i64, u64), fits: &dyn Fn(u64) -> bool) -> bool {
    let thread = mailbox
        .messages
        .get(&id)
        .and_then(|stored| mailbox.threads.get(&stored.thread));
    thread.is_some_and(|members| {
        members.iter().any(|other| {
            mailbox
                .messages
                .get(other)
                .is_some_and(|stored| (stored.date, *other) > (date, id))
                && fits(*other)
        })
    })
}

pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailbox(&call.user)?;
    let selected = select(mailbox, call, One::PerMessage)?;
    let mut answer = json!({ "resultSizeEstimate": selected.estimate });
    let entries: Vec<Value> = selected
        .ids
        .iter()
        .filter_map(|id| Some(json!({"id": hex(*id), "threadId": hex(mailbox.messages.get(id)?.thread)})))
        .collect();
    if !entries.is_empty() {
        set(&mut answer, "messages", Value::Array(entries));
    }
    if let Some(next) = selected.next {
        set(&mut answer, "nextPageToken", json!(next));
    }
    Ok(Reply::json(&answer))
}

/// Opaque digits, as Gmail's are.
fn page_token((date, id): (i64, u64)) -> String {
    format!("{id:020}{date:020}")
}

fn page_key(token: &str) -> Option<(i64, u64)> {
    let (id, date) = token.split_at_checked(20)?;
    Some((date.parse().ok()?, id.parse().ok()?))
}

/// Labels of a modify request, checked.
pub(super) fn wanted(mailbox: &Mailbox, body: &Value) -> Result<(Vec<String>, Vec<String>), ApiError> {
    let list = |key: &str| -> Vec<String> {
        body.get(key)
            .and_then(Value::as_array)
            .map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default()
    };
    let (add, remove) = (list("addLabelIds"), list("removeLabelIds"));
    if add.len() > 100 || remove.len() > 100 {
        return Err(ApiError::InvalidArgument("Too many labels".to_owned()));
    }
    for label in add.iter().chain(&remove) {
        if label == "SENT" || label == "DRAFT" {
            return Err(ApiError::InvalidLabel(label.clone()));
        }
        if !mailbox.label_exists(label) {
            return Err(ApiError::LabelNotFound);
        }
    }
    if add.is_empty() && remove.is_empty() {
        return Err(ApiError::InvalidArgument(
            "No label add or removes specified".to_owned(),
        ));
    }
    Ok((add, remove))
}

pub(super) fn modify(world: &mut World, call: &Call<'_>) -> Answer {
    let body = call.json()?;
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let (add, remove) = wanted(mailbox, &body)?;
    let (id, _) = find(mailbox, &call.route.id)?;
    if mailbox.relabel(id, &add, &remove) {
        world.counters.label_changes += 1;
    }
    let (id, stored) = find(mailbox, &call.route.id)?;
    Ok(Reply::json(&brief(id, stored)))
}

pub(super) fn batch_modify(world: &mut World, call: &Call<'_>) -> Answer {
    let body = call.json()?;
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let (add, remove) = wanted(mailbox, &body)?;
    for id in ids(&body)? {
        if mailbox.relabel(id, &add, &remove) {
            world.counters.label_changes += 1;
        }
    }
    Ok(Reply::empty())
}

pub(super) fn batch_delete(world: &mut World, call: &Call<'_>) -> Answer {
    let body = call.json()?;
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    for id in ids(&body)? {
        if mailbox.remove(id).is_some() {
            world.counters.deletes += 1;
        }
    }
    Ok(Reply::empty())
}

/// Ids of a batch; unknown ones are passed over, as Gmail does.
fn ids(body: &Value) -> Result<Vec<u64>, ApiError> {
    let ids: Vec<&str> = body
        .get("ids")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    if ids.is_empty() {
        return Err(ApiError::InvalidArgument("No message ids specified".to_owned()));
    }
    if ids.len() > 1000 {
        return Err(ApiError::InvalidArgument("Too many message ids".to_owned()));
    }
    Ok(ids.into_iter().filter_map(parse_hex).collect())
}

pub(super) fn trash(world: &mut World, call: &Call<'_>, into: bool) -> Answer {
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let (id, _) = find(mailbox, &call.route.id)?;
    if move_to_trash(mailbox, id, into) {
        world.counters.label_changes += 1;
    }
    let (id, stored) = find(mailbox, &call.route.id)?;
    Ok(Reply::json(&brief(id, stored)))
}

pub(super) fn move_to_trash(mailbox: &mut Mailbox, id: u64, into: bool) -> bool {
    let (trash, inbox) = (["TRASH".to_owned()], ["INBOX".to_owned()]);
    if into {
        mailbox.relabel(id, &trash, &inbox)
    } else {
        mailbox.relabel(id, &[], &trash)
    }
}

pub(super) fn delete(world: &mut World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let (id, _) = find(mailbox, &call.route.id)?;
    mailbox.remove(id);
    world.counters.deletes += 1;
    Ok(Reply::empty())
}

/// `import` and `insert`: a mail is put into the mailbox without being sent.
pub(super) fn import(world: &mut World, call: &Call<'_>) -> Answer {
    let incoming = incoming(call, &world.settings)?;
    let by_date = word(call, "internalDateSource") == Some("dateHeader");
    let date = if by_date {
        mime::date_millis(&incoming.raw).map(Timestamp::from_unix_millis)
    } else {
        None
    };
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    let mut labels = Vec::new();
    for label in incoming.labels {
        if !mailbox.label_exists(&label) {
            return Err(ApiError::LabelNotFound);
        }
        labels.push(label);
    }
    let thread = match incoming.thread.as_deref() {
        None => None,
        Some(text) => {
            let thread = parse_hex(text).ok_or(ApiError::InvalidThreadId)?;
            mailbox
                .threads
                .contains_key(&thread)
                .then_some(thread)
                .ok_or(ApiError::NotFound)?;
            Some(thread)
        }
    };
    let raw = Raw::Bytes(incoming.raw.into());
    let id = mailbox.add(raw, Arc::new(labels), thread, date.unwrap_or(call.now));
    world.counters.imports += 1;
    let (id, stored) = find(mailbox, &hex(id))?;
    Ok(Reply::json(&brief(id, stored)))
}
