//! Decompression with caps on both sides.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures_core::Stream;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use crate::error::{BadPayload, Error, Result};
use crate::http::ByteStream;

/// How much of an answer is read, in bytes. The call's own cap counts decompressed bytes and comes on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyLimits {
    /// As it comes over the wire; 128 MiB.
    pub compressed: u64,
    /// After decompression; 256 MiB.
    pub decompressed: u64,
    /// How many times larger than on the wire it may become, once past one MiB; 200. Mail in base64 stays below 20.
    pub ratio: u64,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            compressed: 128 * 1024 * 1024,
            decompressed: 256 * 1024 * 1024,
            ratio: 200,
        }
    }
}

impl BodyLimits {
    /// Sets the cap on what comes over the wire, in bytes.
    #[must_use]
    pub fn with_compressed(mut self, bytes: u64) -> Self {
        self.compressed = bytes;
        self
    }

    /// Sets the cap on what it becomes, in bytes.
    #[must_use]
    pub fn with_decompressed(mut self, bytes: u64) -> Self {
        self.decompressed = bytes;
        self
    }

    /// Sets how many times larger it may become.
    #[must_use]
    pub fn with_ratio(mut self, ratio: u64) -> Self {
        self.ratio = ratio.max(1);
        self
    }
}

/// Small bodies may be as dense as they like.
const RATIO_FROM: u64 = 1024 * 1024;
/// Fed to the decoder at once: at the densest (1:1032) it becomes four MiB before the caps are looked at.
const SLICE: usize = 4 * 1024;

/// Caps the body and decompresses it by its `Content-Encoding`, which is taken out of the headers together with the
/// length that no longer holds.
///
/// # Errors
/// [`BadPayload::Type`] for an encoding that was not asked for, [`BadPayload::TooLarge`] for a length over the cap.
pub(super) fn decoded(headers: &mut HeaderMap, body: ByteStream, limits: BodyLimits) -> Result<ByteStream> {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limits.compressed) {
        return Err(failure(BadPayload::TooLarge));
    }
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let encoding = match (encodings.next(), encodings.next()) {
        (None, _) => None,
        (Some(one), None) => Some(one.as_bytes().to_ascii_lowercase()),
        // Layers upon layers were not asked for.
        (Some(_), Some(_)) => return Err(failure(BadPayload::Type)),
    };
    let gzip = match encoding.as_deref() {
        None | Some(b"" | b"identity") => None,
        Some(b"gzip" | b"x-gzip") => Some(MultiGzDecoder::new(Vec::new())),
        Some(_) => return Err(failure(BadPayload::Type)),
    };
    if gzip.is_some() {
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
    }
    Ok(ByteStream::new(Decoded {
        inner: body,
        pending: Bytes::new(),
        gzip,
        limits,
        taken: 0,
        given: 0,
        done: false,
    }))
}

struct Decoded {
    inner: ByteStream,
    /// Came over the wire and is not decoded yet.
    pending: Bytes,
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    limits: BodyLimits,
    taken: u64,
    given: u64,
    done: bool,
}

impl Decoded {
    /// Counts what came, before anything is done with it.
    fn take(&mut self, chunk: Bytes) -> Result<()> {
        self.taken = self.taken.saturating_add(chunk.len() as u64);
        if self.taken > self.limits.compressed {
            return Err(failure(BadPayload::TooLarge));
        }
        self.pending = chunk;
        Ok(())
    }

    /// The next bytes out of what is pending, and `None` once more has to come.
    fn next_decoded(&mut self) -> Result<Option<Bytes>> {
        let Some(decoder) = self.gzip.as_mut() else {
            let chunk = std::mem::take(&mut self.pending);
            return self.give(chunk);
        };
        while !self.pending.is_empty() {
            let slice = self.pending.split_to(SLICE.min(self.pending.len()));
            decoder.write_all(&slice).map_err(bad_gzip)?;
            let out = std::mem::take(decoder.get_mut());
            if !out.is_empty() {
                return self.give(Bytes::from(out));
            }
        }
        Ok(None)
    }

    /// What the decoder still holds at the end; an end in the middle is an error.
    fn finish(&mut self) -> Result<Option<Bytes>> {
        let Some(decoder) = self.gzip.take() else {
            return Ok(None);
        };
        if self.taken == 0 {
            // No body at all, such as with 204 or 304.
            return Ok(None);
        }
        // A cut trailer and a wrong checksum look alike here: either way the body is not what was sent.
        let rest = decoder.finish().map_err(|_| failure(BadPayload::Truncated))?;
        self.give(Bytes::from(rest))
    }

    fn give(&mut self, chunk: Bytes) -> Result<Option<Bytes>> {
        self.given = self.given.saturating_add(chunk.len() as u64);
        let too_dense = self.given > RATIO_FROM && self.given > self.taken.saturating_mul(self.limits.ratio);
        if self.given > self.limits.decompressed || too_dense {
            return Err(failure(BadPayload::TooLarge));
        }
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    fn step(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            if !self.pending.is_empty() {
                match self.next_decoded() {
                    Ok(None) => {}
                    Ok(Some(chunk)) => return Poll::Ready(Some(Ok(chunk))),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            match Pin::new(&mut self.inner).poll_next(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(chunk))) => {
                    if let Err(error) = self.take(chunk) {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    self.done = true;
                    return Poll::Ready(self.finish().transpose());
                }
            }
        }
    }
}

impl Stream for Decoded {
    type Item = Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.get_mut();
        if body.done {
            return Poll::Ready(None);
        }
        let next = body.step(context);
        if matches!(next, Poll::Ready(Some(Err(_)))) {
            body.done = true;
        }
        next
    }
}

fn bad_gzip(error: std::io::Error) -> Error {
    failure(match error.kind() {
        std::io::ErrorKind::UnexpectedEof => BadPayload::Truncated,
        _ => BadPayload::Syntax,
    })
}

fn failure(kind: BadPayload) -> Error {
    // The answer had begun: whoever sent an effect must not believe that it did not leave.
    Error::new(kind, "http.body").with_effect(crate::error::Effect::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn stream(bytes: &[u8], chunk: usize) -> ByteStream {
        let chunks: Vec<Result<Bytes>> = bytes
            .chunks(chunk)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        ByteStream::new(futures_util::stream::iter(chunks))
    }

    async fn decode(encoding: Option<&str>, wire: &[u8], chunk: usize, limits: BodyLimits) -> Result<Vec<u8>> {
        let mut headers = HeaderMap::new();
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
        }
        decoded(&mut headers, stream(wire, chunk), limits)?
            .collect(usize::MAX)
            .await
    }

    #[tokio::test]
    async fn gzip_comes_out_as_it_went_in_however_it_is_cut() {
        let plain: Vec<u8> = (0..200_000u32).flat_map(|n| (n % 251).to_le_bytes()).collect();
        let wire = gzip(&plain);
        for chunk in [1, 7, 1000, 1_000_000] {
            let out = decode(Some("gzip"), &wire, chunk, BodyLimits::default()).await.unwrap();
            assert_eq!(out, plain, "chunks of {chunk}");
        }
        // Two members, as some proxies write.
        let two = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(
            decode(Some("GZIP"), &two, 5, BodyLimits::default()).await.unwrap(),
            b"one two"
        );
        assert_eq!(
            decode(None, b"plain", 2, BodyLimits::default()).await.unwrap(),
            b"plain"
        );
        assert_eq!(
            decode(Some("identity"), b"plain", 2, BodyLimits::default())
                .await
                .unwrap(),
            b"plain"
        );
        assert_eq!(decode(Some("gzip"), b"", 1, BodyLimits::default()).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn every_cut_of_a_gzip_is_noticed() {
        let wire = gzip(b"a page of messages, a page of messages, a page of messages");
        for end in 1..wire.len() {
            let error = decode(Some("gzip"), &wire[..end], 16, BodyLimits::default())
                .await
                .unwrap_err();
            assert_eq!(error.code(), "bad_payload.truncated", "cut at {end} of {}", wire.len());
        }
    }

    #[tokio::test]
    async fn damage_is_noticed() {
        let mut wire = gzip(b"some text that is long enough to be worth compressing, worth compressing");
        // In the checksum.
        let at = wire.len() - 6;
        wire[at] ^= 0xff;
        let error = decode(Some("gzip"), &wire, 1000, BodyLimits::default())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "bad_payload.truncated");
        // In the text.
        for end in 10..wire.len() - 8 {
            let mut wire = gzip(b"some text that is long enough to be worth compressing, worth compressing");
            wire[end] ^= 0xff;
            assert!(decode(Some("gzip"), &wire, 1000, BodyLimits::default()).await.is_err());
        }
        let error = decode(Some("gzip"), b"<html>not gzip</html>", 1000, BodyLimits::default())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "bad_payload.syntax");
        for encoding in ["br", "deflate", "zstd", "gzip, gzip"] {
            let error = decode(Some(encoding), b"x", 1, BodyLimits::default())
                .await
                .unwrap_err();
            assert_eq!(error.code(), "bad_payload.type", "{encoding}");
        }
    }

    #[tokio::test]
    async fn a_bomb_ends_at_the_caps() {
        let bomb = gzip(&vec![0u8; 64 * 1024 * 1024]);
        assert!(bomb.len() < 100_000);
        // By ratio, long before the size.
        let error = decode(Some("gzip"), &bomb, 1 << 20, BodyLimits::default())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "bad_payload.too_large");
        // By size.
        let limits = BodyLimits::default().with_ratio(u64::MAX).with_decompressed(1 << 20);
        let error = decode(Some("gzip"), &bomb, 1 << 20, limits).await.unwrap_err();
        assert_eq!(error.code(), "bad_payload.too_large");
        // On the wire.
        let limits = BodyLimits::default().with_compressed(10);
        let error = decode(None, b"eleven bytes", 3, limits).await.unwrap_err();
        assert_eq!(error.code(), "bad_payload.too_large");
        // By its own announcement, before a byte is read.
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, "11".parse().unwrap());
        let error = decoded(&mut headers, stream(b"", 1), limits).unwrap_err();
        assert_eq!(error.code(), "bad_payload.too_large");
    }
}
