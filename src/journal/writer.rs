//! Writing a journal.

use super::format::{
    JournalError, JournalHeader, MAGIC, TAG_END, TAG_LONG_RECORD, TAG_RECORD, TAG_SLOT, crc,
};
use super::locked::LockedFile;
use super::private::{private_dir_of, private_file};
use crate::domain::event::Kind;
use crate::domain::{Slot, Time};
use crate::execution::Record;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// When a journal reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Written to the kernel before an order is handed over: survives the process, not the power.
    Never,
    /// Also fsynced before an order is handed over, and when a command came: survives the power.
    EachOrder,
}

/// Where a journal goes: a file; in tests, one that stalls or is full.
pub trait JournalSink: Write + Send {
    /// Makes what was written survive a loss of power.
    ///
    /// # Errors
    /// Whatever the device says.
    fn sync(&mut self) -> io::Result<()>;

    /// Whether somebody could still find it: false once the file was deleted, which no write says.
    ///
    /// # Errors
    /// Whatever the operating system says.
    fn is_there(&self) -> io::Result<bool> {
        Ok(true)
    }
}

impl JournalSink for LockedFile {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn is_there(&self) -> io::Result<bool> {
        Ok(self.metadata()?.nlink() > 0)
    }
}

/// Collects entries into blocks.
pub struct JournalWriter {
    sink: Box<dyn JournalSink>,
    policy: SyncPolicy,
    /// The block, in room that is made once: what is beyond its length is of blocks before.
    room: Vec<u8>,
    len: usize,
    /// Whether something is in the block that must not be lost: an order or a command.
    is_urgent: bool,
    /// How long an entry waits at most for its block to be written, ns of the ring's time; for as long as it takes where none.
    patience_ns: Option<u64>,
    /// The ring's time when the block was begun; none before something is in it.
    begun: Option<Time>,
    is_late: bool,
    bytes: u64,
    looked_at: Instant,
}

/// How often is looked whether the file is there, where blocks are written as often.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// A block is written when it is this large, or when an order or a command is in it.
const BLOCK_BYTES: usize = 64 << 10;
const BLOCK_HEAD: usize = 8;

impl JournalWriter {
    /// Creates the file, which must not exist yet: a journal is never overwritten.
    ///
    /// # Errors
    /// [`JournalError::Io`] with the path.
    pub fn create(path: &Path, header: &JournalHeader, policy: SyncPolicy) -> Result<Self, JournalError> {
        let io = |error| JournalError::Io { path: path.display().to_string(), error };
        private_dir_of(path).map_err(io)?;
        let file = private_file().write(true).create_new(true).open(path).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                let problem =
                    "exists already, and a journal is never overwritten: choose another path".into();
                return JournalError::Bad { path: path.display().to_string(), problem };
            }
            io(error)
        })?;
        // Kept while the file is open, so that nobody goes on with a run that goes on itself. A file system without locks
        // has none.
        let file = LockedFile::if_possible(file);
        Self::to_sink(Box::new(file), header, policy).map_err(|error| {
            // Nothing is in it, and who looks for the newest journal would not know whether something was.
            let _ = std::fs::remove_file(path);
            io(error)
        })
    }

    /// Writes to any sink.
    ///
    /// # Errors
    /// Whatever the sink says of the header.
    pub fn to_sink(
        mut sink: Box<dyn JournalSink>,
        header: &JournalHeader,
        policy: SyncPolicy,
    ) -> io::Result<Self> {
        sink.write_all(MAGIC)?;
        let header = serde_json::to_vec(header)?;
        let room = vec![0; (2 * BLOCK_BYTES).max(BLOCK_HEAD + header.len())];
        let (len, bytes) = (BLOCK_HEAD, MAGIC.len() as u64);
        let mut writer = Self {
            sink,
            policy,
            room,
            len,
            is_urgent: false,
            patience_ns: None,
            begun: None,
            is_late: false,
            bytes,
            looked_at: Instant::now(),
        };
        writer.put(header.len()).copy_from_slice(&header);
        writer.write_block()?;
        Ok(writer)
    }

    /// The same, where no entry is to wait in memory for longer than this of the ring's time, and none that says what became of
    /// an order at all: for a run that cannot be run again.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience_ns = Some(u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX));
        self
    }

    /// Adds a slot.
    pub fn slot(&mut self, slot: &Slot) {
        self.add(TAG_SLOT, &slot.canonical());
    }

    /// Adds a slot, if there is room for it in the block as it is; whether there was.
    #[inline]
    #[must_use]
    pub fn slot_fits(&mut self, slot: &Slot) -> bool {
        if let Some([tag, room @ ..]) = self.room.get_mut(self.len..self.len + 65)
            && let Some(room) = room.first_chunk_mut()
        {
            *tag = TAG_SLOT;
            slot.put_canonical(room);
            self.len += 65;
            return true;
        }
        false
    }

    /// Adds a record.
    #[inline]
    pub fn record(&mut self, record: &Record) {
        if record.is_long() {
            self.add(TAG_LONG_RECORD, &record.canonical_long());
        } else {
            self.add(TAG_RECORD, &record.canonical());
        }
        self.is_urgent = true;
    }

    /// The event is whole whose last slot this was. A command is obeyed from here on, and answered: who crashes must find it.
    #[inline]
    pub fn event_ends(&mut self, slot: &Slot) {
        self.is_urgent |= slot.kind() == Kind::Command;
        if let Some(patience) = self.patience_ns {
            let begun = *self.begun.get_or_insert(slot.time());
            // An answer that is lost leaves its order unknown: who goes on has to ask, and may wait a while to be told.
            self.is_late |= slot.kind() == Kind::Report || slot.time().since(begun) >= patience;
        }
    }

    #[inline]
    fn add<const N: usize>(&mut self, tag: u8, entry: &[u8; N]) {
        let room = self.put(1 + N);
        room[0] = tag;
        room[1..].copy_from_slice(entry);
    }

    /// Takes the next `bytes` of the block, to be filled.
    #[inline]
    fn put(&mut self, bytes: usize) -> &mut [u8] {
        let (from, to) = (self.len, self.len + bytes);
        if to > self.room.len() {
            self.widen(to);
        }
        self.len = to;
        &mut self.room[from..to]
    }

    /// Makes room for more: a book of many levels is one event, and an event is never cut.
    #[cold]
    #[inline(never)]
    fn widen(&mut self, bytes: usize) {
        self.room.resize(2 * bytes, 0);
    }

    /// Whether the block has to be written before the gateway may see what was added: an order or a command is in it, it is
    /// large, or what it begins with has waited for long enough.
    #[inline]
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.is_urgent || self.is_late || self.len >= BLOCK_BYTES
    }

    /// Writes what is left, and that the run came to its end.
    ///
    /// # Errors
    /// Whatever the sink says.
    pub fn finish(&mut self) -> io::Result<()> {
        self.put(1)[0] = TAG_END;
        self.write_block()?;
        self.sink.flush()?;
        self.sink.sync()
    }

    /// Bytes written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    #[cold]
    fn look(&mut self) -> io::Result<()> {
        self.looked_at = Instant::now();
        if self.sink.is_there()? {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the journal was deleted while it was written, and with it goes what a recovery needs",
        ))
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// Whatever the sink says, and that the file is gone; the run must stop.
    pub fn write_block(&mut self) -> io::Result<()> {
        let block = &mut self.room[..self.len];
        let payload = block.len() - BLOCK_HEAD;
        if payload == 0 {
            return Ok(());
        }
        let sum = crc(&block[BLOCK_HEAD..]);
        block[0..4].copy_from_slice(&(payload as u32).to_le_bytes());
        block[4..8].copy_from_slice(&sum.to_le_bytes());
        self.sink.write_all(block)?;
        if self.looked_at.elapsed() >= LOOKS_EVERY {
            self.look()?;
        }
        if self.is_urgent && self.policy == SyncPolicy::EachOrder {
            self.sink.sync()?;
        }
        self.bytes += self.len as u64;
        self.len = BLOCK_HEAD;
        (self.is_urgent, self.is_late, self.begun) = (false, false, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Slot, event::Command};

    #[test]
    fn a_journal_that_is_deleted_is_missed_and_one_that_is_renamed_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, moved) = (dir.path().join("run.journal"), dir.path().join("other.journal"));
        let header = JournalHeader::default();
        let mut writer = JournalWriter::create(&path, &header, SyncPolicy::Never).expect("a new file");
        let mut written = || {
            writer.slot(&Slot::command(Command::Halt));
            // A second is over since it was looked.
            writer.looked_at = Instant::now().checked_sub(LOOKS_EVERY).expect("the host runs for a second");
            writer.write_block()
        };
        written().expect("it is there");
        std::fs::rename(&path, &moved).expect("ours");
        written().expect("it is there, under another name");
        std::fs::remove_file(&moved).expect("ours");
        let missed = written().expect_err("it is gone");
        assert!(missed.to_string().contains("was deleted"), "{missed}");
    }
}
