//! A message in format `raw`, borrowed from the answer that holds it.

use std::borrow::Cow;
use std::fmt;

use atlas_connectors::error::BadPayload;
use atlas_connectors::mail::MessageMeta;
use atlas_connectors::{LabelId, MessageId, Result, ThreadId};
use serde::Deserialize;

use crate::wire::decode::number;
use crate::wire::messages::{failed, meta, missing};

/// What [`MessageResource`](super::messages::MessageResource) is in format `raw`, without a copy of its largest field. `Debug`
/// shows no content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RawMessage<'a> {
    /// The message.
    pub id: MessageId,
    /// Its thread.
    pub thread_id: ThreadId,
    /// Labels on it now.
    #[serde(default)]
    pub label_ids: Vec<LabelId>,
    /// When Gmail took it in, in milliseconds.
    #[serde(default, deserialize_with = "number")]
    pub internal_date: Option<i64>,
    /// Size in bytes, estimated.
    #[serde(default, deserialize_with = "number")]
    pub size_estimate: Option<u64>,
    #[serde(default, borrow)]
    raw: Option<Text<'a>>,
}

/// Borrowed unless it holds escapes; inside an `Option` serde borrows through a type of its own only.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl RawMessage<'_> {
    /// The bytes of the message.
    ///
    /// # Errors
    /// `ErrorKind::SchemaMismatch` without `raw`, [`BadPayload::Syntax`] if it is not base64.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let raw = self.raw.as_ref().ok_or_else(|| missing("raw"))?;
        crate::base64::decode(&raw.0).map_err(|error| {
            failed(BadPayload::Syntax)
                .with_context("field", "raw")
                .with_source(error)
        })
    }

    /// What Gmail says about the message beside its bytes.
    ///
    /// # Errors
    /// `ErrorKind::SchemaMismatch` without `internalDate`, which every format holds.
    pub fn into_meta(self) -> Result<MessageMeta> {
        meta(
            self.id,
            self.thread_id,
            self.label_ids,
            self.internal_date,
            self.size_estimate,
        )
    }
}

impl fmt::Debug for RawMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMessage")
            .field("id", &self.id)
            .field("thread_id", &self.thread_id)
            .field("label_ids", &self.label_ids)
            .field("size_estimate", &self.size_estimate)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_borrowed_and_may_hold_escapes() {
        let plain = r#"{"id":"1","threadId":"2","raw":"aGk=","internalDate":"7","snippet":"x","payload":null}"#;
        let message: RawMessage<'_> = serde_json::from_str(plain).unwrap();
        assert!(matches!(message.raw, Some(Text(Cow::Borrowed("aGk=")))));
        assert_eq!(message.bytes().unwrap(), b"hi");
        assert_eq!(message.into_meta().unwrap().received.unix_millis(), 7);

        let escaped = r#"{"id":"1","threadId":"2","raw":"aGk\u003d\n"}"#;
        let message: RawMessage<'_> = serde_json::from_str(escaped).unwrap();
        assert_eq!(message.bytes().unwrap(), b"hi");
        assert_eq!(message.into_meta().unwrap_err().code(), "schema_mismatch");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let bare: RawMessage<'_> = serde_json::from_str(r#"{"id":"1","threadId":"2"}"#).unwrap();
        assert_eq!(bare.bytes().unwrap_err().code(), "schema_mismatch");
        let wrong: RawMessage<'_> = serde_json::from_str(r#"{"id":"1","threadId":"2","raw":"*"}"#).unwrap();
        assert_eq!(wrong.bytes().unwrap_err().code(), "bad_payload.syntax");
        assert!(!format!("{wrong:?}").contains('*'));
    }
}
