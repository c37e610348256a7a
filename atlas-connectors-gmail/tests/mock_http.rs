//! What the mock keeps up over HTTP: history, attachment ids, the rotation of its servers and of refresh tokens.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use atlas_connectors_gmail::mock::{CLIENT_ID, CLIENT_SECRET, Google, USER, operations};

mod support;
use support::Http;

#[tokio::test]
async fn history_expires_and_attachment_ids_run_out() {
    let google = Google::start().await;
    let inbox = google.mailbox(USER);
    let start = inbox.history_id();
    inbox.deliver_all(&operations());
    let http = Http::to(&google).with_token(&google.access_token(USER, &["gmail.modify"]));

    let history = format!("/gmail/v1/users/me/history?startHistoryId={start}&maxResults=7");
    let (mut seen, mut page) = (0, String::new());
    loop {
        let answer = http.get(&format!("{history}{page}")).await;
        seen += answer["history"].as_array().map_or(0, Vec::len);
        match answer["nextPageToken"].as_str() {
            Some(token) => page = format!("&pageToken={token}"),
            None => break,
        }
    }
    assert_eq!(seen, inbox.len(), "one record for each arrival, over all pages");
    inbox.expire_history();
    assert_eq!(http.try_get(&history).await.0, 404);

    let list = http.get("/gmail/v1/users/me/messages?q=has:attachment").await;
    let path = format!(
        "/gmail/v1/users/me/messages/{}",
        list["messages"][0]["id"].as_str().unwrap()
    );
    let attachment = |message: &serde_json::Value| {
        let parts = message["payload"]["parts"].as_array().unwrap();
        let id = parts
            .iter()
            .find_map(|part| part["body"]["attachmentId"].as_str())
            .unwrap();
        format!("{path}/attachments/{id}")
    };
    let first = attachment(&http.get(&path).await);
    assert!(http.get(&first).await["size"].as_u64().unwrap() > 0);
    inbox.expire_attachment_ids();
    assert_eq!(http.try_get(&first).await.0, 400);
    assert_eq!(http.try_get(&attachment(&http.get(&path).await)).await.0, 200);
}

#[tokio::test]
async fn the_server_behind_is_replaced_without_a_gap() {
    let google = Google::start().await;
    let http = Http::to(&google).with_token(&google.access_token(USER, &["gmail.readonly"]));
    for n in 0..4_100 {
        assert_eq!(http.try_get("/gmail/v1/users/me/profile").await.0, 200, "request {n}");
    }
    assert_eq!(google.counters().requests["gmail.users.getProfile"], 4_100);
}

#[tokio::test]
async fn a_rotated_refresh_token_that_is_used_again_ends_the_grant() {
    let google = Google::builder().rotate_refresh_tokens().start().await;
    let http = Http::to(&google);
    let refresh = async |token: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", CLIENT_ID),
            ("client_secret", CLIENT_SECRET),
        ];
        http.form("/token", &form).await
    };
    let first = google.refresh_token(USER, &["gmail.readonly"]);
    let (_, answer) = refresh(&first).await;
    let second = answer["refresh_token"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(refresh(&first).await.1["error"], "invalid_grant");
    assert_eq!(
        refresh(&second).await.1["error"],
        "invalid_grant",
        "the whole grant is gone"
    );
}
