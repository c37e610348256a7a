//! The steps over scripted answers, each fault they claim to survive among them.

use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::action::{Reconciled, Sent};
use atlas_connectors::credential::{AccessToken, TokenSource};
use atlas_connectors::error::Effect;
use atlas_connectors::mail::{Address, OutgoingMessage};
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::testkit::{Fault, ScriptedTransport};
use atlas_connectors::{ConnectionId, ConnectionRef, Epoch, Result, SystemClock};
use serde_json::{Value, json};

use super::Sending;
use crate::builder::{GmailBuilder, MailboxSettings};
use crate::gmail::Gmail;
use crate::scopes;

#[derive(Debug)]
struct Fixed(ConnectionRef, AccessToken);

#[async_trait]
impl TokenSource for Fixed {
    fn connection(&self) -> &ConnectionRef {
        &self.0
    }
    async fn token(&self) -> Result<AccessToken> {
        Ok(self.1.clone())
    }
    async fn reject(&self, _rejected: &AccessToken) {}
}

struct Bench {
    gmail: Gmail,
    settings: MailboxSettings,
    transport: ScriptedTransport,
}

impl Bench {
    fn new(transport: ScriptedTransport, granted: &[&str]) -> Self {
        let connection = ConnectionRef {
            tenant: "acme".into(),
            connection: ConnectionId::random(),
            epoch: Epoch::FIRST,
            provider: crate::provider(),
        };
        let granted = ScopeSet::parse(&granted.join(" "));
        let token = AccessToken::new("test".into(), granted.clone(), 1);
        let builder = GmailBuilder::new(Arc::new(transport.clone()), Arc::new(Fixed(connection, token)), granted);
        let settings = builder.settings.clone();
        Self {
            gmail: builder.build().unwrap(),
            settings,
            transport,
        }
    }

    fn steps(&self) -> Sending<'_> {
        Sending::new(&self.gmail, &self.settings)
    }

    fn asked(&self) -> Vec<String> {
        let shorten = |path: &str| path.replace("/gmail/v1/users/me", "");
        let requests = self.transport.requests();
        requests
            .iter()
            .map(|request| format!("{} {}", request.method, shorten(request.uri.path())))
            .collect()
    }
}

fn mail() -> OutgoingMessage {
    OutgoingMessage::builder()
        .from(Address::new("ops@acme.example"))
        .to(Address::new("jana@parts.example"))
        .subject("Re: RFQ 4471")
        .text("Quote attached.\n")
        .thread("t1")
        .build(&SystemClock)
        .unwrap()
}

fn message(id: &str, label: &str, marker: &str) -> Value {
    json!({"id": id, "threadId": "t1", "labelIds": [label], "internalDate": "1",
        "payload": {"headers": [{"name": "X-ATLAS-intent", "value": marker}]}})
}

fn gone() -> String {
    json!({"error": {"code": 404, "message": "Requested entity was not found.", "errors": [{"reason": "notFound"}]}})
        .to_string()
}

const HANDLE: &str = r#"{"draft":"r-1","thread":"t1"}"#;
const CAN_DRAFT: [&str; 2] = [scopes::READONLY, scopes::COMPOSE];

#[tokio::test]
async fn a_draft_holds_exactly_the_bytes_and_its_thread() {
    let transport = ScriptedTransport::new().with_json(200, "{}").with_json(
        200,
        json!({"id": "r-1", "message": {"id": "m1", "threadId": "t1"}}).to_string(),
    );
    let bench = Bench::new(transport, &CAN_DRAFT);
    let mail = mail();
    let handle = bench.steps().prepare(&mail).await.unwrap();
    assert_eq!(handle.as_deref(), Some(HANDLE));
    assert_eq!(bench.asked(), ["GET /drafts", "POST /drafts"]);
    let body: Value = serde_json::from_slice(&bench.transport.requests()[1].body).unwrap();
    assert_eq!(body["message"]["threadId"], "t1");
    let raw = crate::base64::decode(body["message"]["raw"].as_str().unwrap()).unwrap();
    assert_eq!(raw, mail.raw().as_ref());
}

#[tokio::test]
async fn with_send_alone_nothing_is_prepared_and_nothing_can_be_told_afterwards() {
    let transport = ScriptedTransport::new().with_json(200, r#"{"id":"m9","threadId":"t1","labelIds":["SENT"]}"#);
    let bench = Bench::new(transport, &[scopes::SEND]);
    let mail = mail();
    assert_eq!(bench.steps().prepare(&mail).await.unwrap(), None);
    assert_eq!(bench.steps().read_back(None).await.unwrap(), None);
    let sent = bench.steps().commit(&mail, None).await.unwrap();
    assert_eq!(sent.message.unwrap().as_str(), "m9");
    assert_eq!(bench.steps().reconcile(&mail, None).await.unwrap(), Reconciled::Unknown);
    bench.steps().sweep(&mail, None).await.unwrap();
    assert_eq!(bench.asked(), ["POST /messages/send"]);
}

#[tokio::test]
async fn a_draft_left_by_an_interrupted_try_is_used_again() {
    let mail = mail();
    let draft = |id: &str, marker: &str| json!({"id": id, "message": message("m1", "DRAFT", marker)}).to_string();
    let transport = ScriptedTransport::new()
        .with_json(
            200,
            r#"{"drafts":[{"id":"r-0","message":{"id":"m0","threadId":"t0"}},{"id":"r-1","message":{"id":"m1","threadId":"t1"}}]}"#,
        )
        .with_json(200, draft("r-0", "somebody else's"))
        .with_json(200, draft("r-1", mail.marker()));
    let bench = Bench::new(transport, &CAN_DRAFT);
    assert_eq!(bench.steps().prepare(&mail).await.unwrap().as_deref(), Some(HANDLE));
    assert_eq!(bench.asked(), ["GET /drafts", "GET /drafts/r-0", "GET /drafts/r-1"]);
}

#[tokio::test]
async fn the_draft_is_read_back_as_it_is_now() {
    let raw = crate::base64::encode(b"edited by hand");
    let transport = ScriptedTransport::new()
        .with_json(
            200,
            json!({"id": "r-1", "message": {"id": "m1", "threadId": "t1", "raw": raw}}).to_string(),
        )
        .with_json(404, gone())
        .with_json(404, "<html>");
    let bench = Bench::new(transport, &CAN_DRAFT);
    let read = bench.steps().read_back(Some(HANDLE)).await.unwrap();
    assert_eq!(read.unwrap().as_ref(), b"edited by hand");
    assert_eq!(bench.steps().read_back(Some(HANDLE)).await.unwrap(), None);
    // A page of some proxy is not Gmail's word that the draft is gone.
    assert_eq!(
        bench.steps().read_back(Some(HANDLE)).await.unwrap_err().code(),
        "service_missing"
    );
    assert_eq!(
        bench.steps().read_back(Some("junk")).await.unwrap_err().code(),
        "invalid"
    );
}

#[tokio::test]
async fn a_send_is_one_request_whatever_becomes_of_it() {
    let cases = [
        (ScriptedTransport::new().with_fault(Fault::AfterSend), Effect::Unknown),
        (ScriptedTransport::new().with_json(503, "{}"), Effect::Unknown),
        (ScriptedTransport::new().with_json(429, "{}"), Effect::None),
        (ScriptedTransport::new().with_fault(Fault::BeforeSend), Effect::None),
    ];
    for (transport, effect) in cases {
        let bench = Bench::new(transport.with_json(200, "{}"), &CAN_DRAFT);
        let error = bench.steps().commit(&mail(), Some(HANDLE)).await.unwrap_err();
        assert_eq!(error.effect(), effect, "{error:?}");
        assert_eq!(bench.transport.remaining(), 1, "sent again after {error:?}");
    }
}

#[tokio::test]
async fn an_accepted_send_with_an_unreadable_answer_has_happened() {
    for body in ["", r#"{"id":"m9","thr"#, "<html>"] {
        let bench = Bench::new(ScriptedTransport::new().with_json(200, body), &CAN_DRAFT);
        let sent = bench.steps().commit(&mail(), Some(HANDLE)).await.unwrap();
        let unknown = Sent {
            message: None,
            thread: None,
        };
        assert_eq!(sent, unknown, "{body}");
    }
}

#[tokio::test]
async fn a_draft_that_is_still_there_was_not_sent() {
    let draft = json!({"id": "r-1", "message": message("m1", "DRAFT", "x")}).to_string();
    let bench = Bench::new(ScriptedTransport::new().with_json(200, draft), &CAN_DRAFT);
    let found = bench.steps().reconcile(&mail(), Some(HANDLE)).await.unwrap();
    assert_eq!(found, Reconciled::DidNotHappen);
}

#[tokio::test]
async fn a_sent_message_is_known_by_its_marker_only() {
    let mail = mail();
    let thread = |messages: Value| json!({"id": "t1", "messages": messages}).to_string();
    let ours = message("m9", "SENT", mail.marker());
    let transport = ScriptedTransport::new().with_json(404, gone()).with_json(
        200,
        thread(json!([
            message("m1", "INBOX", mail.marker()),
            message("m2", "SENT", "other"),
            ours
        ])),
    );
    let bench = Bench::new(transport, &CAN_DRAFT);
    let Reconciled::Happened(sent) = bench.steps().reconcile(&mail, Some(HANDLE)).await.unwrap() else {
        panic!("not found");
    };
    assert_eq!(sent.message.unwrap().as_str(), "m9");

    // In another thread than expected: among the newest of SENT.
    let transport = ScriptedTransport::new()
        .with_json(404, gone())
        .with_json(404, gone())
        .with_json(
            200,
            r#"{"messages":[{"id":"m8","threadId":"t8"},{"id":"m9","threadId":"t9"}]}"#,
        )
        .with_json(404, gone())
        .with_json(200, message("m9", "SENT", mail.marker()).to_string());
    let bench = Bench::new(transport, &CAN_DRAFT);
    let found = bench.steps().reconcile(&mail, Some(HANDLE)).await.unwrap();
    assert!(matches!(found, Reconciled::Happened(_)), "{found:?}");
}

#[tokio::test]
async fn what_cannot_be_found_is_unknown_and_a_failed_look_up_is_an_error() {
    let transport = ScriptedTransport::new()
        .with_json(404, gone())
        .with_json(200, r#"{"id":"t1"}"#)
        .with_json(200, "{}");
    let bench = Bench::new(transport, &CAN_DRAFT);
    let found = bench.steps().reconcile(&mail(), Some(HANDLE)).await.unwrap();
    assert_eq!(found, Reconciled::Unknown);

    // Drafts may be looked at, sent mail may not.
    let bench = Bench::new(ScriptedTransport::new().with_json(404, gone()), &[scopes::COMPOSE]);
    let found = bench.steps().reconcile(&mail(), Some(HANDLE)).await.unwrap();
    assert_eq!(found, Reconciled::Unknown);

    for answer in [
        (403, r#"{"error":{"errors":[{"reason":"forbidden"}]}}"#),
        (404, "not json"),
    ] {
        let bench = Bench::new(ScriptedTransport::new().with_json(answer.0, answer.1), &CAN_DRAFT);
        assert!(bench.steps().reconcile(&mail(), Some(HANDLE)).await.is_err());
    }
}

#[tokio::test]
async fn what_an_ended_intent_left_is_removed_once() {
    let mail = mail();
    let draft = json!({"id": "r-1", "message": message("m1", "DRAFT", mail.marker())}).to_string();
    let transport = ScriptedTransport::new()
        .with_json(
            200,
            r#"{"drafts":[{"id":"r-1","message":{"id":"m1","threadId":"t1"}}]}"#,
        )
        .with_json(200, draft)
        .with_json(404, gone());
    let bench = Bench::new(transport, &CAN_DRAFT);
    bench.steps().sweep(&mail, Some(HANDLE)).await.unwrap();
    assert_eq!(bench.asked(), ["GET /drafts", "GET /drafts/r-1", "DELETE /drafts/r-1"]);
}
