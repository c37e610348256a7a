//! What a server can do with a query.

use crate::odata::metadata::Name;
use crate::odata::{Model, Version};

/// What a server can do. Where it cannot, a query is rewritten, the rest is done on the client and said in the plan, or it is
/// refused; nothing is left out in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialect {
    /// The version of the protocol.
    pub version: Version,
    /// `not` before a function such as `contains`. Comparisons are inverted instead.
    pub not: bool,
    /// `in (…)`. Written as `or` otherwise.
    pub is_in: bool,
    /// What `or` may join.
    pub or: OrSupport,
    /// `contains`, V2's `substringof`.
    pub contains: bool,
    /// `startswith`.
    pub starts_with: bool,
    /// What "has no value" means.
    pub null: NullStyle,
    /// How members of enum types are written in filters.
    pub enums: EnumStyle,
    /// How the size of a page is asked for.
    pub page: PageStyle,
    /// Records of a page where the query does not say.
    pub page_size: u32,
    /// Most records of a page.
    pub page_max: u32,
    /// Whether a query without an order asks for the key's: needed where pages are counted off.
    pub key_order: bool,
    /// Longest query string, in bytes.
    pub longest: usize,
}

/// What `or` may join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OrSupport {
    /// Anything.
    Any,
    /// Conditions on one field only.
    SameField,
}

/// What "has no value" means to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NullStyle {
    /// Null.
    Null,
    /// The type's initial value: `''`, `0001-01-01`, the zero GUID.
    Initial,
    /// Either, for text: ABAP stores `''` and a service may give null for it.
    Either,
}

/// How a member of an enum type is written in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnumStyle {
    /// `'Open'`.
    Quoted,
    /// `Namespace.Type'Open'`.
    Qualified,
}

/// How the size of a page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PageStyle {
    /// By `Prefer: odata.maxpagesize`; the server gives next links.
    Prefer,
    /// By `$top`; the connector counts pages off with `$skip` or a key.
    Top,
    /// Not at all; the server gives next links.
    Server,
}

impl Dialect {
    /// SAP Gateway V2 (`sap-odata.md`, sections 7 and 8).
    pub fn sap_v2() -> Self {
        Self {
            version: Version::V2,
            not: true,
            is_in: false,
            or: OrSupport::Any,
            contains: true,
            starts_with: true,
            null: NullStyle::Either,
            enums: EnumStyle::Quoted,
            page: PageStyle::Top,
            page_size: 1_000,
            page_max: 5_000,
            key_order: true,
            longest: 6_000,
        }
    }

    /// RAP services V4: no `not`, no `in`, no `tolower` (`sap-odata.md`, section 7).
    pub fn sap_v4() -> Self {
        Self {
            version: Version::V4,
            not: false,
            enums: EnumStyle::Qualified,
            ..Self::sap_v2()
        }
    }

    /// Business Central's API pages: `or` on one field only (`business-central.md`, section 4).
    pub fn business_central() -> Self {
        Self {
            version: Version::V4,
            not: false,
            is_in: false,
            or: OrSupport::SameField,
            contains: true,
            starts_with: true,
            null: NullStyle::Initial,
            enums: EnumStyle::Quoted,
            page: PageStyle::Prefer,
            page_size: 1_000,
            page_max: 20_000,
            key_order: false,
            longest: 6_000,
        }
    }

    /// Takes away what the service itself does not list (`Capabilities.FilterFunctions`).
    #[must_use]
    pub fn narrowed(mut self, model: &Model) -> Self {
        if let Some(words) = model.filter_functions() {
            let listed = |word: &str| words.iter().any(|known: &Name| &**known == word);
            self.not &= listed("not");
            self.is_in &= listed("in");
            self.contains &= listed("contains") || listed("substringof");
            self.starts_with &= listed("startswith");
        }
        self
    }
}
