//! What arrives at the host's endpoint: the handshake, and notices of several subscriptions mixed.

use std::fmt;

use atlas_connectors::error::{BadPayload, ErrorKind};
use atlas_connectors::{Error, Result, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::Resource;

/// Notices taken from one call; the service merges changes and sends fewer.
const MOST: usize = 10_000;
/// Longest validation token that is echoed, in characters.
const TOKEN_MAX: usize = 1_024;

/// The answer to the call by which the service makes sure of the endpoint, on every create and every renewal: status
/// 200, `text/plain`, and this text as the body. `query` is the query of the request. `None`: it is a call with notices.
///
/// ```
/// use atlas_connectors_erp::business_central::webhooks::handshake;
///
/// assert_eq!(handshake("validationToken=a%20b").as_deref(), Some("a b"));
/// assert_eq!(handshake(""), None);
/// ```
pub fn handshake(query: &str) -> Option<String> {
    url::form_urlencoded::parse(query.trim_start_matches('?').as_bytes())
        .find(|(name, _)| name.eq_ignore_ascii_case("validationToken"))
        .map(|(_, token)| token.into_owned())
        // What is echoed becomes part of the host's page: a token is a token, not markup.
        .filter(|token| token.chars().count() <= TOKEN_MAX && !token.contains(['<', '>', '\r', '\n']))
}

/// One notice: something changed. Read the record itself; a notice is late, merged, and not signed.
#[derive(Clone)]
#[non_exhaustive]
pub struct Notification {
    /// The subscription it belongs to.
    pub subscription: Box<str>,
    /// What changed.
    pub resource: Resource,
    /// How.
    pub change: ChangeType,
    /// When it changed, if the notice says so.
    pub modified: Option<Timestamp>,
    /// When the subscription ends.
    pub expires: Option<Timestamp>,
    client_state: SecretString,
}

impl Notification {
    /// Whether it repeats the client state of its subscription, compared in constant time. A notice that does not is forged
    /// or belongs to a subscription that somebody else made: drop it.
    pub fn is_from(&self, client_state: &SecretString) -> bool {
        let (ours, theirs) = (client_state.expose_secret(), self.client_state.expose_secret());
        !ours.is_empty() && bool::from(ours.as_bytes().ct_eq(theirs.as_bytes()))
    }
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("subscription", &self.subscription)
            .field("resource", &self.resource)
            .field("change", &self.change)
            .field("modified", &self.modified)
            .finish_non_exhaustive()
    }
}

/// How something changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeType {
    /// A record was made.
    Created,
    /// A record was changed; a changed line counts as a change of its document.
    Updated,
    /// A record is gone. This is the only way to hear of it, besides comparing keys.
    Deleted,
    /// Very many changed at once (over 1,000 within 30 s): read the changes since [`Resource::changed_after`].
    Collection,
    /// A word without an entry here. Treat it as [`ChangeType::Updated`].
    Other(Box<str>),
}

impl From<&str> for ChangeType {
    fn from(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "created" => Self::Created,
            "updated" => Self::Updated,
            "deleted" => Self::Deleted,
            "collection" => Self::Collection,
            _ => Self::Other(word.into()),
        }
    }
}

/// Reads the body of a call with notices, of whichever subscriptions. Answer the call 200 or 202 soon: any answer but
/// 2xx, 408, 429 or 5xx ends the subscription.
///
/// # Errors
/// [`ErrorKind::BadPayload`] for a body that is none; answer such a call 400 only if you are sure that nobody but a
/// forger sends it, else 500.
pub fn notifications(body: &[u8]) -> Result<Vec<Notification>> {
    let wire: Wire = serde_json::from_slice(body).map_err(|error| {
        let fault = if error.is_eof() {
            BadPayload::Truncated
        } else {
            BadPayload::Syntax
        };
        failed(fault)
    })?;
    if wire.value.len() > MOST {
        return Err(failed(BadPayload::TooLarge));
    }
    Ok(wire
        .value
        .into_iter()
        .map(|item| Notification {
            subscription: item.subscription_id,
            resource: Resource::new(&item.resource),
            change: ChangeType::from(&*item.change_type),
            modified: item.last_modified_date_time,
            expires: item.expiration_date_time,
            client_state: item.client_state,
        })
        .collect())
}

fn failed(fault: BadPayload) -> Error {
    Error::new(ErrorKind::from(fault), "business_central.notifications")
        .with_provider(crate::business_central::provider())
}

#[derive(Deserialize)]
struct Wire {
    value: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    subscription_id: Box<str>,
    #[serde(default = "no_state", deserialize_with = "secret")]
    client_state: SecretString,
    #[serde(default)]
    expiration_date_time: Option<Timestamp>,
    resource: String,
    change_type: Box<str>,
    #[serde(default)]
    last_modified_date_time: Option<Timestamp>,
}

fn no_state() -> SecretString {
    SecretString::from("")
}

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<SecretString, D::Error> {
    Ok(Option::<String>::deserialize(from)?.unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_of_several_subscriptions_are_told_apart() {
        let body = br#"{"value":[
            {"subscriptionId":"one","clientState":"state-1","expirationDateTime":"2026-10-02T10:21:44Z",
             "resource":"api/v2.0/companies(c)/items(i)","changeType":"updated","lastModifiedDateTime":"2026-09-29T10:22:52.363Z"},
            {"subscriptionId":"two","clientState":"state-2","resource":"/api/v2.0/companies(c)/customers(d)","changeType":"deleted"},
            {"subscriptionId":"two","clientState":"state-2","changeType":"collection",
             "resource":"/api/v2.0/companies(c)/customers?$filter=lastDateTimeModified%20gt%202026-10-15T11:00:00Z"},
            {"subscriptionId":"three","resource":"api/v2.0/companies(c)/items","changeType":"renamed"}]}"#;
        let notices = notifications(body).unwrap();
        let kinds: Vec<_> = notices.iter().map(|notice| notice.change.clone()).collect();
        assert_eq!(
            kinds,
            [
                ChangeType::Updated,
                ChangeType::Deleted,
                ChangeType::Collection,
                ChangeType::Other("renamed".into())
            ]
        );
        assert_eq!(notices[1].resource.key(), Some("d"));
        assert_eq!(
            notices[2].resource.changed_after().unwrap().to_string(),
            "2026-10-15T11:00:00Z"
        );

        let (one, two) = (SecretString::from("state-1"), SecretString::from("state-2"));
        assert!(notices[0].is_from(&one) && !notices[0].is_from(&two));
        assert!(notices[1].is_from(&two));
        assert!(!notices[3].is_from(&SecretString::from("")), "no state is no proof");
        assert!(!format!("{notices:?}").contains("state-1"));
    }

    #[test]
    fn other_bodies_are_refused() {
        for (body, code) in [
            ("{\"value\":[", "bad_payload.truncated"),
            ("<html>", "bad_payload.syntax"),
            ("{\"value\":[{}]}", "bad_payload.syntax"),
        ] {
            assert_eq!(notifications(body.as_bytes()).unwrap_err().code(), code, "{body}");
        }
    }

    #[test]
    fn only_the_handshake_is_echoed() {
        assert_eq!(handshake("?validationToken=x%2By&a=b").as_deref(), Some("x+y"));
        assert_eq!(handshake("validationtoken=x").as_deref(), Some("x"));
        assert_eq!(handshake("validationToken=%3Cscript%3E"), None);
        assert_eq!(handshake(&format!("validationToken={}", "x".repeat(2_000))), None);
        assert_eq!(handshake("token=x"), None);
    }
}
