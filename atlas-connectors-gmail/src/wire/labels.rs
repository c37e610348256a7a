//! `users.labels`: <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.labels>

use atlas_connectors::http::Call;
use atlas_connectors::mail::{Label, LabelKind};
use atlas_connectors::{LabelId, Result};
use serde::{Deserialize, Serialize};

use crate::wire::decode::number;
use crate::wire::request::invalid;
use crate::wire::{Api, Method};

/// The answer of `labels.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct LabelList {
    /// All labels; at most 10,000 to a mailbox.
    #[serde(default)]
    pub labels: Vec<LabelResource>,
}

/// A label resource.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LabelResource {
    /// Its id; names change, ids do not.
    pub id: LabelId,
    /// Its name; `/` shows as nesting. Names compare without case.
    #[serde(default)]
    pub name: String,
    /// `system` or `user`.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// Messages with it; on `labels.get` only.
    #[serde(default, deserialize_with = "number")]
    pub messages_total: Option<u64>,
    /// Unread messages with it; on `labels.get` only.
    #[serde(default, deserialize_with = "number")]
    pub messages_unread: Option<u64>,
    /// Threads with it; on `labels.get` only.
    #[serde(default, deserialize_with = "number")]
    pub threads_total: Option<u64>,
    /// Unread threads with it; on `labels.get` only.
    #[serde(default, deserialize_with = "number")]
    pub threads_unread: Option<u64>,
}

impl From<LabelResource> for Label {
    fn from(label: LabelResource) -> Self {
        Self {
            kind: match label.kind.as_deref() {
                Some("system") => LabelKind::System,
                _ => LabelKind::User,
            },
            id: label.id,
            name: label.name,
        }
    }
}

/// `GET users/me/labels`; answers a [`LabelList`].
///
/// # Errors
/// None in practice: it has no arguments.
pub fn list(api: &Api) -> Result<Call> {
    let method = Method::LabelsList;
    api.bare(method, http::Method::GET, &api.url(method, &["labels"])?)
}

/// `GET users/me/labels/{id}`; answers a [`LabelResource`] with its counters.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id.
pub fn get(api: &Api, id: &LabelId) -> Result<Call> {
    let method = Method::LabelsGet;
    api.bare(method, http::Method::GET, &api.url(method, &["labels", id.as_str()])?)
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

/// `POST users/me/labels`; answers a [`LabelResource`], or 409 when the name is taken, compared without case.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty name.
pub fn create(api: &Api, name: &str) -> Result<Call> {
    let method = Method::LabelsCreate;
    check_name(method, name)?;
    let url = api.url(method, &["labels"])?;
    api.json(method, http::Method::POST, &url, &Named { name })
}

/// `PATCH users/me/labels/{id}`: renames; answers a [`LabelResource`].
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id or name.
pub fn rename(api: &Api, id: &LabelId, name: &str) -> Result<Call> {
    let method = Method::LabelsPatch;
    check_name(method, name)?;
    let url = api.url(method, &["labels", id.as_str()])?;
    api.json(method, http::Method::PATCH, &url, &Named { name })
}

/// `DELETE users/me/labels/{id}`: takes the label off every message; the messages stay.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id.
pub fn delete(api: &Api, id: &LabelId) -> Result<Call> {
    let method = Method::LabelsDelete;
    let url = api.url(method, &["labels", id.as_str()])?;
    api.bare(method, http::Method::DELETE, &url)
}

fn check_name(method: Method, name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(invalid(method, "name", "empty"));
    }
    Ok(())
}
