//! Keeping in step with a mailbox: first sync, changes, repair of lost positions, and an embedded inbox.
//!
//! [`SyncEngine`] reads [`crate::mail::Mailbox::changes`] page by page and fetches what is new. What it read and the
//! position after it are committed together, so that a kill at any point loses nothing and doubles nothing.
//!
//! * **First sync** takes the baseline of the change feed before it lists. The first page of the listing and the
//!   baseline are committed together; from then on changes are followed while the listing goes on.
//! * **A position the provider has forgotten** opens a [`Gap`], takes a new baseline first, lists everything, and looks at
//!   each known message that was not listed. Only then is the gap closed. [`Coverage`] says what is proven.
//! * **A message that cannot be read** is tried again in later runs and then set aside; the rest flows.
//!
//! A host keeps the mail in the embedded [`Inbox`], in its own [`Sink`], or in both.

mod coverage;
mod engine;
mod inbox;
mod item;
mod progress;
mod push;
mod quarantine;
mod schedule;
mod sealed;
mod settings;
mod sink;
mod state;
mod store;

pub use coverage::{Coverage, Gap, GapCause, Interval};
pub use engine::{SyncEngine, SyncEngineBuilder};
pub use inbox::{FoldedQuery, Inbox, InboxCounts, InboxPosition, InboxQuery, InboxStore, InboxThread, LabelCount};
pub use item::{KnownMessage, StoredHeaders, StoredMessage};
pub use progress::{SyncCounts, SyncPhase, SyncProgress, SyncReport};
pub use push::{PushOutcome, PushSignal};
pub use quarantine::{FaultState, MessageFault};
pub use schedule::Schedule;
pub use settings::SyncSettings;
pub use sink::{MailBatch, MailSignal, Removal, Sink};
pub use state::{Backfill, BackfillStage, Follow, SyncState};
pub use store::{MailboxKey, Relabel, SyncCommit, SyncLease, SyncStore};
