//! The batch endpoint, and the multipart bodies that it shares with uploads.

use atlas_connectors::testkit::server::random;

use super::answer::{ApiError, Reply};
use super::dispatch::{self, Request};
use super::server::World;

/// One part of a multipart body.
pub(super) struct Part {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// The boundary named in a content type.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The parts of a multipart body; nothing when it has none.
pub(super) fn parts(body: &[u8], boundary: &str) -> Vec<Part> {
    let delimiter = format!("--{boundary}").into_bytes();
    let mut found = Vec::new();
    let mut rest = body;
    let mut begun = false;
    while let Some(at) = find(rest, &delimiter) {
        let (before, after) = rest.split_at(at);
        if begun {
            let piece = before.strip_suffix(b"\n").unwrap_or(before);
            found.push(split(piece.strip_suffix(b"\r").unwrap_or(piece)));
        }
        begun = true;
        let after = after.get(delimiter.len()..).unwrap_or_default();
        if after.starts_with(b"--") {
            return found;
        }
        let line_end = after
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(after.len(), |at| at + 1);
        rest = after.get(line_end..).unwrap_or_default();
    }
    found
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len().max(1)).position(|window| window == what)
}

/// Header fields and body of a part or of an HTTP message without its first line.
fn split(piece: &[u8]) -> Part {
    if let Some(body) = piece.strip_prefix(b"\r\n").or_else(|| piece.strip_prefix(b"\n")) {
        return Part {
            headers: Vec::new(),
            body: body.to_vec(),
        };
    }
    let (end, skip) = match (find(piece, b"\r\n\r\n"), find(piece, b"\n\n")) {
        (Some(crlf), lf) if lf.is_none_or(|lf| crlf < lf) => (crlf, 4),
        (_, Some(lf)) => (lf, 2),
        _ => (piece.len(), 0),
    };
    let head = String::from_utf8_lossy(piece.get(..end).unwrap_or_default()).into_owned();
    let headers = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()))
        .collect();
    Part {
        headers,
        body: piece.get(end + skip..).unwrap_or_default().to_vec(),
    }
}

/// Runs every call of a batch; the outer answer is 200 whatever they come to.
pub(super) fn run(world: &mut World, outer: &Request<'_>) -> Reply {
    let kind = outer
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let Some(boundary) = boundary(kind) else {
        return ApiError::InvalidArgument("Failed to parse batch request, error: missing boundary".to_owned()).reply();
    };
    let parts = parts(outer.body, &boundary);
    if parts.is_empty() {
        return ApiError::InvalidArgument("Failed to parse batch request, error: 0 items".to_owned()).reply();
    }
    if parts.len() > 100 {
        let text = "The batch request has too many parts; the limit is 100.".to_owned();
        return ApiError::InvalidArgument(text).reply();
    }
    let mark = format!("batch_{}", random(32).replace('-', "x"));
    let mut body = Vec::new();
    for part in parts {
        let content_id = part
            .headers
            .iter()
            .find(|(name, _)| name == "content-id")
            .map(|(_, value)| value.clone());
        let reply = one(world, outer, &part.body);
        let mut head = format!("--{mark}\r\nContent-Type: application/http\r\n");
        if let Some(id) = content_id {
            let id = id.trim_matches(['<', '>']);
            head.push_str(&format!("Content-ID: <response-{id}>\r\n"));
        }
        let words = http::StatusCode::from_u16(reply.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("");
        head.push_str(&format!(
            "\r\nHTTP/1.1 {} {words}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
            reply.status,
            reply.content_type,
            reply.body.len()
        ));
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&reply.body);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{mark}--\r\n").as_bytes());
    Reply::with_status(200, "multipart/mixed", body).header("content-type", format!("multipart/mixed; boundary={mark}"))
}

fn one(world: &mut World, outer: &Request<'_>, inner: &[u8]) -> Reply {
    let (line, rest) = inner.split_at(
        inner
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(inner.len(), |at| at + 1),
    );
    let line = String::from_utf8_lossy(line).into_owned();
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return ApiError::InvalidArgument("Failed to parse batch part".to_owned()).reply();
    };
    let part = split(rest);
    let mut headers = http::HeaderMap::new();
    for (name, value) in &part.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse::<http::HeaderValue>()) {
            headers.append(name, value);
        }
    }
    // The outer token serves every part that brings none.
    if !headers.contains_key("authorization")
        && let Some(token) = outer.headers.get("authorization")
    {
        headers.insert("authorization", token.clone());
    }
    let target = match target.find("//").and_then(|at| target.get(at + 2..)) {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let request = Request {
        method,
        path,
        query: &query,
        headers: &headers,
        body: &part.body,
        inner: true,
    };
    dispatch::gmail(world, &request).map_or_else(|| dispatch::unknown(&request), |outcome| outcome.reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        let body = b"--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\nc\r\n--x--";
        let parts = parts(body, "x");
        assert_eq!(parts.len(), 2);
        assert_eq!(parts.first().unwrap().body, b"{}");
        assert_eq!(parts.last().unwrap().body, b"A: b\r\n\r\nc");
        assert_eq!(boundary("multipart/mixed; boundary=\"a b\"").as_deref(), Some("a b"));
    }
}
