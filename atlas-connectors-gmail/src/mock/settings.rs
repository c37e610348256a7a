//! `users.getProfile`, `users.settings.*`, `users.watch` and `users.stop`.

use std::time::Duration;

use atlas_connectors::testkit::server::random;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};

use super::account::User;
use super::answer::{ApiError, Reply};
use super::dispatch::{Answer, Call};
use super::mailbox::Watch;
use super::server::World;

pub(super) fn profile(world: &World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailbox(&call.user)?;
    Ok(Reply::json(&json!({
        "emailAddress": mailbox.email,
        "messagesTotal": mailbox.messages.len(),
        "threadsTotal": mailbox.threads.len(),
        "historyId": mailbox.history_id.to_string(),
    })))
}

pub(super) fn send_as_list(world: &World, call: &Call<'_>) -> Answer {
    let user = world.auth.user(&call.user).ok_or(ApiError::NotFound)?;
    Ok(Reply::json(&json!({ "sendAs": send_as(user) })))
}

pub(super) fn send_as_get(world: &World, call: &Call<'_>) -> Answer {
    let user = world.auth.user(&call.user).ok_or(ApiError::NotFound)?;
    send_as(user)
        .into_iter()
        .find(|one| one.get("sendAsEmail").and_then(Value::as_str) == Some(call.route.id.as_str()))
        .map(|one| Reply::json(&one))
        .ok_or(ApiError::NotFound)
}

fn send_as(user: &User) -> Vec<Value> {
    let primary = json!({
        "sendAsEmail": user.email,
        "displayName": user.name,
        "replyToAddress": "",
        "signature": "",
        "isPrimary": true,
        "isDefault": true,
    });
    let aliases = user.aliases.iter().map(|alias| {
        json!({
            "sendAsEmail": alias,
            "displayName": user.name,
            "replyToAddress": "",
            "signature": "",
            "treatAsAlias": true,
            "verificationStatus": "accepted",
        })
    });
    std::iter::once(primary).chain(aliases).collect()
}

pub(super) fn vacation() -> Answer {
    Ok(Reply::json(
        &json!({ "enableAutoReply": false, "restrictToContacts": false, "restrictToDomain": false }),
    ))
}

/// How long a watch lasts. Source: push guide, "at least once every 7 days".
const WATCH: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) fn watch(world: &mut World, call: &Call<'_>) -> Answer {
    let body = call.json()?;
    let topic = body.get("topicName").and_then(Value::as_str).unwrap_or_default();
    let mut pieces = topic.split('/');
    let well_formed = pieces.next() == Some("projects")
        && pieces.next().is_some_and(|project| !project.is_empty())
        && pieces.next() == Some("topics")
        && pieces.next().is_some_and(|name| !name.is_empty());
    if !well_formed {
        let text = format!("Invalid topicName does not match projects/*/topics/*: {topic}");
        return Err(ApiError::InvalidArgument(text));
    }
    let expires = call.now.after(WATCH);
    let mailbox = world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?;
    mailbox.watch = Some(Watch {
        topic: topic.to_owned(),
        expires,
    });
    Ok(Reply::json(&json!({
        "historyId": mailbox.history_id.to_string(),
        "expiration": expires.unix_millis().to_string(),
    })))
}

pub(super) fn stop(world: &mut World, call: &Call<'_>) -> Answer {
    world.mailboxes.get_mut(&call.user).ok_or(ApiError::NotFound)?.watch = None;
    Ok(Reply::empty())
}

/// A Pub/Sub push as Google would deliver it to the host's endpoint.
#[derive(Clone)]
#[non_exhaustive]
pub struct Push {
    /// The value of the `Authorization` header: `Bearer` and a JWT signed with a key of the mock's JWKS.
    pub authorization: String,
    /// The JSON body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Push {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Push")
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The push for the mailbox as it stands, if it is watched.
pub(super) fn push(world: &World, email: &str, audience: &str, service_account: &str) -> Option<Push> {
    let now = world.clock.now();
    let mailbox = world.mailboxes.get(email)?;
    let watch = mailbox.watch.as_ref().filter(|watch| watch.expires > now)?;
    let project = watch.topic.split('/').nth(1).unwrap_or_default();
    // The number is unquoted in Gmail's notifications, unlike everywhere else.
    let data = json!({ "emailAddress": mailbox.email, "historyId": mailbox.history_id });
    let id = mailbox.history_id.to_string();
    let published = now.to_string();
    let body = json!({
        "message": {
            "data": URL_SAFE.encode(data.to_string()),
            "messageId": id,
            "message_id": id,
            "publishTime": published,
            "publish_time": published,
        },
        "subscription": format!("projects/{project}/subscriptions/mock"),
    });
    let issued = now.unix_seconds();
    let claims = json!({
        "iss": world.auth.settings.issuer,
        "aud": audience,
        "azp": random(21),
        "sub": "113774264463038321964",
        "email": service_account,
        "email_verified": true,
        "iat": issued,
        "exp": issued.saturating_add(3600),
    });
    let token = world.auth.keys.first()?.sign(&claims);
    Some(Push {
        authorization: format!("Bearer {token}"),
        body: body.to_string().into_bytes(),
    })
}
