//! What can be wrong with a file that is imported, in words that say what to do.

use crate::history::catalogue::HistoryError;
use crate::history::segment::Refused;
use crate::venue::DecodeError;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// Not as many columns as this kind of file has.
    #[error("{found} columns where {expected} were expected ({what})")]
    Columns {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
        /// What the columns should be.
        what: &'static str,
    },
    /// Not a number.
    #[error("{column}: {text:?} is not a number")]
    Number {
        /// Which column.
        column: &'static str,
        /// What is there.
        text: String,
    },
    /// Not a whole number.
    #[error("{column}: {text:?} is not a whole number of at most 19 digits")]
    Integer {
        /// Which column.
        column: &'static str,
        /// What is there.
        text: String,
    },
    /// Does not fit 64 bits.
    #[error("{column}: {text} is too large for 64 bits")]
    Large {
        /// Which column.
        column: &'static str,
        /// What is there.
        text: String,
    },
    /// Finer than an exact number can be.
    #[error("{column}: {text} has more than 18 decimals")]
    Precise {
        /// Which column.
        column: &'static str,
        /// What is there.
        text: String,
    },
    /// Below zero.
    #[error("{column}: {text} is below zero")]
    Negative {
        /// Which column.
        column: &'static str,
        /// What is there.
        text: String,
    },
    /// Zero or below.
    #[error("{column}: {text} is not above zero")]
    NotPositive {
        /// Which column.
        column: &'static str,
        /// What is there.
        text: String,
    },
    /// Not one of a few words.
    #[error("{column}: {text:?} is not {expected}")]
    Word {
        /// Which column.
        column: &'static str,
        /// What is there.
        text: String,
        /// What could be.
        expected: &'static str,
    },
    /// A bar whose prices contradict each other.
    #[error("the bar's high is below, or its low above, another of its prices")]
    Bar,
    /// A bar that ends before it begins.
    #[error("ends before it starts")]
    EndBeforeStart,
    /// Longer than bars of the series are.
    #[error("the bar lasts {lasts} s, and those of this series {every} s")]
    BarLength {
        /// How long the series' bars are, s.
        every: u64,
        /// How long this one is, s.
        lasts: u64,
    },
    /// Sooner after the one before than bars of the series can be.
    #[error("the bar begins {apart} s after the one before, and bars of this series last {every} s")]
    BarsOverlap {
        /// How long the series' bars are, s.
        every: u64,
        /// From one beginning to the next, s.
        apart: u64,
    },
    /// The same row again.
    #[error("the same {0} as the row above it")]
    Duplicate(&'static str),
    /// An id below the one above.
    #[error("its id is below that of the row above it")]
    IdBack,
    /// A frame that cannot be decoded.
    #[error("{0}")]
    Frame(DecodeError),
    /// A line of a recording that is no frame.
    #[error("{0}")]
    Line(String),
    /// A frame of an instrument that is not known.
    #[error(
        "a frame of an instrument that is not configured: add it to an instrument file and give --config"
    )]
    UnknownInstrument,
    /// Cannot be named.
    #[error("{0}")]
    Name(#[from] NameFault),
    /// Cannot be kept.
    #[error("{0}")]
    Refused(#[from] Refused),
}

impl RowFault {
    /// What to do about it.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Refused(Refused::Unsorted) | Self::IdBack => {
                "import it with --sort, or leave such rows out with --skip-bad"
            }
            Self::Precise { .. }
            | Self::Refused(Refused::Precision { .. } | Refused::TooLarge)
            | Self::Large { .. } => {
                "round with --round-price N or --round-qty N, or leave such rows out with --skip-bad"
            }
            Self::Columns { .. } => {
                "is this the right KIND? Otherwise correct the file, or leave such rows out with --skip-bad"
            }
            Self::UnknownInstrument => "or leave such frames out with --skip-bad",
            Self::Name(_) => "nothing was imported",
            _ => "correct the file, or leave such rows out with --skip-bad",
        }
    }
}

/// Why an instrument has no name, or no assets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Not `venue:market:SYMBOL`.
    #[error(
        "{0:?} is not a name such as binance:spot:BTCUSDT (venue, one of spot, usdm, coinm, symbol of 1 to 15 bytes)"
    )]
    Instrument(String),
    /// The symbol does not tell its assets.
    #[error("which assets {0} trades cannot be told from its symbol: add --base and --quote")]
    Assets(String),
    /// The part of the venue is not known.
    #[error("the market of {0} cannot be told from the file: add --market spot, usdm or coinm")]
    Market(String),
    /// The file's name does not say what it holds.
    #[error("the name does not tell what the file holds: {0}")]
    File(&'static str),
    /// Needs an option.
    #[error("{0}")]
    Option(&'static str),
}

/// Why a file was not imported; nothing of it is then in the history.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        #[source]
        error: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {problem}")]
    File {
        /// Which file.
        path: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A recording cannot be read.
    #[error("{problem}")]
    Frames {
        /// The file, what is wrong and what to do.
        problem: String,
    },
    /// A row is not what it should be.
    #[error("{path}:{line}: {fault}: {remedy}", remedy = fault.remedy())]
    Row {
        /// Which file.
        path: String,
        /// Which line.
        line: u64,
        /// What is wrong.
        fault: RowFault,
    },
    /// Stopped by the user.
    #[error("{path}: stopped; nothing of it was imported")]
    Stopped {
        /// Which file.
        path: String,
    },
    /// The history cannot take it.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl ImportError {
    pub(super) fn file(path: &std::path::Path, problem: impl Into<String>) -> Self {
        Self::File { path: path.display().to_string(), problem: problem.into() }
    }
}
