//! The position in a mailbox's history.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A history id: opaque text of digits. It may be longer than 64 bits can hold (an emulator uses 21 digits), so it is
/// never made a number; ids are ordered by length, then by text.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct HistoryId(Box<str>);

impl HistoryId {
    /// An id as Gmail wrote it.
    pub fn new(id: impl Into<Box<str>>) -> Self {
        Self(id.into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Ord for HistoryId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for HistoryId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for HistoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HistoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HistoryId({})", self.0)
    }
}

impl<'de> Deserialize<'de> for HistoryId {
    /// From a string (as documented) or from a number (as seen), digit for digit.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let digits = text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(serde::de::Error::custom("a history id is made of digits"));
        }
        Ok(Self(digits.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_numbers_of_any_length_are_read_digit_for_digit() {
        let parse = |json: &str| serde_json::from_str::<HistoryId>(json);
        assert_eq!(parse("\"1710\"").unwrap().as_str(), "1710");
        assert_eq!(parse("1710").unwrap().as_str(), "1710");
        assert_eq!(
            parse("179531567101201590701").unwrap().as_str(),
            "179531567101201590701"
        );
        for wrong in ["null", "\"\"", "\"12a\"", "1.5", "-3", "1e9", "[1]"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn order_is_by_length_then_text() {
        let id = |text: &str| HistoryId::new(text);
        assert!(id("9") < id("10"));
        assert!(id("20177560") < id("20177571"));
        assert!(id("99999999999999999999") < id("179531567101201590701"));
    }
}
