//! A conversation, written turn by turn.

use std::time::Duration;

use atlas_connectors::Timestamp;

use super::super::{Mail, USER};

/// One conversation with one correspondent.
pub(super) struct Thread<'a> {
    now: Timestamp,
    /// Name and address.
    with: &'a str,
    subject: &'a str,
    /// Start of its Message-IDs.
    key: &'a str,
    ids: Vec<String>,
    mails: Vec<Mail>,
}

impl<'a> Thread<'a> {
    pub(super) fn new(now: Timestamp, with: &'a str, key: &'a str, subject: &'a str) -> Self {
        Self {
            now,
            with,
            subject,
            key,
            ids: Vec::new(),
            mails: Vec::new(),
        }
    }

    /// They write, so many minutes ago; unread.
    pub(super) fn they(self, minutes: u64, text: &str) -> Self {
        let (from, to) = (self.with, USER);
        self.turn(from, to, minutes, text, &["INBOX", "UNREAD"])
    }

    /// We write, so many minutes ago.
    pub(super) fn we(self, minutes: u64, text: &str) -> Self {
        let (from, to) = (format!("Acme Operations <{USER}>"), self.with);
        self.turn(&from, to, minutes, text, &["SENT"])
    }

    /// With a file on the last turn.
    pub(super) fn attach(self, name: &str, kind: &str, bytes: &[u8]) -> Self {
        self.change_last(|mail| mail.attach(name, kind, bytes))
    }

    /// With these labels on the last turn.
    pub(super) fn labels(self, labels: &[&str]) -> Self {
        self.change_last(|mail| mail.labels(labels))
    }

    /// With the last turn read.
    pub(super) fn read(self) -> Self {
        self.change_last(Mail::read)
    }

    pub(super) fn end(self) -> Vec<Mail> {
        self.mails
    }

    fn turn(mut self, from: &str, to: &str, minutes: u64, text: &str, labels: &[&str]) -> Self {
        let domain = from.rsplit('@').next().unwrap_or_default().trim_end_matches('>');
        let id = format!("{}-{}@{domain}", self.key, self.ids.len() + 1);
        let re = if self.ids.is_empty() { "" } else { "Re: " };
        let mut mail = Mail::from(from)
            .to(to)
            .subject(&format!("{re}{}", self.subject))
            .message_id(&id)
            .text(text)
            .labels(labels)
            .at(self.now.before(Duration::from_secs(60 * minutes)));
        if let Some(parent) = self.ids.last() {
            mail = mail
                .header("In-Reply-To", parent)
                .header("References", &self.ids.join(" "));
        }
        self.ids.push(format!("<{id}>"));
        self.mails.push(mail);
        self
    }

    fn change_last(mut self, change: impl FnOnce(Mail) -> Mail) -> Self {
        if let Some(mail) = self.mails.pop() {
            self.mails.push(change(mail));
        }
        self
    }
}
