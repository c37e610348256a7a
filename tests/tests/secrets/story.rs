//! The whole life of a connection, with a set of faults at every step, and everything that it leaves behind.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use atlas_connectors::action::{Circle, OutboxSettings, Outcome, Proposal};
use atlas_connectors::credential::{
    CredentialKey, KeyRing, RefreshSettings, RefreshingToken, Sealer, SealingKey, TokenSource as _,
};
use atlas_connectors::http::{EgressRules, ReqwestTransport, RetryPolicy};
use atlas_connectors::mail::{MailQuery, Mailbox as _, MailboxExt as _, OutgoingMessage};
use atlas_connectors::oauth::{Callback, OAuthClient, SignInRequest, SignedIn, Workflow};
use atlas_connectors::store::SqliteStore;
use atlas_connectors::sync::{InboxQuery, SyncSettings};
use atlas_connectors::{ActorId, ConnectionRef, CorrelationId, Error, MessageId, SessionId, SystemClock, TenantId};
use atlas_connectors_examples::host::{Account, Host, Settings};
use atlas_connectors_gmail::mock::{CLIENT_ID, Client, Fault, Google, Mail, USER};
use atlas_connectors_gmail::{Baseline, Endpoints, GmailBuilder, GmailMailbox};
use base64::Engine as _;
use secrecy::ExposeSecret as _;
use url::Url;

use super::capture;
use super::spy::{Seen, Spy};

/// What a story leaves behind.
pub(crate) struct Story {
    google: Google,
    /// `None` once the story is over.
    host: Option<Host>,
    transport: Arc<Spy>,
    folder: tempfile::TempDir,
    own: Own,
    seen: Seen,
    sinks: Vec<(String, Vec<u8>)>,
    errors: usize,
}

/// The secrets that the test itself makes.
struct Own {
    body: String,
    html: String,
    attachment: String,
    reply: String,
    search: String,
    free_text: String,
    key: String,
    client_secret: String,
}

impl Own {
    fn new() -> Self {
        let word = |kind: &str| format!("{kind}{}", CorrelationId::random());
        Self {
            body: word("body"),
            html: word("html"),
            attachment: word("file"),
            reply: word("reply"),
            search: word("search"),
            free_text: word("free"),
            key: SealingKey::generate().to_text().expose_secret().to_owned(),
            client_secret: word("GOCSPX-"),
        }
    }
}

impl Story {
    /// Runs it from the first sign-in to the disconnect.
    pub(crate) async fn run() -> Self {
        let own = Own::new();
        let google = Google::start().await;
        google.add_client(Client::desktop(CLIENT_ID, own.client_secret.clone()));
        let folder = tempfile::tempdir().unwrap();
        let rules = EgressRules::strict().allow_loopback();
        let seen = Seen::default();
        let transport = Arc::new(Spy {
            inner: Arc::new(ReqwestTransport::builder().with_egress(rules).build().unwrap()),
            seen: Arc::clone(&seen),
        });
        let sealer = Sealer::new(Arc::new(KeyRing::parse(&own.key.clone().into()).unwrap())).unwrap();
        let mut outbox = OutboxSettings::default();
        outbox.quiet_period = Duration::from_millis(50);
        outbox.backoff = Duration::from_millis(20);
        let settings = Settings {
            tenant: TenantId::new("acme"),
            store: SqliteStore::open(folder.path().join("atlas.db")).unwrap(),
            sealer: sealer.clone(),
            transport: Arc::clone(&transport) as _,
            endpoints: Endpoints::at(&google.url()).unwrap(),
            baseline: Baseline::Profile,
            client: OAuthClient::new(CLIENT_ID, own.client_secret.clone().into()),
            sync: SyncSettings::default(),
            circle: Circle::default(),
            outbox,
        };
        let shown = format!("{settings:?} {sealer:?} {:#?}", settings.client);
        let mut story = Self {
            google,
            host: Some(Host::new(settings).unwrap()),
            transport,
            folder,
            own,
            seen,
            sinks: vec![("debug of settings".to_owned(), shown.into_bytes())],
            errors: 0,
        };
        let mail = story.deliver();
        story.refused_sign_ins().await;
        let signed_in = story.sign_in().await.unwrap();
        story.shown("signed in", &signed_in);
        let account = story.host().account(&signed_in.connection.connection).await.unwrap();
        story.shown("account", &account);
        story.reads(&account, &mail).await;
        story.syncs(&account).await;
        story.refreshes(&signed_in.connection).await;
        story.sends(&account, &mail).await;
        story.ends(&account, &signed_in.connection).await;
        // The last to close the database moves everything from the log into the file.
        drop(account);
        story.host = None;
        story.snapshot("after the end");
        story
    }

    /// The secrets with their names.
    pub(crate) fn secrets(&self) -> Vec<(String, Vec<u8>)> {
        let own = &self.own;
        let mut secrets: Vec<(String, Vec<u8>)> = [
            ("mail body", &own.body),
            ("mail html", &own.html),
            ("attachment", &own.attachment),
            ("reply body", &own.reply),
            ("search text", &own.search),
            ("provider's free text", &own.free_text),
            ("sealing key", &own.key),
        ]
        .map(|(name, secret)| (name.to_owned(), secret.clone().into_bytes()))
        .to_vec();
        let key = base64::engine::general_purpose::STANDARD.decode(&own.key);
        secrets.extend(key.ok().map(|bytes| ("sealing key".to_owned(), bytes)));
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.extend(seen.iter().map(|(kind, secret)| ((*kind).to_owned(), secret.clone())));
        secrets
    }

    /// Which kinds of secret there are.
    pub(crate) fn kinds_of_secret(&self) -> BTreeSet<String> {
        self.secrets().into_iter().map(|(name, _)| name).collect()
    }

    /// Everything that was left behind, the log last.
    pub(crate) fn sinks(&self) -> Vec<(String, Vec<u8>)> {
        let mut sinks = self.sinks.clone();
        sinks.push(("log".to_owned(), capture::captured()));
        sinks
    }

    /// Errors seen.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// How often the reply was sent.
    pub(crate) fn sent(&self) -> usize {
        let sent = self.google.sent();
        sent.iter().filter(|mail| mail.text().contains(&self.own.reply)).count()
    }

    fn host(&self) -> &Host {
        self.host.as_ref().unwrap()
    }

    fn deliver(&self) -> MessageId {
        let own = &self.own;
        let mail = Mail::from("jana@precision-parts.example")
            .to(USER)
            .subject("RFQ 4471")
            .text(&format!("Hello,\n\n{}\n\nJana", own.body))
            .html(&format!("<p>{}</p>", own.html))
            .attach(
                "prices.csv",
                "text/csv",
                format!("pos;price\n1;{}\n", own.attachment).as_bytes(),
            );
        self.google.mailbox(USER).deliver(&mail).into()
    }

    async fn sign_in(&mut self) -> Result<SignedIn, Error> {
        let (actor, session) = (ActorId::new("olivia"), SessionId::new("browser-1"));
        let redirect = Url::parse("http://127.0.0.1:4711/callback").unwrap();
        let workflows = [Workflow::Triage, Workflow::DraftedReplies];
        let tenant = self.host().tenant().clone();
        let request = SignInRequest::connect(tenant, actor.clone(), session.clone(), redirect, workflows);
        self.shown("request", &request);
        let begun = self.host().sign_in().begin(request).await?;
        self.shown("begun", &begun);
        for (name, value) in begun.url.query_pairs() {
            let kind = match &*name {
                "state" => "state",
                "nonce" => "nonce",
                _ => continue,
            };
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.insert((kind, value.as_bytes().to_vec()));
        }
        let back = Url::parse(&self.google.consent(begun.url.as_str()).unwrap()).unwrap();
        let callback = Callback::from_url(&back)?;
        self.shown("callback", &callback);
        let done = self.host().sign_in().complete(callback, &actor, &session).await;
        // The same callback once more.
        if let Err(error) = self
            .host()
            .sign_in()
            .complete(Callback::from_url(&back)?, &actor, &session)
            .await
        {
            self.failed("second callback", &error);
        }
        done
    }

    async fn refused_sign_ins(&mut self) {
        for fault in self.faults("invalid_grant") {
            self.google.faults().next("oauth.token", fault.clone());
            if let Err(error) = self.sign_in().await {
                self.failed("sign-in", &error);
            }
            self.google.faults().clear();
        }
        self.google.faults().next("oauth.certs", Fault::html(500));
        if let Err(error) = self.sign_in().await {
            self.failed("keys", &error);
        }
        self.google.faults().clear();
        self.snapshot("after refused sign-ins");
    }

    async fn reads(&mut self, account: &Account, mail: &MessageId) {
        for fault in self.faults("backendError") {
            let mailbox = self.without_retries(account).await;
            for method in [
                "gmail.users.messages.get",
                "gmail.users.messages.list",
                "gmail.users.messages.attachments.get",
            ] {
                self.google.faults().next(method, fault.clone());
            }
            match mailbox.message(mail).await {
                Ok(message) => self.shown("message", &message),
                Err(error) => self.failed("message", &error),
            }
            if let Err(error) = mailbox.search(&MailQuery::new().text(&self.own.search), None).await {
                self.failed("search", &error);
            }
            self.google.faults().clear();
            let mailbox = self.without_retries(account).await;
            let message = mailbox.message(mail).await.unwrap();
            assert!(message.text.as_deref().unwrap_or_default().contains(&self.own.body));
            self.google.faults().next("gmail.users.messages.attachments.get", fault);
            let part = &message.attachments[0].part;
            match mailbox.attachment_bytes(part, 1 << 20).await {
                Ok(bytes) => assert!(
                    bytes
                        .windows(16)
                        .any(|part| part == &self.own.attachment.as_bytes()[..16])
                ),
                Err(error) => self.failed("attachment", &error),
            }
            self.google.faults().clear();
        }
        // A response that is no message at all, and one whose content is cut.
        for body in ["{", r#"{"id":7,"raw":[]}"#, r#"{"id":"1","threadId":"1","raw":"%%%"}"#] {
            let answer = Fault::answer(200, "application/json", format!("{body}{}", self.own.free_text));
            self.google.faults().next("gmail.users.messages.get", answer);
            if let Err(error) = self.without_retries(account).await.message(mail).await {
                self.failed("broken message", &error);
            }
            self.google.faults().clear();
        }
    }

    async fn syncs(&mut self, account: &Account) {
        self.google.faults().next("gmail.users.messages.list", Fault::HtmlAfter);
        match self.host().sync(account).await {
            Ok(report) => self.shown("first report", &report),
            Err(error) => self.failed("sync", &error),
        }
        self.google.faults().clear();
        let report = self.host().sync(account).await.unwrap();
        self.shown("report", &report);
        self.shown("progress", &*account.sync.progress().borrow());
        let inbox = self.host().inbox(account.mailbox.connection());
        self.shown("inbox", &inbox);
        let threads = inbox.threads(&InboxQuery::all(), None, 10).await.unwrap();
        self.shown("threads", &threads);
        let thread = inbox.thread(&threads.items[0].id).await.unwrap().unwrap();
        self.shown("thread", &thread);
        assert!(
            thread.messages[0]
                .text
                .as_deref()
                .unwrap_or_default()
                .contains(&self.own.body)
        );
        self.snapshot("after the sync");
    }

    async fn refreshes(&mut self, connection: &ConnectionRef) {
        let vault = self.host().connections().vault().clone();
        for fault in self.faults("temporarily_unavailable") {
            let mut settings = RefreshSettings::default();
            settings.pause = Duration::from_millis(1);
            settings.longest_pause = Duration::from_millis(1);
            let refresher = Arc::new(self.host().sign_in().app().refresher());
            let tokens = RefreshingToken::builder(connection.clone(), vault.clone(), refresher)
                .settings(settings)
                .build();
            let token = tokens.token().await.unwrap();
            self.shown("token", &token);
            self.google.faults().next("oauth.token", fault);
            tokens.reject(&token).await;
            match tokens.token().await {
                Ok(token) => self.shown("new token", &token),
                Err(error) => self.failed("refresh", &error),
            }
            self.google.faults().clear();
            self.shown("tokens", &tokens);
        }
        let stored = vault.load(&CredentialKey::oauth(connection)).await.unwrap();
        self.shown("stored credential", &stored);
        self.shown("vault", &vault);
        self.snapshot("after the refreshes");
    }

    async fn sends(&mut self, account: &Account, mail: &MessageId) {
        let reply = account.mailbox.reply_to(mail).await.unwrap();
        let reply = reply.text(&self.own.reply).build(&SystemClock).unwrap();
        self.leaves(account, "reply", reply).await;
        let steps = ["gmail.users.drafts.create", "gmail.users.drafts.send"];
        let faults = [
            Fault::Status(403),
            Fault::Status(500),
            Fault::html(502),
            Fault::CutAfter,
            Fault::HtmlAfter,
        ];
        for (number, (step, fault)) in steps
            .iter()
            .flat_map(|step| faults.iter().map(move |fault| (step, fault)))
            .enumerate()
        {
            let outgoing = OutgoingMessage::builder()
                .from(USER)
                .to("jana@precision-parts.example")
                .subject("Order 4711")
                .text(format!("{} {number}", self.own.body))
                .build(&SystemClock)
                .unwrap();
            self.google.faults().next(step, fault.clone());
            self.leaves(account, &format!("fault-{number}"), outgoing).await;
            self.google.faults().clear();
        }
        match self.host().outbox().run_once().await {
            Ok(pass) => self.shown("pass", &pass),
            Err(error) => self.failed("run", &error),
        }
        self.shown("outbox", &self.host().outbox().clone());
        self.snapshot("after the sends");
    }

    async fn leaves(&mut self, account: &Account, key: &str, mail: OutgoingMessage) {
        self.shown("outgoing mail", &mail);
        let tenant = self.host().tenant().clone();
        let gate = self.host().outbox().gate();
        let proposal = Proposal::new(account.mailbox.connection(), "olivia", key);
        let outcome = gate.propose(proposal, mail).await.unwrap();
        self.shown("outcome", &outcome);
        let Outcome::Held { intent, review } = outcome else {
            panic!("a mail that nobody approved was not held");
        };
        self.snapshot("while held");
        let approved = gate
            .approve(&tenant, &intent, &ActorId::new("ravi"), &review.digest)
            .await
            .unwrap();
        self.shown("approved", &approved);
        match self.host().outbox().dispatch(&tenant, &intent).await {
            Ok(intent) => self.shown("intent", &intent),
            Err(error) => self.failed("dispatch", &error),
        }
        self.snapshot("while sending");
    }

    async fn ends(&mut self, account: &Account, connection: &ConnectionRef) {
        self.google.revoke_grant(USER);
        let token = account.tokens.token().await;
        if let Ok(token) = token {
            account.tokens.reject(&token).await;
        }
        let error = account.tokens.token().await.unwrap_err();
        self.failed("revoked", &error);
        let summary = self.host().list().await.unwrap();
        self.shown("summary", &summary);
        let ended = self.host().disconnect(&connection.connection).await.unwrap();
        self.shown("disconnected", &ended);
        self.shown("host", &self.host().clone());
        self.shown("sign-in", &self.host().sign_in().clone());
        self.snapshot("at the end");
    }

    /// A mailbox of its own, so that no fault is repeated away and no cool-down of an earlier one is waited for.
    async fn without_retries(&self, account: &Account) -> GmailMailbox {
        let id = &account.mailbox.connection().connection;
        let row = self.host().connections().store().get(self.host().tenant(), id).await;
        let granted = row.unwrap().unwrap().value.granted;
        GmailBuilder::new(
            Arc::clone(&self.transport) as _,
            Arc::new(account.tokens.clone()),
            granted,
        )
        .with_endpoints(Endpoints::at(&self.google.url()).unwrap())
        .with_retry(RetryPolicy::never())
        .mailbox()
        .unwrap()
    }

    /// What goes wrong with each call; the last says free text in all the fields that providers have for it.
    fn faults(&self, code: &str) -> Vec<Fault> {
        let text = &self.own.free_text;
        let chatty = format!(
            r#"{{"error":"{code}","error_description":"{text}","error_uri":"https://x.example/?q={text}","{text}":1}}"#
        );
        let envelope = format!(
            r#"{{"error":{{"code":503,"message":"{text}","status":"UNAVAILABLE","errors":[{{"message":"{text}","domain":"global","reason":"{code}"}}],"details":[{{"x":"{text}"}}]}}}}"#
        );
        vec![
            Fault::Status(401),
            Fault::Status(403),
            Fault::Status(429),
            Fault::Status(500),
            Fault::html(502),
            Fault::Truncate(30),
            Fault::CutBefore,
            Fault::CutAfter,
            Fault::HtmlAfter,
            Fault::OtherJsonAfter,
            Fault::answer(400, "application/json", chatty),
            Fault::answer(503, "application/json", envelope),
            Fault::answer(502, "text/html", format!("<html>{text}</html>")),
        ]
    }

    fn shown(&mut self, what: &str, value: &dyn Debug) {
        self.sinks.push((
            format!("debug of {what}"),
            format!("{value:?}\n{value:#?}").into_bytes(),
        ));
    }

    fn failed(&mut self, what: &str, error: &Error) {
        self.errors += 1;
        let mut text = format!("{error}\n{error:?}\n{error:#?}\n{:?}\n", error.advice());
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!("{cause}\n{cause:?}\n"));
            source = cause.source();
        }
        for (key, value) in error.context() {
            text.push_str(&format!("{key}={value}\n"));
        }
        self.sinks.push((format!("error of {what}"), text.into_bytes()));
    }

    /// The files of the store as they are now.
    fn snapshot(&mut self, when: &str) {
        for name in ["atlas.db", "atlas.db-wal", "atlas.db-shm"] {
            let path: PathBuf = self.folder.path().join(name);
            if let Ok(bytes) = std::fs::read(path) {
                self.sinks.push((format!("{name} {when}"), bytes));
            }
        }
    }
}
