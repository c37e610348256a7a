//! The mailbox of the emulated Google: contract, full sync, and every mail of the corpus byte for byte.

use atlas_connectors::Identity;
use atlas_connectors::mail::{Message, ParseOptions};
use atlas_connectors::testkit::suites;
use atlas_connectors_gmail::TRUSTED_SERVER;
use atlas_connectors_tests::peer::OPS;
use atlas_connectors_tests::shared;

use super::google;

#[tokio::test]
#[ignore = "needs ATLAS_PEER_GOOGLE, see .ci/run"]
async fn the_contract_of_mailbox_holds() {
    let google = google().await;
    let mailbox = google.mailbox().unwrap();
    let identity = Identity {
        subject: "ops".into(),
        address: Some(OPS.into()),
        tenant: None,
    };
    suites::mailbox(&mailbox, &identity, &google).await.unwrap();
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_GOOGLE, see .ci/run"]
async fn the_whole_mailbox_is_synced_and_the_corpus_is_what_it_was() {
    let google = google().await;
    let folder = tempfile::tempdir().unwrap();
    let host = google.host(folder.path()).unwrap();
    let connection = google.sign_in(&host, None, OPS).await.unwrap().connection;
    let account = host.account(&connection.connection).await.unwrap();

    let report = host.sync(&account).await.unwrap();
    assert!(report.coverage.is_complete());
    assert_eq!(report.counts.failed, 0);
    let mut expected = google.ids(None).await.unwrap();
    let drafts = google.ids(Some("DRAFT")).await.unwrap();
    expected.retain(|id| !drafts.contains(id));
    assert!(expected.len() > 300, "the peer has {} messages", expected.len());
    let inbox = host.inbox(&connection);
    for id in &expected {
        assert!(
            inbox.message(&id.as_str().into()).await.unwrap().is_some(),
            "{id} was not synced"
        );
    }
    assert_eq!(inbox.counts().await.unwrap().messages, expected.len() as u64);
    let again = host.sync(&account).await.unwrap();
    assert!(again.coverage.is_complete());
    assert_eq!(
        inbox.counts().await.unwrap().messages,
        expected.len() as u64,
        "a second sync adds nothing"
    );

    // The peer numbers the files in the order of their names, from 1.
    let corpus = shared::folder()
        .expect("the peer was given the corpus of the shared folder")
        .join("fixtures/mime");
    let mut files: Vec<_> = std::fs::read_dir(corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    assert_eq!(google.ids(Some("Label_4")).await.unwrap().len(), files.len());
    assert!(files.len() >= 80, "{} files", files.len());
    for (number, path) in files.iter().enumerate() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let id = format!("{:x}", 0x1a00_0000_0000_0000_u64 + number as u64 + 1).into();
        let bytes = std::fs::read(path).unwrap();
        let fetched = account.mailbox.gmail().raw_message(&id).await.unwrap();
        assert!(fetched == bytes, "{name} is not the same byte for byte");
        let synced = inbox.message(&id).await.unwrap().unwrap();
        let parsed = Message::parse_with(synced.meta.clone(), &bytes, &ParseOptions::trusting([TRUSTED_SERVER]));
        let (synced, parsed) = (
            serde_json::to_value(&synced).unwrap(),
            serde_json::to_value(&parsed).unwrap(),
        );
        for (field, value) in parsed.as_object().unwrap() {
            assert!(synced.get(field) == Some(value), "{name} differs in {field}");
        }
    }
}
