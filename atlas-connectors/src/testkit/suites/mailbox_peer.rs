//! The provider behind the mailbox under test.

use std::fmt;

use async_trait::async_trait;

use crate::error::Result as AtlasResult;
use crate::ids::{LabelId, MessageId, ThreadId};
use crate::mail::MessageRef;

/// The provider behind a mailbox, as its owner and the rest of the world see it: a mock, an emulator, a test account.
///
/// Required are delivery and what it can do; everything else has an answer that leaves the cases out that need it.
///
/// ```
/// use atlas_connectors::mail::MessageRef;
/// use atlas_connectors::testkit::suites::{MailboxPeer, PeerAbilities};
/// use atlas_connectors::ThreadId;
///
/// #[derive(Debug)]
/// struct Nowhere;
///
/// #[async_trait::async_trait]
/// impl MailboxPeer for Nowhere {
///     fn abilities(&self) -> PeerAbilities {
///         PeerAbilities::default()
///     }
///
///     async fn deliver(&self, _raw: &[u8], thread: Option<&ThreadId>) -> atlas_connectors::Result<MessageRef> {
///         Ok(MessageRef { id: "m1".into(), thread: thread.cloned().unwrap_or_else(|| "t1".into()) })
///     }
/// }
/// assert!(!Nowhere.abilities().counts_sends);
/// ```
#[async_trait]
pub trait MailboxPeer: fmt::Debug + Send + Sync {
    /// What this peer can do; cases that need more are left out.
    fn abilities(&self) -> PeerAbilities;

    /// A mail arrives in the mailbox, in this conversation if one is named.
    ///
    /// # Errors
    /// Whatever keeps the peer from it.
    async fn deliver(&self, raw: &[u8], thread: Option<&ThreadId>) -> AtlasResult<MessageRef>;

    /// Mails that the provider has accepted for sending so far.
    ///
    /// # Errors
    /// Whatever keeps the peer from it.
    async fn accepted_sends(&self) -> AtlasResult<u64> {
        Ok(0)
    }

    /// Requests of the mailbox that have reached the provider so far, tokens not counted.
    ///
    /// # Errors
    /// Whatever keeps the peer from it.
    async fn requests(&self) -> AtlasResult<u64> {
        Ok(0)
    }

    /// A message is deleted for good by somebody else.
    ///
    /// # Errors
    /// Whatever keeps the peer from it.
    async fn delete(&self, _id: &MessageId) -> AtlasResult<()> {
        Ok(())
    }

    /// Labels are changed by somebody else.
    ///
    /// # Errors
    /// Whatever keeps the peer from it.
    async fn relabel(&self, _id: &MessageId, _add: &[LabelId], _remove: &[LabelId]) -> AtlasResult<()> {
        Ok(())
    }

    /// Every cursor given out so far becomes too old.
    ///
    /// # Errors
    /// Whatever keeps the peer from it.
    async fn expire_cursors(&self) -> AtlasResult<()> {
        Ok(())
    }
}

/// What a peer can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerAbilities {
    /// [`MailboxPeer::accepted_sends`] counts.
    pub counts_sends: bool,
    /// [`MailboxPeer::requests`] counts.
    pub counts_requests: bool,
    /// [`MailboxPeer::delete`] works.
    pub deletes: bool,
    /// A label that messages can carry, for [`MailboxPeer::relabel`] and for changes of our own.
    pub label: Option<LabelId>,
    /// [`MailboxPeer::expire_cursors`] works.
    pub expires_cursors: bool,
    /// Delivery keeps to the conversation named.
    pub threads: bool,
    /// Conditions its search understands.
    pub search: PeerSearch,
}

impl PeerAbilities {
    /// A peer that can do all of it, with a label that messages can carry. Take off what it cannot do.
    pub fn everything(label: impl Into<LabelId>) -> Self {
        Self {
            counts_sends: true,
            counts_requests: true,
            deletes: true,
            label: Some(label.into()),
            expires_cursors: true,
            threads: true,
            search: PeerSearch::Everything,
        }
    }
}

/// Which conditions a peer's search understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerSearch {
    /// None that could be relied on.
    #[default]
    Nothing,
    /// Author, recipient, subject and words.
    Fields,
    /// All of [`Condition`](crate::mail::Condition).
    Everything,
}
