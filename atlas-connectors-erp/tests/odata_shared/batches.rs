//! Recorded batches.

use std::path::Path;

use atlas_connectors_erp::odata::batch::{BatchPart, BatchPlan, PartResult};
use bytes::Bytes;
use http::Method;

use super::{Case, case, recorded};

/// File; what was asked (`r` a request of its own, `2` a set of two); what became of each part.
const BATCHES: [(&str, &str, &[&str]); 22] = [
    ("sap/cap-v2/batch_changeset_content_id", "2", &["201", "201"]),
    ("sap/cap-v2/batch_changeset_fail", "2r", &["back", "!400", "not"]),
    ("sap/cap-v2/batch_changeset_ok", "2r", &["201", "201", "200"]),
    ("sap/cap-v2/batch_forbidden_write", "1r", &["!403", "not"]),
    ("sap/cap-v2/batch_merge_if_match", "1", &["!412"]),
    ("sap/cap-v2/batch_reads", "rrr", &["200", "!404", "not"]),
    ("sap/cap-v2/batch_reads_prefer_continue", "rrr", &["200", "!404", "200"]),
    ("sap/cap-v2/batch_wrong_boundary", "r", &["200"]),
    ("sap/cap-v4/batch_changeset_fail", "2r", &["back", "!400", "200"]),
    ("sap/cap-v4/batch_changeset_ok", "2r", &["201", "201", "200"]),
    ("sap/cap-v4/batch_reads", "rrr", &["200", "!404", "not"]),
    ("sap/cap-v4/batch_reads_continue", "rrr", &["200", "!404", "200"]),
    (
        "sap/cap-v4/batch_json_atomicity_fail",
        "2rr",
        &["back", "!400", "not", "200"],
    ),
    ("sap/cap-v4/batch_json_atomicity_ok", "2r", &["201", "201", "200"]),
    ("sap/cap-v4/batch_json_depends_on", "rr", &["201", "201"]),
    ("sap/cap-v4/batch_json_reads", "rrr", &["200", "!404", "200"]),
    ("sap/cap-v4/batch_json_stale_etag", "r", &["!412"]),
    ("sap/odatapy/batch_json", "rrr", &["200", "!404", "not"]),
    ("sap/odatapy/batch_json_atomicity_fail", "2r", &["back", "!409", "not"]),
    ("sap/odatapy/batch_multipart_changeset_fail", "2", &["back", "!409"]),
    ("sap/sap-fe-mockserver/v2_batch", "r", &["200"]),
    ("bc/peer-batch-continue-on-error", "rrr", &["201", "!400", "201"]),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut out: Vec<Case> = BATCHES
        .into_iter()
        .map(|(name, asked, fates)| {
            case(format!("batch::{name}"), move |folder| {
                judge(folder, name, asked, fates)
            })
        })
        .collect();
    out.push(case("batch::bc/peer-batch-default", |folder| {
        judge(folder, "bc/peer-batch-default", "rrr", &["201", "!400", "not"])
    }));
    out.push(case("batch::bc/one_transaction", one_transaction));
    out.push(case("batch::bodies", bodies));
    out
}

fn plan(asked: &str) -> BatchPlan {
    let post = || BatchPart::new(Method::POST, "A").unwrap().with_json("{}");
    let mut plan = BatchPlan::new();
    for item in asked.chars() {
        plan = match item.to_digit(10) {
            Some(parts) => plan.with_set((0..parts).map(|_| post()).collect()),
            None => plan.with(post()),
        };
    }
    plan
}

fn answer(folder: &Path, name: &str) -> (String, Bytes) {
    let recorded = recorded::read(folder, name);
    let kind = recorded.content_type().to_owned();
    let mut text = String::from_utf8(recorded.body.to_vec()).unwrap();
    if text.starts_with('{') {
        // Ours are numbers.
        for (letter, number) in [("a", "1"), ("b", "2"), ("c", "3"), ("r1", "1"), ("r2", "2")] {
            text = text.replace(&format!("\"id\":\"{letter}\""), &format!("\"id\":\"{number}\""));
            text = text.replace(&format!("\"id\": \"{letter}\""), &format!("\"id\": \"{number}\""));
        }
    }
    (kind, Bytes::from(text))
}

fn fates(results: &[PartResult]) -> Vec<String> {
    let fate = |result: &PartResult| match result {
        PartResult::Done(response) => response.status.as_u16().to_string(),
        PartResult::Rejected(response) => format!("!{}", response.status.as_u16()),
        PartResult::RolledBack => "back".to_owned(),
        PartResult::NotExecuted => "not".to_owned(),
        other => format!("{other:?}"),
    };
    results.iter().map(fate).collect()
}

fn judge(folder: &Path, name: &str, asked: &str, expected: &[&str]) {
    let (kind, body) = answer(folder, name);
    assert_eq!(fates(&plan(asked).read(&kind, &body).unwrap()), expected);
}

/// `business-central.md`, section 5: earlier answers say 201 and were rolled back.
fn one_transaction(folder: &Path) {
    for (name, asked) in [
        ("bc/peer-batch-snapshot", "rrr"),
        ("bc/batch-isolation-snapshot-rollback", "rrr"),
    ] {
        let (_, body) = answer(folder, name);
        let results = plan(asked).read_as_one("application/json", &body).unwrap();
        assert!(results.iter().all(|result| !result.is_done()), "{name}: {results:?}");
        assert_eq!(
            results
                .iter()
                .filter(|result| matches!(result, PartResult::Rejected(_)))
                .count(),
            1,
            "{name}"
        );
    }
    let (_, body) = answer(folder, "bc/real-batch-create-lines");
    assert_eq!(
        fates(&plan("rr").read_as_one("application/json", &body).unwrap()),
        ["201", "201"]
    );
}

fn bodies(folder: &Path) {
    let (kind, body) = answer(folder, "sap/cap-v2/batch_changeset_ok");
    let results = plan("2r").read(&kind, &body).unwrap();
    for result in &results[..2] {
        let response = result.response().unwrap();
        serde_json::from_slice::<serde_json::Value>(&response.body).unwrap();
        assert!(response.headers.contains_key("location"));
    }
    assert!(results[2].response().unwrap().body.iter().all(u8::is_ascii_digit));
    let (kind, body) = answer(folder, "sap/cap-v4/batch_json_reads");
    let results = plan("rrr").read(&kind, &body).unwrap();
    assert!(results[2].response().unwrap().body.iter().all(u8::is_ascii_digit));
    for name in [
        "sap/cap-v2/batch_malformed",
        "sap/cap-v4/batch_malformed",
        "sap/cap-v4/batch_json_malformed",
        "sap/cap-v4/batch_json_duplicate_id",
    ] {
        let refused = recorded::read(folder, name);
        assert_eq!(refused.status, Some(400));
        assert!(plan("r").read(refused.content_type(), &refused.body).is_err(), "{name}");
    }
}
