//! Answers as they were recorded from emulate 0.12.2 (2026-11-22), and the shapes Gmail's documentation and issue threads
//! tell of, decoded.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing helper fails its test"
)]

use atlas_connectors::LabelId;
use atlas_connectors::mail::{LabelKind, MailChange};
use atlas_connectors_gmail::base64;
use atlas_connectors_gmail::wire::drafts::{DraftList, DraftResource};
use atlas_connectors_gmail::wire::history::{self, HistoryPage};
use atlas_connectors_gmail::wire::labels::LabelList;
use atlas_connectors_gmail::wire::messages::{MessageList, MessageResource};
use atlas_connectors_gmail::wire::profile::Profile;
use atlas_connectors_gmail::wire::settings::{SendAsList, Vacation, VerificationStatus};
use atlas_connectors_gmail::wire::threads::{ThreadList, ThreadResource};
use atlas_connectors_gmail::wire::watch::Watching;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn recorded<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/tests/recorded/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let mut case: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    drop_cuts(&mut case);
    decoded(&case["response"]["body"])
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

fn decoded<T: DeserializeOwned>(body: &Value) -> T {
    serde_json::from_str(&body.to_string()).unwrap()
}

#[test]
fn lists_are_read_with_and_without_their_key() {
    let page: MessageList = recorded("messages-list-page1");
    assert!(!page.messages.is_empty() && page.next_page_token.is_some());
    assert!(page.result_size_estimate.is_some());
    let empty: MessageList = recorded("messages-list-empty");
    assert!(empty.messages.is_empty());
    // gmail-list-empty: real Gmail leaves the key out.
    let empty: MessageList = decoded(&json!({"resultSizeEstimate": 0}));
    assert!(empty.messages.is_empty() && empty.next_page_token.is_none());
    let threads: ThreadList = recorded("threads-list");
    assert_eq!(threads.threads.len(), 2);
}

#[test]
fn messages_are_read_in_every_format() {
    let raw: MessageResource = recorded("message-get-raw");
    let text = String::from_utf8(raw.raw_bytes().unwrap()).unwrap();
    assert!(text.starts_with("From: Acme Operations <ops@acme-manufacturing.com>\r\n"));
    let meta = raw.meta().unwrap();
    assert_eq!(meta.received.to_string(), "2026-11-02T09:00:00Z");
    assert_eq!(meta.labels, [LabelId::new("SENT")]);

    let full: MessageResource = recorded("message-get-full");
    let data = full.payload.as_ref().unwrap().body.data.as_deref().unwrap();
    assert_eq!(base64::decode(data).unwrap(), b"Hi Jana, quote follows today.");
    let metadata: MessageResource = recorded("message-get-metadata");
    assert_eq!(
        metadata.header("MESSAGE-ID"),
        Some("<re-rfq-4471@acme-manufacturing.com>")
    );
    let minimal: MessageResource = recorded("message-get-minimal");
    assert!(minimal.payload.is_none());
    assert_eq!(minimal.raw_bytes().unwrap_err().code(), "schema_mismatch");

    let file: MessageResource = recorded("message-get-attachment");
    let part = file.payload.as_ref().unwrap().find("1").unwrap();
    assert!(part.body.attachment_id.is_some() && part.body.data.is_none());
    for shown in [format!("{full:?}"), format!("{raw:?}"), format!("{file:?}")] {
        assert!(
            !shown.contains("Jana") && !shown.contains("quote") && !shown.contains("Lars"),
            "{shown}"
        );
    }
}

#[test]
fn threads_labels_drafts_and_settings_are_read() {
    let thread: ThreadResource = recorded("thread-get-metadata");
    assert_eq!(
        thread.messages[0].header("subject"),
        Some("RFQ 4471: M8 stainless hex bolts")
    );
    let labels: LabelList = recorded("labels-list");
    let labels: Vec<atlas_connectors::mail::Label> = labels.labels.into_iter().map(Into::into).collect();
    let forums = labels
        .iter()
        .find(|label| label.id.as_str() == "CATEGORY_FORUMS")
        .unwrap();
    assert_eq!(forums.kind, LabelKind::System);
    let draft: DraftResource = recorded("draft-create");
    assert_eq!(draft.id.as_str(), "r-17953156767011983115879");
    let drafts: DraftList = recorded("drafts-list");
    assert_eq!(drafts.drafts[0].id, draft.id);
    let sent: MessageResource = recorded("draft-send");
    assert_eq!(sent.label_ids, [LabelId::new("SENT")]);
    let send_as: SendAsList = recorded("sendas");
    assert!(send_as.send_as[0].is_usable() && send_as.send_as[0].is_default);
    assert!(!format!("{send_as:?}").contains("ops@"));

    let aliases: SendAsList = decoded(&json!({"sendAs": [
        {"sendAsEmail": "sales@acme.example", "verificationStatus": "pending"},
        {"sendAsEmail": "old@acme.example", "verificationStatus": "brandNew"},
    ]}));
    assert_eq!(
        aliases.send_as[0].verification_status,
        Some(VerificationStatus::Pending)
    );
    assert!(aliases.send_as.iter().all(|alias| !alias.is_usable()));
    let vacation: Vacation = decoded(&json!({"enableAutoReply": true, "startTime": "1431990098200"}));
    assert!(vacation.enable_auto_reply && vacation.start_time == Some(1_431_990_098_200));
}

#[test]
fn long_numbers_come_as_text_or_as_numbers() {
    // gmail-watch-response: Google, push guide.
    let watching: Watching = decoded(&json!({"historyId": "1234567890", "expiration": "1431990098200"}));
    assert_eq!(watching.expiration.unix_millis(), 1_431_990_098_200);
    let watching: Watching = recorded("watch");
    assert_eq!(watching.history_id.as_str(), "179531567699606630428");
    let profile: Profile =
        decoded(&json!({"emailAddress": "ops@acme.example", "messagesTotal": "12", "historyId": 1710}));
    assert_eq!(
        (profile.messages_total, profile.history_id.as_str()),
        (Some(12), "1710")
    );
    assert!(!format!("{profile:?}").contains("ops@"));
}

#[test]
fn history_becomes_changes_in_order_without_repeats() {
    let page: HistoryPage = recorded("history-after-modify");
    let changes = history::changes(&page);
    let MailChange::Labels {
        message,
        added,
        removed,
    } = &changes[0]
    else {
        panic!("{changes:?}");
    };
    assert_eq!(message.id.as_str(), "18f0000000000001");
    assert_eq!(
        (added.as_slice(), removed.as_slice()),
        (
            [LabelId::new("Label_1")].as_slice(),
            [LabelId::new("UNREAD")].as_slice()
        )
    );

    // gmail-history-nothing-new (python-samples 200) and a page without history (lieer 24, 102, 120).
    let nothing: HistoryPage = decoded(&json!({"historyId": "1710"}));
    assert!(history::changes(&nothing).is_empty());

    // Made up on the schema of the discovery document: out of order, repeated, and gone within the same page.
    let message = |id: &str| json!({"message": {"id": id, "threadId": "t"}});
    let added = |id: &str, at: &str| json!({"id": at, "messagesAdded": [message(id)]});
    let page: HistoryPage = decoded(&json!({"historyId": "120", "history": [
        {"id": "110", "messagesDeleted": [message("m2")]},
        added("m1", "99"), added("m1", "99"), added("m2", "100"), added("m1", "101"),
        {"id": "102", "labelsAdded": [{"message": {"id": "m2", "threadId": "t"}, "labelIds": ["INBOX"]}]},
    ]}));
    let shown: Vec<String> = history::changes(&page)
        .iter()
        .map(|change| match change {
            MailChange::Present(message) => format!("+{}", message.id),
            MailChange::Labels { message, .. } => format!("~{}", message.id),
            MailChange::Deleted(message) => format!("-{}", message.id),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, ["+m1", "-m2"]);
}
