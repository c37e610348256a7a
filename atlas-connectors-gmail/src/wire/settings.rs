//! `users.settings`: <https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.settings>
//!
//! Only reads: forwarding, delegation and new aliases are the moves of an attacker who owns a mailbox, so this crate
//! never asks for the scopes that change settings (`gmail.md`, section 11).

use std::fmt;

use atlas_connectors::Result;
use atlas_connectors::error::Masked;
use atlas_connectors::http::Call;
use serde::Deserialize;

use crate::wire::decode::number;
use crate::wire::{Api, Method};

/// The answer of `settings.sendAs.list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SendAsList {
    /// The account's own address and its aliases.
    #[serde(default)]
    pub send_as: Vec<SendAs>,
}

/// An address mail can be sent from.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SendAs {
    /// The address.
    pub send_as_email: String,
    /// The name beside it.
    #[serde(default)]
    pub display_name: String,
    /// Where answers go, empty for the address itself.
    #[serde(default)]
    pub reply_to_address: String,
    /// The signature of the web client; sends through the API do not add it.
    #[serde(default)]
    pub signature: String,
    /// The account's own address.
    #[serde(default)]
    pub is_primary: bool,
    /// The address the web client preselects.
    #[serde(default)]
    pub is_default: bool,
    /// Whether it was verified. The account's own address carries no status.
    #[serde(default)]
    pub verification_status: Option<VerificationStatus>,
}

impl SendAs {
    /// Whether Gmail lets mail leave under it; from any other address it silently puts the account's own.
    pub fn is_usable(&self) -> bool {
        self.is_primary || self.verification_status == Some(VerificationStatus::Accepted)
    }
}

impl fmt::Debug for SendAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendAs")
            .field("send_as_email", &Masked::new(&self.send_as_email))
            .field("is_primary", &self.is_primary)
            .field("is_default", &self.is_default)
            .field("verification_status", &self.verification_status)
            .finish_non_exhaustive()
    }
}

/// Whether the owner of an alias has confirmed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum VerificationStatus {
    /// Confirmed.
    Accepted,
    /// A confirmation mail is on its way.
    Pending,
    /// Anything else.
    #[serde(other)]
    Unspecified,
}

/// The vacation responder, which may answer mail on its own. `Debug` shows no text.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Vacation {
    /// Whether it answers.
    pub enable_auto_reply: bool,
    /// The subject it puts before the original one.
    pub response_subject: String,
    /// Whether it answers only people in the contacts.
    pub restrict_to_contacts: bool,
    /// Whether it answers only people of the organization.
    pub restrict_to_domain: bool,
    /// First moment, in milliseconds.
    #[serde(deserialize_with = "number")]
    pub start_time: Option<i64>,
    /// Last moment, in milliseconds.
    #[serde(deserialize_with = "number")]
    pub end_time: Option<i64>,
}

impl fmt::Debug for Vacation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vacation")
            .field("enable_auto_reply", &self.enable_auto_reply)
            .field("start_time", &self.start_time)
            .field("end_time", &self.end_time)
            .finish_non_exhaustive()
    }
}

/// `GET users/me/settings/sendAs`; answers a [`SendAsList`].
///
/// # Errors
/// None in practice: it has no arguments.
pub fn send_as(api: &Api) -> Result<Call> {
    let method = Method::SendAsList;
    api.bare(method, http::Method::GET, &api.url(method, &["settings", "sendAs"])?)
}

/// `GET users/me/settings/vacation`; answers a [`Vacation`].
///
/// # Errors
/// None in practice: it has no arguments.
pub fn vacation(api: &Api) -> Result<Call> {
    let method = Method::VacationGet;
    api.bare(method, http::Method::GET, &api.url(method, &["settings", "vacation"])?)
}
