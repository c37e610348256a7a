//! Subscriptions: the requests that make, renew, list and end them, and their answers.

use std::fmt;
use std::time::Duration;

use atlas_connectors::error::{BadPayload, ErrorKind};
use atlas_connectors::http::Call;
use atlas_connectors::{Error, Result, Timestamp};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, IF_MATCH};
use http::{HeaderValue, Method, Request};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::Resource;
use crate::business_central::Address;

/// How long a subscription lives unless it is renewed.
pub const LIFE: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// Longest client state, in characters.
pub const CLIENT_STATE_MAX: usize = 2_048;

/// A subscription to be made.
#[derive(Clone)]
pub struct NewSubscription {
    /// The host's endpoint: public, https. It is called at once, and must answer with [`super::handshake`].
    pub notification_url: Url,
    /// What to hear about.
    pub resource: Resource,
    /// What every notice will repeat, and the only sign that it is genuine: random, different for each subscription.
    pub client_state: SecretString,
}

impl fmt::Debug for NewSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSubscription")
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

/// A subscription as the service keeps it. The client state is not kept here; the host stores what it made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription {
    /// Its id, 32 hexadecimal digits.
    pub id: Box<str>,
    /// What it hears about.
    pub resource: Resource,
    /// When it ends unless it is renewed.
    pub expires: Timestamp,
    /// When it was made or last renewed, if the answer says so.
    pub renewed: Option<Timestamp>,
    /// Its version, needed to renew it.
    pub etag: Option<Box<str>>,
}

impl Subscription {
    /// Reads the answer to [`Subscriptions::create`] and [`Subscriptions::renew`].
    ///
    /// # Errors
    /// [`ErrorKind::BadPayload`] for anything else.
    pub fn read(body: &[u8]) -> Result<Self> {
        let wire: Wire = serde_json::from_slice(body).map_err(unreadable)?;
        Ok(wire.into())
    }

    /// Reads the answer to [`Subscriptions::list`].
    ///
    /// # Errors
    /// [`ErrorKind::BadPayload`] for anything else.
    pub fn read_all(body: &[u8]) -> Result<Vec<Self>> {
        let wire: List = serde_json::from_slice(body).map_err(unreadable)?;
        Ok(wire.value.into_iter().map(Self::from).collect())
    }

    /// When it should be renewed: after two thirds of its life, which leaves a day to try again.
    pub fn renewal_due(&self) -> Timestamp {
        let life = self
            .renewed
            .map(|renewed| self.expires.since(renewed))
            .filter(|life| !life.is_zero())
            .unwrap_or(LIFE);
        self.expires.before(life / 3)
    }

    /// Whether it should be renewed by now. Also true when it has already ended; then renewing fails and it must be made again.
    pub fn is_renewal_due(&self, now: Timestamp) -> bool {
        now >= self.renewal_due()
    }
}

/// The requests. Make and renew are effects; the service calls the endpoint before it answers them.
#[derive(Clone, Copy, Debug)]
pub struct Subscriptions<'a> {
    address: &'a Address,
}

impl<'a> Subscriptions<'a> {
    /// Subscriptions of one API in one environment. A custom API has its own list.
    pub fn of(address: &'a Address) -> Self {
        Self { address }
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an endpoint without https (loopback excepted), or an empty or overlong client state.
    pub fn create(&self, new: &NewSubscription) -> Result<Call> {
        check(new)?;
        let body = json!({
            "notificationUrl": new.notification_url.as_str(),
            "resource": new.resource.path(),
            "clientState": new.client_state.expose_secret(),
        });
        let request = self.request(Method::POST, "subscriptions", None, Some(&body))?;
        Ok(Call::effect("business_central.subscriptions.create", request).with_cost(1))
    }

    /// Renews one for another three days. `new` repeats endpoint and state, or changes them.
    ///
    /// # Errors
    /// As [`Subscriptions::create`], and [`ErrorKind::Invalid`] for a subscription without an etag.
    pub fn renew(&self, subscription: &Subscription, new: &NewSubscription) -> Result<Call> {
        check(new)?;
        let body = json!({
            "notificationUrl": new.notification_url.as_str(),
            "clientState": new.client_state.expose_secret(),
        });
        let request = self.request(Method::PATCH, &one(&subscription.id), Some(subscription), Some(&body))?;
        Ok(Call::effect("business_central.subscriptions.renew", request).with_cost(1))
    }

    /// Ends one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a subscription without an etag.
    pub fn cancel(&self, subscription: &Subscription) -> Result<Call> {
        let request = self.request(Method::DELETE, &one(&subscription.id), Some(subscription), None)?;
        Ok(Call::effect("business_central.subscriptions.cancel", request).with_cost(1))
    }

    /// All of the environment.
    ///
    /// # Errors
    /// None in practice: the address has been checked when it was made.
    pub fn list(&self) -> Result<Call> {
        let request = self.request(Method::GET, "subscriptions", None, None)?;
        Ok(Call::read("business_central.subscriptions.list", request).with_cost(1))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        base: Option<&Subscription>,
        body: Option<&serde_json::Value>,
    ) -> Result<Request<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.address.at(path)?.as_str())
            .header(ACCEPT, "application/json");
        if let Some(base) = base {
            let etag = base.etag.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok());
            let etag = etag.ok_or_else(|| invalid("subscription", "it has no etag; read it again first"))?;
            request = request.header(IF_MATCH, etag);
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        request
            .body(bytes)
            .map_err(|_| invalid("subscription", "it cannot be part of a request"))
    }
}

fn one(id: &str) -> String {
    let quoted: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    format!("subscriptions('{quoted}')")
}

fn check(new: &NewSubscription) -> Result<()> {
    let url = &new.notification_url;
    let own = matches!(url.host(), Some(url::Host::Ipv4(address)) if address.is_loopback());
    if url.scheme() != "https" && !own {
        return Err(invalid(
            "notification address",
            "it must be https and reachable from the internet",
        ));
    }
    let length = new.client_state.expose_secret().chars().count();
    if length == 0 || length > CLIENT_STATE_MAX {
        return Err(invalid("client state", "it needs 1 to 2,048 characters, random ones"));
    }
    Ok(())
}

fn invalid(what: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid { what, why }, "business_central.subscriptions")
        .with_provider(crate::business_central::provider())
}

fn unreadable(error: serde_json::Error) -> Error {
    let fault = if error.is_eof() {
        BadPayload::Truncated
    } else {
        BadPayload::Syntax
    };
    Error::new(fault, "business_central.subscriptions").with_provider(crate::business_central::provider())
}

#[derive(Deserialize)]
struct List {
    value: Vec<Wire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    subscription_id: Box<str>,
    resource: String,
    expiration_date_time: Timestamp,
    last_modified_date_time: Option<Timestamp>,
    #[serde(rename = "@odata.etag")]
    etag: Option<Box<str>>,
}

impl From<Wire> for Subscription {
    fn from(wire: Wire) -> Self {
        Self {
            id: wire.subscription_id,
            resource: Resource::new(&wire.resource),
            expires: wire.expiration_date_time,
            renewed: wire.last_modified_date_time,
            etag: wire.etag,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shape of a recorded one (`fixtures/bc/real-subscription.json`), with values of our own.
    const ANSWER: &str = r#"{"@odata.etag":"W/\"JzEyMw==\"","subscriptionId":"0123456789abcdef0123456789abcdef",
        "notificationUrl":"https://host.example/hook","resource":"api/v2.0/companies(c)/items","timestamp":332571277,
        "userId":"0f72f0c3-0aaf-47ea-a532-e913a02e59ff","lastModifiedDateTime":"2026-09-29T09:58:45Z",
        "clientState":"secret-state","expirationDateTime":"2026-10-02T09:58:45Z"}"#;

    fn new(state: &str) -> NewSubscription {
        NewSubscription {
            notification_url: Url::parse("https://host.example/hook").unwrap(),
            resource: Resource::new("/api/v2.0/companies(c)/items"),
            client_state: state.into(),
        }
    }

    #[test]
    fn it_is_renewed_after_two_thirds_of_its_life_with_its_etag() {
        let address = Address::cloud(None, "Production").unwrap();
        let made = Subscription::read(ANSWER.as_bytes()).unwrap();
        assert_eq!(made.resource.entity(), Some("items"));
        assert_eq!(made.renewal_due().to_string(), "2026-10-01T09:58:45Z");
        assert!(!made.is_renewal_due("2026-10-01T09:58:44Z".parse().unwrap()));
        assert!(made.is_renewal_due("2026-10-01T09:58:45Z".parse().unwrap()));

        let call = Subscriptions::of(&address).renew(&made, &new("s")).unwrap();
        assert_eq!(call.request.method(), Method::PATCH);
        assert_eq!(call.request.headers()[IF_MATCH], "W/\"JzEyMw==\"");
        assert_eq!(
            call.request.uri().path(),
            "/v2.0/Production/api/v2.0/subscriptions('0123456789abcdef0123456789abcdef')"
        );
        let unknown = Subscription { etag: None, ..made };
        assert_eq!(
            Subscriptions::of(&address).cancel(&unknown).unwrap_err().code(),
            "invalid"
        );
    }

    #[test]
    fn a_request_needs_https_and_a_state_and_shows_neither() {
        let address = Address::cloud(None, "Production").unwrap();
        let subscriptions = Subscriptions::of(&address);
        let call = subscriptions.create(&new("the-state")).unwrap();
        let body: serde_json::Value = serde_json::from_slice(call.request.body()).unwrap();
        assert_eq!(body["resource"], "api/v2.0/companies(c)/items");
        assert_eq!(body["clientState"], "the-state");
        assert!(!format!("{:?} {call:?}", new("the-state")).contains("the-state"));

        assert!(subscriptions.create(&new("")).is_err());
        assert!(subscriptions.create(&new(&"x".repeat(2_049))).is_err());
        let mut plain = new("s");
        plain.notification_url = Url::parse("http://host.example/hook").unwrap();
        assert!(subscriptions.create(&plain).is_err());
    }

    #[test]
    fn another_answer_is_no_subscription() {
        for (body, code) in [
            ("{\"subscriptionId\":\"a\"", "bad_payload.truncated"),
            ("<html></html>", "bad_payload.syntax"),
            ("{}", "bad_payload.syntax"),
        ] {
            assert_eq!(Subscription::read(body.as_bytes()).unwrap_err().code(), code, "{body}");
        }
        let list = format!("{{\"value\":[{ANSWER}]}}");
        assert_eq!(Subscription::read_all(list.as_bytes()).unwrap().len(), 1);
    }
}
