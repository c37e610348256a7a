//! Queries as requests, and pages as records.

use atlas_connectors::erp::{
    Comparison, EntityName, FieldKind, FieldName, Filter, Query, QueryPlan, Record, RecordKey, RecordRef, Shape, Value,
};
use atlas_connectors::error::{BadPayload, ErrorKind, SchemaFault};
use atlas_connectors::{CompanyId, Page, PageToken, Result};
use serde::{Deserialize, Serialize};

use super::connector::Inner;
use super::described::Described;
use super::service::Read;
use super::{catalog, operation, translate};
use crate::odata::{Dialect, EntityModel, ODataQuery, PageLimits, key_predicate, read_page};

/// The field by which lines name their document.
const DOCUMENT: &str = "documentId";

/// A query on its way: its path, and how its rows are read.
#[derive(Debug)]
pub(super) struct Compiled {
    /// Below the API's root, without options.
    path: String,
    pub(super) query: ODataQuery,
    /// Why lines are read where they are read.
    through: Option<String>,
}

/// Where a page begins: the service's own link, and how many records are still wanted.
#[derive(Serialize, Deserialize)]
struct Token {
    link: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
}

/// One page as it came.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) records: Vec<Record>,
    pub(super) next: Option<String>,
    pub(super) count: Option<u64>,
    /// The service's clock.
    pub(super) date: Option<atlas_connectors::Timestamp>,
}

impl Inner {
    pub(super) fn dialect(&self) -> Dialect {
        let mut dialect = Dialect::business_central();
        dialect.page_size = self.settings.page_size;
        dialect.page_max = self.settings.limits.page;
        dialect
    }

    /// Compiles a query: everything is checked against the metadata before anything is sent.
    pub(super) fn compile(
        &self,
        described: &Described,
        company: &CompanyId,
        query: &Query,
        operation: &'static str,
    ) -> Result<Compiled> {
        let name = |error: atlas_connectors::Error| error.with_operation(operation).with_provider(super::provider());
        let model = described.model.entity(operation, query.entity.as_str()).map_err(name)?;
        let mut query = query.clone();
        query.filter = query.filter.as_ref().map(|filter| translate::filter(model, filter));
        if query.select.is_empty() {
            query.select = self.usual(model);
        }
        if let Some(limit) = query.limit {
            // A page need not hold more than is wanted, unless some of it is dropped here.
            let size = query.page_size.unwrap_or(self.settings.page_size);
            let wanted = u32::try_from(limit).unwrap_or(u32::MAX).max(1);
            query.page_size = Some(size.min(wanted.max(50)));
        }
        let set = query.entity.as_str().to_owned();
        let (path, through) = self.place(described, company, model, &mut query, operation)?;
        let compiled = ODataQuery::compile(&self.dialect(), &described.model, &query)
            .map_err(|error| name(unfit_value(error, &query)))?;
        Ok(Compiled {
            path: path.unwrap_or_else(|| catalog::set_path(&described.model, company, &set)),
            query: compiled,
            through,
        })
    }

    /// Lines are read through their document; the flat set answers only for one document or one line.
    fn place(
        &self,
        described: &Described,
        company: &CompanyId,
        model: &EntityModel,
        query: &mut Query,
        operation: &'static str,
    ) -> Result<(Option<String>, Option<String>)> {
        let Some((document, relation)) = catalog::document_of(&described.model, model) else {
            return Ok((None, None));
        };
        let parts = match query.filter.take() {
            Some(Filter::And(parts)) => parts,
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let is_document = |filter: &Filter| matches!(filter, Filter::Compare { field, op: Comparison::Equal, value: Value::Text(_) } if field.as_str() == DOCUMENT);
        let by_id = parts
            .iter()
            .any(|filter| filter.fields().iter().all(|field| field.as_str() == "id") && !filter.fields().is_empty());
        let (documents, rest): (Vec<Filter>, Vec<Filter>) = parts.into_iter().partition(is_document);
        let id = match documents.as_slice() {
            [
                Filter::Compare {
                    value: Value::Text(id), ..
                },
            ] => id.clone(),
            _ if by_id => {
                query.filter = Some(Filter::And(documents.into_iter().chain(rest).collect()));
                return Ok((None, None));
            }
            _ => {
                let what = "lines without their document: filter by documentId, or expand them with the document";
                return Err(super::failed(ErrorKind::Unsupported { what }, operation)
                    .with_context("entity", model.entity().name.as_str()));
            }
        };
        query.filter = match rest.len() {
            0 => None,
            _ => Some(Filter::And(rest)),
        };
        let header = described.model.entity(operation, document.as_str())?;
        let key = key_predicate(&self.dialect(), header, &RecordKey::single(id))
            .map_err(|error| error.with_operation(operation).with_provider(super::provider()))?;
        let path = format!("companies({company})/{document}{key}/{relation}");
        Ok((Some(path), Some(format!("lines through {document}"))))
    }

    /// The fields that are read where none are named: those of the common documents where the entity is one, else all that
    /// are no files. What the service computes for a field that nobody asked for costs time.
    fn usual(&self, model: &EntityModel) -> Vec<FieldName> {
        let entity = model.entity();
        let mut fields: Vec<FieldName> = Vec::new();
        if let Some(table) = self.documents.tables.iter().find(|table| table.entity == entity.name) {
            let known = table.fields.iter().map(|(_, name)| name);
            fields.extend(known.filter(|name| entity.field(name.as_str()).is_some()).cloned());
            fields.extend(entity.changed_at.iter().cloned());
        } else {
            let plain = entity.fields.iter().filter(|field| {
                !matches!(
                    field.kind,
                    FieldKind::Relation | FieldKind::Relations | FieldKind::Stream | FieldKind::Binary
                )
            });
            fields.extend(plain.map(|field| field.name.clone()));
        }
        for key in &entity.key {
            if !fields.contains(key) {
                fields.insert(0, key.clone());
            }
        }
        fields
    }

    pub(super) async fn explain(&self, query: &Query) -> Result<QueryPlan> {
        let company = self.company(query.company.as_ref(), operation::READ)?;
        let described = self.described(false).await?;
        let compiled = self.compile(&described, &company, query, operation::READ)?;
        let mut plan = compiled.query.plan.clone();
        plan.request = with_options(&compiled.path, &compiled.query.options);
        if let Some(through) = compiled.through {
            plan = plan.server(through, "the flat set of lines is refused");
        }
        if self.settings.replica {
            plan = plan.server(
                "read from the replica",
                "lists may lag a little, and spare the people at work",
            );
        }
        Ok(plan)
    }

    pub(super) async fn page(&self, query: &Query, page: Option<&PageToken>) -> Result<Page<Record>> {
        let company = self.company(query.company.as_ref(), operation::READ)?;
        let described = self.described(false).await?;
        let compiled = self.compile(&described, &company, query, operation::READ)?;
        let token = page.map(|page| read_token(page, operation::READ)).transpose()?;
        let left = token.as_ref().map_or(query.limit, |token| token.left);
        if compiled.query.never || left == Some(0) {
            return Ok(Page {
                items: Vec::new(),
                next: None,
                estimate: query.count.then_some(0),
            });
        }
        let link = token.map(|token| token.link);
        let rows = self
            .rows(&compiled, link.as_deref(), self.settings.replica, operation::READ)
            .await?;
        let mut items = rows.records;
        let mut left = left;
        if let Some(most) = left {
            items.truncate(usize::try_from(most).unwrap_or(usize::MAX));
            left = Some(most.saturating_sub(u64::try_from(items.len()).unwrap_or(u64::MAX)));
        }
        let next = rows.next.filter(|_| left != Some(0));
        Ok(Page {
            items,
            next: next.map(|link| write_token(&Token { link, left })).transpose()?,
            estimate: rows.count.filter(|_| compiled.query.client.is_none()),
        })
    }

    /// One page of a query, from its beginning or from a link of the service.
    pub(super) async fn rows(
        &self,
        compiled: &Compiled,
        link: Option<&str>,
        replica: bool,
        operation: &'static str,
    ) -> Result<Rows> {
        let address = self.service.address();
        let url = match link {
            Some(link) => address.within(link).map_err(|error| error.with_operation(operation))?,
            None => address.at(&with_options(&compiled.path, &compiled.query.options))?,
        };
        let read = Read {
            operation,
            url: &url,
            prefer: compiled.query.prefer.as_deref(),
            replica,
        };
        let answer = match self.service.read(read).await {
            Ok(answer) => answer,
            Err(error) => {
                // A field or page that the metadata promised is not there: it has changed since.
                if matches!(
                    error.kind(),
                    ErrorKind::Rejected { .. } | ErrorKind::ServiceMissing { .. }
                ) {
                    self.kept.forget().await;
                }
                return Err(error);
            }
        };
        let page = read_page(operation, &compiled.query.rows, &answer.body, PageLimits::default())
            .map_err(|error| error.with_provider(super::provider()))?;
        let records = compiled.query.keep(page.records)?;
        let next = page.next;
        if let (Some(next), Some(link)) = (&next, link)
            && next == link
        {
            return Err(super::failed(BadPayload::Syntax, operation).with_context("why", "link_repeated"));
        }
        if let Some(next) = &next {
            address.within(next).map_err(|error| error.with_operation(operation))?;
        }
        Ok(Rows {
            records: records.into_iter().map(translate::record).collect(),
            next,
            count: page.count,
            date: date(&answer.headers),
        })
    }

    /// One record as it is now: never from the replica.
    pub(super) async fn record(&self, at: &RecordRef, shape: &Shape, operation: &'static str) -> Result<Record> {
        let company = self.company(at.company.as_ref(), operation)?;
        let described = self.described(false).await?;
        self.record_of(&described, &company, &at.entity, &at.key, shape, operation)
            .await
    }

    pub(super) async fn record_of(
        &self,
        described: &Described,
        company: &CompanyId,
        entity: &EntityName,
        key: &RecordKey,
        shape: &Shape,
        operation: &'static str,
    ) -> Result<Record> {
        let name = |error: atlas_connectors::Error| error.with_operation(operation).with_provider(super::provider());
        let model = described.model.entity(operation, entity.as_str()).map_err(name)?;
        let mut shape = shape.clone();
        if shape.select.is_empty() {
            shape.select = self.usual(model);
        }
        let compiled = ODataQuery::for_one(&self.dialect(), &described.model, entity, &shape).map_err(name)?;
        let key = key_predicate(&self.dialect(), model, key).map_err(name)?;
        let set = catalog::set_path(&described.model, company, entity.as_str());
        let path = with_options(&format!("{set}{key}"), &compiled.options);
        let answer = self.service.read_path(operation, &path, false).await?;
        let record = crate::rows::read_one(operation, &compiled.rows, &answer.body).map_err(name)?;
        record
            .map(translate::record)
            .ok_or_else(|| super::failed(BadPayload::Syntax, operation))
    }
}

/// A condition whose value does not fit its field is the host's mistake, and no difference of the schema.
fn unfit_value(error: atlas_connectors::Error, query: &Query) -> atlas_connectors::Error {
    let ErrorKind::SchemaMismatch {
        path,
        fault: SchemaFault::Type | SchemaFault::Value,
    } = error.kind()
    else {
        return error;
    };
    let field = path.rsplit('.').next().unwrap_or_default();
    let named = query
        .filter
        .iter()
        .flat_map(Filter::fields)
        .any(|name| name.as_str() == field);
    if !named {
        return error;
    }
    super::invalid(error.operation(), "value", "it does not fit the type of its field").with_context("field", path)
}

pub(super) fn with_options(path: &str, options: &str) -> String {
    if options.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{options}")
    }
}

fn write_token(token: &Token) -> Result<PageToken> {
    let text = serde_json::to_string(token).map_err(|_| bad_token(operation::READ))?;
    Ok(PageToken::new(text))
}

fn read_token(page: &PageToken, operation: &'static str) -> Result<Token> {
    serde_json::from_str(page.as_str()).map_err(|_| bad_token(operation))
}

pub(super) fn bad_token(operation: &'static str) -> atlas_connectors::Error {
    super::invalid(operation, "page token", "it is none of this connector")
}

/// The moment at which the service answered.
fn date(headers: &http::HeaderMap) -> Option<atlas_connectors::Timestamp> {
    let text = headers.get(http::header::DATE)?.to_str().ok()?;
    http_date(text)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
fn http_date(text: &str) -> Option<atlas_connectors::Timestamp> {
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split_ascii_whitespace();
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = months.iter().position(|name| *name == month)? + 1;
    format!("{year}-{month:02}-{day:0>2}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_s_clock_is_read() {
        let at = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(at.to_string(), "1994-11-06T08:49:37Z");
        assert_eq!(http_date("soon"), None);
    }
}
