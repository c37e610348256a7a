//! `users.messages.attachments` and the short-lived ids that lead to it.

use std::time::Duration;

use atlas_connectors::Timestamp;
use atlas_connectors::testkit::server::random;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::answer::{ApiError, Reply};
use super::dispatch::{Answer, Call};
use super::mailbox::{Mailbox, hex};
use super::messages::find;
use super::mime;
use super::server::World;

const PREFIX: &str = "ANGjdJ8";

/// An attachment id: opaque, long, another one at each reading, good for a while.
pub(super) fn id(mailbox: &Mailbox, message: u64, part: &str, now: Timestamp) -> String {
    let generation = mailbox.attachment_generation;
    let inner = format!(
        "{} {part} {generation} {} {}",
        hex(message),
        now.unix_millis(),
        random(96)
    );
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(inner))
}

pub(super) fn get(world: &World, call: &Call<'_>) -> Answer {
    let mailbox = world.mailbox(&call.user)?;
    let (message, stored) = find(mailbox, &call.route.id)?;
    let lifetime = world.settings.attachment_lifetime;
    let part =
        part_of(mailbox, message, &call.route.second, lifetime, call.now).ok_or(ApiError::InvalidAttachmentToken)?;
    let bytes = mime::part_bytes(&stored.raw.bytes(), &part).ok_or(ApiError::InvalidAttachmentToken)?;
    Ok(Reply::json(
        &json!({ "size": bytes.len(), "data": URL_SAFE_NO_PAD.encode(&bytes) }),
    ))
}

fn part_of(mailbox: &Mailbox, message: u64, id: &str, lifetime: Duration, now: Timestamp) -> Option<String> {
    let inner = URL_SAFE_NO_PAD.decode(id.strip_prefix(PREFIX)?).ok()?;
    let inner = String::from_utf8(inner).ok()?;
    let mut words = inner.split(' ');
    let (of, part, generation, made) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let made = Timestamp::from_unix_millis(made.parse().ok()?);
    let good =
        of == hex(message) && generation == mailbox.attachment_generation.to_string() && now.since(made) < lifetime;
    good.then(|| part.to_owned())
}
