//! Methods of models: which there are, what they take, and what they answer.

use crate::mock::odoo::env::Env;
use crate::mock::odoo::load;
use crate::mock::odoo::oops::{Done, Oops};
use crate::mock::odoo::read::{Window, model_of};
use crate::mock::odoo::schema::ModelDef;
use crate::mock::odoo::{Version, database};
use crate::odoo::wire::Json;

/// A call as the protocol has understood it.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) model: String,
    pub(super) method: String,
    pub(super) ids: Option<Vec<i64>>,
    pub(super) positional: Vec<Json>,
    pub(super) named: Vec<(String, Json)>,
    pub(super) json2: bool,
}

/// A method's parameters after the records, and how many of them it needs.
struct Signature {
    on_records: bool,
    parameters: &'static [&'static str],
    needed: usize,
    /// Takes any further arguments by name.
    open: bool,
}

fn signature(model: &ModelDef, method: &str) -> Option<Signature> {
    let known = |on_records, parameters, needed| Signature {
        on_records,
        parameters,
        needed,
        open: false,
    };
    Some(match method {
        "search_read" => Signature {
            open: true,
            ..known(false, &["domain", "fields", "offset", "limit", "order"], 0)
        },
        "search" => known(false, &["domain", "offset", "limit", "order"], 1),
        "search_count" => known(false, &["domain", "limit"], 1),
        "read" => known(true, &["fields", "load"], 0),
        "fields_get" => known(false, &["allfields", "attributes"], 0),
        "create" => known(false, &["vals_list"], 1),
        "write" => known(true, &["vals"], 1),
        "unlink" | "get_external_id" | "action_archive" | "action_unarchive" => known(true, &[], 0),
        "load" => known(false, &["fields", "data"], 2),
        "has_access" => known(true, &["operation"], 1),
        "check_access_rights" => known(false, &["operation", "raise_exception"], 1),
        "context_get" if model.methods.contains(&method) => known(false, &[], 0),
        "message_post" | "activity_schedule" if model.methods.contains(&method) => Signature {
            open: true,
            ..known(true, &[], 0)
        },
        _ if model.methods.contains(&method) => known(true, &[], 0),
        _ => return None,
    })
}

/// Whether a method changes nothing.
pub(super) fn is_read(method: &str) -> bool {
    matches!(
        method,
        "search_read"
            | "search"
            | "search_count"
            | "read"
            | "fields_get"
            | "has_access"
            | "check_access_rights"
            | "context_get"
            | "get_external_id"
    )
}

/// The arguments of a call by name.
struct Arguments(Vec<(String, Json)>);

impl Arguments {
    fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Json::as_text).unwrap_or_default()
    }
}

impl Env<'_> {
    pub(super) fn call(&mut self, call: &Called) -> Done<Json> {
        let model = model_of(self, &call.model)?;
        let method = call.method.as_str();
        let private = method.starts_with('_') || (method == "exists" && self.version() == Version::V19);
        if private {
            return Err(Oops::access(format!(
                "Private methods (such as '{}.{method}') cannot be called remotely.",
                model.name
            )));
        }
        let signature = signature(model, method).ok_or_else(|| Oops::no_method(model.name, method))?;
        let arguments = self.bind(model, call, &signature)?;
        let mut ids = call.ids.clone();
        if !call.json2 && signature.on_records {
            ids = call.positional.first().and_then(Json::as_ids);
            let texts = call.positional.first().and_then(Json::as_list).unwrap_or_default();
            if let Some(text) = texts.iter().find_map(Json::as_text) {
                return Err(bad_id(text));
            }
        }
        if call.json2 && !signature.on_records && ids.is_some() {
            return Err(Oops::unprocessable(format!(
                "cannot call {}.{method} with ids",
                model.name
            )));
        }
        self.run(model, method, &ids.unwrap_or_default(), &arguments, call.json2)
    }

    fn bind(&self, model: &ModelDef, call: &Called, signature: &Signature) -> Done<Arguments> {
        let own = usize::from(signature.on_records && !call.json2);
        let positional = call.positional.get(own..).unwrap_or_default();
        if positional.len() > signature.parameters.len() {
            return Err(Oops::type_error(format!(
                "BaseModel.{}() takes from 2 to {} positional arguments but {} were given",
                call.method,
                signature.parameters.len().saturating_add(1),
                call.positional.len().saturating_add(1)
            )));
        }
        if !call.json2 && call.method == "create" && positional.is_empty() {
            return Err(Oops::index(self.version()));
        }
        let mut bound: Vec<(String, Json)> = signature
            .parameters
            .iter()
            .zip(positional)
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        for (name, value) in call.named.iter().filter(|(name, _)| name != "context") {
            let known = signature.parameters.contains(&name.as_str());
            if !known && (!signature.open || call.method == "search_read" && name != "load") {
                let message = format!("got an unexpected keyword argument '{name}'");
                return Err(match call.method.as_str() {
                    // What a method passes on is refused by the next one.
                    "search_read" => Oops::type_error(format!("BaseModel._read_format() {message}")),
                    _ if call.json2 => Oops::unprocessable(message),
                    method => Oops::type_error(format!("BaseModel.{method}() {message}")),
                });
            }
            bound.push((name.clone(), value.clone()));
        }
        let missing = signature
            .parameters
            .iter()
            .take(signature.needed)
            .find(|name| !bound.iter().any(|(bound, _)| bound == *name));
        match missing {
            Some(name) if call.json2 => Err(Oops::unprocessable(format!("missing a required argument: '{name}'"))),
            Some(name) => Err(Oops::type_error(format!(
                "{}.{}() missing 1 required positional argument: '{name}'",
                model.name, call.method
            ))),
            None => Ok(Arguments(bound)),
        }
    }

    fn run(
        &mut self,
        model: &'static ModelDef,
        method: &str,
        ids: &[i64],
        arguments: &Arguments,
        json2: bool,
    ) -> Done<Json> {
        let everything = Json::List(Vec::new());
        let domain = arguments.get("domain").unwrap_or(&everything);
        let window = Window {
            offset: arguments.get("offset"),
            limit: arguments.get("limit"),
            order: arguments.get("order"),
        };
        let classic = arguments
            .get("load")
            .is_none_or(|load| load.as_text() == Some("_classic_read"));
        match method {
            "search_read" => {
                let found = self.search(model, domain, window)?;
                self.read(model, &found, arguments.get("fields"), classic)
            }
            "search" => Ok(Json::ids(&self.search(model, domain, window)?)),
            "search_count" => {
                let found = self.search(model, domain, window)?.len();
                Ok(Json::int(i64::try_from(found).unwrap_or(i64::MAX)))
            }
            "read" => self.read(model, ids, arguments.get("fields"), classic),
            "fields_get" => Ok(self.fields_get(model, arguments.get("allfields"), arguments.get("attributes"))),
            "create" => self.create_all(model, arguments.get("vals_list").unwrap_or(&Json::Null), json2),
            "write" => {
                let values = arguments.get("vals").and_then(Json::as_object).unwrap_or_default();
                self.write(model, ids, values)?;
                Ok(Json::Bool(true))
            }
            "unlink" => {
                self.unlink(model, ids)?;
                Ok(Json::Bool(true))
            }
            "load" => {
                let none = Json::Null;
                let fields = arguments.get("fields").unwrap_or(&none);
                self.load(model, fields, arguments.get("data").unwrap_or(&none))
            }
            "has_access" => {
                let operation = arguments.text("operation").to_owned();
                let on_model = self.may(model.name, &operation);
                let rows = ids.iter().filter_map(|id| self.db.row(model.name, *id));
                let on_rows = rows.into_iter().all(|row| self.sees(model.name, row));
                Ok(Json::Bool(on_model && on_rows))
            }
            "check_access_rights" => {
                let operation = arguments.text("operation").to_owned();
                if arguments.get("raise_exception") != Some(&Json::Bool(false)) {
                    self.demand(model.name, &operation)?;
                }
                Ok(Json::Bool(self.may(model.name, &operation)))
            }
            "context_get" => Ok(Json::object([
                ("lang", Json::text("en_US")),
                ("tz", Json::text("Europe/Brussels")),
                ("uid", Json::int(self.uid)),
            ])),
            "get_external_id" => Ok(self.external_ids(model, ids)),
            "action_archive" | "action_unarchive" => {
                let active = Json::Bool(method == "action_unarchive");
                self.write(model, ids, &[("active".to_owned(), active)])?;
                Ok(Json::Null)
            }
            "message_post" => self.message_post(model, ids, arguments),
            "activity_schedule" => self.activity_schedule(model, ids, arguments),
            _ => self.step(model, method, ids),
        }
    }

    fn create_all(&mut self, model: &'static ModelDef, values: &Json, json2: bool) -> Done<Json> {
        match values {
            Json::Object(one) => {
                let id = self.create(model, one)?;
                Ok(if json2 { Json::ids(&[id]) } else { Json::int(id) })
            }
            Json::List(many) => {
                let mut ids = Vec::new();
                for one in many {
                    ids.push(self.create(model, one.as_object().unwrap_or_default())?);
                }
                Ok(Json::ids(&ids))
            }
            _ => Err(Oops::type_error("vals_list must be a list of dictionaries")),
        }
    }

    fn external_ids(&self, model: &ModelDef, ids: &[i64]) -> Json {
        Json::object(ids.iter().map(|id| {
            let mut names = self.db.names.iter();
            let name = names.find(|(_, (of, record))| *of == model.name && record == id);
            let name = name.map_or("", |(name, _)| name.as_str());
            (id.to_string(), Json::text(name))
        }))
    }

    fn message_post(&mut self, model: &'static ModelDef, ids: &[i64], arguments: &Arguments) -> Done<Json> {
        let Some(&[id]) = ids.get(..).map(<&[i64; 1]>::try_from).and_then(Result::ok) else {
            return Err(Oops::value(format!("Expected singleton: {}()", model.name)));
        };
        let row = self
            .db
            .row(model.name, id)
            .ok_or_else(|| Oops::missing(model.name, id, self.uid))?;
        if !self.may(model.name, "write") || !self.sees(model.name, row) {
            return Err(Oops::access(
                "The requested operation cannot be completed due to security restrictions. Please contact your system \
                 administrator.\n\n(Document type: Message, Operation: create)",
            ));
        }
        let body = arguments.text("body");
        let body = if arguments.get("body_is_html") == Some(&Json::Bool(true)) {
            body.to_owned()
        } else {
            let escaped = body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            format!("<p>{escaped}</p>")
        };
        let note = arguments.text("subtype_xmlid") == "mail.mt_note";
        let mut values = std::collections::BTreeMap::new();
        values.insert("model", Json::text(model.name));
        values.insert("res_id", Json::int(id));
        values.insert("body", Json::text(body));
        values.insert("message_type", Json::text(arguments.text("message_type")));
        values.insert("subtype_id", Json::int(if note { 2 } else { 1 }));
        values.insert("author_id", Json::int(3));
        values.insert("date", Json::text(database::datetime(self.db.now)));
        values.insert("attachment_ids", Json::List(Vec::new()));
        let message = self.db.insert("mail.message", self.uid, values);
        self.db.counts.add("message", model.name, 1);
        Ok(match self.version() {
            Version::V18 => Json::int(message),
            Version::V19 => Json::ids(&[message]),
        })
    }

    fn activity_schedule(&mut self, model: &'static ModelDef, ids: &[i64], arguments: &Arguments) -> Done<Json> {
        let mut made = Vec::new();
        for id in ids {
            if self.db.row(model.name, *id).is_none() {
                return Err(Oops::missing(model.name, *id, self.uid));
            }
            let mut values = Vec::from([
                ("res_model".to_owned(), Json::text(model.name)),
                ("res_id".to_owned(), Json::int(*id)),
                ("activity_type_id".to_owned(), Json::int(4)),
            ]);
            for name in ["summary", "note", "user_id", "date_deadline"] {
                if let Some(value) = arguments.get(name) {
                    values.push((name.to_owned(), value.clone()));
                }
            }
            let activity = super::models::model("mail.activity").ok_or_else(|| Oops::no_model("mail.activity"))?;
            made.push(self.create(activity, &values)?);
        }
        Ok(match self.version() {
            Version::V18 => {
                let ids: Vec<String> = made.iter().map(i64::to_string).collect();
                Json::text(format!("mail.activity({},)", ids.join(", ")))
            }
            Version::V19 => Json::ids(&made),
        })
    }
}

/// An id that is a text reaches the database as it is.
pub(super) fn bad_id(text: &str) -> Oops {
    let message = format!("invalid input syntax for type integer: \"{text}\"\nLINE 1: ...\n");
    Oops::sql("psycopg2.errors.InvalidTextRepresentation", message)
}

/// The answer to a `load` that lost against another transaction.
pub(super) fn lost_load() -> Json {
    load::serialization_conflict()
}
