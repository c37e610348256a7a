//! Page tokens and cursors as text that survives the process.

use atlas_connectors::error::BadPayload;
use atlas_connectors::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use atlas_connectors::erp::{Query, Value};

/// Where the next page of a read begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PageState {
    /// Digest of the query: a token of another query is refused.
    pub(super) query: String,
    /// How to go on.
    pub(super) at: Position,
    /// Digest of the first key of the first page: a page that begins with it again is a circle.
    pub(super) first: Option<String>,
    /// Records that may still be given, where the query has a limit.
    pub(super) left: Option<u64>,
}

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Position {
    /// Behind the record with these values of the fields that the list is ordered by.
    Behind(Vec<Value>),
    /// At the server's own link.
    Link(String),
    /// So many records in.
    Skip(u64),
}

pub(super) fn write<T: Serialize>(state: &T) -> String {
    // Plain data: writing it does not fail.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(state).unwrap_or_default())
}

/// # Errors
/// [`BadPayload::Syntax`] for a text that this connector did not write.
pub(super) fn read<T: DeserializeOwned>(operation: &'static str, text: &str) -> Result<T> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let state = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    state.ok_or_else(|| Error::new(BadPayload::Syntax, operation).with_context("what", "page token"))
}

/// A short digest of a query, limit and page size left out.
pub(super) fn query_digest(query: &Query) -> String {
    let mut essence = query.clone();
    essence.page_size = None;
    essence.limit = None;
    essence.count = false;
    digest(&serde_json::to_vec(&essence).unwrap_or_default())
}

/// Twelve hexadecimal digits of SHA-256.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_as_text_and_rubbish_is_refused() {
        let state = PageState {
            query: query_digest(&Query::of("A_SalesOrder").page_size(10)),
            at: Position::Behind(vec![Value::from("10"), Value::Null]),
            first: Some("ab".into()),
            left: Some(7),
        };
        let text = write(&state);
        assert_eq!(read::<PageState>("t", &text).unwrap(), state);
        assert_eq!(state.query, query_digest(&Query::of("A_SalesOrder").limit(3)));
        assert_ne!(state.query, query_digest(&Query::of("A_Product")));
        for rubbish in ["", "x", "e30"] {
            assert_eq!(
                read::<PageState>("t", rubbish).unwrap_err().code(),
                "bad_payload.syntax"
            );
        }
    }
}
