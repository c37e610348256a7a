//! Conveniences over [`Mailbox`].

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::error::{Error, ErrorKind, Result, SchemaFault};
use crate::ids::MessageId;
use crate::mail::{
    ChangePage, MailQuery, Mailbox, Message, MessageRef, OutgoingBuilder, OutgoingMessage, PartRef, SyncPoint,
};
use crate::page::PageToken;

/// What can be done with any mailbox, built on its required methods alone. Implemented for every [`Mailbox`], also behind `dyn`.
///
/// ```
/// # use atlas_connectors::mail::{MailQuery, Mailbox, MailboxExt as _};
/// # use futures_util::TryStreamExt as _;
/// # async fn example(mailbox: &dyn Mailbox) -> atlas_connectors::Result<()> {
/// let orders = MailQuery::new().subject("purchase order").has_attachment();
/// let mut found = mailbox.search_all(orders);
/// while let Some(hit) = found.try_next().await? {
///     let message = mailbox.message(&hit.id).await?;
///     println!("{}", message.preview);
/// }
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait MailboxExt: Mailbox {
    /// Every message that matches, page after page, each once. Holds the ids of what it has given (16 bytes and a few more each), because
    /// pages shift when mail arrives meanwhile.
    fn search_all(&self, query: MailQuery) -> BoxStream<'_, Result<MessageRef>>;

    /// Every page of changes from a point. Each page is to be stored before the next is asked for; [`ChangePage::next`] is where another
    /// process may go on.
    fn all_changes(&self, from: SyncPoint) -> BoxStream<'_, Result<ChangePage>>;

    /// The whole bytes of one part, at most `limit` bytes.
    ///
    /// # Errors
    /// [`crate::error::BadPayload::TooLarge`] past the limit, and whatever the mailbox fails with.
    async fn attachment_bytes(&self, part: &PartRef, limit: usize) -> Result<Vec<u8>>;

    /// Reads a message and begins an answer to its author, from the account's own address.
    ///
    /// # Errors
    /// Whatever the mailbox fails with.
    async fn reply_to(&self, id: &MessageId) -> Result<OutgoingBuilder>;

    /// Reads a message and begins an answer to its author and everyone who got it, from the account's own address.
    ///
    /// # Errors
    /// Whatever the mailbox fails with.
    async fn reply_all(&self, id: &MessageId) -> Result<OutgoingBuilder>;
}

#[async_trait]
impl<M: Mailbox + ?Sized> MailboxExt for M {
    fn search_all(&self, query: MailQuery) -> BoxStream<'_, Result<MessageRef>> {
        let seen = std::collections::HashSet::new();
        pages(move |token| {
            let query = query.clone();
            async move {
                let page = self.search(&query, token.as_ref()).await?;
                Ok((page.items, page.next))
            }
        })
        .map_ok(|items| stream::iter(items.into_iter().map(Ok)))
        .try_flatten()
        .scan(seen, |seen, item| {
            let fresh = match &item {
                Ok(hit) => seen.insert(hit.id.clone()),
                Err(_) => true,
            };
            std::future::ready(Some(fresh.then_some(item)))
        })
        .filter_map(std::future::ready)
        .boxed()
    }

    fn all_changes(&self, from: SyncPoint) -> BoxStream<'_, Result<ChangePage>> {
        pages(move |token| {
            let from = from.clone();
            async move {
                let page = self.changes(&from, token.as_ref()).await?;
                let next = page.next.clone();
                Ok((page, next))
            }
        })
        .boxed()
    }

    async fn attachment_bytes(&self, part: &PartRef, limit: usize) -> Result<Vec<u8>> {
        self.attachment(part).await?.collect(limit).await
    }

    async fn reply_to(&self, id: &MessageId) -> Result<OutgoingBuilder> {
        let (message, address) = message_and_address(self, id).await?;
        Ok(OutgoingMessage::reply_to(&message).from(address))
    }

    async fn reply_all(&self, id: &MessageId) -> Result<OutgoingBuilder> {
        let (message, address) = message_and_address(self, id).await?;
        Ok(OutgoingMessage::reply_all(&message).from(address))
    }
}

async fn message_and_address<M: Mailbox + ?Sized>(mailbox: &M, id: &MessageId) -> Result<(Message, String)> {
    let message = mailbox.message(id).await?;
    let profile = mailbox.profile().await?;
    Ok((message, profile.address))
}

/// Pages until one names no next. A token that comes back twice in a row would never end and is refused.
fn pages<'a, T, F, Fut>(fetch: F) -> impl stream::Stream<Item = Result<T>> + Send + 'a
where
    T: Send + 'a,
    F: Fn(Option<PageToken>) -> Fut + Send + 'a,
    Fut: Future<Output = Result<(T, Option<PageToken>)>> + Send + 'a,
{
    let first: Option<Option<PageToken>> = Some(None);
    stream::try_unfold((first, fetch), |(token, fetch)| async move {
        let Some(token) = token else {
            return Ok(None);
        };
        let (page, next) = fetch(token.clone()).await?;
        if next.is_some() && next == token {
            return Err(Error::new(
                ErrorKind::SchemaMismatch {
                    path: "nextPageToken".into(),
                    fault: SchemaFault::Value,
                },
                "mailbox.pages",
            ));
        }
        Ok(Some((page, (next.map(Some), fetch))))
    })
}
