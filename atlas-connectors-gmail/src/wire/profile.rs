//! `users.getProfile`: <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users/getProfile>

use atlas_connectors::Result;
use atlas_connectors::http::Call;
use serde::Deserialize;

use crate::wire::decode::number;
use crate::wire::{Api, HistoryId, Method};

/// The account behind the token.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Profile {
    /// The address of the account.
    pub email_address: String,
    /// Messages in the mailbox.
    #[serde(default, deserialize_with = "number")]
    pub messages_total: Option<u64>,
    /// Threads in the mailbox.
    #[serde(default, deserialize_with = "number")]
    pub threads_total: Option<u64>,
    /// The present end of the history.
    pub history_id: HistoryId,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile")
            .field(
                "email_address",
                &atlas_connectors::error::Masked::new(&self.email_address),
            )
            .field("messages_total", &self.messages_total)
            .field("threads_total", &self.threads_total)
            .field("history_id", &self.history_id)
            .finish()
    }
}

/// `GET users/me/profile`; answers a [`Profile`].
///
/// # Errors
/// None in practice: it has no arguments.
pub fn get(api: &Api) -> Result<Call> {
    let method = Method::Profile;
    api.bare(method, http::Method::GET, &api.url(method, &["profile"])?)
}
