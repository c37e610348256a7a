//! `atlas erp catalog` and `check`.

use std::path::Path;

use atlas_connectors::erp::{Catalog, CatalogChange, CatalogScope, Entity, Expectation, Field, FieldKind, Verb};
use atlas_connectors_examples::ui::{Tone, plain};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::erp::args::At;
use crate::erp::work::{self, Work};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// What of the catalog is wanted.
pub(super) struct Wanted<'a> {
    pub(super) entity: Option<&'a str>,
    pub(super) find: Option<&'a str>,
    pub(super) diff: Option<&'a Path>,
    pub(super) save: Option<&'a Path>,
}

pub(super) async fn show(session: &Session, wanted: &Wanted<'_>, at: &At) -> Result<Exit, Failure> {
    let work = Work::open(session, at).await?;
    let before: Option<Catalog> = wanted.diff.map(read_json).transpose()?;
    let named: Vec<&str> = match (&before, wanted.entity) {
        (_, Some(entity)) => vec![entity],
        // What is compared is what was saved; a part must not look like a whole of which most is gone.
        (Some(before), None) => before.entities.iter().map(|entity| entity.name.as_str()).collect(),
        (None, None) => Vec::new(),
    };
    let catalog = work.catalog(&named).await?;
    if let Some(path) = wanted.save {
        let text = serde_json::to_vec_pretty(&*catalog).unwrap_or_default();
        std::fs::write(path, text).map_err(Failure::file(format!("cannot write {}", path.display())))?;
        if !session.is_json() {
            session.ui.fact("saved", path.display());
        }
    }
    if let Some(before) = before {
        return compared(session, &before, &catalog);
    }
    match wanted.entity {
        Some(name) => fields(session, work::entity(&catalog, name)?, wanted.find),
        None => entities(session, &catalog, wanted.find),
    }
    Ok(Exit::Done)
}

/// Whether a name or label contains the text, whatever the case.
fn matches(find: Option<&str>, name: &str, label: &str) -> bool {
    let Some(find) = find.map(str::to_lowercase) else {
        return true;
    };
    name.to_lowercase().contains(&find) || label.to_lowercase().contains(&find)
}

fn entities(session: &Session, catalog: &Catalog, find: Option<&str>) {
    let shown: Vec<&Entity> = catalog
        .entities
        .iter()
        .filter(|entity| matches(find, entity.name.as_str(), &entity.label))
        .collect();
    if session.is_json() {
        session.print_json(&json!({
            "system": catalog.system, "fingerprint": catalog.fingerprint(), "services": catalog.services, "entities": shown,
        }));
        return;
    }
    let rows = shown
        .iter()
        .map(|entity| {
            vec![
                plain(entity.name.as_str()),
                plain(entity.label.as_str()),
                plain(verbs(entity)),
                plain(entity.fields.len().to_string()),
                plain(entity.actions.len().to_string()),
            ]
        })
        .collect();
    session
        .ui
        .table(&["ENTITY", "LABEL", "ALLOWED", "FIELDS", "ACTIONS"], rows, &[3, 4]);
    if let Some(system) = &catalog.system {
        session.ui.fact("system", system);
    }
    session.ui.fact("fingerprint", catalog.fingerprint());
}

fn verbs(entity: &Entity) -> String {
    [Verb::Read, Verb::Create, Verb::Update, Verb::Delete]
        .into_iter()
        .filter(|verb| entity.verbs.allows(*verb))
        .map(Verb::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

fn fields(session: &Session, entity: &Entity, find: Option<&str>) {
    let shown: Vec<&Field> = entity
        .fields
        .iter()
        .filter(|field| matches(find, field.name.as_str(), &field.label))
        .collect();
    if session.is_json() {
        let mut document = json!(entity);
        document["fields"] = json!(shown);
        session.print_json(&document);
        return;
    }
    let rows = shown
        .iter()
        .map(|field| {
            let key = entity.key.contains(&field.name);
            let tone = if field.required { Tone::Warn } else { Tone::Plain };
            vec![
                (field.name.to_string(), tone),
                plain(kind_of(field)),
                plain(flags(field, key)),
                plain(field.label.as_str()),
            ]
        })
        .collect();
    session.ui.table(&["FIELD", "TYPE", "", "LABEL"], rows, &[]);
    for action in &entity.actions {
        let parameters: Vec<&str> = action.parameters.iter().map(|one| one.name.as_str()).collect();
        session
            .ui
            .fact("action", format_args!("{} {}", action.name, parameters.join(" ")));
    }
    session.ui.fact("allowed", verbs(entity));
}

fn kind_of(field: &Field) -> String {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let target = || field.relation.as_ref().map(ToString::to_string).unwrap_or_default();
    match field.kind {
        FieldKind::Text if field.length.is_some() => format!("text({})", number(field.length)),
        FieldKind::Decimal if field.precision.is_some() => {
            format!("decimal({},{})", number(field.precision), number(field.scale))
        }
        FieldKind::Enum => {
            let values: Vec<&str> = field.values.iter().map(|one| one.value.as_str()).collect();
            values.join("|")
        }
        FieldKind::Relation => format!("→ {}", target()),
        FieldKind::Relations => format!("⇉ {}", target()),
        kind => serde_json::to_value(kind)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_default(),
    }
}

fn flags(field: &Field, key: bool) -> String {
    [
        (key, "key"),
        (field.required, "required"),
        (field.read_only, "read only"),
        (field.create_only, "create only"),
        (!field.filterable, "no filter"),
        (field.custom, "custom"),
    ]
    .into_iter()
    .filter_map(|(holds, word)| holds.then_some(word))
    .collect::<Vec<_>>()
    .join(", ")
}

fn compared(session: &Session, before: &Catalog, now: &Catalog) -> Result<Exit, Failure> {
    let diff = before.diff(now);
    let breaks = diff.breaking().next().is_some();
    if session.is_json() {
        session.print_json(&json!({ "changes": diff.changes, "breaking": breaks }));
    } else if diff.is_empty() {
        session.ui.say("Nothing changed.");
    } else {
        let rows = diff
            .changes
            .iter()
            .map(|change: &CatalogChange| {
                let breaking = change.is_breaking();
                let tone = if breaking { Tone::Bad } else { Tone::Plain };
                let word = if breaking { "can break" } else { "" };
                vec![(change.to_string(), tone), (word.to_owned(), tone)]
            })
            .collect();
        session.ui.table(&["CHANGE", ""], rows, &[]);
    }
    Ok(if breaks { Exit::NeedsPerson } else { Exit::Done })
}

pub(super) async fn check(session: &Session, file: &Path, at: &At) -> Result<Exit, Failure> {
    // Also while an earlier check has paused the connection: passing ends that.
    let work = Work::open_paused(session, at.on.as_deref(), at.company.as_deref()).await?;
    let needs: Expectation = read_json(file)?;
    let mut scope = CatalogScope::entities(needs.entities.iter().map(|entity| entity.name.clone())).refreshed();
    scope.company.clone_from(&work.company);
    let catalog = work.ask(work.erp.catalog(&scope)).await?;
    let report = catalog.check(&needs);
    let status = session
        .host
        .connections()
        .checked_catalog(&work.summary.reference, &report)
        .await?;
    if session.is_json() {
        let mut document = json!(report);
        document["passed"] = report.passed().into();
        document["status"] = json!(status.as_ref().map(|status| status.code()));
        session.print_json(&document);
    } else if report.passed() {
        session
            .ui
            .paragraph(&format!("{}: everything is as expected.", report.workflow), Tone::Good);
    } else {
        let rows = report
            .faults
            .iter()
            .map(|fault| vec![(fault.to_string(), Tone::Bad), plain(fault.operator())])
            .collect();
        session.ui.table(&["DOES NOT FIT", "WHAT TO DO"], rows, &[]);
        session
            .ui
            .paragraph("The connection is paused until a check passes.", Tone::Warn);
    }
    Ok(if report.passed() { Exit::Done } else { Exit::NeedsPerson })
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = std::fs::read(path).map_err(Failure::file(format!("cannot read {}", path.display())))?;
    serde_json::from_slice(&text).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}
