//! Recorded answers.

use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What the test needs of a file.
pub(crate) struct Recorded {
    pub(crate) path: String,
    pub(crate) status: Option<u16>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    request: Option<Request>,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default, alias = "url")]
    path: String,
}

#[derive(Deserialize)]
struct Response {
    status: Option<u16>,
    content_type: Option<String>,
    headers: Option<Value>,
    body: Option<Box<RawValue>>,
    body_file: Option<String>,
}

pub(crate) fn read(folder: &Path, name: &str) -> Recorded {
    let file = folder.join(format!("{name}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let read: File = serde_json::from_str(&text).unwrap();
    let response = read.response;
    // A text is the body; an object is its JSON, digits untouched.
    let body = match (&response.body, &response.body_file) {
        (_, Some(beside)) => std::fs::read(file.with_file_name(beside)).unwrap(),
        (Some(raw), None) if raw.get().starts_with('"') => {
            serde_json::from_str::<String>(raw.get()).unwrap().into_bytes()
        }
        (Some(raw), None) => raw.get().as_bytes().to_vec(),
        (None, None) => Vec::new(),
    };
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &str| {
        headers.append(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    };
    match &response.headers {
        Some(Value::Array(pairs)) => pairs
            .iter()
            .for_each(|pair| add(pair[0].as_str().unwrap(), pair[1].as_str().unwrap())),
        Some(Value::Object(map)) => map.iter().for_each(|(name, value)| add(name, value.as_str().unwrap())),
        _ => {}
    }
    if let Some(kind) = &response.content_type {
        add("content-type", kind);
    }
    Recorded {
        path: read.request.map(|request| request.path).unwrap_or_default(),
        status: response.status,
        headers,
        body: Bytes::from(body),
    }
}

impl Recorded {
    pub(crate) fn content_type(&self) -> &str {
        self.headers
            .get("content-type")
            .map_or("", |value| value.to_str().unwrap())
    }

    /// One option of the recorded address, as it was sent.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        let query = self.path.split_once('?')?.1;
        query
            .split('&')
            .find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }
}
