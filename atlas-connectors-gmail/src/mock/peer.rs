//! The mock as the other side of the core's behaviour suite for mailboxes.

use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::error::ErrorKind;
use atlas_connectors::mail::MessageRef;
use atlas_connectors::testkit::suites::{MailboxPeer, PeerAbilities};
use atlas_connectors::{Error, Identity, LabelId, MessageId, Result, ThreadId};

use super::mailbox::{Raw, hex, parse_hex};
use super::{Google, MailboxHandle};

/// One account of a [`Google`] as the suite [`mailbox`](atlas_connectors::testkit::suites::mailbox()) needs it: its owner and the rest of
/// the world. It can do everything the suite may ask for, so that no case is left out but by the scopes of the mailbox under test.
///
/// ```
/// use atlas_connectors_gmail::mock::{Google, GooglePeer, USER};
/// use atlas_connectors::testkit::suites::MailboxPeer as _;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let peer = GooglePeer::new(&Google::start().await, USER);
/// let mail = peer.deliver(b"From: jana@parts.example\r\nSubject: RFQ 4471\r\n\r\nPlease quote.", None).await?;
/// assert_eq!(peer.mailbox().message(mail.id.as_str()).unwrap().subject(), "RFQ 4471");
/// assert_eq!(peer.requests().await?, 0); // the world outside does not go through the API
/// # Ok::<(), atlas_connectors::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct GooglePeer {
    mailbox: MailboxHandle,
    label: String,
}

impl GooglePeer {
    /// The peer of a mailbox of this account. Makes a label of its own in it.
    pub fn new(google: &Google, email: &str) -> Self {
        let mailbox = google.mailbox(email);
        let label = mailbox.label("Behaviour suite");
        Self { mailbox, label }
    }

    /// The account as its owner sees it.
    pub fn mailbox(&self) -> &MailboxHandle {
        &self.mailbox
    }

    /// The account as a sign-in would pin it. The subject is the mock's; no suite compares it with the provider.
    pub fn identity(&self) -> Identity {
        Identity {
            subject: format!("mock:{}", self.mailbox.email()),
            address: Some(self.mailbox.email().to_owned()),
            tenant: None,
        }
    }
}

#[async_trait]
impl MailboxPeer for GooglePeer {
    fn abilities(&self) -> PeerAbilities {
        PeerAbilities::everything(self.label.as_str())
    }

    /// Received now, whatever its `Date` says, as Gmail does with mail that comes in by SMTP.
    async fn deliver(&self, raw: &[u8], thread: Option<&ThreadId>) -> Result<MessageRef> {
        let thread = match thread {
            Some(thread) => Some(parse_hex(thread.as_str()).ok_or_else(|| not_found("thread"))?),
            None => None,
        };
        let mut world = self.mailbox.google.world();
        let now = world.clock.now();
        let mailbox = world.mailboxes.get_mut(&self.mailbox.email);
        let mailbox = mailbox.ok_or_else(|| not_found("account"))?;
        if thread.is_some_and(|thread| !mailbox.threads.contains_key(&thread)) {
            return Err(not_found("thread"));
        }
        let labels = Arc::new(vec!["INBOX".to_owned(), "UNREAD".to_owned()]);
        let id = mailbox.add(Raw::Bytes(raw.into()), labels, thread, now);
        let stored = mailbox.messages.get(&id).ok_or_else(|| not_found("message"))?;
        Ok(MessageRef {
            id: hex(id).into(),
            thread: hex(stored.thread).into(),
        })
    }

    async fn accepted_sends(&self) -> Result<u64> {
        Ok(self.mailbox.google.counters().sends)
    }

    async fn requests(&self) -> Result<u64> {
        let requests = self.mailbox.google.counters().requests;
        let of_gmail = requests.iter().filter(|(method, _)| method.starts_with("gmail."));
        Ok(of_gmail.map(|(_, requests)| requests).sum())
    }

    async fn delete(&self, id: &MessageId) -> Result<()> {
        match self.mailbox.delete(id.as_str()) {
            true => Ok(()),
            false => Err(not_found("message")),
        }
    }

    async fn relabel(&self, id: &MessageId, add: &[LabelId], remove: &[LabelId]) -> Result<()> {
        if self.mailbox.message(id.as_str()).is_none() {
            return Err(not_found("message"));
        }
        let texts = |labels: &[LabelId]| labels.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (add, remove) = (texts(add), texts(remove));
        let add: Vec<&str> = add.iter().map(String::as_str).collect();
        let remove: Vec<&str> = remove.iter().map(String::as_str).collect();
        self.mailbox.relabel(id.as_str(), &add, &remove);
        Ok(())
    }

    async fn expire_cursors(&self) -> Result<()> {
        self.mailbox.expire_history();
        Ok(())
    }
}

fn not_found(object: &'static str) -> Error {
    Error::new(ErrorKind::NotFound { object }, "mock.peer")
}
