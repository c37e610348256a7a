use atlas_connectors::error::Error;
use bytes::Bytes;
use http::Method;
use http::header::{HeaderValue, IF_MATCH};

use super::*;
use crate::odata::Version;

fn get(path: &str) -> BatchPart {
    BatchPart::new(Method::GET, path).unwrap()
}

fn post(path: &str, body: &'static str) -> BatchPart {
    BatchPart::new(Method::POST, path).unwrap().with_json(body)
}

/// `201`, `!400`, `*400` (the set), `back`, `not`, `?`.
fn fates(results: &[PartResult]) -> Vec<String> {
    let fate = |result: &PartResult| match result {
        PartResult::Done(response) => response.status.as_u16().to_string(),
        PartResult::Rejected(response) => format!("!{}", response.status.as_u16()),
        PartResult::SetRejected(response) => format!("*{}", response.status.as_u16()),
        PartResult::RolledBack => "back".to_owned(),
        PartResult::NotExecuted => "not".to_owned(),
        PartResult::Unknown => "?".to_owned(),
    };
    results.iter().map(fate).collect()
}

fn read(plan: &BatchPlan, body: &str) -> Result<Vec<String>, Error> {
    let body = Bytes::copy_from_slice(body.replace('\n', "\r\n").as_bytes());
    Ok(fates(&plan.read("multipart/mixed;boundary=b", &body)?))
}

fn read_json(plan: &BatchPlan, body: &str) -> Result<Vec<String>, Error> {
    Ok(fates(&plan.read(
        "application/json; charset=utf-8",
        &Bytes::copy_from_slice(body.as_bytes()),
    )?))
}

fn set_of_two_and_a_read() -> BatchPlan {
    let set = vec![post("A_SalesOrder", "{}"), post("A_SalesOrder", "{\"a\":1}")];
    BatchPlan::new().with_set(set).with(get("A_SalesOrder/$count"))
}

#[test]
fn a_request_has_sets_ids_and_line_ends() {
    let stale = BatchPart::new(Method::PATCH, "$1")
        .unwrap()
        .with_json(r#"{"N":"12.50"}"#);
    let stale = stale.with_header(IF_MATCH, HeaderValue::from_static("W/\"x\""));
    let plan = BatchPlan::new()
        .with_set(vec![post("A", r#"{"N":1.10}"#), stale])
        .with(get("A('1')?$select=N"));
    let body = plan.multipart(Version::V2);
    let boundary = body.content_type.strip_prefix("multipart/mixed; boundary=").unwrap();
    let id = boundary.strip_prefix("batch_").unwrap();
    let text = std::str::from_utf8(&body.body).unwrap();
    let expected = format!(
        "--batch_{id}\nContent-Type: multipart/mixed; boundary=set_{id}_0\n\n--set_{id}_0\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: 1\n\nPOST A HTTP/1.1\ncontent-type: application/json\naccept: application/json\ncontent-length: 10\n\n{{\"N\":1.10}}\n--set_{id}_0\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: 2\n\nPATCH $1 HTTP/1.1\ncontent-type: application/json\nif-match: W/\"x\"\naccept: application/json\ncontent-length: 13\n\n{{\"N\":\"12.50\"}}\n--set_{id}_0--\n\n--batch_{id}\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: 3\n\nGET A('1')?$select=N HTTP/1.1\naccept: application/json\n\n\n--batch_{id}--\n"
    );
    assert_eq!(text, expected.replace('\n', "\r\n"));

    let json = plan.json().unwrap();
    let expected = r#"{"requests":[{"id":"1","atomicityGroup":"g1","method":"POST","url":"A","headers":{"content-type":"application/json"},"body":{"N":1.10}},{"id":"2","atomicityGroup":"g1","dependsOn":["1"],"method":"PATCH","url":"$1","headers":{"content-type":"application/json","if-match":"W/\"x\""},"body":{"N":"12.50"}},{"id":"3","method":"GET","url":"A('1')?$select=N"}]}"#;
    assert_eq!(std::str::from_utf8(&json.body).unwrap(), expected);
    assert!(BatchPlan::new().with(post("A", "{")).json().is_err());
    assert!(BatchPart::new(Method::GET, "A B").is_err());
}

#[test]
fn a_change_outside_a_set_is_a_set_of_one_in_v2_only() {
    let plan = BatchPlan::new().with(post("A", "{}"));
    let v2 = plan.multipart(Version::V2);
    assert!(std::str::from_utf8(&v2.body).unwrap().contains("boundary=set_"));
    let v4 = plan.multipart(Version::V4);
    assert!(!std::str::from_utf8(&v4.body).unwrap().contains("boundary=set_"));
}

/// The shapes of CAP's recorded `batch_changeset_fail`, V2 and V4.
#[test]
fn one_answer_for_a_failed_set() {
    let plan = set_of_two_and_a_read();
    let failed = "--b\ncontent-type: application/http\ncontent-id: 2\n\nHTTP/1.1 400 Bad Request\ncontent-type: application/json\ncontent-length: 2\n\n{}\n";
    assert_eq!(
        read(&plan, &format!("{failed}--b--\n")).unwrap(),
        ["back", "!400", "not"]
    );
    let read_after = "--b\ncontent-type: application/http\n\nHTTP/1.1 200 OK\n\n3009\n--b--\n";
    assert_eq!(
        read(&plan, &format!("{failed}{read_after}")).unwrap(),
        ["back", "!400", "200"]
    );
    // A gateway says it in the error, or not at all.
    let in_error = r#"{"error":{"code":"V1/313","message":{"lang":"en","value":"x"},"innererror":{"errordetails":[{"ContentID":"1","code":"V1/313","message":"x","severity":"error"}]}}}"#;
    let gateway =
        |body: &str| format!("--b\nContent-Type: application/http\n\nHTTP/1.1 400 Bad Request\n\n{body}\n--b--\n");
    assert_eq!(read(&plan, &gateway(in_error)).unwrap(), ["!400", "back", "not"]);
    assert_eq!(read(&plan, &gateway("{}")).unwrap(), ["*400", "*400", "not"]);
}

#[test]
fn answers_of_a_set_and_a_cut() {
    let plan = set_of_two_and_a_read();
    let set = "--b\ncontent-type: multipart/mixed;boundary=\"c 1\"\n\n--c 1\ncontent-type: application/http\ncontent-id: 1\n\nHTTP/1.1 201 Created\nlocation: http://x/A('9')\n\n{\"d\":{}}\n--c 1\ncontent-type: application/http\ncontent-id: 2\n\nHTTP/1.1 204 No Content\n\n\n--c 1--\n";
    let whole = format!("{set}--b\ncontent-type: application/http\n\nHTTP/1.1 200 OK\n\n3\n--b--\n");
    assert_eq!(read(&plan, &whole).unwrap(), ["201", "204", "200"]);
    // Wherever it is cut, nothing is invented: a part is as in the whole answer, or unknown.
    let bytes = whole.replace('\n', "\r\n");
    for at in 0..bytes.trim_end().len() {
        let Ok(results) = plan.read(
            "multipart/mixed; boundary=b",
            &Bytes::copy_from_slice(&bytes.as_bytes()[..at]),
        ) else {
            continue;
        };
        for (fate, whole) in fates(&results).iter().zip(["201", "204", "200"]) {
            assert!(fate == "?" || fate == whole, "{at}: {fate}");
        }
    }
    // odatapy reports only the failing member.
    let failed = "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: application/http\nContent-ID: 2\n\nHTTP/1.1 409 Conflict\n\n{}\n--c--\n--b--\n";
    assert_eq!(read(&plan, failed).unwrap(), ["back", "!409", "not"]);
    // A set that succeeds in part says nothing.
    let half = "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: application/http\nContent-ID: 2\n\nHTTP/1.1 201 Created\n\n{}\n--c--\n--b--\n";
    assert_eq!(read(&plan, half).unwrap(), ["?", "?", "not"]);
}

#[test]
fn bodies_are_taken_whole() {
    let plan = BatchPlan::new().with(get("A")).with(get("B"));
    let body = "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\u{e4}--bc--b--\r\n--bx\r\n\r\n--b\nContent-Type: application/http\n\nHTTP/1.1 200 OK\n\nlast\n--b--";
    let results = plan
        .read("Multipart/Mixed; Boundary=b; x=y", &Bytes::from(body))
        .unwrap();
    let bodies: Vec<_> = results
        .iter()
        .filter_map(PartResult::response)
        .map(|one| one.body.clone())
        .collect();
    assert_eq!(bodies, ["\u{e4}--bc--b--\r\n--bx\r\n".as_bytes(), b"last"]);
}

#[test]
fn json_groups_fail_as_a_whole() {
    let plan = set_of_two_and_a_read();
    // CAP: the first member is still reported 201 and nothing is stored.
    let cap = r#"{"responses":[{"id":"1","status":201,"body":{}},{"id":"2","status":400,"body":{"error":{}}},{"id":"3","status":200,"headers":{"content-type":"text/plain"},"body":"3009"}]}"#;
    assert_eq!(read_json(&plan, cap).unwrap(), ["back", "!400", "200"]);
    // odatapy: the failing member only.
    assert_eq!(
        read_json(&plan, r#"{"responses":[{"id":"2","atomicityGroup":"g","status":409}]}"#).unwrap(),
        ["back", "!409", "not"]
    );
    assert_eq!(
        read_json(&plan, r#"{"responses":[{"id":"1","status":201}]}"#).unwrap(),
        ["?", "?", "not"]
    );
    assert_eq!(
        read_json(
            &plan,
            r#"{"responses":[{"id":"1","status":201},{"id":2,"status":204},{"id":"3","status":424}]}"#
        )
        .unwrap(),
        ["201", "204", "not"]
    );
    assert_eq!(read_json(&plan, r#"{"responses":[]}"#).unwrap(), ["not", "not", "not"]);
    let results = plan
        .read("application/json", &Bytes::from_static(cap.as_bytes()))
        .unwrap();
    assert_eq!(results[2].response().unwrap().body, "3009");
}

/// Business Central's `Isolation: snapshot`: the documented sample has ids that are null, and says 200 and 204 for what was
/// rolled back.
#[test]
fn one_transaction_falls_as_a_whole() {
    let plan = BatchPlan::new()
        .with(post("a", "{}"))
        .with(post("b", "{}"))
        .with(post("c", "{}"));
    let sample = r#"{"responses":[{"id":null,"status":200,"body":{}},{"id":null,"status":204},{"id":null,"status":400,"body":{}}]}"#;
    let body = Bytes::from_static(sample.as_bytes());
    assert_eq!(
        fates(&plan.read_as_one("application/json", &body).unwrap()),
        ["back", "back", "!400"]
    );
    assert_eq!(
        fates(&plan.read("application/json", &body).unwrap()),
        ["200", "204", "!400"]
    );
    let first = Bytes::from_static(br#"{"responses":[{"id":"1","status":400}]}"#);
    assert_eq!(
        fates(&plan.read_as_one("application/json", &first).unwrap()),
        ["!400", "not", "not"]
    );
    let some = Bytes::from_static(br#"{"responses":[{"id":"1","status":201}]}"#);
    assert_eq!(
        fates(&plan.read_as_one("application/json", &some).unwrap()),
        ["?", "?", "?"]
    );
}

#[test]
fn what_is_no_answer_is_refused_by_its_kind() {
    let plan = set_of_two_and_a_read();
    for (kind, body, code) in [
        ("text/html", "<html>", "bad_payload.type"),
        ("multipart/mixed", "--b--", "bad_payload.type"),
        ("multipart/mixed;boundary=b", "", "bad_payload.truncated"),
        ("multipart/mixed;boundary=b", "nothing", "bad_payload.syntax"),
        (
            "multipart/mixed;boundary=b",
            "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--",
            "bad_payload.syntax",
        ),
        (
            "application/json",
            "{\"responses\":[{\"id\":\"1\"",
            "bad_payload.truncated",
        ),
        (
            "application/json",
            "{\"responses\":[{\"id\":\"1\"}]}",
            "bad_payload.type",
        ),
        (
            "application/json",
            "{\"responses\":[{\"id\":\"9\",\"status\":200}]}",
            "bad_payload.syntax",
        ),
        (
            "application/json",
            "{\"responses\":[{\"id\":\"1\",\"status\":200},{\"id\":\"1\",\"status\":200}]}",
            "bad_payload.syntax",
        ),
        (
            "application/json",
            "{\"responses\":[{\"id\":\"1\",\"status\":99}]}",
            "bad_payload.syntax",
        ),
        ("application/json", "<", "bad_payload.syntax"),
    ] {
        let error = plan.read(kind, &Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
        assert_eq!(error.code(), code, "{kind} {body}");
    }
}

mod arbitrary {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_give_a_fate_to_each_part_or_an_error(body in proptest::collection::vec(any::<u8>(), 0..400), json in any::<bool>()) {
            let plan = set_of_two_and_a_read();
            let kind = if json { "application/json" } else { "multipart/mixed;boundary=b" };
            if let Ok(results) = plan.read(kind, &Bytes::from(body)) {
                prop_assert_eq!(results.len(), 3);
            }
        }

        #[test]
        fn any_lines_give_a_fate_to_each_part_or_an_error(lines in proptest::collection::vec(
            prop_oneof![
                Just("--b"), Just("--b--"), Just("--c"), Just("--c--"), Just(""), Just("Content-Type: application/http"),
                Just("Content-Type: multipart/mixed;boundary=c"), Just("HTTP/1.1 200 OK"), Just("HTTP/1.1 400 No"),
                Just("Content-ID: 2"), Just("Content-Length: 99999999999999999999"), Just("{}"),
            ], 0..40)) {
            let plan = set_of_two_and_a_read();
            if let Ok(results) = plan.read("multipart/mixed;boundary=b", &Bytes::from(lines.join("\r\n"))) {
                prop_assert_eq!(results.len(), 3);
            }
        }

        /// Whatever bodies hold, they come out as they went in.
        #[test]
        fn bodies_survive(bodies in proptest::collection::vec("[-b\\r\\n\\PC]{0,60}", 1..5)) {
            let mut plan = BatchPlan::new();
            let mut answer = Vec::new();
            for body in &bodies {
                plan = plan.with(get("A"));
                answer.extend_from_slice(b"--boundary_1\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
                answer.extend_from_slice(body.as_bytes());
                answer.extend_from_slice(b"\r\n");
            }
            answer.extend_from_slice(b"--boundary_1--\r\n");
            let results = plan.read("multipart/mixed;boundary=boundary_1", &Bytes::from(answer)).unwrap();
            for (result, body) in results.iter().zip(&bodies) {
                prop_assert_eq!(&result.response().unwrap().body, body.as_bytes());
            }
        }
    }
}
