//! Segments: the events of one instrument in one file, by column, packed, in order of time.
//!
//! Owns: the file's format. Knows no catalogue and no source. Invariants: numbers come back exactly; events come back in
//! the order they were written, times never going back; what is damaged is an error that names the file, never an event.
//!
//! A file is a magic, then blocks of at most [`ROWS_MAX`] events, then an index with each block's place, CRC-32 and first
//! and last time, then the index's own CRC. A block has a column for each field of the kinds of events in it
//! (`block`), each packed by `pack`. Prices and quantities of a block share one number of decimals, as few as they
//! need, which only grows along a file. A reader holds one block.

mod block;
mod pack;
mod reader;
mod row;
mod scale;
mod writer;

pub use reader::SegmentReader;
pub use row::{DepthRow, Row, RowKind};
pub use scale::Num;
pub(in crate::history) use scale::fits_at;
pub use writer::{GapRule, Refused, SegmentStats, SegmentWriter};

/// Events in a block, at most.
pub const ROWS_MAX: usize = 16_384;
/// Levels of depth events in a block, at most, but for those of one event more.
const BLOCK_LEVELS_MAX: usize = 65_536;
/// Events after which a block is full. What is unpacked of it then stays in a core's own cache until it is read: a backtest
/// over bars takes some 4 % less than with blocks of [`ROWS_MAX`], which older files have.
const ROWS_FULL: usize = 4_096;
/// Levels after which it is full.
const LEVELS_FULL: usize = 8_192;
/// Levels in one event, at most.
pub const LEVELS_MAX: usize = 1 << 20;
/// Decimals of a bar's turnover, as venues print it; what is finer is cut off.
pub const TURNOVER_DECIMALS: u8 = 8;

const MAGIC: &[u8; 8] = b"ATSEG\x00\x00\x01";
const END_MAGIC: &[u8; 8] = b"ATIDX\x00\x00\x01";
/// Bytes of one block's place in the index.
const PLACE_BYTES: usize = 36;
/// Bytes after the index: how many blocks, the index's CRC-32, the magic.
const TAIL_BYTES: usize = 16;

/// How the bytes of a segment contradict themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// Not a segment at all, or one that was never finished.
    #[error("is not a finished segment")]
    Magic,
    /// The file ends early.
    #[error("ends early")]
    Short,
    /// The checksum of a part is another.
    #[error("the checksum is wrong")]
    Checksum,
    /// A column that cannot be unpacked.
    #[error("a column cannot be unpacked")]
    Column,
    /// Counts that do not fit each other.
    #[error("counts contradict each other")]
    Counts,
}

/// Why a segment cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        #[source]
        error: std::io::Error,
    },
    /// The file is gone.
    #[error(
        "{path}: is not there; remove what it came from with `algo-trader history remove` and import that again"
    )]
    Missing {
        /// Which file.
        path: String,
    },
    /// The file is damaged.
    #[error(
        "{path}: {problem} ({place}): the file is damaged; remove what it came from with `algo-trader history remove` \
         and import that again"
    )]
    Corrupt {
        /// Which file.
        path: String,
        /// Where in it.
        place: String,
        /// What is wrong.
        problem: Corrupt,
    },
    /// The instrument is configured with fewer decimals than the file has.
    #[error(
        "{path}: has {what} with {found} decimals, and the instrument is configured with {wanted}: write {found} in its \
         instrument file, or import the file again with fewer, by --round-price or --round-qty"
    )]
    Precision {
        /// Which file.
        path: String,
        /// Prices or quantities.
        what: &'static str,
        /// Decimals in the file.
        found: u8,
        /// Decimals asked for.
        wanted: u8,
    },
    /// A number of the file does not fit at the precision that the instrument has.
    #[error(
        "{path}: has {what} with {found} decimals, of which some are too large for 64 bits at {wanted}, with which the \
         instrument is read: where an instrument file has it, write fewer there; where none has, another of its files needs so \
         many (algo-trader history sources --json): remove that and import it again with fewer, by --round-price or --round-qty"
    )]
    TooLarge {
        /// Which file.
        path: String,
        /// Prices or quantities.
        what: &'static str,
        /// Decimals in the file.
        found: u8,
        /// Decimals asked for.
        wanted: u8,
    },
}

/// Where a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    offset: u64,
    len: u32,
    crc: u32,
    rows: u32,
    first: u64,
    last: u64,
}

impl Place {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        for word in [self.len, self.crc, self.rows] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.last.to_le_bytes());
    }

    fn read(bytes: &[u8; PLACE_BYTES]) -> Self {
        let long = |at: usize| bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let word = |at: usize| bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        Self { offset: long(0), len: word(8), crc: word(12), rows: word(16), first: long(20), last: long(28) }
    }
}
