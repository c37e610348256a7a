//! Which Odoo it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A series of Odoo: 14.0, 17.0, 19.0, and saas~18.3 between them on Odoo Online.
///
/// ```
/// use atlas_connectors_erp::odoo::wire::Series;
///
/// assert_eq!(Series::parse("18.0-20250421"), Some(Series::new(18, 0)));
/// assert_eq!(Series::parse("saas~18.3+e"), Some(Series::new(18, 3)));
/// assert!(Series::parse("19.0").is_some_and(Series::has_json2));
/// assert_eq!(Series::parse("final"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    major: u16,
    minor: u16,
}

impl Series {
    /// The oldest series this connector speaks to.
    pub const OLDEST: Self = Self::new(14, 0);

    /// A series by its two numbers.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Reads the series out of a version text. The first element of `version_info` is no help: it may be the text
    /// `saas~18` (`odoo.md`, section 1).
    pub fn parse(version: &str) -> Option<Self> {
        let numbers = version.trim().strip_prefix("saas~").unwrap_or(version.trim());
        let end = numbers
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(numbers.len());
        let mut parts = numbers.get(..end)?.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = match parts.next() {
            Some(minor) => minor.parse().ok()?,
            None => 0,
        };
        Some(Self { major, minor })
    }

    /// The number before the point.
    pub const fn major(self) -> u16 {
        self.major
    }

    /// Whether the server has JSON-2.
    pub const fn has_json2(self) -> bool {
        self.major >= 19
    }

    /// Whether `has_access` is there; older servers have `check_access_rights`.
    pub const fn has_has_access(self) -> bool {
        self.major >= 18
    }

    /// Whether dates compare at the precision they are shown in. Before 19 the hidden fraction of a second counts.
    pub const fn compares_whole_seconds(self) -> bool {
        self.major >= 19
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
