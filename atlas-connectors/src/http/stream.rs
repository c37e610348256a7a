//! Bytes as they arrive.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use crate::error::Result;

/// A body in chunks, bounded in size by the cap of its call. Dropping it ends the transfer.
pub struct ByteStream(Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>);

impl ByteStream {
    /// Wraps a stream of chunks.
    pub fn new(stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// A stream of one chunk that is at hand.
    pub fn once(bytes: Bytes) -> Self {
        Self::new(futures_util::stream::once(async move { Ok(bytes) }))
    }

    /// Collects all chunks, at most `limit` bytes.
    ///
    /// # Errors
    /// [`crate::error::BadPayload::TooLarge`] past the limit, and whatever ends the stream.
    pub async fn collect(self, limit: usize) -> Result<Vec<u8>> {
        Ok(self.gather(limit).await?.into())
    }

    /// As [`ByteStream::collect`], without a copy where the body is one chunk.
    pub(crate) async fn gather(mut self, limit: usize) -> Result<Bytes> {
        use futures_util::StreamExt as _;

        let mut first = Bytes::new();
        let mut all = Vec::new();
        while let Some(chunk) = self.0.next().await {
            let chunk = chunk?;
            if (first.len() + all.len()).saturating_add(chunk.len()) > limit {
                return Err(crate::Error::new(crate::error::BadPayload::TooLarge, "http.collect"));
            }
            if first.is_empty() && all.is_empty() {
                first = chunk;
                continue;
            }
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&chunk);
        }
        Ok(if all.is_empty() { first } else { all.into() })
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}
