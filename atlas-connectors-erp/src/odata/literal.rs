//! Values as they stand in addresses: in filters and in keys.

use std::fmt::Write as _;

use atlas_connectors::Timestamp;
use atlas_connectors::erp::{Date, Decimal, Field, TimeOfDay, Value};
use atlas_connectors::error::SchemaFault;

use crate::odata::metadata::Edm;
use crate::odata::{EnumStyle, Version, Wire};

/// Percent-encodes a text for a query or a path: all but letters, digits and what every server was seen to take as it is.
/// A slash is encoded.
pub(super) fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => out.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'\'' | b'(' | b')' | b',' | b':' | b'!' | b'*' | b'@' | b'$' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// A text in quotes, each quote in it doubled; encoded.
pub(super) fn quoted(text: &str, out: &mut String) {
    out.push('\'');
    encode(&text.replace('\'', "''"), out);
    out.push('\'');
}

/// The literal of a value for a field, encoded.
///
/// # Errors
/// [`SchemaFault::Type`] for a value of another type, [`SchemaFault::Value`] for one that the type cannot hold.
pub(super) fn literal(
    version: Version,
    enums: EnumStyle,
    field: &Field,
    wire: &Wire,
    value: &Value,
    out: &mut String,
) -> Result<(), SchemaFault> {
    let edm = match wire {
        Wire::Edm(edm) => *edm,
        Wire::Day(edm) => {
            let Value::Date(date) = value else {
                return Err(SchemaFault::Type);
            };
            moment(version, *edm, date.midnight(), out);
            return Ok(());
        }
        Wire::Enum(ty) => {
            let text = value.as_str().ok_or(SchemaFault::Type)?;
            if !field.values.iter().any(|known| known.value == text) {
                return Err(SchemaFault::Value);
            }
            if enums == EnumStyle::Qualified {
                encode(ty, out);
            }
            quoted(text, out);
            return Ok(());
        }
        Wire::Other | Wire::Navigation { .. } => return Err(SchemaFault::Type),
    };
    match (edm, value) {
        (Edm::String, value) => {
            let text = value.as_str().ok_or(SchemaFault::Type)?;
            if field.upper_case {
                quoted(&text.to_uppercase(), out);
            } else {
                quoted(text, out);
            }
        }
        (Edm::Guid, Value::Text(text)) => guid(version, text, out)?,
        (Edm::Boolean, Value::Bool(yes)) => out.push_str(if *yes { "true" } else { "false" }),
        (Edm::Byte | Edm::SByte | Edm::Int16 | Edm::Int32 | Edm::Int64, value) => {
            let number = value.as_i64().ok_or(SchemaFault::Type)?;
            integer(version, edm, number, out)?;
        }
        (Edm::Decimal | Edm::Double | Edm::Single, value) => {
            let number = value.as_decimal().ok_or(SchemaFault::Type)?;
            decimal(version, edm, &number, out);
        }
        (Edm::Date, Value::Date(date)) => day(*date, out),
        (Edm::DateTime | Edm::DateTimeOffset, Value::Instant(at)) => moment(version, edm, *at, out),
        (Edm::DateTime | Edm::DateTimeOffset, Value::Date(date)) => moment(version, edm, date.midnight(), out),
        (Edm::Time | Edm::TimeOfDay, Value::Time(time)) => time_of_day(version, *time, out),
        _ => return Err(SchemaFault::Type),
    }
    Ok(())
}

/// The literal of a key's field from the text that identifies the record, encoded.
///
/// # Errors
/// As [`literal`].
pub(super) fn key_literal(
    version: Version,
    enums: EnumStyle,
    field: &Field,
    wire: &Wire,
    text: &str,
    out: &mut String,
) -> Result<(), SchemaFault> {
    let value = match wire {
        // A key is sent as it was read, never changed in its letters.
        Wire::Edm(Edm::String) => {
            quoted(text, out);
            return Ok(());
        }
        Wire::Edm(Edm::Boolean) => Value::Bool(text.parse().map_err(|_| SchemaFault::Value)?),
        Wire::Edm(Edm::Byte | Edm::SByte | Edm::Int16 | Edm::Int32 | Edm::Int64) => {
            Value::Integer(text.parse().map_err(|_| SchemaFault::Value)?)
        }
        Wire::Edm(Edm::Decimal | Edm::Double | Edm::Single) => {
            Value::Decimal(text.parse().map_err(|_| SchemaFault::Value)?)
        }
        Wire::Edm(Edm::Date) | Wire::Day(_) => Value::Date(text.parse().map_err(|_| SchemaFault::Value)?),
        Wire::Edm(Edm::DateTime | Edm::DateTimeOffset) => Value::Instant(text.parse().map_err(|_| SchemaFault::Value)?),
        Wire::Edm(Edm::Time | Edm::TimeOfDay) => Value::Time(text.parse().map_err(|_| SchemaFault::Value)?),
        _ => Value::Text(text.to_owned()),
    };
    literal(version, enums, field, wire, &value, out)
}

/// What a provider that knows no null writes for "no value", encoded; `None` for types that always have one.
pub(super) fn initial(version: Version, wire: &Wire, out: &mut String) -> Option<()> {
    match wire {
        Wire::Edm(Edm::String) => out.push_str("''"),
        Wire::Edm(Edm::Guid) => guid(version, "00000000-0000-0000-0000-000000000000", out).ok()?,
        Wire::Edm(Edm::Date) => out.push_str("0001-01-01"),
        Wire::Edm(Edm::DateTimeOffset) if version == Version::V4 => out.push_str("0001-01-01T00:00:00Z"),
        _ => return None,
    }
    Some(())
}

fn integer(version: Version, edm: Edm, number: i64, out: &mut String) -> Result<(), SchemaFault> {
    let fits = match edm {
        Edm::Byte => u8::try_from(number).is_ok(),
        Edm::SByte => i8::try_from(number).is_ok(),
        Edm::Int16 => i16::try_from(number).is_ok(),
        Edm::Int32 => i32::try_from(number).is_ok(),
        _ => true,
    };
    if !fits {
        return Err(SchemaFault::Value);
    }
    let mark = if version == Version::V2 && edm == Edm::Int64 {
        "L"
    } else {
        ""
    };
    let _ = write!(out, "{number}{mark}");
    Ok(())
}

fn decimal(version: Version, edm: Edm, number: &Decimal, out: &mut String) {
    let mark = match (version, edm) {
        (Version::V4, _) => "",
        (Version::V2, Edm::Double) => "d",
        (Version::V2, Edm::Single) => "f",
        (Version::V2, _) => "m",
    };
    let _ = write!(out, "{number}{mark}");
}

fn guid(version: Version, text: &str, out: &mut String) -> Result<(), SchemaFault> {
    if !is_guid(text) {
        return Err(SchemaFault::Value);
    }
    let text = text.to_ascii_lowercase();
    let _ = match version {
        Version::V2 => write!(out, "guid'{text}'"),
        Version::V4 => write!(out, "{text}"),
    };
    Ok(())
}

/// `8-4-4-4-12` hexadecimal digits.
pub(super) fn is_guid(text: &str) -> bool {
    let mut groups = text.split('-');
    let each = [8, 4, 4, 4, 12].iter().all(|length| {
        let group = groups.next().unwrap_or_default();
        group.len() == *length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    each && groups.next().is_none()
}

fn day(date: Date, out: &mut String) {
    let _ = write!(out, "{date}");
}

/// At most milliseconds: longer fractions were refused by a gateway (`sap-odata.md`, section 7).
fn moment(version: Version, edm: Edm, at: Timestamp, out: &mut String) {
    let text = civil(at);
    let _ = match (version, edm) {
        (Version::V2, Edm::DateTime) => write!(out, "datetime'{text}'"),
        (Version::V2, _) => write!(out, "datetimeoffset'{text}Z'"),
        (Version::V4, _) => write!(out, "{text}Z"),
    };
}

/// `2025-11-01T00:00:00`, with three digits of a second where they are not zero.
pub(super) fn civil(at: Timestamp) -> String {
    let date = Date::of(at);
    let millis = at.unix_millis().rem_euclid(86_400_000);
    let (seconds, fraction) = (millis / 1_000, millis % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut out = format!("{date}T{hour:02}:{minute:02}:{second:02}");
    if fraction != 0 {
        let _ = write!(out, ".{fraction:03}");
    }
    out
}

fn time_of_day(version: Version, time: TimeOfDay, out: &mut String) {
    let _ = match version {
        Version::V2 => write!(out, "time'{}'", duration(time)),
        Version::V4 => write!(out, "{time}"),
    };
}

/// V2's time of day: `PT23H59M59S`.
pub(super) fn duration(time: TimeOfDay) -> String {
    let (hour, minute, second) = time.parts();
    format!("PT{hour:02}H{minute:02}M{second:02}S")
}

#[cfg(test)]
mod tests {
    use atlas_connectors::erp::FieldKind;

    use super::*;

    fn written(version: Version, wire: &Wire, value: &Value) -> Result<String, SchemaFault> {
        let mut out = String::new();
        literal(
            version,
            EnumStyle::Quoted,
            &Field::new("f", FieldKind::Other),
            wire,
            value,
            &mut out,
        )?;
        Ok(out)
    }

    /// The forms of the recorded filters (`sap-odata.md`, section 6).
    #[test]
    fn each_type_has_its_form_in_each_version() {
        let instant: Timestamp = "2025-11-01T00:00:00Z".parse().unwrap();
        let finer: Timestamp = "2025-11-01T10:20:30.045Z".parse().unwrap();
        let date: Date = "2025-01-01".parse().unwrap();
        let time: TimeOfDay = "23:59:59".parse().unwrap();
        let amount: Decimal = "90000.50".parse().unwrap();
        let guid = Value::from("00000000-0000-4000-8000-00000000000A");
        for (edm, value, v2, v4) in [
            (Edm::String, "O'Neill".into(), "'O''Neill'", "'O''Neill'"),
            (
                Edm::String,
                "Müller & Söhne/+#%".into(),
                "'M%C3%BCller%20%26%20S%C3%B6hne%2F%2B%23%25'",
                "'M%C3%BCller%20%26%20S%C3%B6hne%2F%2B%23%25'",
            ),
            (
                Edm::DateTime,
                instant.into(),
                "datetime'2025-11-01T00:00:00'",
                "2025-11-01T00:00:00Z",
            ),
            (
                Edm::DateTime,
                date.into(),
                "datetime'2025-01-01T00:00:00'",
                "2025-01-01T00:00:00Z",
            ),
            (
                Edm::DateTimeOffset,
                finer.into(),
                "datetimeoffset'2025-11-01T10:20:30.045Z'",
                "2025-11-01T10:20:30.045Z",
            ),
            (Edm::Date, date.into(), "2025-01-01", "2025-01-01"),
            (Edm::Time, time.into(), "time'PT23H59M59S'", "23:59:59"),
            (
                Edm::Guid,
                guid,
                "guid'00000000-0000-4000-8000-00000000000a'",
                "00000000-0000-4000-8000-00000000000a",
            ),
            (Edm::Decimal, amount.clone().into(), "90000.50m", "90000.50"),
            (Edm::Double, amount.into(), "90000.50d", "90000.50"),
            (Edm::Decimal, 7.into(), "7m", "7"),
            (
                Edm::Int64,
                i64::MAX.into(),
                "9223372036854775807L",
                "9223372036854775807",
            ),
            (Edm::Int32, (-5).into(), "-5", "-5"),
            (Edm::Boolean, true.into(), "true", "true"),
        ] {
            assert_eq!(written(Version::V2, &Wire::Edm(edm), &value).as_deref(), Ok(v2));
            assert_eq!(written(Version::V4, &Wire::Edm(edm), &value).as_deref(), Ok(v4));
        }
        assert_eq!(
            written(Version::V2, &Wire::Day(Edm::DateTime), &date.into()).as_deref(),
            Ok("datetime'2025-01-01T00:00:00'")
        );
    }

    #[test]
    fn wrong_types_and_impossible_values_are_told_apart() {
        for (edm, value, fault) in [
            (Edm::String, Value::Integer(1), SchemaFault::Type),
            (Edm::Int16, Value::Integer(40_000), SchemaFault::Value),
            (Edm::Int32, "1".into(), SchemaFault::Type),
            (Edm::Guid, "nope".into(), SchemaFault::Value),
            (
                Edm::Guid,
                "00000000-0000-4000-8000-00000000000' or 1 eq 1".into(),
                SchemaFault::Value,
            ),
            (Edm::Date, "2025-01-01".into(), SchemaFault::Type),
            (Edm::Boolean, 1.into(), SchemaFault::Type),
            (Edm::Binary, Value::Null, SchemaFault::Type),
        ] {
            assert_eq!(written(Version::V4, &Wire::Edm(edm), &value), Err(fault));
        }
        assert_eq!(
            written(Version::V2, &Wire::Day(Edm::DateTime), &Value::Null),
            Err(SchemaFault::Type)
        );
    }

    mod arbitrary {
        use proptest::prelude::*;

        use super::*;

        /// As a server undoes it: percent-decoding, then the quotes.
        fn undone(literal: &str) -> Option<String> {
            let mut bytes = Vec::new();
            let mut rest = literal.as_bytes();
            while let Some((first, after)) = rest.split_first() {
                if *first == b'%' {
                    let digits = std::str::from_utf8(after.get(..2)?).ok()?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                    rest = &after[2..];
                } else {
                    bytes.push(*first);
                    rest = after;
                }
            }
            let text = String::from_utf8(bytes).ok()?;
            let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
            let plain = inner.replace("''", "\u{0}");
            (!plain.contains('\'')).then(|| plain.replace('\u{0}', "'"))
        }

        proptest! {
            #[test]
            fn any_text_comes_back(text in "[^\u{0}]{0,40}") {
                let mut out = String::new();
                quoted(&text, &mut out);
                prop_assert_eq!(undone(&out), Some(text));
                let forbidden = b"&#+?/<>[]|^` ";
                let plain = out.bytes().all(|byte| byte.is_ascii_graphic() && !forbidden.contains(&byte));
                prop_assert!(plain);
                let uri: Result<http::Uri, _> = format!("/x?$filter=A%20eq%20{out}").parse();
                prop_assert!(uri.is_ok());
            }
        }
    }
}
