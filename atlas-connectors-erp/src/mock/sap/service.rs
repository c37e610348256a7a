//! One call of a service, once the door is passed: from the address to the record and back.

use super::answer::{Refusal, Reply};
use super::batch;
use super::metadata;
use super::read::{self, Options, Shape};
use super::route::{Target, decoded, target};
use super::schema::ServiceDef;
use super::world::World;
use super::write::{self, Conditions};

/// A call within a service: path and query are still encoded.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    /// Lower-case names.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// POST with `X-HTTP-Method` means the other method.
    fn method(&self) -> &str {
        match (self.method.as_str(), self.header("x-http-method")) {
            ("POST", Some(other)) => other,
            (method, _) => method,
        }
    }

    /// The operation's name, for counters and faults.
    pub(super) fn operation(&self, service: &ServiceDef) -> &'static str {
        let target = target(service, &self.path);
        match (self.method(), target) {
            (_, Ok(Target::Batch)) => "batch",
            (_, Ok(Target::Metadata)) => "metadata",
            ("GET" | "HEAD", _)
                if self
                    .header("x-csrf-token")
                    .is_some_and(|value| value.eq_ignore_ascii_case("fetch")) =>
            {
                "token"
            }
            (_, Ok(Target::Root)) => "service",
            ("GET" | "HEAD", Ok(Target::Record(..))) => "get",
            ("GET" | "HEAD", _) => "read",
            (_, Ok(Target::Action(..) | Target::Function(_))) => "action",
            ("POST", _) => "create",
            ("DELETE", _) => "delete",
            _ => "update",
        }
    }
}

pub(super) fn carry_out(world: &mut World, service: &ServiceDef, call: &Call) -> Result<Reply, Refusal> {
    *world.counters.requests.entry(call.operation(service)).or_default() += 1;
    let v4 = service.v4;
    let accept = call.header("accept").unwrap_or_default();
    let kind = call.header("content-type").unwrap_or_default();
    let prefer = call.header("prefer").unwrap_or_default();
    let shape = Shape {
        service,
        ieee: accept.to_ascii_lowercase().contains("ieee754compatible=true"),
    };
    let conditions = Conditions {
        if_match: call.header("if-match").map(str::to_owned),
        minimal: prefer.contains("return=minimal"),
        ieee_body: kind.to_ascii_lowercase().contains("ieee754compatible=true"),
        request_id: call
            .header("requestid")
            .or_else(|| call.header("repeatability-request-id"))
            .map(str::to_owned),
    };
    let target = target(service, &call.path)?;
    if call.path.ends_with('/') {
        return Err(Refusal::new(
            400,
            "/IWCOR/CX_OD_URI_SYNTAX_ERROR",
            "URI has a slash as last character",
        ));
    }
    if !kind.is_empty() && !kind.contains("json") && !kind.contains("multipart") {
        return Err(Refusal::new(
            415,
            "/IWFND/CM_MGW/055",
            "The media type is not supported",
        ));
    }
    let go_on = !v4 || prefer.contains("continue-on-error");
    match (call.method(), target) {
        ("GET" | "HEAD", Target::Root) => Ok(root(service)),
        ("GET" | "HEAD", Target::Metadata) => {
            if !v4 && accept == "application/json" {
                return Err(Refusal::new(
                    406,
                    super::answer::FRAMEWORK_ID,
                    "The resource identified by the request is only capable of generating response entities which have content characteristics not acceptable",
                ));
            }
            const ETAG: &str = "W/\"20261126081500\"";
            if call.header("if-none-match") == Some(ETAG) {
                return Ok(Reply::empty(304).with("etag", ETAG));
            }
            Ok(Reply::plain(200, "application/xml", metadata::document(service)).with("etag", ETAG))
        }
        ("POST", Target::Batch) if kind.contains("json") && v4 => batch::json_batch(world, service, &call.body, go_on),
        ("POST", Target::Batch) => batch::multipart(world, service, kind, &call.body, go_on),
        ("GET", Target::Count(def)) => read::count(world, def, &Options::read(&call.query, v4)?, v4),
        ("GET", Target::Set(def)) => {
            let options = Options::read(&call.query, v4)?;
            read::list(world, &shape, def, None, &call.path, &options)
        }
        ("GET", Target::Record(def, key)) => read::one(world, &shape, def, &key, &Options::read(&call.query, v4)?, 200),
        ("GET", Target::Link(def, key, link)) => {
            let options = Options::read(&call.query, v4)?;
            read::list(
                world,
                &shape,
                link.to.def(),
                Some((def, &key, link)),
                &call.path,
                &options,
            )
        }
        ("POST", Target::Set(def)) => write::create(world, &shape, def, None, &call.body, &conditions),
        ("POST", Target::Link(def, key, link)) => write::create(
            world,
            &shape,
            link.to.def(),
            Some((def, &key, link)),
            &call.body,
            &conditions,
        ),
        ("PATCH" | "MERGE", Target::Record(def, key)) if call.method() == "PATCH" || !v4 => {
            write::update(world, &shape, def, &key, &call.body, false, &conditions)
        }
        ("PUT", Target::Record(def, key)) => write::update(world, &shape, def, &key, &call.body, true, &conditions),
        ("DELETE", Target::Record(def, key)) => write::delete(world, &shape, def, &key, &conditions),
        ("POST", Target::Function(name)) => {
            let pairs = call.query.split('&').filter_map(|pair| pair.split_once('='));
            let parameters: Vec<_> = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
            write::function(world, &name, &parameters)
        }
        ("POST", Target::Action(def, key, name)) => {
            write::action(world, &shape, def, &key, &name, &call.body, &conditions)
        }
        _ => Err(Refusal::new(405, "/IWFND/CM_MGW/004", "The method is not allowed")),
    }
}

/// The service document.
fn root(service: &ServiceDef) -> Reply {
    let sets: Vec<String> = service
        .tables
        .iter()
        .map(|table| table.def().set(service.v4))
        .map(|set| match service.v4 {
            true => format!("{{\"name\":\"{set}\",\"url\":\"{set}\"}}"),
            false => format!("\"{set}\""),
        })
        .collect();
    let body = match service.v4 {
        true => format!("{{\"@odata.context\":\"$metadata\",\"value\":[{}]}}", sets.join(",")),
        false => format!("{{\"d\":{{\"EntitySets\":[{}]}}}}", sets.join(",")),
    };
    Reply::json(200, service.v4, body)
}
