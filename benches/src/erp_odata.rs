//! What do OData metadata and rows cost, beside the least that a parser must do?

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use atlas_connectors::erp::Query;
use atlas_connectors_erp::odata::metadata::Schema;
use atlas_connectors_erp::odata::{CatalogSettings, Dialect, Model, ODataQuery, PageLimits, read_page};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::table::Figure;
use crate::world::{self, Failure};

const ROUNDS: usize = 5;

/// Reads a metadata document, and pages of six-field rows in both versions.
pub(crate) fn measure(quick: bool) -> Result<Vec<Figure>, Failure> {
    let (repeats, rows) = if quick { (1, 200) } else { (100, 20_000) };
    let mut figures = vec![metadata(repeats)?];
    figures.push(page("V4", Dialect::sap_v4(), v4_page(rows), rows, bare::<V4Page>)?);
    figures.push(page("V2", Dialect::sap_v2(), v2_page(rows), rows, bare::<V2Page>)?);
    Ok(figures)
}

/// The least CPU time of several rounds of so many repeats, for one repeat.
fn least(repeats: usize, mut work: impl FnMut() -> Result<(), Failure>) -> Result<Duration, Failure> {
    let mut least = Duration::MAX;
    for _ in 0..ROUNDS {
        let (begun, start) = (world::cpu(), world::now());
        for _ in 0..repeats {
            work()?;
        }
        let used = match (begun, world::cpu()) {
            (Some(before), Some(after)) => after.saturating_sub(before),
            _ => world::since(start),
        };
        least = least.min(used);
    }
    // The system counts in hundredths of a second.
    Ok(least.max(Duration::from_millis(1)).div_f64(repeats as f64))
}

fn metadata(repeats: usize) -> Result<Figure, Failure> {
    let (name, document) = document();
    let text = std::str::from_utf8(&document)?;
    let bare = least(repeats, || {
        let mut reader = Reader::from_str(text);
        let mut events = 0_u64;
        while !matches!(reader.read_event()?, Event::Eof) {
            events += 1;
        }
        std::hint::black_box(events);
        Ok(())
    })?;
    let ours = least(repeats, || {
        std::hint::black_box(Schema::parse(&document)?);
        Ok(())
    })?;
    let speed = |took: Duration| document.len() as f64 / took.as_secs_f64() / 1e6;
    let title = format!("OData metadata to a schema ({name}, {} KB)", document.len() / 1000);
    let against = format!("quick-xml, events only: {:.0} MB/s", speed(bare));
    let ratio = format!("{:.2}", ours.as_secs_f64() / bare.as_secs_f64());
    Ok(Figure::new(title, format!("{:.0} MB/s", speed(ours)), ">= 150 MB/s").against(against, ratio))
}

/// The largest document of the shared folder, or one of its kind.
fn document() -> (&'static str, Vec<u8>) {
    #[allow(clippy::disallowed_methods, reason = "a setting of the measuring program")]
    let shared = std::env::var("ATLAS_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let file = Path::new(&shared).join("fixtures/sap/edmx/CE_PURCHASEORDER_0001.xml");
    std::fs::read(file).map_or_else(|_| ("made here", made()), |real| ("a purchase order service", real))
}

fn made() -> Vec<u8> {
    let mut types = String::new();
    let mut annotations = String::new();
    for ty in 0..13 {
        let _ = write!(
            types,
            "<EntityType Name=\"T{ty}\"><Key><PropertyRef Name=\"P0\"/></Key>"
        );
        for at in 0..50 {
            let _ = write!(
                types,
                "<Property Name=\"P{at}\" Type=\"Edm.String\" Nullable=\"false\" MaxLength=\"40\"/>"
            );
            let _ = write!(
                annotations,
                "<Annotations Target=\"SAP__self.T{ty}/P{at}\"><Annotation Term=\"SAP__common.Label\" String=\"Purchasing Field {at}\"/><Annotation Term=\"SAP__common.Heading\" String=\"Field {at}\"/><Annotation Term=\"SAP__common.QuickInfo\" String=\"A field of a purchasing document, {at}\"/><Annotation Term=\"SAP__common.IsUpperCase\"/></Annotations>"
            );
        }
        types.push_str("</EntityType>");
    }
    format!(
        "<edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\"><edmx:DataServices><Schema Namespace=\"com.x\" Alias=\"SAP__self\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">{types}{annotations}</Schema></edmx:DataServices></edmx:Edmx>"
    )
    .into_bytes()
}

const ORDERS: &str = "<Schema Namespace=\"a\" xmlns=\"XMLNS\"><EntityType Name=\"T\"><Key><PropertyRef Name=\"SalesOrder\"/></Key><Property Name=\"SalesOrder\" Type=\"Edm.String\"/><Property Name=\"SoldToParty\" Type=\"Edm.String\"/><Property Name=\"TotalNetAmount\" Type=\"Edm.Decimal\"/><Property Name=\"TransactionCurrency\" Type=\"Edm.String\"/><Property Name=\"CreationDate\" Type=\"DAY\"/><Property Name=\"LastChangeDateTime\" Type=\"Edm.DateTimeOffset\"/></EntityType><EntityContainer Name=\"C\"><EntitySet Name=\"SalesOrder\" EntityType=\"a.T\"/></EntityContainer></Schema>";

fn page(
    version: &str,
    dialect: Dialect,
    body: String,
    rows: usize,
    bare: fn(&[u8]) -> Result<usize, Failure>,
) -> Result<Figure, Failure> {
    let (xmlns, day) = match version {
        "V2" => ("http://schemas.microsoft.com/ado/2008/09/edm", "Edm.DateTime"),
        _ => ("http://docs.oasis-open.org/odata/ns/edm", "Edm.Date"),
    };
    let schema = Schema::parse(ORDERS.replace("XMLNS", xmlns).replace("DAY", day).as_bytes())?;
    let model = Model::new(&schema, &CatalogSettings::sap("bench"));
    let plan = ODataQuery::compile(&dialect, &model, &Query::of("SalesOrder"))?.rows;
    let body = body.into_bytes();
    // Enough work for a clock of hundredths of a second.
    let repeats = if rows > 1_000 { 10 } else { 1 };
    let plain = least(repeats, || match bare(&body)? {
        read if read == rows => Ok(()),
        read => Err(format!("{read} rows of {rows}").into()),
    })?;
    let ours = least(repeats, || {
        let page = read_page("bench", &plan, &body, PageLimits::default())?;
        match std::hint::black_box(page).records.len() {
            read if read == rows => Ok(()),
            read => Err(format!("{read} rows of {rows}").into()),
        }
    })?;
    let speed = |took: Duration| format!("{:.0}k rows/s", rows as f64 / took.as_secs_f64() / 1e3);
    let title = format!(
        "OData {version} page to records, six typed fields, {} bytes a row",
        body.len() / rows
    );
    let against = format!("serde_json into a struct of texts: {}", speed(plain));
    let ratio = format!("{:.2}", ours.as_secs_f64() / plain.as_secs_f64());
    Ok(Figure::new(title, speed(ours), "<= 1.5, >= 150k rows/s").against(against, ratio))
}

fn v4_page(rows: usize) -> String {
    let mut out = String::from("{\"@odata.context\":\"$metadata#SalesOrder\",\"value\":[");
    for at in 0..rows {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(
            out,
            "{comma}{{\"@odata.etag\":\"W/\\\"2024-01-10T00:00:09.000Z\\\"\",\"SalesOrder\":\"{at}\",\"SoldToParty\":\"10{at:05}\",\"TotalNetAmount\":\"{}.500\",\"TransactionCurrency\":\"USD\",\"CreationDate\":\"2024-01-{:02}\",\"LastChangeDateTime\":\"2024-01-10T00:00:09.000Z\"}}",
            10_000 + at,
            at % 28 + 1
        );
    }
    out.push_str("]}");
    out
}

fn v2_page(rows: usize) -> String {
    let mut out = String::from("{\"d\":{\"results\":[");
    for at in 0..rows {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(
            out,
            "{comma}{{\"__metadata\":{{\"type\":\"API_SALES_ORDER_SRV.A_SalesOrder\",\"uri\":\"https://erp.example.com/sap/opu/odata/sap/API_SALES_ORDER_SRV/A_SalesOrder('{at}')\",\"etag\":\"W/\\\"2024-01-01T00:00:00.000Z\\\"\"}},\"SalesOrder\":\"{at}\",\"SoldToParty\":\"10{at:05}\",\"TotalNetAmount\":\"{}.500\",\"TransactionCurrency\":\"USD\",\"CreationDate\":\"/Date(1704844800000)/\",\"LastChangeDateTime\":\"/Date(1704844809000+0000)/\"}}",
            10_000 + at
        );
    }
    out.push_str("]}}");
    out
}

/// What a program without types would keep: six texts and the stamp.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(dead_code, reason = "only read to be measured")]
struct Row {
    sales_order: String,
    sold_to_party: String,
    total_net_amount: String,
    transaction_currency: String,
    creation_date: String,
    last_change_date_time: String,
    #[serde(rename = "@odata.etag")]
    etag: Option<String>,
    #[serde(rename = "__metadata")]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only read to be measured")]
struct Metadata {
    etag: String,
}

#[derive(Deserialize)]
struct V4Page {
    value: Vec<Row>,
}

#[derive(Deserialize)]
struct V2Page {
    d: V2Results,
}

#[derive(Deserialize)]
struct V2Results {
    results: Vec<Row>,
}

trait Counted {
    fn rows(&self) -> usize;
}

impl Counted for V4Page {
    fn rows(&self) -> usize {
        self.value.len()
    }
}

impl Counted for V2Page {
    fn rows(&self) -> usize {
        self.d.results.len()
    }
}

fn bare<T: DeserializeOwned + Counted>(body: &[u8]) -> Result<usize, Failure> {
    let page: T = serde_json::from_slice(body)?;
    Ok(std::hint::black_box(page).rows())
}
