//! The mail of the operations desk, as a reader gets it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::{BTreeMap, BTreeSet};

use atlas_connectors_gmail::mock::{Google, USER, operations};

mod support;
use support::Http;

#[tokio::test]
async fn the_desk_has_threads_files_languages_and_a_question_that_waits() {
    let google = Google::start().await;
    let inbox = google.mailbox(USER);
    let ids = inbox.deliver_all(&operations());
    let kept: Vec<_> = ids.iter().map(|id| inbox.message(id).unwrap()).collect();
    assert!(kept.len() >= 28, "{} mails", kept.len());

    let mut threads: BTreeMap<&str, usize> = BTreeMap::new();
    for mail in &kept {
        *threads.entry(&mail.thread_id).or_default() += 1;
        assert!(mail.header("Message-ID").is_some() && mail.header("Date").is_some());
        let text = String::from_utf8_lossy(&mail.raw);
        for (at, _) in text.match_indices('@') {
            let domain: String = text[at + 1..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || ".-".contains(*c))
                .collect();
            assert!(
                !domain.contains('.') || domain.trim_end_matches('.').ends_with(".example"),
                "{domain}"
            );
        }
    }
    assert!(threads.values().filter(|messages| **messages >= 2).count() >= 6);
    assert!(threads.values().any(|messages| *messages == 4));

    let newest = inbox.labelled("INBOX").pop().unwrap();
    assert_eq!(newest.subject(), "Re: PO 48213: 40 brackets short");
    assert_eq!(threads[newest.thread_id.as_str()], 3);

    let subjects: BTreeSet<String> = kept.iter().map(|mail| mail.subject()).collect();
    for subject in [
        "見積依頼: ステンレスブラケット 300個",
        "Potwierdzenie zamówienia 7781: śruby M8",
        "Sollecito: fattura 318 già scaduta",
        "Commande 9902 : délai de livraison",
        "Delivery Status Notification (Failure)",
        "Automatic reply: RFQ 4471",
        "[fair] Newsletter",
    ] {
        assert!(subjects.contains(subject), "{subject} of {subjects:?}");
    }

    let http = Http::to(&google).with_token(&google.access_token(USER, &["gmail.readonly"]));
    let labels = http.get("/gmail/v1/users/me/labels").await;
    let named = |name: &str| {
        labels["labels"]
            .as_array()
            .unwrap()
            .iter()
            .any(|label| label["name"] == name)
    };
    assert!(named("Suppliers") && named("Invoices") && named("Complaints"));
    let files = http.get("/gmail/v1/users/me/messages?q=has:attachment").await;
    assert_eq!(files["messages"].as_array().unwrap().len(), 3);
}
