//! A whole query.

use std::fmt::Write as _;
use std::sync::Arc;

use atlas_connectors::erp::{EntityName, FieldName, Filter, Order, Query, QueryPlan, Record, Shape};
use atlas_connectors::{Error, ErrorKind, Result};

use crate::odata::query::{filter, options};
use crate::odata::{Dialect, EntityModel, Model, PageStyle};
use crate::rows::RowPlan;

const OPERATION: &str = "odata.query";

/// A query as it is sent, and how its rows are read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ODataQuery {
    /// The set, the first part of the path.
    pub set: EntityName,
    /// The query options, encoded, without `?`: `$filter=…&$select=…`. Empty for none.
    pub options: String,
    /// The `Prefer` header, where the size of the page is asked for by it.
    pub prefer: Option<String>,
    /// Records of a page.
    pub page_size: u32,
    /// Most records over all pages, from the query.
    pub limit: Option<u64>,
    /// Nothing can match: no request is needed.
    pub never: bool,
    /// The condition that is left for the client.
    pub client: Option<Filter>,
    /// What is done where, and why.
    pub plan: QueryPlan,
    /// How rows are read.
    pub rows: Arc<RowPlan>,
}

impl ODataQuery {
    /// Compiles a query. Every name and every value is checked before anything is sent.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] naming an unknown entity or field, or a value of another type;
    /// [`ErrorKind::Unsupported`] with the field for what the server says it cannot filter or order by;
    /// [`ErrorKind::Invalid`] for a query longer than the server takes.
    pub fn compile(dialect: &Dialect, model: &Model, query: &Query) -> Result<Self> {
        let entity = model.entity(OPERATION, query.entity.as_str())?;
        let split = match &query.filter {
            Some(filter) => filter::split(dialect, entity, filter)?,
            None => filter::Split::default(),
        };
        let needed: Vec<&FieldName> = split.client.iter().flat_map(|(filter, _)| filter.fields()).collect();
        let select = options::select(entity, &query.select, &needed)?;
        let mut parts = options::select_and_expand(model, entity, &select, &query.expand)?;
        let page_size = query.page_size.unwrap_or(dialect.page_size).clamp(1, dialect.page_max);
        let mut plan = QueryPlan::new("", page_size);
        if !split.server.is_empty() {
            parts.push(format!("$filter={}", split.server));
            let fields = split
                .server_fields
                .iter()
                .map(FieldName::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            let why = match split.rewritten {
                true => "rewritten in what the server understands",
                false => "the server can",
            };
            plan = plan.server(format!("filter {fields}"), why);
        }
        let order = Self::order(dialect, entity, query)?;
        if !order.is_empty() {
            let by = options::order(entity, &order)?;
            plan = plan.server(format!("order by {}", by.replace("%20", " ")), "the server can");
            parts.push(format!("$orderby={by}"));
        }
        if query.count {
            if !entity.entity().support.counting {
                return Err(entity.unsupported(OPERATION, "", "counting the records of this entity"));
            }
            parts.push(model.version().count_option().to_owned());
            plan = plan.server("count", "asked for");
        }
        let mut prefer = None;
        match dialect.page {
            PageStyle::Prefer => {
                prefer = Some(format!("odata.maxpagesize={page_size}"));
                plan = plan.server(format!("page of {page_size}"), "by the Prefer header");
            }
            PageStyle::Top if !entity.is_singleton() => {
                // A limit may only cut what the server itself selects.
                let cap = query.limit.filter(|_| split.client.is_empty()).unwrap_or(u64::MAX);
                let top = u64::from(page_size).min(cap);
                parts.push(format!("$top={top}"));
                plan = plan.server(format!("page of {top}"), "by $top");
            }
            _ => {}
        }
        let mut client: Vec<Filter> = Vec::new();
        for (filter, why) in split.client {
            let fields = filter
                .fields()
                .into_iter()
                .map(FieldName::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            plan = plan.client(format!("filter {fields}"), why);
            client.push(filter);
        }
        if split.never {
            plan = plan.client("nothing", "the condition never holds");
        }
        if let Some(limit) = query.limit {
            plan = plan.client(format!("stop after {limit}"), "asked for");
        }
        let text = parts.join("&");
        if text.len() > dialect.longest {
            let kind = ErrorKind::Invalid {
                what: "query",
                why: "it is longer than the server takes",
            };
            return Err(Error::new(kind, OPERATION).with_context("bytes", text.len()));
        }
        plan.request = query.entity.as_str().to_owned();
        if !text.is_empty() {
            let _ = write!(plan.request, "?{text}");
        }
        Ok(Self {
            set: query.entity.clone(),
            options: text,
            prefer,
            page_size,
            limit: query.limit,
            never: split.never,
            client: match client.len() {
                0 | 1 => client.pop(),
                _ => Some(Filter::And(client)),
            },
            plan,
            rows: Arc::new(RowPlan::odata(dialect, model, entity, &select, &query.expand)?),
        })
    }

    /// Compiles the reading of one record: `$select` and `$expand` behind its key predicate.
    ///
    /// # Errors
    /// As [`ODataQuery::compile`].
    pub fn for_one(dialect: &Dialect, model: &Model, entity: &EntityName, shape: &Shape) -> Result<Self> {
        let mut query = Query::of(entity.clone());
        query.select.clone_from(&shape.select);
        query.expand.clone_from(&shape.expand);
        let plain = Dialect {
            page: PageStyle::Server,
            key_order: false,
            ..dialect.clone()
        };
        Self::compile(&plain, model, &query)
    }

    fn order(dialect: &Dialect, entity: &EntityModel, query: &Query) -> Result<Vec<Order>> {
        let mut order = query.order.clone();
        if !entity.entity().support.ordering {
            return match order.first() {
                Some(by) => Err(entity.unsupported(OPERATION, by.field.as_str(), "ordering this entity")),
                None => Ok(order),
            };
        }
        // Pages that are counted off need an order without ties.
        if dialect.key_order && !entity.is_singleton() {
            for (field, _) in entity.key() {
                if field.sortable && !order.iter().any(|by| by.field == field.name) {
                    order.push(Order {
                        field: field.name.clone(),
                        descending: false,
                    });
                }
            }
        }
        Ok(order)
    }

    /// The records that the client's part of the condition lets through.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] if a record lacks a field that the condition needs: leaving the condition out would give
    /// what was not asked for.
    pub fn keep(&self, mut records: Vec<Record>) -> Result<Vec<Record>> {
        let Some(filter) = &self.client else { return Ok(records) };
        let mut unknown = false;
        records.retain(|record| match filter.matches(record) {
            Some(holds) => holds,
            None => {
                unknown = true;
                false
            }
        });
        if unknown {
            let kind = ErrorKind::SchemaMismatch {
                path: self.set.as_str().to_owned(),
                fault: atlas_connectors::error::SchemaFault::Type,
            };
            return Err(Error::new(kind, OPERATION));
        }
        Ok(records)
    }
}
