//! The part of the contract that is about search.

use std::collections::HashSet;

use futures_util::TryStreamExt as _;

use super::mailbox::{MANY, Suite, fresh_word, mail};
use super::mailbox_peer::PeerSearch;
use super::violation::{Case, Violation};
use crate::ids::MessageId;
use crate::mail::{Condition, MailQuery, MailboxExt as _, MessageRef};

impl Suite<'_> {
    pub(super) async fn search_finds_by_each_field(&self) -> Result<(), Violation> {
        let case = Case("search_finds_by_each_field");
        if self.abilities.search == PeerSearch::Nothing {
            return Ok(());
        }
        let word = fresh_word();
        let hit = self.deliver(case, &mail(&word, "found", Some(b"x")), None).await?.id;
        let other = self.deliver(case, &mail(&fresh_word(), "other", None), None).await?.id;
        let received = case.ok(self.mailbox.message(&hit).await, "message")?.meta.received;
        let mut conditions = vec![
            ("from", Condition::From(format!("{word}@sender.example"))),
            ("to", Condition::To(format!("{word}@recipient.example"))),
            ("subject", Condition::Subject(word.clone())),
            ("text", Condition::Text(format!("body{word}"))),
        ];
        if self.abilities.search == PeerSearch::Everything {
            conditions.push((
                "message_id",
                Condition::MessageId(format!("<{word}.found@sender.example>")),
            ));
            conditions.push(("phrase", Condition::Phrase(format!("body{word} stands here"))));
        }
        for (name, condition) in conditions {
            let found = self.search(case, MailQuery::new().with(condition)).await?;
            case.check(found.contains(&hit), &format!("a search by {name} finds the message"))?;
            case.check(!found.contains(&other), &format!("a search by {name} finds no other"))?;
        }
        if self.abilities.search == PeerSearch::Everything {
            let base = MailQuery::new().subject(word.clone());
            let hour = std::time::Duration::from_secs(3_600);
            let narrowed = [
                ("has attachment", base.clone().has_attachment(), true),
                (
                    "without attachment",
                    base.clone().without(Condition::HasAttachment),
                    false,
                ),
                ("after", base.clone().after(received.before(hour)), true),
                ("after too late", base.clone().after(received.after(hour)), false),
                ("before", base.clone().before(received.after(hour)), true),
                ("before too early", base.before(received.before(hour)), false),
            ];
            for (name, query, expected) in narrowed {
                let found = self.search(case, query).await?.contains(&hit);
                case.check(found == expected, &format!("{name} narrows the search as it says"))?;
            }
        }
        Ok(())
    }

    pub(super) async fn search_gives_each_message_once(&self) -> Result<(), Violation> {
        let case = Case("search_gives_each_message_once");
        if self.abilities.search == PeerSearch::Nothing {
            return Ok(());
        }
        let word = fresh_word();
        let mut expected = HashSet::new();
        for number in 0..MANY {
            expected.insert(
                self.deliver(case, &mail(&word, &format!("n{number}"), None), None)
                    .await?
                    .id,
            );
        }
        let hits: Vec<MessageRef> = case.ok(
            self.mailbox
                .search_all(MailQuery::new().subject(word))
                .try_collect()
                .await,
            "search",
        )?;
        let found: HashSet<MessageId> = hits.iter().map(|hit| hit.id.clone()).collect();
        case.check(
            found == expected && hits.len() == found.len(),
            "a search gives each message that matches once",
        )?;
        let none = self.search(case, MailQuery::new().subject(fresh_word())).await?;
        case.check(none.is_empty(), "a search without a hit is empty and no error")
    }

    async fn search(&self, case: Case, query: MailQuery) -> Result<HashSet<MessageId>, Violation> {
        let hits: Vec<MessageRef> = case.ok(self.mailbox.search_all(query).try_collect().await, "search")?;
        Ok(hits.into_iter().map(|hit| hit.id).collect())
    }
}
