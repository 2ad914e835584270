//! Following a journal while it grows.
//!
//! The writer appends whole blocks; a reader beside it may find the last one half there. A follower stops before such
//! a block, says that there is no more for now, and finds the rest of it when it is asked again.

use super::format::{BLOCK_BYTES_MAX, Entry, JournalError, JournalHeader, crc, entry, run_key};
use super::reader::is_magic;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a follower finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// An entry; `true` where it is the last of its block, so that every event before it is whole.
    Entry(Entry, bool),
    /// No more for now: the run goes on, or was cut here.
    Pending,
    /// The run came to its end.
    Ended,
}

/// Reads entries of a journal that may still be written.
#[derive(Debug)]
pub struct Follower {
    path: String,
    file: File,
    /// Where in the file the bytes begin that are not yet in `bytes`.
    offset: u64,
    bytes: Vec<u8>,
    /// What is read goes here first: most of the time it is little, and often nothing.
    room: Vec<u8>,
    /// Where in `bytes` the next block begins.
    next_block: usize,
    /// The rest of the present block, as places in `bytes`.
    at: usize,
    end: usize,
    header: JournalHeader,
    run_key: String,
    ended: bool,
}

/// How much is read at once.
const READ_BYTES: usize = 1 << 20;
const BLOCK_HEAD: usize = 8;

impl Follower {
    /// Opens a journal; `None` while its header is not there yet.
    ///
    /// # Errors
    /// [`JournalError`] where the file cannot be read or is no journal.
    pub fn open(path: &Path) -> Result<Option<Self>, JournalError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| JournalError::unopened(path, error))?;
        let mut magic = [0u8; 8];
        let bad = |problem: String| JournalError::Bad { path: name.clone(), problem };
        match file.read_exact_at(&mut magic, 0) {
            Ok(()) if is_magic(&magic) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let length = file.metadata().map_or(0, |m| m.len());
                // What there is must at least be the beginning of a journal.
                let begins = length == 0 || magic_begins(&file, length);
                return if begins { Ok(None) } else { Err(bad("is not a journal of algo-trader".into())) };
            }
            Err(error) => return Err(JournalError::Io { path: name, error }),
            Ok(()) => return Err(bad("is not a journal of algo-trader".into())),
        }
        let mut follower = Self {
            path: name.clone(),
            file,
            offset: magic.len() as u64,
            bytes: Vec::new(),
            room: vec![0; READ_BYTES],
            next_block: 0,
            at: 0,
            end: 0,
            header: JournalHeader::default(),
            run_key: String::new(),
            ended: false,
        };
        if !follower.block()? {
            return Ok(None);
        }
        let text = &follower.bytes[follower.at..follower.end];
        follower.header = serde_json::from_slice(text).map_err(|e| {
            bad(format!("its header does not read ({e}); was it written by another version?"))
        })?;
        follower.run_key = run_key(text);
        follower.at = follower.end;
        Ok(Some(follower))
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

    /// Bytes of the file that are not yet read.
    #[must_use]
    pub fn behind(&self) -> u64 {
        let length = self.file.metadata().map_or(0, |m| m.len());
        let taken = self.offset.saturating_sub((self.bytes.len() - self.at) as u64);
        length.saturating_sub(taken)
    }

    /// The next entry, if it is there.
    ///
    /// # Errors
    /// [`JournalError`] where a whole block does not read.
    #[inline]
    pub fn next_entry(&mut self) -> Result<Next, JournalError> {
        if self.at == self.end {
            if self.ended {
                return Ok(Next::Ended);
            }
            if !self.block()? {
                return Ok(Next::Pending);
            }
        }
        let Some((entry, bytes)) = entry(&self.bytes[self.at..self.end]) else {
            return Err(self.bad("a block holds an entry that does not read"));
        };
        self.at += bytes;
        if entry == Entry::End {
            self.ended = true;
            self.at = self.end;
            return Ok(Next::Ended);
        }
        Ok(Next::Entry(entry, self.at == self.end))
    }

    /// Takes the next whole block; false if there is none yet.
    fn block(&mut self) -> Result<bool, JournalError> {
        loop {
            if let Some(head) = self.bytes[self.next_block..].first_chunk::<BLOCK_HEAD>().copied() {
                let [a, b, c, d, e, f, g, h] = head;
                let length = u32::from_le_bytes([a, b, c, d]) as usize;
                if head == [0; BLOCK_HEAD] && self.is_zero_from(0)? {
                    return Ok(self.put_back());
                }
                if length == 0 || length > BLOCK_BYTES_MAX {
                    return Err(self.bad("a block has an impossible length: the file is damaged"));
                }
                let rest = &self.bytes[self.next_block..];
                if let Some(payload) = rest.get(BLOCK_HEAD..BLOCK_HEAD + length) {
                    if crc(payload) == u32::from_le_bytes([e, f, g, h]) {
                        self.at = self.next_block + BLOCK_HEAD;
                        self.end = self.at + length;
                        self.next_block = self.end;
                        return Ok(true);
                    }
                    if !self.is_zero_from(BLOCK_HEAD + length)? {
                        return Err(self.bad("a block's checksum does not match: the file is damaged"));
                    }
                    // The last block there is may be in the middle of being written: it is read again.
                    return Ok(self.put_back());
                }
            }
            if !self.more()? {
                return Ok(false);
            }
        }
    }

    /// Has what comes after the last whole block be read again; there is no block yet.
    fn put_back(&mut self) -> bool {
        self.offset -= (self.bytes.len() - self.next_block) as u64;
        self.bytes.truncate(self.next_block);
        false
    }

    /// Whether nothing, or nothing but zeros, comes from so many bytes after the last whole block on: zeros are what a loss of
    /// power leaves of a file that had grown.
    fn is_zero_from(&mut self, bytes: usize) -> Result<bool, JournalError> {
        loop {
            if self.bytes[self.next_block + bytes..].iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            if !self.more()? {
                return Ok(true);
            }
        }
    }

    /// Reads on; false if the file has no more.
    fn more(&mut self) -> Result<bool, JournalError> {
        let io = |error| JournalError::Io { path: self.path.clone(), error };
        if self.next_block > 0 {
            self.bytes.drain(..self.next_block);
            (self.at, self.end, self.next_block) = (0, 0, 0);
        }
        let read = loop {
            match self.file.read_at(&mut self.room, self.offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(io)?,
            }
        };
        self.bytes.extend_from_slice(&self.room[..read]);
        self.offset += read as u64;
        Ok(read > 0)
    }

    fn bad(&self, problem: &str) -> JournalError {
        JournalError::Bad { path: self.path.clone(), problem: problem.into() }
    }
}

fn magic_begins(file: &File, length: u64) -> bool {
    let mut begun = vec![0u8; usize::try_from(length.min(8)).unwrap_or(8)];
    file.read_exact_at(&mut begun, 0).is_ok() && super::format::MAGIC.starts_with(&begun)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Market, Slot, Time};
    use crate::journal::{JournalReader, JournalWriter, SyncPolicy};
    use std::io::Write;

    fn slot(n: u64) -> Slot {
        let mut slot = Slot::clock();
        slot.stamp(Time(n), 0, 0);
        slot
    }

    fn drain(follower: &mut Follower, times: &mut Vec<u64>) -> Next {
        loop {
            match follower.next_entry().expect("a good journal") {
                Next::Entry(Entry::Slot(slot), _) => times.push(slot.time().0),
                Next::Entry(entry, _) => panic!("{entry:?} was not written"),
                end => return end,
            }
        }
    }

    /// Of a run with one instrument.
    fn header() -> JournalHeader {
        let instruments = vec![crate::domain::instrument::tests::sample(Market::Spot, "BTCUSDT")];
        JournalHeader { instruments, ..JournalHeader::default() }
    }

    #[test]
    fn a_journal_that_grows_byte_by_byte_is_read_block_by_block_to_its_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let (whole, growing) = (dir.path().join("whole"), dir.path().join("growing"));
        let header = JournalHeader { run_name: "x".into(), ..header() };
        let mut writer = JournalWriter::create(&whole, &header, SyncPolicy::Never).expect("a new file");
        for n in 0..2_500 {
            writer.slot(&slot(n));
            if writer.is_due() {
                writer.write_block().expect("a good disk");
            }
        }
        writer.finish().expect("a good disk");
        let bytes = std::fs::read(&whole).expect("it was written");
        assert!(bytes.len() > 2 * (64 << 10), "several blocks");

        let mut out = File::create(&growing).expect("a new file");
        let (mut follower, mut times, mut ended) = (None, Vec::new(), Next::Pending);
        for chunk in bytes.chunks(997) {
            assert_eq!(ended, Next::Pending, "not before it is whole");
            out.write_all(chunk).expect("a good disk");
            if follower.is_none() {
                follower = Follower::open(&growing).expect("a journal that begins");
            }
            if let Some(follower) = &mut follower {
                ended = drain(follower, &mut times);
            }
        }
        assert_eq!((ended, times), (Next::Ended, (0..2_500).collect()));
        let follower = follower.expect("it has a header");
        assert_eq!((follower.header().run_name.as_str(), follower.behind()), ("x", 0));
        assert_eq!(follower.run_key().len(), 32);

        let mut reader = JournalReader::open(&whole).expect("a journal");
        let mut slots = 0;
        while reader.next_slot().expect("a good journal").is_some() {
            slots += 1;
        }
        assert!(slots == 2_500 && !reader.torn(), "the reader knows the end too");
    }

    #[test]
    fn what_a_loss_of_power_leaves_of_the_end_is_no_damage() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        let mut writer = JournalWriter::create(&path, &header(), SyncPolicy::Never).expect("a new file");
        let mut ends = Vec::new();
        for n in 0..4_000 {
            writer.slot(&slot(n));
            if writer.is_due() {
                writer.write_block().expect("a good disk");
                ends.push((n + 1, std::fs::metadata(&path).expect("a file").len() as usize));
            }
        }
        let bytes = std::fs::read(&path).expect("it was written");
        let [.., (before, end_before), (all, _)] = ends[..] else { panic!("several blocks") };
        let mut damaged = bytes.clone();
        *damaged.last_mut().expect("bytes") ^= 1;
        let zeros = |mut bytes: Vec<u8>, count: usize| {
            bytes.resize(bytes.len() + count, 0);
            bytes
        };
        let cut = bytes[..end_before].to_vec();
        for (bytes, slots) in [
            (zeros(bytes.clone(), 100), all),
            (zeros(bytes.clone(), 100_000), all),
            (zeros(bytes.clone(), 3), all),
            (zeros(cut, bytes.len() - end_before), before),
            (damaged.clone(), before),
            (zeros(damaged.clone(), 5_000), before),
        ] {
            std::fs::write(&path, &bytes).expect("a good disk");
            let (mut follower, mut times) =
                (Follower::open(&path).expect("a journal").expect("whole"), vec![]);
            assert_eq!(drain(&mut follower, &mut times), Next::Pending);
            assert_eq!(times.len() as u64, slots);
            let mut reader = JournalReader::open(&path).expect("a journal");
            let mut read = 0;
            while reader.next_slot().expect("good to its last whole block").is_some() {
                read += 1;
            }
            assert_eq!((read, reader.torn()), (slots, true));
        }
        // Something after it: the file is damaged.
        for bytes in [[zeros(bytes.clone(), 100), vec![1]].concat(), [damaged, vec![0, 1]].concat()] {
            std::fs::write(&path, &bytes).expect("a good disk");
            let mut reader = JournalReader::open(&path).expect("a journal");
            let damage = std::iter::from_fn(|| reader.next_slot().transpose()).find_map(Result::err);
            assert!(damage.is_some());
            let mut follower = Follower::open(&path).expect("a journal").expect("whole");
            assert!(
                std::iter::from_fn(|| match follower.next_entry() {
                    Ok(Next::Entry(..)) => Some(false),
                    Ok(_) => None,
                    Err(_) => Some(true),
                })
                .any(|failed| failed)
            );
        }
    }

    #[test]
    fn damage_is_told_and_other_files_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("journal");
        let header = JournalHeader::default();
        let mut writer = JournalWriter::create(&path, &header, SyncPolicy::Never).expect("a new file");
        for n in 0..2_000 {
            writer.slot(&slot(n));
            if writer.is_due() {
                writer.write_block().expect("a good disk");
            }
        }
        writer.finish().expect("a good disk");
        let mut bytes = std::fs::read(&path).expect("it was written");
        let middle = bytes.len() / 4;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).expect("a good disk");
        let mut follower = Follower::open(&path).expect("its header is good").expect("and whole");
        let said = loop {
            match follower.next_entry() {
                Ok(Next::Entry(..)) => {}
                Ok(end) => panic!("the damage went unseen: {end:?}"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(said.contains("checksum does not match"), "{said}");
        for other in ["not one", "{\"a\": 1} and more"] {
            std::fs::write(&path, other).expect("a good disk");
            let said = Follower::open(&path).expect_err("no journal").to_string();
            assert!(said.contains("is not a journal"), "{said}");
        }
        std::fs::write(&path, "ATJ").expect("a good disk");
        assert!(Follower::open(&path).expect("it may become one").is_none());
    }
}
