//! No credential and no business data of three ERPs in any log at trace level or database file, while reads, writes, lost answers,
//! conflicts and refusals go on.

#![allow(clippy::unwrap_used, reason = "a failing helper fails its test")]

#[path = "secrets/capture.rs"]
mod capture;

use atlas_connectors_erp::mock::{entra, sap};
use atlas_connectors_examples::erp_story::play;
use atlas_connectors_tests::canary::Canaries;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_three_erps_is_left_in_logs_or_in_the_store() {
    capture::start();
    let folder = tempfile::tempdir().unwrap();
    let played = Box::pin(play(folder.path())).await.unwrap();
    assert_eq!(played.columns.len(), 3);

    let mut canaries = Canaries::new();
    for (name, secret) in [
        ("SAP password", sap::PASSWORD),
        ("Entra client secret", entra::CLIENT_SECRET),
        ("name of a customer in Odoo", "Acme Corporation"),
        ("name of a customer in SAP", "Precision Parts GmbH"),
        ("name of a customer in Business Central", "Adatum Corporation"),
        ("what Odoo says to people", "The operation cannot be completed"),
        ("what SAP says to people", "Enter the sold-to party"),
    ] {
        canaries.add(name, secret.as_bytes());
    }

    let log = capture::captured();
    let mut sinks = vec![("log".to_owned(), log.clone())];
    drop(played);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        sinks.push((path.display().to_string(), std::fs::read(path).unwrap()));
    }
    let leaks: Vec<String> = sinks
        .iter()
        .flat_map(|(sink, bytes)| canaries.search(sink, bytes))
        .map(|leak| leak.to_string())
        .collect();
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));

    // What was searched is worth searching: spans of each connector, and a store in which the story was kept.
    for operation in ["odoo.", "sap.", "business_central."] {
        let said = log.windows(operation.len()).any(|part| part == operation.as_bytes());
        assert!(said, "no log of {operation}");
    }
    let stored: usize = sinks.iter().skip(1).map(|(_, bytes)| bytes.len()).sum();
    assert!(stored > 20_000, "only {stored} bytes of the store were searched");
}
