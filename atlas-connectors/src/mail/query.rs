//! Typed search.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::LabelId;
use crate::mail::{AttachmentKind, Message};

/// What to search for. All conditions must hold; an empty query finds everything.
///
/// Values are plain text: the connector quotes them for its provider, so nothing in them is taken for an operator.
///
/// ```
/// use atlas_connectors::Timestamp;
/// use atlas_connectors::mail::{Condition, MailQuery};
///
/// let since: Timestamp = "2026-11-01T00:00:00Z".parse()?;
/// let query = MailQuery::new()
///     .from("nordmetal.example")
///     .subject("purchase order")
///     .after(since)
///     .has_attachment()
///     .without(Condition::Label("TRASH".into()));
/// assert_eq!(query.conditions().len(), 5);
/// # Ok::<(), atlas_connectors::ParseTimestampError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MailQuery {
    conditions: Vec<Condition>,
    #[serde(default)]
    spam_and_trash: bool,
}

/// One condition of a query.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Condition {
    /// Name, address or domain of an author.
    From(String),
    /// Name, address or domain of a recipient (To, Cc or Bcc).
    To(String),
    /// Words of the subject.
    Subject(String),
    /// Received at or after this moment. Providers compare whole seconds; whether the second itself is included differs, so
    /// overlap windows and drop doubles by id.
    After(Timestamp),
    /// Received before this moment.
    Before(Timestamp),
    /// Has a file attached.
    HasAttachment,
    /// Carries the label.
    Label(LabelId),
    /// All of these words, anywhere in the message, in any order.
    Text(String),
    /// These words together in this order.
    Phrase(String),
    /// The `Message-ID` header is this one; angle brackets do not matter.
    MessageId(String),
    /// Any of these holds. An empty list holds never.
    AnyOf(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
}

impl MailQuery {
    /// A query that finds everything outside spam and trash.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition.
    #[must_use]
    pub fn with(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Adds the opposite of a condition.
    #[must_use]
    pub fn without(self, condition: Condition) -> Self {
        self.with(Condition::Not(Box::new(condition)))
    }

    /// Written by this name, address or domain.
    #[must_use]
    pub fn from(self, who: impl Into<String>) -> Self {
        self.with(Condition::From(who.into()))
    }

    /// Sent to this name, address or domain.
    #[must_use]
    pub fn to(self, who: impl Into<String>) -> Self {
        self.with(Condition::To(who.into()))
    }

    /// With these words in the subject.
    #[must_use]
    pub fn subject(self, words: impl Into<String>) -> Self {
        self.with(Condition::Subject(words.into()))
    }

    /// Received at or after this moment.
    #[must_use]
    pub fn after(self, moment: Timestamp) -> Self {
        self.with(Condition::After(moment))
    }

    /// Received before this moment.
    #[must_use]
    pub fn before(self, moment: Timestamp) -> Self {
        self.with(Condition::Before(moment))
    }

    /// With a file attached.
    #[must_use]
    pub fn has_attachment(self) -> Self {
        self.with(Condition::HasAttachment)
    }

    /// Carrying this label.
    #[must_use]
    pub fn label(self, label: impl Into<LabelId>) -> Self {
        self.with(Condition::Label(label.into()))
    }

    /// With all of these words anywhere.
    #[must_use]
    pub fn text(self, words: impl Into<String>) -> Self {
        self.with(Condition::Text(words.into()))
    }

    /// With these words together.
    #[must_use]
    pub fn phrase(self, words: impl Into<String>) -> Self {
        self.with(Condition::Phrase(words.into()))
    }

    /// With this `Message-ID` header.
    #[must_use]
    pub fn message_id(self, id: impl Into<String>) -> Self {
        self.with(Condition::MessageId(id.into()))
    }

    /// Looks into spam and trash as well.
    #[must_use]
    pub fn including_spam_and_trash(mut self) -> Self {
        self.spam_and_trash = true;
        self
    }

    /// The conditions, joined by "and".
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether spam and trash are searched as well.
    pub fn includes_spam_and_trash(&self) -> bool {
        self.spam_and_trash
    }

    /// Whether a parsed message matches, for stores and mocks that search by themselves. Providers match words by their own index;
    /// this compares without case, by part of the text. Spam and trash are the caller's to leave out: only the provider knows their labels.
    pub fn matches(&self, message: &Message) -> bool {
        self.conditions.iter().all(|condition| condition.matches(message))
    }
}

impl Condition {
    /// Whether a parsed message satisfies it; see [`MailQuery::matches`].
    pub fn matches(&self, message: &Message) -> bool {
        match self {
            Self::From(who) => any_address(message.from.iter(), who),
            Self::To(who) => any_address(message.to.iter().chain(&message.cc).chain(&message.bcc), who),
            Self::Subject(words) => has_words(message.subject.as_deref().unwrap_or_default(), words),
            Self::After(moment) => message.meta.received >= *moment,
            Self::Before(moment) => message.meta.received < *moment,
            Self::HasAttachment => message
                .attachments
                .iter()
                .any(|attachment| attachment.kind != AttachmentKind::Inline && attachment.name.is_some()),
            Self::Label(label) => message.meta.labels.contains(label),
            Self::Text(words) => has_words(&searchable(message), words),
            Self::Phrase(words) => searchable(message).to_lowercase().contains(&squeeze(words)),
            Self::MessageId(id) => message.message_id.as_deref() == Some(bare_id(id)),
            Self::AnyOf(conditions) => conditions.iter().any(|condition| condition.matches(message)),
            Self::Not(condition) => !condition.matches(message),
        }
    }
}

/// What a condition looks for may be an address or a subject, so only its kind is shown.
impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(_) => f.write_str("From"),
            Self::To(_) => f.write_str("To"),
            Self::Subject(_) => f.write_str("Subject"),
            Self::After(moment) => write!(f, "After({moment})"),
            Self::Before(moment) => write!(f, "Before({moment})"),
            Self::HasAttachment => f.write_str("HasAttachment"),
            Self::Label(label) => write!(f, "{label:?}"),
            Self::Text(_) => f.write_str("Text"),
            Self::Phrase(_) => f.write_str("Phrase"),
            Self::MessageId(_) => f.write_str("MessageId"),
            Self::AnyOf(conditions) => f.debug_tuple("AnyOf").field(conditions).finish(),
            Self::Not(condition) => f.debug_tuple("Not").field(condition).finish(),
        }
    }
}

impl fmt::Debug for MailQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailQuery")
            .field("conditions", &self.conditions)
            .field("spam_and_trash", &self.spam_and_trash)
            .finish()
    }
}

fn any_address<'a>(mut addresses: impl Iterator<Item = &'a crate::mail::Address>, who: &str) -> bool {
    addresses.any(|address| has_words(&address.to_string(), who))
}

fn has_words(text: &str, words: &str) -> bool {
    let text = text.to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

fn squeeze(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Subject, people, text and file names, with white space squeezed.
fn searchable(message: &Message) -> String {
    let mut all = String::new();
    let mut add = |text: &str| {
        for word in text.split_whitespace() {
            all.push_str(word);
            all.push(' ');
        }
    };
    add(message.subject.as_deref().unwrap_or_default());
    for address in message.from.iter().chain(&message.to).chain(&message.cc) {
        add(&address.to_string());
    }
    add(&message.readable_text());
    for attachment in &message.attachments {
        add(attachment.name.as_deref().unwrap_or_default());
    }
    all
}

fn bare_id(id: &str) -> &str {
    id.trim().trim_start_matches('<').trim_end_matches('>')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::MessageMeta;

    fn message() -> Message {
        let raw = b"From: Jana Novak <jana@parts.example>\r\nTo: ops@acme.example\r\nSubject: Purchase Order 4711\r\n\
            Message-ID: <po-4711@parts.example>\r\n\r\nPlease confirm the\r\norder today.\r\n";
        let meta = MessageMeta {
            id: "m1".into(),
            thread: "t1".into(),
            labels: vec!["INBOX".into()],
            received: Timestamp::from_unix_seconds(1_000),
            size: None,
        };
        Message::parse(meta, raw)
    }

    #[test]
    fn each_condition_matches_and_its_opposite_does_not() {
        let cases = [
            (Condition::From("parts.example".into()), true),
            (Condition::From("NOVAK".into()), true),
            (Condition::From("ops".into()), false),
            (Condition::To("ops@acme.example".into()), true),
            (Condition::Subject("order purchase".into()), true),
            (Condition::Subject("invoice".into()), false),
            (Condition::After(Timestamp::from_unix_seconds(1_000)), true),
            (Condition::After(Timestamp::from_unix_seconds(1_001)), false),
            (Condition::Before(Timestamp::from_unix_seconds(1_000)), false),
            (Condition::HasAttachment, false),
            (Condition::Label("INBOX".into()), true),
            (Condition::Label("inbox".into()), false),
            (Condition::Text("today confirm".into()), true),
            (Condition::Phrase("confirm the order".into()), true),
            (Condition::Phrase("order the confirm".into()), false),
            (Condition::MessageId("<po-4711@parts.example>".into()), true),
            (Condition::MessageId("po-4711@parts.example".into()), true),
            (Condition::AnyOf(Vec::new()), false),
            (
                Condition::AnyOf(vec![Condition::HasAttachment, Condition::Label("INBOX".into())]),
                true,
            ),
        ];
        let message = message();
        for (condition, expected) in cases {
            assert_eq!(condition.matches(&message), expected, "{condition:?}");
            let opposite = Condition::Not(Box::new(condition));
            assert_eq!(opposite.matches(&message), !expected, "{opposite:?}");
        }
    }

    #[test]
    fn an_empty_query_finds_everything_and_all_conditions_must_hold() {
        let message = message();
        assert!(MailQuery::new().matches(&message));
        assert!(MailQuery::new().from("novak").label("INBOX").matches(&message));
        assert!(!MailQuery::new().from("novak").label("SPAM").matches(&message));
    }

    #[test]
    fn debug_shows_kinds_only() {
        let shown = format!(
            "{:?}",
            MailQuery::new().from("jana@parts.example").phrase("secret words")
        );
        assert!(!shown.contains("jana") && !shown.contains("secret"), "{shown}");
    }
}
