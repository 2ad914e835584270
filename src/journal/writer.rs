//! Writing a journal.

use super::format::{
    JournalError, JournalHeader, MAGIC, TAG_END, TAG_LONG_RECORD, TAG_RECORD, TAG_SLOT, crc,
};
use crate::domain::Slot;
use crate::execution::Record;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// When a journal reaches the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Written to the kernel before an order is handed over: survives the process, not the power.
    Never,
    /// Also fsynced before an order is handed over: survives the power.
    EachOrder,
}

/// Where a journal goes: a file; in tests, one that stalls or is full.
pub trait JournalSink: Write + Send {
    /// Makes what was written survive a loss of power.
    ///
    /// # Errors
    /// Whatever the device says.
    fn sync(&mut self) -> io::Result<()>;
}

impl JournalSink for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Collects entries into blocks.
pub struct JournalWriter {
    sink: Box<dyn JournalSink>,
    policy: SyncPolicy,
    block: Vec<u8>,
    orders_in_block: bool,
    bytes: u64,
}

/// A block is written when it is this large, or when an order is in it.
const BLOCK_BYTES: usize = 64 << 10;
const BLOCK_HEAD: usize = 8;

impl JournalWriter {
    /// Creates the file, which must not exist yet: a journal is never overwritten.
    ///
    /// # Errors
    /// [`JournalError::Io`] with the path.
    pub fn create(path: &Path, header: &JournalHeader, policy: SyncPolicy) -> Result<Self, JournalError> {
        let io = |error| JournalError::Io { path: path.display().to_string(), error };
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            std::fs::create_dir_all(dir).map_err(io)?;
        }
        let file = File::options().write(true).create_new(true).open(path).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                let problem =
                    "exists already, and a journal is never overwritten: choose another path".into();
                return JournalError::Bad { path: path.display().to_string(), problem };
            }
            io(error)
        })?;
        // Kept while the file is open, so that nobody goes on with a run that goes on itself. A file system without locks
        // has none.
        let _ = file.try_lock();
        Self::to_sink(Box::new(file), header, policy).map_err(io)
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
        let mut block = Vec::with_capacity(2 * BLOCK_BYTES);
        block.resize(BLOCK_HEAD, 0);
        let mut writer = Self { sink, policy, block, orders_in_block: false, bytes: MAGIC.len() as u64 };
        writer.block.extend_from_slice(&serde_json::to_vec(header)?);
        writer.write_block()?;
        Ok(writer)
    }

    /// Adds a slot.
    #[inline]
    pub fn slot(&mut self, slot: &Slot) {
        // In one piece: the room is asked for once.
        let mut entry = [TAG_SLOT; 65];
        entry[1..].copy_from_slice(&slot.canonical());
        self.block.extend_from_slice(&entry);
    }

    /// Adds a record.
    #[inline]
    pub fn record(&mut self, record: &Record) {
        if record.is_long() {
            self.block.push(TAG_LONG_RECORD);
            self.block.extend_from_slice(&record.canonical_long());
        } else {
            self.block.push(TAG_RECORD);
            self.block.extend_from_slice(&record.canonical());
        }
        self.orders_in_block = true;
    }

    /// Called before the gateway may see what was added: writes if an order is among it, or the block is large.
    ///
    /// # Errors
    /// Whatever the sink says; the run must stop.
    pub fn flush_before_gateway(&mut self) -> io::Result<()> {
        if self.orders_in_block || self.block.len() >= BLOCK_BYTES {
            self.write_block()?;
        }
        Ok(())
    }

    /// Writes what is left, and that the run came to its end.
    ///
    /// # Errors
    /// Whatever the sink says.
    pub fn finish(&mut self) -> io::Result<()> {
        self.block.push(TAG_END);
        self.write_block()?;
        self.sink.flush()?;
        self.sink.sync()
    }

    /// Bytes written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn write_block(&mut self) -> io::Result<()> {
        let payload = self.block.len() - BLOCK_HEAD;
        if payload == 0 {
            return Ok(());
        }
        let sum = crc(&self.block[BLOCK_HEAD..]);
        self.block[0..4].copy_from_slice(&(payload as u32).to_le_bytes());
        self.block[4..8].copy_from_slice(&sum.to_le_bytes());
        self.sink.write_all(&self.block)?;
        if self.orders_in_block && self.policy == SyncPolicy::EachOrder {
            self.sink.sync()?;
        }
        self.bytes += self.block.len() as u64;
        self.block.truncate(BLOCK_HEAD);
        self.orders_in_block = false;
        Ok(())
    }
}
