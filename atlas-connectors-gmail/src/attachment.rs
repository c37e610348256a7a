//! The content of an attachment as it arrives: out of a JSON string, out of base64, in bounded memory.

use atlas_connectors::Result;
use atlas_connectors::error::{BadPayload, Error};
use atlas_connectors::http::ByteStream;
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::base64::Decoder;
use crate::wire::Method;

/// Decodes the member `data` of the JSON object in `body`. A body that ends early ends the stream with an error, never
/// with a shorter attachment.
pub(crate) fn decode(body: ByteStream) -> ByteStream {
    let state = (body, Scanner::default(), Decoder::default());
    ByteStream::new(futures_util::stream::try_unfold(Some(state), |state| async move {
        let Some((mut body, mut scanner, mut decoder)) = state else {
            return Ok(None);
        };
        loop {
            match body.next().await {
                Some(chunk) => {
                    let encoded = scanner.push(&chunk?).map_err(failed)?;
                    let decoded = decoder.push(&encoded).map_err(|_| failed(BadPayload::Syntax))?;
                    if !decoded.is_empty() {
                        return Ok(Some((Bytes::from(decoded), Some((body, scanner, decoder)))));
                    }
                }
                None => {
                    scanner.finish().map_err(failed)?;
                    let last = decoder.finish().map_err(|_| failed(BadPayload::Syntax))?;
                    return Ok(Some((Bytes::from(last), None)));
                }
            }
        }
    }))
}

fn failed(fault: BadPayload) -> Error {
    Error::new(fault, Method::AttachmentsGet.name())
        .with_class(Method::AttachmentsGet.operation_class())
        .with_provider(crate::provider())
}

/// Finds the characters of the string member `data` of a JSON object that arrives in pieces. Members of nested objects
/// and the texts of other members are passed over.
#[derive(Debug, Default)]
struct Scanner {
    depth: u32,
    state: State,
    /// The last key at depth one, as far as it can still be `data`.
    key: Vec<u8>,
    /// Whether the string under way is a key.
    is_key: bool,
    found: bool,
}

#[derive(Debug, Default, PartialEq)]
enum State {
    #[default]
    Between,
    Text,
    Escape,
    Unicode(Vec<u8>),
}

/// Longer keys cannot be `data`.
const KEY_MAX: usize = 8;

impl Scanner {
    fn push(&mut self, piece: &[u8]) -> Result<Vec<u8>, BadPayload> {
        let mut data = Vec::new();
        for &byte in piece {
            match std::mem::take(&mut self.state) {
                State::Between => self.between(byte)?,
                State::Text => match byte {
                    b'"' => self.end_text(),
                    b'\\' => self.state = State::Escape,
                    _ => self.take(byte, &mut data),
                },
                State::Escape => match byte {
                    b'u' => self.state = State::Unicode(Vec::new()),
                    b'n' => self.take(b'\n', &mut data),
                    b'r' => self.take(b'\r', &mut data),
                    b'"' | b'\\' | b'/' => self.take(byte, &mut data),
                    _ => self.take(0, &mut data),
                },
                State::Unicode(mut digits) => {
                    digits.push(byte);
                    if digits.len() < 4 {
                        self.state = State::Unicode(digits);
                    } else {
                        let code = std::str::from_utf8(&digits)
                            .ok()
                            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                            .ok_or(BadPayload::Syntax)?;
                        self.take(u8::try_from(code).unwrap_or(0), &mut data);
                    }
                }
            }
        }
        Ok(data)
    }

    fn between(&mut self, byte: u8) -> Result<(), BadPayload> {
        match byte {
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ if self.depth == 0 && !byte.is_ascii_whitespace() => return Err(BadPayload::Type),
            b',' if self.depth == 1 => self.is_key = false,
            b':' if self.depth == 1 => self.is_key = true,
            b'"' => {
                // A string at depth one is a key until the colon has come.
                if self.depth == 1 && !self.is_key {
                    self.key.clear();
                }
                self.state = State::Text;
            }
            _ => {}
        }
        Ok(())
    }

    /// One character of the string under way.
    fn take(&mut self, byte: u8, data: &mut Vec<u8>) {
        self.state = State::Text;
        if self.depth != 1 {
            return;
        }
        if !self.is_key {
            if self.key.len() < KEY_MAX {
                self.key.push(byte);
            }
        } else if self.key == b"data" {
            data.push(byte);
        }
    }

    fn end_text(&mut self) {
        self.state = State::Between;
        if self.depth == 1 && self.is_key && self.key == b"data" {
            self.found = true;
        }
    }

    /// Whether the whole object has come, with its `data`.
    fn finish(&self) -> Result<(), BadPayload> {
        if self.depth != 0 || self.state != State::Between {
            return Err(BadPayload::Truncated);
        }
        if !self.found {
            return Err(BadPayload::Type);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn decoded(json: &str, step: usize) -> Result<Vec<u8>> {
        let chunks: Vec<Result<Bytes>> = json
            .as_bytes()
            .chunks(step)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        decode(ByteStream::new(futures_util::stream::iter(chunks)))
            .collect(1 << 20)
            .await
    }

    #[tokio::test]
    async fn the_content_is_found_wherever_it_stands_and_however_it_is_cut() {
        let cases = [
            r#"{"size":5,"data":"aGVsbG8"}"#,
            r#"{"data":"aGVsbG8=","size":5}"#,
            "{\n  \"attachmentId\": \"data\",\n  \"data\" : \"aGVs\\nbG8\\u003d\"\n}\n",
            r#"{"x":{"data":"bm8"},"y":["data","bm8"],"dataset":"bm8","data":"aGVsbG8"}"#,
            r#"{"quoted":"\"data\":\"bm8\"","data":"aGVsbG8"}"#,
        ];
        for json in cases {
            for step in [1, 2, 3, 5, 1000] {
                assert_eq!(decoded(json, step).await.unwrap(), b"hello", "{json} by {step}");
            }
        }
    }

    #[tokio::test]
    async fn an_early_end_is_an_error_and_never_a_shorter_attachment() {
        let json = r#"{"size":5,"data":"aGVsbG8"}"#;
        for cut in 0..json.len() {
            let error = decoded(&json[..cut], 4).await.unwrap_err();
            assert!(error.code().starts_with("bad_payload."), "cut at {cut}: {error}");
        }
        for (json, code) in [
            ("<html>no</html>", "bad_payload.type"),
            (r#"{"size":5}"#, "bad_payload.type"),
            (r#"{"data":"a*b"}"#, "bad_payload.syntax"),
            (r#"{"data":"\u00zz"}"#, "bad_payload.syntax"),
        ] {
            assert_eq!(decoded(json, 3).await.unwrap_err().code(), code, "{json}");
        }
    }

    #[tokio::test]
    async fn an_empty_attachment_is_empty() {
        assert_eq!(decoded(r#"{"size":0,"data":""}"#, 4).await.unwrap(), b"");
    }
}
