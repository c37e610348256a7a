//! Pages and single records, both versions: any bytes give records or a typed error.
#![no_main]

use std::sync::{Arc, LazyLock};

use atlas_connectors::erp::{Expand, Query};
use atlas_connectors_erp::odata::metadata::Schema;
use atlas_connectors_erp::odata::{CatalogSettings, Dialect, Model, ODataQuery, PageLimits, read_page, read_record};
use atlas_connectors_erp::rows::RowPlan;
use libfuzzer_sys::fuzz_target;

static PLANS: LazyLock<Vec<Arc<RowPlan>>> = LazyLock::new(|| {
    let v2 = include_bytes!("../../atlas-connectors-erp/src/odata/metadata/samples/v2.xml");
    let v4 = include_bytes!("../../atlas-connectors-erp/src/odata/metadata/samples/v4.xml");
    let plan = |document: &[u8], dialect: Dialect, set: &str, expand: Expand| {
        let model = Model::new(&Schema::parse(document).ok()?, &CatalogSettings::sap("fuzz"));
        Some(ODataQuery::compile(&dialect, &model, &Query::of(set).expand(expand)).ok()?.rows)
    };
    let items = Expand::of("to_Item").expand("to_Order");
    [
        plan(v2, Dialect::sap_v2(), "A_Order", items),
        plan(v4, Dialect::sap_v4(), "Order", Expand::of("_Item").expand("_Order")),
        plan(v4, Dialect::business_central(), "Order", Expand::of("_Item")),
    ]
    .into_iter()
    .flatten()
    .collect()
});

fuzz_target!(|body: &[u8]| {
    for plan in PLANS.iter() {
        let page = read_page("fuzz", plan, body, PageLimits::default());
        let record = read_record("fuzz", plan, body);
        let pages = [page.ok(), record.ok().flatten()];
        for record in pages.into_iter().flatten().flat_map(|page| page.records) {
            assert_eq!(record.fields().count(), plan.columns().names().len());
        }
    }
});
