//! Reading mail as far as Gmail shows it: headers, the part tree of `full`, snippets, attachments.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};
use serde_json::{Value, json};

use super::answer::set;

/// The header fields of the outer message, unfolded, in order, names as the sender wrote them.
pub(super) fn headers(raw: &[u8]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    for line in header_block(raw).split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
        } else if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            let (name, value) = line.split_at(colon);
            let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
            fields.push((text(name.trim_ascii()), value.to_vec()));
        }
    }
    fields.into_iter().map(|(name, value)| (name, text(&value))).collect()
}

/// The first field of this name.
pub(super) fn header(raw: &[u8], name: &str) -> Option<String> {
    headers(raw)
        .into_iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// The header with its last line end, which the parser needs, and without the blank line.
fn header_block(raw: &[u8]) -> &[u8] {
    if raw.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        return &[];
    }
    let end = raw
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .into_iter()
        .chain(raw.windows(3).position(|three| three == b"\n\r\n"))
        .min();
    end.and_then(|end| raw.get(..=end)).unwrap_or(raw)
}

/// The mail with the named fields taken out and these put on top.
pub(super) fn rewrite(raw: &[u8], without: &[&str], first: &[(&str, String)]) -> Vec<u8> {
    let head = header_block(raw);
    let rest = raw.get(head.len()..).unwrap_or_default();
    let mut out = Vec::with_capacity(raw.len() + 128);
    for (name, value) in first {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let mut dropping = false;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        if !line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
            dropping = without.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(name));
        }
        if !dropping {
            out.extend_from_slice(line);
        }
    }
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
    if rest.is_empty() {
        // Header only: the blank line was missing.
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(rest);
    out
}

/// Addresses in a header value, in lower case: what stands in angle brackets, or words with an at sign.
pub(super) fn addresses(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut quoted, mut piece) = (false, String::new());
    for character in value.chars().chain([',']) {
        match character {
            '"' => quoted = !quoted,
            ',' | ';' if !quoted => {
                let one = match (piece.rfind('<'), piece.rfind('>')) {
                    (Some(open), Some(close)) if open < close => piece.get(open + 1..close),
                    _ => piece.split_whitespace().find(|word| word.contains('@')),
                };
                let one = one.unwrap_or_default().rsplit(':').next().unwrap_or_default().trim();
                if one.contains('@') {
                    found.push(one.to_lowercase());
                }
                piece.clear();
            }
            other => piece.push(other),
        }
    }
    found
}

/// Message ids in a header value, without their angle brackets.
pub(super) fn message_ids(value: &str) -> Vec<String> {
    value
        .split('<')
        .skip(1)
        .filter_map(|piece| piece.split_once('>'))
        .map(|(id, _)| id.trim().to_owned())
        .collect()
}

/// The subject without `Re:`, `Fwd:` and the like, for threading.
pub(super) fn base_subject(subject: &str) -> String {
    let mut rest = subject.trim();
    loop {
        let shorter = ["re:", "fw:", "fwd:", "aw:", "wg:", "sv:", "odp:", "tr:", "rv:"]
            .iter()
            .find_map(|prefix| {
                rest.get(..prefix.len())
                    .filter(|head| head.eq_ignore_ascii_case(prefix))
                    .map(|_| prefix.len())
            });
        match shorter.and_then(|length| rest.get(length..)) {
            Some(shorter) => rest = shorter.trim_start(),
            None => return rest.to_lowercase(),
        }
    }
}

/// What of a message an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown<'a> {
    Full,
    Metadata(&'a [String]),
}

/// The part tree of `full`, or its root with headers only. `attachment` gives an attachment id for a part id.
pub(super) fn payload(raw: &[u8], shown: Shown<'_>, attachment: &dyn Fn(&str) -> String) -> Value {
    let Some(message) = MessageParser::default().parse(raw) else {
        return json!({
            "partId": "", "mimeType": "text/plain", "filename": "", "headers": [], "body": {"size": 0}
        });
    };
    let mut root = part(&message, 0, "", raw, attachment);
    if let Shown::Metadata(wanted) = shown {
        let kept: Vec<Value> = headers(raw)
            .into_iter()
            .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|one| one.eq_ignore_ascii_case(name)))
            .map(named)
            .collect();
        let kind = root.get("mimeType").cloned().unwrap_or_default();
        root = json!({ "mimeType": kind, "headers": kept });
    }
    root
}

/// Bytes of a part, its transfer encoding undone.
pub(super) fn part_bytes(raw: &[u8], part_id: &str) -> Option<Vec<u8>> {
    let message = MessageParser::default().parse(raw)?;
    let mut message = &message;
    let mut at = 0_u32;
    for step in part_id.split('.').filter(|step| !step.is_empty()) {
        let step: usize = step.parse().ok()?;
        let part = message.parts.get(usize::try_from(at).ok()?)?;
        match &part.body {
            PartType::Multipart(children) => at = *children.get(step)?,
            PartType::Message(inner) if step == 0 => {
                message = inner;
                at = 0;
            }
            _ => return None,
        }
    }
    message
        .parts
        .get(usize::try_from(at).ok()?)
        .map(|part| contents(message, part))
}

/// Whether Gmail's `has:attachment` would find it: a part with a name that is not shown inline.
pub(super) fn has_attachment(raw: &[u8]) -> bool {
    MessageParser::default().parse(raw).is_some_and(|message| {
        message.parts.iter().any(|part| {
            part.attachment_name().is_some()
                && !part
                    .content_disposition()
                    .is_some_and(mail_parser::ContentType::is_inline)
        })
    })
}

/// The text that a search looks at: subject, people and the text of the body, in lower case.
pub(super) fn searchable(raw: &[u8]) -> String {
    let Some(message) = MessageParser::default().parse(raw) else {
        return String::new();
    };
    let mut all = message.subject().unwrap_or_default().to_owned();
    for name in ["From", "To", "Cc"] {
        if let Some(value) = header(raw, name) {
            all.push(' ');
            all.push_str(&value);
        }
    }
    if let Some(body) = message.body_text(0) {
        all.push(' ');
        all.push_str(&body);
    }
    all.to_lowercase()
}

/// The subject with encoded words decoded.
pub(super) fn subject(raw: &[u8]) -> String {
    of_head(raw, |message| message.subject().map(str::to_owned)).unwrap_or_default()
}

/// The Date header in milliseconds since 1970.
pub(super) fn date_millis(raw: &[u8]) -> Option<i64> {
    of_head(raw, |message| {
        message.date().map(|date| date.to_timestamp().saturating_mul(1000))
    })
}

/// What the parser reads in the header. It drops a last field that no line end closes, so one is put there.
fn of_head<T>(raw: &[u8], read: impl FnOnce(&Message<'_>) -> Option<T>) -> Option<T> {
    let mut head = header_block(raw).trim_ascii_end().to_vec();
    head.extend_from_slice(b"\r\n\r\n");
    read(&MessageParser::default().parse_headers(&head)?)
}

/// The first words of the text, HTML-escaped, on one line.
pub(super) fn snippet(raw: &[u8]) -> String {
    let body = MessageParser::default()
        .parse(raw)
        .and_then(|message| {
            message
                .body_text(0)
                .map(|body| body.chars().take(800).collect::<String>())
        })
        .unwrap_or_default();
    let mut line = String::new();
    for word in body.split_whitespace() {
        if line.chars().count() + word.chars().count() > 200 {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let mut escaped = String::with_capacity(line.len());
    for character in line.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn part(message: &Message<'_>, at: u32, id: &str, raw: &[u8], attachment: &dyn Fn(&str) -> String) -> Value {
    let Some(part_) = usize::try_from(at).ok().and_then(|at| message.parts.get(at)) else {
        return Value::Null;
    };
    let fields = if id.is_empty() {
        headers(raw)
    } else {
        part_headers(message, part_)
    };
    let kind = part_.content_type().map_or_else(
        || default_kind(&part_.body).to_owned(),
        |kind| match kind.subtype() {
            Some(subtype) => format!("{}/{}", kind.ctype(), subtype).to_lowercase(),
            None => default_kind(&part_.body).to_owned(),
        },
    );
    let filename = part_.attachment_name().unwrap_or_default().to_owned();
    let mut shown = json!({
        "partId": id,
        "mimeType": kind,
        "filename": filename,
        "headers": fields.into_iter().map(named).collect::<Vec<_>>(),
    });
    let child_id = |n: usize| {
        if id.is_empty() {
            n.to_string()
        } else {
            format!("{id}.{n}")
        }
    };
    match &part_.body {
        PartType::Multipart(children) => {
            let parts: Vec<Value> = children
                .iter()
                .enumerate()
                .map(|(n, child)| part(message, *child, &child_id(n), raw, attachment))
                .collect();
            set(&mut shown, "body", json!({"size": 0}));
            set(&mut shown, "parts", Value::Array(parts));
        }
        PartType::Message(inner) => {
            let size = part_.raw_end_offset().saturating_sub(part_.raw_body_offset());
            let body = if filename.is_empty() {
                json!({ "size": size })
            } else {
                json!({ "size": size, "attachmentId": attachment(id) })
            };
            set(&mut shown, "body", body);
            set(
                &mut shown,
                "parts",
                json!([part(inner, 0, &child_id(0), raw, attachment)]),
            );
        }
        PartType::Text(body) | PartType::Html(body) if filename.is_empty() => {
            // Converted to UTF-8, although the part's Content-Type still names the sender's charset.
            set(
                &mut shown,
                "body",
                json!({"size": body.len(), "data": URL_SAFE_NO_PAD.encode(body.as_bytes())}),
            );
        }
        _ => {
            let size = contents(message, part_).len();
            set(
                &mut shown,
                "body",
                json!({ "size": size, "attachmentId": attachment(id) }),
            );
        }
    }
    shown
}

fn default_kind(body: &PartType<'_>) -> &'static str {
    match body {
        PartType::Multipart(_) => "multipart/mixed",
        PartType::Message(_) => "message/rfc822",
        PartType::Html(_) => "text/html",
        PartType::Text(_) => "text/plain",
        _ => "application/octet-stream",
    }
}

fn part_headers(message: &Message<'_>, part: &MessagePart<'_>) -> Vec<(String, String)> {
    let raw = message.raw_message();
    let from = usize::try_from(part.raw_header_offset()).unwrap_or(0);
    let to = usize::try_from(part.raw_body_offset()).unwrap_or(0);
    headers(raw.get(from..to).unwrap_or_default())
}

fn contents(message: &Message<'_>, part: &MessagePart<'_>) -> Vec<u8> {
    let from = usize::try_from(part.raw_body_offset()).unwrap_or(0);
    let to = usize::try_from(part.raw_end_offset()).unwrap_or(0);
    let encoded = message.raw_message().get(from..to).unwrap_or_default();
    let decoded = match part.encoding {
        Encoding::Base64 => base64_decode(encoded),
        Encoding::QuotedPrintable => quoted_printable_decode(encoded),
        Encoding::None => Some(encoded.to_vec()),
    };
    decoded.unwrap_or_else(|| part.contents().to_vec())
}

fn named((name, value): (String, String)) -> Value {
    json!({ "name": name, "value": value })
}

/// UTF-8 if it is, else Latin-1, as Gmail mangles raw 8-bit headers.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"From: \"Novak, Jana\" <Jana@precision.example>\r\nTo: ops@acme.example, b@c.example\r\nBcc: x@y.example\r\nSubject: Re: RFQ\r\n 44\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello <b>&\r\nyou";

    #[test]
    fn headers_unfold_and_addresses_are_found() {
        assert_eq!(header(MAIL, "subject").as_deref(), Some("Re: RFQ 44"));
        assert_eq!(addresses(&header(MAIL, "From").unwrap()), ["jana@precision.example"]);
        assert_eq!(
            addresses(&header(MAIL, "To").unwrap()),
            ["ops@acme.example", "b@c.example"]
        );
        assert_eq!(base_subject("Re: AW: Fwd: RFQ 44"), "rfq 44");
        assert_eq!(message_ids("<a@b> <c@d>"), ["a@b", "c@d"]);
    }

    #[test]
    fn the_last_field_of_a_header_is_read_like_any_other() {
        assert_eq!(
            subject(b"From: jana@parts.example\r\nSubject: RFQ 4471\r\n\r\nHi"),
            "RFQ 4471"
        );
        assert_eq!(subject(b"Subject: RFQ 4471"), "RFQ 4471");
        assert_eq!(
            date_millis(b"A: 1\nDate: Thu, 1 Jan 1970 00:00:02 +0000\n\nHi"),
            Some(2_000)
        );
    }

    #[test]
    fn rewriting_takes_out_and_puts_on_top() {
        let out = rewrite(MAIL, &["bcc"], &[("Message-ID", "<new@x>".to_owned())]);
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("Message-ID: <new@x>\r\nFrom:"), "{out}");
        assert!(!out.contains("Bcc"));
        assert!(out.contains("Subject: Re: RFQ\r\n 44\r\n"));
        assert!(out.ends_with("\r\n\r\nHello <b>&\r\nyou"));
        let last = rewrite(b"A: 1\r\nBcc: x@y\r\n\r\nbody", &["bcc"], &[]);
        assert_eq!(String::from_utf8(last).unwrap(), "A: 1\r\n\r\nbody");
        let only_header = rewrite(b"A: 1", &[], &[]);
        assert_eq!(headers(&only_header).len(), 1);
    }

    #[test]
    fn snippets_are_escaped() {
        assert_eq!(snippet(MAIL), "Hello &lt;b&gt;&amp; you");
    }

    #[test]
    fn parts_are_addressed_by_id() {
        let mail = b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nhi\r\n--x\r\nContent-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment; filename=a.csv\r\nContent-Transfer-Encoding: base64\r\n\r\nYTtiDQo=\r\n--x--\r\n";
        let tree = payload(mail, Shown::Full, &|id| format!("att-{id}"));
        assert_eq!(tree.pointer("/parts/0/body/data").and_then(Value::as_str), Some("aGk"));
        assert_eq!(
            tree.pointer("/parts/1/body/attachmentId").and_then(Value::as_str),
            Some("att-1")
        );
        assert_eq!(tree.pointer("/parts/1/filename").and_then(Value::as_str), Some("a.csv"));
        assert_eq!(part_bytes(mail, "1").unwrap(), b"a;b\r\n");
        assert!(has_attachment(mail) && !has_attachment(MAIL));
        assert_eq!(part_bytes(mail, "2"), None);
    }
}
