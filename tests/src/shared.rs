//! The shared folder: fixtures that may not be copied here and peers to test against.

use std::path::{Path, PathBuf};

/// The folder named by `ATLAS_SHARED`, or `../shared` beside the workspace; `None` where it is absent. Tests that need it must show as
/// ignored then, with [`REASON`]: an early `return` would count as passed.
///
/// # Panics
/// When `ATLAS_SHARED` names something that is no folder: whoever set it wants these tests to run.
#[allow(
    clippy::disallowed_methods,
    clippy::panic,
    reason = "test support reads the environment and fails loudly"
)]
pub fn folder() -> Option<PathBuf> {
    if let Ok(named) = std::env::var("ATLAS_SHARED") {
        let folder = PathBuf::from(named);
        if !folder.is_dir() {
            panic!("ATLAS_SHARED does not name a folder");
        }
        return Some(folder);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    beside.is_dir().then_some(beside)
}

/// Why a test that needs the folder is ignored.
pub const REASON: &str = "shared folder absent, see ATLAS_SHARED";

/// A trial for a test binary with `harness = false` (`libtest-mimic`): it gets the shared folder and runs if that is there, and shows as
/// ignored with the reason if not.
pub fn trial(
    name: impl Into<String>,
    run: impl FnOnce(&Path) -> Result<(), libtest_mimic::Failed> + Send + 'static,
) -> libtest_mimic::Trial {
    match folder() {
        Some(folder) => libtest_mimic::Trial::test(name, move || run(&folder)),
        None => libtest_mimic::Trial::test(name, || Ok(()))
            .with_kind(REASON)
            .with_ignored_flag(true),
    }
}
