//! Limits and trust.

/// Limits of parsing. What lies beyond one is left out and named in [`crate::mail::Message::losses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseLimits {
    /// Bytes of a message that are read. Default 64 MiB.
    pub message_bytes: usize,
    /// Bytes of one header block that are kept. Default 256 KiB.
    pub header_bytes: usize,
    /// Fields of one header block that are kept. Default 1,000.
    pub header_fields: usize,
    /// Depth of nested parts. Default 24; deeper parts are kept unread as attachments. Values over 100 count as 100.
    pub depth: usize,
    /// Parts of a message. Default 1,000.
    pub parts: usize,
    /// Bytes of plain text, and of HTML, that are kept. Default 2 MiB each.
    pub text_bytes: usize,
    /// Characters of the preview. Default 200.
    pub preview_chars: usize,
    /// Addresses of one field, and references, that are kept. Default 1,000.
    pub list_members: usize,
}

impl Default for ParseLimits {
    fn default() -> Self {
        Self {
            message_bytes: 64 << 20,
            header_bytes: 256 << 10,
            header_fields: 1_000,
            depth: 24,
            parts: 1_000,
            text_bytes: 2 << 20,
            preview_chars: 200,
            list_members: 1_000,
        }
    }
}

/// How to parse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseOptions {
    /// Limits.
    pub limits: ParseLimits,
    /// Names of servers whose `Authentication-Results` are believed (for Gmail `mx.google.com`), compared without case. None by
    /// default: anybody can write such a field.
    pub trusted_servers: Vec<String>,
}

impl ParseOptions {
    /// The default limits, believing these servers.
    pub fn trusting<T: Into<String>>(servers: impl IntoIterator<Item = T>) -> Self {
        Self {
            limits: ParseLimits::default(),
            trusted_servers: servers.into_iter().map(Into::into).collect(),
        }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: ParseLimits) -> Self {
        self.limits = limits;
        self
    }

    /// For mail we wrote ourselves: nothing may be cut from what a reviewer sees.
    pub(crate) fn unbounded() -> Self {
        Self::default().with_limits(ParseLimits {
            message_bytes: usize::MAX,
            header_bytes: usize::MAX,
            header_fields: usize::MAX,
            parts: usize::MAX,
            text_bytes: usize::MAX,
            list_members: usize::MAX,
            ..ParseLimits::default()
        })
    }
}
