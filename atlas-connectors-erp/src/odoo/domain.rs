//! From a filter to a search domain: prefix notation, typed operands, every field checked first.

use atlas_connectors::erp::{Comparison, Field, FieldKind, Filter, Value};
use atlas_connectors::error::ErrorKind;
use atlas_connectors::{Error, Result};
use futures_util::future::BoxFuture;

use crate::odoo::session::Door;
use crate::odoo::shapes::{Shape, Shapes, no_field};
use crate::odoo::values;
use crate::odoo::wire::Json;

/// Deepest path through relations.
const DEEPEST: usize = 6;

/// The terms of a domain in prefix notation; none for no condition.
pub(super) type Domain = Vec<Json>;

/// Compiles a filter.
///
/// # Errors
/// [`ErrorKind::SchemaMismatch`] for a field that is not there, [`ErrorKind::Invalid`] for an operand of another type,
/// [`ErrorKind::Unsupported`] for a field that the server cannot search by.
pub(super) fn compile<'a>(
    door: &'a Door,
    shapes: &'a Shapes,
    shape: &'a Shape,
    filter: &'a Filter,
) -> BoxFuture<'a, Result<Domain>> {
    Box::pin(async move {
        Ok(match filter {
            Filter::And(parts) => joined("&", nothing(true), all(door, shapes, shape, parts).await?),
            Filter::Or(parts) => joined("|", nothing(false), all(door, shapes, shape, parts).await?),
            Filter::Not(part) => {
                let mut terms = Vec::from([Json::text("!")]);
                terms.extend(one(compile(door, shapes, shape, part).await?));
                terms
            }
            Filter::Compare { field, op, value } => {
                let at = reach(door, shapes, shape, field.as_str()).await?;
                compare(&at, field.as_str(), *op, value)?
            }
            Filter::In { field, values } => {
                let at = reach(door, shapes, shape, field.as_str()).await?;
                let operands = values.iter().map(|value| at.operand(value)).collect::<Result<_>>()?;
                leaf(field.as_str(), "in", Json::List(operands))
            }
            Filter::Contains { field, text } => {
                reach(door, shapes, shape, field.as_str()).await?.is_text()?;
                leaf(field.as_str(), "like", Json::text(escaped(text)))
            }
            Filter::StartsWith { field, text } => {
                reach(door, shapes, shape, field.as_str()).await?.is_text()?;
                leaf(field.as_str(), "=like", Json::text(format!("{}%", escaped(text))))
            }
            Filter::IsNull { field } => {
                let at = reach(door, shapes, shape, field.as_str()).await?;
                at.is_unset(field.as_str(), true)
            }
            _ => {
                let what = "a condition of this kind";
                return Err(Error::new(ErrorKind::Unsupported { what }, "odoo.domain"));
            }
        })
    })
}

async fn all(door: &Door, shapes: &Shapes, shape: &Shape, parts: &[Filter]) -> Result<Vec<Domain>> {
    let mut compiled = Vec::new();
    for part in parts {
        compiled.push(compile(door, shapes, shape, part).await?);
    }
    Ok(compiled)
}

/// A field at the end of a path, with the model it belongs to.
struct Reached {
    shape: std::sync::Arc<Shape>,
    field: Field,
}

impl Reached {
    fn operand(&self, value: &Value) -> Result<Json> {
        // References are compared by number; a list field by its members.
        match (self.field.kind, value) {
            (FieldKind::Relations, Value::Relation(relation)) => Ok(Json::int(values::id_of(&relation.key)?)),
            (FieldKind::Relations, Value::Integer(id)) => Ok(Json::int(*id)),
            _ => values::plain(&self.shape, &self.field, value),
        }
    }

    fn is_text(&self) -> Result<()> {
        match self.field.kind {
            FieldKind::Text | FieldKind::Enum => Ok(()),
            _ => Err(values::misfit(&self.shape, &self.field)),
        }
    }

    /// Numbers and flags read as zero and no where nothing was stored: they are never null.
    fn is_unset(&self, path: &str, unset: bool) -> Domain {
        match self.field.kind {
            FieldKind::Integer | FieldKind::Decimal | FieldKind::Bool => nothing(!unset),
            _ => leaf(path, if unset { "=" } else { "!=" }, Json::Bool(false)),
        }
    }
}

async fn reach(door: &Door, shapes: &Shapes, shape: &Shape, path: &str) -> Result<Reached> {
    let mut at = shapes.of(door, shape.model(), false).await?;
    let parts: Vec<&str> = path.split('.').collect();
    if parts.len() > DEEPEST {
        return Err(no_field(shape.model(), path));
    }
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.next() {
        let (field, _) = at.field(part)?;
        if parts.peek().is_none() {
            if !field.filterable && part != "id" {
                let what = "a search by a field that Odoo computes and cannot search by";
                let error = Error::new(ErrorKind::Unsupported { what }, "odoo.domain");
                return Err(error
                    .with_provider(super::provider())
                    .with_context("field", &field.name));
            }
            let field = field.clone();
            return Ok(Reached { shape: at, field });
        }
        let Some(next) = field.relation.clone() else {
            return Err(no_field(shape.model(), path));
        };
        at = shapes.of(door, next.as_str(), false).await?;
    }
    Err(no_field(shape.model(), path))
}

fn compare(at: &Reached, path: &str, op: Comparison, value: &Value) -> Result<Domain> {
    if value.is_null() {
        return match op {
            Comparison::Equal => Ok(at.is_unset(path, true)),
            Comparison::NotEqual => Ok(at.is_unset(path, false)),
            _ => Err(values::misfit(&at.shape, &at.field)),
        };
    }
    let operator = match op {
        Comparison::Equal => "=",
        Comparison::NotEqual => "!=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
    };
    let ordered = !matches!(op, Comparison::Equal | Comparison::NotEqual);
    let unordered_kind = matches!(
        at.field.kind,
        FieldKind::Bool | FieldKind::Relation | FieldKind::Relations | FieldKind::Enum | FieldKind::Binary
    );
    // The id of a record is a number like any other.
    if ordered && unordered_kind {
        return Err(values::misfit(&at.shape, &at.field));
    }
    Ok(leaf(path, operator, at.operand(value)?))
}

fn leaf(path: &str, operator: &str, operand: Json) -> Domain {
    Vec::from([Json::List(Vec::from([Json::text(path), Json::text(operator), operand]))])
}

/// A condition that always holds, or never.
fn nothing(holds: bool) -> Domain {
    leaf("id", if holds { "!=" } else { "=" }, Json::int(0))
}

/// One operand out of a domain: several terms in a row are joined by "and".
fn one(terms: Domain) -> Domain {
    if terms.is_empty() { nothing(true) } else { terms }
}

/// Parts joined by an operator: one less of it than there are parts, in front.
fn joined(operator: &str, empty: Domain, parts: Vec<Domain>) -> Domain {
    let Some(operators) = parts.len().checked_sub(1) else {
        return empty;
    };
    let mut terms = vec![Json::text(operator); operators];
    terms.extend(parts.into_iter().flat_map(one));
    terms
}

/// `%`, `_` and the backslash stand for themselves.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Two domains that must both hold.
pub(super) fn both(first: Domain, second: Domain) -> Domain {
    let parts: Vec<Domain> = [first, second].into_iter().filter(|part| !part.is_empty()).collect();
    joined("&", Vec::new(), parts)
}

/// A condition on the id: `>` or `<`.
pub(super) fn beyond(id: i64, descending: bool) -> Domain {
    leaf("id", if descending { "<" } else { ">" }, Json::int(id))
}

/// A condition of the connector's own.
pub(super) fn term(path: &str, operator: &str, operand: Json) -> Domain {
    leaf(path, operator, operand)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_in_prefix_notation() {
        let part = |name: &str| leaf(name, "=", Json::int(1));
        let three = joined("|", nothing(false), Vec::from([part("a"), part("b"), part("c")]));
        assert_eq!(
            Json::List(three).to_text(),
            r#"["|","|",["a","=",1],["b","=",1],["c","=",1]]"#
        );
        let none = joined("|", nothing(false), Vec::new());
        assert_eq!(Json::List(none).to_text(), r#"[["id","=",0]]"#);
        let both = both(part("a"), Vec::new());
        assert_eq!(Json::List(both).to_text(), r#"[["a","=",1]]"#);
    }

    #[test]
    fn wildcards_stand_for_themselves() {
        assert_eq!(escaped(r"50%_\x"), r"50\%\_\\x");
    }
}
