//! Parameters of V2 function imports: literals in the address (`sap-odata.md`, section 6).

use std::fmt::Write as _;

use atlas_connectors::erp::{ActionSpec, Field, FieldKind, FieldName, Value};
use atlas_connectors::error::{FieldFault, SchemaFault};
use atlas_connectors::{Error, ErrorKind, Result};

const OPERATION: &str = "sap.action";

/// The parameters as a query, encoded.
///
/// # Errors
/// [`ErrorKind::SchemaMismatch`] for a parameter that is not there or a value of another type, [`ErrorKind::Rejected`] naming
/// those that are missing.
pub(super) fn query(action: &ActionSpec, given: &[(FieldName, Value)]) -> Result<String> {
    let mismatch = |name: &FieldName, fault: SchemaFault| {
        let path = format!("{}({name})", action.name);
        Error::new(ErrorKind::SchemaMismatch { path, fault }, OPERATION)
    };
    let mut out = String::new();
    for (name, value) in given {
        let field = action.parameters.iter().find(|field| field.name == *name);
        let field = field.ok_or_else(|| mismatch(name, SchemaFault::Missing))?;
        let literal = literal(field, value).ok_or_else(|| mismatch(name, SchemaFault::Type))?;
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name.as_str());
        out.push('=');
        out.push_str(&encoded(&literal));
    }
    let missing = action
        .parameters
        .iter()
        .filter(|field| field.required && !given.iter().any(|(name, _)| *name == field.name));
    let fields: Vec<FieldFault> = missing
        .map(|field| FieldFault {
            field: field.name.as_str().to_owned(),
            code: "required".to_owned(),
        })
        .collect();
    match fields.is_empty() {
        true => Ok(out),
        false => Err(Error::new(ErrorKind::Rejected { fields }, OPERATION)),
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
fn encoded(text: &str) -> String {
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

    #[test]
    fn literals_are_quoted_by_type_and_encoded() {
        let mut action = ActionSpec::new("release");
        action.parameters = [
            ("Order", FieldKind::Text),
            ("Net", FieldKind::Decimal),
            ("Day", FieldKind::Instant),
            ("Id", FieldKind::Guid),
            ("Hard", FieldKind::Bool),
        ]
        .map(|(name, kind)| Field::new(name, kind))
        .to_vec();
        let given = |name: &str, value: Value| (FieldName::new(name), value);
        let text = query(
            &action,
            &[
                given("Order", Value::from("O'Neil & 100%/ü")),
                given("Net", Value::Decimal("12.50".parse().unwrap())),
                given("Day", Value::Date("2026-01-05".parse().unwrap())),
                given("Id", Value::from("41d67ed4-f6d7-1edd-bc8c-0d6a2c2a133f")),
                given("Hard", Value::from(true)),
            ],
        );
        assert_eq!(
            text.unwrap(),
            "Order='O''Neil%20%26%20100%25%2F%C3%BC'&Net=12.50m&Day=datetime'2026-01-05T00%3A00%3A00'\
             &Id=guid'41d67ed4-f6d7-1edd-bc8c-0d6a2c2a133f'&Hard=true"
        );
        assert_eq!(
            query(&action, &[given("Nope", Value::from(1))]).unwrap_err().code(),
            "schema_mismatch"
        );
        assert_eq!(
            query(&action, &[given("Net", Value::from("x"))]).unwrap_err().code(),
            "schema_mismatch"
        );
        action.parameters[0].required = true;
        assert_eq!(query(&action, &[]).unwrap_err().code(), "rejected");
    }
}
