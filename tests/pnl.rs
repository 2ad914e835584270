//! Profit by either method is that of its fills, by strategy, instrument and day, and what the wallets hold agrees.

#[path = "support/store.rs"]
mod databases;
#[path = "support/pipeline.rs"]
mod support;

use algo_trader::domain::decimal::parse;
use algo_trader::domain::event::{Event, FeeAsset, Report};
use algo_trader::domain::order::ReportKind;
use algo_trader::domain::pnl::Method;
use algo_trader::domain::{
    InstrumentId, InstrumentTable, Market, OrderId, Price, Qty, Side, Slot, StrategyId, Time,
};
use algo_trader::journal::{Entry, JournalHeader, JournalReader, JournalWriter, SyncPolicy, recover};
use algo_trader::market::Top;
use algo_trader::net::{Frame, FrameSource, SourceError, SourceInfo};
use algo_trader::pipeline::Threading;
use algo_trader::run::pnl::{PnlReport, pnl_report};
use algo_trader::run::{Config, Summary, replay_frames};
use algo_trader::store::Loader;
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments};
use databases::{Database, Sqlite, settings};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;
use support::threads;

/// Decimals in which everything is added up here.
const FINE: u8 = 18;

fn exact(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let part = format!("{part:0<width$}", width = usize::from(FINE));
    sign * (whole.parse::<i128>().expect("digits") * 10i128.pow(FINE.into())
        + part.parse::<i128>().expect("digits"))
}

/// Buys twice and sells once, again and again, so that what is closed is never all that is held.
struct Gatherer {
    instrument: InstrumentId,
    quotes: i64,
}

impl Strategy for Gatherer {
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        self.quotes += 1;
        if self.quotes % 50 != 0 || !top.is_two_sided() {
            return;
        }
        let turn = self.quotes / 50;
        let lot = ctx.instrument(self.instrument).lot.0;
        let qty = Qty(lot * (100 + turn % 7));
        let order =
            if turn % 3 == 0 { ctx.sell(self.instrument, qty) } else { ctx.buy(self.instrument, qty) };
        // One that is denied is left out.
        let _ = order.at_market().send();
    }
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    Ok(Box::new(Gatherer { instrument: setup.one_instrument()?, quotes: 0 }))
}

static GATHERER: &[StrategySpec] = &[StrategySpec { name: "gatherer", doc: "gathers", params: &[], build }];

/// Ninety seconds around a change of the day, from the first of January 2025, midnight; with the demo's strategies, or
/// one that gathers.
fn run(journal: &Path, method: Method, gathers: bool) -> (Config, Summary) {
    run_over(journal, method, gathers, |market| market)
}

/// The same over what is made of that market.
fn run_over<S: FrameSource>(
    journal: &Path,
    method: Method,
    gathers: bool,
    of: impl Fn(FlowSource) -> S,
) -> (Config, Summary) {
    let text = include_str!("../config/demo.toml").replace(
        "unset = \"default\"\n",
        "unset = \"default\"\n[risk.losses]\nday_starts = \"00:01\"\ndaily_max = \"none\"\nvelocity_max = \"none\"\n",
    );
    let demo = text.split("[[strategy]]").next().expect("a first part");
    let own =
        format!("{demo}\n[[strategy]]\nname = \"gatherer\"\ninstruments = [\"binance:spot:BTCUSDT\"]\n");
    let text = if gathers { own } else { text };
    let text = format!("{text}\n[accounting]\nmethod = \"{}\"\n", method.label());
    let table = InstrumentTable::new(demo_instruments()).expect("distinct instruments");
    let config =
        Config::from_text_with_instruments(&text, "demo.toml", table).unwrap_or_else(|e| panic!("{e}"));
    let mut flow = FlowConfig::new(7, demo_instruments()).with_events_per_s(150);
    flow.duration = Duration::from_secs(90);
    let mut source = of(FlowSource::new(&flow).expect("a market that can be made"));
    let mut options = threads(Threading::Inline);
    options.pipeline.journal = Some(journal.to_owned());
    if gathers {
        options.pipeline.strategies = GATHERER;
    }
    let summary = replay_frames(&config, &mut source, options).expect("a good run");
    (config, summary)
}

/// What one strategy did in one instrument, the slow and obvious way; amounts with [`FINE`] decimals.
#[derive(Default)]
struct Naive {
    cash: i128,
    qty: i128,
    fees: i128,
    lots: VecDeque<(i128, i128)>,
    realised: BTreeMap<bool, i128>,
    fills: u64,
}

type All = BTreeMap<(String, String), Naive>;

fn naive(config: &Config, journal: &Path) -> All {
    let mut reader = JournalReader::open(journal).expect("a journal");
    let mut all = All::new();
    let mut begun = None;
    while let Some(entry) = reader.next_entry().expect("it reads") {
        let Entry::Slot(slot) = entry else { continue };
        let begin = *begun.get_or_insert(slot.time().0 / 86_400_000_000_000 * 86_400_000_000_000);
        let Event::Report(fill) = slot.event() else { continue };
        if fill.kind != ReportKind::Fill {
            continue;
        }
        assert_eq!(fill.fee_asset, FeeAsset::Quote, "on paper");
        let of = config.instruments.get(fill.instrument);
        let key = (config.strategies[fill.strategy.index()].label.clone(), of.name());
        let of_key = all.entry(key).or_default();
        let unit = 10i128.pow(u32::from(FINE - of.price_decimals - of.qty_decimals));
        let signed = i128::from(fill.qty.0) * if fill.side == Side::Buy { 1 } else { -1 };
        of_key.cash -= signed * i128::from(fill.price.0) * unit;
        of_key.qty += signed;
        of_key.fees += i128::from(fill.fee) * 10i128.pow(u32::from(FINE - 8));
        of_key.fills += 1;
        // The first minute is of the day before.
        let later = slot.time().0 - begin >= 60_000_000_000;
        let mut left = signed;
        while left != 0 {
            match of_key.lots.front_mut() {
                Some((lot, price)) if lot.signum() != left.signum() => {
                    let part = lot.abs().min(left.abs()) * lot.signum();
                    *of_key.realised.entry(later).or_default() +=
                        part * (i128::from(fill.price.0) - *price) * unit;
                    *lot -= part;
                    left += part;
                    if *lot == 0 {
                        of_key.lots.pop_front();
                    }
                }
                _ => {
                    of_key.lots.push_back((left, fill.price.0.into()));
                    left = 0;
                }
            }
        }
    }
    all
}

fn sum<'a>(amounts: impl Iterator<Item = &'a String>) -> i128 {
    amounts.map(|text| exact(text)).sum()
}

fn known(amount: &Option<String>) -> &str {
    amount.as_deref().expect("it is known")
}

fn agrees(report: &PnlReport, config: &Config, all: &All) {
    assert_eq!(report.lines.len(), all.len());
    for line in &report.lines {
        let naive = &all[&(line.strategy.clone(), line.instrument.clone())];
        let of = config.instruments.by_name(&line.instrument).expect("there");
        let mark = parse(known(&line.mark).as_bytes(), of.price_decimals).expect("a price");
        let unit = 10i128.pow(u32::from(FINE - of.price_decimals - of.qty_decimals));
        let worth = naive.qty * i128::from(mark) * unit;
        assert_eq!(
            parse(line.qty.trim_start_matches('-').as_bytes(), of.qty_decimals).map(i128::from),
            Ok(naive.qty.abs())
        );
        assert_eq!(
            exact(known(&line.net)),
            naive.cash + worth - naive.fees,
            "{} {}",
            line.strategy,
            line.instrument
        );
        assert_eq!((exact(&line.fees), line.fills), (naive.fees, naive.fills));
        let unrealised = exact(known(&line.unrealised));
        assert_eq!(exact(&line.realised) + unrealised - exact(&line.fees), exact(known(&line.net)));
        assert_eq!(sum(line.days.iter().map(|day| &day.realised)), exact(&line.realised));
        assert_eq!(sum(line.days.iter().map(|day| &day.fees)), naive.fees);
    }
    let nets = sum(report.lines.iter().flat_map(|line| &line.net));
    assert_eq!(sum(report.whole.iter().flat_map(|all| &all.net)), nets);
    assert_eq!(sum(report.strategies.iter().flat_map(|strategy| &strategy.net)), nets);
    let realised = sum(report.days.iter().flat_map(|day| &day.net));
    assert_eq!(realised + sum(report.lines.iter().flat_map(|line| &line.unrealised)), nets);
}

#[test]
fn both_methods_come_to_what_the_fills_and_the_wallets_say() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let (config, summary) = run(&journal, Method::Average, false);
    let all = naive(&config, &journal);
    assert!(summary.execution.fills > 20, "{:?}", summary.execution);
    let average = pnl_report(&journal, None).expect("a report");
    let fifo = pnl_report(&journal, Some(Method::Fifo)).expect("a report");
    assert_eq!((average.method, fifo.method), ("average", "fifo"));
    agrees(&average, &config, &all);
    agrees(&fifo, &config, &all);
    let mut days = 0;
    for (one, other) in fifo.lines.iter().zip(&average.lines) {
        let naive = &all[&(one.strategy.clone(), one.instrument.clone())];
        assert_eq!(exact(&one.realised), naive.realised.values().sum::<i128>(), "first in, first out");
        for day in &one.days {
            let later = day.day == "2025-01-01";
            assert!(later || day.day == "2024-12-31", "{}", day.day);
            assert_eq!(exact(&day.realised), naive.realised.get(&later).copied().unwrap_or_default());
        }
        days = days.max(one.days.len());
        // What the summary says of positions at average cost.
        let held = summary
            .strategies
            .iter()
            .find(|s| s.label == other.strategy && s.instrument.name() == other.instrument);
        let held = held.expect("it traded");
        let unit = 10i128.pow(u32::from(FINE - held.instrument.notional_decimals()));
        assert_eq!(exact(&other.realised), held.position.realised.0 * unit);
    }
    assert_eq!(days, 2, "there were two days");
    // A spot wallet has what was earned less what the position is worth: to the last digit.
    let spot = |line: &&algo_trader::run::pnl::PnlLine| line.instrument.starts_with("binance:spot:");
    let came: i128 = average
        .lines
        .iter()
        .filter(spot)
        .map(|line| {
            let of = &all[&(line.strategy.clone(), line.instrument.clone())];
            of.cash - of.fees
        })
        .sum();
    let usdt =
        summary.balances.iter().find(|b| b.market == Market::Spot && b.asset == "USDT").expect("a wallet");
    let unit = 10i128.pow(u32::from(FINE - usdt.decimals));
    assert_eq!((usdt.total - usdt.start) * unit, came);
}

#[test]
fn the_summary_is_by_the_method_that_is_configured_and_orders_are_not_changed_by_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let [(_, average, _), (config, fifo, journal)] = [Method::Average, Method::Fifo].map(|method| {
        let journal = dir.path().join(method.label());
        let (config, summary) = run(&journal, method, true);
        (config, summary, journal)
    });
    assert_eq!((average.accounting, fifo.accounting), (Method::Average, Method::Fifo));
    assert_eq!(average.order_stream_sha256, fifo.order_stream_sha256);
    let all = naive(&config, &journal);
    let told = pnl_report(&journal, None).expect("a report");
    assert_eq!(told.method, "fifo", "it is the journal's own method");
    let (_, recovered) = recover(&journal).expect("it reads");
    let index = |label: &str| config.strategies.iter().position(|s| s.label == label).expect("configured");
    let mut differ = 0;
    for (one, other) in fifo.strategies.iter().zip(&average.strategies) {
        assert_eq!((one.position, one.mark), (other.position, other.mark));
        assert_eq!(one.realised.plus(one.unrealised), other.realised.plus(other.unrealised));
        assert_eq!((one.net(), one.fees()), (other.net(), other.fees()));
        differ += usize::from(one.realised != other.realised);
        let lots = &recovered.lots[index(&one.label)][one.instrument.id.index()];
        assert_eq!((lots.realised(), lots.qty()), (one.realised, one.position.qty), "from the journal");
        assert_eq!(lots.unrealised(one.mark), one.unrealised, "lot by lot");
        let Some(naive) = all.get(&(one.label.clone(), one.instrument.name())) else {
            assert_eq!((one.position.fills, one.realised().as_str()), (0, "0"));
            continue;
        };
        assert_eq!(exact(&one.realised()), naive.realised.values().sum::<i128>(), "first in, first out");
        let line =
            told.lines.iter().find(|l| l.strategy == one.label && l.instrument == one.instrument.name());
        assert_eq!(line.map(|line| &line.realised), Some(&one.realised()));
    }
    assert!(differ > 0, "the methods never differed: nothing was shown");
}

/// Of a market its depth alone.
struct DepthAlone(FlowSource, Vec<u8>);

impl FrameSource for DepthAlone {
    fn sources(&self) -> &[SourceInfo] {
        self.0.sources()
    }
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, SourceError> {
        loop {
            let Some(frame) = self.0.next_frame()? else { return Ok(None) };
            let text = String::from_utf8_lossy(frame.bytes);
            if text.contains("depthUpdate") || text.contains("lastUpdateId") {
                self.1 = frame.bytes.to_vec();
                let Frame { received, source, line, .. } = frame;
                return Ok(Some(Frame { received, source, line, bytes: &self.1 }));
            }
        }
    }
}

#[test]
fn what_is_held_where_depth_alone_came_is_valued_as_in_the_store() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let (_, summary) = run_over(&journal, Method::Average, true, |market| DepthAlone(market, Vec::new()));
    let report = pnl_report(&journal, None).expect("a report");
    let mut database = Sqlite::new();
    let mut loader = Loader::open(&journal, settings(1_000)).expect("a journal").expect("with a header");
    assert!(loader.load(&mut *database.open()).expect("the database is up"));
    let sql = "SELECT CAST(qty AS TEXT), CAST(mark AS TEXT), CAST(unrealised AS TEXT), CAST(net AS TEXT) FROM position_now";
    let stored = database.query(sql);
    let ([stored], [line]) = (&stored[..], &report.lines[..]) else {
        panic!("{stored:?} {:?}", report.lines)
    };
    assert!(summary.execution.fills > 10 && exact(&line.qty) != 0, "{line:?}");
    let told = [&line.qty, known(&line.mark), known(&line.unrealised), known(&line.net)];
    assert_eq!(told.map(exact).to_vec(), stored.iter().map(|text| exact(text)).collect::<Vec<_>>());
    assert!(exact(known(&line.mark)) > 0 && exact(known(&line.unrealised)) != 0, "{line:?}");
    assert_eq!(report.whole[0].net, line.net);
}

#[test]
fn what_is_held_where_no_price_came_is_not_said_to_be_worth_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let instruments = demo_instruments();
    let header = JournalHeader { instruments: instruments.clone(), ..JournalHeader::default() };
    let mut writer = JournalWriter::create(&journal, &header, SyncPolicy::Never).expect("a new file");
    // Of the one instrument something is held, of the other nothing any more.
    for (number, (of, side)) in (1..).zip([(0, Side::Buy), (1, Side::Buy), (1, Side::Sell)]) {
        let mut slot = Slot::report(&Report {
            instrument: InstrumentId(of),
            order: OrderId(number),
            strategy: StrategyId(0),
            side,
            kind: ReportKind::Fill,
            qty: Qty(1_000),
            price: Price(100_000),
            fee: 0,
            fee_asset: FeeAsset::Quote,
            trade_id: number,
            maker: false,
        });
        slot.stamp(Time(1_735_689_600_000_000_000 + number), 0, 0);
        writer.slot(&slot);
    }
    writer.write_block().expect("a good disk");
    drop(writer);
    let report = pnl_report(&journal, None).expect("a report");
    let by = |name: String| report.lines.iter().find(|line| line.instrument == name).expect("it traded");
    let (held, flat) = (by(instruments[0].name()), by(instruments[1].name()));
    assert_eq!((&held.mark, &held.unrealised, &held.net), (&None, &None, &None));
    let nothing = Some("0".to_owned());
    assert_eq!((&flat.mark, &flat.unrealised, &flat.net), (&None, &nothing, &nothing));
    let of = |args: &[&str]| {
        let ran =
            std::process::Command::new(env!("CARGO_BIN_EXE_algo-trader")).arg("pnl").args(args).output();
        String::from_utf8(ran.expect("the program starts").stdout).expect("text")
    };
    let file = journal.display().to_string();
    let json: serde_json::Value = serde_json::from_str(&of(&["--journal", &file, "--json"])).expect("JSON");
    assert!(json["whole"][0]["net"].is_null() && json["strategies"][0]["net"].is_null(), "{json:#}");
    assert!(json["lines"][0]["mark"].is_null() && json["days"][0]["net"] == "0", "{json:#}");
    let text = of(&["--journal", &file]);
    assert!(text.contains("unrealised - (") && text.contains(" at -)"), "{text}");
    assert!(text.contains("in all: all - USDT"), "{text}");
}
