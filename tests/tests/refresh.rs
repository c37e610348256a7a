//! One refresh for all: 1,000 tasks in 8 processes on one expired credential.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing helper fails its test"
)]

use atlas_connectors::oauth::Workflow;
use atlas_connectors_gmail::mock::Google;
use atlas_connectors_tests::job::Job;
use atlas_connectors_tests::world::World;
use futures_util::future::join_all;

const WORKER: &str = env!("CARGO_BIN_EXE_worker");
const PROCESSES: usize = 8;
const TASKS: usize = 125;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_in_eight_processes_make_one_token_call() {
    // The first token is over as soon as it is there; those after it live for an hour.
    let google = Google::builder().expires_in(std::time::Duration::ZERO).start().await;
    let world = World::new(google).await.unwrap();
    let connection = world.connect(&[Workflow::Triage]).await.unwrap();
    world.google.set_expires_in(std::time::Duration::from_secs(3600));
    // Slow enough that every process arrives while the call is on its way.
    world
        .google
        .faults()
        .latency_of("oauth.token", std::time::Duration::from_millis(1500));

    let job = Job::Tokens {
        place: world.place.clone(),
        connection,
        tasks: TASKS,
    };
    let names: Vec<String> = (0..PROCESSES).map(|n| format!("tokens-{n}")).collect();
    let ended = join_all(names.iter().map(|name| world.run(WORKER, name, &job))).await;
    for output in ended {
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(world.google.counters().refreshes, 1);
    assert_eq!(
        world.google.counters().token_calls,
        2,
        "one for the code, one for the refresh"
    );
}
