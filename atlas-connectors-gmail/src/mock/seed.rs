//! Filling and watching a mailbox from the side of the person and of the world outside.

use std::sync::Arc;

use atlas_connectors::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Google;
use super::mailbox::{HistoryHabits, Label, Labels, Mailbox, Raw, Template, hex, parse_hex};
use super::mime;
use super::send::rfc2822;

/// A mail to put into a mailbox, written field by field.
///
/// ```
/// use atlas_connectors_gmail::mock::Mail;
///
/// let mail = Mail::from("Jana Novak <jana@precision-parts.example>")
///     .to("ops@acme-manufacturing.example")
///     .subject("RFQ 4471: M8 stainless hex bolts")
///     .text("Please quote 2,000 pieces.")
///     .attach("bom.csv", "text/csv", b"pos;item;qty\r\n1;M8x40;2000\r\n");
/// assert!(String::from_utf8_lossy(&mail.raw()).contains("filename=\"bom.csv\""));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Mail {
    headers: Vec<(String, String)>,
    text: Option<String>,
    html: Option<String>,
    attachments: Vec<(String, String, Vec<u8>)>,
    raw: Option<Vec<u8>>,
    labels: Vec<String>,
    date: Option<Timestamp>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail")
            .field("headers", &self.headers.len())
            .field("attachments", &self.attachments.len())
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

impl Mail {
    /// A mail from this sender, unread in the inbox unless labels say otherwise.
    pub fn from(sender: &str) -> Self {
        let mut mail = Self::empty();
        mail.headers.push(("From".to_owned(), sender.to_owned()));
        mail
    }

    /// A mail of exactly these bytes.
    pub fn of_bytes(raw: impl Into<Vec<u8>>) -> Self {
        let mut mail = Self::empty();
        mail.raw = Some(raw.into());
        mail
    }

    fn empty() -> Self {
        Self {
            headers: Vec::new(),
            text: None,
            html: None,
            attachments: Vec::new(),
            raw: None,
            labels: vec!["INBOX".to_owned(), "UNREAD".to_owned()],
            date: None,
        }
    }

    /// Adds recipients.
    pub fn to(self, to: &str) -> Self {
        self.header("To", to)
    }

    /// The subject; words beyond ASCII are encoded by RFC 2047.
    pub fn subject(self, subject: &str) -> Self {
        let encoded = if subject.is_ascii() {
            subject.to_owned()
        } else {
            format!("=?utf-8?B?{}?=", STANDARD.encode(subject))
        };
        self.header("Subject", &encoded)
    }

    /// The Message-ID, without brackets.
    pub fn message_id(self, id: &str) -> Self {
        self.header("Message-ID", &format!("<{id}>"))
    }

    /// Answers the message with this Message-ID: `In-Reply-To` and `References`.
    pub fn in_reply_to(self, id: &str) -> Self {
        self.header("In-Reply-To", &format!("<{id}>"))
            .header("References", &format!("<{id}>"))
    }

    /// Any further header field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The text.
    pub fn text(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    /// The text in HTML, beside or instead of the plain one.
    pub fn html(mut self, html: &str) -> Self {
        self.html = Some(html.to_owned());
        self
    }

    /// A file.
    pub fn attach(mut self, name: &str, content_type: &str, bytes: &[u8]) -> Self {
        self.attachments
            .push((name.to_owned(), content_type.to_owned(), bytes.to_vec()));
        self
    }

    /// When Google took it in; also the Date header of a mail written field by field.
    pub fn at(mut self, moment: Timestamp) -> Self {
        self.date = Some(moment);
        self
    }

    /// These labels instead of `INBOX` and `UNREAD`: ids, or names of labels of the person's, which are made if they
    /// are not there yet.
    pub fn labels(mut self, labels: &[&str]) -> Self {
        self.labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self
    }

    /// Without `UNREAD`.
    pub fn read(mut self) -> Self {
        self.labels.retain(|label| label != "UNREAD");
        self
    }

    /// When it arrived, if that was said.
    pub(super) fn moment(&self) -> Option<Timestamp> {
        self.date
    }

    /// The bytes of the mail.
    pub fn raw(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut out = String::new();
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("date"))
            && let Some(date) = self.date
        {
            out.push_str(&format!("Date: {}\r\n", rfc2822(date)));
        }
        out.push_str("MIME-Version: 1.0\r\n");
        let body = match (&self.text, &self.html) {
            (Some(text), Some(html)) => {
                let parts = [
                    part("text/plain; charset=utf-8", "", text.as_bytes()),
                    part("text/html; charset=utf-8", "", html.as_bytes()),
                ];
                multipart("alternative", &parts)
            }
            (None, Some(html)) => part("text/html; charset=utf-8", "", html.as_bytes()),
            (text, None) => part(
                "text/plain; charset=utf-8",
                "",
                text.as_deref().unwrap_or_default().as_bytes(),
            ),
        };
        if self.attachments.is_empty() {
            out.push_str(&body);
        } else {
            let files = self.attachments.iter().map(|(name, kind, bytes)| {
                let disposition = format!("Content-Disposition: attachment; filename=\"{name}\"\r\n");
                part(&format!("{kind}; name=\"{name}\""), &disposition, bytes)
            });
            let parts: Vec<String> = std::iter::once(body).chain(files).collect();
            out.push_str(&multipart("mixed", &parts));
        }
        out.into_bytes()
    }
}

fn part(content_type: &str, more: &str, bytes: &[u8]) -> String {
    let plain = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| more.is_empty() && text.is_ascii() && text.lines().all(|line| line.len() < 900));
    match plain {
        Some(text) => {
            let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
            format!("Content-Type: {content_type}\r\n{more}\r\n{text}")
        }
        None => {
            let encoded = STANDARD.encode(bytes);
            let lines: Vec<String> = encoded
                .as_bytes()
                .chunks(76)
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect();
            let body = lines.join("\r\n");
            format!("Content-Type: {content_type}\r\n{more}Content-Transfer-Encoding: base64\r\n\r\n{body}\r\n")
        }
    }
}

fn multipart(kind: &str, parts: &[String]) -> String {
    let mark = format!("=_mock_{kind}");
    let mut out = format!("Content-Type: multipart/{kind}; boundary=\"{mark}\"\r\n\r\n");
    for part in parts {
        out.push_str(&format!("--{mark}\r\n{part}\r\n"));
    }
    out.push_str(&format!("--{mark}--\r\n"));
    out
}

/// A message as the mailbox holds it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Kept {
    /// 16 hexadecimal digits.
    pub id: String,
    /// The thread.
    pub thread_id: String,
    /// Label ids.
    pub labels: Vec<String>,
    /// The bytes.
    pub raw: Vec<u8>,
}

impl Kept {
    /// The value of a header field, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        mime::header(&self.raw, name)
    }

    /// The subject, decoded.
    pub fn subject(&self) -> String {
        mime::subject(&self.raw)
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("id", &self.id)
            .field("thread_id", &self.thread_id)
            .field("labels", &self.labels)
            .field("bytes", &self.raw.len())
            .finish()
    }
}

/// The mailbox of one account, seen by its owner: what happens here happens outside the API and leaves history.
#[derive(Clone, Debug)]
pub struct MailboxHandle {
    pub(super) google: Google,
    pub(super) email: String,
}

impl MailboxHandle {
    /// The account's address.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// A mail arrives. Returns its id. Threading goes by `In-Reply-To`, `References` and subject.
    pub fn deliver(&self, mail: &Mail) -> String {
        let raw = mail.raw();
        let mut world = self.google.world();
        let date = mail
            .date
            .or_else(|| mime::date_millis(&raw).map(Timestamp::from_unix_millis));
        let date = date.unwrap_or_else(|| world.clock.now());
        self.with(&mut world.mailboxes, |mailbox| {
            let labels: Labels = Arc::new(mail.labels.iter().map(|label| label_id(mailbox, label)).collect());
            hex(mailbox.add(Raw::Bytes(raw.into()), labels, None, date))
        })
        .unwrap_or_default()
    }

    /// Several mails arrive in order. Returns their ids.
    pub fn deliver_all<'a>(&self, mails: impl IntoIterator<Item = &'a Mail>) -> Vec<String> {
        mails.into_iter().map(|mail| self.deliver(mail)).collect()
    }

    /// So many messages that were there before history began, one a minute up to `until`, each in a thread of its
    /// own. `make` writes the bytes of the n-th (from 0) whenever they are asked for: nothing is stored, so a hundred
    /// thousand cost little.
    pub fn fill(&self, count: u64, until: Timestamp, make: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static) {
        let make: Template = Arc::new(make);
        let labels: Labels = Arc::new(vec!["INBOX".to_owned()]);
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| {
            for n in 0..count {
                let minutes = std::time::Duration::from_secs(60 * (count - 1 - n));
                mailbox.add_old(
                    Raw::Template {
                        make: Arc::clone(&make),
                        n,
                    },
                    Arc::clone(&labels),
                    until.before(minutes),
                );
            }
        });
    }

    /// Makes a label, as the person would in the web client. Returns its id; that of the label with this name if
    /// there is one.
    pub fn label(&self, name: &str) -> String {
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| label_id(mailbox, name))
            .unwrap_or_default()
    }

    /// The person puts labels on and takes labels off a message. Whether anything changed.
    pub fn relabel(&self, id: &str, add: &[&str], remove: &[&str]) -> bool {
        let owned = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        let (add, remove) = (owned(add), owned(remove));
        let mut world = self.google.world();
        let id = parse_hex(id).unwrap_or(0);
        self.with(&mut world.mailboxes, |mailbox| mailbox.relabel(id, &add, &remove))
            .unwrap_or(false)
    }

    /// The person deletes a message for good. Whether it was there.
    pub fn delete(&self, id: &str) -> bool {
        let id = parse_hex(id).unwrap_or(0);
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| mailbox.remove(id).is_some())
            .unwrap_or(false)
    }

    /// The person edits a draft in the web client: its message id changes. `None` if there is no such draft.
    pub fn edit_draft(&self, draft: &str, mail: &Mail) -> Option<String> {
        let mut world = self.google.world();
        let now = world.clock.now();
        self.with(&mut world.mailboxes, |mailbox| {
            mailbox.rewrite_draft(draft, mail.raw(), None, now).map(hex)
        })
        .flatten()
    }

    /// The person discards a draft. Whether it was there.
    pub fn discard_draft(&self, draft: &str) -> bool {
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| match mailbox.drafts.remove(draft) {
            Some(message) => mailbox.remove(message).is_some(),
            None => false,
        })
        .unwrap_or(false)
    }

    /// The person sends a draft from the web client. The id of the sent message; `None` if there is no such draft or
    /// it names nobody.
    pub fn send_draft(&self, draft: &str) -> Option<String> {
        let mut world = self.google.world();
        let now = world.clock.now();
        let mailbox = world.mailboxes.get(&self.email)?;
        let message = *mailbox.drafts.get(draft)?;
        let stored = mailbox.messages.get(&message)?;
        let (raw, thread) = (stored.raw.bytes().to_vec(), stored.thread);
        let incoming = super::send::Incoming {
            raw,
            thread: None,
            labels: Vec::new(),
        };
        let id = super::send::send_in(&mut world, &self.email, incoming, Some(thread), now).ok()?;
        let mailbox = world.mailboxes.get_mut(&self.email)?;
        mailbox.drafts.remove(draft);
        mailbox.remove(message);
        Some(hex(id))
    }

    /// Ids of the drafts.
    pub fn drafts(&self) -> Vec<String> {
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| mailbox.drafts.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Everything that happened until now is too old to be asked for: history lists from before answer 404.
    pub fn expire_history(&self) {
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| {
            mailbox.history.clear();
            mailbox.history_id += 100;
            mailbox.history_floor = mailbox.history_id;
        });
    }

    /// History lists show an empty page with a token before each full one.
    pub fn set_empty_history_pages(&self, on: bool) {
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| {
            mailbox.habits = HistoryHabits {
                empty_pages: on,
                ..mailbox.habits
            }
        });
    }

    /// History lists show every record twice.
    pub fn set_repeated_history(&self, on: bool) {
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| {
            mailbox.habits = HistoryHabits {
                repeats: on,
                ..mailbox.habits
            }
        });
    }

    /// Attachment ids given out until now are refused with "Invalid attachment token".
    pub fn expire_attachment_ids(&self) {
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| mailbox.attachment_generation += 1);
    }

    /// The history id as it stands.
    pub fn history_id(&self) -> String {
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| mailbox.history_id.to_string())
            .unwrap_or_default()
    }

    /// How many messages there are, trash and drafts included.
    pub fn len(&self) -> usize {
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| mailbox.messages.len())
            .unwrap_or(0)
    }

    /// Whether there is no message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A message by id.
    pub fn message(&self, id: &str) -> Option<Kept> {
        let id = parse_hex(id)?;
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| kept(mailbox, id)).flatten()
    }

    /// All messages, oldest first, trash and drafts included.
    pub fn messages(&self) -> Vec<Kept> {
        let mut world = self.google.world();
        self.with(&mut world.mailboxes, |mailbox| {
            mailbox.order.iter().filter_map(|(_, id)| kept(mailbox, *id)).collect()
        })
        .unwrap_or_default()
    }

    /// All messages with a label, oldest first.
    pub fn labelled(&self, label: &str) -> Vec<Kept> {
        let mut messages = self.messages();
        messages.retain(|message| message.labels.iter().any(|one| one == label));
        messages
    }

    fn with<T>(
        &self,
        mailboxes: &mut std::collections::BTreeMap<String, Mailbox>,
        act: impl FnOnce(&mut Mailbox) -> T,
    ) -> Option<T> {
        mailboxes.get_mut(&self.email).map(act)
    }
}

/// The id of a label given by id or name; a name that is new becomes a label.
fn label_id(mailbox: &mut Mailbox, label: &str) -> String {
    if mailbox.label_exists(label) {
        return label.to_owned();
    }
    mailbox.label_named(label).unwrap_or_else(|| {
        mailbox.new_label(Label {
            name: label.to_owned(),
            message_list: "show".to_owned(),
            label_list: "labelShow".to_owned(),
            color: None,
        })
    })
}

fn kept(mailbox: &Mailbox, id: u64) -> Option<Kept> {
    let stored = mailbox.messages.get(&id)?;
    Some(Kept {
        id: hex(id),
        thread_id: hex(stored.thread),
        labels: stored.labels.to_vec(),
        raw: stored.raw.bytes().to_vec(),
    })
}
