//! What is sealed of a message: its JSON, and before it text and HTML as they are. They are most of its bytes, and need no escaping.

use secrecy::ExposeSecret as _;

use crate::credential::{SealContext, Sealer};
use crate::error::{Error, Result, StorageFault};
use crate::ids::MessageId;
use crate::mail::Message;
use crate::sync::MailboxKey;

/// What a sealed message is bound to, beside its connection and id.
const FIELD: &str = "inbox.message";
/// First byte of the content. One that is JSON alone begins with a brace.
const FORMAT: u8 = 1;
/// In place of a length: there is no such text.
const NONE: u64 = u64::MAX;
/// Usual bytes of a message beside its text and HTML.
const BESIDE_TEXT: usize = 2048;

/// Seals a message, which is as before afterwards.
pub(super) fn seal(sealer: &Sealer, key: &MailboxKey, message: &mut Message) -> Result<Vec<u8>> {
    let texts = [message.text.take(), message.html.take()];
    let sealed = {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let about = texts.iter().map(length).sum::<usize>() + BESIDE_TEXT;
        sealer.seal_written(context(key, &message.meta.id), about, |clear| {
            clear.push(FORMAT);
            for text in &texts {
                let length = text.as_ref().map_or(NONE, |text| text.len() as u64);
                clear.extend_from_slice(&length.to_be_bytes());
            }
            for text in texts.iter().flatten() {
                clear.extend_from_slice(text.as_bytes());
            }
            serde_json::to_writer(clear, message).map_err(|_| corrupt())
        })
    };
    [message.text, message.html] = texts;
    sealed
}

/// Opens a message that was sealed under this id.
///
/// # Errors
/// Those of [`Sealer::open`]; `StorageFault::Schema` for content of a newer version of this library, `StorageFault::Corrupt` for content
/// that cannot be read.
pub(super) fn open(sealer: &Sealer, key: &MailboxKey, id: &MessageId, sealed: &[u8]) -> Result<Message> {
    let clear = sealer.open(context(key, id), sealed)?;
    let clear = clear.expose_secret().as_slice();
    match clear.split_first() {
        Some((b'{', _)) => serde_json::from_slice(clear).map_err(|_| corrupt()),
        Some((&FORMAT, content)) => read(content).ok_or_else(corrupt),
        Some(_) => Err(Error::new(StorageFault::Schema, "inbox.open")),
        None => Err(corrupt()),
    }
}

fn read(content: &[u8]) -> Option<Message> {
    let (text, content) = content.split_first_chunk()?;
    let (html, content) = content.split_first_chunk()?;
    let (text, content) = taken(*text, content)?;
    let (html, content) = taken(*html, content)?;
    let mut message: Message = serde_json::from_slice(content).ok()?;
    (message.text, message.html) = (text, html);
    Some(message)
}

/// The text of this length at the beginning, and what follows.
fn taken(length: [u8; 8], content: &[u8]) -> Option<(Option<String>, &[u8])> {
    match u64::from_be_bytes(length) {
        NONE => Some((None, content)),
        length => {
            let (text, content) = content.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Some(std::str::from_utf8(text).ok()?.to_owned()), content))
        }
    }
}

fn context<'a>(key: &'a MailboxKey, id: &'a MessageId) -> SealContext<'a> {
    SealContext::item(&key.tenant, &key.connection, FIELD, id.as_str())
}

fn corrupt() -> Error {
    Error::new(StorageFault::Corrupt, "inbox.open")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Timestamp;
    use crate::credential::KeyRing;
    use crate::mail::MessageMeta;

    fn sealer() -> Sealer {
        Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap()
    }

    fn key() -> MailboxKey {
        MailboxKey {
            tenant: "acme".into(),
            connection: "c1".into(),
        }
    }

    fn message(raw: &str) -> Message {
        let meta = MessageMeta {
            id: "m".into(),
            thread: "t".into(),
            labels: vec!["INBOX".into()],
            received: Timestamp::UNIX_EPOCH,
            size: Some(7),
        };
        Message::parse(meta, raw.as_bytes())
    }

    /// Opens content that is not what [`seal`] writes.
    fn opened(content: &[u8]) -> Result<Message> {
        let (sealer, key, id) = (sealer(), key(), MessageId::new("m"));
        let sealed = sealer.seal(context(&key, &id), content).unwrap();
        open(&sealer, &key, &id, &sealed)
    }

    #[test]
    fn every_mixture_of_texts_comes_back() {
        let both = "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n\"Gr\u{fc}\u{df}e\"\n\u{1f4e7}\n--b\n\
            Content-Type: text/html\n\n<p>\\</p>\n--b--\n";
        for raw in [
            both,
            "Subject: x\n\ntext",
            "Content-Type: text/html\n\n<p>",
            "Subject: x\n\n",
            "",
        ] {
            let (sealer, key) = (sealer(), key());
            let mut before = message(raw);
            let untouched = before.clone();
            let sealed = seal(&sealer, &key, &mut before).unwrap();
            assert_eq!(before, untouched, "{raw:?}");
            assert_eq!(open(&sealer, &key, &"m".into(), &sealed).unwrap(), untouched, "{raw:?}");
            assert_eq!(
                open(&sealer, &key, &"n".into(), &sealed).unwrap_err().code(),
                "storage.corrupt"
            );
        }
    }

    #[test]
    fn json_alone_is_read_too() {
        let message = message("Subject: x\n\ntext");
        assert_eq!(opened(&serde_json::to_vec(&message).unwrap()).unwrap(), message);
    }

    #[test]
    fn content_that_is_cut_or_strange_is_refused() {
        let mut content = vec![FORMAT];
        content.extend(4u64.to_be_bytes());
        content.extend(NONE.to_be_bytes());
        content.extend(b"text");
        content.extend(serde_json::to_vec(&message("Subject: x\n\n")).unwrap());
        assert_eq!(opened(&content).unwrap().text.as_deref(), Some("text"));
        for end in 0..content.len() {
            assert_eq!(opened(&content[..end]).unwrap_err().code(), "storage.corrupt", "{end}");
        }
        for (at, byte) in [(1, 0xff), (8, 200), (17, 0xff)] {
            let mut wrong = content.clone();
            wrong[at] = byte;
            assert_eq!(opened(&wrong).unwrap_err().code(), "storage.corrupt", "{at}");
        }
        content[0] = 9;
        assert_eq!(opened(&content).unwrap_err().code(), "storage.schema");
    }
}
