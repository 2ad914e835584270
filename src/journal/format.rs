//! The journal's file format.
//!
//! `ATJRNL02`, then blocks: length (u32), CRC-32 of the payload (u32), payload; all little-endian. The first block is
//! the header as JSON; the others are entries: 1 and a slot's 64 canonical bytes, 2 and a record's 72, 4 and the 96 of
//! one whose order has a trigger, trails or hides, or 3, with which a run that came to its end closes its journal. A
//! file cut anywhere reads to its last whole block.
//!
//! Records follow the last slot of the event that caused them, in the same block: an event is whole when its block is.
//! Sequence numbers are not written: the slots are all of the ring's, in its order, from 1.
//!
//! Version 01 had no end and fewer fields in its header; it is still read.
//! What a slot holds is said in `domain/event.rs`; kinds are only ever added (12, an interruption of market data; 14, the
//! rules of market orders), and one that a reader does not know passes as time.

use super::recover::Resumed;
use crate::domain::{Instrument, InstrumentId, Slot, StartingBalance};
use crate::execution::Record;
use crate::execution::record::{LONG_RECORD_BYTES, RECORD_BYTES};
use crate::market::{BarSpec, IncompleteBars};
use crate::risk::Carried;
use crate::strategy::ClosingPace;
use crate::venue::VenueTerms;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// What a journal begins with.
pub const MAGIC: &[u8; 8] = b"ATJRNL02";
/// What journals of the version before began with.
pub const MAGIC_01: &[u8; 8] = b"ATJRNL01";
/// Tag of a slot.
pub const TAG_SLOT: u8 = 1;
/// Tag of a record.
pub const TAG_RECORD: u8 = 2;
/// Tag of the end.
pub const TAG_END: u8 = 3;
/// Tag of a long record.
pub const TAG_LONG_RECORD: u8 = 4;
/// No block is larger.
pub const BLOCK_BYTES_MAX: usize = 16 << 20;

/// What a run was, so that it can be run again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// The run's name; empty in a journal of version 01.
    #[serde(default)]
    pub run_name: String,
    /// When the run was started, ns since 1970, by the host's clock; zero in a journal of version 01.
    #[serde(default)]
    pub started_ns: u64,
    /// The strategies, by their ids; empty in a journal of version 01.
    #[serde(default)]
    pub strategies: Vec<JournalStrategy>,
    /// What ends a bar; a second in a journal of version 01.
    #[serde(default)]
    pub bar: BarSpec,
    /// How long a bar waits for late trades, ns.
    #[serde(default)]
    pub bar_grace_ns: u64,
    /// What became of bars that lack trades; in a journal from before this was written they were handed out.
    #[serde(default = "given")]
    pub incomplete_bars: IncompleteBars,
    /// What the wallets held at first: of a live run, what the account held; `None` where the configuration says it.
    #[serde(default)]
    pub balances: Option<Vec<StartingBalance>>,
    /// What the venue told of its instruments before a live run; `None` where instrument files say it.
    #[serde(default)]
    pub terms: Option<VenueTerms>,
    /// What it began with, where it goes on where another run ended.
    #[serde(default)]
    pub resumed: Option<Resumed>,
    /// What its losses and the day's counts went on from, where an earlier run of its name left some.
    #[serde(default)]
    pub carried: Option<Carried>,
    /// The number that the venue gives the account of a run with live orders; `None` where it says none, and in an older
    /// journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<u64>,
    /// Where it stands among the runs that went on one with another; `None` where it goes on with none, and in an older
    /// journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// Whether risk's wallets followed what moved in the account elsewhere; an older journal's did not, and its replay decides
    /// as they did.
    #[serde(default)]
    pub follows_account: bool,
    /// Whether what a kill closes was asked for less and less often while nobody traded with it; in an older journal it was
    /// not, and its replay asks as that did.
    #[serde(default)]
    pub closes_slower: bool,
    /// Whether also while it was refused or denied.
    #[serde(default)]
    pub closes_refused_slower: bool,
    /// Whether it was asked for at once no more than seldom, where an order or the account may have let go of it.
    #[serde(default)]
    pub closes_at_once_seldom: bool,
    /// Whether what was too little to be an order was asked for at once where the position had changed or a hold was let go
    /// of, and whatever came to nothing where the kill was asked for again.
    #[serde(default)]
    pub closes_what_changed: bool,
    /// Whether what protects a position stayed in force until what an earlier run's kill was to close could be closed; in an
    /// older journal it was taken back before, and its replay does as that did.
    #[serde(default)]
    pub protects_what_waits: bool,
    /// Whether its bars are of aggregate trades; what follows an older journal makes them of single ones.
    #[serde(default)]
    pub aggregates: bool,
}

impl JournalHeader {
    /// What made that a kill's closing was asked for less and less often.
    #[must_use]
    pub fn closing_pace(&self) -> ClosingPace {
        match (self.closes_slower, self.closes_refused_slower, self.closes_at_once_seldom) {
            (_, true, true) if self.closes_what_changed => ClosingPace::Slower,
            (_, true, true) => ClosingPace::SlowerUnheeding,
            (_, true, false) => ClosingPace::SlowerOften,
            (true, false, _) => ClosingPace::SlowerUntraded,
            (false, false, _) => ClosingPace::Even,
        }
    }

    /// The same, written down.
    pub fn set_closing_pace(&mut self, pace: ClosingPace) {
        self.closes_slower = pace != ClosingPace::Even;
        self.closes_refused_slower = pace.is_by_refusals();
        self.closes_at_once_seldom = pace.is_at_once_seldom();
        self.closes_what_changed = pace == ClosingPace::Slower;
    }
}

/// Where a run stands among those that went on one with another. An order keeps its number over all of them, and no other
/// has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The [key](run_key) of the first of them.
    pub first: String,
    /// How many came before.
    pub nth: u32,
}

/// What tells the run with this header, byte for byte as its journal has it, from every other: 32 hexadecimal digits, the
/// beginning of the header's SHA-256, which holds the moment of the run's start.
#[must_use]
pub fn run_key(header: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(header)[..16].iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const fn given() -> IncompleteBars {
    IncompleteBars::Give
}

/// A strategy of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalStrategy {
    /// What it is called in output.
    pub label: String,
    /// Which strategy it is.
    pub name: String,
    /// What it gets events of and trades.
    pub instruments: Vec<InstrumentId>,
}

/// One entry of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// What happened.
    Slot(Slot),
    /// What was decided.
    Record(Record),
    /// The run came to its end: nothing follows.
    End,
}

/// The first entry of `rest`, what remains of a block, and the bytes it takes; `None` where it does not read.
#[inline]
#[must_use]
pub fn entry(rest: &[u8]) -> Option<(Entry, usize)> {
    let (&tag, rest) = rest.split_first()?;
    match tag {
        TAG_SLOT => Some((Entry::Slot(Slot::from_canonical(rest.first_chunk()?)), 65)),
        TAG_RECORD => Some((Entry::Record(Record::from_canonical(rest.first_chunk()?)?), 1 + RECORD_BYTES)),
        TAG_LONG_RECORD => {
            let record = Record::from_canonical_long(rest.first_chunk()?)?;
            Some((Entry::Record(record), 1 + LONG_RECORD_BYTES))
        }
        TAG_END => Some((Entry::End, 1)),
        _ => None,
    }
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

impl JournalError {
    /// That a file cannot be opened, with what to do where that is known.
    pub(crate) fn unopened(path: &std::path::Path, error: std::io::Error) -> Self {
        Self::Io { path: path.display().to_string(), error: unopened(error) }
    }
}

/// The system's error on opening a file to read, with what to do where that is known.
pub(crate) fn unopened(error: std::io::Error) -> std::io::Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => std::io::Error::new(error.kind(), "no such file: check the path"),
        _ => error,
    }
}

/// CRC-32 (IEEE) of a block.
#[must_use]
pub fn crc(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_does_not_say_what_became_of_incomplete_bars_has_handed_them_out() {
        let header = JournalHeader::default();
        assert_eq!(header.incomplete_bars, IncompleteBars::Withhold);
        let mut older = serde_json::to_value(&header).expect("it serializes");
        assert!(older.as_object_mut().expect("an object").remove("incomplete_bars").is_some());
        let older: JournalHeader = serde_json::from_value(older).expect("it reads");
        assert_eq!(older, JournalHeader { incomplete_bars: IncompleteBars::Give, ..header });
    }

    #[test]
    fn a_journal_replays_at_the_pace_that_its_kills_closed_at() {
        let mut header = JournalHeader::default();
        assert_eq!(header.closing_pace(), ClosingPace::Even, "the oldest say nothing of it");
        for (said, pace) in [
            ("closes_slower", ClosingPace::SlowerUntraded),
            ("closes_refused_slower", ClosingPace::SlowerOften),
            ("closes_at_once_seldom", ClosingPace::SlowerUnheeding),
            ("closes_what_changed", ClosingPace::Slower),
        ] {
            let mut newer = serde_json::to_value(&header).expect("it serializes");
            newer[said] = true.into();
            header = serde_json::from_value(newer).expect("it reads");
            assert_eq!(header.closing_pace(), pace, "{said}");
            let mut written = JournalHeader::default();
            written.set_closing_pace(pace);
            assert_eq!(written, header);
        }
    }
}
