//! The two versions of the protocol that matter.

use std::fmt;

/// The version of the protocol that a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Version {
    /// OData 2.0: SAP Gateway's classic services.
    V2,
    /// OData 4.0: RAP services, CAP, Business Central.
    V4,
}

impl Version {
    /// The `Accept` header of a read. V2 answers Atom without one; V4 keeps the digits of decimals only when asked to
    /// (`sap-odata.md`, section 6).
    pub fn accept(self) -> &'static str {
        match self {
            Self::V2 => "application/json",
            Self::V4 => "application/json;odata.metadata=minimal;IEEE754Compatible=true",
        }
    }

    /// The query option that asks for the number of all rows.
    pub fn count_option(self) -> &'static str {
        match self {
            Self::V2 => "$inlinecount=allpages",
            Self::V4 => "$count=true",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2 => "OData V2",
            Self::V4 => "OData V4",
        })
    }
}
