//! The story of three ERPs, as `cargo run -- erp` tells it, held against what the mocks have counted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

use atlas_connectors_examples::erp_story::{STEPS, play};
use atlas_connectors_examples::ui::Tone;

#[tokio::test(flavor = "multi_thread")]
async fn one_text_does_the_same_job_against_each() {
    let folder = tempfile::tempdir().unwrap();
    let played = play(folder.path()).await.unwrap();
    let titles: Vec<_> = played.columns.iter().map(|column| column.title).collect();
    assert_eq!(titles, ["Odoo 19", "SAP (OData V4)", "Business Central"]);
    for (column, stage) in played.columns.iter().zip(&played.stages) {
        assert_eq!(column.cells.len(), STEPS.len(), "{}", column.title);
        // One order of the job that was proposed twice, one of which the answer was lost.
        assert_eq!(stage.hand.purchase_orders(), 2, "{}", column.title);
        let refused = |step: &str| {
            let at = STEPS.iter().position(|known| *known == step).unwrap();
            assert_eq!(column.cells[at].tone, Tone::Warn, "{}: {step}", column.title);
            column.cells[at].text.as_str()
        };
        assert_eq!(refused("date under conflict"), "conflict", "{}", column.title);
        assert_eq!(refused("delete"), "policy never-delete", "{}", column.title);
        assert_eq!(refused("change as a reader"), "permission_denied", "{}", column.title);
        assert_eq!(refused("order for nobody"), "rejected", "{}", column.title);
        assert_eq!(
            refused("expect too much"),
            "paused: 1 field missing",
            "{}",
            column.title
        );
        assert!(column.fault.contains("loyaltyPoints is missing"), "{}", column.fault);
        assert!(column.review.contains("create"), "{}", column.review);
        assert!(!column.refusal.is_empty(), "{}", column.title);
    }
    // Nothing else was changed in any of them: two orders, and in Odoo their lines apart.
    let effects: Vec<u64> = played.stages.iter().map(|stage| stage.hand.effects()).collect();
    assert_eq!(effects, [4, 2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_of_the_story_is_in_its_store() {
    let folder = tempfile::tempdir().unwrap();
    play(folder.path()).await.unwrap();
    let mut held = Vec::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        held.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    assert!(held.len() > 10_000, "the store was looked at");
    for secret in ["admin-key", "limited-key", "Welcome#2026", "mock-entra-not-a-secret"] {
        let found = held.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}
