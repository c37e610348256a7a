//! From a page of changes to what has to be done about it.

use std::collections::{HashMap, HashSet};

use crate::ids::{LabelId, MessageId};
use crate::mail::{MailChange, MessageRef};
use crate::sync::engine::batch::Batch;
use crate::sync::{KnownMessage, MailSignal, MessageFault, Relabel, Removal, SyncSettings};

/// One message to read.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) message: MessageRef,
    /// Whether a row of it is stored, or is about to be.
    pub(super) stored: bool,
    /// Failures of earlier runs.
    pub(super) fault: Option<MessageFault>,
    /// Announced just now: "not found" may mean "not yet".
    pub(super) fresh: bool,
    /// How often it was looked for.
    pub(super) looks: u32,
}

impl Job {
    pub(super) fn new(message: MessageRef) -> Self {
        Self {
            message,
            stored: false,
            fault: None,
            fresh: false,
            looks: 0,
        }
    }
}

/// What a page comes to: work that needs no fetch is in the batch already.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) jobs: Vec<Job>,
    pub(super) batch: Batch,
    /// Every message this page says something about.
    pub(super) touched: HashSet<MessageId>,
}

/// What a page was read for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub(super) settings: &'a SyncSettings,
    /// Generation of the newest listing.
    pub(super) generation: u64,
    /// Whether known messages are to be read again.
    pub(super) refresh: bool,
}

/// What a page of changes says about one message, all taken together.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) message: MessageRef,
    present: bool,
    deleted: bool,
    /// The last word on each label.
    labels: Vec<(LabelId, bool)>,
}

/// Folds the changes of one page to one entry for each message, in the order in which they are first named. Later changes
/// override earlier ones.
pub(super) fn fold(changes: Vec<MailChange>) -> Vec<Folded> {
    let mut index: HashMap<MessageId, usize> = HashMap::with_capacity(changes.len());
    let mut folded: Vec<Folded> = Vec::with_capacity(changes.len());
    for change in changes {
        let (message, added, removed) = match change {
            MailChange::Present(message) => {
                let entry = entry(&mut index, &mut folded, message);
                if let Some(entry) = entry {
                    entry.present = true;
                    entry.deleted = false;
                }
                continue;
            }
            MailChange::Deleted(message) => {
                let entry = entry(&mut index, &mut folded, message);
                if let Some(entry) = entry {
                    entry.present = false;
                    entry.deleted = true;
                    entry.labels.clear();
                }
                continue;
            }
            MailChange::Labels {
                message,
                added,
                removed,
            } => (message, added, removed),
        };
        let Some(entry) = entry(&mut index, &mut folded, message) else {
            continue;
        };
        let changed = added
            .into_iter()
            .map(|label| (label, true))
            .chain(removed.into_iter().map(|label| (label, false)));
        for (label, on) in changed {
            match entry.labels.iter_mut().find(|(known, _)| *known == label) {
                Some(known) => known.1 = on,
                None => entry.labels.push((label, on)),
            }
        }
    }
    folded
}

fn entry<'a>(
    index: &mut HashMap<MessageId, usize>,
    folded: &'a mut Vec<Folded>,
    message: MessageRef,
) -> Option<&'a mut Folded> {
    let at = *index.entry(message.id.clone()).or_insert_with(|| {
        folded.push(Folded {
            message,
            present: false,
            deleted: false,
            labels: Vec::new(),
        });
        folded.len() - 1
    });
    folded.get_mut(at)
}

/// Plans a page of a listing. `pending`: messages named by earlier pages that are not committed yet.
pub(super) fn listing(
    context: Context<'_>,
    folded: Vec<Folded>,
    known: Vec<KnownMessage>,
    pending: impl Fn(&MessageId) -> bool,
) -> Plan {
    let mut plan = Plan::default();
    for (entry, known) in folded.into_iter().zip(known) {
        plan.touched.insert(entry.message.id.clone());
        let stored = known.labels.is_some();
        let behind = known.generation < context.generation;
        if pending(&entry.message.id) || known.fault.is_some() {
            plan.batch.counts.duplicates += 1;
        } else if !stored || known.generation == 0 || (behind && context.refresh) {
            plan.jobs.push(Job {
                stored,
                ..Job::new(entry.message)
            });
        } else {
            plan.batch.counts.duplicates += 1;
            if behind {
                plan.batch.commit.seen.push(entry.message.id);
            }
        }
    }
    plan
}

/// Plans a page of changes. A message that an earlier page has named and that is not committed yet is read anew: what the provider
/// says now is true whatever came before.
pub(super) fn changes(
    context: Context<'_>,
    folded: Vec<Folded>,
    known: Vec<KnownMessage>,
    pending: impl Fn(&MessageId) -> bool,
) -> Plan {
    let mut plan = Plan::default();
    for (entry, known) in folded.into_iter().zip(known) {
        let Folded {
            message,
            present,
            deleted,
            labels,
        } = entry;
        plan.touched.insert(message.id.clone());
        let pending = pending(&message.id);
        if deleted {
            if known.fault.is_some() {
                plan.batch.commit.cured.push(message.id.clone());
            }
            if known.labels.is_some() || pending {
                plan.batch.remove(message, Removal::Deleted);
            }
            continue;
        }
        if pending {
            plan.jobs.push(Job {
                stored: true,
                fresh: present,
                ..Job::new(message)
            });
            continue;
        }
        if known.fault.is_some() {
            // Its turn comes with the next run, or when the operator says so.
            plan.batch.counts.duplicates += 1;
            continue;
        }
        let (announced, known) = match known.labels {
            Some(_) if known.generation == 0 => (true, None),
            labels => (false, labels),
        };
        let Some(old) = known else {
            let put_aside = labels
                .iter()
                .any(|(label, on)| *on && context.settings.excluded_labels.contains(label));
            if put_aside && !announced {
                plan.batch.counts.excluded += 1;
            } else {
                plan.jobs.push(Job {
                    stored: announced,
                    fresh: present,
                    ..Job::new(message)
                });
            }
            continue;
        };
        let new = apply(&old, &labels);
        if context.settings.excludes(&new) {
            plan.batch.remove(message, Removal::Excluded);
        } else if new != old {
            plan.batch.relabel(message, new);
        } else {
            plan.batch.counts.duplicates += 1;
        }
    }
    plan
}

/// The labels after a change, in their stored order, new ones at the end.
fn apply(old: &[LabelId], changed: &[(LabelId, bool)]) -> Vec<LabelId> {
    let off = |label: &LabelId| changed.iter().any(|(name, on)| name == label && !on);
    let mut new: Vec<LabelId> = old.iter().filter(|label| !off(label)).cloned().collect();
    for (label, on) in changed {
        if *on && !new.contains(label) {
            new.push(label.clone());
        }
    }
    new
}

impl Batch {
    pub(super) fn remove(&mut self, message: MessageRef, cause: Removal) {
        self.counts.removed += 1;
        self.commit.removals.push(message.id.clone());
        self.signals.push(MailSignal::Removed { message, cause });
    }

    fn relabel(&mut self, message: MessageRef, labels: Vec<LabelId>) {
        self.counts.relabeled += 1;
        self.commit.relabels.push(Relabel {
            message: message.id.clone(),
            labels: labels.clone(),
        });
        self.signals.push(MailSignal::Labels { message, labels });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str) -> MessageRef {
        MessageRef {
            id: id.into(),
            thread: "t".into(),
        }
    }

    fn labels(id: &str, added: &[&str], removed: &[&str]) -> MailChange {
        let ids = |names: &[&str]| names.iter().map(|name| LabelId::from(*name)).collect();
        MailChange::Labels {
            message: message(id),
            added: ids(added),
            removed: ids(removed),
        }
    }

    /// What one page of changes about message `m`, stored with these labels or unknown, comes to.
    fn outcome(stored: Option<&[&str]>, changes: Vec<MailChange>) -> String {
        let settings = SyncSettings::default();
        let context = Context {
            settings: &settings,
            generation: 1,
            refresh: false,
        };
        let known = KnownMessage {
            labels: stored.map(|names| names.iter().map(|name| LabelId::from(*name)).collect()),
            generation: 1,
            fault: None,
        };
        let plan = super::changes(context, fold(changes), vec![known], |_| false);
        let commit = plan.batch.commit;
        if let Some(job) = plan.jobs.first() {
            return format!("fetch{}", if job.fresh { " fresh" } else { "" });
        }
        if let Some(relabel) = commit.relabels.first() {
            let names: Vec<&str> = relabel.labels.iter().map(LabelId::as_str).collect();
            return format!("relabel {}", names.join(" "));
        }
        match plan.batch.signals.first() {
            Some(MailSignal::Removed { cause, .. }) => format!("remove {cause:?}"),
            _ => "nothing".to_owned(),
        }
    }

    #[test]
    fn changes_come_to_one_step_for_each_message() {
        let present = || MailChange::Present(message("m"));
        let deleted = || MailChange::Deleted(message("m"));
        for (stored, changes, expected) in [
            (None, vec![present()], "fetch fresh"),
            (None, vec![present(), present()], "fetch fresh"),
            (None, vec![labels("m", &["A"], &[])], "fetch"),
            (None, vec![labels("m", &[], &["TRASH"])], "fetch"),
            (None, vec![present(), labels("m", &["TRASH"], &[])], "nothing"),
            (
                None,
                vec![labels("m", &["SPAM"], &[]), labels("m", &[], &["SPAM"])],
                "fetch",
            ),
            (None, vec![present(), deleted()], "nothing"),
            (None, vec![deleted(), present()], "fetch fresh"),
            (Some(["INBOX"].as_slice()), vec![present()], "nothing"),
            (Some(&["INBOX"]), vec![labels("m", &["A"], &["INBOX"])], "relabel A"),
            (Some(&["INBOX"]), vec![labels("m", &["INBOX"], &[])], "nothing"),
            (
                Some(&["INBOX"]),
                vec![labels("m", &["A"], &[]), labels("m", &["B"], &["A"])],
                "relabel INBOX B",
            ),
            (Some(&["INBOX"]), vec![labels("m", &["TRASH"], &[])], "remove Excluded"),
            (
                Some(&["INBOX"]),
                vec![labels("m", &["A"], &[]), deleted()],
                "remove Deleted",
            ),
        ] {
            let shown = format!("{stored:?} {changes:?}");
            assert_eq!(outcome(stored, changes), expected, "{shown}");
        }
    }

    #[test]
    fn a_message_named_by_an_uncommitted_page_is_read_anew() {
        let settings = SyncSettings::default();
        let context = Context {
            settings: &settings,
            generation: 1,
            refresh: false,
        };
        let known = KnownMessage {
            labels: Some(vec!["INBOX".into()]),
            generation: 1,
            fault: None,
        };
        let plan = changes(context, fold(vec![labels("m", &[], &["TRASH"])]), vec![known], |_| true);
        assert_eq!(plan.jobs.len(), 1);
        assert!(plan.batch.commit.is_empty());
    }

    #[test]
    fn a_repair_reads_what_it_has_not_touched() {
        let settings = SyncSettings::default();
        let known = |generation| KnownMessage {
            labels: Some(Vec::new()),
            generation,
            fault: None,
        };
        let page = || fold(["a", "b", "c"].map(|id| MailChange::Present(message(id))).to_vec());
        let knowns = || vec![known(1), known(2), KnownMessage::default()];
        for (refresh, jobs, seen) in [(true, vec!["a", "c"], 0), (false, vec!["c"], 1)] {
            let context = Context {
                settings: &settings,
                generation: 2,
                refresh,
            };
            let plan = listing(context, page(), knowns(), |_| false);
            let ids: Vec<&str> = plan.jobs.iter().map(|job| job.message.id.as_str()).collect();
            assert_eq!(ids, jobs);
            assert_eq!(plan.batch.commit.seen.len(), seen);
        }
    }
}
