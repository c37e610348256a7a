//! `users.watch` and `users.stop`: <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users/watch>

use atlas_connectors::http::Call;
use atlas_connectors::{LabelId, Result, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

use crate::wire::decode::number;
use crate::wire::request::invalid;
use crate::wire::{Api, HistoryId, Method};

/// What to be told about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watch {
    /// The Pub/Sub topic, `projects/…/topics/…`, of the same Cloud project as the OAuth client.
    pub topic: String,
    /// Labels to restrict it to; empty for everything.
    pub labels: Vec<LabelId>,
    /// Whether the labels are the only ones told about, or the only ones not.
    pub behavior: LabelFilterBehavior,
}

impl Watch {
    /// Everything, to this topic.
    pub fn everything(topic: impl Into<String>) -> Self {
        Self {
            topic: topic.into(),
            labels: Vec::new(),
            behavior: LabelFilterBehavior::Include,
        }
    }
}

/// How the labels of a watch are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelFilterBehavior {
    /// Only changes of messages with these labels.
    Include,
    /// Only changes of messages without these labels.
    Exclude,
}

/// A watch that runs. Renew it daily; it ends silently.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Watching {
    /// The present end of the history.
    pub history_id: HistoryId,
    /// When it ends, at most seven days ahead.
    #[serde(deserialize_with = "millis")]
    pub expiration: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    topic_name: &'a str,
    #[serde(skip_serializing_if = "<[LabelId]>::is_empty")]
    label_ids: &'a [LabelId],
    #[serde(skip_serializing_if = "Option::is_none")]
    label_filter_behavior: Option<LabelFilterBehavior>,
}

/// `POST users/me/watch`; answers a [`Watching`].
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for a topic that is not `projects/…/topics/…`.
pub fn watch(api: &Api, wanted: &Watch) -> Result<Call> {
    let method = Method::Watch;
    let well_formed = matches!(
        wanted.topic.split('/').collect::<Vec<_>>().as_slice(),
        ["projects", project, "topics", topic] if !project.is_empty() && !topic.is_empty()
    );
    if !well_formed {
        return Err(invalid(method, "topic", "not projects/…/topics/…"));
    }
    let body = Request {
        topic_name: &wanted.topic,
        label_ids: &wanted.labels,
        label_filter_behavior: (!wanted.labels.is_empty()).then_some(wanted.behavior),
    };
    let url = api.url(method, &["watch"])?;
    api.json(method, http::Method::POST, &url, &body)
}

/// `POST users/me/stop`: no more pushes; the answer is empty.
///
/// # Errors
/// None in practice: it has no arguments.
pub fn stop(api: &Api) -> Result<Call> {
    let method = Method::Stop;
    api.bare(method, http::Method::POST, &api.url(method, &["stop"])?)
}

fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let millis: Option<i64> = number(deserializer)?;
    Ok(Timestamp::from_unix_millis(millis.unwrap_or(0)))
}
