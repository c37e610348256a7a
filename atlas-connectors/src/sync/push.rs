//! Push notifications: hints that something is new.

use crate::mail::SyncCursor;
use crate::sync::SyncReport;

/// A provider's hint that the mailbox has changed. A hint may be lost, doubled, late or out of order: it only says
/// "look now", the position in the store decides what is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushSignal {
    /// The position the provider names, if it does.
    pub cursor: Option<SyncCursor>,
}

/// What came of a hint.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PushOutcome {
    /// The stored position is there already.
    Known,
    /// The mailbox was read.
    Synced(Box<SyncReport>),
}

impl PushSignal {
    /// A hint with the position the provider names.
    pub fn at(cursor: SyncCursor) -> Self {
        Self { cursor: Some(cursor) }
    }

    /// Whether a stored position has reached the hint. Only positions that are decimal numbers can be compared, by length and
    /// then as text, because some are beyond 64 bits (`gmail.md`, section 8); any other hint is followed.
    pub fn is_reached_by(&self, stored: &SyncCursor) -> bool {
        let Some(hint) = &self.cursor else {
            return false;
        };
        match (digits(hint.as_str()), digits(stored.as_str())) {
            (Some(hint), Some(stored)) => (hint.len(), hint) <= (stored.len(), stored),
            _ => false,
        }
    }
}

fn digits(text: &str) -> Option<&str> {
    let number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| text.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_smaller_or_equal_numbers_are_known() {
        for (hint, stored, reached) in [
            ("9", "10", true),
            ("10", "10", true),
            ("010", "10", true),
            ("11", "10", false),
            ("123456789012345678901", "123456789012345678902", true),
            ("123456789012345678903", "123456789012345678902", false),
            ("abc", "10", false),
            ("10", "v2:10", false),
            ("", "10", false),
        ] {
            let signal = PushSignal::at(SyncCursor::new(hint));
            assert_eq!(
                signal.is_reached_by(&SyncCursor::new(stored)),
                reached,
                "{hint} {stored}"
            );
        }
        assert!(!PushSignal { cursor: None }.is_reached_by(&SyncCursor::new("10")));
    }
}
