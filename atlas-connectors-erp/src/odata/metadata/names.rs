//! Each name once in memory: a document repeats types, labels and units thousands of times.

use std::collections::HashSet;

use crate::odata::metadata::Name;

#[derive(Debug, Default)]
pub(super) struct Names(HashSet<Name>);

impl Names {
    /// The shared copy of this text.
    pub(super) fn of(&mut self, text: &str) -> Name {
        if let Some(name) = self.0.get(text) {
            return Name::clone(name);
        }
        let name = Name::from(text);
        self.0.insert(Name::clone(&name));
        name
    }
}
