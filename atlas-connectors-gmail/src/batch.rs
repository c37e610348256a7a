//! Several reads in one request: `multipart/mixed` at Google's batch endpoint.
//!
//! Source: `gmail.md`, section 6. A batch saves round trips and nothing else: n calls cost n calls, and a large batch trips
//! the limit on requests at a time, which counts its parts. Plain requests over one HTTP/2 connection under the governor
//! are therefore the rule in this crate; a batch pays where many small answers are wanted at once (the counters of all
//! labels, the headers of a page of messages). Only reads go into a batch: an effect must have an answer of its own.

use atlas_connectors::error::{BadPayload, Error, ErrorKind, OperationClass};
use atlas_connectors::http::{Call, CallClass, Classify as _, Failure, Response};
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::{Result, Timestamp};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode};

use crate::classify::GmailErrors;
use crate::wire::Api;

/// Most parts Google takes.
pub const MAX: usize = 100;
/// Parts that people report as safe from the limit on requests at a time (10 to 25).
pub const DEFAULT: usize = 20;

const OPERATION: &str = "gmail.batch";
const BOUNDARY: &str = "atlas-batch";

/// One request for all of these reads, at the sum of their prices. Answers come back in [`split`].
///
/// # Errors
/// [`ErrorKind::Invalid`] for no read, more than [`MAX`], or an effect among them.
pub fn join(api: &Api, calls: &[Call]) -> Result<Call> {
    let invalid = |why| Err(local(ErrorKind::Invalid { what: "batch", why }));
    if calls.is_empty() || calls.len() > MAX {
        return invalid("none or more than 100 calls");
    }
    if calls.iter().any(|call| call.class != CallClass::Read) {
        return invalid("only reads may share a request");
    }
    let mut body = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        let target = call.request.uri().path_and_query().map_or("/", |path| path.as_str());
        let head = format!(
            "--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: <{index}>\r\n\r\n{} {target}\r\n\r\n\r\n",
            call.request.method(),
        );
        body.extend_from_slice(head.as_bytes());
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());

    let mut request = Request::post(api.endpoints().batch.as_str())
        .body(Bytes::from(body))
        .map_err(|_| {
            local(ErrorKind::Invalid {
                what: "address",
                why: "cannot be requested",
            })
        })?;
    let content_type = HeaderValue::from_static("multipart/mixed; boundary=atlas-batch");
    request.headers_mut().insert(CONTENT_TYPE, content_type);
    let cost = calls.iter().map(|call| call.cost).fold(0, u32::saturating_add);
    // Whatever one of the parts may need opens the batch; each part is checked by Gmail on its own.
    let scopes = calls
        .iter()
        .fold(ScopeSet::new(), |all, call| all.union(&call.any_scope));
    Ok(Call::read(OPERATION, request).with_cost(cost).with_any_scope(scopes))
}

/// The answer to each call, in the order of the calls. Parts are matched by content id, since their order is not promised;
/// a call without a part is an error of its own, and says nothing of the others.
///
/// # Errors
/// [`BadPayload`] when the whole answer is not a multipart body. Errors of single parts are in the list.
pub fn split(calls: &[Call], answer: &Response, now: Timestamp) -> Result<Vec<Result<Response>>> {
    let boundary = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(boundary_of)
        .ok_or_else(|| local(BadPayload::Type))?;
    let mut outcomes: Vec<Option<Result<Response>>> = calls.iter().map(|_| None).collect();
    for part in parts(&answer.body, &boundary) {
        let Some((index, response)) = parse_part(part) else {
            continue;
        };
        let (Some(slot), Some(call)) = (outcomes.get_mut(index), calls.get(index)) else {
            continue;
        };
        *slot = Some(if response.status.is_success() {
            Ok(response)
        } else {
            let (status, headers, body) = (response.status, &response.headers, &response.body);
            Err(GmailErrors.classify(&Failure::new(call.operation, status, headers, body, now)))
        });
    }
    let missing = |call: &Call| {
        Error::new(BadPayload::Truncated, call.operation)
            .with_class(OperationClass::Read)
            .with_provider(crate::provider())
    };
    Ok(outcomes
        .into_iter()
        .zip(calls)
        .map(|(outcome, call)| outcome.unwrap_or_else(|| Err(missing(call))))
        .collect())
}

fn boundary_of(content_type: &str) -> Option<String> {
    let multipart = content_type.trim_start().to_ascii_lowercase().starts_with("multipart/");
    let (_, value) = content_type.split_once("boundary=").filter(|_| multipart)?;
    let value = value.split(';').next().unwrap_or(value).trim().trim_matches('"');
    (!value.is_empty()).then(|| value.to_owned())
}

/// The parts between the boundary lines; what stands before the first and after the last is no part. A last part without
/// its closing boundary was cut and is dropped.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let delimiter = delimiter.as_bytes();
    let at_line_start = |position: usize| position == 0 || body.get(position - 1) == Some(&b'\n');
    let starts: Vec<usize> = body
        .windows(delimiter.len())
        .enumerate()
        .filter(|(position, window)| *window == delimiter && at_line_start(*position))
        .map(|(position, _)| position)
        .collect();
    starts
        .windows(2)
        .filter_map(|pair| match pair {
            [start, end] => body.get(start + delimiter.len()..*end),
            _ => None,
        })
        .collect()
}

/// `Content-ID: <response-3>`, then a whole HTTP answer.
fn parse_part(part: &[u8]) -> Option<(usize, Response)> {
    let (outer, inner) = cut_head(part)?;
    let id = header_lines(outer)
        .find(|(name, _)| name.eq_ignore_ascii_case("content-id"))
        .map(|(_, value)| value)?;
    let id = id.trim_start_matches('<').trim_end_matches('>');
    let index: usize = id.strip_prefix("response-").unwrap_or(id).parse().ok()?;

    let (head, body) = cut_head(inner).unwrap_or((inner, &[]));
    let head_text = std::str::from_utf8(head).ok()?;
    let status = head_text.trim_start().split(' ').nth(1)?.trim().get(..3)?;
    let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in header_lines(head).filter_map(|(name, value)| {
        Some((
            HeaderName::from_bytes(name.as_bytes()).ok()?,
            HeaderValue::from_str(value).ok()?,
        ))
    }) {
        headers.append(name, value);
    }
    let body = body.strip_suffix(b"\r\n").unwrap_or(body);
    Some((index, Response::new(status, headers, Bytes::copy_from_slice(body))))
}

fn cut_head(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let crlf = text
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| (at, 4));
    let lf = text.windows(2).position(|window| window == b"\n\n").map(|at| (at, 2));
    let (at, width) = match (crlf, lf) {
        (Some(crlf), Some(lf)) if lf.0 < crlf.0 => lf,
        (Some(crlf), _) => crlf,
        (None, lf) => lf?,
    };
    Some((text.get(..at)?, text.get(at + width..)?))
}

fn header_lines(head: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    std::str::from_utf8(head)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
}

fn local(kind: impl Into<ErrorKind>) -> Error {
    Error::new(kind, OPERATION)
        .with_class(OperationClass::Read)
        .with_provider(crate::provider())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Endpoints;
    use crate::quota::Tariff;
    use crate::wire::{labels, messages};

    fn api() -> Api {
        Api::new(Endpoints::google().unwrap(), Tariff::default())
    }

    fn calls(count: usize) -> Vec<Call> {
        (1..=count)
            .map(|id| labels::get(&api(), &format!("Label_{id}").into()).unwrap())
            .collect()
    }

    fn answer(content_type: &'static str, body: &str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Response::new(StatusCode::OK, headers, Bytes::from(body.to_owned()))
    }

    fn part(id: &str, status: &str, body: &str) -> String {
        format!(
            "--batch_x\r\nContent-Type: application/http\r\nContent-ID: <response-{id}>\r\n\r\n\
             HTTP/1.1 {status}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{body}\r\n"
        )
    }

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const MIXED: &str = "multipart/mixed; boundary=batch_x";

    #[test]
    fn reads_join_at_the_sum_of_their_prices() {
        let call = join(&api(), &calls(2)).unwrap();
        assert_eq!(call.request.uri(), "https://gmail.googleapis.com/batch/gmail/v1");
        assert_eq!(call.cost, 2);
        assert_eq!(call.class, CallClass::Read);
        let body = std::str::from_utf8(call.request.body()).unwrap();
        assert_eq!(
            body,
            "--atlas-batch\r\nContent-Type: application/http\r\nContent-ID: <0>\r\n\r\n\
             GET /gmail/v1/users/me/labels/Label_1\r\n\r\n\r\n\
             --atlas-batch\r\nContent-Type: application/http\r\nContent-ID: <1>\r\n\r\n\
             GET /gmail/v1/users/me/labels/Label_2\r\n\r\n\r\n\
             --atlas-batch--\r\n"
        );
    }

    #[test]
    fn effects_and_crowds_are_refused() {
        let effect = messages::trash(&api(), &"m1".into()).unwrap();
        assert_eq!(join(&api(), &[effect]).unwrap_err().code(), "invalid");
        assert_eq!(join(&api(), &[]).unwrap_err().code(), "invalid");
        assert!(join(&api(), &calls(MAX)).is_ok());
        assert_eq!(join(&api(), &calls(MAX + 1)).unwrap_err().code(), "invalid");
    }

    #[test]
    fn parts_are_matched_by_id_and_classified_one_by_one() {
        // Shape of Google's batch guide; parts in another order than the calls, one throttled, one missing.
        let throttled = r#"{"error":{"code":429,"message":"Too many concurrent requests for user",
            "errors":[{"domain":"usageLimits","reason":"rateLimitExceeded"}]}}"#;
        let body = [
            "preamble\r\n",
            &part("2", "429 Too Many Requests", throttled),
            &part("0", "200 OK", r#"{"id":"Label_1"}"#),
            &part("77", "200 OK", "{}"),
            "--batch_x--\r\n",
        ]
        .concat();
        let outcomes = split(&calls(3), &answer(MIXED, &body), NOW).unwrap();
        let codes: Vec<_> = outcomes
            .iter()
            .map(|outcome| outcome.as_ref().map_or_else(Error::code, |_| "ok"))
            .collect();
        assert_eq!(codes, ["ok", "bad_payload.truncated", "throttled.request"]);
        assert_eq!(outcomes[0].as_ref().unwrap().body, r#"{"id":"Label_1"}"#);
    }

    #[test]
    fn a_cut_answer_loses_the_cut_parts_only() {
        let whole = [
            part("0", "200 OK", "{}"),
            part("1", "200 OK", r#"{"id":"x"}"#),
            "--batch_x--".into(),
        ]
        .concat();
        for cut in 0..whole.len() {
            let outcomes = split(&calls(2), &answer(MIXED, &whole[..cut]), NOW).unwrap();
            assert_eq!(outcomes.len(), 2);
            let second_is_whole = cut >= whole.len() - 2;
            assert_eq!(outcomes[1].is_ok(), second_is_whole, "cut at {cut}");
        }
        assert!(split(&calls(2), &answer("text/html", "<html>"), NOW).is_err());
    }
}
