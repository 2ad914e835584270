//! Writing a trail: records at its end, and nothing else.

use super::chain::{Anchor, Link};
use super::error::AuditError;
use super::record::{Body, Stamp, Whole};
use super::verify::{Verified, is_unfinished, verify};
use crate::journal::{LockedFile, private_dir_of, private_file};
use std::fs::{File, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Lines are written at once when they are this many bytes.
const BUFFER_BYTES: usize = 64 << 10;

/// A trail that is being written. One process at a time has it: the file is locked while this lives.
#[derive(Debug)]
pub struct TrailWriter {
    path: PathBuf,
    file: LockedFile,
    buffer: Vec<u8>,
    records: u64,
    head: Link,
}

impl TrailWriter {
    /// Opens the trail at `path` to go on with, or begins one, and says what it held. A last line without an end was
    /// being written when its writer died: it is cut off, and its bytes are told.
    ///
    /// # Errors
    /// [`AuditError`]: a trail that does not verify is not gone on with.
    pub fn open(path: &Path, anchors: &[Anchor]) -> Result<(Self, Verified, u64), AuditError> {
        let Opened { file, found, whole, length } = Opened::new(path, anchors)?;
        if whole < length {
            file.set_len(whole).map_err(AuditError::io(path))?;
        }
        let (records, head) = (found.records, found.head);
        let writer =
            Self { path: path.to_owned(), file, buffer: Vec::with_capacity(2 * BUFFER_BYTES), records, head };
        Ok((writer, found, length - whole))
    }

    /// Whether [`open`](Self::open) would succeed now. Nothing is changed by it.
    ///
    /// # Errors
    /// As of that.
    pub fn check(path: &Path, anchors: &[Anchor]) -> Result<(), AuditError> {
        let is_new = std::fs::symlink_metadata(path).is_err();
        let opened = Opened::new(path, anchors)?;
        if is_new && opened.length == 0 {
            // While it is locked: nobody else began to write to it.
            std::fs::remove_file(path).map_err(AuditError::io(path))?;
        }
        Ok(())
    }

    /// Adds a record; it is in the kernel's hands after the next [`flush`](Self::flush), or [`spill`](Self::spill) of many.
    ///
    /// # Errors
    /// [`AuditError`]; the trail must not be gone on with then.
    pub fn append(&mut self, at: Stamp, body: &Body) -> Result<(), AuditError> {
        let Stamp { entry, seq, time } = at;
        let n = self.records + 1;
        let whole = Whole { n, entry, seq, time_ns: time.0, time: time.to_string(), body };
        let record = serde_json::to_vec(&whole)?;
        self.head = self.head.next(&record);
        self.records = n;
        // A vector takes everything.
        let _ = write!(self.buffer, "{} ", self.head);
        self.buffer.extend_from_slice(&record);
        self.buffer.push(b'\n');
        Ok(())
    }

    /// Hands what was added to the kernel if it is much. To be called where the records of an entry are all there: whoever
    /// goes on after a kill takes an entry of which there is one for done.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn spill(&mut self) -> Result<(), AuditError> {
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Hands what was added to the kernel.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn flush(&mut self) -> Result<(), AuditError> {
        if !self.buffer.is_empty() {
            self.file.write_all(&self.buffer).map_err(AuditError::io(&self.path))?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Makes what was added survive a loss of power.
    ///
    /// # Errors
    /// [`AuditError::Io`].
    pub fn sync(&mut self) -> Result<(), AuditError> {
        self.flush()?;
        self.file.sync_data().map_err(AuditError::io(&self.path))
    }

    /// The newest record; none in a trail that is empty.
    #[must_use]
    pub fn head(&self) -> Option<Anchor> {
        (self.records > 0).then_some(Anchor { number: self.records, link: self.head })
    }
}

/// A trail that was found good to go on with, locked.
struct Opened {
    file: LockedFile,
    found: Verified,
    /// Bytes of whole lines, and of all.
    whole: u64,
    length: u64,
}

impl Opened {
    fn new(path: &Path, anchors: &[Anchor]) -> Result<Self, AuditError> {
        let io = AuditError::io(path);
        private_dir_of(path).map_err(&io)?;
        let file = private_file().read(true).append(true).create(true).open(path).map_err(&io)?;
        let mut file = LockedFile::new(file).map_err(|error| match error {
            TryLockError::WouldBlock => AuditError::Busy { path: path.display().to_string() },
            TryLockError::Error(error) => io(error),
        })?;
        let whole = whole_bytes(&mut file).map_err(&io)?;
        let length = file.metadata().map_err(&io)?.len();
        file.seek(SeekFrom::Start(0)).map_err(&io)?;
        let trail = BufReader::with_capacity(1 << 20, (&*file).take(whole));
        let found = verify(trail, anchors).map_err(&io)?;
        let found = found.map_err(|fault| AuditError::Fault { path: path.display().to_string(), fault })?;
        Ok(Self { file, found, whole, length })
    }
}

/// Bytes up to the end of the last whole line.
fn whole_bytes(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 64 << 10;
    let mut end = file.seek(SeekFrom::End(0))?;
    let length = end;
    let mut rest = Vec::new();
    while end > 0 {
        let begin = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(begin))?;
        let mut block = Vec::new();
        file.take(end - begin).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            rest.splice(0..0, block[at + 1..].iter().copied());
            // Only what looks like the beginning of a record is cut; anything else is for `verify` to tell.
            return Ok(if is_unfinished(&rest) { begin + at as u64 + 1 } else { length });
        }
        rest.splice(0..0, block);
        end = begin;
    }
    Ok(if is_unfinished(&rest) { 0 } else { length })
}
