//! Answers of an Odoo over both protocols: any bytes give an answer or an error, of which nothing but codes is in `Debug`.
#![no_main]

use atlas_connectors::Timestamp;
use atlas_connectors::http::{CallClass, Classify as _, Failure, Response};
use atlas_connectors_erp::odoo::OdooErrors;
use atlas_connectors_erp::odoo::wire::{Answer, Fault, Protocol};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let headers = HeaderMap::new();
    for status in [400_u16, 401, 403, 404, 409, 413, 422, 500, 503] {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let failure = Failure::new("odoo.read", status, &headers, body, Timestamp::UNIX_EPOCH);
        let error = OdooErrors.classify(&failure);
        let _ = (OdooErrors.proves_refusal(&failure), format!("{error} {error:?}"));
    }
    let _ = Fault::read(body);
    let response = Response::new(StatusCode::OK, headers, Bytes::copy_from_slice(body));
    for protocol in [Protocol::JsonRpc, Protocol::Json2] {
        for class in [CallClass::Read, CallClass::Effect] {
            if let Ok(answer) = Answer::open(protocol, "odoo.read", class, &response) {
                let _ = answer.value();
            }
        }
    }
});
