//! `atlas erp read`, `get` and `changes`.

use std::sync::Arc;

use atlas_connectors::erp::{
    Catalog, ChangePoint, ErpConnectorExt as _, Expand, Filter, Query, Record, RecordRef, Shape as RecordShape,
};
use atlas_connectors::mail::SyncCursor;
use atlas_connectors_examples::ui::{Tone, plain};
use serde_json::json;

use crate::erp::args::{At, Erp, Shape};
use crate::erp::records::{self, Fields};
use crate::erp::stream::{self, Printed};
use crate::erp::typed::EntityTypes;
use crate::erp::work::{self, Work};
use crate::erp::{fields, filter};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

pub(super) async fn read(session: &Session, command: &Erp) -> Result<Exit, Failure> {
    let Erp::Read {
        entity,
        shape,
        filter,
        order,
        limit,
        all,
        count,
        explain,
        at,
    } = command
    else {
        return Ok(Exit::Usage);
    };
    let work = Work::open(session, at).await?;
    let mut query = query(&work, entity, shape, filter.as_deref()).await?;
    for field in order {
        query = match field.strip_prefix('-') {
            Some(field) => query.order_by_descending(field),
            None => query.order_by(field.as_str()),
        };
    }
    if !all {
        query = query.limit(*limit);
    }
    if *explain {
        return explained(session, &work, &query).await;
    }
    let known = match count {
        true => Some(counted(&work, &query).await?),
        false => None,
    };
    let Printed { read, left_out } = stream::print(session, &work, query, known.flatten()).await?;
    if session.is_json() {
        return Ok(Exit::Done);
    }
    match (read, known) {
        (0, _) => session.ui.say("Nothing found."),
        (_, Some(Some(known))) => session.ui.fact("records", format_args!("{read} of {known}")),
        (_, Some(None)) => session
            .ui
            .fact("records", format_args!("{read}; the system does not count")),
        (_, None) => session.ui.fact("records", read),
    }
    tell_left_out(session, left_out);
    Ok(Exit::Done)
}

fn tell_left_out(session: &Session, fields: usize) {
    if fields > 0 {
        let told = format!("{fields} fields are empty or do not fit; --select names those to show, --json has all.");
        session.ui.paragraph(&told, Tone::Dim);
    }
}

/// The query without order and limit.
async fn query(work: &Work<'_>, entity: &str, shape: &Shape, filter: Option<&str>) -> Result<Query, Failure> {
    let mut query = Query::of(entity).select(shape.select.iter().map(String::as_str));
    query.company.clone_from(&work.company);
    for relation in &shape.expand {
        query = query.expand(expand(relation)?);
    }
    if let Some(text) = filter {
        query = query.filter(filtered(work, entity, text).await?);
    }
    Ok(query)
}

/// The filter, with the types of the entity and of those that it names through relations.
async fn filtered(work: &Work<'_>, entity: &str, text: &str) -> Result<Filter, Failure> {
    let catalog = work.catalog(&[entity]).await?;
    let known = work::entity(&catalog, entity)?;
    let targets: Vec<&str> = known
        .fields
        .iter()
        .filter(|field| {
            [".", "/"]
                .iter()
                .any(|dot| text.contains(&format!("{}{dot}", field.name)))
        })
        .filter_map(|field| field.relation.as_ref())
        .map(|target| target.as_str())
        .filter(|target| catalog.entity(target).is_none())
        .collect();
    let catalog: Arc<Catalog> = match targets.as_slice() {
        [] => catalog,
        targets => {
            let mut wanted = vec![entity];
            wanted.extend(targets);
            work.catalog(&wanted).await?
        }
    };
    let types = EntityTypes::of(&catalog, entity)
        .ok_or_else(|| Failure::Usage(format!("there is no entity {entity}; `atlas erp catalog` shows all")))?;
    filter::parse(text, &types).map_err(|fault| Failure::Usage(fault.to_string()))
}

/// `lines`, or `lines(item,quantity)`.
fn expand(text: &str) -> Result<Expand, Failure> {
    let Some((relation, rest)) = text.split_once('(') else {
        return Ok(Expand::of(text.trim()));
    };
    let fields = rest
        .trim_end()
        .strip_suffix(')')
        .ok_or_else(|| Failure::Usage(format!("--expand {text} has no closing parenthesis")))?;
    let fields = fields.split(',').map(str::trim).filter(|field| !field.is_empty());
    Ok(Expand::of(relation.trim()).select(fields))
}

async fn explained(session: &Session, work: &Work<'_>, query: &Query) -> Result<Exit, Failure> {
    let plan = work.ask(work.erp.explain(query)).await?;
    if session.is_json() {
        session.print_json(&json!(plan));
        return Ok(Exit::Done);
    }
    session.ui.fact("request", "");
    session.ui.quote(&plan.request);
    session.ui.fact("page", format_args!("{} records", plan.page_size));
    let row = |place: &str, tone, step: &atlas_connectors::erp::PlanStep| {
        vec![
            (place.to_owned(), tone),
            plain(step.what.as_str()),
            plain(step.why.as_ref()),
        ]
    };
    let mut rows: Vec<_> = plan
        .on_server
        .iter()
        .map(|step| row("server", Tone::Good, step))
        .collect();
    rows.extend(plan.on_client.iter().map(|step| row("here", Tone::Warn, step)));
    session.ui.table(&["WHERE", "WHAT", "WHY"], rows, &[]);
    Ok(Exit::Done)
}

async fn counted(work: &Work<'_>, query: &Query) -> Result<Option<u64>, Failure> {
    if !work.erp.capabilities().count {
        return Ok(None);
    }
    let mut one = query.clone().counted().page_size(1);
    one.expand.clear();
    one.limit = None;
    Ok(work.ask(work.erp.read(&one, None)).await?.estimate)
}

pub(super) async fn get(session: &Session, entity: &str, key: &str, shape: &Shape, at: &At) -> Result<Exit, Failure> {
    let work = Work::open(session, at).await?;
    let catalog = work.catalog(&[entity]).await?;
    let place = fields::place(&work, work::entity(&catalog, entity)?, key)?;
    let record = one(&work, &place, shape).await?;
    if session.is_json() {
        session.print_json(&records::document(&record));
    } else {
        records::whole(&session.ui, &record);
    }
    Ok(Exit::Done)
}

/// One record in the shape that was asked for.
pub(super) async fn one(work: &Work<'_>, place: &RecordRef, shape: &Shape) -> Result<Record, Failure> {
    let mut wanted = RecordShape::of(shape.select.iter().map(String::as_str));
    for relation in &shape.expand {
        wanted = wanted.expand(expand(relation)?);
    }
    work.ask(work.erp.get(place, &wanted)).await
}

pub(super) async fn changes(
    session: &Session,
    entity: &str,
    since: Option<&str>,
    shape: &Shape,
    filter: Option<&str>,
    at: &At,
) -> Result<Exit, Failure> {
    let work = Work::open(session, at).await?;
    let query = query(&work, entity, shape, filter).await?;
    let point = match since {
        Some(cursor) => ChangePoint::After(SyncCursor::new(cursor)),
        None => ChangePoint::Beginning,
    };
    let bar = session.ui.counter(None, "reading changes");
    let (mut changed, mut deleted) = (Vec::new(), Vec::new());
    let reading = work.erp.changes_since(&query, &point, |page| {
        changed.extend(page.records);
        deleted.extend(page.deleted);
        bar.set_position(u64::try_from(changed.len()).unwrap_or(u64::MAX));
        std::future::ready(Ok(()))
    });
    let cursor = work.ask(reading).await;
    bar.finish_and_clear();
    let cursor = cursor?;
    if session.is_json() {
        session.print_json(&json!({
            "records": changed.iter().map(records::document).collect::<Vec<_>>(),
            "deleted": deleted.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "cursor": cursor.as_str(),
        }));
        return Ok(Exit::Done);
    }
    let left_out = records::table(&session.ui, &changed, Fields::of(&query));
    tell_left_out(session, left_out);
    session
        .ui
        .say(&format!("{} new or changed, {} deleted.", changed.len(), deleted.len()));
    for key in &deleted {
        session.ui.fact("deleted", key);
    }
    if !work.erp.capabilities().deletions {
        session
            .ui
            .paragraph("This system does not tell deletions in its changes.", Tone::Dim);
    }
    session.ui.fact("cursor", cursor.as_str());
    Ok(Exit::Done)
}
