//! Error bodies and message headers: any bytes give a failure, of which nothing but codes is in `Debug`.
#![no_main]

use atlas_connectors_erp::odata::{ODataFailure, header_messages, row_messages};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(body) {
        headers.insert("sap-message", value);
    }
    let alone = ODataFailure::read(None, body);
    let both = ODataFailure::of(&headers, body);
    for failure in [alone, both] {
        let _ = (failure.messages(), failure.fields(), format!("{failure:?}"));
    }
    let _ = header_messages(&headers);
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = row_messages(text);
    }
});
