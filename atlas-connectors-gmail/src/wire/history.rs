//! `users.history`: <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.history>

use std::collections::BTreeMap;

use atlas_connectors::http::Call;
use atlas_connectors::mail::{MailChange, MessageRef};
use atlas_connectors::{LabelId, MessageId, PageToken, Result};
use serde::Deserialize;

use crate::wire::messages::{Listed, PAGE_MAX};
use crate::wire::{Api, HistoryId, Method};

/// What to read of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListHistory {
    /// Changes after this position.
    pub start: HistoryId,
    /// Kinds of change; none means all. Singular in the request although the answer's keys are plural.
    pub types: Vec<HistoryType>,
    /// Records a page, at most 500.
    pub max_results: Option<u32>,
    /// The page.
    pub page_token: Option<PageToken>,
}

impl ListHistory {
    /// All changes after this position.
    pub fn after(start: HistoryId) -> Self {
        Self {
            start,
            types: Vec::new(),
            max_results: None,
            page_token: None,
        }
    }
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HistoryType {
    /// A message came.
    MessageAdded,
    /// A message is gone for good.
    MessageDeleted,
    /// Labels were put on.
    LabelAdded,
    /// Labels were taken off.
    LabelRemoved,
}

impl HistoryType {
    /// The word in the request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MessageAdded => "messageAdded",
            Self::MessageDeleted => "messageDeleted",
            Self::LabelAdded => "labelAdded",
            Self::LabelRemoved => "labelRemoved",
        }
    }
}

/// One page of `history.list`. The key `history` may be missing, also on a page that is not the last.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HistoryPage {
    /// Records, oldest first.
    #[serde(default)]
    pub history: Vec<Record>,
    /// The next page.
    #[serde(default)]
    pub next_page_token: Option<PageToken>,
    /// The present end of the history: where to go on once the last page is applied.
    pub history_id: HistoryId,
}

/// One record of the history. `messages` only repeats which messages are named, so it is not read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Record {
    /// Its position.
    pub id: HistoryId,
    /// Messages that came.
    #[serde(default)]
    pub messages_added: Vec<Change>,
    /// Messages that are gone.
    #[serde(default)]
    pub messages_deleted: Vec<Change>,
    /// Labels put on.
    #[serde(default)]
    pub labels_added: Vec<Change>,
    /// Labels taken off.
    #[serde(default)]
    pub labels_removed: Vec<Change>,
}

/// One message in a record.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Change {
    /// The message.
    pub message: Listed,
    /// The labels that were put on or taken off.
    #[serde(default)]
    pub label_ids: Vec<LabelId>,
}

/// `GET users/me/history`; answers a [`HistoryPage`], or 404 when the position is too old or unknown.
///
/// # Errors
/// None in practice: everything goes into the query, escaped.
pub fn list(api: &Api, wanted: &ListHistory) -> Result<Call> {
    let method = Method::HistoryList;
    let mut url = api.url(method, &["history"])?;
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("startHistoryId", wanted.start.as_str());
        for kind in &wanted.types {
            query.append_pair("historyTypes", kind.as_str());
        }
        if let Some(max) = wanted.max_results {
            query.append_pair("maxResults", &max.clamp(1, PAGE_MAX).to_string());
        }
        if let Some(page) = &wanted.page_token {
            query.append_pair("pageToken", page.as_str());
        }
        query.append_pair("prettyPrint", "false");
    }
    api.bare(method, http::Method::GET, &url)
}

/// The changes of a page in the order in which they are to be applied: by position, within a record additions before
/// labels before deletions. A repeated record is dropped, a message is announced once a page and not at all once the
/// same page deletes it, and label changes of one message in one record are one change.
pub fn changes(page: &HistoryPage) -> Vec<MailChange> {
    let mut records: Vec<&Record> = page.history.iter().collect();
    records.sort_by(|a, b| a.id.cmp(&b.id));
    records.dedup();

    let mut changes: Vec<MailChange> = Vec::new();
    for record in records {
        for added in &record.messages_added {
            push_new(&mut changes, MailChange::Present(reference(&added.message)));
        }
        let mut labels: BTreeMap<MessageId, (MessageRef, Vec<LabelId>, Vec<LabelId>)> = BTreeMap::new();
        for added in &record.labels_added {
            let entry = labels
                .entry(added.message.id.clone())
                .or_insert_with(|| (reference(&added.message), Vec::new(), Vec::new()));
            entry.1.extend(added.label_ids.iter().cloned());
        }
        for removed in &record.labels_removed {
            let entry = labels
                .entry(removed.message.id.clone())
                .or_insert_with(|| (reference(&removed.message), Vec::new(), Vec::new()));
            entry.2.extend(removed.label_ids.iter().cloned());
        }
        for (message, added, removed) in labels.into_values() {
            changes.push(MailChange::Labels {
                message,
                added,
                removed,
            });
        }
        for deleted in &record.messages_deleted {
            let gone = &deleted.message.id;
            changes.retain(|change| subject(change) != Some(gone));
            changes.push(MailChange::Deleted(reference(&deleted.message)));
        }
    }
    changes
}

fn push_new(changes: &mut Vec<MailChange>, change: MailChange) {
    if !changes.contains(&change) {
        changes.push(change);
    }
}

fn reference(listed: &Listed) -> MessageRef {
    MessageRef {
        id: listed.id.clone(),
        thread: listed.thread_id.clone(),
    }
}

fn subject(change: &MailChange) -> Option<&MessageId> {
    match change {
        MailChange::Present(message) | MailChange::Labels { message, .. } | MailChange::Deleted(message) => {
            Some(&message.id)
        }
        _ => None,
    }
}
