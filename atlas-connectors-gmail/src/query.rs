//! From a typed search to Gmail's search syntax.
//!
//! Source: `gmail.md`, section 8. Every value is quoted word by word, so that nothing in it is taken for an operator. Dates go
//! as epoch seconds (a date would mean midnight in California) and a second wider than asked, because it is not
//! documented whether the bounds are inclusive: callers drop doubles by id.

use std::collections::BTreeMap;

use atlas_connectors::mail::{Condition, MailListing, MailQuery};
use atlas_connectors::{LabelId, Timestamp};

use crate::wire::messages::ListMessages;

/// Names of the mailbox's own labels by id, for labels inside "any of" and "not": there Gmail takes names only.
pub type LabelNames = BTreeMap<LabelId, String>;

/// What to list for this query; `None` if nothing can match.
pub fn compile(query: &MailQuery, names: &LabelNames) -> Option<ListMessages> {
    let mut wanted = ListMessages {
        include_spam_trash: query.includes_spam_and_trash(),
        ..ListMessages::default()
    };
    let mut terms = Vec::new();
    for condition in query.conditions() {
        match condition {
            // By id and exact, where the request has a place for it.
            Condition::Label(label) => wanted.label_ids.push(label.clone()),
            condition => match term(condition, names, false) {
                Term::Always => {}
                Term::Never => return None,
                Term::Text(text) => terms.push(text),
            },
        }
    }
    wanted.q = (!terms.is_empty()).then(|| terms.join(" "));
    Some(wanted)
}

/// Labels of the query that [`compile`] needs the names of.
pub fn needs_names(query: &MailQuery) -> bool {
    fn nested(condition: &Condition) -> bool {
        match condition {
            Condition::Label(label) => system_label(label).is_none(),
            Condition::AnyOf(conditions) => conditions.iter().any(nested),
            Condition::Not(condition) => nested(condition),
            _ => false,
        }
    }
    query
        .conditions()
        .iter()
        .any(|condition| !matches!(condition, Condition::Label(_)) && nested(condition))
}

/// What to list for the first sync or the repair of a gap.
pub fn listing(listing: &MailListing) -> ListMessages {
    let bounds = [
        listing.since.map(|since| after(since, false)),
        listing.until.map(|until| before(until, false)),
    ];
    let terms: Vec<String> = bounds.into_iter().flatten().collect();
    ListMessages {
        q: (!terms.is_empty()).then(|| terms.join(" ")),
        include_spam_trash: listing.include_spam_trash,
        ..ListMessages::default()
    }
}

enum Term {
    Always,
    Never,
    Text(String),
}

fn term(condition: &Condition, names: &LabelNames, negated: bool) -> Term {
    let text = match condition {
        Condition::From(who) => return field("from", who),
        Condition::To(who) => {
            let (Term::Text(to), Term::Text(cc), Term::Text(bcc)) =
                (field("to", who), field("cc", who), field("bcc", who))
            else {
                return Term::Always;
            };
            format!("{{{to} {cc} {bcc}}}")
        }
        Condition::Subject(words) => return field("subject", words),
        Condition::After(moment) => after(*moment, negated),
        Condition::Before(moment) => before(*moment, negated),
        Condition::HasAttachment => "has:attachment".to_owned(),
        Condition::Label(label) => match system_label(label) {
            Some(operator) => operator,
            None => match names.get(label) {
                Some(name) => format!("label:{}", label_name(name)),
                // A label that is not there is on no message.
                None => return Term::Never,
            },
        },
        Condition::Text(words) => match words_of(words) {
            words if words.is_empty() => return Term::Always,
            words => words.join(" "),
        },
        Condition::Phrase(words) => match clean(words) {
            phrase if phrase.is_empty() => return Term::Always,
            phrase => format!("\"{phrase}\""),
        },
        Condition::MessageId(id) => {
            let bare = id.trim().trim_start_matches('<').trim_end_matches('>');
            if bare.is_empty() || bare.chars().any(|c| c.is_whitespace() || c == '"') {
                return Term::Never;
            }
            format!("rfc822msgid:{bare}")
        }
        Condition::AnyOf(conditions) => return any_of(conditions, names, negated),
        Condition::Not(condition) => match term(condition, names, !negated) {
            Term::Always => return Term::Never,
            Term::Never => return Term::Always,
            // Several words joined by "and" need brackets before they can be negated.
            Term::Text(text) if text.contains(' ') && !text.starts_with(['{', '(']) => format!("-({text})"),
            Term::Text(text) => format!("-{text}"),
        },
        // A condition this version does not know: finding nothing is safer than finding everything.
        _ => return Term::Never,
    };
    Term::Text(text)
}

fn any_of(conditions: &[Condition], names: &LabelNames, negated: bool) -> Term {
    let mut texts = Vec::new();
    for condition in conditions {
        match term(condition, names, negated) {
            Term::Always => return Term::Always,
            Term::Never => {}
            Term::Text(text) if text.contains(' ') && !text.starts_with('{') => texts.push(format!("({text})")),
            Term::Text(text) => texts.push(text),
        }
    }
    match texts.as_slice() {
        [] => Term::Never,
        [one] => Term::Text(one.clone()),
        several => Term::Text(format!("{{{}}}", several.join(" "))),
    }
}

fn field(name: &str, words: &str) -> Term {
    match words_of(words).as_slice() {
        [] => Term::Always,
        [word] => Term::Text(format!("{name}:{word}")),
        words => Term::Text(format!("{name}:({})", words.join(" "))),
    }
}

/// Each word in quotes.
fn words_of(text: &str) -> Vec<String> {
    clean(text)
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| format!("\"{word}\""))
        .collect()
}

/// Without quotes and control characters, white space squeezed: nothing that could end a quoted word.
fn clean(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c == '"' || c.is_control() { ' ' } else { c })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn after(moment: Timestamp, negated: bool) -> String {
    let seconds = moment.unix_seconds();
    format!("after:{}", if negated { seconds + 1 } else { seconds - 1 })
}

fn before(moment: Timestamp, negated: bool) -> String {
    let seconds = moment.unix_seconds();
    // A fraction of a second belongs to what comes before.
    format!("before:{}", if negated { seconds } else { seconds + 2 })
}

/// Gmail's own labels have operators instead of names.
fn system_label(label: &LabelId) -> Option<String> {
    let operator = match label.as_str() {
        "INBOX" => "in:inbox",
        "SENT" => "in:sent",
        "DRAFT" => "in:drafts",
        "TRASH" => "in:trash",
        "SPAM" => "in:spam",
        "UNREAD" => "is:unread",
        "STARRED" => "is:starred",
        "IMPORTANT" => "is:important",
        "CATEGORY_PERSONAL" => "category:primary",
        "CATEGORY_SOCIAL" => "category:social",
        "CATEGORY_PROMOTIONS" => "category:promotions",
        "CATEGORY_UPDATES" => "category:updates",
        "CATEGORY_FORUMS" => "category:forums",
        _ => return None,
    };
    Some(operator.to_owned())
}

/// The search box writes a label's name in lower case with hyphens for what would end a word.
fn label_name(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            ' ' | '/' | '"' | '(' | ')' | '{' | '}' | '&' | '|' => '-',
            c => c,
        })
        .collect::<String>()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn q(query: &MailQuery) -> String {
        let names = LabelNames::from([("Label_12".into(), "Orders/New ones".to_owned())]);
        compile(query, &names).unwrap().q.unwrap_or_default()
    }

    #[test]
    fn each_condition_has_its_operator() {
        let new = MailQuery::new;
        let not = |condition| new().without(condition);
        let any = |conditions| new().with(Condition::AnyOf(conditions));
        let table = [
            (new(), ""),
            (new().from("nordmetal.example"), r#"from:"nordmetal.example""#),
            (new().from("Jana Novak"), r#"from:("Jana" "Novak")"#),
            (
                new().to("ops@acme.example"),
                r#"{to:"ops@acme.example" cc:"ops@acme.example" bcc:"ops@acme.example"}"#,
            ),
            (new().subject("purchase order"), r#"subject:("purchase" "order")"#),
            (new().after(at(1_000)), "after:999"),
            (new().before(at(1_000)), "before:1002"),
            (not(Condition::After(at(1_000))), "-after:1001"),
            (new().has_attachment(), "has:attachment"),
            (new().text("bolts M8"), r#""bolts" "M8""#),
            (new().phrase("please  confirm"), r#""please confirm""#),
            (new().message_id("<po-1@x.example>"), "rfc822msgid:po-1@x.example"),
            (not(Condition::Label("TRASH".into())), "-in:trash"),
            (not(Condition::Label("Label_12".into())), "-label:orders-new-ones"),
            (not(Condition::Text("two words".into())), r#"-("two" "words")"#),
            (
                any(vec![Condition::HasAttachment, Condition::Text("a b".into())]),
                r#"{has:attachment ("a" "b")}"#,
            ),
            (not(Condition::AnyOf(Vec::new())), ""),
            (new().from("a").subject("b"), r#"from:"a" subject:"b""#),
        ];
        for (query, expected) in table {
            assert_eq!(q(&query), expected, "{query:?}");
        }
    }

    #[test]
    fn nothing_in_a_value_is_an_operator() {
        let hostile = r#"x" OR in:trash {a} -b label:c "#;
        let found = q(&MailQuery::new().subject(hostile));
        assert_eq!(found, r#"subject:("x" "OR" "in:trash" "{a}" "-b" "label:c")"#);
        assert_eq!(q(&MailQuery::new().phrase("a\"\r\nb")), r#""a b""#);
    }

    #[test]
    fn labels_go_by_id_and_what_cannot_match_is_not_asked() {
        let names = LabelNames::new();
        let query = MailQuery::new()
            .label("Label_12")
            .label("INBOX")
            .including_spam_and_trash();
        let wanted = compile(&query, &names).unwrap();
        assert_eq!(wanted.label_ids, ["Label_12".into(), "INBOX".into()]);
        assert!(wanted.q.is_none() && wanted.include_spam_trash);
        assert!(!needs_names(&query));

        let nested = MailQuery::new().with(Condition::AnyOf(vec![Condition::Label("Label_9".into())]));
        assert!(needs_names(&nested));
        assert!(compile(&nested, &names).is_none());
        assert!(compile(&MailQuery::new().message_id("a b"), &names).is_none());
        assert!(compile(&MailQuery::new().with(Condition::AnyOf(Vec::new())), &names).is_none());
    }

    #[test]
    fn a_listing_is_bounded_by_epoch_seconds_and_needs_no_search_without_bounds() {
        let everything = listing(&MailListing::default());
        assert!(everything.q.is_none() && !everything.include_spam_trash);
        let bounded = listing(&MailListing {
            since: Some(at(1_000)),
            until: Some(at(2_000)),
            include_spam_trash: true,
        });
        assert_eq!(bounded.q.as_deref(), Some("after:999 before:2002"));
        assert!(bounded.include_spam_trash);
    }
}
