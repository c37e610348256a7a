//! Answers and refusals. That built mail reads back as it was meant is tested in `tests/mime_properties.rs`.

use super::reply::reply_subject;
use crate::clock::Timestamp;
use crate::mail::{
    Address, BuildError, Field, Injection, Message, MessageMeta, NewAttachment, NoReply, OutgoingBuilder,
    OutgoingMessage,
};
use crate::testkit::ManualClock;

const ORDER: &str = "From: Jana <jana@parts.example>\r\nTo: ops@acme.example, Sales@acme.example\r\n\
    Cc: boss@parts.example, jana@parts.example\r\nSubject: Order 4711\r\nMessage-ID: <c@parts.example>\r\n\
    References: <a@parts.example> <b@acme.example>\r\n\r\nx\r\n";

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000))
}

fn received(raw: &str) -> Message {
    let meta = MessageMeta {
        id: "m1".into(),
        thread: "t1".into(),
        labels: Vec::new(),
        received: Timestamp::UNIX_EPOCH,
        size: None,
    };
    Message::parse(meta, raw.as_bytes())
}

fn plain() -> OutgoingBuilder {
    OutgoingMessage::builder()
        .from("ops@acme.example")
        .to("jana@parts.example")
        .text("x")
}

#[test]
fn an_answer_holds_the_conversation() {
    let reply = OutgoingMessage::reply_to(&received(ORDER)).from("ops@acme.example");
    let mail = reply.text("Yes.").build(&clock()).unwrap();
    let sent = mail.as_message();
    assert_eq!(sent.subject.as_deref(), Some("Re: Order 4711"));
    assert_eq!(sent.in_reply_to, ["c@parts.example"]);
    assert_eq!(
        sent.references,
        ["a@parts.example", "b@acme.example", "c@parts.example"]
    );
    assert_eq!(mail.thread().map(|thread| thread.as_str()), Some("t1"));
    assert_eq!(mail.recipients().addresses(), ["jana@parts.example"]);
    assert_eq!(sent.date, Some(Timestamp::from_unix_seconds(1_790_000_000)));
    assert!(sent.message_id.is_some_and(|id| id.ends_with("@acme.example")));
    assert_eq!(sent.headers.first(crate::mail::MARKER_HEADER), Some(mail.marker()));
}

#[test]
fn an_answer_goes_where_answers_are_wanted() {
    let raw = ORDER.replace("Subject:", "Reply-To: orders@parts.example\r\nSubject:");
    let reply = OutgoingMessage::reply_to(&received(&raw)).from("ops@acme.example");
    let mail = reply.build(&clock()).unwrap();
    assert_eq!(mail.recipients().addresses(), ["orders@parts.example"]);
}

#[test]
fn an_answer_to_all_leaves_oneself_out() {
    let reply = OutgoingMessage::reply_all(&received(ORDER))
        .from("OPS@acme.example")
        .myself([Address::new("sales@acme.example")]);
    let recipients = reply.build(&clock()).unwrap().recipients();
    assert_eq!(recipients.to, [Address::named("Jana", "jana@parts.example")]);
    assert_eq!(recipients.cc, [Address::new("boss@parts.example")]);
    // A mail to oneself alone still has somewhere to go.
    let own = received("From: ops@acme.example\r\nTo: ops@acme.example\r\nMessage-ID: <x@y>\r\n\r\n");
    let reply = OutgoingMessage::reply_all(&own).from("ops@acme.example");
    assert_eq!(
        reply.build(&clock()).unwrap().recipients().addresses(),
        ["ops@acme.example"]
    );
}

#[test]
fn subjects_of_answers_are_marked_once() {
    let cases = [
        ("Order", "Re: Order"),
        ("Re: Order", "Re: Order"),
        ("RE: Order", "RE: Order"),
        ("Re[2]: Order", "Re[2]: Order"),
        ("AW: Bestellung", "AW: Bestellung"),
        ("SV: Order", "SV: Order"),
        ("Antw: Order", "Antw: Order"),
        ("回复：订单", "回复：订单"),
        ("Fwd: Order", "Re: Fwd: Order"),
        ("Report: May", "Re: Report: May"),
        ("two\r\nlines", "Re: two  lines"),
        ("", "Re:"),
    ];
    for (subject, expected) in cases {
        assert_eq!(reply_subject(subject), expected);
    }
}

#[test]
fn references_are_bounded_by_the_first_and_the_newest() {
    let ids: Vec<String> = (0..500).map(|number| format!("id{number}@parts.example")).collect();
    let sent = plain().references(ids).build(&clock()).unwrap().as_message();
    assert_eq!(sent.references.len(), 31);
    assert_eq!(sent.references.first().map(String::as_str), Some("id0@parts.example"));
    assert_eq!(sent.references.last().map(String::as_str), Some("id499@parts.example"));
}

#[test]
fn programs_do_not_answer_programs_unless_told_to() {
    let cases = [
        ("Auto-Submitted: auto-replied", NoReply::Automatic),
        ("List-Id: <list.example>", NoReply::List),
        ("X-Failed-Recipients: a@b.example", NoReply::DeliveryReport),
        ("Return-Path: <>", NoReply::EmptyReturnPath),
    ];
    for (header, reason) in cases {
        let message = received(&format!("{header}\r\n{ORDER}"));
        let reply = OutgoingMessage::reply_to(&message).from("ops@acme.example");
        assert_eq!(reply.build(&clock()), Err(BuildError::NoReply(reason)));
        assert!(reply.even_if_automatic().build(&clock()).is_ok());
    }
}

#[test]
fn no_field_lets_another_header_in() {
    let characters = [
        ("a\r\nBcc: x@y.example", Injection::LineBreak),
        ("a\nb", Injection::LineBreak),
        ("a\0b", Injection::Nul),
        ("a\u{7}b", Injection::Control),
    ];
    for (bad, what) in characters {
        let file = |name: &str, kind: &str| NewAttachment::new(name, kind, Vec::new());
        let named = || Address::named(bad, "a@b.example");
        let cases = [
            (Field::From, plain().from(named())),
            (Field::To, plain().to(named())),
            (Field::Cc, plain().cc(format!("{bad}@b.example"))),
            (Field::Bcc, plain().bcc(format!("a@{bad}"))),
            (Field::ReplyTo, plain().reply_to_address(named())),
            (Field::Subject, plain().subject(bad)),
            (Field::AttachmentName, plain().attach(file(bad, "text/plain"))),
            (Field::AttachmentType, plain().attach(file("a", &format!("text/{bad}")))),
        ];
        for (field, builder) in cases {
            assert_eq!(builder.build(&clock()), Err(BuildError::Injection { field, what }));
        }
        let id = plain().in_reply_to(format!("{bad}@x")).build(&clock());
        assert_eq!(
            id,
            Err(BuildError::InvalidId {
                field: Field::InReplyTo
            })
        );
        let image = file("a", "image/png").inline(format!("{bad}@x"));
        let cid = plain().attach(image).build(&clock());
        assert_eq!(
            cid,
            Err(BuildError::InvalidId {
                field: Field::ContentId
            })
        );
    }
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let builder = OutgoingMessage::builder;
    let parts = NewAttachment::new("a", "multipart/mixed", Vec::new());
    let cases = [
        (builder().to("a@b.example"), BuildError::NoSender),
        (builder().from("a@b.example"), BuildError::NoRecipient),
        (
            plain().cc("b@c.example").max_recipients(1),
            BuildError::TooManyRecipients { limit: 1 },
        ),
        (
            plain().text("x".repeat(2_000)).max_bytes(1_000),
            BuildError::TooLarge { limit: 1_000 },
        ),
        (plain().attach(parts), BuildError::InvalidContentType),
        (
            plain().to("grün@b.example"),
            BuildError::NonAsciiLocalPart { field: Field::To },
        ),
    ];
    for (builder, error) in cases {
        assert_eq!(builder.build(&clock()), Err(error));
    }
}

#[test]
fn errors_and_debug_hold_no_content() {
    let filled = plain().subject("secret words").text("secret words");
    let mail = filled.build(&clock()).unwrap();
    let refused = filled.clone().to("secret.person@parts.example\n");
    let error = crate::Error::from(refused.build(&clock()).unwrap_err());
    let shown = [
        format!("{error} {error:?}"),
        format!("{refused:?}"),
        format!("{mail:?} {:?}", mail.as_message()),
    ];
    for shown in shown {
        assert!(!shown.contains("secret"), "{shown}");
    }
}
