//! The strategies of a configuration, made and seated.

use super::PipelineError;
use crate::domain::{InstrumentId, InstrumentTable, StrategyId};
use crate::market::IndicatorRequest;
use crate::run::config::Config;
use crate::strategy::desk::Desk;
use crate::strategy::sizing::{Sizer, SizingSpec};
use crate::strategy::stage::Seat;
use crate::strategy::{Setup, StrategySpec};

/// Makes the strategies of the configuration and gathers what they ask of the market stage.
pub(in crate::run) fn seat_strategies(
    config: &Config,
    more: &'static [StrategySpec],
) -> Result<(Vec<Seat>, Vec<IndicatorRequest>), PipelineError> {
    let table: &InstrumentTable = &config.instruments;
    if config.strategies.len() > 255 {
        return Err(PipelineError::TooManyStrategies(config.strategies.len()));
    }
    let mut requests = Vec::new();
    let mut seats = Vec::new();
    let mut problems = Vec::new();
    for (id, wanted) in (0u8..).zip(&config.strategies) {
        let specs = || more.iter().chain(crate::strategy::BUILT_IN);
        let Some(spec) = specs().find(|s| s.name == wanted.name) else {
            let known: Vec<_> = specs().map(|s| s.name).collect();
            problems.push(wanted.unknown_name(&known));
            continue;
        };
        let params = match wanted.check(spec.params) {
            Ok(params) => params,
            Err(more) => {
                problems.extend(more);
                continue;
            }
        };
        if let Some(untradable) = wanted.instruments.iter().map(|i| table.get(*i)).find(|i| !i.tradable()) {
            let problem =
                format!("{} is data only: inverse contracts have no accounting yet", untradable.name());
            return Err(PipelineError::Setup { label: wanted.label.clone(), problem });
        }
        let mut wants_book = false;
        let mut setup = Setup {
            strategy: StrategyId(id),
            instruments: &wanted.instruments,
            table,
            params: &params,
            indicators: &mut requests,
            wants_book: &mut wants_book,
        };
        let strategy = match (spec.build)(&mut setup) {
            Ok(strategy) => strategy,
            Err(crate::strategy::registry::BuildError::Parameter(problem)) => {
                problems.push(problem);
                continue;
            }
            Err(error) => {
                return Err(PipelineError::Setup { label: wanted.label.clone(), problem: error.to_string() });
            }
        };
        let instruments: Vec<InstrumentId> = wanted.instruments.clone();
        let mut desk = Desk::new(StrategyId(id), table.len());
        desk.sizer = wanted.sizing.as_ref().and_then(|(method, params)| {
            let spec = SizingSpec::find(method)?;
            Some(Sizer::new(spec, params, &instruments, table.len()))
        });
        seats.push(Seat { label: wanted.label.clone(), spec, instruments, strategy, desk, wants_book });
    }
    if problems.is_empty() { Ok((seats, requests)) } else { Err(PipelineError::Strategies(problems)) }
}
