//! Reading pages, single records, and the records behind relations.

use std::collections::HashMap;

use atlas_connectors::erp::{
    Columns, Expand, Field, FieldKind, FieldName, Query, QueryPlan, Record, RecordKey, RecordRef, Shape as Wanted,
    Value,
};
use atlas_connectors::error::ErrorKind;
use atlas_connectors::{CompanyId, Error, Page, PageToken, Result};
use futures_util::future::BoxFuture;

use crate::odoo::builder::PAGE_MAX;
use crate::odoo::domain::{self, Domain};
use crate::odoo::rows::Plan;
use crate::odoo::session::Door;
use crate::odoo::shapes::{Shape, Shapes};
use crate::odoo::values;
use crate::odoo::wire::{CallContext, Json, Method, ModelCall, endpoint_invalid};

/// Deepest nesting of expanded relations.
const DEEPEST: usize = 3;
/// Records read by their ids in one call.
const BY_ID: usize = 1_000;

/// What is read of a model: its columns, and what is fetched behind them.
#[derive(Debug)]
pub(super) struct Selection {
    /// The fields that are asked for.
    pub(super) fields: Vec<FieldName>,
    /// What the caller gets to see, in his order.
    shown: Vec<FieldName>,
    expand: Vec<Expand>,
    /// Columns of dotted names: the relation, and the field behind it.
    behind: Vec<(FieldName, FieldName)>,
}

impl Selection {
    /// The fields of a selection; the usual ones where none are named.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] for a field that is not there; [`ErrorKind::Unsupported`] for a path of more than two.
    pub(super) fn new(shape: &Shape, select: &[FieldName], expand: &[Expand]) -> Result<Self> {
        let mut made = Self {
            fields: Vec::new(),
            shown: Vec::new(),
            expand: expand.to_vec(),
            behind: Vec::new(),
        };
        let usual: Vec<FieldName>;
        let wanted = if select.is_empty() {
            usual = shape.usual().map(|field| field.name.clone()).collect();
            usual.as_slice()
        } else {
            select
        };
        for name in wanted {
            match name.as_str().split_once('.') {
                None => {
                    shape.field(name.as_str())?;
                    made.take(name.clone());
                }
                Some((relation, field)) => {
                    let (first, _) = shape.field(relation)?;
                    if first.kind != FieldKind::Relation || field.contains('.') {
                        let what = "a field behind more than one relation; expand them";
                        return Err(Error::new(ErrorKind::Unsupported { what }, "odoo.read"));
                    }
                    made.behind.push((relation.into(), field.into()));
                    made.need(relation.into());
                }
            }
            if !made.shown.contains(name) {
                made.shown.push(name.clone());
            }
        }
        for relation in expand {
            let (field, _) = shape.field(relation.relation.as_str())?;
            if !matches!(field.kind, FieldKind::Relation | FieldKind::Relations) {
                return Err(values::misfit(shape, field));
            }
            made.need(relation.relation.clone());
            if !made.shown.contains(&relation.relation) {
                made.shown.push(relation.relation.clone());
            }
        }
        Ok(made)
    }

    fn take(&mut self, name: FieldName) {
        self.need(name);
    }

    fn need(&mut self, name: FieldName) {
        if !self.fields.contains(&name) {
            self.fields.push(name);
        }
    }

    /// The names that go over the wire: the columns, and the time of change.
    pub(super) fn on_the_wire(&self, shape: &Shape) -> Json {
        let version = FieldName::from("write_date");
        let mut names: Vec<&str> = self.fields.iter().map(FieldName::as_str).collect();
        if shape.has("write_date") && !self.fields.contains(&version) {
            names.push("write_date");
        }
        names.retain(|name| *name != "id");
        if names.is_empty() {
            names.push("id");
        }
        Json::texts(names)
    }
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    last: i64,
    left: Option<u64>,
}

impl Position {
    fn write(self) -> PageToken {
        let left = self.left.map_or_else(|| "-".to_owned(), |left| left.to_string());
        PageToken::new(format!("id:{}:{left}", self.last))
    }

    fn read(token: &PageToken) -> Result<Self> {
        let bad = || endpoint_invalid("page", "not a page token of this connector");
        let mut parts = token.as_str().split(':');
        let (Some("id"), Some(last), Some(left), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(bad());
        };
        Ok(Self {
            last: last.parse().map_err(|_| bad())?,
            left: match left {
                "-" => None,
                left => Some(left.parse().map_err(|_| bad())?),
            },
        })
    }
}

/// How the rows are ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ordering {
    /// By id: pages begin behind the last one, so that nothing is skipped while others write.
    ById { descending: bool },
    /// By other fields: one page only. Offsets would repeat and skip rows (`odoo.md`, section 7).
    Other(String),
}

fn ordering(shape: &Shape, query: &Query) -> Result<Ordering> {
    match query.order.as_slice() {
        [] => return Ok(Ordering::ById { descending: false }),
        [only] if only.field.as_str() == "id" => {
            return Ok(Ordering::ById {
                descending: only.descending,
            });
        }
        _ => {}
    }
    let mut parts = Vec::new();
    for order in &query.order {
        let (field, _) = shape.field(order.field.as_str())?;
        if !field.sortable {
            let what = "an order by a field that Odoo cannot sort by";
            return Err(Error::new(ErrorKind::Unsupported { what }, "odoo.read").with_context("field", &field.name));
        }
        parts.push(format!(
            "{} {}",
            order.field,
            if order.descending { "desc" } else { "asc" }
        ));
    }
    parts.push("id asc".to_owned());
    match query.limit {
        Some(limit) if limit <= u64::from(PAGE_MAX) => Ok(Ordering::Other(parts.join(", "))),
        _ => {
            let what = "pages in another order than by id; give the query a limit of at most 2,000";
            Err(Error::new(ErrorKind::Unsupported { what }, "odoo.read"))
        }
    }
}

/// Everything that is needed to send a page's call.
struct Prepared {
    shape: std::sync::Arc<Shape>,
    selection: Selection,
    domain: Domain,
    ordering: Ordering,
    page_size: u32,
    context: CallContext,
}

async fn prepared(door: &Door, shapes: &Shapes, query: &Query) -> Result<Prepared> {
    let context = door.context(query.company.as_ref()).await?;
    let shape = shapes.of(door, query.entity.as_str(), false).await?;
    let selection = Selection::new(&shape, &query.select, &query.expand)?;
    let domain = match &query.filter {
        Some(filter) => domain::compile(door, shapes, &shape, filter).await?,
        None => Domain::new(),
    };
    let ordering = ordering(&shape, query)?;
    let asked = query.page_size.unwrap_or(door.settings.page_size).clamp(1, PAGE_MAX);
    let page_size = match (&ordering, query.limit) {
        (Ordering::Other(_), Some(limit)) => u32::try_from(limit).unwrap_or(PAGE_MAX),
        _ => asked,
    };
    Ok(Prepared {
        shape,
        selection,
        domain,
        ordering,
        page_size: page_size.max(1),
        context,
    })
}

/// How a query would be carried out.
pub(super) async fn explain(door: &Door, shapes: &Shapes, query: &Query) -> Result<QueryPlan> {
    let ready = prepared(door, shapes, query).await?;
    let request = format!(
        "{}.search_read(domain={}, fields={})",
        ready.shape.model(),
        Json::List(ready.domain.clone()).to_text(),
        ready.selection.on_the_wire(&ready.shape).to_text()
    );
    let mut plan = QueryPlan::new(request, ready.page_size);
    if let Some(filter) = &query.filter {
        let fields: Vec<&str> = filter.fields().into_iter().map(FieldName::as_str).collect();
        plan = plan.server(
            format!("filter by {}", fields.join(", ")),
            "every condition is a term of the domain",
        );
    }
    plan = match ready.ordering {
        Ordering::ById { .. } => plan.server("order by id", "pages begin behind the last id, so nothing is skipped"),
        Ordering::Other(order) => plan.server(format!("order by {order}"), "one page only: offsets would skip rows"),
    };
    if query.count {
        plan = plan.server("count", "a second call, search_count");
    }
    for expand in &query.expand {
        plan = plan.server(
            format!("expand {}", expand.relation),
            "a second read by the ids of the page, joined here",
        );
    }
    Ok(plan)
}

/// One page.
pub(super) async fn page(
    door: &Door,
    shapes: &Shapes,
    query: &Query,
    from: Option<&PageToken>,
) -> Result<Page<Record>> {
    let ready = prepared(door, shapes, query).await?;
    let from = from.map(Position::read).transpose()?;
    let left = from.map_or(query.limit, |position| position.left);
    if left == Some(0) {
        return Ok(Page {
            items: Vec::new(),
            next: None,
            estimate: None,
        });
    }
    let size = left.map_or(u64::from(ready.page_size), |left| left.min(u64::from(ready.page_size)));
    let (domain, order) = match (&ready.ordering, from) {
        (Ordering::ById { descending }, from) => {
            let beyond = from.map_or_else(Domain::new, |from| domain::beyond(from.last, *descending));
            let order = if *descending { "id desc" } else { "id asc" };
            (domain::both(ready.domain.clone(), beyond), order.to_owned())
        }
        (Ordering::Other(order), None) => (ready.domain.clone(), order.clone()),
        (Ordering::Other(_), Some(_)) => return Err(endpoint_invalid("page", "this order has one page only")),
    };
    let estimate = if query.count && from.is_none() {
        Some(count(door, &ready).await?)
    } else {
        None
    };
    let size = i64::try_from(size).unwrap_or(i64::from(PAGE_MAX));
    let call = ModelCall::new(ready.shape.model(), Method::SearchRead)
        .with("domain", Json::List(domain))
        .with("fields", ready.selection.on_the_wire(&ready.shape))
        .with("limit", Json::int(size))
        .with("order", Json::text(order))
        .within(ready.context.clone());
    let answer = door.ask(&call).await?;
    let plan = Plan::new(&ready.shape, &ready.selection.fields)?;
    let rows = plan.rows(&answer)?;
    let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) >= size;
    let last = rows.last().map(|row| row.id);
    let taken = u64::try_from(rows.len()).unwrap_or(0);
    let records: Vec<Record> = rows.into_iter().map(|row| plan.record(row)).collect();
    let items = finish(door, shapes, &ready.shape, &ready.selection, records, &ready.context).await?;
    let left = left.map(|left| left.saturating_sub(taken));
    let by_id = matches!(ready.ordering, Ordering::ById { .. });
    let next = match last {
        Some(last) if full && by_id && left != Some(0) => Some(Position { last, left }.write()),
        _ => None,
    };
    Ok(Page { items, next, estimate })
}

async fn count(door: &Door, ready: &Prepared) -> Result<u64> {
    let call = ModelCall::new(ready.shape.model(), Method::SearchCount)
        .with("domain", Json::List(ready.domain.clone()))
        .within(ready.context.clone());
    let answer = door.ask(&call).await?;
    let number = answer.value()?.as_int().and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| answer.wrong_type("search_count"))
}

/// One record.
pub(super) async fn get(door: &Door, shapes: &Shapes, at: &RecordRef, wanted: &Wanted) -> Result<Record> {
    let shape = shapes.of(door, at.entity.as_str(), false).await?;
    let selection = Selection::new(&shape, &wanted.select, &wanted.expand)?;
    let id = values::id_of(&at.key)?;
    let found = by_ids(door, shapes, &shape, &selection, &[id], at.company.as_ref()).await?;
    found.into_iter().next().ok_or_else(|| {
        Error::new(ErrorKind::NotFound { object: "record" }, "odoo.read")
            .with_provider(super::provider())
            .with_context("entity", &at.entity)
    })
}

/// Records by their ids; what is missing is left out.
pub(super) async fn by_ids(
    door: &Door,
    shapes: &Shapes,
    shape: &Shape,
    selection: &Selection,
    ids: &[i64],
    company: Option<&CompanyId>,
) -> Result<Vec<Record>> {
    let context = door.context(company).await?;
    within(door, shapes, shape, selection, ids, &context).await
}

async fn within(
    door: &Door,
    shapes: &Shapes,
    shape: &Shape,
    selection: &Selection,
    ids: &[i64],
    context: &CallContext,
) -> Result<Vec<Record>> {
    let plan = Plan::new(shape, &selection.fields)?;
    let mut records = Vec::new();
    for portion in ids.chunks(BY_ID) {
        let call = ModelCall::new(shape.model(), Method::Read)
            .on(portion)
            .with("fields", selection.on_the_wire(shape))
            .within(context.clone());
        let answer = door.ask(&call).await?;
        records.extend(plan.rows(&answer)?.into_iter().map(|row| plan.record(row)));
    }
    finish(door, shapes, shape, selection, records, context).await
}

/// Brings in what stands behind relations, and leaves the columns that were asked for.
pub(super) fn finish<'a>(
    door: &'a Door,
    shapes: &'a Shapes,
    shape: &'a Shape,
    selection: &'a Selection,
    records: Vec<Record>,
    context: &'a CallContext,
) -> BoxFuture<'a, Result<Vec<Record>>> {
    Box::pin(async move {
        if selection.expand.is_empty() && selection.behind.is_empty() {
            return Ok(records);
        }
        let mut behind: HashMap<FieldName, HashMap<i64, Record>> = HashMap::new();
        let mut expansions: Vec<(FieldName, Vec<FieldName>, Vec<Expand>)> = selection
            .expand
            .iter()
            .map(|expand| (expand.relation.clone(), expand.select.clone(), expand.expand.clone()))
            .collect();
        if expansions.iter().any(|(_, _, nested)| depth(nested) >= DEEPEST) {
            let what = "relations expanded more than three deep";
            return Err(Error::new(ErrorKind::Unsupported { what }, "odoo.read"));
        }
        let expanded: Vec<FieldName> = expansions.iter().map(|(relation, ..)| relation.clone()).collect();
        for (relation, field) in &selection.behind {
            match expansions.iter_mut().find(|(known, ..)| known == relation) {
                Some((_, select, _)) if select.is_empty() || select.contains(field) => {}
                Some((_, select, _)) => select.push(field.clone()),
                None => expansions.push((relation.clone(), Vec::from([field.clone()]), Vec::new())),
            }
        }
        for (relation, select, nested) in &expansions {
            let (field, _) = shape.field(relation.as_str())?;
            let target = target(shape, field)?;
            let target = shapes.of(door, &target, false).await?;
            let nested = Selection::new(&target, select, nested)?;
            let mut ids: Vec<i64> = records.iter().flat_map(|record| ids_in(record, relation)).collect();
            ids.sort_unstable();
            ids.dedup();
            let found = within(door, shapes, &target, &nested, &ids, context).await?;
            let by_id = found
                .into_iter()
                .filter_map(|record| Some((values::id_of(record.key()).ok()?, record)));
            behind.insert(relation.clone(), by_id.collect());
        }
        let columns = Columns::new(selection.shown.iter().cloned());
        Ok(records
            .into_iter()
            .map(|record| joined(shape, &record, &columns, &expanded, &behind))
            .collect())
    })
}

fn joined(
    shape: &Shape,
    record: &Record,
    columns: &Columns,
    expanded: &[FieldName],
    behind: &HashMap<FieldName, HashMap<i64, Record>>,
) -> Record {
    let value = |name: &FieldName| -> Value {
        if let Some((relation, field)) = name.as_str().split_once('.') {
            let relation = FieldName::from(relation);
            let id = ids_in(record, &relation).first().copied();
            let related = id.and_then(|id| behind.get(&relation)?.get(&id));
            return related
                .and_then(|related| related.value(field))
                .cloned()
                .unwrap_or(Value::Null);
        }
        let held = record.value(name.as_str()).cloned().unwrap_or(Value::Null);
        if !expanded.contains(name) {
            return held;
        }
        let found = |id: &i64| behind.get(name)?.get(id).cloned();
        let many = shape
            .field(name.as_str())
            .is_ok_and(|(field, _)| field.kind == FieldKind::Relations);
        let ids = ids_in(record, name);
        if many {
            return Value::Records(ids.iter().filter_map(found).collect());
        }
        // A record that a rule hides stays a reference.
        match ids.first().and_then(found) {
            Some(related) => Value::Record(Box::new(related)),
            None => held,
        }
    };
    let values = columns.names().iter().map(value).collect();
    let made = Record::new(record.entity().clone(), record.key().clone(), columns.clone(), values);
    match record.version() {
        Some(version) => made.with_version(version),
        None => made,
    }
}

fn ids_in(record: &Record, relation: &FieldName) -> Vec<i64> {
    let id = |key: &RecordKey| values::id_of(key).ok();
    match record.value(relation.as_str()) {
        Some(Value::Relation(one)) => id(&one.key).into_iter().collect(),
        Some(Value::List(many)) => many.iter().filter_map(|value| id(&value.as_relation()?.key)).collect(),
        _ => Vec::new(),
    }
}

fn target(shape: &Shape, field: &Field) -> Result<String> {
    let target = field.relation.as_ref().map(ToString::to_string);
    target.ok_or_else(|| values::misfit(shape, field))
}

fn depth(nested: &[Expand]) -> usize {
    let deepest = nested
        .iter()
        .map(|expand| depth(&expand.expand).saturating_add(1))
        .max();
    deepest.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_token() {
        for position in [Position { last: 7, left: None }, Position { last: 9, left: Some(3) }] {
            assert_eq!(Position::read(&position.write()).unwrap(), position);
        }
        for token in ["", "7", "id:x:-", "id:7", "id:7:-:9"] {
            assert_eq!(
                Position::read(&PageToken::new(token)).unwrap_err().code(),
                "invalid",
                "{token}"
            );
        }
    }
}
