use atlas_connectors::erp::{FieldKind, Verbs};

use super::*;
use crate::odata::metadata::Edm;

const V2: &str = include_str!("../metadata/samples/v2.xml");
const V4: &str = include_str!("../metadata/samples/v4.xml");

pub(in crate::odata) fn v2() -> Model {
    Model::new(&Schema::parse(V2.as_bytes()).unwrap(), &CatalogSettings::sap("API_X"))
}

pub(in crate::odata) fn v4() -> Model {
    Model::new(&Schema::parse(V4.as_bytes()).unwrap(), &CatalogSettings::sap("X"))
}

#[test]
fn v2_entities_have_verbs_flags_and_own_fields() {
    let model = v2();
    let names: Vec<_> = model.entities().map(|entity| entity.name.as_str().to_owned()).collect();
    assert_eq!(names, ["A_Order", "A_Item"]);
    let order = model.entity("t", "A_Order").unwrap();
    let entity = order.entity();
    assert_eq!(entity.label, "Order & more");
    assert!(entity.etag && order.has_own_etag());
    assert_eq!(
        entity.verbs,
        Verbs {
            read: true,
            create: true,
            update: true,
            delete: false
        }
    );
    assert_eq!(model.entity("t", "A_Item").unwrap().entity().verbs, Verbs::READ);
    let net = entity.field("Net").unwrap();
    assert_eq!(
        (net.kind, net.precision, net.scale),
        (FieldKind::Decimal, Some(16), Some(3))
    );
    assert!(net.read_only && !net.filterable && !net.sortable);
    assert!(entity.field("YY1_Own_SDH").unwrap().custom && !entity.field("Type").unwrap().custom);
    assert!(entity.field("Type").unwrap().upper_case);
    let (created, wire) = order.field("Created").unwrap();
    assert_eq!((created.kind, wire), (FieldKind::Date, &Wire::Day(Edm::DateTime)));
    let items = entity.field("to_Item").unwrap();
    assert_eq!(
        (items.kind, items.relation.as_ref().map(|name| name.as_str())),
        (FieldKind::Relations, Some("A_Item"))
    );
    assert!(items.create_only && !items.read_only && !items.filterable);
    assert_eq!(entity.actions.len(), 1);
    assert!(entity.actions[0].bound);
    assert_eq!(model.entity("t", "Nothing").unwrap_err().code(), "schema_mismatch");
}

#[test]
fn v4_entities_have_annotated_flags_enums_and_actions() {
    let model = v4();
    let order = model.entity("t", "Order").unwrap();
    let entity = order.entity();
    assert_eq!(entity.key.len(), 1);
    assert_eq!(
        order.key().next().map(|(field, wire)| (field.kind, wire.clone())),
        Some((FieldKind::Guid, Wire::Edm(Edm::Guid)))
    );
    let kind = entity.field("Kind").unwrap();
    assert!(kind.required && kind.create_only && !kind.nullable && kind.upper_case);
    let status = entity.field("Status").unwrap();
    assert_eq!(status.kind, FieldKind::Enum);
    let values: Vec<_> = status.values.iter().map(|one| one.value.as_str()).collect();
    assert_eq!(values, ["_x0020_", "In_x0020_Review"]);
    assert!(entity.field("ID").unwrap().read_only);
    assert_eq!(entity.field("Tags").unwrap().kind, FieldKind::Other);
    assert_eq!(entity.field("Photo").unwrap().kind, FieldKind::Stream);
    assert!(entity.etag);
    assert_eq!(entity.actions[0].name.as_str(), "com.x.v1.ship");
    assert_eq!(entity.actions[0].parameters.len(), 1);
    assert!(!entity.actions[0].parameters[0].required);
    assert_eq!(entity.actions[0].returns, Some(FieldKind::Relation));
    assert!(model.entity("t", "Me").unwrap().is_singleton());
}
