//! Files and directories that show a trader's orders: journals, audit trails with their anchors and exports, databases, logs.
//!
//! Owns: their modes. Invariant: what is made here is for its owner and the owner's group at most, whatever the umask: the
//! usual one, 022, would let every user of the host read them. A umask that is narrower narrows them further, and what is
//! there already keeps the mode that somebody gave it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Read and written by the owner, read by the group.
const FILE_MODE: u32 = 0o640;
/// Entered and listed by both.
const DIR_MODE: u32 = 0o750;

/// By which such a file is opened; who calls this says for what.
#[must_use]
pub fn private_file() -> OpenOptions {
    let mut options = File::options();
    options.mode(FILE_MODE);
    options
}

/// Makes a directory, and those above it, where they are not there.
///
/// # Errors
/// Whatever the operating system says.
pub fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)
}

/// Makes the directory of the file `path`, as [`private_dir`] does.
///
/// # Errors
/// Whatever the operating system says.
pub fn private_dir_of(path: &Path) -> io::Result<()> {
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => private_dir(dir),
        None => Ok(()),
    }
}
