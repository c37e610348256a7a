//! How near does a full sync come to what the network allows, and how does a plain client fare?

use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::http::HttpTransport;
use atlas_connectors_gmail::mock::Google;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use google_gmail1::Gmail;
use google_gmail1::hyper_util::client::legacy::Client;
use google_gmail1::hyper_util::client::legacy::connect::HttpConnector;
use google_gmail1::hyper_util::rt::TokioExecutor;

use crate::table::Figure;
use crate::watched::Watched;
use crate::world::{self, Failure, IN_FLIGHT};

const LATENCY: Duration = Duration::from_millis(20);

/// Syncs a whole mailbox at 20 ms an answer with ten requests in flight, once with the engine and once with google-gmail1.
pub(crate) async fn measure(quick: bool) -> Result<Vec<Figure>, Failure> {
    let messages = if quick { 300 } else { 10_000 };
    let (google, token) = world::google(messages).await;
    let alone = set_latency(&google, &token).await?;

    let watched = Arc::new(Watched::new(world::network()?));
    let transport = Arc::clone(&watched) as Arc<dyn HttpTransport>;
    let (ours, requests) = counted(&google, sync(&google, transport, &token, messages)).await?;
    let (in_flight, answer) = watched.averages();
    // Whatever the mock really did, the bound is never the looser for it.
    let latency = LATENCY.min(alone).min(answer);
    let bound = latency.mul_f64(requests as f64 / f64::from(IN_FLIGHT));
    let (plain, _) = counted(&google, plain(&google, &token, messages)).await?;
    let name = |what: &str| format!("full sync of {messages} messages, {what}");
    Ok(vec![
        Figure::new(name("time of the bound"), seconds(ours), ">= 0.90").against(
            format!("latency x requests / in flight = {}", seconds(bound)),
            format!("{:.2}", bound.as_secs_f64() / ours.as_secs_f64()),
        ),
        Figure::new(name("requests under way on average"), format!("{in_flight:.2}"), "").against(
            format!(
                "{IN_FLIGHT}; an answer took {:.1} ms, alone {:.1} ms",
                millis(answer),
                millis(alone)
            ),
            format!("{:.2}", in_flight / f64::from(IN_FLIGHT)),
        ),
        Figure::new(name("speed"), seconds(ours), ">= 1").against(
            format!("google-gmail1, fetch and decode only: {}", seconds(plain)),
            format!("{:.2}", plain.as_secs_f64() / ours.as_secs_f64()),
        ),
    ])
}

/// How long the work took, and how many requests it made.
async fn counted(google: &Google, work: impl Future<Output = Result<(), Failure>>) -> Result<(Duration, u64), Failure> {
    let before = google.counters().requests_total();
    let start = world::now();
    work.await?;
    let took = world::since(start);
    Ok((took, google.counters().requests_total() - before))
}

/// Has an answer that is the only one take [`LATENCY`], timers and sockets included: without this it takes some 2 ms longer, which no
/// client can win back. Gives how long it takes then.
async fn set_latency(google: &Google, token: &str) -> Result<Duration, Failure> {
    google.faults().latency(LATENCY);
    let beside = alone(google, token).await?.saturating_sub(LATENCY);
    google.faults().clear();
    google.faults().latency(LATENCY.saturating_sub(beside));
    alone(google, token).await
}

/// How long an answer takes when it is the only one.
async fn alone(google: &Google, token: &str) -> Result<Duration, Failure> {
    const ANSWERS: u32 = 50;
    let network = world::network()?;
    let address = google.url().join("gmail/v1/users/me/profile")?;
    let start = world::now();
    for _ in 0..ANSWERS {
        let request = http::Request::get(address.as_str()).header("authorization", format!("Bearer {token}"));
        network.send(request.body(bytes::Bytes::new())?).await?;
    }
    Ok(world::since(start) / ANSWERS)
}

async fn sync(google: &Google, transport: Arc<dyn HttpTransport>, token: &str, messages: u64) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let engine = world::engine(transport, google.uri(), token, &folder.path().join("mail.db"))?;
    let report = engine.sync_now().await?;
    expect(report.counts.stored, messages)
}

/// A page of ids, its messages ten at once, the next page: what one writes with the generated client.
async fn plain(google: &Google, token: &str, messages: u64) -> Result<(), Failure> {
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let mut hub = Gmail::new(client, token.to_owned());
    hub.base_url(google.url().to_string());
    let hub = Arc::new(hub);
    let mut page: Option<String> = None;
    let mut fetched = 0;
    loop {
        let mut list = hub.users().messages_list("me").max_results(100);
        if let Some(page) = &page {
            list = list.page_token(page);
        }
        let (_, listed) = list.doit().await?;
        let ids = listed.messages.unwrap_or_default().into_iter().filter_map(|one| one.id);
        let sizes: Vec<usize> = stream::iter(ids)
            .map(|id| {
                let hub = Arc::clone(&hub);
                async move {
                    let get = hub.users().messages_get("me", &id).format("raw");
                    let (_, message) = Box::pin(get.doit()).await?;
                    Ok::<usize, Failure>(message.raw.map_or(0, |raw| raw.len()))
                }
            })
            .buffer_unordered(IN_FLIGHT as usize)
            .try_collect()
            .await?;
        fetched += sizes.iter().filter(|size| **size > 0).count() as u64;
        page = listed.next_page_token;
        if page.is_none() {
            return expect(fetched, messages);
        }
    }
}

fn expect(got: u64, wanted: u64) -> Result<(), Failure> {
    if got == wanted {
        return Ok(());
    }
    Err(format!("{got} messages of {wanted} arrived").into())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
