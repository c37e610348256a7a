//! Values as bodies and parameters of writes want them. Pure; numbers are written from their digits.
//!
//! Source: `sap-odata.md`, section 6: decimals as texts in V2, and in V4 under `IEEE754Compatible=true`.

use std::fmt::Write as _;

use atlas_connectors::erp::{ActionSpec, Decimal, Field, FieldKind, FieldName, Lines, Value};
use atlas_connectors::error::{FieldFault, SchemaFault};
use atlas_connectors::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::odata::metadata::Edm;
use crate::odata::{EntityModel, Model, Version, Wire};

const OPERATION: &str = "sap.write";

/// The type of a body in JSON.
pub(super) fn content_type(version: Version) -> &'static str {
    match version {
        Version::V2 => "application/json",
        Version::V4 => "application/json;IEEE754Compatible=true",
    }
}

/// What a write may set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Create,
    Update,
}

/// The body of a create or an update: fields in the order given, then the parts below each relation.
///
/// # Errors
/// [`ErrorKind::SchemaMismatch`] for a field that is not there or a value of another type; [`ErrorKind::Rejected`] naming the
/// field for one that cannot be set, or a value that it cannot hold. Nothing was sent.
pub(super) fn body(
    model: &Model,
    entity: &EntityModel,
    fields: &[(FieldName, Value)],
    lines: &[Lines],
    purpose: Purpose,
) -> Result<String> {
    let mut out = String::from("{");
    for (name, value) in fields {
        let (field, wire) = entity.require(OPERATION, name.as_str())?;
        settable(field, purpose)?;
        member(&mut out, name.as_str());
        json(model.version(), field, wire, value, &mut out).map_err(|fault| unfit(entity, field, fault))?;
    }
    for part in lines {
        let (field, wire) = entity.require(OPERATION, part.relation.as_str())?;
        if field.kind != FieldKind::Relations {
            return Err(unfit(entity, field, Unfit::Schema(SchemaFault::Type)));
        }
        let target = model
            .related(wire)
            .ok_or_else(|| unfit(entity, field, Unfit::Schema(SchemaFault::Missing)))?;
        member(&mut out, part.relation.as_str());
        out.push('[');
        for (at, row) in part.rows.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(&body(model, target, row, &[], Purpose::Create)?);
        }
        out.push(']');
    }
    out.push('}');
    Ok(out)
}

fn settable(field: &Field, purpose: Purpose) -> Result<()> {
    let code = match purpose {
        _ if field.read_only => "read_only",
        Purpose::Update if field.create_only => "create_only",
        _ => return Ok(()),
    };
    Err(refused(field, code))
}

fn refused(field: &Field, code: &str) -> Error {
    let fault = FieldFault {
        field: field.name.as_str().to_owned(),
        code: code.to_owned(),
    };
    Error::new(ErrorKind::Rejected { fields: vec![fault] }, OPERATION)
}

/// Why a value does not fit its field.
pub(super) enum Unfit {
    Schema(SchemaFault),
    Value(&'static str),
}

fn unfit(entity: &EntityModel, field: &Field, fault: Unfit) -> Error {
    match fault {
        Unfit::Value(code) => refused(field, code),
        Unfit::Schema(fault) => {
            let kind = ErrorKind::SchemaMismatch {
                path: format!("{}.{}", entity.entity().name, field.name),
                fault,
            };
            Error::new(kind, OPERATION)
        }
    }
}

fn member(out: &mut String, name: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    text(name, out);
    out.push(':');
}

fn text(value: &str, out: &mut String) {
    // Text is written as JSON without fail.
    out.push_str(&serde_json::to_string(value).unwrap_or_else(|_| "\"\"".to_owned()));
}

fn json(version: Version, field: &Field, wire: &Wire, value: &Value, out: &mut String) -> Result<(), Unfit> {
    let type_fault = Unfit::Schema(SchemaFault::Type);
    if value.is_null() {
        return null(field, wire, out);
    }
    let edm = match wire {
        Wire::Edm(edm) => *edm,
        Wire::Day(_) => {
            let day = value.as_date().ok_or(type_fault)?;
            let _ = write!(out, "\"/Date({})/\"", day.midnight().unix_millis());
            return Ok(());
        }
        Wire::Enum(_) => {
            let member = value.as_str().ok_or(type_fault)?;
            if !field.values.is_empty() && !field.values.iter().any(|known| known.value == member) {
                return Err(Unfit::Schema(SchemaFault::Value));
            }
            text(member, out);
            return Ok(());
        }
        Wire::Other | Wire::Navigation { .. } => return Err(type_fault),
    };
    match edm {
        Edm::String | Edm::Guid => {
            let given = value.as_str().ok_or(type_fault)?;
            if field.length.is_some_and(|most| given.chars().count() > most as usize) && edm == Edm::String {
                return Err(Unfit::Value("too_long"));
            }
            text(given, out);
        }
        Edm::Boolean => out.push_str(match value.as_bool().ok_or(type_fault)? {
            true => "true",
            false => "false",
        }),
        Edm::Byte | Edm::SByte | Edm::Int16 | Edm::Int32 => {
            let _ = write!(out, "{}", value.as_i64().ok_or(type_fault)?);
        }
        // Beyond 53 bits a number of JSON loses digits at some servers; as a text it does not.
        Edm::Int64 => {
            let _ = write!(out, "\"{}\"", value.as_i64().ok_or(type_fault)?);
        }
        Edm::Decimal => {
            let number = fitted(field, &value.as_decimal().ok_or(type_fault)?)?;
            let _ = write!(out, "\"{number}\"");
        }
        Edm::Double | Edm::Single => {
            let number = value.as_decimal().ok_or(type_fault)?;
            let _ = match version {
                Version::V2 => write!(out, "\"{number}\""),
                Version::V4 => write!(out, "{number}"),
            };
        }
        Edm::Date => {
            let _ = write!(out, "\"{}\"", value.as_date().ok_or(type_fault)?);
        }
        Edm::DateTime | Edm::DateTimeOffset => {
            let moment = match value {
                Value::Date(day) => day.midnight(),
                other => other.as_instant().ok_or(type_fault)?,
            };
            let _ = match (version, edm) {
                (Version::V2, Edm::DateTimeOffset) => write!(out, "\"/Date({}+0000)/\"", moment.unix_millis()),
                (Version::V2, _) => write!(out, "\"/Date({})/\"", moment.unix_millis()),
                (Version::V4, _) => write!(out, "\"{moment}\""),
            };
        }
        Edm::Time | Edm::TimeOfDay => {
            let Value::Time(time) = value else { return Err(type_fault) };
            let (hours, minutes, seconds) = time.parts();
            let _ = match version {
                Version::V2 => write!(out, "\"PT{hours:02}H{minutes:02}M{seconds:02}S\""),
                Version::V4 => write!(out, "\"{hours:02}:{minutes:02}:{seconds:02}\""),
            };
        }
        Edm::Binary => {
            let Value::Binary(bytes) = value else { return Err(type_fault) };
            let encoded = match version {
                Version::V2 => STANDARD.encode(bytes),
                Version::V4 => URL_SAFE.encode(bytes),
            };
            text(&encoded, out);
        }
        Edm::Duration | Edm::Stream | Edm::Geo | Edm::Other => return Err(type_fault),
    }
    Ok(())
}

/// No value: null where the field may be null, and otherwise what ABAP keeps for it.
fn null(field: &Field, wire: &Wire, out: &mut String) -> Result<(), Unfit> {
    if field.nullable {
        out.push_str("null");
        return Ok(());
    }
    match (wire, field.kind) {
        (Wire::Edm(Edm::String), _) => out.push_str("\"\""),
        (_, FieldKind::Decimal) => out.push_str("\"0\""),
        (Wire::Edm(Edm::Int64), _) => out.push_str("\"0\""),
        (_, FieldKind::Integer) => out.push('0'),
        (_, FieldKind::Bool) => out.push_str("false"),
        _ => return Err(Unfit::Value("required")),
    }
    Ok(())
}

/// The number if the field can hold all of it; nothing is rounded away in silence.
fn fitted(field: &Field, number: &Decimal) -> Result<Decimal, Unfit> {
    let Some(scale) = field.scale else {
        return Ok(number.clone());
    };
    let rounded = number.round(scale);
    if rounded != *number {
        return Err(Unfit::Value("scale"));
    }
    if field.precision.is_some_and(|most| rounded.precision() > u64::from(most)) {
        return Err(Unfit::Value("precision"));
    }
    Ok(if number.scale() > scale { rounded } else { number.clone() })
}

/// The parameters of a V4 action as its body.
///
/// # Errors
/// As [`body`].
pub(super) fn parameters_json(action: &ActionSpec, given: &[(FieldName, Value)]) -> Result<String> {
    let mut out = String::from("{");
    for (name, value) in given {
        let field = parameter(action, name)?;
        member(&mut out, name.as_str());
        if value.is_null() {
            out.push_str("null");
            continue;
        }
        let wire = Wire::Edm(edm_of(field.kind));
        json(Version::V4, field, &wire, value, &mut out).map_err(|fault| parameter_unfit(action, field, fault))?;
    }
    out.push('}');
    Ok(out)
}

/// The parameters of a V2 function import as its query: literals, encoded.
///
/// # Errors
/// As [`body`].
pub(super) fn parameters_query(action: &ActionSpec, given: &[(FieldName, Value)]) -> Result<String> {
    let mut out = String::new();
    for (name, value) in given {
        let field = parameter(action, name)?;
        let literal = literal(field, value).ok_or_else(|| parameter_unfit(action, field, Unfit::Schema(SchemaFault::Type)))?;
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name.as_str());
        out.push('=');
        out.push_str(&encoded(&literal));
    }
    Ok(out)
}

fn parameter<'a>(action: &'a ActionSpec, name: &FieldName) -> Result<&'a Field> {
    action.parameters.iter().find(|field| field.name == *name).ok_or_else(|| {
        let kind = ErrorKind::SchemaMismatch {
            path: format!("{}({name})", action.name),
            fault: SchemaFault::Missing,
        };
        Error::new(kind, OPERATION)
    })
}

fn parameter_unfit(action: &ActionSpec, field: &Field, fault: Unfit) -> Error {
    match fault {
        Unfit::Value(code) => refused(field, code),
        Unfit::Schema(fault) => {
            let kind = ErrorKind::SchemaMismatch {
                path: format!("{}({})", action.name, field.name),
                fault,
            };
            Error::new(kind, OPERATION)
        }
    }
}

fn edm_of(kind: FieldKind) -> Edm {
    match kind {
        FieldKind::Bool => Edm::Boolean,
        FieldKind::Integer => Edm::Int32,
        FieldKind::Decimal => Edm::Decimal,
        FieldKind::Date => Edm::Date,
        FieldKind::Time => Edm::TimeOfDay,
        FieldKind::Instant => Edm::DateTimeOffset,
        FieldKind::Guid => Edm::Guid,
        FieldKind::Binary => Edm::Binary,
        _ => Edm::String,
    }
}

fn literal(field: &Field, value: &Value) -> Option<String> {
    Some(match (field.kind, value) {
        (FieldKind::Bool, value) => value.as_bool()?.to_string(),
        (FieldKind::Integer, value) => value.as_i64()?.to_string(),
        (FieldKind::Decimal, value) => format!("{}m", value.as_decimal()?),
        (FieldKind::Date, value) => format!("datetime'{}T00:00:00'", value.as_date()?),
        // An import that takes a moment takes Edm.DateTime; only days and moments are told apart here.
        (FieldKind::Instant, Value::Date(day)) => format!("datetime'{day}T00:00:00'"),
        (FieldKind::Instant, value) => {
            let text = value.as_instant()?.to_string();
            format!("datetime'{}'", text.trim_end_matches('Z'))
        }
        (FieldKind::Time, Value::Time(time)) => {
            let (hours, minutes, seconds) = time.parts();
            format!("time'PT{hours:02}H{minutes:02}M{seconds:02}S'")
        }
        (FieldKind::Guid, value) => format!("guid'{}'", value.as_str()?),
        (_, value) => format!("'{}'", value.as_str()?.replace('\'', "''")),
    })
}

/// Percent-encoding for a query value.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'\'' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odata::CatalogSettings;
    use crate::odata::metadata::Schema;

    const V2: &str = r#"<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"><edmx:DataServices m:DataServiceVersion="2.0" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><Schema Namespace="X" xmlns="http://schemas.microsoft.com/ado/2008/09/edm" xmlns:sap="http://www.sap.com/Protocols/SAPData"><EntityType Name="OrderType"><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.String" Nullable="false" MaxLength="4"/><Property Name="Net" Type="Edm.Decimal" Precision="28" Scale="3"/><Property Name="Day" Type="Edm.DateTime" sap:display-format="Date"/><Property Name="At" Type="Edm.DateTimeOffset"/><Property Name="Big" Type="Edm.Int64" Nullable="false"/><Property Name="Flag" Type="Edm.Boolean"/><Property Name="Time" Type="Edm.Time"/><Property Name="Calc" Type="Edm.String" sap:creatable="false" sap:updatable="false"/></EntityType><EntityContainer Name="C" m:IsDefaultEntityContainer="true"><EntitySet Name="Orders" EntityType="X.OrderType"/></EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"#;

    fn encode(fields: &[(&str, Value)]) -> Result<String> {
        let model = Model::new(&Schema::parse(V2.as_bytes()).unwrap(), &CatalogSettings::sap("X"));
        let entity = model.entity("t", "Orders").unwrap();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (FieldName::new(*name), value.clone())).collect();
        body(&model, entity, &fields, &[], Purpose::Create)
    }

    #[test]
    fn values_are_written_as_v2_wants_them_and_digits_are_kept() {
        let decimal = Value::Decimal("1234567890123456789012345.678".parse().unwrap());
        let at = Value::Instant(atlas_connectors::Timestamp::from_unix_millis(1_767_571_200_123));
        assert_eq!(
            encode(&[
                ("Id", Value::from("a\"b")),
                ("Net", decimal),
                ("Day", Value::Date("2026-01-05".parse().unwrap())),
                ("At", at),
                ("Big", Value::from(i64::MAX)),
                ("Flag", Value::from(true)),
                ("Time", Value::Time("23:59:59".parse().unwrap())),
            ])
            .unwrap(),
            "{\"Id\":\"a\\\"b\",\"Net\":\"1234567890123456789012345.678\",\"Day\":\"/Date(1767571200000)/\",\
             \"At\":\"/Date(1767571200123+0000)/\",\"Big\":\"9223372036854775807\",\"Flag\":true,\"Time\":\"PT23H59M59S\"}"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name_before_anything_is_sent() {
        let fault = |name: &str, value: Value| {
            let error = encode(&[(name, value)]).unwrap_err();
            let fields = match error.kind() {
                ErrorKind::Rejected { fields } => fields.iter().map(|fault| fault.code.clone()).collect(),
                _ => String::new(),
            };
            format!("{} {fields}", error.code())
        };
        assert_eq!(fault("Id", Value::from("12345")), "rejected too_long");
        assert_eq!(fault("Net", Value::Decimal("1.2345".parse().unwrap())), "rejected scale");
        assert_eq!(fault("Calc", Value::from("x")), "rejected read_only");
        assert_eq!(fault("Nope", Value::from("x")), "schema_mismatch ");
        assert_eq!(fault("Net", Value::from("x")), "schema_mismatch ");
        assert_eq!(encode(&[("Id", Value::Null), ("Net", Value::Null), ("Big", Value::Null)]).unwrap(), "{\"Id\":\"\",\"Net\":null,\"Big\":\"0\"}");
    }
}
