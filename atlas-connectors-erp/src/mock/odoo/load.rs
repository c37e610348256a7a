//! `load`: rows of texts that create or update by external id.

use crate::mock::odoo::database::{datetime, micros};
use crate::mock::odoo::env::Env;
use crate::mock::odoo::models;
use crate::mock::odoo::oops::{Done, Oops};
use crate::mock::odoo::schema::{FieldDef, ModelDef};
use crate::odoo::wire::Json;

/// What went wrong with a row.
struct Trouble {
    field: Option<(&'static str, &'static str)>,
    message: String,
}

impl Trouble {
    fn of(oops: &Oops) -> Self {
        Self {
            field: None,
            message: oops.message.clone(),
        }
    }
}

impl Env<'_> {
    /// Loads the rows. Errors do not raise: they come as messages, and then nothing is written.
    pub(super) fn load(&mut self, model: &'static ModelDef, fields: &Json, data: &Json) -> Done<Json> {
        let columns: Vec<Vec<String>> = fields
            .as_list()
            .unwrap_or_default()
            .iter()
            .filter_map(Json::as_text)
            .map(|path| path.split('/').map(str::to_owned).collect())
            .collect();
        let rows: Vec<Vec<String>> = data
            .as_list()
            .unwrap_or_default()
            .iter()
            .filter_map(Json::as_list)
            .map(|row| {
                row.iter()
                    .map(|cell| cell.as_text().unwrap_or_default().to_owned())
                    .collect()
            })
            .collect();
        let is_own = |path: &[String]| {
            let first = path.first().map_or("", String::as_str);
            model.field(first).is_none_or(|field| field.kind != "one2many")
        };
        // A row whose own cells are all empty goes on with the record above it.
        let mut groups: Vec<(usize, Vec<&Vec<String>>)> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let own = columns
                .iter()
                .zip(row)
                .any(|(path, cell)| is_own(path) && !cell.is_empty());
            match groups.last_mut() {
                Some((_, lines)) if !own => lines.push(row),
                _ => groups.push((at, Vec::from([row]))),
            }
        }
        let before = self.db.clone();
        let mut ids = Vec::new();
        let mut messages = Vec::new();
        for (at, group) in groups {
            match self.load_record(model, &columns, &group) {
                Ok(id) => ids.push(id),
                Err(trouble) => messages.push(message(at, &trouble)),
            }
        }
        let ids = if messages.is_empty() {
            Json::ids(&ids)
        } else {
            *self.db = before;
            Json::Bool(false)
        };
        Ok(Json::object([
            ("ids", ids),
            ("messages", Json::List(messages)),
            ("nextrow", Json::int(0)),
        ]))
    }

    fn load_record(
        &mut self,
        model: &'static ModelDef,
        columns: &[Vec<String>],
        rows: &[&Vec<String>],
    ) -> Result<i64, Trouble> {
        let mut own: Vec<(&[String], &str)> = Vec::new();
        let mut lists: Vec<&str> = Vec::new();
        for (at, path) in columns.iter().enumerate() {
            let first = path.first().map_or("", String::as_str);
            match model.field(first) {
                Some(field) if field.kind == "one2many" => {
                    if !lists.contains(&first) {
                        lists.push(first);
                    }
                }
                _ => own.push((
                    path,
                    rows.first().and_then(|row| row.get(at)).map_or("", String::as_str),
                )),
            }
        }
        let id = self.load_one(model, &own, &[])?;
        for list in lists {
            let Some(field) = model.field(list) else { continue };
            let (child, inverse) = field.relation.split_once('/').unwrap_or_default();
            let Some(child) = models::model(child) else { continue };
            for row in rows {
                let cells: Vec<(&[String], &str)> = columns
                    .iter()
                    .zip(row.iter())
                    .filter(|(path, _)| path.first().is_some_and(|first| first == list))
                    .map(|(path, cell)| (path.get(1..).unwrap_or_default(), cell.as_str()))
                    .collect();
                if cells.iter().all(|(_, cell)| cell.is_empty()) {
                    continue;
                }
                self.load_one(child, &cells, &[(inverse.to_owned(), Json::int(id))])?;
            }
        }
        Ok(id)
    }

    /// One record: by external id, by database id, or a new one.
    fn load_one(
        &mut self,
        model: &'static ModelDef,
        cells: &[(&[String], &str)],
        more: &[(String, Json)],
    ) -> Result<i64, Trouble> {
        let mut name = None;
        let mut known = None;
        let mut values = more.to_vec();
        for (path, cell) in cells {
            let parts: Vec<&str> = path.iter().map(String::as_str).collect();
            match parts.as_slice() {
                ["id"] if !cell.is_empty() => {
                    let full = if cell.contains('.') {
                        (*cell).to_owned()
                    } else {
                        format!("__import__.{cell}")
                    };
                    known = self.db.names.get(&full).map(|(_, id)| *id);
                    name = Some(full);
                }
                [".id"] if !cell.is_empty() => known = cell.parse().ok(),
                ["id" | ".id"] => {}
                [field, rest @ ..] => {
                    let field = model.field(field).ok_or_else(|| Trouble {
                        field: None,
                        message: format!("Unknown error during import: <class 'KeyError'> '{field}'"),
                    })?;
                    // An empty cell leaves a default alone.
                    if !cell.is_empty() {
                        values.push((field.name.to_owned(), self.cell(field, rest, cell)?));
                    }
                }
                [] => {}
            }
        }
        let id = match known {
            Some(id) if values.is_empty() => id,
            Some(id) => {
                let written = self.write(model, &[id], &values);
                written.map_err(|oops| Trouble::of(&oops))?;
                id
            }
            None => self.create(model, &values).map_err(|oops| Trouble::of(&oops))?,
        };
        if let Some(name) = name {
            self.db.names.insert(name, (model.name, id));
        }
        Ok(id)
    }

    /// A text as the value of a field.
    fn cell(&self, field: &'static FieldDef, rest: &[&str], cell: &str) -> Result<Json, Trouble> {
        let trouble = |message: String| Trouble {
            field: Some((field.name, field.label)),
            message,
        };
        let label = field.label;
        Ok(match (field.kind, rest) {
            ("many2one", [".id"]) => match cell.parse::<i64>() {
                Ok(id) if self.db.row(field.relation, id).is_some() => Json::int(id),
                _ => {
                    return Err(trouble(format!(
                        "No matching record found for database id '{cell}' in field '{label}'"
                    )));
                }
            },
            ("many2one", ["id"]) => match self.db.names.get(cell) {
                Some((model, id)) if *model == field.relation => Json::int(*id),
                _ => {
                    return Err(trouble(format!(
                        "No matching record found for external id '{cell}' in field '{label}'"
                    )));
                }
            },
            ("many2one", _) => {
                let table = self.db.table(field.relation);
                let mut rows = table.into_iter().flat_map(|table| table.rows.keys());
                match rows.find(|id| self.db.display_name(field.relation, **id) == cell) {
                    Some(id) => Json::int(*id),
                    None => {
                        return Err(trouble(format!(
                            "No matching record found for name '{cell}' in field '{label}'"
                        )));
                    }
                }
            }
            ("many2many", [".id"]) => {
                let ids: Option<Vec<i64>> = cell.split(',').map(|id| id.trim().parse().ok()).collect();
                Json::ids(&ids.ok_or_else(|| trouble(format!("Invalid database id '{cell}' for the field '{label}'")))?)
            }
            ("boolean", _) => Json::Bool(matches!(cell.to_ascii_lowercase().as_str(), "1" | "true" | "yes")),
            ("float" | "monetary" | "integer", _) => Json::Number(cell.into()),
            ("selection", _) => {
                let mut options = field.selection().iter();
                match options.find(|(value, shown)| *value == cell || *shown == cell) {
                    Some((value, _)) => Json::text(*value),
                    None => {
                        return Err(trouble(format!(
                            "Value '{cell}' not found in selection field '{label}'"
                        )));
                    }
                }
            }
            ("datetime", _) => match micros(cell) {
                // Read in the user's time zone, Brussels in winter, unless the context says otherwise.
                Some(moment) if !self.utc => Json::text(datetime(moment.saturating_sub(3_600_000_000))),
                Some(_) => Json::text(cell),
                None => {
                    return Err(trouble(format!(
                        "'{cell}' does not seem to be a valid datetime for field '{label}'"
                    )));
                }
            },
            ("date", _) if micros(&format!("{cell} 00:00:00")).is_none() => {
                return Err(trouble(format!(
                    "'{cell}' does not seem to be a valid date for field '{label}'"
                )));
            }
            _ => Json::text(cell),
        })
    }
}

fn message(at: usize, trouble: &Trouble) -> Json {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    let mut members = Vec::from([
        ("rows", Json::object([("from", Json::int(at)), ("to", Json::int(at))])),
        ("type", Json::text("error")),
        ("record", Json::int(at)),
    ]);
    if let Some((name, _)) = trouble.field {
        members.push(("field", Json::text(name)));
    }
    members.push(("message", Json::text(&*trouble.message)));
    if let Some((_, label)) = trouble.field {
        let more = [
            ("name", Json::text("Possible Values")),
            ("type", Json::text("ir.actions.act_window")),
            ("target", Json::text("new")),
            ("view_mode", Json::text("list,form")),
            (
                "views",
                Json::List(Vec::from([Json::List(Vec::from([
                    Json::Bool(false),
                    Json::text("list"),
                ]))])),
            ),
            ("context", Json::object([("create", Json::Bool(false))])),
            ("help", Json::text("See all possible values")),
            ("res_model", Json::text("res.country")),
        ];
        members.push(("moreinfo", Json::object(more)));
        members.push(("field_name", Json::text(label)));
    }
    Json::object(members)
}

/// What concurrent transactions on one external id see: nothing is written, and a repetition is safe.
pub(super) fn serialization_conflict() -> Json {
    let message = Json::object([
        ("rows", Json::object([("from", Json::int(0)), ("to", Json::int(0))])),
        ("type", Json::text("error")),
        ("record", Json::int(0)),
        (
            "message",
            Json::text(
                "Unknown error during import: <class 'psycopg2.errors.SerializationFailure'>: could not serialize access \
                 due to concurrent update",
            ),
        ),
    ]);
    Json::object([
        ("ids", Json::Bool(false)),
        ("messages", Json::List(Vec::from([message]))),
        ("nextrow", Json::int(0)),
    ])
}
