//! `$metadata` in the shape of the real document: types, relations, bound actions, capability annotations.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::schema::{ENTITIES, ENUMS, Entity, Ty, of_set};

/// The document without the hidden sets.
pub(super) fn document(hidden: &BTreeSet<String>) -> String {
    let shown: Vec<&Entity> = ENTITIES
        .iter()
        .copied()
        .filter(|entity| !hidden.contains(entity.set))
        .collect();
    let mut out = String::from(concat!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n",
        "<edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">\n<edmx:DataServices>\n",
        "<Schema Namespace=\"Microsoft.NAV\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">\n",
    ));
    for (name, members) in ENUMS {
        let _ = writeln!(out, "<EnumType Name=\"{name}\">");
        for (member, value) in *members {
            let _ = writeln!(out, "<Member Name=\"{member}\" Value=\"{value}\" />");
        }
        out.push_str("</EnumType>\n");
    }
    for entity in &shown {
        entity_type(&mut out, entity, hidden);
    }
    for entity in &shown {
        for action in entity.actions {
            let _ = writeln!(
                out,
                "<Action Name=\"{action}\" IsBound=\"true\">\n<Parameter Name=\"bindingParameter\" Type=\"Microsoft.NAV.{}\" />\n</Action>",
                entity.name
            );
        }
    }
    out.push_str("<EntityContainer Name=\"NAV\">\n");
    for entity in &shown {
        let _ = writeln!(
            out,
            "<EntitySet Name=\"{}\" EntityType=\"Microsoft.NAV.{}\">",
            entity.set, entity.name
        );
        for (term, property, value) in [
            ("ChangeTracking", "Supported", false),
            ("DeleteRestrictions", "Deletable", entity.writable),
            ("InsertRestrictions", "Insertable", entity.writable),
            ("UpdateRestrictions", "Updatable", entity.writable),
            ("SortRestrictions", "Sortable", true),
        ] {
            let _ = writeln!(
                out,
                "<Annotation Term=\"Org.OData.Capabilities.V1.{term}\"><Record><PropertyValue Property=\"{property}\" Bool=\"{value}\" /></Record></Annotation>"
            );
        }
        out.push_str("</EntitySet>\n");
    }
    out.push_str("</EntityContainer>\n</Schema>\n</edmx:DataServices>\n</edmx:Edmx>\n");
    out
}

fn entity_type(out: &mut String, entity: &Entity, hidden: &BTreeSet<String>) {
    let _ = writeln!(
        out,
        "<EntityType Name=\"{}\">\n<Key><PropertyRef Name=\"id\" /></Key>",
        entity.name
    );
    for field in entity.fields {
        let ty = match field.ty {
            Ty::Guid => "Type=\"Edm.Guid\"".to_owned(),
            Ty::Text(0) => "Type=\"Edm.String\"".to_owned(),
            Ty::Text(most) => format!("Type=\"Edm.String\" MaxLength=\"{most}\""),
            Ty::Flag => "Type=\"Edm.Boolean\"".to_owned(),
            Ty::Whole if field.name == "timestamp" => "Type=\"Edm.Int64\"".to_owned(),
            Ty::Whole => "Type=\"Edm.Int32\"".to_owned(),
            Ty::Number => "Type=\"Edm.Decimal\" Scale=\"Variable\"".to_owned(),
            Ty::Date => "Type=\"Edm.Date\"".to_owned(),
            Ty::Moment => "Type=\"Edm.DateTimeOffset\"".to_owned(),
            Ty::Choice(of) => format!("Type=\"Microsoft.NAV.{of}\""),
        };
        let null = if field.nullable { "" } else { " Nullable=\"false\"" };
        let _ = writeln!(out, "<Property Name=\"{}\" {ty}{null} />", field.name);
    }
    let company_wide = entity.set == "companies";
    let of_company = ENTITIES
        .iter()
        .filter(|one| company_wide && one.set != "companies" && !hidden.contains(one.set));
    for one in of_company {
        let _ = writeln!(
            out,
            "<NavigationProperty Name=\"{}\" Type=\"Collection(Microsoft.NAV.{})\" ContainsTarget=\"true\" />",
            one.set, one.name
        );
    }
    for relation in entity.relations {
        let Some(target) = of_set(relation.set).filter(|target| !hidden.contains(target.set)) else {
            continue;
        };
        let ty = if relation.many {
            format!("Collection(Microsoft.NAV.{})", target.name)
        } else {
            format!("Microsoft.NAV.{}", target.name)
        };
        let partner = match (relation.many, entity.line_of == Some(relation.set)) {
            (true, _) => format!(" Partner=\"{}\"", entity.name),
            (false, true) => format!(" Partner=\"{}\"", entity.set),
            (false, false) => String::new(),
        };
        let _ = writeln!(
            out,
            "<NavigationProperty Name=\"{}\" Type=\"{ty}\"{partner} ContainsTarget=\"true\"><ReferentialConstraint Property=\"{}\" ReferencedProperty=\"{}\" /></NavigationProperty>",
            relation.name, relation.own, relation.theirs
        );
    }
    out.push_str("</EntityType>\n");
}

/// `entityDefinitions`: what people call entities and enum members, by language.
pub(super) fn definitions(root: &str, hidden: &BTreeSet<String>) -> serde_json::Value {
    let caption = |text: &str| serde_json::json!([{"languageCode": 1033, "caption": text}]);
    let value: Vec<serde_json::Value> = ENTITIES
        .iter()
        .filter(|entity| !hidden.contains(entity.set))
        .map(|entity| {
            let mut members = Vec::new();
            for field in entity.fields {
                if let Ty::Choice(of) = field.ty {
                    for (name, value) in super::schema::members(of) {
                        let label = name.replace("_x0020_", " ").replace("_x002D_", "-");
                        members.push(serde_json::json!({"name": name, "value": value, "captions": caption(label.trim())}));
                    }
                }
            }
            let properties: Vec<_> = entity
                .fields
                .iter()
                .map(|field| serde_json::json!({"name": field.name, "captions": caption(&words(field.name))}))
                .collect();
            serde_json::json!({
                "entityName": entity.name, "entitySetName": entity.set, "entityCaptions": caption(&words(entity.name)),
                "entitySetCaptions": caption(&words(entity.set)), "properties": properties, "actions": [], "enumMembers": members,
            })
        })
        .collect();
    serde_json::json!({"@odata.context": format!("{root}/$metadata#entityDefinitions"), "value": value})
}

/// `salesOrderLines` as a person reads it: `Sales Order Lines`.
fn words(name: &str) -> String {
    let mut out = String::new();
    for (at, character) in name.char_indices() {
        if at == 0 {
            out.extend(character.to_uppercase());
        } else {
            if character.is_ascii_uppercase() {
                out.push(' ');
            }
            out.push(character);
        }
    }
    out
}
