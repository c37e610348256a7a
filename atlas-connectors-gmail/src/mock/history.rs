//! `users.history.list`.

use serde_json::{Value, json};

use super::answer::{ApiError, Reply, set};
use super::dispatch::{Answer, Call, number, values, word};
use super::mailbox::{Event, Record, hex};
use super::server::World;

pub(super) fn list(world: &World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailbox(&call.user)?;
    let start: u64 = word(call, "startHistoryId")
        .and_then(|text| text.parse().ok())
        .ok_or(ApiError::MissingStartHistoryId)?;
    if start < mailbox.history_floor || start > mailbox.history_id {
        return Err(ApiError::NotFound);
    }
    let types = values(call, "historyTypes");
    let label = word(call, "labelId");
    let limit = usize::try_from(number(call, "maxResults")?.unwrap_or(100).clamp(1, 500)).unwrap_or(100);
    let from = match word(call, "pageToken") {
        None | Some("") => Page {
            after: start,
            empty: false,
        },
        Some(token) => Page::read(token).ok_or_else(|| ApiError::InvalidArgument("Invalid pageToken".to_owned()))?,
    };
    let wanted: Vec<&Record> = mailbox
        .history
        .iter()
        .skip_while(|record| record.id <= from.after)
        .filter(|record| types.is_empty() || types.iter().any(|kind| kind == singular(&record.event)))
        .filter(|record| label.is_none_or(|label| record.labels.iter().any(|one| one == label)))
        .take(limit + 1)
        .collect();
    let mut answer = json!({ "historyId": mailbox.history_id.to_string() });
    // An empty page in the middle: a token, no history.
    if mailbox.habits.empty_pages && !from.empty && !wanted.is_empty() {
        set(
            &mut answer,
            "nextPageToken",
            json!(
                Page {
                    after: from.after,
                    empty: true
                }
                .write()
            ),
        );
        return Ok(Reply::json(&answer));
    }
    let more = wanted.len() > limit;
    let page: Vec<&Record> = wanted.into_iter().take(limit).collect();
    let mut shown: Vec<Value> = page.iter().map(|record| entry(record)).collect();
    if mailbox.habits.repeats {
        shown = shown.into_iter().flat_map(|entry| [entry.clone(), entry]).collect();
    }
    if let (true, Some(last)) = (more, page.last()) {
        set(
            &mut answer,
            "nextPageToken",
            json!(
                Page {
                    after: last.id,
                    empty: false
                }
                .write()
            ),
        );
    }
    if !shown.is_empty() {
        set(&mut answer, "history", Value::Array(shown));
    }
    Ok(Reply::json(&answer))
}

fn entry(record: &Record) -> Value {
    let bare = json!({ "id": hex(record.message), "threadId": hex(record.thread) });
    let labelled = json!({ "id": hex(record.message), "threadId": hex(record.thread), "labelIds": *record.labels });
    let mut entry = json!({ "id": record.id.to_string(), "messages": [bare] });
    let (key, event) = match &record.event {
        Event::Added => ("messagesAdded", json!({ "message": labelled })),
        Event::Deleted => ("messagesDeleted", json!({ "message": labelled })),
        Event::LabelsAdded(labels) => ("labelsAdded", json!({ "message": labelled, "labelIds": labels })),
        Event::LabelsRemoved(labels) => ("labelsRemoved", json!({ "message": labelled, "labelIds": labels })),
    };
    set(&mut entry, key, json!([event]));
    entry
}

/// The word of the request's `historyTypes`; anything else silently finds nothing, as with Gmail.
fn singular(event: &Event) -> &'static str {
    match event {
        Event::Added => "messageAdded",
        Event::Deleted => "messageDeleted",
        Event::LabelsAdded(_) => "labelAdded",
        Event::LabelsRemoved(_) => "labelRemoved",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    after: u64,
    /// The empty page before this one was shown.
    empty: bool,
}

impl Page {
    fn write(self) -> String {
        format!("{:020}{}", self.after, u8::from(self.empty))
    }

    fn read(token: &str) -> Option<Self> {
        let (after, empty) = token.split_at_checked(20)?;
        Some(Self {
            after: after.parse().ok()?,
            empty: empty == "1",
        })
    }
}
