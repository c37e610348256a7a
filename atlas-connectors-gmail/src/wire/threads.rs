//! `users.threads`: <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.threads>

use atlas_connectors::http::Call;
use atlas_connectors::{LabelId, PageToken, Result, ThreadId};
use serde::{Deserialize, Serialize};

use crate::wire::decode::number;
use crate::wire::messages::{Format, ListMessages, MessageResource, check_labels, list_of};
use crate::wire::{Api, HistoryId, Method};

/// One page of `threads.list`. The key `threads` is missing when nothing matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ThreadList {
    /// Threads without their messages.
    #[serde(default)]
    pub threads: Vec<ThreadResource>,
    /// The next page.
    #[serde(default)]
    pub next_page_token: Option<PageToken>,
    /// An estimate of all pages.
    #[serde(default, deserialize_with = "number")]
    pub result_size_estimate: Option<u64>,
}

/// A thread resource.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ThreadResource {
    /// The thread.
    pub id: ThreadId,
    /// The last change of it.
    #[serde(default)]
    pub history_id: Option<HistoryId>,
    /// Its messages; empty in lists. Format `raw` does not exist for threads.
    #[serde(default)]
    pub messages: Vec<MessageResource>,
}

/// `GET users/me/threads`; answers a [`ThreadList`].
///
/// # Errors
/// None in practice: what is listed goes into the query, escaped.
pub fn list(api: &Api, wanted: &ListMessages) -> Result<Call> {
    let method = match wanted.q {
        Some(_) => Method::ThreadsSearch,
        None => Method::ThreadsList,
    };
    list_of(api, method, "threads", wanted)
}

/// `GET users/me/threads/{id}`; answers a [`ThreadResource`] with its messages.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id or format `raw`, which threads do not have.
pub fn get(api: &Api, id: &ThreadId, format: Format, headers: &[&str]) -> Result<Call> {
    let method = if format.has_content() {
        Method::ThreadsGet
    } else {
        Method::ThreadsGetMetadata
    };
    if format == Format::Raw {
        return Err(crate::wire::request::invalid(
            method,
            "format",
            "threads have no raw form",
        ));
    }
    let mut url = api.url(method, &["threads", id.as_str()])?;
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("format", format.as_str());
        for name in headers {
            query.append_pair("metadataHeaders", name);
        }
        query.append_pair("prettyPrint", "false");
    }
    api.bare(method, http::Method::GET, &url)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Modify<'a> {
    #[serde(skip_serializing_if = "<[LabelId]>::is_empty")]
    add_label_ids: &'a [LabelId],
    #[serde(skip_serializing_if = "<[LabelId]>::is_empty")]
    remove_label_ids: &'a [LabelId],
}

/// `POST users/me/threads/{id}/modify`: touches every message now in the thread; later ones do not inherit the labels.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] as for [`crate::wire::messages::modify`].
pub fn modify(api: &Api, id: &ThreadId, add: &[LabelId], remove: &[LabelId]) -> Result<Call> {
    let method = Method::ThreadsModify;
    check_labels(method, add, remove)?;
    let url = api.url(method, &["threads", id.as_str(), "modify"])?;
    let body = Modify {
        add_label_ids: add,
        remove_label_ids: remove,
    };
    api.json(method, http::Method::POST, &url, &body)
}

/// `POST users/me/threads/{id}/trash`; answers a [`ThreadResource`].
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id.
pub fn trash(api: &Api, id: &ThreadId) -> Result<Call> {
    let method = Method::ThreadsTrash;
    let url = api.url(method, &["threads", id.as_str(), "trash"])?;
    api.bare(method, http::Method::POST, &url)
}

/// `POST users/me/threads/{id}/untrash`; answers a [`ThreadResource`].
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id.
pub fn untrash(api: &Api, id: &ThreadId) -> Result<Call> {
    let method = Method::ThreadsUntrash;
    let url = api.url(method, &["threads", id.as_str(), "untrash"])?;
    api.bare(method, http::Method::POST, &url)
}
