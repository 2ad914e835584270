//! The strategies of a configuration, made and seated.

use super::PipelineError;
use crate::domain::params::ConfigProblem;
use crate::domain::{InstrumentId, InstrumentTable, StrategyId};
use crate::market::IndicatorRequest;
use crate::pipeline::panic_text;
use crate::run::config::{Config, StrategyConfig};
use crate::strategy::desk::Desk;
use crate::strategy::registry::BuildError;
use crate::strategy::sizing::{METHODS, Sizer, SizingSpec};
use crate::strategy::stage::Seat;
use crate::strategy::{Setup, Stops, StrategySpec};
use std::panic::{AssertUnwindSafe, catch_unwind};

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
            let why = format!("{} is data only: inverse contracts have no accounting yet", untradable.name());
            problems.push(wanted.unfit(&why));
            continue;
        }
        let (mut wants_book, mut sized) = (false, None);
        let mut setup = Setup {
            strategy: StrategyId(id),
            instruments: &wanted.instruments,
            table,
            params: &params,
            indicators: &mut requests,
            wants_book: &mut wants_book,
            sized: &mut sized,
            has_sizing: wanted.sizing.is_some(),
        };
        // Somebody else's code: where it panics, a person is told whose it was, as of any configuration that does not do.
        let built = catch_unwind(AssertUnwindSafe(|| (spec.build)(&mut setup)));
        let strategy = match built {
            Ok(Ok(strategy)) => strategy,
            Ok(Err(BuildError::Parameter(problem))) => {
                problems.push(problem);
                continue;
            }
            Ok(Err(error)) => {
                problems.push(wanted.unfit(&error.to_string()));
                continue;
            }
            Err(panic) => {
                let why = format!("its `build` panicked: {}", panic_text(panic.as_ref()));
                problems.push(wanted.unfit(&why));
                continue;
            }
        };
        let instruments: Vec<InstrumentId> = wanted.instruments.clone();
        let mut desk = Desk::new(StrategyId(id), table.len());
        if let Some((method, params)) = &wanted.sizing
            && let Some(spec) = SizingSpec::find(method)
        {
            let needs_stop = spec.method(params).needs_stop();
            problems.extend(unfit(wanted, spec, needs_stop, sized));
            desk.sizer = Some(Sizer::new(spec, params, &instruments, table.len()));
        }
        let label = wanted.label.clone();
        seats.push(Seat { label, spec, instruments, strategy, desk, wants_book, panicked: false });
    }
    if problems.is_empty() { Ok((seats, requests)) } else { Err(PipelineError::Strategies(problems)) }
}

/// Refuses a sizing that the strategy, as it set itself up, would ignore or could never trade by.
fn unfit(
    wanted: &StrategyConfig,
    spec: &SizingSpec,
    needs_stop: bool,
    sized: Option<Stops>,
) -> Option<ConfigProblem> {
    let (name, method) = (&wanted.name, spec.name);
    match sized {
        Some(stops) if !needs_stop || stops == Stops::Given => None,
        Some(_) => {
            let others: Vec<&str> =
                METHODS.iter().map(|spec| spec.name).filter(|name| *name != method).collect();
            wanted.unfit_sizing(format!(
                "{method} goes by the loss at a stop, and {name} as it is configured here enters without one: it would \
                 never trade; choose one of {}",
                others.join(", ")
            ))
        }
        None => wanted.unfit_sizing(format!(
            "would be ignored: {name} as it is configured here does not ask for sizes; leave sizing out"
        )),
    }
}
