//! A message as the store keeps it.

use std::fmt;

use crate::clock::Timestamp;
use crate::ids::LabelId;
use crate::mail::{Message, MessageRef};
use crate::sync::MessageFault;

/// A message as the store keeps it: what must be searched and sorted in clear, everything else sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The message and its conversation.
    pub message: MessageRef,
    /// Labels on it.
    pub labels: Vec<LabelId>,
    /// When the provider took it in.
    pub received: Timestamp,
    /// What lists and search need; `None` when the host keeps the mail itself.
    pub headers: Option<StoredHeaders>,
    /// The whole parsed message, sealed; `None` when the host keeps the mail itself.
    pub sealed: Option<Vec<u8>>,
}

/// Headers kept in clear, because lists show them and search reads them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoredHeaders {
    /// The subject, decoded.
    pub subject: String,
    /// The sender as shown: name, or address.
    pub from: String,
    /// Subject folded for search.
    pub subject_key: String,
    /// Names and addresses of all participants, folded for search, one a line.
    pub participants_key: String,
}

/// What the store knows of a message already. `Default`: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownMessage {
    /// Labels on it as stored; `None` if it is not stored.
    pub labels: Option<Vec<LabelId>>,
    /// The generation under which it was touched last; 0 if it is not stored, or only announced to a sink.
    pub generation: u64,
    /// Its failures, if it could not be read.
    pub fault: Option<MessageFault>,
}

impl fmt::Debug for StoredMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMessage")
            .field("message", &self.message)
            .field("labels", &self.labels)
            .field("received", &self.received)
            .field("sealed_bytes", &self.sealed.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredHeaders")
    }
}

/// The headers of a message that are kept in clear.
pub(super) fn headers_of(message: &Message) -> StoredHeaders {
    let lists = [&message.from, &message.reply_to, &message.to, &message.cc, &message.bcc];
    let mut participants_key = String::with_capacity(256);
    for address in lists.into_iter().flatten().chain(&message.sender) {
        for text in [address.name.as_deref(), Some(address.address.as_str())]
            .into_iter()
            .flatten()
        {
            let begin = participants_key.len();
            fold_into(&mut participants_key, text);
            // Most people appear several times: as author, as the one to answer, as recipient.
            let (known, line) = participants_key.split_at(begin);
            if known.lines().any(|known| known == line) {
                participants_key.truncate(begin);
            } else {
                participants_key.push('\n');
            }
        }
    }
    let subject = message.subject.clone().unwrap_or_default();
    StoredHeaders {
        subject_key: fold(&subject),
        subject,
        from: message
            .from
            .first()
            .map(|from| from.display_name().to_owned())
            .unwrap_or_default(),
        participants_key,
    }
}

/// Text as search compares it: lower case, white space folded to single spaces.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(&mut folded, text);
    folded
}

/// Puts folded text behind what is there.
fn fold_into(folded: &mut String, text: &str) {
    let first = folded.len();
    for word in text.split_whitespace() {
        if folded.len() > first {
            folded.push(' ');
        }
        if word.is_ascii() {
            let begin = folded.len();
            folded.push_str(word);
            if let Some(word) = folded.get_mut(begin..) {
                word.make_ascii_lowercase();
            }
        } else {
            folded.extend(word.chars().flat_map(char::to_lowercase));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::mail::MessageMeta;

    #[test]
    fn headers_hold_subject_sender_and_every_participant_once() {
        let raw = b"From: Anna M\xc3\xbcller <Anna@Example.com>\r\nReply-To: anna@example.com\r\nTo: Bob <bob@example.org>\r\n\
            Cc: bob@example.org\r\nSubject: Re:  ORDER 7\r\n\r\nhello\r\n";
        let meta = MessageMeta {
            id: "m".into(),
            thread: "t".into(),
            labels: Vec::new(),
            received: Timestamp::UNIX_EPOCH,
            size: None,
        };
        let headers = headers_of(&Message::parse(meta, raw));
        assert_eq!(headers.from, "Anna Müller");
        assert_eq!(headers.subject_key, "re: order 7");
        assert_eq!(
            headers.participants_key,
            "anna müller\nanna@example.com\nbob\nbob@example.org\n"
        );
    }

    #[test]
    fn folds_case_and_space() {
        for (text, folded) in [
            ("", ""),
            ("  Re:  Order\t4711 ", "re: order 4711"),
            ("ÄRGER mit STRAẞE", "ärger mit straße"),
            ("注文\u{3000}確認", "注文 確認"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }
}
