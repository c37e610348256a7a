//! Figures as ratios, in one table: `cargo run --release -p atlas-connectors-benches [-- --quick] [NAME…]`.
//!
//! Nothing is asserted about time: the table says what was wanted, and people judge. `--quick` runs small sizes, so that the
//! measuring itself cannot rot. Names are in [`NAMES`]; all by default.

mod decode;
mod erp_odata;
mod erp_peers;
mod erp_rows;
mod erp_writers;
mod governor;
mod mailbox;
mod memory;
mod outbox;
mod sync;
mod table;
mod tokens;
mod watched;
mod world;

use std::io::Write as _;
use std::process::ExitCode;

use table::Figure;
use world::Failure;

const NAMES: [&str; 10] = [
    "sync", "decode", "governor", "memory", "tokens", "outbox", "odata", "rows", "peers", "writers",
];

fn main() -> ExitCode {
    match run() {
        Ok(text) => match writeln!(std::io::stdout(), "{text}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            // Without a place to write to, the exit code alone has to tell.
            let _ = writeln!(std::io::stderr(), "benches: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments.as_slice() {
        [first, base, token, folder] if first == memory::CHILD => {
            return runtime.block_on(memory::child(base, token, folder));
        }
        [first, records] if first == erp_rows::SERVE => return runtime.block_on(erp_rows::serve(records.parse()?)),
        [first, base] if first == erp_rows::READ => {
            // One thread, so that what it does in a second is what a core does.
            let one = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            return one.block_on(erp_rows::read(base));
        }
        [first, what, base, rounds] if first == erp_peers::READ => {
            let one = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            return one.block_on(erp_peers::read(what, base, rounds.parse()?));
        }
        _ => {}
    }
    let (flags, names): (Vec<&str>, Vec<&str>) = arguments
        .iter()
        .map(String::as_str)
        .partition(|argument| argument.starts_with('-'));
    if let Some(unknown) = flags.iter().find(|flag| **flag != "--quick") {
        return Err(format!("{unknown} is not known; there is --quick").into());
    }
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(name)) {
        return Err(format!("{unknown} is not known; there are {}", NAMES.join(", ")).into());
    }
    let quick = !flags.is_empty();
    let mut figures = Vec::new();
    for name in NAMES {
        if names.is_empty() || names.contains(&name) {
            let more = runtime.block_on(measure(name, quick));
            figures.extend(more.map_err(|error| format!("{name}: {error}"))?);
        }
    }
    Ok(table::rendered(&figures))
}

async fn measure(name: &str, quick: bool) -> Result<Vec<Figure>, Failure> {
    match name {
        "sync" => Box::pin(sync::measure(quick)).await,
        "decode" => Box::pin(decode::measure(quick)).await,
        "governor" => Box::pin(governor::measure(quick)).await,
        "memory" => Box::pin(memory::measure(quick)).await,
        "rows" => Box::pin(erp_rows::measure(quick)).await,
        "tokens" => Box::pin(tokens::measure(quick)).await,
        "odata" => erp_odata::measure(quick),
        "peers" => Box::pin(erp_peers::measure(quick)).await,
        "writers" => Box::pin(erp_writers::measure()).await,
        _ => Box::pin(outbox::measure(quick)).await,
    }
}
