//! How many steps of an outbox can a store make durable in a second?

use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::action::{Connected, Gate, Outbox, OutboxStore, Outcome, Proposal};
use atlas_connectors::connection::Identity;
use atlas_connectors::mail::{Address, OutgoingMessage};
use atlas_connectors::store::{MemoryStore, SqliteStore};
use atlas_connectors::{ConnectionRef, SystemClock};
use rusqlite::params;

use crate::mailbox::Local;
use crate::table::Figure;
use crate::world::{self, Failure};

/// Proposals with their approvals, from mail to durable row with audit, on a file, in SQLite's memory and in ours.
pub(crate) async fn measure(quick: bool) -> Result<Vec<Figure>, Failure> {
    let intents = if quick { 30 } else { 1_000 };
    let folder = tempfile::tempdir()?;
    let file = commits(Arc::new(SqliteStore::open(folder.path().join("outbox.db"))?), intents).await?;
    let sqlite = commits(Arc::new(SqliteStore::in_memory()?), intents).await?;
    let memory = commits(Arc::new(MemoryStore::new()), intents).await?;
    let bare = bare(folder.path(), intents)?;
    let rate = |rate: f64| format!("{rate:.0} commits a second");
    Ok(vec![
        Figure::new("outbox, SQLite file with fsync", rate(file), "(information)").against(
            format!("one row bare, same file system and fsync: {bare:.0}"),
            format!("{:.2}", file / bare),
        ),
        Figure::new("outbox, SQLite in memory", rate(sqlite), "(information)")
            .against("the file", format!("{:.2}", sqlite / file)),
        Figure::new("outbox, MemoryStore", rate(memory), "(information)")
            .against("the file", format!("{:.2}", memory / file)),
    ])
}

/// Commits a second: the version of a row counts its commits.
async fn commits(store: Arc<dyn OutboxStore>, intents: u32) -> Result<f64, Failure> {
    let connection = world::connection();
    let connected = Connected::new();
    let identity = Identity {
        subject: "subject-1".to_owned(),
        address: Some("ops@acme.example".to_owned()),
        tenant: None,
    };
    connected.put_mailbox(Arc::new(Local(connection.clone(), ())), identity);
    let outbox = Outbox::builder(Arc::clone(&store), world::sealer()?, Arc::new(connected)).build();
    let gate = outbox.gate();
    let mut total: u64 = 0;
    let mut spent = Duration::ZERO;
    for n in 0..intents {
        let start = world::now();
        let intent = decide(&gate, &connection, n).await?;
        spent += world::since(start);
        let row = store.load_intent(&connection.tenant, &intent).await?.ok_or("no row")?;
        total += row.version.get();
    }
    Ok(world::per_second(total, spent))
}

async fn decide(gate: &Gate, connection: &ConnectionRef, n: u32) -> Result<atlas_connectors::IntentId, Failure> {
    let mail = OutgoingMessage::builder()
        .from(Address::named("Acme Operations", "ops@acme.example"))
        .to("jana@parts.example")
        .subject(format!("Order {n}"))
        .text("We order 40 pieces.\n")
        .build(&SystemClock)?;
    let proposal = Proposal::new(connection, "agent", format!("order-{n}"));
    match gate.propose(proposal, mail).await? {
        Outcome::Held { intent, review, .. } => {
            gate.approve(&connection.tenant, &intent, &"mia".into(), &review.digest)
                .await?;
            Ok(intent)
        }
        other => Err(format!("not held: {other:?}").into()),
    }
}

/// Single-row transactions of about the same size, with nothing around them.
fn bare(folder: &std::path::Path, rows: u32) -> Result<f64, Failure> {
    let store = crate::decode::durable(&folder.join("bare.db"))?;
    store.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")?;
    let body = [0x5A_u8; 2_048];
    let start = world::now();
    for n in 0..rows {
        store
            .prepare_cached("INSERT INTO rows (id, body) VALUES (?1, ?2)")?
            .execute(params![n, body])?;
    }
    Ok(world::per_second(u64::from(rows), world::since(start)))
}
