//! The contract of [`InboxStore`], sentence by sentence.

use std::sync::Arc;
use std::time::Duration;

use super::violation::{Case, Violation};
use crate::clock::Timestamp;
use crate::connection::ConnectionRef;
use crate::error::Result as AtlasResult;
use crate::ids::{ConnectionId, Epoch, HolderId, LabelId, MessageId, TenantId, ThreadId};
use crate::mail::MessageRef;
use crate::sync::{
    InboxCounts, InboxPosition, InboxQuery, InboxStore, InboxThread, LabelCount, MailboxKey, Relabel, StoredHeaders,
    StoredMessage, SyncCommit, SyncLease,
};

const LONG: Duration = Duration::from_secs(600);

/// Checks every sentence of the contract of [`InboxStore`] beside those of [`SyncStore`](crate::sync::SyncStore), which
/// [`sync_store`](super::sync_store) checks. `open` gives another handle on the same data at each call, as another process would
/// have; the data may hold other mailboxes.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::sync::InboxStore;
/// use atlas_connectors::testkit::suites::inbox_store;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// inbox_store(|| Ok(Arc::new(store.clone()) as Arc<dyn InboxStore>)).await
/// # }).unwrap();
/// ```
///
/// # Errors
/// The first sentence that is broken.
pub async fn inbox_store<F>(open: F) -> Result<(), Violation>
where
    F: Fn() -> AtlasResult<Arc<dyn InboxStore>> + Sync,
{
    let handle = || Case("open").ok(open(), "open");
    let (one, two) = (handle()?, handle()?);
    let pair = Pair { one: &*one, two: &*two };
    pair.begins_empty().await?;
    pair.keeps_messages_whole().await?;
    pair.replaces_messages_whole().await?;
    pair.threads_newest_first().await?;
    pair.threads_in_pages().await?;
    pair.threads_by_their_newest_match().await?;
    pair.conditions_hold_for_one_message().await?;
    pair.words_are_parts_of_fields().await?;
    pair.labels_are_whole().await?;
    pair.thread_oldest_first().await?;
    pair.counts_add_up().await?;
    pair.labels_are_counted().await?;
    pair.what_the_host_keeps_is_not_shown().await?;
    pair.changes_are_shown().await?;
    pair.mailboxes_do_not_mix().await
}

/// Two handles on the same data: one writes, the other reads.
pub(super) struct Pair<'a> {
    pub(super) one: &'a dyn InboxStore,
    pub(super) two: &'a dyn InboxStore,
}

impl Pair<'_> {
    async fn begins_empty(&self) -> Result<(), Violation> {
        let case = Case("begins_empty");
        let key = MailboxKey::from(&mailbox());
        let threads = self.threads(case, &key, &InboxQuery::all()).await?;
        let thread = case.ok(self.two.thread_messages(&key, &"t".into()).await, "thread_messages")?;
        let message = case.ok(self.two.stored_message(&key, &"m".into()).await, "stored_message")?;
        let counts = case.ok(self.two.counts(&key).await, "counts")?;
        let labels = case.ok(self.two.label_counts(&key).await, "label_counts")?;
        let empty = threads.is_empty() && thread.is_empty() && message.is_none() && labels.is_empty();
        case.check(
            empty && counts == InboxCounts::default(),
            "a mailbox that was never read holds nothing",
        )
    }

    async fn keeps_messages_whole(&self) -> Result<(), Violation> {
        let case = Case("keeps_messages_whole");
        let run = self.run(case).await?;
        let mut odd = mail("m'1\" --", "t\u{1F4E7}", -86_400_001);
        odd.labels = labels(&["Ä/ö 'x' %", "INBOX"]);
        odd.headers = Some(StoredHeaders {
            subject: "Größe\n\u{202e}".to_owned(),
            from: "Jörg O'Neil".to_owned(),
            subject_key: "größe".to_owned(),
            participants_key: "jörg o'neil\nj@example.com\n".to_owned(),
        });
        odd.sealed = Some((0..=255).cycle().take(70_000).collect());
        let mut bare = mail("m2", "t2", 0);
        bare.labels = Vec::new();
        bare.headers = Some(StoredHeaders::default());
        bare.sealed = Some(Vec::new());
        self.commit(case, &run, vec![odd.clone(), bare.clone()]).await?;
        for written in [odd, bare] {
            let read = self.message(case, &run.key, written.message.id.as_str()).await?;
            case.check(
                read.as_ref() == Some(&written),
                "a message is what was committed, sealed bytes included",
            )?;
            let thread = self.thread(case, &run.key, written.message.thread.as_str()).await?;
            case.check(thread == [written], "its thread shows the same")?;
        }
        Ok(())
    }

    async fn replaces_messages_whole(&self) -> Result<(), Violation> {
        let case = Case("replaces_messages_whole");
        let run = self.run(case).await?;
        self.commit(case, &run, vec![mail("a", "t1", 10)]).await?;
        let mut newer = mail("a", "t2", 20);
        newer.labels = labels(&["DONE"]);
        newer.headers = headers("other", "Other", "other@example.com");
        newer.sealed = Some(b"other".to_vec());
        self.commit(case, &run, vec![newer.clone()]).await?;
        let read = self.message(case, &run.key, "a").await?;
        case.check(
            read == Some(newer),
            "a message that comes again replaces every part of it",
        )?;
        let old = self.thread(case, &run.key, "t1").await?;
        case.check(old.is_empty(), "it is no longer in the thread it was in")?;
        // Handed to the host from now on: nothing of it stays here, and it comes back as it comes.
        let mut handed = mail("a", "t2", 20);
        (handed.headers, handed.sealed) = (None, None);
        self.commit(case, &run, vec![handed]).await?;
        let read = self.message(case, &run.key, "a").await?;
        case.check(read.is_none(), "a message without content replaces one with content")?;
        let mut back = mail("a", "t2", 20);
        back.sealed = None;
        self.commit(case, &run, vec![back.clone()]).await?;
        let read = self.message(case, &run.key, "a").await?;
        case.check(
            read == Some(back),
            "sealed bytes of a replaced message do not come back",
        )
    }

    async fn threads_newest_first(&self) -> Result<(), Violation> {
        let case = Case("threads_newest_first");
        let run = self.run(case).await?;
        let rows = [
            mail("m1", "old", 10),
            mail("m2", "new", 40),
            mail("m3", "two", 20),
            mail("m4", "two", 30),
            mail("B", "same time, B", 25),
            mail("a", "same time, a", 25),
            mail("b", "same time, b", 25),
        ];
        self.commit(case, &run, rows.to_vec()).await?;
        let found = self.names(case, &run.key, &InboxQuery::all()).await?;
        case.check(
            found
                == [
                    "new/m2",
                    "two/m4",
                    "same time, b/b",
                    "same time, a/a",
                    "same time, B/B",
                    "old/m1",
                ],
            "each thread is listed once, by its newest message, newest first, then by id downwards",
        )?;
        let threads = self.threads(case, &run.key, &InboxQuery::all()).await?;
        let two = threads.iter().find(|thread| thread.id.as_str() == "two");
        let shown = two.is_some_and(|two| {
            two.subject == "Subject of m4"
                && two.from == "Sender of m4"
                && two.received == time(30)
                && two.messages == 2
        });
        case.check(shown, "a thread shows subject, sender and time of its newest message")
    }

    async fn threads_in_pages(&self) -> Result<(), Violation> {
        let case = Case("threads_in_pages");
        let run = self.run(case).await?;
        // Three at each moment, and one older message in every thread that must not bring it back.
        let mut rows = Vec::new();
        for number in 0..9 {
            let thread = format!("t{number}");
            rows.push(mail(&format!("m{number}"), &thread, 100 + number / 3));
            rows.push(mail(&format!("older {number}"), &thread, number));
        }
        self.commit(case, &run, rows).await?;
        let whole = self.names(case, &run.key, &InboxQuery::all()).await?;
        case.check(whole.len() == 9, "each thread is listed once")?;
        for limit in [1, 2, 4, 9, 100] {
            let mut found = Vec::new();
            let mut after: Option<InboxPosition> = None;
            loop {
                let query = InboxQuery::all().folded();
                let page = self.two.threads(&run.key, &query, after.as_ref(), limit).await;
                let page = case.ok(page, "threads")?;
                case.check(page.len() <= limit, "a page is no longer than its limit")?;
                let Some(last) = page.last() else { break };
                after = Some(InboxPosition {
                    received: last.received,
                    message: last.newest.clone(),
                });
                found.extend(page.iter().map(name));
                case.check(found.len() <= 9, "pages go on strictly after the position")?;
            }
            case.check(found == whole, "pages of any length give the same list")?;
        }
        Ok(())
    }

    async fn thread_oldest_first(&self) -> Result<(), Violation> {
        let case = Case("thread_oldest_first");
        let run = self.run(case).await?;
        let rows = [
            mail("c", "t", 30),
            mail("b", "t", 10),
            mail("d", "t", 10),
            mail("B", "t", 10),
            mail("a", "t", 20),
            mail("x", "T", 5),
        ];
        self.commit(case, &run, rows.to_vec()).await?;
        let thread = self.thread(case, &run.key, "t").await?;
        let found: Vec<&str> = thread.iter().map(|row| row.message.id.as_str()).collect();
        case.check(
            found == ["B", "b", "d", "a", "c"],
            "a thread is given whole, oldest message first, then by id",
        )
    }

    async fn counts_add_up(&self) -> Result<(), Violation> {
        let case = Case("counts_add_up");
        let run = self.run(case).await?;
        let mut rows = vec![mail("a", "t1", 1), mail("b", "t1", 2), mail("c", "t2", 3)];
        for row in rows.iter_mut().take(2) {
            row.labels = labels(&["INBOX", "UNREAD"]);
        }
        let mut near = mail("d", "t3", 4);
        near.labels = labels(&["UNREADABLE"]);
        rows.push(near);
        self.commit(case, &run, rows).await?;
        let counts = case.ok(self.two.counts(&run.key).await, "counts")?;
        let expected = InboxCounts {
            messages: 4,
            unread: 2,
            threads: 3,
        };
        case.check(counts == expected, "messages, unread messages and threads are counted")
    }

    async fn labels_are_counted(&self) -> Result<(), Violation> {
        let case = Case("labels_are_counted");
        let run = self.run(case).await?;
        let sets = [
            ["INBOX", "UNREAD"].as_slice(),
            &["UNREAD", "INBOX", "ä"],
            &["INBOX"],
            &["b"],
            &[],
        ];
        let rows = (0..).zip(sets).map(|(number, on)| {
            let mut row = mail(&format!("m{number}"), "t", number);
            row.labels = labels(on);
            row
        });
        self.commit(case, &run, rows.collect()).await?;
        let found = case.ok(self.two.label_counts(&run.key).await, "label_counts")?;
        let count = |label: &str, messages, unread| LabelCount {
            label: label.into(),
            messages,
            unread,
        };
        let expected = [
            count("INBOX", 3, 2),
            count("UNREAD", 2, 2),
            count("b", 1, 0),
            count("ä", 1, 1),
        ];
        case.check(
            found == expected,
            "all labels in use are listed once, by id, with their messages and unread messages",
        )
    }

    async fn what_the_host_keeps_is_not_shown(&self) -> Result<(), Violation> {
        let case = Case("what_the_host_keeps_is_not_shown");
        let run = self.run(case).await?;
        let mut handed = mail("a", "t", 20);
        handed.labels = labels(&["UNREAD"]);
        (handed.headers, handed.sealed) = (None, None);
        let step = SyncCommit {
            generation: 1,
            announced: vec![reference("b", "t")],
            upserts: vec![handed, mail("c", "t", 10)],
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        for id in ["a", "b"] {
            let row = self.message(case, &run.key, id).await?;
            case.check(
                row.is_none(),
                "a message whose content the host keeps is not in the inbox",
            )?;
        }
        let thread = self.thread(case, &run.key, "t").await?;
        let threads = self.threads(case, &run.key, &InboxQuery::all()).await?;
        let alone = threads.iter().all(|thread| thread.messages == 1 && thread.unread == 0);
        let counts = case.ok(self.two.counts(&run.key).await, "counts")?;
        let counted = (counts.messages, counts.unread, counts.threads) == (1, 0, 1);
        let labels = case.ok(self.two.label_counts(&run.key).await, "label_counts")?;
        let unlabelled = labels.iter().all(|count| count.label.as_str() == "INBOX");
        case.check(
            thread.len() == 1 && threads.len() == 1 && alone && counted && unlabelled,
            "nor in its threads and counts",
        )
    }

    async fn changes_are_shown(&self) -> Result<(), Violation> {
        let case = Case("changes_are_shown");
        let run = self.run(case).await?;
        let rows = vec![mail("a", "t", 10), mail("b", "t", 20), mail("c", "u", 30)];
        self.commit(case, &run, rows).await?;
        let step = SyncCommit {
            generation: 1,
            relabels: vec![Relabel {
                message: "a".into(),
                labels: labels(&["UNREAD"]),
            }],
            removals: vec!["b".into(), "c".into()],
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(&run, step).await, "commit")?;
        let found = self.names(case, &run.key, &InboxQuery::all()).await?;
        case.check(
            found == ["t/a"],
            "removed messages are gone, and threads without messages",
        )?;
        let row = self.message(case, &run.key, "a").await?;
        let mut expected = mail("a", "t", 10);
        expected.labels = labels(&["UNREAD"]);
        case.check(row == Some(expected), "new labels are shown and everything else stays")?;
        let found = self.names(case, &run.key, &InboxQuery::all().unread_only()).await?;
        case.check(found == ["t/a"], "and are found by")?;
        case.ok(self.one.erase(&run.key).await, "erase")?;
        let counts = case.ok(self.two.counts(&run.key).await, "counts")?;
        case.check(counts == InboxCounts::default(), "an erased mailbox holds nothing")
    }

    async fn mailboxes_do_not_mix(&self) -> Result<(), Violation> {
        let case = Case("mailboxes_do_not_mix");
        let base = mailbox();
        let other_tenant = ConnectionRef {
            tenant: TenantId::new(format!("{}x", base.tenant)),
            ..base.clone()
        };
        let other_connection = ConnectionRef {
            connection: ConnectionId::random(),
            ..base.clone()
        };
        let mailboxes = [base, other_tenant, other_connection];
        for (number, mailbox) in (1..).zip(&mailboxes) {
            let run = case.ok(self.one.lease(mailbox, &HolderId::random(), LONG).await, "lease")?;
            let mut row = mail("m", "t", number);
            row.sealed = Some(vec![u8::try_from(number).unwrap_or_default()]);
            self.commit(case, &run, vec![row]).await?;
        }
        for (number, mailbox) in (1..).zip(&mailboxes) {
            let key = MailboxKey::from(mailbox);
            let row = self.message(case, &key, "m").await?;
            let sealed = row.and_then(|row| row.sealed);
            let threads = self.threads(case, &key, &InboxQuery::all()).await?;
            let thread = self.thread(case, &key, "t").await?;
            let counts = case.ok(self.two.counts(&key).await, "counts")?;
            let own = sealed == Some(vec![u8::try_from(number).unwrap_or_default()])
                && threads.iter().map(|thread| thread.received).collect::<Vec<_>>() == [time(number)]
                && threads.iter().all(|thread| thread.messages == 1)
                && thread.len() == 1
                && counts.messages == 1;
            case.check(own, "each mailbox has messages, threads and counts of its own")?;
        }
        Ok(())
    }

    /// A fresh mailbox, leased for long.
    pub(super) async fn run(&self, case: Case) -> Result<SyncLease, Violation> {
        case.ok(self.one.lease(&mailbox(), &HolderId::random(), LONG).await, "lease")
    }

    pub(super) async fn commit(
        &self,
        case: Case,
        run: &SyncLease,
        upserts: Vec<StoredMessage>,
    ) -> Result<(), Violation> {
        let step = SyncCommit {
            generation: 1,
            upserts,
            ..SyncCommit::default()
        };
        case.ok(self.one.commit(run, step).await, "commit")
    }

    async fn message(&self, case: Case, key: &MailboxKey, id: &str) -> Result<Option<StoredMessage>, Violation> {
        case.ok(
            self.two.stored_message(key, &MessageId::from(id)).await,
            "stored_message",
        )
    }

    async fn thread(&self, case: Case, key: &MailboxKey, id: &str) -> Result<Vec<StoredMessage>, Violation> {
        case.ok(
            self.two.thread_messages(key, &ThreadId::from(id)).await,
            "thread_messages",
        )
    }

    pub(super) async fn threads(
        &self,
        case: Case,
        key: &MailboxKey,
        query: &InboxQuery,
    ) -> Result<Vec<InboxThread>, Violation> {
        case.ok(self.two.threads(key, &query.folded(), None, 100).await, "threads")
    }

    /// Each thread with its newest match.
    pub(super) async fn names(
        &self,
        case: Case,
        key: &MailboxKey,
        query: &InboxQuery,
    ) -> Result<Vec<String>, Violation> {
        Ok(self.threads(case, key, query).await?.iter().map(name).collect())
    }
}

pub(super) fn name(thread: &InboxThread) -> String {
    format!("{}/{}", thread.id, thread.newest)
}

/// A connection that no other case uses.
fn mailbox() -> ConnectionRef {
    ConnectionRef {
        tenant: TenantId::new(format!("suite-{}", ConnectionId::random())),
        connection: ConnectionId::random(),
        epoch: Epoch::FIRST,
        provider: "suite".into(),
    }
}

/// A message of the embedded inbox.
pub(super) fn mail(id: &str, thread: &str, seconds: i64) -> StoredMessage {
    StoredMessage {
        message: reference(id, thread),
        labels: labels(&["INBOX"]),
        received: time(seconds),
        headers: headers(&format!("Subject of {id}"), &format!("Sender of {id}"), "x@example.com"),
        sealed: Some(format!("sealed {id}").into_bytes()),
    }
}

pub(super) fn headers(subject: &str, from: &str, address: &str) -> Option<StoredHeaders> {
    Some(StoredHeaders {
        subject: subject.to_owned(),
        from: from.to_owned(),
        subject_key: fold(subject),
        participants_key: format!("{}\n{}\n", fold(from), fold(address)),
    })
}

/// Text as queries fold it.
fn fold(text: &str) -> String {
    InboxQuery::all().with_subject(text).folded().subject.join(" ")
}

fn reference(id: &str, thread: &str) -> MessageRef {
    MessageRef {
        id: id.into(),
        thread: thread.into(),
    }
}

pub(super) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

pub(super) fn labels(names: &[&str]) -> Vec<LabelId> {
    names.iter().map(|name| LabelId::from(*name)).collect()
}

#[cfg(test)]
#[path = "inbox_store_tests.rs"]
mod tests;
