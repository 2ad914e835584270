//! The built-in strategies, one line each; help, configuration checks and docs come from this table.

use super::{Setup, SetupError, Strategy, imbalance_maker, ma_cross, rsi_reversion};
use crate::domain::params::{ConfigProblem, ParamSpec};

/// One strategy that can be named in a configuration.
pub struct StrategySpec {
    /// The name in `[[strategy]]`.
    pub name: &'static str,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
    /// Its parameters.
    pub params: &'static [ParamSpec],
    /// Makes one.
    pub build: fn(&mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError>,
}

/// Why a strategy could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// It does not fit its instruments or indicators.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A parameter does not fit the instrument, with its place in the file.
    #[error("{0}")]
    Parameter(ConfigProblem),
}

impl From<ConfigProblem> for BuildError {
    fn from(problem: ConfigProblem) -> Self {
        Self::Parameter(problem)
    }
}

/// The strategies that come with algo-trader.
pub static BUILT_IN: &[StrategySpec] = &[ma_cross::SPEC, rsi_reversion::SPEC, imbalance_maker::SPEC];
