//! The store and its tables.

use std::sync::Arc;

use super::connections::Connections;
use super::credentials::Credentials;
use super::outbox::Outbox;
use super::sync::Mailboxes;
use crate::clock::{Clock, SystemClock};

/// Keeps everything in memory, with the same behaviour as the stores on disk. Clones share the data.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) credentials: Credentials,
    pub(super) mailboxes: Mailboxes,
    pub(super) connections: Connections,
    pub(super) outbox: Outbox,
}

impl MemoryStore {
    /// An empty store on the system clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store whose leases and expiries follow this clock.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            credentials: Credentials::default(),
            mailboxes: Mailboxes::default(),
            connections: Connections::default(),
            outbox: Outbox::default(),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}
