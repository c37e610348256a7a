//! Metadata documents: any bytes give a schema or a typed error, and any schema gives a model whose entities can be asked for.
#![no_main]

use atlas_connectors::erp::Query;
use atlas_connectors_erp::odata::metadata::Schema;
use atlas_connectors_erp::odata::{CatalogSettings, Dialect, Model, ODataQuery, Version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let Ok(schema) = Schema::parse(document) else { return };
    let model = Model::new(&schema, &CatalogSettings::sap("fuzz"));
    let dialect = match model.version() {
        Version::V2 => Dialect::sap_v2(),
        _ => Dialect::sap_v4(),
    };
    for entity in model.entities() {
        let mut query = Query::of(entity.name.clone()).select(entity.key.iter().cloned());
        for field in &entity.fields {
            if field.relation.is_some() {
                query = query.expand(field.name.as_str());
            }
        }
        let _ = ODataQuery::compile(&dialect, &model, &query);
    }
});
