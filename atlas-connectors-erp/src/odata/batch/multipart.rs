//! Answers in multipart.

use atlas_connectors::error::BadPayload;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use crate::odata::batch::PartResponse;

/// More parts than any server answers.
const MOST_PARTS: usize = 10_000;
/// More header lines than any part has.
const MOST_HEADERS: usize = 200;

/// The answers at the top level, and whether the last boundary came.
pub(super) struct Answers {
    pub(super) items: Vec<Item>,
    pub(super) whole: bool,
}

pub(super) enum Item {
    /// One answer: to a request, or to a set that failed.
    Single(Answer),
    /// The answers to a set, and whether its last boundary came.
    Set { answers: Vec<Answer>, whole: bool },
}

pub(super) struct Answer {
    /// Of the part's header or of the answer's own.
    pub(super) content_id: Option<String>,
    pub(super) response: PartResponse,
}

/// The boundary that a `Content-Type` names.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let at = content_type.to_ascii_lowercase().find("boundary=")?;
    let value = content_type.get(at + "boundary=".len()..)?;
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?.0,
        None => value.split([';', ' ', ',', '\r', '\n']).next()?,
    };
    (!value.is_empty() && value.len() <= 200).then(|| value.to_owned())
}

/// # Errors
/// No boundary in the body, or a part that is neither an answer nor a set.
pub(super) fn read(boundary: &str, body: &Bytes) -> Result<Answers, BadPayload> {
    let (parts, whole) = split(boundary, body)?;
    let mut items = Vec::with_capacity(parts.len());
    let count = parts.len();
    for (at, part) in parts.into_iter().enumerate() {
        // The last piece of an answer that was cut is not believed.
        let cut = !whole && at + 1 == count;
        let (headers, rest) = headers_of(&part)?;
        let kind = header(&headers, &CONTENT_TYPE).to_ascii_lowercase();
        if kind.starts_with("multipart/") {
            let inner = self::boundary(header(&headers, &CONTENT_TYPE)).ok_or(BadPayload::Syntax)?;
            let (parts, closed) = match split(&inner, &rest) {
                Ok(found) => found,
                Err(_) if cut => break,
                Err(fault) => return Err(fault),
            };
            let mut answers = Vec::with_capacity(parts.len());
            let (inner_count, whole) = (parts.len(), closed && !cut);
            for (at, part) in parts.into_iter().enumerate() {
                match answer(&part) {
                    Ok(_) if !closed && at + 1 == inner_count => {}
                    Ok(answer) => answers.push(answer),
                    Err(_) if !closed => {}
                    Err(fault) => return Err(fault),
                }
            }
            items.push(Item::Set { answers, whole });
        } else if cut {
            break;
        } else {
            items.push(Item::Single(answer(&part)?));
        }
    }
    Ok(Answers { items, whole })
}

/// The parts between the boundaries, and whether the last boundary came.
fn split(boundary: &str, body: &Bytes) -> Result<(Vec<Bytes>, bool), BadPayload> {
    let delimiter = format!("--{boundary}");
    let delimiter = delimiter.as_bytes();
    let mut parts = Vec::new();
    let mut begun: Option<usize> = None;
    let mut at = 0;
    while let Some(found) = find(body, delimiter, at) {
        let after = found + delimiter.len();
        at = after;
        let own_line = found == 0 || body.get(found - 1) == Some(&b'\n');
        let rest = body.get(after..).unwrap_or_default();
        let last = rest.starts_with(b"--");
        let line_end = rest.iter().position(|byte| *byte == b'\n');
        let blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
        let ends_line = last || line_end.is_some_and(|end| blank(rest.get(..end).unwrap_or_default()));
        if !own_line || !ends_line {
            continue;
        }
        if let Some(start) = begun {
            let mut end = found;
            // The line's end before a boundary belongs to the boundary.
            for byte in [b'\n', b'\r'] {
                if end > start && body.get(end - 1) == Some(&byte) {
                    end -= 1;
                }
            }
            parts.push(body.slice(start..end));
            if parts.len() > MOST_PARTS {
                return Err(BadPayload::TooLarge);
            }
        }
        if last {
            return Ok((parts, true));
        }
        at = after + line_end.map_or(0, |end| end + 1);
        begun = Some(at);
    }
    match begun {
        None if body.is_empty() => Err(BadPayload::Truncated),
        None => Err(BadPayload::Syntax),
        Some(start) => {
            parts.push(body.slice(start.min(body.len())..));
            Ok((parts, false))
        }
    }
}

/// A part whose content is an HTTP answer.
fn answer(part: &Bytes) -> Result<Answer, BadPayload> {
    let (outer, rest) = headers_of(part)?;
    if !header(&outer, &CONTENT_TYPE)
        .to_ascii_lowercase()
        .starts_with("application/http")
    {
        return Err(BadPayload::Syntax);
    }
    let line_end = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or(BadPayload::Truncated)?;
    let line = std::str::from_utf8(rest.get(..line_end).unwrap_or_default()).map_err(|_| BadPayload::Syntax)?;
    let mut words = line.split_ascii_whitespace();
    let http = words.next().is_some_and(|word| word.starts_with("HTTP/"));
    let status = words
        .next()
        .and_then(|word| StatusCode::from_bytes(word.as_bytes()).ok());
    let status = status.filter(|_| http).ok_or(BadPayload::Syntax)?;
    let (headers, mut body) = headers_of(&rest.slice(line_end + 1..))?;
    let length = header(&headers, &CONTENT_LENGTH).trim().parse::<usize>().ok();
    if let Some(rest) = length.and_then(|length| body.get(length..)) {
        // Only white space may be cut: some servers count letters instead of bytes.
        if rest.iter().all(u8::is_ascii_whitespace) {
            body.truncate(body.len() - rest.len());
        }
    }
    const CONTENT_ID: HeaderName = HeaderName::from_static("content-id");
    let content_id = [&outer, &headers]
        .iter()
        .map(|headers| header(headers, &CONTENT_ID).trim())
        .find(|id| !id.is_empty())
        .map(str::to_owned);
    Ok(Answer {
        content_id,
        response: PartResponse { status, headers, body },
    })
}

/// Header lines up to the empty line, and what comes after it. A last header without an empty line after it is enough for an
/// answer without body.
fn headers_of(bytes: &Bytes) -> Result<(HeaderMap, Bytes), BadPayload> {
    let mut headers = HeaderMap::new();
    let mut at = 0;
    for _ in 0..MOST_HEADERS {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok((headers, Bytes::new()));
        }
        let (line, next) = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) => (rest.get(..end).unwrap_or_default(), at + end + 1),
            None => (rest, bytes.len()),
        };
        at = next;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Ok((headers, bytes.slice(at..)));
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or(BadPayload::Syntax)?;
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    Err(BadPayload::TooLarge)
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn find(body: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let rest = body.get(from..)?;
    rest.windows(needle.len())
        .position(|window| window == needle)
        .map(|at| from + at)
}
