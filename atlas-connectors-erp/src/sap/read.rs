//! Reading lists and single records.
//!
//! Pages go behind the last record by its key wherever the key can be compared: rows neither repeat nor vanish while others
//! write (`sap-odata.md`, section 8). Where it cannot, the server's own link is followed, and counted off as the last resort.

use std::sync::Arc;

use atlas_connectors::erp::{
    FieldKind, FieldName, Filter, Query, QueryPlan, Record, RecordKey, RecordRef, Shape, Value, field,
};
use atlas_connectors::error::{BadPayload, SchemaFault};
use atlas_connectors::http::Response;
use atlas_connectors::{Error, ErrorKind, Page, PageToken, Result};
use bytes::Bytes;
use http::Request;
use http::header::ACCEPT;

use crate::odata::{EntityModel, ODataPage, ODataQuery, PageLimits, key_predicate, read_page, read_record};
use crate::sap::connector::Inner;
use crate::sap::drafts;
use crate::sap::lenient::may_match;
use crate::sap::schema::Loaded;
use crate::sap::session::bad_request;
use crate::sap::token::{self, PageState, Position};

const READ: &str = "sap.read";
const GET: &str = "sap.get";

/// A query made ready for one service.
pub(super) struct Ready {
    pub(super) loaded: Arc<Loaded>,
    pub(super) query: Query,
    /// The fields that the list is ordered by, the key last, if a place in it can be told by their values.
    pub(super) keyset: Option<Vec<(FieldName, bool)>>,
}

/// A page as it came, with what is needed to go on.
pub(super) struct Got {
    pub(super) page: ODataPage,
    pub(super) kept: Vec<Record>,
    pub(super) next: Option<Position>,
    pub(super) first: Option<String>,
    pub(super) headers: http::HeaderMap,
}

impl Inner {
    /// Checks the query against the live metadata and adds what reading it safely needs.
    pub(super) async fn ready(&self, query: &Query) -> Result<Ready> {
        self.check_company(query.company.as_ref())?;
        let loaded = self.services.holding(query.entity.as_str()).await?;
        let mut query = drafts::active_only(loaded.entity(query.entity.as_str())?, query);
        // The names in filter and order are read too: rows are held against the one, and the place in the list is told by the other.
        let entity = Arc::clone(loaded.entity(query.entity.as_str())?);
        if !query.select.is_empty() {
            let filtered = query.filter.iter().flat_map(|filter| filter.fields()).cloned();
            let ordered = query.order.iter().map(|order| order.field.clone());
            let wanted: Vec<FieldName> = filtered.chain(ordered).collect();
            for name in wanted {
                if entity.field(name.as_str()).is_some() && !query.select.contains(&name) {
                    query.select.push(name);
                }
            }
        }
        let keyset = keyset(&entity, &query);
        Ok(Ready { loaded, query, keyset })
    }

    pub(super) async fn explain(&self, query: &Query) -> Result<QueryPlan> {
        let ready = self.ready(query).await?;
        let compiled = self.compile(&ready, None, query.limit)?;
        let mut plan = compiled.plan.clone();
        if ready.query.filter.is_some() {
            plan = plan.client("check rows against the filter", "a custom service may ignore $filter");
        }
        plan = match ready.keyset {
            Some(_) => plan.server("next pages behind the last key", "rows neither repeat nor vanish"),
            None => plan.server(
                "next pages by the server's link, or counted off",
                "the key cannot be compared",
            ),
        };
        Ok(plan)
    }

    pub(super) async fn read_list(&self, query: &Query, page: Option<&PageToken>) -> Result<Page<Record>> {
        let ready = self.ready(query).await?;
        let digest = token::query_digest(query);
        let state: Option<PageState> = page.map(|page| token::read(READ, page.as_str())).transpose()?;
        if state.as_ref().is_some_and(|state| state.query != digest) {
            let kind = ErrorKind::Invalid {
                what: "page token",
                why: "it belongs to another query",
            };
            return Err(Error::new(kind, READ));
        }
        let (at, first, left) = match state {
            Some(state) => (Some(state.at), state.first, state.left),
            None => (None, None, query.limit),
        };
        if left == Some(0) {
            return Ok(Page {
                items: Vec::new(),
                next: None,
                estimate: None,
            });
        }
        let got = self.page(&ready, READ, at.as_ref(), first.as_deref(), left).await?;
        let mut items = got.kept;
        let mut left = left;
        if let Some(most) = &mut left {
            items.truncate(usize::try_from(*most).unwrap_or(usize::MAX));
            *most -= items.len() as u64;
        }
        let next = got.next.filter(|_| left != Some(0)).map(|at| {
            let first = first.or(got.first);
            PageToken::new(token::write(&PageState {
                query: digest,
                at,
                first,
                left,
            }))
        });
        Ok(Page {
            items,
            next,
            estimate: got.page.count,
        })
    }

    /// One page from a place on.
    pub(super) async fn page(
        &self,
        ready: &Ready,
        operation: &'static str,
        at: Option<&Position>,
        first: Option<&str>,
        left: Option<u64>,
    ) -> Result<Got> {
        let compiled = self.compile(ready, at, left)?;
        if compiled.never {
            return Ok(Got {
                page: ODataPage::default(),
                kept: Vec::new(),
                next: None,
                first: None,
                headers: http::HeaderMap::new(),
            });
        }
        let service = &ready.loaded.service;
        let address = match at {
            Some(Position::Link(link)) => service.root.resolve(operation, link)?.to_string(),
            Some(Position::Skip(skip)) => {
                let mark = if compiled.options.is_empty() { "" } else { "&" };
                let options = format!("{}{mark}$skip={skip}", compiled.options);
                self.session
                    .system()
                    .resource(&service.address, compiled.set.as_str(), &options)
            }
            _ => self
                .session
                .system()
                .resource(&service.address, compiled.set.as_str(), &compiled.options),
        };
        let answer = self.fetch(&ready.loaded, operation, &address).await;
        let answer = answer.map_err(|error| {
            let error = error.with_context("entity", &ready.query.entity);
            match error.status() {
                Some(500) if ready.query.count => {
                    error.with_context("advice", "read without the count: on large sets it alone fails")
                }
                _ => error,
            }
        })?;
        let mut page = read_page(operation, &compiled.rows, &answer.body, self.limits())
            .map_err(|error| error.with_provider(crate::sap::provider()))?;
        let raw = std::mem::take(&mut page.records);
        let begins = raw
            .first()
            .map(|record| token::digest(record.key().to_string().as_bytes()));
        if at.is_some() && begins.is_some() && begins.as_deref() == first {
            return Err(circle(operation, "page_repeated"));
        }
        if let (Some(Position::Link(link)), Some(next)) = (at, &page.next)
            && link == next
        {
            return Err(circle(operation, "link_repeated"));
        }
        let next = self.next(ready, &compiled, &page, &raw, at);
        let kept = match &ready.query.filter {
            Some(filter) => raw.into_iter().filter(|record| may_match(filter, record)).collect(),
            None => raw,
        };
        let kept = compiled.keep(kept)?;
        Ok(Got {
            page,
            kept,
            next,
            first: begins,
            headers: answer.headers,
        })
    }

    /// Where to go on; nowhere at the end.
    fn next(
        &self,
        ready: &Ready,
        compiled: &ODataQuery,
        page: &ODataPage,
        raw: &[Record],
        at: Option<&Position>,
    ) -> Option<Position> {
        let asked = compiled
            .limit
            .filter(|_| compiled.client.is_none())
            .unwrap_or(u64::MAX)
            .min(u64::from(compiled.page_size));
        let came = raw.len() as u64;
        // More than was asked for: the service ignores $top and has sent all it has, unless it says otherwise.
        let more = page.next.is_some() || came == asked;
        if !more {
            return None;
        }
        let behind = ready.keyset.as_ref().and_then(|fields| {
            let last = raw.last()?;
            let values = fields.iter().map(|(name, _)| last.value(name.as_str()).cloned());
            values.collect::<Option<Vec<Value>>>()
        });
        match behind {
            Some(values) if values.iter().all(|value| !value.is_null()) => Some(Position::Behind(values)),
            _ => match (&page.next, at) {
                (Some(link), _) => Some(Position::Link(link.clone())),
                (None, Some(Position::Skip(skip))) => Some(Position::Skip(skip + came)),
                (None, Some(Position::Behind(_))) => None,
                (None, _) => Some(Position::Skip(came)),
            },
        }
    }

    pub(super) fn compile(&self, ready: &Ready, at: Option<&Position>, left: Option<u64>) -> Result<ODataQuery> {
        let mut query = ready.query.clone();
        query.limit = left;
        if at.is_some() {
            // Counted once, on the first page.
            query.count = false;
        }
        if let (Some(Position::Behind(values)), Some(fields)) = (at, &ready.keyset) {
            query = query.filter(behind(fields, values));
        }
        let compiled = ODataQuery::compile(&ready.loaded.dialect, &ready.loaded.model, &query);
        compiled.map_err(|error| unfit_value(error, &query).with_provider(crate::sap::provider()))
    }

    /// A GET under the session.
    pub(super) async fn fetch(&self, loaded: &Loaded, operation: &'static str, address: &str) -> Result<Response> {
        let request = Request::builder()
            .uri(address)
            .header(ACCEPT, loaded.version().accept())
            .body(Bytes::new())
            .map_err(|_| bad_request(operation))?;
        self.session.read(&loaded.service, operation, request).await
    }

    pub(super) fn limits(&self) -> PageLimits {
        PageLimits {
            rows: self.settings.most_rows,
            bytes: usize::try_from(self.settings.max_body).unwrap_or(usize::MAX),
        }
    }

    pub(super) async fn get_one(&self, at: &RecordRef, shape: &Shape) -> Result<Record> {
        self.check_company(at.company.as_ref())?;
        let loaded = self.services.holding(at.entity.as_str()).await?;
        self.record(&loaded, GET, at, shape).await
    }

    /// One record by its key: as given, then with the leading zeros that its field has room for, then without.
    pub(super) async fn record(
        &self,
        loaded: &Loaded,
        operation: &'static str,
        at: &RecordRef,
        shape: &Shape,
    ) -> Result<Record> {
        let entity = loaded.entity(at.entity.as_str())?;
        let mut shape = shape.clone();
        // What tells whether it changed comes along.
        if let (false, Some(stamp)) = (shape.select.is_empty(), &entity.entity().changed_at)
            && !shape.select.contains(stamp)
        {
            shape.select.push(stamp.clone());
        }
        let query = ODataQuery::for_one(&loaded.dialect, &loaded.model, &at.entity, &shape)?;
        let key = drafts::whole_key(entity, &at.key);
        let mut result = Err(Error::new(ErrorKind::NotFound { object: "record" }, operation));
        for key in spellings(entity, &key) {
            let path = format!("{}{}", at.entity, key_predicate(&loaded.dialect, entity, &key)?);
            let address = self
                .session
                .system()
                .resource(&loaded.service.address, &path, &query.options);
            result = match self.fetch(loaded, operation, &address).await {
                Ok(answer) => {
                    let page = read_record(operation, &query.rows, &answer.body)?;
                    let record = page.and_then(|mut page| page.records.pop());
                    record
                        .map(|record| with_header_etag(record, &answer.headers))
                        .ok_or_else(|| Error::new(ErrorKind::NotFound { object: "record" }, operation))
                }
                Err(error) => Err(error),
            };
            match &result {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => {}
                _ => break,
            }
        }
        result.map_err(|error| {
            error
                .with_provider(crate::sap::provider())
                .with_context("entity", &at.entity)
        })
    }
}

/// The body's ETag is missing where only the header has it.
fn with_header_etag(record: Record, headers: &http::HeaderMap) -> Record {
    let header = headers.get(http::header::ETAG).and_then(|value| value.to_str().ok());
    match header {
        Some(etag) if record.etag().is_none() => record.with_etag(atlas_connectors::erp::Etag::new(etag)),
        _ => record,
    }
}

/// The fields by whose values a place in the list is told: those of the order, and the key. `None` if one of them cannot be
/// compared, or a row may have no value there.
fn keyset(entity: &EntityModel, query: &Query) -> Option<Vec<(FieldName, bool)>> {
    let mut fields: Vec<(FieldName, bool)> = query
        .order
        .iter()
        .map(|order| (order.field.clone(), order.descending))
        .collect();
    for (key, _) in entity.key() {
        if !fields.iter().any(|(name, _)| *name == key.name) && key.name.as_str() != drafts::FLAG {
            fields.push((key.name.clone(), false));
        }
    }
    let support = entity.entity().support;
    let comparable = |name: &FieldName| {
        entity.field(name.as_str()).is_some_and(|(field, _)| {
            // Stamps of a system are finer than a millisecond, which is all that is kept of them here.
            let ordered = !matches!(
                field.kind,
                FieldKind::Bool | FieldKind::Guid | FieldKind::Enum | FieldKind::Instant | FieldKind::Other
            );
            field.filterable && field.sortable && ordered
        })
    };
    (support.filtering && support.ordering && !fields.is_empty() && fields.iter().all(|(name, _)| comparable(name)))
        .then_some(fields)
}

/// `a > x or (a = x and b > y)`, in the form that every service takes (`sap-odata.md`, section 8).
fn behind(fields: &[(FieldName, bool)], values: &[Value]) -> Filter {
    let mut any = Vec::new();
    for (at, ((name, descending), value)) in fields.iter().zip(values).enumerate() {
        let beyond = match descending {
            true => field(name.clone()).less(value.clone()),
            false => field(name.clone()).greater(value.clone()),
        };
        let mut all: Vec<Filter> = fields
            .iter()
            .zip(values)
            .take(at)
            .map(|((name, _), value)| field(name.clone()).equals(value.clone()))
            .collect();
        any.push(match all.is_empty() {
            true => beyond,
            false => {
                all.push(beyond);
                Filter::And(all)
            }
        });
    }
    match any.len() {
        1 => any.remove(0),
        _ => Filter::Or(any),
    }
}

/// A key as it was given, and then as systems that pad numbers know it (`sap-odata.md`, section 6).
fn spellings(entity: &EntityModel, key: &RecordKey) -> Vec<RecordKey> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = |name: &str, text: &str| -> Box<str> {
        let length = entity.field(name).and_then(|(field, _)| field.length);
        match length {
            Some(length) if number(text) && length <= 40 => format!("{text:0>width$}", width = length as usize).into(),
            _ => text.into(),
        }
    };
    let stripped = |text: &str| -> Box<str> {
        match number(text) {
            true => match text.trim_start_matches('0') {
                "" => "0".into(),
                rest => rest.into(),
            },
            false => text.into(),
        }
    };
    // Of a line's key the document's number may be padded and its own not, or both.
    let mapped = |most: usize, change: &dyn Fn(&str, &str) -> Box<str>| match key {
        RecordKey::Composite(parts) => RecordKey::Composite(
            parts
                .iter()
                .enumerate()
                .map(|(at, (name, text))| {
                    let text = if at < most {
                        change(name.as_str(), text)
                    } else {
                        text.clone()
                    };
                    (name.clone(), text)
                })
                .collect(),
        ),
        single => {
            let name = entity.key().next().map_or("", |(field, _)| field.name.as_str());
            match single.as_single() {
                Some(text) => RecordKey::single(change(name, text)),
                None => single.clone(),
            }
        }
    };
    let mut out = vec![key.clone()];
    for other in [
        mapped(1, &|name, text| padded(name, text)),
        mapped(usize::MAX, &|name, text| padded(name, text)),
        mapped(1, &|_, text| stripped(text)),
        mapped(usize::MAX, &|_, text| stripped(text)),
    ] {
        if !out.contains(&other) {
            out.push(other);
        }
    }
    out
}

/// A condition whose value does not fit its field is the host's mistake, and no difference of the schema.
fn unfit_value(error: Error, query: &Query) -> Error {
    let ErrorKind::SchemaMismatch {
        path,
        fault: SchemaFault::Type | SchemaFault::Value,
    } = error.kind()
    else {
        return error;
    };
    let field = path.rsplit('.').next().unwrap_or_default();
    let mut filtered = query.filter.iter().flat_map(Filter::fields);
    if !filtered.any(|name| name.as_str() == field) {
        return error;
    }
    let kind = ErrorKind::Invalid {
        what: "value",
        why: "it does not fit the type of its field",
    };
    Error::new(kind, error.operation()).with_context("field", path)
}

fn circle(operation: &'static str, why: &'static str) -> Error {
    Error::new(BadPayload::Syntax, operation)
        .with_provider(crate::sap::provider())
        .with_context("why", why)
}
