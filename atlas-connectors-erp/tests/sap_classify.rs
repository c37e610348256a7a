//! Every error answer that is known of SAP servers, against what `sap-odata.md`, sections 2, 3, 5 and 12, says it means.
//!
//! The answers lie in the shared folder (`fixtures/sap`); a subset of our own recordings is in `tests/recorded/sap`.
//! Without the folder the other cases show as ignored. The table is written from the page, not from the code.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use atlas_connectors::Timestamp;
use atlas_connectors::error::{ErrorKind, ProviderCode};
use atlas_connectors::http::{Classify as _, Failure};
use atlas_connectors::oauth::{GrantType, TokenRefusal, standard_token_error};
use atlas_connectors_erp::sap::{SapErrors, Situation};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

#[path = "sap_classify/table.rs"]
mod table;

use table::{Case, TABLE, TOKENS};

const SERVICE: &str = "API_X";
const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let shared = shared().map(|folder| folder.join("fixtures/sap"));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/sap");
    let mut trials = Vec::new();
    for case in TABLE {
        let copy = own.join(format!("{}.json", case.name.replace('/', "--")));
        if copy.is_file() {
            trials.push(Trial::test(format!("own::{}", case.name), move || judge(case, &copy)));
        }
        trials.push(from_shared(case.name, shared.as_deref(), move |file| judge(case, file)));
    }
    for (name, code) in TOKENS {
        trials.push(from_shared(name, shared.as_deref(), move |file| {
            judge_token(file, code)
        }));
    }
    if let Some(folder) = shared {
        trials.push(Trial::test("no_answer_is_left_out", move || left_out(&folder)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn from_shared(
    name: &'static str,
    folder: Option<&Path>,
    judge: impl FnOnce(&Path) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let file = folder.map(|folder| folder.join(format!("{name}.json")));
    let absent = file.is_none();
    let trial = Trial::test(format!("shared::{name}"), move || match file {
        Some(file) => judge(&file),
        None => Err(Failed::from("the shared folder is absent")),
    });
    match absent {
        true => trial
            .with_kind("shared folder absent, see ATLAS_SHARED")
            .with_ignored_flag(true),
        false => trial,
    }
}

fn judge(case: &Case, file: &Path) -> Result<(), Failed> {
    let recorded: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let answer = &recorded["response"];
    let status = answer["status"].as_u64().unwrap_or(u64::from(case.status));
    let status = StatusCode::from_u16(u16::try_from(status)?)?;
    let mut headers = HeaderMap::new();
    if let Some(kind) = answer["content_type"].as_str() {
        headers.insert("content-type", HeaderValue::from_str(kind)?);
    }
    for pair in answer["headers"].as_array().into_iter().flatten() {
        let (Some(name), Some(value)) = (pair[0].as_str(), pair[1].as_str()) else {
            continue;
        };
        headers.append(
            HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes())?,
            HeaderValue::from_str(value)?,
        );
    }
    let body = answer["body"].as_str().unwrap_or_default();
    let failure = Failure::new(case.operation, status, &headers, body.as_bytes(), NOW);
    let errors = SapErrors::new(SERVICE, case.operation == "sap.bearer");
    let error = errors.classify(&failure);

    let fields = match error.kind() {
        ErrorKind::Rejected { fields } => fields
            .iter()
            .map(|fault| format!("{}={}", fault.field, fault.code))
            .collect::<Vec<_>>()
            .join(" "),
        _ => String::new(),
    };
    let said = (
        error.code(),
        error.provider_code().map_or("", ProviderCode::as_str),
        SapErrors::situation(&error),
        errors.proves_refusal(&failure),
        fields.as_str(),
    );
    let wanted = (case.code, case.provider_code, case.situation, case.proves, case.fields);
    if said != wanted {
        return Err(Failed::from(format!("{said:?}, but the page says {wanted:?}")));
    }
    // What the provider says is for people: it is kept, and no log sees it.
    let shown = format!("{error} {error:?} {}", error.advice().cause);
    for message in error.messages() {
        let text = message.text.reveal();
        // The status line's own words are no secret.
        if text.len() > 12 && text != "Method Not Allowed" && shown.contains(text) {
            return Err(Failed::from("a message is in Display or Debug"));
        }
    }
    if case.speaks == error.messages().is_empty() {
        return Err(Failed::from("messages for people: kept where there are none, or lost"));
    }
    Ok(())
}

/// Answers of a token endpoint are read by the core.
fn judge_token(file: &Path, code: &str) -> Result<(), Failed> {
    let recorded: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let answer = &recorded["response"];
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default())?;
    let status = u16::try_from(answer["status"].as_u64().unwrap_or_default())?;
    let error = body["error"].as_str().unwrap_or_default();
    let refusal = TokenRefusal::new(GrantType::ClientCredentials, status, error);
    let said = standard_token_error(&refusal).code();
    match said == code {
        true => Ok(()),
        false => Err(Failed::from(format!("{said}, but the page says {code}"))),
    }
}

fn left_out(folder: &Path) -> Result<(), Failed> {
    let ours: BTreeSet<String> = TABLE
        .iter()
        .map(|case| case.name.to_owned())
        .chain(TOKENS.iter().map(|(name, _)| (*name).to_owned()))
        .collect();
    let mut there = BTreeSet::new();
    for server in std::fs::read_dir(folder)?
        .flatten()
        .filter(|entry| entry.path().is_dir())
    {
        for file in std::fs::read_dir(server.path())?.flatten() {
            let path = file.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let recorded: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            let answer = &recorded["response"];
            let failed = match answer["status"].as_u64() {
                Some(status) => status >= 400,
                // A source that names no status, only the error.
                None => answer["body"]
                    .as_str()
                    .is_some_and(|body| body.starts_with("{\"error\"")),
            };
            if failed {
                let server = server.file_name().to_string_lossy().into_owned();
                let case = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                there.insert(format!("{server}/{case}"));
            }
        }
    }
    let without: Vec<_> = there.symmetric_difference(&ours).collect();
    match without.as_slice() {
        [] => Ok(()),
        without => Err(Failed::from(format!("in one of folder and table only: {without:?}"))),
    }
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
