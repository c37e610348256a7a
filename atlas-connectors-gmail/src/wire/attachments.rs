//! `users.messages.attachments`:
//! <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages.attachments>

use atlas_connectors::http::Call;
use atlas_connectors::{MessageId, Result};

use crate::wire::{Api, Method};

/// `GET users/me/messages/{message}/attachments/{id}`; answers `{"size", "data"}` with the content in base64url, which
/// the mailbox decodes as it arrives. The id is a short-lived token from a fresh read of the message.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for an empty id.
pub fn get(api: &Api, message: &MessageId, id: &str) -> Result<Call> {
    let method = Method::AttachmentsGet;
    let mut url = api.url(method, &["messages", message.as_str(), "attachments", id])?;
    url.query_pairs_mut().append_pair("prettyPrint", "false");
    api.bare(method, http::Method::GET, &url)
}
