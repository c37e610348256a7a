//! What a reviewer sees: rendered from the bytes that will leave, never from what a model or a template says they are.

use std::fmt;

use mail_parser::decoders::html::html_to_text;
use serde::{Deserialize, Serialize};

use crate::action::Digest;
use crate::action::content::{Attached, MailContent, Party, sha256};
use crate::action::warning::Warning;
use crate::clock::Timestamp;
use crate::ids::{ActorId, ConnectionId, IntentId, ThreadId};
use crate::mail::OutgoingMessage;

/// One intent as a reviewer is shown it. `Display` renders it as plain text; serialised it holds the same for a web page.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Review {
    /// The intent.
    pub intent: IntentId,
    /// What the reviewer approves by: pass the digest that was *shown* to [`crate::action::Gate::approve`].
    pub digest: Digest,
    /// The kind of action: `mail.send`.
    pub kind: String,
    /// The connection that would act.
    pub connection: ConnectionId,
    /// The account that would act, as people know it.
    pub account: String,
    /// Who proposed it.
    pub author: ActorId,
    /// When it was proposed.
    pub proposed: Timestamp,
    /// When the proposal ends by itself.
    pub expires: Timestamp,
    /// What would happen.
    pub content: ReviewContent,
    /// What to look at twice.
    pub warnings: Vec<Warning>,
}

/// What would happen.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReviewContent {
    /// A mail would leave.
    Mail(Box<MailReview>),
    /// Anything else, as named facts in the order in which they are read.
    Facts(Vec<(String, String)>),
}

/// A mail that would leave.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MailReview {
    /// Whom it claims to be from.
    pub from: Vec<ReviewAddress>,
    /// Whom it goes to.
    pub to: Vec<ReviewAddress>,
    /// Who gets a copy.
    pub cc: Vec<ReviewAddress>,
    /// Who gets a copy that the others do not see.
    pub bcc: Vec<ReviewAddress>,
    /// Where answers go, if not to the sender.
    pub reply_to: Vec<ReviewAddress>,
    /// The subject.
    pub subject: String,
    /// The conversation of the own mailbox that it goes into.
    pub thread: Option<ThreadId>,
    /// The mails it answers, by Message-ID.
    pub in_reply_to: Vec<String>,
    /// The plain text parts.
    pub text: Vec<String>,
    /// The HTML parts, shown as text: nothing is fetched and nothing runs.
    pub html_as_text: Vec<String>,
    /// Where links and images in the HTML point.
    pub links: Vec<String>,
    /// The files.
    pub attachments: Vec<ReviewAttachment>,
    /// Address headers that occur twice or that few readers show.
    pub odd_headers: Vec<String>,
    /// Size of the whole mail in bytes.
    pub bytes: u64,
    /// SHA-256 of exactly the bytes that leave.
    pub wire_digest: Digest,
}

/// A name and an address, whole.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewAddress {
    /// The name shown, if there is one. Anyone can claim any name.
    pub name: Option<String>,
    /// The address.
    pub address: String,
}

/// A file that would leave.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewAttachment {
    /// Its name.
    pub name: Option<String>,
    /// Its type as declared: `application/pdf`.
    pub media_type: String,
    /// Its size in bytes, decoded.
    pub bytes: u64,
    /// SHA-256 of its bytes, decoded.
    pub digest: Digest,
}

impl ReviewContent {
    /// Named facts, in the order in which they are read.
    pub fn facts<N: Into<String>>(facts: impl IntoIterator<Item = (N, String)>) -> Self {
        Self::Facts(facts.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// A mail, from its bytes.
    pub(super) fn mail(message: &OutgoingMessage) -> Self {
        let content = MailContent::parse(message.raw()).unwrap_or_default();
        let mut links = Vec::new();
        for html in &content.htmls {
            links_of(html, &mut links);
        }
        Self::Mail(Box::new(MailReview {
            html_as_text: content.htmls.iter().map(|html| html_to_text(html)).collect(),
            links,
            from: addresses(content.from),
            to: addresses(content.to),
            cc: addresses(content.cc),
            bcc: addresses(content.bcc),
            reply_to: addresses(content.reply_to),
            subject: content.subject,
            thread: message.thread().cloned(),
            in_reply_to: content.in_reply_to,
            text: content.texts,
            attachments: content.attachments.into_iter().map(ReviewAttachment::from).collect(),
            odd_headers: content.odd_headers,
            bytes: u64::try_from(message.raw().len()).unwrap_or(u64::MAX),
            wire_digest: sha256(message.raw()),
        }))
    }
}

impl MailReview {
    /// Everyone it would reach.
    pub fn recipients(&self) -> impl Iterator<Item = &ReviewAddress> {
        self.to.iter().chain(&self.cc).chain(&self.bcc)
    }
}

impl From<Attached> for ReviewAttachment {
    fn from(file: Attached) -> Self {
        Self {
            name: file.name,
            media_type: file.media_type,
            bytes: file.bytes,
            digest: file.digest,
        }
    }
}

impl fmt::Display for ReviewAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} <{}>", visible(name), visible(&self.address)),
            None => f.write_str(&visible(&self.address)),
        }
    }
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12}{}", "Action", self.kind)?;
        writeln!(f, "{:<12}{}", "Account", visible(&self.account))?;
        writeln!(f, "{:<12}{}", "Proposed by", visible(self.author.as_str()))?;
        writeln!(f, "{:<12}{} (ends {})", "Proposed", self.proposed, self.expires)?;
        self.content.fmt(f)?;
        for warning in &self.warnings {
            writeln!(f, "{:<12}{}", "Look", visible(&warning.to_string()))?;
        }
        writeln!(f, "{:<12}{}", "Digest", self.digest)
    }
}

impl fmt::Display for ReviewContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(mail) => mail.fmt(f),
            Self::Facts(facts) => {
                let longest = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
                let width = (longest + 2).max(12);
                facts
                    .iter()
                    .try_for_each(|(name, value)| writeln!(f, "{:<width$}{}", visible(name), visible(value)))
            }
        }
    }
}

impl fmt::Display for MailReview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, list) in [
            ("From", &self.from),
            ("To", &self.to),
            ("Cc", &self.cc),
            ("Bcc", &self.bcc),
            ("Reply-To", &self.reply_to),
        ] {
            for party in list {
                writeln!(f, "{name:<12}{party}")?;
            }
        }
        writeln!(f, "{:<12}{}", "Subject", visible(&self.subject))?;
        if let Some(thread) = &self.thread {
            writeln!(f, "{:<12}{}", "Thread", visible(thread.as_str()))?;
        }
        for file in &self.attachments {
            let name = visible(file.name.as_deref().unwrap_or("(no name)"));
            let kind = visible(&file.media_type);
            writeln!(
                f,
                "{:<12}{name} ({kind}, {} bytes, {})",
                "File", file.bytes, file.digest
            )?;
        }
        for (title, bodies) in [("text", &self.text), ("html, shown as text", &self.html_as_text)] {
            for body in bodies {
                writeln!(f, "-- {title} --")?;
                for line in body.lines() {
                    writeln!(f, "{}", visible(line))?;
                }
            }
        }
        for link in &self.links {
            writeln!(f, "{:<12}{}", "Link", visible(link))?;
        }
        writeln!(f, "--")
    }
}

impl fmt::Debug for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Review")
            .field("intent", &self.intent)
            .field("digest", &self.digest)
            .field("kind", &self.kind)
            .field("warnings", &self.warnings.len())
            .finish_non_exhaustive()
    }
}

/// Content may be secret: only its shape is printed.
macro_rules! shape_only {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
shape_only!(ReviewContent, MailReview, ReviewAddress, ReviewAttachment);

fn addresses(parties: Vec<Party>) -> Vec<ReviewAddress> {
    parties
        .into_iter()
        .map(|party| ReviewAddress {
            name: party.name,
            address: party.address,
        })
        .collect()
}

/// The text with everything that hides or reorders made visible as `<U+202E>`, tabs kept.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let hides = (c.is_control() && c != '\t') || super::warning::is_bidi(c) || super::warning::is_invisible(c);
        if hides {
            out.push_str(&format!("<U+{:04X}>", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// The values of `href` and `src`, in order, each once. A quick look, not an HTML parser: what it misses is still shown
/// in nobody's review as a link, so it looks at the whole text and not only at well-formed tags.
fn links_of(html: &str, links: &mut Vec<String>) {
    let lower = html.to_ascii_lowercase();
    for name in ["href", "src", "action"] {
        let mut from = 0;
        while let Some(found) = lower.get(from..).and_then(|rest| rest.find(name)) {
            from += found + name.len();
            let Some(value) = html
                .get(from..)
                .map(str::trim_start)
                .and_then(|rest| rest.strip_prefix('='))
            else {
                continue;
            };
            let value = value.trim_start();
            let link = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => value.get(1..).and_then(|rest| rest.split(quote).next()),
                Some(_) => value.split(|c: char| c.is_whitespace() || c == '>').next(),
                None => None,
            };
            if let Some(link) = link.map(str::trim).filter(|link| !link.is_empty())
                && !links.iter().any(|known| known == link)
            {
                links.push(link.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_any_spelling() {
        let mut links = Vec::new();
        links_of(
            r#"<a HREF = "https://a.example/x">b.example</a><img src='//c.example/p.gif'><a href=https://d.example>d</a>"#,
            &mut links,
        );
        assert_eq!(links, ["https://a.example/x", "https://d.example", "//c.example/p.gif"]);
    }

    #[test]
    fn what_hides_is_shown() {
        assert_eq!(visible("pay\u{202e}fdp.exe\u{200b}"), "pay<U+202E>fdp.exe<U+200B>");
        assert_eq!(visible("a\tb"), "a\tb");
        assert_eq!(visible("a\r\nBcc: x"), "a<U+000D><U+000A>Bcc: x");
    }
}
