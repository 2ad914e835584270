//! Which journal goes on with another: said by a note beside the one that was gone on with, `NAME.journal.next`.
//!
//! What a run left can be gone on with once. A second run that began from the same journal would use its order numbers
//! again, and would know nothing of what the first of them traded. The journal itself is never written to after its run.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where it is said which journal goes on with `journal`.
#[must_use]
pub fn note_of(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".next");
    name.into()
}

/// The journal that goes on with `journal`, if one does.
///
/// # Errors
/// The note cannot be read, or says nothing, as one may whose writer was cut off.
pub fn successor(journal: &Path) -> io::Result<Option<PathBuf>> {
    let mut bytes = match std::fs::read(note_of(journal)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if bytes.pop() != Some(b'\n') || bytes.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not say which"));
    }
    // One that lies beside it is named without its directory, so that both can be moved.
    Ok(Some(dir_of(journal).join(OsString::from_vec(bytes))))
}

/// The journal that `journal` goes on with, by a note beside it; one that lies elsewhere is not found.
///
/// # Errors
/// The directory cannot be read.
pub fn predecessor(journal: &Path) -> io::Result<Option<PathBuf>> {
    // By what the file is: a note may name it in another way.
    let same = journal.canonicalize()?;
    for entry in std::fs::read_dir(dir_of(journal))? {
        let note = entry?.path();
        let before = note.with_extension("");
        if note == note_of(&before)
            && let Ok(Some(next)) = successor(&before)
            && next.canonicalize().is_ok_and(|next| next == same)
        {
            return Ok(Some(before));
        }
    }
    Ok(None)
}

/// Notes that `next` goes on with `journal`.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where another does; else whatever the disk says.
pub fn note_successor(journal: &Path, next: &Path) -> io::Result<()> {
    // Whoever reads the note finds it: a loss of power leaves no note of a journal that never was.
    File::open(next)?.sync_all()?;
    let (from, to) = (std::path::absolute(journal)?, std::path::absolute(next)?);
    let beside = from.parent() == to.parent();
    let name = to.file_name().filter(|_| beside).map_or(to.as_os_str(), |name| name);
    let text = [name.as_bytes(), b"\n"].concat();
    place_whole(&note_of(journal), |file| file.write_all(&text))?;
    File::open(dir_of(journal))?.sync_all()
}

/// Makes the file `path`, which is not there yet, as `write` fills it: whole or not at all. One that a full disk left empty
/// would be no word of who goes on, and nobody could any more.
fn place_whole(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}", std::process::id()));
    let written = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        write(&mut file)?;
        file.sync_all()?;
        // A rename would take the place of another's.
        std::fs::hard_link(&part, path)
    };
    let placed = written();
    let _ = std::fs::remove_file(&part);
    placed
}

fn dir_of(journal: &Path) -> &Path {
    journal.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_gone_on_with_once_and_says_by_which() {
        let dir = tempfile::tempdir().expect("a directory");
        let (first, second) = (dir.path().join("run.journal"), dir.path().join("run.2.journal"));
        assert_eq!(successor(&first).expect("none is there"), None);
        std::fs::write(&second, "").expect("written");
        note_successor(&first, &second).expect("written");
        assert_eq!(successor(&first).expect("it reads"), Some(second.clone()));
        assert_eq!(predecessor(&second).expect("it reads"), Some(first.clone()));
        assert_eq!(
            predecessor(&second.parent().expect("one").join("./run.2.journal")).expect("it reads"),
            Some(first.clone())
        );
        let again = note_successor(&first, &second);
        assert_eq!(again.map_err(|error| error.kind()), Err(io::ErrorKind::AlreadyExists));
        // Moved together they belong together; what lies elsewhere is named whole.
        let moved = dir.path().join("kept");
        std::fs::create_dir(&moved).expect("made");
        std::fs::rename(note_of(&first), note_of(&moved.join("run.journal"))).expect("moved");
        let from = moved.join("run.journal");
        assert_eq!(successor(&from).expect("it reads"), Some(moved.join("run.2.journal")));
        std::fs::write(&from, "").expect("written");
        note_successor(&second, &from).expect("written");
        assert_eq!(successor(&second).expect("it reads"), Some(from));
    }

    #[test]
    fn a_note_that_a_full_disk_did_not_take_leaves_the_journal_to_be_gone_on_with() {
        let dir = tempfile::tempdir().expect("a directory");
        let (first, second) = (dir.path().join("run.journal"), dir.path().join("run.2.journal"));
        let full = place_whole(&note_of(&first), |file| {
            file.write_all(b"run.2")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(full.map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
        assert_eq!(successor(&first).expect("none is there"), None);
        assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 0, "nothing is left");
        std::fs::write(&second, "").expect("written");
        note_successor(&first, &second).expect("written");
        assert_eq!(successor(&first).expect("it reads"), Some(second));
    }

    #[test]
    fn a_note_that_was_cut_off_is_no_word_that_there_is_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = dir.path().join("run.journal");
        for cut in ["", "run.2.jour", "\n"] {
            std::fs::write(note_of(&journal), cut).expect("written");
            assert!(successor(&journal).is_err(), "{cut:?}");
        }
    }
}
