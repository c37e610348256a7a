//! How the suite writes: as a host does, through gate and outbox, with a reviewer who reads before approving.

use std::sync::Arc;
use std::time::Duration;

use super::{Case, Suite, Violation};
use crate::action::{ApprovalPolicy, Autonomy, Connected, Intent, IntentState, Outbox, Outcome, Proposal, WriteRules};
use crate::credential::{KeyRing, Sealer};
use crate::erp::{
    Create, Document as _, DocumentKind, DocumentRef, ErpConnectorExt as _, Item, NewLine, NewOrder, PurchaseOrder,
    RecordKey, Vendor, Write, Written,
};
use crate::ids::{ActorId, CorrelationId, IntentId};
use crate::store::MemoryStore;

/// Longer than every pause and quiet period of the outbox.
const LONG: Duration = Duration::from_secs(400);
/// Steps after which an intent must have come to rest.
const STEPS: usize = 12;

/// An outbox of its own, so that no case sees another's intents.
pub(super) struct Desk {
    pub(super) outbox: Outbox,
}

impl Suite<'_> {
    pub(super) fn desk(&self, case: Case) -> Result<Desk, Violation> {
        self.desk_under(case, Autonomy::AskForEverything)
    }

    pub(super) fn desk_with_rules(&self, case: Case, rules: WriteRules) -> Result<Desk, Violation> {
        self.desk_under(case, rules)
    }

    fn desk_under(&self, case: Case, policy: impl ApprovalPolicy) -> Result<Desk, Violation> {
        let sealer = case.ok(Sealer::new(Arc::new(KeyRing::ephemeral())), "Sealer::new")?;
        let store = Arc::new(MemoryStore::with_clock(Arc::new(self.clock.clone())));
        let connected = Connected::new();
        connected.put_erp(Arc::clone(&self.erp), self.identity.clone());
        let outbox = Outbox::builder(store, sealer, Arc::new(connected))
            .policy(policy)
            .clock(Arc::new(self.clock.clone()))
            .build();
        Ok(Desk { outbox })
    }

    pub(super) fn proposal(&self, key: &str) -> Proposal {
        Proposal::new(self.erp.connection(), "suite", key)
    }

    /// Proposes a write and approves what the review shows.
    pub(super) async fn approved(
        &self,
        case: Case,
        desk: &Desk,
        write: &Write,
        key: &str,
    ) -> Result<IntentId, Violation> {
        let gate = desk.outbox.gate();
        let outcome = case.ok(gate.propose(self.proposal(key), write.clone()).await, "propose")?;
        let Outcome::Held { intent, review } = outcome else {
            return Err(Violation::new(case.0, "a write is held for a review"));
        };
        let tenant = &self.erp.connection().tenant;
        let approver = ActorId::new("reviewer");
        case.ok(
            gate.approve(tenant, &intent, &approver, &review.digest).await,
            "approve",
        )?;
        Ok(intent)
    }

    /// Drives an intent until it has come to rest.
    pub(super) async fn settled(&self, case: Case, desk: &Desk, intent: &IntentId) -> Result<Intent, Violation> {
        let tenant = &self.erp.connection().tenant;
        for _ in 0..STEPS {
            let now = case.ok(desk.outbox.dispatch(tenant, intent).await, "dispatch")?;
            if now.state.is_settled() {
                return Ok(now);
            }
            self.clock.advance(LONG);
        }
        Err(Violation::new(case.0, "a write comes to rest within an hour"))
    }

    /// Proposes, approves and drives a write to its end.
    pub(super) async fn written(&self, case: Case, write: impl Into<Write>) -> Result<Intent, Violation> {
        let desk = self.desk(case)?;
        let intent = self.approved(case, &desk, &write.into(), "job").await?;
        self.settled(case, &desk, &intent).await
    }

    /// Like [`Suite::written`], for what has to happen.
    pub(super) async fn done(&self, case: Case, write: impl Into<Write>) -> Result<Written, Violation> {
        outcome(case, &self.written(case, write).await?)
    }

    /// A new purchase order under this reference.
    pub(super) async fn new_order(&self, case: Case, reference: &str) -> Result<Create, Violation> {
        let vendor = self.documents().and(self.story.vendor.clone());
        let vendor: Option<Vendor> = case.ok(self.erp.find_one(&vendor).await, "find_one::<Vendor>")?;
        let item = self.documents().and(self.story.item.clone());
        let item: Option<Item> = case.ok(self.erp.find_one(&item).await, "find_one::<Item>")?;
        let (Some(vendor), Some(item)) = (vendor, item) else {
            return Err(Violation::new(case.0, "the story's vendor and item are found"));
        };
        if let Some(create) = self.world.new_order(reference, vendor.key(), item.key()) {
            return Ok(create);
        }
        let mut line = NewLine::new(item.key().clone(), 3_i64.into());
        line.price.clone_from(&self.story.price);
        let mut order = NewOrder::new(DocumentKind::PurchaseOrder, vendor.key().clone(), reference).line(line);
        order.company = self.story.company.clone();
        order.also.clone_from(&self.story.also);
        let table = case.ok(self.erp.documents().table(DocumentKind::PurchaseOrder), "documents")?;
        case.ok(table.create(&order), "DocumentTable::create")
    }

    /// The purchase orders of this reference.
    pub(super) async fn orders(&self, case: Case, reference: &str) -> Result<Vec<PurchaseOrder>, Violation> {
        let wanted = self.documents().and(DocumentRef::reference(reference)).limit(5);
        case.ok(
            self.erp.find_documents(&wanted).await,
            "find_documents::<PurchaseOrder>",
        )
    }

    /// A purchase order to be worked on.
    pub(super) async fn an_order(&self, case: Case) -> Result<RecordKey, Violation> {
        let written = self.done(case, self.new_order(case, &reference()).await?).await?;
        let key = written
            .key
            .ok_or_else(|| Violation::new(case.0, "a created record has a key"))?;
        self.remember(&key);
        Ok(key)
    }
}

/// What became of a write that has to have happened.
pub(super) fn outcome(case: Case, intent: &Intent) -> Result<Written, Violation> {
    if intent.state != IntentState::Sent {
        let why = intent.reason.as_deref().unwrap_or("no reason");
        return Err(Violation::new(
            case.0,
            format_args!("a write ended as {} ({why}), expected sent", intent.state),
        ));
    }
    intent
        .outcome_of::<Write>()
        .ok_or_else(|| Violation::new(case.0, "a write that happened has an outcome"))
}

/// A reference that no order has yet, short enough for every provider.
pub(super) fn reference() -> String {
    let id = CorrelationId::random();
    let word: String = id
        .as_str()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect();
    format!("AT{}", word.to_uppercase())
}
