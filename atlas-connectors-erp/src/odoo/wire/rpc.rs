//! JSON-RPC: `/jsonrpc`, database, user and secret in the body of every call.

use atlas_connectors::Result;
use atlas_connectors::http::Call;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use secrecy::ExposeSecret;

use crate::odoo::wire::answer::wrong_type;
use crate::odoo::wire::endpoint::invalid;
use crate::odoo::wire::{Answer, Endpoint, Json, ModelCall, Secret};

/// Signs in: the answer is the user's id, or `false` for every kind of refusal.
///
/// # Errors
/// [`atlas_connectors::ErrorKind::Invalid`] if the address cannot be requested.
pub fn authenticate(at: &Endpoint, login: &str, secret: &Secret) -> Result<Call> {
    let arguments = Vec::from([
        Json::text(at.database()),
        Json::text(login),
        Json::text(secret.text().expose_secret()),
        Json::Object(Vec::new()),
    ]);
    let request = envelope(at, "common", "authenticate", arguments)?;
    Ok(Call::read("odoo.login", request).with_own_auth())
}

/// The user's id out of the answer to [`authenticate`]; `None` for "no": wrong password, no such user, revoked, expired
/// or scoped key, archived user, password of a user with a second factor. Odoo does not say which.
///
/// # Errors
/// As [`Answer::value`]; an answer of another type.
pub fn uid_of(answer: &Answer) -> Result<Option<i64>> {
    match answer.value()? {
        Json::Bool(false) => Ok(None),
        value => match value.as_int() {
            Some(uid) if uid > 0 => Ok(Some(uid)),
            _ => Err(wrong_type("odoo.login", "uid")),
        },
    }
}

/// `object.execute_kw` for a call of a model.
pub(super) fn execute(call: &ModelCall, at: &Endpoint, uid: i64, secret: &Secret) -> Result<http::Request<Bytes>> {
    let method = call.method();
    let mut positional = Vec::new();
    if method.on_records() {
        positional.push(Json::ids(call.ids().unwrap_or_default()));
    }
    let find = |wanted: &str| call.arguments().iter().find(|(name, _)| &**name == wanted);
    for name in method.positional() {
        match find(name) {
            Some((_, value)) => positional.push(value.clone()),
            None => return Err(invalid("argument", "one that the method cannot do without is missing")),
        }
    }
    let mut named: Vec<(String, Json)> = call
        .arguments()
        .iter()
        .filter(|(name, _)| !method.positional().contains(&&**name))
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect();
    // Since 14.0 every public method takes the context as a keyword; `context_get` and its like included.
    named.push(("context".to_owned(), call.context().json()));
    let arguments = Vec::from([
        Json::text(at.database()),
        Json::int(uid),
        Json::text(secret.text().expose_secret()),
        Json::text(call.model()),
        Json::text(method.name()),
        Json::List(positional),
        Json::Object(named),
    ]);
    envelope(at, "object", "execute_kw", arguments)
}

/// A request of a service's method. Answers are not matched by id: it is null where the error came early.
pub(super) fn envelope(
    at: &Endpoint,
    service: &str,
    method: &str,
    arguments: Vec<Json>,
) -> Result<http::Request<Bytes>> {
    let body = Json::object([
        ("jsonrpc", Json::text("2.0")),
        ("method", Json::text("call")),
        ("id", Json::int(1)),
        (
            "params",
            Json::object([
                ("service", Json::text(service)),
                ("method", Json::text(method)),
                ("args", Json::List(arguments)),
            ]),
        ),
    ]);
    post(at.url(&["jsonrpc"])?.as_str(), body.to_text())
}

pub(super) fn post(url: &str, body: String) -> Result<http::Request<Bytes>> {
    http::Request::post(url)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(Bytes::from(body))
        .map_err(|_| invalid("address", "cannot be requested"))
}
