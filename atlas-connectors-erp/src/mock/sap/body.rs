//! Bodies of writes: values as each version wants them, and nothing else.

use serde_json::Value;

use super::answer::{FRAMEWORK_ID, Note, Refusal};
use super::schema::{Kind, Table, TableDef};
use super::world::{from_millis, scaled};

/// What a body sets: positions with values, and the parts below each link.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) fields: Vec<(usize, Option<String>)>,
    pub(super) lines: Vec<(Table, Vec<Self>)>,
}

pub(super) fn read(json: &str, def: &'static TableDef, v4: bool, ieee: bool) -> Result<Body, Refusal> {
    let json = if json.is_empty() { "{}" } else { json };
    let value: Value = serde_json::from_str(json)
        .map_err(|_| Refusal::new(400, FRAMEWORK_ID, "Error while parsing the request body"))?;
    body(&value, def, v4, ieee)
}

fn body(value: &Value, def: &'static TableDef, v4: bool, ieee: bool) -> Result<Body, Refusal> {
    let Value::Object(members) = value else {
        return Err(Refusal::new(400, FRAMEWORK_ID, "An object is expected"));
    };
    let mut out = Body::default();
    for (name, value) in members {
        if name.starts_with("__") || name.contains('@') || (def.draft && name == "IsActiveEntity") {
            continue;
        }
        if let Some(link) = def.link(name, v4) {
            let rows = match value {
                Value::Array(rows) => rows,
                Value::Object(wrapper) if !v4 => wrapper
                    .get("results")
                    .and_then(Value::as_array)
                    .ok_or_else(|| Refusal::property(name, &def.type_name(v4)))?,
                _ => return Err(Refusal::property(name, &def.type_name(v4))),
            };
            let lines = rows
                .iter()
                .map(|row| body(row, link.to.def(), v4, ieee))
                .collect::<Result<_, _>>()?;
            out.lines.push((link.to, lines));
            continue;
        }
        let at = def
            .at(name, v4)
            .ok_or_else(|| Refusal::property(name, &def.type_name(v4)))?;
        let kind = def.fields.get(at).map_or(Kind::Bool, |field| field.kind);
        let parsed = parse(kind, value, v4, ieee).ok_or_else(|| {
            Refusal::of(
                400,
                vec![Note::error(
                    FRAMEWORK_ID,
                    format!("Property {name} has an invalid value"),
                    name,
                )],
            )
        })?;
        out.fields.push((at, parsed));
    }
    Ok(out)
}

/// A value of a kind out of JSON, or `None` where this version does not take it so. A decimal as a number is an error in
/// V2; in V4 texts are taken only where the content type says so (`sap-odata.md`, section 6).
#[allow(
    clippy::option_option,
    reason = "no value, and not a value of this kind, are two things"
)]
fn parse(kind: Kind, value: &Value, v4: bool, ieee: bool) -> Option<Option<String>> {
    match (kind, value) {
        (Kind::Date | Kind::Stamp, Value::Null) => Some(None),
        (Kind::Text(length), Value::String(text)) => {
            (text.chars().count() <= length as usize).then(|| Some(text.clone()))
        }
        (Kind::Bool, Value::Bool(flag)) => Some(Some(flag.to_string())),
        (Kind::Decimal(precision, scale), Value::String(number)) if !v4 || ieee => {
            decimal(number, precision, scale).map(Some)
        }
        (Kind::Decimal(precision, scale), Value::Number(number)) if v4 && !ieee => {
            decimal(&number.to_string(), precision, scale).map(Some)
        }
        (Kind::Date | Kind::Stamp, Value::String(text)) if !v4 => {
            let inner = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
            let number = inner.split('+').next().unwrap_or(inner);
            number.parse().ok().map(|millis| Some(from_millis(millis, kind)))
        }
        (Kind::Date, Value::String(text)) => (text.len() == 10).then(|| Some(text.clone())),
        (Kind::Stamp, Value::String(text)) => super::filter::stamp(text).ok().map(Some),
        _ => None,
    }
}

fn decimal(number: &str, precision: u32, scale: u32) -> Option<String> {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = !whole.is_empty()
        && all_digits(whole)
        && all_digits(fraction)
        && fraction.len() <= scale as usize
        && whole.trim_start_matches('0').len() + scale as usize <= precision as usize;
    fits.then(|| format!("{sign}{}", scaled(digits, scale)))
}
