//! Expectations are the rows of `business-central.md`, section 6, and the notes of section 7. Bodies are cases of our own
//! with the documented codes and sentences.

use atlas_connectors::Timestamp;
use atlas_connectors::error::{Effect, ProviderCode};
use http::{HeaderValue, StatusCode};

use super::*;

const ID: &str = "0e82377d-b2af-437d-be1d-71c99ea29421";

fn failed(operation: &'static str, status: u16, body: &str) -> Error {
    with_headers(operation, status, body, &HeaderMap::new())
}

fn with_headers(operation: &'static str, status: u16, body: &str, headers: &HeaderMap) -> Error {
    let status = StatusCode::from_u16(status).unwrap();
    let now = Timestamp::from_unix_seconds(1_800_000_000);
    BusinessCentralErrors.classify(&Failure::new(operation, status, headers, body.as_bytes(), now))
}

fn body(code: &str, text: &str) -> String {
    serde_json::json!({"error": {"code": code, "message": format!("{text}  CorrelationId:  {ID}.")}}).to_string()
}

fn context(error: &Error, key: &str) -> Option<String> {
    error
        .context()
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.to_owned())
}

#[test]
fn each_row_of_the_table() {
    use operation::{ACTION, BATCH, COMPANIES, CREATE, READ, UPDATE};
    let validation = [
        "Application_DialogException",
        "Application_FieldValidationException",
        "Internal_InvalidTableRelation",
        "Application_StringExceededLength",
        "Application_EvaluateException",
        "Application_InvalidGUID",
        "Application_FilterErrorException",
        "BadRequest_RequiredParamNotProvided",
        "BadRequest_InvalidOperation",
        "BadRequest",
        "Unknown",
        "BadRequest_InvalidRequestUrl",
        "Internal_ServerError",
    ];
    for code in validation {
        assert_eq!(failed(CREATE, 400, &body(code, "No.")).code(), "rejected", "{code}");
    }
    for (operation, status, code, text, expected) in [
        (
            READ,
            401,
            "Authentication_InvalidCredentials",
            "Not authorized.",
            "oauth.insufficient_privileges",
        ),
        (
            READ,
            403,
            "Internal_ServerError",
            "Sorry. (TableData 36 Sales Header Modify: Base Application)",
            "permission_denied",
        ),
        (READ, 403, "Authorization_RequestDenied", "No.", "permission_denied"),
        (
            READ,
            404,
            "BadRequest_ResourceNotFound",
            "Resource not found for the segment 'trucks'",
            "service_missing",
        ),
        (
            READ,
            404,
            "BadRequest_NotFound",
            "Bad Request - Error in query syntax",
            "service_missing",
        ),
        (
            COMPANIES,
            404,
            "NoEnvironment",
            "Environment does not exist.",
            "invalid",
        ),
        (READ, 404, "Internal_CompanyNotFound", "Cannot find company.", "invalid"),
        (
            READ,
            404,
            "Internal_RecordNotFound",
            "The record does not exist.",
            "not_found",
        ),
        (
            READ,
            404,
            "Internal_DataNotFoundFilter",
            "Nothing within the filter.",
            "not_found",
        ),
        (
            UPDATE,
            400,
            "BadRequest_InvalidToken",
            "Could not validate the token.",
            "rejected",
        ),
        (
            UPDATE,
            409,
            "Request_EntityChanged",
            "Another user has already changed the record.",
            "conflict",
        ),
        (
            UPDATE,
            412,
            "Request_EntityChanged",
            "Another user has already changed the record.",
            "conflict",
        ),
        (UPDATE, 412, "", "", "conflict"),
        (UPDATE, 409, "Unknown", "A transient conflict.", "conflict"),
        (
            CREATE,
            400,
            "Internal_EntityWithSameKeyExists",
            "It already exists.",
            "conflict",
        ),
        (
            CREATE,
            409,
            "Internal_EntityWithSameKeyExists",
            "It already exists.",
            "conflict",
        ),
        (
            ACTION,
            400,
            "Application_CallbackNotAllowed",
            "Callback.",
            "needs_interaction",
        ),
        (
            CREATE,
            405,
            "BadRequest_MethodNotAllowed",
            "'POST' requests are not allowed.",
            "unsupported",
        ),
        (
            CREATE,
            501,
            "BadRequest_MethodNotImplemented",
            "Not implemented.",
            "unsupported",
        ),
        (COMPANIES, 405, "", "", "service_missing"),
        (READ, 500, "Internal_TenantUnavailable", "Unavailable.", "transient"),
        (READ, 503, "Internal_ServerError", "Unavailable.", "transient"),
        (
            READ,
            429,
            "Application_TooManyRequests",
            "Too many requests reached. Actual (101). Maximum (100).",
            "throttled.request",
        ),
        (READ, 429, "", "", "throttled.account"),
        (READ, 408, "", "", "deadline_exceeded"),
        (READ, 504, "", "", "deadline_exceeded"),
        (READ, 413, "", "", "rejected"),
        (
            BATCH,
            500,
            "unverified",
            "maximum number of '100' query operations allowed",
            "rejected",
        ),
        (
            READ,
            400,
            "BadRequest_MethodNotImplemented",
            "The 'OR' operator is not supported on distinct fields.",
            "unsupported",
        ),
        (
            READ,
            400,
            "Application_DialogException",
            "You must run the data upgrade for this API page before using it.",
            "service_missing",
        ),
        (
            READ,
            400,
            "Application_DialogException",
            "You must specify an Id or a Document Id to get the lines.",
            "unsupported",
        ),
    ] {
        let error = failed(operation, status, &body(code, text));
        assert_eq!(error.code(), expected, "{status} {code}");
        assert_eq!(error.status(), Some(status));
        assert_eq!(context(&error, "provider_correlation").as_deref(), Some(ID));
    }
}

#[test]
fn a_403_keeps_table_right_and_app_whatever_its_code_says() {
    let error = failed(
        operation::UPDATE,
        403,
        &body(
            "Internal_ServerError",
            "Sorry, the current permissions prevented the action. (TableData 36 Sales Header Modify: Base Application)",
        ),
    );
    assert_eq!(
        *error.kind(),
        ErrorKind::PermissionDenied {
            object: "Sales Header".to_owned(),
            verb: "update"
        }
    );
    assert_eq!(
        error.provider_code().map(ProviderCode::as_str),
        Some("Internal_ServerError")
    );
    for (key, value) in [
        ("table", "Sales Header"),
        ("right", "Modify"),
        ("app", "Base Application"),
    ] {
        assert_eq!(context(&error, key).as_deref(), Some(value));
    }
}

#[test]
fn the_correlation_id_leaves_the_text_in_both_spellings() {
    for (text, kept) in [
        (format!("Kept words.  CorrelationId:  {ID}."), "Kept words."),
        (format!("Kept words CorrelationId: {ID}."), "Kept words"),
        ("No correlation here".to_owned(), "No correlation here"),
        ("CorrelationId: <script>".to_owned(), "CorrelationId: <script>"),
    ] {
        let body = serde_json::json!({"error": {"code": "Unknown", "message": text}}).to_string();
        let error = failed(operation::CREATE, 400, &body);
        assert_eq!(error.messages()[0].text.reveal(), kept);
        assert!(!format!("{error:?} {error}").contains(kept));
    }
    let mut headers = HeaderMap::new();
    headers.insert("ms-correlation-x", HeaderValue::from_static(ID));
    let error = with_headers(operation::READ, 503, "<html>busy</html>", &headers);
    assert_eq!(context(&error, "provider_correlation").as_deref(), Some(ID));
}

#[test]
fn a_time_to_come_back_counts_on_502_and_503_only() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", HeaderValue::from_static("7"));
    for (status, named) in [(502, true), (503, true), (429, false), (500, false), (504, false)] {
        let error = with_headers(operation::READ, status, "", &headers);
        assert_eq!(matches!(error.retry(), Retry::At(_)), named, "{status}");
    }
    assert_eq!(with_headers(operation::READ, 504, "", &headers).retry(), Retry::Never);
}

#[test]
fn gateways_are_judged_by_status() {
    let page = "<html><body><h2>Our services aren't available right now</h2></body></html>";
    for (status, expected) in [
        (400, "rejected"),
        (401, "oauth.transient"),
        (403, "permission_denied"),
        (404, "service_missing"),
        (500, "transient"),
        (502, "transient"),
        (503, "transient"),
        (418, "transient"),
    ] {
        let error = failed(operation::READ, status, page);
        assert_eq!(error.code(), expected, "{status}");
        assert!(error.messages().is_empty());
    }
}

#[test]
fn a_refused_field_is_named_when_the_text_quotes_it() {
    let error = failed(
        operation::CREATE,
        400,
        &body(
            "Application_DialogException",
            "A \"customerNumber\" or a \"customerId\" must be provided.",
        ),
    );
    let expected = FieldFault {
        field: "customerNumber".to_owned(),
        code: "Application_DialogException".to_owned(),
    };
    assert_eq!(*error.kind(), ErrorKind::Rejected { fields: vec![expected] });
    assert_eq!(quoted_field("The \"No. Series\" and \"sequence\""), Some("sequence"));
    assert_eq!(quoted_field("an open \"quote"), None);
}

#[test]
fn only_the_service_s_own_word_proves_that_nothing_happened() {
    let headers = HeaderMap::new();
    let now = Timestamp::UNIX_EPOCH;
    for (status, text, proven) in [
        (501, body("BadRequest_MethodNotImplemented", "No."), true),
        (500, body("Internal_ServerError", "An internal error occurred."), false),
        (503, "<html></html>".to_owned(), false),
        (504, String::new(), false),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let failure = Failure::new(operation::CREATE, status, &headers, text.as_bytes(), now);
        assert_eq!(BusinessCentralErrors.proves_refusal(&failure), proven, "{status}");
        assert_eq!(BusinessCentralErrors.classify(&failure).effect(), Effect::None);
    }
}
