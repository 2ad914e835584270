//! A file that one process at a time has.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::ops::{Deref, DerefMut};

/// An open file that is locked until this is dropped.
///
/// Closing the file would give the lock up only when its last descriptor is closed, and a child that is being spawned
/// by another thread has one for a moment (between `fork` and `exec`): who opened the file anew just then would be told
/// that somebody has it. So the lock is given up by name.
#[derive(Debug)]
pub struct LockedFile(File);

impl LockedFile {
    /// Takes the lock, and does not wait for it.
    ///
    /// # Errors
    /// [`TryLockError`]: somebody has it, or the file system has no locks.
    pub fn new(file: File) -> Result<Self, TryLockError> {
        file.try_lock()?;
        Ok(Self(file))
    }

    /// Takes the lock where nobody has it and the file system has locks; the file is written to either way.
    #[must_use]
    pub fn if_possible(file: File) -> Self {
        let _ = file.try_lock();
        Self(file)
    }

    /// Takes the lock, or gives `None` where somebody has it; a file on a file system without locks is had without one.
    #[must_use]
    pub fn unless_held(file: File) -> Option<Self> {
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) { None } else { Some(Self(file)) }
    }

    /// Whether somebody has the file.
    #[must_use]
    pub fn is_held(file: &File) -> bool {
        let held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        if !held {
            let _ = file.unlock();
        }
        held
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Write for LockedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Deref for LockedFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for LockedFile {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_holder_though_another_descriptor_is_open() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lock");
        let open = || File::options().create(true).append(true).open(&path).expect("can be opened");
        let held = LockedFile::new(open()).expect("free");
        // What a child that is being spawned has.
        let inherited = held.try_clone().expect("another descriptor");
        assert!(LockedFile::is_held(&open()));
        assert!(matches!(LockedFile::new(open()), Err(TryLockError::WouldBlock)));
        assert!(LockedFile::unless_held(open()).is_none());
        drop(held);
        assert!(!LockedFile::is_held(&open()));
        drop(LockedFile::new(open()).expect("free again"));
        drop(LockedFile::unless_held(open()).expect("free again"));
        drop(inherited);
    }
}
