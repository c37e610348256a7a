//! `atlas`: mailboxes and ERPs on the command line, on the library's public API.

mod approvals;
mod args;
mod erp;
mod exit;
mod failure;
mod mailbox;
mod outbox;
mod render;
mod session;

use std::process::ExitCode;
use std::time::Duration;

use atlas_connectors::sync::SyncSettings;
use atlas_connectors::{Clock as _, SystemClock};
use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Command, Mailbox};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::{Purpose, Session};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime
        .map_err(Failure::file("cannot start"))
        .and_then(|runtime| runtime.block_on(run(cli)));
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if json {
                atlas_connectors_examples::ui::Ui::new().line(format_args!("{:#}", failure.json()));
            } else {
                failure.tell();
            }
            failure.exit().into()
        }
    }
}

async fn run(cli: Cli) -> Result<Exit, Failure> {
    if let Some(level) = &cli.global.log {
        let filter = EnvFilter::try_new(level).map_err(|_| Failure::Usage(format!("--log {level} is no level")))?;
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .init();
    }
    let mut sync = SyncSettings::default();
    if let Command::Mailbox(Mailbox::Sync { days: Some(days), .. }) = &cli.command {
        sync.since = Some(
            SystemClock
                .now()
                .before(Duration::from_secs(u64::from(*days) * 24 * 3600)),
        );
    }
    let purpose = match &cli.command {
        Command::Mailbox(_) => Purpose::Mail,
        Command::Erp(_) => Purpose::Erp,
        Command::Approvals(_) | Command::Outbox(_) => Purpose::Any,
    };
    let session = Session::open(&cli.global, purpose, sync).await?;
    match &cli.command {
        Command::Mailbox(command) => mailbox::run(&session, command).await,
        Command::Erp(command) => erp::run(&session, command).await,
        Command::Approvals(command) => approvals::run(&session, command).await,
        Command::Outbox(command) => outbox::run(&session, command).await,
    }
}
