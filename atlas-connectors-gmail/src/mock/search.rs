//! The part of Gmail's search syntax that programs use.

use super::mailbox::{Mailbox, Stored};
use super::mime;

/// A parsed `q`: all terms must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    negated: bool,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    From(String),
    To(String),
    Subject(String),
    /// Seconds since 1970; from this moment on.
    After(i64),
    Before(i64),
    HasAttachment,
    Label(String),
    Anywhere,
    MessageId(String),
    Larger(usize),
    Smaller(usize),
    Text(String),
    Any(Vec<Query>),
}

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let mut terms: Vec<Term> = Vec::new();
        let mut or = false;
        for (negated, word) in words(text) {
            if word == "OR" && !negated {
                or = true;
                continue;
            }
            let term = Term {
                negated,
                what: what(&word),
            };
            match terms.pop() {
                Some(left) if or => {
                    let alternatives = match left {
                        Term {
                            negated: false,
                            what: What::Any(mut all),
                        } => {
                            all.push(Self { terms: vec![term] });
                            all
                        }
                        left => vec![Self { terms: vec![left] }, Self { terms: vec![term] }],
                    };
                    terms.push(Term {
                        negated: false,
                        what: What::Any(alternatives),
                    });
                }
                left => {
                    terms.extend(left);
                    terms.push(term);
                }
            }
            or = false;
        }
        Self { terms }
    }

    /// Whether the query itself says to look into spam or trash.
    pub(super) fn names_place(&self) -> bool {
        self.terms.iter().any(|term| match &term.what {
            What::Anywhere => true,
            What::Label(name) => !term.negated && matches!(name.as_str(), "spam" | "trash"),
            _ => false,
        })
    }

    pub(super) fn matches(&self, mailbox: &Mailbox, stored: &Stored) -> bool {
        self.terms
            .iter()
            .all(|term| term.what.holds(mailbox, stored) != term.negated)
    }
}

impl What {
    fn holds(&self, mailbox: &Mailbox, stored: &Stored) -> bool {
        match self {
            Self::Anywhere => true,
            Self::After(seconds) => stored.date >= seconds.saturating_mul(1000),
            Self::Before(seconds) => stored.date < seconds.saturating_mul(1000),
            Self::Label(name) => labelled(mailbox, stored, name),
            Self::From(text) => contains(&[mime::header(&stored.raw.bytes(), "From")], text),
            Self::To(text) => {
                let raw = stored.raw.bytes();
                contains(&["To", "Cc", "Bcc"].map(|name| mime::header(&raw, name)), text)
            }
            Self::Subject(text) => mime::subject(&stored.raw.bytes()).to_lowercase().contains(text),
            Self::HasAttachment => mime::has_attachment(&stored.raw.bytes()),
            Self::MessageId(id) => mime::header(&stored.raw.bytes(), "Message-ID")
                .is_some_and(|value| value.trim_matches(['<', '>', ' ']) == id),
            Self::Larger(bytes) => stored.raw.bytes().len() > *bytes,
            Self::Smaller(bytes) => stored.raw.bytes().len() < *bytes,
            Self::Text(text) => mime::searchable(&stored.raw.bytes()).contains(text),
            Self::Any(alternatives) => alternatives.iter().any(|one| one.matches(mailbox, stored)),
        }
    }
}

fn contains(values: &[Option<String>], text: &str) -> bool {
    values.iter().flatten().any(|value| value.to_lowercase().contains(text))
}

/// By id, or by name as it is written in the web client: `-` stands for a space or a slash.
fn labelled(mailbox: &Mailbox, stored: &Stored, name: &str) -> bool {
    stored.labels.iter().any(|id| {
        if id.to_lowercase() == name {
            return true;
        }
        mailbox.labels.get(id).is_some_and(|label| {
            let lower = label.name.to_lowercase();
            lower == name || lower.replace([' ', '/'], "-") == name
        })
    })
}

/// Words of a query with their minus sign; quotes and braces group.
fn words(text: &str) -> Vec<(bool, String)> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut depth) = (String::new(), false, 0_u32);
    for character in text.chars().chain([' ']) {
        match character {
            '"' => quoted = !quoted,
            '(' | '{' if !quoted && (depth > 0 || word.is_empty() || word.ends_with([':', '-'])) => {
                depth += 1;
                word.push(character);
                continue;
            }
            ')' | '}' if !quoted && depth > 0 => depth -= 1,
            ' ' | '\t' if !quoted && depth == 0 => {
                if !word.is_empty() {
                    match word.strip_prefix('-') {
                        Some(rest) if !rest.is_empty() => words.push((true, rest.to_owned())),
                        _ => words.push((false, word.clone())),
                    }
                    word.clear();
                }
                continue;
            }
            _ => {}
        }
        if character != '"' || depth > 0 {
            word.push(character);
        }
    }
    words
}

fn what(word: &str) -> What {
    if let Some(inner) = word.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return What::Any(vec![Query::parse(inner)]);
    }
    if let Some(inner) = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return What::Any(
            Query::parse(inner)
                .terms
                .into_iter()
                .map(|term| Query { terms: vec![term] })
                .collect(),
        );
    }
    let Some((operator, value)) = word.split_once(':') else {
        return What::Text(word.to_lowercase());
    };
    let value = value.trim_matches(['(', ')', '"']);
    let lower = value.to_lowercase();
    match operator.to_lowercase().as_str() {
        "from" => What::From(lower),
        "to" => What::To(lower),
        "subject" => What::Subject(lower),
        "after" | "newer" => moment(value).map_or(What::Text(word.to_lowercase()), What::After),
        "before" | "older" => moment(value).map_or(What::Text(word.to_lowercase()), What::Before),
        "has" if lower == "attachment" => What::HasAttachment,
        "label" => What::Label(lower),
        "in" if lower == "anywhere" => What::Anywhere,
        "in" if lower == "drafts" => What::Label("draft".to_owned()),
        "in" => What::Label(lower),
        "is" if lower == "unread" || lower == "starred" || lower == "important" => What::Label(lower),
        "is" if lower == "read" => What::Any(vec![Query {
            terms: vec![Term {
                negated: true,
                what: What::Label("unread".to_owned()),
            }],
        }]),
        "rfc822msgid" => What::MessageId(value.trim_matches(['<', '>']).to_owned()),
        "larger" | "size" => lower.parse().map_or(What::Text(lower.clone()), What::Larger),
        "smaller" => lower.parse().map_or(What::Text(lower.clone()), What::Smaller),
        _ => What::Text(word.to_lowercase()),
    }
}

/// Epoch seconds, or a day as `2026/11/22`: midnight in Pacific standard time.
fn moment(value: &str) -> Option<i64> {
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok();
    }
    let day = value.replace('/', "-");
    let midnight: atlas_connectors::Timestamp = format!("{day}T08:00:00Z").parse().ok()?;
    Some(midnight.unix_seconds())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mock::mailbox::{Label, Raw};

    fn finds(q: &str) -> bool {
        let mut mailbox = Mailbox::new("ops@acme.example", 0);
        let label = Label {
            name: "Orders/Open".to_owned(),
            message_list: String::new(),
            label_list: String::new(),
            color: None,
        };
        let label = mailbox.new_label(label);
        let raw = b"From: Jana <jana@precision.example>\r\nTo: ops@acme.example\r\nSubject: =?utf-8?q?RFQ_44_Stra=C3=9Fe?=\r\nMessage-ID: <m1@precision.example>\r\n\r\nPlease quote 200 bolts.";
        let labels = Arc::new(vec!["INBOX".to_owned(), "UNREAD".to_owned(), label]);
        let id = mailbox.add(
            Raw::Bytes(raw.as_slice().into()),
            labels,
            None,
            atlas_connectors::Timestamp::from_unix_seconds(1_790_000_000),
        );
        Query::parse(q).matches(&mailbox, mailbox.messages.get(&id).unwrap())
    }

    #[test]
    fn terms() {
        for (q, found) in [
            ("", true),
            ("from:jana@precision.example", true),
            ("from:(jana)", true),
            ("from:peter", false),
            ("-from:peter", true),
            ("to:ops@acme.example", true),
            ("subject:\"rfq 44\"", true),
            ("subject:(straße)", true),
            ("subject:order", false),
            ("after:1790000000", true),
            ("after:1790000001", false),
            ("before:1790000001", true),
            ("after:2026/09/01 before:2026/10/01", true),
            ("has:attachment", false),
            ("label:orders-open", true),
            ("label:\"Orders/Open\"", true),
            ("in:inbox is:unread", true),
            ("in:trash", false),
            ("is:read", false),
            ("rfc822msgid:m1@precision.example", true),
            ("rfc822msgid:<m1@precision.example>", true),
            ("\"200 bolts\"", true),
            ("bolts nuts", false),
            ("nuts OR bolts", true),
            ("{nuts bolts}", true),
            ("-bolts", false),
        ] {
            assert_eq!(finds(q), found, "{q}");
        }
    }

    #[test]
    fn spam_and_trash_are_looked_into_when_named() {
        assert!(Query::parse("in:anywhere x").names_place());
        assert!(Query::parse("in:trash").names_place());
        assert!(!Query::parse("in:inbox").names_place());
        assert!(!Query::parse("-in:trash").names_place());
    }
}
