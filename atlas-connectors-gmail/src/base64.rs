//! Base64 as Gmail and its clients really write it: both alphabets, padded or not.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding is accepted and not needed. Trailing bits that a sloppy encoder left are ignored.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The text is not base64 in either alphabet. Says nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not base64")]
pub struct NotBase64;

/// Decodes base64url or standard base64, padded or not, with line breaks between. Source: `gmail.md`, section 8.
///
/// # Errors
/// [`NotBase64`] for any other character or an impossible length.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
    // The usual spelling first: the decoder itself stops at the first byte of another one.
    if let Ok(bytes) = LENIENT.decode(text) {
        return Ok(bytes);
    }
    let folded: Vec<u8> = text.bytes().filter_map(fold).collect();
    LENIENT.decode(folded).map_err(|_| NotBase64)
}

/// Encodes as base64url with padding, the form Gmail documents for `raw`.
pub fn encode(bytes: &[u8]) -> String {
    base64::engine::general_purpose::URL_SAFE.encode(bytes)
}

/// Encodes in the standard alphabet with padding, as MIME wants it.
pub(crate) fn encode_standard(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The character in the URL alphabet; `None` for a line break.
pub(crate) const fn fold(byte: u8) -> Option<u8> {
    match byte {
        b'+' => Some(b'-'),
        b'/' => Some(b'_'),
        b'\r' | b'\n' => None,
        other => Some(other),
    }
}

/// Decodes a body that arrives in pieces of any length, keeping at most three characters between them.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    rest: Vec<u8>,
    ended: bool,
}

impl Decoder {
    /// Decodes what is complete; the remainder waits for the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, NotBase64> {
        for byte in piece.iter().copied().filter_map(fold) {
            if byte == b'=' {
                self.ended = true;
            } else if self.ended {
                return Err(NotBase64);
            } else {
                self.rest.push(byte);
            }
        }
        let whole = self.rest.len() - self.rest.len() % 4;
        let tail = self.rest.split_off(whole);
        let head = std::mem::replace(&mut self.rest, tail);
        LENIENT.decode(head).map_err(|_| NotBase64)
    }

    /// Decodes the last characters.
    pub(crate) fn finish(self) -> Result<Vec<u8>, NotBase64> {
        LENIENT.decode(self.rest).map_err(|_| NotBase64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_same_bytes_decodes() {
        let bytes = [0xfb, 0xff, 0xfe, 0x3e];
        for text in ["-__-Pg==", "-__-Pg", "+//+Pg==", "+//+Pg", "+//+\r\nPg=="] {
            assert_eq!(decode(text).unwrap(), bytes, "{text}");
        }
        assert_eq!(encode(&bytes), "-__-Pg==");
        assert_eq!(decode("").unwrap(), b"");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["a", "*a==", "ab c", "ümlaut"] {
            assert_eq!(decode(text), Err(NotBase64), "{text}");
        }
    }

    #[test]
    fn pieces_of_any_length_give_the_same_bytes() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = encode(&bytes);
        for step in 1..9 {
            let mut decoder = Decoder::default();
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(step) {
                out.extend(decoder.push(piece).unwrap());
            }
            out.extend(decoder.finish().unwrap());
            assert_eq!(out, bytes, "step {step}");
        }
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(b"QQ==").unwrap(), b"");
        assert_eq!(decoder.push(b"QQ"), Err(NotBase64));
    }
}
