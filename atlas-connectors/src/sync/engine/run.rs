//! One run: which source is read when, and how the position moves.

use std::collections::HashSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result, Retry, SchemaFault};
use crate::ids::MessageId;
use crate::mail::{MailListing, SyncPoint};
use crate::page::PageToken;
use crate::sync::engine::advance::Advance;
use crate::sync::engine::handle::Inner;
use crate::sync::engine::pipeline::Pipeline;
use crate::sync::engine::plan::{self, Context, Job, Plan};
use crate::sync::engine::request::{Listed, Next, Request};
use crate::sync::{
    BackfillStage, GapCause, SyncCommit, SyncCounts, SyncLease, SyncPhase, SyncProgress, SyncReport, SyncState,
};

/// Progress is shown at most this often.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// Where pages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Faults,
    Follow,
    List,
    Confirm,
    Sweep,
}

/// A page as it goes into the pipeline.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// What is committed before anything of the page.
    pub(super) before: Option<Advance>,
    pub(super) advance: Advance,
    pub(super) next: Option<Request>,
}

pub(super) struct Run<'a> {
    pub(super) inner: &'a Inner,
    lease: SyncLease,
    pub(super) state: SyncState,
    pub(super) counts: SyncCounts,
    pub(super) newest: Option<Timestamp>,
    started: Timestamp,
    began: Duration,
    shown: Duration,
    proven: Timestamp,
    phase: SyncPhase,
    slice_until: Option<Duration>,
    /// When the first page of the changes now read was asked for; `None` if that was another run.
    follow_asked: Option<Timestamp>,
    /// Tokens of the source now read: a repeated one would go round for ever.
    tokens: HashSet<PageToken>,
    /// Whether the page that is asked for next stands on a token of an earlier slice or run.
    resumed: bool,
    /// Whether the provider refused such a token.
    token_refused: bool,
    started_listed: u64,
    /// How often the position was lost in this run.
    lost: u32,
}

impl<'a> Run<'a> {
    pub(super) fn begin(inner: &'a Inner, lease: SyncLease) -> Self {
        let started = inner.clock.now();
        Self {
            inner,
            lease,
            state: SyncState::default(),
            counts: SyncCounts::default(),
            newest: None,
            started,
            began: inner.clock.monotonic(),
            shown: Duration::ZERO,
            proven: started,
            phase: SyncPhase::Idle,
            slice_until: None,
            follow_asked: None,
            tokens: HashSet::new(),
            resumed: false,
            token_refused: false,
            started_listed: 0,
            lost: 0,
        }
    }

    pub(super) async fn go(mut self) -> Result<SyncReport> {
        self.state = self.inner.store.state(&self.inner.key).await?;
        self.started_listed = self.state.backfill.as_ref().map_or(0, |backfill| backfill.listed);
        self.refuse_while_blocked()?;
        // Without a position, what is read now could change unnoticed before the next baseline.
        if self.state.follow.is_some() {
            self.read(Source::Faults).await?;
        }
        loop {
            if self.state.follow.is_some() {
                self.follow().await?;
            }
            if self.state.follow.is_none() && self.state.backfill.is_none() {
                let mut state = self.state.clone();
                state.since = self.inner.settings.since;
                state.begin_backfill(
                    GapCause::FirstSync,
                    self.inner.settings.listing(),
                    self.inner.clock.now(),
                );
                self.save(state).await?;
            }
            let Some(backfill) = &self.state.backfill else {
                break;
            };
            let source = match backfill.stage {
                BackfillStage::List(_) => Source::List,
                BackfillStage::Confirm(_) => Source::Confirm,
                BackfillStage::Sweep(_) => Source::Sweep,
            };
            self.read(source).await?;
        }
        self.report().await
    }

    /// Reads changes to the end of the feed. A position that the provider has forgotten begins a repair.
    async fn follow(&mut self) -> Result<()> {
        loop {
            let resumed = self.state.follow.as_ref().is_some_and(|follow| follow.page.is_some());
            match self.read(Source::Follow).await {
                Err(error) if *error.kind() == ErrorKind::CursorExpired => return self.position_lost(error).await,
                result => result?,
            }
            // Pages begun by an earlier run end where that run began; what has come since then is read now.
            if !resumed {
                return Ok(());
            }
        }
    }

    async fn position_lost(&mut self, error: Error) -> Result<()> {
        let now = self.inner.clock.now();
        let settings = &self.inner.settings;
        let mut state = self.state.clone();
        let proven = state.follow.as_ref().is_some_and(|follow| follow.proven);
        state.stale_baselines = if proven {
            0
        } else {
            state.stale_baselines.saturating_add(1)
        };
        self.lost += 1;
        // Baseline after baseline was stale, or this run has begun anew again and again: more of the same would go on for ever.
        let too_often = state.stale_baselines.max(self.lost) >= settings.stale_baselines.max(1);
        if too_often {
            state.stale_baselines = 0;
            state.blocked_until = Some(now.after(settings.stale_pause));
        }
        state.begin_backfill(GapCause::CursorExpired, settings.listing(), now);
        self.save(state).await?;
        if too_often {
            return Err(blocked(error, now.after(settings.stale_pause)));
        }
        Ok(())
    }

    fn refuse_while_blocked(&self) -> Result<()> {
        match self.state.blocked_until {
            Some(until) if until > self.inner.clock.now() => {
                Err(blocked(Error::new(ErrorKind::CursorExpired, "sync.run"), until))
            }
            _ => Ok(()),
        }
    }

    /// Reads one source, to its end or for one slice of time. A page token that has grown too old is given up once: the
    /// source then begins anew, which costs time and loses nothing.
    async fn read(&mut self, source: Source) -> Result<()> {
        for forget in [false, true] {
            if forget {
                self.forget_page(source);
            }
            self.enter(source);
            let Some(request) = self.first_request(source) else {
                return Ok(());
            };
            self.resumed = matches!(&request, Request::Changes(_, Some(_)));
            self.token_refused = false;
            let pipeline = Pipeline::new(self.inner, self.lease.clone(), source, request);
            match Box::pin(pipeline.drive(self)).await {
                Err(_) if self.token_refused => {}
                result => return result,
            }
        }
        Ok(())
    }

    fn enter(&mut self, source: Source) {
        self.phase = match source {
            Source::Faults => SyncPhase::Retrying,
            Source::Follow => SyncPhase::Following,
            Source::List => SyncPhase::Listing,
            Source::Confirm => SyncPhase::Confirming,
            Source::Sweep => SyncPhase::Sweeping,
        };
        self.tokens.clear();
        self.follow_asked = None;
        let now = self.inner.clock.monotonic();
        self.slice_until = match source {
            Source::Faults | Source::Follow => None,
            // The first page alone: whether its baseline holds is to be known before everything is listed.
            Source::List if self.state.follow.is_none() => Some(now),
            Source::List | Source::Confirm | Source::Sweep => {
                Some(now.saturating_add(self.inner.settings.follow_every))
            }
        };
        self.shown = Duration::ZERO;
        self.show(0);
    }

    fn first_request(&self, source: Source) -> Option<Request> {
        let backfill = self.state.backfill.as_ref();
        match source {
            Source::Faults => Some(Request::Faults(None)),
            Source::Follow => {
                let follow = self.state.follow.as_ref()?;
                Some(Request::Changes(
                    SyncPoint::After(follow.cursor.clone()),
                    follow.page.clone(),
                ))
            }
            Source::List | Source::Confirm | Source::Sweep => match &backfill?.stage {
                BackfillStage::List(page) => Some(Request::Changes(
                    SyncPoint::Listing(backfill?.listing.clone()),
                    page.clone(),
                )),
                BackfillStage::Confirm(page) => {
                    let newest = backfill?.started.before(self.inner.settings.confirm_window);
                    let listing = MailListing {
                        since: Some(backfill?.listing.since.map_or(newest, |since| since.max(newest))),
                        ..backfill?.listing.clone()
                    };
                    Some(Request::Changes(SyncPoint::Listing(listing), page.clone()))
                }
                BackfillStage::Sweep(after) => Some(Request::Unseen(self.state.generation, after.clone())),
            },
        }
    }

    fn forget_page(&mut self, source: Source) {
        if source == Source::Follow
            && let Some(follow) = &mut self.state.follow
        {
            follow.page = None;
        }
        if let Some(backfill) = &mut self.state.backfill {
            match (source, &mut backfill.stage) {
                (Source::List, BackfillStage::List(page)) | (Source::Confirm, BackfillStage::Confirm(page)) => {
                    *page = None;
                }
                _ => {}
            }
        }
    }

    pub(super) fn listing_failed(&mut self, error: &Error) {
        self.token_refused = self.resumed
            && matches!(
                error.kind(),
                ErrorKind::Rejected { .. } | ErrorKind::NotFound { .. } | ErrorKind::Invalid { .. }
            );
    }

    pub(super) fn slice_is_over(&self, source: Source) -> bool {
        debug_assert!(source != Source::Follow || self.slice_until.is_none());
        self.slice_until
            .is_some_and(|until| self.inner.clock.monotonic() >= until)
    }

    /// Works out what a page comes to, how the position moves after it, and which page comes next.
    pub(super) fn plan(
        &mut self,
        source: Source,
        listed: Listed,
        pending: impl Fn(&MessageId) -> bool,
    ) -> Result<Planned> {
        self.resumed = false;
        let context = Context {
            settings: &self.inner.settings,
            generation: self.state.generation,
            refresh: source == Source::List && self.state.is_repair() && self.inner.settings.repair_labels,
        };
        let next = self.next_request(&listed)?;
        let mut plan = match source {
            Source::Follow => plan::changes(context, listed.folded, listed.known, pending),
            Source::List | Source::Confirm => plan::listing(context, listed.folded, listed.known, pending),
            Source::Faults | Source::Sweep => {
                let mut plan = Plan::default();
                for (job, known) in listed.jobs.into_iter().zip(listed.known) {
                    plan.touched.insert(job.message.id.clone());
                    // A message that failed has its turn at the beginning of a run.
                    if source == Source::Faults || known.fault.is_none() {
                        let stored = known.labels.is_some();
                        plan.jobs.push(Job { stored, ..job });
                    }
                }
                plan
            }
        };
        plan.batch.counts.listed += listed.listed;
        if !matches!(source, Source::Faults | Source::Sweep) {
            self.proven = self.proven.max(listed.asked);
        }
        let token = |next| match next {
            Some(Next::Token(token)) => Some(token),
            _ => None,
        };
        let mut baseline = None;
        let advance = match source {
            Source::Faults => Advance::Stay,
            Source::Follow => {
                let first = matches!(&listed.request, Request::Changes(_, None));
                if first {
                    self.follow_asked = Some(listed.asked);
                }
                let next = token(listed.next);
                if next.is_none() && listed.cursor.is_none() {
                    return Err(mismatch("changes.cursor", SchemaFault::Missing));
                }
                Advance::Followed {
                    next,
                    cursor: listed.cursor,
                    through: self.follow_asked,
                }
            }
            Source::List => {
                let needs_baseline =
                    self.state.follow.is_none() && matches!(&listed.request, Request::Changes(_, None));
                if needs_baseline {
                    let missing = || mismatch("changes.cursor", SchemaFault::Missing);
                    baseline = Some(Advance::Baseline {
                        cursor: listed.cursor.ok_or_else(missing)?,
                        taken: listed.asked,
                    });
                }
                Advance::Listed {
                    next: token(listed.next),
                    listed: listed.listed,
                    estimate: listed.estimate,
                }
            }
            Source::Confirm => Advance::Confirmed {
                next: token(listed.next),
            },
            Source::Sweep => Advance::Swept {
                next: match listed.next {
                    Some(Next::After(id)) => Some(id),
                    _ => None,
                },
            },
        };
        Ok(Planned {
            plan,
            before: baseline,
            advance,
            next,
        })
    }

    fn next_request(&mut self, listed: &Listed) -> Result<Option<Request>> {
        Ok(match (&listed.next, &listed.request) {
            (None, _) => None,
            (Some(Next::Token(token)), Request::Changes(point, asked)) => {
                if let Some(asked) = asked {
                    self.tokens.insert(asked.clone());
                }
                if self.tokens.contains(token) {
                    return Err(mismatch("changes.next", SchemaFault::Value));
                }
                Some(Request::Changes(point.clone(), Some(token.clone())))
            }
            (Some(Next::After(id)), Request::Unseen(generation, _)) => {
                Some(Request::Unseen(*generation, Some(id.clone())))
            }
            (Some(Next::After(id)), Request::Faults(_)) => Some(Request::Faults(Some(id.clone()))),
            (Some(_), _) => None,
        })
    }

    async fn save(&mut self, state: SyncState) -> Result<()> {
        let commit = SyncCommit {
            state: Some(state.clone()),
            generation: state.generation,
            ..SyncCommit::default()
        };
        self.inner.store.commit(&self.lease, commit).await?;
        self.state = state;
        Ok(())
    }

    /// Shows progress, with this many messages read and not committed yet.
    pub(super) fn show(&mut self, in_hand: u64) {
        let now = self.inner.clock.monotonic();
        if !self.shown.is_zero() && now.saturating_sub(self.shown) < SHOW_EVERY {
            return;
        }
        self.shown = now.max(Duration::from_nanos(1));
        let mut counts = self.counts;
        counts.fetched += in_hand;
        let (done, estimate) = match &self.state.backfill {
            Some(backfill) => (backfill.listed + in_hand, backfill.estimate),
            None => (counts.listed, None),
        };
        let progress = SyncProgress {
            phase: self.phase,
            counts,
            done,
            estimate,
            rate: 0.0,
            remaining: None,
        };
        let in_run = match &self.state.backfill {
            Some(_) => done.saturating_sub(self.started_listed),
            None => counts.fetched,
        };
        let span = now.saturating_sub(self.began);
        self.inner.progress.send_replace(progress.measured(in_run, span));
    }

    async fn report(mut self) -> Result<SyncReport> {
        self.phase = SyncPhase::Idle;
        self.shown = Duration::ZERO;
        self.show(0);
        Ok(SyncReport {
            started: self.started,
            ended: self.inner.clock.now(),
            proven: self.proven,
            newest_signal: self.newest,
            counts: self.counts,
            coverage: self.inner.coverage().await?,
        })
    }
}

fn mismatch(path: &str, fault: SchemaFault) -> Error {
    let path = path.to_owned();
    Error::new(ErrorKind::SchemaMismatch { path, fault }, "sync.changes")
}

fn blocked(error: Error, until: Timestamp) -> Error {
    error
        .with_retry(Retry::At(until))
        .with_context("stale_baselines", "too many")
}
