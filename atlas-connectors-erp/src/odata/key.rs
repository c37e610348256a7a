//! The part of an address that names one record.

use atlas_connectors::erp::RecordKey;
use atlas_connectors::{Error, ErrorKind, Result};

use crate::odata::literal::key_literal;
use crate::odata::{Dialect, EntityModel};

/// The key predicate of a record, encoded: `('1')`, `(SalesOrder='2',SalesOrderItem='10')`, V2's `(guid'…')`. Empty for a
/// singleton.
///
/// # Errors
/// [`ErrorKind::Invalid`] for a key of another number of parts or with a part of another name;
/// [`ErrorKind::SchemaMismatch`] for a part that its type cannot hold.
pub fn key_predicate(dialect: &Dialect, model: &EntityModel, key: &RecordKey) -> Result<String> {
    let operation = "odata.key";
    let invalid = |why: &'static str| Error::new(ErrorKind::Invalid { what: "key", why }, operation);
    let parts = model.key();
    let count = parts.len();
    if model.is_singleton() {
        return Ok(String::new());
    }
    if count == 0 {
        return Err(invalid("the entity has no key"));
    }
    if let RecordKey::Composite(given) = key {
        if given.len() != count {
            return Err(invalid("it has another number of parts than the entity's"));
        }
    } else if count != 1 {
        return Err(invalid("the entity's key has several parts"));
    }
    let mut out = String::from("(");
    for (at, (field, wire)) in parts.enumerate() {
        let text = key
            .part(field.name.as_str())
            .ok_or_else(|| invalid("a part is missing"))?;
        if at > 0 {
            out.push(',');
        }
        if count > 1 {
            out.push_str(field.name.as_str());
            out.push('=');
        }
        key_literal(dialect.version, dialect.enums, field, wire, text, &mut out)
            .map_err(|fault| model.mismatch(operation, field.name.as_str(), fault))?;
    }
    out.push(')');
    Ok(out)
}
