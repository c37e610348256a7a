//! The door: logon, session, CSRF token, and whether a service is there at all.

use atlas_connectors::testkit::server::{Answer, Request, random};

use super::answer::{Refusal, Reply};
use super::schema::{SERVICES, ServiceDef};
use super::server::Tokens;
use super::service::{Call, carry_out};
use super::world::{SessionState, World};

/// Names as an ABAP system gives them; a client must not look for them.
const SESSION: &str = "SAP_SESSIONID_ATL_100";
const CONTEXT: &str = "sap-usercontext";
/// After so many wrong passwords the user is locked.
const LOCKED_AFTER: u32 = 5;

fn service(path: &str) -> Option<(&'static ServiceDef, String)> {
    SERVICES.iter().find_map(|service| {
        let rest = path.strip_prefix(&service.root())?;
        match rest.strip_prefix('/') {
            Some(rest) => Some((service, rest.to_owned())),
            None => rest.is_empty().then(|| (service, String::new())),
        }
    })
}

fn call(request: &Request, path: String) -> Call {
    let headers = request.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Call {
        method: request.method.as_str().to_owned(),
        path,
        query: request.raw_query.clone(),
        headers: headers.collect(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
    }
}

/// The operation of a request, for the script of faults.
pub(super) fn operation(request: &Request) -> &'static str {
    match service(&request.path) {
        Some((service, rest)) => call(request, rest).operation(service),
        None => "other",
    }
}

pub(super) fn answer(world: &mut World, request: &Request) -> Answer {
    let head = request.method == http::Method::HEAD;
    let mut cookies = Vec::new();
    let reply = reply(world, request, &mut cookies);
    let body = if head { String::new() } else { reply.body };
    let mut answer = Answer::empty(reply.status);
    answer.body = body.into();
    for (name, value) in reply.headers {
        answer = answer.with_header(name, value);
    }
    // The system's clock, which is the mock's.
    answer = answer.with_header("date", crate::sap::http_date::format(world.now()));
    for cookie in cookies {
        answer.headers.push(("set-cookie".into(), cookie));
    }
    answer
}

fn reply(world: &mut World, request: &Request, cookies: &mut Vec<String>) -> Reply {
    let Some((service, rest)) = service(&request.path) else {
        return unknown_path(&request.path);
    };
    let (may_read, may_write) = match logon(world, request) {
        Ok(rights) => rights,
        Err(reply) => return reply,
    };
    // Without a live session's cookie a request begins one, whatever it is.
    let session = request
        .cookie(SESSION)
        .map(str::to_owned)
        .filter(|id| world.sessions.contains_key(id));
    let session = session.unwrap_or_else(|| {
        let id = random(24);
        world.sessions.insert(id.clone(), SessionState { token: None });
        world.counters.sessions += 1;
        cookies.push(format!("{CONTEXT}=sap-client=100; path=/"));
        cookies.push(format!("{SESSION}={id}; path=/; HttpOnly"));
        id
    });
    let root = service.root();
    if world.absent.contains(&root) {
        return missing(service);
    }
    if world.forbidden.contains(&root) {
        return forbidden(service);
    }
    let call = call(request, rest);
    let tokens = world.settings.tokens;
    let reads = matches!(call.method.as_str(), "GET" | "HEAD");
    let fetch = call
        .header("x-csrf-token")
        .is_some_and(|value| value.eq_ignore_ascii_case("fetch"));
    if call.method == "HEAD" && fetch && tokens == Tokens::HeadRefused {
        return Reply::plain(405, "text/plain", "");
    }
    if !reads && tokens != Tokens::NotNeeded {
        let held = world.sessions.get(&session).and_then(|session| session.token.clone());
        if held.is_none() || call.header("x-csrf-token") != held.as_deref() {
            world.counters.token_refusals += 1;
            return Reply::plain(403, "text/plain; charset=utf-8", "CSRF token validation failed")
                .with("x-csrf-token", "Required");
        }
    }
    let data = !matches!(call.operation(service), "token" | "service" | "metadata");
    let writes = !reads && call.operation(service) != "batch";
    if data && (!may_read || (writes && !may_write)) {
        return Refusal::new(403, "/IWBEP/CX_MGW_NO_AUTH", "You are not authorized for this activity")
            .reply(service.v4);
    }
    if call.operation(service) == "batch" && !may_write && has_writes(&call.body) {
        return Refusal::new(403, "/IWBEP/CX_MGW_NO_AUTH", "You are not authorized for this activity")
            .reply(service.v4);
    }
    let mut reply = carry_out(world, service, &call).unwrap_or_else(|refusal| refusal.reply(service.v4));
    let silent = call.method == "HEAD" && tokens == Tokens::HeadSilent;
    if reads && fetch && tokens != Tokens::NotNeeded && !silent {
        let state = world.sessions.entry(session).or_insert(SessionState { token: None });
        // The same session gets the same token again.
        let token = state.token.get_or_insert_with(|| random(24)).clone();
        world.counters.tokens += 1;
        reply = reply.with("x-csrf-token", token);
    }
    reply
}

fn has_writes(body: &str) -> bool {
    [
        "POST ",
        "PATCH ",
        "MERGE ",
        "DELETE ",
        "PUT ",
        "\"POST\"",
        "\"PATCH\"",
        "\"DELETE\"",
    ]
    .iter()
    .any(|word| body.contains(word))
}

fn logon(world: &mut World, request: &Request) -> Result<(bool, bool), Reply> {
    let page = || {
        Reply::plain(
            401,
            "text/html; charset=utf-8",
            "<html><head><title>Logon Error Message</title></head><body>Anmeldung fehlgeschlagen</body></html>",
        )
    };
    if let Some(token) = request.bearer() {
        return match world.bearers.contains(token) {
            true => Ok((true, true)),
            false => {
                world.counters.refused_logons += 1;
                Err(page().with("www-authenticate", "Bearer error=\"invalid_token\""))
            }
        };
    }
    let basic = request.basic();
    let known = basic.as_ref().and_then(|(user, password)| {
        let user = world.users.get_mut(user)?;
        if user.failures < LOCKED_AFTER && user.password == *password {
            user.failures = 0;
            return Some((user.may_read, user.may_write));
        }
        user.failures += 1;
        None
    });
    known.ok_or_else(|| {
        world.counters.refused_logons += 1;
        page().with(
            "www-authenticate",
            "Basic realm=\"SAP NetWeaver Application Server [ATL/100]\"",
        )
    })
}

fn missing(service: &ServiceDef) -> Reply {
    match service.v4 {
        true => Refusal::new(
            404,
            "/IWBEP/CM_V4_COS/014",
            format!("Service group '{}' not published", service.name),
        ),
        false => Refusal::new(
            403,
            "/IWFND/MED/170",
            format!("No service found for namespace , name {}, version 0001", service.name),
        ),
    }
    .reply(service.v4)
}

fn forbidden(service: &ServiceDef) -> Reply {
    match service.v4 {
        true => Refusal::new(
            403,
            "/IWBEP/CM_V4_COS/011",
            format!("No authorization to access service group '{}'", service.name),
        ),
        false => Refusal::new(
            403,
            "/IWFND/CM_CONSUMER/101",
            format!("No authorization to access Service 'Z{}_0001'", service.name),
        ),
    }
    .reply(service.v4)
}

/// A path outside every service that the mock has.
fn unknown_path(path: &str) -> Reply {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if path.starts_with("/sap/opu/odata4/") {
        return Refusal::new(
            404,
            "/IWBEP/CM_V4_COS/014",
            format!("Service group '{name}' not published"),
        )
        .reply(true);
    }
    if path.starts_with("/sap/opu/odata/") {
        let text = format!("No service found for namespace , name {name}, version 0001");
        return Refusal::new(403, "/IWFND/MED/170", text).reply(false);
    }
    Reply::plain(
        404,
        "application/xml",
        "<error xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-Instance\"><code>HTTP/404/E/Not Found</code><message>the corresponding service is not available</message></error>",
    )
}
