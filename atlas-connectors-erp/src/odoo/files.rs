//! Files on records: uploaded whole, and compared by their checksum.

use atlas_connectors::erp::{Adjusted, Create, Record, Value};
use bytes::Bytes;

use crate::odoo::domain::{self, Domain};
use crate::odoo::wire::Json;

/// The model of files.
const ATTACHMENT: &str = "ir.attachment";

/// A file on a record. Odoo takes up to 128 MiB a request, and base64 adds a third; invalid content would be stored as an
/// empty file without a word, so the checksum is compared afterwards and a difference is told as adjusted.
pub fn attachment(record: &Record, name: &str, mime_type: &str, content: impl Into<Bytes>) -> Create {
    let id = record
        .key()
        .as_single()
        .and_then(|key| key.parse::<i64>().ok())
        .unwrap_or(0);
    Create::new(ATTACHMENT)
        .set("name", name)
        .set("res_model", record.entity().as_str())
        .set("res_id", id)
        .set("mimetype", mime_type)
        .set("datas", content.into())
}

/// The SHA-1 by which Odoo names a file's content.
fn checksum(content: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, content);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn content(create: &Create) -> Option<&Bytes> {
    match create.value("datas") {
        Some(Value::Binary(content)) if create.entity.as_str() == ATTACHMENT => Some(content),
        _ => None,
    }
}

/// A difference between the file that was sent and the one that is kept.
pub(super) fn checked(create: &Create, record: &Record) -> Option<Adjusted> {
    let sent = checksum(content(create)?);
    let kept = record.value("checksum").and_then(Value::as_str).unwrap_or_default();
    (kept != sent).then(|| Adjusted {
        field: "checksum".into(),
        asked: Value::Text(sent.clone()),
        stored: Value::Text(kept.to_owned()),
    })
}

/// The terms by which a file is found again.
pub(super) fn terms(create: &Create) -> Option<Domain> {
    let sent = checksum(content(create)?);
    let text = |field: &str| create.value(field).and_then(Value::as_str).map(str::to_owned);
    let id = create.value("res_id").and_then(Value::as_i64)?;
    let parts = [
        domain::term("res_model", "=", Json::text(text("res_model")?)),
        domain::term("res_id", "=", Json::int(id)),
        domain::term("name", "=", Json::text(text("name")?)),
        domain::term("checksum", "=", Json::text(sent)),
    ];
    Some(parts.into_iter().fold(Domain::new(), domain::both))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_recorded_one() {
        // fixtures/odoo, attachment_read.
        assert_eq!(
            checksum(b"%PDF-1.4 atlas\n"),
            "156404e7116a473579a29aa2826c85d10df6f9aa"
        );
    }
}
