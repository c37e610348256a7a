//! An error as the server raises it, and how each protocol writes it down.

use crate::mock::odoo::Version;
use crate::odoo::wire::Json;

/// A raised exception: JSON-RPC tells the class alone, JSON-2 a status too.
#[derive(Clone, Debug)]
pub(super) struct Oops {
    pub(super) class: &'static str,
    /// Class in JSON-2 where it is raised by the route itself.
    pub(super) json2_class: &'static str,
    pub(super) status: u16,
    pub(super) message: String,
    pub(super) json2_message: Option<String>,
    pub(super) context: Json,
}

pub(super) type Done<T> = Result<T, Oops>;

impl Oops {
    fn new(class: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self {
            class,
            json2_class: class,
            status,
            message: message.into(),
            json2_message: None,
            context: Json::Object(Vec::new()),
        }
    }

    pub(super) fn access_denied() -> Self {
        Self::new("odoo.exceptions.AccessDenied", 403, "Access Denied")
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new("werkzeug.exceptions.Unauthorized", 401, message)
    }

    pub(super) fn access(message: impl Into<String>) -> Self {
        Self::new("odoo.exceptions.AccessError", 403, message)
    }

    pub(super) fn user(message: impl Into<String>) -> Self {
        Self::new("odoo.exceptions.UserError", 422, message)
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("odoo.exceptions.ValidationError", 422, message)
    }

    pub(super) fn missing(model: &str, id: i64, uid: i64) -> Self {
        Self::new(
            "odoo.exceptions.MissingError",
            404,
            format!("Record does not exist or has been deleted.\n(Record: {model}({id},), User: {uid})"),
        )
    }

    pub(super) fn lock() -> Self {
        Self::new(
            "odoo.exceptions.LockError",
            409,
            "The operation cannot be completed: the record is locked by another transaction.",
        )
    }

    pub(super) fn value(message: impl Into<String>) -> Self {
        Self::new("builtins.ValueError", 500, message)
    }

    pub(super) fn key(message: impl Into<String>) -> Self {
        Self::new("builtins.KeyError", 500, message)
    }

    pub(super) fn type_error(message: impl Into<String>) -> Self {
        Self::new("builtins.TypeError", 500, message)
    }

    pub(super) fn index(version: Version) -> Self {
        let container = match version {
            Version::V18 => "tuple",
            Version::V19 => "list",
        };
        Self::new("builtins.IndexError", 500, format!("{container} index out of range"))
    }

    pub(super) fn exception(message: impl Into<String>) -> Self {
        Self::new("builtins.Exception", 500, message)
    }

    pub(super) fn sql(class: &'static str, message: impl Into<String>) -> Self {
        Self::new(class, 500, message)
    }

    pub(super) fn no_database(name: &str) -> Self {
        let message = format!(
            "connection to server at \"db.internal\", port 5432 failed: FATAL:  database \"{name}\" does not exist\n"
        );
        Self::new("psycopg2.OperationalError", 500, message)
    }

    pub(super) fn no_model(model: &str) -> Self {
        let mut oops = Self::user(format!("Object {model} doesn't exist"));
        oops.routed(format!("the model '{model}' does not exist"));
        oops
    }

    pub(super) fn no_method(model: &str, method: &str) -> Self {
        let message = format!("The method '{model}.{method}' does not exist");
        let mut oops = Self::new("builtins.AttributeError", 404, message.clone());
        oops.routed(message);
        oops
    }

    pub(super) fn not_a_call() -> Self {
        Self::new(
            "werkzeug.exceptions.NotFound",
            404,
            "Did you mean POST /json/2/<model>/<method>?",
        )
    }

    pub(super) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new("werkzeug.exceptions.UnprocessableEntity", 422, message)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new("werkzeug.exceptions.BadRequest", 400, message)
    }

    fn routed(&mut self, message: String) {
        self.json2_class = "werkzeug.exceptions.NotFound";
        self.json2_message = Some(message);
        self.status = 404;
    }

    /// JSON-RPC's `error`.
    pub(super) fn for_rpc(&self, version: Version) -> Json {
        let traceback = format!(
            "Traceback (most recent call last):\n  File \"/opt/odoo/odoo/http.py\", line 2388, in __call__\n{}: {}\n",
            self.class, self.message
        );
        let debug = ("debug", Json::text(traceback));
        let name = ("name", Json::text(self.class));
        let message = ("message", Json::text(&*self.message));
        let arguments = ("arguments", Json::List(Vec::from([Json::text(&*self.message)])));
        let context = ("context", self.context.clone());
        let data = match version {
            Version::V18 => [name, debug, message, arguments, context],
            Version::V19 => [name, message, arguments, context, debug],
        };
        Json::object([
            ("code", Json::int(version.error_code())),
            ("message", Json::text("Odoo Server Error")),
            ("data", Json::object(data)),
        ])
    }

    /// JSON-2's body.
    pub(super) fn for_json2(&self) -> Json {
        let message = self.json2_message.as_deref().unwrap_or(&self.message);
        let mut arguments = Vec::from([Json::text(message)]);
        if self.json2_class.starts_with("werkzeug.") {
            arguments.push(Json::int(i64::from(self.status)));
        }
        let traceback = format!(
            "Traceback (most recent call last):\n  File \"/opt/odoo/odoo/http.py\", line 2273, in _serve_db\n{}: {message}\n",
            self.json2_class
        );
        Json::object([
            ("name", Json::text(self.json2_class)),
            ("message", Json::text(message)),
            ("arguments", Json::List(arguments)),
            ("context", self.context.clone()),
            ("debug", Json::text(traceback)),
        ])
    }
}
