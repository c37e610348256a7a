//! A send in steps that can be interrupted anywhere: draft, send the draft, and find out afterwards.
//!
//! Source: `gmail.md`, section 10. Gmail has no idempotency key and replaces our `Message-ID`, so a lost send is found by
//! what it leaves: a draft that is still there has not been sent; a message in SENT that carries our marker has.

use atlas_connectors::action::{Reconciled, Sent};
use atlas_connectors::error::{Effect, ErrorKind, OAuthError};
use atlas_connectors::mail::{MARKER_HEADER, OutgoingMessage};
use atlas_connectors::{DraftId, Error, MessageId, Result, ThreadId};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::builder::MailboxSettings;
use crate::gmail::Gmail;
use crate::wire::drafts::{self, DraftResource, ListDrafts};
use crate::wire::messages::{Format, ListMessages, MessageResource};
use crate::wire::{Method, send};

/// What the outbox stores of a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Handle {
    draft: DraftId,
    thread: ThreadId,
}

impl Handle {
    fn write(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|_| bad_handle())
    }

    fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|_| bad_handle())
    }
}

/// The steps of one mailbox.
#[derive(Debug)]
pub(crate) struct Sending<'a> {
    gmail: &'a Gmail,
    settings: &'a MailboxSettings,
}

impl<'a> Sending<'a> {
    pub(crate) fn new(gmail: &'a Gmail, settings: &'a MailboxSettings) -> Self {
        Self { gmail, settings }
    }

    /// A draft of exactly these bytes, or the one that an earlier try has left; no handle with `gmail.send` alone.
    pub(crate) async fn prepare(&self, mail: &OutgoingMessage) -> Result<Option<String>> {
        if !self.gmail.capabilities().draft {
            // No request follows that would be refused for its scope.
            self.gmail.require(Method::MessagesSend)?;
            return Ok(None);
        }
        if let Some(found) = self.find_drafts(mail).await?.into_iter().next() {
            return found.write().map(Some);
        }
        let call = drafts::create(self.gmail.api(), mail.raw(), mail.thread(), self.settings.upload)?;
        let draft: DraftResource = self.gmail.ask(Method::DraftsCreate, call).await?;
        let handle = Handle {
            draft: draft.id,
            thread: draft.message.thread_id,
        };
        handle.write().map(Some)
    }

    /// The bytes the draft holds now.
    pub(crate) async fn read_back(&self, handle: Option<&str>) -> Result<Option<Bytes>> {
        let Some(handle) = handle.map(Handle::read).transpose()? else {
            return Ok(None);
        };
        match self.gmail.draft(&handle.draft, Format::Raw).await {
            Ok(draft) => Ok(Some(draft.message.raw_bytes()?.into())),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One request.
    pub(crate) async fn commit(&self, mail: &OutgoingMessage, handle: Option<&str>) -> Result<Sent> {
        let api = self.gmail.api();
        let (method, call) = match handle.map(Handle::read).transpose()? {
            Some(handle) => (Method::DraftsSend, drafts::send(api, &handle.draft)?),
            None => (
                Method::MessagesSend,
                send::send(api, mail.raw(), mail.thread(), self.settings.upload)?,
            ),
        };
        match self.gmail.ask::<MessageResource>(method, call).await {
            Ok(message) => Ok(Sent {
                message: Some(message.id),
                thread: Some(message.thread_id),
            }),
            // Accepted; only the answer could not be read. Saying "failed" here would invite a second mail.
            Err(error) if error.effect() == Effect::Happened => Ok(Sent {
                message: None,
                thread: None,
            }),
            Err(error) => Err(error),
        }
    }

    /// Whether an earlier send happened.
    pub(crate) async fn reconcile(&self, mail: &OutgoingMessage, handle: Option<&str>) -> Result<Reconciled> {
        let handle = handle.map(Handle::read).transpose()?;
        if let Some(handle) = &handle {
            match self.gmail.draft(&handle.draft, Format::Minimal).await {
                // Some emulators keep the message's id when a draft is sent; only one that is still a draft was not.
                Ok(draft) if !draft.message.label_ids.iter().any(|label| label.as_str() == "SENT") => {
                    return Ok(Reconciled::DidNotHappen);
                }
                Ok(_) => {}
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let thread = handle.as_ref().map(|handle| &handle.thread).or(mail.thread());
        match self.find_sent(mail, thread).await {
            Ok(Some(sent)) => Ok(Reconciled::Happened(sent)),
            Ok(None) => Ok(Reconciled::Unknown),
            // Sending does not include looking: without a reading scope it cannot be told.
            Err(error) if is_missing_scope(&error) => Ok(Reconciled::Unknown),
            Err(error) => Err(error),
        }
    }

    /// Removes what an ended intent has left in the drafts.
    pub(crate) async fn sweep(&self, mail: &OutgoingMessage, handle: Option<&str>) -> Result<()> {
        if !self.gmail.capabilities().draft {
            return Ok(());
        }
        let mut left: Vec<DraftId> = self
            .find_drafts(mail)
            .await?
            .into_iter()
            .map(|found| found.draft)
            .collect();
        let handle = handle.map(Handle::read).transpose()?;
        left.extend(handle.map(|handle| handle.draft));
        left.sort();
        left.dedup();
        for draft in left {
            match self.gmail.delete_draft(&draft).await {
                Err(error) if !is_gone(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Drafts among the newest that carry the mail's marker.
    async fn find_drafts(&self, mail: &OutgoingMessage) -> Result<Vec<Handle>> {
        let lookback = self.settings.draft_lookback;
        if lookback == 0 {
            return Ok(Vec::new());
        }
        let wanted = ListDrafts {
            max_results: u32::try_from(lookback).ok(),
            ..ListDrafts::default()
        };
        let list = self.gmail.drafts(&wanted).await?;
        let mut found = Vec::new();
        for listed in list.drafts.into_iter().take(lookback) {
            match self.gmail.draft(&listed.id, Format::Metadata).await {
                Ok(draft) if has_marker(&draft.message, mail) => found.push(Handle {
                    draft: draft.id,
                    thread: draft.message.thread_id,
                }),
                Ok(_) => {}
                // Sent or discarded since it was listed.
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The message in SENT that carries the mail's marker: in its thread, or else among the newest.
    async fn find_sent(&self, mail: &OutgoingMessage, thread: Option<&ThreadId>) -> Result<Option<Sent>> {
        const HEADERS: [&str; 2] = [MARKER_HEADER, "To"];
        let is_ours = |message: &MessageResource| {
            let is_sent = message.label_ids.iter().any(|label| label.as_str() == "SENT");
            is_sent && has_marker(message, mail)
        };
        if let Some(thread) = thread {
            match self.gmail.thread_resource(thread, Format::Metadata, &HEADERS).await {
                Ok(thread) => {
                    if let Some(message) = thread.messages.into_iter().find(is_ours) {
                        return Ok(Some(sent(message)));
                    }
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let wanted = ListMessages {
            label_ids: vec!["SENT".into()],
            max_results: u32::try_from(self.settings.sent_lookback).ok(),
            ..ListMessages::default()
        };
        let listed = self.gmail.messages(&wanted).await?.messages;
        let ids: Vec<MessageId> = listed
            .into_iter()
            .take(self.settings.sent_lookback)
            .map(|listed| listed.id)
            .collect();
        for id in ids {
            match self.gmail.message_resource(&id, Format::Metadata, &HEADERS).await {
                Ok(message) if is_ours(&message) => return Ok(Some(sent(message))),
                Ok(_) => {}
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

fn sent(message: MessageResource) -> Sent {
    Sent {
        message: Some(message.id),
        thread: Some(message.thread_id),
    }
}

/// The marker is random and in nobody else's mail; `Message-ID` is only a hint, because Gmail may replace it.
fn has_marker(message: &MessageResource, mail: &OutgoingMessage) -> bool {
    message
        .header(MARKER_HEADER)
        .is_some_and(|marker| marker.trim() == mail.marker())
}

fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound { .. })
}

fn is_missing_scope(error: &Error) -> bool {
    matches!(error.oauth(), Some(OAuthError::InsufficientPrivileges { .. }))
}

fn bad_handle() -> Error {
    let kind = ErrorKind::Invalid {
        what: "handle",
        why: "not one of this connector",
    };
    Error::new(kind, "gmail.handle").with_provider(crate::provider())
}
