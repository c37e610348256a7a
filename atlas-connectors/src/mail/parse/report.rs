//! Delivery reports (RFC 3464) and read receipts (RFC 8098), from their machine-readable parts.

use crate::mail::parse::fields;
use crate::mail::parse::header_block;
use crate::mail::parse::options::ParseLimits;
use crate::mail::parse::structure::{Entity, EntityKind};
use crate::mail::{Address, DeliveryAction, DeliveryReport, Header, Headers, ReadReceipt, RecipientStatus};

/// Recipients of one report that are kept.
const MAX_RECIPIENTS: usize = 1_000;
/// Characters of a remote server's answer that are kept.
const MAX_DIAGNOSTIC: usize = 1_000;

/// What the message reports about the delivery of another mail.
pub(super) fn delivery(
    entities: &[Entity<'_>],
    headers: &Headers,
    from: &[Address],
    limits: &ParseLimits,
) -> Option<DeliveryReport> {
    let part = own(entities).find(|entity| {
        entity.content_type.value == "message"
            && matches!(
                entity.content_type.subtype.as_deref(),
                Some("delivery-status" | "global-delivery-status")
            )
    });
    if let Some(part) = part {
        let blocks = blocks(part, limits);
        let statuses = blocks.iter().filter_map(|block| recipient(block));
        return Some(DeliveryReport::new(
            statuses.take(MAX_RECIPIENTS).collect(),
            original_id(entities),
        ));
    }
    let root = entities.first()?;
    let says_so = root.is("multipart", "report")
        && root
            .content_type
            .parameter("report-type")
            .is_some_and(|kind| kind.eq_ignore_ascii_case("delivery-status"));
    if let Some(failed) = headers.first("X-Failed-Recipients") {
        let statuses = fields::addresses(failed)
            .into_iter()
            .take(MAX_RECIPIENTS)
            .map(|address| RecipientStatus::new(address.address, DeliveryAction::Failed));
        return Some(DeliveryReport::new(statuses.collect(), original_id(entities)));
    }
    (says_so || is_from_daemon(headers, from)).then(|| DeliveryReport::new(Vec::new(), original_id(entities)))
}

/// The read receipt the message is.
pub(super) fn receipt(entities: &[Entity<'_>], limits: &ParseLimits) -> Option<ReadReceipt> {
    let part = own(entities).find(|entity| entity.is("message", "disposition-notification"))?;
    let fields: Vec<Header> = blocks(part, limits).into_iter().flatten().collect();
    let disposition = field(&fields, "Disposition").and_then(|value| {
        // "manual-action/MDN-sent-manually; displayed/error"
        let kind = value.split(';').nth(1)?.trim();
        let word = kind.split(['/', ',', ' ']).next()?.to_ascii_lowercase();
        (!word.is_empty()).then_some(word)
    });
    let original = field(&fields, "Original-Message-ID").and_then(|value| fields::ids(value).into_iter().next());
    let recipient = field(&fields, "Final-Recipient").map(typed_value);
    Some(ReadReceipt::new(
        disposition,
        original.or_else(|| original_id(entities)),
        recipient,
    ))
}

fn own<'e, 'a>(entities: &'e [Entity<'a>]) -> impl Iterator<Item = &'e Entity<'a>> {
    entities
        .iter()
        .filter(|entity| entity.message_depth == 0 && entity.kind == EntityKind::Leaf)
}

/// Without a machine-readable part: the mail system's own sender, and an empty envelope sender.
fn is_from_daemon(headers: &Headers, from: &[Address]) -> bool {
    let daemon = from.iter().any(|address| {
        let local = address.address.split('@').next().unwrap_or_default();
        local.eq_ignore_ascii_case("mailer-daemon")
    });
    let empty_path = headers.first("Return-Path").is_some_and(|path| path.trim() == "<>");
    daemon && (empty_path || !headers.contains("Return-Path"))
}

/// Groups of fields divided by empty lines.
fn blocks(part: &Entity<'_>, limits: &ParseLimits) -> Vec<Vec<Header>> {
    let (bytes, _) = part.transfer.decode(part.body);
    let mut rest: &[u8] = &bytes;
    let mut blocks = Vec::new();
    // What is wrong inside a report is no loss of the message.
    let mut unheard = Vec::new();
    while !rest.is_empty() && blocks.len() <= MAX_RECIPIENTS {
        let block = header_block::read(rest, &part.path, limits, &mut unheard);
        unheard.clear();
        if block.body.len() == rest.len() {
            // Text that is no field: past it.
            rest = header_block::split_line(rest).1;
            continue;
        }
        if !block.headers.is_empty() {
            blocks.push(block.headers);
        }
        rest = block.body;
    }
    blocks
}

fn recipient(block: &[Header]) -> Option<RecipientStatus> {
    let address = field(block, "Final-Recipient").or_else(|| field(block, "Original-Recipient"))?;
    let action = match field(block, "Action")
        .unwrap_or_default()
        .to_ascii_lowercase()
        .split_whitespace()
        .next()
    {
        Some("failed") => DeliveryAction::Failed,
        Some("delayed") => DeliveryAction::Delayed,
        Some("delivered") => DeliveryAction::Delivered,
        Some("relayed") => DeliveryAction::Relayed,
        Some("expanded") => DeliveryAction::Expanded,
        _ => DeliveryAction::Other,
    };
    let mut status = RecipientStatus::new(typed_value(address), action);
    status.status = field(block, "Status").and_then(|value| {
        let code = value.split_whitespace().next()?;
        code.chars()
            .all(|c| c.is_ascii_digit() || c == '.')
            .then(|| code.to_owned())
    });
    status.diagnostic =
        field(block, "Diagnostic-Code").map(|value| typed_value(value).chars().take(MAX_DIAGNOSTIC).collect());
    Some(status)
}

/// The value behind its type: `rfc822; a@b.example`.
fn typed_value(value: &str) -> String {
    let value = value.split_once(';').map_or(value, |(_, value)| value).trim();
    value.trim_start_matches('<').trim_end_matches('>').to_owned()
}

fn field<'h>(headers: &'h [Header], name: &str) -> Option<&'h str> {
    headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name))
        .map(|header| header.value.as_str())
}

/// The message id in the returned message or its returned headers.
fn original_id(entities: &[Entity<'_>]) -> Option<String> {
    let returned = entities
        .iter()
        .filter(|entity| entity.message_depth == 1)
        .find_map(|entity| entity.header("Message-ID").map(str::to_owned));
    let returned = returned.or_else(|| {
        let part = own(entities).find(|entity| entity.is("text", "rfc822-headers"))?;
        let blocks = blocks(part, &ParseLimits::default());
        blocks
            .iter()
            .find_map(|block| field(block, "Message-ID").map(str::to_owned))
    });
    returned.and_then(|value| fields::ids(&value).into_iter().next())
}
