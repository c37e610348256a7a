//! The mock of Odoo against the recordings of 18.0 and 19.0.
//!
//! Every recorded call of a model and method that the mock has is sent to it again. Status, content type, keys and JSON
//! types at every depth, error classes and numbers are compared, values are not. What may differ stands in
//! [`known::INTENDED`] with a reason, and an entry that no longer differs fails. Without the shared folder the copied
//! recordings alone are replayed, and the rest shows as ignored.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use atlas_connectors::http::ReqwestTransport;
use atlas_connectors_erp::mock::odoo::{Odoo, Version};
use atlas_connectors_erp::odoo::wire::Json;
use libtest_mimic::{Arguments, Failed, Trial};

#[path = "odoo_drift/known.rs"]
mod known;

use known::{ABSENT, INTENDED};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/odoo");
    let mut cases = recordings(&own);
    assert!(cases.len() > 40, "tests/fixtures/odoo is empty");
    let mut trials = Vec::new();
    match shared() {
        Some(folder) => cases = recordings(&folder.join("fixtures/odoo")),
        None => trials.push(
            Trial::test("all", || Err(Failed::from("the shared folder is absent")))
                .with_kind("shared folder absent, see ATLAS_SHARED")
                .with_ignored_flag(true),
        ),
    }
    for (name, case) in cases {
        if ABSENT.iter().any(|(pattern, _)| fits(pattern, &name)) {
            continue;
        }
        trials.push(Trial::test(name.clone(), move || {
            judge(&name, &block_on(replay(&name, &case)))
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Differences that the table does not know fail, and so do entries of the table that no longer differ.
fn judge(name: &str, found: &BTreeSet<String>) -> Result<(), Failed> {
    let known: BTreeSet<String> = INTENDED
        .iter()
        .filter(|(pattern, ..)| fits(pattern, name))
        .map(|(_, differs, _)| (*differs).to_owned())
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

async fn replay(name: &str, case: &Json) -> BTreeSet<String> {
    let version = if name.starts_with("18.0/") {
        Version::V18
    } else {
        Version::V19
    };
    let mut builder = Odoo::builder().version(version);
    if !name.contains("/monodb_") {
        builder = builder.database("other");
    }
    let odoo = builder.start().await.unwrap();
    known::seed(&odoo, version, case_of(name));
    let request = case.member("request").unwrap();
    let text = |of: &Json, member: &str| of.member(member).and_then(Json::as_text).unwrap_or_default().to_owned();
    let path = known::translate(&text(request, "path"), version);
    let url = format!("{}{path}", odoo.url().as_str().trim_end_matches('/'));
    let mut sent = http::Request::builder()
        .method(text(request, "method").as_str())
        .uri(url);
    for (header, value) in request.member("headers").and_then(Json::as_object).unwrap_or_default() {
        let skipped = ["host", "content-length", "connection", "accept-encoding", "cookie"];
        if !skipped.contains(&header.to_ascii_lowercase().as_str()) {
            sent = sent.header(header, known::translate(value.as_text().unwrap(), version));
        }
    }
    let body = match request.member("body") {
        None | Some(Json::Null) if text(request, "body_kind") != "json" => String::new(),
        Some(Json::Text(body)) if text(request, "body_kind") != "json" => body.clone(),
        Some(json) => json.to_text(),
        None => String::new(),
    };
    let request = sent.body(known::translate(&body, version).into()).unwrap();
    let answer = exchange(request).await;
    compare(case.member("response").unwrap(), &answer)
}

struct Answered {
    status: i64,
    content_type: String,
    body: Vec<u8>,
}

/// Sends it over HTTP; error statuses are answers here.
async fn exchange(request: http::Request<bytes::Bytes>) -> Answered {
    use atlas_connectors::http::HttpTransport as _;
    let rules = atlas_connectors::http::EgressRules::strict().allow_loopback();
    let transport = ReqwestTransport::builder().with_egress(rules).build().unwrap();
    let response = match transport.send(request).await {
        Ok(response) => response,
        // A redirect is refused by the transport itself; its status and that it was one are what is compared.
        Err(error) => {
            return Answered {
                status: i64::from(error.status().unwrap()),
                content_type: "text/html".to_owned(),
                body: Vec::new(),
            };
        }
    };
    let header = response.headers().get("content-type");
    Answered {
        status: i64::from(response.status().as_u16()),
        content_type: header.map_or(String::new(), |value| value.to_str().unwrap().to_owned()),
        body: response.body().to_vec(),
    }
}

fn compare(recorded: &Json, answer: &Answered) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let status = recorded.member("status").and_then(Json::as_int).unwrap();
    if status != answer.status {
        found.insert(format!("status {status} → {}", answer.status));
        return found;
    }
    let kind = |text: &str| text.split(';').next().unwrap_or_default().trim().to_owned();
    let headers = recorded.member("headers").and_then(Json::as_object).unwrap();
    let theirs = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let theirs = theirs.map_or(String::new(), |(_, value)| kind(value.as_text().unwrap()));
    if theirs != kind(&answer.content_type) {
        found.insert(format!("content type {theirs} → {}", kind(&answer.content_type)));
    }
    if recorded.member("body_kind").and_then(Json::as_text) == Some("json") {
        match Json::parse(&answer.body) {
            Some(ours) => shape("", recorded.member("body").unwrap_or(&Json::Null), &ours, &mut found),
            None => {
                found.insert("body is not JSON".to_owned());
            }
        }
    }
    found
}

/// Keys and types at every depth; of errors the class and the number too.
fn shape(at: &str, theirs: &Json, ours: &Json, found: &mut BTreeSet<String>) {
    let of = |value: &Json| match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(text) if text.contains('.') => "decimal",
        Json::Number(_) => "number",
        Json::Text(_) => "text",
        Json::List(_) => "list",
        Json::Object(_) => "object",
        _ => "other",
    };
    if of(theirs) != of(ours) {
        found.insert(format!("{at}: {} → {}", of(theirs), of(ours)));
        return;
    }
    match (theirs, ours) {
        (Json::Object(theirs), Json::Object(ours)) => {
            // Members of an answer by record id are as many as there are records.
            let by_id = |members: &[(String, Json)]| members.iter().all(|(key, _)| key.parse::<i64>().is_ok());
            if !theirs.is_empty() && by_id(theirs) && by_id(ours) {
                return;
            }
            for (key, theirs) in theirs {
                match ours.iter().find(|(name, _)| name == key) {
                    Some((_, ours)) => shape(&format!("{at}.{key}"), theirs, ours, found),
                    None => {
                        found.insert(format!("{at}.{key} is missing"));
                    }
                }
            }
            for (key, _) in ours
                .iter()
                .filter(|(key, _)| !theirs.iter().any(|(name, _)| name == key))
            {
                found.insert(format!("{at}.{key} is new"));
            }
        }
        (Json::List(theirs), Json::List(ours)) => {
            if let (Some(theirs), Some(ours)) = (theirs.first(), ours.first()) {
                shape(&format!("{at}[]"), theirs, ours, found);
            } else if theirs.is_empty() != ours.is_empty() && !at.ends_with("_ids") && !at.ends_with("order_line") {
                found.insert(format!("{at}: {} items → {}", theirs.len(), ours.len()));
            }
        }
        (Json::Text(theirs), Json::Text(ours)) if at.ends_with("name") && theirs.contains('.') && ours != theirs => {
            let class = ["odoo.", "builtins.", "werkzeug.", "psycopg2."];
            if class.iter().any(|prefix| theirs.starts_with(prefix)) {
                found.insert(format!("{at}: {theirs} → {ours}"));
            }
        }
        (Json::Number(theirs), Json::Number(ours)) if at == ".error.code" && theirs != ours => {
            found.insert(format!("{at}: {theirs} → {ours}"));
        }
        _ => {}
    }
}

/// `*` at an end stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let case = case_of(name);
    let against = if pattern.contains('/') { name } else { case };
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => against.contains(pattern.trim_matches('*')),
        (Some(end), None) => against.ends_with(end),
        (None, Some(start)) => against.starts_with(start),
        (None, None) => against == pattern,
    }
}

fn case_of(name: &str) -> &str {
    name.rsplit('/').next().unwrap()
}

fn recordings(folder: &Path) -> BTreeMap<String, Json> {
    let mut all = BTreeMap::new();
    for version in ["18.0", "19.0"] {
        for entry in std::fs::read_dir(folder.join(version)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{version}/{}", path.file_stem().unwrap().to_string_lossy());
            let spoken = ["jsonrpc_", "json2_", "http_", "monodb_"];
            if !spoken.iter().any(|prefix| case_of(&name).starts_with(prefix)) {
                continue;
            }
            // One recorded request holds a NaN, which Odoo reads and JSON does not know.
            let text = std::fs::read_to_string(&path).unwrap().replace(" NaN", " null");
            let case = Json::parse(text.as_bytes()).unwrap();
            if case.member("response") != Some(&Json::Null) {
                all.insert(name, case);
            }
        }
    }
    all
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
