//! How writes end: refused and told why, waiting for a lock, seen through a lost answer; and what is kept of it, sealed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::records::{Records, new_order};
use super::world::World;
use crate::action::*;
use crate::erp::{ActionCall, Batch, ErpConnector as _, PartOutcome, RecordRef, Value, Write, Written};
use crate::error::{Effect, Error, ErrorKind, Result};
use crate::testkit::erp::story::{ORDERS, days};
use crate::testkit::{ErpFault, RecordStates};

fn code(intent: &Intent) -> Option<&str> {
    intent.rejection.as_ref().map(|rejection| &*rejection.code)
}

#[tokio::test]
async fn what_cannot_be_judged_is_not_even_stored() {
    let world = Records::new(RecordStates::Etags);
    let outbox = world.process();
    let empty = Write::from(crate::erp::Create::new(ORDERS));
    let error = outbox.gate().propose(world.proposal("job"), empty).await.unwrap_err();
    assert_eq!(error.code(), "invalid");
    assert!(outbox.list(world.tenant(), &[], None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn refusals_are_told_apart_in_the_intent() {
    let world = || Records::new(RecordStates::Etags);
    let refused = |kind: ErrorKind| async move {
        let world = world();
        world.erp.fail_write(ErpFault::Refused(kind));
        let ended = world.ended(new_order("AT-1")).await;
        assert_eq!((ended.state, world.erp.effects()), (IntentState::NotSent, 0));
        ended
    };
    let fields = Vec::new();
    assert_eq!(code(&refused(ErrorKind::Rejected { fields }).await), Some("rejected"));
    assert_eq!(code(&refused(ErrorKind::Conflict).await), Some("conflict"));
    let what = "a wizard".to_owned();
    assert_eq!(
        code(&refused(ErrorKind::NeedsInteraction { what }).await),
        Some("needs_interaction")
    );

    let denied = world();
    denied.erp.deny(ORDERS, "create");
    let ended = denied.ended(new_order("AT-1")).await;
    assert_eq!(
        (ended.state, code(&ended)),
        (IntentState::NotSent, Some("permission_denied"))
    );
    let status = ended.rejection.as_ref().and_then(|rejection| rejection.status);
    assert_eq!((status, denied.erp.effects()), (Some(403), 0));

    let asked = world();
    let key = asked.order();
    let call = ActionCall::on(&asked.read(&key), "STORY.ask").in_company("c1");
    let ended = asked.ended(call).await;
    assert_eq!(
        (ended.state, code(&ended)),
        (IntentState::NotSent, Some("needs_interaction"))
    );
}

#[tokio::test]
async fn a_rule_added_after_the_approval_still_holds_the_write_back() {
    let world = Records::new(RecordStates::Etags);
    let key = world.order();
    let call = ActionCall::on(&world.read(&key), "Story.Confirm").in_company("c1");
    let outbox = world.process();
    let intent = world.approved(&outbox, &call.into(), "job").await;
    // The next process has a stricter policy; the action is called in another spelling than the rule's.
    let rules = WriteRules::new().deny(WriteRule::new("no-confirming").action("CONFIRM"));
    let strict = world.builder().policy(rules).build();
    let error = strict.dispatch(world.tenant(), &intent).await.unwrap_err();
    let expected = ErrorKind::PolicyBlocked {
        rule: "no-confirming".to_owned(),
    };
    assert_eq!(*error.kind(), expected);
    world.settle().await;
    assert_eq!(world.erp.effects(), 0);
}

#[tokio::test]
async fn what_a_rule_allows_leaves_without_a_person() {
    let world = Records::new(RecordStates::Etags);
    let rules = WriteRules::new().allow(WriteRule::new("orders").entity(ORDERS).verb("create").company("c1"));
    let outbox = world.builder().policy(rules).build();
    let gate = outbox.gate();
    let outcome = gate
        .propose(world.proposal("1"), Write::from(new_order("AT-1")))
        .await
        .unwrap();
    let Outcome::Ready(intent) = outcome else {
        panic!("{outcome:?}")
    };
    let sent = outbox.dispatch(world.tenant(), &intent).await.unwrap();
    assert_eq!((sent.state, world.erp.effects()), (IntentState::Sent, 1));
    // Without a company it may be any, which the rule does not allow.
    let mut elsewhere = new_order("AT-2");
    elsewhere.company = None;
    let outcome = gate.propose(world.proposal("2"), Write::from(elsewhere)).await.unwrap();
    assert!(matches!(outcome, Outcome::Held { .. }));
}

#[tokio::test]
async fn a_lock_is_waited_for() {
    let world = Records::new(RecordStates::Etags);
    let key = world.order();
    world.erp.lock(ORDERS, key.clone());
    let outbox = world.process();
    let intent = world.approved(&outbox, &world.postponed(&key), "job").await;
    let waiting = outbox.dispatch(world.tenant(), &intent).await.unwrap();
    assert_eq!(
        (waiting.state, waiting.reason.as_deref()),
        (IntentState::Ready, Some("locked"))
    );
    world.erp.unlock(ORDERS, key.clone());
    world.settle().await;
    assert_eq!(
        (world.day(&key), world.erp.effects()),
        (Some(Value::Date(days()[1])), 1)
    );
}

#[tokio::test]
async fn a_record_that_is_gone_or_changed_is_not_written() {
    for states in [RecordStates::Etags, RecordStates::Versions, RecordStates::Neither] {
        let world = Records::new(states);
        let key = world.order();
        let outbox = world.process();
        let intent = world.approved(&outbox, &world.postponed(&key), "job").await;
        let at = RecordRef::new(ORDERS, key.clone());
        world.erp.change(&at, [("due", Value::Date(days()[2]))]).unwrap();
        let ended = outbox.dispatch(world.tenant(), &intent).await.unwrap();
        assert_eq!(
            (ended.state, code(&ended)),
            (IntentState::NotSent, Some("conflict")),
            "{states:?}"
        );
        assert_eq!(world.day(&key), Some(Value::Date(days()[2])));

        let intent = world.approved(&outbox, &world.postponed(&key), "job-2").await;
        world.erp.remove(&at).unwrap();
        let ended = outbox.dispatch(world.tenant(), &intent).await.unwrap();
        assert_eq!(
            (ended.state, code(&ended)),
            (IntentState::NotSent, Some("not_found")),
            "{states:?}"
        );
        assert_eq!(world.erp.effects(), 0);
    }
}

#[tokio::test]
async fn a_slow_answer_is_looked_up() {
    let world = Records::new(RecordStates::Etags);
    let slow = Duration::from_secs(3_600);
    world.erp.fail_write(ErpFault::Slow(slow));
    let outbox = world.process();
    let intent = world.approved(&outbox, &new_order("AT-1").into(), "job").await;
    let waiting = async {
        // The outbox's patience ends before the answer comes.
        while world.erp.effects() == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(Duration::from_secs(121));
    };
    let (unclear, ()) = futures_util::join!(outbox.dispatch(world.tenant(), &intent), waiting);
    assert_eq!(unclear.unwrap().state, IntentState::Sending);
    let outbox = world.settle().await;
    let rows = outbox.list(world.tenant(), &[], None, 10).await.unwrap();
    assert_eq!((rows[0].state, world.erp.effects()), (IntentState::Sent, 1));
}

#[tokio::test]
async fn an_unreadable_answer_means_that_it_happened() {
    let world = Records::new(RecordStates::Etags);
    world.erp.fail_write(ErpFault::Unreadable);
    let ended = world.ended(new_order("AT-1")).await;
    assert_eq!((ended.state, world.erp.effects()), (IntentState::Sent, 1));
    assert_eq!(ended.outcome_of::<Write>(), None);
}

#[tokio::test]
async fn what_nobody_can_find_again_ends_as_uncertain() {
    let world = Records::able(RecordStates::Etags, |can| can.finds_creates = false);
    world.erp.fail_write(ErpFault::LostAfter);
    let mut create = new_order("AT-1");
    create.natural_key = None;
    let ended = world.ended(create).await;
    assert_eq!((ended.state, world.erp.effects()), (IntentState::Uncertain, 1));
}

#[tokio::test]
async fn a_failed_look_up_proves_nothing() {
    let world = Records::new(RecordStates::Etags);
    world.erp.fail_write(ErpFault::LostAfter);
    let outbox = world.process();
    let intent = world.approved(&outbox, &new_order("AT-1").into(), "job").await;
    outbox.dispatch(world.tenant(), &intent).await.unwrap();
    for _ in 0..3 {
        world.erp.fail_read(ErrorKind::Transient);
        world.clock.advance(Duration::from_secs(400));
        let waiting = outbox.dispatch(world.tenant(), &intent).await.unwrap();
        assert_eq!(waiting.state, IntentState::Sending);
    }
    world.settle().await;
    let ended = outbox.dispatch(world.tenant(), &intent).await.unwrap();
    assert_eq!((ended.state, world.erp.effects()), (IntentState::Sent, 1));
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_looked_up_part_by_part() {
    for atomic in [true, false] {
        for fault in [ErpFault::LostAfter, ErpFault::LostBefore] {
            let world = Records::new(RecordStates::Etags);
            let key = world.order();
            let parts = [Write::from(new_order("AT-1")), world.postponed(&key)];
            let mut batch = Batch::independent(parts);
            batch.atomic = atomic;
            world.erp.fail_write(fault.clone());
            let ended = world.ended(batch).await;
            assert_eq!((ended.state, world.erp.effects()), (IntentState::Sent, 2), "{fault:?}");
            let parts = ended.outcome_of::<Write>().unwrap().parts;
            assert!(parts.iter().all(|part| matches!(part, PartOutcome::Done(_))));
        }
    }
}

/// Its request is lost on the way, and arrives between the look-up and the next attempt.
#[derive(Debug, Default)]
struct Late {
    commits: AtomicU32,
    lookups: AtomicU32,
    checks: AtomicU32,
}

#[async_trait]
impl Effector<Write> for Late {
    fn can_reconcile(&self) -> bool {
        true
    }
    async fn prepare(&self, approved: &Approved<Write>) -> Result<Prepared<Write>> {
        Ok(approved.prepared(None))
    }
    async fn check_handle(&self, _prepared: &Prepared<Write>) -> Result<HandleState> {
        match self.checks.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(HandleState::AsApproved),
            _ => Err(Error::new(ErrorKind::Conflict, "late.check")),
        }
    }
    async fn commit(&self, _prepared: Prepared<Write>) -> Result<Written> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(ErrorKind::Transient, "late.commit").with_effect(Effect::Unknown))
    }
    async fn reconcile(&self, _prepared: &Prepared<Write>) -> Result<Reconciled<Written>> {
        match self.lookups.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(Reconciled::DidNotHappen),
            _ => Ok(Reconciled::Happened(Written::unread())),
        }
    }
    async fn sweep(&self, _ended: &Prepared<Write>) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_request_that_arrives_late_is_not_told_as_a_conflict() {
    let world = Records::new(RecordStates::Etags);
    let late = Arc::new(Late::default());
    let connected = Connected::new();
    let effector: Arc<dyn Effector<Write>> = Arc::<Late>::clone(&late);
    connected.put(Standing::new(
        world.erp.connection().clone(),
        World::identity(),
        Effectors::new().with(effector),
    ));
    let outbox = world.builder_over(&connected).build();
    let intent = world.approved(&outbox, &new_order("AT-1").into(), "job").await;
    let mut states = Vec::new();
    for _ in 0..3 {
        states.push(outbox.dispatch(world.tenant(), &intent).await.unwrap().state);
        world.clock.advance(Duration::from_secs(400));
    }
    assert_eq!(states, [IntentState::Sending, IntentState::Sending, IntentState::Sent]);
    assert_eq!(late.commits.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_intent_in_a_log_shows_no_record() {
    let world = Records::new(RecordStates::Etags);
    let ended = world
        .ended(new_order("AT-CONFIDENTIAL").set("note", "a hidden remark"))
        .await;
    assert!(ended.outcome.is_some());
    let shown = format!("{ended:?}");
    assert!(
        !shown.contains("CONFIDENTIAL") && !shown.contains("hidden remark"),
        "{shown}"
    );
}

#[cfg(feature = "sqlite")]
mod sealed {
    use std::path::Path;

    use super::*;
    use crate::action::tests::world::START;
    use crate::store::SqliteStore;
    use crate::testkit::ManualClock;

    /// Which of these words are in any file of the folder.
    fn found(folder: &Path, words: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            for word in words {
                if bytes.windows(word.len()).any(|window| window == word.as_bytes()) {
                    found.push((*word).to_owned());
                }
            }
        }
        found
    }

    fn world(folder: &Path) -> Records {
        let clock = ManualClock::new(START);
        let path = folder.join("outbox.db");
        let store = SqliteStore::open_with_clock(path, Arc::new(clock.clone())).unwrap();
        Records::over(RecordStates::Etags, Arc::new(store), clock, |_| {})
    }

    #[tokio::test]
    async fn what_a_refusal_said_is_kept_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let world = world(folder.path());
        let refused = new_order("AT-CONFIDENTIAL").set("note", "secret discount of 12.75");
        let ended = world.ended(refused).await;
        assert_eq!(
            (ended.state, ended.reason.as_deref()),
            (IntentState::NotSent, Some("rejected"))
        );
        let rejection = ended.rejection.unwrap();
        assert_eq!((&*rejection.code, rejection.status), ("rejected", Some(422)));
        assert_eq!(
            (&*rejection.fields[0].field, &*rejection.fields[0].code),
            ("note", "forbidden_word")
        );
        let said = rejection.messages[0].text.reveal();
        assert!(said.contains("cannot be secret discount of 12.75"), "{said}");
        let words = [
            "secret discount",
            "12.75",
            "cannot be",
            "forbidden_word",
            "AT-CONFIDENTIAL",
            "1896-S",
        ];
        assert_eq!(found(folder.path(), &words), Vec::<String>::new());
        // The search itself works: what is plain is found.
        assert_eq!(found(folder.path(), &["erp.write"]), ["erp.write"]);
    }

    #[tokio::test]
    async fn what_was_written_is_kept_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let world = world(folder.path());
        let ended = world
            .ended(new_order("AT-CONFIDENTIAL").set("note", "a hidden remark"))
            .await;
        assert_eq!(ended.state, IntentState::Sent);
        let written = ended.outcome_of::<Write>().unwrap();
        let record = written.record.unwrap();
        assert_eq!(record.value("note"), Some(&Value::from("a hidden remark")));
        let words = ["hidden remark", "AT-CONFIDENTIAL", "1896-S", "purchase.order"];
        assert_eq!(found(folder.path(), &words), Vec::<String>::new());
    }
}
