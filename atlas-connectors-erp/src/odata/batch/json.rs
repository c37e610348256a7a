//! Answers in JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use atlas_connectors::error::BadPayload;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::odata::batch::PartResponse;

/// An answer and the id that it names.
pub(super) struct Answer {
    pub(super) id: Option<String>,
    pub(super) response: PartResponse,
}

#[derive(Deserialize)]
struct Responses<'a> {
    #[serde(borrow)]
    responses: Vec<One<'a>>,
}

#[derive(Deserialize)]
struct One<'a> {
    #[serde(default)]
    id: Value,
    status: u16,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

pub(super) fn read(body: &Bytes) -> Result<Vec<Answer>, BadPayload> {
    let read: Responses<'_> = serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Eof if !body.is_empty() => BadPayload::Truncated,
        Category::Syntax => BadPayload::Syntax,
        _ => BadPayload::Type,
    })?;
    read.responses.into_iter().map(|one| answer(one, body)).collect()
}

fn answer(one: One<'_>, body: &Bytes) -> Result<Answer, BadPayload> {
    let mut headers = HeaderMap::new();
    for (name, value) in one.headers.into_iter().flatten() {
        let value = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    let id = match one.id {
        Value::String(id) => Some(id),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    };
    Ok(Answer {
        id,
        response: PartResponse {
            status: StatusCode::from_u16(one.status).map_err(|_| BadPayload::Syntax)?,
            body: content(one.body, &headers, body),
            headers,
        },
    })
}

/// JSON is handed on as it stands, without a copy; text in another type loses its quotes.
fn content(raw: Option<&RawValue>, headers: &HeaderMap, body: &Bytes) -> Bytes {
    let Some(raw) = raw else { return Bytes::new() };
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| !kind.contains("json"))
        && let Ok(text) = serde_json::from_str::<Cow<'_, str>>(raw.get())
    {
        return Bytes::from(text.into_owned());
    }
    body.slice_ref(raw.get().as_bytes())
}
