//! A run's name, which one process has at a time.
//!
//! The lock is on `NAME.lock`, beside the other files of the name: from before anything of them is read until the last of
//! them is written, also while a start waits for the end of a ban and has no socket yet. It goes with its process, however
//! that ends; a file that a killed process left holds nobody up. On a file system without locks, and beside a program from
//! before there was one, whoever is reached by the socket has the name.

use super::{ANSWERED_WITHIN, ControlError, ControlPaths, connect, process_behind};
use crate::journal::{LockedFile, private_dir_of};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How often a file is locked anew that was taken away just then.
const TRIES: u32 = 100;

/// The name, and where its files are; it is another's to have once this is dropped.
#[derive(Debug)]
pub struct HeldName {
    paths: ControlPaths,
    /// Taken away while it is still locked: whoever locks a file that has no name any more begins anew.
    _file: OwnFile,
    lock: LockedFile,
}

impl HeldName {
    /// Takes the name whose files these are.
    ///
    /// # Errors
    /// [`ControlError::Taken`] where another process has it; others where that cannot be told.
    pub fn take(paths: ControlPaths) -> Result<Self, ControlError> {
        let path = &paths.lock;
        let failed = |error| ControlError::Lock { path: path.clone(), error };
        let mut tries = 0..TRIES;
        let (file, lock) = loop {
            match lock(path).map_err(failed)? {
                Some((file, lock)) if file.is_there() => break (file, lock),
                // Whoever had it ended in between, and took it away.
                Some(_) if tries.next().is_some() => {}
                Some(_) => return Err(failed(io::Error::other("it is another file at each look"))),
                None => return Err(ControlError::Taken { path: path.clone(), process: named_in(path) }),
            }
        };
        // From here on given up as a whole, the file before its lock.
        let held = Self { paths, _file: file, lock };
        nobody_listens(&held.paths.socket)?;
        // Who has it, for a person whose start is refused: a full disk leaves that untold.
        let process = format!("{}\n", std::process::id());
        let written = held.lock.write_all_at(process.as_bytes(), 0);
        let _ = written.and_then(|()| held.lock.set_len(process.len() as u64));
        Ok(held)
    }

    /// Where its files are.
    #[must_use]
    pub const fn paths(&self) -> &ControlPaths {
        &self.paths
    }
}

/// The file, made where it is not there, and locked; none where another process has it.
fn lock(path: &Path) -> io::Result<Option<(OwnFile, LockedFile)>> {
    private_dir_of(path)?;
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let of = file.metadata()?;
    // Its own only once it is locked: whoever is refused takes nothing away.
    Ok(LockedFile::unless_held(file).map(|lock| (OwnFile::new(path, &of), lock)))
}

/// The process that wrote itself into the file, if it is there and is another one than this. In another namespace of
/// processes its number says nothing here.
fn named_in(path: &Path) -> Option<i32> {
    let process: i32 = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let is_another = u32::try_from(process) != Ok(std::process::id());
    (is_another && Path::new(&format!("/proc/{process}")).exists()).then_some(process)
}

/// Refuses where somebody listens at a socket, or may: what answers otherwise than one that is left over says nothing.
pub(super) fn nobody_listens(path: &Path) -> Result<(), ControlError> {
    let taken = |process| Err(ControlError::Taken { path: path.to_owned(), process });
    let error = match connect(path, ANSWERED_WITHIN) {
        Ok(stream) => return taken(process_behind(&stream)),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(()),
        // Who hangs, and has nobody let in for a while, is there all the same.
        io::ErrorKind::WouldBlock => taken(None),
        // A path that is too long for one.
        io::ErrorKind::InvalidInput => Err(ControlError::Socket { path: path.to_owned(), error }),
        _ => Err(ControlError::Unknown { path: path.to_owned(), error }),
    }
}

/// The name of a file that this process made, taken away when this is dropped, unless it is another file's by then.
///
/// The file is to be open until then: the number of one that is gone may be given to another.
#[derive(Debug)]
pub(super) struct OwnFile {
    path: PathBuf,
    /// Device and inode.
    which: (u64, u64),
}

impl OwnFile {
    pub fn new(path: &Path, of: &Metadata) -> Self {
        Self { path: path.to_owned(), which: (of.dev(), of.ino()) }
    }

    /// The file that has this name now.
    pub fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::new(path, &std::fs::symlink_metadata(path)?))
    }

    /// Whether the name is its own still.
    fn is_there(&self) -> bool {
        std::fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.which)
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::config::Config;
    use crate::run::control::PreparedControl;
    use std::os::unix::net::{UnixDatagram, UnixListener};
    use std::sync::Barrier;

    const ROUNDS: usize = 300;
    const STARTS: usize = 6;

    fn tried(dir: &tempfile::TempDir) -> ControlPaths {
        ControlPaths::new(dir.path(), "tried")
    }

    #[test]
    fn of_starts_at_once_one_has_the_name_and_is_reached() {
        let (config, dir) = (Config::embedded_default(), tempfile::tempdir().expect("a directory"));
        let paths = tried(&dir);
        // What was killed leaves both, and the number of a process that is no more.
        std::fs::write(&paths.lock, format!("{}\n", i32::MAX)).expect("written");
        drop(UnixListener::bind(&paths.socket).expect("a socket"));
        for round in 0..ROUNDS {
            let barrier = Barrier::new(STARTS);
            let start = || -> Result<(PreparedControl, HeldName), ControlError> {
                barrier.wait();
                let held = HeldName::take(paths.clone())?;
                Ok((PreparedControl::open(&config, &held)?, held))
            };
            let results: Vec<_> = std::thread::scope(|threads| {
                let started: Vec<_> = (0..STARTS).map(|_| threads.spawn(start)).collect();
                started.into_iter().map(|thread| thread.join().expect("no panic")).collect()
            });
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{round}: {results:?}");
            let taken =
                results.iter().filter(|result| matches!(result, Err(ControlError::Taken { .. }))).count();
            assert_eq!(taken, STARTS - 1, "{results:?}");
            // Whoever was refused took nothing away.
            connect(&paths.socket, ANSWERED_WITHIN).expect("it is reached");
        }
        assert!(!paths.lock.exists() && !paths.socket.exists(), "nothing is left");
    }

    #[test]
    fn a_run_of_before_there_were_locks_has_its_name_and_a_person_is_told_who_has_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = tried(&dir);
        let listens = UnixListener::bind(&paths.socket).expect("a socket");
        let refused = HeldName::take(paths.clone()).expect_err("somebody listens");
        let me = i32::try_from(std::process::id()).expect("a number");
        assert!(matches!(&refused, ControlError::Taken { process, .. } if *process == Some(me)), "{refused}");
        drop(listens);
        let mut held = HeldName::take(paths.clone()).expect("nobody listens");
        let written = std::fs::read_to_string(&paths.lock).expect("text");
        assert_eq!(written, format!("{me}\n"));
        // As if another process had it, which goes on.
        let other = std::os::unix::process::parent_id();
        std::fs::write(&paths.lock, format!("{other}\n")).expect("written");
        let told = HeldName::take(paths.clone()).expect_err("it is held").to_string();
        assert!(told.contains(&format!("another process of this name, {other}, is running")), "{told}");
        // Somebody took the file of a run that goes on for one that was left over: what begins then is found by its socket,
        // and its file is its own.
        std::fs::remove_file(&paths.lock).expect("there");
        let second = HeldName::take(paths.clone()).expect("there is no socket yet");
        drop(std::mem::replace(&mut held, second));
        assert!(paths.lock.exists() && HeldName::take(paths).is_err());
    }

    #[test]
    fn what_does_not_say_that_nobody_listens_is_not_taken_away() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = tried(&dir);
        // As another user's, which may not be connected to.
        let _other = UnixDatagram::bind(&paths.socket).expect("a socket");
        let refused = HeldName::take(paths.clone()).expect_err("it may be somebody");
        assert!(matches!(refused, ControlError::Unknown { .. }) && paths.socket.exists(), "{refused}");
        assert!(refused.to_string().contains("whether a run of this name listens there"), "{refused}");
        std::fs::create_dir(&paths.lock).expect("in the way");
        let refused = HeldName::take(paths).expect_err("no file");
        assert!(matches!(refused, ControlError::Lock { .. }) && refused.may_pass(), "{refused}");
    }

    #[test]
    fn a_socket_is_taken_away_by_who_made_it_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = tried(&dir).socket;
        let ours = UnixListener::bind(&path).expect("a socket");
        let own = OwnFile::at(&path).expect("there");
        std::fs::remove_file(&path).expect("there");
        let _theirs = UnixListener::bind(&path).expect("a socket");
        drop(own);
        connect(&path, ANSWERED_WITHIN).expect("theirs is there still");
        drop(ours);
        drop(OwnFile::at(&path).expect("there"));
        assert!(!path.exists());
    }
}
