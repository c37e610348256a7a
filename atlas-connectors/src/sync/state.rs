//! How far a mailbox has been read, as it is stored.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::MessageId;
use crate::mail::{MailListing, SyncCursor};
use crate::page::PageToken;
use crate::sync::{Coverage, Gap, GapCause, Interval};

/// How many closed gaps are remembered, for the support case.
const CLOSED_GAPS_KEPT: usize = 16;

/// Everything a run needs to go on where the last one stopped, in whatever process. Committed with the data it speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SyncState {
    /// Place in the change feed; `None` before the first baseline and after the provider forgot the position.
    pub follow: Option<Follow>,
    /// The listing under way: of the first sync, or of a repair.
    pub backfill: Option<Backfill>,
    /// Since when the mailbox is read; `None`: from its beginning. Means nothing before the first sync.
    pub since: Option<Timestamp>,
    /// Up to when changes have been read, to the end of the feed.
    pub through: Option<Timestamp>,
    /// Intervals not proven complete, and the last closed ones. Oldest first.
    pub gaps: Vec<Gap>,
    /// Raised with each listing; rows touched under an older one were not proven by the newest.
    pub generation: u64,
    /// Baselines in a row that the provider had forgotten by the first look.
    pub stale_baselines: u32,
    /// No listing is begun before this moment, because baseline after baseline was stale.
    pub blocked_until: Option<Timestamp>,
}

/// A place in the change feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    /// All changes up to this cursor are applied.
    pub cursor: SyncCursor,
    /// Next page of the changes after the cursor, when some pages are applied already.
    pub page: Option<PageToken>,
    /// Whether this cursor has ever been accepted by the provider; a baseline has not, at first.
    pub proven: bool,
}

/// A listing under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// What is listed.
    pub listing: MailListing,
    /// When it began; the confirming look goes back from here.
    pub started: Timestamp,
    /// How far it is.
    pub stage: BackfillStage,
    /// Items listed so far.
    pub listed: u64,
    /// The provider's estimate of all items.
    pub estimate: Option<u64>,
    /// The gap it closes.
    pub gap: u64,
}

/// How far a listing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillStage {
    /// Pages are read; the next one, or the first.
    List(Option<PageToken>),
    /// The newest part is listed once more, because the provider's index lags behind.
    Confirm(Option<PageToken>),
    /// Known messages that were not listed are looked at one by one, in order of id; the last one looked at.
    Sweep(Option<MessageId>),
}

impl SyncState {
    /// What is proven complete, and what is not. Counts of unreadable messages come from the quarantine.
    pub fn coverage(&self) -> Coverage {
        let open: Vec<Gap> = self.gaps.iter().filter(|gap| gap.closed.is_none()).cloned().collect();
        let mut complete = Vec::new();
        let mut from = Some(self.since);
        for gap in &open {
            if let (Some(start), Some(end)) = (from, gap.from)
                && start.is_none_or(|start| start < end)
            {
                complete.push(Interval { from: start, to: end });
            }
            from = gap.to.map(Some);
        }
        if let (Some(start), Some(end)) = (from, self.through)
            && start.is_none_or(|start| start < end)
        {
            complete.push(Interval { from: start, to: end });
        }
        Coverage {
            complete,
            gaps: open,
            closed: self.gaps.iter().filter(|gap| gap.closed.is_some()).cloned().collect(),
            backfill: self
                .backfill
                .as_ref()
                .map(|backfill| (backfill.listed, backfill.estimate)),
            pending: 0,
            quarantined: 0,
        }
    }

    /// Opens a gap and begins the listing that will close it. Open gaps are merged into the new one: its listing covers them.
    pub(super) fn begin_backfill(&mut self, cause: GapCause, listing: MailListing, now: Timestamp) {
        let earliest_open = self
            .gaps
            .iter()
            .find(|gap| gap.closed.is_none())
            .map(|gap| (gap.from, gap.cause));
        let (from, cause) = earliest_open.unwrap_or((self.through, cause));
        self.gaps.retain(|gap| gap.closed.is_some());
        let id = self.gaps.last().map_or(1, |gap| gap.id.saturating_add(1));
        self.gaps.push(Gap {
            id,
            from,
            to: None,
            cause,
            opened: now,
            closed: None,
        });
        self.generation = self.generation.saturating_add(1);
        self.follow = None;
        self.backfill = Some(Backfill {
            listing,
            started: now,
            stage: BackfillStage::List(None),
            listed: 0,
            estimate: None,
            gap: id,
        });
    }

    /// The baseline was taken: the gap ends here, changes from here on are in the feed.
    pub(super) fn baseline(&mut self, cursor: SyncCursor, taken: Timestamp) {
        self.follow = Some(Follow {
            cursor,
            page: None,
            proven: false,
        });
        if let Some(gap) = self.gaps.iter_mut().rev().find(|gap| gap.closed.is_none()) {
            gap.to = Some(taken);
        }
        self.through = Some(taken);
    }

    /// The listing has proven the gap closed.
    pub(super) fn close_gap(&mut self, now: Timestamp) {
        let Some(backfill) = self.backfill.take() else {
            return;
        };
        for gap in &mut self.gaps {
            if gap.id == backfill.gap {
                gap.closed = Some(now);
            }
        }
        let surplus = self.gaps.len().saturating_sub(CLOSED_GAPS_KEPT);
        self.gaps.drain(..surplus);
    }

    /// Whether the listing under way repairs an earlier reading, so that known messages must be looked at too.
    pub(super) fn is_repair(&self) -> bool {
        self.generation > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn the_first_listing_is_a_gap_from_the_beginning() {
        let mut state = SyncState::default();
        state.begin_backfill(GapCause::FirstSync, MailListing::default(), at(100));
        assert!(state.coverage().complete.is_empty());
        assert!(!state.is_repair());

        state.baseline(SyncCursor::new("7"), at(101));
        state.through = Some(at(160));
        let coverage = state.coverage();
        assert_eq!(
            coverage.complete,
            [Interval {
                from: Some(at(101)),
                to: at(160)
            }]
        );
        assert!(!coverage.is_complete());

        state.close_gap(at(170));
        let coverage = state.coverage();
        assert_eq!(
            coverage.complete,
            [Interval {
                from: None,
                to: at(160)
            }]
        );
        assert!(coverage.is_complete());
    }

    #[test]
    fn a_lost_position_splits_the_coverage_until_it_is_closed() {
        let mut state = SyncState::default();
        state.begin_backfill(GapCause::FirstSync, MailListing::default(), at(100));
        state.baseline(SyncCursor::new("7"), at(100));
        state.close_gap(at(110));
        state.through = Some(at(200));

        state.begin_backfill(GapCause::CursorExpired, MailListing::default(), at(900));
        assert!(state.is_repair());
        assert!(state.follow.is_none());
        let coverage = state.coverage();
        assert_eq!(
            coverage.complete,
            [Interval {
                from: None,
                to: at(200)
            }]
        );
        assert_eq!(coverage.gaps[0].to, None);

        state.baseline(SyncCursor::new("99"), at(901));
        state.through = Some(at(950));
        let coverage = state.coverage();
        assert_eq!(
            coverage.complete,
            [
                Interval {
                    from: None,
                    to: at(200)
                },
                Interval {
                    from: Some(at(901)),
                    to: at(950)
                }
            ]
        );

        // It is lost again before the repair has ended: one gap, from the first loss.
        state.begin_backfill(GapCause::CursorExpired, MailListing::default(), at(2000));
        let coverage = state.coverage();
        assert_eq!(coverage.gaps.len(), 1);
        assert_eq!(coverage.gaps[0].from, Some(at(200)));
        state.baseline(SyncCursor::new("120"), at(2001));
        state.close_gap(at(2100));
        assert_eq!(
            state.coverage().complete,
            [Interval {
                from: None,
                to: at(2001)
            }]
        );
    }
}
