//! Every mail of the corpus against its golden file.
//!
//! Mails of our own (`tests/fixtures/mime`) are compared in full; those of the shared folder by structure, lengths and digests. Without
//! that folder they show as ignored. `ATLAS_BLESS=1` writes the golden files anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use atlas_connectors::Timestamp;
use atlas_connectors::mail::{Message, MessageMeta, ParseOptions, decode_part};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Strings longer than this stand as length and digest even in golden files of our own mails.
const LONG_TEXT: usize = 400;
/// Lists longer than this stand as their first items, their length and a digest of the rest.
const LONG_LIST: usize = 40;
/// Keys whose text says nothing of what people wrote.
const STRUCTURE: &[&str] = &[
    "action",
    "automation",
    "code",
    "content_type",
    "date",
    "detail",
    "dkim",
    "dmarc",
    "disposition",
    "kind",
    "method",
    "part",
    "protection",
    "received",
    "sha256",
    "spf",
    "status",
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let golden = tests.join("golden/mime");
    let mut trials = Vec::new();
    let own = mails(&tests.join("fixtures/mime"));
    assert!(!own.is_empty(), "the mails of tests/fixtures/mime are missing");
    for (name, path) in &own {
        let golden = golden.join(format!("{name}.json"));
        let path = path.clone();
        trials.push(Trial::test(name.clone(), move || compare(&path, &golden, false)));
    }
    let shared = shared()
        .map(|folder| mails(&folder.join("fixtures/mime")))
        .unwrap_or_default();
    // Without the folder the golden files still say which cases there are.
    for name in names_of(&golden, "json")
        .into_iter()
        .chain(shared.keys().cloned())
        .collect::<std::collections::BTreeSet<_>>()
    {
        if own.contains_key(&name) {
            continue;
        }
        let golden = golden.join(format!("{name}.json"));
        let path = shared.get(&name).cloned();
        let absent = shared.is_empty();
        let trial = Trial::test(name, move || match path {
            Some(path) => compare(&path, &golden, true),
            None => Err(Failed::from("the mail is missing in the shared folder")),
        });
        let reason = if absent {
            "shared folder absent, see ATLAS_SHARED"
        } else {
            "shared"
        };
        trials.push(trial.with_kind(reason).with_ignored_flag(absent));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// `ATLAS_SHARED`, or `../shared` beside the workspace, if it is there. A folder that is named must be there.
#[allow(clippy::disallowed_methods, reason = "a test binary reads the environment")]
fn shared() -> Option<PathBuf> {
    if let Ok(named) = std::env::var("ATLAS_SHARED") {
        let folder = PathBuf::from(named);
        assert!(folder.is_dir(), "ATLAS_SHARED does not name a folder");
        return Some(folder);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    beside.is_dir().then_some(beside)
}

fn mails(folder: &Path) -> BTreeMap<String, PathBuf> {
    let path = |name: String| {
        let path = folder.join(format!("{name}.eml"));
        (name, path)
    };
    names_of(folder, "eml").into_iter().map(path).collect()
}

fn names_of(folder: &Path, extension: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

#[allow(clippy::disallowed_methods, reason = "a test binary reads the environment")]
fn compare(mail: &Path, golden: &Path, digests_only: bool) -> Result<(), Failed> {
    let raw = std::fs::read(mail)?;
    let found = describe(&raw, digests_only)?;
    if std::env::var("ATLAS_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(golden, format!("{}\n", serde_json::to_string_pretty(&found)?))?;
        return Ok(());
    }
    let text = std::fs::read_to_string(golden).map_err(|_| "no golden file; ATLAS_BLESS=1 writes it")?;
    let expected: Value = serde_json::from_str(&text)?;
    if found == expected {
        return Ok(());
    }
    let mut differences = Vec::new();
    differ("", &expected, &found, &mut differences);
    Err(Failed::from(differences.join("\n")))
}

/// The message as JSON, with the digest of each attachment's bytes.
fn describe(raw: &[u8], digests_only: bool) -> Result<Value, Failed> {
    let meta = MessageMeta {
        id: "message".into(),
        thread: "thread".into(),
        labels: Vec::new(),
        received: Timestamp::UNIX_EPOCH,
        size: None,
    };
    let options = ParseOptions::trusting(["mx.google.com"]);
    let message = Message::parse_with(meta, raw, &options);
    let mut value = serde_json::to_value(&message)?;
    let again: Message = serde_json::from_value(value.clone())?;
    if again != message {
        return Err("the message does not survive JSON".into());
    }
    if let Some(attachments) = value.get_mut("attachments").and_then(Value::as_array_mut) {
        for (described, attachment) in attachments.iter_mut().zip(&message.attachments) {
            let bytes = decode_part(raw, &attachment.part.part).ok_or("an attachment cannot be found by its path")?;
            if bytes.len() as u64 != attachment.size {
                return Err("an attachment has another size than it says".into());
            }
            described["sha256"] = json!(digest(&bytes));
            described["part"] = json!(attachment.part.part);
        }
    }
    if let Some(fields) = value.as_object_mut() {
        fields.remove("meta");
        fields.retain(|_, value| !value.is_null());
    }
    value["readable_text"] = json!(message.readable_text());
    value["no_reply"] = json!(message.no_reply());
    Ok(shorten("", value, digests_only))
}

fn shorten(key: &str, value: Value, digests_only: bool) -> Value {
    match value {
        Value::String(text) => {
            let is_structure = STRUCTURE.contains(&key) || key == "no_reply";
            if text.len() > LONG_TEXT || (digests_only && !is_structure && !text.is_empty()) {
                json!(format!("{} bytes, sha256 {}", text.len(), digest(text.as_bytes())))
            } else {
                Value::String(text)
            }
        }
        Value::Array(items) => {
            let count = items.len();
            let rest = items.get(LONG_LIST..).filter(|rest| !rest.is_empty());
            let rest = rest.map(|rest| digest(Value::Array(rest.to_vec()).to_string().as_bytes()));
            let mut kept: Vec<Value> = items
                .into_iter()
                .take(LONG_LIST)
                .map(|item| shorten(key, item, digests_only))
                .collect();
            if let Some(digest) = rest {
                kept.push(json!({ "items": count, "rest": format!("sha256 {digest}") }));
            }
            Value::Array(kept)
        }
        Value::Object(fields) if key == "headers" => {
            // One line a field keeps the files readable.
            let name = fields
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let value = fields.get("value").cloned().unwrap_or_default();
            json!({ name: shorten("value", value, digests_only) })
        }
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| {
                let value = shorten(&key, value, digests_only);
                (key, value)
            })
            .collect(),
        value => value,
    }
}

fn digest(bytes: &[u8]) -> String {
    let full = Sha256::digest(bytes);
    full.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// Paths at which two values differ.
fn differ(path: &str, expected: &Value, found: &Value, out: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(left), Value::Object(right)) => {
            for key in left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))) {
                let absent = Value::Null;
                let (left, right) = (left.get(key).unwrap_or(&absent), right.get(key).unwrap_or(&absent));
                differ(&format!("{path}.{key}"), left, right, out);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (at, (left, right)) in left.iter().zip(right).enumerate() {
                differ(&format!("{path}[{at}]"), left, right, out);
            }
        }
        _ if expected != found => out.push(format!("{path}: expected {expected}, found {found}")),
        _ => {}
    }
}
