//! The suite of mailboxes passes against a mailbox in memory, and each broken one fails it with the sentence it breaks.

use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use super::{MailboxPeer, PeerAbilities, mailbox};
use crate::action::{Approved, Prepared, Reconciled, Sent};
use crate::clock::Timestamp;
use crate::connection::{ConnectionRef, Identity};
use crate::error::{Error, ErrorKind, OAuthError, Result};
use crate::http::ByteStream;
use crate::ids::{Epoch, LabelId, MessageId, ThreadId};
use crate::mail::{
    ChangePage, Label, LabelChange, LabelKind, MailChange, MailQuery, Mailbox, MailboxCapabilities, MailboxProfile,
    Message, MessageMeta, MessageRef, OutgoingMessage, PartRef, SyncCursor, SyncPoint, Thread, decode_part,
};
use crate::page::{Page, PageToken};

const PAGE: usize = 3;

/// What a broken mailbox does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    SendsTwice,
    SendsWhenPreparing,
    ReportsUnsentAsSent,
    LosesTheLastPage,
    ThreadNewestFirst,
    ExpiredCursorIsNotFound,
    SearchIgnoresTheSubject,
    AsksTheNetworkFirst,
    LabelsPileUp,
    WrongAttachment,
    ForgetsDeletions,
    KeepsWhatIsSwept,
}

#[derive(Debug)]
struct Memory {
    connection: ConnectionRef,
    can: MailboxCapabilities,
    fault: Fault,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<(MessageMeta, Vec<u8>)>,
    drafts: Vec<(String, OutgoingMessage)>,
    history: Vec<MailChange>,
    oldest: usize,
    sends: u64,
    requests: u64,
    ids: u64,
}

impl Memory {
    fn new(can: MailboxCapabilities, fault: Fault) -> Self {
        let connection = ConnectionRef {
            tenant: "t".into(),
            connection: "c".into(),
            epoch: Epoch::FIRST,
            provider: "memory".into(),
        };
        Self {
            connection,
            can,
            fault,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn call(&self, allowed: bool) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if allowed || self.fault == Fault::AsksTheNetworkFirst {
            state.requests += 1;
        }
        if allowed {
            return Ok(state);
        }
        Err(Error::new(
            OAuthError::InsufficientPrivileges {
                missing: vec!["scope".into()],
            },
            "memory",
        ))
    }

    fn parsed(&self, state: &State) -> Vec<Message> {
        state
            .mails
            .iter()
            .map(|(meta, raw)| Message::parse(meta.clone(), raw))
            .collect()
    }
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound { object: "message" }, "memory")
}

impl State {
    fn add(&mut self, raw: &[u8], thread: Option<&ThreadId>) -> MessageRef {
        self.ids += 1;
        let id = MessageId::new(format!("m{}", self.ids));
        let thread = thread
            .cloned()
            .unwrap_or_else(|| ThreadId::new(format!("t{}", self.ids)));
        let meta = MessageMeta {
            id: id.clone(),
            thread: thread.clone(),
            labels: vec!["INBOX".into()],
            received: Timestamp::from_unix_seconds(1_790_000_000 + self.ids as i64),
            size: None,
        };
        self.mails.push((meta, raw.to_vec()));
        let message = MessageRef { id, thread };
        self.history.push(MailChange::Present(message.clone()));
        message
    }

    fn relabel(&mut self, id: &MessageId, add: &[LabelId], remove: &[LabelId], pile_up: bool) -> Result<()> {
        let (meta, _) = self
            .mails
            .iter_mut()
            .find(|(meta, _)| meta.id == *id)
            .ok_or_else(not_found)?;
        meta.labels
            .retain(|label| !remove.contains(label) && (pile_up || !add.contains(label)));
        meta.labels.extend_from_slice(add);
        let message = MessageRef {
            id: id.clone(),
            thread: meta.thread.clone(),
        };
        self.history.push(MailChange::Labels {
            message,
            added: add.to_vec(),
            removed: remove.to_vec(),
        });
        Ok(())
    }

    fn cursor(&self) -> SyncCursor {
        SyncCursor::new(self.history.len().to_string())
    }
}

fn page<T: Clone>(items: &[T], token: Option<&PageToken>, lose_last: bool) -> (Vec<T>, Option<PageToken>) {
    let from: usize = token.map_or(0, |token| token.as_str().parse().unwrap());
    let page = items.iter().skip(from).take(PAGE).cloned().collect();
    let next = from + PAGE;
    let ends = next >= items.len() || (lose_last && next + PAGE >= items.len());
    (page, (!ends).then(|| PageToken::new(next.to_string())))
}

#[async_trait]
impl Mailbox for Memory {
    fn connection(&self) -> &ConnectionRef {
        &self.connection
    }

    fn capabilities(&self) -> MailboxCapabilities {
        self.can
    }

    async fn profile(&self) -> Result<MailboxProfile> {
        let state = self.call(self.can.read)?;
        Ok(MailboxProfile {
            address: "me@acme.example".into(),
            cursor: state.cursor(),
            messages: None,
            threads: None,
        })
    }

    async fn changes(&self, from: &SyncPoint, token: Option<&PageToken>) -> Result<ChangePage> {
        let state = self.call(self.can.read)?;
        let (all, is_listing) = match from {
            SyncPoint::Listing(_) => {
                let message = |(meta, _): &(MessageMeta, Vec<u8>)| {
                    MailChange::Present(MessageRef {
                        id: meta.id.clone(),
                        thread: meta.thread.clone(),
                    })
                };
                (state.mails.iter().map(message).collect::<Vec<_>>(), true)
            }
            SyncPoint::After(cursor) => {
                let from: usize = cursor.as_str().parse().unwrap();
                if from < state.oldest {
                    let expired = self.fault != Fault::ExpiredCursorIsNotFound;
                    return Err(if expired {
                        Error::new(ErrorKind::CursorExpired, "memory")
                    } else {
                        not_found()
                    });
                }
                (state.history.iter().skip(from).cloned().collect(), false)
            }
        };
        let (changes, next) = page(&all, token, self.fault == Fault::LosesTheLastPage);
        let cursor = if is_listing { token.is_none() } else { next.is_none() }.then(|| state.cursor());
        Ok(ChangePage {
            changes,
            next,
            cursor,
            estimate: None,
        })
    }

    async fn message(&self, id: &MessageId) -> Result<Message> {
        let state = self.call(self.can.read)?;
        self.parsed(&state)
            .into_iter()
            .find(|message| message.meta.id == *id)
            .ok_or_else(not_found)
    }

    async fn thread(&self, id: &ThreadId) -> Result<Thread> {
        let state = self.call(self.can.read)?;
        let messages = self
            .parsed(&state)
            .into_iter()
            .filter(|message| message.meta.thread == *id)
            .collect();
        let mut thread = Thread::new(id.clone(), messages);
        if self.fault == Fault::ThreadNewestFirst {
            thread.messages.reverse();
        }
        Ok(thread)
    }

    async fn attachment(&self, part: &PartRef) -> Result<ByteStream> {
        let state = self.call(self.can.read)?;
        let (_, raw) = state
            .mails
            .iter()
            .find(|(meta, _)| meta.id == part.message)
            .ok_or_else(not_found)?;
        let path = if self.fault == Fault::WrongAttachment && &*part.part == "1" {
            "0"
        } else {
            &part.part
        };
        Ok(ByteStream::once(Bytes::from(
            decode_part(raw, path).ok_or_else(not_found)?,
        )))
    }

    async fn search(&self, query: &MailQuery, token: Option<&PageToken>) -> Result<Page<MessageRef>> {
        let state = self.call(self.can.search)?;
        let everything = self.fault == Fault::SearchIgnoresTheSubject;
        let hits: Vec<MessageRef> = self
            .parsed(&state)
            .into_iter()
            .filter(|message| everything || query.matches(message))
            .map(|message| MessageRef {
                id: message.meta.id,
                thread: message.meta.thread,
            })
            .collect();
        let (items, next) = page(&hits, token, false);
        Ok(Page {
            items,
            next,
            estimate: None,
        })
    }

    async fn labels(&self) -> Result<Vec<Label>> {
        drop(self.call(self.can.read)?);
        Ok(vec![Label {
            id: "Label_1".into(),
            name: "Orders".into(),
            kind: LabelKind::User,
        }])
    }

    async fn organize(&self, change: &Approved<LabelChange>) -> Result<()> {
        let mut state = self.call(self.can.organize)?;
        let LabelChange { messages, add, remove } = change.action();
        let pile_up = self.fault == Fault::LabelsPileUp;
        messages
            .iter()
            .try_for_each(|id| state.relabel(id, add, remove, pile_up))
    }

    async fn prepare(&self, send: &Approved<OutgoingMessage>) -> Result<Prepared> {
        let mut state = self.call(self.can.send || self.can.draft)?;
        if self.fault == Fault::SendsWhenPreparing {
            state.sends += 1;
        }
        if !self.can.draft {
            return Ok(send.prepared(None));
        }
        state.ids += 1;
        let handle = format!("d{}", state.ids);
        state.drafts.push((handle.clone(), send.action().clone()));
        Ok(send.prepared(Some(handle)))
    }

    async fn commit(&self, prepared: Prepared) -> Result<Sent> {
        let mut state = self.call(self.can.send)?;
        state
            .drafts
            .retain(|(handle, _)| Some(handle.as_str()) != prepared.handle());
        state.sends += if self.fault == Fault::SendsTwice { 2 } else { 1 };
        let sent = state.add(&prepared.message().raw().clone(), None);
        Ok(Sent {
            message: Some(sent.id),
            thread: Some(sent.thread),
        })
    }

    async fn read_back(&self, prepared: &Prepared) -> Result<Option<Bytes>> {
        let state = self.call(self.can.draft)?;
        let held = state
            .drafts
            .iter()
            .find(|(handle, _)| Some(handle.as_str()) == prepared.handle());
        Ok(held.map(|(_, mail)| mail.raw().clone()))
    }

    async fn sweep(&self, prepared: &Prepared) -> Result<()> {
        let mut state = self.call(self.can.draft)?;
        if self.fault == Fault::KeepsWhatIsSwept {
            return Ok(());
        }
        state
            .drafts
            .retain(|(handle, _)| Some(handle.as_str()) != prepared.handle());
        Ok(())
    }

    async fn reconcile(&self, prepared: &Prepared) -> Result<Reconciled> {
        let state = self.call(self.can.send)?;
        if !self.can.reconcile {
            return Ok(Reconciled::Unknown);
        }
        let held = state
            .drafts
            .iter()
            .any(|(handle, _)| Some(handle.as_str()) == prepared.handle());
        if held && self.fault != Fault::ReportsUnsentAsSent {
            return Ok(Reconciled::DidNotHappen);
        }
        Ok(Reconciled::Happened(Sent {
            message: None,
            thread: None,
        }))
    }
}

#[async_trait]
impl MailboxPeer for Memory {
    fn abilities(&self) -> PeerAbilities {
        PeerAbilities::everything("Label_1")
    }

    async fn deliver(&self, raw: &[u8], thread: Option<&ThreadId>) -> Result<MessageRef> {
        Ok(self.state().add(raw, thread))
    }

    async fn accepted_sends(&self) -> Result<u64> {
        Ok(self.state().sends)
    }

    async fn requests(&self) -> Result<u64> {
        Ok(self.state().requests)
    }

    async fn delete(&self, id: &MessageId) -> Result<()> {
        let mut state = self.state();
        let at = state
            .mails
            .iter()
            .position(|(meta, _)| meta.id == *id)
            .ok_or_else(not_found)?;
        let (meta, _) = state.mails.remove(at);
        if self.fault != Fault::ForgetsDeletions {
            state.history.push(MailChange::Deleted(MessageRef {
                id: meta.id,
                thread: meta.thread,
            }));
        }
        Ok(())
    }

    async fn relabel(&self, id: &MessageId, add: &[LabelId], remove: &[LabelId]) -> Result<()> {
        self.state().relabel(id, add, remove, false)
    }

    async fn expire_cursors(&self) -> Result<()> {
        let mut state = self.state();
        state.oldest = state.history.len();
        Ok(())
    }
}

fn everything() -> MailboxCapabilities {
    MailboxCapabilities {
        read: true,
        search: true,
        organize: true,
        draft: true,
        send: true,
        reconcile: true,
    }
}

async fn run(can: MailboxCapabilities, fault: Fault) -> Result<(), super::Violation> {
    let memory = Memory::new(can, fault);
    let identity = Identity {
        subject: "s".into(),
        address: Some("me@acme.example".into()),
        tenant: None,
    };
    mailbox(&memory, &identity, &memory).await
}

#[tokio::test]
async fn a_whole_mailbox_passes_with_any_scopes() {
    let read_only = MailboxCapabilities {
        read: true,
        search: true,
        ..MailboxCapabilities::default()
    };
    let send_only = MailboxCapabilities {
        send: true,
        ..MailboxCapabilities::default()
    };
    let compose_only = MailboxCapabilities {
        draft: true,
        send: true,
        reconcile: true,
        ..MailboxCapabilities::default()
    };
    for can in [
        everything(),
        read_only,
        send_only,
        compose_only,
        MailboxCapabilities::default(),
    ] {
        run(can, Fault::None).await.unwrap();
    }
}

#[tokio::test]
async fn each_broken_mailbox_fails_by_the_sentence_it_breaks() {
    let nothing = MailboxCapabilities::default();
    let cases = [
        (everything(), Fault::SendsTwice, "a_mail_is_sent_exactly_once"),
        (everything(), Fault::SendsWhenPreparing, "a_mail_is_sent_exactly_once"),
        (
            everything(),
            Fault::ReportsUnsentAsSent,
            "an_unsent_mail_is_never_reported_as_sent",
        ),
        (
            everything(),
            Fault::LosesTheLastPage,
            "a_listing_is_complete_and_resumable",
        ),
        (everything(), Fault::ThreadNewestFirst, "a_thread_is_oldest_first"),
        (
            everything(),
            Fault::ExpiredCursorIsNotFound,
            "an_expired_cursor_is_typed",
        ),
        (
            everything(),
            Fault::SearchIgnoresTheSubject,
            "search_finds_by_each_field",
        ),
        (
            nothing,
            Fault::AsksTheNetworkFirst,
            "missing_scopes_are_refused_before_the_network",
        ),
        (everything(), Fault::LabelsPileUp, "labels_are_sets"),
        (
            everything(),
            Fault::WrongAttachment,
            "an_attachment_is_found_by_part_after_another_read",
        ),
        (everything(), Fault::ForgetsDeletions, "changes_follow_the_cursor"),
        (everything(), Fault::KeepsWhatIsSwept, "a_draft_is_read_back_and_swept"),
    ];
    for (can, fault, sentence) in cases {
        let violation = run(can, fault).await.expect_err("a broken mailbox fails");
        assert_eq!(violation.case(), sentence, "{fault:?}: {violation}");
    }
}
