//! What could not be kept while parsing, or was repaired.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that was lost or repaired. A message with losses is still a message: everything else was kept.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Loss {
    /// What happened.
    pub kind: LossKind,
    /// Path of the part where it happened; empty for the root.
    pub part: Box<str>,
    /// The header name, charset or encoding concerned: letters, digits and `-_.:` only, at most 40 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<str>>,
}

impl Loss {
    /// A loss in a part, with the word it is about. Characters that are not allowed in a detail are left out.
    pub fn new(kind: LossKind, part: &str, detail: Option<&str>) -> Self {
        let detail = detail.map(|word| {
            word.chars()
                .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
                .take(40)
                .collect::<String>()
                .into_boxed_str()
        });
        Self {
            kind,
            part: part.into(),
            detail,
        }
    }
}

impl fmt::Debug for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.code())?;
        if let Some(detail) = &self.detail {
            write!(f, " {detail}")?;
        }
        if !self.part.is_empty() {
            write!(f, " in part {}", self.part)?;
        }
        Ok(())
    }
}

/// The kinds of losses and repairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LossKind {
    /// The message is empty.
    Empty,
    /// The message is larger than [`crate::mail::ParseLimits::message_bytes`]; the rest was not read.
    MessageTruncated,
    /// The header block is larger than the limits; fields past them were dropped.
    HeadersTruncated,
    /// A line of the header block is no header field; it was skipped, or taken as the beginning of the body.
    MalformedHeaderLine,
    /// A field that may stand once stood more often; the first was taken.
    DuplicateHeader,
    /// Bytes above ASCII that are not UTF-8 in a header; read in the charset of the detail.
    RawHeaderBytes,
    /// A line break or control character came out of a header value; replaced by a space.
    ControlInHeader,
    /// The date cannot be read.
    UnreadableDate,
    /// A field that holds addresses has none that can be read.
    UnreadableAddress,
    /// A line ended with a bare carriage return.
    BareCarriageReturn,
    /// NUL bytes; removed from text and names.
    NulBytes,
    /// A multipart without a usable boundary; read as one text part.
    MissingBoundary,
    /// The end of a multipart was missing.
    UnterminatedMultipart,
    /// A multipart without any part.
    EmptyMultipart,
    /// Nested deeper than [`crate::mail::ParseLimits::depth`]; the part was kept unread.
    TooDeep,
    /// More parts than [`crate::mail::ParseLimits::parts`]; the rest was not read.
    TooManyParts,
    /// The content type cannot be read; read as `text/plain`, or as an attachment.
    UnreadableContentType,
    /// The transfer encoding is not known; the bytes were taken as they are.
    UnknownTransferEncoding,
    /// Base64 with bytes outside its alphabet or a missing end; what could be read was kept.
    DamagedBase64,
    /// Quoted-printable with wrong escapes; they were kept as text.
    DamagedQuotedPrintable,
    /// Uuencoded text that ends early or has wrong lines; what could be read was kept.
    DamagedUuencode,
    /// The charset is not known; read as UTF-8, or else as windows-1252.
    UnknownCharset,
    /// Some bytes mean nothing in the charset; shown as U+FFFD.
    UndecodableText,
    /// Text longer than [`crate::mail::ParseLimits::text_bytes`]; cut at the limit.
    TextTruncated,
    /// A file name with a path, a reserved name or control characters; the name is a safe form of it.
    UnsafeFileName,
    /// More addresses, references or other list members than the limits; the rest was dropped.
    ListTruncated,
}

impl LossKind {
    /// Stable word for logs and tables.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::MessageTruncated => "message_truncated",
            Self::HeadersTruncated => "headers_truncated",
            Self::MalformedHeaderLine => "malformed_header_line",
            Self::DuplicateHeader => "duplicate_header",
            Self::RawHeaderBytes => "raw_header_bytes",
            Self::ControlInHeader => "control_in_header",
            Self::UnreadableDate => "unreadable_date",
            Self::UnreadableAddress => "unreadable_address",
            Self::BareCarriageReturn => "bare_carriage_return",
            Self::NulBytes => "nul_bytes",
            Self::MissingBoundary => "missing_boundary",
            Self::UnterminatedMultipart => "unterminated_multipart",
            Self::EmptyMultipart => "empty_multipart",
            Self::TooDeep => "too_deep",
            Self::TooManyParts => "too_many_parts",
            Self::UnreadableContentType => "unreadable_content_type",
            Self::UnknownTransferEncoding => "unknown_transfer_encoding",
            Self::DamagedBase64 => "damaged_base64",
            Self::DamagedQuotedPrintable => "damaged_quoted_printable",
            Self::DamagedUuencode => "damaged_uuencode",
            Self::UnknownCharset => "unknown_charset",
            Self::UndecodableText => "undecodable_text",
            Self::TextTruncated => "text_truncated",
            Self::UnsafeFileName => "unsafe_file_name",
            Self::ListTruncated => "list_truncated",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_holds_no_free_text() {
        let loss = Loss::new(LossKind::UnknownCharset, "0.1", Some("x y\r\n<b>utf_9-é"));
        assert_eq!(loss.detail.as_deref(), Some("xybutf_9-"));
        assert_eq!(loss.to_string(), "unknown_charset xybutf_9- in part 0.1");
    }
}
