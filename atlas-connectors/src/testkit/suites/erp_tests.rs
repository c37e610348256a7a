//! The suite of ERPs passes against the one in memory with any abilities, and each broken one fails it with the sentence it breaks.

use std::sync::Arc;

use async_trait::async_trait;

use super::{ErpStory, ErpWorld, LostAnswer, Violation, erp};
use crate::action::{Approved, HandleState, Prepared, Reconciled, approved_for_suite};
use crate::connection::{ConnectionRef, Identity};
use crate::erp::{
    Catalog, CatalogScope, ChangePoint, Columns, Company, DocumentMap, ErpCapabilities, ErpConnector, FieldName,
    Filter, ProbeOutcome, Probes, Query, QueryPlan, Record, RecordChanges, RecordKey, RecordRef, Shape, TestReport,
    Value, Write, Written,
};
use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::mail::SyncCursor;
use crate::page::{Page, PageToken};
use crate::testkit::erp::story::{StoryWorld, erp as story_erp};
use crate::testkit::{MemoryErp, RecordStates};

/// What a broken connector does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    ListsNoCompanies,
    CatalogLacksAField,
    FingerprintMoves,
    TestSaysAllowed,
    TestWrites,
    DropsConditions,
    ForgetsLines,
    OpenMeansAll,
    DropsUnknownFields,
    AsksBeforeItChecks,
    PlanHidesSteps,
    IgnoresNot,
    CountsPositions,
    ForgetsTheLimit,
    LosesTheLastPage,
    GoneIsEmpty,
    RepeatsChanges,
    LosesTheSameSecond,
    ListsTheDeleted,
    CommitsTwice,
    WritesWhenPreparing,
    LostIsRefused,
    NeverHappened,
    AlwaysHappened,
    UpdateNeverHappened,
    ReadsNothingBack,
    HidesWhatWasAdjusted,
    IgnoresConflicts,
    ThroughFloats,
    SkipsActions,
    PermissionIsContent,
    NamesNoField,
    ForgetsParts,
    AtomicIsNot,
    SkipsDeletes,
}

#[derive(Debug)]
struct Broken {
    inner: MemoryErp,
    fault: Fault,
}

impl Broken {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn weaken(&self, query: &Query) -> Query {
        let mut query = query.clone();
        if self.is(Fault::DropsConditions) {
            query.filter = None;
        }
        if self.is(Fault::OpenMeansAll)
            && let Some(Filter::Compare { field, .. }) = &query.filter
            && field.as_str() == "state"
        {
            query.filter = None;
        }
        if self.is(Fault::IgnoresNot)
            && let Some(Filter::Not(inner)) = query.filter.take_if(|filter| matches!(filter, Filter::Not(_)))
        {
            query.filter = Some(*inner);
        }
        if self.is(Fault::ForgetsLines) {
            query.expand.clear();
        }
        if self.is(Fault::DropsUnknownFields) {
            query.select.retain(|name| name.as_str() != "AtlasNoSuchThing");
        }
        if self.is(Fault::ForgetsTheLimit) && query.page_size == Some(2) {
            query.limit = None;
        }
        query
    }

    async fn ask_first(&self) -> Result<()> {
        if self.is(Fault::AsksBeforeItChecks) {
            self.inner.companies().await?;
        }
        Ok(())
    }
}

/// The record with its numbers as a binary float would keep them.
fn through_floats(record: &Record) -> Record {
    let lossy = |value: &Value| match value {
        Value::Decimal(number) => {
            let float: f64 = number.to_string().parse().unwrap();
            Value::Decimal(format!("{float}").parse().unwrap())
        }
        other => other.clone(),
    };
    let values = record.fields().map(|(_, value)| lossy(value)).collect();
    let copy = Record::new(
        record.entity().clone(),
        record.key().clone(),
        record.columns().clone(),
        values,
    );
    match record.etag() {
        Some(etag) => copy.with_etag(etag.clone()),
        None => copy,
    }
}

#[async_trait]
impl ErpConnector for Broken {
    fn connection(&self) -> &ConnectionRef {
        self.inner.connection()
    }

    fn capabilities(&self) -> ErpCapabilities {
        self.inner.capabilities()
    }

    fn documents(&self) -> &DocumentMap {
        self.inner.documents()
    }

    async fn test(&self, probes: &Probes) -> Result<TestReport> {
        let mut report = self.inner.test(probes).await?;
        if self.is(Fault::TestSaysAllowed) {
            for row in &mut report.rows {
                row.outcome = ProbeOutcome::Allowed;
            }
        }
        if self.is(Fault::TestWrites) {
            let vendor = crate::erp::Create::new("vendor").set("no", "probe").into();
            self.write(vendor).await?;
        }
        Ok(report)
    }

    async fn companies(&self) -> Result<Vec<Company>> {
        let mut companies = self.inner.companies().await?;
        if self.is(Fault::ListsNoCompanies) {
            companies.clear();
        }
        Ok(companies)
    }

    async fn catalog(&self, scope: &CatalogScope) -> Result<Arc<Catalog>> {
        let mut catalog = Catalog::clone(&*self.inner.catalog(scope).await?);
        let moves = self.is(Fault::FingerprintMoves) && scope.refresh;
        if self.is(Fault::CatalogLacksAField) || moves {
            for entity in &mut catalog.entities {
                entity.fields.retain(|field| field.name.as_str() != "reference");
            }
        }
        Ok(Arc::new(catalog))
    }

    async fn explain(&self, query: &Query) -> Result<QueryPlan> {
        self.ask_first().await?;
        let mut plan = self.inner.explain(&self.weaken(query)).await?;
        if self.is(Fault::PlanHidesSteps) {
            plan.on_server.clear();
        }
        Ok(plan)
    }

    async fn read(&self, query: &Query, page: Option<&PageToken>) -> Result<Page<Record>> {
        self.ask_first().await?;
        if self.is(Fault::CountsPositions) && query.page_size == Some(2) {
            let mut all = query.clone().page_size(1_000);
            all.limit = None;
            let found = self.inner.read(&all, None).await?.items;
            let from: usize = page.map_or(0, |token| token.as_str().parse().unwrap());
            let items: Vec<Record> = found.iter().skip(from).take(2).cloned().collect();
            let next = (from + 2 < found.len()).then(|| PageToken::new((from + 2).to_string()));
            return Ok(Page {
                items,
                next,
                estimate: None,
            });
        }
        let mut answer = self.inner.read(&self.weaken(query), page).await?;
        if self.is(Fault::LosesTheLastPage) && page.is_some() && answer.next.is_none() && query.limit.is_none() {
            answer.items.clear();
        }
        if self.is(Fault::ListsTheDeleted)
            && let Some(Filter::In { field, values }) = &query.filter
            && field.as_str() == "no"
        {
            let columns = Columns::new(["no"]);
            let record = |value: &Value| {
                let key = RecordKey::single(value.to_string());
                Record::new(query.entity.clone(), key, columns.clone(), vec![value.clone()])
            };
            answer.items = values.iter().map(record).collect();
        }
        Ok(answer)
    }

    async fn get(&self, at: &RecordRef, shape: &Shape) -> Result<Record> {
        let found = self.inner.get(at, shape).await;
        match found {
            Err(error)
                if *error.kind() == (ErrorKind::NotFound { object: "record" }) && self.is(Fault::GoneIsEmpty) =>
            {
                let columns = Columns::new(shape.select.iter().cloned());
                Ok(Record::new(at.entity.clone(), at.key.clone(), columns, Vec::new()))
            }
            Ok(record) if self.is(Fault::ThroughFloats) => Ok(through_floats(&record)),
            other => other,
        }
    }

    async fn changes(&self, query: &Query, since: &ChangePoint, page: Option<&PageToken>) -> Result<RecordChanges> {
        let moved = match since {
            ChangePoint::After(cursor) => {
                let tick: u64 = cursor.as_str().parse().unwrap();
                let tick = match self.fault {
                    Fault::RepeatsChanges => tick.saturating_sub(1),
                    // As if the clock told whole seconds and only later ones counted.
                    Fault::LosesTheSameSecond => {
                        let mut whole = query.clone();
                        whole.page_size = None;
                        let now = self.inner.changes(&whole, &ChangePoint::Beginning, None).await?;
                        let end = now.cursor.map_or(tick, |end| end.as_str().parse().unwrap());
                        (tick + 1).min(end)
                    }
                    _ => tick,
                };
                ChangePoint::After(SyncCursor::new(tick.to_string()))
            }
            other => other.clone(),
        };
        self.inner.changes(query, &moved, page).await
    }

    async fn prepare(&self, write: &Approved<Write>) -> Result<Prepared<Write>> {
        let prepared = self.inner.prepare(write).await?;
        if self.is(Fault::WritesWhenPreparing) {
            self.inner.commit(write.prepared(None)).await?;
        }
        Ok(prepared)
    }

    async fn check_base(&self, prepared: &Prepared<Write>) -> Result<HandleState> {
        if self.is(Fault::IgnoresConflicts) {
            return Ok(HandleState::AsApproved);
        }
        self.inner.check_base(prepared).await
    }

    async fn commit(&self, prepared: Prepared<Write>) -> Result<Written> {
        let again = prepared.approved().prepared(prepared.handle().map(str::to_owned));
        let action = prepared.action().clone();
        let skips = match &action {
            Write::Action(_) => self.is(Fault::SkipsActions),
            Write::Delete(_) => self.is(Fault::SkipsDeletes),
            _ => false,
        };
        if skips {
            return Ok(Written::unread());
        }
        if let (Write::Batch(batch), true) = (&action, self.is(Fault::AtomicIsNot)) {
            let mut parts = batch.clone();
            parts.atomic = false;
            return self.write(parts.into()).await;
        }
        let mut written = match self.inner.commit(prepared).await {
            Ok(written) => written,
            Err(error) => return Err(self.spoil(error)),
        };
        match self.fault {
            Fault::CommitsTwice if matches!(action, Write::Create(_)) => {
                self.inner.commit(again).await?;
            }
            Fault::ReadsNothingBack => written.record = None,
            Fault::HidesWhatWasAdjusted => written.adjusted.clear(),
            Fault::ForgetsParts => written.parts.clear(),
            _ => {}
        }
        Ok(written)
    }

    async fn reconcile(&self, prepared: &Prepared<Write>) -> Result<Reconciled<Written>> {
        let update = matches!(prepared.action(), Write::Update(_));
        match self.fault {
            Fault::NeverHappened => Ok(Reconciled::DidNotHappen),
            Fault::UpdateNeverHappened if update => Ok(Reconciled::DidNotHappen),
            Fault::AlwaysHappened => Ok(Reconciled::Happened(Written::unread())),
            _ => self.inner.reconcile(prepared).await,
        }
    }
}

impl Broken {
    async fn write(&self, write: Write) -> Result<Written> {
        let approved = approved_for_suite(write, self.inner.connection().clone(), identity());
        self.inner.commit(approved.prepared(None)).await
    }

    fn spoil(&self, error: Error) -> Error {
        let of = |kind: ErrorKind| Error::new(kind, "broken");
        match error.kind() {
            _ if error.effect() == Effect::Unknown && self.is(Fault::LostIsRefused) => {
                error.with_effect(Effect::None).with_retry(Retry::Backoff)
            }
            ErrorKind::PermissionDenied { .. } if self.is(Fault::PermissionIsContent) => {
                of(ErrorKind::Rejected { fields: Vec::new() })
            }
            ErrorKind::Rejected { .. } if self.is(Fault::NamesNoField) => {
                of(ErrorKind::Rejected { fields: Vec::new() })
            }
            _ => error,
        }
    }
}

fn identity() -> Identity {
    Identity {
        subject: "s".into(),
        address: None,
        tenant: None,
    }
}

async fn run(inner: MemoryErp) -> Result<(), Violation> {
    let world = StoryWorld { erp: inner.clone() };
    erp(Arc::new(inner), &identity(), &world).await
}

#[tokio::test]
async fn an_erp_passes_whatever_its_records_carry() {
    for states in [RecordStates::Etags, RecordStates::Versions, RecordStates::Neither] {
        run(story_erp(states)).await.unwrap();
    }
}

#[tokio::test]
async fn an_erp_passes_with_fewer_abilities() {
    let few = |can: &mut ErpCapabilities| {
        *can = ErpCapabilities {
            companies: true,
            deep_create: true,
            ..ErpCapabilities::default()
        };
    };
    run(story_erp(RecordStates::Neither).with_capabilities(few))
        .await
        .unwrap();
    let deletions = |can: &mut ErpCapabilities| can.deletions = true;
    run(story_erp(RecordStates::Etags).with_capabilities(deletions))
        .await
        .unwrap();
}

/// A peer of which only the story is known.
#[derive(Debug)]
struct Quiet(StoryWorld);

#[async_trait]
impl ErpWorld for Quiet {
    fn story(&self) -> ErpStory {
        self.0.story()
    }
}

#[tokio::test]
async fn a_world_that_can_do_nothing_leaves_cases_out() {
    let inner = story_erp(RecordStates::Etags);
    let world = Quiet(StoryWorld { erp: inner.clone() });
    assert_eq!(world.effects().await.unwrap(), None);
    assert!(!world.lose(LostAnswer::AfterTheEffect).await.unwrap());
    let field = FieldName::new("name");
    let at = RecordRef::new("customer", "10");
    assert!(!world.change(&at, &field, &Value::Null).await.unwrap());
    erp(Arc::new(inner.clone()), &identity(), &world).await.unwrap();
    // It cleans up after itself.
    assert_eq!(inner.records("purchase.order"), 0);
}

#[tokio::test]
async fn each_broken_erp_fails_by_the_sentence_it_breaks() {
    use Fault as X;
    let cases = [
        (X::ListsNoCompanies, "companies_are_listed"),
        (X::CatalogLacksAField, "the_catalog_is_checked"),
        (X::FingerprintMoves, "the_catalog_is_checked"),
        (X::TestSaysAllowed, "a_test_tells_allowed_denied_and_missing"),
        (X::TestWrites, "a_test_tells_allowed_denied_and_missing"),
        (X::DropsConditions, "the_customer_is_found_by_name"),
        (X::ForgetsLines, "open_sales_orders_come_with_their_lines"),
        (X::OpenMeansAll, "open_sales_orders_come_with_their_lines"),
        (X::DropsUnknownFields, "what_does_not_fit_is_refused_before_a_call"),
        (X::AsksBeforeItChecks, "what_does_not_fit_is_refused_before_a_call"),
        (X::PlanHidesSteps, "a_plan_names_every_condition"),
        (X::IgnoresNot, "conditions_hold_as_said"),
        (X::CountsPositions, "pages_resume_from_a_stored_token"),
        (X::ForgetsTheLimit, "pages_resume_from_a_stored_token"),
        (X::LosesTheLastPage, "pages_resume_from_a_stored_token"),
        (X::GoneIsEmpty, "a_record_is_read_and_a_gone_one_not_found"),
        (X::RepeatsChanges, "changes_come_once_and_none_is_lost"),
        (X::LosesTheSameSecond, "changes_come_once_and_none_is_lost"),
        (X::ListsTheDeleted, "missing_records_are_told"),
        (X::CommitsTwice, "an_order_is_created_exactly_once"),
        (X::WritesWhenPreparing, "an_order_is_created_exactly_once"),
        (X::LostIsRefused, "a_lost_answer_never_makes_two_orders"),
        (X::NeverHappened, "a_lost_answer_never_makes_two_orders"),
        (X::AlwaysHappened, "a_lost_answer_never_makes_two_orders"),
        (X::ReadsNothingBack, "an_update_is_read_back"),
        (X::HidesWhatWasAdjusted, "an_update_is_read_back"),
        (X::IgnoresConflicts, "a_conflict_writes_nothing"),
        (X::UpdateNeverHappened, "a_lost_answer_never_updates_twice"),
        (X::ThroughFloats, "every_digit_survives"),
        (X::SkipsActions, "an_action_happens_once"),
        (X::PermissionIsContent, "a_refused_permission_is_told"),
        (X::NamesNoField, "a_refused_value_names_its_field"),
        (X::ForgetsParts, "each_part_of_a_batch_is_told"),
        (X::AtomicIsNot, "an_atomic_batch_happens_whole_or_not_at_all"),
        (X::SkipsDeletes, "a_deletion_happens_once"),
    ];
    for (fault, sentence) in cases {
        // A server that checks ETags itself would hide that a connector does not compare.
        let states = match fault {
            X::IgnoresConflicts => RecordStates::Versions,
            _ => RecordStates::Etags,
        };
        let inner = story_erp(states);
        let world = StoryWorld { erp: inner.clone() };
        let broken: Arc<dyn ErpConnector> = Arc::new(Broken { inner, fault });
        let violation = erp(broken, &identity(), &world)
            .await
            .expect_err(&format!("{fault:?} fails"));
        assert_eq!(violation.case(), sentence, "{fault:?}: {violation}");
    }
}
