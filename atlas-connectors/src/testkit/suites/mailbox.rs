//! The contract of [`Mailbox`], sentence by sentence, against whatever provider is behind it.

use std::collections::HashSet;

use futures_util::TryStreamExt as _;

use super::mailbox_peer::{MailboxPeer, PeerAbilities};
use super::violation::{Case, Violation};
use crate::action::{Approved, approved_for_suite};
use crate::clock::Timestamp;
use crate::connection::Identity;
use crate::ids::{CorrelationId, MessageId, ThreadId};
use crate::mail::{
    LabelChange, MailChange, MailListing, MailQuery, Mailbox, MailboxExt as _, Message, MessageRef, NewAttachment,
    OutgoingMessage, PartRef, SyncCursor, SyncPoint,
};
use crate::page::PageToken;

/// Pages after which a listing is taken to be endless.
const MAX_PAGES: usize = 10_000;
/// Mails delivered for the cases about pages.
pub(super) const MANY: usize = 7;

/// Checks every sentence of the contract of [`Mailbox`] that its capabilities and the peer's allow. Run it once for each set of
/// scopes: what the scopes do not allow is checked to be refused before the network. It sends one or two mails to the account's own
/// address.
///
/// # Errors
/// The first sentence that is broken.
pub async fn mailbox(mailbox: &dyn Mailbox, identity: &Identity, peer: &dyn MailboxPeer) -> Result<(), Violation> {
    let suite = Suite {
        mailbox,
        identity,
        peer,
        abilities: peer.abilities(),
    };
    let can = mailbox.capabilities();
    suite.missing_scopes_are_refused_before_the_network().await?;
    if can.read {
        suite.the_profile_names_the_account().await?;
        suite.a_message_is_what_was_delivered().await?;
        suite.a_message_that_is_gone_is_not_found().await?;
        suite.an_attachment_is_found_by_part_after_another_read().await?;
        suite.a_thread_is_oldest_first().await?;
        suite.a_listing_is_complete_and_resumable().await?;
        suite.changes_follow_the_cursor().await?;
        suite.an_expired_cursor_is_typed().await?;
    }
    if can.read && can.search {
        suite.search_finds_by_each_field().await?;
        suite.search_gives_each_message_once().await?;
    }
    if can.organize {
        suite.labels_are_sets().await?;
    }
    if can.send {
        suite.a_mail_is_sent_exactly_once().await?;
        suite.an_unsent_mail_is_never_reported_as_sent().await?;
        if can.draft {
            suite.a_draft_is_read_back_and_swept().await?;
        }
    }
    Ok(())
}

pub(super) struct Suite<'a> {
    pub(super) mailbox: &'a dyn Mailbox,
    pub(super) identity: &'a Identity,
    pub(super) peer: &'a dyn MailboxPeer,
    pub(super) abilities: PeerAbilities,
}

impl Suite<'_> {
    async fn missing_scopes_are_refused_before_the_network(&self) -> Result<(), Violation> {
        const CODE: &str = "oauth.insufficient_privileges";
        let case = Case("missing_scopes_are_refused_before_the_network");
        let can = self.mailbox.capabilities();
        let before = case.ok(self.peer.requests().await, "requests")?;
        let sends = case.ok(self.peer.accepted_sends().await, "accepted_sends")?;
        let (id, thread) = (MessageId::new("0"), ThreadId::new("0"));
        if !can.read {
            case.refused(self.mailbox.message(&id).await, CODE, "message")?;
            case.refused(self.mailbox.thread(&thread).await, CODE, "thread")?;
            case.refused(self.mailbox.changes(&listing(), None).await, CODE, "changes")?;
            let part = PartRef {
                message: id.clone(),
                part: "0".into(),
            };
            case.refused(self.mailbox.attachment(&part).await, CODE, "attachment")?;
        }
        if !can.search {
            case.refused(self.mailbox.search(&MailQuery::new(), None).await, CODE, "search")?;
        }
        if !can.organize {
            let change = LabelChange {
                messages: vec![id],
                add: vec!["STARRED".into()],
                remove: Vec::new(),
            };
            case.refused(self.mailbox.organize(&self.approved(change)).await, CODE, "organize")?;
        }
        if !can.send && !can.draft {
            let mail = self.outgoing(case, "unsent").await?;
            case.refused(self.mailbox.prepare(&self.approved(mail)).await, CODE, "prepare")?;
        }
        let after = case.ok(self.peer.requests().await, "requests")?;
        case.check(before == after, "an operation outside the scopes makes no request")?;
        let after = case.ok(self.peer.accepted_sends().await, "accepted_sends")?;
        case.check(sends == after, "nothing is sent without the scope")
    }

    async fn the_profile_names_the_account(&self) -> Result<(), Violation> {
        let case = Case("the_profile_names_the_account");
        let profile = case.ok(self.mailbox.profile().await, "profile")?;
        case.check(profile.address.contains('@'), "the profile has the account's address")?;
        case.check(!profile.cursor.as_str().is_empty(), "the profile has a cursor")?;
        if let Some(pinned) = &self.identity.address {
            case.check(
                pinned.eq_ignore_ascii_case(&profile.address),
                "the address is the pinned one",
            )?;
        }
        Ok(())
    }

    async fn a_message_is_what_was_delivered(&self) -> Result<(), Violation> {
        let case = Case("a_message_is_what_was_delivered");
        let word = fresh_word();
        let raw = mail(&word, "delivered", None);
        let delivered = self.deliver(case, &raw, None).await?;
        let message = case.ok(self.mailbox.message(&delivered.id).await, "message")?;
        case.check(
            message.meta.id == delivered.id,
            "the message has the id that was asked for",
        )?;
        case.check(
            message.meta.thread == delivered.thread,
            "the message has its conversation",
        )?;
        let expected = Message::parse(message.meta.clone(), &raw);
        case.check(message.subject == expected.subject, "the subject is what was delivered")?;
        case.check(
            message.from == expected.from && message.to == expected.to,
            "the addresses are what was delivered",
        )?;
        case.check(
            message.message_id == expected.message_id,
            "the message id is what was delivered",
        )?;
        let text = |message: &Message| message.text.as_deref().map(|text| text.trim_end().to_owned());
        case.check(text(&message) == text(&expected), "the text is what was delivered")?;
        case.check(
            message.attachments == expected.attachments,
            "the attachments are what was delivered",
        )?;
        case.check(message.losses == expected.losses, "nothing is lost on the way")
    }

    async fn a_message_that_is_gone_is_not_found(&self) -> Result<(), Violation> {
        let case = Case("a_message_that_is_gone_is_not_found");
        if !self.abilities.deletes {
            return Ok(());
        }
        let delivered = self.deliver(case, &mail(&fresh_word(), "gone", None), None).await?;
        case.ok(self.peer.delete(&delivered.id).await, "delete")?;
        case.refused(
            self.mailbox.message(&delivered.id).await,
            "not_found",
            "a read of a message that is gone",
        )
    }

    async fn an_attachment_is_found_by_part_after_another_read(&self) -> Result<(), Violation> {
        let case = Case("an_attachment_is_found_by_part_after_another_read");
        let bytes: Vec<u8> = (0..=255u8).cycle().take(5_000).collect();
        let delivered = self
            .deliver(case, &mail(&fresh_word(), "attached", Some(&bytes)), None)
            .await?;
        let message = case.ok(self.mailbox.message(&delivered.id).await, "message")?;
        let part = message.attachments.first().map(|attachment| attachment.part.clone());
        let Some(part) = part else {
            return Err(Violation::new(case.0, "the message has its attachment"));
        };
        for read in ["the attachment", "the attachment after another read"] {
            let found = case.ok(self.mailbox.attachment_bytes(&part, 1 << 20).await, read)?;
            case.check(found == bytes, "the attachment is what was delivered, byte for byte")?;
            case.ok(self.mailbox.message(&delivered.id).await, "message")?;
        }
        let small = self.mailbox.attachment_bytes(&part, 10).await;
        case.refused(small, "bad_payload.too_large", "an attachment over the caller's limit")?;
        let absent = PartRef {
            message: part.message,
            part: "7.7".into(),
        };
        case.refused(
            self.mailbox.attachment_bytes(&absent, 1 << 20).await,
            "not_found",
            "a part that is not there",
        )
    }

    async fn a_thread_is_oldest_first(&self) -> Result<(), Violation> {
        let case = Case("a_thread_is_oldest_first");
        if !self.abilities.threads {
            return Ok(());
        }
        let word = fresh_word();
        let first = self.deliver(case, &mail(&word, "one", None), None).await?;
        let mut expected = vec![first.id];
        for part in ["two", "three"] {
            let next = self
                .deliver(case, &mail(&word, part, None), Some(&first.thread))
                .await?;
            case.check(next.thread == first.thread, "the peer keeps the conversation")?;
            expected.push(next.id);
        }
        let thread = case.ok(self.mailbox.thread(&first.thread).await, "thread")?;
        case.check(
            thread.id == first.thread,
            "the conversation has the id that was asked for",
        )?;
        let found: HashSet<&MessageId> = thread.messages.iter().map(|message| &message.meta.id).collect();
        case.check(
            found == expected.iter().collect(),
            "the conversation has all of its messages and no other",
        )?;
        let in_order = thread.messages.is_sorted_by_key(|message| message.meta.received);
        case.check(in_order, "the messages are oldest first")
    }

    async fn a_listing_is_complete_and_resumable(&self) -> Result<(), Violation> {
        let case = Case("a_listing_is_complete_and_resumable");
        let mut expected = HashSet::new();
        for _ in 0..MANY {
            expected.insert(self.deliver(case, &mail(&fresh_word(), "listed", None), None).await?.id);
        }
        let first = case.ok(self.mailbox.changes(&listing(), None).await, "changes")?;
        case.check(
            first.cursor.is_some(),
            "the first page of a listing carries the baseline",
        )?;
        let mut found: HashSet<MessageId> = present(&first.changes);
        let mut next = first.next;
        let mut tokens = HashSet::new();
        for _ in 0..MAX_PAGES {
            let Some(token) = next else {
                break;
            };
            case.check(tokens.insert(token.as_str().to_owned()), "no page token comes back")?;
            // Through text, as another process would get it.
            let token = PageToken::new(token.as_str());
            let page = case.ok(self.mailbox.changes(&listing(), Some(&token)).await, "changes")?;
            let again = case.ok(self.mailbox.changes(&listing(), Some(&token)).await, "changes")?;
            case.check(
                present(&page.changes) == present(&again.changes),
                "the same token gives the same page",
            )?;
            found.extend(present(&page.changes));
            next = page.next;
        }
        case.check(
            expected.is_subset(&found),
            "a listing has every message, whatever its pages hold",
        )
    }

    async fn changes_follow_the_cursor(&self) -> Result<(), Violation> {
        let case = Case("changes_follow_the_cursor");
        let mut cursor = case.ok(self.mailbox.profile().await, "profile")?.cursor;
        let (quiet, after) = self.changes_after(case, &cursor).await?;
        case.check(quiet.is_empty(), "nothing new after the present position")?;
        cursor = after;
        let delivered = self.deliver(case, &mail(&fresh_word(), "new", None), None).await?;
        let (changes, after) = self.changes_after(case, &cursor).await?;
        case.check(present(&changes).contains(&delivered.id), "a new message is present")?;
        let (again, _) = self.changes_after(case, &cursor).await?;
        case.check(
            present(&again).contains(&delivered.id),
            "an older cursor can be read from again",
        )?;
        cursor = after;
        if let Some(label) = self.abilities.label.clone() {
            case.ok(
                self.peer
                    .relabel(&delivered.id, std::slice::from_ref(&label), &[])
                    .await,
                "relabel",
            )?;
            let (changes, after) = self.changes_after(case, &cursor).await?;
            let labelled = changes.iter().any(|change| {
                matches!(change, MailChange::Labels { message, added, .. } if message.id == delivered.id && added.contains(&label))
            });
            case.check(labelled, "a label put on is a change")?;
            case.check(
                !present(&changes).contains(&delivered.id),
                "what was there before the cursor is not new",
            )?;
            case.ok(
                self.peer
                    .relabel(&delivered.id, &[], std::slice::from_ref(&label))
                    .await,
                "relabel",
            )?;
            let (changes, after_removal) = self.changes_after(case, &after).await?;
            let taken_off = changes.iter().any(|change| {
                matches!(change, MailChange::Labels { message, removed, .. } if message.id == delivered.id && removed.contains(&label))
            });
            case.check(taken_off, "a label taken off is a change")?;
            cursor = after_removal;
        }
        if self.abilities.deletes {
            case.ok(self.peer.delete(&delivered.id).await, "delete")?;
            let (changes, _) = self.changes_after(case, &cursor).await?;
            let gone = changes
                .iter()
                .any(|change| matches!(change, MailChange::Deleted(message) if message.id == delivered.id));
            case.check(gone, "a deletion is a change")?;
        }
        Ok(())
    }

    async fn an_expired_cursor_is_typed(&self) -> Result<(), Violation> {
        let case = Case("an_expired_cursor_is_typed");
        if !self.abilities.expires_cursors {
            return Ok(());
        }
        let old = case.ok(self.mailbox.profile().await, "profile")?.cursor;
        self.deliver(case, &mail(&fresh_word(), "later", None), None).await?;
        case.ok(self.peer.expire_cursors().await, "expire_cursors")?;
        let outcome = self.mailbox.changes(&SyncPoint::After(old), None).await;
        case.refused(outcome, "cursor_expired", "a read from a cursor that is too old")?;
        let fresh = case.ok(self.mailbox.profile().await, "profile")?.cursor;
        self.changes_after(case, &fresh).await.map(drop)
    }

    async fn labels_are_sets(&self) -> Result<(), Violation> {
        let case = Case("labels_are_sets");
        let Some(label) = self.abilities.label.clone() else {
            return Ok(());
        };
        let labels = case.ok(self.mailbox.labels().await, "labels")?;
        case.check(labels.iter().any(|known| known.id == label), "the label is listed")?;
        let delivered = self.deliver(case, &mail(&fresh_word(), "labelled", None), None).await?;
        for (add, remove, carried) in [
            (true, false, true),
            (true, false, true),
            (false, true, false),
            (false, true, false),
        ] {
            let change = LabelChange {
                messages: vec![delivered.id.clone()],
                add: add.then(|| label.clone()).into_iter().collect(),
                remove: remove.then(|| label.clone()).into_iter().collect(),
            };
            case.ok(self.mailbox.organize(&self.approved(change)).await, "organize")?;
            let message = case.ok(self.mailbox.message(&delivered.id).await, "message")?;
            let count = message.meta.labels.iter().filter(|found| **found == label).count();
            case.check(
                count == usize::from(carried),
                "a label is on or off, however often it is changed",
            )?;
        }
        Ok(())
    }

    pub(super) async fn deliver(
        &self,
        case: Case,
        raw: &[u8],
        thread: Option<&ThreadId>,
    ) -> Result<MessageRef, Violation> {
        case.ok(self.peer.deliver(raw, thread).await, "deliver")
    }

    /// All changes after a cursor, and the cursor after them.
    async fn changes_after(&self, case: Case, cursor: &SyncCursor) -> Result<(Vec<MailChange>, SyncCursor), Violation> {
        let point = SyncPoint::After(cursor.clone());
        let pages: Vec<_> = case.ok(self.mailbox.all_changes(point).try_collect().await, "changes")?;
        let after = pages.last().and_then(|page| page.cursor.clone());
        let Some(after) = after else {
            return Err(Violation::new(
                case.0,
                "the last page of a change feed carries the cursor to go on from",
            ));
        };
        Ok((pages.into_iter().flat_map(|page| page.changes).collect(), after))
    }

    pub(super) fn approved<A: crate::action::Action>(&self, action: A) -> Approved<A> {
        approved_for_suite(action, self.mailbox.connection().clone(), self.identity.clone())
    }
}

fn listing() -> SyncPoint {
    SyncPoint::Listing(MailListing::default())
}

fn present(changes: &[MailChange]) -> HashSet<MessageId> {
    let id = |change: &MailChange| match change {
        MailChange::Present(message) => Some(message.id.clone()),
        _ => None,
    };
    changes.iter().filter_map(id).collect()
}

/// A word that stands in no other mail.
pub(super) fn fresh_word() -> String {
    let id = CorrelationId::random();
    format!("q{}", id.as_str().get(..12).unwrap_or_default())
}

/// A mail whose fields all hold the word.
pub(super) fn mail(word: &str, part: &str, file: Option<&[u8]>) -> Vec<u8> {
    let builder = OutgoingMessage::builder()
        .from(crate::mail::Address::named(
            "Suite Sénder",
            format!("{word}@sender.example"),
        ))
        .to(format!("{word}@recipient.example"))
        .subject(format!("Subject {word} für {part}"))
        .text(format!("The word body{word} stands here, {part}.\n"));
    let builder = match file {
        Some(bytes) => builder.attach(NewAttachment::new(
            "suite.bin",
            "application/octet-stream",
            bytes.to_vec(),
        )),
        None => builder,
    };
    let clock = crate::testkit::ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000));
    let built = builder
        .build(&clock)
        .map(|mail| mail.raw().to_vec())
        .unwrap_or_default();
    // The builder's own id is random; the cases look for this one.
    let text = String::from_utf8(built).unwrap_or_default();
    let lines = text.split_inclusive("\r\n").map(|line| {
        if line.starts_with("Message-ID:") {
            format!("Message-ID: <{word}.{part}@sender.example>\r\n")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<String>().into_bytes()
}
