//! What changed since a point: by the time of last change and the key, or by the server's own link where it gives one.
//!
//! Source: `sap-odata.md`, section 9. No stock service gives delta links, so the time of last change is the rule: read again
//! from a little before the last point, and what was given before at the same state is left out.

use std::collections::BTreeSet;
use std::time::Duration;

use atlas_connectors::erp::{ChangePoint, Query, Record, RecordChanges, Value, field};
use atlas_connectors::mail::SyncCursor;
use atlas_connectors::{Error, ErrorKind, PageToken, Result, Timestamp};
use http::header::DATE;
use serde::{Deserialize, Serialize};

use crate::sap::connector::Inner;
use crate::sap::http_date;
use crate::sap::keys;
use crate::sap::token::{self, Position};

const OPERATION: &str = "sap.changes";
/// Records that are remembered beside a point, so that they are not given twice. Beyond it some may come twice.
const REMEMBERED: usize = 5_000;

/// A point in the stream of changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cursor {
    /// Digest of the query.
    query: String,
    /// The moment on the system's clock, in milliseconds.
    at: i64,
    /// Digests of key and state of what was given with a time of change not long before that.
    seen: BTreeSet<String>,
    /// The server's own link, where it gave one.
    delta: Option<String>,
}

/// A page on the way to the next point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Way {
    from: Option<Cursor>,
    at: Position,
    first: Option<String>,
    to: Cursor,
}

impl Inner {
    pub(super) async fn changes(
        &self,
        query: &Query,
        since: &ChangePoint,
        page: Option<&PageToken>,
    ) -> Result<RecordChanges> {
        let mut query = query.clone();
        query.order.clear();
        query.limit = None;
        query.count = false;
        let digest = token::query_digest(&query);
        let way: Option<Way> = page.map(|page| token::read(OPERATION, page.as_str())).transpose()?;
        let from = match (&way, since) {
            (Some(way), _) => way.from.clone(),
            (None, ChangePoint::After(cursor)) => Some(token::read::<Cursor>(OPERATION, cursor.as_str())?),
            (None, _) => None,
        };
        let to = way.as_ref().map(|way| &way.to);
        if from.iter().chain(to).any(|point| point.query != digest) {
            let kind = ErrorKind::Invalid {
                what: "cursor",
                why: "it belongs to another query",
            };
            return Err(Error::new(kind, OPERATION));
        }
        let loaded = self.services.holding(query.entity.as_str()).await?;
        let entity = std::sync::Arc::clone(loaded.entity(query.entity.as_str())?);
        let Some(stamp) = entity.entity().changed_at.clone() else {
            let kind = ErrorKind::Unsupported {
                what: "changes of an entity that tells no time of change",
            };
            return Err(Error::new(kind, OPERATION)
                .with_provider(crate::sap::provider())
                .with_context("entity", &query.entity)
                .with_context(
                    "advice",
                    "read the changes of its document, and its lines again with it",
                ));
        };
        if !query.select.is_empty() && !query.select.contains(&stamp) {
            query.select.push(stamp.clone());
        }
        let delta = from.as_ref().and_then(|from| from.delta.clone());
        if let (Some(from), None) = (&from, &delta) {
            let again = Timestamp::from_unix_millis(from.at).before(self.settings.overlap);
            // In the key's order: a record that changes meanwhile stays within the condition, and stamps finer than a
            // millisecond, which many share after a mass change, need no comparison.
            query = query.filter(field(stamp.clone()).at_least(again));
        }
        let ready = self.ready(&query).await?;
        let at = match (&way, delta) {
            (Some(way), _) => Some(way.at.clone()),
            (None, Some(link)) => Some(Position::Link(link)),
            (None, None) => None,
        };
        let first = way.as_ref().and_then(|way| way.first.clone());
        let got = self
            .page(&ready, OPERATION, at.as_ref(), first.as_deref(), None)
            .await
            .map_err(lost)?;

        let mut to = match way {
            Some(way) => way.to,
            None => Cursor {
                query: digest,
                at: self.system_time(&got.headers).unix_millis(),
                ..Cursor::default()
            },
        };
        // Only what the next reading will see again needs to be remembered.
        let window = Timestamp::from_unix_millis(to.at).before(self.settings.overlap);
        let mut records = Vec::with_capacity(got.kept.len());
        for record in got.kept {
            let state = state_of(&record, stamp.as_str());
            let changed = record.value(stamp.as_str()).and_then(Value::as_instant);
            let known = from.as_ref().is_some_and(|from| from.seen.contains(&state));
            if changed.is_some_and(|changed| changed >= window) && to.seen.len() < REMEMBERED {
                to.seen.insert(state);
            }
            if !known {
                records.push(record);
            }
        }
        let mut changes = match got.next {
            Some(at) => {
                let way = Way {
                    from,
                    at,
                    first: first.or(got.first),
                    to,
                };
                RecordChanges::page(records, PageToken::new(token::write(&way)))
            }
            None => {
                to.delta = got.page.delta;
                RecordChanges::last(records, SyncCursor::new(token::write(&to)))
            }
        };
        let gone = got.page.removed.iter();
        changes.deleted = gone.filter_map(|address| keys::of_address(&entity, address)).collect();
        Ok(changes)
    }

    /// The system's clock as its answer tells it; ours where it does not, or where the two differ by less than what the
    /// header can tell.
    fn system_time(&self, headers: &http::HeaderMap) -> Timestamp {
        let told = headers
            .get(DATE)
            .and_then(|value| value.to_str().ok())
            .and_then(http_date::parse);
        let ours = self.session.clock().now();
        match told {
            Some(told) if told.since(ours).max(ours.since(told)) >= Duration::from_secs(2) => told,
            _ => ours,
        }
    }
}

/// An old link is told by several statuses; the host then begins anew (`sap-odata.md`, section 9).
fn lost(error: Error) -> Error {
    match error.status() {
        Some(410) => Error::new(ErrorKind::CursorExpired, OPERATION)
            .with_provider(crate::sap::provider())
            .with_status(410),
        _ => error,
    }
}

fn state_of(record: &Record, stamp: &str) -> String {
    let changed = record.value(stamp).map(ToString::to_string).unwrap_or_default();
    let etag = record.etag().map_or("", atlas_connectors::erp::Etag::as_str);
    token::digest(format!("{}|{changed}|{etag}", record.key()).as_bytes())
}
