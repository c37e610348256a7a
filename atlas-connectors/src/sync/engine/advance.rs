//! How the position moves.

use crate::clock::Timestamp;
use crate::ids::MessageId;
use crate::mail::SyncCursor;
use crate::page::PageToken;
use crate::sync::engine::run::Run;
use crate::sync::{BackfillStage, Follow, SyncState};

/// How the position moves once a page is committed.
pub(super) enum Advance {
    /// Not at all: the page only looked at single messages.
    Stay,
    Followed {
        next: Option<PageToken>,
        cursor: Option<SyncCursor>,
        /// Up to when the changes are complete; `None` when the first of these pages was read by an earlier run.
        through: Option<Timestamp>,
    },
    /// The baseline is taken. It is committed before anything of the first page: were it lost, what that page has brought would
    /// count as known under the next baseline, and changes between the two would be missed.
    Baseline {
        cursor: SyncCursor,
        taken: Timestamp,
    },
    Listed {
        next: Option<PageToken>,
        listed: u64,
        estimate: Option<u64>,
    },
    Confirmed {
        next: Option<PageToken>,
    },
    Swept {
        next: Option<MessageId>,
    },
}

impl Run<'_> {
    /// The position after a page; `None` if the page does not move it.
    pub(super) fn advanced(&self, advance: &Advance) -> Option<SyncState> {
        let mut state = self.state.clone();
        match advance {
            Advance::Stay => return None,
            Advance::Followed { next, cursor, through } => {
                state.stale_baselines = 0;
                state.blocked_until = None;
                let follow = state.follow.take()?;
                state.follow = Some(match next {
                    Some(page) => Follow {
                        page: Some(page.clone()),
                        proven: true,
                        ..follow
                    },
                    None => Follow {
                        cursor: cursor.clone().unwrap_or(follow.cursor),
                        page: None,
                        proven: true,
                    },
                });
                if next.is_none() && through.is_some() {
                    state.through = state.through.max(*through);
                }
            }
            Advance::Baseline { cursor, taken } => state.baseline(cursor.clone(), *taken),
            Advance::Listed { next, listed, estimate } => {
                let confirm = !self.inner.settings.confirm_window.is_zero();
                let backfill = state.backfill.as_mut()?;
                backfill.listed = backfill.listed.saturating_add(*listed);
                backfill.estimate = estimate.or(backfill.estimate);
                match next {
                    Some(page) => backfill.stage = BackfillStage::List(Some(page.clone())),
                    None if confirm => backfill.stage = BackfillStage::Confirm(None),
                    None => self.listing_ended(&mut state),
                }
            }
            Advance::Confirmed { next } => match next {
                Some(page) => state.backfill.as_mut()?.stage = BackfillStage::Confirm(Some(page.clone())),
                None => self.listing_ended(&mut state),
            },
            Advance::Swept { next } => match next {
                Some(id) => state.backfill.as_mut()?.stage = BackfillStage::Sweep(Some(id.clone())),
                None => state.close_gap(self.inner.clock.now()),
            },
        }
        Some(state)
    }

    /// Everything was listed. After a repair, what is known and was not listed has to be looked at before the gap is closed.
    fn listing_ended(&self, state: &mut SyncState) {
        if state.is_repair()
            && let Some(backfill) = &mut state.backfill
        {
            backfill.stage = BackfillStage::Sweep(None);
        } else {
            state.close_gap(self.inner.clock.now());
        }
    }
}
