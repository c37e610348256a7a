//! The contract of [`FlowStore`], sentence by sentence.

use std::sync::Arc;

use futures_util::future::join_all;

use super::violation::{Case, Violation};
use crate::clock::Timestamp;
use crate::error::Result as AtlasResult;
use crate::ids::{ConnectionId, TenantId};
use crate::oauth::{FlowStore, StateHash, StoredFlow};

const MANY: usize = 12;

/// Checks every sentence of the contract of [`FlowStore`]. `open` gives another handle on the same data at each call, as
/// another process would have. Flows that expire in the first hours of 1970 are swept.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::oauth::FlowStore;
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::testkit::suites::flow_store;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// flow_store(|| Ok(Arc::new(store.clone()) as Arc<dyn FlowStore>)).await
/// # }).unwrap();
/// ```
///
/// # Errors
/// The first sentence that is broken.
pub async fn flow_store<F>(open: F) -> Result<(), Violation>
where
    F: Fn() -> AtlasResult<Arc<dyn FlowStore>> + Sync,
{
    let handle = || Case("open").ok(open(), "open");
    let (one, two) = (handle()?, handle()?);
    taken_once(&*one, &*two).await?;
    one_of_many_takes(&*one, &*two).await?;
    no_second_of_a_state(&*one, &*two).await?;
    sweeping(&*one, &*two).await
}

fn flow(expires: i64) -> StoredFlow {
    StoredFlow {
        state: StateHash::of(ConnectionId::random().as_str()),
        tenant: TenantId::new("suite"),
        connection: ConnectionId::random(),
        expires: Timestamp::from_unix_seconds(expires),
        envelope: (0..=255).collect(),
    }
}

async fn taken_once(one: &dyn FlowStore, two: &dyn FlowStore) -> Result<(), Violation> {
    let case = Case("taken_once");
    let (mine, other) = (flow(1_000_000), flow(1_000_000));
    case.ok(one.put(mine.clone()).await, "put")?;
    case.ok(one.put(other.clone()).await, "put")?;
    let taken = case.ok(two.take(&mine.state).await, "take")?;
    case.check(taken == Some(mine.clone()), "the whole flow, at another handle")?;
    for store in [one, two] {
        let again = case.ok(store.take(&mine.state).await, "take")?;
        case.check(again.is_none(), "nothing for whoever comes second")?;
    }
    let other = case.ok(one.take(&other.state).await, "take")?;
    case.check(other.is_some(), "the others to stay")
}

async fn one_of_many_takes(one: &dyn FlowStore, two: &dyn FlowStore) -> Result<(), Violation> {
    let case = Case("one_of_many_takes");
    let flow = flow(1_000_000);
    case.ok(one.put(flow.clone()).await, "put")?;
    let takes = (0..MANY).map(|index| if index % 2 == 0 { one } else { two }.take(&flow.state));
    let won = join_all(takes)
        .await
        .into_iter()
        .filter(|taken| matches!(taken, Ok(Some(_))));
    case.check(won.count() == 1, "one of many to get it")
}

async fn no_second_of_a_state(one: &dyn FlowStore, two: &dyn FlowStore) -> Result<(), Violation> {
    let case = Case("no_second_of_a_state");
    let first = flow(1_000_000);
    let second = StoredFlow {
        envelope: vec![9],
        ..first.clone()
    };
    case.ok(one.put(first.clone()).await, "put")?;
    case.refused(
        two.put(second).await,
        "storage.conflict",
        "a second flow of the same state",
    )?;
    let taken = case.ok(two.take(&first.state).await, "take")?;
    case.check(taken == Some(first), "the first to stay as it was")
}

async fn sweeping(one: &dyn FlowStore, two: &dyn FlowStore) -> Result<(), Violation> {
    let case = Case("sweeping");
    let (old, edge, young) = (flow(99), flow(100), flow(101));
    for flow in [&old, &edge, &young] {
        case.ok(one.put(flow.clone()).await, "put")?;
    }
    let swept = case.ok(two.sweep(Timestamp::from_unix_seconds(100)).await, "sweep")?;
    case.check(swept == 1, "the number of flows that were swept")?;
    let gone = case.ok(one.take(&old.state).await, "take")?;
    case.check(gone.is_none(), "what expired before to be gone")?;
    for flow in [&edge, &young] {
        let kept = case.ok(one.take(&flow.state).await, "take")?;
        case.check(kept.is_some(), "what did not expire before to stay")?;
    }
    Ok(())
}
