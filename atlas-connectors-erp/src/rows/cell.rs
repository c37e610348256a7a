//! One value of a row.

use std::fmt;

use atlas_connectors::Timestamp;
use atlas_connectors::erp::{Date, Decimal, EntityName, Relation, TimeOfDay, Value};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::rows::plan::{CellKind, NullRules};
use crate::rows::row::{ListSeed, PlanState, RowRead, read_row};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

const ZERO_GUID: &str = "00000000-0000-0000-0000-000000000000";

/// Reads one value of this kind.
pub(super) struct CellSeed<'p> {
    pub(super) kind: &'p CellKind,
    pub(super) nulls: NullRules,
    /// Of the expanded records, where the kind is one.
    pub(super) nested: Option<&'p PlanState<'p>>,
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.kind {
            CellKind::Integer | CellKind::Decimal => {
                let raw = <&RawValue>::deserialize(deserializer)?.get();
                number(raw, matches!(self.kind, CellKind::Integer), self.nulls)
                    .ok_or_else(|| D::Error::custom("no number"))
            }
            CellKind::Float => {
                let raw = <&RawValue>::deserialize(deserializer)?.get();
                float(raw, self.nulls).ok_or_else(|| D::Error::custom("no number"))
            }
            CellKind::Other => {
                other(<&RawValue>::deserialize(deserializer)?.get(), 0).ok_or_else(|| D::Error::custom("not readable"))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for CellSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the field's type")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(match self.kind {
            CellKind::Many(_) | CellKind::References(_) if self.nulls.false_value => Value::List(Vec::new()),
            _ => Value::Null,
        })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        match self.kind {
            CellKind::Bool => Ok(Value::Bool(value)),
            _ if !value && self.nulls.false_value => Ok(Value::Null),
            _ => Err(E::custom("a truth value")),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        match self.kind {
            CellKind::Text | CellKind::Enum => Ok(Value::Text(value.to_string())),
            CellKind::Reference(entity) => Ok(relation(value.to_string(), None, entity.as_ref())),
            _ => Err(E::custom("a number")),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(E::custom("a large number")),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        let value = match self.kind {
            CellKind::Text if text.is_empty() && self.nulls.empty_text => Some(Value::Null),
            CellKind::Text => Some(Value::Text(text.to_owned())),
            CellKind::Enum => Some(Value::Enum(text.to_owned())),
            CellKind::Guid => Some(guid(text, self.nulls)),
            CellKind::Date => day(text, self.nulls),
            CellKind::Time => time(text),
            CellKind::Instant => instant(text, self.nulls),
            CellKind::Bool => match text {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            CellKind::Binary => binary(text),
            CellKind::Reference(entity) => Some(relation(text.to_owned(), None, entity.as_ref())),
            _ => None,
        };
        value.ok_or_else(|| E::custom("a text of another form"))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        match self.kind {
            CellKind::Text if !text.is_empty() => Ok(Value::Text(text)),
            _ => self.visit_str(&text),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        match (self.kind, self.nested) {
            (CellKind::Many(_), Some(state)) => ListSeed(state).visit_seq(items).map(Value::Records),
            (CellKind::References(entity), _) => {
                let kind = CellKind::Reference(entity.clone());
                let one = || CellSeed {
                    kind: &kind,
                    nulls: self.nulls,
                    nested: None,
                };
                let mut out = Vec::new();
                while let Some(value) = items.next_element_seed(one())? {
                    out.push(value);
                }
                Ok(Value::List(out))
            }
            (CellKind::Reference(entity), _) => {
                let id: Option<&RawValue> = items.next_element()?;
                let id = id.and_then(|raw| key_of(raw.get()));
                let label: Option<Option<String>> = items.next_element()?;
                while items.next_element::<IgnoredAny>()?.is_some() {}
                match id {
                    Some(id) => Ok(relation(id, label.flatten(), entity.as_ref())),
                    None => Err(A::Error::custom("no reference")),
                }
            }
            _ => Err(A::Error::custom("a list")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        match (self.kind, self.nested) {
            (CellKind::One(_), Some(state)) => Ok(match read_row(state, members)? {
                RowRead::Record(record) => Value::Record(Box::new(record)),
                RowRead::Removed | RowRead::Deferred => Value::Null,
            }),
            // V2 wraps lists, and puts an address in the place of what was not expanded.
            (CellKind::Many(_), Some(state)) => {
                let mut out = Value::Null;
                while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
                    match &*name {
                        "results" => out = Value::Records(members.next_value_seed(ListSeed(state))?),
                        "__next" => {
                            if members.next_value::<Option<IgnoredAny>>()?.is_some() {
                                state.shared.cut_list();
                            }
                        }
                        _ => {
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(out)
            }
            (CellKind::Reference(entity), _) => {
                let (mut id, mut label) = (None, None);
                while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
                    match &*name {
                        "id" => id = key_of(members.next_value::<&RawValue>()?.get()),
                        "display_name" => label = members.next_value::<Option<String>>()?,
                        _ => {
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                id.map(|id| relation(id, label, entity.as_ref()))
                    .ok_or_else(|| A::Error::custom("no reference"))
            }
            _ => Err(A::Error::custom("an object")),
        }
    }
}

fn relation(key: String, label: Option<String>, entity: Option<&EntityName>) -> Value {
    let mut relation = Relation::to(key);
    relation.entity = entity.cloned();
    relation.label = label;
    Value::from(relation)
}

/// The text of a key in JSON: a string or a whole number.
fn key_of(raw: &str) -> Option<String> {
    if raw.starts_with('"') {
        return serde_json::from_str(raw).ok();
    }
    raw.bytes().all(|byte| byte.is_ascii_digit()).then(|| raw.to_owned())
}

/// A number from its text, in quotes or not.
fn number(raw: &str, whole: bool, nulls: NullRules) -> Option<Value> {
    let text = match raw.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?.trim(),
        None => raw,
    };
    match text {
        "null" => return Some(Value::Null),
        "" if nulls.empty_text => return Some(Value::Null),
        "false" if nulls.false_value => return Some(Value::Null),
        _ => {}
    }
    if whole {
        return match text.parse() {
            Ok(number) => Some(Value::Integer(number)),
            // `1.0` and `1e3` are whole as well.
            Err(_) => text.parse::<Decimal>().ok()?.to_i64().map(Value::Integer),
        };
    }
    text.parse().ok().map(Value::Decimal)
}

fn float(raw: &str, nulls: NullRules) -> Option<Value> {
    number(raw, false, nulls).or_else(|| {
        let text = raw.trim_matches('"');
        let word = matches!(text, "INF" | "-INF" | "NaN");
        let digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
        (word || (!text.is_empty() && text.bytes().all(digit))).then(|| Value::Text(text.to_owned()))
    })
}

fn guid(text: &str, nulls: NullRules) -> Value {
    if nulls.zero_guid && text == ZERO_GUID || text.is_empty() && nulls.empty_text {
        return Value::Null;
    }
    Value::Text(text.to_ascii_lowercase())
}

/// Milliseconds of V2's `/Date(1704067200000+0000)/`. The number is UTC already; the offset says how it was entered
/// (`sap-odata.md`, section 6).
fn v2_millis(text: &str) -> Option<i64> {
    let inner = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let end = inner
        .char_indices()
        .skip(1)
        .find(|(_, c)| matches!(c, '+' | '-'))
        .map_or(inner.len(), |(at, _)| at);
    inner.get(..end)?.parse().ok()
}

/// 0001-01-01 in milliseconds.
const YEAR_ONE: i64 = -62_135_596_800_000;

fn day(text: &str, nulls: NullRules) -> Option<Value> {
    if is_no_date(text, nulls) {
        return Some(Value::Null);
    }
    if let Some(millis) = v2_millis(text) {
        return Some(match millis == YEAR_ONE && nulls.zero_date {
            true => Value::Null,
            false => Value::Date(Date::of(Timestamp::from_unix_millis(millis))),
        });
    }
    let date: Date = text.get(..10)?.parse().ok()?;
    let rest = text.get(10..).unwrap_or_default();
    (rest.is_empty() || rest.starts_with('T')).then_some(Value::Date(date))
}

fn instant(text: &str, nulls: NullRules) -> Option<Value> {
    if is_no_date(text, nulls) {
        return Some(Value::Null);
    }
    if let Some(millis) = v2_millis(text) {
        return Some(match millis == YEAR_ONE && nulls.zero_date {
            true => Value::Null,
            false => Value::Instant(Timestamp::from_unix_millis(millis)),
        });
    }
    if let Some(fast) = plain_instant(text) {
        return Some(Value::Instant(fast));
    }
    text.parse().ok().map(Value::Instant)
}

/// `2026-11-22T09:30:00Z`, with or without a fraction, with `T` or a blank, with or without `Z`: what nearly every moment on the
/// wire looks like.
fn plain_instant(text: &str) -> Option<Timestamp> {
    let date: Date = text.get(..10)?.parse().ok()?;
    let rest = text.get(10..)?.strip_prefix(['T', ' '])?;
    let rest = rest.strip_suffix('Z').unwrap_or(rest);
    let (clock, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let mut parts = clock
        .splitn(3, ':')
        .map(|part| (part.len() == 2).then(|| part.parse::<i64>().ok()).flatten());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return None;
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let millis = thousandths.fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let seconds = hour * 3_600 + minute * 60 + second;
    Some(Timestamp::from_unix_millis(
        date.midnight().unix_millis() + seconds * 1_000 + millis,
    ))
}

fn is_no_date(text: &str, nulls: NullRules) -> bool {
    (text.is_empty() && nulls.empty_text)
        || (nulls.zero_date && (text.starts_with("0001-01-01") || text.starts_with("0000-00-00")))
}

fn time(text: &str) -> Option<Value> {
    let Some(rest) = text.strip_prefix("PT") else {
        return text.parse().ok().map(Value::Time);
    };
    let mut parts = [0i8; 3];
    let mut number = String::new();
    let mut fraction = false;
    for c in rest.chars() {
        match c {
            '0'..='9' if !fraction => number.push(c),
            '0'..='9' => {}
            '.' => fraction = true,
            'H' | 'M' | 'S' => {
                let at = match c {
                    'H' => 0,
                    'M' => 1,
                    _ => 2,
                };
                *parts.get_mut(at)? = std::mem::take(&mut number).parse().ok()?;
                fraction = false;
            }
            _ => return None,
        }
    }
    if !number.is_empty() {
        return None;
    }
    let [hour, minute, second] = parts;
    TimeOfDay::new(hour, minute, second).map(Value::Time)
}

fn binary(text: &str) -> Option<Value> {
    let engine = if text.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    engine.decode(text).ok().map(|bytes| Value::Binary(Bytes::from(bytes)))
}

/// A value without interpretation.
fn other(raw: &str, depth: usize) -> Option<Value> {
    match raw.as_bytes().first()? {
        b'n' => Some(Value::Null),
        b't' => Some(Value::Bool(true)),
        b'f' => Some(Value::Bool(false)),
        b'"' => serde_json::from_str(raw).ok().map(Value::Text),
        b'[' if depth == 0 => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            items
                .into_iter()
                .map(|item| other(item.get(), 1))
                .collect::<Option<_>>()
                .map(Value::List)
        }
        _ => Some(Value::Text(raw.to_owned())),
    }
}
