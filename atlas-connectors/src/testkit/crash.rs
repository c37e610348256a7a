//! Crash points: ending the process, or dropping the future, between any two steps of the outbox.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// Declares the points and the list of all of them.
macro_rules! points {
    ($($(#[$meta:meta])* $name:ident = $word:literal,)+) => {
        /// A named point between two steps of gate and outbox.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum CrashPoint {
            $($(#[$meta])* $name,)+
        }

        impl CrashPoint {
            /// Every point, in the order in which a send passes them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name, for the command line of a child process.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

points! {
    /// K0: nothing is stored.
    BeforeIntentStored = "before-intent-stored",
    /// K1: stored, the policy not yet asked.
    IntentStored = "intent-stored",
    /// K1: the policy has answered, its answer is not stored.
    PolicyAnswered = "policy-answered",
    /// K2, or K3 where policy allows: the answer is stored.
    VerdictStored = "verdict-stored",
    /// K2: a person has approved, the approval is not stored.
    BeforeApprovalStored = "before-approval-stored",
    /// K3: the approval is stored.
    ApprovalStored = "approval-stored",
    /// At the start of a process, before anything was looked at.
    RecoveryBegun = "recovery-begun",
    /// K3: authorized, not claimed.
    BeforeClaim = "before-claim",
    /// K4: claimed, the approval consumed, no request yet.
    Claimed = "claimed",
    /// K6: the draft is made, its id not stored. (K5 is within the provider's call.)
    PrepareReturned = "prepare-returned",
    /// K7: the draft's id is stored.
    HandleStored = "handle-stored",
    /// K7: the draft was read back and compared.
    HandleChecked = "handle-checked",
    /// K8: `Sending` is stored, the request is not out. (K9 is within the provider's call.)
    SendingStored = "sending-stored",
    /// K10: the answer is there, the result not stored.
    CommitReturned = "commit-returned",
    /// K11: the result is stored, the host not told.
    ResultStored = "result-stored",
    /// K12: a look-up has begun.
    LookupBegun = "lookup-begun",
    /// K12: the look-up has answered, nothing is stored.
    LookupReturned = "lookup-returned",
    /// The host has taken note, which is not stored.
    BeforeAcknowledged = "before-acknowledged",
    /// Leftovers are removed, which is not stored.
    Swept = "swept",
}

/// The point at which this process ends, as position in the list plus one; 0 is none.
static ABORT_AT: AtomicUsize = AtomicUsize::new(0);
/// How many times it is passed before.
static ABORT_AFTER: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static HALT_AT: RefCell<Option<(CrashPoint, u32)>> = const { RefCell::new(None) };
}

impl CrashPoint {
    /// The point of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|point| point.as_str() == name)
    }

    /// From now on this process ends (as if killed: no destructors, no flushing) when it reaches this point for the n-th time, counted
    /// from 1. For child processes of a test.
    pub fn abort_process_at(self, nth: u32) {
        ABORT_AFTER.store(nth.saturating_sub(1), Ordering::SeqCst);
        ABORT_AT.store(self.position(), Ordering::SeqCst);
    }

    /// From now on, on this thread, whatever reaches this point for the n-th time, counted from 1, never goes on; the test
    /// sees that [`CrashPoint::halted`] and drops the future. For tests in one process, on a current-thread runtime.
    pub fn halt_at(self, nth: u32) {
        HALT_AT.set(Some((self, nth)));
    }

    /// Takes back [`CrashPoint::halt_at`] on this thread.
    pub fn clear() {
        HALT_AT.set(None);
    }

    /// Runs a future until it ends or has come to this point for the n-th time, where it is dropped. `None`: it was dropped.
    pub async fn run_until<F: Future>(self, nth: u32, work: F) -> Option<F::Output> {
        self.halt_at(nth);
        let mut work = Box::pin(work);
        let output = poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if Self::halted() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;
        Self::clear();
        output
    }

    /// Whether something on this thread has come to the point set by [`CrashPoint::halt_at`].
    pub fn halted() -> bool {
        HALT_AT.with_borrow(|halt| matches!(halt, Some((_, 0))))
    }

    /// Called by the library when it comes to this point.
    pub(crate) async fn reach(self) {
        if ABORT_AT.load(Ordering::SeqCst) == self.position() {
            let left = ABORT_AFTER.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if left.is_err() {
                std::process::abort();
            }
        }
        let halts = HALT_AT.with_borrow_mut(|halt| match halt {
            Some((point, left)) if *point == self && *left > 0 => {
                *left -= 1;
                *left == 0
            }
            _ => false,
        });
        if halts {
            std::future::pending::<()>().await;
        }
    }

    fn position(self) -> usize {
        Self::ALL
            .iter()
            .position(|point| *point == self)
            .map_or(0, |index| index + 1)
    }
}

/// A future that is dropped at its n-th wait: how a time-out, a `select!` or a shutdown ends work. `None`: it was dropped, having waited
/// `n` times; `Some`: it ended before.
///
/// ```
/// use atlas_connectors::testkit::DropAt;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let work = async {
///     tokio::task::yield_now().await;
///     "done"
/// };
/// assert_eq!(DropAt::new(1, work).await, None);
/// assert_eq!(DropAt::new(2, async { "done" }).await, Some("done"));
/// # });
/// ```
pub struct DropAt<F> {
    work: Option<Pin<Box<F>>>,
    left: u32,
}

impl<F: Future> DropAt<F> {
    /// Drops `work` when it waits for the n-th time, counted from 1.
    pub fn new(nth: u32, work: F) -> Self {
        Self {
            work: Some(Box::pin(work)),
            left: nth,
        }
    }
}

impl<F: Future> Future for DropAt<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(work) = self.work.as_mut() else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(output) = work.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.work = None;
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

impl<F> std::fmt::Debug for DropAt<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DropAt")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
