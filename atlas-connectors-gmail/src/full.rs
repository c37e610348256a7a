//! A parsed [`Message`] out of format `full`, without loading attachments.
//!
//! Gmail's tree is written back as MIME and read by the one parser of the core, so that a message looks the same whichever
//! format it came in. Attachments keep their place, name and size; their content stays at Gmail.

use atlas_connectors::Result;
use atlas_connectors::error::{BadPayload, Error, ErrorKind, SchemaFault};
use atlas_connectors::mail::{Message, ParseOptions};

use crate::base64;
use crate::wire::Method;
use crate::wire::messages::{Header, MessageResource, Part};

/// The message of a resource in format `full`.
///
/// # Errors
/// [`ErrorKind::SchemaMismatch`] without `payload` or `internalDate`, [`BadPayload::Syntax`] for content that is not base64.
pub(crate) fn message(resource: &MessageResource, options: &ParseOptions) -> Result<Message> {
    let payload = resource.payload.as_ref().ok_or_else(|| {
        failed(ErrorKind::SchemaMismatch {
            path: "payload".to_owned(),
            fault: SchemaFault::Missing,
        })
    })?;
    let mut raw = Vec::new();
    write_part(payload, &mut raw)?;
    let mut message = Message::parse_with(resource.meta()?, &raw, options);
    for attachment in &mut message.attachments {
        let size = payload.find(&attachment.part.part).and_then(|part| part.body.size);
        attachment.size = size.unwrap_or(attachment.size);
    }
    Ok(message)
}

fn write_part(part: &Part, out: &mut Vec<u8>) -> Result<()> {
    let mime = part.mime_type.to_ascii_lowercase();
    let data = match &part.body.data {
        Some(data) => Some(base64::decode(data).map_err(|error| failed(BadPayload::Syntax).with_source(error))?),
        None => None,
    };
    let is_multipart = mime.starts_with("multipart/") && !part.parts.is_empty();
    let is_message = mime == "message/rfc822" && !part.parts.is_empty();

    for header in &part.headers {
        let rewritten = ["content-type", "content-transfer-encoding"];
        if !rewritten.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
            write_header(&header.name, &header.value, out);
        }
    }
    let declared = part.header("Content-Type").unwrap_or(&part.mime_type);
    let boundary = format!("atlas-{}", part.part_id);
    if is_multipart {
        write_header("Content-Type", &with_parameter(declared, "boundary", &boundary), out);
    } else if mime.starts_with("text/") && data.as_ref().is_some_and(|data| std::str::from_utf8(data).is_ok()) {
        // Gmail converts text to UTF-8 in most cases while the header still names the old charset.
        write_header("Content-Type", &with_parameter(declared, "charset", "utf-8"), out);
    } else if !declared.is_empty() {
        write_header("Content-Type", declared, out);
    }
    if has_lost_its_name(part) {
        let name = part.filename.replace(['"', '\\'], "");
        write_header("Content-Disposition", &format!("attachment; filename=\"{name}\""), out);
    }
    if !is_multipart && !is_message {
        write_header("Content-Transfer-Encoding", "base64", out);
    }
    out.extend_from_slice(b"\r\n");

    if is_multipart {
        for child in &part.parts {
            out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            write_part(child, out)?;
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    } else if is_message {
        for child in &part.parts {
            write_part(child, out)?;
        }
    } else if let Some(data) = data {
        for line in base64::encode_standard(&data).as_bytes().chunks(76) {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
    Ok(())
}

/// A file whose headers were not given, as emulators leave them out.
fn has_lost_its_name(part: &Part) -> bool {
    let told = |header: &Header| {
        header.name.eq_ignore_ascii_case("content-disposition") || header.name.eq_ignore_ascii_case("content-type")
    };
    !part.filename.is_empty() && !part.headers.iter().any(told)
}

/// One line; what came unfolded and decoded stays so, and nothing in a value can begin another field.
fn write_header(name: &str, value: &str, out: &mut Vec<u8>) {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    if !is_name {
        return;
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    let one_line = value.bytes().filter(|byte| *byte != b'\r');
    out.extend(one_line.map(|byte| if byte == b'\n' { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

/// The content type with this parameter in place of its own.
fn with_parameter(content_type: &str, name: &str, value: &str) -> String {
    let mut pieces = split_parameters(content_type).into_iter();
    let mut out = pieces.next().unwrap_or_default().trim().to_owned();
    for piece in pieces {
        let is_same = piece
            .split('=')
            .next()
            .is_some_and(|key| key.trim().trim_end_matches('*').eq_ignore_ascii_case(name));
        if !is_same && !piece.trim().is_empty() {
            out.push_str("; ");
            out.push_str(piece.trim());
        }
    }
    format!("{out}; {name}=\"{value}\"")
}

/// Splits at semicolons outside quotes.
fn split_parameters(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut begin, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                pieces.extend(text.get(begin..at));
                begin = at + 1;
            }
            _ => {}
        }
    }
    pieces.extend(text.get(begin..));
    pieces
}

fn failed(kind: impl Into<ErrorKind>) -> Error {
    Error::new(kind, Method::MessagesGet.name())
        .with_class(Method::MessagesGet.operation_class())
        .with_provider(crate::provider())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn header(name: &str, value: &str) -> Value {
        json!({"name": name, "value": value})
    }

    fn data(text: &[u8]) -> Value {
        json!({"size": text.len(), "data": base64::encode(text)})
    }

    fn parse(payload: Value) -> Message {
        let resource: MessageResource = serde_json::from_value(json!({
            "id": "18f5dc3c6c373405", "threadId": "18f5dc3c6c373405", "labelIds": ["INBOX"],
            "internalDate": "1793610000000", "sizeEstimate": 4096, "payload": payload,
        }))
        .unwrap();
        message(&resource, &ParseOptions::default()).unwrap()
    }

    #[test]
    fn text_files_and_forwarded_mail_keep_their_place_and_nothing_is_loaded() {
        let message = parse(json!({
            "partId": "", "mimeType": "multipart/mixed", "filename": "",
            "headers": [
                header("From", "Jana Novák <jana@parts.example>"), header("Subject", "Übersicht\r\nBcc: x@evil.example"),
                header("Content-Type", "multipart/mixed; boundary=\"a;b\"; x=y"),
            ],
            "body": {"size": 0},
            "parts": [
                {"partId": "0", "mimeType": "text/plain", "headers": [header("Content-Type", "text/plain; charset=iso-8859-1")],
                 "body": data("Grüße".as_bytes())},
                {"partId": "1", "mimeType": "application/pdf", "filename": "order.pdf",
                 "headers": [header("Content-Disposition", "attachment; filename=order.pdf"),
                             header("Content-Type", "application/pdf; name=order.pdf")],
                 "body": {"attachmentId": "ANGjdJ8", "size": 123_456}},
                {"partId": "2", "mimeType": "message/rfc822", "headers": [header("Content-Type", "message/rfc822")],
                 "body": {"size": 0},
                 "parts": [{"partId": "2.0", "mimeType": "text/plain",
                    "headers": [header("Subject", "inner"), header("From", "someone@else.example")], "body": data(b"inside")}]},
            ],
        }));
        assert_eq!(message.subject.as_deref(), Some("Übersicht Bcc: x@evil.example"));
        assert!(message.bcc.is_empty());
        assert_eq!(message.from[0].address, "jana@parts.example");
        assert_eq!(message.text.as_deref().map(str::trim), Some("Grüße"));
        let pdf = &message.attachments[0];
        assert_eq!(
            (&*pdf.part.part, pdf.name.as_deref(), pdf.size),
            ("1", Some("order.pdf"), 123_456)
        );
        let inner = message.attachments[1].message.as_ref().unwrap();
        assert_eq!(inner.subject.as_deref(), Some("inner"));
        assert_eq!(message.meta.labels, ["INBOX".into()]);
    }

    #[test]
    fn bytes_that_are_not_utf8_keep_their_charset() {
        let message = parse(json!({
            "mimeType": "text/plain", "headers": [header("Content-Type", "text/plain; charset=iso-8859-1")],
            "body": data(b"Gr\xfc\xdfe"),
        }));
        assert_eq!(message.text.as_deref().map(str::trim), Some("Grüße"));
    }

    #[test]
    fn a_file_without_headers_keeps_its_name() {
        let message = parse(json!({
            "mimeType": "multipart/mixed", "headers": [header("Subject", "s")],
            "parts": [
                {"partId": "0", "mimeType": "text/plain", "body": data(b"hello")},
                {"partId": "1", "mimeType": "text/csv", "filename": "list \"1\".csv", "body": {"attachmentId": "a", "size": 7}},
            ],
        }));
        assert_eq!(message.attachments[0].name.as_deref(), Some("list 1.csv"));
        assert_eq!(message.attachments[0].size, 7);
    }

    #[test]
    fn parameters_are_replaced_and_never_doubled() {
        assert_eq!(
            with_parameter("multipart/report; report-type=\"a;b\"; Boundary=old", "boundary", "new"),
            "multipart/report; report-type=\"a;b\"; boundary=\"new\""
        );
        assert_eq!(
            with_parameter("text/plain", "charset", "utf-8"),
            "text/plain; charset=\"utf-8\""
        );
    }
}
