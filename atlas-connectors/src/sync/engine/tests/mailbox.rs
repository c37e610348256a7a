//! A mailbox in memory, with a change feed, pages and faults.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use crate::action::{Approved, Prepared, Reconciled, Sent};
use crate::clock::Timestamp;
use crate::connection::ConnectionRef;
use crate::error::{Error, ErrorKind, Result, ThrottleScope};
use crate::http::ByteStream;
use crate::ids::{Epoch, LabelId, MessageId, ThreadId};
use crate::mail::{
    ChangePage, Label, LabelChange, MailChange, MailQuery, Mailbox, MailboxCapabilities, MailboxProfile, Message,
    MessageMeta, MessageRef, OutgoingMessage, PartRef, SyncCursor, SyncPoint, Thread,
};
use crate::page::{Page, PageToken};

/// Small random numbers that are the same for the same seed.
#[derive(Debug)]
pub(super) struct Lots(u64);

impl Lots {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// True in so many of a hundred cases.
    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// A mailbox under test. Clones share the mail.
#[derive(Clone, Debug)]
pub(super) struct FakeMailbox {
    connection: ConnectionRef,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) mail: BTreeMap<MessageId, Mail>,
    history: Vec<(u64, MailChange)>,
    head: u64,
    /// Cursors before this one are forgotten.
    oldest: u64,
    pub(super) page: usize,
    made: u64,
    pub(super) lots: Lots,
    /// In percent: a call fails for the moment.
    pub(super) transient: u64,
    /// In percent: a page of changes comes with repeated and reordered records.
    pub(super) disorder: u64,
    /// In percent: something changes right before a page is read.
    pub(super) busy: u64,
    /// In percent: right before a page of changes is read, everything older is forgotten.
    pub(super) forgetful: u64,
    /// Every baseline is forgotten at once.
    pub(super) stale: bool,
    /// What reading a message answers instead, and how often.
    pub(super) spoiled: HashMap<MessageId, (ErrorKind, u32)>,
    pub(super) calls: Calls,
}

#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub(super) thread: ThreadId,
    pub(super) labels: Vec<LabelId>,
    pub(super) received: Timestamp,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    pub(super) listings: u64,
    pub(super) follows: u64,
    pub(super) messages: u64,
    pub(super) at_once: u64,
    pub(super) most_at_once: u64,
}

impl FakeMailbox {
    pub(super) fn new(seed: u64) -> Self {
        let state = State {
            mail: BTreeMap::new(),
            history: Vec::new(),
            head: 1000,
            oldest: 0,
            page: 7,
            made: 0,
            lots: Lots::new(seed),
            transient: 0,
            disorder: 0,
            busy: 0,
            forgetful: 0,
            stale: false,
            spoiled: HashMap::new(),
            calls: Calls::default(),
        };
        Self {
            connection: ConnectionRef {
                tenant: "acme".into(),
                connection: "c1".into(),
                epoch: Epoch::FIRST,
                provider: "fake".into(),
            },
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The same mail under another epoch.
    pub(super) fn reconnected(&self) -> Self {
        let mut again = self.clone();
        again.connection.epoch = again.connection.epoch.next();
        again
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    pub(super) fn deliver(&mut self, labels: &[&str]) -> MessageId {
        self.made += 1;
        // Ids are in no order, and some messages are received at the same moment.
        let id = MessageId::new(format!("{:08x}", self.made.wrapping_mul(2_654_435_761) & 0xFFFF_FFFF));
        let mail = Mail {
            thread: ThreadId::new(format!("t{}", self.made / 3)),
            labels: labels.iter().map(|label| LabelId::from(*label)).collect(),
            received: Timestamp::from_unix_seconds(1_700_000_000 + i64::try_from(self.made / 2).unwrap()),
        };
        let change = MailChange::Present(reference(&id, &mail));
        self.mail.insert(id.clone(), mail);
        self.record(change);
        id
    }

    pub(super) fn relabel(&mut self, id: &MessageId, added: &[&str], removed: &[&str]) {
        let ids = |names: &[&str]| -> Vec<LabelId> { names.iter().map(|name| LabelId::from(*name)).collect() };
        let (added, removed) = (ids(added), ids(removed));
        let mail = self.mail.get_mut(id).unwrap();
        mail.labels
            .retain(|label| !removed.contains(label) && !added.contains(label));
        mail.labels.extend(added.iter().cloned());
        let message = reference(id, mail);
        self.record(MailChange::Labels {
            message,
            added,
            removed,
        });
    }

    pub(super) fn delete(&mut self, id: &MessageId) {
        let mail = self.mail.remove(id).unwrap();
        self.record(MailChange::Deleted(reference(id, &mail)));
    }

    pub(super) fn forget_history(&mut self) {
        self.oldest = self.head;
    }

    /// Something happens in the mailbox.
    pub(super) fn live(&mut self) {
        let kind = self.lots.below(10);
        let some = self.mail.len() as u64;
        let id = match some {
            0 => None,
            some => self
                .mail
                .keys()
                .nth(usize::try_from(self.lots.below(some)).unwrap())
                .cloned(),
        };
        match (kind, id) {
            (0..=3, _) | (_, None) => {
                let labels: &[&str] = match self.lots.below(6) {
                    0 => &["SPAM"],
                    1 => &["DRAFT"],
                    _ => &["INBOX", "UNREAD"],
                };
                self.deliver(labels);
            }
            (4, Some(id)) => self.relabel(&id, &[], &["UNREAD"]),
            (5, Some(id)) => self.relabel(&id, &["STARRED"], &["INBOX"]),
            (6, Some(id)) => self.relabel(&id, &["TRASH"], &["INBOX"]),
            (7, Some(id)) => self.relabel(&id, &["INBOX"], &["TRASH", "SPAM", "DRAFT"]),
            (_, Some(id)) => self.delete(&id),
        }
    }

    fn record(&mut self, change: MailChange) {
        self.head += 1 + self.lots.below(3);
        self.history.push((self.head, change));
    }

    fn fail_sometimes(&mut self) -> Result<()> {
        if !self.lots.percent(self.transient) {
            return Ok(());
        }
        let throttled = ErrorKind::Throttled {
            scope: ThrottleScope::Account,
            until: None,
        };
        let kind = if self.lots.percent(50) {
            throttled
        } else {
            ErrorKind::Transient
        };
        Err(Error::new(kind, "fake"))
    }

    fn list(&mut self, include_spam_trash: bool, since: Option<Timestamp>, page: Option<&PageToken>) -> ChangePage {
        self.calls.listings += 1;
        let baseline = page.is_none().then(|| SyncCursor::new(self.head.to_string()));
        if self.stale && page.is_none() {
            self.oldest = self.head + 1;
        }
        let hidden = |mail: &Mail| {
            mail.labels
                .iter()
                .any(|label| matches!(label.as_str(), "SPAM" | "TRASH"))
        };
        let mut all: Vec<(Timestamp, MessageId)> = self
            .mail
            .iter()
            .filter(|(_, mail)| {
                (include_spam_trash || !hidden(mail)) && since.is_none_or(|since| mail.received >= since)
            })
            .map(|(id, mail)| (mail.received, id.clone()))
            .collect();
        all.sort();
        all.reverse();
        let estimate = all.len() as u64;
        if let Some(page) = page {
            let (millis, id) = page.as_str().split_once('/').unwrap();
            let last = (
                Timestamp::from_unix_millis(millis.parse().unwrap()),
                MessageId::from(id),
            );
            // Pages shift when mail arrives: the last one comes again.
            let again = self.page > 1 && self.lots.percent(self.disorder);
            all.retain(|place| *place < last || (again && *place == last));
        }
        let more = all.len() > self.page;
        all.truncate(self.page);
        let next = all
            .last()
            .filter(|_| more)
            .map(|(at, id)| PageToken::new(format!("{}/{id}", at.unix_millis())));
        let changes = all
            .iter()
            .map(|(_, id)| MailChange::Present(reference(id, &self.mail[id])))
            .collect();
        ChangePage {
            changes,
            next,
            cursor: baseline,
            estimate: Some(estimate),
        }
    }

    fn follow(&mut self, cursor: &SyncCursor, page: Option<&PageToken>) -> Result<ChangePage> {
        self.calls.follows += 1;
        if self.lots.percent(self.forgetful) {
            self.forget_history();
        }
        let cursor: u64 = cursor.as_str().parse().unwrap();
        if cursor < self.oldest {
            return Err(Error::new(ErrorKind::CursorExpired, "fake"));
        }
        let after = page.map_or(cursor, |page| page.as_str().parse().unwrap());
        let mut records: Vec<(u64, MailChange)> = self.history.iter().filter(|(id, _)| *id > after).cloned().collect();
        let more = records.len() > self.page;
        records.truncate(self.page);
        let last = records.last().map(|(id, _)| *id);
        let mut changes: Vec<MailChange> = records.into_iter().map(|(_, change)| change).collect();
        if self.lots.percent(self.disorder) {
            let repeated: Vec<MailChange> = changes
                .iter()
                .flat_map(|change| [change.clone(), change.clone()])
                .collect();
            changes = repeated;
            let salt = self.lots.below(1000);
            // Records of different messages change places, those of one message keep their order.
            changes.sort_by_key(|change| {
                let (MailChange::Present(message) | MailChange::Deleted(message) | MailChange::Labels { message, .. }) =
                    change;
                message
                    .id
                    .as_str()
                    .bytes()
                    .fold(salt, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
                    % 17
            });
        }
        Ok(ChangePage {
            changes,
            next: last.filter(|_| more).map(|last| PageToken::new(last.to_string())),
            cursor: (!more).then(|| SyncCursor::new(self.head.to_string())),
            estimate: None,
        })
    }

    fn read(&mut self, id: &MessageId) -> Result<Message> {
        self.fail_sometimes()?;
        if let Some((kind, times)) = self.spoiled.get_mut(id)
            && *times > 0
        {
            *times -= 1;
            return Err(Error::new(kind.clone(), "fake"));
        }
        let missing = || Error::new(ErrorKind::NotFound { object: "message" }, "fake");
        let mail = self.mail.get(id).ok_or_else(missing)?;
        let raw =
            format!("From: Sender {id} <s@example.com>\r\nTo: me@example.org\r\nSubject: Order {id}\r\n\r\nBody\r\n");
        let meta = MessageMeta {
            id: id.clone(),
            thread: mail.thread.clone(),
            labels: mail.labels.clone(),
            received: mail.received,
            size: Some(raw.len() as u64),
        };
        Ok(Message::parse(meta, raw.as_bytes()))
    }
}

fn reference(id: &MessageId, mail: &Mail) -> MessageRef {
    MessageRef {
        id: id.clone(),
        thread: mail.thread.clone(),
    }
}

fn unsupported<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported { what: "fake" }, "fake"))
}

#[async_trait]
impl Mailbox for FakeMailbox {
    fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    fn capabilities(&self) -> MailboxCapabilities {
        MailboxCapabilities::default()
    }

    async fn profile(&self) -> Result<MailboxProfile> {
        unsupported()
    }

    async fn changes(&self, from: &SyncPoint, page: Option<&PageToken>) -> Result<ChangePage> {
        tokio::task::yield_now().await;
        let answer = {
            let mut state = self.state();
            state.fail_sometimes()?;
            let chance = state.busy;
            if state.lots.percent(chance) {
                state.live();
            }
            match from {
                SyncPoint::Listing(listing) => Ok(state.list(listing.include_spam_trash, listing.since, page)),
                SyncPoint::After(cursor) => state.follow(cursor, page),
            }
        };
        tokio::task::yield_now().await;
        answer
    }

    async fn message(&self, id: &MessageId) -> Result<Message> {
        let pauses = {
            let mut state = self.state();
            state.calls.messages += 1;
            state.calls.at_once += 1;
            state.calls.most_at_once = state.calls.most_at_once.max(state.calls.at_once);
            state.lots.below(4)
        };
        for _ in 0..=pauses {
            tokio::task::yield_now().await;
        }
        let answer = self.state().read(id);
        tokio::task::yield_now().await;
        let mut state = self.state();
        state.calls.at_once = state.calls.at_once.saturating_sub(1);
        answer
    }

    async fn thread(&self, _: &ThreadId) -> Result<Thread> {
        unsupported()
    }

    async fn attachment(&self, _: &PartRef) -> Result<ByteStream> {
        unsupported()
    }

    async fn search(&self, _: &MailQuery, _: Option<&PageToken>) -> Result<Page<MessageRef>> {
        unsupported()
    }

    async fn labels(&self) -> Result<Vec<Label>> {
        unsupported()
    }

    async fn organize(&self, _: &Approved<LabelChange>) -> Result<()> {
        unsupported()
    }

    async fn prepare(&self, _: &Approved<OutgoingMessage>) -> Result<Prepared> {
        unsupported()
    }

    async fn read_back(&self, _: &Prepared) -> Result<Option<Bytes>> {
        unsupported()
    }

    async fn commit(&self, _: Prepared) -> Result<Sent> {
        unsupported()
    }

    async fn reconcile(&self, _: &Prepared) -> Result<Reconciled> {
        unsupported()
    }

    async fn sweep(&self, _: &Prepared) -> Result<()> {
        unsupported()
    }
}
