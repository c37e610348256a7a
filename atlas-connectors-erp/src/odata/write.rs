//! Values as JSON bodies.

use std::fmt::Write as _;

use atlas_connectors::erp::{Field, FieldKind, FieldName, Lines, Value};
use atlas_connectors::error::{FieldFault, SchemaFault};
use atlas_connectors::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;

use crate::odata::literal::{civil, duration, is_guid};
use crate::odata::metadata::Edm;
use crate::odata::{Dialect, EntityModel, Model, NullStyle, Version, Wire};

const OPERATION: &str = "odata.write";
/// Lines below lines below lines.
const DEEPEST: usize = 4;

/// How numbers are written in V4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NumberStyle {
    /// As JSON numbers, digit for digit.
    #[default]
    Plain,
    /// As text; only together with `Content-Type: application/json;IEEE754Compatible=true`.
    Text,
}

/// What a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyFor {
    /// A new record: required fields must be there.
    Create,
    /// Changes of a record: fields that can be set on create only are refused.
    Update,
}

/// Writes bodies for the records of a service.
#[derive(Clone, Debug)]
pub struct BodyWriter<'a> {
    dialect: &'a Dialect,
    model: &'a Model,
    numbers: NumberStyle,
}

impl<'a> BodyWriter<'a> {
    /// A writer for this service.
    pub fn new(dialect: &'a Dialect, model: &'a Model) -> Self {
        Self {
            dialect,
            model,
            numbers: NumberStyle::Plain,
        }
    }

    /// Sets how V4's numbers are written.
    #[must_use]
    pub fn with_numbers(mut self, numbers: NumberStyle) -> Self {
        self.numbers = numbers;
        self
    }

    /// The `Content-Type` of the bodies.
    pub fn content_type(&self) -> &'static str {
        match (self.dialect.version, self.numbers) {
            (Version::V4, NumberStyle::Text) => "application/json;IEEE754Compatible=true",
            _ => "application/json",
        }
    }

    /// The body for a record with its lines, in one request (a deep insert, atomic on the server).
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] naming an unknown field or relation, or a value of another type;
    /// [`ErrorKind::Rejected`] with all fields that the metadata forbids: `read_only`, `create_only`, `required`, `too_long`,
    /// `not_null`, `too_many_digits`. Nothing has been sent then.
    pub fn record(
        &self,
        entity: &EntityModel,
        purpose: BodyFor,
        fields: &[(FieldName, Value)],
        lines: &[Lines],
    ) -> Result<Bytes> {
        let mut out = String::with_capacity(256);
        let mut faults = Vec::new();
        self.object(entity, purpose, fields, lines, "", 0, &mut out, &mut faults)?;
        if !faults.is_empty() {
            return Err(Error::new(ErrorKind::Rejected { fields: faults }, OPERATION));
        }
        Ok(Bytes::from(out))
    }

    /// The body for the parameters of a V4 action; `{}` for none.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] naming a parameter that is unknown or of another type; [`ErrorKind::Rejected`] for one
    /// that is missing.
    pub fn parameters(&self, known: &[Field], given: &[(FieldName, Value)]) -> Result<Bytes> {
        let mismatch = |name: &FieldName, fault: SchemaFault| {
            let path = name.as_str().to_owned();
            Error::new(ErrorKind::SchemaMismatch { path, fault }, OPERATION)
        };
        let mut out = String::from("{");
        for (at, (name, value)) in given.iter().enumerate() {
            let field = known.iter().find(|field| field.name == *name);
            let field = field.ok_or_else(|| mismatch(name, SchemaFault::Missing))?;
            if at > 0 {
                out.push(',');
            }
            text(name.as_str(), &mut out);
            out.push(':');
            let wire = Wire::Edm(edm_of(field.kind));
            self.value(field, &wire, value, &mut out)
                .map_err(|fault| mismatch(name, fault))?;
        }
        let missing = known
            .iter()
            .filter(|field| field.required && !given.iter().any(|(name, _)| *name == field.name));
        let faults: Vec<FieldFault> = missing.map(|field| refused(field.name.as_str(), "required")).collect();
        if !faults.is_empty() {
            return Err(Error::new(ErrorKind::Rejected { fields: faults }, OPERATION));
        }
        out.push('}');
        Ok(Bytes::from(out))
    }

    #[allow(clippy::too_many_arguments, reason = "one level of a recursion, private")]
    fn object(
        &self,
        entity: &EntityModel,
        purpose: BodyFor,
        fields: &[(FieldName, Value)],
        lines: &[Lines],
        path: &str,
        depth: usize,
        out: &mut String,
        faults: &mut Vec<FieldFault>,
    ) -> Result<()> {
        if depth > DEEPEST {
            return Err(entity.unsupported(OPERATION, path, "creating records so deep"));
        }
        out.push('{');
        let mut first = true;
        for (name, value) in fields {
            let (field, wire) = entity.require(OPERATION, name.as_str())?;
            let at = format!("{path}{name}");
            if let Some(code) = forbidden(field, value, purpose, self.dialect) {
                faults.push(refused(&at, code));
            }
            if let Value::Records(_) | Value::Record(_) = value {
                return Err(entity.mismatch(OPERATION, name.as_str(), SchemaFault::Type));
            }
            member(name.as_str(), &mut first, out);
            self.value(field, wire, value, out)
                .map_err(|fault| entity.mismatch(OPERATION, name.as_str(), fault))?;
        }
        if purpose == BodyFor::Create {
            let missing = entity
                .fields()
                .filter(|(field, _)| field.required && !fields.iter().any(|(name, _)| *name == field.name));
            faults.extend(missing.map(|(field, _)| refused(&format!("{path}{}", field.name), "required")));
        }
        for group in lines {
            let (field, wire) = entity.require(OPERATION, group.relation.as_str())?;
            let target = self.model.related(wire).filter(|_| field.kind == FieldKind::Relations);
            let target =
                target.ok_or_else(|| entity.mismatch(OPERATION, group.relation.as_str(), SchemaFault::Type))?;
            if field.read_only {
                faults.push(refused(&format!("{path}{}", group.relation), "read_only"));
            }
            member(group.relation.as_str(), &mut first, out);
            out.push('[');
            for (at, row) in group.rows.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                let path = format!("{path}{}({at})/", group.relation);
                // What links a line to its record is filled in by the server.
                let mut own = Vec::new();
                self.object(target, purpose, row, &[], &path, depth + 1, out, &mut own)?;
                let key = &target.entity().key;
                let links = |fault: &FieldFault| {
                    fault.code == "required" && key.iter().any(|part| fault.field == format!("{path}{part}"))
                };
                faults.extend(own.into_iter().filter(|fault| !links(fault)));
            }
            out.push(']');
        }
        out.push('}');
        Ok(())
    }

    fn value(&self, field: &Field, wire: &Wire, value: &Value, out: &mut String) -> Result<(), SchemaFault> {
        let v2 = self.dialect.version == Version::V2;
        if value.is_null() {
            return self.no_value(wire, out);
        }
        let as_text = v2 || self.numbers == NumberStyle::Text;
        match (wire, value) {
            (Wire::Day(_), Value::Date(date)) if v2 => {
                let _ = write!(out, "\"/Date({})/\"", date.midnight().unix_millis());
            }
            (Wire::Day(_), Value::Date(date)) => {
                let _ = write!(out, "\"{}Z\"", civil(date.midnight()));
            }
            (Wire::Enum(_), value) => {
                let word = value.as_str().ok_or(SchemaFault::Type)?;
                if !field.values.iter().any(|known| known.value == word) {
                    return Err(SchemaFault::Value);
                }
                text(word, out);
            }
            (Wire::Edm(Edm::String), value) => text(value.as_str().ok_or(SchemaFault::Type)?, out),
            (Wire::Edm(Edm::Guid), value) => {
                let guid = value.as_str().ok_or(SchemaFault::Type)?;
                if !is_guid(guid) {
                    return Err(SchemaFault::Value);
                }
                text(guid, out);
            }
            (Wire::Edm(Edm::Boolean), Value::Bool(yes)) => out.push_str(if *yes { "true" } else { "false" }),
            (Wire::Edm(Edm::Byte | Edm::SByte | Edm::Int16 | Edm::Int32), value) => {
                let number = value.as_i64().ok_or(SchemaFault::Type)?;
                let _ = write!(out, "{number}");
            }
            (Wire::Edm(Edm::Int64), value) => {
                let number = value.as_i64().ok_or(SchemaFault::Type)?;
                quoted_if(as_text, &number, out);
            }
            // A gateway refuses a V2 decimal that is a JSON number (`sap-odata.md`, section 6).
            (Wire::Edm(Edm::Decimal), value) => {
                quoted_if(as_text, &value.as_decimal().ok_or(SchemaFault::Type)?, out);
            }
            (Wire::Edm(Edm::Double | Edm::Single), value) => {
                quoted_if(v2, &value.as_decimal().ok_or(SchemaFault::Type)?, out);
            }
            (Wire::Edm(Edm::Date), Value::Date(date)) => {
                let _ = write!(out, "\"{date}\"");
            }
            (Wire::Edm(Edm::DateTime | Edm::DateTimeOffset), value) => {
                let moment = match value {
                    Value::Instant(moment) => *moment,
                    Value::Date(date) => date.midnight(),
                    _ => return Err(SchemaFault::Type),
                };
                let _ = match v2 {
                    true => write!(out, "\"/Date({})/\"", moment.unix_millis()),
                    false => write!(out, "\"{}Z\"", civil(moment)),
                };
            }
            (Wire::Edm(Edm::Time | Edm::TimeOfDay), Value::Time(time)) => {
                let _ = match v2 {
                    true => write!(out, "\"{}\"", duration(*time)),
                    false => write!(out, "\"{time}\""),
                };
            }
            (Wire::Edm(Edm::Binary), Value::Binary(bytes)) => {
                let engine = if v2 { &STANDARD } else { &URL_SAFE };
                let _ = write!(out, "\"{}\"", engine.encode(bytes));
            }
            // Not interpreted: text and lists of it as they are.
            (Wire::Other | Wire::Edm(Edm::Duration | Edm::Other), Value::Text(word)) => text(word, out),
            (Wire::Other, Value::List(items)) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    match item {
                        Value::Text(word) | Value::Enum(word) => text(word, out),
                        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
                        Value::Integer(number) => {
                            let _ = write!(out, "{number}");
                        }
                        _ => return Err(SchemaFault::Type),
                    }
                }
                out.push(']');
            }
            _ => return Err(SchemaFault::Type),
        }
        Ok(())
    }

    /// Null, or what a provider without null writes for it.
    fn no_value(&self, wire: &Wire, out: &mut String) -> Result<(), SchemaFault> {
        let initial = match (self.dialect.null, wire) {
            (NullStyle::Initial, Wire::Edm(Edm::String)) => "\"\"",
            (NullStyle::Initial, Wire::Edm(Edm::Guid)) => "\"00000000-0000-0000-0000-000000000000\"",
            (NullStyle::Initial, Wire::Edm(Edm::Date)) => "\"0001-01-01\"",
            // ABAP's text knows no null.
            (NullStyle::Either, Wire::Edm(Edm::String)) => "\"\"",
            (_, Wire::Navigation { .. }) => return Err(SchemaFault::Type),
            _ => "null",
        };
        out.push_str(initial);
        Ok(())
    }
}

/// What the metadata says against a value, as a fixed word.
fn forbidden(field: &Field, value: &Value, purpose: BodyFor, dialect: &Dialect) -> Option<&'static str> {
    if field.read_only {
        return Some("read_only");
    }
    if field.create_only && purpose == BodyFor::Update {
        return Some("create_only");
    }
    let says_null = value.is_null() && !(field.kind == FieldKind::Text && dialect.null != NullStyle::Null);
    if says_null && !field.nullable && dialect.null != NullStyle::Initial {
        return Some("not_null");
    }
    if let (Some(most), Value::Text(text)) = (field.length, value)
        && field.kind == FieldKind::Text
        && text.chars().count() > usize::try_from(most).unwrap_or(usize::MAX)
    {
        return Some("too_long");
    }
    if let (Some(scale), Value::Decimal(number)) = (field.scale, value)
        && number.round(scale) != *number
    {
        return Some("too_many_digits");
    }
    None
}

fn refused(field: &str, code: &str) -> FieldFault {
    FieldFault {
        field: field.to_owned(),
        code: code.to_owned(),
    }
}

fn member(name: &str, first: &mut bool, out: &mut String) {
    if !std::mem::replace(first, false) {
        out.push(',');
    }
    text(name, out);
    out.push(':');
}

fn quoted_if(quotes: bool, number: &dyn std::fmt::Display, out: &mut String) {
    let quote = if quotes { "\"" } else { "" };
    let _ = write!(out, "{quote}{number}{quote}");
}

/// A JSON string.
fn text(text: &str, out: &mut String) {
    // A string always has a form in JSON.
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// The type that a parameter of this kind has, as far as its JSON form depends on it.
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
        FieldKind::Text | FieldKind::Enum => Edm::String,
        _ => Edm::Other,
    }
}

#[cfg(test)]
mod tests {
    use atlas_connectors::erp::{Create, Date, Decimal};
    use proptest::prelude::*;

    use super::*;
    use crate::odata::model::tests::{v2, v4};

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn written(dialect: &Dialect, model: &Model, numbers: NumberStyle, create: &Create) -> Result<String> {
        let entity = model.entity("t", create.entity.as_str())?;
        let writer = BodyWriter::new(dialect, model).with_numbers(numbers);
        let body = writer.record(entity, BodyFor::Create, &create.fields, &create.lines)?;
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn each_version_has_its_forms() {
        let created: Date = "2025-01-02".parse().unwrap();
        let order = Create::new("A_Order")
            .set("Type", "O\"R")
            .set("Created", created)
            .set("Changed", created.midnight())
            .set("Currency", Value::Null)
            .lines(
                Lines::new("to_Item")
                    .row([("Quantity", decimal("1.50").into())])
                    .row([("Item", "20".into())]),
            );
        let body = written(&Dialect::sap_v2(), &v2(), NumberStyle::Plain, &order);
        // Items of the sample are read only in the set, which restricts the set and not a deep insert.
        assert_eq!(
            body.unwrap(),
            r#"{"Type":"O\"R","Created":"/Date(1735776000000)/","Changed":"/Date(1735776000000)/","Currency":"","to_Item":[{"Quantity":"1.50"},{"Item":"20"}]}"#
        );
        let order = Create::new("Order")
            .set("Kind", "A")
            .set("Net", decimal("1234567890123456789012345678.125"))
            .set("Created", created)
            .set("Changed", created.midnight())
            .set("Status", "In_x0020_Review")
            .set("Tags", Value::List(vec!["a".into(), "b".into()]))
            .lines(Lines::new("_Item").row([("Quantity", decimal("2").into())]));
        let body = written(&Dialect::sap_v4(), &v4(), NumberStyle::Plain, &order).unwrap();
        let expected = r#"{"Kind":"A","Net":1234567890123456789012345678.125,"Created":"2025-01-02","Changed":"2025-01-02T00:00:00Z","Status":"In_x0020_Review","Tags":["a","b"],"_Item":[{"Quantity":2}]}"#;
        assert_eq!(body, expected);
        let body = written(&Dialect::sap_v4(), &v4(), NumberStyle::Text, &order).unwrap();
        assert!(body.contains(r#""Net":"1234567890123456789012345678.125""#) && body.contains(r#""Quantity":"2""#));
        let unset = Create::new("Order")
            .set("Kind", "A")
            .set("Created", Value::Null)
            .set("Currency", Value::Null);
        let body = written(&Dialect::business_central(), &v4(), NumberStyle::Plain, &unset).unwrap();
        assert_eq!(body, r#"{"Kind":"A","Created":"0001-01-01","Currency":""}"#);
    }

    #[test]
    fn what_the_metadata_forbids_is_said_at_once() {
        let model = v4();
        let order = Create::new("Order")
            .set("ID", "00000000-0000-4000-8000-000000000001")
            .set("Kind", "too long")
            .lines(Lines::new("_Item").row([("Quantity", decimal("1.2345").into())]));
        let error = written(&Dialect::sap_v4(), &model, NumberStyle::Plain, &order).unwrap_err();
        let ErrorKind::Rejected { fields } = error.kind() else {
            panic!("{error}")
        };
        let faults: Vec<_> = fields
            .iter()
            .map(|fault| (fault.field.as_str(), fault.code.as_str()))
            .collect();
        assert_eq!(
            faults,
            [
                ("ID", "read_only"),
                ("Kind", "too_long"),
                ("_Item(0)/Quantity", "too_many_digits")
            ]
        );

        let entity = model.entity("t", "Order").unwrap();
        let dialect = Dialect::sap_v4();
        let writer = BodyWriter::new(&dialect, &model);
        let changed = [("Kind".into(), "A".into())];
        let error = writer.record(entity, BodyFor::Update, &changed, &[]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Rejected { fields } if fields[0].code == "create_only"));
        let error = writer.record(entity, BodyFor::Create, &[], &[]).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Rejected { fields } if fields[0].field == "Kind" && fields[0].code == "required")
        );
        for (name, value) in [
            ("Nope", Value::from(1)),
            ("Net", "1".into()),
            ("Status", "Lost".into()),
            ("_Item", Value::Null),
        ] {
            let error = writer
                .record(entity, BodyFor::Update, &[(name.into(), value)], &[])
                .unwrap_err();
            assert_eq!(error.code(), "schema_mismatch", "{name}");
        }
    }

    #[test]
    fn parameters_of_an_action() {
        let model = v4();
        let dialect = Dialect::sap_v4();
        let entity = model.entity("t", "Order").unwrap();
        let ship = entity.entity().action(&"ship".into()).unwrap();
        let writer = BodyWriter::new(&dialect, &model);
        let on: Date = "2025-01-02".parse().unwrap();
        assert_eq!(
            writer
                .parameters(&ship.parameters, &[("On".into(), on.into())])
                .unwrap(),
            r#"{"On":"2025-01-02"}"#
        );
        assert_eq!(writer.parameters(&ship.parameters, &[]).unwrap(), "{}");
        assert!(
            writer
                .parameters(&ship.parameters, &[("Off".into(), on.into())])
                .is_err()
        );
    }

    proptest! {
        /// What is read is what was written, digit for digit, in both versions and both styles.
        #[test]
        fn a_decimal_survives_the_way_there_and_back(number in "-?[1-9][0-9]{0,24}(\\.[0-9]{1,3})?", v4_style in 0..3) {
            let model = if v4_style < 2 { v4() } else { v2() };
            let (set, field) = if v4_style < 2 { ("Item", "Quantity") } else { ("A_Item", "Quantity") };
            let dialect = if v4_style < 2 { Dialect::sap_v4() } else { Dialect::sap_v2() };
            let numbers = if v4_style == 1 { NumberStyle::Text } else { NumberStyle::Plain };
            let create = Create::new(set).set(field, decimal(&number));
            let body = written(&dialect, &model, numbers, &create).unwrap();
            let entity = model.entity("t", set).unwrap();
            let key = r#""Order":"00000000-0000-4000-8000-000000000001","Item":"1","#;
            let body = body.replacen('{', &format!("{{{key}"), 1);
            let plan = crate::rows::RowPlan::odata(&dialect, &model, entity, &[], &[]).unwrap();
            let record = crate::rows::read_one("t", &plan, body.as_bytes()).unwrap().unwrap();
            prop_assert_eq!(record.value(field).unwrap().to_string(), number);
        }
    }
}
