//! Every error answer of the Gmail API that is known, against the kind it has to become.
//!
//! Status, reason and sentence of each case are facts; the source of each stands beside it. Expectations are those of
//! the tables in `gmail.md`, section 7.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing helper fails its test")]

use atlas_connectors::Timestamp;
use atlas_connectors::error::{Effect, ErrorKind, Retry};
use atlas_connectors::http::{Classify as _, Failure};
use atlas_connectors_gmail::GmailErrors;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

const NOW: &str = "2026-03-10T17:40:00Z";

struct Case {
    /// Short name and source of the fact.
    source: &'static str,
    operation: &'static str,
    status: u16,
    body: Value,
    /// Our code, and the first field and its code where the request was refused.
    expected: &'static str,
    field: &'static str,
}

fn case(
    source: &'static str,
    operation: &'static str,
    status: u16,
    body: Value,
    expected: &'static str,
    field: &'static str,
) -> Case {
    Case {
        source,
        operation,
        status,
        body,
        expected,
        field,
    }
}

/// Google's envelope.
fn envelope(code: u16, domain: &str, reason: &str, message: &str, status: Option<&str>) -> Value {
    let mut error = json!({
        "code": code,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
    });
    if let Some(status) = status {
        error["status"] = status.into();
    }
    json!({ "error": error })
}

fn invalid(message: &str) -> Value {
    envelope(400, "global", "invalidArgument", message, Some("INVALID_ARGUMENT"))
}

fn cases() -> Vec<Case> {
    let denied = Some("PERMISSION_DENIED");
    let exhausted = Some("RESOURCE_EXHAUSTED");
    vec![
        case(
            "gmail-400-bad-request: Google, Resolve errors",
            "gmail.messages.list",
            400,
            envelope(
                400,
                "global",
                "badRequest",
                "Sorting is not supported for queries with fullText terms.",
                None,
            ),
            "rejected",
            "",
        ),
        case(
            "gmail-400-base64: googleapis.dart issue 109",
            "gmail.messages.send",
            400,
            json!({"error": {"code": 400, "message": "Invalid value at 'message.raw' (TYPE_BYTES), Base64 decoding failed"}}),
            "rejected",
            "raw not_base64",
        ),
        case(
            "gmail-400-invalid-attachment-token: dust-tt/dust 27314, 22105",
            "gmail.messages.attachments.get",
            400,
            invalid("Invalid attachment token"),
            "rejected",
            "attachmentId invalid",
        ),
        case(
            "gmail-400-invalid-label: myworld emulator 0.2.1",
            "gmail.messages.modify",
            400,
            invalid("Invalid label: SENT"),
            "rejected",
            "labelIds invalid",
        ),
        case(
            "gmail-400-invalid-thread-id: third-party logs",
            "gmail.messages.send",
            400,
            invalid("Invalid thread_id value"),
            "rejected",
            "threadId invalid",
        ),
        case(
            "gmail-400-invalid-to-header: third-party tests",
            "gmail.drafts.send",
            400,
            invalid("Invalid To header"),
            "rejected",
            "to invalid",
        ),
        case(
            "gmail-400-label-not-found: public code",
            "gmail.messages.batchModify",
            400,
            invalid("labelId not found"),
            "rejected",
            "labelIds not_found",
        ),
        case(
            "gmail-400-missing-start-history-id: google-api-nodejs-client 978",
            "gmail.history.list",
            400,
            envelope(
                400,
                "global",
                "invalidArgument",
                "Missing/invalid parameter: startHistoryId",
                None,
            ),
            "rejected",
            "startHistoryId invalid",
        ),
        case(
            "gmail-400-precondition-check-failed: unverified",
            "gmail.getProfile",
            400,
            envelope(
                400,
                "global",
                "failedPrecondition",
                "Precondition check failed.",
                Some("FAILED_PRECONDITION"),
            ),
            "service_missing",
            "",
        ),
        case(
            "gmail-400-raw-missing: independent emulators",
            "gmail.messages.send",
            400,
            invalid("'raw' RFC822 payload message string or uploading message via /upload/* URL required"),
            "rejected",
            "raw required",
        ),
        case(
            "gmail-400-recipient-required: myworld emulator 0.2.1",
            "gmail.messages.send",
            400,
            invalid("Recipient address required"),
            "rejected",
            "to required",
        ),
        case(
            "gmail-401-auth-error: Google, Resolve errors",
            "gmail.messages.get",
            401,
            envelope(401, "global", "authError", "Invalid Credentials", None),
            "oauth.transient",
            "",
        ),
        case(
            "gmail-401-unauthenticated: myworld emulator 0.2.1",
            "gmail.messages.get",
            401,
            envelope(
                401,
                "global",
                "authError",
                "Request had invalid authentication credentials.",
                Some("UNAUTHENTICATED"),
            ),
            "oauth.transient",
            "",
        ),
        case(
            "gmail-403-daily-limit: Google, Resolve errors",
            "gmail.messages.list",
            403,
            envelope(403, "usageLimits", "dailyLimitExceeded", "Daily Limit Exceeded", None),
            "throttled.project",
            "",
        ),
        case(
            "gmail-403-delegation-denied: public code, myworld emulator",
            "gmail.messages.list",
            403,
            envelope(
                403,
                "global",
                "forbidden",
                "Delegation denied for ops@acme-manufacturing.com",
                denied,
            ),
            "permission_denied",
            "",
        ),
        case(
            "gmail-403-domain-policy: Google, Resolve errors",
            "gmail.messages.list",
            403,
            envelope(
                403,
                "global",
                "domainPolicy",
                "The domain administrators have disabled Gmail apps.",
                None,
            ),
            "oauth.access_denied.tenant_policy",
            "",
        ),
        case(
            "gmail-403-insufficient-scope: public tests",
            "gmail.messages.modify",
            403,
            json!({"error": {
                "code": 403,
                "message": "Request had insufficient authentication scopes.",
                "errors": [{"message": "Insufficient Permission", "domain": "global", "reason": "insufficientPermissions"}],
                "status": "PERMISSION_DENIED",
                "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "domain": "googleapis.com"}],
            }}),
            "oauth.insufficient_privileges",
            "",
        ),
        case(
            "the same with details alone (details may come without errors)",
            "gmail.messages.modify",
            403,
            json!({"error": {"code": 403, "details": [{"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}}),
            "oauth.insufficient_privileges",
            "",
        ),
        case(
            "disabled API by ErrorInfo: gmail.md, section 7",
            "gmail.getProfile",
            403,
            json!({"error": {"code": 403, "message": "Gmail API has not been used", "status": "PERMISSION_DENIED",
                "errors": [{"reason": "accessNotConfigured", "domain": "usageLimits"}],
                "details": [{"reason": "SERVICE_DISABLED", "domain": "googleapis.com"}]}}),
            "service_missing",
            "",
        ),
        case(
            "gmail-403-metadata-scope-q: public code",
            "gmail.messages.list",
            403,
            envelope(
                403,
                "global",
                "forbidden",
                "Metadata scope does not support 'q' parameter",
                denied,
            ),
            "oauth.insufficient_privileges",
            "",
        ),
        case(
            "gmail-403-quota-units-per-minute-per-user: captured by a third party on 2026-10-01",
            "gmail.history.list",
            403,
            envelope(
                403,
                "usageLimits",
                "rateLimitExceeded",
                "Quota exceeded for quota metric 'Total Query Cost' and limit 'Units per minute per user' of service \
                 'gmail.googleapis.com' for consumer 'project_number:123456789012'.",
                denied,
            ),
            "throttled.account",
            "",
        ),
        case(
            "gmail-404-not-found on a message: lieer 301, OpenArchiver 443",
            "gmail.messages.get",
            404,
            envelope(
                404,
                "global",
                "notFound",
                "Requested entity was not found.",
                Some("NOT_FOUND"),
            ),
            "not_found",
            "",
        ),
        case(
            "gmail-404-not-found on the history: lieer 301",
            "gmail.history.list",
            404,
            envelope(
                404,
                "global",
                "notFound",
                "Requested entity was not found.",
                Some("NOT_FOUND"),
            ),
            "cursor_expired",
            "",
        ),
        case(
            "gmail-409-label-conflict: public tests, an independent emulator",
            "gmail.labels.create",
            409,
            envelope(
                409,
                "global",
                "duplicate",
                "Label name exists or conflicts",
                Some("ALREADY_EXISTS"),
            ),
            "conflict",
            "",
        ),
        case(
            "gmail-429-concurrent: Google, Resolve errors",
            "gmail.messages.get",
            429,
            envelope(
                429,
                "usageLimits",
                "rateLimitExceeded",
                "Too many concurrent requests for user",
                exhausted,
            ),
            "throttled.request",
            "",
        ),
        case(
            "gmail-429-mail-sending: Google, Resolve errors",
            "gmail.messages.send",
            429,
            envelope(
                429,
                "usageLimits",
                "rateLimitExceeded",
                "Too many requests: User-rate limit exceeded (Mail sending)",
                exhausted,
            ),
            "throttled.sending",
            "",
        ),
        case(
            "gmail-429-user-rate-retry-after: public issues",
            "gmail.messages.get",
            429,
            envelope(
                429,
                "usageLimits",
                "rateLimitExceeded",
                "User-rate limit exceeded.  Retry after 2026-03-10T17:41:45.544Z",
                exhausted,
            ),
            "throttled.account",
            "",
        ),
        case(
            "gmail-500-backend-error: Google, Resolve errors",
            "gmail.messages.get",
            500,
            envelope(500, "global", "backendError", "Backend Error", None),
            "transient",
            "",
        ),
        case(
            "gmail-503-unavailable: myworld emulator 0.2.1",
            "gmail.messages.get",
            503,
            envelope(
                503,
                "global",
                "backendError",
                "Service Unavailable",
                Some("UNAVAILABLE"),
            ),
            "transient",
            "",
        ),
        case(
            "the 429 inside gmail-batch-response-mixed: batch guide, public code",
            "gmail.messages.get",
            429,
            envelope(
                429,
                "usageLimits",
                "rateLimitExceeded",
                "Too many concurrent requests for user",
                exhausted,
            ),
            "throttled.request",
            "",
        ),
        case(
            "label-create-dup: emulate 0.12.2 answers 400 where Gmail answers 409",
            "gmail.labels.create",
            400,
            envelope(
                400,
                "global",
                "failedPrecondition",
                "Label name exists or conflicts",
                Some("FAILED_PRECONDITION"),
            ),
            "conflict",
            "",
        ),
        case(
            "profile: emulate 0.12.2 has no getProfile",
            "gmail.getProfile",
            404,
            json!({"message": "Not Found", "documentation_url": "https://emulate.dev/google"}),
            "service_missing",
            "",
        ),
    ]
}

fn classify(operation: &'static str, status: u16, headers: &HeaderMap, body: &[u8]) -> atlas_connectors::Error {
    let status = StatusCode::from_u16(status).unwrap();
    let now: Timestamp = NOW.parse().unwrap();
    GmailErrors.classify(&Failure::new(operation, status, headers, body, now))
}

#[test]
fn every_known_answer_becomes_the_kind_its_reason_says() {
    for case in cases() {
        let body = serde_json::to_vec(&case.body).unwrap();
        let error = classify(case.operation, case.status, &HeaderMap::new(), &body);
        assert_eq!(error.code(), case.expected, "{}", case.source);
        assert_eq!(error.status(), Some(case.status), "{}", case.source);
        assert_eq!(error.effect(), Effect::None, "{}", case.source);
        let field = match error.kind() {
            ErrorKind::Rejected { fields } => fields
                .first()
                .map(|fault| format!("{} {}", fault.field, fault.code))
                .unwrap_or_default(),
            _ => String::new(),
        };
        assert_eq!(field, case.field, "{}", case.source);
    }
}

#[test]
fn no_error_repeats_a_word_of_the_answer() {
    for case in cases() {
        let mut body = case.body.clone();
        // Put a canary into every text of the answer.
        salt(&mut body);
        let body = serde_json::to_vec(&body).unwrap();
        let error = classify(case.operation, case.status, &HeaderMap::new(), &body);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary 7f3a"), "{}: {shown}", case.source);
        assert!(!shown.contains("acme-manufacturing"), "{}: {shown}", case.source);
    }
}

fn salt(value: &mut Value) {
    match value {
        Value::String(text) => text.push_str(" canary 7f3a"),
        Value::Array(items) => items.iter_mut().for_each(salt),
        Value::Object(fields) => fields.values_mut().for_each(salt),
        _ => {}
    }
}

#[test]
fn a_damaged_answer_never_ends_a_grant() {
    for case in cases() {
        let whole = serde_json::to_vec(&case.body).unwrap();
        let mut damaged: Vec<(String, Vec<u8>)> = (0..whole.len())
            .step_by(7)
            .map(|cut| (format!("cut at {cut}"), whole[..cut].to_vec()))
            .collect();
        damaged.push((
            "html".into(),
            b"<!DOCTYPE html><title>Error 502 (Server Error)</title>".to_vec(),
        ));
        for field in ["code", "message", "errors", "status", "details"] {
            let mut body = case.body.clone();
            if let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) {
                error.remove(field);
            }
            damaged.push((format!("without {field}"), serde_json::to_vec(&body).unwrap()));
        }
        for (how, body) in damaged {
            let mut html = HeaderMap::new();
            html.insert("content-type", HeaderValue::from_static("text/html"));
            for headers in [HeaderMap::new(), html] {
                let error = classify(case.operation, case.status, &headers, &body);
                let ends = error.oauth().is_some_and(|oauth| oauth.ends_grant());
                assert!(!ends, "{} {how}: {error:?}", case.source);
                let was_passing = matches!(case.status, 429 | 500..=599);
                assert!(
                    !was_passing || error.retry() != Retry::Never,
                    "{} {how}: a passing failure became final: {error:?}",
                    case.source
                );
                assert_ne!(
                    (error.code(), how.starts_with("cut")),
                    ("cursor_expired", true),
                    "{} {how}: half an answer must not cost a full sync",
                    case.source
                );
            }
        }
    }
}

#[test]
fn the_time_in_the_text_or_header_is_believed_within_a_day() {
    let until = |message: &str, header: Option<&'static str>| {
        let body = serde_json::to_vec(&envelope(429, "usageLimits", "rateLimitExceeded", message, None)).unwrap();
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert("retry-after", HeaderValue::from_static(header));
        }
        match classify("gmail.messages.get", 429, &headers, &body).kind() {
            ErrorKind::Throttled { until, .. } => until.map(|until| until.to_string()),
            other => panic!("{other:?}"),
        }
    };
    let text = |time: &str| format!("User-rate limit exceeded.  Retry after {time}");
    let some = |time: &str| Some(time.to_owned());

    assert_eq!(
        until(&text("2026-03-10T17:41:45.544Z"), None),
        some("2026-03-10T17:41:45.544Z")
    );
    assert_eq!(
        until(&text("2026-03-10T17:41:45Z (Mail sending)"), None),
        some("2026-03-10T17:41:45Z")
    );
    assert_eq!(until(&text("2026-03-10T17:00:00Z"), None), None, "in the past");
    assert_eq!(
        until(&text("2027-03-10T17:41:45Z"), None),
        some("2026-03-11T17:40:00Z"),
        "clamped"
    );
    assert_eq!(until(&text("soon"), None), None);
    assert_eq!(until("Quota exceeded", Some("30")), some("2026-03-10T17:40:30Z"));
    assert_eq!(until("Quota exceeded", Some("-30")), None);
    assert_eq!(
        until("Quota exceeded", Some("99999999999999999999")),
        some("2026-03-11T17:40:00Z")
    );
    assert_eq!(
        until(&text("2026-03-10T17:41:45Z"), Some("30")),
        some("2026-03-10T17:41:45Z"),
        "the later one counts"
    );
}

#[test]
fn a_missing_scope_is_named_by_the_narrowest_that_would_do() {
    let body = envelope(
        403,
        "global",
        "insufficientPermissions",
        "Insufficient Permission",
        None,
    );
    let body = serde_json::to_vec(&body).unwrap();
    let table = [
        ("gmail.messages.modify", "gmail.modify"),
        ("gmail.messages.send", "gmail.send"),
        ("gmail.drafts.create", "gmail.compose"),
        ("gmail.history.list", "gmail.readonly"),
    ];
    for (operation, scope) in table {
        let error = classify(operation, 403, &HeaderMap::new(), &body);
        assert!(
            error
                .to_string()
                .ends_with(&format!("{scope} (HTTP 403, insufficientPermissions)")),
            "{error}"
        );
    }
    let mut challenge = HeaderMap::new();
    challenge.insert(
        "www-authenticate",
        HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\", error=\"insufficient_scope\""),
    );
    let error = classify("gmail.messages.get", 401, &challenge, b"{}");
    assert_eq!(error.code(), "oauth.insufficient_privileges");
}
