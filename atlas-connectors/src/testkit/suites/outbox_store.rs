//! The contract of [`OutboxStore`], sentence by sentence.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::violation::{Case, Violation};
use crate::action::{
    AuditEvent, AuditLogExt as _, Digest, Inserted, IntentChange, IntentLease, IntentRow, IntentState, Nonce,
    OutboxStore,
};
use crate::clock::Timestamp;
use crate::connection::ConnectionRef;
use crate::error::Result as AtlasResult;
use crate::ids::{ActorId, ConnectionId, Epoch, HolderId, IntentId, ProviderId, TenantId, Version};

const MANY: usize = 12;

/// Checks every sentence of the contract of [`OutboxStore`]. `open` gives another handle on the same data at each call, as another
/// process would have; the data may hold other rows.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::action::OutboxStore;
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::testkit::suites::outbox_store;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// outbox_store(|| Ok(Arc::new(store.clone()) as Arc<dyn OutboxStore>)).await
/// # }).unwrap();
/// ```
///
/// # Errors
/// The first sentence that is broken.
pub async fn outbox_store<F>(open: F) -> Result<(), Violation>
where
    F: Fn() -> AtlasResult<Arc<dyn OutboxStore>> + Sync,
{
    let handle = || Case("open").ok(open(), "open");
    let pair = Pair {
        one: handle()?,
        two: handle()?,
        bound: ConnectionRef {
            tenant: TenantId::new("tenant-1"),
            connection: ConnectionId::random(),
            epoch: Epoch::FIRST,
            provider: ProviderId::new("suite"),
        },
    };
    pair.keeps_rows_whole().await?;
    pair.tenants_do_not_mix().await?;
    pair.keys_are_unique().await?;
    pair.unique_content_is_unique().await?;
    pair.compare_and_set().await?;
    pair.one_of_many_wins().await?;
    pair.nonces_are_spent_once().await?;
    pair.a_refused_step_leaves_nothing().await?;
    pair.due_rows_are_found().await?;
    pair.lists_in_order().await?;
    pair.counts_what_came_before().await?;
    pair.unannounced_until_told().await?;
    pair.time_does_not_go_back().await?;
    pair.generations_rise().await?;
    pair.the_audit_is_one_chain().await
}

pub(super) struct Pair {
    pub(super) one: Arc<dyn OutboxStore>,
    pub(super) two: Arc<dyn OutboxStore>,
    pub(super) bound: ConnectionRef,
}

impl Pair {
    pub(super) fn row(&self) -> IntentRow {
        let intent = IntentId::random();
        let mut content = [0; 32];
        crate::random::fill(&mut content);
        IntentRow {
            schema: 1,
            connection: self.bound.clone(),
            kind: "suite.act".to_owned(),
            state: IntentState::Draft,
            version: Version::NONE,
            sequence: 0,
            key: intent.as_str().to_owned(),
            digest: Digest::new([1; 32]),
            content: Digest::new(content),
            unique: true,
            author: ActorId::new("author"),
            created: at(0),
            updated: at(0),
            expires: at(3600),
            available: at(0),
            payload: vec![0, 159, 146, 150, 255],
            approval: None,
            automatic: false,
            lease: None,
            handle: None,
            attempts: 0,
            refusals: 0,
            lookups: 0,
            outcome: None,
            reason: None,
            unannounced: false,
            sweep: false,
            generation: 0,
            intent,
        }
    }

    fn event(&self, row: &IntentRow, word: &str) -> AuditEvent {
        AuditEvent::new(
            word,
            row.updated,
            ActorId::new("suite"),
            &row.connection,
            &row.intent,
            row.kind.clone(),
            row.digest,
        )
    }

    pub(super) async fn insert(&self, case: Case, row: &IntentRow) -> Result<IntentRow, Violation> {
        match case.ok(self.one.insert_intent(row, &[]).await, "insert")? {
            Inserted::New(row) => Ok(*row),
            Inserted::Known(_) => Err(Violation::new(case.0, "a new row is said to be known")),
        }
    }

    pub(super) async fn load(&self, case: Case, row: &IntentRow) -> Result<IntentRow, Violation> {
        let loaded = self.two.load_intent(&row.connection.tenant, &row.intent).await;
        case.ok(loaded, "load")?
            .ok_or_else(|| Violation::new(case.0, "a row that was written is not there"))
    }

    pub(super) async fn update(
        &self,
        case: Case,
        before: &IntentRow,
        after: IntentRow,
    ) -> Result<IntentRow, Violation> {
        let version = self.two.update_intent(IntentChange::new(before, &after)).await;
        Ok(IntentRow {
            version: case.ok(version, "update")?,
            ..after
        })
    }

    /// Inserts a row and brings it into this state.
    pub(super) async fn in_state(
        &self,
        case: Case,
        state: IntentState,
        change: impl Fn(&mut IntentRow),
    ) -> Result<IntentRow, Violation> {
        let mut row = self.row();
        change(&mut row);
        let row = self.insert(case, &row).await?;
        let mut after = row.clone();
        after.state = state;
        self.update(case, &row, after).await
    }

    async fn keeps_rows_whole(&self) -> Result<(), Violation> {
        let case = Case("keeps_rows_whole");
        let row = self.insert(case, &self.row()).await?;
        case.check(row.version > Version::NONE, "an insert gives a version")?;
        case.check(row.sequence > 0, "an insert gives a sequence number")?;
        let generation = case.ok(self.two.generation().await, "generation")?;
        case.check(row.generation == generation, "an insert sets the generation")?;
        case.check(
            self.load(case, &row).await? == row,
            "a row is loaded as it was inserted",
        )?;
        let mut after = row.clone();
        after.state = IntentState::Sent;
        after.lease = Some(IntentLease {
            holder: HolderId::random(),
            until: at(9),
        });
        after.handle = Some("handle".to_owned());
        after.outcome = Some("{\"id\":1}".to_owned());
        after.reason = Some("reason".to_owned());
        after.attempts = 3;
        after.automatic = true;
        let after = self.update(case, &row, after).await?;
        case.check(
            self.load(case, &row).await? == after,
            "a row is loaded as it was updated",
        )
    }

    async fn tenants_do_not_mix(&self) -> Result<(), Violation> {
        let case = Case("tenants_do_not_mix");
        let row = self.insert(case, &self.row()).await?;
        let stranger = TenantId::new("tenant-2");
        let seen = case.ok(self.two.load_intent(&stranger, &row.intent).await, "load")?;
        case.check(seen.is_none(), "another tenant does not see the row")?;
        let listed = case.ok(
            self.two.list_intents(&stranger, &[], row.sequence - 1, 10).await,
            "list",
        )?;
        case.check(
            listed.iter().all(|one| one.intent != row.intent),
            "another tenant does not list the row",
        )?;
        let mut foreign = row.clone();
        foreign.connection.tenant = stranger;
        let outcome = self.two.update_intent(IntentChange::new(&row, &foreign)).await;
        case.refused(outcome, "storage.conflict", "an update for another tenant")
    }

    async fn keys_are_unique(&self) -> Result<(), Violation> {
        let case = Case("keys_are_unique");
        let first = self.insert(case, &self.row()).await?;
        let twin = |row: IntentRow| IntentRow {
            key: first.key.clone(),
            ..row
        };
        let again = case.ok(self.two.insert_intent(&twin(self.row()), &[]).await, "insert")?;
        case.check(
            matches!(&again, Inserted::Known(known) if known.intent == first.intent),
            "a second row of the same key gives the first",
        )?;
        let mut elsewhere = twin(self.row());
        elsewhere.connection.connection = ConnectionId::random();
        let apart = case.ok(self.two.insert_intent(&elsewhere, &[]).await, "insert")?;
        case.check(matches!(apart, Inserted::New(_)), "keys of two connections are apart")?;

        let key = IntentId::random();
        let rows: Vec<IntentRow> = (0..MANY)
            .map(|_| IntentRow {
                key: key.as_str().to_owned(),
                ..self.row()
            })
            .collect();
        let all = join_all(rows.iter().enumerate().map(|(index, row)| {
            let store = if index % 2 == 0 { &self.one } else { &self.two };
            store.insert_intent(row, &[])
        }))
        .await;
        let mut new = 0;
        for one in all {
            new += usize::from(matches!(case.ok(one, "insert")?, Inserted::New(_)));
        }
        case.check(new == 1, "of many inserts of one key at once exactly one is new")
    }

    async fn unique_content_is_unique(&self) -> Result<(), Violation> {
        let case = Case("unique_content_is_unique");
        let first = self.insert(case, &self.row()).await?;
        let same = || IntentRow {
            content: first.content,
            ..self.row()
        };
        let again = case.ok(self.two.insert_intent(&same(), &[]).await, "insert")?;
        case.check(
            matches!(&again, Inserted::Known(known) if known.intent == first.intent),
            "a second row of the same unique content gives the first",
        )?;
        let mut plain = same();
        plain.unique = false;
        let apart = case.ok(self.two.insert_intent(&plain, &[]).await, "insert")?;
        case.check(
            matches!(apart, Inserted::New(_)),
            "content that is not unique may come again",
        )?;
        let mut ended = first.clone();
        ended.state = IntentState::Cancelled;
        self.update(case, &first, ended).await?;
        let anew = case.ok(self.two.insert_intent(&same(), &[]).await, "insert")?;
        case.check(
            matches!(anew, Inserted::New(_)),
            "unique content may come again once the first was cancelled",
        )
    }

    async fn compare_and_set(&self) -> Result<(), Violation> {
        let case = Case("compare_and_set");
        let first = self.insert(case, &self.row()).await?;
        let mut held = first.clone();
        held.state = IntentState::AwaitingApproval;
        let held = self.update(case, &first, held).await?;
        case.check(held.version > first.version, "an update raises the version")?;
        let mut late = first.clone();
        late.state = IntentState::Ready;
        let outcome = self.one.update_intent(IntentChange::new(&first, &late)).await;
        case.refused(outcome, "storage.conflict", "an update from an old version")?;
        let mut other_state = held.clone();
        other_state.state = IntentState::Ready;
        let outcome = self
            .one
            .update_intent(IntentChange::new(&other_state, &other_state))
            .await;
        case.refused(outcome, "storage.conflict", "an update from another state")?;
        let nobody = self.row();
        let outcome = self.one.update_intent(IntentChange::new(&nobody, &nobody)).await;
        case.refused(outcome, "storage.conflict", "an update of a row that is not there")?;
        case.check(
            self.load(case, &held).await? == held,
            "a refused update changes nothing",
        )
    }

    async fn one_of_many_wins(&self) -> Result<(), Violation> {
        let case = Case("one_of_many_wins");
        let row = self.in_state(case, IntentState::Ready, |_| {}).await?;
        let claims: Vec<IntentRow> = (0..MANY)
            .map(|_| IntentRow {
                state: IntentState::Claimed,
                lease: Some(IntentLease {
                    holder: HolderId::random(),
                    until: at(60),
                }),
                ..row.clone()
            })
            .collect();
        let all = join_all(claims.iter().enumerate().map(|(index, claim)| {
            let store = if index % 2 == 0 { &self.one } else { &self.two };
            store.update_intent(IntentChange::new(&row, claim))
        }))
        .await;
        let mut winner = None;
        for (outcome, claim) in all.into_iter().zip(&claims) {
            match outcome {
                Ok(_) if winner.is_none() => winner = Some(claim),
                Ok(_) => return Err(Violation::new(case.0, "two workers claimed one row")),
                refused => case.refused(refused, "storage.conflict", "a claim that came late")?,
            }
        }
        let kept = self.load(case, &row).await?;
        case.check(
            winner.is_some_and(|winner| winner.lease == kept.lease),
            "of many claims at once exactly one is kept",
        )
    }

    async fn nonces_are_spent_once(&self) -> Result<(), Violation> {
        let case = Case("nonces_are_spent_once");
        let nonce = Nonce::new(IntentId::random().as_str());
        let first = self.in_state(case, IntentState::Ready, |_| {}).await?;
        let other = self.in_state(case, IntentState::Ready, |_| {}).await?;
        let mut claimed = first.clone();
        claimed.state = IntentState::Claimed;
        let spent = self
            .one
            .update_intent(IntentChange::new(&first, &claimed).spending(Some(&nonce)))
            .await;
        claimed.version = case.ok(spent, "a claim")?;
        let again = self
            .two
            .update_intent(IntentChange::new(&claimed, &claimed).spending(Some(&nonce)))
            .await;
        case.ok(again, "the same intent's next claim")?;
        let mut stolen = other.clone();
        stolen.state = IntentState::Claimed;
        let outcome = self
            .two
            .update_intent(IntentChange::new(&other, &stolen).spending(Some(&nonce)))
            .await;
        case.refused(
            outcome,
            "not_approved.used",
            "another intent's claim with a spent nonce",
        )?;
        case.check(
            self.load(case, &other).await? == other,
            "a refused claim changes nothing",
        )
    }

    async fn a_refused_step_leaves_nothing(&self) -> Result<(), Violation> {
        let case = Case("a_refused_step_leaves_nothing");
        let nonce = Nonce::new(IntentId::random().as_str());
        let row = self.in_state(case, IntentState::Ready, |_| {}).await?;
        let other = self.in_state(case, IntentState::Ready, |_| {}).await?;
        let head = case.ok(self.one.audit_head().await, "audit_head")?;
        let stale = IntentRow {
            version: row.version.next(),
            ..row.clone()
        };
        let audit = [self.event(&row, "refused")];
        let change = IntentChange::new(&stale, &row).spending(Some(&nonce)).recording(&audit);
        case.refused(self.one.update_intent(change).await, "storage.conflict", "a stale step")?;
        let known = case.ok(self.one.insert_intent(&row, &audit).await, "insert")?;
        case.check(matches!(known, Inserted::Known(_)), "a row that is there is known")?;
        let after = case.ok(self.two.audit_head().await, "audit_head")?;
        case.check(after == head, "what was refused is not in the audit")?;
        let free = self
            .two
            .update_intent(IntentChange::new(&other, &other).spending(Some(&nonce)))
            .await;
        case.ok(free, "a nonce of a refused step, spent by another intent")?;
        Ok(())
    }

    async fn time_does_not_go_back(&self) -> Result<(), Violation> {
        let case = Case("time_does_not_go_back");
        let latest = case.ok(self.one.latest_time().await, "latest_time")?;
        let ahead = latest.after(Duration::from_secs(10));
        let mut row = self.row();
        row.updated = ahead;
        let row = self.insert(case, &row).await?;
        case.check(
            case.ok(self.two.latest_time().await, "latest_time")? == ahead,
            "an insert moves the latest time",
        )?;
        let mut after = row.clone();
        after.updated = at(0);
        self.update(case, &row, after).await?;
        case.check(
            case.ok(self.one.latest_time().await, "latest_time")? == ahead,
            "an older write does not move it back",
        )
    }

    async fn generations_rise(&self) -> Result<(), Violation> {
        let case = Case("generations_rise");
        let before = case.ok(self.one.generation().await, "generation")?;
        let raised = case.ok(self.one.raise_generation().await, "raise_generation")?;
        let now = case.ok(self.two.generation().await, "generation")?;
        case.check(raised == before + 1 && now == raised, "the generation rises by one")?;
        let row = self.insert(case, &self.row()).await?;
        case.check(row.generation == raised, "new rows are of the new generation")
    }

    async fn the_audit_is_one_chain(&self) -> Result<(), Violation> {
        let case = Case("the_audit_is_one_chain");
        let before = case.ok(self.one.audit_head().await, "audit_head")?;
        let rows: Vec<IntentRow> = (0..MANY).map(|_| self.row()).collect();
        let events: Vec<[AuditEvent; 2]> = rows
            .iter()
            .map(|row| {
                [
                    self.event(row, "first"),
                    self.event(row, "second").with_detail("detail"),
                ]
            })
            .collect();
        let all = join_all(rows.iter().zip(&events).enumerate().map(|(index, (row, events))| {
            let store = if index % 2 == 0 { &self.one } else { &self.two };
            store.insert_intent(row, events)
        }))
        .await;
        for one in all {
            case.ok(one, "insert")?;
        }
        let head = match case.ok(self.two.verify(Some(before)).await, "verify")? {
            Ok(head) => head,
            Err(fault) => return Err(Violation::new(case.0, fault)),
        };
        let appended = u64::try_from(2 * MANY).unwrap_or(0);
        case.check(head.sequence == before.sequence + appended, "every event is one link")?;
        let links = case.ok(self.two.audit_entries(before.sequence, 3).await, "audit_entries")?;
        case.check(links.len() == 3, "no more links than the limit")?;
        let kept = links
            .first()
            .is_some_and(|link| events.iter().flatten().any(|event| *event == link.event));
        case.check(kept, "an event is kept as it was written")
    }
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_790_000_000 + second)
}

#[cfg(test)]
#[path = "outbox_store_tests.rs"]
mod tests;
