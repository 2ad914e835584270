//! Bars that a live run asks the venue for: what its strategies see is the venue's own row of bars, from before the start on and
//! over trades that were lost, and nothing is ordered for what is past.

#[path = "support/local_live.rs"]
mod local_live;
#[path = "support/stream_client.rs"]
mod stream_client;

use algo_trader::domain::{Instrument, InstrumentId, InstrumentTable, Market, PlaceError, Qty};
use algo_trader::journal::JournalReader;
use algo_trader::market::Bar;
use algo_trader::pipeline::Wait;
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{
    Config, LiveOptions, PipelineOptions, ReplayOptions, Summary, replay_journal, run_live,
};
use algo_trader::strategy::registry::BuildError;
use algo_trader::strategy::{Context, IndicatorHandle, Setup, Strategy, StrategySpec};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{Endpoint, Fault, Running, StreamAction};
use local_live::{ca_file, sections, venue};
use serde_json::Value;
use std::sync::Mutex;
use std::time::Duration;

const S: u64 = 1_000_000_000;
/// A bar's length: three of the venue's.
const BAR_S: u64 = 3;

static SPECS: &[StrategySpec] =
    &[StrategySpec { name: "notes-bars", doc: "notes bars, and buys at each", params: &[], build }];

/// What the strategy saw: a bar, whether its average was known, and whether it could order.
type Seen = (Bar, bool, Result<(), PlaceError>);

static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

struct NotesBars {
    average: IndicatorHandle,
}

fn build(setup: &mut Setup<'_>) -> Result<Box<dyn Strategy>, BuildError> {
    let average = setup.indicator(InstrumentId(0), "sma", &[2])?;
    Ok(Box::new(NotesBars { average }))
}

impl Strategy for NotesBars {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let known = ctx.indicator(self.average).is_some();
        let placed = ctx.buy(bar.instrument, Qty(100_000)).at_limit(bar.low).send().map(drop);
        SEEN.lock().expect("no panic").push((*bar, known, placed));
    }
}

fn seen() -> Vec<Seen> {
    std::mem::take(&mut *SEEN.lock().expect("no panic"))
}

fn config(venue: &Running, ca: &std::path::Path, of: &Instrument) -> Config {
    let text = format!(
        "{}[market]\nbar = \"time:{BAR_S}s\"\nfetch_bars = \"3\"\n[risk]\nunset = \"default\"\norder_qty_max = \"none\"\n\
         [[strategy]]\nname = \"notes-bars\"\ninstruments = [{:?}]\n",
        sections(venue, ca, ""),
        of.name()
    );
    let table = InstrumentTable::new(vec![of.clone()]).expect("one");
    Config::from_text_with_instruments(&text, "test", table).unwrap_or_else(|error| panic!("{error}"))
}

/// The venue's bars of a second as bars of ours from one start to another: open, high, low, close, volume.
fn of_the_venue(at: &Endpoint, ca: &str, of: &Instrument, from_s: u64, until_s: u64) -> Vec<(u64, [i64; 5])> {
    let path = format!(
        "/api/v3/klines?symbol={}&interval=1s&startTime={}&endTime={}&limit=1000",
        of.symbol,
        from_s * 1_000,
        until_s * 1_000 - 1
    );
    let rows = stream_client::get(at, Some(ca), &path).json();
    let mut bars: Vec<(u64, [i64; 5])> = Vec::new();
    for row in rows.as_array().expect("rows") {
        if row[8] == 0 {
            continue;
        }
        let units = |value: &Value, decimals: u8| {
            let text = value.as_str().expect("a number as text");
            algo_trader::domain::decimal::parse(text.as_bytes(), decimals).expect("a number")
        };
        let price = |at: usize| units(&row[at], of.price_decimals);
        let [open, high, low, close] = [price(1), price(2), price(3), price(4)];
        let volume = units(&row[5], of.qty_decimals);
        let second = row[0].as_u64().expect("a moment") / 1_000;
        let start = second - second % BAR_S;
        match bars.last_mut() {
            Some((at, bar)) if *at == start => {
                *bar = [bar[0], bar[1].max(high), bar[2].min(low), close, bar[4] + volume];
            }
            _ => bars.push((start, [open, high, low, close, volume])),
        }
    }
    bars
}

fn count(summary: &Summary, name: &str) -> u64 {
    let json = summary.live.as_ref().expect("live").to_json();
    json["markets"]["spot"][name].as_u64().expect("a count")
}

#[test]
fn strategies_see_the_venues_own_bars_from_before_the_start_on_and_over_lost_trades() {
    let venue = venue();
    let ca = ca_file(&venue);
    let of = demo_instruments().into_iter().find(|i| i.market == Market::Spot).expect("a spot market");
    let config = config(&venue, ca.path(), &of);
    // Bars of before the start are asked for once they are ten seconds old.
    std::thread::sleep(Duration::from_secs(20));
    let dir = tempfile::tempdir().expect("a directory");
    let journal = dir.path().join("run.journal");
    let interrupt = Interrupt::default();
    let pipeline = || PipelineOptions {
        strategies: SPECS,
        journal: Some(journal.clone()),
        wait: Some(Wait::Backoff),
        ..PipelineOptions::default()
    };
    let options =
        LiveOptions { interrupt: interrupt.clone(), pipeline: pipeline(), ..LiveOptions::default() };
    let own = config.clone();
    let run = std::thread::spawn(move || run_live(&own, options));
    std::thread::sleep(Duration::from_secs(8));
    let stream = Some(format!("{}@trade", of.symbol.to_lowercase()));
    let drop = Fault::Stream { action: StreamAction::Drop, stream, nth: 1, count: 1, ms: 0 };
    assert!(venue.control().inject(drop));
    std::thread::sleep(Duration::from_secs(5));
    assert!(venue.control().inject(Fault::Cut { market: None }));
    std::thread::sleep(Duration::from_secs(8));
    interrupt.raise();
    let summary = run.join().expect("no panic").unwrap_or_else(|error| panic!("{error}"));

    let bars = seen();
    let text = summary.live.as_ref().expect("live").text();
    let start = |seen: &Seen| seen.0.start.0 / S;
    let of_past = bars.iter().filter(|(_, _, placed)| *placed == Err(PlaceError::WarmingUp)).count();
    assert!(bars.len() > of_past + 4, "{bars:?}");
    assert!(of_past >= 2 && bars[1].1, "the average is known before the run has a bar of its own: {bars:?}");
    let live = &bars[of_past..];
    assert!(live.iter().all(|(_, known, placed)| *known && placed.is_ok()), "{live:?}");
    // The one under way at the start, the one that lost a trade, if none by the cut, and none that was left out.
    let incomplete = summary.book_totals().incomplete_bars;
    assert!(incomplete >= 2 && count(&summary, "bars_made_good") >= 2, "{incomplete}: {text}");
    assert_eq!(count(&summary, "bar_fetch_failures"), 0);
    let at = venue.endpoints().iter().find(|at| at.market == Market::Spot).expect("spot");
    let (first, last) = (start(&bars[0]), start(&bars[bars.len() - 1]));
    let theirs = of_the_venue(at, venue.ca_pem().expect("TLS"), &of, first, last + BAR_S);
    let ours = |(bar, ..): &Seen| {
        let numbers = [bar.open.0, bar.high.0, bar.low.0, bar.close.0, bar.volume.0];
        (bar.start.0 / S, numbers)
    };
    assert_eq!(bars.iter().map(ours).collect::<Vec<_>>(), theirs);

    // Its journal tells a replay all of it.
    let mut journal = JournalReader::open(&journal).expect("a journal");
    let options = ReplayOptions {
        pipeline: PipelineOptions { strategies: SPECS, ..PipelineOptions::default() },
        ..ReplayOptions::default()
    };
    let again = replay_journal(&config, &mut journal, options).expect("it replays");
    assert_eq!(again.order_stream_sha256, summary.order_stream_sha256);
    assert_eq!(seen(), bars);
}
