//! Strategies are other people's code: where one panics, a person is told whose it was.

#[path = "support/backtest.rs"]
mod backtest;
#[path = "support/history.rs"]
mod history;
#[path = "support/pipeline.rs"]
mod support;

use algo_trader::domain::{InstrumentId, Qty};
use algo_trader::market::Top;
use algo_trader::pipeline::{StopReason, Threading};
use algo_trader::run::{Config, PipelineOptions, ReplayError, ReplayOptions, Summary, replay_frames};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Awaited, Context, Setup, Strategy, StrategySpec};
use support::{small_market, threads};

static SPECS: &[StrategySpec] = &[
    named("quiet"),
    StrategySpec { name: "hasty", doc: "panics at its tenth quote", params: &[], build: hasty },
    StrategySpec { name: "unmade", doc: "panics before it is one", params: &[], build: unmade },
    StrategySpec {
        name: "unsure",
        doc: "panics when it is asked what it waits for",
        params: &[],
        build: unsure,
    },
    StrategySpec { name: "deaf", doc: "panics when it is asked what it heeds", params: &[], build: deaf },
];

const fn named(name: &'static str) -> StrategySpec {
    StrategySpec { name, doc: "does nothing", params: &[], build: |_| Ok(Box::new(Quiet)) }
}

struct Quiet;

impl Strategy for Quiet {}

struct Hasty(u32);

impl Strategy for Hasty {
    fn on_quote(&mut self, _ctx: &mut Context<'_>, _instrument: InstrumentId, _top: &Top) {
        self.0 -= 1;
        assert!(self.0 > 0, "out of quotes");
    }
}

fn hasty(_setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Hasty(10)))
}

fn unmade(_setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    panic!("no model.bin")
}

/// Is asked, in a backtest over bars, what may be passed over.
struct Asked {
    heeds: bool,
}

impl Strategy for Asked {
    fn heeds_quotes(&self) -> bool {
        assert!(!self.heeds, "no idea");
        false
    }
    fn awaits(&self, _instrument: InstrumentId, _held: Qty) -> Awaited {
        panic!("no idea");
    }
}

fn unsure(_setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Asked { heeds: false }))
}

fn deaf(_setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Asked { heeds: true }))
}

/// Runs strategies of these names, each with a label of its own, on a small market.
fn run(names: &[&str], threading: Threading) -> Result<Summary, ReplayError> {
    let mut text = "[instruments]\nfiles = [\"instruments/binance-spot.toml\"]\n".to_owned();
    for name in names {
        let of =
            format!("name = \"{name}\"\nlabel = \"my-{name}\"\ninstruments = [\"binance:spot:ETHUSDT\"]\n");
        text += &format!("[[strategy]]\n{of}");
    }
    let config = Config::from_text_with_built_in(&text, "my.toml").expect("a good configuration");
    let options = threads(threading);
    let options =
        ReplayOptions { pipeline: PipelineOptions { strategies: SPECS, ..options.pipeline }, ..options };
    replay_frames(&config, &mut small_market(1_000), options)
}

#[test]
fn a_strategy_that_panics_in_a_run_ends_it_and_is_named() {
    for threading in Threading::ALL {
        let result = run(&["quiet", "hasty"], threading);
        let Err(ReplayError::Stopped { reason, .. }) = result else { panic!("the run went on") };
        let StopReason::StagePanicked { seq, .. } = reason else { panic!("{reason}") };
        assert_eq!(
            reason.to_string(),
            format!("the strategy my-hasty panicked at event {seq}: out of quotes"),
            "{threading:?}"
        );
    }
}

#[test]
fn a_strategy_that_panics_when_it_is_asked_what_it_waits_for_is_named() {
    for name in ["unsure", "deaf"] {
        let dir = tempfile::tempdir().expect("a directory");
        backtest::minutes(dir.path(), "usa:spot:XYZ", &[[100, 101, 99, 100]; 50]);
        let of = format!("label = \"my-{name}\"\ninstruments = [\"usa:spot:XYZ\"]");
        let strategies = format!("[[strategy]]\nname = \"{name}\"\n{of}\n");
        let (config, catalogue) = backtest::config(dir.path(), &["usa:spot:XYZ"], &strategies);
        let error = backtest::run(&config, &catalogue, SPECS).expect_err("it does not go on").to_string();
        let named = format!("the strategy my-{name} panicked at event ");
        assert!(error.contains(&named) && error.contains("no idea"), "{error}");
    }
}

#[test]
fn a_strategy_that_panics_while_it_is_made_is_refused_by_the_place_of_its_name() {
    let error = run(&["quiet", "unmade"], Threading::Inline).expect_err("refused");
    assert_eq!(
        error.to_string(),
        "my.toml:8:8: strategy.name = \"unmade\": my-unmade: its `build` panicked: no model.bin"
    );
}

#[test]
fn two_strategies_of_one_name_are_refused_by_every_command() {
    static TWICE: &[StrategySpec] = &[named("quiet"), named("mine"), named("mine")];
    static AS_BUILT_IN: &[StrategySpec] = &[named("ma-cross")];
    let list = |specs| algo_trader::cli::run_with(["algo-trader", "list", "strategies"], specs);
    assert_eq!((list(SPECS), list(TWICE), list(AS_BUILT_IN)), (0, 2, 2));
}
