//! What the wire does to an answer, beyond what an HTTP server can do.

use std::time::Duration;

/// What the wire does to an answer: the proxy in front of the handler carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireFault {
    /// The connection is closed without an answer.
    Cut,
    /// Nothing is ever answered; the connection stays open until the client leaves.
    Hang,
    /// The answer breaks off after this many bytes of its body.
    Truncate(usize),
    /// The body comes in pieces with a pause before each.
    Drip {
        /// Bytes a piece, at least one.
        bytes: usize,
        /// The pause, in real time.
        every: Duration,
    },
}

/// The header between handler and proxy, which the proxy removes again.
pub(super) const WIRE_HEADER: &str = "x-mock-wire-fault";

impl WireFault {
    pub(super) fn write(self) -> String {
        match self {
            Self::Cut => "cut".to_owned(),
            Self::Hang => "hang".to_owned(),
            Self::Truncate(after) => format!("truncate {after}"),
            Self::Drip { bytes, every } => format!("drip {} {}", bytes.max(1), every.as_millis()),
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
        match *words.first()? {
            "cut" => Some(Self::Cut),
            "hang" => Some(Self::Hang),
            "truncate" => Some(Self::Truncate(usize::try_from(number(1)?).ok()?)),
            "drip" => Some(Self::Drip {
                bytes: usize::try_from(number(1)?).ok()?.max(1),
                every: Duration::from_millis(number(2)?),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_header_reads_what_it_writes() {
        for fault in [
            WireFault::Cut,
            WireFault::Hang,
            WireFault::Truncate(17),
            WireFault::Drip {
                bytes: 3,
                every: Duration::from_millis(5),
            },
        ] {
            assert_eq!(WireFault::read(&fault.write()), Some(fault));
        }
        assert_eq!(WireFault::read("melt"), None);
    }
}
