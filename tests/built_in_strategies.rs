//! The strategies that come along do what their descriptions say, in whole runs over generated markets.

#[path = "support/pipeline.rs"]
mod support;

use algo_trader::domain::event::Event;
use algo_trader::domain::order::ReportKind;
use algo_trader::domain::{DenyReason, InstrumentTable, Order, OrderId, OrderKind, StrategyId};
use algo_trader::execution::RecordKind;
use algo_trader::journal::{Entry, JournalReader};
use algo_trader::net::FrameSource;
use algo_trader::pipeline::Threading;
use algo_trader::run::{Config, Summary, replay_frames};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use std::collections::BTreeMap;
use std::time::Duration;
use support::threads;

/// What the strategies of the demo did.
#[derive(Default)]
struct Did {
    orders: BTreeMap<OrderId, Order>,
    denied: Vec<(DenyReason, OrderId)>,
    /// Most orders of the maker that were open at once.
    most_open: usize,
}

const MAKER: StrategyId = StrategyId(2);

fn did(seed: u64) -> Did {
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let text = include_str!("../config/demo.toml");
    let config =
        Config::from_text_with_instruments(text, "demo.toml", table).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(config.strategies[usize::from(MAKER.0)].name, "imbalance-maker");
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let mut flow = FlowConfig::new(seed, demo_instruments()).with_events_per_s(150);
    flow.duration = Duration::from_secs(90);
    let mut source = FlowSource::new(&flow).expect("a market that can be made");
    let mut options = threads(Threading::Inline);
    options.pipeline.journal = Some(journal.clone());
    replay_frames(&config, &mut source, options).expect("a good run");
    let (mut did, mut open) = (Did::default(), Vec::new());
    let mut reader = JournalReader::open(&journal).expect("it is there");
    while let Some(entry) = reader.next_entry().expect("a good journal") {
        match entry {
            Entry::Record(record) if record.kind == RecordKind::Order => {
                let order = record.order;
                did.orders.insert(order.id, order);
                if order.strategy == MAKER {
                    open.push(order.id);
                    did.most_open = did.most_open.max(open.len());
                }
            }
            Entry::Record(record) if record.kind == RecordKind::Denied => {
                did.orders.insert(record.order.id, record.order);
            }
            Entry::Record(_) | Entry::End => {}
            Entry::Slot(slot) => match slot.event() {
                Event::Denial(denial) => did.denied.push((denial.reason, denial.order)),
                Event::Report(report) if report.kind != ReportKind::Accepted => {
                    open.retain(|id| *id != report.order);
                }
                _ => {}
            },
        }
    }
    did
}

#[test]
fn the_maker_works_one_order_at_a_time_and_closes_what_it_cannot_leave_at_the_market() {
    let (mut offers, mut closes, mut entries) = (0, 0, 0);
    for seed in 1..=3 {
        let did = did(seed);
        assert_eq!(did.most_open, 1, "seed {seed}");
        for order in did.orders.values().filter(|order| order.strategy == MAKER) {
            match (order.kind, order.reduce_only) {
                (OrderKind::PostOnly, true) => offers += 1,
                (OrderKind::PostOnly, false) => entries += 1,
                (OrderKind::Market, true) => closes += 1,
                _ => panic!("{order:?}"),
            }
        }
    }
    assert!(offers > 20 && entries > 20 && closes > 5, "{offers} {entries} {closes}");
}

#[test]
fn what_leaves_a_position_is_held_up_by_no_order_of_another_strategy() {
    let mut exits = 0;
    for seed in 1..=6 {
        let did = did(seed);
        let reduces = |id: &OrderId| did.orders.get(id).is_some_and(|order| order.reduce_only);
        let held_up = did.denied.iter().filter(|(why, id)| *why == DenyReason::SelfTrade && reduces(id));
        assert_eq!(held_up.count(), 0, "seed {seed}");
        exits += did.orders.keys().filter(|id| reduces(id)).count();
    }
    assert!(exits > 100, "{exits}");
}

/// The frames of a market of one symbol, each trade as an aggregate of one where `aggregate` says so.
fn frames(aggregate: bool) -> support::Frames {
    let mut flow = FlowConfig::new(5, demo_instruments()[..1].to_vec()).with_events_per_s(150);
    flow.duration = Duration::from_secs(90);
    let mut source = FlowSource::new(&flow).expect("a market that can be made");
    let of = &source.sources()[0];
    let mut out = support::Frames::new(of.market, of.symbol.as_deref().expect("a symbol"));
    while let Some(frame) = source.next_frame().expect("never fails") {
        let text = std::str::from_utf8(frame.bytes).expect("text");
        let single = aggregate.then(|| text.split_once(r#","t":"#)).flatten();
        let text = match single {
            Some((head, rest)) if head.contains(r#""e":"trade""#) => {
                let (id, rest) = rest.split_once(',').expect("more keys");
                let head = head.replace("@trade", "@aggTrade").replace(r#""e":"trade""#, r#""e":"aggTrade""#);
                format!(r#"{head},"a":{id},"f":{id},"l":{id},{rest}"#)
            }
            _ => text.to_owned(),
        };
        out.push(frame.received.0, text);
    }
    out
}

#[test]
fn where_aggregate_trades_are_all_there_are_bars_and_fills_go_by_them() {
    let run = |streams: &str, aggregate: bool| -> Summary {
        let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
        let text = format!("{}\n[venue]\nstreams = {streams}\n", include_str!("../config/demo.toml"));
        let config =
            Config::from_text_with_instruments(&text, "demo.toml", table).unwrap_or_else(|e| panic!("{e}"));
        replay_frames(&config, &mut frames(aggregate), threads(Threading::Inline)).expect("a good run")
    };
    let bars = |summary: &Summary| summary.books.iter().map(|(_, book)| book.bars).sum::<u64>();
    let single = run(r#"["trade", "bookTicker", "depth@100ms"]"#, false);
    let aggregate = run(r#"["aggTrade", "bookTicker", "depth@100ms"]"#, true);
    assert!(bars(&single) > 50 && single.execution.fills > 5, "{} {:?}", bars(&single), single.execution);
    assert_eq!(bars(&aggregate), bars(&single));
    assert_eq!(aggregate.execution, single.execution);
    assert_eq!(aggregate.order_stream_sha256, single.order_stream_sha256);
    // Beside single trades an aggregate says nothing new, and alone in a run that has them it is nothing.
    let both = run(r#"["trade", "aggTrade", "bookTicker", "depth@100ms"]"#, true);
    assert_eq!(bars(&both), 0);
}
