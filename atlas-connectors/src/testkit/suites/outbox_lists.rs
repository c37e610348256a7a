//! The part of the contract that is about finding and counting rows.

use super::outbox_store::{Pair, at};
use super::violation::{Case, Violation};
use crate::action::{AutomaticCount, IntentLease, IntentRow, IntentState};
use crate::ids::{ConnectionId, HolderId};

impl Pair {
    pub(super) async fn due_rows_are_found(&self) -> Result<(), Violation> {
        use IntentState::{
            AwaitingApproval, Cancelled, Claimed, Draft, Handle, NotSent, Ready, Sending, Sent, Uncertain,
        };
        let case = Case("due_rows_are_found");
        let lease = |until| {
            Some(IntentLease {
                holder: HolderId::random(),
                until: at(until),
            })
        };
        // state, available, lease, expires, sweep, and whether it is due at second 100
        let table = [
            (Draft, 0, None, 3600, false, true),
            (Draft, 200, None, 3600, false, false),
            (AwaitingApproval, 0, None, 3600, false, false),
            (AwaitingApproval, 0, None, 100, false, true),
            (Ready, 100, None, 3600, false, true),
            (Ready, 101, None, 3600, false, false),
            (Claimed, 0, lease(100), 3600, false, true),
            (Claimed, 0, lease(101), 3600, false, false),
            (Handle, 0, lease(99), 3600, false, true),
            (Handle, 0, lease(200), 3600, false, false),
            (Sending, 0, lease(50), 3600, false, true),
            (Sending, 200, lease(50), 3600, false, false),
            (Sent, 0, None, 3600, false, false),
            (Sent, 0, None, 3600, true, true),
            (NotSent, 200, None, 3600, true, false),
            (Cancelled, 0, None, 0, false, false),
            (Cancelled, 0, None, 0, true, true),
            (Uncertain, 0, None, 3600, false, false),
        ];
        for (state, available, lease, expires, sweep, due) in table {
            let row = self
                .in_state(case, state, |row| {
                    row.available = at(available);
                    row.lease.clone_from(&lease);
                    row.expires = at(expires);
                    row.sweep = sweep;
                })
                .await?;
            let found = case.ok(self.two.due_intents(at(100), 10_000).await, "due")?;
            let listed = found.contains(&(row.connection.tenant.clone(), row.intent.clone()));
            let what = format!(
                "{state}, available {available}, lease {lease:?}, expires {expires}, sweep {sweep}: due is {due}"
            );
            case.check(listed == due, &what)?;
        }
        let first = case.ok(self.two.due_intents(at(100), 2).await, "due")?;
        case.check(first.len() == 2, "no more rows than the limit")
    }

    pub(super) async fn lists_in_order(&self) -> Result<(), Violation> {
        let case = Case("lists_in_order");
        let mut rows = Vec::new();
        for state in [IntentState::Ready, IntentState::AwaitingApproval, IntentState::Ready] {
            rows.push(self.in_state(case, state, |_| {}).await?);
        }
        let [first, second, third] = rows.as_slice() else {
            return Err(Violation::new(case.0, "three rows were made"));
        };
        case.check(
            first.sequence < second.sequence && second.sequence < third.sequence,
            "sequence numbers rise",
        )?;
        let before = first.sequence - 1;
        let tenant = &self.bound.tenant;
        let all = case.ok(self.two.list_intents(tenant, &[], before, 10).await, "list")?;
        case.check(all == rows, "all rows, oldest first")?;
        let ready = case.ok(
            self.two.list_intents(tenant, &[IntentState::Ready], before, 10).await,
            "list",
        )?;
        case.check(ready == [first.clone(), third.clone()], "rows of one state only")?;
        let page = case.ok(self.two.list_intents(tenant, &[], first.sequence, 1).await, "list")?;
        case.check(page == [second.clone()], "one row after the first")
    }

    pub(super) async fn counts_what_came_before(&self) -> Result<(), Violation> {
        let case = Case("counts_what_came_before");
        let connection = ConnectionId::random();
        let make = |automatic: bool, created: i64, kind: &'static str| {
            let connection = connection.clone();
            move |row: &mut IntentRow| {
                row.connection.connection = connection.clone();
                row.automatic = automatic;
                row.created = at(created);
                row.kind = kind.to_owned();
            }
        };
        // state, automatic, created, kind: those marked are counted since second 50
        let table = [
            (IntentState::Draft, false, 60, "suite.act", 1),
            (IntentState::Ready, true, 60, "suite.act", 1),
            (IntentState::Sent, true, 50, "suite.act", 1),
            (IntentState::Uncertain, true, 60, "suite.act", 1),
            (IntentState::Sent, true, 49, "suite.act", 0),
            (IntentState::Ready, false, 60, "suite.act", 0),
            (IntentState::AwaitingApproval, false, 60, "suite.act", 0),
            (IntentState::Cancelled, true, 60, "suite.act", 0),
            (IntentState::NotSent, true, 60, "suite.act", 0),
            (IntentState::Sent, true, 60, "suite.other", 0),
        ];
        let mut expected = 0;
        for (state, automatic, created, kind, counts) in table {
            self.in_state(case, state, make(automatic, created, kind)).await?;
            expected += counts;
        }
        let last = self
            .in_state(case, IntentState::Ready, make(true, 60, "suite.act"))
            .await?;
        let count = |before| {
            let connection = connection.clone();
            async move {
                let of = AutomaticCount {
                    tenant: &self.bound.tenant,
                    connection: &connection,
                    kind: "suite.act",
                    since: at(50),
                    before,
                };
                case.ok(self.two.count_automatic(&of).await, "count")
            }
        };
        case.check(
            count(last.sequence).await? == expected,
            "what was proposed before is counted",
        )?;
        case.check(
            count(last.sequence + 1).await? == expected + 1,
            "the row itself is counted for the next one",
        )
    }

    pub(super) async fn unannounced_until_told(&self) -> Result<(), Violation> {
        let case = Case("unannounced_until_told");
        let row = self
            .in_state(case, IntentState::Sent, |row| row.unannounced = true)
            .await?;
        let listed = case.ok(self.two.unannounced_intents(10_000).await, "unannounced")?;
        case.check(listed.contains(&row), "a row that was not announced is listed")?;
        let mut told = row.clone();
        told.unannounced = false;
        let told = self.update(case, &row, told).await?;
        let listed = case.ok(self.one.unannounced_intents(10_000).await, "unannounced")?;
        case.check(
            listed.iter().all(|one| one.intent != told.intent),
            "a row that was announced is not listed",
        )
    }
}
