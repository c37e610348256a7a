//! A child process of the tests: reads its [`Job`] from a file, does it, and may be told to die on the way.

use std::process::ExitCode;
use std::time::Duration;

use atlas_connectors::action::{IntentState, Outcome, Proposal};
use atlas_connectors::testkit::CrashPoint;
use atlas_connectors::{ActorId, Clock as _, SystemClock};
use atlas_connectors_tests::job::{AUTHOR, Job, KEY, REVIEWER};

type Done = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let ended = std::env::args()
        .nth(1)
        .ok_or("no job named".into())
        .and_then(|path| run(&path));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent shows it when the test fails.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("worker: {error:?}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn run(path: &str) -> Done {
    let job: Job = serde_json::from_slice(&std::fs::read(path)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(work(job))
}

async fn work(job: Job) -> Done {
    match job {
        Job::Send {
            place,
            connection,
            mail,
            crash,
        } => {
            if let Some((point, nth)) = crash {
                CrashPoint::from_name(&point)
                    .ok_or("no such crash point")?
                    .abort_process_at(nth);
            }
            let host = place.host()?;
            let (tenant, outbox) = (host.tenant(), host.outbox());
            outbox.recover(None).await?;
            let proposal = Proposal::new(&connection, AUTHOR, KEY);
            let outcome = outbox.gate().propose(proposal, mail).await?;
            if let Outcome::Held { intent, review } = &outcome {
                outbox
                    .gate()
                    .approve(tenant, intent, &ActorId::new(REVIEWER), &review.digest)
                    .await?;
            }
            // A lease of the process before may still run, and an unclear send has its quiet period.
            for _ in 0..200 {
                outbox.drain().await?;
                let intent = outbox.gate().intent(tenant, outcome.intent()).await?;
                if matches!(
                    intent.state,
                    IntentState::Sent | IntentState::NotSent | IntentState::Uncertain | IntentState::Cancelled
                ) {
                    for event in outbox.events(10).await? {
                        outbox.acknowledge(tenant, &event).await?;
                    }
                    return Ok(());
                }
                SystemClock.sleep(Duration::from_millis(25)).await;
            }
            Err("the intent did not come to an end".into())
        }
        Job::Tokens {
            place,
            connection,
            tasks,
        } => {
            let host = place.host()?;
            let account = host.account(&connection.connection).await?;
            let mut asking = tokio::task::JoinSet::new();
            for _ in 0..tasks {
                let tokens = account.tokens.clone();
                asking.spawn(async move {
                    atlas_connectors::credential::TokenSource::token(&tokens)
                        .await
                        .map(|_| ())
                });
            }
            while let Some(asked) = asking.join_next().await {
                asked??;
            }
            Ok(())
        }
    }
}
