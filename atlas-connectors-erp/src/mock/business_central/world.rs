//! Everything the mock knows, behind one lock.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use atlas_connectors::Clock;

use super::counters::Counters;
use super::rules::{ClientIds, Sequence, Setting};
use super::store::Company;
use super::subscriptions::Kept;

/// What a token stands for: the name of a user, if it is a good one.
pub(super) type Identify = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A tenant of Entra with its environments.
#[derive(Clone, Debug)]
pub(super) struct Tenant {
    pub(super) id: String,
    pub(super) domain: String,
    pub(super) environments: Vec<Environment>,
}

/// An environment with its companies.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) companies: Vec<Company>,
    /// Sets whose API pages are hidden.
    pub(super) hidden: BTreeSet<String>,
    /// Sets that wait for a data upgrade.
    pub(super) outdated: BTreeSet<String>,
    pub(super) subscriptions: Vec<Kept>,
}

/// What a user may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Only reads.
    pub read_only: bool,
    /// Sets that may not even be read.
    pub denied: BTreeSet<String>,
    /// The companies by name; `None` for all.
    pub companies: Option<BTreeSet<String>>,
    /// Not set up in Business Central at all: every call is 401.
    pub unknown: bool,
}

impl Rights {
    /// Everything.
    pub fn full() -> Self {
        Self::default()
    }

    /// Reads only.
    pub fn reader() -> Self {
        Self {
            read_only: true,
            ..Self::default()
        }
    }

    /// The user exists in Entra and not in Business Central.
    pub fn none() -> Self {
        Self {
            unknown: true,
            ..Self::default()
        }
    }

    /// May not use this set.
    #[must_use]
    pub fn without(mut self, set: &str) -> Self {
        self.denied.insert(set.to_owned());
        self
    }

    /// May use this company; once said, no other.
    #[must_use]
    pub fn in_company(mut self, name: &str) -> Self {
        self.companies.get_or_insert_default().insert(name.to_owned());
        self
    }
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) tenant: String,
    pub(super) rights: Rights,
}

/// How the service behaves.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) max_page: usize,
    pub(super) max_batch: usize,
    pub(super) max_subscriptions: usize,
    /// Requests in five minutes; `None` counts and refuses nothing.
    pub(super) rate: Option<usize>,
    pub(super) manual_numbers: bool,
    pub(super) client_ids: ClientIds,
    /// 409, or 412 as older servers and texts have it.
    pub(super) stale_status: u16,
    /// Off: 405 for every call, as on premises before API services are switched on.
    pub(super) api_enabled: bool,
    /// Custom API routes that serve the same sets.
    pub(super) routes: Vec<String>,
    /// A next link points there instead, as a hostile or broken server would.
    pub(super) foreign_link: Option<String>,
}

pub(super) struct World {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) base: String,
    pub(super) tenants: Vec<Tenant>,
    pub(super) users: BTreeMap<String, User>,
    pub(super) tokens: BTreeMap<String, String>,
    pub(super) identify: Option<Identify>,
    pub(super) settings: Settings,
    pub(super) counters: Counters,
    pub(super) sequence: Sequence,
    /// What reads with read-only intent see while the replica lags.
    pub(super) replica: Option<Vec<Tenant>>,
    pub(super) stamps: HashMap<String, VecDeque<Duration>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("base", &self.base)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl World {
    pub(super) fn setting(&self) -> Setting {
        Setting {
            now: self.clock.now(),
            manual_numbers: self.settings.manual_numbers,
            client_ids: self.settings.client_ids,
        }
    }

    /// Who a token belongs to: a static one first, then whoever the host's closure names.
    pub(super) fn user(&self, token: &str) -> Option<(String, User)> {
        let name = match self.tokens.get(token) {
            Some(name) => name.clone(),
            None => self.identify.as_ref().and_then(|identify| identify(token))?,
        };
        self.users.get(&name).map(|user| (name, user.clone()))
    }

    /// Counts a request of a user; whether it is over the limit.
    pub(super) fn is_too_fast(&mut self, user: &str) -> bool {
        let Some(most) = self.settings.rate else { return false };
        let now = self.clock.monotonic();
        let stamps = self.stamps.entry(user.to_owned()).or_default();
        while stamps
            .front()
            .is_some_and(|at| now.saturating_sub(*at) >= Duration::from_secs(300))
        {
            stamps.pop_front();
        }
        if stamps.len() >= most {
            return true;
        }
        stamps.push_back(now);
        false
    }
}

/// The world as server and handles share it.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Mutex<World>);

impl Shared {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
