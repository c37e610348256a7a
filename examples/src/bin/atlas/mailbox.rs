//! `atlas mailbox`: connect, sync, read, write down what should be sent.

use std::path::Path;

use atlas_connectors::action::{Outcome, Proposal};
use atlas_connectors::connection::{ConnectionSummary, Status};
use atlas_connectors::mail::{
    Attachment, MailQuery, Mailbox as _, MailboxExt as _, Message, NewAttachment, OutgoingBuilder, OutgoingMessage,
};
use atlas_connectors::oauth::{Loopback, Prompt, SignInRequest, Workflow, open_browser};
use atlas_connectors::sync::{InboxQuery, SyncPhase};
use atlas_connectors::{Clock as _, SessionId, SystemClock};
use atlas_connectors_examples::erp::Erps;
use atlas_connectors_examples::host::Account;
use atlas_connectors_examples::ui::{Tone, minute, plain, printable};
use futures_util::StreamExt as _;
use serde_json::json;

use crate::args::{Content, For, Mailbox};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render;
use crate::session::Session;

/// Largest attachment that `--save` writes, in bytes.
const MAX_ATTACHMENT: usize = 64 * 1024 * 1024;

/// Carries out the command.
pub(crate) async fn run(session: &Session, command: &Mailbox) -> Result<Exit, Failure> {
    match command {
        Mailbox::Connect { .. } => connect(session, command).await,
        Mailbox::List => list(session).await,
        Mailbox::Sync { account, .. } => sync(session, account.as_deref()).await,
        Mailbox::Inbox { account, limit } => inbox(session, account.as_deref(), InboxQuery::all(), *limit).await,
        Mailbox::Show { id, account, save } => show(session, id, account.as_deref(), save.as_deref()).await,
        Mailbox::Search {
            text,
            account,
            provider: true,
            limit,
        } => search(session, text, account.as_deref(), *limit).await,
        Mailbox::Search {
            text, account, limit, ..
        } => inbox(session, account.as_deref(), InboxQuery::all().with_text(text), *limit).await,
        Mailbox::Draft {
            to,
            cc,
            bcc,
            subject,
            content,
            account,
        } => {
            let account = open(session, account.as_deref()).await?;
            let mut mail = OutgoingMessage::builder()
                .from(own_address(&account)?.as_str())
                .subject(subject);
            mail = to.iter().fold(mail, |mail, address| mail.to(address.as_str()));
            mail = cc.iter().fold(mail, |mail, address| mail.cc(address.as_str()));
            mail = bcc.iter().fold(mail, |mail, address| mail.bcc(address.as_str()));
            propose(session, &account, mail, content).await
        }
        Mailbox::Reply {
            message,
            all,
            even_automatic,
            content,
            account,
        } => {
            let account = open(session, account.as_deref()).await?;
            let mut mail = match all {
                true => account.mailbox.reply_all(&message.as_str().into()).await?,
                false => account.mailbox.reply_to(&message.as_str().into()).await?,
            };
            if *even_automatic {
                mail = mail.even_if_automatic();
            }
            propose(session, &account, mail, content).await
        }
        Mailbox::Status { account } => status(session, account.as_deref()).await,
        Mailbox::Disconnect { account } => disconnect(session, account.as_deref()).await,
    }
}

async fn connect(session: &Session, command: &Mailbox) -> Result<Exit, Failure> {
    let Mailbox::Connect {
        r#for,
        reconnect,
        hint,
        port,
        no_browser,
        timeout,
    } = command
    else {
        return Ok(Exit::Usage);
    };
    let workflows = match r#for {
        For::Read => vec![Workflow::Triage],
        For::Organize => vec![Workflow::Triage, Workflow::InboxManagement],
        For::Send => vec![Workflow::Triage, Workflow::ApprovedReplies],
        For::Reply => vec![Workflow::Triage, Workflow::DraftedReplies],
    };
    let sign_in = session.host.sign_in().clone().with_time_limit(*timeout);
    if sign_in.app().client().id.as_str().is_empty() {
        return Err(Failure::Usage(
            "no OAuth client is set; give --client-id (or ATLAS_CLIENT_ID) and ATLAS_CLIENT_SECRET_FILE".to_owned(),
        ));
    }
    let browser_session = SessionId::new("command-line");
    let loopback = Loopback::bind_to(*port, "/callback").await?;
    let mut request = SignInRequest::connect(
        session.host.tenant().clone(),
        session.actor.clone(),
        browser_session.clone(),
        loopback.redirect().clone(),
        workflows,
    )
    .with_prompt([Prompt::SelectAccount, Prompt::Consent]);
    if let Some(account) = reconnect {
        request = request.reconnecting(session.resolve(Some(account)).await?.reference.connection);
    }
    if let Some(hint) = hint {
        request = request.with_login_hint(hint);
    }
    let begun = sign_in.begin(request).await?;
    let opened = !no_browser && open_browser(&begun.url).is_ok();
    let ask = match opened {
        true => "Sign in in the browser window that has opened. If none has, open this address:",
        false => "Open this address in a browser on this machine and sign in:",
    };
    // On standard error, so that the output of --json stays one document.
    let prompt = format!("{ask}\n\n  {}\n\n", begun.url);
    std::io::Write::write_all(&mut std::io::stderr().lock(), prompt.as_bytes())
        .map_err(Failure::file("cannot write to standard error"))?;
    let callback = loopback.wait(&begun, &SystemClock).await?;
    let signed_in = sign_in.complete(callback, &session.actor, &browser_session).await?;
    let summary = session
        .host
        .connections()
        .summary(session.host.tenant(), &signed_in.connection.connection)
        .await?;
    if session.is_json() {
        session.print_json(&json!({
            "connection": render::summary(&summary),
            "reconnected": signed_in.reconnected,
            "granted": signed_in.granted,
            "granted_beyond_asked": signed_in.excess,
        }));
        return Ok(Exit::Done);
    }
    let word = if signed_in.reconnected {
        "Reconnected"
    } else {
        "Connected"
    };
    session
        .ui
        .paragraph(&format!("{word}: {}", render::account(&summary)), Tone::Good);
    if !signed_in.excess.is_empty() {
        let more = format!(
            "The provider granted more than was asked for: {}",
            signed_in.excess.to_list()
        );
        session.ui.paragraph(&more, Tone::Warn);
    }
    session.ui.fact("next", "atlas mailbox sync");
    Ok(Exit::Done)
}

async fn list(session: &Session) -> Result<Exit, Failure> {
    let mut all = session.host.list().await?;
    all.retain(|row| !Erps::is_erp(&row.reference.provider));
    if session.is_json() {
        session.print_json(&json!({ "mailboxes": all.iter().map(render::summary).collect::<Vec<_>>() }));
    } else if all.is_empty() {
        session
            .ui
            .say("No mailboxes connected yet. Connect one with `atlas mailbox connect`.");
    } else {
        render::summaries(&session.ui, &all);
    }
    Ok(Exit::Done)
}

async fn sync(session: &Session, account: Option<&str>) -> Result<Exit, Failure> {
    let account = open(session, account).await?;
    let bar = session.ui.progress(0, "syncing");
    let mut progress = account.sync.progress();
    let watch = async {
        while progress.changed().await.is_ok() {
            let now = *progress.borrow_and_update();
            bar.set_length(now.estimate.unwrap_or(now.done).max(now.done));
            bar.set_position(now.done);
            if matches!(now.phase, SyncPhase::Idle) {
                bar.tick();
            }
        }
        // The engine outlives the run; only the other branch ends this.
        std::future::pending::<()>().await;
    };
    let report = tokio::select! {
        report = session.host.sync(&account) => report,
        () = watch => return Ok(Exit::Failed),
        interrupted = tokio::signal::ctrl_c() => {
            bar.finish_and_clear();
            interrupted.map_err(Failure::file("cannot listen for ctrl-c"))?;
            return Err(Failure::NeedsPerson("stopped; what was fetched is kept, and the next sync goes on from there".to_owned()));
        }
    };
    bar.finish_and_clear();
    let report = report?;
    let set_aside = account.sync.quarantined(None, 100).await?;
    if session.is_json() {
        session.print_json(&json!({
            "messages_stored": report.counts.stored,
            "messages_removed": report.counts.removed,
            "set_aside": set_aside.len(),
            "complete": report.coverage.is_complete(),
            "coverage": report.coverage.to_string(),
        }));
        return Ok(Exit::Done);
    }
    session.ui.say(&format!(
        "{} new or changed, {} removed.",
        report.counts.stored, report.counts.removed
    ));
    session.ui.fact("coverage", &report.coverage);
    if !set_aside.is_empty() {
        session.ui.paragraph(
            &format!("{} messages could not be read and were set aside.", set_aside.len()),
            Tone::Warn,
        );
    }
    Ok(Exit::Done)
}

async fn inbox(session: &Session, account: Option<&str>, query: InboxQuery, limit: usize) -> Result<Exit, Failure> {
    // Reading what was synced needs no valid grant.
    let summary = session.resolve(account).await?;
    let inbox = session.host.inbox(&summary.reference);
    let mut threads = Vec::new();
    let mut next = None;
    while threads.len() < limit {
        let page = inbox.threads(&query, next.as_ref(), limit - threads.len()).await?;
        threads.extend(page.items);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    if session.is_json() {
        session.print_json(&json!({ "threads": threads.iter().map(render::thread_json).collect::<Vec<_>>() }));
    } else if threads.is_empty() {
        session
            .ui
            .say("Nothing here. `atlas mailbox sync` fetches what is new.");
    } else {
        render::threads(&session.ui, &threads);
    }
    Ok(Exit::Done)
}

async fn search(session: &Session, text: &str, account: Option<&str>, limit: usize) -> Result<Exit, Failure> {
    let account = open(session, account).await?;
    let mut found = account.mailbox.search_all(MailQuery::new().text(text)).take(limit);
    let mut rows = Vec::new();
    let mut documents = Vec::new();
    while let Some(item) = found.next().await {
        let message = account.mailbox.message(&item?.id).await?;
        documents.push(json!({
            "id": message.meta.id, "thread": message.meta.thread, "received": message.meta.received,
            "from": message.from, "subject": message.subject,
        }));
        rows.push(vec![
            plain(message.meta.id.as_str()),
            plain(minute(message.meta.received)),
            plain(message.from.first().map(ToString::to_string).unwrap_or_default()),
            plain(message.subject.clone().unwrap_or_default()),
        ]);
    }
    if session.is_json() {
        session.print_json(&json!({ "messages": documents }));
    } else if rows.is_empty() {
        session.ui.say("Nothing found.");
    } else {
        session.ui.table(&["MESSAGE", "RECEIVED", "FROM", "SUBJECT"], rows, &[]);
    }
    Ok(Exit::Done)
}

async fn show(session: &Session, id: &str, account: Option<&str>, save: Option<&Path>) -> Result<Exit, Failure> {
    let summary = session.resolve(account).await?;
    let inbox = session.host.inbox(&summary.reference);
    let messages = match inbox.thread(&id.into()).await? {
        Some(thread) => thread.messages,
        None => inbox.message(&id.into()).await?.into_iter().collect(),
    };
    if messages.is_empty() {
        return Err(Failure::Usage(format!(
            "{id} is not in the synced copy; `atlas mailbox inbox` shows what is"
        )));
    }
    if session.is_json() {
        session.print_json(&json!({ "messages": messages }));
    } else {
        for message in &messages {
            render::message(&session.ui, message);
        }
    }
    if let Some(folder) = save {
        let account = session.host.account(&summary.reference.connection).await?;
        for message in &messages {
            for attachment in &message.attachments {
                save_attachment(session, &account, message, attachment, folder).await?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn save_attachment(
    session: &Session,
    account: &Account,
    message: &Message,
    attachment: &Attachment,
    folder: &Path,
) -> Result<(), Failure> {
    let bytes = account
        .mailbox
        .attachment_bytes(&attachment.part, MAX_ATTACHMENT)
        .await?;
    std::fs::create_dir_all(folder).map_err(Failure::file(format!("cannot make {}", folder.display())))?;
    // The name comes from outside: it was freed of paths when it was parsed, and it overwrites nothing.
    let name = attachment
        .name
        .clone()
        .unwrap_or_else(|| format!("{}-{}", message.meta.id, attachment.part.part));
    let path = folder.join(printable(&name));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(Failure::file(format!("cannot write {}", path.display())))?;
    std::io::Write::write_all(&mut file, &bytes).map_err(Failure::file(format!("cannot write {}", path.display())))?;
    if !session.is_json() {
        session.ui.fact("saved", path.display());
    }
    Ok(())
}

/// Writes the mail down. What happens next is the policy's word, and by default a person's.
async fn propose(
    session: &Session,
    account: &Account,
    mail: OutgoingBuilder,
    content: &Content,
) -> Result<Exit, Failure> {
    let mut mail = mail.text(text_of(content)?);
    for path in &content.attach {
        let bytes = std::fs::read(path).map_err(Failure::file(format!("cannot read {}", path.display())))?;
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        mail = mail.attach(NewAttachment::new(name, "application/octet-stream", bytes));
    }
    let mail = mail.build(&SystemClock)?;
    // Typed by hand, so each command is a mail of its own; the marker is random and part of the bytes.
    let key = format!("cli-{}-{}", SystemClock.now().unix_millis(), mail.marker());
    let proposal = Proposal::new(account.mailbox.connection(), session.actor.clone(), key);
    let outcome = session.host.outbox().gate().propose(proposal, mail).await?;
    match &outcome {
        Outcome::Held { intent, review } if session.is_json() => {
            session.print_json(&json!({ "held": intent, "review": review }));
        }
        Outcome::Held { intent, review } => {
            session
                .ui
                .paragraph("Held for approval. This is what would leave:", Tone::Warn);
            session.ui.quote(&review.to_string());
            session
                .ui
                .fact("next", format_args!("atlas approvals approve {intent}"));
        }
        Outcome::Denied { intent, rule } => {
            if session.is_json() {
                session.print_json(&json!({ "denied": intent, "rule": rule }));
            } else {
                session
                    .ui
                    .paragraph(&format!("Forbidden by the rule {rule}."), Tone::Bad);
            }
            return Ok(Exit::Forbidden);
        }
        other => {
            let intent = session
                .host
                .outbox()
                .dispatch(session.host.tenant(), other.intent())
                .await?;
            crate::outbox::tell(session, &intent);
            return Ok(crate::outbox::exit_of(intent.state));
        }
    }
    Ok(Exit::NeedsPerson)
}

fn text_of(content: &Content) -> Result<String, Failure> {
    match (&content.text, &content.file) {
        (Some(dash), _) if dash == "-" => {
            std::io::read_to_string(std::io::stdin().lock()).map_err(Failure::file("cannot read standard input"))
        }
        (Some(text), _) => Ok(text.clone()),
        (None, Some(path)) => {
            std::fs::read_to_string(path).map_err(Failure::file(format!("cannot read {}", path.display())))
        }
        (None, None) => Err(Failure::Usage("give the text with --text or --file".to_owned())),
    }
}

async fn status(session: &Session, account: Option<&str>) -> Result<Exit, Failure> {
    let summary = session.resolve(account).await?;
    let coverage = session.host.coverage(&summary.reference).await?;
    if session.is_json() {
        let mut document = render::summary(&summary);
        document["coverage"] = json!({ "complete": coverage.is_complete(), "line": coverage.to_string() });
        session.print_json(&document);
    } else {
        render::status(&session.ui, &summary);
        session.ui.fact("coverage", &coverage);
    }
    Ok(exit_of(&summary))
}

fn exit_of(summary: &ConnectionSummary) -> Exit {
    match summary.status {
        Status::Connected | Status::Verifying { .. } | Status::Disconnected => Exit::Done,
        _ => Exit::NeedsPerson,
    }
}

async fn disconnect(session: &Session, account: Option<&str>) -> Result<Exit, Failure> {
    let summary = session.resolve(account).await?;
    let ended = session.host.disconnect(&summary.reference.connection).await?;
    if session.is_json() {
        session.print_json(&render::summary(&ended));
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

async fn open(session: &Session, account: Option<&str>) -> Result<Account, Failure> {
    let summary = session.resolve(account).await?;
    Ok(session.host.account(&summary.reference.connection).await?)
}

fn own_address(account: &Account) -> Result<String, Failure> {
    account
        .identity
        .address
        .clone()
        .ok_or_else(|| Failure::NeedsPerson("the provider did not tell the account's address; reconnect".to_owned()))
}
