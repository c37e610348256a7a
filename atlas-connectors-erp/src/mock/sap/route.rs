//! Which resource an address means.

use super::answer::Refusal;
use super::schema::{LinkDef, ServiceDef, TableDef};
use super::world::Key;

/// A resource of a service.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Root,
    Metadata,
    Batch,
    Set(&'static TableDef),
    Count(&'static TableDef),
    Record(&'static TableDef, Key),
    Link(&'static TableDef, Key, &'static LinkDef),
    /// A V4 action on a record, by its short name.
    Action(&'static TableDef, Key, String),
    /// A V2 function import.
    Function(String),
}

/// Percent-decodes one segment.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let value = (byte == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(value) = value {
            bytes.push(value);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The resource at a path below the root of a service, still encoded.
pub(super) fn target(service: &ServiceDef, path: &str) -> Result<Target, Refusal> {
    let v4 = service.v4;
    let segments: Vec<&str> = path.split('/').collect();
    let unknown = || {
        Refusal::new(
            if v4 { 404 } else { 400 },
            if v4 {
                "/IWBEP/CM_V4_APPS/002"
            } else {
                "/IWFND/CM_MGW/051"
            },
            "Resource not found for the segment",
        )
    };
    match segments.as_slice() {
        [""] => Ok(Target::Root),
        ["$metadata"] => Ok(Target::Metadata),
        ["$batch"] => Ok(Target::Batch),
        [one] => match keyed(one) {
            (name, Some(key)) => {
                let def = service.set(&name).ok_or_else(unknown)?;
                Ok(Target::Record(def, read_key(def, &key, v4)?))
            }
            (name, None) => match service.set(&name) {
                Some(def) => Ok(Target::Set(def)),
                None if !v4 && name.starts_with(|c: char| c.is_ascii_lowercase()) => Ok(Target::Function(name)),
                None => Err(unknown()),
            },
        },
        [set, "$count"] => service.set(set).map(Target::Count).ok_or_else(unknown),
        [record, part] => {
            let (name, Some(key)) = keyed(record) else {
                return Err(unknown());
            };
            let def = service.set(&name).ok_or_else(unknown)?;
            let key = read_key(def, &key, v4)?;
            if let Some(link) = def.link(part, v4) {
                return Ok(Target::Link(def, key, link));
            }
            let action = part
                .strip_prefix(service.namespace)
                .or_else(|| part.strip_prefix("SAP__self"))
                .and_then(|rest| rest.strip_prefix('.'));
            match action {
                Some(action) if v4 => Ok(Target::Action(def, key, action.to_owned())),
                _ => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

/// A segment as name and key text, both decoded.
fn keyed(segment: &str) -> (String, Option<String>) {
    let segment = decoded(segment);
    let found = segment
        .strip_suffix(')')
        .and_then(|inner| inner.split_once('('))
        .map(|(name, key)| (name.to_owned(), key.to_owned()));
    match found {
        Some((name, key)) => (name, Some(key)),
        None => (segment, None),
    }
}

/// `'1'`, `SalesOrder='1',SalesOrderItem='10'`, and for drafts `IsActiveEntity=true`.
fn read_key(def: &'static TableDef, text: &str, v4: bool) -> Result<Key, Refusal> {
    let syntax = || Refusal::syntax("The key predicate is not valid");
    let mut values = Vec::new();
    let mut active = None;
    for part in parts(text) {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) if !name.starts_with('\'') => (Some(name), value),
            _ => (None, part.as_str()),
        };
        if name == Some("IsActiveEntity") {
            active = Some(value == "true");
            continue;
        }
        let value = value
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
            .ok_or_else(syntax)?
            .replace("''", "'");
        let at = match name {
            Some(name) => def.at(name, v4).ok_or_else(syntax)?,
            None => def.keys().next().map(|(at, _)| at).ok_or_else(syntax)?,
        };
        if !def.fields.get(at).is_some_and(|field| field.key) {
            return Err(syntax());
        }
        values.push((at, value));
    }
    if values.len() != def.keys().count() || def.draft != active.is_some() {
        return Err(syntax());
    }
    Ok(Key {
        values,
        active: active.unwrap_or(true),
    })
}

/// Splits at commas outside of quotes.
fn parts(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            ',' if !quoted => out.push(String::new()),
            c => {
                quoted ^= c == '\'';
                if let Some(last) = out.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    out
}

/// The key of a record as it stands in addresses, encoded as little as an ABAP system does.
pub(super) fn key_text(def: &TableDef, key: &Key, v4: bool) -> String {
    let quoted = |value: &str| format!("'{}'", encoded(&value.replace('\'', "''")));
    if let ([(_, value)], false) = (key.values.as_slice(), def.draft) {
        return quoted(value);
    }
    let mut parts: Vec<String> = key
        .values
        .iter()
        .map(|(at, value)| {
            let name = def.fields.get(*at).map_or("", |field| field.name(v4));
            format!("{name}={}", quoted(value))
        })
        .collect();
    if def.draft {
        parts.push(format!("IsActiveEntity={}", key.active));
    }
    parts.join(",")
}

fn encoded(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'\'' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
