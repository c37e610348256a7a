//! `users.messages.send`, and what sending does: the sent copy, delivery to the other mailboxes, bounces.

use std::sync::Arc;

use atlas_connectors::Timestamp;
use atlas_connectors::testkit::server::random;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::answer::{ApiError, Reply};
use super::dispatch::{Answer, Call, values, word};
use super::mailbox::{Mailbox, Raw, hex, parse_hex};
use super::messages::brief;
use super::mime;
use super::server::{Settings, World};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A mail that the provider has accepted for sending.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentMail {
    /// The account it was sent from.
    pub user: String,
    /// The message id in the sender's mailbox, 16 hexadecimal digits.
    pub id: String,
    /// The thread id in the sender's mailbox.
    pub thread_id: String,
    /// Everyone it goes to: To, Cc and Bcc, in lower case.
    pub recipients: Vec<String>,
    /// The bytes as the client handed them in.
    pub raw: Vec<u8>,
    /// The Message-ID under which it left, without brackets.
    pub message_id: String,
}

impl SentMail {
    /// The value of a header field of what the client handed in, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        mime::header(&self.raw, name)
    }

    /// The subject, decoded.
    pub fn subject(&self) -> String {
        mime::subject(&self.raw)
    }

    /// The bytes as text, broken UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

impl std::fmt::Debug for SentMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentMail")
            .field("id", &self.id)
            .field("thread_id", &self.thread_id)
            .field("recipients", &self.recipients.len())
            .field("bytes", &self.raw.len())
            .finish_non_exhaustive()
    }
}

/// A mail as a request brings it.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) raw: Vec<u8>,
    pub(super) thread: Option<String>,
    pub(super) labels: Vec<String>,
}

pub(super) fn decode(text: &str) -> Result<Vec<u8>, ApiError> {
    BASE64.decode(text.trim_end()).map_err(|_| ApiError::InvalidBase64)
}

/// The mail of a request: `raw` in JSON, or an upload.
pub(super) fn incoming(call: &Call<'_>, settings: &Settings) -> Result<Incoming, ApiError> {
    let (meta, raw) = if call.route.upload {
        uploaded(call)?
    } else {
        (call.json()?, None)
    };
    // A draft wraps its message; a message stands for itself.
    let message = meta.get("message").unwrap_or(&meta);
    let raw = match (raw, message.get("raw").and_then(Value::as_str)) {
        (Some(raw), _) => raw,
        (None, Some(text)) => decode(text)?,
        (None, None) => return Err(ApiError::RawMissing),
    };
    if raw.is_empty() {
        return Err(ApiError::RawMissing);
    }
    let limit = if call.route.method.contains(".import") || call.route.method.contains(".insert") {
        settings.import_limit
    } else {
        settings.send_limit
    };
    if raw.len() > limit {
        return Err(ApiError::TooLarge);
    }
    let labels = message
        .get("labelIds")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_else(|| values(call, "labelIds"));
    let thread = message
        .get("threadId")
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(str::to_owned);
    Ok(Incoming { raw, thread, labels })
}

/// Metadata and bytes of an upload in one request: `media` or `multipart`.
fn uploaded(call: &Call<'_>) -> Result<(Value, Option<Vec<u8>>), ApiError> {
    let kind = call
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match word(call, "uploadType") {
        Some("multipart") => {
            let boundary = super::batch::boundary(kind)
                .ok_or_else(|| ApiError::InvalidArgument("Missing end boundary in multipart body.".to_owned()))?;
            let mut parts = super::batch::parts(call.body, &boundary).into_iter();
            let (Some(first), Some(second)) = (parts.next(), parts.next()) else {
                return Err(ApiError::InvalidArgument(
                    "Missing end boundary in multipart body.".to_owned(),
                ));
            };
            let meta = serde_json::from_slice(&first.body).unwrap_or(Value::Null);
            Ok((meta, Some(second.body)))
        }
        Some("media") | None => Ok((Value::Null, Some(call.body.to_vec()))),
        Some("resumable") => Ok((
            call.upload_metadata.clone().unwrap_or(Value::Null),
            Some(call.body.to_vec()),
        )),
        Some(other) => Err(ApiError::InvalidArgument(format!("Invalid upload request: {other}"))),
    }
}

pub(super) fn messages_send(world: &mut World, call: &Call<'_>) -> Answer {
    let incoming = incoming(call, &world.settings)?;
    let id = send(world, &call.user, incoming, call.now)?;
    let stored = world.mailbox(&call.user)?.messages.get(&id).ok_or(ApiError::NotFound)?;
    Ok(Reply::json(&brief(id, stored)))
}

pub(super) fn send(world: &mut World, user: &str, incoming: Incoming, now: Timestamp) -> Result<u64, ApiError> {
    send_in(world, user, incoming, None, now)
}

/// Sends. `kept` is the thread to stay in when nothing else says where the mail belongs: that of a draft.
pub(super) fn send_in(
    world: &mut World,
    user: &str,
    incoming: Incoming,
    kept: Option<u64>,
    now: Timestamp,
) -> Result<u64, ApiError> {
    let raw = incoming.raw;
    let recipients = recipients(&raw)?;
    let mailbox = world.mailbox(user)?;
    let thread = match incoming.thread.as_deref() {
        None => mailbox.thread_of(&raw).or(kept),
        Some(text) => {
            let thread = parse_hex(text).ok_or(ApiError::InvalidThreadId)?;
            if !mailbox.threads.contains_key(&thread) {
                return Err(ApiError::NotFound);
            }
            // All three must agree: thread id, headers, subject. Else the mail starts a thread of its own.
            mailbox.belongs(&raw, thread).then_some(thread)
        }
    };
    let copy = as_sent(world, user, &raw, now);
    let message_id = mime::header(&copy, "Message-ID")
        .and_then(|value| mime::message_ids(&value).pop())
        .unwrap_or_default();
    let to_self = recipients.iter().any(|one| one == user);
    let mut labels = vec!["SENT".to_owned()];
    if to_self {
        labels.extend(["INBOX".to_owned(), "UNREAD".to_owned()]);
    }
    let mailbox = world.mailboxes.get_mut(user).ok_or(ApiError::NotFound)?;
    let id = mailbox.add(Raw::Bytes(copy.clone().into()), Arc::new(labels), thread, now);
    let thread = mailbox.messages.get(&id).map_or(id, |stored| stored.thread);
    for recipient in recipients.iter().filter(|one| *one != user) {
        deliver(world, user, recipient, &copy, now);
    }
    for lost in recipients
        .iter()
        .filter(|one| world.settings.bounces.contains(*one))
        .cloned()
        .collect::<Vec<_>>()
    {
        bounce(world, user, &lost, &copy, thread, now);
    }
    world.counters.sends += 1;
    world.sent.push(SentMail {
        user: user.to_owned(),
        id: hex(id),
        thread_id: hex(thread),
        recipients,
        raw,
        message_id,
    });
    Ok(id)
}

/// Everyone in To, Cc and Bcc.
fn recipients(raw: &[u8]) -> Result<Vec<String>, ApiError> {
    let mut all = Vec::new();
    for (name, value) in mime::headers(raw) {
        let lower = name.to_lowercase();
        if !matches!(lower.as_str(), "to" | "cc" | "bcc") {
            continue;
        }
        let found = mime::addresses(&value);
        if found.is_empty() && !value.trim().is_empty() && !value.trim_end().ends_with(":;") {
            let name = if lower == "to" {
                "To"
            } else if lower == "cc" {
                "Cc"
            } else {
                "Bcc"
            };
            return Err(ApiError::InvalidArgument(format!("Invalid {name} header")));
        }
        all.extend(found);
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|one| seen.insert(one.clone()));
    if all.is_empty() {
        return Err(ApiError::RecipientRequired);
    }
    Ok(all)
}

/// The mail as it leaves and as it is kept among the sent ones: Bcc stays, Message-ID and From may not.
fn as_sent(world: &World, user: &str, raw: &[u8], now: Timestamp) -> Vec<u8> {
    let mut without: Vec<String> = Vec::new();
    let mut first: Vec<(&str, String)> = Vec::new();
    let own = mime::header(raw, "Message-ID");
    if own.is_none() || !world.settings.keeps_message_ids {
        without.push("Message-ID".to_owned());
        first.push((
            "Message-ID",
            format!("<CA{}@mail.gmail.com>", random(42).replace('_', "=")),
        ));
    }
    if mime::header(raw, "Date").is_none() {
        first.push(("Date", rfc2822(now)));
    }
    let from = mime::header(raw, "From")
        .map(|value| mime::addresses(&value))
        .unwrap_or_default();
    let account = world.auth.user(user);
    let may = |address: &String| {
        address == user
            || account.is_some_and(|account| account.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(address)))
    };
    if from.is_empty() || !from.iter().all(may) {
        without.push("From".to_owned());
        first.push((
            "From",
            account.map_or_else(|| user.to_owned(), |account| format!("{} <{user}>", account.name)),
        ));
    }
    if !world.settings.keeps_own_headers {
        let extension = |name: &String| name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
        without.extend(mime::headers(raw).into_iter().map(|(name, _)| name).filter(extension));
    }
    let without: Vec<&str> = without.iter().map(String::as_str).collect();
    mime::rewrite(raw, &without, &first)
}

/// Into the mailbox of another account of this mock; mail to the world outside just leaves.
fn deliver(world: &mut World, sender: &str, recipient: &str, copy: &[u8], now: Timestamp) {
    let owner =
        world.auth.users.iter().find(|user| {
            user.email == recipient || user.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(recipient))
        });
    let Some(email) = owner.map(|user| user.email.clone()) else {
        return;
    };
    if email == sender {
        return;
    }
    let domain = sender
        .split_once('@')
        .map(|(_, domain)| domain.to_owned())
        .unwrap_or_default();
    let received = format!("by 2002:a05:6402:mock with SMTP id {}; {}", random(16), rfc2822(now));
    let verdict = format!(
        "mx.google.com; dkim=pass header.i=@{domain}; spf=pass smtp.mailfrom={sender}; dmarc=pass header.from={domain}"
    );
    let mail = mime::rewrite(
        copy,
        &["Bcc"],
        &[
            ("Delivered-To", email.clone()),
            ("Received", received),
            ("Authentication-Results", verdict),
            ("Return-Path", format!("<{sender}>")),
        ],
    );
    if let Some(mailbox) = world.mailboxes.get_mut(&email) {
        arrive(mailbox, mail, now);
    }
}

/// A mail arrives from outside.
pub(super) fn arrive(mailbox: &mut Mailbox, raw: Vec<u8>, date: Timestamp) -> u64 {
    let labels = Arc::new(vec!["INBOX".to_owned(), "UNREAD".to_owned()]);
    mailbox.add(Raw::Bytes(raw.into()), labels, None, date)
}

/// A delivery failure comes back into the thread, as mail and not as an error.
fn bounce(world: &mut World, sender: &str, lost: &str, copy: &[u8], thread: u64, now: Timestamp) {
    let message_id = mime::header(copy, "Message-ID").unwrap_or_default();
    let subject = mime::header(copy, "Subject").unwrap_or_default();
    let mail = format!(
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\r\nTo: {sender}\r\nSubject: Delivery Status Notification (Failure)\r\nDate: {date}\r\nMessage-ID: <{id}@mx.google.com>\r\nIn-Reply-To: {message_id}\r\nReferences: {message_id}\r\nX-Failed-Recipients: {lost}\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b0\"\r\n\r\n--b0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nAddress not found. Your message wasn't delivered to {lost}.\r\n\r\n--b0\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; googlemail.com\r\n\r\nFinal-Recipient: rfc822; {lost}\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.\r\n\r\n--b0\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\nSubject: {subject}\r\n\r\n--b0--\r\n",
        date = rfc2822(now),
        id = random(24),
    );
    if let Some(mailbox) = world.mailboxes.get_mut(sender) {
        let labels = Arc::new(vec!["INBOX".to_owned(), "UNREAD".to_owned()]);
        mailbox.add(Raw::Bytes(mail.into_bytes().into()), labels, Some(thread), now);
    }
}

/// A moment as mail headers write it.
pub(super) fn rfc2822(moment: Timestamp) -> String {
    mail_parser::DateTime::from_timestamp(moment.unix_seconds()).to_rfc822()
}
