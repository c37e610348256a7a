//! Every error that was recorded from Odoo 18.0 and 19.0, sent through the client and held against a table written from
//! `odoo.md`, section 4.
//!
//! A representative set lies in `tests/fixtures/odoo`; all of them are read from the shared folder
//! (`fixtures/odoo/18.0` and `19.0`), and without it those cases show as ignored.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use atlas_connectors::error::{Effect, Retry};
use atlas_connectors::http::{Call, CallClass, Client, HttpTransport, RetryPolicy};
use atlas_connectors::{Error, ErrorKind};
use atlas_connectors_erp::odoo::OdooErrors;
use atlas_connectors_erp::odoo::wire::{Answer, Method, Protocol, uid_of};
use bytes::Bytes;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

#[path = "odoo_errors/expected.rs"]
mod expected;

use expected::{EXPECTED, Expected};

/// The protocols that are spoken; XML-RPC and the session routes are left out (`docs/decisions/0011-odoo-protocols.md`).
const SPOKEN: [&str; 4] = ["jsonrpc_", "json2_", "http_", "monodb_"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/odoo");
    let copied = recordings(&own);
    assert!(copied.len() > 40, "tests/fixtures/odoo is empty");
    for (name, case) in copied {
        trials.push(Trial::test(format!("copied::{name}"), move || judge(&name, &case)));
    }
    match shared().map(|folder| folder.join("fixtures/odoo")) {
        Some(folder) => {
            let mut all = recordings(&folder);
            all.retain(|name, _| SPOKEN.iter().any(|prefix| case_of(name).starts_with(prefix)));
            let names: BTreeSet<String> = all.keys().cloned().collect();
            let errors: BTreeSet<String> = all
                .iter()
                .filter(|(_, case)| is_error(case))
                .map(|(name, _)| name.clone())
                .collect();
            for (name, case) in all {
                trials.push(Trial::test(format!("recorded::{name}"), move || judge(&name, &case)));
            }
            trials.push(Trial::test("recorded::none_is_left_out", move || {
                assert!(errors.len() > 300, "only {} errors", errors.len());
                let without: Vec<_> = errors.iter().filter(|name| expectation(name).is_none()).collect();
                let astray: Vec<_> = EXPECTED
                    .iter()
                    .filter(|(name, _)| !names.iter().any(|found| matches(name, found)))
                    .map(|(name, _)| name)
                    .collect();
                match (without.as_slice(), astray.as_slice()) {
                    ([], []) => Ok(()),
                    _ => Err(Failed::from(format!(
                        "without expectation {without:?}; astray {astray:?}"
                    ))),
                }
            }));
        }
        None => trials.push(
            Trial::test("recorded", || Err(Failed::from("the shared folder is absent")))
                .with_kind("shared folder absent, see ATLAS_SHARED")
                .with_ignored_flag(true),
        ),
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Sends the recorded answer through the client and compares what comes out with the table.
fn judge(name: &str, case: &Value) -> Result<(), Failed> {
    let failed = |why: String| Err(Failed::from(why));
    let expected = expectation(name);
    if case["response"].is_null() {
        // Killed by a limit of the server: no answer at all, which is the transport's to tell.
        let closed = case["transport_error"].as_str().unwrap().contains("closed connection");
        return match expected {
            Some(Expected::NoAnswer) if closed => Ok(()),
            _ => failed("no answer was recorded, and none is expected".to_owned()),
        };
    }
    let outcome = block_on(send(case));
    match (expected, outcome) {
        (None, Ok(_)) => Ok(()),
        (None, Err(error)) => failed(format!("an error where none is expected: {error:?}")),
        (Some(Expected::NoAnswer), _) => failed("an answer was recorded".to_owned()),
        (Some(Expected::NotAUser), Ok(answer)) => match uid_of(&answer) {
            Ok(None) => Ok(()),
            other => failed(format!("{other:?}")),
        },
        (Some(expected), Ok(_)) => failed(format!("no error, but {expected:?} is expected")),
        (Some(expected), Err(error)) => expected.check(&error, is_effect(case)).map_err(Failed::from),
    }
}

impl Expected {
    fn check(&self, error: &Error, is_effect: bool) -> Result<(), String> {
        let (code, fact) = match self {
            Self::Code(code) => (*code, None),
            Self::Naming(code, fact) => (*code, Some(*fact)),
            Self::Unproven(code) => (*code, None),
            Self::NotAUser | Self::NoAnswer => return Err(format!("no error is expected, and there is {error:?}")),
        };
        if error.code() != code {
            return Err(format!("{code} is expected, and there is {error:?}"));
        }
        if let Some(fact) = fact
            && names(error.kind()) != fact
        {
            return Err(format!("{fact:?} should be named in {error:?}"));
        }
        if is_effect && !matches!(self, Self::Unproven(_)) && error.effect() != Effect::None {
            return Err(format!("one call is one transaction, nothing happened: {error:?}"));
        }
        if matches!(self, Self::Unproven(_)) && is_effect && error.effect() != Effect::Unknown {
            return Err(format!("not in Odoo's words, so nothing is proven: {error:?}"));
        }
        if matches!(self, Self::Code(_) | Self::Naming(..)) && error.retry() != Retry::Never {
            return Err(format!("the same call gives the same answer: {error:?}"));
        }
        let shown = format!("{error} {error:?}");
        for secret in ["/opt/odoo", "Traceback", "db.internal", "Mitchell", "<html", "{{"] {
            if shown.contains(secret) {
                return Err(format!("shows {secret:?}"));
            }
        }
        Ok(())
    }
}

/// What the kind names: an object, a field, a path, a service, a setting.
fn names(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::PermissionDenied { object, .. } => object.clone(),
        ErrorKind::ServiceMissing { service } => service.clone(),
        ErrorKind::SchemaMismatch { path, .. } => path.clone(),
        ErrorKind::Invalid { what, .. } => (*what).to_owned(),
        ErrorKind::Rejected { fields } => fields.iter().map(|fault| fault.field.as_str()).collect(),
        _ => String::new(),
    }
}

async fn send(case: &Value) -> Result<Answer, Error> {
    let path = case["request"]["path"].as_str().unwrap();
    let rpc = path.starts_with("/jsonrpc") || path.starts_with("/web/dataset") || path.starts_with("/web/database");
    let protocol = if rpc || path.contains("version_info") {
        Protocol::JsonRpc
    } else {
        Protocol::Json2
    };
    let method = method_of(case);
    let request = http::Request::post("https://odoo.test/x").body(Bytes::new()).unwrap();
    let call = match method.class() {
        CallClass::Read => Call::read(method.operation(), request),
        CallClass::Effect => Call::effect(method.operation(), request),
    };
    let client = Client::builder("odoo", Arc::new(Canned(answer(case))), Arc::new(OdooErrors))
        .with_retry(RetryPolicy::never())
        .build();
    let response = client.send(call.without_auth()).await?;
    Answer::open(protocol, method.operation(), method.class(), &response)
}

/// The recorded answer, whatever is asked.
#[derive(Debug)]
struct Canned(http::Response<Bytes>);

#[async_trait::async_trait]
impl HttpTransport for Canned {
    async fn send(&self, _request: http::Request<Bytes>) -> atlas_connectors::Result<http::Response<Bytes>> {
        Ok(self.0.clone())
    }
}

fn answer(case: &Value) -> http::Response<Bytes> {
    let recorded = &case["response"];
    let mut response = http::Response::builder().status(u16::try_from(recorded["status"].as_u64().unwrap()).unwrap());
    for (name, value) in recorded["headers"].as_object().unwrap() {
        if !name.eq_ignore_ascii_case("content-length") {
            response = response.header(name, value.as_str().unwrap());
        }
    }
    let body = match &recorded["body"] {
        Value::Null if recorded["body_kind"] != "json" => Bytes::new(),
        Value::String(text) if recorded["body_kind"] != "json" => text.clone().into(),
        json => json.to_string().into(),
    };
    response.body(body).unwrap()
}

/// The method that the recorded request calls; a read where it calls none.
fn method_of(case: &Value) -> Method {
    let request = &case["request"];
    let called = match request["body"]["params"]["args"].get(4) {
        Some(name) => name.as_str().unwrap_or_default(),
        None => request["path"].as_str().unwrap().rsplit('/').next().unwrap(),
    };
    match called {
        "create" => Method::Create,
        "write" => Method::Write,
        "unlink" => Method::Unlink,
        "load" => Method::Load,
        "message_post" => Method::MessagePost,
        name if name.starts_with("action_") || name.starts_with("button_") => Method::Action(name.into()),
        _ => Method::SearchRead,
    }
}

fn is_effect(case: &Value) -> bool {
    method_of(case).class() == CallClass::Effect
}

fn is_error(case: &Value) -> bool {
    let response = &case["response"];
    response.is_null() || response["status"].as_u64().unwrap() >= 300 || !response["body"]["error"].is_null()
}

/// `18.0/jsonrpc_acl_denied_read` → `jsonrpc_acl_denied_read`.
fn case_of(name: &str) -> &str {
    name.rsplit('/').next().unwrap()
}

/// An entry names a case of both versions, or of one with the version in front; a star stands for any protocol.
fn matches(entry: &str, name: &str) -> bool {
    let (version, case) = name.split_once('/').unwrap();
    let entry = match entry.split_once('/') {
        Some((of, entry)) if of == version => entry,
        Some(_) => return false,
        None => entry,
    };
    match entry.strip_prefix('*') {
        Some(rest) => case
            .split_once('_')
            .is_some_and(|(protocol, case)| matches!(protocol, "jsonrpc" | "json2") && case == rest),
        None => entry == case,
    }
}

fn expectation(name: &str) -> Option<&'static Expected> {
    let mut found = EXPECTED.iter().filter(|(entry, _)| matches(entry, name));
    let first = found.next().map(|(_, expected)| expected);
    assert!(found.next().is_none(), "two entries for {name}");
    first
}

fn recordings(folder: &Path) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for version in ["18.0", "19.0"] {
        for entry in std::fs::read_dir(folder.join(version)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "json") {
                let name = format!("{version}/{}", path.file_stem().unwrap().to_string_lossy());
                // One recorded request holds a NaN, which Odoo reads and JSON does not know.
                let text = std::fs::read_to_string(&path).unwrap().replace(" NaN", " null");
                all.insert(name, serde_json::from_str(&text).unwrap());
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
