//! The part of the contract that is about finding threads.

use super::inbox_store::{Pair, headers, labels, mail, name, time};
use super::violation::{Case, Violation};
use crate::sync::{InboxPosition, InboxQuery};

impl Pair<'_> {
    pub(super) async fn threads_by_their_newest_match(&self) -> Result<(), Violation> {
        let case = Case("threads_by_their_newest_match");
        let run = self.run(case).await?;
        let mut unread = mail("m1", "t", 10);
        unread.labels = labels(&["UNREAD"]);
        let rows = vec![unread, mail("m2", "t", 20), mail("m3", "other", 15)];
        self.commit(case, &run, rows).await?;
        let threads = self.threads(case, &run.key, &InboxQuery::all().unread_only()).await?;
        let [thread] = threads.as_slice() else {
            return case.check(false, "only threads with a matching message are listed");
        };
        case.check(
            name(thread) == "t/m1" && thread.received == time(10),
            "a thread is listed by its newest matching message, not by its newest",
        )?;
        case.check(
            thread.messages == 2 && thread.unread == 1,
            "counts are over the whole conversation, whatever matches",
        )?;
        let position = InboxPosition {
            received: time(20),
            message: "m2".into(),
        };
        let query = InboxQuery::all().unread_only().folded();
        let page = case.ok(self.two.threads(&run.key, &query, Some(&position), 9).await, "threads")?;
        case.check(
            page.iter().map(name).collect::<Vec<_>>() == ["t/m1"],
            "its place in the pages is that of the matching message",
        )
    }

    pub(super) async fn conditions_hold_for_one_message(&self) -> Result<(), Violation> {
        let case = Case("conditions_hold_for_one_message");
        let run = self.run(case).await?;
        let row = |id: &str, thread: &str, subject: &str, from: &str, on: &[&str]| {
            let mut row = mail(id, thread, 10);
            row.headers = headers(subject, from, "x@example.com");
            row.labels = labels(on);
            row
        };
        let rows = vec![
            row("m1", "one", "Order 7", "Anna", &["INBOX", "UNREAD"]),
            row("m2", "apart", "Order 7", "Bob", &["INBOX"]),
            row("m3", "apart", "Hello", "Anna", &["UNREAD"]),
        ];
        self.commit(case, &run, rows).await?;
        let subject = || InboxQuery::all().with_subject("order");
        for (query, expected) in [
            (subject(), ["one/m1", "apart/m2"].as_slice()),
            (subject().with_participant("anna"), &["one/m1"]),
            (subject().unread_only(), &["one/m1"]),
            (
                InboxQuery::all().with_participant("anna").with_label("INBOX"),
                &["one/m1"],
            ),
            (subject().with_participant("bob").unread_only(), &[]),
            (InboxQuery::all().with_text("anna order"), &["one/m1"]),
        ] {
            let mut found = self.names(case, &run.key, &query).await?;
            found.sort_by_key(|name| std::cmp::Reverse(name.clone()));
            case.check(
                found == expected,
                "conditions are joined by \"and\" and hold for one and the same message",
            )?;
        }
        Ok(())
    }

    pub(super) async fn words_are_parts_of_fields(&self) -> Result<(), Violation> {
        let case = Case("words_are_parts_of_fields");
        let run = self.run(case).await?;
        let mut row = mail("m1", "t", 10);
        row.headers = headers(
            "Auftrag 100% GRÖSSE_7 'x' \\",
            "Jörg Müller",
            "joerg@nordmetall.example",
        );
        self.commit(case, &run, vec![row]).await?;
        let all = InboxQuery::all;
        for (query, matches) in [
            (all().with_subject("größe"), false),
            (all().with_subject("grösse"), true),
            (all().with_subject("trag"), true),
            (all().with_subject("7  auf"), true),
            (all().with_subject("auftrag müller"), false),
            (all().with_text("auftrag müller"), true),
            (all().with_participant("nordmetall MÜLLER"), true),
            (all().with_participant("auftrag"), false),
            (all().with_subject("nordmetall"), false),
            (all().with_subject("100%"), true),
            (all().with_subject("1%0"), false),
            (all().with_subject("%"), true),
            (all().with_participant("%"), false),
            (all().with_subject("e_7"), true),
            (all().with_subject("auftrag_100"), false),
            (all().with_participant("j_rg"), false),
            (all().with_subject("*"), false),
            (all().with_subject("'x'"), true),
            (all().with_subject("' OR 1=1 --"), false),
            (all().with_subject("\\"), true),
            (all().with_subject(" "), true),
        ] {
            let found = self.threads(case, &run.key, &query).await?;
            let folded = query.folded();
            case.check(
                (found.len() == 1) == matches,
                &format!(
                    "every word is looked for as it is, anywhere in its field: subject {:?}, participants {:?}, either {:?}",
                    folded.subject, folded.participant, folded.text
                ),
            )?;
        }
        Ok(())
    }

    pub(super) async fn labels_are_whole(&self) -> Result<(), Violation> {
        let case = Case("labels_are_whole");
        let run = self.run(case).await?;
        let mut row = mail("m1", "t", 10);
        row.labels = labels(&["Label_12", "IN%X"]);
        self.commit(case, &run, vec![row]).await?;
        for (label, matches) in [
            ("Label_12", true),
            ("IN%X", true),
            ("Label_1", false),
            ("abel_12", false),
            ("label_12", false),
            ("LabelX12", false),
            ("INBOX", false),
            ("12IN", false),
        ] {
            let query = InboxQuery::all().with_label(label);
            let found = self.threads(case, &run.key, &query).await?;
            case.check(
                (found.len() == 1) == matches,
                "a label matches whole and byte for byte, or not at all",
            )?;
        }
        Ok(())
    }
}
