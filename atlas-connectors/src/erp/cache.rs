//! Catalogs kept for a while, within bounds.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::erp::{Catalog, CatalogScope};

/// Keeps catalogs for a while: at most so many, at most so old. For connectors; clones share it.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::erp::{Catalog, CatalogCache, CatalogScope};
/// use atlas_connectors::{Clock, SystemClock};
///
/// let clock = Arc::new(SystemClock);
/// let cache = CatalogCache::new(clock.clone());
/// let scope = CatalogScope::all();
/// assert!(cache.find(&scope).is_none());
/// cache.keep(&scope, Arc::new(Catalog::new("odoo", clock.now())));
/// assert!(cache.find(&scope).is_some());
/// assert!(cache.find(&scope.refreshed()).is_none());
/// ```
#[derive(Clone)]
pub struct CatalogCache {
    clock: Arc<dyn Clock>,
    most: usize,
    age: Duration,
    kept: Arc<Mutex<HashMap<CatalogScope, Kept>>>,
}

struct Kept {
    catalog: Arc<Catalog>,
    since: Duration,
}

impl CatalogCache {
    /// Keeps at most 16 catalogs, each for an hour.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            most: 16,
            age: Duration::from_secs(3600),
            kept: Arc::default(),
        }
    }

    /// Sets how many are kept, at least one, and for how long.
    #[must_use]
    pub fn with_bounds(mut self, most: usize, age: Duration) -> Self {
        self.most = most.max(1);
        self.age = age;
        self
    }

    /// The catalog of this scope, if it is kept, fresh, and not asked to be read anew.
    pub fn find(&self, scope: &CatalogScope) -> Option<Arc<Catalog>> {
        if scope.refresh {
            return None;
        }
        let now = self.clock.monotonic();
        let kept = self.map();
        let found = kept.get(scope)?;
        (now.saturating_sub(found.since) < self.age).then(|| Arc::clone(&found.catalog))
    }

    /// Keeps a catalog; the oldest one goes if there are too many.
    pub fn keep(&self, scope: &CatalogScope, catalog: Arc<Catalog>) {
        let since = self.clock.monotonic();
        let scope = CatalogScope {
            refresh: false,
            ..scope.clone()
        };
        let mut kept = self.map();
        kept.insert(scope, Kept { catalog, since });
        while kept.len() > self.most {
            let oldest = kept
                .iter()
                .min_by_key(|(_, one)| one.since)
                .map(|(scope, _)| scope.clone());
            match oldest {
                Some(scope) => kept.remove(&scope),
                None => break,
            };
        }
    }

    /// Forgets everything, after an answer that shows that the schema has changed.
    pub fn forget(&self) {
        self.map().clear();
    }

    fn map(&self) -> MutexGuard<'_, HashMap<CatalogScope, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CatalogCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogCache")
            .field("kept", &self.map().len())
            .field("most", &self.most)
            .field("age", &self.age)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::ManualClock;

    #[test]
    fn catalogs_grow_old_and_make_room() {
        let clock = ManualClock::new(crate::Timestamp::UNIX_EPOCH);
        let cache = CatalogCache::new(Arc::new(clock.clone())).with_bounds(2, Duration::from_secs(60));
        let catalog = || Arc::new(Catalog::new("odoo", clock.now()));
        let scope = |name: &str| CatalogScope::entities([name]);
        for name in ["a", "b", "c"] {
            cache.keep(&scope(name), catalog());
            clock.advance(Duration::from_secs(1));
        }
        assert!(cache.find(&scope("a")).is_none());
        assert!(cache.find(&scope("c")).is_some());
        clock.advance(Duration::from_secs(60));
        assert!(cache.find(&scope("c")).is_none());
    }
}
