//! From the outline to the message.

use std::borrow::Cow;

use crate::mail::parse::fields::{self, Structured};
use crate::mail::parse::options::{ParseLimits, ParseOptions};
use crate::mail::parse::structure::{self, Entity, EntityKind};
use crate::mail::parse::{authentication, charset, file_name, header_block, html, report, signals};
use crate::mail::{
    Address, Attachment, AttachmentKind, Disposition, EmbeddedMessage, Headers, Loss, LossKind, Message, MessageMeta,
    PartRef,
};

/// Bytes of text or HTML from which a preview is made.
const PREVIEW_SOURCE: usize = 16 << 10;

/// Parses a message; see [`Message::parse_with`].
pub(crate) fn message(meta: MessageMeta, raw: &[u8], options: &ParseOptions) -> Message {
    let limits = &options.limits;
    let mut losses = Vec::new();
    let raw = bounded(raw, limits, &mut losses);
    let mut entities = structure::walk(raw, limits, &mut losses);
    let root = entities
        .first_mut()
        .map(|root| std::mem::take(&mut root.headers))
        .unwrap_or_default();
    let headers = Headers::new(root);
    let fields = Fields::read(&headers, "", limits, &mut losses);
    let texts = Texts::read(&entities, 0, limits, &mut losses);
    let attachments = attachments(&meta, &entities, &texts.shown, limits, &mut losses);
    let text = texts.plain.as_deref().filter(|text| !text.trim().is_empty());
    let preview = preview(text, texts.html.as_deref(), limits);
    losses.dedup();
    Message {
        automation: signals::automation(&headers),
        list: signals::mailing_list(&headers),
        delivery_report: report::delivery(&entities, &headers, &fields.from, limits),
        read_receipt: report::receipt(&entities, limits),
        calendar: signals::calendar(&entities),
        protection: signals::protection(&entities, text),
        authentication: authentication::read(&headers, &options.trusted_servers),
        meta,
        headers,
        from: fields.from,
        sender: fields.sender,
        reply_to: fields.reply_to,
        to: fields.to,
        cc: fields.cc,
        bcc: fields.bcc,
        subject: fields.subject,
        date: fields.date,
        message_id: fields.message_id,
        in_reply_to: fields.in_reply_to,
        references: fields.references,
        text: texts.plain,
        html: texts.html,
        preview,
        attachments,
        losses,
    }
}

/// The decoded bytes of the part at this path (`""` is the root, then `0`, `0.1`), read with the default limits; `None` if there is no such
/// part. For a message inside the message these are its whole bytes, for a multipart its undecoded content.
pub fn decode_part(raw: &[u8], path: &str) -> Option<Vec<u8>> {
    let limits = ParseLimits::default();
    let mut losses = Vec::new();
    let raw = bounded(raw, &limits, &mut losses);
    let entities = structure::walk(raw, &limits, &mut losses);
    let entity = entities.iter().find(|entity| entity.path == path)?;
    Some(match entity.kind {
        EntityKind::Leaf => entity.transfer.decode(entity.body).0.into_owned(),
        EntityKind::Message | EntityKind::Multipart => entity.body.to_vec(),
    })
}

fn bounded<'a>(raw: &'a [u8], limits: &ParseLimits, losses: &mut Vec<Loss>) -> &'a [u8] {
    if raw.is_empty() {
        losses.push(Loss::new(LossKind::Empty, "", None));
    }
    match raw.get(..limits.message_bytes) {
        Some(head) if head.len() < raw.len() => {
            losses.push(Loss::new(LossKind::MessageTruncated, "", None));
            head
        }
        _ => raw,
    }
}

/// The header fields that are read into types.
struct Fields {
    from: Vec<Address>,
    sender: Option<Address>,
    reply_to: Vec<Address>,
    to: Vec<Address>,
    cc: Vec<Address>,
    bcc: Vec<Address>,
    subject: Option<String>,
    date: Option<crate::clock::Timestamp>,
    message_id: Option<String>,
    in_reply_to: Vec<String>,
    references: Vec<String>,
}

impl Fields {
    fn read(headers: &Headers, path: &str, limits: &ParseLimits, losses: &mut Vec<Loss>) -> Self {
        const SINGLE: [&str; 11] = [
            "From",
            "Sender",
            "Reply-To",
            "To",
            "Cc",
            "Bcc",
            "Subject",
            "Date",
            "Message-ID",
            "In-Reply-To",
            "References",
        ];
        for name in SINGLE {
            if headers.all(name).nth(1).is_some() {
                losses.push(Loss::new(LossKind::DuplicateHeader, path, Some(name)));
            }
        }
        let mut reader = Reader {
            headers,
            path,
            limits,
            losses,
        };
        Self {
            from: reader.addresses("From", 1),
            sender: reader.addresses("Sender", 1).into_iter().next(),
            reply_to: reader.addresses("Reply-To", 1),
            // Nobody who got the mail is to be lost: repeated fields are joined.
            to: reader.addresses("To", usize::MAX),
            cc: reader.addresses("Cc", usize::MAX),
            bcc: reader.addresses("Bcc", usize::MAX),
            subject: reader.subject(),
            date: reader.date(),
            message_id: reader.ids("Message-ID").into_iter().next(),
            in_reply_to: reader.ids("In-Reply-To"),
            references: reader.references(),
        }
    }
}

struct Reader<'a> {
    headers: &'a Headers,
    path: &'a str,
    limits: &'a ParseLimits,
    losses: &'a mut Vec<Loss>,
}

impl Reader<'_> {
    fn addresses(&mut self, name: &str, most_fields: usize) -> Vec<Address> {
        let mut all = Vec::new();
        for value in self.headers.all(name).take(most_fields) {
            let found = fields::addresses(value);
            // "undisclosed-recipients:;" is an empty group and no loss.
            if found.is_empty() && !value.is_empty() && !value.contains(':') {
                self.losses
                    .push(Loss::new(LossKind::UnreadableAddress, self.path, Some(name)));
            }
            all.extend(found);
        }
        self.cut(&mut all, name);
        all
    }

    fn subject(&mut self) -> Option<String> {
        let value = self.headers.first("Subject")?;
        let decoded = fields::text(value);
        Some(header_block::clean(&decoded, "Subject", self.path, self.losses))
    }

    fn date(&mut self) -> Option<crate::clock::Timestamp> {
        let value = self.headers.first("Date")?;
        let date = fields::date(value);
        if date.is_none() {
            self.losses.push(Loss::new(LossKind::UnreadableDate, self.path, None));
        }
        date
    }

    fn ids(&mut self, name: &str) -> Vec<String> {
        let mut ids = self.headers.first(name).map(fields::ids).unwrap_or_default();
        self.cut(&mut ids, name);
        ids
    }

    /// Of too many, the first and the newest are kept: they hold the conversation together.
    fn references(&mut self) -> Vec<String> {
        let mut ids = self.headers.first("References").map(fields::ids).unwrap_or_default();
        if ids.len() > self.limits.list_members && self.limits.list_members > 0 {
            ids.drain(1..=ids.len() - self.limits.list_members);
            self.losses
                .push(Loss::new(LossKind::ListTruncated, self.path, Some("References")));
        }
        ids
    }

    fn cut<T>(&mut self, list: &mut Vec<T>, name: &str) {
        if list.len() > self.limits.list_members {
            list.truncate(self.limits.list_members);
            self.losses
                .push(Loss::new(LossKind::ListTruncated, self.path, Some(name)));
        }
    }
}

/// The text to show of one message, and the entities it came from.
#[derive(Default)]
struct Texts {
    plain: Option<String>,
    html: Option<String>,
    shown: Vec<usize>,
}

impl Texts {
    /// Gathers the text of the message at this depth among `entities`.
    fn read(entities: &[Entity<'_>], message_depth: usize, limits: &ParseLimits, losses: &mut Vec<Loss>) -> Self {
        let mut texts = Self::default();
        // Which alternatives have given their plain text and their HTML.
        let mut given: Vec<(usize, bool)> = Vec::new();
        for (index, entity) in entities.iter().enumerate() {
            if entity.message_depth != message_depth {
                continue;
            }
            let Some(is_html) = shown_as(entities, entity) else {
                continue;
            };
            if let Some(alternative) = ancestor(entities, entity, "alternative") {
                if given.contains(&(alternative, is_html)) {
                    continue;
                }
                given.push((alternative, is_html));
            }
            let text = decoded_text(entity, limits, losses);
            let kept = if is_html { &mut texts.html } else { &mut texts.plain };
            match kept {
                None => *kept = Some(text),
                Some(kept) => {
                    if !kept.ends_with('\n') {
                        kept.push('\n');
                    }
                    kept.push_str(&text);
                    cut_text(kept, limits, &entity.path, losses);
                }
            }
            texts.shown.push(index);
        }
        texts
    }
}

/// Whether an entity is text to show, and if so whether it is HTML.
fn shown_as(entities: &[Entity<'_>], entity: &Entity<'_>) -> Option<bool> {
    let is_html = match (
        entity.content_type.value.as_str(),
        entity.content_type.subtype.as_deref(),
    ) {
        ("text", Some("plain")) => false,
        ("text", Some("html")) => true,
        _ => return None,
    };
    let is_root = entity.parent.is_none_or(|parent| {
        entities
            .get(parent)
            .is_none_or(|parent| parent.kind == EntityKind::Message)
    });
    let named = entity.file_name().is_some() && !is_root;
    // The first part of a signed or related multipart is its text, whatever its name.
    let shown = entity.kind == EntityKind::Leaf
        && !entity.is_attachment()
        && !named
        && ancestor(entities, entity, "encrypted").is_none();
    shown.then_some(is_html)
}

/// The nearest multipart of this subtype around an entity, within the same message.
fn ancestor(entities: &[Entity<'_>], entity: &Entity<'_>, subtype: &str) -> Option<usize> {
    let mut at = entity.parent;
    while let Some(index) = at {
        let around = entities.get(index)?;
        if around.kind == EntityKind::Message {
            return None;
        }
        if around.is("multipart", subtype) {
            return Some(index);
        }
        at = around.parent;
    }
    None
}

fn decoded_text(entity: &Entity<'_>, limits: &ParseLimits, losses: &mut Vec<Loss>) -> String {
    let (bytes, whole) = entity.transfer.decode(entity.body);
    damage(entity, whole, losses);
    let declared = entity.content_type.parameter("charset").map(Cow::Borrowed);
    let declared = declared.or_else(|| {
        let of_document = entity.is("text", "html").then(|| meta_charset(&bytes)).flatten();
        of_document.map(Cow::Owned)
    });
    let mut text = charset::text(&bytes, declared.as_deref(), &entity.path, losses);
    cut_text(&mut text, limits, &entity.path, losses);
    text
}

fn damage(entity: &Entity<'_>, whole: bool, losses: &mut Vec<Loss>) {
    if let (false, Some(kind)) = (whole, entity.transfer.damage()) {
        losses.push(Loss::new(kind, &entity.path, None));
    }
}

fn cut_text(text: &mut String, limits: &ParseLimits, path: &str, losses: &mut Vec<Loss>) {
    if text.len() > limits.text_bytes {
        let mut end = limits.text_bytes;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        losses.push(Loss::new(LossKind::TextTruncated, path, None));
    }
}

/// The charset an HTML document names in its first kilobyte.
fn meta_charset(bytes: &[u8]) -> Option<String> {
    let head: String = bytes
        .iter()
        .take(1024)
        .map(|&byte| byte.to_ascii_lowercase() as char)
        .collect();
    let (_, after) = head.split_once("charset=")?;
    let after = after.trim_start_matches(['"', '\'', ' ']);
    let name: String = after
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .collect();
    (!name.is_empty()).then_some(name)
}

fn preview(text: Option<&str>, html: Option<&str>, limits: &ParseLimits) -> String {
    match (text, html) {
        (Some(text), _) => html::preview(head(text), limits.preview_chars),
        (None, Some(document)) => html::preview(&html::html_to_text(document, PREVIEW_SOURCE), limits.preview_chars),
        (None, None) => String::new(),
    }
}

fn head(text: &str) -> &str {
    text.get(..text.floor_char_boundary(PREVIEW_SOURCE)).unwrap_or_default()
}

/// Every leaf that is not shown text, and every message inside.
fn attachments(
    meta: &MessageMeta,
    entities: &[Entity<'_>],
    shown: &[usize],
    limits: &ParseLimits,
    losses: &mut Vec<Loss>,
) -> Vec<Attachment> {
    let mut all = Vec::new();
    for (index, entity) in entities.iter().enumerate() {
        let is_text_of_inner = entity.message_depth > 0 && shown_as(entities, entity).is_some();
        let is_empty_root = entity.parent.is_none() && entity.body.is_empty();
        if entity.kind == EntityKind::Multipart || shown.contains(&index) || is_text_of_inner || is_empty_root {
            continue;
        }
        all.push(attachment(meta, entities, index, entity, limits, losses));
    }
    all
}

fn attachment(
    meta: &MessageMeta,
    entities: &[Entity<'_>],
    index: usize,
    entity: &Entity<'_>,
    limits: &ParseLimits,
    losses: &mut Vec<Loss>,
) -> Attachment {
    let (size, whole) = match entity.kind {
        EntityKind::Leaf => entity.transfer.measure(entity.body),
        _ => (entity.body.len() as u64, true),
    };
    damage(entity, whole, losses);
    let part = PartRef {
        message: meta.id.clone(),
        part: entity.path.as_str().into(),
    };
    let mut attachment = Attachment::new(part, entity.mime_type(), size);
    if let Some(given) = entity.file_name() {
        // Some programs put RFC 2047 words where RFC 2231 belongs.
        let decoded = if given.contains("=?") {
            fields::text(given)
        } else {
            given.to_owned()
        };
        let (name, changed) = file_name::sanitise(decoded.trim());
        if changed {
            losses.push(Loss::new(LossKind::UnsafeFileName, &entity.path, None));
        }
        attachment.name = name;
    }
    attachment.disposition = match entity
        .disposition
        .as_ref()
        .map(|disposition| disposition.value.as_str())
    {
        Some("attachment") => Disposition::Attachment,
        Some("inline") => Disposition::Inline,
        _ => Disposition::Unspecified,
    };
    attachment.content_id = entity.header("Content-ID").and_then(|value| {
        let bare = value.trim().trim_start_matches('<').trim_end_matches('>').trim();
        (!bare.is_empty() && bare.len() <= 500).then(|| bare.to_owned())
    });
    attachment.kind = kind(entities, entity, &attachment);
    if attachment.kind == AttachmentKind::Message {
        attachment.message = Some(Box::new(embedded(entities, index, entity, limits)));
    }
    attachment
}

fn kind(entities: &[Entity<'_>], entity: &Entity<'_>, attachment: &Attachment) -> AttachmentKind {
    let Structured { value, subtype, .. } = &entity.content_type;
    let tnef_name = attachment
        .name
        .as_deref()
        .is_some_and(|name| name.eq_ignore_ascii_case("winmail.dat"));
    let is_inline = attachment.content_id.is_some()
        && attachment.disposition != Disposition::Attachment
        && (attachment.disposition == Disposition::Inline || ancestor(entities, entity, "related").is_some());
    let is_crypto = matches!(
        subtype.as_deref(),
        Some(
            "pkcs7-signature"
                | "x-pkcs7-signature"
                | "pkcs7-mime"
                | "x-pkcs7-mime"
                | "pgp-signature"
                | "pgp-encrypted"
                | "pgp-keys"
        )
    );
    match (value.as_str(), subtype.as_deref().unwrap_or_default()) {
        ("message", "rfc822" | "global" | "news") => AttachmentKind::Message,
        ("message", "delivery-status" | "global-delivery-status" | "disposition-notification")
        | ("text", "rfc822-headers") => AttachmentKind::Report,
        ("text", "calendar") | ("application", "ics") => AttachmentKind::Calendar,
        ("application", "ms-tnef" | "vnd.ms-tnef") => AttachmentKind::Tnef,
        ("application", _) if is_crypto => AttachmentKind::Cryptographic,
        _ if ancestor(entities, entity, "encrypted").is_some() => AttachmentKind::Cryptographic,
        ("application", "octet-stream") if tnef_name => AttachmentKind::Tnef,
        _ if is_inline => AttachmentKind::Inline,
        _ => AttachmentKind::File,
    }
}

/// The outline of a message inside: its only child in the walk, or, where it is encoded against the rules (RFC 2046, section 5.2.1),
/// a walk of its own.
fn embedded(entities: &[Entity<'_>], index: usize, entity: &Entity<'_>, limits: &ParseLimits) -> EmbeddedMessage {
    // What is wrong inside is no loss of the outer message.
    let mut unheard = Vec::new();
    if entity.kind == EntityKind::Message {
        let depth = entity.message_depth + 1;
        let inside: Vec<&Entity<'_>> = entities
            .iter()
            .skip(index + 1)
            .take_while(|inner| inner.message_depth > entity.message_depth)
            .collect();
        let Some(root) = inside.first() else {
            return EmbeddedMessage::empty();
        };
        return outline(&root.headers, entities, index, depth, limits, &mut unheard);
    }
    let (bytes, _) = entity.transfer.decode(entity.body);
    let inner = structure::walk(&bytes, limits, &mut unheard);
    match inner.first() {
        Some(root) => outline(&root.headers, &inner, 0, 0, limits, &mut unheard),
        None => EmbeddedMessage::empty(),
    }
}

fn outline(
    headers: &[crate::mail::Header],
    entities: &[Entity<'_>],
    from: usize,
    depth: usize,
    limits: &ParseLimits,
    unheard: &mut Vec<Loss>,
) -> EmbeddedMessage {
    let fields = Fields::read(&Headers::new(headers.to_vec()), "", limits, unheard);
    // The first text of this message and no other of the same depth.
    let text = entities
        .iter()
        .enumerate()
        .skip(from)
        .skip_while(|(_, inner)| inner.message_depth < depth)
        .take_while(|(_, inner)| inner.message_depth >= depth)
        .filter(|(_, inner)| inner.message_depth == depth)
        .find_map(|(_, inner)| shown_as(entities, inner).map(|is_html| (inner, is_html)));
    let preview = match text {
        Some((inner, is_html)) => {
            let text = decoded_text(inner, limits, unheard);
            if is_html {
                preview(None, Some(&text), limits)
            } else {
                preview(Some(&text), None, limits)
            }
        }
        None => String::new(),
    };
    EmbeddedMessage {
        from: fields.from,
        to: fields.to,
        subject: fields.subject,
        date: fields.date,
        message_id: fields.message_id,
        preview,
    }
}
