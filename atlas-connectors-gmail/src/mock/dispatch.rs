//! From a request to an answer: faults first, then who asks, what it costs and what may be done, then the method.

use std::time::Duration;

use atlas_connectors::Timestamp;
use atlas_connectors::testkit::server::{self, WireFault};
use http::HeaderMap;
use serde_json::Value;

use super::answer::{ApiError, JSON, Reply};
use super::auth::Scopes;
use super::faults::Fault;
use super::route::{self, Route};
use super::server::World;
use super::{
    attachments, batch, drafts, fields, history, labels, messages, oauth, send, settings, threads, token, upload,
};

/// What a Gmail method comes to.
pub(super) type Answer = Result<Reply, ApiError>;

/// A request, from the wire or from a part of a batch.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a [(String, String)],
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// Whether it came in a batch.
    pub(super) inner: bool,
}

/// A Gmail call whose caller is known.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) route: Route,
    pub(super) user: String,
    pub(super) scopes: Scopes,
    pub(super) query: &'a [(String, String)],
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    /// The resource that began a resumable upload.
    pub(super) upload_metadata: Option<Value>,
    /// Lists look at drafts only.
    pub(super) drafts_only: bool,
    pub(super) now: Timestamp,
}

impl Call<'_> {
    pub(super) fn json(&self) -> Result<Value, ApiError> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(self.body).map_err(|_| {
            ApiError::InvalidArgument(
                "Invalid JSON payload received. Parsing terminated before end of input.".to_owned(),
            )
        })
    }
}

/// The first value of a query parameter.
pub(super) fn word<'a>(call: &'a Call<'_>, name: &str) -> Option<&'a str> {
    call.query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// All values of a repeated query parameter.
pub(super) fn values(call: &Call<'_>, name: &str) -> Vec<String> {
    call.query
        .iter()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
        .collect()
}

pub(super) fn flag(call: &Call<'_>, name: &str) -> bool {
    word(call, name) == Some("true")
}

pub(super) fn number(call: &Call<'_>, name: &str) -> Result<Option<u64>, ApiError> {
    word(call, name)
        .map(|text| {
            let bad = || ApiError::InvalidArgument(format!("Invalid value at '{name}' (TYPE_UINT32), \"{text}\""));
            text.parse().map_err(|_| bad())
        })
        .transpose()
}

/// An answer with what the wire shall do to it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) reply: Reply,
    pub(super) delay: Duration,
    pub(super) wire: Option<WireFault>,
}

impl Outcome {
    fn plain(reply: Reply, delay: Duration) -> Self {
        Self {
            reply,
            delay,
            wire: None,
        }
    }
}

/// Answers a request from the wire.
pub(super) fn answer(world: &mut World, request: &server::Request) -> server::Answer {
    let request = Request {
        method: request.method.as_str(),
        path: &request.path,
        query: &request.query,
        headers: &request.headers,
        body: &request.body,
        inner: false,
    };
    let Outcome { reply, delay, wire } = handle(world, &request);
    let mut answer = server::Answer::of(reply.status, reply.content_type, reply.body).delayed_by(delay);
    for (name, value) in reply.headers {
        answer = answer.with_header(name, value);
    }
    match wire {
        Some(wire) => answer.spoiled_by(wire),
        None => answer,
    }
}

fn handle(world: &mut World, request: &Request<'_>) -> Outcome {
    if let Some(method) = oauth_method(request) {
        return oauth_call(world, request, method);
    }
    if request.method == "POST" && matches!(request.path, "/batch/gmail/v1" | "/batch") {
        let (fault, latency) = arrive(world, "gmail.batch");
        return spoil(world, fault, latency, Kind::Gmail, |world| batch::run(world, request));
    }
    gmail(world, request).unwrap_or_else(|| Outcome::plain(unknown(request), Duration::ZERO))
}

/// The OAuth endpoint that a request is for.
fn oauth_method(request: &Request<'_>) -> Option<&'static str> {
    Some(match (request.method, request.path) {
        ("GET", "/o/oauth2/v2/auth") => "oauth.authorize",
        ("POST", "/token") => "oauth.token",
        ("POST" | "GET", "/revoke") => "oauth.revoke",
        ("GET", "/oauth2/v3/certs") => "oauth.certs",
        ("GET", "/.well-known/openid-configuration") => "oauth.discovery",
        ("GET" | "POST", "/v1/userinfo") => "oauth.userinfo",
        ("GET" | "POST", "/tokeninfo") => "oauth.tokeninfo",
        _ => return None,
    })
}

fn oauth_call(world: &mut World, request: &Request<'_>, method: &'static str) -> Outcome {
    let (fault, latency) = arrive(world, method);
    if method == "oauth.token" {
        world.counters.token_calls += 1;
    }
    let mut form: Vec<(String, String)> = url::form_urlencoded::parse(request.body).into_owned().collect();
    form.extend(request.query.iter().cloned());
    let now = world.clock.now();
    let credentials = |scheme: &str| {
        let value = request.headers.get("authorization")?.to_str().ok()?;
        let (found, rest) = value.split_once(' ')?;
        found.eq_ignore_ascii_case(scheme).then(|| rest.trim().to_owned())
    };
    spoil(world, fault, latency, Kind::OAuth, |world| match method {
        "oauth.authorize" => match oauth::authorize(&mut world.auth, request.query, now) {
            Ok(back) => Reply::redirect(back),
            Err(blocked) => oauth::page(blocked),
        },
        "oauth.token" => {
            let basic = credentials("Basic");
            token::token(&mut world.auth, &mut world.counters, &form, basic.as_deref(), now)
                .unwrap_or_else(|error| error.reply())
        }
        "oauth.revoke" => token::revoke(&mut world.auth, &mut world.counters, &form),
        "oauth.certs" => oauth::certs(&world.auth),
        "oauth.discovery" => oauth::discovery(&world.auth, &world.base),
        "oauth.userinfo" => oauth::userinfo(&world.auth, credentials("Bearer").as_deref(), now),
        _ => {
            let token = form
                .iter()
                .find(|(key, _)| key == "access_token")
                .map(|(_, value)| value.clone());
            oauth::tokeninfo(&world.auth, token.as_deref(), now)
        }
    })
}

/// Counts a request and looks up what the script has in store for it.
fn arrive(world: &mut World, method: &'static str) -> (Option<Fault>, Duration) {
    *world.counters.requests.entry(method).or_default() += 1;
    let fault = world.faults.strike(method, None);
    if fault.is_some() {
        world.counters.faults += 1;
    }
    (fault, world.faults.latency(method, None))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gmail,
    OAuth,
}

/// Carries a request out, or not, and spoils its answer as the fault says.
fn spoil(
    world: &mut World,
    fault: Option<Fault>,
    latency: Duration,
    kind: Kind,
    carry_out: impl FnOnce(&mut World) -> Reply,
) -> Outcome {
    let Some(fault) = fault else {
        return Outcome::plain(carry_out(world), latency);
    };
    let wire = fault.wire();
    let mut delay = latency;
    let reply = match fault {
        Fault::Status(status) => match (kind, ApiError::of_status(status)) {
            (Kind::Gmail, Some(error)) => refuse(world, &error),
            (Kind::OAuth, _) if status < 500 => Reply::with_status(
                status,
                JSON,
                br#"{"error":"invalid_request","error_description":"Bad Request"}"#.to_vec(),
            ),
            _ => Reply::with_status(status, JSON, br#"{"error":"internal_failure"}"#.to_vec()),
        },
        Fault::Api(error) => refuse(world, &error),
        Fault::Token(error) => error.reply(),
        Fault::Throttle(wait) => {
            let error = ApiError::UserRateLimit {
                retry_after: with_millis(world.clock.now().after(wait)),
            };
            refuse(world, &error)
        }
        Fault::Answer {
            status,
            content_type,
            headers,
            body,
        } => {
            let mut reply = Reply::with_status(status, JSON, body).header("content-type", content_type);
            for (name, value) in headers {
                reply.headers.push((name.into(), value));
            }
            reply
        }
        Fault::CutBefore | Fault::HangBefore => Reply::with_status(200, JSON, Vec::new()),
        Fault::Delay(more) => {
            delay += more;
            carry_out(world)
        }
        Fault::HtmlAfter => {
            carry_out(world);
            Reply::html(200, "Sign in to the network")
        }
        Fault::OtherJsonAfter => {
            carry_out(world);
            Reply::json_text("[{\"unexpected\":[1,2,3]}]".to_owned())
        }
        Fault::CutAfter | Fault::HangAfter | Fault::Truncate(_) | Fault::Drip { .. } => carry_out(world),
    };
    Outcome { reply, delay, wire }
}

fn refuse(world: &mut World, error: &ApiError) -> Reply {
    if error.throttles() {
        world.counters.throttled += 1;
    }
    error.reply()
}

/// A Gmail call, alone or in a batch; `None` when the path leads to no method.
pub(super) fn gmail(world: &mut World, request: &Request<'_>) -> Option<Outcome> {
    let route = route::gmail(request.method, request.path)?;
    let method = route.method;
    // The second and later requests of a resumable upload are not calls of their own.
    let chunk = route.upload && request.query.iter().any(|(key, _)| key == "upload_id");
    let counted = if chunk { "gmail.upload" } else { method };
    let (fault, latency) = arrive(world, counted);
    let now = world.clock.now();
    let mut outcome = spoil(world, fault, latency, Kind::Gmail, |world| {
        let access = request
            .headers
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
            .and_then(|(_, token)| world.auth.access.get(token.trim()))
            .filter(|access| access.expires > now)
            .map(|access| (access.user.clone(), access.scopes.clone()));
        let Some((user, scopes)) = access else {
            return ApiError::Unauthenticated.reply();
        };
        let call = Call {
            user,
            scopes,
            query: request.query,
            headers: request.headers,
            body: request.body,
            upload_metadata: None,
            drafts_only: false,
            now,
            route,
        };
        let answer = admit(world, &call, chunk, latency).and_then(|()| perform(world, call));
        match answer {
            Ok(reply) => fields::narrow(reply, request.query),
            Err(error) => refuse(world, &error),
        }
    });
    if request.inner && outcome.wire.take().is_some() {
        // A part of a batch has no wire of its own.
        outcome.reply = ApiError::Backend.reply();
    }
    Some(outcome)
}

/// Whether the caller may make this call now, and its price.
fn admit(world: &mut World, call: &Call<'_>, chunk: bool, latency: Duration) -> Result<(), ApiError> {
    let method = call.route.method;
    let asked = call.route.user.to_lowercase();
    if asked != "me" && asked != call.user {
        return Err(ApiError::DelegationDenied(call.user.clone()));
    }
    if !route::allowed(method, &call.scopes) {
        return Err(ApiError::InsufficientScope);
    }
    if chunk {
        return Ok(());
    }
    let units = world.settings.prices.units(method);
    let sends = matches!(method, "gmail.users.messages.send" | "gmail.users.drafts.send");
    let tick = world.clock.monotonic();
    let charged = world
        .meter
        .charge(world.settings.quota.as_ref(), &call.user, units, sends, tick, latency);
    if let Err(refusal) = charged {
        let as_429 = world.settings.quota.is_some_and(|quota| quota.as_429);
        return Err(match refusal.error {
            ApiError::QuotaExceeded if as_429 => ApiError::UserRateLimit {
                retry_after: with_millis(call.now.after(refusal.wait)),
            },
            other => other,
        });
    }
    world.counters.units += u64::from(units);
    Ok(())
}

pub(super) fn perform(world: &mut World, call: Call<'_>) -> Answer {
    if call.route.upload && word(&call, "uploadType") == Some("resumable") && call.upload_metadata.is_none() {
        return upload::resumable(world, &call);
    }
    let call = &call;
    match call.route.method.strip_prefix("gmail.users.").unwrap_or_default() {
        "getProfile" => settings::profile(world, call),
        "watch" => settings::watch(world, call),
        "stop" => settings::stop(world, call),
        "history.list" => history::list(world, call),
        "messages.list" => messages::list(world, call),
        "messages.get" => messages::get(world, call),
        "messages.attachments.get" => attachments::get(world, call),
        "messages.send" => send::messages_send(world, call),
        "messages.modify" => messages::modify(world, call),
        "messages.batchModify" => messages::batch_modify(world, call),
        "messages.batchDelete" => messages::batch_delete(world, call),
        "messages.trash" => messages::trash(world, call, true),
        "messages.untrash" => messages::trash(world, call, false),
        "messages.delete" => messages::delete(world, call),
        "messages.import" | "messages.insert" => messages::import(world, call),
        "threads.list" => threads::list(world, call),
        "threads.get" => threads::get(world, call),
        "threads.modify" => threads::modify(world, call),
        "threads.trash" => threads::trash(world, call, true),
        "threads.untrash" => threads::trash(world, call, false),
        "threads.delete" => threads::delete(world, call),
        "labels.list" => labels::list(world, call),
        "labels.get" => labels::get(world, call),
        "labels.create" => labels::create(world, call),
        "labels.update" | "labels.patch" => labels::update(world, call),
        "labels.delete" => labels::delete(world, call),
        "drafts.create" => drafts::create(world, call),
        "drafts.update" => drafts::update(world, call),
        "drafts.get" => drafts::get(world, call),
        "drafts.list" => drafts::list(world, call),
        "drafts.delete" => drafts::delete(world, call),
        "drafts.send" => drafts::send_draft(world, call),
        "settings.sendAs.list" => settings::send_as_list(world, call),
        "settings.sendAs.get" => settings::send_as_get(world, call),
        "settings.getVacation" => settings::vacation(),
        // Every route above has its arm; a new one without it shows at once.
        _ => Err(ApiError::Unavailable),
    }
}

/// What is answered for a path that the mock does not know: it says so, instead of looking like Google's 404.
pub(super) fn unknown(request: &Request<'_>) -> Reply {
    let text = format!("mock::Google has no {} {}", request.method, request.path);
    let body = serde_json::json!({"error": {"code": 501, "message": text, "status": "UNIMPLEMENTED"}});
    Reply::with_status(501, JSON, body.to_string().into_bytes())
}

/// RFC 3339 with milliseconds, as Gmail writes moments in its messages.
pub(super) fn with_millis(moment: Timestamp) -> String {
    let seconds = Timestamp::from_unix_seconds(moment.unix_seconds()).to_string();
    let millis = moment.unix_millis().rem_euclid(1000);
    format!("{}.{millis:03}Z", seconds.trim_end_matches('Z'))
}
