//! Testing a connection: sign-in, company, and each right, by calls that change nothing.

use atlas_connectors::erp::{Capability, ProbeOutcome, Probes, TestReport, Verb};
use atlas_connectors::error::{ErrorKind, ProviderMessage, Severity};
use atlas_connectors::{Error, Result};
use std::time::Duration;

use crate::odoo::session::Door;
use crate::odoo::shapes::Shapes;
use crate::odoo::wire::{Json, Method, ModelCall};
use crate::odoo::{catalog, domain, values};

/// How long before its end a key is warned of: three months is all that a bot's key gets.
const WARN: Duration = Duration::from_secs(14 * 24 * 3600);

pub(super) async fn run(door: &Door, shapes: &Shapes, probes: &Probes) -> Result<TestReport> {
    let mut report = TestReport::new(door.clock().now());
    let session = match door.session().await {
        Ok(session) => session,
        Err(error) => {
            report.row(Capability::SignIn, ProbeOutcome::of(&error));
            let note = "without a sign-in there is nothing to ask".into();
            report.row(Capability::Company, ProbeOutcome::NotProbed { note });
            return Ok(report);
        }
    };
    report.row(Capability::SignIn, ProbeOutcome::Allowed);
    report.system = Some(format!("Odoo {}, database {}", session.series, door.database()));
    report.notes.extend(expiring(door).await);
    let company = company(door, probes).await;
    report.row(Capability::Company, ProbeOutcome::of_result(&company));
    if company.is_err() {
        return Ok(report);
    }
    let mut described = None;
    for (entity, verbs) in &probes.entities {
        let model = entity.as_str();
        let shape = shapes.of(door, model, true).await;
        if described.is_none() {
            described = Some(ProbeOutcome::of_result(&shape));
        }
        for verb in verbs {
            let outcome = match &shape {
                Ok(_) => verb_outcome(door, model, *verb, probes).await,
                Err(error) => ProbeOutcome::of(error),
            };
            let capability = Capability::Entity {
                entity: entity.clone(),
                verb: *verb,
            };
            report.row(capability, outcome);
        }
    }
    if let Some(described) = described {
        report.row(Capability::Catalog, described);
    }
    Ok(report)
}

/// Naming a company that the user lacks is refused with the first call that carries it.
async fn company(door: &Door, probes: &Probes) -> Result<()> {
    let context = door.context(probes.company.as_ref()).await?;
    let call = ModelCall::new("res.company", Method::SearchCount)
        .with(
            "domain",
            Json::List(domain::term("id", "in", Json::ids(&context.companies))),
        )
        .within(context);
    let answer = door.ask(&call).await?;
    match answer.value()?.as_int() {
        Some(1..) => Ok(()),
        _ => {
            Err(Error::new(ErrorKind::NotFound { object: "company" }, "odoo.company").with_provider(super::provider()))
        }
    }
}

async fn verb_outcome(door: &Door, model: &str, verb: Verb, probes: &Probes) -> ProbeOutcome {
    let context = match door.context(probes.company.as_ref()).await {
        Ok(context) => context,
        Err(error) => return ProbeOutcome::of(&error),
    };
    // Reading is tried for real; the others would change something, so the right is asked.
    if verb == Verb::Read {
        let call = ModelCall::new(model, Method::Search)
            .with("domain", Json::List(Vec::new()))
            .with("limit", Json::int(1))
            .within(context);
        return ProbeOutcome::of_result(&door.ask(&call).await);
    }
    match catalog::allowed(door, model, verb, context).await {
        Ok(true) => ProbeOutcome::Allowed,
        Ok(false) => ProbeOutcome::Denied {
            code: "permission_denied".into(),
            provider_code: atlas_connectors::error::ProviderCode::new("odoo.exceptions.AccessError"),
        },
        Err(error) => ProbeOutcome::of(&error),
    }
}

/// Warnings about keys of the user that end soon. Which of them is in use cannot be told: the value is never readable.
async fn expiring(door: &Door) -> Vec<ProviderMessage> {
    let Ok(session) = door.session().await else {
        return Vec::new();
    };
    let call = ModelCall::new("res.users.apikeys", Method::SearchRead)
        .with(
            "domain",
            Json::List(domain::term("user_id", "=", Json::int(session.uid))),
        )
        .with("fields", Json::texts(["name", "expiration_date"]))
        .with("limit", Json::int(50))
        .with("order", Json::text("id"));
    // Keys have no end before 18, and the field is not there; a warning is no reason for a test to fail.
    let Ok(answer) = door.ask(&call).await else {
        return Vec::new();
    };
    let rows = answer.value().ok();
    let soon = door.clock().now().after(WARN);
    let warning = |row: &Json| {
        let ends = values::moment(row.member("expiration_date")?.as_text()?)?;
        let name = row.member("name")?.as_text()?;
        (ends <= soon && ends > door.clock().now()).then(|| {
            let text = format!("The API key “{name}” ends at {ends}: create a new one and store it before.");
            ProviderMessage::new(Severity::Warning, text)
        })
    };
    let rows = rows.as_ref().and_then(Json::as_list).unwrap_or_default();
    rows.iter().filter_map(warning).collect()
}
