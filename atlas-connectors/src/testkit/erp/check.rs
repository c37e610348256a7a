//! Queries and writes held against the catalog, before anything is asked.

use crate::erp::{
    ActionName, Catalog, Create, Entity, EntityName, Expand, Field, FieldKind, FieldName, Filter, Query, Shape, Value,
    Write,
};
use crate::error::{Error, ErrorKind, Result, SchemaFault};

pub(super) fn entity<'a>(catalog: &'a Catalog, name: &EntityName) -> Result<&'a Entity> {
    catalog.entity(name.as_str()).ok_or_else(|| {
        let service = name.to_string();
        Error::new(ErrorKind::ServiceMissing { service }, "memory.check")
    })
}

/// The field at the end of a dotted path.
pub(super) fn field<'a>(catalog: &'a Catalog, entity: &'a Entity, path: &str) -> Result<&'a Field> {
    if let Some(found) = entity.field(path) {
        return Ok(found);
    }
    let target = path.split_once('.').and_then(|(first, rest)| {
        let through = entity.field(first)?.relation.as_ref()?;
        Some((catalog.entity(through.as_str())?, rest))
    });
    match target {
        Some((target, rest)) => field(catalog, target, rest),
        None => Err(missing(entity, path)),
    }
}

pub(super) fn query<'a>(catalog: &'a Catalog, query: &Query) -> Result<&'a Entity> {
    let found = entity(catalog, &query.entity)?;
    shape(catalog, found, &query.select, &query.expand)?;
    if let Some(condition) = &query.filter {
        filter(catalog, found, condition)?;
    }
    for order in &query.order {
        let by = field(catalog, found, order.field.as_str())?;
        if !found.support.ordering || !by.sortable || by.kind == FieldKind::Relations {
            return Err(unsupported("ordering by this field"));
        }
    }
    if query.count && !found.support.counting {
        return Err(unsupported("counting"));
    }
    Ok(found)
}

pub(super) fn shape_of<'a>(catalog: &'a Catalog, name: &EntityName, wanted: &Shape) -> Result<&'a Entity> {
    let found = entity(catalog, name)?;
    shape(catalog, found, &wanted.select, &wanted.expand)?;
    Ok(found)
}

fn shape(catalog: &Catalog, entity: &Entity, select: &[FieldName], expand: &[Expand]) -> Result<()> {
    for name in select {
        field(catalog, entity, name.as_str())?;
    }
    for one in expand {
        let target = related(catalog, entity, &one.relation)?;
        shape(catalog, target, &one.select, &one.expand)?;
    }
    Ok(())
}

/// The entity behind a relation.
pub(super) fn related<'a>(catalog: &'a Catalog, entity: &Entity, relation: &FieldName) -> Result<&'a Entity> {
    let target = entity
        .field(relation.as_str())
        .and_then(|field| field.relation.as_ref());
    target
        .and_then(|target| catalog.entity(target.as_str()))
        .ok_or_else(|| missing(entity, relation.as_str()))
}

fn filter(catalog: &Catalog, entity: &Entity, condition: &Filter) -> Result<()> {
    match condition {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| filter(catalog, entity, part)),
        Filter::Not(part) => filter(catalog, entity, part),
        Filter::Compare { field: name, value, .. } => fitting(field(catalog, entity, name.as_str())?, value, "filter"),
        Filter::In { field: name, values } => {
            let field = field(catalog, entity, name.as_str())?;
            values.iter().try_for_each(|value| fitting(field, value, "filter"))
        }
        Filter::Contains { field: name, .. } | Filter::StartsWith { field: name, .. } => {
            match field(catalog, entity, name.as_str())?.kind {
                FieldKind::Text | FieldKind::Guid | FieldKind::Enum | FieldKind::Other => Ok(()),
                _ => Err(invalid("filter", "only text can contain or begin with a text")),
            }
        }
        Filter::IsNull { field: name } => field(catalog, entity, name.as_str()).map(|_| ()),
    }
}

pub(super) fn write(catalog: &Catalog, write: &Write) -> Result<()> {
    match write {
        Write::Create(create) => check_create(catalog, create),
        Write::Update(update) => {
            let found = entity(catalog, &update.entity)?;
            let changes = update.changes.iter().map(|change| (&change.field, &change.new));
            changes
                .into_iter()
                .try_for_each(|(name, value)| writable(found, name, value))
        }
        Write::Delete(delete) => entity(catalog, &delete.entity).map(|_| ()),
        Write::Action(call) => {
            let found = entity(catalog, &call.entity)?;
            let known = found
                .action(&call.action)
                .ok_or_else(|| no_action(found, &call.action))?;
            for (name, value) in &call.parameters {
                let parameter = known.parameters.iter().find(|known| known.name == *name);
                fitting(
                    parameter.ok_or_else(|| missing(found, name.as_str()))?,
                    value,
                    "parameter",
                )?;
            }
            Ok(())
        }
        Write::Batch(batch) => batch.parts.iter().try_for_each(|part| self::write(catalog, part)),
    }
}

fn check_create(catalog: &Catalog, create: &Create) -> Result<()> {
    let found = entity(catalog, &create.entity)?;
    for (name, value) in &create.fields {
        writable(found, name, value)?;
    }
    for lines in &create.lines {
        let target = related(catalog, found, &lines.relation)?;
        for (name, value) in lines.rows.iter().flatten() {
            writable(target, name, value)?;
        }
    }
    Ok(())
}

fn writable(entity: &Entity, name: &FieldName, value: &Value) -> Result<()> {
    let found = entity
        .field(name.as_str())
        .ok_or_else(|| missing(entity, name.as_str()))?;
    fitting(found, value, "value")
}

fn fitting(field: &Field, value: &Value, what: &'static str) -> Result<()> {
    let fits = match (field.kind, value) {
        (_, Value::Null)
        | (FieldKind::Other, _)
        | (FieldKind::Bool, Value::Bool(_))
        | (FieldKind::Integer, Value::Integer(_))
        | (FieldKind::Decimal, Value::Integer(_) | Value::Decimal(_))
        | (FieldKind::Text | FieldKind::Guid, Value::Text(_))
        | (FieldKind::Date, Value::Date(_))
        | (FieldKind::Time, Value::Time(_))
        | (FieldKind::Instant, Value::Instant(_))
        | (FieldKind::Binary | FieldKind::Stream, Value::Binary(_))
        | (FieldKind::Relation, Value::Relation(_) | Value::Integer(_) | Value::Text(_))
        | (FieldKind::Relations, Value::List(_)) => true,
        (FieldKind::Integer, Value::Decimal(number)) => number.to_i64().is_some(),
        (FieldKind::Enum, Value::Text(text) | Value::Enum(text)) => {
            field.values.is_empty() || field.values.iter().any(|known| known.value == *text)
        }
        _ => false,
    };
    match fits {
        true => Ok(()),
        false => Err(invalid(what, "a value does not fit the type of its field")),
    }
}

fn missing(entity: &Entity, field: &str) -> Error {
    let kind = ErrorKind::SchemaMismatch {
        path: format!("{}.{field}", entity.name),
        fault: SchemaFault::Missing,
    };
    Error::new(kind, "memory.check")
}

fn no_action(entity: &Entity, action: &ActionName) -> Error {
    let kind = ErrorKind::SchemaMismatch {
        path: format!("{}:{action}", entity.name),
        fault: SchemaFault::Missing,
    };
    Error::new(kind, "memory.check")
}

pub(super) fn invalid(what: &'static str, why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid { what, why }, "memory.check")
}

pub(super) fn unsupported(what: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported { what }, "memory.check")
}
