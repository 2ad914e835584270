//! Reading a journal.

use super::format::{
    BLOCK_BYTES_MAX, Entry, JournalError, JournalHeader, MAGIC, MAGIC_01, crc, entry, run_key,
};
use crate::domain::Slot;
use crate::domain::event::Kind;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

/// Reads slots in order; records are passed over, since a replay makes them anew.
pub struct JournalReader {
    path: String,
    file: BufReader<File>,
    header: JournalHeader,
    run_key: String,
    block: Vec<u8>,
    at: usize,
    /// Bytes of whole blocks that were read.
    read: u64,
    records: u64,
    torn: bool,
}

/// Whether a file begins as a journal does.
#[must_use]
pub fn is_journal(path: &Path) -> bool {
    // To open a pipe that nobody writes to would wait for ever.
    if !path.is_file() {
        return false;
    }
    let mut magic = [0u8; 8];
    File::open(path).and_then(|mut f| f.read_exact(&mut magic)).is_ok() && is_magic(&magic)
}

/// Whether a journal of a version that we read begins so.
pub(super) fn is_magic(bytes: &[u8; 8]) -> bool {
    bytes == MAGIC || bytes == MAGIC_01
}

impl JournalReader {
    /// Opens a journal and reads its header.
    ///
    /// # Errors
    /// [`JournalError`] where it is not a journal or its header does not read.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| JournalError::unopened(path, error))?;
        let mut file = BufReader::with_capacity(1 << 20, file);
        let mut magic = [0u8; 8];
        let bad = |problem: &str| JournalError::Bad { path: name.clone(), problem: problem.into() };
        if file.read_exact(&mut magic).is_err() || !is_magic(&magic) {
            return Err(bad("is not a journal of algo-trader"));
        }
        let mut block = Vec::new();
        if !read_block(&mut file, &mut block, &name, 8)? {
            return Err(bad("ends before its header"));
        }
        let read = 16 + block.len() as u64;
        let header = serde_json::from_slice(&block).map_err(|e| {
            bad(&format!("its header does not read ({e}); was it written by another version?"))
        })?;
        let run_key = run_key(&block);
        Ok(Self {
            path: name,
            file,
            header,
            run_key,
            block: Vec::new(),
            at: 0,
            read,
            records: 0,
            torn: false,
        })
    }

    /// What the run was.
    #[must_use]
    pub fn header(&self) -> &JournalHeader {
        &self.header
    }

    /// What tells this run from every other, as [`run_key`] has it.
    #[must_use]
    pub fn run_key(&self) -> &str {
        &self.run_key
    }

    /// Records passed over so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Whether the file ended inside a block: it was cut, and reads to its last whole block.
    #[must_use]
    pub fn torn(&self) -> bool {
        self.torn
    }

    /// The next slot, or `None` at the end.
    ///
    /// # Errors
    /// [`JournalError`] where a whole block does not read.
    pub fn next_slot(&mut self) -> Result<Option<Slot>, JournalError> {
        loop {
            match self.next_entry()? {
                Some(Entry::Slot(slot)) => return Ok(Some(slot)),
                Some(Entry::Record(_)) => self.records += 1,
                Some(Entry::End) | None => return Ok(None),
            }
        }
    }

    /// The next entry, records and the run's end among them, or `None` at the end of the file.
    ///
    /// # Errors
    /// [`JournalError`] where a whole block does not read.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, JournalError> {
        if self.at == self.block.len() {
            self.at = 0;
            if !read_block(&mut self.file, &mut self.block, &self.path, self.read)? {
                self.torn = !self.block.is_empty();
                self.block.clear();
                return Ok(None);
            }
            self.read += 8 + self.block.len() as u64;
        }
        let Some((entry, bytes)) = entry(&self.block[self.at..]) else { return Err(self.bad_entry()) };
        if let Entry::Slot(slot) = &entry
            && !self.can_be(slot)
        {
            return Err(self.bad_entry());
        }
        self.at += bytes;
        Ok(Some(entry))
    }

    /// Whether a slot is one of this run: of an instrument that it had, at a time that a clock has.
    fn can_be(&self, slot: &Slot) -> bool {
        let is_known = slot.instrument().index() < self.header.instruments.len();
        is_known && (slot.kind() == Kind::Levels || slot.time().0 < i64::MAX as u64)
    }

    fn bad_entry(&self) -> JournalError {
        JournalError::Bad {
            path: self.path.clone(),
            problem: "a block holds an entry that does not read".into(),
        }
    }
}

/// Whether the run of a journal came to its end: only its last block is read.
///
/// # Errors
/// What the system says.
pub fn has_ended(path: &Path) -> std::io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?);
    let length = file.get_ref().metadata()?.len();
    let mut place = MAGIC.len() as u64;
    file.seek_relative(MAGIC.len() as i64)?;
    loop {
        let mut head = [0; 8];
        if place.saturating_add(8) >= length {
            return Ok(false);
        }
        file.read_exact(&mut head)?;
        let bytes = u64::from(u32::from_le_bytes([head[0], head[1], head[2], head[3]]));
        place += 8 + bytes;
        if place > length || bytes == 0 || bytes > BLOCK_BYTES_MAX as u64 {
            return Ok(false);
        }
        if place < length {
            file.seek_relative(bytes as i64)?;
            continue;
        }
        let mut block = vec![0; bytes as usize];
        file.read_exact(&mut block)?;
        let mut rest = block.as_slice();
        while let Some((found, bytes)) = entry(rest) {
            rest = &rest[bytes..];
            if found == Entry::End {
                return Ok(true);
            }
        }
        return Ok(false);
    }
}

/// Whether nothing but zeros is left: a file that had grown when the power went, and what was to be there had not come.
fn is_zero(file: &mut impl Read) -> std::io::Result<bool> {
    let mut part = [0; 4_096];
    loop {
        match file.read(&mut part) {
            Ok(0) => return Ok(true),
            Ok(read) if part[..read].iter().any(|byte| *byte != 0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads one block, which is at the byte `place`; false at the end. A block that is cut short leaves what there was of it in
/// `block`.
fn read_block(
    file: &mut impl Read,
    block: &mut Vec<u8>,
    path: &str,
    place: u64,
) -> Result<bool, JournalError> {
    let io = |error| JournalError::Io { path: path.to_owned(), error };
    block.clear();
    let mut head = Vec::with_capacity(8);
    file.take(8).read_to_end(&mut head).map_err(io)?;
    let Ok(head) = <[u8; 8]>::try_from(head.as_slice()) else {
        block.extend_from_slice(&head);
        return Ok(false);
    };
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let length = word(0) as usize;
    let bad = |problem: &str| JournalError::Bad {
        path: path.to_owned(),
        problem: format!("{problem}: the file is damaged from byte {place} on; what is before it reads"),
    };
    if length == 0 || length > BLOCK_BYTES_MAX {
        if head == [0; 8] && is_zero(file).map_err(io)? {
            block.extend_from_slice(&head);
            return Ok(false);
        }
        return Err(bad("a block has an impossible length"));
    }
    block.resize(length, 0);
    match file.read_exact(block) {
        Ok(()) if crc(block) == word(4) => Ok(true),
        // With nothing, or nothing but zeros, after it: what a loss of power left of the last block.
        Ok(()) if is_zero(file).map_err(io)? => Ok(false),
        Ok(()) => Err(bad("a block's checksum does not match")),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::tests::sample;
    use crate::domain::{InstrumentId, Market, Time};
    use crate::journal::{JournalWriter, SyncPolicy};

    #[test]
    fn a_block_that_is_whole_and_holds_what_cannot_be_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let of = |instrument| Slot::interrupted(InstrumentId(instrument));
        let at = |mut slot: Slot, time| {
            slot.stamp(Time(time), 0, 0);
            slot
        };
        let reads = |name: &str, slot: Slot| {
            let path = dir.path().join(name);
            let header = JournalHeader {
                instruments: vec![sample(Market::Spot, "BTCUSDT")],
                ..JournalHeader::default()
            };
            let mut writer = JournalWriter::create(&path, &header, SyncPolicy::Never).expect("a new file");
            writer.slot(&slot);
            writer.write_block().expect("a good disk");
            drop(writer);
            JournalReader::open(&path).expect("a journal").next_slot()
        };
        assert!(matches!(reads("good", at(of(0), 7)), Ok(Some(_))));
        for (name, slot) in [("stranger", at(of(1), 7)), ("endless", at(of(0), u64::MAX))] {
            let refused = reads(name, slot).expect_err("it cannot be");
            assert!(refused.to_string().contains("does not read"), "{refused}");
        }
        let levels = Slot::levels(InstrumentId(60_000), &[], true);
        assert!(reads("levels", levels).is_err(), "a book of nothing");
    }
}
