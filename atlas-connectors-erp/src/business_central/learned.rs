//! Which entities keep the id that a create brings: learned from answers, forgotten with the process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use atlas_connectors::erp::EntityName;

/// What answers have shown so far.
#[derive(Debug, Default)]
pub(super) struct Learned(Mutex<HashMap<EntityName, bool>>);

impl Learned {
    /// An answer shows whether the id was kept. Once it was not, the entity is never trusted again.
    pub(super) fn note(&self, entity: &EntityName, kept: bool) {
        let mut known = self.map();
        let so_far = known.entry(entity.clone()).or_insert(kept);
        *so_far &= kept;
    }

    pub(super) fn keeps(&self, entity: &EntityName) -> bool {
        self.map().get(entity).copied().unwrap_or(false)
    }

    fn map(&self) -> MutexGuard<'_, HashMap<EntityName, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_that_was_not_kept_ends_the_trust() {
        let (learned, set) = (Learned::default(), EntityName::new("customers"));
        assert!(!learned.keeps(&set));
        learned.note(&set, true);
        assert!(learned.keeps(&set));
        learned.note(&set, false);
        learned.note(&set, true);
        assert!(!learned.keeps(&set));
    }
}
