//! Backtests in tests: histories from a few bars, strategies that do one thing at one bar.
#![allow(dead_code, reason = "each user takes a part")]

use super::history::{import, plain};
use algo_trader::domain::event::Report;
use algo_trader::domain::order::OrderState;
use algo_trader::domain::{DenyReason, InstrumentId, Side, Time};
use algo_trader::history::catalogue::{Entry, Segment, SeriesKind, SeriesName};
use algo_trader::history::import::{Columns, ImportKind, ImportOptions, Imported};
use algo_trader::history::segment::{GapRule, Num, Row, SegmentWriter};
use algo_trader::history::{Catalogue, CatalogueWriter};
use algo_trader::market::{Bar, Top};
use algo_trader::run::backtest::{BacktestError, BacktestOptions, Ran, Source, known_to, run_backtest};
use algo_trader::run::{Config, PipelineOptions};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, Setup, Strategy, StrategySpec};
use std::fmt::Write;
use std::path::Path;

/// A minute in ns; the bars of [`minutes`] are so long.
pub const MINUTE: u64 = 60_000_000_000;
/// When the first of them opens, a multiple of a day.
pub const BEGIN: u64 = 19_000 * 86_400_000_000_000;

/// Imports bars (open, high, low, close, in hundredths) as minutes of `name`, with a volume of 1,000 each.
pub fn minutes(dir: &Path, name: &str, bars: &[[i64; 4]]) {
    let bars: Vec<(u64, [i64; 4])> = (0u64..).zip(bars.iter().copied()).collect();
    some_minutes(dir, name, &bars);
}

/// The same of minutes that do not follow one on another.
pub fn some_minutes(dir: &Path, name: &str, bars: &[(u64, [i64; 4])]) {
    let mut text = String::from("time,open,high,low,close,volume\n");
    for (n, bar) in bars {
        let [open, high, low, close] = bar.map(|price| format!("{}.{:02}", price / 100, price % 100));
        let _ = writeln!(text, "{},{open},{high},{low},{close},1000", (BEGIN + n * MINUTE) / 1_000_000);
    }
    let symbol = name.rsplit(':').next().expect("a symbol");
    let path = plain(dir, &format!("{symbol}.csv"), &text);
    let options = ImportOptions {
        instrument: Some(name.into()),
        base: Some("XYZ".into()),
        quote: Some("USD".into()),
        columns: Columns { every: Some("1m".into()), given: Vec::new() },
        ..ImportOptions::default()
    };
    let imported = import(&dir.join("history"), ImportKind::Csv, &path, &options);
    assert!(matches!(imported, Ok(Imported::Added(..))), "{imported:?}");
}

/// A configuration over the history that [`minutes`] made; `text` comes after limits that nothing reaches.
pub fn config(dir: &Path, names: &[&str], text: &str) -> (Config, Catalogue) {
    let catalogue = Catalogue::open(&dir.join("history")).expect("a history is there");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let more = known_to(&catalogue, &names, &[], 3);
    let text = format!("{LIMITS}\n{text}");
    let config = Config::from_text_and(&text, "test.toml", dir, &more).unwrap_or_else(|e| panic!("{e}"));
    (config, catalogue)
}

/// Limits that no test reaches.
pub const LIMITS: &str = "[risk]\norder_notional_max = \"1000000000\"\nposition_notional_max = \"1000000000\"\n\
     gross_notional_max = \"1000000000\"\nopen_orders_max = 1000\norders_per_second_max = 100000\n\
     price_collar_bps = 10000\n\
     unset = \"default\"\nmark_collar_bps = \"none\"\nfat_finger_multiple = \"none\"\n\
     book_age_ms_max = \"none\"\nlosses.daily_max = \"none\"\nlosses.strategy_daily_max = \"none\"\n\
     losses.drawdown_max = \"none\"\nlosses.strategy_drawdown_max = \"none\"\nlosses.velocity_max = \"none\"";

/// Runs over the history.
pub fn run(
    config: &Config,
    catalogue: &Catalogue,
    strategies: &'static [StrategySpec],
) -> Result<Ran, BacktestError> {
    let pipeline = PipelineOptions { strategies, ..PipelineOptions::default() };
    let options = BacktestOptions { decisions: true, pipeline, ..BacktestOptions::default() };
    run_backtest(config, Source::History(catalogue), options)
}

/// What a [`Scripted`] strategy does, told what happened.
pub type Script = fn(&mut Context<'_>, InstrumentId, Happened<'_>);

/// What a script is told.
pub enum Happened<'a> {
    /// So many bars have closed, this one last.
    Bar(usize, &'a Bar),
    /// A quote, after so many bars.
    Quote(usize, &'a Top),
    /// A fill.
    Fill(&'a Report),
    /// An order changed.
    Order(&'a OrderState, Option<DenyReason>),
    /// A timer is due.
    Timer,
}

/// Calls a function for everything that happens.
pub struct Scripted {
    instrument: InstrumentId,
    bars: usize,
    script: Script,
}

impl Scripted {
    /// For a [`StrategySpec`].
    pub fn build(setup: &mut Setup<'_>, script: Script) -> Result<Box<dyn Strategy>, BuildError> {
        Ok(Box::new(Self { instrument: setup.instruments[0], bars: 0, script }))
    }
}

impl Strategy for Scripted {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.bars += 1;
        (self.script)(ctx, self.instrument, Happened::Bar(self.bars, bar));
    }
    fn on_quote(&mut self, ctx: &mut Context<'_>, _instrument: InstrumentId, top: &Top) {
        (self.script)(ctx, self.instrument, Happened::Quote(self.bars, top));
    }
    fn on_fill(&mut self, ctx: &mut Context<'_>, fill: &Report) {
        (self.script)(ctx, self.instrument, Happened::Fill(fill));
    }
    fn on_timer(&mut self, ctx: &mut Context<'_>, _timer: u64) {
        (self.script)(ctx, self.instrument, Happened::Timer);
    }
    fn on_order(&mut self, ctx: &mut Context<'_>, order: &OrderState, denied: Option<DenyReason>) {
        (self.script)(ctx, self.instrument, Happened::Order(order, denied));
    }
}

/// A [`StrategySpec`] of a script.
#[macro_export]
macro_rules! script {
    ($name:literal, $script:expr) => {
        algo_trader::strategy::StrategySpec {
            name: $name,
            doc: "does what a test wants",
            params: &[],
            build: |setup| $crate::support::backtest::Scripted::build(setup, $script),
        }
    };
}

/// The fills of a run: minutes and ns since [`BEGIN`], signed quantity, price.
pub fn fills(ran: &Ran) -> Vec<(u64, i64, i64)> {
    let fills = ran.outcome.fills.iter();
    fills.map(|f| (minute(f.time), f.side.signed(f.qty).0, f.price.0)).collect()
}

/// In which minute since [`BEGIN`].
pub fn minute(time: Time) -> u64 {
    time.0.saturating_sub(BEGIN) / MINUTE
}

/// Writes a series of rows into the history in `dir`.
pub fn rows(dir: &Path, name: &str, kind: SeriesKind, rows: &[(u64, Row)]) {
    rows_of(dir, &SeriesName::new(name, kind), rows);
}

/// The same of a series by its name.
pub fn rows_of(dir: &Path, series: &SeriesName, rows: &[(u64, Row)]) {
    let mut catalogue = CatalogueWriter::open(&dir.join("history")).expect("free");
    let aside = catalogue.aside();
    let mut writer = SegmentWriter::create(&aside, GapRule::None).expect("can be made");
    for (time, row) in rows {
        writer.push(Time(*time), row).expect("good rows");
    }
    let stats = writer.finish().expect("can be closed");
    let id = format!("{}-{}", series.instrument.replace(':', "-"), series.label());
    let file = CatalogueWriter::place(series, Time(stats.first), &id);
    let segment = Segment::new(file, series, ("XYZ".into(), "USD".into()), &stats, true);
    let entry = Entry {
        id,
        source: "made up".into(),
        source_bytes: 0,
        sha256: String::new(),
        taken_as: "test".into(),
        imported: 0,
        rows: rows.len() as u64,
        skipped: 0,
        rounded: 0,
        segments: vec![segment],
    };
    catalogue.add(entry, &[aside]).expect("can be added");
}

/// A trade at a price in hundredths, of a quantity in thousandths.
pub fn trade(time: u64, price: i64, qty: i64, aggressor: Side, aggregate: bool) -> (u64, Row<'static>) {
    let (price, qty) = (Num::new(price, 2), Num::new(qty, 3));
    (time, Row::Trade { price, qty, id: time, venue_time: Time(time), aggressor, aggregate })
}

/// Bid and ask in hundredths, quantities in thousandths.
pub fn quote(time: u64, bid: (i64, i64), ask: (i64, i64)) -> (u64, Row<'static>) {
    let side = |(price, qty): (i64, i64)| (Num::new(price, 2), Num::new(qty, 3));
    (time, Row::Quote { bid: side(bid), ask: side(ask), update_id: time })
}
