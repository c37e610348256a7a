//! The `$metadata` of the mock's services, written out from the schema: V2 with `sap:` attributes, V4 with capabilities.

use std::fmt::Write as _;

use super::schema::{FieldDef, Kind, ServiceDef, TableDef};

pub(super) fn document(service: &ServiceDef) -> String {
    match service.v4 {
        true => v4(service),
        false => v2(service),
    }
}

fn v2(service: &ServiceDef) -> String {
    let ns = service.namespace;
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <edmx:Edmx Version=\"1.0\" xmlns:edmx=\"http://schemas.microsoft.com/ado/2007/06/edmx\" \
         xmlns:m=\"http://schemas.microsoft.com/ado/2007/08/dataservices/metadata\" \
         xmlns:sap=\"http://www.sap.com/Protocols/SAPData\"><edmx:DataServices m:DataServiceVersion=\"2.0\">",
    );
    let _ = write!(
        out,
        "<Schema Namespace=\"{ns}\" xml:lang=\"en\" sap:schema-version=\"1\" \
         xmlns=\"http://schemas.microsoft.com/ado/2008/09/edm\">"
    );
    let (mut associations, mut sets) = (String::new(), String::new());
    for def in service.tables.iter().map(|table| table.def()) {
        let name = def.type_name(false);
        let _ = write!(
            out,
            "<EntityType Name=\"{name}\" sap:label=\"{}\" sap:content-version=\"1\"><Key>",
            def.label
        );
        for (_, key) in def.keys() {
            let _ = write!(out, "<PropertyRef Name=\"{}\"/>", key.v2);
        }
        out.push_str("</Key>");
        for field in def.fields {
            out.push_str(&v2_property(def, field));
        }
        for link in def.links {
            let association = format!("assoc_{}_{}", def.v2, link.v2);
            let _ = write!(
                out,
                "<NavigationProperty Name=\"{}\" Relationship=\"{ns}.{association}\" FromRole=\"From_{association}\" \
                 ToRole=\"To_{association}\"/>",
                link.v2
            );
            let to = link.to.def();
            let _ = write!(
                associations,
                "<Association Name=\"{association}\" sap:content-version=\"1\">\
                 <End Type=\"{ns}.{name}\" Multiplicity=\"1\" Role=\"From_{association}\"/>\
                 <End Type=\"{ns}.{}\" Multiplicity=\"*\" Role=\"To_{association}\"/></Association>",
                to.type_name(false)
            );
            let _ = write!(
                sets,
                "<AssociationSet Name=\"{association}_set\" Association=\"{ns}.{association}\">\
                 <End EntitySet=\"{}\" Role=\"From_{association}\"/><End EntitySet=\"{}\" Role=\"To_{association}\"/>\
                 </AssociationSet>",
                def.v2, to.v2
            );
        }
        out.push_str("</EntityType>");
    }
    let releases = service.name == "API_SALES_ORDER_SRV";
    if releases {
        out.push_str(
            "<ComplexType Name=\"FunctionResult\"><Property Name=\"Type\" Type=\"Edm.String\" Nullable=\"false\" MaxLength=\"1\"/>\
             <Property Name=\"Message\" Type=\"Edm.String\" Nullable=\"false\" MaxLength=\"220\"/></ComplexType>",
        );
    }
    out.push_str(&associations);
    let _ = write!(
        out,
        "<EntityContainer Name=\"{ns}_Entities\" m:IsDefaultEntityContainer=\"true\" sap:supported-formats=\"atom json xlsx\">"
    );
    for def in service.tables.iter().map(|table| table.def()) {
        let _ = write!(
            out,
            "<EntitySet Name=\"{}\" EntityType=\"{ns}.{}\"",
            def.v2,
            def.type_name(false)
        );
        for (name, allowed) in [
            ("creatable", def.creatable),
            ("updatable", def.updatable),
            ("deletable", def.deletable),
        ] {
            if !allowed {
                let _ = write!(out, " sap:{name}=\"false\"");
            }
        }
        out.push_str(" sap:content-version=\"1\"/>");
    }
    out.push_str(&sets);
    if releases {
        for name in ["releaseApprovalRequest", "rejectApprovalRequest"] {
            let _ = write!(
                out,
                "<FunctionImport Name=\"{name}\" ReturnType=\"{ns}.FunctionResult\" m:HttpMethod=\"POST\">\
                 <Parameter Name=\"SalesOrder\" Type=\"Edm.String\" Mode=\"In\" MaxLength=\"10\"/></FunctionImport>"
            );
        }
    }
    out.push_str("</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>");
    out
}

fn v2_property(def: &TableDef, field: &FieldDef) -> String {
    let mut out = format!("<Property Name=\"{}\"", field.v2);
    let _ = match field.kind {
        Kind::Text(length) => write!(out, " Type=\"Edm.String\" MaxLength=\"{length}\""),
        Kind::Decimal(precision, scale) => {
            write!(out, " Type=\"Edm.Decimal\" Precision=\"{precision}\" Scale=\"{scale}\"")
        }
        Kind::Date => write!(
            out,
            " Type=\"Edm.DateTime\" Precision=\"0\" sap:display-format=\"Date\""
        ),
        Kind::Stamp => write!(out, " Type=\"Edm.DateTimeOffset\" Precision=\"7\""),
        Kind::Bool => write!(out, " Type=\"Edm.Boolean\""),
    };
    if field.key {
        out.push_str(" Nullable=\"false\"");
    }
    if def.stamp == Some(field.v2) {
        out.push_str(" ConcurrencyMode=\"Fixed\"");
    }
    if field.computed {
        out.push_str(" sap:creatable=\"false\" sap:updatable=\"false\"");
    } else if field.fixed {
        out.push_str(" sap:updatable=\"false\"");
    }
    if !field.filterable {
        out.push_str(" sap:sortable=\"false\" sap:filterable=\"false\"");
    }
    let _ = write!(out, " sap:label=\"{}\"/>", field.label);
    out
}

fn v4(service: &ServiceDef) -> String {
    let ns = service.namespace;
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">",
    );
    for (uri, alias) in [
        ("Org.OData.Core.V1", "SAP__core"),
        ("Org.OData.Capabilities.V1", "SAP__capabilities"),
        ("com.sap.vocabularies.Common.v1", "SAP__common"),
    ] {
        let _ = write!(
            out,
            "<edmx:Reference Uri=\"vocabularies/{uri}.xml\"><edmx:Include Namespace=\"{uri}\" Alias=\"{alias}\"/></edmx:Reference>"
        );
    }
    let _ = write!(
        out,
        "<edmx:DataServices><Schema Namespace=\"{ns}\" Alias=\"SAP__self\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">"
    );
    let mut annotations = String::new();
    for def in service.tables.iter().map(|table| table.def()) {
        v4_type(service, def, &mut out, &mut annotations);
    }
    if service.name == "SALESORDER" {
        out.push_str(
            "<ComplexType Name=\"ApprovalResult\"><Property Name=\"Type\" Type=\"Edm.String\" Nullable=\"false\" MaxLength=\"1\"/>\
             <Property Name=\"Message\" Type=\"Edm.String\" Nullable=\"false\" MaxLength=\"220\"/></ComplexType>",
        );
        for name in ["releaseApprovalRequest", "rejectApprovalRequest"] {
            let _ = write!(
                out,
                "<Action Name=\"{name}\" IsBound=\"true\"><Parameter Name=\"_it\" Type=\"{ns}.SalesOrder_Type\" Nullable=\"false\"/>\
                 <Parameter Name=\"Note\" Type=\"Edm.String\" Nullable=\"true\" MaxLength=\"40\"/>\
                 <ReturnType Type=\"{ns}.ApprovalResult\" Nullable=\"false\"/></Action>"
            );
        }
    }
    if service.name == "ZREQUISITION" {
        for name in ["draftEdit", "draftActivate", "draftPrepare"] {
            let _ = write!(
                out,
                "<Action Name=\"{name}\" IsBound=\"true\" EntitySetPath=\"_it\"><Parameter Name=\"_it\" \
                 Type=\"{ns}.Requisition_Type\" Nullable=\"false\"/><ReturnType Type=\"{ns}.Requisition_Type\" Nullable=\"false\"/></Action>"
            );
        }
    }
    out.push_str("<EntityContainer Name=\"Container\">");
    for def in service.tables.iter().map(|table| table.def()) {
        let _ = write!(
            out,
            "<EntitySet Name=\"{}\" EntityType=\"{ns}.{}\">",
            def.v4,
            def.type_name(true)
        );
        for link in def.links {
            let _ = write!(
                out,
                "<NavigationPropertyBinding Path=\"{}\" Target=\"{}\"/>",
                link.v4,
                link.to.def().v4
            );
        }
        out.push_str("</EntitySet>");
    }
    out.push_str("</EntityContainer>");
    out.push_str(&annotations);
    out.push_str("</Schema></edmx:DataServices></edmx:Edmx>");
    out
}

fn v4_type(service: &ServiceDef, def: &TableDef, out: &mut String, annotations: &mut String) {
    let ns = service.namespace;
    let name = def.type_name(true);
    let _ = write!(out, "<EntityType Name=\"{name}\"><Key>");
    for (_, key) in def.keys() {
        let _ = write!(out, "<PropertyRef Name=\"{}\"/>", key.v4);
    }
    if def.draft {
        out.push_str("<PropertyRef Name=\"IsActiveEntity\"/>");
    }
    out.push_str("</Key>");
    for field in def.fields {
        let _ = write!(out, "<Property Name=\"{}\"", field.v4);
        let _ = match field.kind {
            Kind::Text(length) => write!(out, " Type=\"Edm.String\" MaxLength=\"{length}\""),
            Kind::Decimal(precision, scale) => {
                write!(out, " Type=\"Edm.Decimal\" Precision=\"{precision}\" Scale=\"{scale}\"")
            }
            Kind::Date => write!(out, " Type=\"Edm.Date\""),
            Kind::Stamp => write!(out, " Type=\"Edm.DateTimeOffset\" Precision=\"7\""),
            Kind::Bool => write!(out, " Type=\"Edm.Boolean\""),
        };
        let nullable = matches!(field.kind, Kind::Date | Kind::Stamp) && !field.key;
        let _ = write!(out, " Nullable=\"{nullable}\"/>");
        let _ = write!(annotations, "<Annotations Target=\"{ns}.{name}/{}\">", field.v4);
        let _ = write!(
            annotations,
            "<Annotation Term=\"SAP__common.Label\" String=\"{}\"/>",
            field.label
        );
        if field.computed {
            annotations.push_str("<Annotation Term=\"SAP__core.Computed\"/>");
        } else if field.fixed && !field.key {
            annotations.push_str("<Annotation Term=\"SAP__core.Immutable\"/>");
        }
        annotations.push_str("</Annotations>");
    }
    if def.draft {
        for flag in ["IsActiveEntity", "HasActiveEntity", "HasDraftEntity"] {
            let _ = write!(
                out,
                "<Property Name=\"{flag}\" Type=\"Edm.Boolean\" Nullable=\"false\"/>"
            );
        }
    }
    for link in def.links {
        let _ = write!(
            out,
            "<NavigationProperty Name=\"{}\" Type=\"Collection({ns}.{})\"><OnDelete Action=\"Cascade\"/></NavigationProperty>",
            link.v4,
            link.to.def().type_name(true)
        );
    }
    out.push_str("</EntityType>");

    let _ = write!(
        annotations,
        "<Annotations Target=\"{ns}.{name}\"><Annotation Term=\"SAP__common.Label\" String=\"{}\"/>",
        def.label
    );
    annotations.push_str("</Annotations>");
    let _ = write!(annotations, "<Annotations Target=\"{ns}.Container/{}\">", def.v4);
    if let Some(stamp) = def.stamp {
        let _ = write!(
            annotations,
            "<Annotation Term=\"SAP__core.OptimisticConcurrency\"><Collection><PropertyPath>{stamp}</PropertyPath></Collection></Annotation>"
        );
    }
    for (term, property, allowed) in [
        ("InsertRestrictions", "Insertable", def.creatable),
        ("UpdateRestrictions", "Updatable", def.updatable),
        ("DeleteRestrictions", "Deletable", def.deletable),
    ] {
        if !allowed {
            let _ = write!(
                annotations,
                "<Annotation Term=\"SAP__capabilities.{term}\"><Record><PropertyValue Property=\"{property}\" Bool=\"false\"/></Record></Annotation>"
            );
        }
    }
    annotations.push_str(
        "<Annotation Term=\"SAP__capabilities.SearchRestrictions\"><Record><PropertyValue Property=\"Searchable\" Bool=\"false\"/></Record></Annotation>",
    );
    let hidden: Vec<&str> = def
        .fields
        .iter()
        .filter(|field| !field.filterable)
        .map(|field| field.v4)
        .collect();
    if !hidden.is_empty() {
        for (term, property) in [
            ("FilterRestrictions", "NonFilterableProperties"),
            ("SortRestrictions", "NonSortableProperties"),
        ] {
            let _ = write!(
                annotations,
                "<Annotation Term=\"SAP__capabilities.{term}\"><Record><PropertyValue Property=\"{property}\"><Collection>"
            );
            for name in &hidden {
                let _ = write!(annotations, "<PropertyPath>{name}</PropertyPath>");
            }
            annotations.push_str("</Collection></PropertyValue></Record></Annotation>");
        }
    }
    annotations.push_str("</Annotations>");
}
