//! The outline of a message: its entities with their headers and bytes, walked once, bounded in depth and number.

use memchr::memmem::Finder;

use crate::mail::parse::fields::Structured;
use crate::mail::parse::header_block::{self, split_line};
use crate::mail::parse::options::ParseLimits;
use crate::mail::parse::transfer::Transfer;
use crate::mail::{Header, Loss, LossKind};

/// No setting goes deeper: the walk uses the stack of its caller.
const DEEPEST: usize = 100;
/// Longest boundary that is looked for; RFC 2046 allows 70.
const MAX_BOUNDARY: usize = 250;

/// One entity: the message itself, or a part of it.
pub(super) struct Entity<'a> {
    /// Path by the provider's numbering: empty for the root, then `0`, `0.1`.
    pub(super) path: String,
    /// Index of the entity it stands in.
    pub(super) parent: Option<usize>,
    /// How many messages it is inside of, the outermost not counted.
    pub(super) message_depth: usize,
    pub(super) headers: Vec<Header>,
    pub(super) content_type: Structured,
    pub(super) disposition: Option<Structured>,
    pub(super) transfer: Transfer,
    /// The bytes as they are written, headers excluded.
    pub(super) body: &'a [u8],
    pub(super) kind: EntityKind,
}

/// What an entity is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntityKind {
    /// Content.
    Leaf,
    /// Parts.
    Multipart,
    /// A message, which is its only child.
    Message,
}

impl Entity<'_> {
    /// Whether the content type is this one, both words in lower case.
    pub(super) fn is(&self, kind: &str, subtype: &str) -> bool {
        self.content_type.value == kind && self.content_type.subtype.as_deref() == Some(subtype)
    }

    /// `type/subtype` in lower case.
    pub(super) fn mime_type(&self) -> String {
        let subtype = self.content_type.subtype.as_deref().unwrap_or_default();
        format!("{}/{subtype}", self.content_type.value)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value.as_str())
    }

    pub(super) fn is_attachment(&self) -> bool {
        self.disposition
            .as_ref()
            .is_some_and(|disposition| disposition.value == "attachment")
    }

    /// The file name the sender gives, decoded and not yet safe.
    pub(super) fn file_name(&self) -> Option<&str> {
        self.disposition
            .as_ref()
            .and_then(|disposition| disposition.parameter("filename"))
            .or_else(|| self.content_type.parameter("name"))
            .filter(|name| !name.trim().is_empty())
    }
}

/// Walks a message.
pub(super) fn walk<'a>(raw: &'a [u8], limits: &ParseLimits, losses: &mut Vec<Loss>) -> Vec<Entity<'a>> {
    let mut walk = Walk {
        limits,
        losses,
        entities: Vec::new(),
        full: false,
    };
    walk.entity(raw, String::new(), None, 0, 0, false);
    walk.entities
}

struct Walk<'a, 'l> {
    limits: &'l ParseLimits,
    losses: &'l mut Vec<Loss>,
    entities: Vec<Entity<'a>>,
    full: bool,
}

impl<'a> Walk<'a, '_> {
    fn entity(
        &mut self,
        data: &'a [u8],
        path: String,
        parent: Option<usize>,
        depth: usize,
        message_depth: usize,
        digest: bool,
    ) {
        if self.entities.len() >= self.limits.parts.max(1) {
            if !std::mem::replace(&mut self.full, true) {
                self.losses.push(Loss::new(LossKind::TooManyParts, "", None));
            }
            return;
        }
        let block = header_block::read(data, &path, self.limits, self.losses);
        let find = |name: &str| {
            block
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name))
                .map(|header| header.value.as_str())
        };
        let content_type = self.content_type(find("Content-Type"), &path, digest);
        let disposition = find("Content-Disposition").and_then(Structured::parse);
        let transfer_header = find("Content-Transfer-Encoding");
        let transfer = Transfer::from_header(transfer_header);
        if transfer == Transfer::Unknown {
            self.losses
                .push(Loss::new(LossKind::UnknownTransferEncoding, &path, transfer_header));
        }
        let index = self.entities.len();
        let body = block.body;
        let boundary = content_type
            .parameter("boundary")
            .filter(|boundary| !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY)
            .map(str::to_owned);
        let is_multipart = content_type.value == "multipart";
        let is_digest = content_type.subtype.as_deref() == Some("digest");
        let is_message = content_type.value == "message"
            && matches!(content_type.subtype.as_deref(), Some("rfc822" | "global" | "news"))
            && matches!(transfer, Transfer::Identity | Transfer::Unknown);
        self.entities.push(Entity {
            path: path.clone(),
            parent,
            message_depth,
            headers: block.headers,
            content_type,
            disposition,
            transfer,
            body,
            kind: EntityKind::Leaf,
        });
        if !is_multipart && !is_message {
            return;
        }
        if depth >= self.limits.depth.min(DEEPEST) {
            self.losses.push(Loss::new(LossKind::TooDeep, &path, None));
            return;
        }
        let child = |number: usize| {
            if path.is_empty() {
                number.to_string()
            } else {
                format!("{path}.{number}")
            }
        };
        if is_message {
            self.set_kind(index, EntityKind::Message);
            self.entity(body, child(0), Some(index), depth + 1, message_depth + 1, false);
            return;
        }
        let split = boundary.as_deref().and_then(|boundary| split(body, boundary));
        let Some((parts, terminated)) = split else {
            self.unsplit(index, boundary.is_some(), &path);
            return;
        };
        if !terminated {
            self.losses
                .push(Loss::new(LossKind::UnterminatedMultipart, &path, None));
        }
        if parts.is_empty() {
            self.losses.push(Loss::new(LossKind::EmptyMultipart, &path, None));
        }
        self.set_kind(index, EntityKind::Multipart);
        for (number, part) in parts.into_iter().enumerate() {
            if self.full {
                return;
            }
            self.entity(part, child(number), Some(index), depth + 1, message_depth, is_digest);
        }
    }

    /// A multipart that cannot be split: what is in it is read as text.
    fn unsplit(&mut self, index: usize, has_boundary: bool, path: &str) {
        let Some(entity) = self.entities.get_mut(index) else {
            return;
        };
        if entity.body.trim_ascii().is_empty() {
            entity.kind = EntityKind::Multipart;
            self.losses.push(Loss::new(LossKind::EmptyMultipart, path, None));
            return;
        }
        entity.content_type = plain_text();
        entity.transfer = Transfer::Identity;
        let detail = if has_boundary { "unused" } else { "missing" };
        self.losses
            .push(Loss::new(LossKind::MissingBoundary, path, Some(detail)));
    }

    fn set_kind(&mut self, index: usize, kind: EntityKind) {
        if let Some(entity) = self.entities.get_mut(index) {
            entity.kind = kind;
        }
    }

    /// The content type, or the default where it is missing (RFC 2046, section 5.1) or cannot be read (RFC 2045, section 5.2).
    fn content_type(&mut self, value: Option<&str>, path: &str, digest: bool) -> Structured {
        let Some(value) = value else {
            return if digest { message_rfc822() } else { plain_text() };
        };
        match Structured::parse(value) {
            Some(parsed)
                if !parsed.value.is_empty() && parsed.subtype.as_deref().is_some_and(|subtype| !subtype.is_empty()) =>
            {
                parsed
            }
            parsed => {
                self.losses.push(Loss::new(LossKind::UnreadableContentType, path, None));
                match parsed {
                    // The parameters may still say the charset.
                    Some(mut parsed) if parsed.value == "text" => {
                        parsed.subtype = Some("plain".into());
                        parsed
                    }
                    _ => plain_text(),
                }
            }
        }
    }
}

fn plain_text() -> Structured {
    Structured {
        value: "text".into(),
        subtype: Some("plain".into()),
        ..Structured::default()
    }
}

fn message_rfc822() -> Structured {
    Structured {
        value: "message".into(),
        subtype: Some("rfc822".into()),
        ..Structured::default()
    }
}

/// The parts between boundary lines, and whether the closing one was there. `None` if there is no boundary line at all.
fn split<'a>(body: &'a [u8], boundary: &str) -> Option<(Vec<&'a [u8]>, bool)> {
    let boundary = format!("--{}", boundary.trim_end());
    let finder = Finder::new(boundary.as_bytes());
    let mut parts = Vec::new();
    // Where the current part begins; `None` in the preamble.
    let mut begin: Option<usize> = None;
    let mut from = 0;
    while let Some(found) = body.get(from..).and_then(|rest| finder.find(rest)) {
        let at = from + found;
        let begins_line = at == 0 || body.get(at - 1) == Some(&b'\n');
        if !begins_line {
            from = at + 1;
            continue;
        }
        let (line, after) = split_line(body.get(at..).unwrap_or_default());
        let next = body.len() - after.len();
        if let Some(closing) = delimiter(line, boundary.len()) {
            if let Some(begin) = begin {
                parts.push(without_line_end(body.get(begin..at).unwrap_or_default()));
            }
            if closing {
                return Some((parts, true));
            }
            begin = Some(next);
        }
        from = next;
    }
    let begin = begin?;
    let last = body.get(begin..).unwrap_or_default();
    if !last.is_empty() {
        parts.push(last);
    }
    Some((parts, false))
}

/// Whether a line that begins with the boundary, `--` included, is the boundary (`Some(false)`) or the closing one (`Some(true)`).
fn delimiter(line: &[u8], boundary: usize) -> Option<bool> {
    match line.get(boundary..)?.trim_ascii_end() {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// The line end before a boundary belongs to the boundary.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(raw: &str, limits: &ParseLimits) -> (Vec<String>, Vec<LossKind>) {
        let mut losses = Vec::new();
        let entities = walk(raw.as_bytes(), limits, &mut losses);
        let paths = entities
            .iter()
            .map(|entity| format!("{}={}", entity.path, entity.mime_type()))
            .collect();
        (paths, losses.iter().map(|loss| loss.kind).collect())
    }

    #[test]
    fn paths_are_numbered_from_the_root() {
        let raw = "Content-Type: multipart/mixed; boundary=a\n\npreamble\n--a\nContent-Type: multipart/alternative; boundary=ab\n\n\
            --ab\n\none\n--ab\nContent-Type: text/html\n\n<p>\n--ab--\n--a\nContent-Type: message/rfc822\n\nSubject: x\n\nbody\n--a--\n";
        let (paths, losses) = paths(raw, &ParseLimits::default());
        assert_eq!(
            paths,
            [
                "=multipart/mixed",
                "0=multipart/alternative",
                "0.0=text/plain",
                "0.1=text/html",
                "1=message/rfc822",
                "1.0=text/plain"
            ]
        );
        assert_eq!(losses, []);
    }

    #[test]
    fn what_is_broken_is_said() {
        let cases: [(&str, &[&str], &[LossKind]); 5] = [
            (
                "Content-Type: multipart/mixed; boundary=a\n\n--a\n\none",
                &["=multipart/mixed", "0=text/plain"],
                &[LossKind::UnterminatedMultipart],
            ),
            (
                "Content-Type: multipart/mixed\n\none",
                &["=text/plain"],
                &[LossKind::MissingBoundary],
            ),
            (
                "Content-Type: multipart/mixed; boundary=a\n\n",
                &["=multipart/mixed"],
                &[LossKind::EmptyMultipart],
            ),
            (
                "Content-Type: text\n\none",
                &["=text/plain"],
                &[LossKind::UnreadableContentType],
            ),
            (
                "Content-Transfer-Encoding: rot13\n\none",
                &["=text/plain"],
                &[LossKind::UnknownTransferEncoding],
            ),
        ];
        for (raw, expected, losses) in cases {
            let (paths, found) = paths(raw, &ParseLimits::default());
            assert_eq!(
                (paths.as_slice(), found.as_slice()),
                (expected.map_to_strings().as_slice(), losses),
                "{raw:?}"
            );
        }
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let mut deep = String::new();
        for _ in 0..500 {
            deep.push_str("Content-Type: message/rfc822\n\n");
        }
        let (paths_deep, losses) = paths(&deep, &ParseLimits::default());
        assert_eq!((paths_deep.len(), losses), (25, vec![LossKind::TooDeep]));

        let many = format!(
            "Content-Type: multipart/mixed; boundary=a\n\n{}--a--\n",
            "--a\n\nx\n".repeat(50)
        );
        let limits = ParseLimits {
            parts: 10,
            ..ParseLimits::default()
        };
        let (paths_many, losses) = paths(&many, &limits);
        assert_eq!((paths_many.len(), losses), (10, vec![LossKind::TooManyParts]));
    }

    trait MapToStrings {
        fn map_to_strings(&self) -> Vec<String>;
    }

    impl MapToStrings for &[&str] {
        fn map_to_strings(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }
}
