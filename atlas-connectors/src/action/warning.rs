//! What a reviewer should look at twice.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_security::{MixedScript as _, skeleton};

use crate::action::review::{MailReview, ReviewContent};
use crate::connection::Identity;

/// Something in an action that may deceive, or that leaves the circle of the usual. Never a verdict: the reviewer decides.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "warning")]
#[non_exhaustive]
pub enum Warning {
    /// Characters that reorder what is read (bidirectional controls).
    Bidi {
        /// Where: `subject`, `text`, `name`.
        place: String,
    },
    /// Characters that cannot be seen.
    Invisible {
        /// Where.
        place: String,
    },
    /// A domain that mixes scripts, as imitations do.
    MixedScript {
        /// The domain.
        domain: String,
    },
    /// A domain in its technical spelling (`xn--…`) that reads differently.
    Punycode {
        /// The domain as written.
        domain: String,
        /// The domain as it reads.
        reads: String,
    },
    /// A domain that looks like one of the known ones and is another.
    LookAlike {
        /// The domain.
        domain: String,
        /// The one it resembles.
        resembles: String,
    },
    /// A recipient outside the own organization.
    OutsideRecipient {
        /// The address.
        address: String,
    },
    /// Recipients that the others do not see.
    BlindCopies {
        /// How many.
        count: usize,
    },
    /// Answers go to somebody else than the sender.
    ReplyToDiffers {
        /// Where they go.
        address: String,
    },
    /// The sender is not the account.
    FromDiffers {
        /// The sender as written.
        address: String,
    },
    /// A recipient's name shows another address than the one it has.
    NameShowsAddress {
        /// The name.
        name: String,
        /// The address.
        address: String,
    },
    /// The plain text and the HTML say different things; recipients see one of the two.
    BodiesDiffer,
    /// A large file.
    LargeAttachment {
        /// Its name.
        name: String,
        /// Its size in bytes.
        bytes: u64,
    },
    /// An address header that occurs twice, or that few readers show.
    OddHeader {
        /// The header.
        name: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bidi { place } => write!(f, "characters that reorder the text in: {place}"),
            Self::Invisible { place } => write!(f, "invisible characters in: {place}"),
            Self::MixedScript { domain } => write!(f, "{domain} mixes scripts"),
            Self::Punycode { domain, reads } => write!(f, "{domain} reads as {reads}"),
            Self::LookAlike { domain, resembles } => write!(f, "{domain} looks like {resembles} and is not"),
            Self::OutsideRecipient { address } => write!(f, "{address} is outside the organization"),
            Self::BlindCopies { count } => write!(f, "{count} blind copies"),
            Self::ReplyToDiffers { address } => write!(f, "answers go to {address}"),
            Self::FromDiffers { address } => write!(f, "the sender {address} is not the account"),
            Self::NameShowsAddress { name, address } => write!(f, "the name {name} stands for {address}"),
            Self::BodiesDiffer => f.write_str("text and HTML say different things"),
            Self::LargeAttachment { name, bytes } => write!(f, "{name} has {bytes} bytes"),
            Self::OddHeader { name } => write!(f, "unusual or repeated header {name}"),
        }
    }
}

impl fmt::Debug for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Bidi { .. } => "Bidi",
            Self::Invisible { .. } => "Invisible",
            Self::MixedScript { .. } => "MixedScript",
            Self::Punycode { .. } => "Punycode",
            Self::LookAlike { .. } => "LookAlike",
            Self::OutsideRecipient { .. } => "OutsideRecipient",
            Self::BlindCopies { .. } => "BlindCopies",
            Self::ReplyToDiffers { .. } => "ReplyToDiffers",
            Self::FromDiffers { .. } => "FromDiffers",
            Self::NameShowsAddress { .. } => "NameShowsAddress",
            Self::BodiesDiffer => "BodiesDiffer",
            Self::LargeAttachment { .. } => "LargeAttachment",
            Self::OddHeader { .. } => "OddHeader",
        };
        f.write_str(kind)
    }
}

/// Whom the host knows, and from which size on a file is worth a look.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Circle {
    /// Domains of the own organization. The account's own domain counts always.
    pub own_domains: Vec<String>,
    /// Domains of known partners: nobody is warned about them, and others are compared with them.
    pub known_domains: Vec<String>,
    /// Files from this size on are pointed out, in bytes. Default: 10 MiB.
    pub large_attachment: u64,
}

impl Default for Circle {
    fn default() -> Self {
        Self {
            own_domains: Vec::new(),
            known_domains: Vec::new(),
            large_attachment: 10 * 1024 * 1024,
        }
    }
}

impl Circle {
    /// A circle of these own domains.
    pub fn of_domains<D: Into<String>>(own: impl IntoIterator<Item = D>) -> Self {
        Self {
            own_domains: own.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Adds domains of known partners.
    #[must_use]
    pub fn with_known_domains<D: Into<String>>(mut self, known: impl IntoIterator<Item = D>) -> Self {
        self.known_domains.extend(known.into_iter().map(Into::into));
        self
    }

    /// Sets the size in bytes from which a file is pointed out.
    #[must_use]
    pub fn with_large_attachment(mut self, bytes: u64) -> Self {
        self.large_attachment = bytes;
        self
    }

    /// What a reviewer should look at twice, each once.
    pub(super) fn warnings(&self, content: &ReviewContent, account: &Identity) -> Vec<Warning> {
        let mut warnings = Vec::new();
        match content {
            ReviewContent::Mail(mail) => self.mail(mail, account, &mut warnings),
            ReviewContent::Facts(facts) => {
                for (name, value) in facts {
                    characters(name, value, &mut warnings);
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        warnings.retain(|warning| seen.insert(warning.clone()));
        warnings
    }

    fn mail(&self, mail: &MailReview, account: &Identity, out: &mut Vec<Warning>) {
        characters("subject", &mail.subject, out);
        for body in mail.text.iter().chain(&mail.html_as_text) {
            characters("text", body, out);
        }
        for file in &mail.attachments {
            let name = file.name.clone().unwrap_or_default();
            characters("file name", &name, out);
            if file.bytes >= self.large_attachment {
                out.push(Warning::LargeAttachment {
                    name,
                    bytes: file.bytes,
                });
            }
        }
        let own = self.own(account);
        for party in mail.from.iter().chain(mail.recipients()).chain(&mail.reply_to) {
            characters("address", &party.address, out);
            if let Some(name) = &party.name {
                characters("name", name, out);
                if name.contains('@') && !name.to_lowercase().contains(&party.address.to_lowercase()) {
                    out.push(Warning::NameShowsAddress {
                        name: name.clone(),
                        address: party.address.clone(),
                    });
                }
            }
            self.domain(domain_of(&party.address), &own, out);
        }
        for party in mail.recipients() {
            let domain = domain_of(&party.address).to_lowercase();
            if !own.contains(&domain)
                && !self
                    .known_domains
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(&domain))
            {
                out.push(Warning::OutsideRecipient {
                    address: party.address.clone(),
                });
            }
        }
        if !mail.bcc.is_empty() {
            out.push(Warning::BlindCopies { count: mail.bcc.len() });
        }
        for party in &mail.reply_to {
            if !mail
                .from
                .iter()
                .any(|from| from.address.eq_ignore_ascii_case(&party.address))
            {
                out.push(Warning::ReplyToDiffers {
                    address: party.address.clone(),
                });
            }
        }
        if let Some(address) = &account.address {
            for party in &mail.from {
                if !party.address.eq_ignore_ascii_case(address) {
                    out.push(Warning::FromDiffers {
                        address: party.address.clone(),
                    });
                }
            }
        }
        if bodies_differ(&mail.text.join("\n"), &mail.html_as_text.join("\n")) {
            out.push(Warning::BodiesDiffer);
        }
        for name in &mail.odd_headers {
            out.push(Warning::OddHeader { name: name.clone() });
        }
    }

    fn own(&self, account: &Identity) -> BTreeSet<String> {
        let account = account
            .address
            .as_deref()
            .map(|address| domain_of(address).to_lowercase());
        self.own_domains
            .iter()
            .map(|domain| domain.to_lowercase())
            .chain(account)
            .collect()
    }

    fn domain(&self, written: &str, own: &BTreeSet<String>, out: &mut Vec<Warning>) {
        // As written, because a capital I is taken for a small l.
        let looks_as_written: String = skeleton(written).collect();
        let written = written.to_lowercase();
        let (reads, _) = idna::domain_to_unicode(&written);
        if reads != written {
            out.push(Warning::Punycode {
                domain: written.clone(),
                reads: reads.clone(),
            });
        }
        if reads.split('.').any(|label| !label.is_single_script()) {
            out.push(Warning::MixedScript { domain: reads.clone() });
        }
        let looks: String = skeleton(&reads).collect();
        let known = own
            .iter()
            .cloned()
            .chain(self.known_domains.iter().map(|d| d.to_lowercase()));
        for known in known {
            let (known_reads, _) = idna::domain_to_unicode(&known);
            if known_reads == reads {
                return;
            }
            let known_looks: String = skeleton(&known_reads).collect();
            if known_looks == looks || known_looks == looks_as_written || one_slip_apart(&known_reads, &reads) {
                out.push(Warning::LookAlike {
                    domain: reads.clone(),
                    resembles: known_reads,
                });
            }
        }
    }
}

/// The domain of an address; empty if there is none.
pub(super) fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

pub(super) fn is_bidi(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00ad}' | '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'..='\u{200d}'
            | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

fn characters(place: &str, text: &str, out: &mut Vec<Warning>) {
    if text.chars().any(is_bidi) {
        out.push(Warning::Bidi {
            place: place.to_owned(),
        });
    }
    // A joiner between letters of joining scripts and inside emoji is ordinary writing.
    let chars: Vec<char> = text.chars().collect();
    let hidden = chars.iter().enumerate().any(|(index, c)| {
        let joins = matches!(c, '\u{200c}' | '\u{200d}')
            && index
                .checked_sub(1)
                .and_then(|before| chars.get(before))
                .is_some_and(|c| !c.is_ascii())
            && chars.get(index + 1).is_some_and(|c| !c.is_ascii());
        is_invisible(*c) && !joins
    });
    if hidden {
        out.push(Warning::Invisible {
            place: place.to_owned(),
        });
    }
}

/// One letter more, less or other, or two swapped, in domains long enough for that to be no accident.
fn one_slip_apart(known: &str, other: &str) -> bool {
    let (known, other): (Vec<char>, Vec<char>) = (known.chars().collect(), other.chars().collect());
    if known.len() < 8 || known.len().abs_diff(other.len()) > 1 {
        return false;
    }
    let prefix = known.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let suffix = known
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let shorter = known.len().min(other.len());
    if known.len() != other.len() {
        return prefix + suffix >= shorter;
    }
    let swapped = prefix + 2 + suffix == shorter
        && known.get(prefix) == other.get(prefix + 1)
        && known.get(prefix + 1) == other.get(prefix);
    prefix + suffix + 1 == shorter || swapped
}

/// Whether more than a fifth of the words on either side is missing on the other.
fn bodies_differ(text: &str, html: &str) -> bool {
    if text.trim().is_empty() || html.trim().is_empty() {
        return false;
    }
    let words = |body: &str| -> BTreeSet<String> {
        body.split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let (text, html) = (words(text), words(html));
    let missing = |from: &BTreeSet<String>, of: &BTreeSet<String>| of.difference(from).count() * 5 > of.len();
    missing(&text, &html) || missing(&html, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imitations_of_known_domains_are_named() {
        let circle = Circle::of_domains(["acme-parts.example"]).with_known_domains(["nordmetall.example"]);
        let own = BTreeSet::from(["acme-parts.example".to_owned()]);
        let cases: &[(&str, bool)] = &[
            ("acme-parts.example", false),
            ("ACME-PARTS.example", false),
            ("nordmetall.example", false),
            ("other.example", false),
            ("acme-parts.exarnple", true),
            ("acme-part.example", true),
            ("amce-parts.example", true),
            ("nordmetaII.example", true),
            ("n\u{043e}rdmetall.example", true),
            ("xn--nrdmetall-02h.example", true),
        ];
        for (domain, imitates) in cases {
            let mut warnings = Vec::new();
            circle.domain(domain, &own, &mut warnings);
            let found = warnings.iter().any(|w| matches!(w, Warning::LookAlike { .. }));
            assert_eq!(found, *imitates, "{domain}");
        }
    }

    #[test]
    fn hidden_characters_are_named_and_ordinary_writing_is_not() {
        let cases: &[(&str, usize)] = &[
            ("Angebot 4711", 0),
            ("\u{1f468}\u{200d}\u{1f469}", 0),
            ("\u{0645}\u{06cc}\u{200c}\u{062e}\u{0648}\u{0627}\u{0647}\u{0645}", 0),
            ("pa\u{200b}y", 1),
            ("pa\u{200d}y", 1),
            ("\u{202e}fdp", 1),
            ("\u{202e}\u{feff}", 2),
        ];
        for (text, count) in cases {
            let mut warnings = Vec::new();
            characters("text", text, &mut warnings);
            assert_eq!(warnings.len(), *count, "{}", text.escape_unicode());
        }
    }

    #[test]
    fn bodies_are_compared_by_their_words() {
        assert!(!bodies_differ(
            "Hello Mia, the parts are on their way.",
            "Hello  Mia,\nthe parts are on their way."
        ));
        assert!(bodies_differ(
            "Hello Mia, the parts are on their way.",
            "Please pay to account 12345678 at once."
        ));
        assert!(!bodies_differ("", "only html"));
    }
}
