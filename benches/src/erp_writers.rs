//! Do parallel writers share one SAP session: its token, and no refusal for want of it?

use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::action::{Connected, Effectors, IntentState, Outbox, Outcome, Proposal, Standing};
use atlas_connectors::connection::Identity;
use atlas_connectors::credential::Basic;
use atlas_connectors::erp::{Create, ErpConnector as _, Write};
use atlas_connectors::http::{Governor, Quota};
use atlas_connectors::store::MemoryStore;
use atlas_connectors::{ConnectionRef, IntentId, SystemClock};
use atlas_connectors_erp::mock::Sap;
use atlas_connectors_erp::mock::sap::{Counters, PASSWORD, WRITER};
use atlas_connectors_erp::sap::{PROVIDER, SapAuth, SapBuilder, ServiceAddress, SystemAddress};

use crate::erp_peers::connection;
use crate::table::Figure;
use crate::world::{self, Failure};

const WRITERS: u32 = 64;
/// What a create takes in the system, so that they do meet.
const LATENCY: Duration = Duration::from_millis(20);

/// As many orders as writers, through gate and outbox, at once and one after the other, in both versions.
pub(crate) async fn measure() -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for (version, service, set) in [
        ("V2", "API_SALES_ORDER_SRV", "A_SalesOrder"),
        ("V4", "api_salesorder/srvd_a2x/salesorder/0001", "SalesOrder"),
    ] {
        let (at_once, counted) = run(service, set, true).await?;
        let (in_turn, _) = run(service, set, false).await?;
        let name = format!("{WRITERS} parallel writers on one SAP session, {version}");
        let measured = format!(
            "{} orders in {:.2} s, {} token fetched, {} refused for their token",
            counted.creates,
            at_once.as_secs_f64(),
            counted.tokens,
            counted.token_refusals
        );
        let against = format!("one after the other: {:.2} s", in_turn.as_secs_f64());
        let ratio = format!("{:.1}", in_turn.as_secs_f64() / at_once.as_secs_f64());
        figures.push(Figure::new(name, measured, "64 orders, 1 token, 0 refused").against(against, ratio));
    }
    Ok(figures)
}

/// From the first dispatch to the last effect. The session is new: nobody has fetched a token.
async fn run(service: &str, set: &str, at_once: bool) -> Result<(Duration, Counters), Failure> {
    let sap = Sap::start().await?;
    sap.faults().latency_of("create", LATENCY);
    let user = Basic {
        user: WRITER.into(),
        password: PASSWORD.to_owned().into(),
    };
    let quota = Quota::uncounted().with_concurrency(WRITERS);
    let system = SystemAddress::parse(sap.uri())?;
    let connector = SapBuilder::new(world::network()?, connection(PROVIDER), system, SapAuth::Basic(user))
        .with_service(ServiceAddress::parse(service)?)
        .with_governor(Governor::new(quota, Arc::new(SystemClock)))
        .build()?;
    let at = connector.connection().clone();
    let identity = Identity {
        subject: WRITER.to_owned(),
        address: None,
        tenant: None,
    };
    let connected = Connected::new();
    let effectors = Effectors::new().with_erp(Arc::new(connector));
    connected.put(Standing::new(at.clone(), identity, effectors));
    let outbox = Outbox::builder(Arc::new(MemoryStore::new()), world::sealer()?, Arc::new(connected)).build();
    let mut approved = Vec::new();
    for n in 0..WRITERS {
        approved.push(approve(&outbox, &at, set, n).await?);
    }
    let start = world::now();
    let mut writers = tokio::task::JoinSet::new();
    for intent in approved {
        let (outbox, tenant) = (outbox.clone(), at.tenant.clone());
        writers.spawn(async move { outbox.dispatch(&tenant, &intent).await.map(|intent| intent.state) });
        if !at_once {
            wait(&mut writers).await?;
        }
    }
    wait(&mut writers).await?;
    Ok((world::since(start), sap.counters()))
}

async fn wait(writers: &mut tokio::task::JoinSet<atlas_connectors::Result<IntentState>>) -> Result<(), Failure> {
    while let Some(state) = writers.join_next().await {
        match state?? {
            IntentState::Sent => {}
            other => return Err(format!("an order ended as {other:?}").into()),
        }
    }
    Ok(())
}

async fn approve(outbox: &Outbox, at: &ConnectionRef, set: &str, n: u32) -> Result<IntentId, Failure> {
    let order = Create::new(set)
        .set("SalesOrderType", "OR")
        .set("SoldToParty", "1000000")
        .with_natural_key("PurchaseOrderByCustomer", format!("REQ-{n}"));
    let gate = outbox.gate();
    let proposal = Proposal::new(at, "agent", format!("order-{n}"));
    match gate.propose(proposal, Write::from(order)).await? {
        Outcome::Held { intent, review, .. } => {
            gate.approve(&at.tenant, &intent, &"mia".into(), &review.digest).await?;
            Ok(intent)
        }
        other => Err(format!("not held: {other:?}").into()),
    }
}
