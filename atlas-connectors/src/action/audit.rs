//! The audit: an append-only chain in which nothing can be changed, left out or added unnoticed.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::action::{Canonical, Digest};
use crate::clock::Timestamp;
use crate::connection::ConnectionRef;
use crate::error::Result;
use crate::ids::{ActorId, ConnectionId, Epoch, IntentId, TenantId};

/// Something that happened to an intent, before it has its place in the chain. Digests and ids, no bodies and no addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditEvent {
    /// When; never earlier than anything stored before.
    pub at: Timestamp,
    /// Who: a person or service of the host, or `atlas` for the library itself.
    pub actor: ActorId,
    /// What happened, as a stable word: `proposed`, `approved`, `rejected`, `claimed`, `sent`.
    pub event: String,
    /// The tenant.
    pub tenant: TenantId,
    /// The connection.
    pub connection: ConnectionId,
    /// Its epoch.
    pub epoch: Epoch,
    /// The intent.
    pub intent: IntentId,
    /// The kind of action.
    pub kind: String,
    /// Digest of what was decided about.
    pub digest: Digest,
    /// The rule, code or provider id that belongs to it.
    pub detail: Option<String>,
}

impl AuditEvent {
    /// An event about an intent.
    pub fn new(
        event: impl Into<String>,
        at: Timestamp,
        actor: ActorId,
        connection: &ConnectionRef,
        intent: &IntentId,
        kind: impl Into<String>,
        digest: Digest,
    ) -> Self {
        Self {
            at,
            actor,
            event: event.into(),
            tenant: connection.tenant.clone(),
            connection: connection.connection.clone(),
            epoch: connection.epoch,
            intent: intent.clone(),
            kind: kind.into(),
            digest,
            detail: None,
        }
    }

    /// Adds the rule, code or provider id.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place, counted from 1 without a gap.
    pub sequence: u64,
    /// Hash of the link before; zeros for the first.
    pub previous: Digest,
    /// What happened.
    pub event: AuditEvent,
    /// Hash over all of the above.
    pub hash: Digest,
}

impl AuditEntry {
    /// The next link after `head`.
    pub fn link(head: &AuditHead, event: AuditEvent) -> Self {
        let sequence = head.sequence.saturating_add(1);
        let hash = chain_hash(sequence, &head.hash, &event);
        Self {
            sequence,
            previous: head.hash,
            event,
            hash,
        }
    }

    /// The head of a chain that ends here.
    pub fn head(&self) -> AuditHead {
        AuditHead {
            sequence: self.sequence,
            hash: self.hash,
        }
    }
}

/// The end of the chain. Kept outside the store now and then (another database, a ticket, a log), it proves later that nothing
/// up to it was changed or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Number of links.
    pub sequence: u64,
    /// Hash of the last one; zeros when there is none.
    pub hash: Digest,
}

impl AuditHead {
    /// The head of an empty chain.
    pub const EMPTY: Self = Self {
        sequence: 0,
        hash: Digest::new([0; 32]),
    };
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

/// What is wrong with a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFault {
    /// A link is missing, or doubled.
    #[error("link {expected} is missing")]
    Gap {
        /// The number that was expected.
        expected: u64,
    },
    /// A link does not continue the one before it.
    #[error("link {sequence} does not follow the one before it")]
    Fork {
        /// The link.
        sequence: u64,
    },
    /// A link was changed after it was written.
    #[error("link {sequence} was changed")]
    Edited {
        /// The link.
        sequence: u64,
    },
    /// The chain ends before the anchored head.
    #[error("the chain ends at {found}, the anchor is at {anchored}")]
    Truncated {
        /// Number of links found.
        found: u64,
        /// Number of links at the anchor.
        anchored: u64,
    },
    /// The chain is sound in itself and is not the one that was anchored.
    #[error("link {sequence} is not the anchored one")]
    Rewritten {
        /// The anchored link.
        sequence: u64,
    },
}

/// Verifies a chain link by link, in constant memory.
///
/// ```
/// use atlas_connectors::action::{AuditHead, ChainVerifier};
///
/// let chain = ChainVerifier::new();
/// assert_eq!(chain.finish(None), Ok(AuditHead::EMPTY));
/// ```
#[derive(Clone, Debug)]
pub struct ChainVerifier {
    head: AuditHead,
    anchor: Option<AuditHead>,
    passed: bool,
}

impl Default for ChainVerifier {
    fn default() -> Self {
        Self::new()
    }
}

impl ChainVerifier {
    /// Begins at the first link.
    pub const fn new() -> Self {
        Self {
            head: AuditHead::EMPTY,
            anchor: None,
            passed: false,
        }
    }

    /// Also checks that the chain passes through a head that was kept outside.
    #[must_use]
    pub const fn with_anchor(mut self, anchor: AuditHead) -> Self {
        self.passed = anchor.sequence == 0;
        self.anchor = Some(anchor);
        self
    }

    /// Checks the next link.
    ///
    /// # Errors
    /// What is wrong with it; the chain cannot be trusted from there on.
    pub fn check(&mut self, entry: &AuditEntry) -> Result<(), AuditFault> {
        let expected = self.head.sequence.saturating_add(1);
        let sequence = entry.sequence;
        if sequence != expected {
            return Err(AuditFault::Gap { expected });
        }
        if entry.previous != self.head.hash {
            return Err(AuditFault::Fork { sequence });
        }
        if entry.hash != chain_hash(sequence, &entry.previous, &entry.event) {
            return Err(AuditFault::Edited { sequence });
        }
        self.head = entry.head();
        if let Some(anchor) = self.anchor
            && anchor.sequence == sequence
        {
            if anchor.hash != entry.hash {
                return Err(AuditFault::Rewritten { sequence });
            }
            self.passed = true;
        }
        Ok(())
    }

    /// Ends the check; `recorded` is the head that the store has written down apart from the links.
    ///
    /// # Errors
    /// [`AuditFault::Truncated`] if the chain ends before the anchor or the recorded head.
    pub fn finish(self, recorded: Option<AuditHead>) -> Result<AuditHead, AuditFault> {
        if let Some(anchor) = self.anchor.filter(|_| !self.passed) {
            return Err(AuditFault::Truncated {
                found: self.head.sequence,
                anchored: anchor.sequence,
            });
        }
        match recorded {
            Some(recorded) if recorded.sequence != self.head.sequence => Err(AuditFault::Truncated {
                found: self.head.sequence,
                anchored: recorded.sequence,
            }),
            Some(recorded) if recorded.hash != self.head.hash => Err(AuditFault::Rewritten {
                sequence: recorded.sequence,
            }),
            _ => Ok(self.head),
        }
    }
}

/// Reads the audit. It is written by [`crate::action::OutboxStore`], in the same transaction as the change it tells of.
///
/// ```
/// use atlas_connectors::action::{AuditHead, AuditLog, AuditLogExt};
/// use atlas_connectors::store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::new();
/// assert_eq!(store.audit_head().await?, AuditHead::EMPTY);
/// assert_eq!(store.verify(None).await?, Ok(AuditHead::EMPTY));
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[async_trait]
pub trait AuditLog: fmt::Debug + Send + Sync + 'static {
    /// The end of the chain.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn audit_head(&self) -> Result<AuditHead>;

    /// Links after this number, in order, at most `limit`.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn audit_entries(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>>;
}

/// What every [`AuditLog`] can do.
#[async_trait]
pub trait AuditLogExt: AuditLog {
    /// Verifies the whole chain, and that it passes through a head that was kept outside, if one is given. The outer result is
    /// the store's, the inner one the chain's.
    ///
    /// # Errors
    /// [`crate::error::StorageFault`].
    async fn verify(&self, anchor: Option<AuditHead>) -> Result<Result<AuditHead, AuditFault>> {
        const AT_ONCE: usize = 500;
        let mut chain = ChainVerifier::new();
        if let Some(anchor) = anchor {
            chain = chain.with_anchor(anchor);
        }
        // What is appended while we read lies after this head and is left for the next time.
        let recorded = self.audit_head().await?;
        let mut after = 0;
        loop {
            let entries = self.audit_entries(after, AT_ONCE).await?;
            let last = entries.len() < AT_ONCE;
            for entry in entries {
                if after >= recorded.sequence {
                    break;
                }
                if let Err(fault) = chain.check(&entry) {
                    return Ok(Err(fault));
                }
                after = entry.sequence;
            }
            if last || after >= recorded.sequence {
                return Ok(chain.finish(Some(recorded)));
            }
        }
    }
}

impl<L: AuditLog + ?Sized> AuditLogExt for L {}

fn chain_hash(sequence: u64, previous: &Digest, event: &AuditEvent) -> Digest {
    let mut link = Canonical::new("audit");
    link.number("sequence", sequence);
    link.bytes("previous", previous.as_bytes());
    link.text("at", &event.at.unix_millis().to_string());
    link.text("actor", event.actor.as_str());
    link.text("event", &event.event);
    link.text("tenant", event.tenant.as_str());
    link.text("connection", event.connection.as_str());
    link.number("epoch", event.epoch.get());
    link.text("intent", event.intent.as_str());
    link.text("kind", &event.kind);
    link.bytes("digest", event.digest.as_bytes());
    link.optional("detail", event.detail.as_deref());
    link.finish()
}
