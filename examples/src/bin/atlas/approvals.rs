//! `atlas approvals`: look at what would leave, and decide.

use atlas_connectors::IntentId;
use atlas_connectors::action::{Intent, IntentState};
use atlas_connectors_examples::ui::{Tone, minute, plain};
use serde_json::json;

use crate::args::Approvals;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::outbox;
use crate::session::Session;

const PAGE: usize = 200;

/// Carries out the command.
pub(crate) async fn run(session: &Session, command: &Approvals) -> Result<Exit, Failure> {
    match command {
        Approvals::List => list(session).await,
        Approvals::Show { intent } => show(session, intent).await,
        Approvals::Approve { intent, digest, hold } => approve(session, intent, digest.as_deref(), *hold).await,
        Approvals::Reject { intent } => reject(session, intent).await,
    }
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let gate = session.host.outbox().gate();
    let mut waiting: Vec<Intent> = Vec::new();
    loop {
        let page = gate
            .pending(session.host.tenant(), waiting.last().map(|intent| &intent.id), PAGE)
            .await?;
        let full = page.len() == PAGE;
        waiting.extend(page);
        if !full {
            break;
        }
    }
    if session.is_json() {
        session.print_json(&json!({ "intents": waiting }));
    } else if waiting.is_empty() {
        session.ui.say("Nothing waits for approval.");
    } else {
        let mut rows = Vec::new();
        for intent in &waiting {
            let review = gate.review(session.host.tenant(), &intent.id).await?;
            let flags = match review.warnings.len() {
                0 => plain(""),
                1 => ("1 warning".to_owned(), Tone::Warn),
                n => (format!("{n} warnings"), Tone::Warn),
            };
            rows.push(vec![
                plain(intent.id.as_str()),
                plain(outbox::headline(&review)),
                plain(intent.author.as_str()),
                plain(minute(intent.created)),
                flags,
            ]);
        }
        session.ui.table(&["INTENT", "WHAT", "BY", "PROPOSED", ""], rows, &[]);
    }
    Ok(Exit::Done)
}

async fn show(session: &Session, intent: &str) -> Result<Exit, Failure> {
    let review = session
        .host
        .outbox()
        .gate()
        .review(session.host.tenant(), &intent.into())
        .await?;
    if session.is_json() {
        session.print_json(&json!(review));
    } else {
        session.ui.quote(&review.to_string());
    }
    Ok(Exit::Done)
}

async fn approve(session: &Session, intent: &str, digest: Option<&str>, hold: bool) -> Result<Exit, Failure> {
    let (tenant, outbox) = (session.host.tenant(), session.host.outbox());
    let intent = IntentId::new(intent);
    let review = outbox.gate().review(tenant, &intent).await?;
    if digest.is_some_and(|seen| seen != review.digest.to_string()) {
        return Err(Failure::Usage(
            "the content is not what that digest stands for; look again with `atlas approvals show`".to_owned(),
        ));
    }
    let approved = outbox
        .gate()
        .approve(tenant, &intent, &session.actor, &review.digest)
        .await?;
    let ended = if hold {
        approved
    } else {
        outbox.dispatch(tenant, &intent).await?
    };
    outbox::tell(session, &ended);
    Ok(match ended.state {
        // It was tried and waits to be tried once more.
        IntentState::Ready if !hold => Exit::Temporary,
        state => outbox::exit_of(state),
    })
}

async fn reject(session: &Session, intent: &str) -> Result<Exit, Failure> {
    let rejected = session
        .host
        .outbox()
        .gate()
        .reject(session.host.tenant(), &intent.into(), &session.actor)
        .await?;
    debug_assert_eq!(rejected.state, IntentState::Cancelled);
    outbox::tell(session, &rejected);
    Ok(Exit::Done)
}
