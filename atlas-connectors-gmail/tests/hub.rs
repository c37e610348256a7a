//! Google's generated bindings and our wire types, on the same recorded answers; and the limits of the hub.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]

use std::sync::Arc;

use async_trait::async_trait;
use atlas_connectors::credential::{AccessToken, TokenSource};
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::{ConnectionId, ConnectionRef, Epoch, Result};
use atlas_connectors_gmail::wire::{drafts, history, labels, messages, threads};
use atlas_connectors_gmail::{Endpoints, hub, scopes};
use google_gmail1::api;
use serde_json::Value;

/// The body of an answer recorded from emulate 0.12.2.
fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/recorded/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let mut case: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    drop_cuts(&mut case);
    case["response"]["body"].clone()
}

/// The recordings shorten long lists by a sentence in place of the rest.
fn drop_cuts(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.retain(|item| {
                !item
                    .as_str()
                    .is_some_and(|text| text.ends_with("cut from this record)"))
            });
            items.iter_mut().for_each(drop_cuts);
        }
        Value::Object(fields) => fields.values_mut().for_each(drop_cuts),
        _ => {}
    }
}

fn both<Theirs, Ours>(name: &str) -> (Theirs, Ours)
where
    Theirs: serde::de::DeserializeOwned,
    Ours: serde::de::DeserializeOwned,
{
    let mut body = recorded(name);
    fit_history_ids(&mut body);
    let text = body.to_string();
    (
        serde_json::from_str(&text).unwrap(),
        serde_json::from_str(&text).unwrap(),
    )
}

/// The emulator's history ids do not fit into the 64 bits of the generated types; Google's do.
fn fit_history_ids(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(fit_history_ids),
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(id) if name == "historyId" => id.truncate(15),
                    other => fit_history_ids(other),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn lists_and_resources_read_the_same_with_both() {
    let (theirs, ours) = both::<api::ListMessagesResponse, messages::MessageList>("messages-list-page1");
    let ids: Vec<_> = theirs
        .messages
        .unwrap()
        .into_iter()
        .map(|message| message.id.unwrap())
        .collect();
    let our_ids: Vec<_> = ours.messages.iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids, our_ids);
    assert_eq!(
        theirs.next_page_token.as_deref(),
        ours.next_page_token.as_ref().map(|token| token.as_str())
    );

    let (theirs, ours) = both::<api::Message, messages::MessageResource>("message-get-metadata");
    assert_eq!(theirs.id.as_deref(), Some(ours.id.as_str()));
    assert_eq!(theirs.internal_date, ours.internal_date);
    let headers = theirs.payload.unwrap().headers.unwrap();
    let subject = headers
        .iter()
        .find(|header| header.name.as_deref() == Some("Subject"))
        .unwrap();
    assert_eq!(subject.value.as_deref(), ours.header("subject"));

    let (theirs, ours) = both::<api::ListLabelsResponse, labels::LabelList>("labels-list");
    assert_eq!(theirs.labels.unwrap().len(), ours.labels.len());

    let (theirs, ours) = both::<api::ListThreadsResponse, threads::ThreadList>("threads-list");
    assert_eq!(theirs.result_size_estimate.map(u64::from), ours.result_size_estimate);

    let (theirs, ours) = both::<api::ListDraftsResponse, drafts::DraftList>("drafts-list");
    let theirs = theirs.drafts.unwrap();
    assert_eq!(theirs[0].id.as_deref(), Some(ours.drafts[0].id.as_str()));
}

#[test]
fn what_theirs_cannot_read_ours_can() {
    // A history id of 21 digits is beyond 64 bits.
    let text = recorded("history-after-modify").to_string();
    assert!(serde_json::from_str::<api::ListHistoryResponse>(&text).is_err());
    assert!(serde_json::from_str::<history::HistoryPage>(&text).is_ok());
    // Content without padding.
    let text = r#"{"data":"aGVsbG8","size":5}"#;
    assert!(serde_json::from_str::<api::MessagePartBody>(text).is_err());
    let ours: messages::PartBody = serde_json::from_str(text).unwrap();
    assert_eq!(
        atlas_connectors_gmail::base64::decode(&ours.data.unwrap()).unwrap(),
        b"hello"
    );
}

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

fn tokens(granted: &[&str]) -> Arc<dyn TokenSource> {
    let connection = ConnectionRef {
        tenant: "acme".into(),
        connection: ConnectionId::random(),
        epoch: Epoch::FIRST,
        provider: atlas_connectors_gmail::provider(),
    };
    let scopes = ScopeSet::parse(&granted.join(" "));
    Arc::new(Fixed(connection, AccessToken::new("test".into(), scopes, 1)))
}

#[tokio::test]
async fn a_hub_is_for_reading_only() {
    let endpoints = Endpoints::google().unwrap();
    assert!(
        hub::read_only(tokens(&["openid", "email", scopes::READONLY]), &endpoints)
            .await
            .is_ok()
    );
    for wider in [
        scopes::SEND,
        scopes::MODIFY,
        scopes::COMPOSE,
        scopes::LABELS,
        scopes::FULL,
    ] {
        let refused = hub::read_only(tokens(&[scopes::READONLY, wider]), &endpoints).await;
        assert_eq!(refused.err().unwrap().code(), "unsupported", "{wider}");
    }
}
