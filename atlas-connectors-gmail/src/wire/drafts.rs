//! `users.drafts`: <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.drafts>

use atlas_connectors::http::Call;
use atlas_connectors::{DraftId, PageToken, Result, ThreadId};
use serde::{Deserialize, Serialize};

use crate::wire::decode::number;
use crate::wire::messages::{Format, Listed, MessageResource, PAGE_MAX};
use crate::wire::send::{self, Body, Target};
use crate::wire::{Api, Method};

/// A draft with its message as far as the answer holds it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct DraftResource {
    /// The draft. It may change when a person edits the draft in the web client.
    pub id: DraftId,
    /// Its message, which has another id after every save.
    pub message: MessageResource,
}

/// One page of `drafts.list`. The key `drafts` is missing when there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DraftList {
    /// Ids only.
    #[serde(default)]
    pub drafts: Vec<ListedDraft>,
    /// The next page.
    #[serde(default)]
    pub next_page_token: Option<PageToken>,
    /// An estimate of all pages.
    #[serde(default, deserialize_with = "number")]
    pub result_size_estimate: Option<u64>,
}

/// A draft by its ids.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ListedDraft {
    /// The draft.
    pub id: DraftId,
    /// Its message.
    pub message: Listed,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListDrafts {
    /// Gmail's search syntax.
    pub q: Option<String>,
    /// Items a page, at most 500.
    pub max_results: Option<u32>,
    /// The page.
    pub page_token: Option<PageToken>,
}

/// `POST users/me/drafts`; answers a [`DraftResource`] without content. A large mail goes to the upload address.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for a mail over Gmail's limit.
pub fn create(api: &Api, raw: &[u8], thread: Option<&ThreadId>, body: Body) -> Result<Call> {
    let target = Target::new(Method::DraftsCreate, http::Method::POST, &["drafts"]);
    send::with_message(api, &target, raw, thread, body)
}

/// `PUT users/me/drafts/{id}`: replaces the whole content; answers a [`DraftResource`] without content.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id or a mail over Gmail's limit.
pub fn update(api: &Api, id: &DraftId, raw: &[u8], thread: Option<&ThreadId>, body: Body) -> Result<Call> {
    let segments = ["drafts", id.as_str()];
    let target = Target::new(Method::DraftsUpdate, http::Method::PUT, &segments);
    send::with_message(api, &target, raw, thread, body)
}

/// `GET users/me/drafts`; answers a [`DraftList`].
///
/// # Errors
/// None in practice: what is listed goes into the query, escaped.
pub fn list(api: &Api, wanted: &ListDrafts) -> Result<Call> {
    let method = Method::DraftsList;
    let mut url = api.url(method, &["drafts"])?;
    {
        let mut query = url.query_pairs_mut();
        if let Some(q) = &wanted.q {
            query.append_pair("q", q);
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

/// `GET users/me/drafts/{id}`; answers a [`DraftResource`].
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id.
pub fn get(api: &Api, id: &DraftId, format: Format) -> Result<Call> {
    let method = Method::DraftsGet;
    let mut url = api.url(method, &["drafts", id.as_str()])?;
    url.query_pairs_mut()
        .append_pair("format", format.as_str())
        .append_pair("prettyPrint", "false");
    api.bare(method, http::Method::GET, &url)
}

/// `DELETE users/me/drafts/{id}`: for good, not into the trash; the answer is empty.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id.
pub fn delete(api: &Api, id: &DraftId) -> Result<Call> {
    let method = Method::DraftsDelete;
    let url = api.url(method, &["drafts", id.as_str()])?;
    api.bare(method, http::Method::DELETE, &url)
}

#[derive(Serialize)]
struct SendDraft<'a> {
    id: &'a DraftId,
}

/// `POST users/me/drafts/send`: sends the draft as it stands and consumes it; answers the sent
/// [`MessageResource`] without content. Crate-private: a send leaves through an approval only.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id.
pub(crate) fn send(api: &Api, id: &DraftId) -> Result<Call> {
    let method = Method::DraftsSend;
    if id.as_str().is_empty() {
        return Err(crate::wire::request::invalid(method, "id", "empty"));
    }
    let url = api.url(method, &["drafts", "send"])?;
    api.json(method, http::Method::POST, &url, &SendDraft { id })
}
