//! `$batch`: multipart in both versions, JSON in V4.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::answer::{Refusal, Reply};
use super::schema::ServiceDef;
use super::service::{Call, carry_out};
use super::world::World;

/// One request inside.
#[derive(Clone, Debug)]
struct Part {
    content_id: Option<String>,
    call: Call,
}

enum Item {
    One(Part),
    Set(Vec<Part>),
}

pub(super) fn multipart(
    world: &mut World,
    service: &ServiceDef,
    kind: &str,
    body: &str,
    go_on: bool,
) -> Result<Reply, Refusal> {
    let bad = || Refusal::syntax("The batch request could not be read");
    let items = read(service, boundary(kind).ok_or_else(bad)?, body).ok_or_else(bad)?;
    const OUTER: &str = "A0B1C2D3E4F5_0";
    let mut out = String::new();
    for item in items {
        let failed = match item {
            Item::One(part) => {
                let reply = run(world, service, &part);
                write_part(&mut out, OUTER, part.content_id.as_deref(), &reply);
                reply.status >= 400
            }
            Item::Set(parts) => {
                let (replies, failed) = change_set(world, service, &parts);
                match failed {
                    Some(reply) => {
                        write_part(&mut out, OUTER, None, &reply);
                        true
                    }
                    None => {
                        const INNER: &str = "A0B1C2D3E4F5_1";
                        let _ = write!(
                            out,
                            "--{OUTER}\r\nContent-Type: multipart/mixed; boundary={INNER}\r\n\r\n"
                        );
                        for (part, reply) in parts.iter().zip(&replies) {
                            write_part(&mut out, INNER, part.content_id.as_deref(), reply);
                        }
                        let _ = write!(out, "--{INNER}--\r\n\r\n");
                        false
                    }
                }
            }
        };
        if failed && !go_on {
            break;
        }
    }
    let _ = write!(out, "--{OUTER}--\r\n");
    let status = if service.v4 { 200 } else { 202 };
    Ok(Reply::plain(status, &format!("multipart/mixed; boundary={OUTER}"), out))
}

/// Runs a set; the answers, or the one answer that stands for all of it.
fn change_set(world: &mut World, service: &ServiceDef, parts: &[Part]) -> (Vec<Reply>, Option<Reply>) {
    let before = world.snapshot();
    let mut replies: Vec<Reply> = Vec::new();
    for part in parts {
        let mut part = part.clone();
        part.call.path = referenced(&part.call.path, parts, &replies);
        let reply = run(world, service, &part);
        if reply.status >= 400 {
            world.roll_back(before);
            return (replies, Some(reply));
        }
        replies.push(reply);
    }
    (replies, None)
}

/// `$1/to_Item` names what the change with that content id made.
fn referenced(path: &str, parts: &[Part], replies: &[Reply]) -> String {
    let Some(rest) = path.strip_prefix('$') else {
        return path.to_owned();
    };
    let (id, tail) = rest.split_once('/').map_or((rest, ""), |(id, tail)| (id, tail));
    let made = parts
        .iter()
        .zip(replies)
        .find(|(part, _)| part.content_id.as_deref() == Some(id))
        .and_then(|(_, reply)| reply.header("location"))
        .and_then(|location| location.rsplit('/').next());
    match made {
        Some(made) if tail.is_empty() => made.to_owned(),
        Some(made) => format!("{made}/{tail}"),
        None => path.to_owned(),
    }
}

fn run(world: &mut World, service: &ServiceDef, part: &Part) -> Reply {
    match carry_out(world, service, &part.call) {
        Ok(reply) => reply,
        Err(mut refusal) => {
            refusal.content_id.clone_from(&part.content_id);
            refusal.reply(service.v4)
        }
    }
}

fn write_part(out: &mut String, boundary: &str, content_id: Option<&str>, reply: &Reply) {
    let _ = write!(
        out,
        "--{boundary}\r\nContent-Type: application/http\r\nContent-Length: {}\r\ncontent-transfer-encoding: binary\r\n",
        reply.body.len() + 64
    );
    if let Some(id) = content_id {
        let _ = write!(out, "content-id: {id}\r\n");
    }
    let _ = write!(out, "\r\nHTTP/1.1 {} {}\r\n", reply.status, phrase(reply.status));
    for (name, value) in &reply.headers {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    let _ = write!(out, "Content-Length: {}\r\n\r\n{}\r\n", reply.body.len(), reply.body);
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        412 => "Precondition Failed",
        _ => "Status",
    }
}

fn boundary(kind: &str) -> Option<&str> {
    let found = kind.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    Some(found.trim_matches('"'))
}

fn read(service: &ServiceDef, boundary: &str, body: &str) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    for section in sections(boundary, body)? {
        let (head, rest) = headers(section)?;
        let kind = header(&head, "content-type")?;
        if kind.starts_with("multipart/mixed") {
            let inner = self::boundary(kind)?.to_owned();
            let parts = sections(&inner, rest)?
                .into_iter()
                .map(|section| {
                    let (head, rest) = headers(section)?;
                    part(service, &head, rest)
                })
                .collect::<Option<Vec<_>>>()?;
            items.push(Item::Set(parts));
        } else {
            items.push(Item::One(part(service, &head, rest)?));
        }
    }
    Some(items)
}

/// The sections between boundaries; CRLF is demanded, as a gateway does.
fn sections<'a>(boundary: &str, body: &'a str) -> Option<Vec<&'a str>> {
    let mark = format!("--{boundary}");
    let mut rest = body.get(body.find(&mark)? + mark.len()..)?;
    let mut out = Vec::new();
    loop {
        if rest.starts_with("--") {
            return Some(out);
        }
        rest = rest.strip_prefix("\r\n")?;
        let next = rest.find(&format!("\r\n{mark}"))?;
        out.push(rest.get(..next)?);
        rest = rest.get(next + 2 + mark.len()..)?;
    }
}

type Headers = Vec<(String, String)>;

fn headers(section: &str) -> Option<(Headers, &str)> {
    let (head, rest) = match section.strip_prefix("\r\n") {
        Some(rest) => ("", rest),
        None => section.split_once("\r\n\r\n").unwrap_or((section, "")),
    };
    let lines = head.split("\r\n").filter(|line| !line.is_empty());
    let pairs = lines.map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    });
    Some((pairs.collect::<Option<_>>()?, rest))
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

fn part(service: &ServiceDef, outer: &Headers, text: &str) -> Option<Part> {
    let (line, rest) = text.split_once("\r\n")?;
    let (method, rest_of_line) = line.split_once(' ')?;
    let target = rest_of_line.strip_suffix(" HTTP/1.1")?;
    let (headers, body) = headers(rest)?;
    Some(Part {
        content_id: header(outer, "content-id").map(str::to_owned),
        call: call(
            service,
            method,
            target,
            headers,
            body.trim_end_matches("\r\n").to_owned(),
        ),
    })
}

fn call(service: &ServiceDef, method: &str, target: &str, headers: Headers, body: String) -> Call {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let root = format!("{}/", service.root());
    let path = path.split_once(&root).map_or(path, |(_, below)| below);
    Call {
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    }
}

/// A V4 batch in JSON. A group that fails is undone, and every member of it is told as failed or depending on one.
pub(super) fn json_batch(world: &mut World, service: &ServiceDef, body: &str, go_on: bool) -> Result<Reply, Refusal> {
    let bad = || Refusal::syntax("The batch request could not be read");
    let value: Value = serde_json::from_str(body).map_err(|_| bad())?;
    let requests = value["requests"].as_array().ok_or_else(bad)?;
    let mut answers: Vec<Value> = Vec::new();
    let mut failed_ids: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(request) = requests.get(at) {
        let group = request["atomicityGroup"].as_str();
        let end = match group {
            Some(group) => {
                at + requests
                    .get(at..)
                    .unwrap_or_default()
                    .iter()
                    .take_while(|other| other["atomicityGroup"].as_str() == Some(group))
                    .count()
            }
            None => at + 1,
        };
        let members = requests.get(at..end).unwrap_or_default();
        at = end;
        let depends = members.iter().any(|member| {
            member["dependsOn"].as_array().into_iter().flatten().any(|on| {
                on.as_str()
                    .is_some_and(|on| failed_ids.iter().any(|failed| failed == on))
            })
        });
        let mut parts = Vec::new();
        for member in members {
            let headers = member["headers"].as_object().into_iter().flatten();
            let headers = headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            let body = match &member["body"] {
                Value::Null => String::new(),
                body => body.to_string(),
            };
            let method = member["method"].as_str().ok_or_else(bad)?;
            let url = member["url"].as_str().ok_or_else(bad)?;
            parts.push(Part {
                content_id: member["id"].as_str().map(str::to_owned),
                call: call(service, method, url, headers, body),
            });
        }
        let replies: Vec<Reply> = if depends {
            vec![Refusal::new(424, "/IWBEP/CM_V4_BATCH/002", "A request this one depends on failed").reply(true)]
        } else if group.is_some() {
            match change_set(world, service, &parts) {
                (_, Some(failed)) => vec![failed],
                (replies, None) => replies,
            }
        } else {
            parts.iter().map(|part| run(world, service, part)).collect()
        };
        let failed = replies.iter().any(|reply| reply.status >= 400);
        for (part, reply) in parts.iter().zip(&replies) {
            let mut headers = serde_json::Map::new();
            for (name, value) in &reply.headers {
                headers.insert((*name).to_owned(), json!(value));
            }
            let mut answer = json!({"id": part.content_id, "status": reply.status, "headers": headers});
            if !reply.body.is_empty() {
                answer["body"] = serde_json::from_str(&reply.body).unwrap_or(Value::String(reply.body.clone()));
            }
            if let Some(group) = group {
                answer["atomicityGroup"] = json!(group);
            }
            answers.push(answer);
        }
        if failed {
            failed_ids.extend(parts.iter().filter_map(|part| part.content_id.clone()));
            failed_ids.extend(group.map(str::to_owned));
            if !go_on {
                break;
            }
        }
    }
    Ok(Reply::json(200, true, json!({"responses": answers}).to_string()))
}
