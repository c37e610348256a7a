//! Resumable uploads: a session, then the bytes in one or more pieces.

use atlas_connectors::testkit::server::random;
use serde_json::Value;

use super::answer::{ApiError, JSON, Reply};
use super::dispatch::{Answer, Call, perform, word};
use super::server::World;

/// A resumable upload that has begun.
#[derive(Clone, Debug)]
pub(super) struct Session {
    user: String,
    method: &'static str,
    metadata: Value,
    received: Vec<u8>,
}

/// Begins an upload, takes a piece of it, or says how much has arrived.
pub(super) fn resumable(world: &mut World, call: &Call<'_>) -> Answer {
    let Some(id) = word(call, "upload_id").map(str::to_owned) else {
        return Ok(begin(world, call));
    };
    let limit = world.settings.send_limit.max(world.settings.import_limit);
    let session = world
        .uploads
        .get_mut(&id)
        .filter(|session| session.user == call.user && session.method == call.route.method)
        .ok_or(ApiError::NotFound)?;
    let range = call.headers.get("content-range").and_then(|value| value.to_str().ok());
    let (start, total) = match range {
        None => (Some(0), Some(call.body.len())),
        Some(range) => {
            parse(range).ok_or_else(|| ApiError::InvalidArgument("Failed to parse Content-Range header.".to_owned()))?
        }
    };
    if let Some(start) = start {
        // A piece sent again overwrites; one that leaves a hole is not taken.
        if start > session.received.len() {
            return Ok(incomplete(session.received.len()));
        }
        session.received.truncate(start);
        session.received.extend_from_slice(call.body);
    }
    if session.received.len() > limit {
        world.uploads.remove(&id);
        return Err(ApiError::TooLarge);
    }
    if total.is_none_or(|total| session.received.len() < total) {
        return Ok(incomplete(session.received.len()));
    }
    let Some(session) = world.uploads.remove(&id) else {
        return Err(ApiError::NotFound);
    };
    let whole = Call {
        body: &session.received,
        upload_metadata: Some(session.metadata),
        ..call.clone()
    };
    perform(world, whole)
}

fn begin(world: &mut World, call: &Call<'_>) -> Reply {
    let id = format!("ABPtcP{}", random(80));
    let metadata = call.json().unwrap_or(Value::Null);
    let session = Session {
        user: call.user.clone(),
        method: call.route.method,
        metadata,
        received: Vec::new(),
    };
    world.uploads.insert(id.clone(), session);
    let resource = if call.route.method.contains(".drafts.") {
        "drafts"
    } else {
        "messages"
    };
    let action = match call.route.method.rsplit('.').next() {
        Some("send") => "/send",
        Some("import") => "/import",
        _ => "",
    };
    let id_in_path = if call.route.id.is_empty() {
        String::new()
    } else {
        format!("/{}", call.route.id)
    };
    let location = format!(
        "{}/upload/gmail/v1/users/me/{resource}{action}{id_in_path}?uploadType=resumable&upload_id={id}",
        world.base
    );
    Reply::with_status(200, JSON, Vec::new())
        .header("location", location)
        .header("x-guploader-uploadid", id)
}

fn incomplete(received: usize) -> Reply {
    let reply = Reply::with_status(308, JSON, Vec::new());
    match received.checked_sub(1) {
        Some(last) => reply.header("range", format!("bytes=0-{last}")),
        None => reply,
    }
}

/// Start and total of `bytes 0-99/200`, `bytes 0-99/*`, `bytes */200`.
fn parse(range: &str) -> Option<(Option<usize>, Option<usize>)> {
    let (span, total) = range.trim().strip_prefix("bytes ")?.split_once('/')?;
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    if span == "*" {
        return Some((None, total));
    }
    let (start, end) = span.split_once('-')?;
    let _: usize = end.parse().ok()?;
    Some((Some(start.parse().ok()?), total))
}
