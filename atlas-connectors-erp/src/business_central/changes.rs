//! What changed since a point, by the time of the last change.
//!
//! Source: `business-central.md`, section 4. Delta links are gone since version 24. A row is stamped before its
//! transaction commits and the replica lags, so each read goes back behind its cursor; what was given before at the same state is
//! left out. Deletions are not told: they are found by comparing keys, or told by webhooks.

use std::collections::VecDeque;
use std::time::Duration;

use atlas_connectors::erp::{ChangePoint, Comparison, Filter, Order, Query, Record, RecordChanges, Value};
use atlas_connectors::error::ErrorKind;
use atlas_connectors::mail::SyncCursor;
use atlas_connectors::{PageToken, Result, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::connector::Inner;
use super::operation::CHANGES;

/// Records of the overlap that are remembered. More of them come twice, which is allowed and harmless.
const REMEMBERED: usize = 2_000;

/// Where the next read goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// By the service's clock, before anything was read.
    since: Option<Timestamp>,
    /// Keys and states of the records of the overlap, as short digests, the oldest first.
    seen: VecDeque<Box<str>>,
}

/// Where a read goes on with its next page.
#[derive(Serialize, Deserialize)]
struct Token {
    link: String,
    /// When the read began, by the service's clock.
    began: Timestamp,
    from: Cursor,
    /// What this read has given of the time that the next one will overlap.
    given: VecDeque<Box<str>>,
}

impl Inner {
    pub(super) async fn changes(
        &self,
        query: &Query,
        since: &ChangePoint,
        page: Option<&PageToken>,
    ) -> Result<RecordChanges> {
        let company = self.company(query.company.as_ref(), CHANGES)?;
        let described = self.described(false).await?;
        let model = described
            .model
            .entity(CHANGES, query.entity.as_str())
            .map_err(|error| error.with_provider(super::provider()))?;
        let Some(stamp) = model.entity().changed_at.clone() else {
            let what = "changes of an entity that tells no time of change: read those of its document";
            return Err(super::failed(ErrorKind::Unsupported { what }, CHANGES).with_context("entity", &query.entity));
        };
        let token = page.map(read_token).transpose()?;
        let from = match (&token, since) {
            (Some(token), _) => token.from.clone(),
            (None, ChangePoint::After(cursor)) => read_cursor(cursor)?,
            (None, _) => Cursor::default(),
        };
        let mut query = query.clone();
        query.limit = None;
        query.count = false;
        query.order = vec![Order {
            field: stamp.clone(),
            descending: false,
        }];
        if !query.select.is_empty() && !query.select.contains(&stamp) {
            query.select.push(stamp.clone());
        }
        if let Some(since) = from.since {
            query = query.filter(Filter::Compare {
                field: stamp.clone(),
                op: Comparison::GreaterOrEqual,
                value: Value::Instant(since.before(self.settings.overlap)),
            });
        }
        let compiled = self.compile(&described, &company, &query, CHANGES)?;
        let before = self.clock.now();
        let (link, began, mut given) = match token {
            Some(token) => (Some(token.link), Some(token.began), token.given),
            None => (None, None, VecDeque::new()),
        };
        let rows = self
            .rows(&compiled, link.as_deref(), self.settings.replica, CHANGES)
            .await?;
        let began = began.unwrap_or_else(|| began_at(before, self.clock.now(), rows.date));
        let overlap_from = began.before(self.settings.overlap);
        let mut records = Vec::with_capacity(rows.records.len());
        for record in rows.records {
            let state = digest(&record);
            let stamped = record.value(stamp.as_str()).and_then(Value::as_instant);
            if stamped.is_none_or(|at| at >= overlap_from) {
                given.push_back(state.clone());
                if given.len() > REMEMBERED {
                    given.pop_front();
                }
            }
            if !from.seen.contains(&state) {
                records.push(record);
            }
        }
        match rows.next {
            Some(link) => {
                let token = Token {
                    link,
                    began,
                    from,
                    given,
                };
                let text = serde_json::to_string(&token).map_err(|_| super::reading::bad_token(CHANGES))?;
                Ok(RecordChanges::page(records, PageToken::new(text)))
            }
            None => {
                let cursor = Cursor {
                    // Never backwards, whatever the clocks say.
                    since: Some(from.since.map_or(began, |since| since.max(began))),
                    seen: given,
                };
                let text = serde_json::to_string(&cursor).map_err(|_| bad_cursor())?;
                Ok(RecordChanges::last(records, SyncCursor::new(text)))
            }
        }
    }
}

/// When a request began by the service's clock: its answer is dated, and took as long as we waited.
fn began_at(before: Timestamp, after: Timestamp, dated: Option<Timestamp>) -> Timestamp {
    match dated {
        // The header tells whole seconds.
        Some(dated) => dated.before(after.since(before)).before(Duration::from_secs(1)),
        None => before,
    }
}

/// Key and state of a record, short.
fn digest(record: &Record) -> Box<str> {
    let mut hash = Sha256::new();
    hash.update(record.key().to_string().as_bytes());
    hash.update([0]);
    match record.etag() {
        Some(etag) => hash.update(etag.as_str().as_bytes()),
        None => hash.update(record.version().unwrap_or_default().as_bytes()),
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        .into()
}

fn read_token(page: &PageToken) -> Result<Token> {
    serde_json::from_str(page.as_str()).map_err(|_| super::reading::bad_token(CHANGES))
}

fn read_cursor(cursor: &SyncCursor) -> Result<Cursor> {
    let cursor: Cursor = serde_json::from_str(cursor.as_str()).map_err(|_| bad_cursor())?;
    // Without a moment it would be a first read in disguise.
    cursor.since.is_some().then_some(cursor).ok_or_else(bad_cursor)
}

fn bad_cursor() -> atlas_connectors::Error {
    super::invalid(CHANGES, "cursor", "it is none of this connector")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_begins_before_its_answer_is_dated() {
        let at = |seconds| Timestamp::from_unix_seconds(seconds);
        // Our clock is an hour late; the request took three seconds.
        assert_eq!(began_at(at(1_000), at(1_003), Some(at(4_603))), at(4_599));
        assert_eq!(began_at(at(1_000), at(1_003), None), at(1_000));
    }
}
