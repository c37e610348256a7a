//! `atlas outbox`: what was sent or written, what waits, what is uncertain.

use atlas_connectors::action::{Action as _, AuditLogExt as _, Intent, IntentState, Resolution, Review, ReviewContent};
use atlas_connectors::erp::{PartOutcome, Rejection, Write, Written};
use atlas_connectors::error::ProviderMessage;
use atlas_connectors_examples::ui::{Tone, Ui, minute, paint, plain, printable};
use serde_json::json;

use crate::args::{Outbox, Outcome};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

const PAGE: usize = 200;

/// Carries out the command.
pub(crate) async fn run(session: &Session, command: &Outbox) -> Result<Exit, Failure> {
    match command {
        Outbox::List => list(session).await,
        Outbox::Run => drain(session).await,
        Outbox::Resolve { intent, outcome } => resolve(session, intent, *outcome).await,
        Outbox::Verify => verify(session).await,
    }
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let mut all: Vec<Intent> = Vec::new();
    loop {
        let after = all.last().map(|intent| &intent.id);
        let page = session
            .host
            .outbox()
            .list(session.host.tenant(), &[], after, PAGE)
            .await?;
        let full = page.len() == PAGE;
        all.extend(page);
        if !full {
            break;
        }
    }
    if session.is_json() {
        session.print_json(&json!({ "intents": all }));
    } else if all.is_empty() {
        session.ui.say("The outbox is empty.");
    } else {
        let rows = all
            .iter()
            .map(|intent| {
                vec![
                    plain(intent.id.as_str()),
                    (intent.state.to_string(), tone(intent.state)),
                    plain(intent.kind.as_str()),
                    plain(minute(intent.updated)),
                    (intent.reason.clone().unwrap_or_default(), Tone::Dim),
                ]
            })
            .collect();
        session
            .ui
            .table(&["INTENT", "STATE", "KIND", "CHANGED", "REASON"], rows, &[]);
    }
    Ok(Exit::Done)
}

async fn drain(session: &Session) -> Result<Exit, Failure> {
    let outbox = session.host.outbox();
    outbox.recover(None).await?;
    let mut pass = outbox.drain().await?;
    if session.is_json() {
        let failed: Vec<_> = pass
            .failed
            .iter()
            .map(|(id, error)| json!({ "intent": id, "code": error.code() }))
            .collect();
        session.print_json(&json!({ "driven": pass.driven, "failed": failed }));
    } else {
        session.ui.say(&format!(
            "{} driven, {} could not go on.",
            pass.driven.len(),
            pass.failed.len()
        ));
        for intent in &pass.driven {
            session
                .ui
                .fact(intent.id.as_str(), paint(&intent.state.to_string(), tone(intent.state)));
        }
    }
    if pass.driven.iter().any(|intent| intent.state == IntentState::Uncertain) {
        return Ok(Exit::Uncertain);
    }
    match pass.failed.pop() {
        Some((_, error)) => Err(error.into()),
        None => Ok(Exit::Done),
    }
}

async fn resolve(session: &Session, intent: &str, outcome: Outcome) -> Result<Exit, Failure> {
    let resolution = match outcome {
        Outcome::Sent => Resolution::Sent,
        Outcome::NotSent => Resolution::NotSent,
        Outcome::Abandon => Resolution::Abandon,
    };
    let outbox = session.host.outbox();
    let resolved = outbox
        .resolve(session.host.tenant(), &intent.into(), resolution, &session.actor)
        .await?;
    tell(session, &resolved);
    Ok(Exit::Done)
}

async fn verify(session: &Session) -> Result<Exit, Failure> {
    let verified = session.host.store().verify(None).await?;
    match &verified {
        Ok(head) if session.is_json() => session.print_json(&json!({ "whole": true, "entries": head.sequence })),
        Ok(head) => session
            .ui
            .say(&format!("The audit chain is whole: {} entries.", head.sequence)),
        Err(fault) if session.is_json() => session.print_json(&json!({ "whole": false, "fault": fault.to_string() })),
        Err(fault) => session
            .ui
            .paragraph(&format!("The audit chain is not whole: {fault}."), Tone::Bad),
    }
    Ok(if verified.is_ok() { Exit::Done } else { Exit::Failed })
}

/// Says where an intent is now.
pub(crate) fn tell(session: &Session, intent: &Intent) {
    if session.is_json() {
        session.print_json(&json!(intent));
        return;
    }
    let ui = &session.ui;
    ui.fact("intent", intent.id.as_str());
    ui.fact("state", paint(&intent.state.to_string(), tone(intent.state)));
    if let Some(reason) = &intent.reason {
        ui.fact("reason", reason);
    }
    if let Some(written) = intent.outcome_of::<Write>() {
        tell_written(ui, &written);
    }
    if let Some(rejection) = &intent.rejection {
        tell_rejection(ui, rejection);
    }
    let next = match intent.state {
        IntentState::AwaitingApproval => "look at it with `atlas approvals show`, then `atlas approvals approve`",
        IntentState::Ready | IntentState::Claimed | IntentState::Handle | IntentState::Sending => {
            "`atlas outbox run` goes on with it"
        }
        IntentState::Uncertain if intent.kind == "erp.write" => {
            "look in the ERP whether it was written, then `atlas outbox resolve`"
        }
        IntentState::Uncertain => "look in the mailbox whether it was sent, then `atlas outbox resolve`",
        IntentState::NotSent if intent.reason.as_deref() == Some("conflict") => {
            "read the record as it is now, and propose the write anew: the approval was for what was seen"
        }
        IntentState::NotSent if intent.rejection.is_some() => "correct what was refused, and propose the write anew",
        _ => return,
    };
    ui.fact("next", next);
}

/// What became of the record, and what the system made of the values.
fn tell_written(ui: &Ui, written: &Written) {
    if let Some(key) = &written.key {
        ui.fact("record", key);
    }
    for adjusted in &written.adjusted {
        let told = format!("{} is {}, not {}", adjusted.field, adjusted.stored, adjusted.asked);
        ui.fact("adjusted", paint(&printable(&told), Tone::Warn));
    }
    tell_messages(ui, &written.messages);
    for (index, part) in written.parts.iter().enumerate() {
        let label = format!("part {}", index + 1);
        match part {
            PartOutcome::Done(written) => {
                ui.fact(&label, paint("done", Tone::Good));
                tell_written(ui, written);
            }
            PartOutcome::Rejected(rejection) => {
                ui.fact(&label, paint("refused", Tone::Bad));
                tell_rejection(ui, rejection);
            }
            PartOutcome::NotExecuted => ui.fact(&label, "not executed"),
            PartOutcome::RolledBack => ui.fact(&label, "rolled back"),
            _ => ui.fact(&label, paint("unknown", Tone::Warn)),
        }
    }
}

/// Why the system refused: its codes, the fields, and what it says to people.
fn tell_rejection(ui: &Ui, rejection: &Rejection) {
    let mut code = rejection.code.to_string();
    if let Some(provider) = &rejection.provider_code {
        code = format!("{code}, the system says {provider}");
    }
    ui.fact("refused", paint(&printable(&code), Tone::Bad));
    for field in &rejection.fields {
        ui.fact("field", printable(&format!("{}: {}", field.field, field.code)));
    }
    tell_messages(ui, &rejection.messages);
}

fn tell_messages(ui: &Ui, messages: &[ProviderMessage]) {
    for message in messages {
        let field = message
            .field
            .as_ref()
            .map(|field| format!("{field}: "))
            .unwrap_or_default();
        let text = message.text.reveal().replace('\n', " ");
        ui.paragraph(&printable(&format!("{field}{text}")), Tone::Warn);
    }
}

/// The exit code for a script that wanted this to be sent.
pub(crate) fn exit_of(state: IntentState) -> Exit {
    match state {
        IntentState::Sent | IntentState::Ready => Exit::Done,
        IntentState::AwaitingApproval | IntentState::Draft => Exit::NeedsPerson,
        IntentState::Uncertain => Exit::Uncertain,
        IntentState::Claimed | IntentState::Handle | IntentState::Sending => Exit::Temporary,
        _ => Exit::Failed,
    }
}

/// One line of what an intent is about.
pub(crate) fn headline(review: &Review) -> String {
    match &review.content {
        ReviewContent::Mail(mail) => {
            let first = mail
                .recipients()
                .next()
                .map(|to| to.address.as_str())
                .unwrap_or_default();
            let more = match mail.recipients().count() {
                0 | 1 => String::new(),
                n => format!(" and {} more", n - 1),
            };
            printable(&format!("mail to {first}{more}: {}", mail.subject))
        }
        // A write is told by its first facts: what is done, to which record.
        ReviewContent::Facts(facts) if review.kind == Write::KIND => {
            let named = |name: &str| {
                facts
                    .iter()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.as_str())
            };
            let mut parts: Vec<&str> = ["Write", "Batch", "Calls", "Record"]
                .into_iter()
                .filter_map(named)
                .collect();
            parts.dedup();
            printable(&parts.join(" "))
        }
        _ => review.kind.clone(),
    }
}

fn tone(state: IntentState) -> Tone {
    match state {
        IntentState::Sent => Tone::Good,
        IntentState::Uncertain | IntentState::AwaitingApproval => Tone::Warn,
        IntentState::NotSent => Tone::Bad,
        IntentState::Cancelled => Tone::Dim,
        _ => Tone::Plain,
    }
}
