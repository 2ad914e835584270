//! Why a history was not fetched, in words that say what to do.

use crate::domain::Market;
use crate::history::HistoryError;
use crate::history::fetched::SpoolError;
use crate::net::CertificateProblem;

/// See the module. Whatever was received before is in the history.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The market's calls are others.
    #[error(
        "history is fetched of spot and usdm; for {0}, take the venue's dumps with `algo-trader import binance`"
    )]
    Market(Market),
    /// There is nothing between beginning and end.
    #[error(
        "nothing lies between --from ({from}) and --until ({until}): exchange them, or wait until it is past"
    )]
    Range {
        /// The beginning.
        from: String,
        /// The end, or the venue's time where that is earlier.
        until: String,
    },
    /// The server is not who it should be.
    #[error("{endpoint}: the server's certificate is refused: {problem}")]
    Certificate {
        /// Whom we asked.
        endpoint: String,
        /// What is wrong with it.
        problem: CertificateProblem,
    },
    /// The venue refuses the call itself; asking again would not help.
    #[error("{path}: the venue refuses this (HTTP {status}): {text}{remedy}")]
    Refused {
        /// What was asked.
        path: String,
        /// HTTP's status.
        status: u16,
        /// The venue's words.
        text: String,
        /// What to do, where that is known.
        remedy: &'static str,
    },
    /// It failed again and again.
    #[error(
        "{path}: {attempts} attempts failed, the last one since {last}; what came before is kept, run it again later"
    )]
    GaveUp {
        /// What was asked.
        path: String,
        /// How often.
        attempts: u32,
        /// Why it failed the last time.
        last: String,
    },
    /// One call costs more than may be used.
    #[error("one call costs more than the part of the venue's limit that may be used: raise --use-percent")]
    Budget,
    /// Stopped by the user.
    #[error("stopped; what came is in the history, and running it again goes on from there")]
    Stopped,
    /// What came cannot be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The history cannot be used.
    #[error(transparent)]
    History(#[from] HistoryError),
}
