//! From what was typed to typed values, by the catalog.

use atlas_connectors::Timestamp;
use atlas_connectors::erp::{Catalog, Date, Decimal, Entity, FieldKind, Relation, Value};

/// What is known of a field.
#[derive(Clone, Debug)]
pub(crate) struct FieldType {
    name: String,
    /// `None` where the catalog does not reach; the connector checks the name then.
    kind: Option<FieldKind>,
    /// The listed values of an enumeration.
    values: Vec<String>,
}

/// Tells the types of fields.
pub(crate) trait Types {
    /// The type of a field by its path; what is wrong with the name.
    fn field(&self, path: &str) -> Result<FieldType, String>;
}

/// The fields of one entity, and of those its relations lead to as far as they are in the catalog.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntityTypes<'a> {
    catalog: &'a Catalog,
    entity: &'a Entity,
}

impl<'a> EntityTypes<'a> {
    /// The types of an entity, if it is in the catalog.
    pub(crate) fn of(catalog: &'a Catalog, entity: &str) -> Option<Self> {
        let entity = catalog.entity(entity)?;
        Some(Self { catalog, entity })
    }
}

impl Types for EntityTypes<'_> {
    fn field(&self, path: &str) -> Result<FieldType, String> {
        let mut entity = self.entity;
        let mut rest = path;
        loop {
            let (first, more) = match rest.split_once(['.', '/']) {
                Some((first, more)) if entity.field(rest).is_none() => (first, Some(more)),
                _ => (rest, None),
            };
            let Some(field) = entity.field(first) else {
                return Err(unknown(entity, first));
            };
            let Some(more) = more else {
                return Ok(FieldType {
                    name: path.to_owned(),
                    kind: Some(field.kind),
                    values: field.values.iter().map(|one| one.value.clone()).collect(),
                });
            };
            let target = field.relation.as_ref().and_then(|to| self.catalog.entity(to.as_str()));
            match (field.kind, target) {
                (FieldKind::Relation | FieldKind::Relations, Some(target)) => entity = target,
                (FieldKind::Relation | FieldKind::Relations, None) => {
                    return Ok(FieldType {
                        name: path.to_owned(),
                        kind: None,
                        values: Vec::new(),
                    });
                }
                _ => return Err(format!("{first} leads to no other record")),
            }
            rest = more;
        }
    }
}

/// A value as it was typed. Quotes make it a text where the type is not known.
pub(crate) fn value(field: &FieldType, text: &str, quoted: bool) -> Result<Value, String> {
    let name = &field.name;
    let Some(kind) = field.kind else {
        return Ok(guessed(text, quoted));
    };
    let number = || text.parse::<Decimal>().ok();
    match kind {
        FieldKind::Bool => match text.to_lowercase().as_str() {
            "yes" | "true" => Ok(true.into()),
            "no" | "false" => Ok(false.into()),
            _ => Err(format!("{name} is yes or no")),
        },
        FieldKind::Integer => {
            let number = text.parse::<i64>().ok();
            number
                .map(Value::from)
                .ok_or_else(|| format!("{name} holds whole numbers"))
        }
        FieldKind::Decimal => number()
            .map(Value::from)
            .ok_or_else(|| format!("{name} holds exact numbers, such as 1234.50")),
        FieldKind::Date => text
            .parse::<Date>()
            .map(Value::from)
            .map_err(|_| format!("{name} holds days, such as 2026-01-31")),
        FieldKind::Time => text
            .parse::<atlas_connectors::erp::TimeOfDay>()
            .map(Value::from)
            .map_err(|_| format!("{name} holds times of day, such as 08:30:00")),
        FieldKind::Instant => moment(text).map(Value::from).ok_or_else(|| {
            format!("{name} holds moments, such as 2026-01-31T08:30:00Z, or 2026-01-31 for its beginning")
        }),
        FieldKind::Enum if field.values.is_empty() || field.values.iter().any(|known| known == text) => {
            Ok(Value::Enum(text.to_owned()))
        }
        FieldKind::Enum => Err(format!("{name} is one of {}", field.values.join(", "))),
        FieldKind::Relation => Ok(Relation::to(text).into()),
        FieldKind::Relations => Err(format!(
            "{name} holds several records; ask about a field of theirs: {name}.field"
        )),
        FieldKind::Binary | FieldKind::Stream => Err(format!("{name} holds bytes, which cannot be typed")),
        _ => Ok(Value::Text(text.to_owned())),
    }
}

/// A moment, or a day for its beginning.
fn moment(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<Date>().ok().map(|day| format!("{day}T00:00:00Z"));
    text.parse().ok().or_else(|| day()?.parse().ok())
}

pub(crate) fn guessed(text: &str, quoted: bool) -> Value {
    if quoted {
        return text.into();
    }
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    if let Ok(number) = text.parse::<Decimal>() {
        return number.into();
    }
    match text.parse::<Date>() {
        Ok(day) => day.into(),
        Err(_) => text.into(),
    }
}

/// Says that a field is not there, and which one may be meant.
fn unknown(entity: &Entity, name: &str) -> String {
    let meant = entity
        .fields
        .iter()
        .map(|field| (distance(name, field.name.as_str()), field.name.as_str()))
        .min()
        .filter(|(distance, known)| *distance <= known.chars().count() / 3);
    match meant {
        Some((_, known)) => format!("there is no field {name}; {known}?"),
        None => format!("there is no field {name}"),
    }
}

/// How many letters have to be changed, whatever their case.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (b, cell) in other.iter().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(a != *b);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
