//! Every operation on one mailbox, typed as Google's reference has it.

use std::time::Duration;

use atlas_connectors::error::{BadPayload, ErrorKind};
use atlas_connectors::http::{ByteStream, Call, Client, Response};
use atlas_connectors::mail::{
    Label, LabelKind, MailboxCapabilities, Message, ParseOptions, PartRef, Thread, decode_part,
};
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::{ConnectionRef, DraftId, Error, LabelId, MessageId, Result, ThreadId};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::classify::missing_scope;
use crate::wire::drafts::{self, DraftList, DraftResource, ListDrafts};
use crate::wire::history::{self, HistoryPage, ListHistory};
use crate::wire::labels::{self, LabelList, LabelResource};
use crate::wire::messages::{self, Format, ListMessages, MessageList, MessageResource};
use crate::wire::profile::{self, Profile};
use crate::wire::send::Body;
use crate::wire::settings::{self, SendAs, SendAsList, Vacation};
use crate::wire::threads::{self, ThreadList, ThreadResource};
use crate::wire::watch::{self, Watch, Watching};
use crate::wire::{Api, Method, RawMessage, attachments, json};
use crate::{attachment, batch, full, scopes};

/// Gmail for one connection: every operation with typed answers. Cheap to clone; clones share everything.
///
/// Reads are repeated by the pipeline where that helps; changes are requested once. What reaches other people or moves
/// mail (sending, putting labels on mail) is not here: it leaves through [`crate::GmailMailbox`] with an approval only.
///
/// # Errors
/// Every operation fails before the network with [`atlas_connectors::OAuthError::InsufficientPrivileges`] when none of its
/// scopes is granted, and with [`ErrorKind::Invalid`] for arguments that cannot be sent. Otherwise its errors are those of
/// [`Client::send`] under [`crate::GmailErrors`], and [`BadPayload`] for an answer that cannot be read.
#[derive(Clone, Debug)]
pub struct Gmail {
    client: Client,
    api: Api,
    connection: ConnectionRef,
    granted: ScopeSet,
    parse: ParseOptions,
}

impl Gmail {
    pub(crate) fn new(
        client: Client,
        api: Api,
        connection: ConnectionRef,
        granted: ScopeSet,
        parse: ParseOptions,
    ) -> Self {
        Self {
            client,
            api,
            connection,
            granted,
            parse,
        }
    }

    /// The connection.
    pub fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    /// The scopes that were granted.
    pub fn granted(&self) -> &ScopeSet {
        &self.granted
    }

    /// What the granted scopes allow.
    pub fn capabilities(&self) -> MailboxCapabilities {
        scopes::capabilities(&self.granted)
    }

    /// Refuses a method outside the granted scopes, as the pipeline would: for steps that ask for something else first.
    pub(crate) fn require(&self, method: Method) -> Result<()> {
        if scopes::allows(&self.granted, method) {
            return Ok(());
        }
        Err(Error::new(missing_scope(Some(method)), method.name())
            .with_class(method.operation_class())
            .with_provider(crate::provider()))
    }

    /// The pipeline, to watch its governor or to close its gate.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What requests are built from.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// The account behind the token, and the present end of its history.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn profile(&self) -> Result<Profile> {
        self.ask(Method::Profile, profile::get(&self.api)?).await
    }

    /// One page of messages, ids only. Usually newest first; that is not promised.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn messages(&self, wanted: &ListMessages) -> Result<MessageList> {
        self.ask(Method::MessagesList, messages::list(&self.api, wanted)?).await
    }

    /// One message as Gmail has it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown message, and as for [every operation](Gmail).
    pub async fn message_resource(&self, id: &MessageId, format: Format, headers: &[&str]) -> Result<MessageResource> {
        let call = messages::get(&self.api, id, format, headers)?;
        self.ask(Method::MessagesGet, call).await
    }

    /// One whole message, parsed from its own bytes.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown message, and as for [every operation](Gmail).
    pub async fn message(&self, id: &MessageId) -> Result<Message> {
        let answer = self.raw_answer(id).await?;
        let message: RawMessage<'_> = json(Method::MessagesGet, &answer)?;
        let raw = message.bytes()?;
        Ok(Message::parse_with(message.into_meta()?, &raw, &self.parse))
    }

    /// The bytes of a message as they are.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown message, and as for [every operation](Gmail).
    pub async fn raw_message(&self, id: &MessageId) -> Result<Bytes> {
        let answer = self.raw_answer(id).await?;
        let message: RawMessage<'_> = json(Method::MessagesGet, &answer)?;
        Ok(message.bytes()?.into())
    }

    /// One message, parsed from Gmail's tree: attachments are listed with their sizes, and none is loaded. Costs the same
    /// as [`Gmail::message`]; worth it for large mail.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown message, and as for [every operation](Gmail).
    pub async fn message_without_attachments(&self, id: &MessageId) -> Result<Message> {
        let resource = self.message_resource(id, Format::Full, &[]).await?;
        full::message(&resource, &self.parse)
    }

    /// Headers of many messages in as few requests as the batch size makes of them, each with an outcome of its own, in the
    /// order of the ids. Of what was throttled or lost in the batch, each is asked for once more by itself.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn message_headers(&self, ids: &[MessageId], headers: &[&str]) -> Result<Vec<Result<MessageResource>>> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(batch::DEFAULT) {
            let calls = ids
                .iter()
                .map(|id| messages::get(&self.api, id, Format::Metadata, headers))
                .collect::<Result<Vec<Call>>>()?;
            found.extend(self.ask_many(Method::MessagesGetMetadata, calls).await?);
        }
        Ok(found)
    }

    /// One page of threads, ids only.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn threads(&self, wanted: &ListMessages) -> Result<ThreadList> {
        self.ask(Method::ThreadsList, threads::list(&self.api, wanted)?).await
    }

    /// One thread as Gmail has it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown thread, and as for [every operation](Gmail).
    pub async fn thread_resource(&self, id: &ThreadId, format: Format, headers: &[&str]) -> Result<ThreadResource> {
        let call = threads::get(&self.api, id, format, headers)?;
        self.ask(Method::ThreadsGet, call).await
    }

    /// One conversation, oldest message first, attachments listed and not loaded: one request, whatever its length.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown thread, and as for [every operation](Gmail).
    pub async fn thread(&self, id: &ThreadId) -> Result<Thread> {
        let resource = self.thread_resource(id, Format::Full, &[]).await?;
        let messages = resource
            .messages
            .iter()
            .map(|message| full::message(message, &self.parse))
            .collect::<Result<Vec<Message>>>()?;
        Ok(Thread::new(resource.id, messages))
    }

    /// One page of the history.
    ///
    /// # Errors
    /// [`ErrorKind::CursorExpired`] when the position is too old or unknown.
    pub async fn history(&self, wanted: &ListHistory) -> Result<HistoryPage> {
        self.ask(Method::HistoryList, history::list(&self.api, wanted)?).await
    }

    /// The decoded content of one part, as it arrives. The message is read first, because the token that fetches an
    /// attachment ends soon; a token that has ended meanwhile is renewed once.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a part that the message does not have.
    pub async fn attachment(&self, part: &PartRef) -> Result<ByteStream> {
        let mut renewed = false;
        loop {
            let resource = self.message_resource(&part.message, Format::Full, &[]).await?;
            let found = resource.payload.as_ref().and_then(|payload| payload.find(&part.part));
            let body = found.map(|found| &found.body);
            if let Some(data) = body.and_then(|body| body.data.as_deref()) {
                let bytes = crate::base64::decode(data).map_err(|error| {
                    let error = Error::new(BadPayload::Syntax, Method::MessagesGet.name()).with_source(error);
                    error.with_provider(crate::provider())
                })?;
                return Ok(ByteStream::once(bytes.into()));
            }
            let Some(token) = body.and_then(|body| body.attachment_id.as_deref()) else {
                return self.part_of_raw(part).await;
            };
            let call = attachments::get(&self.api, &part.message, token)?;
            match self.client.stream(call).await {
                Ok(answer) => return Ok(attachment::decode(answer.into_body())),
                Err(error) if !renewed && matches!(error.kind(), ErrorKind::Rejected { .. }) => renewed = true,
                Err(error) => return Err(error),
            }
        }
    }

    /// All labels, Gmail's own and the person's.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn labels(&self) -> Result<Vec<Label>> {
        let list: LabelList = self.ask(Method::LabelsList, labels::list(&self.api)?).await?;
        Ok(list.labels.into_iter().map(Label::from).collect())
    }

    /// Labels with their counters, each with an outcome of its own.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn label_counts(&self, ids: &[LabelId]) -> Result<Vec<Result<LabelResource>>> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(batch::DEFAULT) {
            let calls = ids
                .iter()
                .map(|id| labels::get(&self.api, id))
                .collect::<Result<Vec<Call>>>()?;
            found.extend(self.ask_many(Method::LabelsGet, calls).await?);
        }
        Ok(found)
    }

    /// Makes a label, or gives the one that has the name already: names compare without case.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if the name is taken by something that is no label of the person.
    pub async fn create_label(&self, name: &str) -> Result<Label> {
        let created: Result<LabelResource> = self.ask(Method::LabelsCreate, labels::create(&self.api, name)?).await;
        match created {
            Ok(label) => Ok(label.into()),
            Err(error) if matches!(error.kind(), ErrorKind::Conflict) => {
                let wanted = name.to_lowercase();
                let taken = self
                    .labels()
                    .await?
                    .into_iter()
                    .find(|label| label.kind == LabelKind::User && label.name.to_lowercase() == wanted);
                taken.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Renames a label. Its id stays.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown label, and as for [every operation](Gmail).
    pub async fn rename_label(&self, id: &LabelId, name: &str) -> Result<Label> {
        let call = labels::rename(&self.api, id, name)?;
        let label: LabelResource = self.ask(Method::LabelsPatch, call).await?;
        Ok(label.into())
    }

    /// Removes a label from the mailbox; the messages that carried it stay.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown label, and as for [every operation](Gmail).
    pub async fn delete_label(&self, id: &LabelId) -> Result<()> {
        self.client.send(labels::delete(&self.api, id)?).await?;
        Ok(())
    }

    /// Puts a draft into the mailbox. It reaches nobody until somebody sends it.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn create_draft(&self, raw: &[u8], thread: Option<&ThreadId>) -> Result<DraftResource> {
        let call = drafts::create(&self.api, raw, thread, Body::BySize)?;
        self.ask(Method::DraftsCreate, call).await
    }

    /// Replaces the whole content of a draft. Its message has another id afterwards.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown draft, and as for [every operation](Gmail).
    pub async fn update_draft(&self, id: &DraftId, raw: &[u8], thread: Option<&ThreadId>) -> Result<DraftResource> {
        let call = drafts::update(&self.api, id, raw, thread, Body::BySize)?;
        self.ask(Method::DraftsUpdate, call).await
    }

    /// One page of drafts, ids only.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn drafts(&self, wanted: &ListDrafts) -> Result<DraftList> {
        self.ask(Method::DraftsList, drafts::list(&self.api, wanted)?).await
    }

    /// One draft.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown draft, and as for [every operation](Gmail).
    pub async fn draft(&self, id: &DraftId, format: Format) -> Result<DraftResource> {
        self.ask(Method::DraftsGet, drafts::get(&self.api, id, format)?).await
    }

    /// Removes a draft for good.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown draft, and as for [every operation](Gmail).
    pub async fn delete_draft(&self, id: &DraftId) -> Result<()> {
        self.client.send(drafts::delete(&self.api, id)?).await?;
        Ok(())
    }

    /// The addresses mail can be sent from, with whether each was verified.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn send_as(&self) -> Result<Vec<SendAs>> {
        let list: SendAsList = self.ask(Method::SendAsList, settings::send_as(&self.api)?).await?;
        Ok(list.send_as)
    }

    /// The vacation responder, which may answer mail on its own.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn vacation(&self) -> Result<Vacation> {
        self.ask(Method::VacationGet, settings::vacation(&self.api)?).await
    }

    /// Asks for pushes to a Pub/Sub topic. Renew daily; a watch ends silently after seven days at most.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn watch(&self, wanted: &Watch) -> Result<Watching> {
        self.ask(Method::Watch, watch::watch(&self.api, wanted)?).await
    }

    /// Ends pushes.
    ///
    /// # Errors
    /// As for [every operation](Gmail).
    pub async fn stop_watching(&self) -> Result<()> {
        self.client.send(watch::stop(&self.api)?).await?;
        Ok(())
    }

    /// The `Message-ID` a sent message really has, without brackets: Gmail replaces the one it was given in many accounts.
    /// Right after a send the message may not be found for some seconds, so it is asked for a few times.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown message, and as for [every operation](Gmail).
    pub async fn real_message_id(&self, sent: &MessageId) -> Result<Option<String>> {
        const PAUSES: [u64; 4] = [0, 1, 2, 4];
        let mut last = None;
        for pause in PAUSES {
            if pause > 0 {
                self.client.clock().sleep(Duration::from_secs(pause)).await;
            }
            match self.message_resource(sent, Format::Metadata, &["Message-ID"]).await {
                Ok(message) => {
                    let id = message.header("Message-ID").map(str::trim);
                    return Ok(id.map(|id| id.trim_start_matches('<').trim_end_matches('>').to_owned()));
                }
                Err(error) if matches!(error.kind(), ErrorKind::NotFound { .. }) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        last.map_or(Ok(None), Err)
    }

    async fn raw_answer(&self, id: &MessageId) -> Result<Response> {
        self.client.send(messages::get(&self.api, id, Format::Raw, &[])?).await
    }

    /// Sends a call and reads its JSON answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, method: Method, call: Call) -> Result<T> {
        let answer = self.client.send(call).await?;
        json(method, &answer)
    }

    /// Sends reads as one batch. What failed in passing is asked for again by itself, under the pipeline's own rules.
    async fn ask_many<T: DeserializeOwned>(&self, method: Method, calls: Vec<Call>) -> Result<Vec<Result<T>>> {
        let [_, _, ..] = calls.as_slice() else {
            let mut one = Vec::new();
            for call in calls {
                one.push(self.ask(method, call).await);
            }
            return Ok(one);
        };
        let answer = self.client.send(batch::join(&self.api, &calls)?).await?;
        let outcomes = batch::split(&calls, &answer, self.client.clock().now())?;
        let mut found = Vec::with_capacity(calls.len());
        for (outcome, call) in outcomes.into_iter().zip(calls) {
            let passing = |error: &Error| error.retry() != atlas_connectors::error::Retry::Never;
            let answer: Result<Response> = match outcome {
                Err(error) if passing(&error) => self.client.send(call).await,
                outcome => outcome,
            };
            found.push(answer.and_then(|answer| json(method, &answer)));
        }
        Ok(found)
    }

    /// A part that Gmail's tree does not show by itself, such as one inside a forwarded message: out of the whole message.
    async fn part_of_raw(&self, part: &PartRef) -> Result<ByteStream> {
        let raw = self.raw_message(&part.message).await?;
        let bytes = decode_part(&raw, &part.part).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound { object: "attachment" },
                Method::AttachmentsGet.name(),
            )
            .with_provider(crate::provider())
        })?;
        Ok(ByteStream::once(bytes.into()))
    }
}
