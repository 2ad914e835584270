//! Why a backtest could not be made.

use crate::history::HistoryError;
use crate::net::SourceError;
use crate::pipeline::StopReason;
use crate::run::pipeline::PipelineError;
use thiserror::Error;

/// See the module.
#[derive(Debug, Error)]
pub enum BacktestError {
    /// The pipeline cannot be assembled.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The history cannot be read, or has not what was asked for.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The recorded frames cannot be read.
    #[error(transparent)]
    Source(SourceError),
    /// Recordings cannot be opened.
    #[error("{0}")]
    Recording(String),
    /// No strategy is configured.
    #[error("no strategy is configured: add a [[strategy]] to {0}")]
    NoStrategy(String),
    /// A strategy's instrument has no series among those that are read.
    #[error(
        "{instrument} has no series to run over; the history has {known}: import one (algo-trader import), or take \
         the instrument out of its strategy"
    )]
    NoSeries {
        /// Which.
        instrument: String,
        /// What there is.
        known: String,
    },
    /// A strategy's instrument is in none of the recordings.
    #[error(
        "{instrument} is in none of the recordings that are given ({known}): give one of it, named MARKET-SYMBOL-DATE.gz as \
         spot-btcusdt-20240808.gz is, or trade what they are of: --config FILE with a [[strategy]] on it"
    )]
    NoRecording {
        /// Which.
        instrument: String,
        /// What is given.
        known: String,
    },
    /// Two series of one instrument with the same.
    #[error(
        "{instrument} has {what} in several series, {series}, and all of them would count: name those to read, with one of \
         these alone, such as {read} (or [backtest] series)"
    )]
    SeveralSeries {
        /// Of which instrument.
        instrument: String,
        /// What they have.
        what: &'static str,
        /// Those.
        series: String,
        /// A choice of all its series that would do.
        read: String,
    },
    /// Orders are to fill along bars, while quotes or depth say where the market is.
    #[error(
        "fill = \"bars\" fills {instrument} along the path of its bars, and its quotes or depth would say otherwise where its \
         market is: read its bars alone, by --series {bars} (or [backtest] series), or use fill = \"auto\""
    )]
    BarsBeside {
        /// Of which instrument.
        instrument: String,
        /// Its series of bars.
        bars: String,
    },
    /// A warm-up before no moment.
    #[error(
        "warm_up is what is watched before the first moment of a run: say in from, or with --from, when that is"
    )]
    WarmUp,
    /// The fill model needs what is not there.
    #[error("fill = {model:?} needs {needs}, which {instrument} has not among {series}; use fill = \"auto\"")]
    Model {
        /// Which model.
        model: &'static str,
        /// What it needs.
        needs: &'static str,
        /// Of which instrument.
        instrument: String,
        /// What there is.
        series: String,
    },
    /// Instruments that are paid in several assets.
    #[error("strategies trade in {0}: a backtest has one currency, so run them apart")]
    Currencies(String),
    /// Nothing lies in the range.
    #[error("no event lies in the range: {series} has {there}, and {asked} was asked for")]
    Nothing {
        /// Of what.
        series: String,
        /// From when to when there is something.
        there: String,
        /// From when to when was asked for.
        asked: String,
    },
    /// A file beside the history cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// A file beside the history does not say what it should.
    #[error("{path}:{line}: {expected}")]
    File {
        /// Which.
        path: String,
        /// Where; 0 where it is about the whole.
        line: usize,
        /// What was expected.
        expected: String,
    },
    /// A stage failed.
    #[error("{0}")]
    Stopped(StopReason),
}
