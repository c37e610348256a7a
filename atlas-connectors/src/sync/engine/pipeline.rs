//! Pages listed ahead, messages fetched side by side, batches committed in order.
//!
//! Only the oldest page commits, so the position never passes what is not stored; younger pages fetch meanwhile, within a bound.
//! Nothing is spawned: everything runs inside the future the host polls.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::error::{BadPayload, Error, ErrorKind, Result, SchemaFault};
use crate::ids::MessageId;
use crate::mail::Message;
use crate::sync::engine::advance::Advance;
use crate::sync::engine::batch::Batch;
use crate::sync::engine::handle::Inner;
use crate::sync::engine::plan::{Job, Plan};
use crate::sync::engine::request::{Listed, Request};
use crate::sync::engine::run::{Run, Source};
use crate::sync::{MailBatch, SyncCommit, SyncLease, SyncState};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A page on its way through.
struct PageWork {
    number: u64,
    todo: VecDeque<Job>,
    /// Fetches under way, or waiting to be looked for again.
    open: usize,
    ready: Batch,
    touched: HashSet<MessageId>,
    advance: Advance,
}

/// What came of a fetch.
enum Fetched {
    Message(Job, Box<Message>),
    /// Not there yet, perhaps.
    Later(Job),
    Gone(Job),
    Failed(Job, Error),
    /// Nothing is wrong with the message: the run has to end.
    Fatal(Error),
}

/// A commit under way.
struct Committing<'a> {
    future: Boxed<'a, Result<()>>,
    batch: Done,
    /// What the page touched, if this commit ends it.
    touched: HashSet<MessageId>,
}

/// What a finished commit changes in the run.
struct Done {
    state: Option<SyncState>,
    counts: crate::sync::SyncCounts,
    newest: Option<crate::clock::Timestamp>,
    bytes: usize,
    messages: usize,
}

enum Event {
    Listed(Result<Listed>),
    Fetched(u64, Fetched),
    Again(u64, Job),
    Committed(Result<()>),
    Renewed(Result<()>),
    Paused,
}

pub(super) struct Pipeline<'a> {
    inner: &'a Inner,
    lease: SyncLease,
    source: Source,
    /// The next page to ask for; `None` when the last one was asked for.
    next: Option<Request>,
    listing: Option<Boxed<'a, Result<Listed>>>,
    /// Touched by pages that were committed while a listing was under way: what it knows of them is old.
    committed_meanwhile: Vec<HashSet<MessageId>>,
    pages: VecDeque<PageWork>,
    fetches: FuturesUnordered<Boxed<'a, (u64, Fetched)>>,
    later: FuturesUnordered<Boxed<'a, (u64, Job)>>,
    committing: Option<Committing<'a>>,
    renewal: Boxed<'a, Result<()>>,
    numbered: u64,
    held_bytes: usize,
    held_messages: usize,
    /// Failures since a message could last be read.
    failures_in_row: usize,
    commit_failed: bool,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(inner: &'a Inner, lease: SyncLease, source: Source, first: Request) -> Self {
        Self {
            renewal: renewal(inner, lease.clone()),
            inner,
            lease,
            source,
            next: Some(first),
            listing: None,
            committed_meanwhile: Vec::new(),
            pages: VecDeque::new(),
            fetches: FuturesUnordered::new(),
            later: FuturesUnordered::new(),
            committing: None,
            numbered: 0,
            held_bytes: 0,
            held_messages: 0,
            failures_in_row: 0,
            commit_failed: false,
        }
    }

    /// Works until the source has ended, its slice of time is over, or something fails. What is ready by then is kept.
    pub(super) async fn drive(mut self, run: &mut Run<'a>) -> Result<()> {
        let result = self.steps(run).await;
        // After a failed commit nothing younger may be committed.
        if result.is_err() && !self.commit_failed {
            self.keep_what_is_ready(run).await;
        }
        result
    }

    async fn steps(&mut self, run: &mut Run<'a>) -> Result<()> {
        let mut paused = self.inner.paused.subscribe();
        loop {
            // Commits first: a page that ends makes room for the next one.
            self.start_commit(run);
            self.start_listing(run);
            self.start_fetches();
            if self.is_idle() {
                return Ok(());
            }
            let event = tokio::select! {
                // The order only decides between things that are ready at once.
                biased;
                _ = paused.wait_for(|paused| *paused) => Event::Paused,
                result = optional(self.committing.as_mut().map(|commit| &mut commit.future)) => Event::Committed(result),
                result = optional(self.listing.as_mut()) => Event::Listed(result),
                Some((page, fetched)) = self.fetches.next(), if !self.fetches.is_empty() => Event::Fetched(page, fetched),
                Some((page, job)) = self.later.next(), if !self.later.is_empty() => Event::Again(page, job),
                result = &mut self.renewal => Event::Renewed(result),
            };
            match event {
                Event::Paused => return Err(Error::new(ErrorKind::Paused { why: "by_host" }, "sync.run")),
                Event::Committed(result) => self.committed(run, result)?,
                Event::Listed(result) => {
                    self.listing = None;
                    let listed = result.inspect_err(|error| run.listing_failed(error))?;
                    self.listed(run, listed)?;
                }
                Event::Fetched(page, fetched) => {
                    self.fetched(page, fetched)?;
                    run.show(self.in_hand());
                }
                Event::Again(page, job) => {
                    if let Some(page) = self.page(page) {
                        page.open = page.open.saturating_sub(1);
                        page.todo.push_front(job);
                    }
                }
                Event::Renewed(result) => {
                    result?;
                    self.renewal = renewal(self.inner, self.lease.clone());
                }
            }
        }
    }

    fn start_listing(&mut self, run: &Run<'a>) {
        if self.listing.is_some() || self.pages.len() > self.inner.settings.pages_ahead {
            return;
        }
        // A slice ends between pages, after at least one.
        if self.numbered > 0 && run.slice_is_over(self.source) {
            self.next = None;
        }
        if let Some(request) = self.next.take() {
            self.committed_meanwhile.clear();
            self.listing = Some(Box::pin(request.send(self.inner)));
        }
    }

    fn start_fetches(&mut self) {
        let settings = &self.inner.settings;
        let full =
            self.held_bytes >= settings.batch_bytes || self.held_messages >= settings.batch_messages.saturating_mul(4);
        while self.fetches.len() < settings.in_flight {
            // When much is held already, only the oldest page goes on: its end lets everything be committed.
            let reach = if full { 1 } else { usize::MAX };
            let Some(page) = self.pages.iter_mut().take(reach).find(|page| !page.todo.is_empty()) else {
                return;
            };
            if let Some(job) = page.todo.pop_front() {
                page.open += 1;
                self.fetches.push(Box::pin(fetch(self.inner, page.number, job)));
            }
        }
    }

    fn start_commit(&mut self, run: &mut Run<'a>) {
        if self.committing.is_some() {
            return;
        }
        let settings = &self.inner.settings;
        while let Some(page) = self.pages.front_mut() {
            let ended = page.open == 0 && page.todo.is_empty();
            let enough = page.ready.messages() >= settings.batch_messages || page.ready.bytes >= settings.batch_bytes;
            if !ended && !enough {
                return;
            }
            let mut batch = std::mem::take(&mut page.ready);
            let mut touched = HashSet::new();
            if ended {
                batch.commit.state = run.advanced(&page.advance);
                touched = std::mem::take(&mut page.touched);
                self.pages.pop_front();
            }
            if !batch.commit.is_empty() {
                let mut committing = commit(self.inner, &self.lease, run.state.generation, batch);
                committing.touched = touched;
                self.committing = Some(committing);
                return;
            }
            run.counts.add(&batch.counts);
        }
    }

    fn is_idle(&self) -> bool {
        self.next.is_none() && self.listing.is_none() && self.pages.is_empty() && self.committing.is_none()
    }

    fn listed(&mut self, run: &mut Run<'a>, listed: Listed) -> Result<()> {
        let pages = &self.pages;
        let (committing, meanwhile) = (self.committing.as_ref(), &self.committed_meanwhile);
        let pending = |id: &MessageId| {
            pages.iter().any(|page| page.touched.contains(id))
                || committing.is_some_and(|committing| committing.touched.contains(id))
                || meanwhile.iter().any(|touched| touched.contains(id))
        };
        let planned = run.plan(self.source, listed, pending)?;
        self.committed_meanwhile.clear();
        self.next = planned.next;
        if let Some(before) = planned.before {
            self.push(Plan::default(), before);
        }
        self.push(planned.plan, planned.advance);
        Ok(())
    }

    fn push(&mut self, plan: Plan, advance: Advance) {
        self.numbered += 1;
        self.pages.push_back(PageWork {
            number: self.numbered,
            todo: plan.jobs.into(),
            open: 0,
            ready: plan.batch,
            touched: plan.touched,
            advance,
        });
    }

    fn fetched(&mut self, number: u64, fetched: Fetched) -> Result<()> {
        let inner = self.inner;
        if let Fetched::Later(job) = fetched {
            self.later.push(Box::pin(async move {
                inner.clock.sleep(inner.settings.fresh_delay).await;
                (number, job)
            }));
            return Ok(());
        }
        let Some(page) = self.pages.iter_mut().find(|page| page.number == number) else {
            return Ok(());
        };
        page.open = page.open.saturating_sub(1);
        let before = (page.ready.bytes, page.ready.messages());
        match fetched {
            Fetched::Message(job, message) => {
                self.failures_in_row = 0;
                page.ready.take(inner, job, *message)?;
            }
            Fetched::Gone(job) => {
                self.failures_in_row = 0;
                page.ready.gone(job);
            }
            Fetched::Failed(job, error) => {
                // One message after the other cannot be poison: something is wrong with all of them.
                self.failures_in_row += 1;
                if self.failures_in_row > inner.settings.in_flight.saturating_mul(2).max(20) {
                    return Err(error);
                }
                page.ready.failed(inner, job, &error);
            }
            Fetched::Fatal(error) => return Err(error),
            Fetched::Later(_) => {}
        }
        self.held_bytes += page.ready.bytes - before.0;
        self.held_messages += page.ready.messages() - before.1;
        Ok(())
    }

    fn committed(&mut self, run: &mut Run<'a>, result: Result<()>) -> Result<()> {
        let Some(committing) = self.committing.take() else {
            return Ok(());
        };
        self.commit_failed = result.is_err();
        result?;
        if self.listing.is_some() {
            self.committed_meanwhile.push(committing.touched);
        }
        let done = committing.batch;
        self.held_bytes = self.held_bytes.saturating_sub(done.bytes);
        self.held_messages = self.held_messages.saturating_sub(done.messages);
        run.counts.add(&done.counts);
        run.newest = run.newest.max(done.newest);
        if let Some(state) = done.state {
            run.state = state;
        }
        run.show(self.in_hand());
        Ok(())
    }

    /// After a failure: the commit under way is awaited and the messages of the oldest page that are ready are committed, so that
    /// the next run need not fetch them again. The position stays before the page.
    async fn keep_what_is_ready(&mut self, run: &mut Run<'a>) {
        // These are no longer polled. One of them may stand in the queue for the store's lock, and the commits below would wait
        // behind it for ever.
        self.listing = None;
        self.fetches.clear();
        self.later.clear();
        self.renewal = Box::pin(std::future::pending());
        if let Some(committing) = &mut self.committing {
            let result = (&mut committing.future).await;
            if self.committed(run, result).is_err() {
                return;
            }
        }
        let Some(page) = self.pages.front_mut() else {
            return;
        };
        let batch = std::mem::take(&mut page.ready);
        if batch.commit.is_empty() {
            return;
        }
        let committing = commit(self.inner, &self.lease, run.state.generation, batch);
        let (future, done) = (committing.future, committing.batch);
        // The failure that ended the run is what the host hears of.
        if future.await.is_ok() {
            run.counts.add(&done.counts);
            run.newest = run.newest.max(done.newest);
        }
    }

    fn page(&mut self, number: u64) -> Option<&mut PageWork> {
        self.pages.iter_mut().find(|page| page.number == number)
    }

    /// Messages that are read and not committed yet.
    fn in_hand(&self) -> u64 {
        self.pages.iter().map(|page| page.ready.counts.fetched).sum()
    }
}

/// Reads one message and tells its own faults from everybody's.
async fn fetch(inner: &Inner, page: u64, mut job: Job) -> (u64, Fetched) {
    let fetched = match inner.mailbox.message(&job.message.id).await {
        Ok(message) if message.meta.id != job.message.id => {
            let mismatch = ErrorKind::SchemaMismatch {
                path: "message.id".to_owned(),
                fault: SchemaFault::Value,
            };
            Fetched::Failed(job, Error::new(mismatch, "sync.fetch"))
        }
        Ok(message) => Fetched::Message(job, Box::new(message)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => {
            if job.fresh && job.looks < inner.settings.fresh_retries {
                job.looks += 1;
                Fetched::Later(job)
            } else {
                Fetched::Gone(job)
            }
        }
        Err(error) if is_poison(error.kind()) => Fetched::Failed(job, error),
        Err(error) => Fetched::Fatal(error),
    };
    (page, fetched)
}

/// Whether the failure lies in the message itself, so that repeating gives the same. Limits, outages, sign-in and the
/// store never count.
fn is_poison(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BadPayload(BadPayload::Syntax | BadPayload::Type | BadPayload::TooLarge)
            | ErrorKind::SchemaMismatch { .. }
            | ErrorKind::Rejected { .. }
    )
}

fn commit<'a>(inner: &'a Inner, lease: &SyncLease, generation: u64, batch: Batch) -> Committing<'a> {
    let Batch {
        mut commit,
        signals,
        announced,
        counts,
        bytes,
        newest,
    } = batch;
    commit.generation = generation;
    let done = Done {
        state: commit.state.clone(),
        counts,
        newest,
        bytes,
        messages: commit.upserts.len(),
    };
    let lease = lease.clone();
    let future = async move {
        if let Some(sink) = &inner.sink
            && !signals.is_empty()
        {
            if !announced.is_empty() {
                let announced = SyncCommit {
                    announced,
                    ..SyncCommit::default()
                };
                inner.store.commit(&lease, announced).await?;
            }
            let connection = inner.mailbox.connection().clone();
            sink.apply(&MailBatch { connection, signals }).await?;
        }
        inner.store.commit(&lease, commit).await
    };
    Committing {
        future: Box::pin(future),
        batch: done,
        touched: HashSet::new(),
    }
}

fn renewal(inner: &Inner, lease: SyncLease) -> Boxed<'_, Result<()>> {
    Box::pin(async move {
        inner.clock.sleep(inner.settings.lease / 3).await;
        inner.store.renew(&lease, inner.settings.lease).await
    })
}

async fn optional<F: Future + Unpin>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
