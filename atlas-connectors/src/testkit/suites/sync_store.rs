//! The contract of [`SyncStore`], sentence by sentence.

use std::sync::Arc;
use std::time::Duration;

use super::violation::{Case, Pace, Violation};
use crate::clock::Timestamp;
use crate::connection::ConnectionRef;
use crate::error::Result as AtlasResult;
use crate::ids::{ConnectionId, Epoch, HolderId, LabelId, MessageId, TenantId};
use crate::mail::{MessageRef, SyncCursor};
use crate::sync::{
    FaultState, Follow, KnownMessage, MailboxKey, MessageFault, Relabel, StoredMessage, SyncCommit, SyncLease,
    SyncState, SyncStore,
};

pub(super) const TTL: Duration = Duration::from_millis(500);
pub(super) const MANY: usize = 12;
/// A lease that no case outlives, whatever the clock.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// Checks every sentence of the contract of [`SyncStore`]. `open` gives another handle on the same data at each call, as another
/// process would have; the data may hold other mailboxes.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::Timestamp;
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::sync::SyncStore;
/// use atlas_connectors::testkit::ManualClock;
/// use atlas_connectors::testkit::suites::{Pace, sync_store};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let clock = ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000));
/// let store = MemoryStore::with_clock(Arc::new(clock.clone()));
/// let open = || Ok(Arc::new(store.clone()) as Arc<dyn SyncStore>);
/// sync_store(open, Pace::Manual(&clock)).await
/// # }).unwrap();
/// ```
///
/// # Errors
/// The first sentence that is broken.
pub async fn sync_store<F>(open: F, pace: Pace<'_>) -> Result<(), Violation>
where
    F: Fn() -> AtlasResult<Arc<dyn SyncStore>> + Sync,
{
    let handle = || Case("open").ok(open(), "open");
    let (one, two) = (handle()?, handle()?);
    let pair = Pair {
        one: &*one,
        two: &*two,
        pace,
    };
    pair.begins_empty().await?;
    pair.a_step_is_applied().await?;
    pair.known_in_the_order_asked().await?;
    pair.upserts_replace().await?;
    pair.announced_do_not_replace().await?;
    pair.relabels_do_not_mark().await?;
    pair.seen_only_marks().await?;
    pair.removals_remove().await?;
    pair.unseen_in_pages().await?;
    pair.faults_in_pages().await?;
    pair.faults_are_replaced_and_cured().await?;
    pair.requeue_moves_quarantined().await?;
    pair.mailboxes_do_not_mix().await?;
    pair.lease_excludes().await?;
    pair.lease_ends().await?;
    pair.renewal_prolongs().await?;
    pair.release_frees().await?;
    pair.lease_of_many().await?;
    pair.own_lease_is_taken_anew().await?;
    pair.older_epochs_are_refused().await?;
    pair.raised_epochs_end_runs().await?;
    pair.paused_for_everybody().await?;
    pair.erase_empties().await?;
    pair.a_refused_step_leaves_nothing().await?;
    pair.a_step_is_never_seen_in_part().await?;
    pair.a_dropped_step_is_whole().await
}

/// Two handles on the same data.
pub(super) struct Pair<'a> {
    pub(super) one: &'a dyn SyncStore,
    pub(super) two: &'a dyn SyncStore,
    pub(super) pace: Pace<'a>,
}

impl Pair<'_> {
    async fn begins_empty(&self) -> Result<(), Violation> {
        let case = Case("begins_empty");
        let key = MailboxKey::from(&mailbox());
        case.check(
            self.state(case, &key).await? == SyncState::default(),
            "a mailbox that was never read has the default position",
        )?;
        let known = case.ok(self.one.known(&key, ids(&["a", "b"])).await, "known")?;
        case.check(known == vec![KnownMessage::default(); 2], "nothing is known of it")?;
        let counts = case.ok(self.one.fault_counts(&key).await, "fault_counts")?;
        case.check(counts == (0, 0), "none of its messages has failed")?;
        case.ok(self.two.erase(&key).await, "erasing a mailbox that is not there")?;
        let moved = case.ok(self.two.requeue(&key, None).await, "requeue")?;
        case.check(moved == 0, "nothing can be moved")
    }

    async fn a_step_is_applied(&self) -> Result<(), Violation> {
        let case = Case("a_step_is_applied");
        let run = self.run(case).await?;
        let step = SyncCommit {
            state: Some(at(7)),
            generation: 3,
            upserts: vec![message("a", &["INBOX", "Ünter/\u{1F4E7} 'x'"])],
            faults: vec![failed("b", 1, FaultState::Pending)],
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        case.check(
            self.state(case, &run.key).await? == at(7),
            "the position is what was committed last",
        )?;
        let [a, b] = self.two_known(case, &run.key, ["a", "b"]).await?;
        case.check(
            a.labels == Some(labels(&["INBOX", "Ünter/\u{1F4E7} 'x'"])) && a.generation == 3 && a.fault.is_none(),
            "an upserted message is known with its labels, under the step's generation",
        )?;
        case.check(
            b.labels.is_none() && b.generation == 0 && b.fault == Some(failed("b", 1, FaultState::Pending)),
            "a failed message is known by its failure only",
        )?;
        // A page that goes on says nothing of the position.
        let more = upserting(3, vec![message("c", &[])]);
        case.ok(self.two.commit(&run, more).await, "commit")?;
        case.check(
            self.state(case, &run.key).await? == at(7),
            "a step without a position leaves it",
        )?;
        let known = self.known(case, &run.key, "c").await?;
        case.check(
            known.labels == Some(Vec::new()),
            "a message without labels is known without labels",
        )
    }

    async fn known_in_the_order_asked(&self) -> Result<(), Violation> {
        let case = Case("known_in_the_order_asked");
        let run = self.run(case).await?;
        let step = upserting(
            1,
            vec![message("a", &["A"]), message("b", &["B"]), message("c", &["C"])],
        );
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let asked = ids(&["c", "nobody", "a", "c", "b"]);
        let known = case.ok(self.two.known(&run.key, asked).await, "known")?;
        let found: Vec<Option<Vec<LabelId>>> = known.into_iter().map(|known| known.labels).collect();
        let of = |label: &str| Some(labels(&[label]));
        case.check(
            found == [of("C"), None, of("A"), of("C"), of("B")],
            "there is one entry for each id, in the order asked",
        )?;
        let none = case.ok(self.two.known(&run.key, Vec::new()).await, "known")?;
        case.check(none.is_empty(), "no ids, no entries")
    }

    async fn upserts_replace(&self) -> Result<(), Violation> {
        let case = Case("upserts_replace");
        let run = self.run(case).await?;
        for (generation, label) in [(1, "OLD"), (2, "NEW")] {
            let step = upserting(generation, vec![message("a", &[label])]);
            case.ok(self.one.commit(&run, step).await, "commit")?;
        }
        let known = self.known(case, &run.key, "a").await?;
        case.check(
            known.labels == Some(labels(&["NEW"])) && known.generation == 2,
            "a message that is upserted again is replaced, generation included",
        )?;
        let unseen = case.ok(self.one.unseen(&run.key, 9, None, 9).await, "unseen")?;
        case.check(unseen == [reference("a")], "it is there once")
    }

    async fn announced_do_not_replace(&self) -> Result<(), Violation> {
        let case = Case("announced_do_not_replace");
        let run = self.run(case).await?;
        let step = upserting(4, vec![message("stored", &["INBOX"])]);
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let step = SyncCommit {
            generation: 5,
            announced: vec![reference("stored"), reference("new")],
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let [stored, new] = self.two_known(case, &run.key, ["stored", "new"]).await?;
        case.check(
            new.labels == Some(Vec::new()) && new.generation == 0,
            "an announced message is there without labels, under generation 0",
        )?;
        case.check(
            stored.labels == Some(labels(&["INBOX"])) && stored.generation == 4,
            "announcing changes nothing about a stored message",
        )
    }

    async fn relabels_do_not_mark(&self) -> Result<(), Violation> {
        let case = Case("relabels_do_not_mark");
        let run = self.run(case).await?;
        let step = upserting(1, vec![message("a", &["INBOX", "UNREAD"])]);
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let relabel = |id: &str| Relabel {
            message: id.into(),
            labels: labels(&["DONE"]),
        };
        let step = SyncCommit {
            generation: 2,
            relabels: vec![relabel("a"), relabel("nobody")],
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let [a, nobody] = self.two_known(case, &run.key, ["a", "nobody"]).await?;
        case.check(a.labels == Some(labels(&["DONE"])), "the whole label set is replaced")?;
        case.check(a.generation == 1, "new labels do not mark the row")?;
        case.check(
            nobody == KnownMessage::default(),
            "labels of a message that is not stored are passed over",
        )
    }

    async fn seen_only_marks(&self) -> Result<(), Violation> {
        let case = Case("seen_only_marks");
        let run = self.run(case).await?;
        let step = upserting(1, vec![message("a", &["INBOX"]), message("b", &[])]);
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let step = SyncCommit {
            generation: 2,
            seen: ids(&["a", "nobody"]),
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let [a, b] = self.two_known(case, &run.key, ["a", "b"]).await?;
        case.check(
            a.labels == Some(labels(&["INBOX"])) && a.generation == 2,
            "a message that was seen is marked and otherwise left",
        )?;
        case.check(b.generation == 1, "others are not marked")?;
        let nobody = self.known(case, &run.key, "nobody").await?;
        case.check(nobody == KnownMessage::default(), "marking makes no rows")
    }

    async fn removals_remove(&self) -> Result<(), Violation> {
        let case = Case("removals_remove");
        let run = self.run(case).await?;
        let step = upserting(1, vec![message("a", &["INBOX"]), message("b", &["INBOX"])]);
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let step = SyncCommit {
            generation: 1,
            removals: ids(&["a", "nobody"]),
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, step).await, "a removal of what is not stored")?;
        let [a, b] = self.two_known(case, &run.key, ["a", "b"]).await?;
        case.check(a == KnownMessage::default(), "a removed message is gone")?;
        case.check(b.labels.is_some(), "no other is")
    }

    async fn unseen_in_pages(&self) -> Result<(), Violation> {
        let case = Case("unseen_in_pages");
        let run = self.run(case).await?;
        for (generation, names) in [(1, ["e", "b", "B", "ä"].as_slice()), (2, &["c", "d"]), (3, &["f"])] {
            let rows = names.iter().map(|id| message(id, &[])).collect();
            case.ok(self.one.commit(&run, upserting(generation, rows)).await, "commit")?;
        }
        let announced = SyncCommit {
            announced: vec![reference("a")],
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, announced).await, "commit")?;
        for (generation, expected) in [
            (1, ["a"].as_slice()),
            (2, &["B", "a", "b", "e", "ä"]),
            (3, &["B", "a", "b", "c", "d", "e", "ä"]),
        ] {
            let mut found: Vec<MessageRef> = Vec::new();
            loop {
                let after = found.last().map(|last| last.id.clone());
                let page = self.two.unseen(&run.key, generation, after.as_ref(), 2).await;
                let page = case.ok(page, "unseen")?;
                case.check(page.len() <= 2, "a page is no longer than its limit")?;
                if page.is_empty() {
                    break;
                }
                found.extend(page);
                case.check(found.len() <= 9, "pages go on where the last one ended")?;
            }
            let expected: Vec<MessageRef> = expected.iter().map(|id| reference(id)).collect();
            case.check(
                found == expected,
                "messages last touched under an older generation are listed once, in order of id",
            )?;
        }
        Ok(())
    }

    async fn mailboxes_do_not_mix(&self) -> Result<(), Violation> {
        let case = Case("mailboxes_do_not_mix");
        let base = mailbox();
        let of = |tenant: &str, connection: &str| ConnectionRef {
            tenant: TenantId::new(format!("{}{tenant}", base.tenant)),
            connection: ConnectionId::new(format!("{connection}{}", base.connection)),
            ..base.clone()
        };
        let mailboxes = [
            of("a", "bc"),
            of("ab", "c"),
            of("b", "bc"),
            of("A", "bc"),
            of("a' OR 1=1 --", "%_\"\\"),
            of("ä\u{1F4E7}\n", "/../"),
        ];
        let mut runs = Vec::new();
        for (number, mailbox) in (1u64..).zip(&mailboxes) {
            let run = case.ok(self.one.lease(mailbox, &HolderId::random(), LONG).await, "lease")?;
            let step = SyncCommit {
                state: Some(at(number)),
                faults: vec![failed("f", u32::try_from(number).unwrap_or(0), FaultState::Quarantined)],
                ..upserting(number, vec![message("m", &[&format!("L{number}")])])
            };
            case.ok(self.one.commit(&run, step).await, "commit")?;
            runs.push(run);
        }
        // A lease of one mailbox is none of another.
        let foreign = SyncLease {
            key: MailboxKey::from(&of("c", "bc")),
            ..runs.first().cloned().unwrap_or_else(|| lease_of(&base))
        };
        let refused = self.two.commit(&foreign, upserting(1, Vec::new())).await;
        case.refused(refused, "storage.fenced", "a commit under the lease of another mailbox")?;
        for (number, run) in (1u64..).zip(&runs) {
            let [m, f] = self.two_known(case, &run.key, ["m", "f"]).await?;
            let own = m.labels == Some(labels(&[&format!("L{number}")]))
                && m.generation == number
                && f.fault.map(|fault| u64::from(fault.attempts)) == Some(number)
                && self.state(case, &run.key).await? == at(number);
            case.check(own, "each mailbox has rows, failures and a position of its own")?;
        }
        // What is done to one is done to no other.
        let (Some(first), Some(second)) = (runs.first(), runs.get(1)) else {
            return Ok(());
        };
        case.ok(self.two.requeue(&first.key, None).await, "requeue")?;
        case.ok(self.two.set_paused(&first.key, true).await, "set_paused")?;
        case.ok(self.two.raise_epoch(&first.key, Epoch::new(99)).await, "raise_epoch")?;
        case.ok(self.two.erase(&first.key).await, "erase")?;
        case.ok(
            self.one.renew(second, LONG).await,
            "renewing the lease of another mailbox",
        )?;
        let counts = case.ok(self.one.fault_counts(&second.key).await, "fault_counts")?;
        let known = self.known(case, &second.key, "m").await?;
        case.check(
            counts == (0, 1) && known.labels.is_some(),
            "what is done to one mailbox is done to no other",
        )
    }

    /// A fresh mailbox, leased for long.
    pub(super) async fn run(&self, case: Case) -> Result<SyncLease, Violation> {
        case.ok(self.one.lease(&mailbox(), &HolderId::random(), LONG).await, "lease")
    }

    /// The position, which both handles must show alike.
    pub(super) async fn state(&self, case: Case, key: &MailboxKey) -> Result<SyncState, Violation> {
        let one = case.ok(self.one.state(key).await, "state")?;
        let two = case.ok(self.two.state(key).await, "state")?;
        case.check(one == two, "both handles show the same position")?;
        Ok(one)
    }

    pub(super) async fn known(&self, case: Case, key: &MailboxKey, id: &str) -> Result<KnownMessage, Violation> {
        let one = case.ok(self.one.known(key, ids(&[id])).await, "known")?;
        let two = case.ok(self.two.known(key, ids(&[id])).await, "known")?;
        case.check(one == two, "both handles know the same")?;
        let first = one.into_iter().next();
        first.ok_or_else(|| Violation::new(case.0, "known gave no entry for an id"))
    }

    pub(super) async fn two_known(
        &self,
        case: Case,
        key: &MailboxKey,
        of: [&str; 2],
    ) -> Result<[KnownMessage; 2], Violation> {
        let [one, two] = of;
        Ok([self.known(case, key, one).await?, self.known(case, key, two).await?])
    }
}

/// A connection that no other case uses.
pub(super) fn mailbox() -> ConnectionRef {
    ConnectionRef {
        tenant: TenantId::new(format!("suite-{}", ConnectionId::random())),
        connection: ConnectionId::random(),
        epoch: Epoch::FIRST,
        provider: "suite".into(),
    }
}

pub(super) fn under(mailbox: &ConnectionRef, epoch: u64) -> ConnectionRef {
    ConnectionRef {
        epoch: Epoch::new(epoch),
        ..mailbox.clone()
    }
}

fn lease_of(mailbox: &ConnectionRef) -> SyncLease {
    SyncLease {
        key: MailboxKey::from(mailbox),
        epoch: mailbox.epoch,
        holder: HolderId::random(),
        fence: 1,
    }
}

pub(super) fn upserting(generation: u64, upserts: Vec<StoredMessage>) -> SyncCommit {
    SyncCommit {
        generation,
        upserts,
        ..SyncCommit::default()
    }
}

/// A message of which the host keeps the content.
pub(super) fn message(id: &str, on: &[&str]) -> StoredMessage {
    StoredMessage {
        message: reference(id),
        labels: labels(on),
        received: Timestamp::from_unix_millis(1_790_000_000_123),
        headers: None,
        sealed: None,
    }
}

pub(super) fn reference(id: &str) -> MessageRef {
    MessageRef {
        id: id.into(),
        thread: format!("thread of {id}").into(),
    }
}

pub(super) fn labels(names: &[&str]) -> Vec<LabelId> {
    names.iter().map(|name| LabelId::from(*name)).collect()
}

pub(super) fn ids(names: &[&str]) -> Vec<MessageId> {
    names.iter().map(|name| MessageId::from(*name)).collect()
}

pub(super) fn failed(id: &str, attempts: u32, state: FaultState) -> MessageFault {
    MessageFault {
        message: reference(id),
        attempts,
        reason: "bad_payload.syntax".to_owned(),
        first: Timestamp::from_unix_millis(1_790_000_000_001),
        last: Timestamp::from_unix_millis(1_790_000_000_002),
        state,
    }
}

/// A position that tells this number.
pub(super) fn at(number: u64) -> SyncState {
    SyncState {
        follow: Some(Follow {
            cursor: SyncCursor::new(number.to_string()),
            page: None,
            proven: true,
        }),
        generation: number,
        through: Some(Timestamp::from_unix_seconds(1_790_000_000)),
        ..SyncState::default()
    }
}

#[cfg(test)]
#[path = "sync_store_tests.rs"]
mod tests;
