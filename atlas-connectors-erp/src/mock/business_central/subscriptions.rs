//! Webhook subscriptions: handshake on create and renewal, three days of life, notices.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use atlas_connectors::Timestamp;
use atlas_connectors::testkit::server::{Request, random};
use serde_json::{Value, json};
use url::Url;

use super::answer::{ApiError, Reply};
use super::cell::moment;
use super::world::World;

const LIFE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// A subscription that the service keeps.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) notification_url: String,
    pub(super) resource: String,
    pub(super) client_state: String,
    pub(super) expires: Timestamp,
    renewed: Timestamp,
    version: u64,
}

impl Kept {
    fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    fn json(&self) -> Value {
        json!({
            "@odata.etag": self.etag(), "subscriptionId": self.id, "notificationUrl": self.notification_url,
            "resource": self.resource, "clientState": self.client_state, "lastModifiedDateTime": moment(self.renewed),
            "expirationDateTime": moment(self.expires),
        })
    }
}

/// Answers a call to `subscriptions` of an environment.
pub(super) fn answer(
    world: &mut World,
    (tenant, environment): (usize, usize),
    key: Option<&str>,
    method: &str,
    request: &Request,
) -> Result<Reply, ApiError> {
    let now = world.clock.now();
    let version = world.sequence.next();
    let most = world.settings.max_subscriptions;
    let kept = world
        .tenants
        .get_mut(tenant)
        .and_then(|tenant| tenant.environments.get_mut(environment))
        .map(|environment| &mut environment.subscriptions)
        .ok_or_else(ApiError::no_record)?;
    kept.retain(|one| one.expires > now);
    let body = request.json().unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(key) = key else {
        return match method {
            "GET" => {
                let value: Vec<Value> = kept.iter().map(Kept::json).collect();
                Ok(Reply::json(200, json!({ "value": value }).to_string()))
            }
            "POST" => {
                if kept.len() >= most {
                    return Err(ApiError::dialog("The maximum number of subscriptions is reached."));
                }
                let one = Kept {
                    id: random(32).to_ascii_lowercase().replace(['-', '_'], "0"),
                    notification_url: text("notificationUrl").unwrap_or_default(),
                    resource: text("resource").unwrap_or_default().trim_start_matches('/').to_owned(),
                    client_state: text("clientState").unwrap_or_default(),
                    expires: now.after(LIFE),
                    renewed: now,
                    version,
                };
                if !shakes_hands(&one.notification_url) {
                    return Err(ApiError::bad_request("Validation of the notification URL failed."));
                }
                let reply = Reply::json(201, one.json().to_string());
                kept.push(one);
                Ok(reply)
            }
            _ => Err(ApiError::new(405, "BadRequest_MethodNotAllowed", "Not allowed.")),
        };
    };
    let position = kept
        .iter()
        .position(|one| one.id == key)
        .ok_or_else(ApiError::no_record)?;
    let one = kept.get_mut(position).ok_or_else(ApiError::no_record)?;
    match method {
        "GET" => Ok(Reply::json(200, one.json().to_string())),
        "PATCH" => {
            super::records::check_if_match(request.header("if-match"), &one.etag(), true, 409)?;
            if let Some(url) = text("notificationUrl") {
                one.notification_url = url;
            }
            if let Some(state) = text("clientState") {
                one.client_state = state;
            }
            if !shakes_hands(&one.notification_url) {
                return Err(ApiError::bad_request("Validation of the notification URL failed."));
            }
            one.expires = now.after(LIFE);
            one.renewed = now;
            one.version = version;
            Ok(Reply::json(200, one.json().to_string()))
        }
        "DELETE" => {
            kept.remove(position);
            Ok(Reply::empty(204))
        }
        _ => Err(ApiError::new(405, "BadRequest_MethodNotAllowed", "Not allowed.")),
    }
}

/// Calls the endpoint with a token and looks whether it comes back.
fn shakes_hands(url: &str) -> bool {
    let token = random(24);
    let Ok(mut url) = Url::parse(url) else { return false };
    url.query_pairs_mut().append_pair("validationToken", &token);
    post(&url, "").is_some_and(|(status, body)| status == 200 && body.trim() == token)
}

/// The notices that belong to a change, as bodies by endpoint. Sent by [`super::BusinessCentral::notify`].
pub(super) fn notices(world: &World, resource: &str, change: &str) -> Vec<(Url, String)> {
    let now = world.clock.now();
    let mut by_url: Vec<(Url, Vec<Value>)> = Vec::new();
    let all = world.tenants.iter().flat_map(|tenant| &tenant.environments);
    for one in all.flat_map(|environment| &environment.subscriptions) {
        if one.expires <= now || !resource.starts_with(&one.resource) {
            continue;
        }
        let Ok(url) = Url::parse(&one.notification_url) else {
            continue;
        };
        let notice = json!({
            "subscriptionId": one.id, "clientState": one.client_state, "expirationDateTime": moment(one.expires),
            "resource": resource, "changeType": change, "lastModifiedDateTime": moment(now),
        });
        match by_url.iter_mut().find(|(known, _)| *known == url) {
            Some((_, notices)) => notices.push(notice),
            None => by_url.push((url, vec![notice])),
        }
    }
    by_url
        .into_iter()
        .map(|(url, value)| (url, json!({ "value": value }).to_string()))
        .collect()
}

/// A plain POST to an endpoint on loopback; nothing else is called.
pub(super) fn post(url: &Url, body: &str) -> Option<(u16, String)> {
    let host = url
        .host_str()
        .filter(|host| matches!(*host, "127.0.0.1" | "localhost"))?;
    let address = (host, url.port_or_known_default()?).to_socket_addrs().ok()?.next()?;
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    write!(
        stream,
        "POST {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
