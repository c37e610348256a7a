//! The behaviour suite of mailboxes against Gmail: real HTTP, the mock behind it, once for each set of scopes people grant.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use atlas_connectors::mail::{Mailbox as _, MailboxCapabilities};
use atlas_connectors::testkit::suites;
use atlas_connectors_gmail::mock::{Google, GooglePeer, USER};
use atlas_connectors_gmail::scopes;

mod live;

/// Runs the suite, having made sure that the scopes give what the test is about.
async fn behaves(google: &Google, granted: &[&str], expected: [bool; 6]) {
    let mailbox = live::gmail(google, &live::connection(), granted)
        // Small pages, so that listings and searches have several.
        .with_page_size(3)
        .mailbox()
        .unwrap();
    assert_eq!(flags(mailbox.capabilities()), expected, "{granted:?}");
    let peer = GooglePeer::new(google, USER);
    if let Err(violation) = suites::mailbox(&mailbox, &peer.identity(), &peer).await {
        panic!("with {granted:?}: {violation}");
    }
}

/// Read, search, organize, draft, send, reconcile.
fn flags(can: MailboxCapabilities) -> [bool; 6] {
    [can.read, can.search, can.organize, can.draft, can.send, can.reconcile]
}

const READ: [bool; 6] = [true, true, false, false, false, false];
const ALL: [bool; 6] = [true; 6];

#[tokio::test]
async fn with_reading_alone() {
    behaves(&Google::start().await, &[scopes::READONLY], READ).await;
}

#[tokio::test]
async fn with_reading_and_sending() {
    let expected = [true, true, false, false, true, false];
    behaves(&Google::start().await, &[scopes::READONLY, scopes::SEND], expected).await;
}

#[tokio::test]
async fn with_reading_and_composing() {
    let expected = [true, true, false, true, true, true];
    behaves(&Google::start().await, &[scopes::READONLY, scopes::COMPOSE], expected).await;
}

#[tokio::test]
async fn with_modifying() {
    behaves(&Google::start().await, &[scopes::MODIFY], ALL).await;
}

#[tokio::test]
async fn with_the_whole_mailbox() {
    behaves(&Google::start().await, &[scopes::FULL], ALL).await;
}

#[tokio::test]
async fn with_sending_alone() {
    let expected = [false, false, false, false, true, false];
    behaves(&Google::start().await, &[scopes::SEND], expected).await;
}

/// Drafts can be looked at, sent mail cannot.
#[tokio::test]
async fn with_composing_alone() {
    let expected = [false, false, false, true, true, true];
    behaves(&Google::start().await, &[scopes::COMPOSE], expected).await;
}

/// As some accounts have it: the `Message-ID` is ours, the history repeats itself and has empty pages.
#[tokio::test]
async fn with_the_habits_of_other_accounts() {
    let google = Google::builder().keep_message_ids().start().await;
    google.mailbox(USER).set_empty_history_pages(true);
    google.mailbox(USER).set_repeated_history(true);
    behaves(&google, &[scopes::MODIFY], ALL).await;
}
