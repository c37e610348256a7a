//! Searching and reading rows.

use crate::mock::odoo::Version;
use crate::mock::odoo::database::{Row, datetime};
use crate::mock::odoo::domain::Term;
use crate::mock::odoo::env::Env;
use crate::mock::odoo::figure::Figure;
use crate::mock::odoo::models;
use crate::mock::odoo::oops::{Done, Oops};
use crate::mock::odoo::schema::{FieldDef, ModelDef};
use crate::odoo::wire::Json;

/// Where a search begins and ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window<'a> {
    pub(super) offset: Option<&'a Json>,
    pub(super) limit: Option<&'a Json>,
    pub(super) order: Option<&'a Json>,
}

pub(super) fn unknown_field(version: Version, place: &str, model: &str, field: &str) -> Oops {
    Oops::value(match (version, place) {
        (Version::V19, "read") => format!("Invalid field '{field}' on '{model}'"),
        (Version::V19, "create") => format!("Invalid field '{field}' in '{model}'"),
        (Version::V19, "write") => return Oops::key(field),
        _ => format!("Invalid field '{field}' on model '{model}'"),
    })
}

impl Env<'_> {
    pub(super) fn search(&self, model: &'static ModelDef, domain: &Json, window: Window<'_>) -> Done<Vec<i64>> {
        self.demand(model.name, "read")?;
        let term = Term::parse(self.db, model.name, domain)?;
        let hides = self.active_test && model.field("active").is_some() && !term.names("active");
        let order = self.order(model, window.order)?;
        let offset = bound(
            window.offset,
            "OFFSET",
            "psycopg2.errors.InvalidRowCountInResultOffsetClause",
        )?;
        let limit = bound(window.limit, "LIMIT", "psycopg2.errors.InvalidRowCountInLimitClause")?;
        let Some(table) = self.db.table(model.name) else {
            return Ok(Vec::new());
        };
        let mut found: Vec<i64> = table
            .rows
            .iter()
            .filter(|(_, row)| !hides || row.value("active") != &Json::Bool(false))
            .filter(|(_, row)| self.sees(model.name, row))
            .filter(|(id, _)| term.holds(self.db, model.name, **id))
            .map(|(id, _)| *id)
            .collect();
        for (field, descending) in order.iter().rev() {
            found.sort_by_cached_key(|id| self.sort_key(model, *id, field));
            if *descending {
                found.reverse();
            }
        }
        let limit = if limit == 0 { usize::MAX } else { limit };
        Ok(found.into_iter().skip(offset).take(limit).collect())
    }

    fn order(&self, model: &ModelDef, order: Option<&Json>) -> Done<Vec<(String, bool)>> {
        let newest_first = matches!(
            model.name,
            "sale.order" | "purchase.order" | "account.move" | "ir.attachment"
        );
        let text = order
            .and_then(Json::as_text)
            .unwrap_or(if newest_first { "id desc" } else { "id" });
        let mut parts = Vec::new();
        for part in text.split(',') {
            let mut words = part.split_whitespace();
            let (name, direction) = (words.next().unwrap_or_default(), words.next().unwrap_or("asc"));
            let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !word(name)
                || !matches!(direction.to_ascii_lowercase().as_str(), "asc" | "desc")
                || words.next().is_some()
            {
                return Err(Oops::user(format!(
                    "Invalid \"order\" specified ({text}). A valid \"order\" specification is a comma-separated list of \
                     valid field names (optionally followed by asc/desc for the direction)"
                )));
            }
            if model.field(name).is_none() {
                return Err(unknown_field(self.version(), "order", model.name, name));
            }
            parts.push((name.to_owned(), direction.eq_ignore_ascii_case("desc")));
        }
        Ok(parts)
    }

    fn sort_key(&self, model: &ModelDef, id: i64, field: &str) -> (i8, i128, String) {
        let Some(row) = self.db.row(model.name, id) else {
            return (1, 0, String::new());
        };
        match field {
            "id" => (0, i128::from(id), String::new()),
            "write_date" => (0, i128::from(row.written), String::new()),
            "create_date" => (0, i128::from(row.created), String::new()),
            _ => match row.value(field) {
                Json::Number(text) => {
                    let micros = Figure::parse(text)
                        .map(|figure| figure.times(Figure::parse("1000000").unwrap_or(Figure::ZERO)));
                    let whole = micros.map(|figure| figure.rounded(0).text());
                    let whole = whole.and_then(|text| text.split('.').next().and_then(|text| text.parse().ok()));
                    (0, whole.unwrap_or(0), String::new())
                }
                Json::Text(text) => (0, 0, text.clone()),
                _ => (1, 0, String::new()),
            },
        }
    }

    /// Rows of the ids; what is missing is left out, what a rule hides is refused.
    pub(super) fn read(
        &self,
        model: &'static ModelDef,
        ids: &[i64],
        fields: Option<&Json>,
        classic: bool,
    ) -> Done<Json> {
        self.demand(model.name, "read")?;
        let fields = self.fields(model, fields)?;
        let mut rows = Vec::new();
        for id in ids {
            let Some(row) = self.db.row(model.name, *id) else {
                continue;
            };
            if !self.sees(model.name, row) {
                return Err(self.stumbled(model.name, "read", row));
            }
            let mut members = Vec::from([("id".to_owned(), Json::int(*id))]);
            for field in &fields {
                members.push((field.name.to_owned(), self.shown(model, *id, row, field, classic)));
            }
            rows.push(Json::Object(members));
        }
        Ok(Json::List(rows))
    }

    fn fields(&self, model: &'static ModelDef, asked: Option<&Json>) -> Done<Vec<&'static FieldDef>> {
        let asked = asked.and_then(Json::as_list).unwrap_or_default();
        if asked.is_empty() {
            let all = model.all().filter(|field| field.name != "id" && self.shows(field));
            return Ok(all.collect());
        }
        let mut fields = Vec::new();
        let mut refused = Vec::new();
        for name in asked.iter().filter_map(Json::as_text).filter(|name| *name != "id") {
            let field = model
                .field(name)
                .filter(|field| self.has(field))
                .ok_or_else(|| unknown_field(self.version(), "read", model.name, name))?;
            if !self.shows(field) {
                refused.push(field.name);
            }
            fields.push(field);
        }
        if let Some(first) = refused.first() {
            let fields = match self.version() {
                Version::V18 => "fields",
                Version::V19 => "field",
            };
            return Err(Oops::access(format!(
                "You do not have enough rights to access the {fields} \"{first}\" on {} ({}). Please contact your system \
                 administrator.\n\nOperation: read\nUser: {}\nFields:\n- {first} (allowed for groups 'Invoicing / Invoicing')",
                model.label, model.name, self.uid
            )));
        }
        Ok(fields)
    }

    /// Whether a field is there for this user.
    pub(super) fn shows(&self, field: &FieldDef) -> bool {
        self.has(field) && (!field.has('g') || self.may("account.move", "read"))
    }

    /// Whether this version has the field at all.
    fn has(&self, field: &FieldDef) -> bool {
        match self.version() {
            Version::V18 => !field.has('z'),
            Version::V19 => !field.has('a'),
        }
    }

    fn shown(&self, model: &ModelDef, id: i64, row: &Row, field: &FieldDef, classic: bool) -> Json {
        let relation = |target: &str, id: i64| {
            if classic {
                Json::List(Vec::from([Json::int(id), Json::text(self.db.display_name(target, id))]))
            } else {
                Json::int(id)
            }
        };
        match (field.name, field.kind) {
            ("write_date", _) => Json::text(datetime(row.written)),
            ("create_date", _) => Json::text(datetime(row.created)),
            ("write_uid", _) => relation("res.users", row.writer),
            ("create_uid", _) => relation("res.users", row.creator),
            ("display_name", _) => Json::text(self.db.display_name(model.name, id)),
            ("company_type", _) => Json::text(if row.value("is_company") == &Json::Bool(true) {
                "company"
            } else {
                "person"
            }),
            ("currency_id", "many2one") if field.has('n') => relation("res.currency", 1),
            ("installed_version", _) => Json::text(format!("{}.1.0", self.version().series())),
            ("state", _) if model.name == "mail.activity" => Json::text("planned"),
            ("modules", _) => Json::text("base"),
            (_, "many2one") => match row.id_in(field.name) {
                Some(target) => relation(field.relation, target),
                None => Json::Bool(false),
            },
            (_, "one2many") => {
                let children = self.db.children(field.relation, id);
                Json::ids(&children)
            }
            (_, "binary") if self.bin_size => match row.value(field.name).as_text() {
                Some(content) => Json::text(format!("{}.00 bytes", (content.len() / 4).saturating_mul(3))),
                None => Json::Bool(false),
            },
            _ => row.values.get(field.name).cloned().unwrap_or_else(|| field.empty()),
        }
    }

    pub(super) fn fields_get(&self, model: &'static ModelDef, names: Option<&Json>, attributes: Option<&Json>) -> Json {
        let texts = |list: Option<&Json>| -> Option<Vec<String>> {
            let list = list.and_then(Json::as_list)?;
            let texts = list.iter().filter_map(Json::as_text);
            Some(texts.map(str::to_owned).collect())
        };
        let names = texts(names).filter(|names| !names.is_empty());
        let attributes = texts(attributes).filter(|attributes| !attributes.is_empty());
        let fields = model.all().filter(|field| self.shows(field)).filter(|field| {
            names
                .as_ref()
                .is_none_or(|names| names.iter().any(|name| name == field.name))
        });
        Json::object(fields.map(|field| (field.name, field.described(attributes.as_deref()))))
    }
}

/// A limit or offset as SQL takes it.
fn bound(value: Option<&Json>, word: &str, class: &'static str) -> Done<usize> {
    match value {
        None | Some(Json::Null | Json::Bool(_)) => Ok(0),
        Some(Json::Number(text)) => match text.parse::<i64>() {
            Ok(number) if number >= 0 => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
            _ => Err(Oops::sql(class, format!("{word} must not be negative\n"))),
        },
        Some(other) => {
            let shown = other.as_text().unwrap_or_default();
            let message = format!("invalid input syntax for type bigint: \"{shown}\"\nLINE 1: ...\n");
            Err(Oops::sql("psycopg2.errors.InvalidTextRepresentation", message))
        }
    }
}

/// The model behind a name, as far as it is installed.
pub(super) fn model_of(env: &Env<'_>, name: &str) -> Done<&'static ModelDef> {
    models::model(name)
        .filter(|model| env.db.is_installed(model.name))
        .ok_or_else(|| Oops::no_model(name))
}
