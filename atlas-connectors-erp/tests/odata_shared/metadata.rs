//! Metadata documents.

use std::path::Path;

use atlas_connectors::erp::{FieldKind, Verbs};
use atlas_connectors_erp::odata::metadata::{Edm, Schema, TypeRef};
use atlas_connectors_erp::odata::{CatalogSettings, Model, Version};

use super::{Case, case};

/// Document, version; entity sets, entity types, their properties and navigations, enum types, complex types, operations.
const COUNTS: [(&str, Version, [usize; 7]); 16] = [
    (
        "sap/edmx/API_BUSINESS_PARTNER.xml",
        Version::V2,
        [52, 52, 981, 58, 0, 0, 0],
    ),
    (
        "sap/edmx/API_MATERIAL_STOCK_SRV.xml",
        Version::V2,
        [3, 3, 30, 4, 0, 0, 0],
    ),
    ("sap/edmx/API_PRODUCT_SRV.xml", Version::V2, [32, 32, 493, 32, 0, 0, 0]),
    (
        "sap/edmx/API_PURCHASEORDER_PROCESS_SRV.xml",
        Version::V2,
        [8, 8, 278, 8, 0, 0, 0],
    ),
    (
        "sap/edmx/API_SALES_ORDER_SRV.2020.xml",
        Version::V2,
        [11, 11, 319, 21, 0, 1, 2],
    ),
    (
        "sap/edmx/API_SALES_ORDER_SRV.xml",
        Version::V2,
        [22, 22, 566, 54, 0, 1, 2],
    ),
    (
        "sap/edmx/CE_PURCHASEORDER_0001.xml",
        Version::V4,
        [13, 13, 615, 34, 0, 2, 1],
    ),
    (
        "sap/edmx/CE_SALESORDER_0001.xml",
        Version::V4,
        [13, 13, 320, 29, 0, 1, 0],
    ),
    (
        "sap/edmx/YY1_EMPLOYEE_CUSTOMER_INFO_CDS.xml",
        Version::V2,
        [1, 1, 31, 0, 0, 0, 1],
    ),
    (
        "sap/edmx/YY1_SALESVCDATA_2_CDS_0001.xml",
        Version::V2,
        [1, 1, 203, 0, 0, 0, 1],
    ),
    ("sap/edmx/YY1_SUPPLIER_LFA1_CDS.xml", Version::V2, [1, 1, 3, 0, 0, 0, 0]),
    ("bc/metadata-v2.xml", Version::V4, [87, 87, 1357, 338, 34, 4, 21]),
    (
        "sap/cap-v2/API_SALES_ORDER_SRV.metadata.xml",
        Version::V2,
        [22, 22, 566, 54, 0, 1, 2],
    ),
    (
        "sap/cap-v2/Z_ATLAS_TYPES_SRV.metadata.xml",
        Version::V2,
        [4, 4, 48, 6, 0, 2, 11],
    ),
    (
        "sap/cap-v4/CE_SALESORDER_0001.metadata.xml",
        Version::V4,
        [13, 13, 320, 28, 0, 1, 0],
    ),
    (
        "sap/cap-v4/Z_ATLAS_TYPES_SRV.metadata.xml",
        Version::V4,
        [3, 4, 47, 6, 0, 2, 11],
    ),
];

const V2_A2X: [&str; 6] = [
    "sap/edmx/API_BUSINESS_PARTNER.xml",
    "sap/edmx/API_MATERIAL_STOCK_SRV.xml",
    "sap/edmx/API_PRODUCT_SRV.xml",
    "sap/edmx/API_PURCHASEORDER_PROCESS_SRV.xml",
    "sap/edmx/API_SALES_ORDER_SRV.xml",
    "sap/edmx/API_SALES_ORDER_SRV.2020.xml",
];

pub(crate) fn schema(folder: &Path, name: &str) -> Schema {
    let document = std::fs::read(folder.join(name)).unwrap();
    Schema::parse(&document).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn sap(folder: &Path, name: &str) -> Model {
    Model::new(&schema(folder, name), &CatalogSettings::sap("test"))
}

pub(crate) fn business_central(folder: &Path) -> Model {
    Model::new(
        &schema(folder, "bc/metadata-v2.xml"),
        &CatalogSettings::business_central(),
    )
}

pub(crate) fn cases() -> Vec<Case> {
    let mut out: Vec<Case> = COUNTS
        .into_iter()
        .map(|(name, version, counts)| {
            case(format!("metadata::{name}"), move |folder| {
                counted(folder, name, version, counts)
            })
        })
        .collect();
    out.push(case("metadata::no_document_is_left_out", no_document_is_left_out));
    out.push(case("metadata::sap_attributes", sap_attributes));
    out.push(case("metadata::sap_annotations", sap_annotations));
    out.push(case("metadata::sap_drift_of_five_years", sap_drift));
    out.push(case("metadata::business_central", business_central_facts));
    out.push(case("metadata::cuts_of_the_largest", cuts));
    out
}

fn counted(folder: &Path, name: &str, version: Version, counts: [usize; 7]) {
    let schema = schema(folder, name);
    assert_eq!(schema.version, version);
    let types = &schema.entity_types;
    let found = [
        schema.entity_sets.len(),
        types.len(),
        types.iter().map(|ty| ty.properties.len()).sum(),
        types.iter().map(|ty| ty.navigations.len()).sum(),
        schema.enum_types.len(),
        schema.complex_types.len(),
        schema.operations.len(),
    ];
    assert_eq!(found, counts);
    for ty in types {
        assert!(!schema.key(ty).is_empty(), "{} has a key", ty.name);
        for part in schema.key(ty) {
            assert!(
                schema.properties(ty).any(|property| property.name == *part),
                "{}: {part}",
                ty.name
            );
        }
        for navigation in &ty.navigations {
            assert!(
                schema.entity_type(&navigation.target).is_some(),
                "{}.{}",
                ty.name,
                navigation.name
            );
        }
        for property in &ty.properties {
            assert!(
                !matches!(property.ty, TypeRef::Edm(Edm::Other)),
                "{}.{}",
                ty.name,
                property.name
            );
        }
    }
    for set in &schema.entity_sets {
        assert!(schema.entity_type(&set.entity_type).is_some(), "{}", set.name);
        for (_, target) in &set.bindings {
            assert!(schema.entity_set(target).is_some(), "{} → {target}", set.name);
        }
    }
}

fn no_document_is_left_out(folder: &Path) {
    for entry in std::fs::read_dir(folder.join("sap/edmx")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let listed = COUNTS.iter().any(|(known, ..)| *known == format!("sap/edmx/{name}"));
        assert!(listed || !name.ends_with(".xml"), "{name}");
    }
}

/// `sap-odata.md`, sections 6, 7, 10, 13 and 17.
fn sap_attributes(folder: &Path) {
    let upper: usize = V2_A2X
        .iter()
        .map(|name| properties(&schema(folder, name), |property| property.upper_case))
        .sum();
    assert_eq!(upper, 1500);
    let sales = schema(folder, "sap/edmx/API_SALES_ORDER_SRV.xml");
    assert_eq!(properties(&sales, |property| !property.filterable), 13);
    assert_eq!(properties(&sales, |property| !property.sortable), 13);
    // 253 marks: 54 of them on association sets, which nobody writes to.
    let sets = sales
        .entity_sets
        .iter()
        .filter(|set| set.restrictions.insertable == Some(false))
        .count();
    assert_eq!(properties(&sales, |property| !property.creatable) + sets + 54, 253);
    assert_eq!(properties(&sales, |property| property.name.starts_with("YY1_")), 27);

    let stamped: Vec<_> = V2_A2X
        .iter()
        .map(|name| properties(&schema(folder, name), |property| property.concurrency))
        .collect();
    assert_eq!(stamped, [0, 0, 0, 0, 1, 1], "the sales order's header alone");
    let linked = |name: &str| {
        let schema = schema(folder, name);
        schema
            .entity_types
            .iter()
            .flat_map(|ty| &ty.navigations)
            .filter(|navigation| !navigation.constraints.is_empty())
            .count()
    };
    assert!(linked("sap/edmx/API_PURCHASEORDER_PROCESS_SRV.xml") > 0);
    assert_eq!(
        linked("sap/edmx/API_SALES_ORDER_SRV.xml"),
        0,
        "links without constraints"
    );

    let model = sap(folder, "sap/edmx/API_SALES_ORDER_SRV.xml");
    let order = model.entity("t", "A_SalesOrder").unwrap();
    assert_eq!(order.type_name(), "API_SALES_ORDER_SRV.A_SalesOrderType");
    let entity = order.entity();
    assert!(entity.etag && entity.verbs == Verbs::ALL);
    assert_eq!(entity.actions.len(), 2, "release and reject");
    assert!(entity.actions.iter().all(|action| action.bound));
    assert_eq!(
        entity.changed_at.as_ref().map(|name| name.as_str()),
        Some("LastChangeDateTime")
    );
    let created = entity.field("CreationDate").unwrap();
    assert_eq!((created.kind, created.read_only), (FieldKind::Date, true));
    let items = entity.field("to_Item").unwrap();
    assert_eq!(
        (items.kind, items.relation.as_ref().unwrap().as_str()),
        (FieldKind::Relations, "A_SalesOrderItem")
    );
    assert!(entity.field("YY1_ShipToParty_SDH").unwrap().custom);
    assert!(!model.entity("t", "A_SalesOrderItem").unwrap().entity().etag);
    let stock = sap(folder, "sap/edmx/API_MATERIAL_STOCK_SRV.xml");
    assert_eq!(stock.entity("t", "A_MatlStkInAcctMod").unwrap().entity().key.len(), 11);
}

/// `sap-odata.md`, sections 6, 7, 10 and 13.
fn sap_annotations(folder: &Path) {
    let both = ["sap/edmx/CE_SALESORDER_0001.xml", "sap/edmx/CE_PURCHASEORDER_0001.xml"];
    let digits: usize = both
        .iter()
        .map(|name| properties(&schema(folder, name), |property| property.digits))
        .sum();
    assert_eq!(digits, 71);
    for name in both {
        let schema = schema(folder, name);
        let listed = [
            "eq",
            "ne",
            "gt",
            "ge",
            "lt",
            "le",
            "and",
            "or",
            "contains",
            "startswith",
            "endswith",
            "any",
            "all",
        ];
        let found: Vec<_> = schema.filter_functions.iter().flatten().map(|word| &**word).collect();
        assert_eq!(found, listed);
        assert!(
            schema
                .entity_sets
                .iter()
                .all(|set| set.restrictions.searchable == Some(false)),
            "no set can be searched"
        );
    }
    let sales = schema(folder, both[0]);
    let order = &sales.entity_set("SalesOrder").unwrap().restrictions;
    assert_eq!(order.deletable, Some(false));
    assert_eq!(
        order.required_on_insert.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["SalesOrderType"]
    );
    assert_eq!(order.navigations.len(), 4);
    assert!(order.non_updatable.iter().any(|name| &**name == "_Item"));
    let item = &sales.entity_set("SalesOrderItem").unwrap().restrictions;
    assert_eq!(
        item.concurrency
            .iter()
            .flatten()
            .map(|path| &**path)
            .collect::<Vec<_>>(),
        ["_SalesOrder/LastChangeDateTime"]
    );

    let model = sap(folder, both[0]);
    let order = model.entity("t", "SalesOrder").unwrap();
    assert_eq!(
        order.type_name(),
        "com.sap.gateway.srvd_a2x.api_salesorder.v0001.SalesOrder_Type"
    );
    let entity = order.entity();
    assert!(!entity.verbs.delete && entity.verbs.create && entity.etag);
    assert!(order.has_own_etag() && !model.entity("t", "SalesOrderItem").unwrap().has_own_etag());
    assert!(entity.field("SalesOrderType").unwrap().required);
    assert!(entity.field("SAP__Messages").is_none());
    assert_ne!(entity.field("SoldToParty").unwrap().label, "SoldToParty");
    assert_eq!(
        model
            .entity("t", "SalesOrderItem")
            .unwrap()
            .entity()
            .field("NetAmount")
            .unwrap()
            .kind,
        FieldKind::Decimal
    );
}

/// `sap-odata.md`, section 17: the same service five years apart.
fn sap_drift(folder: &Path) {
    let old = sap(folder, "sap/edmx/API_SALES_ORDER_SRV.2020.xml");
    let new = sap(folder, "sap/edmx/API_SALES_ORDER_SRV.xml");
    let names = |model: &Model, set: &str| -> Vec<String> {
        let entity = model.entity("t", set).unwrap().entity();
        let own = entity
            .fields
            .iter()
            .filter(|field| !matches!(field.kind, FieldKind::Relation | FieldKind::Relations));
        own.map(|field| field.name.as_str().to_owned()).collect()
    };
    let differ = |set: &str| {
        let (old, new) = (names(&old, set), names(&new, set));
        let added = new.iter().filter(|name| !old.contains(name)).count();
        (added, old.iter().filter(|name| !new.contains(name)).count())
    };
    assert_eq!(differ("A_SalesOrder"), (18, 6));
    assert_eq!(differ("A_SalesOrderItem"), (56, 14));
}

/// `business-central.md`, section 3.
fn business_central_facts(folder: &Path) {
    let schema = schema(folder, "bc/metadata-v2.xml");
    assert!(
        schema
            .operations
            .iter()
            .all(|action| action.bound && action.parameters.len() == 1)
    );
    assert!(
        schema
            .entity_sets
            .iter()
            .all(|set| set.restrictions.change_tracking != Some(true))
    );
    let contained = schema
        .entity_types
        .iter()
        .flat_map(|ty| &ty.navigations)
        .filter(|navigation| navigation.contains);
    assert!(contained.count() > 300);

    let model = business_central(folder);
    let verbs = |create, update, delete| {
        let wanted = Verbs {
            read: true,
            create,
            update,
            delete,
        };
        model.entities().filter(|entity| entity.verbs == wanted).count()
    };
    // 51 fully writable; 32 read only, of which one carries no annotation at all.
    assert_eq!(verbs(true, true, true), 52);
    assert_eq!(
        (
            verbs(false, false, false),
            verbs(false, true, false),
            verbs(false, true, true)
        ),
        (31, 2, 2)
    );
    let order = model.entity("t", "salesOrders").unwrap();
    let entity = order.entity();
    assert_eq!(order.type_name(), "Microsoft.NAV.salesOrder");
    assert_eq!(entity.actions[0].name.as_str(), "Microsoft.NAV.shipAndInvoice");
    assert!(entity.action(&"ShipAndInvoice".into()).is_some());
    assert!(entity.etag);
    assert_eq!(
        entity.changed_at.as_ref().map(|name| name.as_str()),
        Some("lastModifiedDateTime")
    );
    assert_eq!(entity.field("id").unwrap().kind, FieldKind::Guid);
    let lines = entity.field("salesOrderLines").unwrap();
    assert_eq!(
        (lines.kind, lines.relation.as_ref().unwrap().as_str()),
        (FieldKind::Relations, "salesOrderLines")
    );
    let blocked = model
        .entity("t", "customers")
        .unwrap()
        .entity()
        .field("blocked")
        .unwrap();
    assert_eq!(blocked.kind, FieldKind::Enum);
    assert!(blocked.values.iter().any(|one| one.value == "_x0020_"));
    let external = entity.field("externalDocumentNumber").unwrap();
    assert_eq!(external.length, Some(35));
    let without_time = model.entities().filter(|entity| entity.changed_at.is_none()).count();
    assert!(without_time >= 28, "{without_time} sets without a time of change");
}

/// A document that breaks off anywhere ends in a typed error.
fn cuts(folder: &Path) {
    let document = std::fs::read(folder.join("sap/edmx/CE_PURCHASEORDER_0001.xml")).unwrap();
    for at in (0..document.trim_ascii_end().len()).step_by(4_001) {
        let error = Schema::parse(&document[..at]).unwrap_err();
        assert!(error.code().starts_with("bad_payload."), "{at}: {error}");
    }
}

fn properties(schema: &Schema, wanted: impl Fn(&atlas_connectors_erp::odata::metadata::Property) -> bool) -> usize {
    let types = schema.entity_types.iter().chain(&schema.complex_types);
    types
        .flat_map(|ty| &ty.properties)
        .filter(|property| wanted(property))
        .count()
}
