//! Creating records so that a lost answer is never a second record.
//!
//! Through `load` with an external id made from the intent: the same call again finds the record and creates nothing
//! (`odoo.md`, section 6). What `load` cannot carry (files, an emptied default) goes through `create`, and is found by
//! the business reference.

use atlas_connectors::action::Reconciled;
use atlas_connectors::erp::{Create, FieldKind, FieldName, RecordKey, Value, Verb, Written};
use atlas_connectors::error::{Effect, ErrorKind, FieldFault, ProviderMessage, Severity};
use atlas_connectors::{Error, IntentId, Result};

use crate::odoo::session::Door;
use crate::odoo::shapes::{Shape, Shapes};
use crate::odoo::wire::{Json, Method, ModelCall};
use crate::odoo::writing::{self, Handle};
use crate::odoo::{catalog, classify, domain, files, values};

/// Records of the user that are looked through for one that a lost answer left behind, page by page.
const LOOKED_AT_ONCE: i64 = 500;

/// A create as it will leave.
#[derive(Debug)]
pub(super) enum Ready {
    /// By external id: the columns and rows of `load`.
    Load {
        name: String,
        columns: Vec<String>,
        rows: Vec<Vec<String>>,
    },
    /// As plain values.
    Plain(Vec<(String, Json)>),
}

impl Ready {
    pub(super) fn external_id(&self) -> Option<String> {
        match self {
            Self::Load { name, .. } => Some(name.clone()),
            Self::Plain(_) => None,
        }
    }
}

/// The external id of an intent: `atlas.i_…`.
fn external_id(intent: &IntentId) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    format!("atlas.i_{}", intent.as_str().chars().map(safe).collect::<String>())
}

/// Checks a create against the model and lays it out.
pub(super) async fn ready(
    door: &Door,
    shapes: &Shapes,
    shape: &Shape,
    create: &Create,
    intent: &IntentId,
) -> Result<Ready> {
    for (name, _) in &create.fields {
        let (field, _) = shape.field(name.as_str())?;
        // A required one has to be given all the same (the type of an invoice), and so has the type of a file.
        let may_be_given = field.required || matches!(name.as_str(), "mimetype");
        if name.as_str() == "id" || (field.read_only && !may_be_given) {
            let (what, why) = ("field", "Odoo computes it, or keeps it for its own steps");
            return Err(Error::new(ErrorKind::Invalid { what, why }, "odoo.create")
                .with_provider(super::provider())
                .with_context("field", name));
        }
    }
    let name = external_id(intent);
    let mut columns = Vec::from(["id".to_owned()]);
    let mut first = Vec::from([name.clone()]);
    let mut loadable = shape.model() != "ir.attachment";
    for (field, value) in &create.fields {
        match values::cell(shape, field.as_str(), value)? {
            Some((column, cell)) => {
                columns.push(column);
                first.push(cell);
            }
            None => loadable = false,
        }
    }
    let mut line_rows: Vec<Vec<(String, String)>> = Vec::new();
    let mut plain_lines: Vec<(String, Json)> = Vec::new();
    for lines in &create.lines {
        let (field, kind) = shape.field(lines.relation.as_str())?;
        let Some(target) = field.relation.clone().filter(|_| kind == "one2many") else {
            return Err(values::misfit(shape, field));
        };
        let target = shapes.of(door, target.as_str(), false).await?;
        let mut commands = Vec::new();
        for (index, row) in lines.rows.iter().enumerate() {
            // With an id of its own a line is found again too, and not appended a second time.
            let number = index.saturating_add(1);
            let mut cells = Vec::from([(
                format!("{}/id", lines.relation),
                format!("{name}_{}_{number}", lines.relation),
            )]);
            let mut members = Vec::new();
            for (field, value) in row {
                match values::cell(&target, field.as_str(), value)? {
                    Some((column, cell)) => cells.push((format!("{}/{column}", lines.relation), cell)),
                    None => loadable = false,
                }
                members.push((field.to_string(), values::written(&target, field.as_str(), value)?));
            }
            commands.push(Json::List(Vec::from([
                Json::int(0),
                Json::int(0),
                Json::Object(members),
            ])));
            if line_rows.len() <= index {
                line_rows.push(Vec::new());
            }
            if let Some(slot) = line_rows.get_mut(index) {
                slot.extend(cells);
            }
        }
        plain_lines.push((lines.relation.to_string(), Json::List(commands)));
    }
    if loadable {
        return Ok(laid_out(name, columns, first, &line_rows));
    }
    if create.natural_key.is_none() && files::terms(create).is_none() {
        let (what, why) = (
            "create",
            "it holds a file or empties a default, so Odoo cannot mark it: give it a natural key",
        );
        return Err(Error::new(ErrorKind::Invalid { what, why }, "odoo.create").with_provider(super::provider()));
    }
    let mut values: Vec<(String, Json)> = Vec::new();
    for (field, value) in &create.fields {
        values.push((field.to_string(), values::written(shape, field.as_str(), value)?));
    }
    values.extend(plain_lines);
    Ok(Ready::Plain(values))
}

/// Rows of `load`: the record with its first lines, and one row for each further line.
fn laid_out(name: String, mut columns: Vec<String>, mut first: Vec<String>, lines: &[Vec<(String, String)>]) -> Ready {
    let own = columns.len();
    for (column, _) in lines.iter().flatten() {
        if !columns.contains(column) {
            columns.push(column.clone());
        }
    }
    first.resize(columns.len(), String::new());
    let mut rows = Vec::from([first]);
    for (index, cells) in lines.iter().enumerate() {
        if index > 0 {
            rows.push(vec![String::new(); columns.len()]);
        }
        for (column, cell) in cells {
            let at = columns
                .iter()
                .skip(own)
                .position(|known| known == column)
                .map(|at| at.saturating_add(own));
            let slot = rows.last_mut().and_then(|row| row.get_mut(at?));
            if let Some(slot) = slot {
                slot.clone_from(cell);
            }
        }
    }
    Ready::Load { name, columns, rows }
}

/// Lets a create out and reads the record back.
pub(super) async fn commit(
    door: &Door,
    shapes: &Shapes,
    shape: &Shape,
    create: &Create,
    ready: &Ready,
) -> Result<Written> {
    let context = door.context(create.company.as_ref()).await?;
    let mut warnings = Vec::new();
    let id = match ready {
        Ready::Load { columns, rows, .. } => {
            let rows = rows.iter().map(Json::texts).collect();
            let call = ModelCall::new(shape.model(), Method::Load)
                .with("fields", Json::texts(columns))
                .with("data", Json::List(rows))
                .within(context);
            let answer = door.ask(&call).await?;
            let result = answer.value()?;
            match result.member("ids") {
                Some(Json::List(ids)) => {
                    warnings = told(&result, Severity::Warning);
                    let first = ids.first().and_then(Json::as_int);
                    first.ok_or_else(|| answer.wrong_type("load.ids"))?
                }
                // `false`: nothing was written, and the messages say why.
                Some(Json::Bool(false)) => return Err(refused(door, shape, create, &result).await),
                _ => return Err(answer.wrong_type("load.ids")),
            }
        }
        Ready::Plain(values) => {
            let call = ModelCall::new(shape.model(), Method::Create)
                .with("vals_list", Json::List(Vec::from([Json::Object(values.clone())])))
                .within(context);
            let answer = door.ask(&call).await?;
            let ids = answer.value()?.as_ids().ok_or_else(|| answer.wrong_type("create"))?;
            ids.first().copied().ok_or_else(|| answer.wrong_type("create"))?
        }
    };
    Ok(read_back(door, shapes, shape, create, id).await.with_messages(warnings))
}

/// Why `load` wrote nothing. Its messages are texts; what kind of refusal it is, is asked.
async fn refused(door: &Door, shape: &Shape, create: &Create, result: &Json) -> Error {
    let messages = result.member("messages").and_then(Json::as_list).unwrap_or_default();
    let text = |message: &Json, member: &str| message.member(member).and_then(Json::as_text).map(str::to_owned);
    let conflict = messages
        .iter()
        .filter_map(|message| text(message, "message"))
        .any(|message| message.contains("could not serialize access"));
    let build = |kind: ErrorKind| {
        Error::new(kind, "odoo.load")
            .with_provider(super::provider())
            .with_class(atlas_connectors::error::OperationClass::Write)
            .with_effect(Effect::None)
            .with_messages(told(result, Severity::Error))
    };
    if conflict {
        return build(ErrorKind::Locked);
    }
    let may = match door.context(create.company.as_ref()).await {
        Ok(context) => catalog::allowed(door, shape.model(), Verb::Create, context)
            .await
            .unwrap_or(true),
        Err(_) => true,
    };
    if !may {
        return build(ErrorKind::PermissionDenied {
            object: shape.model().to_owned(),
            verb: "create",
        });
    }
    let mut fields: Vec<FieldFault> = Vec::new();
    for message in messages {
        match text(message, "field") {
            Some(field) => fields.push(FieldFault {
                field,
                code: "load".to_owned(),
            }),
            None => fields.extend(classify::named_fields(&text(message, "message").unwrap_or_default())),
        }
    }
    build(ErrorKind::Rejected { fields })
}

/// What `load` says to people. Faults of the program speak of its insides, and are left out.
fn told(result: &Json, severity: Severity) -> Vec<ProviderMessage> {
    let messages = result.member("messages").and_then(Json::as_list).unwrap_or_default();
    let text = |message: &Json, member: &str| message.member(member).and_then(Json::as_text).map(str::to_owned);
    let shown = |message: &Json| {
        let said = text(message, "message").filter(|said| !said.starts_with("Unknown error during import"))?;
        let shown = ProviderMessage::new(severity, said);
        Some(match text(message, "field") {
            Some(field) => shown.with_field(field),
            None => shown,
        })
    };
    messages.iter().filter_map(shown).collect()
}

/// The record as the server keeps it, and where that differs from what was asked.
async fn read_back(door: &Door, shapes: &Shapes, shape: &Shape, create: &Create, id: i64) -> Written {
    let key = RecordKey::from(id);
    let written = Written::at(key.clone());
    let plain = |value: &Value| !matches!(value, Value::Binary(_));
    let asked: Vec<(FieldName, Value)> = create
        .fields
        .iter()
        .filter(|(_, value)| plain(value))
        .map(|(name, value)| (name.clone(), values::as_stored(shape, name.as_str(), value)))
        .collect();
    let mut names: Vec<FieldName> = asked.iter().map(|(name, _)| name.clone()).collect();
    for also in ["name", "state", "amount_total", "checksum", "file_size"] {
        if shape.has(also) && !names.iter().any(|name| name.as_str() == also) {
            names.push(also.into());
        }
    }
    match writing::look(door, shapes, shape, &key, &names, create.company.as_ref()).await {
        Ok(Some(record)) => {
            let file = files::checked(create, &record);
            let mut written = written.read_back(record, asked.iter().map(|(name, value)| (name, value)));
            written.adjusted.extend(file);
            written
        }
        Ok(None) | Err(_) => written,
    }
}

/// Finds a record that a lost answer left behind.
///
/// Looking an external id up needs the Settings right; so the user's own young records are asked for their names.
pub(super) async fn reconcile(
    door: &Door,
    shapes: &Shapes,
    shape: &Shape,
    create: &Create,
    handle: &Handle,
) -> Result<Reconciled<Written>> {
    let found = match &handle.name {
        Some(name) => by_name(door, shape, create, handle, name).await?,
        None => match natural_key(shape, create) {
            Some(terms) => by_terms(door, shape, create, handle, terms?).await?,
            None => return Ok(Reconciled::Unknown),
        },
    };
    match found {
        Some(id) => Ok(Reconciled::Happened(read_back(door, shapes, shape, create, id).await)),
        // The same load again would find what an earlier one is still making.
        None if handle.name.is_some() => Ok(Reconciled::DidNotHappen),
        None => writing::settled(door, handle),
    }
}

/// The terms that the record is found by without an external id.
fn natural_key(shape: &Shape, create: &Create) -> Option<Result<domain::Domain>> {
    if let Some(terms) = files::terms(create) {
        return Some(Ok(terms));
    }
    let key = create.natural_key.as_ref()?;
    Some(shape.field(key.field.as_str()).and_then(|(field, _)| {
        if field.kind == FieldKind::Relations {
            return Err(values::misfit(shape, field));
        }
        let operand = values::plain(shape, field, &key.value)?;
        Ok(domain::term(key.field.as_str(), "=", operand))
    }))
}

/// The user's own records since the write was prepared.
async fn own_since(door: &Door, handle: &Handle) -> Result<domain::Domain> {
    let uid = door.session().await?.uid;
    Ok(domain::both(
        domain::term("create_uid", "=", Json::int(uid)),
        domain::term("create_date", ">=", Json::text(handle.earliest())),
    ))
}

async fn by_terms(
    door: &Door,
    shape: &Shape,
    create: &Create,
    handle: &Handle,
    terms: domain::Domain,
) -> Result<Option<i64>> {
    let terms = domain::both(own_since(door, handle).await?, terms);
    Ok(search(door, shape, create, terms, 0).await?.first().copied())
}

async fn by_name(door: &Door, shape: &Shape, create: &Create, handle: &Handle, name: &str) -> Result<Option<i64>> {
    let mut last = 0;
    loop {
        let ids = search(door, shape, create, own_since(door, handle).await?, last).await?;
        let Some(highest) = ids.last().copied() else {
            return Ok(None);
        };
        last = highest;
        let call = ModelCall::new(shape.model(), Method::ExternalId)
            .on(&ids)
            .within(door.context(create.company.as_ref()).await?);
        let answer = door.ask(&call).await?;
        let names = answer.value()?;
        let members = names.as_object().ok_or_else(|| answer.wrong_type("get_external_id"))?;
        let found = members.iter().find(|(_, known)| known.as_text() == Some(name));
        if let Some((id, _)) = found {
            return Ok(id.parse().ok());
        }
        if i64::try_from(ids.len()).unwrap_or(i64::MAX) < LOOKED_AT_ONCE {
            return Ok(None);
        }
    }
}

async fn search(door: &Door, shape: &Shape, create: &Create, terms: domain::Domain, last: i64) -> Result<Vec<i64>> {
    let mut context = door.context(create.company.as_ref()).await?;
    context.active_test = Some(false);
    let call = ModelCall::new(shape.model(), Method::Search)
        .with("domain", Json::List(domain::both(terms, domain::beyond(last, false))))
        .with("limit", Json::int(LOOKED_AT_ONCE))
        .with("order", Json::text("id asc"))
        .within(context);
    let answer = door.ask(&call).await?;
    answer.value()?.as_ids().ok_or_else(|| answer.wrong_type("search"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_below_their_record_and_carry_ids_of_their_own() {
        let line = |number: u32| {
            Vec::from([
                ("order_line/id".to_owned(), format!("atlas.i_1_order_line_{number}")),
                ("order_line/product_id/.id".to_owned(), number.to_string()),
            ])
        };
        let own = Vec::from(["id".to_owned(), "partner_id/.id".to_owned()]);
        let first = Vec::from(["atlas.i_1".to_owned(), "9".to_owned()]);
        let ready = laid_out("atlas.i_1".to_owned(), own, first, &[line(5), line(6)]);
        let Ready::Load { columns, rows, .. } = ready else {
            unreachable!()
        };
        assert_eq!(
            columns,
            ["id", "partner_id/.id", "order_line/id", "order_line/product_id/.id"]
        );
        assert_eq!(
            rows,
            [
                ["atlas.i_1", "9", "atlas.i_1_order_line_5", "5"],
                ["", "", "atlas.i_1_order_line_6", "6"],
            ]
        );
    }
}
