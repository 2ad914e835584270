//! Where recordings are, for tests and benchmarks that compare with them.

use std::path::{Path, PathBuf};

/// The folder `name` among the recordings; `None`, with a line that says so, where there is none.
///
/// # Panics
/// Where there is none and `ALGO_TRADER_REQUIRE_SHARED=1` says that there must be.
pub fn folder(name: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("ALGO_TRADER_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    let folder = shared.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var_os("ALGO_TRADER_REQUIRE_SHARED").is_some_and(|value| value == "1");
    assert!(!required, "no recordings in {}", folder.display());
    println!("SKIPPED: no recordings in {} (set ALGO_TRADER_SHARED)", folder.display());
    None
}
