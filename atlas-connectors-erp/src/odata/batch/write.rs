//! Bodies of batch requests.

use std::fmt::Write as _;

use atlas_connectors::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::odata::Version;
use crate::odata::batch::{BatchBody, BatchItem, BatchPart, BatchPlan};

pub(super) fn multipart(plan: &BatchPlan, version: Version) -> BatchBody {
    let boundary = boundary(plan);
    let size: usize = plan
        .items
        .iter()
        .flat_map(BatchItem::parts)
        .map(|part| part.body.len() + 512)
        .sum();
    let mut out = Vec::with_capacity(size);
    let mut number = 0;
    for (at, item) in plan.items.iter().enumerate() {
        line(&mut out, &["--batch_", &boundary]);
        let wrapped = match item {
            BatchItem::Set(_) => true,
            BatchItem::Single(part) => is_change_set_of_one(version, part),
        };
        if !wrapped {
            number += 1;
            item.parts()
                .iter()
                .for_each(|part| request(&mut out, part, number, version));
            continue;
        }
        let set = format!("{boundary}_{at}");
        line(&mut out, &["Content-Type: multipart/mixed; boundary=set_", &set]);
        line(&mut out, &[]);
        for part in item.parts() {
            number += 1;
            line(&mut out, &["--set_", &set]);
            request(&mut out, part, number, version);
        }
        line(&mut out, &["--set_", &set, "--"]);
        line(&mut out, &[]);
    }
    line(&mut out, &["--batch_", &boundary, "--"]);
    BatchBody {
        content_type: format!("multipart/mixed; boundary=batch_{boundary}"),
        accept: "multipart/mixed",
        body: out.into(),
    }
}

/// V2 knows changes only within a set.
fn is_change_set_of_one(version: Version, part: &BatchPart) -> bool {
    version == Version::V2 && part.method != Method::GET && part.method != Method::HEAD
}

fn request(out: &mut Vec<u8>, part: &BatchPart, number: usize, version: Version) {
    line(out, &["Content-Type: application/http"]);
    line(out, &["Content-Transfer-Encoding: binary"]);
    line(out, &["Content-ID: ", &number.to_string()]);
    line(out, &[]);
    line(out, &[part.method.as_str(), " ", &part.path, " HTTP/1.1"]);
    for (name, value) in &part.headers {
        if name == CONTENT_LENGTH {
            continue;
        }
        line(out, &[name.as_str(), ": "]);
        // The value goes before the line's end.
        out.truncate(out.len() - 2);
        out.extend_from_slice(value.as_bytes());
        line(out, &[]);
    }
    if !part.headers.contains_key(ACCEPT) {
        line(out, &["accept: ", version.accept()]);
    }
    if !part.body.is_empty() {
        line(out, &["content-length: ", &part.body.len().to_string()]);
    }
    line(out, &[]);
    out.extend_from_slice(&part.body);
    line(out, &[]);
}

fn line(out: &mut Vec<u8>, pieces: &[&str]) {
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// A text that no body holds: the digest of all of them, counted on until it is true.
fn boundary(plan: &BatchPlan) -> String {
    let mut count = 0u32;
    loop {
        let mut hash = Sha256::new();
        hash.update(count.to_be_bytes());
        for part in plan.items.iter().flat_map(BatchItem::parts) {
            hash.update(part.path.as_bytes());
            hash.update(&part.body);
        }
        let mut text = String::with_capacity(24);
        for byte in hash.finalize().iter().take(12) {
            let _ = write!(text, "{byte:02x}");
        }
        let taken = |part: &BatchPart| part.body.windows(text.len()).any(|window| window == text.as_bytes());
        if !plan.items.iter().flat_map(BatchItem::parts).any(taken) {
            return text;
        }
        count += 1;
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    atomicity_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    depends_on: Option<[String; 1]>,
    method: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_object")]
    headers: Vec<(&'a str, &'a str)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Requests<'a> {
    requests: Vec<Request<'a>>,
}

fn as_object<S: serde::Serializer>(pairs: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (*name, *value)))
}

pub(super) fn json(plan: &BatchPlan) -> Result<BatchBody> {
    let invalid = |what: &'static str, why: &'static str| Error::new(ErrorKind::Invalid { what, why }, "odata.batch");
    let mut requests = Vec::with_capacity(plan.parts());
    for (at, item) in plan.items.iter().enumerate() {
        let group = matches!(item, BatchItem::Set(_)).then(|| format!("g{}", at + 1));
        for part in item.parts() {
            let mut headers = Vec::new();
            for (name, value) in &part.headers {
                let value = value.to_str().map_err(|_| invalid("header", "it is not text"))?;
                headers.push((name.as_str(), value));
            }
            requests.push(Request {
                id: (requests.len() + 1).to_string(),
                atomicity_group: group.clone(),
                depends_on: part.references().map(|number| [number.to_string()]),
                method: part.method.as_str(),
                url: &part.path,
                headers,
                body: body(part).ok_or_else(|| invalid("body", "it is not JSON"))?,
            });
        }
    }
    let body = serde_json::to_vec(&Requests { requests }).map_err(|_| invalid("batch", "it cannot be written"))?;
    Ok(BatchBody {
        content_type: "application/json".to_owned(),
        accept: "application/json",
        body: Bytes::from(body),
    })
}

/// JSON stays as it is, digit for digit; anything else travels in base64url.
fn body(part: &BatchPart) -> Option<Option<Box<RawValue>>> {
    if part.body.is_empty() {
        return Some(None);
    }
    let kind = part.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let text = if kind.is_none_or(|kind| kind.contains("json")) {
        std::str::from_utf8(&part.body).ok()?.to_owned()
    } else {
        format!("\"{}\"", URL_SAFE.encode(&part.body))
    };
    RawValue::from_string(text).ok().map(Some)
}
