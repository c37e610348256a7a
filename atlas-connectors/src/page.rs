//! Pages that can be resumed anywhere, also in another process.

use serde::{Deserialize, Serialize};

/// Where the next page begins, opaque. May be stored and used by another process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageToken(Box<str>);

impl PageToken {
    /// A token as the provider or connector wrote it.
    pub fn new(token: impl Into<Box<str>>) -> Self {
        Self(token.into())
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One page. An empty page is not the end; a missing token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the provider's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<PageToken>,
    /// The provider's estimate of all items over all pages, if it gives one.
    pub estimate: Option<u64>,
}
