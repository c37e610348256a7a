//! Whole answers that hold nothing but rows, and what can be wrong with them.

use atlas_connectors::erp::Record;
use atlas_connectors::error::{BadPayload, ProviderMessage, SchemaFault};
use atlas_connectors::{Error, ErrorKind, Result};
use serde::de::DeserializeSeed;
use serde_json::error::Category;

use crate::rows::{ListSeed, PlanState, RowPlan, RowRead, RowSeed, Shared};

/// Rows, and what came beside them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Rows {
    /// The records.
    pub records: Vec<Record>,
    /// What rows say to people.
    pub messages: Vec<ProviderMessage>,
    /// Addresses of records that are gone, in a list of changes.
    pub removed: Vec<String>,
}

/// An answer while it is read.
pub(crate) struct Reading<'a> {
    pub(crate) operation: &'static str,
    pub(crate) body: &'a [u8],
}

impl<'a> Reading<'a> {
    /// The body as text, checked once instead of string by string.
    ///
    /// # Errors
    /// [`BadPayload`] for what is not UTF-8.
    pub(crate) fn text(&self) -> Result<&'a str> {
        let body = self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.body);
        std::str::from_utf8(body).map_err(|error| {
            let fault = match error.error_len() {
                None => BadPayload::Truncated,
                Some(_) => BadPayload::Syntax,
            };
            Error::new(fault, self.operation).with_context("bytes", body.len())
        })
    }
}

/// Reads a JSON list of rows, at most so many.
///
/// # Errors
/// [`BadPayload`]: ended early, no JSON, no list, more rows than allowed. [`ErrorKind::SchemaMismatch`] naming a field whose
/// value is of another type.
pub fn read_rows(operation: &'static str, plan: &RowPlan, body: &[u8], most: usize) -> Result<Rows> {
    let shared = Shared {
        most,
        ..Shared::default()
    };
    let state = PlanState::new(plan, &shared);
    let reading = Reading { operation, body };
    let mut json = serde_json::Deserializer::from_str(reading.text()?);
    let read = ListSeed(&state).deserialize(&mut json);
    let records = read
        .and_then(|records| json.end().map(|()| records))
        .map_err(|error| fault(&reading, &shared, &error))?;
    drop(state);
    finish(&reading, shared, records)
}

/// Reads one row; `None` for a reference in its place.
///
/// # Errors
/// As [`read_rows`].
pub fn read_one(operation: &'static str, plan: &RowPlan, body: &[u8]) -> Result<Option<Record>> {
    let shared = Shared {
        most: usize::MAX,
        ..Shared::default()
    };
    let state = PlanState::new(plan, &shared);
    let reading = Reading { operation, body };
    let mut json = serde_json::Deserializer::from_str(reading.text()?);
    let read = RowSeed(&state).deserialize(&mut json);
    let row = read
        .and_then(|row| json.end().map(|()| row))
        .map_err(|error| fault(&reading, &shared, &error))?;
    drop(state);
    let records = match row {
        RowRead::Record(record) => vec![record],
        RowRead::Removed | RowRead::Deferred => Vec::new(),
    };
    Ok(finish(&reading, shared, records)?.records.pop())
}

/// # Errors
/// [`ErrorKind::Unsupported`] where an expanded list came in part: its rest would be missing without a word.
fn finish(reading: &Reading<'_>, shared: Shared, records: Vec<Record>) -> Result<Rows> {
    check_cut(reading, &shared)?;
    Ok(Rows {
        records,
        messages: Vec::new(),
        removed: shared.removed.into_inner(),
    })
}

pub(crate) fn check_cut(reading: &Reading<'_>, shared: &Shared) -> Result<()> {
    if shared.cut.get() {
        let what = "an expanded list of several pages";
        return Err(Error::new(ErrorKind::Unsupported { what }, reading.operation));
    }
    Ok(())
}

/// What was wrong, without a word of the body.
pub(crate) fn fault(reading: &Reading<'_>, shared: &Shared, error: &serde_json::Error) -> Error {
    let first = reading.body.iter().find(|byte| !byte.is_ascii_whitespace());
    let like_json = matches!(first, Some(b'{' | b'['));
    let kind: ErrorKind = match error.classify() {
        Category::Eof if like_json => BadPayload::Truncated.into(),
        Category::Data if shared.rows.get() > shared.most => BadPayload::TooLarge.into(),
        Category::Data => match shared.failed.borrow_mut().take() {
            Some(path) => ErrorKind::SchemaMismatch {
                path,
                fault: SchemaFault::Type,
            },
            None => BadPayload::Type.into(),
        },
        Category::Syntax | Category::Eof if like_json => BadPayload::Syntax.into(),
        _ => BadPayload::Type.into(),
    };
    Error::new(kind, reading.operation).with_context("bytes", reading.body.len())
}
