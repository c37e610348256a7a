//! The mailbox over scripted answers: what is asked, in which order, and what becomes of the answers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing helper fails its test"
)]

use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::credential::{AccessToken, TokenSource};
use atlas_connectors::mail::{
    Condition, MailChange, MailListing, MailQuery, Mailbox as _, PartRef, SyncCursor, SyncPoint,
};
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::testkit::ScriptedTransport;
use atlas_connectors::{ConnectionId, ConnectionRef, Epoch, PageToken, Result};
use atlas_connectors_gmail::{Baseline, GmailBuilder, GmailMailbox, scopes};

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

fn builder(transport: &ScriptedTransport, granted: &[&str]) -> GmailBuilder {
    let connection = ConnectionRef {
        tenant: "acme".into(),
        connection: ConnectionId::random(),
        epoch: Epoch::FIRST,
        provider: atlas_connectors_gmail::provider(),
    };
    let granted = ScopeSet::parse(&granted.join(" "));
    let token = AccessToken::new("ya29.test-access".into(), granted.clone(), 1);
    GmailBuilder::new(Arc::new(transport.clone()), Arc::new(Fixed(connection, token)), granted)
}

fn mailbox(transport: &ScriptedTransport, granted: &[&str]) -> GmailMailbox {
    builder(transport, granted).mailbox().unwrap()
}

/// What was asked, without the host and the parameters that never change.
fn asked(transport: &ScriptedTransport) -> Vec<String> {
    let shorten = |request: &atlas_connectors::testkit::SentRequest| {
        let target = request.uri.path_and_query().unwrap().as_str();
        let target = target
            .replace("/gmail/v1/users/me", "")
            .replace("prettyPrint=false", "");
        format!("{} {}", request.method, target.trim_end_matches(['?', '&']))
    };
    transport.requests().iter().map(shorten).collect()
}

#[tokio::test]
async fn the_baseline_is_taken_before_the_listing_and_only_once() {
    let transport = ScriptedTransport::new()
        .with_json(200, r#"{"emailAddress":"ops@acme.example","historyId":"1710"}"#)
        .with_json(
            200,
            r#"{"messages":[{"id":"m1","threadId":"t1"}],"nextPageToken":"2","resultSizeEstimate":7}"#,
        )
        .with_json(200, r#"{"resultSizeEstimate":7}"#);
    let mailbox = mailbox(&transport, &[scopes::READONLY]);
    let from = SyncPoint::Listing(MailListing::default());

    let first = mailbox.changes(&from, None).await.unwrap();
    assert_eq!(first.cursor, Some(SyncCursor::new("1710")));
    assert_eq!(first.estimate, Some(7));
    assert!(matches!(&first.changes[..], [MailChange::Present(message)] if message.id.as_str() == "m1"));

    // An empty page is not an error, and a missing token is the end.
    let second = mailbox.changes(&from, first.next.as_ref()).await.unwrap();
    assert!(second.changes.is_empty() && second.next.is_none() && second.cursor.is_none());
    assert_eq!(
        asked(&transport),
        [
            "GET /profile",
            "GET /messages?maxResults=100",
            "GET /messages?maxResults=100&pageToken=2"
        ]
    );
    assert_eq!(transport.requests()[1].bearer(), Some("ya29.test-access"));
}

#[tokio::test]
async fn only_the_last_page_of_the_history_gives_the_next_cursor() {
    // gmail-history-page-without-history (lieer 24): a page may have a token and no history at all.
    let transport = ScriptedTransport::new()
        .with_json(200, r#"{"nextPageToken":"09876543210","historyId":"20177601"}"#)
        .with_json(200, r#"{"historyId":"20177601"}"#)
        .with_json(200, r#"{"nextPageToken":"a","historyId":"5"}"#);
    let mailbox = mailbox(&transport, &[scopes::READONLY]);
    let from = SyncPoint::After(SyncCursor::new("20177000"));
    let first = mailbox.changes(&from, None).await.unwrap();
    assert!(first.cursor.is_none() && first.changes.is_empty());
    let last = mailbox.changes(&from, first.next.as_ref()).await.unwrap();
    assert_eq!(last.cursor, Some(SyncCursor::new("20177601")));
    assert!(asked(&transport)[0].starts_with("GET /history?startHistoryId=20177000"));

    // A page that names itself would be read for ever.
    let error = mailbox.changes(&from, Some(&PageToken::new("a"))).await.unwrap_err();
    assert_eq!(error.code(), "schema_mismatch");
}

#[tokio::test]
async fn an_expired_position_is_told_apart_from_a_missing_message() {
    let gone = r#"{"error":{"code":404,"message":"Requested entity was not found.","errors":[{"reason":"notFound"}]}}"#;
    let transport = ScriptedTransport::new().with_json(404, gone).with_json(404, gone);
    let mailbox = mailbox(&transport, &[scopes::READONLY]);
    let from = SyncPoint::After(SyncCursor::new("1"));
    assert_eq!(mailbox.changes(&from, None).await.unwrap_err().code(), "cursor_expired");
    assert_eq!(mailbox.message(&"m1".into()).await.unwrap_err().code(), "not_found");
}

#[tokio::test]
async fn a_message_is_parsed_from_its_own_bytes() {
    let raw = atlas_connectors_gmail::base64::encode(b"From: jana@parts.example\r\nSubject: Hello\r\n\r\nText\r\n");
    let answer = format!(
        r#"{{"id":"m1","threadId":"t1","labelIds":["INBOX"],"internalDate":"1793610000000","raw":"{}"}}"#,
        raw.trim_end_matches('=')
    );
    let transport = ScriptedTransport::new().with_json(200, answer);
    let message = mailbox(&transport, &[scopes::READONLY])
        .message(&"m1".into())
        .await
        .unwrap();
    assert_eq!(message.subject.as_deref(), Some("Hello"));
    assert_eq!(message.meta.received.unix_seconds(), 1_793_610_000);
    assert_eq!(asked(&transport), ["GET /messages/m1?format=raw"]);
}

const WITH_FILE: &str = r#"{"id":"m1","threadId":"t1","internalDate":"1","payload":{"partId":"","mimeType":"multipart/mixed",
    "parts":[{"partId":"0","mimeType":"text/plain","body":{"size":2,"data":"aGk"}},
             {"partId":"1","mimeType":"application/pdf","filename":"a.pdf","body":{"attachmentId":"TOKEN","size":5}}]}}"#;

fn part(path: &str) -> PartRef {
    PartRef {
        message: "m1".into(),
        part: path.into(),
    }
}

#[tokio::test]
async fn an_attachment_is_fetched_by_a_fresh_token_which_is_renewed_once() {
    let stale =
        r#"{"error":{"code":400,"message":"Invalid attachment token","errors":[{"reason":"invalidArgument"}]}}"#;
    let transport = ScriptedTransport::new()
        .with_json(200, WITH_FILE)
        .with_json(400, stale)
        .with_json(200, WITH_FILE.replace("TOKEN", "FRESH"))
        .with_json(200, r#"{"size":5,"data":"aGVsbG8"}"#)
        .with_json(200, WITH_FILE)
        .with_json(400, stale)
        .with_json(200, WITH_FILE)
        .with_json(400, stale);
    let mailbox = mailbox(&transport, &[scopes::READONLY]);
    let bytes = mailbox
        .attachment(&part("1"))
        .await
        .unwrap()
        .collect(100)
        .await
        .unwrap();
    assert_eq!(bytes, b"hello");
    assert_eq!(asked(&transport)[3], "GET /messages/m1/attachments/FRESH");
    assert_eq!(mailbox.attachment(&part("1")).await.unwrap_err().code(), "rejected");
    assert_eq!(transport.remaining(), 0);
}

#[tokio::test]
async fn small_and_hidden_parts_need_no_attachment_call() {
    let raw = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b\r\n\r\nthree\r\n--b--\r\n";
    let raw = format!(
        r#"{{"id":"m1","threadId":"t1","internalDate":"1","raw":"{}"}}"#,
        atlas_connectors_gmail::base64::encode(raw.as_bytes())
    );
    let transport = ScriptedTransport::new()
        .with_json(200, WITH_FILE)
        .with_json(200, WITH_FILE)
        .with_json(200, raw.clone())
        .with_json(200, WITH_FILE)
        .with_json(200, raw);
    let mailbox = mailbox(&transport, &[scopes::READONLY]);
    let inline = mailbox.attachment(&part("0")).await.unwrap().collect(9).await.unwrap();
    assert_eq!(inline, b"hi");
    // Gmail's tree does not show it: out of the whole message.
    let hidden = mailbox.attachment(&part("2")).await.unwrap().collect(9).await.unwrap();
    assert_eq!(hidden, b"three");
    assert_eq!(mailbox.attachment(&part("7.7")).await.unwrap_err().code(), "not_found");
}

#[tokio::test]
async fn a_search_is_compiled_and_what_cannot_match_is_not_asked() {
    let transport = ScriptedTransport::new()
        .with_json(200, "{}")
        .with_json(
            200,
            r#"{"labels":[{"id":"Label_9","name":"Old orders","type":"user"}]}"#,
        )
        .with_json(200, "{}");
    let mailbox = mailbox(&transport, &[scopes::READONLY]);
    mailbox
        .search(&MailQuery::new().from("jana").label("INBOX"), None)
        .await
        .unwrap();
    let without = MailQuery::new().without(Condition::Label("Label_9".into()));
    mailbox.search(&without, None).await.unwrap();
    let nothing = MailQuery::new().with(Condition::AnyOf(Vec::new()));
    assert!(mailbox.search(&nothing, None).await.unwrap().items.is_empty());
    assert_eq!(
        asked(&transport),
        [
            "GET /messages?q=from%3A%22jana%22&labelIds=INBOX&maxResults=100",
            "GET /labels",
            "GET /messages?q=-label%3Aold-orders&maxResults=100",
        ]
    );
}

#[tokio::test]
async fn a_missing_scope_fails_before_the_network() {
    let transport = ScriptedTransport::new();
    let mailbox = mailbox(&transport, &["openid", scopes::SEND]);
    let error = mailbox.message(&"m1".into()).await.unwrap_err();
    assert_eq!(error.code(), "oauth.insufficient_privileges");
    assert!(mailbox.gmail().create_label("x").await.is_err());
    assert!(mailbox.profile().await.is_err());
    assert!(transport.requests().is_empty());
    assert!(mailbox.capabilities().send && !mailbox.capabilities().read);
}

#[tokio::test]
async fn a_taken_label_name_gives_the_label_that_has_it() {
    let taken =
        r#"{"error":{"code":409,"message":"Label name exists or conflicts","errors":[{"reason":"duplicate"}]}}"#;
    let transport = ScriptedTransport::new()
        .with_json(409, taken)
        .with_json(200, r#"{"labels":[{"id":"Label_3","name":"ORDERS","type":"user"}]}"#);
    let mailbox = mailbox(&transport, &[scopes::MODIFY]);
    let label = mailbox.gmail().create_label("Orders").await.unwrap();
    assert_eq!(label.id.as_str(), "Label_3");
}

#[tokio::test]
async fn emulators_without_a_profile_give_the_baseline_by_their_newest_message() {
    let transport = ScriptedTransport::new()
        .with_json(200, r#"{"messages":[{"id":"m9","threadId":"t9"}]}"#)
        .with_json(
            200,
            r#"{"id":"m9","threadId":"t9","historyId":"179531567101201590701"}"#,
        )
        .with_json(200, r#"{"historyId":"179531567101201590799"}"#)
        .with_json(200, "{}");
    let mailbox = builder(&transport, &[scopes::READONLY])
        .with_baseline(Baseline::NewestMessage)
        .mailbox()
        .unwrap();
    let page = mailbox
        .changes(&SyncPoint::Listing(MailListing::default()), None)
        .await
        .unwrap();
    assert_eq!(page.cursor, Some(SyncCursor::new("179531567101201590799")));
}

#[tokio::test]
async fn a_batch_asks_again_for_what_failed_in_passing() {
    let part = |id: usize, status: &str, body: &str| {
        format!(
            "--b\r\nContent-Type: application/http\r\nContent-ID: <response-{id}>\r\n\r\nHTTP/1.1 {status}\r\n\r\n{body}\r\n"
        )
    };
    let body = [
        part(0, "200 OK", r#"{"id":"Label_1","messagesTotal":3}"#),
        part(
            1,
            "429 Too Many Requests",
            r#"{"error":{"message":"Too many concurrent requests for user"}}"#,
        ),
        "--b--".to_owned(),
    ];
    let answer = http::Response::builder()
        .header("content-type", "multipart/mixed; boundary=b")
        .body(body.concat().into())
        .unwrap();
    let transport = ScriptedTransport::new()
        .with_answer(answer)
        .with_json(200, r#"{"id":"Label_2","messagesTotal":4}"#);
    let mailbox = mailbox(&transport, &[scopes::READONLY]);
    let counts = mailbox
        .gmail()
        .label_counts(&["Label_1".into(), "Label_2".into()])
        .await
        .unwrap();
    let totals: Vec<_> = counts.into_iter().map(|label| label.unwrap().messages_total).collect();
    assert_eq!(totals, [Some(3), Some(4)]);
}
