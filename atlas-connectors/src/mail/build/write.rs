//! Writing the checked fields as RFC 5322 bytes, and reading them back.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address as HeaderAddress;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId as HeaderId;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::{BodyPart, MimePart};

use crate::clock::Timestamp;
use crate::mail::build::builder::{NewAttachment, OutgoingBuilder};
use crate::mail::{Address, BuildError, Field, MARKER_HEADER, OutgoingMessage};

/// `References` keeps the first id and this many of the newest.
const MAX_NEWEST_REFERENCES: usize = 30;
/// Bytes of one base64 line before encoding: 76 characters after it (RFC 2045, section 6.8).
const BASE64_LINE: usize = 57;
/// Bytes of one encoded word before encoding.
const ENCODED_WORD: usize = 42;
/// Longest line without its line end (RFC 5322, section 2.1.1).
const MAX_LINE: usize = 998;

/// The bytes and the marker of a mail whose fields have been checked.
pub(super) fn message(mail: &OutgoingBuilder, now: Timestamp) -> Result<(Bytes, Box<str>), BuildError> {
    let from = mail.from.as_ref().ok_or(BuildError::NoSender)?;
    let marker = random_hex();
    let domain = from.domain().ok_or(BuildError::InvalidAddress { field: Field::From })?;
    let mut builder = MessageBuilder::new()
        .header("Date", Date::new(now.unix_seconds()))
        .header("Message-ID", HeaderId::new(format!("{}@{domain}", random_hex())))
        .header("From", header_addresses(std::slice::from_ref(from)));
    for (name, list) in [
        ("Reply-To", &mail.reply_to),
        ("To", &mail.to),
        ("Cc", &mail.cc),
        ("Bcc", &mail.bcc),
    ] {
        if !list.is_empty() {
            builder = builder.header(name, header_addresses(list));
        }
    }
    builder = builder.header("Subject", header_text(&mail.subject));
    if let Some(id) = &mail.in_reply_to {
        builder = builder.header("In-Reply-To", HeaderId::new(id.as_str()));
    }
    let references = bounded(&mail.references);
    if !references.is_empty() {
        builder = builder.header("References", HeaderId::new_list(references.into_iter()));
    }
    if mail.automatic {
        let word = if mail.in_reply_to.is_some() {
            "auto-replied"
        } else {
            "auto-generated"
        };
        builder = builder.header("Auto-Submitted", Raw::new(word));
    }
    let raw = builder
        .header(MARKER_HEADER, Raw::new(marker.as_str()))
        .body(body(mail))
        .write_to_vec()
        // Writing to memory does not fail.
        .map_err(|_| BuildError::Unfaithful { field: Field::Text })?;
    Ok((Bytes::from(raw), marker.into_boxed_str()))
}

/// Reads the bytes back and compares. Whatever a name or subject may have done to the writer, recipients and subject are what was
/// asked, or nothing is made.
pub(super) fn verify(asked: &OutgoingBuilder, made: &OutgoingMessage) -> Result<(), BuildError> {
    let read = made.as_message();
    let unfaithful = |field| Err(BuildError::Unfaithful { field });
    let same = |left: &[Address], right: &[Address]| {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(left, right)| left.address == right.address)
    };
    let from: Vec<Address> = asked.from.iter().cloned().collect();
    for (field, asked, read) in [
        (Field::From, &from, &read.from),
        (Field::ReplyTo, &asked.reply_to, &read.reply_to),
        (Field::To, &asked.to, &read.to),
        (Field::Cc, &asked.cc, &read.cc),
        (Field::Bcc, &asked.bcc, &read.bcc),
    ] {
        if !same(asked, read) {
            return unfaithful(field);
        }
    }
    if read.subject.as_deref().unwrap_or_default() != asked.subject {
        return unfaithful(Field::Subject);
    }
    if read.attachments.len() != asked.attachments.len() {
        return unfaithful(Field::AttachmentName);
    }
    let lines_fit = made
        .raw()
        .split(|&byte| byte == b'\n')
        .all(|line| line.len() <= MAX_LINE + 1);
    if !made.raw().is_ascii() || !lines_fit {
        return unfaithful(Field::Text);
    }
    Ok(())
}

/// Text and HTML as alternatives, inline files with the HTML, the rest beside it.
fn body(mail: &OutgoingBuilder) -> MimePart<'static> {
    let (inline, files): (Vec<&NewAttachment>, Vec<&NewAttachment>) = mail
        .attachments
        .iter()
        .partition(|attachment| attachment.content_id.is_some());
    let text = mail.text.as_deref().map(|text| text_part("text/plain", text));
    let html = mail.html.as_deref().map(|html| text_part("text/html", html));
    // Inline files belong to the HTML; without one they stand beside the text.
    let (html, beside) = match html {
        Some(html) if !inline.is_empty() => {
            let parts = std::iter::once(html).chain(inline.into_iter().map(file_part)).collect();
            (Some(multipart("multipart/related", parts)), Vec::new())
        }
        html => (html, inline),
    };
    let shown = match (text, html) {
        (Some(text), Some(html)) => multipart("multipart/alternative", vec![text, html]),
        (Some(text), None) => text,
        (None, Some(html)) => html,
        (None, None) => text_part("text/plain", ""),
    };
    if beside.is_empty() && files.is_empty() {
        return shown;
    }
    let parts = std::iter::once(shown)
        .chain(beside.into_iter().chain(files).map(file_part))
        .collect();
    multipart("multipart/mixed", parts)
}

fn text_part(content_type: &'static str, text: &str) -> MimePart<'static> {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    MimePart::new(
        ContentType::new(content_type).attribute("charset", "utf-8"),
        BodyPart::Text(Cow::Owned(unified.replace('\n', "\r\n"))),
    )
}

fn multipart(content_type: &'static str, parts: Vec<MimePart<'static>>) -> MimePart<'static> {
    // The writer's own boundary comes from the system time; ours is random, and `=_` cannot stand in encoded text.
    let boundary = format!("=_{}", random_hex());
    MimePart::new(ContentType::new(content_type).attribute("boundary", boundary), parts)
}

fn file_part(file: &NewAttachment) -> MimePart<'static> {
    let mut content_type = ContentType::new(file.content_type.clone());
    let disposition = if file.content_id.is_some() {
        "inline"
    } else {
        "attachment"
    };
    let mut disposition = ContentType::new(disposition);
    if !file.name.is_empty() {
        content_type = content_type.attribute("name", file.name.clone());
        disposition = disposition.attribute("filename", file.name.clone());
    }
    let mut part = MimePart::new(content_type, BodyPart::Binary(Cow::Owned(base64_lines(&file.bytes))))
        .header("Content-Disposition", disposition)
        .transfer_encoding("base64");
    if let Some(id) = &file.content_id {
        part = part.header("Content-ID", HeaderId::new(id.clone()));
    }
    part
}

/// Base64 of a file in lines of 76 characters, byte for byte: the writer's own choice for text types could change line ends.
fn base64_lines(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(bytes.len() / BASE64_LINE * 78 + 80);
    for chunk in bytes.chunks(BASE64_LINE) {
        lines.extend_from_slice(STANDARD.encode(chunk).as_bytes());
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

fn header_addresses(list: &[Address]) -> HeaderType<'static> {
    if list
        .iter()
        .any(|address| address.name.as_deref().is_some_and(looks_encoded))
    {
        let written = list.iter().map(|address| match &address.name {
            Some(name) => format!("{} <{}>", encoded_words(name), address.address),
            None => format!("<{}>", address.address),
        });
        return Raw::new(written.collect::<Vec<_>>().join(", ")).into();
    }
    let list = list
        .iter()
        .map(|address| HeaderAddress::new_address(address.name.clone(), address.address.clone()));
    HeaderAddress::new_list(list.collect()).into()
}

fn header_text(text: &str) -> HeaderType<'static> {
    if looks_encoded(text) {
        return Raw::new(encoded_words(text)).into();
    }
    Text::new(text.to_owned()).into()
}

/// Plain text that a reader would take for an RFC 2047 word, and show as something else.
fn looks_encoded(text: &str) -> bool {
    text.contains("=?")
}

/// RFC 2047 words in base64, at most 75 characters each, divided by spaces at which the writer folds.
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(ENCODED_WORD);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, after) = rest.split_at(end);
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
        rest = after;
    }
    words.join(" ")
}

/// The first reference and the newest ones: enough for every reader to find the conversation, and bounded.
fn bounded(references: &[String]) -> Vec<String> {
    match references.split_first() {
        Some((first, rest)) if rest.len() > MAX_NEWEST_REFERENCES => {
            let newest = rest.iter().skip(rest.len() - MAX_NEWEST_REFERENCES);
            std::iter::once(first).chain(newest).cloned().collect()
        }
        _ => references.to_vec(),
    }
}

fn random_hex() -> String {
    let mut bytes = [0u8; 16];
    crate::random::fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
