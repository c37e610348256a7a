//! How fast are a million records of an ERP read, and does memory grow with them? The server in a process of its own, the reader
//! in another, on one thread.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::credential::AccessToken;
use atlas_connectors::erp::{Query, stream_of};
use atlas_connectors::http::Quota;
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::testkit::server::{Answer, Listener, Request, Server};
use atlas_connectors_erp::business_central::{Address, BusinessCentralBuilder};
use atlas_connectors_erp::mock;
use futures_util::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::memory::peak_of_this_process;
use crate::table::Figure;
use crate::world::{self, Failure};

/// The hidden argument by which this program is its own server.
pub(crate) const SERVE: &str = "--serve-erp-rows";
/// The hidden argument by which this program is its own reader.
pub(crate) const READ: &str = "--read-erp-rows";

/// Records of one page, as many as a page of Business Central may have.
const PAGE: u64 = 20_000;
const COMPANY: &str = "3d2d08b2-83fd-41f0-8024-050bb55a8b28";
const FIELDS: [&str; 6] = [
    "id",
    "number",
    "displayName",
    "creditLimit",
    "taxLiable",
    "lastModifiedDateTime",
];

/// Rows a second and peak memory.
pub(crate) async fn measure(quick: bool) -> Result<Vec<Figure>, Failure> {
    let (small, large) = if quick { (2_000, 20_000) } else { (100_000, 1_000_000) };
    let low = read_in_child(small).await?;
    let high = read_in_child(large).await?;
    let rate = large as f64 / high.cpu.as_secs_f64().max(0.001);
    let mut figures = vec![
        Figure::new(
            format!("reading {large} records of six fields, one thread"),
            format!("{rate:.0} records a CPU second"),
            ">= 150,000 a second",
        )
        .against("time on the clock", format!("{:.2} s", high.wall.as_secs_f64())),
    ];
    let name = format!("peak memory of reading {large} records");
    figures.push(match (low.grown, high.grown) {
        (Some(low), Some(high)) => Figure::new(name, mib(high), "<= 64 MiB over the baseline").against(
            format!("{small} records: {}", mib(low)),
            format!("{:+.1} MiB", (high as f64 - low as f64) / 1024.0),
        ),
        _ => Figure::new(name, "not measured on this system", "<= 64 MiB over the baseline"),
    });
    Ok(figures)
}

struct Told {
    cpu: Duration,
    wall: Duration,
    /// In KiB over what the process needed before it read anything.
    grown: Option<u64>,
}

async fn read_in_child(records: u64) -> Result<Told, Failure> {
    let program = std::env::current_exe()?;
    let mut server = tokio::process::Command::new(&program)
        .args([SERVE, &records.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()?;
    let out = server.stdout.take().ok_or("the server has no output")?;
    let base = BufReader::new(out)
        .lines()
        .next_line()
        .await?
        .ok_or("the server told nothing")?;
    let output = tokio::process::Command::new(&program)
        .args([READ, &base])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    let told = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<Option<u64>> = told.split_whitespace().map(|one| one.parse().ok()).collect();
    let [Some(read), Some(cpu), Some(wall), before, after] = numbers.as_slice() else {
        return Err(format!("the reader told {told:?}").into());
    };
    if *read != records {
        return Err(format!("the reader read {read} records of {records}").into());
    }
    Ok(Told {
        cpu: Duration::from_millis(*cpu),
        wall: Duration::from_millis(*wall),
        grown: before.zip(*after).map(|(before, after)| after.saturating_sub(before)),
    })
}

/// What the reader does: every record through the connector's stream, one after the other.
pub(crate) async fn read(base: &str) -> Result<String, Failure> {
    let token = AccessToken::new("bench".into(), ScopeSet::new(), 1);
    let address = Address::on_premises(base, None)?;
    let quota = Quota::uncounted();
    let connector = BusinessCentralBuilder::new(world::network()?, world::fixed(token), address)
        .with_company(COMPANY)
        .with_quota(quota)
        .with_page_size(u32::try_from(PAGE)?)
        .build()?;
    let query = Query::of("customers").select(FIELDS);
    let connector = Arc::new(connector);
    // The catalog is read before the clock starts: it is read once, however many records follow.
    atlas_connectors::erp::ErpConnector::explain(&*connector, &query).await?;
    let before = peak_of_this_process();
    let (start, cpu) = (world::now(), world::cpu());
    let mut records = Box::pin(stream_of(connector, query));
    let mut count = 0_u64;
    while let Some(record) = records.next().await {
        // Looked at, so that nothing can be left out.
        count += u64::from(
            record?
                .value("creditLimit")
                .is_some_and(|limit| limit.as_decimal().is_some()),
        );
    }
    let wall = world::since(start).as_millis();
    let used = world::cpu()
        .zip(cpu)
        .map_or(wall, |(after, before)| after.saturating_sub(before).as_millis());
    let peak = |kib: Option<u64>| kib.map_or_else(|| "-".to_owned(), |kib| kib.to_string());
    Ok(format!(
        "{count} {used} {wall} {} {}",
        peak(before),
        peak(peak_of_this_process())
    ))
}

/// What the server does: metadata as the mock has it, and pages of customers that are made before anybody asks.
pub(crate) async fn serve(records: u64) -> Result<String, Failure> {
    let metadata = mock::BusinessCentral::start().await.metadata();
    let listener = Listener::bind(0)?;
    let base = format!("{}/BC", listener.uri());
    let root = format!("{base}/api/v2.0");
    let pages: Vec<Answer> = (0..records.div_ceil(PAGE))
        .map(|page| Answer::of(200, "application/json", page_of(&root, page, records)))
        .collect();
    let server: Server = listener
        .serve(move |request: &Request| {
            if request.path.ends_with("/$metadata") {
                return Answer::of(200, "application/xml", metadata.clone());
            }
            if request.path.ends_with("/customers") {
                let page = request
                    .query("$skiptoken")
                    .and_then(|token| token.parse::<usize>().ok())
                    .unwrap_or(0);
                return pages.get(page).cloned().unwrap_or_else(|| Answer::empty(404));
            }
            Answer::json(
                200,
                &serde_json::json!({ "value": [{ "id": COMPANY, "name": "Bench" }] }),
            )
        })
        .await?;
    writeln!(std::io::stdout(), "{base}")?;
    // Until the parent ends it.
    std::future::pending::<()>().await;
    drop(server);
    Ok(String::new())
}

fn page_of(root: &str, page: u64, records: u64) -> String {
    let (from, to) = (page * PAGE, ((page + 1) * PAGE).min(records));
    let mut out = format!(r#"{{"@odata.context":"{root}/$metadata#companies({COMPANY})/customers","value":["#);
    for n in from..to {
        let comma = if n == from { "" } else { "," };
        let _ = write!(
            out,
            r#"{comma}{{"@odata.etag":"W/\"JzQ0O{n:012}\"","id":"00000000-0000-4000-8000-{n:012}","number":"C{n:07}","displayName":"Customer {n} of the \u00dcbersee trading company","creditLimit":{}.{:02},"taxLiable":{},"lastModifiedDateTime":"2026-09-21T14:13:{:02}.123Z"}}"#,
            n * 7 % 1_000_000,
            n % 100,
            n % 2 == 0,
            n % 60,
        );
    }
    out.push(']');
    if to < records {
        let next = page + 1;
        let _ = write!(
            out,
            r#","@odata.nextLink":"{root}/companies({COMPANY})/customers?$select=id&$skiptoken={next}""#
        );
    }
    out.push('}');
    out
}

fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}
