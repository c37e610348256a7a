//! How do page reads and metadata compare with what a host would otherwise take, in Python? Reader and peer are processes of
//! their own, one after the other, before the same mock server in this one.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::credential::Basic;
use atlas_connectors::erp::{ErpConnector, Query, field, stream_of};
use atlas_connectors::{ConnectionRef, ProviderId};
use atlas_connectors_erp::mock::odoo::{DATABASE, Version};
use atlas_connectors_erp::mock::sap::{PASSWORD, WRITER};
use atlas_connectors_erp::mock::{Odoo, Sap};
use atlas_connectors_erp::odata::metadata::Schema;
use atlas_connectors_erp::odata::{CatalogSettings, Model};
use atlas_connectors_erp::odoo::OdooBuilder;
use atlas_connectors_erp::odoo::wire::{Endpoint, Json, Secret};
use atlas_connectors_erp::sap::{SapAuth, SapBuilder, ServiceAddress, SystemAddress};
use futures_util::StreamExt as _;

use crate::table::Figure;
use crate::world::{self, Failure};

/// The hidden argument by which this program is the reader.
pub(crate) const READ: &str = "--read-erp-pages";

const PAGE: u32 = 500;
/// What tells the partners that are read from those every database has.
const MARK: i64 = 7;
const LOGIN: &str = "atlas.bot";
const KEY: &str = "bot-key";
const SERVICE: &str = "API_SALES_ORDER_SRV";
const ORDERS: &str = "A_SalesOrder";
const PARTNER: [&str; 6] = [
    "name",
    "email",
    "is_company",
    "customer_rank",
    "credit_limit",
    "write_date",
];
const ORDER: [&str; 6] = [
    "SalesOrder",
    "SoldToParty",
    "TotalNetAmount",
    "TransactionCurrency",
    "CreationDate",
    "LastChangeDateTime",
];

/// Page reads of Odoo and OData, and a metadata document, beside odoorpc, odoo-client-lib and pyodata.
pub(crate) async fn measure(quick: bool) -> Result<Vec<Figure>, Failure> {
    // The last page is not full, so that both sides know the end by it.
    let size = if quick {
        Size { rows: 620, rounds: 1 }
    } else {
        Size {
            rows: 4_900,
            rounds: 20,
        }
    };
    let python = python();
    let python = python.as_deref();
    let mut figures = Vec::new();
    for (version, title, peers) in [
        (
            Version::V18,
            "Odoo 18 by JSON-RPC",
            ["odoorpc", "odoolib-jsonrpc"].as_slice(),
        ),
        (Version::V19, "Odoo 19 by JSON-2", &["odoolib-json2"]),
    ] {
        let server = odoo(version, size.rows).await?;
        let ours = ours("odoo", server.url().as_str(), size).await?;
        for peer in peers {
            let port = server.url().port().ok_or("no port")?.to_string();
            let mark = MARK.to_string();
            let mut arguments = vec![*peer, &port, DATABASE, LOGIN, KEY, &mark];
            let (page, rounds) = (PAGE.to_string(), size.rounds.to_string());
            arguments.extend([page.as_str(), &rounds]);
            arguments.extend(PARTNER);
            let theirs = theirs(python, "odoo_pages.py", &arguments).await?;
            let package = if *peer == "odoorpc" { *peer } else { "odoo-client-lib" };
            figures.push(compared(title, "partners", size, &ours, package, theirs)?);
        }
    }
    let server = Sap::start().await?;
    server.fill_orders(size.rows);
    let ours = ours("sap", server.uri(), size).await?;
    let root = format!("{}/sap/opu/odata/sap/{SERVICE}", server.uri());
    let (page, rounds) = (PAGE.to_string(), size.rounds.to_string());
    let mut arguments = vec![root.as_str(), WRITER, PASSWORD, ORDERS, "SalesOrder", &page, &rounds];
    arguments.extend(ORDER);
    let theirs = theirs(python, "odata_pages.py", &arguments).await?;
    figures.push(compared("OData V2", "sales orders", size, &ours, "pyodata", theirs)?);
    figures.push(metadata(python, quick).await?);
    Ok(figures)
}

#[derive(Clone, Copy)]
struct Size {
    rows: u64,
    rounds: u32,
}

/// What a reader tells of itself.
#[derive(Debug)]
struct Told {
    rows: u64,
    /// Of the shortest round.
    wall: f64,
    /// Of the average one.
    cpu: f64,
    version: String,
}

impl Told {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        Some(Self {
            rows: words.next()?.parse().ok()?,
            wall: words.next()?.parse().ok()?,
            cpu: words.next()?.parse().ok()?,
            version: words.next()?.to_owned(),
        })
    }

    fn speed(&self) -> String {
        let rows = self.rows as f64;
        format!("{:.0} rows/s, {:.0} a CPU second", rows / self.wall, rows / self.cpu)
    }
}

/// The interpreter that has the peers.
fn python() -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "a setting of the measuring program")]
    let python = std::env::var("ATLAS_BENCH_PYTHON");
    python.ok().filter(|python| !python.is_empty())
}

const NO_PYTHON: &str = "not measured: set ATLAS_BENCH_PYTHON";

fn compared(
    title: &str,
    what: &str,
    size: Size,
    ours: &Told,
    package: &str,
    theirs: Option<Told>,
) -> Result<Figure, Failure> {
    let name = format!("{title}: {} {what}, six fields, pages of {PAGE}", size.rows);
    let figure = Figure::new(name, ours.speed(), ">= 1");
    let Some(theirs) = theirs else {
        return Ok(figure.against(format!("{package}: {NO_PYTHON}"), "-"));
    };
    if (ours.rows, theirs.rows) != (size.rows, size.rows) {
        return Err(format!(
            "of {} {what} we read {} and {package} {}",
            size.rows, ours.rows, theirs.rows
        )
        .into());
    }
    let ratio = format!("{:.1}, CPU {:.1}", theirs.wall / ours.wall, theirs.cpu / ours.cpu);
    let against = format!("{package} {}: {}", theirs.version, theirs.speed());
    Ok(figure.against(against, ratio))
}

/// What the reading process says, this program again.
async fn ours(what: &str, base: &str, size: Size) -> Result<Told, Failure> {
    let rounds = size.rounds.to_string();
    let mut program = tokio::process::Command::new(std::env::current_exe()?);
    program.args([READ, what, base, &rounds]);
    let told = output(&mut program).await?;
    Told::parse(&told).ok_or_else(|| format!("the reader told {told:?}").into())
}

/// What a peer says; `None` without an interpreter.
async fn theirs(python: Option<&str>, script: &str, arguments: &[&str]) -> Result<Option<Told>, Failure> {
    let Some(python) = python else { return Ok(None) };
    let told = output(peer(python, script).args(arguments)).await?;
    match Told::parse(&told) {
        Some(told) => Ok(Some(told)),
        None => Err(format!("{script} told {told:?}").into()),
    }
}

fn peer(python: &str, script: &str) -> tokio::process::Command {
    let mut program = tokio::process::Command::new(python);
    // -B: nothing is written beside the scripts.
    program
        .arg("-B")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script));
    program
}

async fn output(program: &mut tokio::process::Command) -> Result<String, Failure> {
    let output = program
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    if !output.status.success() {
        return Err(format!("a reader ended with {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// What the reading process does: one thread, all rows in order, as often as told; the first time is not counted.
pub(crate) async fn read(what: &str, base: &str, rounds: u32) -> Result<String, Failure> {
    let (connector, query) = match what {
        "odoo" => odoo_reader(base)?,
        _ => sap_reader(base)?,
    };
    let looked_at = if what == "odoo" {
        "credit_limit"
    } else {
        "TotalNetAmount"
    };
    let rows = read_all(&connector, &query, looked_at).await?;
    let mut least = Duration::MAX;
    let (begun, start) = (world::cpu(), world::now());
    for _ in 0..rounds {
        let start = world::now();
        let again = read_all(&connector, &query, looked_at).await?;
        if again != rows {
            return Err(format!("{again} rows, and {rows} before").into());
        }
        least = least.min(world::since(start));
    }
    let used = match (begun, world::cpu()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => world::since(start),
    };
    // The system counts in hundredths of a second.
    let used = used.max(Duration::from_millis(10)).as_secs_f64() / f64::from(rounds);
    Ok(format!("{rows} {:.6} {used:.6} ours", least.as_secs_f64()))
}

async fn read_all(connector: &Arc<dyn ErpConnector>, query: &Query, looked_at: &str) -> Result<u64, Failure> {
    let mut records = Box::pin(stream_of(Arc::clone(connector), query.clone()));
    let mut count = 0;
    while let Some(record) = records.next().await {
        let decimal = record?
            .value(looked_at)
            .is_some_and(|value| value.as_decimal().is_some());
        count += u64::from(decimal);
    }
    Ok(count)
}

fn odoo_reader(base: &str) -> Result<(Arc<dyn ErpConnector>, Query), Failure> {
    let at = Endpoint::new(base, DATABASE)?;
    let connection = connection(atlas_connectors_erp::odoo::PROVIDER);
    let connector = OdooBuilder::new(world::network()?, connection, at, LOGIN, Secret::Key(KEY.into()))
        .with_company("1")
        .with_page_size(PAGE)
        .build()?;
    let query = Query::of("res.partner")
        .select(PARTNER)
        .filter(field("supplier_rank").equals(MARK));
    Ok((Arc::new(connector), query))
}

fn sap_reader(base: &str) -> Result<(Arc<dyn ErpConnector>, Query), Failure> {
    let user = Basic {
        user: WRITER.into(),
        password: PASSWORD.to_owned().into(),
    };
    let connection = connection(atlas_connectors_erp::sap::PROVIDER);
    let system = SystemAddress::parse(base)?;
    let connector = SapBuilder::new(world::network()?, connection, system, SapAuth::Basic(user))
        .with_service(ServiceAddress::parse(SERVICE)?)
        .with_page_size(PAGE)
        .build()?;
    Ok((Arc::new(connector), Query::of(ORDERS).select(ORDER)))
}

/// A connection to this provider.
pub(crate) fn connection(provider: &str) -> ConnectionRef {
    ConnectionRef {
        provider: ProviderId::from(provider),
        ..world::connection()
    }
}

async fn odoo(version: Version, partners: u64) -> io::Result<Odoo> {
    let odoo = Odoo::builder().version(version).start().await?;
    for n in 0..i64::try_from(partners).unwrap_or(0) {
        let limit = Json::parse(format!("{}.{:02}", n * 7, n % 100).as_bytes()).unwrap_or(Json::Null);
        let partner = [
            (
                "name",
                Json::text(format!("Customer {n} of the Übersee trading company")),
            ),
            ("email", Json::text(format!("orders-{n}@parts.example"))),
            ("is_company", Json::Bool(n % 2 == 0)),
            ("customer_rank", Json::int(n % 5)),
            ("credit_limit", limit),
            ("supplier_rank", Json::int(MARK)),
            ("active", Json::Bool(true)),
        ];
        odoo.add("res.partner", &partner);
    }
    Ok(odoo)
}

/// The largest document that pyodata can read, V4 is not among them.
async fn metadata(python: Option<&str>, quick: bool) -> Result<Figure, Failure> {
    let name = "OData metadata to a catalog";
    let wanted = ">= 1";
    let Some(python) = python else {
        return Ok(Figure::new(name, "-", wanted).against(format!("pyodata: {NO_PYTHON}"), "-"));
    };
    let rounds: u32 = if quick { 1 } else { 50 };
    let told = output(
        peer(python, "odata_metadata.py")
            .arg(rounds.to_string())
            .args(documents()?),
    )
    .await?;
    let mut words = told.trim_end().splitn(3, ' ');
    let (Some(theirs), Some(version), Some(file)) = (words.next(), words.next(), words.next()) else {
        return Ok(Figure::new(
            name,
            "not measured: pyodata can read none of the documents",
            wanted,
        ));
    };
    let theirs: f64 = theirs.parse()?;
    let document = std::fs::read(file)?;
    let mut ours = Duration::MAX;
    for _ in 0..rounds.max(3) {
        let start = world::now();
        let schema = Schema::parse(&document)?;
        std::hint::black_box(Model::new(&schema, &CatalogSettings::sap("bench")));
        ours = ours.min(world::since(start));
    }
    let ours = ours.as_secs_f64();
    let megabytes = document.len() as f64 / 1e6;
    let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
    let name = format!("{name} ({stem}, {:.0} KB)", megabytes * 1e3);
    let speed = |seconds: f64| format!("{:.2} ms, {:.1} MB/s", seconds * 1e3, megabytes / seconds);
    let against = format!("pyodata {version}: {}", speed(theirs));
    Ok(Figure::new(name, speed(ours), wanted).against(against, format!("{:.1}", theirs / ours)))
}

/// The documents of the shared folder, the largest first, and then this repository's.
fn documents() -> Result<Vec<PathBuf>, Failure> {
    #[allow(clippy::disallowed_methods, reason = "a setting of the measuring program")]
    let shared = std::env::var("ATLAS_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../atlas-connectors-erp/src/odata/metadata/samples");
    let mut files = Vec::new();
    for folder in [Path::new(&shared).join("fixtures/sap/edmx"), own] {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries {
            let entry = entry?;
            if entry.path().extension().is_some_and(|kind| kind == "xml") {
                files.push((entry.metadata()?.len(), entry.path()));
            }
        }
    }
    files.sort();
    Ok(files.into_iter().rev().map(|(_, path)| path).collect())
}
