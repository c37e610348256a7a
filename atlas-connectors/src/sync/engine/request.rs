//! One page: asked for, and joined with what is known of its messages.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::ids::MessageId;
use crate::mail::{SyncCursor, SyncPoint};
use crate::page::PageToken;
use crate::sync::engine::handle::Inner;
use crate::sync::engine::plan::{self, Job};
use crate::sync::{FaultState, KnownMessage};

/// Messages looked at in one step when they come from the store and not from the provider.
const STORE_PAGE: usize = 200;

/// One page to ask for.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Changes(SyncPoint, Option<PageToken>),
    Unseen(u64, Option<MessageId>),
    Faults(Option<MessageId>),
}

/// A page with what is known of the messages on it.
pub(super) struct Listed {
    pub(super) request: Request,
    pub(super) asked: Timestamp,
    pub(super) folded: Vec<plan::Folded>,
    pub(super) known: Vec<KnownMessage>,
    pub(super) jobs: Vec<Job>,
    pub(super) listed: u64,
    pub(super) next: Option<Next>,
    pub(super) cursor: Option<SyncCursor>,
    pub(super) estimate: Option<u64>,
}

/// Where the next page begins.
pub(super) enum Next {
    Token(PageToken),
    After(MessageId),
}

impl Request {
    pub(super) async fn send(self, inner: &Inner) -> Result<Listed> {
        let asked = inner.clock.now();
        let mut listed = Listed {
            request: self,
            asked,
            folded: Vec::new(),
            known: Vec::new(),
            jobs: Vec::new(),
            listed: 0,
            next: None,
            cursor: None,
            estimate: None,
        };
        let mut last = None;
        match &listed.request {
            Self::Changes(point, page) => {
                let page = inner.mailbox.changes(point, page.as_ref()).await?;
                listed.listed = page.changes.len() as u64;
                listed.folded = plan::fold(page.changes);
                listed.next = page.next.map(Next::Token);
                listed.cursor = page.cursor;
                listed.estimate = page.estimate;
            }
            Self::Unseen(generation, after) => {
                let rows = inner
                    .store
                    .unseen(&inner.key, *generation, after.as_ref(), STORE_PAGE)
                    .await?;
                last = rows
                    .last()
                    .filter(|_| rows.len() == STORE_PAGE)
                    .map(|row| row.id.clone());
                listed.jobs = rows.into_iter().map(Job::new).collect();
            }
            Self::Faults(after) => {
                let rows = inner
                    .store
                    .faults(&inner.key, FaultState::Pending, after.as_ref(), STORE_PAGE)
                    .await?;
                last = rows
                    .last()
                    .filter(|_| rows.len() == STORE_PAGE)
                    .map(|row| row.message.id.clone());
                let jobs = rows.into_iter().map(|fault| Job {
                    fault: Some(fault.clone()),
                    ..Job::new(fault.message)
                });
                listed.jobs = jobs.collect();
            }
        }
        if let Some(last) = last {
            listed.next = Some(Next::After(last));
        }
        let ids = listed.folded.iter().map(|entry| entry.message.id.clone());
        let ids: Vec<MessageId> = ids
            .chain(listed.jobs.iter().map(|job| job.message.id.clone()))
            .collect();
        if !ids.is_empty() {
            listed.known = inner.store.known(&inner.key, ids).await?;
        }
        Ok(listed)
    }
}
