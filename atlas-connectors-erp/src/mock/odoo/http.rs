//! The routes: what HTTP makes of a request before and after the world has seen it.

use atlas_connectors::Timestamp;
use atlas_connectors::testkit::server::{Answer, Request};

use crate::mock::odoo::Version;
use crate::mock::odoo::calls::{self, Called};
use crate::mock::odoo::oops::Oops;
use crate::mock::odoo::world::World;
use crate::odoo::wire::Json;

const NOT_FOUND: &str = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.</p>\n";
const NO_DATABASE: &str = "<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>No database is selected and the requested URL was not found in the server-wide controllers.</p>\n";

/// What a request is about, named for the script of faults: `sale.order.load`, `common.version`, `web.version`.
pub(super) fn operation_of(request: &Request) -> String {
    let segments = request.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["jsonrpc"] => rpc_operation(&request.body).unwrap_or_else(|| "jsonrpc".to_owned()),
        ["json", "2", model, method] => format!("{model}.{method}"),
        other => other.join("."),
    }
}

fn rpc_operation(body: &[u8]) -> Option<String> {
    let body = Json::parse(body)?;
    let params = body.member("params")?;
    let (service, method) = (
        params.member("service")?.as_text()?,
        params.member("method")?.as_text()?,
    );
    if service != "object" {
        return Some(format!("{service}.{method}"));
    }
    let arguments = params.member("args")?.as_list()?;
    let text = |at: usize| arguments.get(at).and_then(Json::as_text);
    Some(format!("{}.{}", text(3)?, text(4)?))
}

pub(super) fn answer(world: &mut World, request: &Request) -> Answer {
    let segments = request.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let answer = match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["web" | "json", "version"]) if world.version == Version::V19 => {
            let info = Json::List(Vec::from([
                Json::int(19),
                Json::int(0),
                Json::int(0),
                Json::text("final"),
                Json::int(0),
                Json::text(""),
            ]));
            let version = Json::object([("version_info", info), ("version", Json::text("19.0"))]);
            // It sets a session cookie, which no client should send back.
            json(200, &version).with_header(
                "set-cookie",
                "session_id=mock; Expires=Mon, 22 Nov 2027 00:00:00 GMT; Max-Age=604800; HttpOnly; Path=/",
            )
        }
        ("GET", ["web", "health"]) => {
            let mut members = Vec::from([("status", Json::text("pass"))]);
            if request.query("db_server_status").is_some() {
                members.push(("db_server_status", Json::Bool(true)));
            }
            json(200, &Json::object(members))
        }
        ("POST", ["web", "webclient", "version_info"]) => {
            enveloped(Json::int(1), "result", version_info(world.version))
        }
        (_, ["jsonrpc"]) => jsonrpc(world, request),
        (_, ["json", "2", ..]) => json2(world, request, &parts),
        _ if world.version == Version::V19 => html(404, NO_DATABASE),
        _ => html(404, NOT_FOUND),
    };
    answer
        .with_header("server", "Werkzeug/3.0.1 Python/3.11.2")
        .with_header("date", http_date(world.clock.now()))
}

fn jsonrpc(world: &mut World, request: &Request) -> Answer {
    if request.method.as_str() != "POST" || !is_json(request) {
        return match world.version {
            Version::V18 => html(
                400,
                "<!doctype html>\n<html lang=en>\n<title>400 Bad Request</title>\n<h1>Bad Request</h1>\n<p>Request inferred type is compatible with http but a json type is expected.</p>\n",
            ),
            Version::V19 => unsupported(),
        };
    }
    let Some(body) = Json::parse(&request.body) else {
        return html(400, "Invalid JSON data");
    };
    if body.as_object().is_none() {
        return html(400, "Invalid JSON-RPC data");
    }
    let id = body.member("id").cloned().unwrap_or(Json::Null);
    let version = world.version;
    let Some(params) = body
        .member("params")
        .filter(|params| params.member("service").is_some())
    else {
        let route = match version {
            Version::V18 => "RPC",
            Version::V19 => "JSONRPC",
        };
        let oops = Oops::type_error(format!(
            "{route}.jsonrpc() missing 3 required positional arguments: 'service', 'method', and 'args'"
        ));
        return enveloped(Json::Null, "error", oops.for_rpc(version));
    };
    let text = |name: &str| params.member(name).and_then(Json::as_text).unwrap_or_default();
    let arguments = params.member("args").and_then(Json::as_list).unwrap_or_default();
    let outcome = match (text("service"), text("method")) {
        ("common", "version") => Ok(version_info(version)),
        ("common", "authenticate" | "login") => world.authenticate(arguments),
        ("common" | "db", method) if method != "db_exist" && method != "list" && method != "server_version" => {
            Err(Oops::exception(format!("Method not found: {method}")))
        }
        ("db", "server_version") => Ok(Json::text(version.full())),
        ("db", "list") => Err(Oops::access_denied()),
        ("db", "db_exist") => {
            let name = arguments.first().and_then(Json::as_text).unwrap_or_default();
            Ok(Json::Bool(world.databases.contains_key(name)))
        }
        ("object", "execute_kw") => world.execute_kw(arguments, true),
        // All arguments by position.
        ("object", "execute") => world.execute_kw(arguments, false),
        (service, _) => Err(Oops::key(service)),
    };
    match outcome {
        // A method that returns nothing answers without a result.
        Ok(Json::Null) => json(200, &Json::object([("jsonrpc", Json::text("2.0")), ("id", id)])),
        Ok(value) => enveloped(id, "result", value),
        Err(oops) => enveloped(id, "error", oops.for_rpc(version)),
    }
}

fn json2(world: &mut World, request: &Request, parts: &[&str]) -> Answer {
    if world.version == Version::V18 {
        // Routes of a database are looked up in the only one there is, and none is found: to the login page.
        if world.databases.len() > 1 {
            return html(404, NOT_FOUND);
        }
        let page = "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n";
        return html(303, page).with_header("location", format!("/web/login?redirect={}", request.path));
    }
    let named = request.header("x-odoo-database").map(str::to_owned);
    let database = match named {
        Some(name) => Some(name).filter(|name| world.databases.contains_key(name)),
        None if world.databases.len() == 1 => world.databases.keys().next().cloned(),
        None => None,
    };
    let Some(database) = database else {
        return html(404, NO_DATABASE);
    };
    let told = |oops: &Oops| json(oops.status, &oops.for_json2());
    let ["json", "2", model, method] = parts else {
        return told(&Oops::not_a_call());
    };
    if request.method.as_str() != "POST" {
        return told(&Oops::not_a_call());
    }
    if !is_json(request) {
        return unsupported();
    }
    let uid = match request.bearer() {
        None => {
            return told(&Oops::unauthorized(
                "User not authenticated, use an API Key with a Bearer Authorization header.",
            ))
            .with_header("www-authenticate", "Bearer");
        }
        Some(key) => match world.user_of_key(&database, key) {
            Some(uid) => uid,
            None => return told(&Oops::unauthorized("Invalid apikey")).with_header("www-authenticate", "Bearer"),
        },
    };
    // An empty body is no arguments, and so is a list.
    let parsed = if request.body.is_empty() {
        Some(Json::Null)
    } else {
        Json::parse(&request.body)
    };
    let Some(body) = parsed else {
        return told(&Oops::bad_request(
            "could not parse the body as json: Expecting value: line 1 column 1 (char 0)",
        ));
    };
    let members = body.as_object().unwrap_or_default();
    let ids = members
        .iter()
        .find(|(name, _)| name == "ids")
        .map(|(_, ids)| match ids {
            Json::List(_) => ids.as_ids().unwrap_or_default(),
            one => one.as_int().into_iter().collect(),
        });
    let texts = members
        .iter()
        .find(|(name, _)| name == "ids")
        .and_then(|(_, ids)| ids.as_list());
    if let Some(text) = texts.unwrap_or_default().iter().find_map(Json::as_text) {
        return told(&calls::bad_id(text));
    }
    let call = Called {
        model: (*model).to_owned(),
        method: (*method).to_owned(),
        ids,
        positional: Vec::new(),
        named: members.iter().filter(|(name, _)| name != "ids").cloned().collect(),
        json2: true,
    };
    match world.call(&database, uid, &call) {
        Ok(value) => json(200, &value),
        Err(oops) => told(&oops),
    }
}

fn version_info(version: Version) -> Json {
    let info = Json::List(Vec::from([
        Json::int(version.major()),
        Json::int(0),
        Json::int(0),
        Json::text("final"),
        Json::int(0),
        Json::text(""),
    ]));
    Json::object([
        ("server_version", Json::text(version.full())),
        ("server_version_info", info),
        ("server_serie", Json::text(version.series())),
        ("protocol_version", Json::int(1)),
    ])
}

fn is_json(request: &Request) -> bool {
    request.header("content-type").is_some_and(|kind| {
        kind.split(';')
            .next()
            .is_some_and(|kind| kind.trim() == "application/json")
    })
}

fn unsupported() -> Answer {
    html(
        415,
        "<!doctype html>\n<html lang=en>\n<title>415 Unsupported Media Type</title>\n<h1>Unsupported Media Type</h1>\n<p>Request inferred type is compatible with http but a json type is expected.</p>\n",
    )
}

fn enveloped(id: Json, name: &'static str, value: Json) -> Answer {
    json(
        200,
        &Json::object([("jsonrpc", Json::text("2.0")), ("id", id), (name, value)]),
    )
}

fn json(status: u16, value: &Json) -> Answer {
    Answer::of(status, "application/json; charset=utf-8", value.to_text())
}

fn html(status: u16, page: &'static str) -> Answer {
    Answer::of(status, "text/html; charset=utf-8", page)
}

/// `Sun, 22 Nov 2026 02:40:03 GMT`.
fn http_date(now: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = Timestamp::from_unix_seconds(now.unix_seconds()).to_string();
    let day = usize::try_from(now.unix_seconds().div_euclid(86_400).rem_euclid(7)).unwrap_or(0);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().unwrap_or(1).saturating_sub(1);
    format!(
        "{}, {} {} {} {} GMT",
        DAYS.get(day).unwrap_or(&"Thu"),
        part(8, 10),
        MONTHS.get(month).unwrap_or(&"Jan"),
        part(0, 4),
        part(11, 19)
    )
}
