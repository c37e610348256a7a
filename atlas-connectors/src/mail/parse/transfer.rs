//! Transfer encodings. Decoders keep what can be read and say whether anything was wrong.

use std::borrow::Cow;

use crate::mail::LossKind;

/// How the bytes of a part are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    Identity,
    Base64,
    QuotedPrintable,
    Uuencode,
    Unknown,
}

impl Transfer {
    /// From the value of `Content-Transfer-Encoding`; a comment after the word is ignored.
    pub(super) fn from_header(value: Option<&str>) -> Self {
        let Some(value) = value else {
            return Self::Identity;
        };
        let word: String = value
            .trim_start()
            .chars()
            .take_while(|c| !c.is_whitespace() && !matches!(c, ';' | '('))
            .collect();
        match word.trim_matches('"').to_ascii_lowercase().as_str() {
            "" | "7bit" | "8bit" | "binary" | "7-bit" | "8-bit" => Self::Identity,
            "base64" | "b64" => Self::Base64,
            "quoted-printable" | "quoted-printible" | "qp" => Self::QuotedPrintable,
            "x-uuencode" | "uuencode" | "x-uue" | "uue" => Self::Uuencode,
            _ => Self::Unknown,
        }
    }

    /// What damage in this encoding is called.
    pub(super) const fn damage(self) -> Option<LossKind> {
        match self {
            Self::Base64 => Some(LossKind::DamagedBase64),
            Self::QuotedPrintable => Some(LossKind::DamagedQuotedPrintable),
            Self::Uuencode => Some(LossKind::DamagedUuencode),
            Self::Identity | Self::Unknown => None,
        }
    }

    /// Feeds the decoded bytes to `emit`; returns whether all was well.
    fn run(self, data: &[u8], emit: &mut impl FnMut(&[u8])) -> bool {
        match self {
            Self::Identity | Self::Unknown => {
                emit(data);
                true
            }
            Self::Base64 => base64(data, emit),
            Self::QuotedPrintable => quoted_printable(data, emit),
            Self::Uuencode => uuencode(data, emit),
        }
    }

    /// The decoded bytes, and whether all was well.
    pub(super) fn decode(self, data: &[u8]) -> (Cow<'_, [u8]>, bool) {
        if matches!(self, Self::Identity | Self::Unknown) {
            return (Cow::Borrowed(data), true);
        }
        let mut decoded = Vec::with_capacity(match self {
            Self::Base64 | Self::Uuencode => data.len() / 4 * 3 + 3,
            _ => data.len(),
        });
        let whole = self.run(data, &mut |bytes| decoded.extend_from_slice(bytes));
        (Cow::Owned(decoded), whole)
    }

    /// The number of decoded bytes, without keeping them, and whether all was well.
    pub(super) fn measure(self, data: &[u8]) -> (u64, bool) {
        if self == Self::Base64 {
            return measure_base64(data);
        }
        let mut size = 0u64;
        let whole = self.run(data, &mut |bytes| size += bytes.len() as u64);
        (size, whole)
    }
}

/// Base64 (RFC 2045, section 6.8). Line ends and white space are skipped; other bytes are skipped as damage; text after the padding
/// is read on, as some programs join encoded pieces.
fn base64(data: &[u8], emit: &mut impl FnMut(&[u8])) -> bool {
    let mut whole = true;
    let (mut bits, mut count) = (0u32, 0u32);
    for &byte in data {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                whole &= flush(&mut bits, &mut count, emit);
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => continue,
            _ => {
                whole = false;
                continue;
            }
        };
        bits = (bits << 6) | u32::from(value);
        count += 1;
        if count == 4 {
            let [_, a, b, c] = bits.to_be_bytes();
            emit(&[a, b, c]);
            (bits, count) = (0, 0);
        }
    }
    // A missing end: padding is optional in the wild, a single left character is not.
    whole & flush(&mut bits, &mut count, emit)
}

/// What [`base64`] comes to, without decoding: of attachments, at first only the size is asked for.
fn measure_base64(data: &[u8]) -> (u64, bool) {
    let mut measure = Base64Measure::default();
    let (blocks, rest) = data.as_chunks::<16>();
    for block in blocks {
        // Looked at whole, without a branch for each byte: an attachment is hardly anything but characters and line ends.
        let (digits, other) = block.iter().fold((0u8, false), |(digits, other), &byte| {
            let digit = is_base64_digit(byte);
            (digits + u8::from(digit), other | !(digit | is_base64_space(byte)))
        });
        if other {
            block.iter().for_each(|&byte| measure.byte(byte));
        } else {
            measure.digits += u64::from(digits);
        }
    }
    rest.iter().for_each(|&byte| measure.byte(byte));
    measure.end_group();
    (measure.size, !measure.damaged)
}

#[derive(Default)]
struct Base64Measure {
    size: u64,
    /// Characters since the last padding.
    digits: u64,
    damaged: bool,
}

impl Base64Measure {
    fn byte(&mut self, byte: u8) {
        match byte {
            b'=' => self.end_group(),
            byte if is_base64_space(byte) => {}
            byte if is_base64_digit(byte) => self.digits += 1,
            _ => self.damaged = true,
        }
    }

    /// Two or three left characters are one or two bytes; a lone one is none, and damage.
    fn end_group(&mut self) {
        let left = self.digits % 4;
        self.size += self.digits / 4 * 3 + left.saturating_sub(1);
        self.damaged |= left == 1;
        self.digits = 0;
    }
}

/// What may stand between the characters.
fn is_base64_space(byte: u8) -> bool {
    (byte == b' ') | (byte == b'\t') | (byte == b'\r') | (byte == b'\n')
}

/// A character of either alphabet.
fn is_base64_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | (byte == b'+') | (byte == b'-') | (byte == b'/') | (byte == b'_')
}

/// Writes the bytes of an incomplete group; false if a lone character is left.
fn flush(bits: &mut u32, count: &mut u32, emit: &mut impl FnMut(&[u8])) -> bool {
    let (held, held_count) = (std::mem::take(bits), std::mem::take(count));
    match held_count {
        2 => emit(&[(held >> 4) as u8]),
        3 => emit(&[(held >> 10) as u8, (held >> 2) as u8]),
        1 => return false,
        _ => {}
    }
    true
}

/// Quoted-printable (RFC 2045, section 6.7). Wrong escapes stay as text.
fn quoted_printable(data: &[u8], emit: &mut impl FnMut(&[u8])) -> bool {
    let mut whole = true;
    let mut rest = data;
    while let Some(at) = rest.iter().position(|&byte| byte == b'=') {
        let (plain, after) = rest.split_at(at);
        emit(plain);
        let after = after.get(1..).unwrap_or_default();
        rest = if let [high, low, tail @ ..] = after
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            emit(&[high << 4 | low]);
            tail
        } else if let Some(tail) = soft_break(after) {
            tail
        } else {
            whole = false;
            emit(b"=");
            after
        };
    }
    emit(rest);
    whole
}

/// What follows a soft line break: `=`, white space that transport may have added, and the line end or the end of the data.
fn soft_break(after: &[u8]) -> Option<&[u8]> {
    let blank = after.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    match after.get(blank..).unwrap_or_default() {
        [b'\r', b'\n', tail @ ..] | [b'\n', tail @ ..] => Some(tail),
        [] | [b'\r'] => Some(&[]),
        _ => None,
    }
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

/// Uuencode: the lines between `begin` and `end`. Text before `begin` is left out.
fn uuencode(data: &[u8], emit: &mut impl FnMut(&[u8])) -> bool {
    let mut lines = data
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    if !lines.by_ref().any(|line| line.starts_with(b"begin ")) {
        // Some programs leave the frame out.
        emit(data);
        return false;
    }
    let mut whole = true;
    for line in lines {
        if line == b"end" {
            return whole;
        }
        let Some((&length, body)) = line.split_first() else {
            continue;
        };
        let length = usize::from(length.wrapping_sub(b' ') & 0x3f);
        let mut decoded = Vec::with_capacity(48);
        for group in body.chunks(4) {
            let bits = (0..4).fold(0u32, |bits, at| {
                // Trailing spaces, which stand for zero, may have been cut by transport.
                let byte = group.get(at).copied().unwrap_or(b' ');
                bits << 6 | u32::from(byte.wrapping_sub(b' ') & 0x3f)
            });
            decoded.extend_from_slice(bits.to_be_bytes().get(1..).unwrap_or_default());
        }
        // A line of nothing but its length may be short by cut spaces, but not otherwise.
        whole &= decoded.len() + 2 >= length;
        decoded.truncate(length);
        emit(&decoded);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_keeps_what_can_be_read() {
        let cases: [(&str, &[u8], bool); 8] = [
            ("aGVsbG8=", b"hello", true),
            ("aGVs\r\nbG8=\r\n", b"hello", true),
            ("aGVsbG8", b"hello", true),
            ("aGVsbG8*=", b"hello", false),
            ("aGVsb", b"hel", false),
            ("aGk=aGk=", b"hihi", true),
            ("-_8=", b"\xfb\xff", true),
            ("", b"", true),
        ];
        for (encoded, decoded, whole) in cases {
            let got = Transfer::Base64.decode(encoded.as_bytes());
            assert_eq!((got.0.as_ref(), got.1), (decoded, whole), "{encoded:?}");
            assert_eq!(
                Transfer::Base64.measure(encoded.as_bytes()),
                (decoded.len() as u64, whole)
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn base64_measures_what_it_decodes(data in r"([A-Za-z0-9+/_-]{0,40}|[=\r\n *\x00-\x7f]{0,3}){0,12}") {
            let (decoded, whole) = Transfer::Base64.decode(data.as_bytes());
            proptest::prop_assert_eq!(Transfer::Base64.measure(data.as_bytes()), (decoded.len() as u64, whole));
        }
    }

    #[test]
    fn quoted_printable_keeps_wrong_escapes() {
        let cases: [(&str, &[u8], bool); 6] = [
            ("caf=C3=A9", "café".as_bytes(), true),
            ("one =\r\nline", b"one line", true),
            ("one = \t\nline", b"one line", true),
            ("end=", b"end", true),
            ("100 =% off", b"100 =% off", false),
            ("a=3db", b"a=b", true),
        ];
        for (encoded, decoded, whole) in cases {
            let got = Transfer::QuotedPrintable.decode(encoded.as_bytes());
            assert_eq!((got.0.as_ref(), got.1), (decoded, whole), "{encoded:?}");
        }
    }

    #[test]
    fn uuencode_reads_the_frame() {
        let encoded = b"begin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n";
        for (encoded, whole) in [(encoded.as_slice(), true), (b"begin 644 x\n#0V%T\n", false)] {
            let got = Transfer::Uuencode.decode(encoded);
            assert_eq!((got.0.as_ref(), got.1), (b"Cat".as_slice(), whole));
        }
    }

    #[test]
    fn names() {
        let cases = [
            (None, Transfer::Identity),
            (Some("7bit"), Transfer::Identity),
            (Some(" BASE64 "), Transfer::Base64),
            (Some("quoted-printable; x"), Transfer::QuotedPrintable),
            (Some("x-uuencode"), Transfer::Uuencode),
            (Some("rot13"), Transfer::Unknown),
        ];
        for (value, expected) in cases {
            assert_eq!(Transfer::from_header(value), expected);
        }
    }
}
