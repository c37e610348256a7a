//! Conveniences over [`ErpConnector`], out of a wrapper's way.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::sync::Arc;

use futures_core::Stream;
use futures_util::stream;
use serde::de::DeserializeOwned;

use crate::erp::document::{Document, DocumentFilter, DocumentKind, DocumentRef};
use crate::erp::{
    Catalog, CatalogScope, ChangePoint, DocumentTable, EntityName, ErpConnector, FieldKind, Filter, Query, Record,
    RecordChanges, RecordKey, Value,
};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::CompanyId;
use crate::mail::SyncCursor;
use crate::page::PageToken;

/// Keys that are asked for in one query of [`ErpConnectorExt::missing`]; more would make addresses that proxies refuse.
const KEYS_AT_ONCE: usize = 20;

/// Conveniences over every [`ErpConnector`].
///
/// ```
/// use atlas_connectors::erp::{DocumentFilter, ErpConnector, ErpConnectorExt as _, SalesOrder};
///
/// async fn count_open(erp: &dyn ErpConnector) -> atlas_connectors::Result<usize> {
///     let open = DocumentFilter::all().open().limit(500);
///     Ok(erp.find_documents::<SalesOrder>(&open).await?.len())
/// }
/// ```
pub trait ErpConnectorExt: ErpConnector {
    /// All records of a query as a stream, up to its limit. Holds at most two pages: while the records of one are taken,
    /// the next one is on its way, if the query asks for no exact limit that this page already meets.
    fn stream(self: Arc<Self>, query: Query) -> impl Stream<Item = Result<Record>> + Send
    where
        Self: Sized + 'static,
    {
        stream_of(self, query)
    }

    /// The records of a query as structs of the host's own; see [`Record::read_as`]. At most one page's worth is decoded at
    /// a time, and all results are held: give the query a limit.
    fn read_as<T: DeserializeOwned + Send>(&self, query: &Query) -> impl Future<Output = Result<Vec<T>>> + Send {
        async move {
            let mut found = Vec::new();
            for record in self.read_all(query).await? {
                found.push(record.read_as()?);
            }
            Ok(found)
        }
    }

    /// All records of a query. All are held: give the query a limit, or take [`ErpConnectorExt::stream`].
    fn read_all(&self, query: &Query) -> impl Future<Output = Result<Vec<Record>>> + Send {
        async move {
            let mut pages = Pages::default();
            let mut found = Vec::new();
            loop {
                let page = self.read(query, pages.token.as_ref()).await?;
                found.extend(page.items);
                if let Some(limit) = query.limit.and_then(|limit| usize::try_from(limit).ok())
                    && found.len() >= limit
                {
                    found.truncate(limit);
                    return Ok(found);
                }
                if !pages.go_on(page.next)? {
                    return Ok(found);
                }
            }
        }
    }

    /// Everything that changed since a point, handed page by page to `take`, and the cursor to go on from.
    ///
    /// The cursor is given after every page was taken: store it together with what they held.
    fn changes_since<F, Fut>(
        &self,
        query: &Query,
        since: &ChangePoint,
        mut take: F,
    ) -> impl Future<Output = Result<SyncCursor>> + Send
    where
        F: FnMut(RecordChanges) -> Fut + Send,
        Fut: Future<Output = Result<()>> + Send,
    {
        async move {
            let mut pages = Pages::default();
            loop {
                let mut page = self.changes(query, since, pages.token.as_ref()).await?;
                let (next, cursor) = (page.next.clone(), page.cursor.take());
                take(page).await?;
                if pages.go_on(next)? {
                    continue;
                }
                return cursor.ok_or_else(|| Error::new(ErrorKind::CursorExpired, "erp.changes"));
            }
        }
    }

    /// Which of these records are not there any more, or not visible to this account: the sweep for deletions that a change
    /// feed does not tell. Asked in portions of twenty keys; give it as many keys as you want to hold at once. Keys of several fields
    /// are not supported.
    fn missing(
        &self,
        entity: &EntityName,
        company: Option<&CompanyId>,
        keys: &[RecordKey],
    ) -> impl Future<Output = Result<Vec<RecordKey>>> + Send {
        async move {
            let scope = CatalogScope {
                company: company.cloned(),
                ..CatalogScope::entities([entity.clone()])
            };
            let catalog = self.catalog(&scope).await?;
            let described = catalog.entity(entity.as_str()).ok_or_else(|| gone(entity))?;
            let [key_field] = described.key.as_slice() else {
                let what = "a sweep over keys of several fields";
                return Err(Error::new(ErrorKind::Unsupported { what }, "erp.missing"));
            };
            // A key is text here, and a number where the field is one: a value of another type would be refused.
            let whole = described.field(key_field.as_str()).map(|field| field.kind) == Some(FieldKind::Integer);
            let value = |key: &RecordKey| {
                let text = key.as_single().unwrap_or_default();
                match text.parse::<i64>() {
                    Ok(number) if whole => Value::Integer(number),
                    _ => Value::from(text),
                }
            };
            let mut missing = Vec::new();
            for portion in keys.chunks(KEYS_AT_ONCE) {
                let mut query = Query::of(entity.clone())
                    .select([key_field.clone()])
                    .filter(Filter::In {
                        field: key_field.clone(),
                        values: portion.iter().map(value).collect(),
                    });
                query.company = company.cloned();
                let there: BTreeSet<RecordKey> = self
                    .read_all(&query)
                    .await?
                    .iter()
                    .map(|record| record.key().clone())
                    .collect();
                missing.extend(portion.iter().filter(|key| !there.contains(key)).cloned());
            }
            Ok(missing)
        }
    }

    /// The documents of a kind that meet these conditions. All are held: give it a limit.
    fn find_documents<D: Document>(&self, wanted: &DocumentFilter) -> impl Future<Output = Result<Vec<D>>> + Send {
        async move {
            let (table, catalog) = self.document_table(D::KIND, wanted.company.as_ref()).await?;
            let query = table.query(&catalog, wanted)?;
            let records = self.read_all(&query).await?;
            Ok(records.into_iter().map(|record| D::of(table, record)).collect())
        }
    }

    /// The one document that is meant; `None` if there is none.
    ///
    /// Several that match are [`ErrorKind::Invalid`]: never is the first one taken.
    fn find_document<D: Document>(&self, wanted: &DocumentRef) -> impl Future<Output = Result<Option<D>>> + Send {
        async move {
            one(self
                .find_documents(&DocumentFilter::of(wanted.clone()).limit(2))
                .await?)
        }
    }

    /// The one document that meets these conditions; `None` if there is none.
    ///
    /// Several that match are [`ErrorKind::Invalid`]: never is the first one taken.
    fn find_one<D: Document>(&self, wanted: &DocumentFilter) -> impl Future<Output = Result<Option<D>>> + Send {
        async move { one(self.find_documents(&wanted.clone().limit(2)).await?) }
    }

    /// The table of a kind of document, and the part of the catalog that it speaks of.
    fn document_table(
        &self,
        kind: DocumentKind,
        company: Option<&CompanyId>,
    ) -> impl Future<Output = Result<(&DocumentTable, Arc<Catalog>)>> + Send {
        async move {
            let table = self.documents().table(kind)?;
            let mut entities = vec![table.entity.clone()];
            entities.extend(table.lines.as_ref().map(|lines| lines.entity.clone()));
            let scope = CatalogScope {
                company: company.cloned(),
                ..CatalogScope::entities(entities)
            };
            Ok((table, self.catalog(&scope).await?))
        }
    }
}

impl<C: ErpConnector + ?Sized> ErpConnectorExt for C {}

/// All records of a query as a stream; see [`ErpConnectorExt::stream`], which takes a connector of known type.
pub fn stream_of<C: ErpConnector + ?Sized>(
    connector: Arc<C>,
    query: Query,
) -> impl Stream<Item = Result<Record>> + Send {
    let state = Reading {
        connector,
        left: query.limit.unwrap_or(u64::MAX),
        query: Arc::new(query),
        pages: Pages::default(),
        ready: VecDeque::new(),
        under_way: None,
        over: false,
    };
    stream::unfold(state, |mut state| async move {
        let next = state.next().await?;
        Some((next, state))
    })
}

/// A stream under way.
struct Reading<C: ?Sized> {
    connector: Arc<C>,
    query: Arc<Query>,
    pages: Pages,
    ready: VecDeque<Record>,
    /// The next page, asked for while the records of this one are taken.
    under_way: Option<PageOnItsWay>,
    left: u64,
    over: bool,
}

type PageOnItsWay = tokio::task::JoinHandle<Result<crate::page::Page<Record>>>;

impl<C: ErpConnector + ?Sized> Reading<C> {
    async fn next(&mut self) -> Option<Result<Record>> {
        loop {
            if self.left == 0 {
                return None;
            }
            if let Some(record) = self.ready.pop_front() {
                self.left -= 1;
                return Some(Ok(record));
            }
            if self.over {
                return None;
            }
            if let Err(error) = self.turn_page().await {
                self.over = true;
                return Some(Err(error));
            }
        }
    }

    async fn turn_page(&mut self) -> Result<()> {
        let page = match self.under_way.take() {
            Some(mut task) => match (&mut task).await {
                Ok(page) => page?,
                Err(_) => return Err(Error::new(ErrorKind::Cancelled, "erp.stream")),
            },
            None => self.connector.read(&self.query, self.pages.token.as_ref()).await?,
        };
        self.ready.extend(page.items);
        self.over = !self.pages.go_on(page.next)?;
        let met = u64::try_from(self.ready.len()).unwrap_or(u64::MAX) >= self.left;
        if !self.over && !met {
            let (connector, query) = (Arc::clone(&self.connector), Arc::clone(&self.query));
            let token = self.pages.token.clone();
            self.under_way = Some(tokio::spawn(
                async move { connector.read(&query, token.as_ref()).await },
            ));
        }
        Ok(())
    }
}

impl<C: ?Sized> Drop for Reading<C> {
    fn drop(&mut self) {
        if let Some(task) = self.under_way.take() {
            task.abort();
        }
    }
}

/// Where a reader of pages is, and whether a provider leads it in a circle.
#[derive(Default)]
struct Pages {
    token: Option<PageToken>,
    /// A token passed before, moved on at every power of two: a circle of any length comes back to it, and one token is held.
    mark: Option<PageToken>,
    passed: u64,
}

impl Pages {
    /// Goes on to the next page, if there is one.
    fn go_on(&mut self, next: Option<PageToken>) -> Result<bool> {
        let Some(next) = next else { return Ok(false) };
        if self.token.as_ref() == Some(&next) || self.mark.as_ref() == Some(&next) {
            let kind = ErrorKind::SchemaMismatch {
                path: "next page".to_owned(),
                fault: crate::error::SchemaFault::Value,
            };
            return Err(Error::new(kind, "erp.pages"));
        }
        self.passed = self.passed.saturating_add(1);
        if self.passed.is_power_of_two() {
            self.mark = Some(next.clone());
        }
        self.token = Some(next);
        Ok(true)
    }
}

fn one<D>(mut found: Vec<D>) -> Result<Option<D>> {
    if found.len() > 1 {
        let kind = ErrorKind::Invalid {
            what: "document reference",
            why: "several documents match it",
        };
        return Err(Error::new(kind, "erp.find_document"));
    }
    Ok(found.pop())
}

fn gone(entity: &EntityName) -> Error {
    let service = entity.to_string();
    Error::new(ErrorKind::ServiceMissing { service }, "erp.missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_of_any_length_is_found_and_a_long_way_is_none() {
        for length in [1, 2, 3, 7, 100] {
            let mut pages = Pages::default();
            let ended = (0..20)
                .chain((20..20 + length).cycle())
                .take(2_000)
                .position(|page| pages.go_on(Some(PageToken::new(page.to_string()))).is_err());
            assert!(ended.is_some(), "a circle of {length} pages");
        }
        let mut pages = Pages::default();
        for page in 0..5_000 {
            assert!(pages.go_on(Some(PageToken::new(page.to_string()))).unwrap());
        }
        assert!(!pages.go_on(None).unwrap());
    }
}
