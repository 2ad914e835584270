//! The strategies of a configuration, made and seated.

use super::PipelineError;
use crate::domain::params::{ConfigProblem, ParamKind, Params};
use crate::domain::{InstrumentId, InstrumentTable, StrategyId};
use crate::market::IndicatorRequest;
use crate::market::request::IndicatorBody;
use crate::pipeline::panic_text;
use crate::run::config::{Config, StrategyConfig};
use crate::strategy::desk::Desk;
use crate::strategy::registry::BuildError;
use crate::strategy::sizing::{METHODS, Sizer, SizingSpec};
use crate::strategy::stage::Seat;
use crate::strategy::{Setup, Stops, StrategySpec};
use std::cell::Cell;
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
            let way = spec.method(params);
            let unfit = unfit(wanted, spec, way.needs_stop(), sized);
            let nothing = || way.is_nothing().then(|| of_nothing(wanted, spec, params)).flatten();
            problems.extend(unfit.or_else(nothing));
            desk.sizer = Some(Sizer::new(spec, params, &instruments, table.len()));
        }
        let label = wanted.label.clone();
        seats.push(Seat { label, spec, instruments, strategy, desk, wants_book, panicked: Cell::default() });
    }
    if problems.is_empty() { Ok((seats, requests)) } else { Err(PipelineError::Strategies(problems)) }
}

/// Refuses what a live run would wait for without end: what is computed of bars, where no trades are streamed to make them of.
pub(super) fn bars_come(config: &Config, requests: &[IndicatorRequest]) -> Result<(), PipelineError> {
    let streamed = |name: &str| config.venue.streams.iter().any(|stream| stream.name == name);
    if streamed("trade") || streamed("aggTrade") {
        return Ok(());
    }
    let of_bars = requests.iter().find_map(|request| match &request.body {
        IndicatorBody::Closes(key) => Some((request.instrument, key.name)),
        IndicatorBody::Imbalance { .. } => None,
    });
    of_bars.map_or(Ok(()), |(instrument, indicator)| {
        let instrument = config.instruments.get(instrument).name();
        Err(PipelineError::NoBars { file: config.file.clone(), instrument, indicator })
    })
}

/// Refuses a sizing whose share comes to nothing.
fn of_nothing(wanted: &StrategyConfig, spec: &SizingSpec, params: &Params) -> Option<ConfigProblem> {
    let given: Vec<String> = spec
        .params
        .iter()
        .filter(|param| matches!(param.kind, ParamKind::Float { .. }))
        .map(|param| format!("{} = {}", param.name, params.float(param.name)))
        .collect();
    let (method, given) = (spec.name, given.join(", "));
    let why = match method {
        "kelly" => {
            "win − (1 − win) ÷ payoff is more than nothing only where what is won outweighs what is lost: give the \
                    win_percent and payoff that the strategy's own trades had, and a part and a percent_max above 0"
        }
        _ => "give a larger one",
    };
    wanted.unfit_sizing(format!("{method}'s share is 0 with {given}, so it would never trade: {why}"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Market;
    use crate::domain::instrument::tests::sample;
    use crate::run::pipeline::{Pipeline, PipelineOptions};

    #[test]
    fn a_live_run_that_would_wait_for_bars_without_end_is_refused_and_one_that_waits_for_none_is_not() {
        let refused = |streams: &str, strategy: &str, live| {
            let text = format!(
                "[venue]\nstreams = [{streams}]\n[[strategy]]\ninstruments = [\"binance:usdm:BTCUSDT\"]\n{strategy}"
            );
            let table = InstrumentTable::new(vec![sample(Market::UsdM, "BTCUSDT")]).expect("one");
            let config = Config::from_text_with_instruments(&text, "my.toml", table).expect("a good one");
            let options = PipelineOptions { live, oversubscribe: true, ..PipelineOptions::default() };
            Pipeline::build(&config, options).err().map(|error| error.to_string())
        };
        let cross = "name = \"ma-cross\"\n[strategy.params]\nfast = 2\nslow = 3\nqty = \"0.010\"";
        let maker = "name = \"imbalance-maker\"\n[strategy.params]\nqty = \"0.010\"";
        let klines = "\"kline_1m\", \"bookTicker\", \"depth@100ms\"";
        let told = refused(klines, cross, true).expect("refused");
        let start = "my.toml: [venue] streams has neither \"trade\" nor \"aggTrade\", so no bar of binance:usdm:BTCUSDT is made";
        assert!(told.starts_with(start) && told.contains("sma"), "{told}");
        for (streams, strategy, live) in [
            (klines, maker, true),
            ("\"aggTrade\", \"bookTicker\"", cross, true),
            ("\"trade\", \"kline_1m\"", cross, true),
            (klines, cross, false),
        ] {
            assert_eq!(refused(streams, strategy, live), None, "{streams}, {strategy}");
        }
    }
}
