//! `$batch`: at most a hundred operations, stops at the first failure, and lies about what it has rolled back.

use atlas_connectors::testkit::server::Request;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{ApiError, Reply};
use super::counters::Counters;
use super::dispatch::{Context, operation_of};
use super::world::World;

#[derive(Deserialize)]
struct Wire {
    requests: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    #[serde(default)]
    id: Option<String>,
    method: String,
    url: String,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Box<RawValue>>,
}

/// The default ends at the first failure and keeps what came before; `Prefer: odata.continue-on-error` runs all;
/// `Isolation: snapshot` undoes all after a failure, while the earlier responses still say that they succeeded.
pub(super) fn answer(world: &mut World, context: &Context, request: &Request) -> Result<Reply, ApiError> {
    let wire: Wire =
        serde_json::from_slice(&request.body).map_err(|_| ApiError::bad_request("Invalid Request Body"))?;
    let (asked, most) = (wire.requests.len(), world.settings.max_batch);
    if asked > most {
        return Err(ApiError::new(
            500,
            "Internal_ServerError",
            format!(
                "The current request contains {asked} query operations. A maximum number of '{most}' query operations are allowed in a batch request."
            ),
        ));
    }
    let names = |name: &str, value: &str| {
        request
            .header(name)
            .is_some_and(|sent| sent.to_ascii_lowercase().contains(value))
    };
    let (atomic, goes_on) = (
        names("isolation", "snapshot"),
        names("prefer", "odata.continue-on-error"),
    );
    let before = atomic.then(|| (world.tenants.clone(), world.counters.clone()));
    let mut responses = Vec::new();
    let mut failed = false;
    for operation in &wire.requests {
        let reply = run(world, context, operation);
        let mut parts = vec![
            format!("\"id\":{}", serde_json::json!(operation.id)),
            format!("\"status\":{}", reply.status),
        ];
        let mut headers = serde_json::Map::new();
        for (name, value) in &reply.headers {
            if *name == "location" {
                headers.insert((*name).to_owned(), value.clone().into());
            }
        }
        if !reply.body.is_empty() {
            headers.insert("content-type".to_owned(), reply.content_type.into());
            headers.insert("odata-version".to_owned(), "4.0".into());
        }
        parts.push(format!("\"headers\":{}", serde_json::Value::from(headers)));
        if !reply.body.is_empty() {
            parts.push(format!("\"body\":{}", reply.body));
        }
        responses.push(format!("{{{}}}", parts.join(",")));
        if reply.status >= 400 {
            failed = true;
            if !goes_on {
                break;
            }
        }
    }
    if let (true, Some((tenants, counters))) = (failed, before) {
        world.tenants = tenants;
        world.counters = Counters {
            requests: world.counters.requests.clone(),
            ..counters
        };
    }
    Ok(Reply::json(200, format!("{{\"responses\":[{}]}}", responses.join(","))))
}

fn run(world: &mut World, context: &Context, operation: &Operation) -> Reply {
    let url = operation.url.strip_prefix(&context.root).unwrap_or(&operation.url);
    let mut inner = Request::new(
        &operation.method.to_uppercase(),
        &format!("/{}", url.trim_start_matches('/')),
    );
    for (name, value) in &operation.headers {
        inner = inner.with_header(name, value);
    }
    if let Some(body) = &operation.body {
        inner = inner.with_body(body.get().to_owned());
    }
    let rest = inner.segments();
    Counters::add(
        &mut world.counters.requests,
        &operation_of(inner.method.as_str(), &rest),
    );
    match world.api(context, &rest, &inner) {
        Ok(reply) => reply,
        Err(error) => Reply::error(&error, &context.correlation),
    }
}
