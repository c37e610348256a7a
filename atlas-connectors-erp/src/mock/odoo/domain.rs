//! Search domains: prefix notation, dotted paths, and the comparison of datetimes that differs between 18 and 19.

use std::cmp::Ordering;

use crate::mock::odoo::Version;
use crate::mock::odoo::database::{Database, micros};
use crate::mock::odoo::figure::Figure;
use crate::mock::odoo::models;
use crate::mock::odoo::oops::{Done, Oops};
use crate::mock::odoo::schema::FieldDef;
use crate::odoo::wire::Json;

#[derive(Clone, Debug)]
pub(super) enum Term {
    And(Vec<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Leaf(String, String, Json),
}

impl Term {
    pub(super) fn parse(db: &Database, model: &str, domain: &Json) -> Done<Self> {
        let Some(items) = domain.as_list() else {
            return Err(match db.version {
                Version::V18 => Oops::sql(
                    "builtins.AssertionError",
                    "Domains to normalize must have a 'domain' form: a list or tuple of domain components",
                ),
                Version::V19 => Oops::type_error(format!(
                    "Domain() invalid argument type for domain: {:?}",
                    domain.as_text().unwrap_or_default()
                )),
            });
        };
        let mut rest = items;
        let mut all = Vec::new();
        while !rest.is_empty() {
            all.push(term(db, model, &mut rest, domain)?);
        }
        Ok(Self::And(all))
    }

    pub(super) fn names(&self, field: &str) -> bool {
        match self {
            Self::And(all) => all.iter().any(|term| term.names(field)),
            Self::Or(left, right) => left.names(field) || right.names(field),
            Self::Not(inner) => inner.names(field),
            Self::Leaf(path, ..) => path == field,
        }
    }

    pub(super) fn holds(&self, db: &Database, model: &str, id: i64) -> bool {
        match self {
            Self::And(all) => all.iter().all(|term| term.holds(db, model, id)),
            Self::Or(left, right) => left.holds(db, model, id) || right.holds(db, model, id),
            Self::Not(inner) => !inner.holds(db, model, id),
            Self::Leaf(path, operator, value) => leaf(db, model, id, path, operator, value),
        }
    }
}

fn malformed(db: &Database, domain: &Json) -> Oops {
    let text = domain.to_text().replace('"', "'").replace(',', ", ");
    Oops::value(match db.version {
        Version::V18 => format!("Domain {text} is syntactically not correct."),
        Version::V19 => format!("Domain() malformed domain {text}"),
    })
}

fn term(db: &Database, model: &str, rest: &mut &[Json], domain: &Json) -> Done<Term> {
    let Some((first, after)) = rest.split_first() else {
        return Err(malformed(db, domain));
    };
    *rest = after;
    match first {
        Json::Text(operator) if operator == "&" => Ok(Term::And(Vec::from([
            term(db, model, rest, domain)?,
            term(db, model, rest, domain)?,
        ]))),
        Json::Text(operator) if operator == "|" => Ok(Term::Or(
            Box::new(term(db, model, rest, domain)?),
            Box::new(term(db, model, rest, domain)?),
        )),
        Json::Text(operator) if operator == "!" => Ok(Term::Not(Box::new(term(db, model, rest, domain)?))),
        Json::List(parts) => {
            let [Json::Text(path), Json::Text(operator), value] = parts.as_slice() else {
                return Err(Oops::value(match db.version {
                    Version::V18 => format!("not enough values to unpack (expected 3, got {})", parts.len()),
                    Version::V19 => format!("Domain() invalid item in domain: {}", first.to_text()),
                }));
            };
            check(db, model, path, operator, value)?;
            Ok(Term::Leaf(path.clone(), operator.clone(), value.clone()))
        }
        _ => Err(malformed(db, domain)),
    }
}

const OPERATORS: [&str; 15] = [
    "=",
    "!=",
    ">",
    ">=",
    "<",
    "<=",
    "in",
    "not in",
    "like",
    "ilike",
    "not like",
    "not ilike",
    "=like",
    "=ilike",
    "=?",
];

fn check(db: &Database, model: &str, path: &str, operator: &str, value: &Json) -> Done<()> {
    let shown = format!("('{path}', '{operator}', {})", value.to_text().replace('"', "'"));
    if !OPERATORS.contains(&operator) {
        return Err(Oops::value(match db.version {
            Version::V18 => format!("Invalid leaf {shown}"),
            Version::V19 => format!("Invalid operator in condition {shown}"),
        }));
    }
    let unknown = |model: &str, field: &str| {
        let place = match db.version {
            Version::V18 => "leaf",
            Version::V19 => "condition",
        };
        Oops::value(format!("Invalid field {model}.{field} in {place} {shown}"))
    };
    let mut at = model;
    let mut last = None;
    for part in path.split('.') {
        let field = models::model(at)
            .and_then(|model| model.field(part))
            .ok_or_else(|| unknown(at, part))?;
        last = Some(field);
        at = field.relation.split('/').next().unwrap_or_default();
    }
    // Texts where whole numbers belong reach the database as they are.
    let ids_wanted = last.is_some_and(|field| field.name == "id");
    let ids: &[Json] = match value {
        Json::List(items) => items,
        one => std::slice::from_ref(one),
    };
    if ids_wanted && let Some(text) = ids.iter().find_map(Json::as_text) {
        let message = format!("invalid input syntax for type integer: \"{text}\"\nLINE 1: ...\n");
        return Err(Oops::sql("psycopg2.errors.InvalidTextRepresentation", message));
    }
    Ok(())
}

/// Every value that a path leads to; relations fan out.
fn reached(db: &Database, model: &str, id: i64, path: &str) -> Vec<(Json, Option<&'static FieldDef>)> {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(field) = models::model(model).and_then(|model| model.field(first)) else {
        return Vec::new();
    };
    let Some(row) = db.row(model, id) else {
        return Vec::new();
    };
    let relation = field.relation.split('/').next().unwrap_or_default();
    let ids: Vec<i64> = match field.kind {
        "one2many" => db.children(field.relation, id),
        "many2many" => row.value(first).as_ids().unwrap_or_default(),
        "many2one" => row.id_in(first).into_iter().collect(),
        _ => Vec::new(),
    };
    match rest {
        Some(rest) => ids.iter().flat_map(|id| reached(db, relation, *id, rest)).collect(),
        None if field.kind == "one2many" || field.kind == "many2many" => {
            let mut values: Vec<_> = ids.iter().map(|id| (Json::int(*id), Some(field))).collect();
            if values.is_empty() {
                values.push((Json::Bool(false), Some(field)));
            }
            values
        }
        None => {
            let value = match first {
                "id" => Json::int(id),
                "write_date" => Json::int(row.written),
                "create_date" => Json::int(row.created),
                "write_uid" => Json::int(row.writer),
                "create_uid" => Json::int(row.creator),
                "display_name" => Json::text(db.display_name(model, id)),
                "state" if model == "mail.activity" => Json::text("planned"),
                _ => row.values.get(first).cloned().unwrap_or_else(|| field.empty()),
            };
            Vec::from([(value, Some(field))])
        }
    }
}

fn leaf(db: &Database, model: &str, id: i64, path: &str, operator: &str, value: &Json) -> bool {
    let values = reached(db, model, id, path);
    let any = |test: &dyn Fn(&Json, Option<&FieldDef>) -> bool| values.iter().any(|(found, field)| test(found, *field));
    match operator {
        "=?" if is_unset(value) => true,
        "=" | "=?" => any(&|found, field| same(db, found, value, field)),
        // A path through a list holds as soon as one of its ends does.
        "!=" if path.contains('.') => any(&|found, field| !same(db, found, value, field)),
        "!=" => !any(&|found, field| same(db, found, value, field)),
        "in" => any(&|found, field| items(value).iter().any(|item| same(db, found, item, field))),
        "not in" => !any(&|found, field| items(value).iter().any(|item| same(db, found, item, field))),
        ">" => any(&|found, field| order(db, found, value, field).is_some_and(Ordering::is_gt)),
        ">=" => any(&|found, field| order(db, found, value, field).is_some_and(Ordering::is_ge)),
        "<" => any(&|found, field| order(db, found, value, field).is_some_and(Ordering::is_lt)),
        "<=" => any(&|found, field| order(db, found, value, field).is_some_and(Ordering::is_le)),
        _ => {
            let pattern = value.as_text().unwrap_or_default();
            let negated = operator.starts_with("not ");
            let bare = operator.trim_start_matches("not ");
            let pattern = match bare {
                "like" | "ilike" => format!("%{pattern}%"),
                _ => pattern.to_owned(),
            };
            let fold = bare.ends_with("ilike");
            let found = any(&|found, field| {
                let text = match (found.as_text(), field) {
                    (Some(text), _) => text.to_owned(),
                    (None, Some(field)) if field.kind == "many2one" => found
                        .as_int()
                        .map(|id| db.display_name(field.relation, id))
                        .unwrap_or_default(),
                    _ => String::new(),
                };
                let (text, pattern) = if fold {
                    (text.to_lowercase(), pattern.to_lowercase())
                } else {
                    (text, pattern.clone())
                };
                let text: Vec<char> = text.chars().collect();
                let pattern: Vec<char> = pattern.chars().collect();
                like(&text, &pattern)
            });
            found != negated
        }
    }
}

fn items(value: &Json) -> &[Json] {
    match value {
        Json::List(items) => items,
        one => std::slice::from_ref(one),
    }
}

fn is_unset(value: &Json) -> bool {
    matches!(value, Json::Null | Json::Bool(false))
}

fn same(db: &Database, found: &Json, asked: &Json, field: Option<&FieldDef>) -> bool {
    let kind = field.map_or("", |field| field.kind);
    if is_unset(asked) {
        return match kind {
            "boolean" => is_unset(found),
            "integer" | "float" | "monetary" => found
                .number()
                .is_some_and(|text| Figure::parse(text).is_some_and(|figure| figure.compare(Figure::ZERO).is_eq())),
            _ => is_unset(found) || found.as_text() == Some(""),
        };
    }
    if kind == "boolean" {
        return (found == &Json::Bool(true)) == (asked == &Json::Bool(true));
    }
    // A relation compared with a text goes by name.
    if let (Some(name), "many2one", Some(id)) = (asked.as_text(), kind, found.as_int()) {
        return field.is_some_and(|field| db.display_name(field.relation, id) == name);
    }
    order(db, found, asked, field).is_some_and(Ordering::is_eq)
}

fn order(db: &Database, found: &Json, asked: &Json, field: Option<&FieldDef>) -> Option<Ordering> {
    let stamped = field.is_some_and(|field| matches!(field.name, "write_date" | "create_date"));
    if stamped {
        let asked = micros(asked.as_text()?)?;
        let found = found.as_int()?;
        return Some(match db.version {
            // The hidden fraction of a second counts.
            Version::V18 => found.cmp(&asked),
            Version::V19 => found.div_euclid(1_000_000).cmp(&asked.div_euclid(1_000_000)),
        });
    }
    match (found, asked) {
        (Json::Number(left), Json::Number(right)) => Some(Figure::parse(left)?.compare(Figure::parse(right)?)),
        (Json::Text(left), Json::Text(right)) => {
            let kind = field.map_or("", |field| field.kind);
            // A day compared with a moment begins at midnight.
            if kind == "datetime" && right.len() == 10 {
                return Some(left.as_str().cmp(format!("{right} 00:00:00").as_str()));
            }
            Some(left.cmp(right))
        }
        _ => None,
    }
}

/// SQL's LIKE: `%` any text, `_` one character, a backslash takes the next one as it is.
fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|skip| text.get(skip..).is_some_and(|text| like(text, rest))),
        Some(('_', rest)) => text.split_first().is_some_and(|(_, text)| like(text, rest)),
        Some(('\\', rest)) => match (rest.split_first(), text.split_first()) {
            (Some((wanted, rest)), Some((found, text))) => wanted == found && like(text, rest),
            _ => false,
        },
        Some((wanted, rest)) => text
            .split_first()
            .is_some_and(|(found, text)| found == wanted && like(text, rest)),
    }
}
