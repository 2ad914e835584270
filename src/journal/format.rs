//! The journal's file format.
//!
//! `ATJRNL01`, then blocks: length (u32), CRC-32 of the payload (u32), payload; all little-endian. The first block is
//! the header as JSON; the others are entries: 1 and a slot's 64 canonical bytes, or 2 and a record's 72.
//! A file cut anywhere reads to its last whole block. What a slot holds is said in `domain/event.rs`; kinds are only ever
//! added (12, an interruption of market data, came with the live feed), and one that a reader does not know passes as time.

use crate::domain::Instrument;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a journal begins with.
pub const MAGIC: &[u8; 8] = b"ATJRNL01";
/// Tag of a slot.
pub const TAG_SLOT: u8 = 1;
/// Tag of a record.
pub const TAG_RECORD: u8 = 2;
/// No block is larger.
pub const BLOCK_BYTES_MAX: usize = 16 << 20;

/// What a run was, so that it can be run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalHeader {
    /// Version of the program that wrote it.
    pub version: String,
    /// The run's epoch, which is part of every client order id.
    pub epoch: u64,
    /// Name of the configuration.
    pub config_name: String,
    /// Its text.
    pub config_text: String,
    /// The instruments, resolved.
    pub instruments: Vec<Instrument>,
}

/// Why a journal cannot be written or read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        #[source]
        error: std::io::Error,
    },
    /// The file is not a journal, or not one of ours.
    #[error("{path}: {problem}")]
    Bad {
        /// Which file.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

/// CRC-32 (IEEE) of a block.
#[must_use]
pub fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
