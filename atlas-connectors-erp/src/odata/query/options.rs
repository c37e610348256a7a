//! `$select`, `$expand` and `$orderby`.

use atlas_connectors::Result;
use atlas_connectors::erp::{Expand, FieldKind, FieldName, Order};
use atlas_connectors::error::SchemaFault;

use crate::odata::{EntityModel, Model, Version};

const OPERATION: &str = "odata.query";
/// Deeper expansion is refused: each level multiplies the answer.
const DEEPEST: usize = 8;

/// The fields that are asked for: those wanted, the key, and what the client needs for its part. Empty for all.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::SchemaMismatch`] for an unknown field or a relation, which is expanded instead.
pub(super) fn select(model: &EntityModel, wanted: &[FieldName], needed: &[&FieldName]) -> Result<Vec<FieldName>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut out: Vec<FieldName> = Vec::with_capacity(wanted.len() + 2);
    let key = model.entity().key.iter();
    for name in wanted.iter().chain(key).chain(needed.iter().copied()) {
        let (field, _) = model.require(OPERATION, name.as_str())?;
        if matches!(field.kind, FieldKind::Relation | FieldKind::Relations) {
            return Err(model.mismatch(OPERATION, name.as_str(), SchemaFault::Type));
        }
        if !out.contains(name) {
            out.push(name.clone());
        }
    }
    Ok(out)
}

/// `$orderby`, encoded; empty for none.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::SchemaMismatch`] for an unknown field, [`atlas_connectors::ErrorKind::Unsupported`] for one
/// that cannot be ordered by.
pub(super) fn order(model: &EntityModel, order: &[Order]) -> Result<String> {
    let mut out = String::new();
    for (at, by) in order.iter().enumerate() {
        let (field, _) = model.require(OPERATION, by.field.as_str())?;
        if !field.sortable {
            return Err(model.unsupported(OPERATION, by.field.as_str(), "ordering by this field"));
        }
        if at > 0 {
            out.push(',');
        }
        out.push_str(by.field.as_str());
        if by.descending {
            out.push_str("%20desc");
        }
    }
    Ok(out)
}

/// V2's `$expand` and what it adds to `$select`: paths through the relations.
#[derive(Debug, Default)]
pub(super) struct Paths {
    pub(super) expand: Vec<String>,
    pub(super) select: Vec<String>,
    /// Whether a relation is asked for some of its fields only.
    pub(super) chosen: bool,
}

/// # Errors
/// As [`select`], and for a relation that is none.
pub(super) fn v2_paths(model: &Model, of: &EntityModel, expands: &[Expand]) -> Result<Paths> {
    let mut out = Paths::default();
    add_v2(model, of, expands, "", &mut out, 0)?;
    Ok(out)
}

fn add_v2(
    model: &Model,
    of: &EntityModel,
    expands: &[Expand],
    above: &str,
    out: &mut Paths,
    depth: usize,
) -> Result<()> {
    for expand in expands {
        let target = related(model, of, &expand.relation, depth)?;
        let path = format!("{above}{}", expand.relation);
        // A longer path names this one too.
        if expand.expand.is_empty() {
            out.expand.push(path.clone());
        }
        match select(target, &expand.select, &[])?.as_slice() {
            [] => out.select.push(path.clone()),
            fields => {
                out.chosen = true;
                out.select.extend(fields.iter().map(|field| format!("{path}/{field}")));
            }
        }
        add_v2(model, target, &expand.expand, &format!("{path}/"), out, depth + 1)?;
    }
    Ok(())
}

/// V4's `$expand` with its options in parentheses; encoded.
///
/// # Errors
/// As [`v2_paths`].
pub(super) fn v4_expand(model: &Model, of: &EntityModel, expands: &[Expand], depth: usize) -> Result<String> {
    let mut out = String::new();
    for (at, expand) in expands.iter().enumerate() {
        let target = related(model, of, &expand.relation, depth)?;
        if at > 0 {
            out.push(',');
        }
        out.push_str(expand.relation.as_str());
        let mut options = Vec::new();
        let select = select(target, &expand.select, &[])?;
        if !select.is_empty() {
            options.push(format!("$select={}", joined(&select)));
        }
        let inner = v4_expand(model, target, &expand.expand, depth + 1)?;
        if !inner.is_empty() {
            options.push(format!("$expand={inner}"));
        }
        if !options.is_empty() {
            out.push('(');
            out.push_str(&options.join(";"));
            out.push(')');
        }
    }
    Ok(out)
}

/// The entity that a relation leads to.
pub(super) fn related<'a>(
    model: &'a Model,
    of: &EntityModel,
    relation: &FieldName,
    depth: usize,
) -> Result<&'a EntityModel> {
    let (field, wire) = of.require(OPERATION, relation.as_str())?;
    if depth >= DEEPEST {
        return Err(of.unsupported(OPERATION, relation.as_str(), "expanding so deep"));
    }
    if !matches!(field.kind, FieldKind::Relation | FieldKind::Relations) {
        return Err(of.mismatch(OPERATION, relation.as_str(), SchemaFault::Type));
    }
    let found = model.related(wire);
    found
        .map(|found| &**found)
        .ok_or_else(|| of.mismatch(OPERATION, relation.as_str(), SchemaFault::Missing))
}

pub(super) fn joined(fields: &[FieldName]) -> String {
    let mut out = String::new();
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(field.as_str());
    }
    out
}

/// The whole of `$select` and `$expand` for a version, each with its name; empty parts are left out.
pub(super) fn select_and_expand(
    model: &Model,
    of: &EntityModel,
    select: &[FieldName],
    expands: &[Expand],
) -> Result<Vec<String>> {
    let mut out = Vec::new();
    match model.version() {
        Version::V2 => {
            let paths = v2_paths(model, of, expands)?;
            if !select.is_empty() || paths.chosen {
                // `*` keeps the record's own fields beside a choice among those of its relations.
                let own = if select.is_empty() {
                    "*".to_owned()
                } else {
                    joined(select)
                };
                let rest: String = paths.select.iter().map(|path| format!(",{path}")).collect();
                out.push(format!("$select={own}{rest}"));
            }
            if !paths.expand.is_empty() {
                out.push(format!("$expand={}", paths.expand.join(",")));
            }
        }
        _ => {
            if !select.is_empty() {
                out.push(format!("$select={}", joined(select)));
            }
            let expand = v4_expand(model, of, expands, 0)?;
            if !expand.is_empty() {
                out.push(format!("$expand={expand}"));
            }
        }
    }
    Ok(out)
}
