//! Mail as actions: sending one, and changing labels.

use crate::action::content::{MailContent, sha256};
use crate::action::{Action, Canonical, ReviewContent, Sent};
use crate::error::{Error, ErrorKind, Result};
use crate::mail::{LabelChange, OutgoingMessage};

impl Action for OutgoingMessage {
    const KIND: &'static str = "mail.send";
    /// A mail carries its own random marker.
    const UNIQUE: bool = true;
    type Outcome = Sent;

    fn canonical(&self, out: &mut Canonical) {
        out.optional("thread", self.thread().map(|thread| thread.as_str()));
        out.text("marker", self.marker());
        if let Some(content) = MailContent::parse(self.raw()) {
            content.canonical(out);
        }
        // The fields above say what is meant; these are the bytes that leave.
        out.number("bytes", u64::try_from(self.raw().len()).unwrap_or(u64::MAX));
        out.bytes("wire", sha256(self.raw()).as_bytes());
    }

    fn review(&self) -> ReviewContent {
        ReviewContent::mail(self)
    }

    fn recipients(&self) -> Vec<String> {
        let content = MailContent::parse(self.raw()).unwrap_or_default();
        content.recipients().map(|party| party.address.clone()).collect()
    }

    fn check(&self) -> Result<()> {
        let invalid = |why| Err(Error::new(ErrorKind::Invalid { what: "mail", why }, "gate.propose"));
        let Some(content) = MailContent::parse(self.raw()) else {
            return invalid("its bytes cannot be read back");
        };
        if content.recipients().next().is_none() {
            return invalid("it has no recipient");
        }
        if content.from.len() != 1 {
            return invalid("it does not have exactly one sender");
        }
        let everyone = content.recipients().chain(&content.from).chain(&content.reply_to);
        for party in everyone {
            // What a policy cannot read it cannot limit.
            let plain =
                party.address.contains('@') && !party.address.contains(|c: char| c.is_whitespace() || c.is_control());
            if !plain {
                return invalid("an address in it cannot be read");
            }
        }
        Ok(())
    }
}

impl Action for LabelChange {
    const KIND: &'static str = "mail.organize";
    type Outcome = ();

    fn canonical(&self, out: &mut Canonical) {
        out.list("messages", self.messages.iter().map(|id| id.as_str()));
        out.list("add", self.add.iter().map(|id| id.as_str()));
        out.list("remove", self.remove.iter().map(|id| id.as_str()));
    }

    fn review(&self) -> ReviewContent {
        let join = |ids: Vec<&str>| ids.join(", ");
        ReviewContent::facts([
            ("Messages", join(self.messages.iter().map(|id| id.as_str()).collect())),
            ("Add", join(self.add.iter().map(|id| id.as_str()).collect())),
            ("Remove", join(self.remove.iter().map(|id| id.as_str()).collect())),
        ])
    }

    fn check(&self) -> Result<()> {
        let invalid = |why| {
            Err(Error::new(
                ErrorKind::Invalid {
                    what: "label change",
                    why,
                },
                "gate.propose",
            ))
        };
        if self.messages.is_empty() || self.messages.len() > 1000 {
            return invalid("it names no message, or more than 1,000");
        }
        if self.add.is_empty() && self.remove.is_empty() {
            return invalid("it changes nothing");
        }
        Ok(())
    }
}
