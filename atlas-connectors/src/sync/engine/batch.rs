//! What is ready to be committed.

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::mail::{Message, MessageRef};
use crate::sync::engine::handle::Inner;
use crate::sync::engine::plan::Job;
use crate::sync::item::headers_of;
use crate::sync::sealed;
use crate::sync::{MailSignal, MessageFault, Removal, StoredMessage, SyncCommit, SyncCounts};

/// Counted for a message whose size nobody told.
const USUAL_BYTES: u64 = 4096;

/// Data for the store and signals for the sink that belong to the same step.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) commit: SyncCommit,
    pub(super) signals: Vec<MailSignal>,
    /// Messages that are new to the sink.
    pub(super) announced: Vec<MessageRef>,
    pub(super) counts: SyncCounts,
    /// Bytes held, about.
    pub(super) bytes: usize,
    /// When the newest message in it was received.
    pub(super) newest: Option<Timestamp>,
}

impl Batch {
    /// Takes in a message that was read.
    pub(super) fn take(&mut self, inner: &Inner, job: Job, mut message: Message) -> Result<()> {
        self.counts.fetched += 1;
        if job.fault.is_some() {
            self.commit.cured.push(job.message.id.clone());
        }
        if !inner.settings.wants(&message.meta.labels, message.meta.received) {
            self.counts.excluded += 1;
            if job.stored {
                self.remove(job.message, Removal::Excluded);
            }
            return Ok(());
        }
        if inner.sink.is_some() && !job.stored {
            self.announced.push(job.message.clone());
        }
        let mut stored = StoredMessage {
            message: job.message,
            labels: message.meta.labels.clone(),
            received: message.meta.received,
            headers: None,
            sealed: None,
        };
        let mut bytes = message.meta.size.unwrap_or(USUAL_BYTES);
        if let Some(sealer) = &inner.sealer {
            stored.headers = Some(headers_of(&message));
            let sealed = sealed::seal(sealer, &inner.key, &mut message)?;
            bytes = u64::try_from(sealed.len()).unwrap_or(u64::MAX);
            stored.sealed = Some(sealed);
        }
        self.counts.stored += 1;
        self.counts.bytes = self.counts.bytes.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(usize::try_from(bytes).unwrap_or(usize::MAX));
        self.newest = self.newest.max(Some(stored.received));
        self.commit.upserts.push(stored);
        if inner.sink.is_some() {
            self.signals.push(MailSignal::Message(Box::new(message)));
        }
        Ok(())
    }

    /// Takes in that a message is gone.
    pub(super) fn gone(&mut self, job: Job) {
        self.counts.missing += 1;
        if job.fault.is_some() {
            self.commit.cured.push(job.message.id.clone());
        }
        if job.stored {
            self.remove(job.message, Removal::Deleted);
        }
    }

    /// Takes in that a message cannot be read.
    pub(super) fn failed(&mut self, inner: &Inner, job: Job, error: &Error) {
        self.counts.failed += 1;
        let limit = inner.settings.quarantine_after;
        let now = inner.clock.now();
        let fault = MessageFault::after(job.fault.as_ref(), job.message, error, limit, now);
        self.commit.faults.push(fault);
    }

    /// How many messages are waiting in it.
    pub(super) fn messages(&self) -> usize {
        self.commit.upserts.len()
    }
}

impl SyncCounts {
    pub(super) fn add(&mut self, other: &Self) {
        for (total, more) in [
            (&mut self.listed, other.listed),
            (&mut self.fetched, other.fetched),
            (&mut self.stored, other.stored),
            (&mut self.relabeled, other.relabeled),
            (&mut self.removed, other.removed),
            (&mut self.duplicates, other.duplicates),
            (&mut self.excluded, other.excluded),
            (&mut self.missing, other.missing),
            (&mut self.failed, other.failed),
            (&mut self.bytes, other.bytes),
        ] {
            *total = total.saturating_add(more);
        }
    }
}
