use super::*;
use crate::odata::Version;

/// Small documents in the shapes of a gateway (V2) and a RAP service (V4).
const V2: &str = include_str!("samples/v2.xml");
const V4: &str = include_str!("samples/v4.xml");

fn parse(text: &str) -> Schema {
    Schema::parse(text.as_bytes()).unwrap()
}

fn property<'a>(schema: &'a Schema, ty: &str, name: &str) -> &'a Property {
    let ty = schema.entity_type(ty).unwrap();
    schema.properties(ty).find(|property| &*property.name == name).unwrap()
}

#[test]
fn v2_says_it_in_attributes() {
    let schema = parse(V2);
    assert_eq!(schema.version, Version::V2);
    let order = schema.entity_type("API_X.A_OrderType").unwrap();
    assert_eq!(order.key.iter().map(|name| &**name).collect::<Vec<_>>(), ["Order"]);
    assert_eq!(order.label.as_deref(), Some("Order & more"));
    let amount = property(&schema, "API_X.A_OrderType", "Net");
    assert_eq!(amount.ty, TypeRef::Edm(Edm::Decimal));
    assert_eq!((amount.precision, amount.scale), (Some(16), Some(3)));
    assert_eq!(amount.unit.as_deref(), Some("Currency"));
    assert!(!amount.creatable && !amount.updatable && !amount.filterable && !amount.sortable);
    let order_type = property(&schema, "API_X.A_OrderType", "Type");
    assert!(order_type.upper_case && order_type.filterable && order_type.required_in_filter);
    assert_eq!((order_type.max_length, order_type.nullable), (Some(4), true));
    assert!(property(&schema, "API_X.A_OrderType", "Created").is_day);
    assert!(property(&schema, "API_X.A_OrderType", "Changed").concurrency);

    let item = &order.navigations[0];
    assert_eq!(
        (&*item.name, &*item.target, item.many),
        ("to_Item", "API_X.A_ItemType", true)
    );
    let pairs: Vec<_> = item.constraints.iter().map(|(a, b)| (&**a, &**b)).collect();
    assert_eq!(pairs, [("Order", "Order")]);
    let back = &schema.entity_type("API_X.A_ItemType").unwrap().navigations[0];
    assert_eq!(
        (&*back.target, back.many, back.nullable),
        ("API_X.A_OrderType", false, true)
    );
    let lost = &schema.entity_type("API_X.A_ItemType").unwrap().navigations[1];
    assert_eq!((&*lost.name, &*lost.target), ("to_Nowhere", ""));

    let orders = schema.entity_set("A_Order").unwrap();
    assert_eq!(orders.restrictions.deletable, Some(false));
    assert_eq!(orders.restrictions.insertable, None);
    let bindings: Vec<_> = orders.bindings.iter().map(|(path, set)| (&**path, &**set)).collect();
    assert_eq!(bindings, [("to_Item", "A_Item")]);
    let release = &schema.operations[0];
    assert_eq!((release.kind, release.posts), (OperationKind::FunctionImport, true));
    assert_eq!(release.action_for.as_deref(), Some("API_X.A_OrderType"));
    assert_eq!(release.returns, Some(TypeRef::Named("API_X.Result".into())));
    assert_eq!(release.parameters[0].max_length, Some(10));
}

#[test]
fn v4_says_it_in_annotations() {
    let schema = parse(V4);
    assert_eq!(schema.version, Version::V4);
    assert_eq!(schema.filter_functions.as_ref().map(Vec::len), Some(3));
    let order = schema.entity_type("com.x.v1.Order_Type").unwrap();
    assert_eq!(order.base.as_deref(), Some("com.x.v1.Root"));
    assert_eq!(schema.key(order).iter().map(|name| &**name).collect::<Vec<_>>(), ["ID"]);
    let of = |name| property(&schema, "com.x.v1.Order_Type", name);
    assert_eq!(of("ID").ty, TypeRef::Edm(Edm::Guid));
    assert!(of("ID").computed && !of("ID").nullable);
    assert_eq!(of("Kind").label.as_deref(), Some("Kind \"of\" order"));
    assert!(of("Kind").upper_case && of("Kind").immutable);
    assert_eq!(of("Kind").control, Some(FieldControl::Mandatory));
    assert_eq!(of("Status").ty, TypeRef::Named("com.x.v1.Status".into()));
    assert_eq!(of("Net").unit.as_deref(), Some("Currency"));
    assert_eq!(of("Net").scale, None);
    assert_eq!(of("Tags").ty, TypeRef::EdmList(Edm::String));
    let item = &order.navigations[0];
    assert_eq!(
        (&*item.target, item.many, item.contains),
        ("com.x.v1.Item_Type", true, true)
    );
    assert_eq!(item.partner.as_deref(), Some("_Order"));
    let status = schema.enum_type("com.x.v1.Status").unwrap();
    assert_eq!(
        status.members.iter().map(|member| member.value).collect::<Vec<_>>(),
        [Some(0), Some(8000)]
    );

    let may = &schema.entity_set("Order").unwrap().restrictions;
    assert_eq!(
        (may.deletable, may.insertable, may.searchable),
        (Some(false), None, Some(false))
    );
    assert_eq!((may.readable, may.readable_by_key), (Some(false), Some(true)));
    assert_eq!(may.required_on_insert, ["Kind".into()] as [Name; 1]);
    assert_eq!(may.non_updatable, ["_Item".into()] as [Name; 1]);
    assert_eq!(
        may.concurrency.as_deref(),
        Some(["Changed".into()] as [Name; 1]).as_ref().map(|list| &list[..])
    );
    assert_eq!(may.change_tracking, Some(false));
    assert_eq!(may.navigations.len(), 2);
    assert_eq!(
        (&*may.navigations[0].path, may.navigations[0].insertable),
        ("_Item", Some(true))
    );
    assert_eq!(
        (&*may.navigations[1].path, may.navigations[1].filterable),
        ("_Text", Some(false))
    );

    let ship = schema
        .operations
        .iter()
        .find(|operation| operation.short_name() == "ship")
        .unwrap();
    assert!(ship.bound && ship.parameters[1].optional);
    assert_eq!(ship.parameters[1].label.as_deref(), Some("When"));
    assert_eq!(ship.parameters[0].ty, TypeRef::Named("com.x.v1.Order_Type".into()));
    assert_eq!(&*schema.imports[0].operation, "com.x.v1.count");
    assert!(schema.entity_set("Me").unwrap().singleton);
}

#[test]
fn what_is_not_metadata_is_refused_by_its_kind() {
    for (text, code) in [
        ("", "bad_payload.type"),
        ("{\"$Version\":\"4.0\"}", "bad_payload.type"),
        ("<!DOCTYPE html><html><body></body></html>", "bad_payload.syntax"),
        ("<html><body>Log on</body></html>", "bad_payload.type"),
        ("<a/>", "bad_payload.type"),
        ("<?xml version=\"1.0\"?>", "bad_payload.truncated"),
        ("<edmx:Edmx Version=\"4.0\"", "bad_payload.truncated"),
        ("<edmx:Edmx Version=\"4.0\"></edmx:Other>", "bad_payload.syntax"),
        ("<!DOCTYPE a [<!ENTITY x \"y\">]><Edmx>&x;</Edmx>", "bad_payload.syntax"),
        ("<Edmx Version=\"&x;\"/>", "bad_payload.syntax"),
        ("<Edmx>&x;</Edmx>", "bad_payload.syntax"),
    ] {
        assert_eq!(Schema::parse(text.as_bytes()).unwrap_err().code(), code, "{text}");
    }
    let deep = format!("<Edmx>{}", "<a>".repeat(1_000));
    assert_eq!(Schema::parse(deep.as_bytes()).unwrap_err().code(), "bad_payload.syntax");
    assert_eq!(
        Schema::parse(b"<Edmx a=\"\xff\"/>").unwrap_err().code(),
        "bad_payload.syntax"
    );
}

/// Cut anywhere, both documents end in a typed error.
#[test]
fn every_cut_is_noticed() {
    for text in [V2, V4] {
        let end = text.trim_end().len();
        for at in 0..end {
            let error = Schema::parse(&text.as_bytes()[..at]).unwrap_err();
            assert!(error.code().starts_with("bad_payload."), "{at}");
        }
    }
}

#[test]
fn a_circle_of_base_types_ends() {
    let schema = parse(
        r#"<Schema Namespace="a"><EntityType Name="A" BaseType="a.B"><Property Name="x" Type="Edm.String"/></EntityType><EntityType Name="B" BaseType="a.A"/></Schema>"#,
    );
    let ty = schema.entity_type("a.A").unwrap();
    assert_eq!(schema.properties(ty).count(), 1);
    assert!(schema.key(ty).is_empty());
}

mod arbitrary {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Schema::parse(&bytes);
        }

        /// A real document with a few bytes changed.
        #[test]
        fn damage_never_panics(v4 in any::<bool>(), damage in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
            let mut bytes = if v4 { V4 } else { V2 }.as_bytes().to_vec();
            for (at, byte) in damage {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            let _ = Schema::parse(&bytes);
        }
    }
}
