//! No secret in any log at trace level, error, `Debug` or database file, whatever goes wrong on the way.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing helper fails its test"
)]

#[path = "secrets/capture.rs"]
mod capture;
#[path = "secrets/spy.rs"]
mod spy;
#[path = "secrets/story.rs"]
mod story;

use atlas_connectors_tests::canary::{Canaries, forms};

use story::Story;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_leaves_through_a_log_an_error_debug_or_the_database() {
    capture::start();
    let story = Box::pin(Story::run()).await;

    let mut canaries = Canaries::new();
    for (name, secret) in story.secrets() {
        canaries.add(name, &secret);
    }
    let seen = story.kinds_of_secret();
    for kind in [
        "access token",
        "refresh token",
        "id token",
        "code",
        "verifier",
        "client secret",
        "state",
        "nonce",
        "sealing key",
        "mail body",
        "mail html",
        "attachment",
        "reply body",
        "search text",
        "provider's free text",
    ] {
        assert!(seen.contains(kind), "the story never had a {kind}");
    }

    let sinks = story.sinks();
    let bytes: usize = sinks.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut leaks: Vec<String> = sinks
        .iter()
        .flat_map(|(sink, bytes)| canaries.search(sink, bytes))
        .map(|leak| leak.to_string())
        .collect();
    leaks.sort();
    leaks.dedup();
    assert!(
        leaks.is_empty(),
        "{} leaks of {} secrets in {} bytes of {} sinks:\n{}",
        leaks.len(),
        canaries.len(),
        bytes,
        sinks.len(),
        leaks[..leaks.len().min(40)].join("\n")
    );

    // What was searched is worth searching: errors, log lines of ours and of others, the database.
    assert!(story.errors() >= 20, "only {} errors were seen", story.errors());
    assert!(canaries.len() >= 20 && canaries.spellings() > 500);
    let log = capture::captured();
    for target in ["atlas_connectors", "reqwest"] {
        let needle = target.as_bytes();
        assert!(
            log.windows(needle.len()).any(|part| part == needle),
            "no log of {target}"
        );
    }
    for file in ["atlas.db ", "atlas.db-wal "] {
        let found = sinks
            .iter()
            .any(|(sink, bytes)| sink.starts_with(file) && bytes.len() > 4_096);
        assert!(found, "{file}was not searched");
    }
    assert_eq!(story.sent(), 1, "the story ends with one mail");
}

#[test]
fn the_search_finds_a_planted_secret_in_every_form() {
    let secret = b"1//0gPlanted\"Secret\\with/odd+bytes=\xc3\xa9-and-length";
    let mut canaries = Canaries::new();
    canaries.add("planted", secret);
    let (left, right) = secret.split_at(secret.len() / 2);
    let mut planted = 0;
    for piece in [&secret[..], left, right] {
        for (form, spelling) in forms(piece) {
            let sink = [b"noise before ".as_slice(), &spelling, b" and after".as_slice()].concat();
            let leaks = canaries.search("sink", &sink);
            assert!(
                leaks.iter().any(|leak| leak.at == 13 && leak.secret == "planted"),
                "{form} was not found"
            );
            planted += 1;
        }
    }
    assert_eq!(planted, 45);

    // Base64 of a longer text in which the secret stands anywhere: the neighbours change, the middle is found.
    use base64::Engine as _;
    for before in ["", "u", "us", "user:", "Bearer "] {
        let text = [before.as_bytes(), secret, b"\r\n"].concat();
        for encoded in [
            base64::engine::general_purpose::STANDARD.encode(&text),
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&text),
        ] {
            assert!(
                !canaries.search("sink", encoded.as_bytes()).is_empty(),
                "behind {before:?}"
            );
        }
    }
    assert!(
        canaries
            .search("sink", b"1//0gPlante and other harmless text")
            .is_empty()
    );
}
