//! Does a sync of a hundred times the mail need more memory? Each in a process of its own, the server in this one.

use std::path::Path;
use std::process::Stdio;

use crate::table::Figure;
use crate::world::{self, Failure};

/// The hidden argument by which this program is its own child.
pub(crate) const CHILD: &str = "--sync-and-tell-peak";

/// Peak memory of a sync of a small and of a large mailbox.
pub(crate) async fn measure(quick: bool) -> Result<Vec<Figure>, Failure> {
    let (small, large) = if quick { (100, 1_000) } else { (1_000, 100_000) };
    let low = peak(small).await?;
    let high = peak(large).await?;
    let name = format!("peak memory of a sync of {large} messages");
    let figure = match (low, high) {
        (Some(low), Some(high)) => Figure::new(name, mib(high), "<= 32 MiB more").against(
            format!("{small} messages: {}", mib(low)),
            format!("{:+.1} MiB", (high as f64 - low as f64) / 1024.0),
        ),
        _ => Figure::new(name, "not measured on this system", "<= 32 MiB more"),
    };
    Ok(vec![figure])
}

/// What the child does: sync, and print its peak in KiB.
pub(crate) async fn child(base: &str, token: &str, folder: &str) -> Result<String, Failure> {
    let engine = world::engine(world::network()?, base, token, &Path::new(folder).join("mail.db"))?;
    let report = engine.sync_now().await?;
    let peak = peak_of_this_process().map_or_else(|| "-".to_owned(), |kib| kib.to_string());
    Ok(format!("{} {peak}", report.counts.stored))
}

async fn peak(messages: u64) -> Result<Option<u64>, Failure> {
    let (google, token) = world::google(messages).await;
    let folder = tempfile::tempdir()?;
    let output = tokio::process::Command::new(std::env::current_exe()?)
        .args([CHILD, google.uri(), &token])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await?;
    let told = String::from_utf8_lossy(&output.stdout);
    let (stored, peak) = told.trim().split_once(' ').ok_or("the child told nothing")?;
    if stored.parse() != Ok(messages) {
        return Err(format!("the child stored {stored} messages of {messages}").into());
    }
    Ok(peak.parse().ok())
}

/// In KiB; `None` where the system does not tell by file.
pub(crate) fn peak_of_this_process() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}
