//! `name=value` as it is typed, with the types of the catalog.

use atlas_connectors::erp::{Catalog, Entity, FieldName, Lines, RecordRef, Value};

use crate::erp::typed::{self, EntityTypes, Types as _};
use crate::erp::work::{self, Work};
use crate::failure::Failure;

/// Where a record is, by its key as it was typed.
pub(super) fn place(work: &Work<'_>, entity: &Entity, key: &str) -> Result<RecordRef, Failure> {
    let mut place = RecordRef::new(entity.name.clone(), work::key_of(entity, key)?);
    place.company.clone_from(&work.company);
    Ok(place)
}

/// One `name=value`.
pub(super) fn assignment(types: &EntityTypes<'_>, text: &str) -> Result<(FieldName, Value), Failure> {
    let (name, value) = split(text)?;
    let field = types.field(name).map_err(Failure::Usage)?;
    let value = match value {
        "" => Value::Null,
        value => typed::value(&field, value, true).map_err(Failure::Usage)?,
    };
    Ok((FieldName::new(name), value))
}

/// One `name=value` whose type nobody knows, such as a parameter of an action that the catalog does not describe.
pub(super) fn untyped(text: &str) -> Result<(FieldName, Value), Failure> {
    let (name, value) = split(text)?;
    Ok((FieldName::new(name), typed::guessed(value, false)))
}

fn split(text: &str) -> Result<(&str, &str), Failure> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim(), value)),
        _ => Err(Failure::Usage(format!("{text} is no NAME=VALUE"))),
    }
}

/// `relation:name=value,name=value`, one record each; those of one relation are gathered.
pub(super) fn lines(catalog: &Catalog, entity: &Entity, typed: &[String]) -> Result<Vec<Lines>, Failure> {
    let mut gathered: Vec<Lines> = Vec::new();
    for text in typed {
        let (relation, rest) = text
            .split_once(':')
            .ok_or_else(|| Failure::Usage(format!("{text} is no RELATION:NAME=VALUE,…")))?;
        let target = target(catalog, entity, relation)?;
        let mut row = Vec::new();
        for part in pieces(rest) {
            row.push(match &target {
                Some(types) => assignment(types, &part)?,
                None => untyped(&part)?,
            });
        }
        match gathered.iter_mut().find(|lines| lines.relation.as_str() == relation) {
            Some(lines) => lines.rows.push(row),
            None => gathered.push(Lines::new(relation).row(row)),
        }
    }
    Ok(gathered)
}

fn target<'c>(catalog: &'c Catalog, entity: &Entity, relation: &str) -> Result<Option<EntityTypes<'c>>, Failure> {
    let field = entity.field(relation).ok_or_else(|| {
        Failure::Usage(format!(
            "{} has no relation {relation}; `atlas erp catalog {}` shows them",
            entity.name, entity.name
        ))
    })?;
    Ok(field
        .relation
        .as_ref()
        .and_then(|to| EntityTypes::of(catalog, to.as_str())))
}

/// Splits at commas outside of quotes; the quotes go away.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c == ',' => pieces.push(String::new()),
            _ => {
                if let Some(last) = pieces.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use atlas_connectors::erp::{Field, FieldKind, Relation};
    use atlas_connectors::{Clock as _, SystemClock};

    use super::*;

    fn catalog() -> Catalog {
        let mut order = Entity::new("purchase.order", ["id"]);
        order.fields.push(Field::new("partner_ref", FieldKind::Text));
        order.fields.push(Field::new("date_planned", FieldKind::Date));
        let mut lines = Field::new("order_line", FieldKind::Relations);
        lines.relation = Some("purchase.order.line".into());
        order.fields.push(lines);
        let mut line = Entity::new("purchase.order.line", ["id"]);
        line.fields.push(Field::new("product_id", FieldKind::Relation));
        line.fields.push(Field::new("product_qty", FieldKind::Decimal));
        line.fields.push(Field::new("name", FieldKind::Text));
        let mut catalog = Catalog::new("odoo", SystemClock.now());
        catalog.entities = vec![order, line];
        catalog
    }

    #[test]
    fn fields_are_typed_by_the_catalog() {
        let catalog = catalog();
        let types = EntityTypes::of(&catalog, "purchase.order").unwrap();
        let (name, value) = assignment(&types, "partner_ref=A=B").unwrap();
        assert_eq!((name.as_str(), value), ("partner_ref", Value::from("A=B")));
        assert_eq!(assignment(&types, "date_planned=").unwrap().1, Value::Null);
        assert!(assignment(&types, "date_planned=soon").is_err());
        assert!(assignment(&types, "nothing=1").is_err());
        assert!(assignment(&types, "=1").is_err());
    }

    #[test]
    fn lines_of_a_relation_are_gathered() {
        let catalog = catalog();
        let order = catalog.entity("purchase.order").unwrap();
        let typed = [
            "order_line:product_id=5,product_qty=10".to_owned(),
            r#"order_line:product_id=6,product_qty=2.50,name="Lamp, black""#.to_owned(),
        ];
        let lines = lines(&catalog, order, &typed).unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].rows[0][0].1, Value::from(Relation::to("5")));
        assert_eq!(lines[0].rows[1][1].1.to_string(), "2.50");
        assert_eq!(lines[0].rows[1][2].1, Value::from("Lamp, black"));
    }

    #[test]
    fn a_line_of_no_relation_is_refused() {
        let catalog = catalog();
        let order = catalog.entity("purchase.order").unwrap();
        assert!(lines(&catalog, order, &["lines:a=1".to_owned()]).is_err());
        assert!(lines(&catalog, order, &["a=1".to_owned()]).is_err());
    }
}
