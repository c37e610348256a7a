//! `users.messages.send` and every other request that carries a whole mail:
//! <https://developers.google.com/workspace/gmail/api/guides/uploads>
//!
//! Resumable uploads are left out on purpose: they make several requests of what has to be exactly one, and a mail is at
//! most 35 MiB.

use atlas_connectors::http::Call;
use atlas_connectors::{Result, ThreadId};
use bytes::Bytes;
use http::header::HeaderValue;
use serde::Serialize;

use crate::wire::request::invalid;
use crate::wire::{Api, Method};

/// Most bytes of one mail through the upload address (`gmail.md`, section 10).
pub const UPLOAD_MAX: usize = 36_700_160;
/// Up to this many bytes a mail travels as base64 inside JSON; above, through the upload address. No limit is documented
/// for JSON; the guides say "a few megabytes".
pub const JSON_MAX: usize = 4 * 1024 * 1024;

/// How a whole mail travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Body {
    /// As JSON up to [`JSON_MAX`], as multipart upload above.
    #[default]
    BySize,
    /// Base64 inside JSON.
    Json,
    /// The bytes as they are; has no place for a thread, so a mail with one goes as multipart.
    Media,
    /// A JSON part with the thread, then the bytes as they are.
    Multipart,
}

/// `POST users/me/messages/send`; answers a [`MessageResource`](crate::wire::messages::MessageResource) without content.
/// Crate-private: a send leaves through an approval only.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] for a mail over [`UPLOAD_MAX`].
pub(crate) fn send(api: &Api, raw: &[u8], thread: Option<&ThreadId>, body: Body) -> Result<Call> {
    let target = Target::new(Method::MessagesSend, http::Method::POST, &["messages", "send"]);
    with_message(api, &target, raw, thread, body)
}

const RFC822: &str = "message/rfc822";

/// Where a mail goes.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    method: Method,
    verb: http::Method,
    segments: &'a [&'a str],
}

impl<'a> Target<'a> {
    pub(crate) fn new(method: Method, verb: http::Method, segments: &'a [&'a str]) -> Self {
        Self { method, verb, segments }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_id: Option<&'a ThreadId>,
}

#[derive(Serialize)]
struct Draft<'a> {
    message: Resource<'a>,
}

/// A request that carries a whole mail: a message for `messages.send`, a draft around it otherwise.
pub(crate) fn with_message(
    api: &Api,
    target: &Target<'_>,
    raw: &[u8],
    thread: Option<&ThreadId>,
    body: Body,
) -> Result<Call> {
    check_size(target.method, raw.len())?;
    let body = match body {
        Body::BySize if raw.len() <= JSON_MAX => Body::Json,
        Body::BySize => Body::Multipart,
        Body::Media if thread.is_some() => Body::Multipart,
        chosen => chosen,
    };
    match body {
        Body::Json | Body::BySize => json(api, target, raw, thread),
        Body::Media => media(api, target, raw),
        Body::Multipart => multipart(api, target, raw, thread),
    }
}

fn check_size(method: Method, bytes: usize) -> Result<()> {
    match bytes {
        0 => Err(invalid(method, "mail", "empty")),
        1..=UPLOAD_MAX => Ok(()),
        _ => Err(invalid(method, "mail", "larger than Gmail's 36,700,160 bytes")),
    }
}

fn json(api: &Api, target: &Target<'_>, raw: &[u8], thread_id: Option<&ThreadId>) -> Result<Call> {
    let url = api.url(target.method, target.segments)?;
    let message = Resource {
        raw: Some(crate::base64::encode(raw)),
        thread_id,
    };
    match target.method {
        Method::MessagesSend => api.json(target.method, target.verb.clone(), &url, &message),
        _ => api.json(target.method, target.verb.clone(), &url, &Draft { message }),
    }
}

fn media(api: &Api, target: &Target<'_>, raw: &[u8]) -> Result<Call> {
    let mut url = api.upload_url(target.method, target.segments)?;
    url.query_pairs_mut().append_pair("uploadType", "media");
    let content_type = Some(HeaderValue::from_static(RFC822));
    api.call(
        target.method,
        target.verb.clone(),
        &url,
        content_type,
        Bytes::copy_from_slice(raw),
    )
}

fn multipart(api: &Api, target: &Target<'_>, raw: &[u8], thread_id: Option<&ThreadId>) -> Result<Call> {
    let mut url = api.upload_url(target.method, target.segments)?;
    url.query_pairs_mut().append_pair("uploadType", "multipart");
    let message = Resource { raw: None, thread_id };
    let metadata = match target.method {
        Method::MessagesSend => serde_json::to_vec(&message),
        _ => serde_json::to_vec(&Draft { message }),
    }
    .map_err(|_| invalid(target.method, "body", "cannot be written as JSON"))?;

    let boundary = boundary(raw);
    let mut body = Vec::with_capacity(raw.len() + metadata.len() + 256);
    body.extend_from_slice(format!("--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n").as_bytes());
    body.extend_from_slice(&metadata);
    body.extend_from_slice(format!("\r\n--{boundary}\r\nContent-Type: {RFC822}\r\n\r\n").as_bytes());
    body.extend_from_slice(raw);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let content_type = HeaderValue::try_from(format!("multipart/related; boundary={boundary}"))
        .map_err(|_| invalid(target.method, "body", "has no boundary"))?;
    api.call(
        target.method,
        target.verb.clone(),
        &url,
        Some(content_type),
        body.into(),
    )
}

/// A boundary that does not occur in the mail: made from the mail's own digest, so that the request stays a pure
/// function of its arguments, and counted up in the case that cannot happen by chance.
fn boundary(raw: &[u8]) -> String {
    use sha2::Digest as _;

    let digest = sha2::Sha256::digest(raw);
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let mut count = 0u32;
    loop {
        let boundary = format!("atlas-{hex}-{count}");
        let taken = raw.windows(boundary.len()).any(|window| window == boundary.as_bytes());
        if !taken {
            return boundary;
        }
        count += 1;
    }
}
