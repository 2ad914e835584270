//! A loss that is over its limit stops trading at that event, closes what is open where that is configured, and does so
//! alike on any threads and in every replay.

#[path = "support/pipeline.rs"]
mod support;

use algo_trader::domain::event::{Command, Event};
use algo_trader::domain::{DenyReason, InstrumentTable, Qty, Scope};
use algo_trader::execution::RecordKind;
use algo_trader::journal::{Entry, JournalReader};
use algo_trader::pipeline::Threading;
use algo_trader::run::{Config, ReplayOptions, Summary, replay_frames, replay_journal};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::threads;

fn config(losses: &str) -> Config {
    let text = include_str!("../config/demo.toml");
    let (before, after) = text.split_once("unset = \"default\"\n").expect("the demo has limits");
    let text = format!("{before}unset = \"default\"\n[risk.losses]\n{losses}\n{after}");
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    Config::from_text_with_instruments(&text, "demo.toml", table).unwrap_or_else(|error| panic!("{error}"))
}

fn run(config: &Config, threading: Threading, journal: Option<PathBuf>) -> Summary {
    let mut flow = FlowConfig::new(42, demo_instruments()).with_events_per_s(400);
    flow.duration = Duration::from_secs(30);
    let mut source = FlowSource::new(&flow).expect("a market that can be made");
    let mut options = threads(threading);
    options.pipeline.journal = journal;
    replay_frames(config, &mut source, options).expect("a good run")
}

fn denied(summary: &Summary, reason: DenyReason) -> u64 {
    summary.denials.iter().find(|d| d.0 == reason.label()).map_or(0, |d| d.1)
}

/// What a journal has after its first kill: scopes of kills, orders, and those of them that only reduce at the market.
fn after_the_kill(path: &Path) -> (Vec<Scope>, u64, u64) {
    let mut journal = JournalReader::open(path).expect("a journal");
    let (mut scopes, mut orders, mut reducing) = (Vec::new(), 0, 0);
    while let Some(item) = journal.next_entry().expect("it reads") {
        match item {
            Entry::Slot(slot) => {
                if let Event::Command(Command::Kill(kill)) = slot.event() {
                    scopes.push(kill.scope);
                }
            }
            Entry::Record(record) if record.kind == RecordKind::Order && !scopes.is_empty() => {
                orders += 1;
                reducing += u64::from(record.order.reduce_only && !record.order.kind.has_limit());
            }
            _ => {}
        }
    }
    (scopes, orders, reducing)
}

#[test]
fn a_daily_loss_stops_everything_and_closes_what_is_open() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config("daily_max = \"0.5\"\nflatten = true");
    let journal = dir.path().join("run.journal");
    let summary = run(&config, Threading::Inline, Some(journal.clone()));
    assert!(denied(&summary, DenyReason::DailyLoss) > 0, "{:?}", summary.denials);
    assert!(summary.execution.fills > 0 && summary.live_orders == 0, "{:?}", summary.execution);
    assert!(summary.strategies.iter().all(|s| s.position.qty == Qty::ZERO), "{:#?}", summary.strategies);
    let (scopes, orders, reducing) = after_the_kill(&journal);
    assert_eq!(
        (scopes.as_slice(), orders),
        ([Scope::All].as_slice(), reducing),
        "only what reduces went out"
    );
    assert!(reducing > 0, "something was open");
    // A loss of a few dollars, not of many: it stops when it is reached.
    let lost: i128 = summary
        .strategies
        .iter()
        .map(|s| {
            let decimals = u32::from(s.instrument.notional_decimals());
            i128::from(s.position.fees) - s.position.realised.0 * 100_000_000 / 10i128.pow(decimals)
        })
        .sum();
    assert!(lost > 50_000_000 && lost < 50 * 100_000_000, "{lost}");
    for threading in [Threading::Shared, Threading::Dedicated] {
        let other = run(&config, threading, None);
        assert_eq!(other.order_stream_sha256, summary.order_stream_sha256, "{threading:?}");
    }
    let mut reader = JournalReader::open(&journal).expect("a journal");
    let again = replay_journal(&config, &mut reader, ReplayOptions::default()).expect("it replays");
    assert_eq!(again.order_stream_sha256, summary.order_stream_sha256);
}

#[test]
fn the_loss_of_one_strategy_stops_that_strategy_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = config(
        "daily_max = \"none\"\ndrawdown_max = \"none\"\nvelocity_max = \"none\"\nstrategy_daily_max = \"0.5\"",
    );
    let journal = dir.path().join("run.journal");
    let summary = run(&config, Threading::Inline, Some(journal.clone()));
    assert!(denied(&summary, DenyReason::StrategyDailyLoss) > 0, "{:?}", summary.denials);
    let (scopes, _, _) = after_the_kill(&journal);
    assert!(!scopes.is_empty() && scopes.iter().all(|s| matches!(s, Scope::Strategy(_))), "{scopes:?}");
    let mut once = scopes.clone();
    once.dedup();
    assert_eq!(once.len(), scopes.len(), "each is told once");
}

#[test]
fn a_limit_that_nobody_wrote_denies_every_order() {
    let text = include_str!("../config/demo.toml").replace("unset = \"default\"\n", "");
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let config = Config::from_text_with_instruments(&text, "demo.toml", table).expect("it can be read");
    let summary = run(&config, Threading::Inline, None);
    assert!(denied(&summary, DenyReason::LimitUnset) > 0, "{:?}", summary.denials);
    assert_eq!(summary.execution.orders, 0);
}
