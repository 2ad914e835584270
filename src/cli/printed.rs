//! What is printed, and whether it could be.
//!
//! A reader who has stopped reading (`| head`) has what he wanted. Any other failure is remembered and told at the end,
//! since a result that is nowhere is no result.

use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

/// The first failure.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

fn note(done: io::Result<()>) {
    if let Err(error) = done
        && error.kind() != ErrorKind::BrokenPipe
    {
        FAILED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Writes a piece of the result.
pub fn put(text: &str) {
    note(io::stdout().write_all(text.as_bytes()));
}

/// Writes what is left of it; the failure, if something could not be written. The next command begins anew.
pub fn finish() -> Option<io::Error> {
    note(io::stdout().flush());
    FAILED.lock().unwrap_or_else(PoisonError::into_inner).take()
}
