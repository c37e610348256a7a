//! `users.messages`: <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages>

use std::fmt;

use atlas_connectors::error::{BadPayload, ErrorKind, SchemaFault};
use atlas_connectors::http::Call;
use atlas_connectors::mail::{MessageMeta, MessageRef};
use atlas_connectors::{Error, LabelId, MessageId, PageToken, Result, ThreadId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::wire::decode::number;
use crate::wire::request::invalid;
use crate::wire::{Api, HistoryId, Method};

/// Most ids one `batchModify` takes.
pub const BATCH_MODIFY_MAX: usize = 1_000;
/// Most labels one `modify` puts on, and most it takes off.
pub const MODIFY_LABELS_MAX: usize = 100;
/// Most items one page of a list holds; Gmail cuts a larger wish silently.
pub const PAGE_MAX: u32 = 500;

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListMessages {
    /// Gmail's search syntax; needs a scope that reads content.
    pub q: Option<String>,
    /// Labels that all must be on the message.
    pub label_ids: Vec<LabelId>,
    /// Whether spam and trash are listed as well.
    pub include_spam_trash: bool,
    /// Items a page, at most [`PAGE_MAX`].
    pub max_results: Option<u32>,
    /// The page.
    pub page_token: Option<PageToken>,
}

/// How much of a message is answered. All formats cost the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Ids and labels.
    Minimal,
    /// Ids, labels and headers.
    Metadata,
    /// The parsed tree; attachments by reference.
    Full,
    /// The whole message as it is.
    Raw,
}

impl Format {
    /// The word in the request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Metadata => "metadata",
            Self::Full => "full",
            Self::Raw => "raw",
        }
    }

    /// Whether the answer holds content, which the metadata scope may not see.
    pub const fn has_content(self) -> bool {
        matches!(self, Self::Full | Self::Raw)
    }
}

/// One page of `messages.list`. The key `messages` is missing when nothing matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MessageList {
    /// Ids only.
    #[serde(default)]
    pub messages: Vec<Listed>,
    /// The next page.
    #[serde(default)]
    pub next_page_token: Option<PageToken>,
    /// An estimate of all pages.
    #[serde(default, deserialize_with = "number")]
    pub result_size_estimate: Option<u64>,
}

/// A message by its ids, as lists and history give it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Listed {
    /// The message.
    pub id: MessageId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// Labels, where they are given.
    #[serde(default)]
    pub label_ids: Vec<LabelId>,
}

impl From<Listed> for MessageRef {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            thread: listed.thread_id,
        }
    }
}

/// A message resource. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MessageResource {
    /// The message.
    pub id: MessageId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// Labels on it now.
    #[serde(default)]
    pub label_ids: Vec<LabelId>,
    /// The beginning of the text, HTML-escaped.
    #[serde(default)]
    pub snippet: String,
    /// The last change of it.
    #[serde(default)]
    pub history_id: Option<HistoryId>,
    /// When Gmail took it in, in milliseconds.
    #[serde(default, deserialize_with = "number")]
    pub internal_date: Option<i64>,
    /// Size in bytes, estimated.
    #[serde(default, deserialize_with = "number")]
    pub size_estimate: Option<u64>,
    /// The tree, in formats `full` and `metadata`.
    #[serde(default)]
    pub payload: Option<Part>,
    /// The whole message in base64url, in format `raw`.
    #[serde(default)]
    pub raw: Option<String>,
}

impl MessageResource {
    /// What Gmail says about the message beside its bytes.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] without `internalDate`, which every format holds.
    pub fn meta(&self) -> Result<MessageMeta> {
        meta(
            self.id.clone(),
            self.thread_id.clone(),
            self.label_ids.clone(),
            self.internal_date,
            self.size_estimate,
        )
    }

    /// The bytes of the message, in format `raw`.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] without `raw`, [`BadPayload::Syntax`] if it is not base64.
    pub fn raw_bytes(&self) -> Result<Vec<u8>> {
        let raw = self.raw.as_deref().ok_or_else(|| missing("raw"))?;
        crate::base64::decode(raw).map_err(|error| {
            failed(BadPayload::Syntax)
                .with_context("field", "raw")
                .with_source(error)
        })
    }

    /// The first header of this name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.payload.as_ref().and_then(|part| part.header(name))
    }
}

impl fmt::Debug for MessageResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageResource")
            .field("id", &self.id)
            .field("thread_id", &self.thread_id)
            .field("label_ids", &self.label_ids)
            .field("history_id", &self.history_id)
            .field("internal_date", &self.internal_date)
            .field("size_estimate", &self.size_estimate)
            .finish_non_exhaustive()
    }
}

/// A part of the MIME tree in format `full`. `Debug` shows no content.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Part {
    /// Path of the part: empty for the root, then `0`, `0.1`.
    pub part_id: String,
    /// The content type without parameters.
    pub mime_type: String,
    /// The file name, empty where there is none.
    pub filename: String,
    /// Headers in their order; names keep the sender's case, names may repeat.
    pub headers: Vec<Header>,
    /// The content, or a reference to it.
    pub body: PartBody,
    /// Children of a multipart or of a forwarded message.
    pub parts: Vec<Self>,
}

impl Part {
    /// The first header of this name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value.as_str())
    }

    /// The part of this path, in this part or below it.
    pub fn find(&self, path: &str) -> Option<&Self> {
        if self.part_id == path {
            return Some(self);
        }
        self.parts.iter().find_map(|part| part.find(path))
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("part_id", &self.part_id)
            .field("mime_type", &self.mime_type)
            .field("size", &self.body.size)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

/// A header field.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Header {
    /// Its name in the sender's case.
    pub name: String,
    /// Its value as Gmail parsed it.
    #[serde(default)]
    pub value: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({})", self.name)
    }
}

/// The content of a part: inline, or a short-lived token for `attachments.get`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct PartBody {
    /// Token for `attachments.get`. Differs from read to read and ends soon: never store it.
    pub attachment_id: Option<String>,
    /// Size in bytes after decoding.
    #[serde(deserialize_with = "number")]
    pub size: Option<u64>,
    /// The content in base64url.
    pub data: Option<String>,
}

impl fmt::Debug for PartBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartBody")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// `GET users/me/messages`; answers a [`MessageList`].
///
/// # Errors
/// None in practice: what is listed goes into the query, escaped.
pub fn list(api: &Api, wanted: &ListMessages) -> Result<Call> {
    let method = match wanted.q {
        Some(_) => Method::MessagesSearch,
        None => Method::MessagesList,
    };
    list_of(api, method, "messages", wanted)
}

/// The list of messages or of threads: the same parameters.
pub(crate) fn list_of(api: &Api, method: Method, path: &str, wanted: &ListMessages) -> Result<Call> {
    let mut url = api.url(method, &[path])?;
    {
        let mut query = url.query_pairs_mut();
        if let Some(q) = &wanted.q {
            query.append_pair("q", q);
        }
        for label in &wanted.label_ids {
            query.append_pair("labelIds", label.as_str());
        }
        if wanted.include_spam_trash {
            query.append_pair("includeSpamTrash", "true");
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

/// `GET users/me/messages/{id}`; answers a [`MessageResource`]. The header names limit format `metadata`; none means all.
///
/// # Errors
/// [`ErrorKind::Invalid`] for an empty id.
pub fn get(api: &Api, id: &MessageId, format: Format, headers: &[&str]) -> Result<Call> {
    let method = if format.has_content() {
        Method::MessagesGet
    } else {
        Method::MessagesGetMetadata
    };
    let mut url = api.url(method, &["messages", id.as_str()])?;
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
    #[serde(skip_serializing_if = "<[MessageId]>::is_empty")]
    ids: &'a [MessageId],
    #[serde(skip_serializing_if = "<[LabelId]>::is_empty")]
    add_label_ids: &'a [LabelId],
    #[serde(skip_serializing_if = "<[LabelId]>::is_empty")]
    remove_label_ids: &'a [LabelId],
}

/// `POST users/me/messages/{id}/modify`; answers a [`MessageResource`] without content.
///
/// # Errors
/// [`ErrorKind::Invalid`] for an empty id, no label at all, or more than [`MODIFY_LABELS_MAX`] of a kind.
pub fn modify(api: &Api, id: &MessageId, add: &[LabelId], remove: &[LabelId]) -> Result<Call> {
    let method = Method::MessagesModify;
    check_labels(method, add, remove)?;
    let url = api.url(method, &["messages", id.as_str(), "modify"])?;
    let body = Modify {
        ids: &[],
        add_label_ids: add,
        remove_label_ids: remove,
    };
    api.json(method, http::Method::POST, &url, &body)
}

/// `POST users/me/messages/batchModify`; the answer is empty and says nothing of single messages.
///
/// # Errors
/// [`ErrorKind::Invalid`] for no or more than [`BATCH_MODIFY_MAX`] messages, no label at all, or more than
/// [`MODIFY_LABELS_MAX`] of a kind.
pub fn batch_modify(api: &Api, ids: &[MessageId], add: &[LabelId], remove: &[LabelId]) -> Result<Call> {
    let method = Method::MessagesBatchModify;
    check_labels(method, add, remove)?;
    if ids.is_empty() || ids.len() > BATCH_MODIFY_MAX {
        return Err(invalid(method, "messages", "none or more than 1,000"));
    }
    let url = api.url(method, &["messages", "batchModify"])?;
    let body = Modify {
        ids,
        add_label_ids: add,
        remove_label_ids: remove,
    };
    api.json(method, http::Method::POST, &url, &body)
}

/// `POST users/me/messages/{id}/trash`; answers a [`MessageResource`] without content.
///
/// # Errors
/// [`ErrorKind::Invalid`] for an empty id.
pub fn trash(api: &Api, id: &MessageId) -> Result<Call> {
    let method = Method::MessagesTrash;
    let url = api.url(method, &["messages", id.as_str(), "trash"])?;
    api.bare(method, http::Method::POST, &url)
}

/// `POST users/me/messages/{id}/untrash`; answers a [`MessageResource`] without content.
///
/// # Errors
/// [`ErrorKind::Invalid`] for an empty id.
pub fn untrash(api: &Api, id: &MessageId) -> Result<Call> {
    let method = Method::MessagesUntrash;
    let url = api.url(method, &["messages", id.as_str(), "untrash"])?;
    api.bare(method, http::Method::POST, &url)
}

/// The limits of `modify`, which threads share.
pub(crate) fn check_labels(method: Method, add: &[LabelId], remove: &[LabelId]) -> Result<()> {
    if add.is_empty() && remove.is_empty() {
        return Err(invalid(method, "labels", "nothing to put on or take off"));
    }
    if add.len() > MODIFY_LABELS_MAX || remove.len() > MODIFY_LABELS_MAX {
        return Err(invalid(method, "labels", "more than 100 of a kind"));
    }
    Ok(())
}

/// What Gmail says about a message beside its bytes.
pub(crate) fn meta(
    id: MessageId,
    thread: ThreadId,
    labels: Vec<LabelId>,
    internal_date: Option<i64>,
    size: Option<u64>,
) -> Result<MessageMeta> {
    let received = internal_date.ok_or_else(|| missing("internalDate"))?;
    Ok(MessageMeta {
        id,
        thread,
        labels,
        received: Timestamp::from_unix_millis(received),
        size,
    })
}

pub(crate) fn missing(path: &str) -> Error {
    failed(ErrorKind::SchemaMismatch {
        path: path.to_owned(),
        fault: SchemaFault::Missing,
    })
}

pub(crate) fn failed(kind: impl Into<ErrorKind>) -> Error {
    Error::new(kind, Method::MessagesGet.name())
        .with_class(Method::MessagesGet.operation_class())
        .with_provider(crate::provider())
}
