//! What changed in a mailbox since a point.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::LabelId;
use crate::mail::MessageRef;
use crate::page::PageToken;

/// A position in the provider's change feed, opaque. Stored in the same transaction as the data up to it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SyncCursor(Box<str>);

impl SyncCursor {
    /// A cursor as the connector wrote it.
    pub fn new(cursor: impl Into<Box<str>>) -> Self {
        Self(cursor.into())
    }

    /// The cursor.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SyncCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SyncCursor({})", self.0)
    }
}

/// Where to read changes from. One path for the first sync, every later one, and the repair of a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SyncPoint {
    /// List what is there. The first page takes the baseline *before* it lists and returns it as
    /// [`ChangePage::cursor`]; changes after the baseline come from [`SyncPoint::After`].
    Listing(MailListing),
    /// Changes after this cursor.
    After(SyncCursor),
}

/// Which messages a listing covers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailListing {
    /// Only messages received at or after this moment.
    pub since: Option<Timestamp>,
    /// Only messages received before this moment.
    pub until: Option<Timestamp>,
    /// Whether spam and trash are listed as well.
    pub include_spam_trash: bool,
}

/// One page of changes, in the order in which they are to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePage {
    /// The changes. May be empty on any page.
    pub changes: Vec<MailChange>,
    /// Where the next page begins; `None` at the end of this point's pages.
    pub next: Option<PageToken>,
    /// On the first page of a listing: the baseline taken before it. On the last page of a change feed: the cursor to go
    /// on from. It may be stored only together with everything up to it.
    pub cursor: Option<SyncCursor>,
    /// The provider's estimate of all items of this point, if it gives one.
    pub estimate: Option<u64>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailChange {
    /// The message is there: listed, or added since.
    Present(MessageRef),
    /// Labels were put on or taken off.
    Labels {
        /// The message.
        message: MessageRef,
        /// Labels put on.
        added: Vec<LabelId>,
        /// Labels taken off.
        removed: Vec<LabelId>,
    },
    /// The message is gone for good.
    Deleted(MessageRef),
}
