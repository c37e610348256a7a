//! Keys out of addresses: `Location` of a create, and addresses of records that are gone.

use atlas_connectors::erp::RecordKey;

use crate::odata::EntityModel;

/// The key in an address such as `…/A_SalesOrderItem(SalesOrder='1',SalesOrderItem='10')`; `None` if it holds none of this entity.
pub(super) fn of_address(entity: &EntityModel, address: &str) -> Option<RecordKey> {
    let path = address.split(['?', '#']).next()?;
    let last = path.rsplit('/').next()?;
    let decoded = decode(last)?;
    let inner = decoded.strip_suffix(')')?.split_once('(')?.1;
    let names: Vec<_> = entity.key().map(|(field, _)| field.name.clone()).collect();
    let mut parts = Vec::new();
    for part in split(inner) {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) if !name.contains('\'') => (Some(name.trim()), value),
            _ => (None, part.as_str()),
        };
        let name = match name {
            Some(name) => names.iter().find(|known| known.as_str() == name)?,
            None => names.first()?,
        };
        parts.push((name.clone(), literal(value)));
    }
    (parts.len() == names.len()).then_some(())?;
    Some(match parts.as_slice() {
        [(_, value)] => RecordKey::single(value.clone()),
        _ => RecordKey::Composite(parts.into_iter().map(|(name, value)| (name, value.into())).collect()),
    })
}

/// The text of a literal: quotes, V2's prefixes and suffixes taken off.
fn literal(text: &str) -> String {
    let text = text.trim();
    match text.split_once('\'') {
        Some((_, rest)) => rest.strip_suffix('\'').unwrap_or(rest).replace("''", "'"),
        None => text.trim_end_matches(['m', 'M', 'L', 'l']).to_owned(),
    }
}

/// At commas outside of quotes.
fn split(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        if c == ',' && !quoted {
            out.push(String::new());
            continue;
        }
        quoted ^= c == '\'';
        if let Some(last) = out.last_mut() {
            last.push(c);
        }
    }
    out
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}
