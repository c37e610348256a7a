//! `atlas erp list`, `test`, `companies`, `disconnect`.

use atlas_connectors::connection::{ConnectionSummary, Pause, Status};
use atlas_connectors::erp::{Company, ProbeOutcome, Probes, Verb};
use atlas_connectors::{Clock as _, CompanyId, SystemClock};
use atlas_connectors_examples::erp::Erps;
use atlas_connectors_examples::ui::{Tone, plain};
use serde_json::{Value, json};

use crate::erp::args::{At, VerbName};
use crate::erp::work::Work;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render;
use crate::session::Session;

pub(super) async fn list(session: &Session) -> Result<Exit, Failure> {
    let mut all = session.host.list().await?;
    all.retain(|row| Erps::is_erp(&row.reference.provider));
    let mut documents = Vec::new();
    let mut rows = Vec::new();
    for row in &all {
        let place = session.host.erps().place(&row.reference).await;
        let place = place.map(|place| place.line()).unwrap_or_default();
        documents.push(document(row, &place));
        rows.push(vec![
            plain(render::account(row)),
            plain(place),
            render::chip(&row.status),
            plain(row.company.as_ref().map(ToString::to_string).unwrap_or_default()),
            plain(row.reference.connection.as_str()),
        ]);
    }
    if session.is_json() {
        session.print_json(&json!({ "connections": documents }));
    } else if rows.is_empty() {
        session
            .ui
            .say("No ERP connected yet. Connect one with `atlas erp connect odoo`, `sap` or `bc`.");
    } else {
        session
            .ui
            .table(&["ACCOUNT", "SYSTEM", "STATUS", "COMPANY", "ID"], rows, &[]);
    }
    Ok(Exit::Done)
}

/// A connection for scripts.
pub(super) fn document(summary: &ConnectionSummary, place: &str) -> Value {
    let mut document = render::summary(summary);
    document["system"] = place.into();
    document["company"] = json!(summary.company);
    if let Status::Paused(pause) = &summary.status {
        document["pause"] = pause.code().into();
    }
    document
}

pub(super) async fn test(session: &Session, entities: &[String], verbs: &[VerbName], at: &At) -> Result<Exit, Failure> {
    let work = Work::open_paused(session, at.on.as_deref(), at.company.as_deref()).await?;
    let mut wanted = vec![Verb::Read];
    for verb in verbs {
        let verb = match verb {
            VerbName::Read => continue,
            VerbName::Create => Verb::Create,
            VerbName::Update => Verb::Update,
            VerbName::Delete => Verb::Delete,
        };
        wanted.push(verb);
    }
    let mut probes = Probes::sign_in();
    probes.company = work.company.clone().or_else(|| work.summary.company.clone());
    for entity in entities {
        probes = probes.entity(entity.as_str(), wanted.iter().copied());
    }
    let asked = SystemClock.now();
    let report = work.erp.test(&probes).await?;
    let signed_in = report
        .outcome(&atlas_connectors::erp::Capability::SignIn)
        .is_some_and(|outcome| *outcome == ProbeOutcome::Allowed);
    if signed_in && work.summary.status.may_work() {
        session.host.erps().answered(&work.summary.reference, asked).await?;
    }
    if session.is_json() {
        let mut document = json!(report);
        document["passed"] = report.passed().into();
        session.print_json(&document);
    } else {
        if let Some(system) = &report.system {
            session.ui.fact("system", system);
        }
        let rows = report
            .rows
            .iter()
            .map(|row| {
                let tone = match row.outcome {
                    ProbeOutcome::Allowed => Tone::Good,
                    ProbeOutcome::NotProbed { .. } => Tone::Dim,
                    _ => Tone::Bad,
                };
                vec![plain(row.capability.to_string()), (row.outcome.to_string(), tone)]
            })
            .collect();
        session.ui.table(&["CAPABILITY", "OUTCOME"], rows, &[]);
        for note in &report.notes {
            session.ui.paragraph(note.text.reveal(), Tone::Warn);
        }
    }
    Ok(if report.passed() { Exit::Done } else { Exit::Failed })
}

pub(super) async fn companies(session: &Session, select: Option<&str>, on: Option<&str>) -> Result<Exit, Failure> {
    let work = Work::open_paused(session, on, None).await?;
    let companies = work.ask(work.erp.companies()).await?;
    if let Some(id) = select {
        session
            .host
            .erps()
            .select_company(&work.summary, &CompanyId::new(id))
            .await?;
    }
    let connection = &work.summary.reference.connection;
    let summary = session
        .host
        .connections()
        .summary(session.host.tenant(), connection)
        .await?;
    tell(session, &summary, &companies);
    Ok(exit_of(&summary))
}

/// The companies, and which one is worked in.
pub(super) fn tell(session: &Session, summary: &ConnectionSummary, companies: &[Company]) {
    if session.is_json() {
        session.print_json(&json!({
            "companies": companies,
            "selected": summary.company,
            "status": summary.status.code(),
        }));
        return;
    }
    if companies.is_empty() {
        session.ui.say("This system has no companies to choose from.");
        return;
    }
    let rows = companies
        .iter()
        .map(|company| {
            let chosen = summary.company.as_ref() == Some(&company.id);
            let mark = if chosen {
                ("selected", Tone::Good)
            } else {
                ("", Tone::Plain)
            };
            vec![
                plain(company.id.as_str()),
                plain(company.name.as_str()),
                (mark.0.to_owned(), mark.1),
            ]
        })
        .collect();
    session.ui.table(&["ID", "COMPANY", ""], rows, &[]);
    if let Status::Paused(Pause::SelectCompany { .. }) = summary.status {
        session.ui.paragraph(
            "Choose the company to work in: the first in a list is never taken.",
            Tone::Warn,
        );
        session.ui.fact("next", "atlas erp companies --select ID");
    }
}

/// A connection that waits for somebody is told by the exit code.
pub(super) fn exit_of(summary: &ConnectionSummary) -> Exit {
    match summary.status {
        Status::Paused(_) | Status::Revoked { .. } => Exit::NeedsPerson,
        _ => Exit::Done,
    }
}

pub(super) async fn disconnect(session: &Session, on: Option<&str>) -> Result<Exit, Failure> {
    let summary = session.resolve_erp(on).await?;
    let ended = session.host.disconnect(&summary.reference.connection).await?;
    if session.is_json() {
        session.print_json(&document(&ended, ""));
    } else {
        session
            .ui
            .say(&format!("{}: {}", render::account(&ended), ended.line()));
        for step in ended.recovery() {
            session.ui.paragraph(&step, Tone::Warn);
        }
    }
    Ok(Exit::Done)
}
