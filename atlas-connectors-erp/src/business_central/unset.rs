//! What Business Central holds where there is no value: `0001-01-01` for a date, zeros for a GUID.
//!
//! Source: `business-central.md`, section 3. Empty text, unset too, is read as null with the rows; zero stays a value, since nothing tells it from unset.

/// The date that stands for none.
pub const NO_DATE: &str = "0001-01-01";
/// The GUID that stands for none.
pub const NO_GUID: &str = "00000000-0000-0000-0000-000000000000";

/// Whether the text stands for no date, moment or GUID.
///
/// ```
/// use atlas_connectors_erp::business_central::unset;
///
/// assert!(unset::is_unset("0001-01-01"));
/// assert!(unset::is_unset("0001-01-01T00:00:00Z"));
/// assert!(unset::is_unset("00000000-0000-0000-0000-000000000000"));
/// assert!(!unset::is_unset(""));
/// ```
pub fn is_unset(text: &str) -> bool {
    let date = text
        .strip_prefix(NO_DATE)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('T'));
    date || text == NO_GUID
}

/// Whether the text is a GUID of 36 characters.
pub fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
