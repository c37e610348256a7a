//! A mail as it will leave, read back from its bytes: the one reading that is hashed, reviewed and compared.

use mail_parser::{Address, HeaderName, HeaderValue, MessageParser, MimeHeaders as _, PartType};
use sha2::{Digest as _, Sha256};

use crate::action::{Canonical, Digest};

/// What a mail says, parsed from the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MailContent {
    pub(super) from: Vec<Party>,
    pub(super) to: Vec<Party>,
    pub(super) cc: Vec<Party>,
    pub(super) bcc: Vec<Party>,
    pub(super) reply_to: Vec<Party>,
    pub(super) subject: String,
    pub(super) in_reply_to: Vec<String>,
    pub(super) references: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) htmls: Vec<String>,
    pub(super) attachments: Vec<Attached>,
    /// Address headers that occur more than once, or that few readers show.
    pub(super) odd_headers: Vec<String>,
}

/// A name and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Party {
    pub(super) name: Option<String>,
    pub(super) address: String,
}

/// An attached file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attached {
    pub(super) name: Option<String>,
    pub(super) media_type: String,
    pub(super) bytes: u64,
    pub(super) digest: Digest,
}

impl MailContent {
    /// Reads the bytes. `None` when they are no mail at all.
    pub(super) fn parse(raw: &[u8]) -> Option<Self> {
        let message = MessageParser::default().parse(raw)?;
        let mut content = Self::default();
        let root = message.parts.first()?;
        let mut subject_seen = false;
        for header in &root.headers {
            // Every occurrence counts: a provider may deliver to the second `Bcc` as well.
            let list = match header.name {
                HeaderName::From => &mut content.from,
                HeaderName::To => &mut content.to,
                HeaderName::Cc => &mut content.cc,
                HeaderName::Bcc => &mut content.bcc,
                HeaderName::ReplyTo => &mut content.reply_to,
                HeaderName::Subject => {
                    if subject_seen {
                        content.odd_headers.push("Subject".to_owned());
                    }
                    subject_seen = true;
                    content.subject.push_str(header.value.as_text().unwrap_or_default());
                    continue;
                }
                HeaderName::InReplyTo => {
                    content.in_reply_to.extend(ids(&header.value));
                    continue;
                }
                HeaderName::References => {
                    content.references.extend(ids(&header.value));
                    continue;
                }
                HeaderName::Sender
                | HeaderName::ResentFrom
                | HeaderName::ResentSender
                | HeaderName::ResentTo
                | HeaderName::ResentCc
                | HeaderName::ResentBcc => {
                    content.odd_headers.push(header.name.as_str().to_owned());
                    // Whoever a resent header names may be delivered to: shown and judged like a blind copy.
                    match header.name {
                        HeaderName::Sender | HeaderName::ResentFrom | HeaderName::ResentSender => continue,
                        _ => &mut content.bcc,
                    }
                }
                _ => continue,
            };
            if !list.is_empty() && !content.odd_headers.iter().any(|name| name == header.name.as_str()) {
                content.odd_headers.push(header.name.as_str().to_owned());
            }
            list.extend(parties(&header.value));
        }
        for (index, part) in message.parts.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let attached = message.attachments.contains(&index);
            match &part.body {
                PartType::Multipart(_) => {}
                PartType::Text(text) if !attached => content.texts.push(text.to_string()),
                PartType::Html(html) if !attached => content.htmls.push(html.to_string()),
                _ => {
                    // Everything that is not shown as text is listed as a file, so that nothing leaves unseen.
                    let bytes = part.contents();
                    content.attachments.push(Attached {
                        name: part.attachment_name().map(str::to_owned),
                        media_type: media_type(part),
                        bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                        digest: sha256(bytes),
                    });
                }
            }
        }
        Some(content)
    }

    /// Everyone it would reach: To, Cc and Bcc.
    pub(super) fn recipients(&self) -> impl Iterator<Item = &Party> {
        self.to.iter().chain(&self.cc).chain(&self.bcc)
    }

    /// Adds every field that a reader or the provider acts on. Text is compared by its characters, whatever the
    /// transfer encoding and line ends; attachments byte for byte.
    pub(super) fn canonical(&self, out: &mut Canonical) {
        for (name, list) in [
            ("from", &self.from),
            ("to", &self.to),
            ("cc", &self.cc),
            ("bcc", &self.bcc),
            ("reply_to", &self.reply_to),
        ] {
            out.number(name, u64::try_from(list.len()).unwrap_or(u64::MAX));
            for party in list {
                out.optional("name", party.name.as_deref());
                out.text("address", &party.address);
            }
        }
        out.text("subject", &self.subject);
        out.list("in_reply_to", self.in_reply_to.iter().map(String::as_str));
        out.list("references", self.references.iter().map(String::as_str));
        for (name, bodies) in [("text", &self.texts), ("html", &self.htmls)] {
            let lines: Vec<String> = bodies.iter().map(|body| normal_lines(body)).collect();
            out.list(name, lines.iter().map(String::as_str));
        }
        out.number("attachments", u64::try_from(self.attachments.len()).unwrap_or(u64::MAX));
        for file in &self.attachments {
            out.optional("name", file.name.as_deref());
            out.text("type", &file.media_type);
            out.bytes("digest", file.digest.as_bytes());
        }
    }

    /// Digest of what is said, without the wire's own details: equal for the mail that was approved and the provider's
    /// draft of it, unless somebody changed the draft.
    pub(super) fn digest(&self) -> Digest {
        let mut canonical = Canonical::new("mail-content");
        self.canonical(&mut canonical);
        canonical.finish()
    }
}

/// SHA-256 of bytes.
pub(super) fn sha256(bytes: &[u8]) -> Digest {
    Digest::new(Sha256::digest(bytes).into())
}

fn normal_lines(text: &str) -> String {
    text.replace("\r\n", "\n").trim_end_matches('\n').to_owned()
}

fn media_type(part: &mail_parser::MessagePart<'_>) -> String {
    match part.content_type() {
        Some(kind) => match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()),
            None => kind.ctype().to_owned(),
        },
        None => match part.body {
            PartType::Message(_) => "message/rfc822".to_owned(),
            _ => "application/octet-stream".to_owned(),
        },
    }
    .to_ascii_lowercase()
}

fn parties(value: &HeaderValue<'_>) -> Vec<Party> {
    let address: &Address<'_> = match value {
        HeaderValue::Address(address) => address,
        _ => return Vec::new(),
    };
    address
        .iter()
        .map(|party| Party {
            name: party.name.as_deref().map(str::to_owned),
            address: party.address.as_deref().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(id) => vec![id.to_string()],
        HeaderValue::TextList(ids) => ids.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}
