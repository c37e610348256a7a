//! Parsing is total, and what is built reads back as it was meant.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail their test"
)]

use atlas_connectors::Timestamp;
use atlas_connectors::mail::{
    Address, BuildError, Message, MessageMeta, NewAttachment, OutgoingMessage, ParseOptions, decode_part,
};
use atlas_connectors::testkit::ManualClock;
use proptest::prelude::*;

fn meta() -> MessageMeta {
    MessageMeta {
        id: "message".into(),
        thread: "thread".into(),
        labels: Vec::new(),
        received: Timestamp::UNIX_EPOCH,
        size: None,
    }
}

/// Parses, and looks at everything that came out.
fn survives(raw: &[u8]) {
    let message = Message::parse_with(meta(), raw, &ParseOptions::trusting(["mx.google.com"]));
    for attachment in &message.attachments {
        let bytes = decode_part(raw, &attachment.part.part).expect("an attachment can be found by its path");
        assert_eq!(bytes.len() as u64, attachment.size);
        if let Some(name) = &attachment.name {
            let unsafe_name = name.is_empty()
                || name.len() > 200
                || name.contains(['/', '\\', '\0', '\n', '\r'])
                || name.ends_with('.');
            assert!(!unsafe_name, "unsafe name");
        }
    }
    let text = message.readable_text();
    assert!(!text.contains('\0') && !message.preview.contains('\n') && message.preview.chars().count() <= 200);
    assert!(
        message
            .subject
            .iter()
            .all(|subject| !subject.contains(['\r', '\n', '\0']))
    );
    let json = serde_json::to_string(&message).expect("a message is JSON");
    assert!(serde_json::from_str::<Message>(&json).expect("JSON is a message") == message);
    // An answer can be begun to anything; whether it can be built is another matter, but not one of panics.
    let reply = OutgoingMessage::reply_all(&message)
        .from("me@acme.example")
        .text("x")
        .even_if_automatic();
    match reply.build(&ManualClock::new(Timestamp::UNIX_EPOCH)) {
        Ok(_)
        | Err(BuildError::NoRecipient | BuildError::InvalidAddress { .. } | BuildError::NonAsciiLocalPart { .. }) => {}
        Err(BuildError::Injection { .. } | BuildError::TooManyRecipients { .. }) => {}
        Err(error) => panic!("an answer failed: {error}"),
    }
}

/// The mails of the project, and those of the shared folder where it is there.
fn corpus() -> Vec<Vec<u8>> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mime");
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures/mime");
    let files = [own, shared]
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    let mails = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|found| found == "eml"));
    mails
        .map(|path| std::fs::read(path).expect("a mail of the corpus"))
        .collect()
}

#[derive(Clone, Debug)]
enum Mutation {
    Cut(prop::sample::Index),
    Set(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, prop::sample::Index),
    Remove(prop::sample::Index, prop::sample::Index),
}

impl Mutation {
    fn apply(&self, raw: &mut Vec<u8>) {
        if raw.is_empty() {
            return;
        }
        let length = raw.len();
        let range = |a: &prop::sample::Index, b: &prop::sample::Index| {
            let (a, b) = (a.index(length), b.index(length));
            a.min(b)..a.max(b).min(a.min(b) + 2_000)
        };
        match self {
            Self::Cut(at) => raw.truncate(at.index(length)),
            Self::Set(at, byte) => raw[at.index(length)] = *byte,
            Self::Insert(at, bytes) => {
                let at = at.index(length);
                raw.splice(at..at, bytes.iter().copied());
            }
            Self::Repeat(a, b) => {
                let piece = raw[range(a, b)].to_vec();
                raw.splice(0..0, piece);
            }
            Self::Remove(a, b) => {
                raw.drain(range(a, b));
            }
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    use prop::sample::Index;
    let words = prop::sample::select(vec![
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "\0",
        ":",
        ";",
        "=?",
        "?=",
        "=?utf-8?B?",
        "=?utf-8?Q?=",
        "<",
        ">",
        "(",
        ")",
        "\"",
        "\\",
        "=",
        "--",
        "@",
        ",",
        "*0*=",
        "''",
        "%",
        "Content-Type: multipart/mixed; boundary=x\r\n",
        "Content-Type: message/rfc822\r\n\r\n",
        "--x\r\n",
        "Subject: ",
        "begin 644 x\n",
        "+AOQ-",
        "\u{e4}",
    ]);
    prop_oneof![
        any::<Index>().prop_map(Mutation::Cut),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (any::<Index>(), words).prop_map(|(at, word)| Mutation::Insert(at, word.as_bytes().to_vec())),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Mutation::Repeat(a, b)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Mutation::Remove(a, b)),
    ]
}

#[test]
fn every_prefix_of_every_small_mail_parses() {
    for raw in corpus().iter().filter(|raw| raw.len() <= 3_000) {
        for end in 0..=raw.len() {
            survives(&raw[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_mail_parses(which in any::<prop::sample::Index>(), mutations in prop::collection::vec(mutation(), 1..12)) {
        let corpus = corpus();
        let mut raw = which.get(&corpus).clone();
        for mutation in &mutations {
            mutation.apply(&mut raw);
        }
        survives(&raw);
    }

    #[test]
    fn any_bytes_parse(raw in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&raw);
    }

    #[test]
    fn any_header_value_parses(name in "(From|To|Subject|Date|Content-Type|Content-Disposition|References|Received)", value in "\\PC{0,120}") {
        survives(format!("{name}: {value}\r\n\r\nbody\r\n").as_bytes());
    }
}

/// Text as people write it, and as they do not.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 ,.;:<>()\\[\\]@\"'\\\\=?_!#$%&*+/-]{0,60}",
        "\\PC{0,60}",
        "[ -~äöüßéñøžčå€日本語조선Привет🎉]{0,120}",
        "(=\\?utf-8\\?[BQ]\\?[a-zA-Z=_]{0,12}\\?= ?){1,3}",
    ]
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,200}",
        "([a-z .=-]{0,90}(\r\n|\n|\r)){0,12}",
        "(From |\\.|--x|=3D|~| ){0,20}\n",
        "[äß日]{0,1200}"
    ]
}

fn shown(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Bytes of direction and other format characters are text as well; only control characters are refused.
fn is_refused(text: &str) -> bool {
    text.chars()
        .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_built_reads_back(name in line(), subject in line(), text in body(), html in body(), file in line(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assume!(!is_refused(&name) && !is_refused(&subject) && !is_refused(&file));
        let clock = ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000));
        let mail = OutgoingMessage::builder()
            .from(Address::named(&name, "ops@acme.example"))
            .to(Address::named(&name, "jana@bücher.example"))
            .cc("cc@parts.example")
            .bcc("hidden@parts.example")
            .subject(&subject)
            .text(&text)
            .html(&html)
            .attach(NewAttachment::new(&file, "application/pdf", bytes.clone()))
            .build(&clock);
        let mail = match mail {
            Ok(mail) => mail,
            Err(BuildError::Injection { .. }) => return Ok(()),
            Err(error) => panic!("{error}"),
        };
        prop_assert!(mail.raw().is_ascii());
        let message = mail.as_message();
        prop_assert_eq!(&message.from[0].address, "ops@acme.example");
        prop_assert_eq!(shown(message.from[0].name.as_deref().unwrap_or_default()), shown(&name));
        prop_assert_eq!(&message.to[0].address, "jana@xn--bcher-kva.example");
        prop_assert_eq!(mail.recipients().addresses(), ["jana@xn--bcher-kva.example", "cc@parts.example", "hidden@parts.example"]);
        prop_assert_eq!(message.subject.as_deref().unwrap_or_default(), subject.trim());
        let unified = text.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(message.text.as_deref().unwrap_or_default().trim_end_matches('\n'), unified.trim_end_matches('\n'));
        let unified = html.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(message.html.as_deref().unwrap_or_default().trim_end_matches('\n'), unified.trim_end_matches('\n'));
        prop_assert_eq!(message.attachments.len(), 1);
        let part = decode_part(mail.raw(), &message.attachments[0].part.part);
        prop_assert_eq!(part, Some(bytes));
        prop_assert!(message.losses.iter().all(|loss| loss.kind == atlas_connectors::mail::LossKind::UnsafeFileName), "{:?}", message.losses);
        let json = serde_json::to_string(&mail).unwrap();
        prop_assert_eq!(serde_json::from_str::<OutgoingMessage>(&json).unwrap(), mail);
    }
}
