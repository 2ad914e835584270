//! What strategies ask the market stage to compute.

use super::indicator::{IndicatorSpecKey, PARAMS_MAX, REGISTRY, find};
use crate::domain::InstrumentId;

/// The name under which strategies ask for the imbalance of a book's best levels: one parameter, how many levels.
pub const IMBALANCE: &str = "imbalance";
/// Levels that an imbalance may look at.
pub const IMBALANCE_LEVELS_MAX: i64 = 100;

/// One indicator of one instrument. Equal requests are computed once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IndicatorRequest {
    /// Of what.
    pub instrument: InstrumentId,
    /// Which.
    pub body: IndicatorBody,
}

/// What is computed, from what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IndicatorBody {
    /// An indicator of the registry, over the closes of the run's bars.
    Closes(IndicatorSpecKey),
    /// (bid − ask) ÷ (bid + ask) of the best levels, after each change of the book.
    Imbalance {
        /// How many levels a side.
        levels: usize,
    },
}

impl IndicatorRequest {
    /// Whether it is computed from the book.
    #[must_use]
    pub const fn is_of_book(&self) -> bool {
        matches!(self.body, IndicatorBody::Imbalance { .. })
    }

    /// A checked request.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the name or the parameters.
    pub fn new(instrument: InstrumentId, name: &str, params: &[i64]) -> Result<Self, String> {
        if name == IMBALANCE {
            return match params {
                [levels @ 1..=IMBALANCE_LEVELS_MAX] => {
                    Ok(Self { instrument, body: IndicatorBody::Imbalance { levels: *levels as usize } })
                }
                _ => Err(format!("takes one parameter, 1 to {IMBALANCE_LEVELS_MAX} levels")),
            };
        }
        let Some(spec) = find(name) else {
            let known: Vec<_> = REGISTRY.iter().map(|s| s.name).chain([IMBALANCE]).collect();
            return Err(format!("there is none of that name; there are {}", known.join(", ")));
        };
        if params.len() != spec.params.len() {
            return Err(format!("takes {} parameters and was given {}", spec.params.len(), params.len()));
        }
        let mut all = [0i64; PARAMS_MAX];
        all[..params.len()].copy_from_slice(params);
        let key = IndicatorSpecKey { name: spec.name, params: all };
        key.build().map_err(|e| e.to_string())?;
        Ok(Self { instrument, body: IndicatorBody::Closes(key) })
    }
}
