//! What does a synced message cost in CPU, beside the least that must be done?

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atlas_connectors::error::ErrorKind;
use atlas_connectors::http::HttpTransport;
use atlas_connectors::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use http::{Request, Response};
use mail_parser::MessageParser;
use rusqlite::params;
use serde::Deserialize;

use crate::table::Figure;
use crate::world::{self, Failure};

const PAGE: usize = 100;

/// Syncs from answers in memory, and does the same bare: serde_json, base64, mail-parser, one insert a message, a transaction a page.
pub(crate) async fn measure(quick: bool) -> Result<Vec<Figure>, Failure> {
    let messages = if quick { 500 } else { 20_000 };
    let answers = Arc::new(Answers::new(messages));
    let folder = tempfile::tempdir()?;

    let (begun, start) = (world::cpu(), world::now());
    let engine = world::engine(
        Arc::clone(&answers) as Arc<dyn HttpTransport>,
        "https://gmail.googleapis.com/",
        "ya29.bench",
        &folder.path().join("ours.db"),
    )?;
    let report = engine.sync_now().await?;
    let ours = used(begun, start);
    if report.counts.stored != messages as u64 {
        return Err(format!("{} messages of {messages} were stored", report.counts.stored).into());
    }

    let (begun, start) = (world::cpu(), world::now());
    bare(&answers, &folder.path().join("bare.db"))?;
    let bare = used(begun, start);

    let each = |total: Duration| format!("{:.0} us", total.as_secs_f64() * 1e6 / messages as f64);
    let name = format!("CPU a synced message ({messages} messages; decode, parse, seal, store, index)");
    let figure = Figure::new(name, each(ours), "<= 1.5").against(
        format!(
            "serde_json + base64 + mail-parser + one insert (no sealing): {}",
            each(bare)
        ),
        format!("{:.2}", ours.as_secs_f64() / bare.as_secs_f64()),
    );
    Ok(vec![figure])
}

fn used(begun: Option<Duration>, start: Duration) -> Duration {
    match (begun, world::cpu()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => world::since(start),
    }
}

/// Gmail's answers for one mailbox, ready to be given.
struct Answers {
    ids: Vec<String>,
    bodies: HashMap<String, Bytes>,
}

impl Answers {
    fn new(messages: usize) -> Self {
        let ids: Vec<String> = (0..messages)
            .map(|n| format!("{:016x}", 0x19f0_0000_0000 + n))
            .collect();
        let body = |(n, id): (usize, &String)| {
            let raw = world::mail(n as u64);
            let answer = serde_json::json!({
                "id": id, "threadId": id, "labelIds": ["INBOX", "UNREAD"], "snippet": "Please confirm",
                "historyId": "1000", "internalDate": (1_790_000_000_000_u64 - 60_000 * n as u64).to_string(),
                "sizeEstimate": raw.len(), "raw": URL_SAFE.encode(&raw),
            });
            (id.clone(), answer.to_string().into())
        };
        let bodies = ids.iter().enumerate().map(body).collect();
        Self { ids, bodies }
    }

    fn list(&self, query: &str) -> Bytes {
        // The confirming look at the end asks with `q`; nothing has arrived meanwhile.
        if query.split('&').any(|pair| pair.starts_with("q=")) {
            return Bytes::from_static(b"{\"resultSizeEstimate\":0}");
        }
        let token = query.split('&').find_map(|pair| pair.strip_prefix("pageToken="));
        let from: usize = token.and_then(|token| token.parse().ok()).unwrap_or(0);
        let ids = self.ids.iter().skip(from).take(PAGE);
        let messages: Vec<_> = ids.map(|id| serde_json::json!({ "id": id, "threadId": id })).collect();
        let mut answer = serde_json::json!({ "messages": messages, "resultSizeEstimate": self.ids.len() });
        if from + PAGE < self.ids.len() {
            answer["nextPageToken"] = (from + PAGE).to_string().into();
        }
        answer.to_string().into()
    }
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("messages", &self.ids.len()).finish()
    }
}

#[async_trait]
impl HttpTransport for Answers {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let last = path.rsplit('/').next().unwrap_or_default();
        let body = match last {
            "profile" => Some(Bytes::from_static(
                b"{\"emailAddress\":\"ops@acme-manufacturing.example\",\"historyId\":\"1000\"}",
            )),
            "history" => Some(Bytes::from_static(b"{\"historyId\":\"1000\"}")),
            "messages" => Some(self.list(query)),
            id => self.bodies.get(id).cloned(),
        };
        let body = body.ok_or_else(|| Error::new(ErrorKind::NotFound { object: "answer" }, "bench.send"))?;
        let mut answer = Response::new(body);
        let json = http::HeaderValue::from_static("application/json; charset=UTF-8");
        answer.headers_mut().insert(http::header::CONTENT_TYPE, json);
        Ok(answer)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bare {
    id: String,
    thread_id: String,
    label_ids: Vec<String>,
    internal_date: String,
    raw: String,
}

/// The same durability as the store: write-ahead log, synced at each commit.
fn bare(answers: &Answers, file: &Path) -> Result<(), Failure> {
    let mut store = durable(file)?;
    store.execute_batch(
        "CREATE TABLE messages (id TEXT PRIMARY KEY, thread TEXT, labels TEXT, received INTEGER, subject TEXT,
             sender TEXT, body TEXT) STRICT",
    )?;
    for page in answers.ids.chunks(PAGE) {
        let transaction = store.transaction()?;
        let mut insert = transaction.prepare_cached("INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        for id in page {
            let Some(body) = answers.bodies.get(id) else { continue };
            let answer: Bare = serde_json::from_slice(body)?;
            let raw = URL_SAFE.decode(&answer.raw)?;
            let parsed = MessageParser::default().parse(&raw).ok_or("no message")?;
            let sender = parsed
                .from()
                .and_then(|from| from.first())
                .and_then(|from| from.address());
            let received: i64 = answer.internal_date.parse()?;
            insert.execute(params![
                answer.id,
                answer.thread_id,
                answer.label_ids.join(","),
                received,
                parsed.subject(),
                sender,
                parsed.body_text(0),
            ])?;
        }
        drop(insert);
        transaction.commit()?;
    }
    Ok(())
}

/// A database as durable as [`atlas_connectors::store::SqliteStore`].
pub(crate) fn durable(file: &Path) -> Result<rusqlite::Connection, Failure> {
    let store = rusqlite::Connection::open(file)?;
    store.pragma_update(None, "journal_mode", "WAL")?;
    store.pragma_update(None, "synchronous", "FULL")?;
    Ok(store)
}
