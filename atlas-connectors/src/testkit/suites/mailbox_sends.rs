//! The part of the contract that is about drafts and sending.

use super::mailbox::{Suite, fresh_word};
use super::violation::{Case, Violation};
use crate::action::Reconciled;
use crate::clock::SystemClock;
use crate::mail::{MARKER_HEADER, Message, OutgoingMessage};

impl Suite<'_> {
    pub(super) async fn a_draft_is_read_back_and_swept(&self) -> Result<(), Violation> {
        let case = Case("a_draft_is_read_back_and_swept");
        let mail = self.outgoing(case, "drafted").await?;
        let approved = self.approved(mail.clone());
        let before = case.ok(self.peer.accepted_sends().await, "accepted_sends")?;
        let prepared = case.ok(self.mailbox.prepare(&approved).await, "prepare")?;
        let Some(raw) = case.ok(self.mailbox.read_back(&prepared).await, "read_back")? else {
            return Err(Violation::new(case.0, "a draft just made can be read back"));
        };
        let (held, asked) = (Message::parse(mail.as_message().meta, &raw), mail.as_message());
        let is_same = held.to == asked.to && held.subject == asked.subject && held.text == asked.text;
        case.check(is_same, "the draft holds what was approved")?;
        let marker = held.headers.first(MARKER_HEADER);
        case.check(marker == Some(mail.marker()), "the draft carries the marker")?;
        for call in ["sweep", "a second sweep"] {
            case.ok(self.mailbox.sweep(&prepared).await, call)?;
        }
        let gone = case.ok(self.mailbox.read_back(&prepared).await, "read_back")?;
        case.check(gone.is_none(), "a draft that was swept is gone")?;
        let after = case.ok(self.peer.accepted_sends().await, "accepted_sends")?;
        case.check(before == after, "a draft is no mail sent")
    }

    pub(super) async fn a_mail_is_sent_exactly_once(&self) -> Result<(), Violation> {
        let case = Case("a_mail_is_sent_exactly_once");
        let can = self.mailbox.capabilities();
        let mail = self.outgoing(case, "sent").await?;
        let marker = mail.marker().to_owned();
        let approved = self.approved(mail);
        let before = case.ok(self.peer.accepted_sends().await, "accepted_sends")?;
        let prepared = case.ok(self.mailbox.prepare(&approved).await, "prepare")?;
        let handle = prepared.handle().map(str::to_owned);
        case.check(
            !can.reconcile || handle.is_some(),
            "a send that can be looked up has a handle",
        )?;
        let unsent = case.ok(self.peer.accepted_sends().await, "accepted_sends")?;
        case.check(unsent == before, "preparing sends nothing")?;
        let sent = case.ok(self.mailbox.commit(prepared).await, "commit")?;
        let after = case.ok(self.peer.accepted_sends().await, "accepted_sends")?;
        let one_more = if self.abilities.counts_sends {
            before + 1
        } else {
            before
        };
        case.check(after == one_more, "the provider has accepted exactly one mail")?;
        if can.read
            && let Some(id) = &sent.message
        {
            let message = case.ok(self.mailbox.message(id).await, "message")?;
            let kept = message.headers.first(MARKER_HEADER) == Some(marker.as_str());
            case.check(kept, "the mail sent carries its marker")?;
        }
        let outcome = self.mailbox.reconcile(&approved.prepared(handle)).await;
        if can.reconcile && can.read {
            let found = case.ok(outcome, "reconcile")?;
            case.check(
                matches!(found, Reconciled::Happened(_)),
                "a mail that was sent is found",
            )?;
        } else {
            let claims = matches!(outcome, Ok(Reconciled::DidNotHappen));
            case.check(!claims, "a look-up that cannot see proves nothing")?;
        }
        let after = case.ok(self.peer.accepted_sends().await, "accepted_sends")?;
        case.check(after == one_more, "looking up sends nothing")
    }

    pub(super) async fn an_unsent_mail_is_never_reported_as_sent(&self) -> Result<(), Violation> {
        let case = Case("an_unsent_mail_is_never_reported_as_sent");
        let can = self.mailbox.capabilities();
        let approved = self.approved(self.outgoing(case, "held").await?);
        let before = case.ok(self.peer.accepted_sends().await, "accepted_sends")?;
        let prepared = case.ok(self.mailbox.prepare(&approved).await, "prepare")?;
        let outcome = self.mailbox.reconcile(&prepared).await;
        case.check(
            !matches!(outcome, Ok(Reconciled::Happened(_))),
            "a mail that was not sent is not reported as sent",
        )?;
        if can.reconcile {
            let found = case.ok(outcome, "reconcile")?;
            case.check(
                matches!(found, Reconciled::DidNotHappen),
                "a handle that is still there was not sent",
            )?;
            case.ok(self.mailbox.commit(prepared).await, "the commit of the same handle")?;
            let after = case.ok(self.peer.accepted_sends().await, "accepted_sends")?;
            let one_more = if self.abilities.counts_sends {
                before + 1
            } else {
                before
            };
            case.check(after == one_more, "after a look-up the same handle is sent once")?;
        }
        Ok(())
    }

    /// A mail to the account itself.
    pub(super) async fn outgoing(&self, case: Case, what: &str) -> Result<OutgoingMessage, Violation> {
        let own = self
            .identity
            .address
            .clone()
            .unwrap_or_else(|| "suite@atlas.example".to_owned());
        OutgoingMessage::builder()
            .from(own.as_str())
            .to(own.as_str())
            .subject(format!("{what} {}", fresh_word()))
            .text("Written by a behaviour suite.\n")
            .build(&SystemClock)
            .map_err(|error| Violation::new(case.0, format_args!("the account's address is no address: {error}")))
    }
}
