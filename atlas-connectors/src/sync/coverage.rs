//! What of a mailbox is proven complete.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What of a mailbox is proven complete, and what is not. `Display` is one readable line.
///
/// **Units**: moments of change at the provider, UTC. An interval is complete when every message that came, changed or went
/// within it has been applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Coverage {
    /// Complete intervals, oldest first. Empty before the first baseline.
    pub complete: Vec<Interval>,
    /// Open gaps, oldest first.
    pub gaps: Vec<Gap>,
    /// The last gaps that were closed by proof, oldest first.
    pub closed: Vec<Gap>,
    /// Items listed by the repair or first sync under way, and the provider's estimate of all.
    pub backfill: Option<(u64, Option<u64>)>,
    /// Messages that could not be read yet and are tried again by the next runs.
    pub pending: u64,
    /// Messages set aside after repeated failures; an operator may have them tried again.
    pub quarantined: u64,
}

/// A span of time. `from: None` is the beginning of the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// First moment; `None`: the beginning of the mailbox.
    pub from: Option<Timestamp>,
    /// Last moment.
    pub to: Timestamp,
}

/// An interval that is not proven complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Counts the gaps of one mailbox.
    pub id: u64,
    /// Up to here it was complete; `None`: the beginning of the mailbox.
    pub from: Option<Timestamp>,
    /// From here on it is complete again; `None` until the new baseline is taken.
    pub to: Option<Timestamp>,
    /// Why it is there.
    pub cause: GapCause,
    /// When it was noticed.
    pub opened: Timestamp,
    /// When it was proven closed.
    pub closed: Option<Timestamp>,
}

/// Why there is a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GapCause {
    /// The mailbox has never been read whole.
    FirstSync,
    /// The provider had forgotten the position.
    CursorExpired,
}

impl Coverage {
    /// Whether everything up to the end of the last interval is proven, with no gap and no unread message.
    pub fn is_complete(&self) -> bool {
        !self.complete.is_empty() && self.gaps.is_empty() && self.pending == 0 && self.quarantined == 0
    }

    /// Up to when changes are known; `None` before the first baseline.
    pub fn through(&self) -> Option<Timestamp> {
        self.complete.last().map(|interval| interval.to)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(from) => write!(f, "from {from} to {}", self.to),
            None => write!(f, "from the beginning to {}", self.to),
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(from) => write!(f, "from {from}")?,
            None => f.write_str("from the beginning")?,
        }
        match self.to {
            Some(to) => write!(f, " to {to}")?,
            None => f.write_str(" until now")?,
        }
        f.write_str(match self.cause {
            GapCause::FirstSync => " (first sync)",
            GapCause::CursorExpired => " (the provider forgot the position)",
        })
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.complete.is_empty() {
            f.write_str("nothing complete yet")?;
        } else {
            f.write_str("complete ")?;
            for (index, interval) in self.complete.iter().enumerate() {
                write!(f, "{}{interval}", if index == 0 { "" } else { ", " })?;
            }
        }
        for gap in &self.gaps {
            write!(f, "; gap {gap}")?;
        }
        match self.backfill {
            Some((listed, Some(estimate))) => write!(f, "; {listed} of about {estimate} listed")?,
            Some((listed, None)) => write!(f, "; {listed} listed")?,
            None => {}
        }
        if self.pending > 0 {
            write!(f, "; {} to be read again", self.pending)?;
        }
        if self.quarantined > 0 {
            write!(f, "; {} set aside", self.quarantined)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_one_line() {
        let at = Timestamp::from_unix_seconds;
        let mut coverage = Coverage::default();
        assert_eq!(coverage.to_string(), "nothing complete yet");
        assert!(!coverage.is_complete());
        coverage.complete.push(Interval {
            from: None,
            to: at(1_700_000_000),
        });
        assert!(coverage.is_complete());
        coverage.gaps.push(Gap {
            id: 2,
            from: Some(at(1_700_000_000)),
            to: None,
            cause: GapCause::CursorExpired,
            opened: at(1_700_000_100),
            closed: None,
        });
        coverage.backfill = Some((40, Some(100)));
        coverage.quarantined = 1;
        assert_eq!(
            coverage.to_string(),
            "complete from the beginning to 2023-11-14T22:13:20Z; gap from 2023-11-14T22:13:20Z until now \
             (the provider forgot the position); 40 of about 100 listed; 1 set aside"
        );
        assert!(!coverage.is_complete());
    }
}
