//! Requests as they leave, in both protocols, and answers of every kind: no server, no async.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

use atlas_connectors::Timestamp;
use atlas_connectors::error::Effect;
use atlas_connectors::http::{Auth, CallClass, Classify, Failure, Response};
use atlas_connectors_erp::odoo::OdooErrors;
use atlas_connectors_erp::odoo::wire::{
    Answer, CallContext, Endpoint, Fault, Json, Method, ModelCall, Protocol, Secret, authenticate, version_by_rpc,
    version_by_web, version_of_web,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;

fn at() -> Endpoint {
    Endpoint::new("https://odoo.test/erp", "bench19").unwrap()
}

fn key() -> Secret {
    Secret::Key("k-1".into())
}

fn body(call: &ModelCall, protocol: Protocol) -> String {
    let call = call.build(&at(), protocol, 9, &key()).unwrap();
    String::from_utf8(call.request.body().to_vec()).unwrap()
}

/// Model, method and body in both protocols.
fn sale(method: Method) -> ModelCall {
    ModelCall::new("sale.order", method).within(CallContext::of_company(1))
}

#[test]
fn json2_names_its_arguments_and_carries_the_key_in_a_header() {
    let call = sale(Method::Write)
        .on(&[25])
        .with("vals", Json::object([("client_order_ref", Json::text("PO-1"))]));
    let call = call.build(&at(), Protocol::Json2, 9, &key()).unwrap();
    let request = &call.request;
    assert_eq!(request.uri().path(), "/erp/json/2/sale.order/write");
    assert_eq!(request.headers()["x-odoo-database"], "bench19");
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(request.headers()["authorization"], "bearer k-1");
    assert!(request.headers()["authorization"].is_sensitive());
    assert!(request.headers().get("cookie").is_none());
    assert_eq!((call.class, call.auth), (CallClass::Effect, Auth::InRequest));
    let expected = concat!(
        r#"{"ids":[25],"context":{"lang":"en_US","tz":"UTC","allowed_company_ids":[1]},"#,
        r#""vals":{"client_order_ref":"PO-1"}}"#
    );
    assert_eq!(request.body(), expected);
    assert!(!format!("{call:?} {:?}", key()).contains("k-1"));
}

#[test]
fn json_rpc_goes_by_position_where_names_have_changed() {
    let domain = Json::List(Vec::from([Json::List(Vec::from([
        Json::text("id"),
        Json::text(">"),
        Json::int(7),
    ]))]));
    let search = sale(Method::SearchRead)
        .with("domain", domain)
        .with("fields", Json::texts(["name"]));
    let expected = concat!(
        r#"{"jsonrpc":"2.0","method":"call","id":1,"params":{"service":"object","method":"execute_kw","args":["#,
        r#""bench19",9,"k-1","sale.order","search_read",[[["id",">",7]]],"#,
        r#"{"fields":["name"],"context":{"lang":"en_US","tz":"UTC","allowed_company_ids":[1]}}]}}"#
    );
    assert_eq!(body(&search, Protocol::JsonRpc), expected);
    let create = sale(Method::Create).with(
        "vals_list",
        Json::List(Vec::from([Json::object([("a", Json::int(1))])])),
    );
    assert!(body(&create, Protocol::JsonRpc).contains(r#""create",[[{"a":1}]],{"context""#));
    let unlink = sale(Method::Unlink).on(&[1, 2]);
    assert!(body(&unlink, Protocol::JsonRpc).contains(r#""unlink",[[1,2]],{"context""#));
    let login = authenticate(&at(), "bot", &Secret::Password("p-1".into())).unwrap();
    let expected = r#""service":"common","method":"authenticate","args":["bench19","bot","p-1",{}]"#;
    assert!(String::from_utf8_lossy(login.request.body()).contains(expected));
    assert_eq!(login.request.uri().path(), "/erp/jsonrpc");
    assert!(!format!("{login:?}").contains("p-1"));
}

#[test]
fn probes_carry_no_secret() {
    let by_web = version_by_web(&at()).unwrap();
    assert_eq!(
        (by_web.request.uri().path(), by_web.auth),
        ("/erp/web/version", Auth::None)
    );
    assert_eq!(version_by_rpc(&at()).unwrap().auth, Auth::None);
    let answer =
        |body: &'static str| Response::new(StatusCode::OK, HeaderMap::new(), Bytes::from_static(body.as_bytes()));
    assert!(version_of_web(&answer("<html>Log in</html>")).is_none());
    let online = r#"{"version":"saas~18.3+e","version_info":["saas~18",3,0,"final",0,"e"]}"#;
    assert_eq!(version_of_web(&answer(online)).unwrap().to_string(), "18.3");
}

#[test]
fn what_odoo_would_carry_out_in_silence_is_refused() {
    let write = || sale(Method::Write).with("vals", Json::Object(Vec::new()));
    for call in [
        write(),
        write().on(&[]),
        write().on(&[0]),
        write().on(&[-1]),
        sale(Method::Search).on(&[1]).with("domain", Json::List(Vec::new())),
        sale(Method::Action("_compute".into())).on(&[1]),
        sale(Method::Action("action/confirm".into())).on(&[1]),
        ModelCall::new("sale.order/../x", Method::ContextGet),
        ModelCall::new("", Method::ContextGet),
        sale(Method::Read).on(&[1]).with("nosuch", Json::Null),
    ] {
        for protocol in [Protocol::Json2, Protocol::JsonRpc] {
            assert_eq!(
                call.build(&at(), protocol, 9, &key()).unwrap_err().code(),
                "invalid",
                "{call:?}"
            );
        }
    }
    // A password is no key.
    let read = sale(Method::Read).on(&[1]);
    let password = Secret::Password("p".into());
    assert_eq!(
        read.build(&at(), Protocol::Json2, 9, &password).unwrap_err().code(),
        "invalid"
    );
    assert!(read.build(&at(), Protocol::JsonRpc, 9, &password).is_ok());
    // Asking a right on the model is meant without records.
    let access = sale(Method::HasAccess).on(&[]).with("operation", Json::text("read"));
    assert!(body(&access, Protocol::Json2).starts_with(r#"{"ids":[],"#));
}

#[test]
fn a_missing_result_is_null_and_an_id_of_null_is_no_matter() {
    let open = |protocol, body: &'static str| {
        let response = Response::new(StatusCode::OK, HeaderMap::new(), Bytes::from_static(body.as_bytes()));
        Answer::open(protocol, "odoo.action", CallClass::Effect, &response)
    };
    let none = open(Protocol::JsonRpc, r#"{"jsonrpc":"2.0","id":1}"#).unwrap();
    assert_eq!((none.bytes(), none.value().unwrap()), (&b"null"[..], Json::Null));
    let some = open(Protocol::JsonRpc, r#"{"id":null,"result":[7, 8]}"#).unwrap();
    assert_eq!(some.value().unwrap().as_ids(), Some(vec![7, 8]));
    assert_eq!(open(Protocol::Json2, "null").unwrap().value().unwrap(), Json::Null);
    let early = r#"{"jsonrpc":"2.0","id":null,"error":{"code":200,"message":"Odoo Server Error","data":{"name":"odoo.exceptions.UserError","message":"no"}}}"#;
    let error = open(Protocol::JsonRpc, early).unwrap_err();
    assert_eq!((error.code(), error.effect()), ("rejected", Effect::None));
    // Accepted, and the answer cannot be read: it happened.
    let lost = open(Protocol::JsonRpc, "<html>").unwrap_err();
    assert_eq!((lost.code(), lost.effect()), ("bad_payload.type", Effect::Happened));
}

#[test]
fn only_odoos_own_words_prove_that_nothing_happened() {
    let headers = HeaderMap::new();
    let proves = |status: u16, body: &str| {
        let status = StatusCode::from_u16(status).unwrap();
        let failure = Failure::new("odoo.write", status, &headers, body.as_bytes(), Timestamp::UNIX_EPOCH);
        OdooErrors.proves_refusal(&failure)
    };
    let own = r#"{"name":"builtins.ValueError","message":"x","arguments":["x"],"context":{},"debug":"…"}"#;
    assert!(proves(500, own));
    assert!(!proves(502, own));
    assert!(!proves(500, r#"{"status":"error"}"#));
    assert!(!proves(500, "<html>"));
    let lock = Failure::new(
        "odoo.write",
        StatusCode::CONFLICT,
        &headers,
        br#"{"name":"odoo.exceptions.LockError","message":"x"}"#,
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(OdooErrors.classify(&lock).code(), "locked");
    let throttled = Failure::new(
        "odoo.read",
        StatusCode::TOO_MANY_REQUESTS,
        &headers,
        b"<html>",
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(OdooErrors.classify(&throttled).code(), "throttled.account");
    let serialization = br#"{"name":"psycopg2.errors.SerializationFailure","message":"could not serialize access"}"#;
    let conflict = Failure::new(
        "odoo.write",
        StatusCode::INTERNAL_SERVER_ERROR,
        &headers,
        serialization,
        Timestamp::UNIX_EPOCH,
    );
    assert_eq!(OdooErrors.classify(&conflict).code(), "locked");
}

#[test]
fn a_foreign_key_broken_on_create_is_not_shown_as_a_deletion() {
    let text = "The operation cannot be completed: another model requires the record being deleted. If possible, archive it instead.";
    let body = Json::object([
        ("name", Json::text("odoo.exceptions.ValidationError")),
        ("message", Json::text(text)),
    ])
    .to_text();
    let headers = HeaderMap::new();
    let messages = |operation| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let failure = Failure::new(operation, status, &headers, body.as_bytes(), Timestamp::UNIX_EPOCH);
        OdooErrors.classify(&failure).messages().len()
    };
    assert_eq!((messages("odoo.create"), messages("odoo.unlink")), (0, 1));
}

proptest! {
    #[test]
    fn nothing_panics_on_what_comes_in(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        total(status, &body);
    }

    #[test]
    fn nothing_panics_on_odd_faults(name in "[a-z.0-9A-Z]{0,40}", message in "\\PC{0,80}", code in -5i64..500) {
        let inner = Json::object([("name", Json::text(name)), ("message", Json::text(message))]);
        total(500, inner.to_text().as_bytes());
        let error = Json::object([("code", Json::int(code)), ("data", inner)]);
        total(200, Json::object([("error", error)]).to_text().as_bytes());
    }
}

fn total(status: u16, body: &[u8]) {
    let headers = HeaderMap::new();
    let status = StatusCode::from_u16(status).unwrap();
    let failure = Failure::new("odoo.write", status, &headers, body, Timestamp::UNIX_EPOCH);
    let error = OdooErrors.classify(&failure);
    assert!(!error.code().is_empty());
    let _ = (OdooErrors.proves_refusal(&failure), Fault::read(body));
    let response = Response::new(status, headers.clone(), Bytes::copy_from_slice(body));
    for protocol in [Protocol::Json2, Protocol::JsonRpc] {
        if let Ok(answer) = Answer::open(protocol, "odoo.write", CallClass::Effect, &response) {
            let _ = answer.value();
        }
    }
}
