//! Header blocks: fields in order, folding undone, as UTF-8.

use std::borrow::Cow;

use crate::mail::parse::charset;
use crate::mail::parse::options::ParseLimits;
use crate::mail::{Header, Loss, LossKind};

/// A header block and where the body after it begins.
pub(super) struct HeaderBlock<'a> {
    pub(super) headers: Vec<Header>,
    pub(super) body: &'a [u8],
}

/// How far a malformed line is looked past for a field that shows that the block goes on.
const LOOK_AHEAD_LINES: usize = 50;
/// Fields by which a header block that goes on after a malformed line is known.
const KNOWN_NAMES: &[&str] = &[
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "received",
    "reply-to",
    "return-path",
    "in-reply-to",
    "references",
];

/// Reads the header block at the beginning of an entity.
pub(super) fn read<'a>(data: &'a [u8], path: &str, limits: &ParseLimits, losses: &mut Vec<Loss>) -> HeaderBlock<'a> {
    let mut fields: Vec<(&'a str, Cow<'a, [u8]>)> = Vec::new();
    let mut kept_bytes = 0usize;
    let mut truncated = false;
    let mut malformed = false;
    let mut rest = data;
    let mut first = true;
    let body = loop {
        if rest.is_empty() {
            break rest;
        }
        let (line, after) = split_line(rest);
        if line.is_empty() {
            break after;
        }
        let is_envelope = std::mem::take(&mut first) && (line.starts_with(b"From ") || line.starts_with(b">From "));
        if is_envelope {
            // The separator line of an mbox file is no header.
        } else if matches!(line.first(), Some(b' ' | b'\t')) && !fields.is_empty() {
            kept_bytes = kept_bytes.saturating_add(line.len());
            if kept_bytes > limits.header_bytes {
                truncated = true;
            } else if let Some((_, value)) = fields.last_mut() {
                value.to_mut().extend_from_slice(line);
            }
        } else if let Some((name, value)) = split_field(line) {
            kept_bytes = kept_bytes.saturating_add(line.len());
            if kept_bytes > limits.header_bytes || fields.len() >= limits.header_fields {
                truncated = true;
            } else {
                fields.push((name, Cow::Borrowed(value)));
            }
        } else {
            malformed = true;
            if !goes_on(after) {
                // The empty line is missing: this is the body.
                break rest;
            }
        }
        rest = after;
    };
    if truncated {
        losses.push(Loss::new(LossKind::HeadersTruncated, path, None));
    }
    if malformed {
        losses.push(Loss::new(LossKind::MalformedHeaderLine, path, None));
    }
    HeaderBlock {
        headers: decode(fields, path, losses),
        body,
    }
}

/// One line without its line end, and what follows.
pub(super) fn split_line(data: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', data) {
        Some(at) => {
            let (line, after) = data.split_at(at);
            (
                line.strip_suffix(b"\r").unwrap_or(line),
                after.get(1..).unwrap_or_default(),
            )
        }
        None => (data.strip_suffix(b"\r").unwrap_or(data), &[]),
    }
}

fn split_field(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let (name, value) = line.split_at(colon);
    // White space before the colon is obsolete syntax (RFC 5322, section 4.5) and still seen.
    let name = std::str::from_utf8(name).ok()?.trim_end_matches([' ', '\t']);
    let is_name = !name.is_empty() && name.len() <= 200 && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then(|| (name, value.get(1..).unwrap_or_default()))
}

/// Whether a well-known field follows before the next empty line.
fn goes_on(mut rest: &[u8]) -> bool {
    for _ in 0..LOOK_AHEAD_LINES {
        let (line, after) = split_line(rest);
        if line.is_empty() {
            return false;
        }
        if let Some((name, _)) = split_field(line) {
            let name = name.to_ascii_lowercase();
            if name.starts_with("content-") || name.starts_with("x-") || KNOWN_NAMES.contains(&name.as_str()) {
                return true;
            }
        }
        rest = after;
    }
    false
}

/// Bytes to text: UTF-8 where it is (RFC 6532), else the charset of the body, else windows-1252. Control characters become spaces.
fn decode(fields: Vec<(&str, Cow<'_, [u8]>)>, path: &str, losses: &mut Vec<Loss>) -> Vec<Header> {
    let declared = fields
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("Content-Type"))
        .find_map(|(_, value)| declared_charset(value));
    fields
        .into_iter()
        .map(|(name, value)| {
            let text = match std::str::from_utf8(&value) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => {
                    let charset = declared
                        .as_deref()
                        .filter(|name| charset::is_known(name) && !charset::is_utf8(name));
                    let charset = charset.unwrap_or("windows-1252");
                    losses.push(Loss::new(LossKind::RawHeaderBytes, path, Some(charset)));
                    Cow::Owned(
                        charset::decode_as(charset, &value)
                            .unwrap_or_else(|| String::from_utf8_lossy(&value).into_owned()),
                    )
                }
            };
            Header {
                name: name.to_owned(),
                value: clean(&text, name, path, losses),
            }
        })
        .collect()
}

/// Takes NULs out and turns other control characters but tabs into spaces: a value is one line from here on.
pub(super) fn clean(text: &str, name: &str, path: &str, losses: &mut Vec<Loss>) -> String {
    let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
    let is_control = |c: char| c != '\t' && (c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
    // Nearly every value is plain ASCII, which is looked at byte by byte.
    let plain = trimmed.bytes().fold(true, |plain, byte| {
        plain & (matches!(byte, b' '..=b'~') | (byte == b'\t'))
    });
    if plain || !trimmed.contains(is_control) {
        return trimmed.to_owned();
    }
    let kind = if trimmed.contains('\0') {
        LossKind::NulBytes
    } else {
        LossKind::ControlInHeader
    };
    losses.push(Loss::new(kind, path, Some(name)));
    trimmed
        .chars()
        .filter(|&c| c != '\0')
        .map(|c| if is_control(c) { ' ' } else { c })
        .collect()
}

/// The charset parameter of a raw `Content-Type`, found without parsing the value: it may hold the bytes in question.
fn declared_charset(value: &[u8]) -> Option<String> {
    let text: String = value.iter().map(|&byte| byte.to_ascii_lowercase() as char).collect();
    let (_, after) = text.split_once("charset=")?;
    let name: String = after
        .trim_start_matches('"')
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
        .collect();
    (!name.is_empty()).then_some(name)
}
