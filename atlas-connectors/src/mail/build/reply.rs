//! Answers: recipients, subject and the ids that hold a conversation together.

use crate::mail::build::check;
use crate::mail::{Address, Field, Message, OutgoingBuilder};

/// Marks of an answer in subjects, as mail programs of many languages write them. Compared without case, before `:` or `：`.
const REPLY_MARKS: &[&str] = &[
    "re", "aw", "antw", "antwort", "sv", "vs", "ref", "rif", "r", "res", "odp", "ynt", "vá", "bls", "atb", "ats", "απ",
    "σχετ", "רד", "השב", "رد", "回复", "回覆", "答复", "答覆", "回信", "返信", "회신", "отв", "на", "відп",
];

impl OutgoingBuilder {
    pub(crate) fn reply_to(message: &Message) -> Self {
        let mut builder = Self::new();
        builder.to = if message.reply_to.is_empty() {
            message.from.clone()
        } else {
            message.reply_to.clone()
        };
        builder.subject = reply_subject(message.subject.as_deref().unwrap_or_default());
        builder.thread = Some(message.meta.thread.clone());
        builder.in_reply_to = message.message_id.clone().filter(|id| is_usable(id));
        builder.references = references(message);
        builder.no_reply = message.no_reply();
        builder
    }

    pub(crate) fn reply_all(message: &Message) -> Self {
        let mut builder = Self::reply_to(message);
        builder.to_all = true;
        // Answering one's own sent mail goes to whom it went: the author is taken off by `leave_myself_out`.
        let author = builder.to.clone();
        let others = |list: &[Address]| -> Vec<Address> {
            list.iter()
                .filter(|address| !author.iter().any(|known| known.is_same_mailbox(address)))
                .cloned()
                .collect()
        };
        builder.to.extend(others(&message.to));
        let shown = builder.to.clone();
        builder.cc = message
            .cc
            .iter()
            .filter(|address| !shown.iter().any(|known| known.is_same_mailbox(address)))
            .cloned()
            .collect();
        builder
    }
}

/// The subject of an answer. One that carries a mark of an answer, in any known language, stays as it is: a second mark
/// would be noise, and another one could break the conversation.
pub(super) fn reply_subject(subject: &str) -> String {
    // A stranger's subject may hold anything; line breaks must not stop the answer.
    let subject: String = subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let subject = subject.trim();
    if is_marked(subject) {
        subject.to_owned()
    } else {
        format!("Re: {subject}").trim_end().to_owned()
    }
}

fn is_marked(subject: &str) -> bool {
    let Some((mark, _)) = subject.split_once([':', '：']) else {
        return false;
    };
    // "Re[2]:" and "Re(2):" count answers.
    let mark = mark
        .trim()
        .trim_end_matches(|c: char| c.is_ascii_digit() || "[]()^".contains(c))
        .trim_end();
    let mark = mark.to_lowercase();
    REPLY_MARKS.contains(&mark.as_str())
}

/// RFC 5322, section 3.6.4: the references of the mail answered, or else what it answers if that is one mail, then the mail itself.
fn references(message: &Message) -> Vec<String> {
    let earlier = if message.references.is_empty() && message.in_reply_to.len() == 1 {
        &message.in_reply_to
    } else {
        &message.references
    };
    let mut ids: Vec<String> = earlier.iter().filter(|id| is_usable(id)).cloned().collect();
    if let Some(id) = message.message_id.as_ref().filter(|id| is_usable(id)) {
        ids.retain(|earlier| earlier != id);
        ids.push(id.clone());
    }
    ids
}

/// A stranger's id that cannot be written again is left out; the conversation then holds by the others.
fn is_usable(id: &str) -> bool {
    check::id(Field::References, id).is_ok()
}
