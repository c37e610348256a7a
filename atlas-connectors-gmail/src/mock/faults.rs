//! Faults by script: what goes wrong, with which call, and whether the effect had happened.

use std::time::Duration;

use atlas_connectors::testkit::server::WireFault;

use super::answer::{ApiError, TokenError};

/// What goes wrong with one answer.
///
/// ```
/// use std::time::Duration;
/// use atlas_connectors_gmail::mock::Fault;
///
/// let slow = Fault::Delay(Duration::from_millis(50));
/// let lost = Fault::CutAfter;
/// assert!(lost.carries_out() && slow.carries_out());
/// assert!(!Fault::CutBefore.carries_out());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing is carried out; the error that belongs to this status is answered, in Gmail's envelope or OAuth's.
    Status(u16),
    /// Nothing is carried out; Gmail's error is answered.
    Api(ApiError),
    /// Nothing is carried out; the token endpoint's error is answered.
    Token(TokenError),
    /// Nothing is carried out; exactly this is answered.
    Answer {
        /// The status.
        status: u16,
        /// The content type.
        content_type: String,
        /// Further headers, such as `retry-after`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Nothing is carried out; Gmail's 429 is answered with a moment this far ahead in its text.
    Throttle(Duration),
    /// The request is carried out and answered in full, this much later.
    Delay(Duration),
    /// The connection is closed before anything is carried out.
    CutBefore,
    /// The request is carried out, then the connection is closed without an answer.
    CutAfter,
    /// The request is carried out; the answer breaks off after this many bytes of its body.
    Truncate(usize),
    /// The request is carried out; the body comes in pieces of so many bytes with a pause before each.
    Drip {
        /// Bytes a piece, at least one.
        bytes: usize,
        /// The pause.
        every: Duration,
    },
    /// Nothing is carried out and nothing is ever answered; the connection stays open until the client leaves.
    HangBefore,
    /// The request is carried out and nothing is ever answered: a time-out after the effect.
    HangAfter,
    /// The request is carried out; the answer is a page in HTML with status 200, as a captive portal serves.
    HtmlAfter,
    /// The request is carried out; the answer is well-formed JSON of a shape that no caller expects.
    OtherJsonAfter,
}

impl Fault {
    /// Whether the provider carries the request out under this fault, whatever the client sees.
    pub fn carries_out(&self) -> bool {
        matches!(
            self,
            Self::Delay(_)
                | Self::CutAfter
                | Self::Truncate(_)
                | Self::Drip { .. }
                | Self::HangAfter
                | Self::HtmlAfter
                | Self::OtherJsonAfter
        )
    }

    /// An answer of this status with JSON or other text for its body.
    pub fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer {
            status,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// What the wire does to the answer.
    pub(super) fn wire(&self) -> Option<WireFault> {
        match *self {
            Self::CutBefore | Self::CutAfter => Some(WireFault::Cut),
            Self::HangBefore | Self::HangAfter => Some(WireFault::Hang),
            Self::Truncate(after) => Some(WireFault::Truncate(after)),
            Self::Drip { bytes, every } => Some(WireFault::Drip { bytes, every }),
            _ => None,
        }
    }

    /// A page in HTML with this status, as front ends answer.
    pub fn html(status: u16) -> Self {
        Self::answer(status, "text/html; charset=UTF-8", "<html><title>Error</title></html>")
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<TokenError> for Fault {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

/// The script of faults of one [`Google`](super::Google), taken by [`Google::faults`](super::Google::faults).
///
/// Methods are named as in the discovery document: `gmail.users.messages.get`, `gmail.users.drafts.send`; the rest is
/// `oauth.authorize`, `oauth.token`, `oauth.revoke`, `oauth.certs`, `oauth.discovery`, `oauth.userinfo`,
/// `oauth.tokeninfo` and `gmail.batch`. A pattern may end in `*`.
#[derive(Debug)]
pub struct Faults<'a> {
    pub(super) google: &'a super::Google,
}

impl Faults<'_> {
    /// Strikes the next call of the method, once.
    pub fn next(&self, method: &str, fault: impl Into<Fault>) -> &Self {
        self.nth(method, 1, fault)
    }

    /// Strikes the n-th call of the method from now on, counted from 1, once.
    pub fn nth(&self, method: &str, n: u64, fault: impl Into<Fault>) -> &Self {
        self.add(method, n.saturating_sub(1), Some(1), fault.into())
    }

    /// Strikes the next so many calls of the method.
    pub fn times(&self, method: &str, times: u64, fault: impl Into<Fault>) -> &Self {
        self.add(method, 0, Some(times), fault.into())
    }

    /// Strikes every call of the method until [`Faults::clear`].
    pub fn always(&self, method: &str, fault: impl Into<Fault>) -> &Self {
        self.add(method, 0, None, fault.into())
    }

    /// Answers everything this much later, without blocking other answers. Real time, not the mock's clock.
    pub fn latency(&self, latency: Duration) -> &Self {
        self.google.world().faults.set_latency(latency);
        self
    }

    /// Answers calls of the method this much later, instead of the general latency.
    pub fn latency_of(&self, method: &str, latency: Duration) -> &Self {
        self.google.world().faults.set_latency_of(method, latency);
        self
    }

    /// Forgets all faults and latencies.
    pub fn clear(&self) {
        self.google.world().faults.clear();
    }

    /// How many faults still wait for a call; 0 at the end of a test proves that each one struck.
    pub fn pending(&self) -> usize {
        self.google.world().faults.pending()
    }

    fn add(&self, method: &str, skip: u64, times: Option<u64>, fault: Fault) -> &Self {
        self.google.world().faults.add(method, skip, times, fault);
        self
    }
}
