//! The core's [`Mailbox`] on top of [`Gmail`].

use async_trait::async_trait;
use atlas_connectors::action::{Approved, Prepared, Reconciled, Sent};
use atlas_connectors::error::{ErrorKind, NotApproved, SchemaFault};
use atlas_connectors::http::ByteStream;
use atlas_connectors::mail::{
    ChangePage, Label, LabelChange, MailChange, MailListing, MailQuery, Mailbox, MailboxCapabilities, MailboxProfile,
    Message, MessageRef, OutgoingMessage, PartRef, SyncCursor, SyncPoint, Thread,
};
use atlas_connectors::{ConnectionRef, Error, MessageId, Page, PageToken, Result, ThreadId};
use bytes::Bytes;

use crate::builder::{Baseline, MailboxSettings};
use crate::gmail::Gmail;
use crate::query::{self, LabelNames};
use crate::sending::Sending;
use crate::wire::history::{self, ListHistory};
use crate::wire::messages::{self, Format, ListMessages, MessageList};
use crate::wire::{HistoryId, Method};

/// A Gmail mailbox, made by [`crate::GmailBuilder::mailbox`].
///
/// # Cost
/// `profile` 1 unit; `changes` 2 or 5 a page (plus 1 for the baseline); `message` 20; `thread` 40; `search` 5 a page;
/// `organize` 5 or 50; a send through a draft 110, without one 100 (prices since 2026-05-01, [`crate::Tariff`]).
#[derive(Clone, Debug)]
pub struct GmailMailbox {
    gmail: Gmail,
    settings: MailboxSettings,
}

impl GmailMailbox {
    pub(crate) fn new(gmail: Gmail, settings: MailboxSettings) -> Self {
        Self { gmail, settings }
    }

    /// Everything else Gmail can do.
    pub fn gmail(&self) -> &Gmail {
        &self.gmail
    }

    fn sending(&self) -> Sending<'_> {
        Sending::new(&self.gmail, &self.settings)
    }

    async fn listed(&self, listing: &MailListing, page: Option<&PageToken>) -> Result<ChangePage> {
        // With `gmail.compose` alone the profile can be had and the listing cannot.
        self.gmail.require(Method::MessagesList)?;
        // The baseline comes first: what arrives while we list is then told twice rather than never.
        let cursor = match page {
            None => Some(self.baseline().await?),
            Some(_) => None,
        };
        let mut wanted = query::listing(listing);
        wanted.max_results = Some(self.settings.page_size);
        wanted.page_token = page.cloned();
        let list = self.gmail.messages(&wanted).await?;
        check_progress(page, list.next_page_token.as_ref(), Method::MessagesList)?;
        Ok(ChangePage {
            changes: list
                .messages
                .into_iter()
                .map(|listed| MailChange::Present(listed.into()))
                .collect(),
            next: list.next_page_token,
            cursor,
            estimate: list.result_size_estimate,
        })
    }

    async fn changed(&self, cursor: &SyncCursor, page: Option<&PageToken>) -> Result<ChangePage> {
        let mut wanted = ListHistory::after(HistoryId::new(cursor.as_str()));
        wanted.max_results = Some(self.settings.page_size);
        wanted.page_token = page.cloned();
        let answer = self.gmail.history(&wanted).await?;
        check_progress(page, answer.next_page_token.as_ref(), Method::HistoryList)?;
        let changes = history::changes(&answer);
        // Only the last page says where to go on: storing it earlier would lose the pages between.
        let is_last = answer.next_page_token.is_none();
        Ok(ChangePage {
            changes,
            next: answer.next_page_token,
            cursor: is_last.then(|| SyncCursor::new(answer.history_id.as_str())),
            estimate: None,
        })
    }

    async fn baseline(&self) -> Result<SyncCursor> {
        if self.settings.baseline == Baseline::Profile {
            let profile = self.gmail.profile().await?;
            return Ok(SyncCursor::new(profile.history_id.as_str()));
        }
        let wanted = ListMessages {
            max_results: Some(1),
            include_spam_trash: true,
            ..ListMessages::default()
        };
        let newest: MessageList = self.gmail.messages(&wanted).await?;
        let Some(newest) = newest.messages.first() else {
            return Ok(SyncCursor::new("1"));
        };
        let message = self.gmail.message_resource(&newest.id, Format::Minimal, &[]).await?;
        let id = message.history_id.ok_or_else(|| {
            let kind = ErrorKind::SchemaMismatch {
                path: "historyId".to_owned(),
                fault: SchemaFault::Missing,
            };
            Error::new(kind, Method::MessagesGet.name()).with_provider(crate::provider())
        })?;
        // The newest by date need not be the last that changed; the history says where it ends.
        let mut wanted = ListHistory::after(id);
        wanted.max_results = Some(1);
        let history = self.gmail.history(&wanted).await?;
        Ok(SyncCursor::new(history.history_id.as_str()))
    }
}

#[async_trait]
impl Mailbox for GmailMailbox {
    fn connection(&self) -> &ConnectionRef {
        self.gmail.connection()
    }

    fn capabilities(&self) -> MailboxCapabilities {
        self.gmail.capabilities()
    }

    async fn profile(&self) -> Result<MailboxProfile> {
        if self.settings.baseline == Baseline::NewestMessage {
            // The emulator this is for knows no profile; the primary address is the account's own.
            let send_as = self.gmail.send_as().await?;
            let primary = send_as.into_iter().find(|address| address.is_primary);
            return Ok(MailboxProfile {
                address: primary.map(|address| address.send_as_email).unwrap_or_default(),
                cursor: self.baseline().await?,
                messages: None,
                threads: None,
            });
        }
        let profile = self.gmail.profile().await?;
        Ok(MailboxProfile {
            address: profile.email_address,
            cursor: SyncCursor::new(profile.history_id.as_str()),
            messages: profile.messages_total,
            threads: profile.threads_total,
        })
    }

    async fn changes(&self, from: &SyncPoint, page: Option<&PageToken>) -> Result<ChangePage> {
        match from {
            SyncPoint::Listing(listing) => self.listed(listing, page).await,
            SyncPoint::After(cursor) => self.changed(cursor, page).await,
            _ => Err(Error::new(
                ErrorKind::Unsupported {
                    what: "this sync point",
                },
                "gmail.changes",
            )
            .with_provider(crate::provider())),
        }
    }

    async fn message(&self, id: &MessageId) -> Result<Message> {
        self.gmail.message(id).await
    }

    async fn thread(&self, id: &ThreadId) -> Result<Thread> {
        self.gmail.thread(id).await
    }

    async fn attachment(&self, part: &PartRef) -> Result<ByteStream> {
        self.gmail.attachment(part).await
    }

    async fn search(&self, query: &MailQuery, page: Option<&PageToken>) -> Result<Page<MessageRef>> {
        let names: LabelNames = if query::needs_names(query) {
            let labels = self.gmail.labels().await?;
            labels.into_iter().map(|label| (label.id, label.name)).collect()
        } else {
            LabelNames::new()
        };
        let Some(mut wanted) = query::compile(query, &names) else {
            return Ok(Page {
                items: Vec::new(),
                next: None,
                estimate: Some(0),
            });
        };
        wanted.max_results = Some(self.settings.page_size);
        wanted.page_token = page.cloned();
        let list = self.gmail.messages(&wanted).await?;
        check_progress(page, list.next_page_token.as_ref(), Method::MessagesSearch)?;
        Ok(Page {
            items: list.messages.into_iter().map(MessageRef::from).collect(),
            next: list.next_page_token,
            estimate: list.result_size_estimate,
        })
    }

    async fn labels(&self) -> Result<Vec<Label>> {
        self.gmail.labels().await
    }

    async fn organize(&self, change: &Approved<LabelChange>) -> Result<()> {
        check_connection(self.connection(), change.connection(), Method::MessagesBatchModify)?;
        organize(&self.gmail, change.action()).await
    }

    async fn prepare(&self, send: &Approved<OutgoingMessage>) -> Result<Prepared> {
        check_connection(self.connection(), send.connection(), Method::DraftsCreate)?;
        let handle = self.sending().prepare(send.action()).await?;
        Ok(send.prepared(handle))
    }

    async fn read_back(&self, prepared: &Prepared) -> Result<Option<Bytes>> {
        self.sending().read_back(prepared.handle()).await
    }

    async fn commit(&self, prepared: Prepared) -> Result<Sent> {
        check_connection(self.connection(), prepared.connection(), Method::MessagesSend)?;
        self.sending().commit(prepared.message(), prepared.handle()).await
    }

    async fn reconcile(&self, prepared: &Prepared) -> Result<Reconciled> {
        self.sending().reconcile(prepared.message(), prepared.handle()).await
    }

    async fn sweep(&self, ended: &Prepared) -> Result<()> {
        self.sending().sweep(ended.message(), ended.handle()).await
    }
}

/// One request, whatever is changed: the cheap one for a single message, the batch for several.
async fn organize(gmail: &Gmail, change: &LabelChange) -> Result<()> {
    let api = gmail.api();
    let call = match change.messages.as_slice() {
        [] => return Ok(()),
        [message] => match (change.add.as_slice(), change.remove.as_slice()) {
            ([label], []) if label.as_str() == "TRASH" => messages::trash(api, message)?,
            ([], [label]) if label.as_str() == "TRASH" => messages::untrash(api, message)?,
            (add, remove) => messages::modify(api, message, add, remove)?,
        },
        several => messages::batch_modify(api, several, &change.add, &change.remove)?,
    };
    gmail.client().send(call).await?;
    Ok(())
}

/// What was approved for another connection or epoch is not for this mailbox.
fn check_connection(mine: &ConnectionRef, approved: &ConnectionRef, method: Method) -> Result<()> {
    if mine == approved {
        return Ok(());
    }
    Err(Error::new(NotApproved::Context, method.name())
        .with_class(method.operation_class())
        .with_provider(crate::provider()))
}

/// A page that names itself as the next one would be read for ever.
fn check_progress(asked: Option<&PageToken>, next: Option<&PageToken>, method: Method) -> Result<()> {
    if asked.is_none() || asked != next {
        return Ok(());
    }
    let kind = ErrorKind::SchemaMismatch {
        path: "nextPageToken".to_owned(),
        fault: SchemaFault::Value,
    };
    Err(Error::new(kind, method.name())
        .with_class(method.operation_class())
        .with_provider(crate::provider()))
}
