//! Bytes of a text part to text.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

use crate::mail::{Loss, LossKind};

/// Whether the name stands for UTF-8.
pub(super) fn is_utf8(name: &str) -> bool {
    matches!(
        name.to_ascii_lowercase().as_str(),
        "utf-8" | "utf8" | "unicode-1-1-utf-8" | "utf-8mb4" | "utf8mb4"
    )
}

fn is_ascii(name: &str) -> bool {
    matches!(
        name.to_ascii_lowercase().as_str(),
        "us-ascii" | "ascii" | "ansi_x3.4-1968" | "iso646-us"
    )
}

/// Whether bytes in this charset can be read.
pub(super) fn is_known(name: &str) -> bool {
    is_utf8(name) || is_utf7(name) || charset_decoder(name.as_bytes()).is_some()
}

/// Bytes in a named charset; `None` if the name is not known. Bytes that mean nothing become U+FFFD.
pub(super) fn decode_as(name: &str, bytes: &[u8]) -> Option<String> {
    if is_utf8(name) {
        return Some(String::from_utf8_lossy(bytes).into_owned());
    }
    if is_utf7(name) {
        return Some(utf7(bytes));
    }
    charset_decoder(name.as_bytes()).map(|decode| decode(bytes))
}

/// The text of a part: its charset, or what the bytes look like where the charset is missing, ASCII or unknown. NULs are taken out and
/// line ends unified.
pub(super) fn text(bytes: &[u8], declared: Option<&str>, path: &str, losses: &mut Vec<Loss>) -> String {
    let declared = declared.map(str::trim).filter(|name| !name.is_empty());
    let named = declared.filter(|name| is_known(name) && !is_ascii(name));
    if let (Some(name), None) = (declared, named)
        && !is_ascii(name)
    {
        losses.push(Loss::new(LossKind::UnknownCharset, path, Some(name)));
    }
    let (decoded, undecodable) = match named {
        Some(name) if !is_utf8(name) => {
            let decoded = decode_as(name, bytes).unwrap_or_default();
            let undecodable = decoded.contains(char::REPLACEMENT_CHARACTER);
            (Cow::Owned(decoded), undecodable)
        }
        // U+FFFD itself may have been written.
        Some(_) => match std::str::from_utf8(bytes) {
            Ok(text) => (Cow::Borrowed(text), false),
            Err(_) => (String::from_utf8_lossy(bytes), true),
        },
        None => match std::str::from_utf8(bytes) {
            Ok(text) => (Cow::Borrowed(text), false),
            Err(_) => {
                if declared.is_none_or(is_ascii) {
                    losses.push(Loss::new(LossKind::UnknownCharset, path, declared));
                }
                let decoded = decode_as("windows-1252", bytes);
                (
                    decoded.map_or_else(|| String::from_utf8_lossy(bytes), Cow::Owned),
                    false,
                )
            }
        },
    };
    if undecodable {
        losses.push(Loss::new(LossKind::UndecodableText, path, named));
    }
    unify(decoded.strip_prefix('\u{feff}').unwrap_or(&decoded), path, losses)
}

/// NULs out, `\r\n` and lone `\r` to `\n`.
fn unify(text: &str, path: &str, losses: &mut Vec<Loss>) -> String {
    let without_nuls;
    let mut rest = text;
    if text.contains('\0') {
        losses.push(Loss::new(LossKind::NulBytes, path, None));
        without_nuls = text.replace('\0', "");
        rest = &without_nuls;
    }
    let mut unified = String::with_capacity(rest.len());
    let mut bare = false;
    while let Some((line, after)) = memchr::memchr(b'\r', rest.as_bytes()).and_then(|at| rest.split_at_checked(at)) {
        let after = after.get(1..).unwrap_or_default();
        unified.push_str(line);
        if !after.starts_with('\n') {
            bare = true;
            unified.push('\n');
        }
        rest = after;
    }
    unified.push_str(rest);
    if bare {
        losses.push(Loss::new(LossKind::BareCarriageReturn, path, None));
    }
    unified
}

fn is_utf7(name: &str) -> bool {
    matches!(
        name.to_ascii_lowercase().as_str(),
        "utf-7" | "utf7" | "unicode-1-1-utf-7" | "x-unicode-2-0-utf-7"
    )
}

/// UTF-7 (RFC 2152), read here because a run of base64 may end with the text and `+-` is a plus sign.
fn utf7(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'+' {
            text.push(if byte.is_ascii() {
                byte as char
            } else {
                char::REPLACEMENT_CHARACTER
            });
            continue;
        }
        let run = rest.iter().take_while(|&&byte| sextet(byte).is_some()).count();
        let (run, after) = rest.split_at(run);
        rest = after.strip_prefix(b"-").unwrap_or(after);
        if run.is_empty() {
            text.push('+');
            continue;
        }
        let mut units = Vec::with_capacity(run.len() / 2);
        let (mut bits, mut count) = (0u32, 0u32);
        for value in run.iter().filter_map(|&byte| sextet(byte)) {
            bits = (bits << 6) | u32::from(value);
            count += 6;
            if count >= 16 {
                count -= 16;
                units.push((bits >> count) as u16);
                bits &= (1 << count) - 1;
            }
        }
        text.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    }
    text
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf7_runs() {
        let cases = [
            ("Hi Mom +Jjo--!", "Hi Mom \u{263a}-!"),
            ("1 +- 1", "1 + 1"),
            ("+ZeVnLIqe-", "\u{65e5}\u{672c}\u{8a9e}"),
            ("open end +AOQ", "open end \u{e4}"),
        ];
        for (encoded, expected) in cases {
            assert_eq!(decode_as("utf-7", encoded.as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn what_a_missing_or_wrong_charset_gives() {
        type Case<'a> = (&'a [u8], Option<&'a str>, &'a str, Option<LossKind>);
        let cases: [Case<'_>; 6] = [
            ("ä".as_bytes(), None, "ä", None),
            (b"\xe4", None, "ä", Some(LossKind::UnknownCharset)),
            (b"\xe4", Some("us-ascii"), "ä", Some(LossKind::UnknownCharset)),
            (b"\xe4", Some("no-such"), "ä", Some(LossKind::UnknownCharset)),
            (b"a\xe4b", Some("utf-8"), "a\u{fffd}b", Some(LossKind::UndecodableText)),
            (b"\x80 \x93", Some("iso-8859-1"), "\u{20ac} \u{201c}", None),
        ];
        for (bytes, declared, expected, loss) in cases {
            let mut losses = Vec::new();
            assert_eq!(text(bytes, declared, "0", &mut losses), expected);
            assert_eq!(losses.first().map(|loss| loss.kind), loss, "{declared:?}");
        }
    }
}
