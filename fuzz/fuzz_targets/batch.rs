//! Batch answers: any bytes give each part a fate, or a typed error. The first byte chooses the kind of answer.
#![no_main]

use std::sync::LazyLock;

use atlas_connectors_erp::odata::batch::{BatchPart, BatchPlan};
use bytes::Bytes;
use http::Method;
use libfuzzer_sys::fuzz_target;

static PLAN: LazyLock<BatchPlan> = LazyLock::new(|| {
    let part = || BatchPart::new(Method::POST, "A").map(|part| part.with_json("{}"));
    let plan = BatchPlan::new();
    match (part(), part(), part()) {
        (Ok(one), Ok(two), Ok(three)) => plan.with_set(vec![one, two]).with(three),
        _ => plan,
    }
});

fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = data.split_first() else { return };
    let body = Bytes::copy_from_slice(body);
    let kind = match kind {
        b'{' => "application/json",
        _ => "multipart/mixed; boundary=b",
    };
    for results in [PLAN.read(kind, &body), PLAN.read_as_one(kind, &body)].into_iter().flatten() {
        assert_eq!(results.len(), PLAN.parts());
    }
});
