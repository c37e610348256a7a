//! The mock against answers recorded from a peer that SAP CAP serves, and the table of errors against every recorded and every
//! known one.
//!
//! Each file of `tests/business_central/recorded` is a request and its answer. The same kind of request goes to a mock in the
//! same kind of state; status, kept headers, and keys and JSON types are compared at every depth, values are not. What may
//! differ stands in [`INTENDED`] with a reason, and an entry that no longer differs fails. Known answers of the real service
//! (`fixtures/bc` of the shared folder) are read from there; without the folder those cases show as ignored.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use atlas_connectors::Timestamp;
use atlas_connectors::http::{Classify as _, Failure};
use atlas_connectors_erp::business_central::BusinessCentralErrors;
use atlas_connectors_erp::mock::business_central::{ApiError, BusinessCentral, COMPANY, DOMAIN, FULL};
use http::{HeaderMap, StatusCode};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

#[path = "business_central/real.rs"]
mod real;
#[path = "business_central/support.rs"]
mod support;

use support::ask;

/// Case, difference, reason.
const INTENDED: &[(&str, &str, &str)] = &[
    (
        "peer-unauthorised",
        "status 200 → 401",
        "the emulator behind the peer accepts any token",
    ),
    (
        "peer-throttled",
        "header retry-after: only recorded",
        "it is documented for 502 and 503 only",
    ),
];

/// What each error is, by `business-central.md`, section 6. `peer-…` are recorded, the others known of the real service.
const ERRORS: &[(&str, &str, &str)] = &[
    ("error-400-data-upgrade", "business_central.read", "service_missing"),
    ("error-400-duplicate-key", "business_central.create", "conflict"),
    ("error-400-field-validation", "business_central.create", "rejected"),
    ("error-400-flat-lines", "business_central.read", "unsupported"),
    ("error-400-manual-numbers", "business_central.create", "rejected"),
    ("error-400-missing-if-match", "business_central.update", "rejected"),
    ("error-400-string-length", "business_central.create", "rejected"),
    ("error-400-systemid-change", "business_central.create", "rejected"),
    (
        "error-401-not-authorised",
        "business_central.companies",
        "oauth.insufficient_privileges",
    ),
    (
        "error-401-rejected",
        "business_central.companies",
        "oauth.insufficient_privileges",
    ),
    ("error-404-company", "business_central.read", "invalid"),
    ("error-404-query-syntax", "business_central.read", "service_missing"),
    ("error-404-record", "business_central.get", "not_found"),
    ("error-404-segment", "business_central.read", "service_missing"),
    ("error-405-companies-post", "business_central.create", "unsupported"),
    ("error-409-entity-changed", "business_central.update", "conflict"),
    ("error-429-connections", "business_central.read", "throttled.request"),
    ("error-500-batch-too-large", "business_central.batch", "rejected"),
    ("peer-create-bad-enum", "business_central.create", "rejected"),
    ("peer-create-duplicate", "business_central.create", "conflict"),
    ("peer-create-missing-field", "business_central.create", "rejected"),
    ("peer-forbidden-read", "business_central.read", "permission_denied"),
    ("peer-get-after-posting", "business_central.get", "not_found"),
    ("peer-hidden-api-page", "business_central.read", "service_missing"),
    ("peer-no-environment", "business_central.companies", "invalid"),
    ("peer-patch-stale", "business_central.update", "conflict"),
    ("peer-patch-without-if-match", "business_central.update", "rejected"),
    ("peer-throttled", "business_central.companies", "throttled.request"),
    (
        "peer-wrong-tenant",
        "business_central.companies",
        "oauth.insufficient_privileges",
    ),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let recorded = files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/business_central/recorded"),
        "peer-",
    );
    assert!(!recorded.is_empty(), "tests/business_central/recorded is empty");
    let folder = shared();
    let shared = folder
        .as_ref()
        .map(|folder| files(&folder.join("fixtures/bc"), "error-"));
    let mut trials = Vec::new();
    for (name, file) in &recorded {
        let (name, file) = (name.clone(), file.clone());
        trials.push(Trial::test(format!("recorded::{name}"), move || {
            let case = read(&file);
            let found = block_on(replay(&name, &case));
            judge(&name, found)
        }));
    }
    for (name, operation, expected) in ERRORS {
        let file = match name.strip_prefix("peer-") {
            Some(_) => recorded.get(*name).cloned(),
            None => shared.as_ref().and_then(|files| files.get(*name).cloned()),
        };
        let absent = shared.is_none() && file.is_none();
        let trial = Trial::test(format!("classified::{name}"), move || {
            let file = file.ok_or_else(|| Failed::from("no such file"))?;
            classified(&read(&file), operation, expected)
        });
        trials.push(match absent {
            true => trial
                .with_kind("shared folder absent, see ATLAS_SHARED")
                .with_ignored_flag(true),
            false => trial,
        });
    }
    for name in real::CASES {
        let file = folder
            .as_ref()
            .map(|folder| folder.join(format!("fixtures/bc/{name}.json")));
        let absent = file.is_none();
        let trial = Trial::test(format!("read::{name}"), move || match file {
            Some(file) => block_on(real::read(name, &read(&file))),
            None => Err(Failed::from("the shared folder is absent")),
        });
        trials.push(match absent {
            true => trial
                .with_kind("shared folder absent, see ATLAS_SHARED")
                .with_ignored_flag(true),
            false => trial,
        });
    }
    let all: BTreeSet<String> = recorded
        .keys()
        .chain(shared.iter().flat_map(BTreeMap::keys))
        .cloned()
        .collect();
    let paths: Vec<PathBuf> = recorded
        .values()
        .chain(shared.iter().flat_map(BTreeMap::values))
        .cloned()
        .collect();
    trials.push(Trial::test("no_error_is_left_out", move || {
        let failing = paths.iter().filter(|path| {
            read(path)["response"]["status"]
                .as_u64()
                .is_some_and(|status| status >= 400)
        });
        let failing: BTreeSet<String> = failing.map(|path| stem(path)).collect();
        let ours: BTreeSet<String> = ERRORS.iter().map(|(name, ..)| (*name).to_owned()).collect();
        let left: Vec<_> = failing.difference(&ours).collect();
        let odd: Vec<_> = ours
            .iter()
            .filter(|name| name.starts_with("peer-") && !all.contains(*name))
            .collect();
        match (left.as_slice(), odd.as_slice()) {
            ([], []) => Ok(()),
            (left, odd) => Err(Failed::from(format!(
                "without an expectation: {left:?}, without a file: {odd:?}"
            ))),
        }
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn classified(case: &Value, operation: &'static str, expected: &str) -> Result<(), Failed> {
    let response = &case["response"];
    let status = StatusCode::from_u16(u16::try_from(response["status"].as_u64().unwrap()).unwrap()).unwrap();
    let body = response["body"].to_string();
    let headers = HeaderMap::new();
    let failure = Failure::new(operation, status, &headers, body.as_bytes(), Timestamp::UNIX_EPOCH);
    let error = BusinessCentralErrors.classify(&failure);
    let text = response["body"]["error"]["message"].as_str().unwrap();
    let shown = format!("{error} {error:?}");
    if error.code() != expected {
        return Err(format!("{} instead of {expected}", error.code()).into());
    }
    if shown.contains(text)
        || error
            .messages()
            .iter()
            .any(|one| one.text.reveal().contains("CorrelationId"))
    {
        return Err("the text is in a log, or the correlation id is in the text".into());
    }
    Ok(())
}

/// Sends the recorded request to a mock in the same kind of state and compares the answers.
async fn replay(name: &str, case: &Value) -> BTreeSet<String> {
    const ORDER: &str = "027079cf-00a8-43da-8dfe-c1e652ef1072";
    let service = BusinessCentral::start().await;
    service.hide("Sandbox", "purchaseOrders");
    let environment = match name {
        "peer-hidden-api-page" => "Sandbox",
        "peer-no-environment" => "Nowhere",
        _ => "Production",
    };
    let base = format!("{}/v2.0/{DOMAIN}/{environment}/api/v2.0", service.uri());
    let order = service.ids(COMPANY, "salesOrders")[0].clone();
    let at = format!("{base}/companies({COMPANY})/salesOrders({order})");
    if name == "peer-find-by-external-number" {
        assert!(service.edit(
            COMPANY,
            "salesOrders",
            &order,
            r#"{"externalDocumentNumber":"ATLAS-0001b"}"#
        ));
    }
    if matches!(name, "peer-get-after-posting" | "peer-invoice-of-order") {
        let url = format!("{at}/Microsoft.NAV.shipAndInvoice");
        assert_eq!(ask("POST", &url, FULL, &[("if-match", "*")], "{}").await.status, 204);
    }
    if name == "peer-incremental" {
        let vendor = service.ids(COMPANY, "vendors")[0].clone();
        assert!(service.edit(COMPANY, "vendors", &vendor, r#"{"city":"Berlin"}"#));
    }
    if name == "peer-throttled" {
        service
            .faults()
            .next("companies.list", BusinessCentral::refusal(&ApiError::throttled()));
    }
    if name == "peer-environments" {
        let answer = ask("GET", &format!("{}/environments/v1.2", service.uri()), FULL, &[], "").await;
        return compare(&case["response"], &answer);
    }
    let request = &case["request"];
    let url = request["url"]
        .as_str()
        .unwrap()
        .replace("{base}", &base)
        .replace(ORDER, &order);
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut token = FULL.to_owned();
    for (name, value) in request["headers"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        match name.as_str() {
            "authorization" => token = value.trim_start_matches("Bearer ").to_owned(),
            "x-peer-fault" => {}
            _ => headers.push((name.clone(), value.to_owned())),
        }
    }
    if name == "peer-patch-ok" {
        let etag = ask("GET", &at, FULL, &[], "").await.header("etag").unwrap().to_owned();
        headers.retain(|(name, _)| name != "if-match");
        headers.push(("if-match".to_owned(), etag));
    }
    let body = match &request["body"] {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let answer = ask(request["method"].as_str().unwrap(), &url, &token, &headers, &body).await;
    compare(&case["response"], &answer)
}

fn compare(recorded: &Value, answer: &support::Answered) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let theirs = recorded["status"].as_u64().unwrap();
    if theirs != u64::from(answer.status) {
        out.insert(format!("status {theirs} → {}", answer.status));
        return out;
    }
    if let Some(headers) = recorded["headers"].as_object() {
        for name in [
            "content-type",
            "odata-version",
            "etag",
            "location",
            "retry-after",
            "ms-correlation-x",
            "request-id",
        ] {
            match (headers.get(name), answer.header(name)) {
                (Some(_), None) => out.insert(format!("header {name}: only recorded")),
                (None, Some(_)) => out.insert(format!("header {name}: only in the mock")),
                (Some(Value::String(theirs)), Some(ours)) if name == "content-type" && theirs != ours => {
                    out.insert(format!("header {name}: {theirs} → {ours}"))
                }
                _ => false,
            };
        }
    }
    shapes(&recorded["body"], &answer.json(), "", &mut out);
    out
}

/// Keys and JSON types at every depth; a list is judged by its first item.
fn shapes(theirs: &Value, ours: &Value, at: &str, out: &mut BTreeSet<String>) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            // The peer's own column, which the service does not have.
            let known = |key: &&String| !key.ends_with("__id");
            for key in theirs.keys().filter(known) {
                match ours.get(key) {
                    Some(value) => shapes(&theirs[key], value, &format!("{at}/{key}"), out),
                    None => {
                        out.insert(format!("{at}/{key}: only recorded"));
                    }
                }
            }
            for key in ours.keys().filter(|key| !theirs.contains_key(*key)) {
                out.insert(format!("{at}/{key}: only in the mock"));
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if at.ends_with("responses") => {
            if theirs.len() != ours.len() {
                out.insert(format!("{at}: {} → {} responses", theirs.len(), ours.len()));
            }
            for (at_index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                shapes(theirs, ours, &format!("{at}[{at_index}]"), out);
                if theirs["status"] != ours["status"] {
                    out.insert(format!(
                        "{at}[{at_index}]: status {} → {}",
                        theirs["status"], ours["status"]
                    ));
                }
            }
        }
        (Value::Array(theirs), Value::Array(ours)) => match (theirs.first(), ours.first()) {
            (Some(theirs), Some(ours)) => shapes(theirs, ours, &format!("{at}[]"), out),
            (None, None) => {}
            _ => {
                out.insert(format!("{at}: one list is empty"));
            }
        },
        (Value::String(theirs), Value::String(ours)) if at.ends_with("/code") && theirs != ours => {
            out.insert(format!("{at}: {theirs} → {ours}"));
        }
        _ => {
            let name = |value: &Value| match value {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::Number(_) => "number",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            // An empty body is recorded as empty text.
            let empty = theirs.as_str() == Some("") && ours.is_null();
            if name(theirs) != name(ours) && !empty {
                out.insert(format!("{at}: {} → {}", name(theirs), name(ours)));
            }
        }
    }
}

fn judge(name: &str, mut found: BTreeSet<String>) -> Result<(), Failed> {
    let intended = INTENDED.iter().filter(|(case, ..)| *case == name);
    let gone: Vec<&str> = intended
        .filter(|(_, what, _)| !found.remove(*what))
        .map(|(_, what, _)| *what)
        .collect();
    if found.is_empty() && gone.is_empty() {
        return Ok(());
    }
    Err(format!("differs: {found:#?}\nno longer differs: {gone:?}").into())
}

fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let named = std::env::var_os("ATLAS_SHARED").map(PathBuf::from);
    let folder = named.map_or_else(|| root.join("../shared"), |named| root.join(named));
    folder.join("fixtures/bc").is_dir().then_some(folder)
}

fn files(folder: &Path, prefix: &str) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| stem(path).starts_with(prefix) && path.extension().is_some_and(|end| end == "json"))
        .map(|path| (stem(&path), path))
        .collect()
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}
