//! When a fault strikes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Request;

/// The calls that an entry of a script strikes.
///
/// A text stands for the operation of that name; where it ends in `*`, for all operations that begin so:
///
/// ```
/// use atlas_connectors::testkit::server::{Match, Request};
///
/// let order = Request::new("PATCH", "/companies(1)/salesOrders(7)");
/// assert!(Match::from("sales_orders.*").covers("sales_orders.update", Some(&order)));
/// assert!(Match::path("PATCH", "/companies(*)/salesOrders(*)").covers("write", Some(&order)));
/// assert!(Match::path("*", "*/salesOrders(7)").covers("write", Some(&order)));
/// assert!(!Match::path("GET", "*").covers("write", Some(&order)));
/// assert!(Match::when(|request| request.body.is_empty()).covers("write", Some(&order)));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Match(What);

type Predicate = dyn Fn(&Request) -> bool + Send + Sync;

#[derive(Clone)]
enum What {
    Operation(String),
    Path { method: String, path: String },
    When(Arc<Predicate>),
}

impl Match {
    /// The operation of this name, as the mock names it; a pattern may end in `*`.
    pub fn operation(pattern: impl Into<String>) -> Self {
        Self(What::Operation(pattern.into()))
    }

    /// Requests of this method (`*` for any) whose path fits, percent-encoding included; each `*` in the path stands for any text.
    pub fn path(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self(What::Path {
            method: method.into(),
            path: path.into(),
        })
    }

    /// Requests for which this is true. It must not ask the mock: that is answering just then.
    pub fn when(predicate: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self(What::When(Arc::new(predicate)))
    }

    /// Whether a call is meant. Without its request only the operation's name can fit.
    pub fn covers(&self, operation: &str, request: Option<&Request>) -> bool {
        match &self.0 {
            What::Operation(pattern) => match pattern.strip_suffix('*') {
                Some(prefix) => operation.starts_with(prefix),
                None => pattern == operation,
            },
            What::Path { method, path } => request.is_some_and(|request| {
                (method == "*" || request.method.as_str().eq_ignore_ascii_case(method)) && fits(path, &request.path)
            }),
            What::When(predicate) => request.is_some_and(|request| predicate(request)),
        }
    }
}

impl From<&str> for Match {
    fn from(pattern: &str) -> Self {
        Self::operation(pattern)
    }
}

impl From<&String> for Match {
    fn from(pattern: &String) -> Self {
        Self::operation(pattern)
    }
}

impl From<String> for Match {
    fn from(pattern: String) -> Self {
        Self::operation(pattern)
    }
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            What::Operation(pattern) => write!(f, "Match({pattern})"),
            What::Path { method, path } => write!(f, "Match({method} {path})"),
            What::When(_) => f.write_str("Match(when …)"),
        }
    }
}

/// Whether a text fits a pattern in which each `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return text.ends_with(piece);
        }
        match text.find(piece) {
            Some(at) => text = text.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// A list of faults, each with the calls that it strikes: entries are asked in the order in which they were added, the first that
/// is due is taken.
///
/// `F` is what goes wrong. Most mocks do with [`Fault`](super::Fault) and its handle [`Faults`](super::Faults); one whose provider
/// has errors worth naming takes a type of its own and keeps a script of it in its world.
///
/// ```
/// use atlas_connectors::testkit::server::Script;
///
/// let mut script = Script::new();
/// script.add("messages.get", 1, Some(1), "second get");
/// assert_eq!(script.strike("messages.get", None), None);
/// assert_eq!(script.strike("messages.get", None), Some("second get"));
/// assert_eq!(script.pending(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct Script<F> {
    entries: Vec<Entry<F>>,
    latency: Duration,
    latency_of: Vec<(Match, Duration)>,
    struck: u64,
}

#[derive(Clone, Debug)]
struct Entry<F> {
    on: Match,
    /// Calls that pass before it strikes.
    skip: u64,
    /// How often it strikes; `None` is always.
    times: Option<u64>,
    fault: F,
}

impl<F> Default for Script<F> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            latency: Duration::ZERO,
            latency_of: Vec::new(),
            struck: 0,
        }
    }
}

impl<F: Clone> Script<F> {
    /// An empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault that lets `skip` calls pass and then strikes so many `times`; `None` is always.
    pub fn add(&mut self, on: impl Into<Match>, skip: u64, times: Option<u64>, fault: F) {
        if times != Some(0) {
            self.entries.push(Entry {
                on: on.into(),
                skip,
                times,
                fault,
            });
        }
    }

    /// Forgets all faults and latencies. What has struck stays counted.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.latency = Duration::ZERO;
        self.latency_of.clear();
    }

    /// How many faults still wait for a call, those that strike always left out.
    pub fn pending(&self) -> usize {
        self.entries.iter().filter(|entry| entry.times.is_some()).count()
    }

    /// How many answers a fault has struck.
    pub fn struck(&self) -> u64 {
        self.struck
    }

    /// Answers everything this much later.
    pub fn set_latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    /// Answers these calls this much later, instead of the general latency. The last one that fits counts.
    pub fn set_latency_of(&mut self, on: impl Into<Match>, latency: Duration) {
        self.latency_of.push((on.into(), latency));
    }

    /// How much later a call is answered.
    pub fn latency(&self, operation: &str, request: Option<&Request>) -> Duration {
        self.latency_of
            .iter()
            .rev()
            .find(|(on, _)| on.covers(operation, request))
            .map_or(self.latency, |(_, latency)| *latency)
    }

    /// The fault for this call, if one is due. Counts the call against every entry up to the one that strikes.
    pub fn strike(&mut self, operation: &str, request: Option<&Request>) -> Option<F> {
        let mut struck = None;
        for (at, entry) in self.entries.iter_mut().enumerate() {
            if !entry.on.covers(operation, request) {
                continue;
            }
            if entry.skip > 0 {
                entry.skip -= 1;
                continue;
            }
            struck = Some((at, entry.fault.clone()));
            if let Some(left) = &mut entry.times {
                *left = left.saturating_sub(1);
            }
            break;
        }
        let (at, fault) = struck?;
        if self.entries.get(at).is_some_and(|entry| entry.times == Some(0)) {
            self.entries.remove(at);
        }
        self.struck += 1;
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_strikes_the_call_it_names() {
        let mut script = Script::new();
        script.add("gmail.users.messages.get", 1, Some(1), "503");
        script.add("gmail.users.messages.*", 0, Some(2), "cut");
        script.add("*", 0, Some(0), "never");
        let mut strike = |operation: &str| script.strike(operation, None);
        assert_eq!(strike("oauth.token"), None);
        assert_eq!(strike("gmail.users.messages.get"), Some("cut"));
        assert_eq!(strike("gmail.users.messages.get"), Some("503"));
        assert_eq!(strike("gmail.users.messages.list"), Some("cut"));
        assert_eq!(strike("gmail.users.messages.list"), None);
        assert_eq!((script.pending(), script.struck()), (0, 3));
    }

    #[test]
    fn stars_in_a_path_stand_for_any_text() {
        for (pattern, text, fit) in [
            ("/a", "/a", true),
            ("/a", "/a/b", false),
            ("/a*", "/a", true),
            ("*", "", true),
            ("/a*c", "/abc", true),
            ("/a*c", "/abcd", false),
            ("/a*b*c", "/axxbyyc", true),
            ("/a*b*c", "/acb", false),
            ("*/x/*", "/1/x/2", true),
            ("/a*a", "/a", false),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
        }
    }

    #[test]
    fn the_last_latency_that_fits_counts() {
        let mut script: Script<()> = Script::new();
        script.set_latency(Duration::from_millis(1));
        script.set_latency_of("a.*", Duration::from_millis(2));
        script.set_latency_of("a.b", Duration::from_millis(3));
        assert_eq!(script.latency("x", None), Duration::from_millis(1));
        assert_eq!(script.latency("a.c", None), Duration::from_millis(2));
        assert_eq!(script.latency("a.b", None), Duration::from_millis(3));
        script.clear();
        assert_eq!(script.latency("a.b", None), Duration::ZERO);
    }
}
