//! What can go wrong with a history, in words that say what to do.

use std::io;

/// Why the history cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        #[source]
        error: io::Error,
    },
    /// No history there.
    #[error(
        "{0}: there is no history here; make one with `algo-trader import` or `algo-trader fetch-history`, or say where it \
         is with --dir"
    )]
    Missing(String),
    /// A line of the catalogue that says nothing.
    #[error(
        "{path}:{line}: is not a line of a catalogue, or is there already: restore the file from a copy, or import anew into \
         another --dir"
    )]
    Damaged {
        /// The catalogue.
        path: String,
        /// Which line.
        line: usize,
    },
    /// Another process writes.
    #[error(
        "{0}: another process is importing into this history or removing from it; wait for it, then try again"
    )]
    Locked(String),
    /// Nothing by that name.
    #[error("the history has no {what} {name:?}; it has: {known}")]
    Unknown {
        /// Instrument, series or import.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// No series by that name of these instruments, whatever others have.
    #[error("{instruments}: the history has no series {name:?} of it; it has: {known}")]
    NoSeries {
        /// Whose.
        instruments: String,
        /// What was asked for.
        name: String,
        /// What there is of them.
        known: String,
    },
    /// A range that ends before it starts.
    #[error("the range ends ({until}) before it starts ({from}): exchange them")]
    Range {
        /// Start.
        from: String,
        /// End.
        until: String,
    },
    /// Overlap with what is there.
    #[error(transparent)]
    Overlap(Box<Overlap>),
    /// Numbers that no precision holds together with those that are there.
    #[error(transparent)]
    Apart(Box<Apart>),
    /// Depth whose ids begin again with a file.
    #[error(
        "{series}: its ids begin again with {file}, so that a book would stand still from there on, as they did in Tardis' files \
         that an earlier version imported: remove that import and those of the files after it with `algo-trader history remove` \
         (`algo-trader history sources` names them), and import these files again"
    )]
    CountedAnew {
        /// The series.
        series: String,
        /// The first file whose ids are not above those before it.
        file: String,
    },
    /// Instruments that do not make a table: a run finds them by market and symbol.
    #[error("{0}: a run can have this symbol of one venue only: choose the instruments of one venue")]
    Table(#[from] crate::domain::instrument::TableError),
    /// A segment that cannot be read.
    #[error(transparent)]
    Segment(#[from] crate::history::segment::SegmentError),
}

/// What a file would bring twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}: of {series} from {from} to {until} is there already what {other} has (import {id}), gaps in it included: remove \
     that with `algo-trader history remove {id}` first, or leave this file out"
)]
pub struct Overlap {
    /// The file being imported.
    pub file: String,
    /// The series.
    pub series: String,
    /// Where the overlap starts.
    pub from: String,
    /// Where it ends.
    pub until: String,
    /// The file imported earlier.
    pub other: String,
    /// Its import.
    pub id: String,
}

/// Two files of one series whose numbers cannot be read together: all of a series has the precision of its finest number, and
/// each has to fit 64 bits at that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{finest}: has {what} of {series} with {decimals} decimals, at which {coarsest} does not fit 64 bits, so that neither could \
     be read with the other: {}import {finest} with {option} {most} or less, or keep one of them in a history of its own",
    .of_import.as_ref().map(|id| format!("remove it with `algo-trader history remove {id}`, and ")).unwrap_or_default()
)]
pub struct Apart {
    /// The file whose numbers have the most decimals.
    pub finest: String,
    /// Its import, where it is in the history already.
    pub of_import: Option<String>,
    /// Prices or quantities.
    pub what: &'static str,
    /// The series.
    pub series: String,
    /// Their decimals in the finest.
    pub decimals: u8,
    /// The file whose numbers are too large for that.
    pub coarsest: String,
    /// What rounds them.
    pub option: &'static str,
    /// The most decimals at which both fit.
    pub most: u8,
}

impl HistoryError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Io { path: path.display().to_string(), error }
    }
}
