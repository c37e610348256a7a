//! Every request this crate can build that does not send mail, against its golden form.
//!
//! Method, path and parameters are those of the Gmail discovery document, revision 20261005.

#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]

use atlas_connectors::http::{Call, CallClass};
use atlas_connectors::{LabelId, MessageId};
use atlas_connectors_gmail::wire::drafts::{self, ListDrafts};
use atlas_connectors_gmail::wire::history::{self, HistoryType, ListHistory};
use atlas_connectors_gmail::wire::messages::{self, Format, ListMessages};
use atlas_connectors_gmail::wire::send::{Body, JSON_MAX, UPLOAD_MAX};
use atlas_connectors_gmail::wire::watch::{self, LabelFilterBehavior, Watch};
use atlas_connectors_gmail::wire::{Api, HistoryId, Method, attachments, labels, profile, settings, threads};
use atlas_connectors_gmail::{Endpoints, Tariff, scopes};

fn api() -> Api {
    Api::new(Endpoints::google().unwrap(), Tariff::default())
}

/// `GET /path?query body`, without what never changes.
fn shown(call: &Call) -> String {
    let target = call.request.uri().path_and_query().unwrap().as_str();
    let target = target
        .replace("/gmail/v1/users/me", "~")
        .replace("&prettyPrint=false", "")
        .replace("?prettyPrint=false", "");
    let body = String::from_utf8(call.request.body().to_vec()).unwrap();
    format!("{} {target} {body}", call.request.method())
        .trim_end()
        .to_owned()
}

fn listing() -> ListMessages {
    let mut wanted = ListMessages::default();
    wanted.q = Some("from:\"jana\" after:1".into());
    wanted.label_ids = vec!["INBOX".into(), "Label_1".into()];
    wanted.include_spam_trash = true;
    wanted.max_results = Some(9_999);
    wanted.page_token = Some(atlas_connectors::PageToken::new("a b"));
    wanted
}

fn history() -> ListHistory {
    let mut wanted = ListHistory::after(HistoryId::new("179531567101201590701"));
    wanted.types = vec![HistoryType::MessageAdded, HistoryType::LabelRemoved];
    wanted.max_results = Some(500);
    wanted
}

fn watching() -> Watch {
    let mut wanted = Watch::everything("projects/p/topics/t");
    wanted.labels = vec!["SPAM".into()];
    wanted.behavior = LabelFilterBehavior::Exclude;
    wanted
}

#[test]
fn requests_are_as_in_googles_reference() {
    let api = api();
    let (m, t, l, d) = ("m1".into(), "t1".into(), LabelId::new("Label_1"), "r-1".into());
    let (inbox, add) = ([LabelId::new("INBOX")], [LabelId::new("Label_1")]);
    let ids = [MessageId::new("m1"), MessageId::new("m2")];
    let table = [
        (profile::get(&api), "GET ~/profile"),
        (messages::list(&api, &ListMessages::default()), "GET ~/messages"),
        (
            messages::list(&api, &listing()),
            "GET ~/messages?q=from%3A%22jana%22+after%3A1&labelIds=INBOX&labelIds=Label_1&includeSpamTrash=true&maxResults=500&pageToken=a+b",
        ),
        (
            messages::get(&api, &m, Format::Raw, &[]),
            "GET ~/messages/m1?format=raw",
        ),
        (
            messages::get(&api, &m, Format::Metadata, &["To", "X-Atlas-Intent"]),
            "GET ~/messages/m1?format=metadata&metadataHeaders=To&metadataHeaders=X-Atlas-Intent",
        ),
        (
            messages::modify(&api, &m, &add, &inbox),
            r#"POST ~/messages/m1/modify {"addLabelIds":["Label_1"],"removeLabelIds":["INBOX"]}"#,
        ),
        (
            messages::batch_modify(&api, &ids, &[], &inbox),
            r#"POST ~/messages/batchModify {"ids":["m1","m2"],"removeLabelIds":["INBOX"]}"#,
        ),
        (messages::trash(&api, &m), "POST ~/messages/m1/trash"),
        (messages::untrash(&api, &m), "POST ~/messages/m1/untrash"),
        (
            attachments::get(&api, &m, "ANG-j_1"),
            "GET ~/messages/m1/attachments/ANG-j_1",
        ),
        (threads::list(&api, &ListMessages::default()), "GET ~/threads"),
        (
            threads::get(&api, &t, Format::Full, &[]),
            "GET ~/threads/t1?format=full",
        ),
        (
            threads::modify(&api, &t, &add, &[]),
            r#"POST ~/threads/t1/modify {"addLabelIds":["Label_1"]}"#,
        ),
        (threads::trash(&api, &t), "POST ~/threads/t1/trash"),
        (threads::untrash(&api, &t), "POST ~/threads/t1/untrash"),
        (
            history::list(&api, &history()),
            "GET ~/history?startHistoryId=179531567101201590701&historyTypes=messageAdded&historyTypes=labelRemoved&maxResults=500",
        ),
        (labels::list(&api), "GET ~/labels"),
        (labels::get(&api, &l), "GET ~/labels/Label_1"),
        (
            labels::create(&api, "Orders/New"),
            r#"POST ~/labels {"name":"Orders/New"}"#,
        ),
        (
            labels::rename(&api, &l, "Old"),
            r#"PATCH ~/labels/Label_1 {"name":"Old"}"#,
        ),
        (labels::delete(&api, &l), "DELETE ~/labels/Label_1"),
        (
            drafts::create(&api, b"mail", Some(&t), Body::BySize),
            r#"POST ~/drafts {"message":{"raw":"bWFpbA==","threadId":"t1"}}"#,
        ),
        (
            drafts::update(&api, &d, b"mail", None, Body::Json),
            r#"PUT ~/drafts/r-1 {"message":{"raw":"bWFpbA=="}}"#,
        ),
        (
            drafts::create(&api, b"mail", None, Body::Media),
            "POST /upload~/drafts?uploadType=media mail",
        ),
        (drafts::list(&api, &ListDrafts::default()), "GET ~/drafts"),
        (drafts::get(&api, &d, Format::Raw), "GET ~/drafts/r-1?format=raw"),
        (drafts::delete(&api, &d), "DELETE ~/drafts/r-1"),
        (settings::send_as(&api), "GET ~/settings/sendAs"),
        (settings::vacation(&api), "GET ~/settings/vacation"),
        (
            watch::watch(&api, &watching()),
            r#"POST ~/watch {"topicName":"projects/p/topics/t","labelIds":["SPAM"],"labelFilterBehavior":"exclude"}"#,
        ),
        (watch::stop(&api), "POST ~/stop"),
    ];
    for (call, expected) in table {
        let call = call.unwrap();
        assert_eq!(shown(&call), expected);
        assert_eq!(call.request.uri().host(), Some("gmail.googleapis.com"));
        // Whatever is not a GET is requested at most once.
        let is_read = call.request.method() == http::Method::GET;
        assert_eq!(call.class == CallClass::Read, is_read, "{expected}");
        assert!(call.cost > 0 && !call.any_scope.is_empty(), "{expected}");
        let names_a_secret = format!("{call:?}").contains("mail");
        assert!(!names_a_secret || call.operation.contains("mail"), "{call:?}");
    }
}

#[test]
fn large_mail_goes_as_upload_and_too_large_mail_not_at_all() {
    let api = api();
    let thread = "t1".into();
    let large = vec![b'a'; JSON_MAX + 1];
    let call = drafts::create(&api, &large, Some(&thread), Body::BySize).unwrap();
    let path = call.request.uri().path_and_query().unwrap().as_str();
    assert_eq!(path, "/upload/gmail/v1/users/me/drafts?uploadType=multipart");
    let head = String::from_utf8(call.request.body()[..200].to_vec()).unwrap();
    let boundary = head.split("\r\n").next().unwrap().to_owned();
    let content_type = call.request.headers()["content-type"].to_str().unwrap();
    assert_eq!(content_type, format!("multipart/related; boundary={}", &boundary[2..]));
    let expected = "\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{\"message\":{\"threadId\":\"t1\"}}\r\n";
    assert!(head.starts_with(&format!("{boundary}{expected}")), "{head}");
    assert!(
        call.request
            .body()
            .ends_with(format!("\r\n{boundary}--\r\n").as_bytes())
    );

    // Media has no place for the thread.
    let call = drafts::create(&api, b"mail", Some(&thread), Body::Media).unwrap();
    assert!(call.request.uri().query().unwrap().contains("multipart"));
    let too_large = vec![b'a'; UPLOAD_MAX + 1];
    assert_eq!(
        drafts::create(&api, &too_large, None, Body::BySize).unwrap_err().code(),
        "invalid"
    );
    assert_eq!(
        drafts::create(&api, b"", None, Body::BySize).unwrap_err().code(),
        "invalid"
    );
}

#[test]
fn arguments_that_cannot_be_sent_are_refused_before_the_network() {
    let api = api();
    let many: Vec<MessageId> = (0..1_001).map(|n| MessageId::new(n.to_string())).collect();
    let labels: Vec<LabelId> = (0..101).map(|n| LabelId::new(n.to_string())).collect();
    let one = [LabelId::new("INBOX")];
    let refused = [
        messages::get(&api, &"".into(), Format::Full, &[]),
        messages::get(&api, &"..".into(), Format::Full, &[]),
        messages::modify(&api, &"m1".into(), &[], &[]),
        messages::modify(&api, &"m1".into(), &labels, &[]),
        messages::batch_modify(&api, &many, &one, &[]),
        messages::batch_modify(&api, &[], &one, &[]),
        threads::get(&api, &"t1".into(), Format::Raw, &[]),
        labels::create(&api, "  "),
        watch::watch(&api, &Watch::everything("t")),
    ];
    for call in refused {
        assert_eq!(call.unwrap_err().code(), "invalid");
    }
}

/// The contract of each method: may it be repeated, and which scope is the narrowest that opens it.
#[test]
fn every_method_says_whether_it_may_be_repeated_and_what_opens_it() {
    for method in Method::ALL {
        let name = method.name();
        let verb = name.rsplit('.').next().unwrap();
        let reads = matches!(verb, "getProfile" | "list" | "get" | "getVacation");
        assert_eq!(method.class() == CallClass::Read, reads, "{name}");
        let opened_by_sending = scopes::required(*method).contains(&scopes::SEND.into());
        assert_eq!(opened_by_sending, name == "gmail.messages.send", "{name}");
        let opened_by_reading = scopes::required(*method).contains(&scopes::READONLY.into());
        let may_read = reads || matches!(verb, "watch" | "stop");
        assert_eq!(opened_by_reading, may_read, "{name}");
    }
}
