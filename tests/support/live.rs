//! A live run in the background, with a journal, and the books that come out of it.

#![allow(dead_code, reason = "each user takes a part")]

use super::wire::{Book, Levels, Venue};
use algo_trader::domain::instrument::FeeRate;
use algo_trader::domain::{Instrument, InstrumentId, InstrumentTable, Market, Notional, Price, Qty, Side};
use algo_trader::journal::JournalReader;
use algo_trader::market::book::BookKeeper;
use algo_trader::pipeline::{Shared, Wait};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::run::{
    Config, LiveError, LiveOptions, LiveStatus, ReplayOptions, Summary, replay_journal, run_live,
};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub fn symbols(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("S{i}USDT")).collect()
}

pub fn table(symbols: &[String]) -> InstrumentTable {
    let instrument = |symbol: &String| Instrument {
        id: InstrumentId(0),
        venue: "binance".into(),
        market: Market::Spot,
        symbol: symbol.clone(),
        base: symbol.trim_end_matches("USDT").into(),
        quote: "USDT".into(),
        price_decimals: 8,
        qty_decimals: 8,
        tick: Price(1_000_000),
        lot: Qty(100_000),
        min_qty: Qty(100_000),
        max_qty: Qty(i64::MAX / 1_000_000),
        min_notional: Notional(0),
        maker_fee: FeeRate(100_000),
        taker_fee: FeeRate(100_000),
    };
    InstrumentTable::new(symbols.iter().map(instrument).collect()).expect("distinct")
}

/// A configuration that follows `venue` quickly and trades its first symbol.
pub fn config(venue: &Venue, symbols: &[String], more: &str) -> Config {
    let mut fast = format!(
        "open_timeout_ms = 1500\nreconnect_min_ms = 20\nreconnect_max_ms = 200\noverlap_ms = 300\nca_file = {:?}\n",
        venue.ca_file.path()
    );
    if !more.contains("silence_ms") {
        fast.push_str("silence_ms = 700\n");
    }
    if more.contains("ca_file") {
        fast = fast.lines().filter(|l| !l.starts_with("ca_file")).collect::<Vec<_>>().join("\n");
    }
    let text = format!(
        r#"
[paper]
fill = "touch"
[venue]
{fast}
{more}
[venue.spot]
weight_per_minute = 1000000
{}
[[strategy]]
name = "imbalance-maker"
instruments = ["binance:spot:{}"]
[strategy.params]
threshold = 0.05
levels = 3
qty = "0.100"
hold_ms = 50
"#,
        venue.endpoints(),
        symbols[0],
    );
    Config::from_text_with_instruments(&text, "test", table(symbols))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// See the module.
pub struct LiveRun {
    pub config: Config,
    pub journal: PathBuf,
    _dir: tempfile::TempDir,
    interrupt: Interrupt,
    status: Arc<Mutex<LiveStatus>>,
    thread: Option<JoinHandle<Result<Summary, LiveError>>>,
}

impl LiveRun {
    pub fn start(config: &Config) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = dir.path().join("run.journal");
        let (interrupt, status) = (Interrupt::default(), Arc::new(Mutex::new(LiveStatus::default())));
        let mut options = LiveOptions { interrupt: interrupt.clone(), ..LiveOptions::default() };
        let shown = Arc::clone(&status);
        options.progress = Some(Box::new(move |s| *shown.lock().expect("no panic") = *s));
        options.pipeline.journal = Some(journal.clone());
        options.pipeline.wait = Some(Wait::Backoff);
        let own = config.clone();
        let thread = std::thread::spawn(move || run_live(&own, options));
        Self { config: config.clone(), journal, _dir: dir, interrupt, status, thread: Some(thread) }
    }

    /// Waits until the run is as wanted.
    pub fn until(&self, what: &str, mut good: impl FnMut(&LiveStatus) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let status = *self.status.lock().expect("no panic");
            if good(&status) {
                return;
            }
            assert!(Instant::now() < end, "{what}: still {status:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until every connection carries data and every book is in step.
    pub fn until_whole(&self) {
        self.until("all live and in step", |s| {
            s.connections > 0
                && s.connections_live >= s.connections
                && s.books > 0
                && s.books_synced == s.books
        });
    }

    /// Ends the run and gives what it says of itself.
    pub fn end(&mut self) -> Result<Summary, LiveError> {
        self.interrupt.raise();
        self.thread.take().expect("ended once").join().expect("no panic")
    }

    /// Ends a run that must have gone well.
    pub fn good(&mut self) -> Summary {
        self.end().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits for the run to end by itself.
    pub fn ended(&mut self) -> Result<Summary, LiveError> {
        self.thread.take().expect("ended once").join().expect("no panic")
    }

    /// The order stream that a replay of the journal gives.
    pub fn replayed(&self) -> Summary {
        let mut journal = JournalReader::open(&self.journal).expect("a journal");
        let mut config = self.config.clone();
        config.journal.path = None;
        replay_journal(&config, &mut journal, ReplayOptions::default()).expect("it replays")
    }

    /// Every slot of the journal.
    pub fn slots(&self) -> Vec<algo_trader::domain::Slot> {
        let mut journal = JournalReader::open(&self.journal).expect("a journal");
        std::iter::from_fn(|| journal.next_slot().expect("it reads")).collect()
    }

    /// Interruptions in the journal, after each of which the book is invalid.
    fn interruptions(&self) -> u64 {
        let mut keeper = BookKeeper::new(self.config.instruments.all(), |_| true);
        let mut count = 0;
        for slot in self.slots() {
            keeper.on_slot(&slot);
            if let algo_trader::domain::event::Event::Interrupted(instrument) = slot.event() {
                assert!(keeper.valid(instrument).is_none(), "an interrupted book is shown");
                count += 1;
            }
        }
        count
    }

    /// The books that the stages had at the end: by symbol, those that were valid.
    pub fn books(&self) -> HashMap<String, (Levels, Levels, u64)> {
        let mut keeper = BookKeeper::new(self.config.instruments.all(), |_| true);
        for slot in self.slots() {
            keeper.on_slot(&slot);
        }
        let side = |sync: &algo_trader::market::book::BookSync, side: Side| -> Levels {
            sync.book().levels(side).map(|l| (l.price.0, l.qty.0)).collect()
        };
        let book = |i: &Instrument| {
            let sync = keeper.valid(i.id)?;
            Some((i.symbol.clone(), (side(sync, Side::Buy), side(sync, Side::Sell), sync.last_update_id())))
        };
        self.config.instruments.all().iter().filter_map(book).collect()
    }

    /// Trade ids in the journal, by instrument, in their order.
    pub fn trades(&self) -> Vec<Vec<u64>> {
        let mut trades = vec![Vec::new(); self.config.instruments.len()];
        for slot in self.slots() {
            if let algo_trader::domain::event::Event::Trade(trade) = slot.event() {
                trades[trade.instrument.index()].push(trade.id);
            }
        }
        trades
    }

    /// That no trade is missing between the first and the last, and none is there twice.
    pub fn assert_every_trade_once(&self) {
        for (instrument, mut ids) in self.trades().into_iter().enumerate() {
            assert!(ids.len() > 20, "instrument {instrument}: few trades");
            ids.sort_unstable();
            let broken = ids.windows(2).find(|w| w[1] != w[0] + 1);
            assert_eq!(broken, None, "instrument {instrument}");
        }
    }

    /// Stops the market, lets what is under way arrive, ends the run, and compares every book with the venue's.
    pub fn end_and_compare(&mut self, venue: &Venue) -> Summary {
        venue.freeze(true);
        std::thread::sleep(Duration::from_millis(300));
        self.until_whole();
        let summary = self.good();
        let told: u64 =
            summary.live.as_ref().expect("live").markets.iter().map(|m| m.counts.interruptions).sum();
        assert_eq!(self.interruptions(), told, "each interruption is an event");
        let theirs: BTreeMap<String, Book> = venue.books();
        let ours = self.books();
        for (symbol, book) in &theirs {
            let (bids, asks, last_id) = ours.get(symbol).unwrap_or_else(|| panic!("{symbol} is invalid"));
            assert_eq!(*last_id, book.last_id, "{symbol}: at another update id");
            assert!(*bids == book.bids && *asks == book.asks, "{symbol}: other levels");
        }
        assert_eq!(
            self.replayed().order_stream_sha256,
            summary.order_stream_sha256,
            "the journal replays to it"
        );
        summary
    }
}
