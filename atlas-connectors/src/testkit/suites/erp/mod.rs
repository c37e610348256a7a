//! The contract of [`ErpConnector`](crate::erp::ErpConnector), sentence by sentence, on one business story, against whatever
//! ERP is behind it.

mod batches;
mod changes;
mod desk;
mod reads;
mod refusals;
mod story;
mod writes;

use std::sync::{Arc, Mutex, PoisonError};

use super::violation::{Case, Violation};
use crate::clock::{Clock as _, SystemClock};
use crate::connection::Identity;
use crate::erp::{DocumentFilter, ErpCapabilities, ErpConnector, RecordKey, RecordRef};
use crate::ids::CompanyId;
use crate::testkit::ManualClock;

pub use story::{ErpStory, ErpWorld, LostAnswer, StoryAction, StoryOrder};

/// Pages after which a listing is taken to be endless.
const MAX_PAGES: usize = 10_000;

/// Checks every sentence of the contract of [`ErpConnector`] that its capabilities and the world allow: reading, paging, changes, and
/// writing through gate and outbox, under lost answers, conflicts and refusals. The same story on every connector, on mock
/// and peer.
///
/// It creates some purchase orders, and deletes them again where the story says that this is possible.
///
/// # Errors
/// The first sentence that is broken.
pub async fn erp(connector: Arc<dyn ErpConnector>, identity: &Identity, world: &dyn ErpWorld) -> Result<(), Violation> {
    let suite = Suite {
        can: connector.capabilities(),
        erp: connector,
        identity,
        world,
        story: world.story(),
        clock: ManualClock::new(SystemClock.now()),
        created: Mutex::default(),
    };
    // All cases in one future would be too large for a caller's stack.
    Box::pin(suite.run()).await
}

struct Suite<'a> {
    erp: Arc<dyn ErpConnector>,
    can: ErpCapabilities,
    identity: &'a Identity,
    world: &'a dyn ErpWorld,
    story: ErpStory,
    /// The outbox's time; the connector has its own.
    clock: ManualClock,
    /// Orders made on the way, to be deleted at the end.
    created: Mutex<Vec<RecordKey>>,
}

impl Suite<'_> {
    async fn run(&self) -> Result<(), Violation> {
        self.companies_are_listed().await?;
        self.the_catalog_is_checked().await?;
        self.a_test_tells_allowed_denied_and_missing().await?;
        self.the_customer_is_found_by_name().await?;
        self.open_sales_orders_come_with_their_lines().await?;
        self.what_does_not_fit_is_refused_before_a_call().await?;
        self.a_plan_names_every_condition().await?;
        self.conditions_hold_as_said().await?;
        self.pages_resume_from_a_stored_token().await?;
        self.a_record_is_read_and_a_gone_one_not_found().await?;
        if self.can.changes {
            self.changes_come_once_and_none_is_lost().await?;
        }
        self.missing_records_are_told().await?;
        self.a_write_forbidden_by_policy_never_starts().await?;
        self.an_order_is_created_exactly_once().await?;
        self.a_lost_answer_never_makes_two_orders().await?;
        self.an_update_is_read_back().await?;
        self.a_conflict_writes_nothing().await?;
        self.a_lost_answer_never_updates_twice().await?;
        self.every_digit_survives().await?;
        self.an_action_happens_once().await?;
        self.a_refused_permission_is_told().await?;
        self.a_refused_value_names_its_field().await?;
        if self.can.batch {
            self.each_part_of_a_batch_is_told().await?;
        }
        if self.can.atomic_batch {
            self.an_atomic_batch_happens_whole_or_not_at_all().await?;
        }
        self.a_deletion_happens_once().await
    }

    fn company(&self) -> Option<&CompanyId> {
        self.story.company.as_ref()
    }

    /// Documents of the story's company.
    fn documents(&self) -> DocumentFilter {
        let mut all = DocumentFilter::all();
        all.company = self.story.company.clone();
        all
    }

    fn at(&self, entity: &crate::erp::EntityName, key: &RecordKey) -> RecordRef {
        let mut at = RecordRef::new(entity.clone(), key.clone());
        at.company = self.story.company.clone();
        at
    }

    fn remember(&self, order: &RecordKey) {
        self.created
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(order.clone());
    }

    fn remembered(&self) -> Vec<RecordKey> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that have reached the provider, where the world counts them.
    async fn requests(&self, case: Case) -> Result<Option<u64>, Violation> {
        case.ok(self.world.requests().await, "requests")
    }

    /// The provider has accepted so many writes since, where the world counts them.
    async fn check_effects(&self, case: Case, before: Option<u64>, expected: u64) -> Result<(), Violation> {
        let now = self.effects(case).await?;
        match (before, now) {
            (Some(before), Some(now)) if now.saturating_sub(before) != expected => Err(Violation::new(
                case.0,
                format_args!(
                    "{} writes were accepted, expected {expected}",
                    now.saturating_sub(before)
                ),
            )),
            _ => Ok(()),
        }
    }

    async fn effects(&self, case: Case) -> Result<Option<u64>, Violation> {
        case.ok(self.world.effects().await, "effects")
    }
}
