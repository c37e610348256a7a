//! One mailbox: messages, threads, labels, drafts and the history of what happened to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use atlas_connectors::Timestamp;

use super::mime;

/// Label ids of a message, in the order in which they were put on. Shared between messages until one changes.
pub(super) type Labels = Arc<Vec<String>>;

/// Where the bytes of a message come from.
#[derive(Clone)]
pub(super) enum Raw {
    Bytes(Arc<[u8]>),
    /// Made when asked for, so that a hundred thousand messages cost no memory.
    Template {
        make: Template,
        n: u64,
    },
}

/// Makes the n-th message of a series.
pub(super) type Template = Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>;

impl Raw {
    pub(super) fn bytes(&self) -> Arc<[u8]> {
        match self {
            Self::Bytes(bytes) => Arc::clone(bytes),
            Self::Template { make, n } => Arc::from(make(*n)),
        }
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Template { n, .. } => write!(f, "Template({n})"),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) thread: u64,
    /// Milliseconds since 1970.
    pub(super) date: i64,
    pub(super) labels: Labels,
    pub(super) raw: Raw,
    pub(super) history: u64,
}

impl Stored {
    pub(super) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|one| one == label)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Added,
    Deleted,
    LabelsAdded(Vec<String>),
    LabelsRemoved(Vec<String>),
}

#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) message: u64,
    pub(super) thread: u64,
    /// Labels right after the event.
    pub(super) labels: Labels,
    pub(super) event: Event,
}

#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) name: String,
    pub(super) message_list: String,
    pub(super) label_list: String,
    pub(super) color: Option<(String, String)>,
}

#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) topic: String,
    pub(super) expires: Timestamp,
}

/// What the history list does besides telling the truth.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HistoryHabits {
    pub(super) empty_pages: bool,
    pub(super) repeats: bool,
}

#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) email: String,
    pub(super) messages: BTreeMap<u64, Stored>,
    pub(super) threads: BTreeMap<u64, Vec<u64>>,
    /// By date, then id: the order of lists, read from the end.
    pub(super) order: BTreeSet<(i64, u64)>,
    by_message_id: HashMap<String, u64>,
    /// User labels by id.
    pub(super) labels: BTreeMap<String, Label>,
    /// Draft id to the message that holds its content now.
    pub(super) drafts: BTreeMap<String, u64>,
    pub(super) history: Vec<Record>,
    pub(super) history_id: u64,
    /// Start ids below this are too old.
    pub(super) history_floor: u64,
    pub(super) habits: HistoryHabits,
    pub(super) watch: Option<Watch>,
    /// Attachment ids of an earlier generation are refused.
    pub(super) attachment_generation: u64,
    next_message: u64,
    next_label: u64,
    next_draft: u64,
}

/// Labels that every mailbox has.
pub(super) const SYSTEM_LABELS: [&str; 15] = [
    "CHAT",
    "SENT",
    "INBOX",
    "IMPORTANT",
    "TRASH",
    "DRAFT",
    "SPAM",
    "CATEGORY_FORUMS",
    "CATEGORY_UPDATES",
    "CATEGORY_PERSONAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_SOCIAL",
    "YELLOW_STAR",
    "STARRED",
    "UNREAD",
];

impl Mailbox {
    pub(super) fn new(email: &str, number: u64) -> Self {
        Self {
            email: email.to_owned(),
            messages: BTreeMap::new(),
            threads: BTreeMap::new(),
            order: BTreeSet::new(),
            by_message_id: HashMap::new(),
            labels: BTreeMap::new(),
            drafts: BTreeMap::new(),
            history: Vec::new(),
            history_id: 20_177_000 + number * 1_000_003,
            history_floor: 0,
            habits: HistoryHabits::default(),
            watch: None,
            attachment_generation: 0,
            // The same mail has another id in every mailbox.
            next_message: 0x18f5_0000_0000_0000 + (number << 40),
            next_label: 1,
            next_draft: 1,
        }
    }

    /// Puts a mail in: into the thread given, or the one its headers name, or a new one.
    pub(super) fn add(&mut self, raw: Raw, labels: Labels, thread: Option<u64>, date: Timestamp) -> u64 {
        let id = self.fresh_id();
        let thread = match (&raw, thread) {
            (_, Some(thread)) => thread,
            (Raw::Bytes(bytes), None) => self.thread_of(bytes).unwrap_or(id),
            (Raw::Template { .. }, None) => id,
        };
        if let Raw::Bytes(bytes) = &raw
            && let Some(message_id) =
                mime::header(bytes, "Message-ID").and_then(|value| mime::message_ids(&value).pop())
        {
            self.by_message_id.insert(message_id, id);
        }
        self.put(
            id,
            Stored {
                thread,
                date: date.unix_millis(),
                labels,
                raw,
                history: 0,
            },
        );
        self.record(id, Event::Added);
        id
    }

    /// Puts a mail in that was there before history began.
    pub(super) fn add_old(&mut self, raw: Raw, labels: Labels, date: Timestamp) -> u64 {
        let id = self.fresh_id();
        let history = self.history_id;
        self.put(
            id,
            Stored {
                thread: id,
                date: date.unix_millis(),
                labels,
                raw,
                history,
            },
        );
        id
    }

    fn put(&mut self, id: u64, stored: Stored) {
        self.order.insert((stored.date, id));
        self.threads.entry(stored.thread).or_default().push(id);
        self.messages.insert(id, stored);
    }

    /// The thread that a mail's `In-Reply-To` and `References` lead to, if its subject is still the thread's.
    pub(super) fn thread_of(&self, raw: &[u8]) -> Option<u64> {
        let subject = mime::base_subject(&mime::subject(raw));
        self.referenced(raw).into_iter().find_map(|id| {
            let stored = self.messages.get(&id)?;
            let other = mime::base_subject(&mime::subject(&stored.raw.bytes()));
            (other == subject).then_some(stored.thread)
        })
    }

    /// Messages of this mailbox that a mail answers, the nearest first.
    fn referenced(&self, raw: &[u8]) -> Vec<u64> {
        let mut ids: Vec<String> = mime::header(raw, "In-Reply-To")
            .map(|value| mime::message_ids(&value))
            .unwrap_or_default();
        ids.extend(
            mime::header(raw, "References")
                .map(|value| mime::message_ids(&value))
                .unwrap_or_default()
                .into_iter()
                .rev(),
        );
        ids.iter()
            .filter_map(|id| self.by_message_id.get(id).copied())
            .collect()
    }

    /// Whether a mail sent into this thread stays there: headers that name a message of it and the same subject.
    pub(super) fn belongs(&self, raw: &[u8], thread: u64) -> bool {
        let Some(members) = self.threads.get(&thread) else {
            return false;
        };
        let mut named = mime::header(raw, "In-Reply-To")
            .map(|value| mime::message_ids(&value))
            .unwrap_or_default();
        named.extend(
            mime::header(raw, "References")
                .map(|value| mime::message_ids(&value))
                .unwrap_or_default(),
        );
        let subject = mime::base_subject(&mime::subject(raw));
        members.iter().filter_map(|id| self.messages.get(id)).any(|stored| {
            let bytes = stored.raw.bytes();
            let own = mime::header(&bytes, "Message-ID").and_then(|value| mime::message_ids(&value).pop());
            own.is_some_and(|own| named.contains(&own)) && mime::base_subject(&mime::subject(&bytes)) == subject
        })
    }

    /// Adds and removes labels; whether anything changed.
    pub(super) fn relabel(&mut self, id: u64, add: &[String], remove: &[String]) -> bool {
        let Some(stored) = self.messages.get_mut(&id) else {
            return false;
        };
        let added: Vec<String> = add
            .iter()
            .filter(|label| !stored.labels.contains(label))
            .cloned()
            .collect();
        let removed: Vec<String> = remove
            .iter()
            .filter(|label| stored.labels.contains(label) && !add.contains(label))
            .cloned()
            .collect();
        if added.is_empty() && removed.is_empty() {
            return false;
        }
        let labels = Arc::make_mut(&mut stored.labels);
        labels.retain(|label| !removed.contains(label));
        labels.extend(added.iter().cloned());
        if !added.is_empty() {
            self.record(id, Event::LabelsAdded(added));
        }
        if !removed.is_empty() {
            self.record(id, Event::LabelsRemoved(removed));
        }
        true
    }

    /// Deletes for good.
    pub(super) fn remove(&mut self, id: u64) -> Option<Stored> {
        self.messages.contains_key(&id).then(|| self.record(id, Event::Deleted));
        let stored = self.messages.remove(&id)?;
        self.order.remove(&(stored.date, id));
        if let Some(members) = self.threads.get_mut(&stored.thread) {
            members.retain(|member| *member != id);
            if members.is_empty() {
                self.threads.remove(&stored.thread);
            }
        }
        if let Raw::Bytes(bytes) = &stored.raw
            && let Some(message_id) =
                mime::header(bytes, "Message-ID").and_then(|value| mime::message_ids(&value).pop())
            && self.by_message_id.get(&message_id) == Some(&id)
        {
            self.by_message_id.remove(&message_id);
        }
        self.drafts.retain(|_, message| *message != id);
        Some(stored)
    }

    /// Replaces a draft's content: a new message takes the place of the old one.
    pub(super) fn rewrite_draft(
        &mut self,
        draft: &str,
        raw: Vec<u8>,
        thread: Option<u64>,
        now: Timestamp,
    ) -> Option<u64> {
        let old = self.drafts.get(draft).copied()?;
        let kept = self.messages.get(&old)?.thread;
        // The thread must outlive its only message.
        let new = self.add(
            Raw::Bytes(raw.into()),
            draft_labels(),
            Some(thread.unwrap_or(kept)),
            now,
        );
        self.remove(old);
        self.drafts.insert(draft.to_owned(), new);
        Some(new)
    }

    pub(super) fn new_draft(&mut self, message: u64) -> String {
        self.next_draft += 1;
        let id = format!("r-{}", 7_000_000_000_000_000_000 + self.next_draft * 90_007_001);
        self.drafts.insert(id.clone(), message);
        id
    }

    pub(super) fn new_label(&mut self, label: Label) -> String {
        let id = format!("Label_{}", self.next_label);
        self.next_label += 1;
        self.labels.insert(id.clone(), label);
        id
    }

    pub(super) fn label_exists(&self, id: &str) -> bool {
        SYSTEM_LABELS.contains(&id) || self.labels.contains_key(id)
    }

    /// Id of the label with this name, compared without case.
    pub(super) fn label_named(&self, name: &str) -> Option<String> {
        let lower = name.to_lowercase();
        SYSTEM_LABELS
            .iter()
            .find(|label| label.to_lowercase() == lower)
            .map(|label| (*label).to_owned())
            .or_else(|| {
                self.labels
                    .iter()
                    .find(|(_, label)| label.name.to_lowercase() == lower)
                    .map(|(id, _)| id.clone())
            })
    }

    fn record(&mut self, message: u64, event: Event) {
        self.history_id += 1 + (self.history_id * 7 + message) % 11;
        let id = self.history_id;
        if let Some(stored) = self.messages.get_mut(&message) {
            stored.history = id;
            let (thread, labels) = (stored.thread, Arc::clone(&stored.labels));
            self.history.push(Record {
                id,
                message,
                thread,
                labels,
                event,
            });
        }
    }

    fn fresh_id(&mut self) -> u64 {
        // Distances as between real ids: not contiguous.
        self.next_message += 0x1_0000 + (self.next_message % 7919);
        self.next_message
    }
}

pub(super) fn draft_labels() -> Labels {
    Arc::new(vec!["DRAFT".to_owned()])
}

/// 16 hexadecimal digits.
pub(super) fn hex(id: u64) -> String {
    format!("{id:016x}")
}

/// The id behind 16 hexadecimal digits; `None` for anything else.
pub(super) fn parse_hex(text: &str) -> Option<u64> {
    (!text.is_empty() && text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| u64::from_str_radix(text, 16).ok())
        .flatten()
}
