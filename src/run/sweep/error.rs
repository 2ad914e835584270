//! What can go wrong with a sweep.

use super::Done;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why one set of parameters has no result.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvaluateError {
    /// The parameters do not go together; not a fault.
    #[error("refused: {0}")]
    Refused(String),
    /// The run went wrong.
    #[error("failed: {0}")]
    Failed(String),
}

/// Why there is nothing to search.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpaceError {
    /// Not `NAME=VALUES`.
    #[error("{0:?}: expected NAME=VALUES, such as fast=5..50:5 or fast=5,10,20")]
    Syntax(String),
    /// No value, or an empty one.
    #[error("{name}: no value; give a list such as 5,10,20 or a range such as 5..50:5")]
    Empty {
        /// The axis.
        name: String,
    },
    /// A range whose bounds or step cannot be.
    #[error(
        "{name}: {range:?} is not a range; expected FROM..TO:STEP, numbers with FROM below TO and STEP above 0"
    )]
    Range {
        /// The axis.
        name: String,
        /// As written.
        range: String,
    },
    /// The same value twice.
    #[error("{name}: {value} is there twice")]
    Twice {
        /// The axis.
        name: String,
        /// The value.
        value: String,
    },
    /// Two axes of one name.
    #[error("{0} is given twice")]
    AxisTwice(String),
    /// Nothing to vary.
    #[error("no parameter to vary; give at least one, such as --param fast=5..50:5")]
    NoAxis,
    /// More than can be run.
    #[error("{0} sets of parameters are more than {max}; search some of them with --random N", max = super::space::POINTS_MAX)]
    TooMany(u64),
    /// No window of a walk-forward fits.
    #[error("the data span {span}, which is shorter than one training and one testing stretch, {needed}")]
    NoWindow {
        /// What there is.
        span: String,
        /// What one window takes.
        needed: String,
    },
}

/// Why a sweep ended early.
#[derive(Debug, Error)]
pub enum SweepError {
    /// The results file could not be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        #[source]
        error: io::Error,
    },
    /// The results file has other results.
    #[error(
        "{path}: these are results of other parameters, settings or data; name another file, or remove this one"
    )]
    OtherSweep {
        /// The file.
        path: PathBuf,
    },
    /// A line in the middle of the results file is damaged.
    #[error("{path}:{line}: not a result: {error}; remove the line, and it is run again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        #[source]
        error: serde_json::Error,
    },
    /// A line of the results file has another checksum.
    #[error("{path}:{line}: is not as it was written; remove the line, and it is run again")]
    Changed {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// Another process has the results file.
    #[error(
        "{path}: another sweep is writing its results into this file: let it end first, or name another file"
    )]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Somebody asked it to stop.
    #[error(
        "interrupted after {} of {total} runs; the same command goes on from there if it has a results file",
        done.len()
    )]
    Interrupted {
        /// Runs with a result, in the order of the tasks.
        done: Vec<Done>,
        /// All.
        total: usize,
    },
}
