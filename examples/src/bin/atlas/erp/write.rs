//! `atlas erp write`: writes a change down. What happens next is the policy's word, and by default a person's.

use std::sync::Arc;

use atlas_connectors::IntentId;
use atlas_connectors::action::{Outcome, Proposal};
use atlas_connectors::erp::{ActionCall, Create, Delete, NaturalKey, Record, Update, Write as Change};
use atlas_connectors_examples::ui::Tone;
use serde_json::json;

use crate::erp::args::{Shape, Write, WriteCommon};
use crate::erp::typed::EntityTypes;
use crate::erp::work::{self, Work};
use crate::erp::{fields, read};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

pub(super) async fn run(session: &Session, write: &Write) -> Result<Exit, Failure> {
    match write {
        Write::Create {
            entity,
            fields,
            line,
            natural_key,
            common,
        } => {
            let work = Work::open(session, &common.at).await?;
            let change = create(&work, entity, fields, line, natural_key.as_deref()).await?;
            propose(session, &work, change.into(), common).await
        }
        Write::Update {
            entity,
            key,
            fields,
            common,
        } => {
            let work = Work::open(session, &common.at).await?;
            let change = update(&work, entity, key, fields).await?;
            propose(session, &work, change.into(), common).await
        }
        Write::Delete { entity, key, common } => {
            let work = Work::open(session, &common.at).await?;
            let record = record(&work, entity, key, &[]).await?;
            let mut change = Delete::of(&record);
            change.company.clone_from(&work.company);
            propose(session, &work, change.into(), common).await
        }
        Write::Call {
            entity,
            action,
            parameters,
            key,
            common,
        } => {
            let work = Work::open(session, &common.at).await?;
            let change = call(&work, entity, action, parameters, key.as_deref()).await?;
            propose(session, &work, change.into(), common).await
        }
    }
}

async fn create(
    work: &Work<'_>,
    entity: &str,
    assigned: &[String],
    lines: &[String],
    natural_key: Option<&str>,
) -> Result<Create, Failure> {
    let catalog = work.catalog(&[entity]).await?;
    let described = work::entity(&catalog, entity)?;
    let targets: Vec<&str> = lines
        .iter()
        .filter_map(|line| described.field(line.split(':').next()?)?.relation.as_ref())
        .map(|target| target.as_str())
        .collect();
    let with_lines = match targets.as_slice() {
        [] => Arc::clone(&catalog),
        targets => {
            let mut wanted = vec![entity];
            wanted.extend(targets);
            work.catalog(&wanted).await?
        }
    };
    let types = EntityTypes::of(&with_lines, entity).ok_or_else(|| gone(entity))?;
    let mut create = Create::new(entity);
    create.company.clone_from(&work.company);
    for text in assigned {
        let (field, value) = fields::assignment(&types, text)?;
        create = create.set(field, value);
    }
    create.lines = fields::lines(&with_lines, described, lines)?;
    if let Some(text) = natural_key {
        let (field, value) = fields::assignment(&types, text)?;
        // Where it was given among the fields, it stays where it stands.
        create = match create.value(field.as_str()) == Some(&value) {
            true => {
                create.natural_key = Some(NaturalKey { field, value });
                create
            }
            false => create.with_natural_key(field, value),
        };
    }
    Ok(create)
}

async fn update(work: &Work<'_>, entity: &str, key: &str, assigned: &[String]) -> Result<Update, Failure> {
    let catalog = work.catalog(&[entity]).await?;
    let types = EntityTypes::of(&catalog, entity).ok_or_else(|| gone(entity))?;
    let mut changes = Vec::new();
    for text in assigned {
        changes.push(fields::assignment(&types, text)?);
    }
    // Read now: what is changed is what was seen, and nothing is written if somebody changes it in between.
    let select: Vec<String> = changes.iter().map(|(field, _)| field.to_string()).collect();
    let record = record(work, entity, key, &select).await?;
    let mut update = Update::of(&record);
    update.company.clone_from(&work.company);
    for (field, value) in changes {
        update = update.set_from(&record, field, value);
    }
    Ok(update)
}

async fn call(
    work: &Work<'_>,
    entity: &str,
    action: &str,
    parameters: &[String],
    key: Option<&str>,
) -> Result<ActionCall, Failure> {
    let mut call = match key {
        Some(key) => ActionCall::on(&record(work, entity, key, &[]).await?, action),
        None => ActionCall::unbound(entity, action),
    };
    call.company.clone_from(&work.company);
    for text in parameters {
        let (name, value) = fields::untyped(text)?;
        call = call.with(name, value);
    }
    Ok(call)
}

async fn record(work: &Work<'_>, entity: &str, key: &str, select: &[String]) -> Result<Record, Failure> {
    let catalog = work.catalog(&[entity]).await?;
    let place = fields::place(work, work::entity(&catalog, entity)?, key)?;
    let shape = Shape {
        select: select.to_vec(),
        expand: Vec::new(),
    };
    read::one(work, &place, &shape).await
}

fn gone(entity: &str) -> Failure {
    Failure::Usage(format!("there is no entity {entity}; `atlas erp catalog` shows all"))
}

async fn propose(session: &Session, work: &Work<'_>, change: Change, common: &WriteCommon) -> Result<Exit, Failure> {
    let key = match &common.once {
        Some(job) => format!("cli-{job}"),
        // Typed by hand, so each command is a write of its own.
        None => format!("cli-{}", IntentId::random()),
    };
    let proposal = Proposal::new(&work.summary.reference, session.actor.clone(), key);
    let outbox = session.host.outbox();
    match outbox.gate().propose(proposal, change).await? {
        Outcome::Held { intent, review } if session.is_json() => {
            session.print_json(&json!({ "held": intent, "review": review }));
            Ok(Exit::NeedsPerson)
        }
        Outcome::Held { intent, review } => {
            session
                .ui
                .paragraph("Held for approval. This is what would be written:", Tone::Warn);
            session.ui.quote(&review.to_string());
            session
                .ui
                .fact("next", format_args!("atlas approvals approve {intent}"));
            Ok(Exit::NeedsPerson)
        }
        Outcome::Denied { intent, rule } => {
            if session.is_json() {
                session.print_json(&json!({ "denied": intent, "rule": rule }));
            } else {
                session
                    .ui
                    .paragraph(&format!("Forbidden by the rule {rule}."), Tone::Bad);
            }
            Ok(Exit::Forbidden)
        }
        other => {
            let intent = outbox.dispatch(session.host.tenant(), other.intent()).await?;
            crate::outbox::tell(session, &intent);
            Ok(crate::outbox::exit_of(intent.state))
        }
    }
}
