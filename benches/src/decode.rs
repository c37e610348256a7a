//! What does a synced message cost in CPU, beside the least that must be done?

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atlas_connectors::credential::SealContext;
use atlas_connectors::error::ErrorKind;
use atlas_connectors::http::{HttpTransport, Response};
use atlas_connectors::mail::{ChangePage, MailChange, Message, SyncCursor, SyncPoint};
use atlas_connectors::sync::SyncEngine;
use atlas_connectors::{Error, MessageId, PageToken, Result};
use atlas_connectors_gmail::wire::messages::{Listed, MessageList};
use atlas_connectors_gmail::wire::{Method, RawMessage, json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use http::Request;
use mail_parser::MessageParser;
use rusqlite::params;
use serde::Deserialize;

use crate::mailbox::{Local, Source};
use crate::table::Figure;
use crate::world::{self, Failure};

const PAGE: usize = 100;
/// Each side is measured so often, in turns, and its least is taken: what other work on the machine adds is not its own.
const ROUNDS: usize = 3;

/// Syncs from answers in memory, and does the same bare: serde_json, base64, mail-parser, one insert a message, a transaction a page.
pub(crate) async fn measure(quick: bool) -> Result<Vec<Figure>, Failure> {
    let (messages, rounds) = if quick { (500, 1) } else { (20_000, ROUNDS) };
    let answers = Arc::new(Answers::new(messages));
    let [mut ours, mut piped, mut without, mut sealing] = [Duration::MAX; 4];
    for _ in 0..rounds {
        let folder = tempfile::tempdir()?;
        let file = |name: &str| folder.path().join(name);
        let local = Local(world::connection(), Arc::clone(&answers));
        let engine = world::engine_of(Arc::new(local), &file("ours.db"))?;
        ours = ours.min(synced(&engine, messages).await?);

        let transport = Arc::clone(&answers) as Arc<dyn HttpTransport>;
        let engine = world::engine(
            transport,
            "https://gmail.googleapis.com/",
            "ya29.bench",
            &file("piped.db"),
        )?;
        piped = piped.min(synced(&engine, messages).await?);

        without = without.min(timed(|| bare(&answers, &file("bare.db")))?);
        sealing = sealing.min(sealed(&answers)?);
    }
    let each = |total: Duration| format!("{:.0} us", total.as_secs_f64() * 1e6 / messages as f64);
    let ratio = |one: Duration| format!("{:.2}", one.as_secs_f64() / without.as_secs_f64());
    let bare = format!("serde_json + base64 + mail-parser + one insert: {}", each(without));
    Ok(vec![
        Figure::new(
            format!("CPU a synced message ({messages} messages): decode, parse, seal, store, index"),
            each(ours),
            "<= 1.5",
        )
        .against(bare, ratio(ours)),
        Figure::new(
            "of it sealing (as JSON, XChaCha20-Poly1305), which bare does not",
            each(sealing),
            "",
        )
        .against("the rest, against bare", ratio(ours.saturating_sub(sealing))),
        Figure::new(
            "the same through the HTTP pipeline (quota, deadline, token, retry)",
            each(piped),
            "",
        )
        .against("bare", ratio(piped)),
    ])
}

/// What a first sync costs.
async fn synced(engine: &SyncEngine, messages: usize) -> Result<Duration, Failure> {
    let (begun, start) = (world::cpu(), world::now());
    let report = engine.sync_now().await?;
    let cost = used(begun, start);
    if report.counts.stored != messages as u64 {
        return Err(format!("{} messages of {messages} were stored", report.counts.stored).into());
    }
    Ok(cost)
}

/// What writing and sealing all messages costs by itself.
fn sealed(answers: &Answers) -> Result<Duration, Failure> {
    let (sealer, connection) = (world::sealer()?, world::connection());
    let mut cost = Duration::ZERO;
    for page in answers.ids.chunks(PAGE * 20) {
        let ids = page.iter().map(|id| MessageId::from(id.as_str()));
        let parsed = ids.map(|id| answers.message(&id)).collect::<Result<Vec<Message>>>()?;
        cost += timed(|| {
            for message in &parsed {
                let clear = serde_json::to_vec(message)?;
                let id = message.meta.id.as_str();
                let context = SealContext::item(&connection.tenant, &connection.connection, "bench", id);
                std::hint::black_box(sealer.seal(context, &clear)?);
            }
            Ok(())
        })?;
    }
    Ok(cost)
}

fn timed(work: impl FnOnce() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let (begun, start) = (world::cpu(), world::now());
    work()?;
    Ok(used(begun, start))
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
    lists: Vec<Bytes>,
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
        let lists = lists(&ids);
        Self { ids, bodies, lists }
    }

    fn message(&self, id: &MessageId) -> Result<Message> {
        let body = self.bodies.get(id.as_str()).cloned().ok_or_else(unknown)?;
        let answer = ok(body);
        let message: RawMessage<'_> = json(Method::MessagesGet, &answer)?;
        let raw = message.bytes()?;
        Ok(Message::parse(message.into_meta()?, &raw))
    }

    fn list(&self, query: &str) -> Bytes {
        // The confirming look at the end asks with `q`; nothing has arrived meanwhile.
        if query.split('&').any(|pair| pair.starts_with("q=")) {
            return Bytes::from_static(b"{\"resultSizeEstimate\":0}");
        }
        let token = query.split('&').find_map(|pair| pair.strip_prefix("pageToken="));
        let number: usize = token.and_then(|token| token.parse().ok()).unwrap_or(0);
        self.lists.get(number).cloned().unwrap_or_default()
    }
}

/// The pages of the list, with the number of the next one for its token.
fn lists(ids: &[String]) -> Vec<Bytes> {
    let pages: Vec<&[String]> = ids.chunks(PAGE).collect();
    let page = |(number, page): (usize, &&[String])| {
        let messages: Vec<_> = page
            .iter()
            .map(|id| serde_json::json!({ "id": id, "threadId": id }))
            .collect();
        let mut answer = serde_json::json!({ "messages": messages, "resultSizeEstimate": ids.len() });
        if number + 1 < pages.len() {
            answer["nextPageToken"] = (number + 1).to_string().into();
        }
        answer.to_string().into()
    };
    pages.iter().enumerate().map(page).collect()
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("messages", &self.ids.len()).finish()
    }
}

/// What the Gmail crate makes of an answer, without a request: the pipeline is on neither side.
impl Source for Arc<Answers> {
    fn changes(&self, from: &SyncPoint, page: Option<&PageToken>) -> Result<ChangePage> {
        let SyncPoint::Listing(listing) = from else {
            return Ok(ChangePage {
                changes: Vec::new(),
                next: None,
                cursor: Some(SyncCursor::new("1000")),
                estimate: None,
            });
        };
        let query = match (listing.since, page) {
            (Some(_), _) => "q=after".to_owned(),
            (None, Some(page)) => format!("pageToken={}", page.as_str()),
            (None, None) => String::new(),
        };
        let answer = ok(self.list(&query));
        let list: MessageList = json(Method::MessagesList, &answer)?;
        let present = |listed: Listed| MailChange::Present(listed.into());
        Ok(ChangePage {
            changes: list.messages.into_iter().map(present).collect(),
            next: list.next_page_token,
            cursor: page.is_none().then(|| SyncCursor::new("1000")),
            estimate: list.result_size_estimate,
        })
    }

    fn message(&self, id: &MessageId) -> Result<Message> {
        Answers::message(self, id)
    }
}

fn ok(body: Bytes) -> Response {
    Response::new(http::StatusCode::OK, http::HeaderMap::new(), body)
}

#[async_trait]
impl HttpTransport for Answers {
    async fn send(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>> {
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
        let body = body.ok_or_else(unknown)?;
        let mut answer = http::Response::new(body);
        let json = http::HeaderValue::from_static("application/json; charset=UTF-8");
        answer.headers_mut().insert(http::header::CONTENT_TYPE, json);
        Ok(answer)
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::NotFound { object: "answer" }, "bench.send")
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

/// Keeps of a message what the inbox keeps of it (text, HTML, header block; of attachments nothing), in the same durability:
/// write-ahead log, synced at each commit.
fn bare(answers: &Answers, file: &Path) -> Result<(), Failure> {
    let mut store = durable(file)?;
    store.execute_batch(
        "CREATE TABLE messages (id TEXT PRIMARY KEY, thread TEXT, labels TEXT, received INTEGER, subject TEXT,
             sender TEXT, text TEXT, html TEXT, headers BLOB) STRICT",
    )?;
    for page in answers.ids.chunks(PAGE) {
        let transaction = store.transaction()?;
        let mut insert =
            transaction.prepare_cached("INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
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
                parsed.body_html(0),
                raw.get(..parsed.root_part().raw_body_offset() as usize),
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
