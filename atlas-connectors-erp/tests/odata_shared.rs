//! OData against what was recorded and collected: metadata documents of real systems, answers, batches, errors.
//!
//! All of it lies in the shared folder (`fixtures/sap`, `fixtures/bc`). Without the folder the cases show as ignored. Counts of
//! metadata were taken with another parser; meanings come from `sap-odata.md` and `business-central.md`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

#[path = "odata_shared/batches.rs"]
mod batches;
#[path = "odata_shared/errors.rs"]
mod errors;
#[path = "odata_shared/metadata.rs"]
mod metadata;
#[path = "odata_shared/queries.rs"]
mod queries;
#[path = "odata_shared/recorded.rs"]
mod recorded;
#[path = "odata_shared/rows.rs"]
mod rows;

/// A case: its name, and what is asserted with the folder at hand. Assertions panic.
type Case = (String, Box<dyn FnOnce(&Path) + Send>);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = shared().map(|folder| folder.join("fixtures"));
    let mut cases = metadata::cases();
    cases.extend(queries::cases());
    cases.extend(rows::cases());
    cases.extend(batches::cases());
    cases.extend(errors::cases());
    let trials = cases.into_iter().map(|(name, assert)| match folder.clone() {
        Some(folder) => Trial::test(name, move || {
            assert(&folder);
            Ok(())
        }),
        None => Trial::test(name, || Err(Failed::from("the shared folder is absent")))
            .with_kind("shared folder absent, see ATLAS_SHARED")
            .with_ignored_flag(true),
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn case(name: impl Into<String>, assert: impl FnOnce(&Path) + Send + 'static) -> Case {
    (name.into(), Box::new(assert))
}

/// `ATLAS_SHARED`, or the folder beside the repository.
fn shared() -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "a test's setting")]
    if let Ok(named) = std::env::var("ATLAS_SHARED") {
        let folder = PathBuf::from(named);
        assert!(folder.is_dir(), "ATLAS_SHARED does not name a folder");
        return Some(folder);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    beside.is_dir().then_some(beside)
}
