//! The whole story of a mailbox in a few seconds, on a mock Google in this process and an embedded store: nothing to set up, nothing
//! leaves this machine. Everything else is the library as a host would use it.
//!
//! `erp` as the argument tells the story of three ERPs instead: [`atlas_connectors_examples::erp_story`].

mod person;

use std::error::Error as StdError;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::action::{AuditLogExt as _, Circle, Intent, OutboxSettings, Outcome, Proposal};
use atlas_connectors::connection::ConnectionSummary;
use atlas_connectors::credential::{KeyRing, Sealer};
use atlas_connectors::http::{EgressRules, ReqwestTransport};
use atlas_connectors::mail::{Mailbox as _, MailboxExt as _, Message, Thread};
use atlas_connectors::oauth::{Loopback, OAuthClient, SignInRequest, SignedIn, Workflow};
use atlas_connectors::store::SqliteStore;
use atlas_connectors::sync::{InboxQuery, SyncSettings};
use atlas_connectors::{ActorId, ConnectionId, Error, SessionId, SystemClock, TenantId};
use atlas_connectors_examples::host::{Account, Host, Settings};
use atlas_connectors_examples::ui::{Tone, Ui, minute, paint, plain, printable};
use atlas_connectors_gmail::mock::{CLIENT_ID, CLIENT_SECRET, Consent, Google, Mail, USER, User, operations};
use atlas_connectors_gmail::{Baseline, Endpoints};

/// Who signs in and proposes, and who reviews. In a product both come from the session.
const OPERATOR: &str = "olivia";
const REVIEWER: &str = "ravi";
/// The account that is chosen by mistake.
const STRANGER: &str = "private.person@mailbox.example";

type Story<T> = Result<T, Box<dyn StdError + Send + Sync>>;

fn main() -> ExitCode {
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(chosen()));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Ui::new().paragraph(&format!("The story broke off: {error}"), Tone::Bad);
            ExitCode::FAILURE
        }
    }
}

async fn chosen() -> Story<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => tell().await,
        ["erp"] => atlas_connectors_examples::erp_story::tell(&Ui::new()).await,
        _ => Err("no argument tells the story of a mailbox, `erp` that of three ERPs".into()),
    }
}

async fn tell() -> Story<()> {
    let ui = Ui::new();
    ui.heading("Atlas Connectors: connect, sync, reply with approval, recover");
    let google = Google::builder().user(User::new(STRANGER)).start().await;
    google.mailbox(USER).deliver_all(&operations());
    google.faults().latency(Duration::from_millis(25));
    let folder = tempfile::tempdir()?;
    let host = Host::new(settings(&google, folder.path())?)?;
    ui.fact(
        "provider",
        format_args!("mock Google at {} (25 ms for each answer)", google.uri()),
    );
    ui.fact(
        "store",
        "SQLite, one file in a temporary folder; secrets and mail bodies sealed",
    );

    ui.step(1, "Connect the mailbox");
    let signed_in = connect(&host, &google, None).await?;
    let connection = signed_in.connection.connection.clone();
    ui.fact(
        "signed in as",
        signed_in.identity.address.as_deref().unwrap_or("(no address)"),
    );
    ui.fact("granted", short_scopes(&signed_in));
    row(&ui, &host, &connection).await?;

    ui.step(2, "Sync");
    let account = host.account(&connection).await?;
    sync(&ui, &host, &account).await?;

    ui.step(3, "Read the inbox");
    let thread = read(&ui, &host, &account).await?;

    ui.step(4, "Propose a reply");
    let intent = propose(&ui, &host, &google, &account, &thread).await?;

    ui.step(5, "Approve and send, once");
    send(&ui, &host, &google, &intent).await?;

    ui.step(6, "The grant is revoked at the provider");
    google.revoke_grant(USER);
    google.mailbox(USER).deliver(
        &Mail::from("lars@nordmetall.example")
            .to(USER)
            .subject("Order 4712")
            .text("Please confirm."),
    );
    match host.sync(&account).await {
        Ok(_) => return Err("a sync with a revoked grant succeeded".into()),
        Err(error) => refused(&ui, &error),
    }
    row(&ui, &host, &connection).await?;
    let summary = host.connections().summary(host.tenant(), &connection).await?;
    for (number, step) in summary.recovery().iter().enumerate() {
        ui.fact(
            if number == 0 { "to do" } else { "" },
            format_args!("{}. {step}", number + 1),
        );
    }

    ui.step(7, "Reconnect: first as somebody else, then as the right account");
    google.next_consent(Consent::account(STRANGER));
    match connect(&host, &google, Some(&connection)).await {
        Ok(_) => return Err("a stranger's account was accepted".into()),
        Err(error) => refused(&ui, &error),
    }
    let back = connect(&host, &google, Some(&connection)).await?;
    ui.fact(
        "signed in as",
        back.identity.address.as_deref().unwrap_or("(no address)"),
    );
    ui.fact(
        "epoch",
        format_args!("{}: what was begun before the reconnect is void", back.connection.epoch),
    );
    row(&ui, &host, &connection).await?;

    ui.step(8, "A fresh signal proves that it works");
    google.mailbox(USER).deliver(
        &Mail::from("mei@tanaka-fasteners.example")
            .to(USER)
            .subject("Offer 88")
            .text("See below."),
    );
    let account = host.account(&connection).await?;
    sync(&ui, &host, &account).await?;
    row(&ui, &host, &connection).await?;
    let head = host.store().verify(None).await??;
    ui.fact("audit", format_args!("{} entries, the chain is whole", head.sequence));
    ui.line("");
    Ok(())
}

fn settings(google: &Google, folder: &std::path::Path) -> Story<Settings> {
    let mut sync = SyncSettings::default();
    // So small an inbox is one batch; smaller ones let the bar move.
    sync.batch_messages = 8;
    Ok(Settings {
        tenant: TenantId::new("acme"),
        store: SqliteStore::open(folder.join("atlas.db"))?,
        sealer: Sealer::new(Arc::new(KeyRing::ephemeral()))?,
        transport: Arc::new(
            ReqwestTransport::builder()
                .with_egress(EgressRules::strict().allow_loopback())
                .build()?,
        ),
        endpoints: Endpoints::at(&google.url())?,
        baseline: Baseline::Profile,
        client: OAuthClient::new(CLIENT_ID, CLIENT_SECRET.into()),
        sync,
        circle: Circle::default(),
        outbox: OutboxSettings::default(),
    })
}

/// Signs in as a desktop program does: loopback listener, consent page, callback. The mock's consent page needs no clicks.
async fn connect(host: &Host, google: &Google, reconnect: Option<&ConnectionId>) -> Result<SignedIn, Error> {
    let (actor, session) = (ActorId::new(OPERATOR), SessionId::new("browser-1"));
    let loopback = Loopback::bind().await?;
    let mut request = SignInRequest::connect(
        host.tenant().clone(),
        actor.clone(),
        session.clone(),
        loopback.redirect().clone(),
        [Workflow::Triage, Workflow::DraftedReplies],
    )
    .with_login_hint(USER);
    if let Some(connection) = reconnect {
        request = request.reconnecting(connection.clone());
    }
    let begun = host.sign_in().begin(request).await?;
    let browser = tokio::spawn(person::signs_in(google.clone(), begun.url.clone()));
    let callback = loopback.wait(&begun, &SystemClock).await;
    browser.abort();
    host.sign_in().complete(callback?, &actor, &session).await
}

async fn sync(ui: &Ui, host: &Host, account: &Account) -> Story<()> {
    let bar = ui.progress(0, "syncing");
    let mut progress = account.sync.progress();
    let watch = async {
        while progress.changed().await.is_ok() {
            let now = *progress.borrow_and_update();
            bar.set_length(now.estimate.unwrap_or(now.done).max(now.done));
            bar.set_position(now.done);
        }
        std::future::pending::<()>().await;
    };
    let report = tokio::select! {
        report = host.sync(account) => report?,
        () = watch => return Err("the sync engine is gone".into()),
    };
    bar.finish_and_clear();
    ui.fact(
        "stored",
        format_args!("{} messages, {} removed", report.counts.stored, report.counts.removed),
    );
    ui.fact("coverage", &report.coverage);
    Ok(())
}

/// Prints the inbox and one conversation: the newest that a person wrote and waits for an answer.
async fn read(ui: &Ui, host: &Host, account: &Account) -> Story<Thread> {
    let inbox = host.inbox(account.mailbox.connection());
    let page = inbox.threads(&InboxQuery::all().with_label("INBOX"), None, 40).await?;
    let rows = page.items.iter().map(|thread| {
        let tone = if thread.unread > 0 { Tone::Good } else { Tone::Plain };
        let day: String = thread.received.to_string().chars().take(10).collect();
        vec![
            plain(day),
            (thread.from.clone(), tone),
            (thread.subject.clone(), tone),
            plain(thread.messages.to_string()),
        ]
    });
    ui.table(&["RECEIVED", "FROM", "SUBJECT", "N"], rows.collect(), &[3]);

    for entry in &page.items {
        let Some(thread) = inbox.thread(&entry.id).await? else {
            continue;
        };
        let answerable = thread
            .messages
            .last()
            .is_some_and(|last| last.no_reply().is_none() && !is_own(last));
        if answerable && thread.messages.len() > 1 {
            show(ui, &thread);
            return Ok(thread);
        }
    }
    Err("no conversation waits for an answer".into())
}

fn is_own(message: &Message) -> bool {
    message.from.iter().any(|from| from.address.eq_ignore_ascii_case(USER))
}

fn show(ui: &Ui, thread: &Thread) {
    ui.line("");
    for message in &thread.messages {
        let from = message.from.first().map(ToString::to_string).unwrap_or_default();
        let subject = message.subject.as_deref().unwrap_or("(no subject)");
        ui.fact("from", printable(&from));
        ui.fact("subject", printable(subject));
        for attachment in &message.attachments {
            let name = attachment.name.as_deref().unwrap_or("(no name)");
            ui.fact(
                "attachment",
                format_args!("{} ({} bytes)", printable(name), attachment.size),
            );
        }
        ui.quote(message.text.as_deref().unwrap_or(&message.preview).trim_end());
    }
}

/// Writes the reply down. Nothing leaves: the default policy holds every external effect for a person.
async fn propose(ui: &Ui, host: &Host, google: &Google, account: &Account, thread: &Thread) -> Story<Intent> {
    let last = thread.messages.last().ok_or("the conversation is empty")?;
    let reply = account
        .mailbox
        .reply_to(&last.meta.id)
        .await?
        .text("Hello Emma,\n\nthe 40 brackets leave tomorrow by courier, and the freight is on us.\n\nAcme Operations")
        .build(&SystemClock)?;
    // The key makes the proposal repeatable: after a crash the same job finds the same intent.
    let key = format!("answer-{}", last.meta.id);
    let proposal = Proposal::new(account.mailbox.connection(), OPERATOR, key);
    let Outcome::Held { intent, review } = host.outbox().gate().propose(proposal, reply).await? else {
        return Err("the reply was not held".into());
    };
    ui.paragraph(
        "Held for review. This is rendered from exactly the bytes that would leave:",
        Tone::Warn,
    );
    ui.quote(&review.to_string());
    let early = host.outbox().dispatch(host.tenant(), &intent).await;
    let early = early
        .map(|intent| intent.state.to_string())
        .unwrap_or_else(|error| error.code().to_owned());
    ui.fact(
        "sent early?",
        format_args!(
            "no: {early}; the provider has counted {} mails",
            google.counters().sends
        ),
    );
    Ok(host.outbox().gate().intent(host.tenant(), &intent).await?)
}

async fn send(ui: &Ui, host: &Host, google: &Google, intent: &Intent) -> Story<()> {
    let (tenant, outbox) = (host.tenant(), host.outbox());
    let review = outbox.gate().review(tenant, &intent.id).await?;
    outbox
        .gate()
        .approve(tenant, &intent.id, &ActorId::new(REVIEWER), &review.digest)
        .await?;
    ui.fact("approved by", REVIEWER);
    let sent = outbox.dispatch(tenant, &intent.id).await?;
    ui.fact("state", paint(&sent.state.to_string(), Tone::Good));
    // A second worker, a retry, a doubled notification: the intent is spent.
    let again = outbox.dispatch(tenant, &intent.id).await;
    let again = again
        .map(|intent| intent.state.to_string())
        .unwrap_or_else(|error| error.code().to_owned());
    ui.fact("once more", format_args!("{again}: nothing leaves"));
    let counted = google.counters().sends;
    ui.fact("provider", format_args!("counted {counted} mail"));
    if counted != 1 {
        return Err(format!("the provider counted {counted} mails instead of one").into());
    }
    Ok(())
}

fn refused(ui: &Ui, error: &Error) {
    ui.fact("refused", paint(&error.kind().to_string(), Tone::Bad));
    ui.fact("why", error.advice().cause);
    ui.fact("code", error.code());
}

/// The row of the settings page: address, chip, last sync, buttons.
async fn row(ui: &Ui, host: &Host, connection: &ConnectionId) -> Story<()> {
    let summary: ConnectionSummary = host.connections().summary(host.tenant(), connection).await?;
    let address = summary
        .identity
        .as_ref()
        .and_then(|identity| identity.address.clone())
        .unwrap_or_default();
    let sync = summary
        .last_sync
        .map(|at| minute(at).split_off(11))
        .unwrap_or_else(|| "never".to_owned());
    let buttons: Vec<String> = summary
        .actions()
        .iter()
        .map(|action| action.label().to_owned())
        .collect();
    ui.line("");
    ui.table(
        &["MAILBOX", "STATUS", "LAST SYNC", "ACTIONS"],
        vec![vec![
            plain(address),
            plain(summary.status.code()),
            plain(sync),
            plain(buttons.join(" · ")),
        ]],
        &[],
    );
    ui.fact("", paint(&summary.line(), Tone::Dim));
    Ok(())
}

fn short_scopes(signed_in: &SignedIn) -> String {
    let short = |scope: &str| scope.rsplit('/').next().unwrap_or(scope).to_owned();
    signed_in
        .granted
        .iter()
        .map(|scope| short(scope.as_str()))
        .collect::<Vec<_>>()
        .join(", ")
}
