//! The two servers that were recorded.

/// Which Odoo a mock is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Version {
    /// 18.0 of 2025-04-21: JSON-RPC only; JSON-2 addresses redirect to a login page.
    V18,
    /// 19.0 of early 2026: JSON-2 and JSON-RPC.
    #[default]
    V19,
}

impl Version {
    pub(super) const fn series(self) -> &'static str {
        match self {
            Self::V18 => "18.0",
            Self::V19 => "19.0",
        }
    }

    pub(super) const fn full(self) -> &'static str {
        match self {
            Self::V18 => "18.0-20250421",
            Self::V19 => "19.0",
        }
    }

    pub(super) const fn major(self) -> i64 {
        match self {
            Self::V18 => 18,
            Self::V19 => 19,
        }
    }

    /// The number in JSON-RPC's error object.
    pub(super) const fn error_code(self) -> i64 {
        match self {
            Self::V18 => 200,
            Self::V19 => 0,
        }
    }
}
