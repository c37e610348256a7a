//! The mock against traffic recorded from another Google, and against single answers that are known of the real one.
//!
//! Every file of `tests/recorded` is a request and its answer. The same kind of request goes to a mock with the same
//! kind of mailbox; status, content type, and keys and JSON types of the two answers are compared at every depth,
//! values are not. What may differ stands in [`INTENDED`] with a reason, and an entry that no longer differs fails.
//!
//! The known answers (`fixtures/gmail` of the shared folder: status, envelope, reason) are read from there; without
//! the folder those cases show as ignored.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use atlas_connectors_gmail::mock::{Client, Google, Mail, MailboxHandle, User};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};

#[path = "mock_drift/intended.rs"]
mod intended;
#[path = "mock_drift/known.rs"]
mod known;
#[path = "mock_drift/shape.rs"]
mod shape;
mod support;

use intended::INTENDED;
use known::{KNOWN, Known, provoke};
use shape::compare;
use support::{Answered, Http};

/// The account, the client and the proof key of the recordings.
const OPS: &str = "ops@acme-manufacturing.com";
const CLIENT: (&str, &str) = (
    "atlas-desktop.apps.googleusercontent.com",
    "GOCSPX-atlas-desktop-not-secret",
);
const CHALLENGE: &str = "IddSVAvDYCWU1SoF0Xo7HUrfaVZkZBX5NJ6sqTa2q6U";
const REDIRECT: &str = "http://127.0.0.1:14080/callback";
const SCOPES: [&str; 4] = ["openid", "email", "profile", "gmail.modify"];

/// Recorded names that stand for something of the peer's: message, answer to it, message with a file, its file, draft.
const FIRST: &str = "18f0000000000001";
const ANSWER: &str = "18f0000000000002";
const WITH_FILE: &str = "1900000000248000";
const FILE: &str = "att_iMxhFqPK9fZHIuzW";
const DRAFT: &str = "r-17953156767011983115879";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let recorded = recorded();
    assert!(!recorded.is_empty(), "tests/recorded is empty");
    let shared = shared().map(|folder| folder.join("fixtures/gmail"));
    let cases: BTreeSet<&str> = recorded
        .keys()
        .map(String::as_str)
        .chain(KNOWN.iter().map(|(name, _)| *name))
        .collect();
    let astray: Vec<&str> = INTENDED
        .iter()
        .flat_map(|entry| entry.cases)
        .copied()
        .filter(|case| !cases.contains(case))
        .collect();
    assert!(astray.is_empty(), "the table names cases that do not exist: {astray:?}");

    let mut trials = Vec::new();
    for (name, case) in recorded {
        trials.push(Trial::test(format!("recorded::{name}"), move || {
            judge(&name, &block_on(replay(&name, &case)))
        }));
    }
    trials.push(Trial::test("the_table_can_neither_rot_nor_be_evaded", || {
        let found = BTreeSet::from(["status 200 → 204".to_owned()]);
        assert!(judge("stop", &found).is_ok());
        assert!(judge("stop", &BTreeSet::new()).is_err(), "it no longer differs");
        assert!(judge("watch", &found).is_err(), "no entry for this case");
        Ok(())
    }));
    for (name, error) in KNOWN {
        if matches!(error, Known::Not(_)) {
            continue;
        }
        let file = shared.as_ref().map(|folder| folder.join(format!("{name}.json")));
        let absent = file.is_none();
        let trial = Trial::test(format!("known::{name}"), move || match file {
            Some(file) => judge(name, &block_on(provoke(name, error, &read(&file)))),
            None => Err(Failed::from("the shared folder is absent")),
        });
        trials.push(if absent {
            trial
                .with_kind("shared folder absent, see ATLAS_SHARED")
                .with_ignored_flag(true)
        } else {
            trial
        });
    }
    if let Some(folder) = shared {
        trials.push(Trial::test("known::no_file_is_left_out", move || {
            let ours: BTreeSet<_> = KNOWN.iter().map(|(name, _)| (*name).to_owned()).collect();
            let answers = ["gmail-4", "gmail-5", "oauth-token-", "oauth-revoke-"];
            let mut there = names_in(&folder);
            there.retain(|name| answers.iter().any(|start| name.starts_with(start)));
            let without: Vec<_> = there.symmetric_difference(&ours).collect();
            match without.as_slice() {
                [] => Ok(()),
                without => Err(Failed::from(format!("in one of folder and table only: {without:?}"))),
            }
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Sends the recorded request to a mock whose mailbox is like the peer's and compares the answers.
async fn replay(name: &str, case: &Value) -> BTreeSet<String> {
    let user = User::new(OPS).with_name("Acme Operations").in_workspace();
    let google = Google::builder()
        .user(user.with_alias("sales@acme-manufacturing.com"))
        .client(Client::desktop(CLIENT.0, CLIENT.1))
        .start()
        .await;
    let inbox = google.mailbox(OPS);
    let names = Names::seed(&google, &inbox, name).await;
    let request = &case["request"];
    let mut path = names.translate(request["path"].as_str().unwrap());
    for (theirs, googles) in [
        ("/oauth2/token", "/token"),
        ("/oauth2/revoke", "/revoke"),
        ("/oauth2/v2/userinfo", "/v1/userinfo"),
    ] {
        if path == theirs {
            path = googles.to_owned();
        }
    }
    let mut headers: Vec<(String, String)> = request["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), names.translate(value.as_str().unwrap())))
        .collect();
    let is_form = headers
        .iter()
        .any(|(_, value)| value.ends_with("x-www-form-urlencoded"));
    let body = match &request["body"] {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(fields) if is_form => {
            let pairs = fields.iter();
            encoded(pairs.map(|(key, value)| (&**key, names.translate(value.as_str().unwrap()))))
        }
        json => {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
            names.translate(&json.to_string()).into_bytes()
        }
    };
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let method = request["method"].as_str().unwrap();
    let answer = Http::to(&google).raw(method, &path, &headers, body).await.unwrap();
    compare(&case["response"], &answer)
}

/// What the recorded names are called in the mock.
#[derive(Debug)]
struct Names(Vec<(&'static str, String)>);

impl Names {
    /// Fills the mailbox like the peer's, does what came before the request of this case, and says how the recorded
    /// names read here.
    async fn seed(google: &Google, inbox: &MailboxHandle, case: &str) -> Self {
        let access = google.access_token(OPS, &SCOPES);
        let http = Http::to(google).with_token(&access);
        let beginning = inbox.history_id();
        let jana = "Jana Novak <jana@precision-parts.example>";
        let subject = "RFQ 4471: M8 stainless hex bolts";
        let question = Mail::from(jana)
            .to(OPS)
            .subject(subject)
            .text("Please quote 2,000 pieces.");
        let first = inbox.deliver(&question.message_id("rfq-4471@precision-parts.example"));
        let reply = Mail::from(OPS)
            .to(jana)
            .subject(&format!("Re: {subject}"))
            .text("Quote follows today.");
        let answer = inbox.deliver(
            &reply
                .message_id("re-rfq-4471@acme-manufacturing.com")
                .in_reply_to("rfq-4471@precision-parts.example")
                .labels(&["SENT"]),
        );
        let statement = Mail::from("lars@nordmetal.example")
            .to(OPS)
            .subject("Statement of account");
        let statement = statement
            .text("Quantity 757.")
            .attach("order.csv", "text/csv", &[b'7'; 451]);
        let with_file = inbox.deliver(&statement);
        let label = inbox.label("Customers");
        for n in 0..if case == "messages-list-default" { 110 } else { 6 } {
            let mail = Mail::from("lars@nordmetal.example")
                .to(OPS)
                .subject(&format!("Order {n}"));
            inbox.deliver(&mail.text("Quantity 10."));
        }

        let shown = http.get(&format!("/gmail/v1/users/me/messages/{with_file}")).await;
        let file = text(&shown["payload"]["parts"][1]["body"]["attachmentId"]);

        let (mut start, mut draft) = (inbox.history_id(), String::new());
        let mut refresh = google.refresh_token(OPS, &SCOPES);
        let code = sign_in(google, "consent");
        match case {
            "history-empty-or-tail" => start = beginning,
            "history-after-modify" => {
                inbox.relabel(&first, &[&label, "STARRED"], &["UNREAD"]);
            }
            "label-create-dup" => {
                http.post("/gmail/v1/users/me/labels", &json!({"name": "Atlas/Test"}))
                    .await;
            }
            "token-code-reused" => {
                exchange(&http, &code).await;
            }
            "token-refresh" => refresh = text(&json_of(&exchange(&http, &code).await)["refresh_token"]),
            "token-refresh-after-revoke" | "gmail-401-revoked-access" => google.revoke_grant(OPS),
            _ if case.starts_with("draft") => {
                let raw = &recorded()["draft-create"]["request"]["body"]["message"]["raw"];
                let body = json!({"message": {"raw": raw, "threadId": first}});
                let made = http.post("/gmail/v1/users/me/drafts", &body).await;
                draft = text(&made["id"]);
                if case == "draft-send-again" {
                    http.post("/gmail/v1/users/me/drafts/send", &json!({ "id": draft }))
                        .await;
                }
            }
            _ => {}
        }
        Self(Vec::from([
            (FIRST, first),
            (ANSWER, answer),
            (WITH_FILE, with_file),
            (FILE, file),
            (DRAFT, draft),
            ("Label_1", label),
            ("atlas-ops-full", access.clone()),
            ("google_BaZ3aO6DYL3678UojkYiPIroBdo", access),
            ("google_refresh_RTDzMvkOPJ2KxLYPZN9Him9_0s5MDQzY", refresh),
            ("6e4eae003f87f83dc68d71966ec6ca34809b8be1", code.clone()),
            ("8696472d626939ca279732581c6281a9e64f3aef", code),
            ("179531567101201590700", start.clone()),
            ("179531567164716160560", start),
        ]))
    }

    /// A recorded text as it reads in the mock.
    fn translate(&self, recorded: &str) -> String {
        let replace = |text: String, (theirs, ours): &(&str, String)| text.replace(theirs, ours);
        self.0.iter().fold(recorded.to_owned(), replace)
    }
}

/// The code that the person's consent to the recorded request brings.
fn sign_in(google: &Google, prompt: &str) -> String {
    let parameters = [
        ("client_id", CLIENT.0),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "openid email https://www.googleapis.com/auth/gmail.modify"),
        ("state", "st-1"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("access_type", "offline"),
        ("prompt", prompt),
        ("login_hint", OPS),
    ];
    let mut page = google.url().join("/o/oauth2/v2/auth").unwrap();
    page.query_pairs_mut().extend_pairs(parameters);
    let back = url::Url::parse(&google.consent(page.as_str()).unwrap()).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1;
    code.into_owned()
}

/// The answer to the recorded exchange of a code.
async fn exchange(http: &Http, code: &str) -> Answered {
    let verifier = text(&recorded()["token-ok"]["request"]["body"]["code_verifier"]);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", CLIENT.0),
        ("client_secret", CLIENT.1),
        ("redirect_uri", REDIRECT),
        ("code_verifier", &verifier),
    ];
    let answer = post_form(http, "/token", &form).await;
    assert_eq!(answer.0, 200, "{}", json_of(&answer));
    answer
}

async fn post_form(http: &Http, path: &str, fields: &[(&str, &str)]) -> Answered {
    let body = encoded(fields.iter().copied());
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    http.raw("POST", path, &headers, body).await.unwrap()
}

fn encoded<'a>(fields: impl Iterator<Item = (&'a str, impl AsRef<str>)>) -> Vec<u8> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields).finish().into_bytes()
}

fn json_of(answer: &Answered) -> Value {
    serde_json::from_slice(&answer.2).unwrap_or(Value::Null)
}

/// Differences that the table does not know fail, and so do entries of the table that no longer differ.
fn judge(case: &str, found: &BTreeSet<String>) -> Result<(), Failed> {
    let known: BTreeSet<String> = INTENDED
        .iter()
        .filter(|entry| entry.cases.contains(&case))
        .flat_map(|entry| entry.differs)
        .map(|text| (*text).to_owned())
        .collect();
    let drifted: Vec<_> = found.difference(&known).collect();
    let rotten: Vec<_> = known.difference(found).collect();
    if drifted.is_empty() && rotten.is_empty() {
        return Ok(());
    }
    Err(Failed::from(format!(
        "differs and is not in the table: {drifted:#?}\nin the table and does not differ: {rotten:#?}"
    )))
}

/// The recordings by name.
fn recorded() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let mut cases: BTreeMap<_, _> = names_in(&folder)
        .into_iter()
        .map(|name| {
            let case = read(&folder.join(format!("{name}.json")));
            (name, case)
        })
        .collect();
    for case in cases.values_mut() {
        drop_cut_marks(&mut case["response"]["body"]);
    }
    cases
}

/// Long lists were cut when they were recorded; a sentence at their end says so.
fn drop_cut_marks(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| {
                !item
                    .as_str()
                    .is_some_and(|text| text.ends_with("more cut from this record)"))
            });
            items.iter_mut().for_each(drop_cut_marks);
        }
        Value::Object(fields) => fields.values_mut().for_each(drop_cut_marks),
        _ => {}
    }
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[allow(clippy::disallowed_methods, reason = "a test finds its fixtures")]
fn shared() -> Option<PathBuf> {
    if let Ok(named) = std::env::var("ATLAS_SHARED") {
        let folder = PathBuf::from(named);
        assert!(folder.is_dir(), "ATLAS_SHARED does not name a folder");
        return Some(folder);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    beside.is_dir().then_some(beside)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
}
