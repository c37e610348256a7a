//! Typed search.

use serde::{Deserialize, Serialize};

/// What to search for; conditions are joined by "and".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MailQuery {}
