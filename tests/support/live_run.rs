//! A live run in the background, with a journal, and what comes out of it.

#![allow(dead_code, reason = "each user takes a part")]

use algo_trader::domain::{Instrument, Side};
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

/// One side of a book: price and quantity.
pub type Levels = BTreeMap<i64, i64>;

/// A status, and how many there were before it.
type Numbered = (u64, LiveStatus);

/// However slow the machine is.
const PATIENCE: Duration = Duration::from_secs(90);

/// See the module.
pub struct LiveRun {
    pub config: Config,
    pub journal: PathBuf,
    _dir: tempfile::TempDir,
    interrupt: Interrupt,
    status: Arc<Mutex<Numbered>>,
    thread: Option<JoinHandle<Result<Summary, LiveError>>>,
}

impl LiveRun {
    pub fn start(config: &Config) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = dir.path().join("run.journal");
        let (interrupt, status) = (Interrupt::default(), Arc::new(Mutex::new(Numbered::default())));
        let mut options = LiveOptions { interrupt: interrupt.clone(), ..LiveOptions::default() };
        let shown = Arc::clone(&status);
        options.progress = Some(Box::new(move |s| {
            let mut shown = shown.lock().expect("no panic");
            *shown = (shown.0 + 1, *s);
        }));
        options.pipeline.journal = Some(journal.clone());
        options.pipeline.wait = Some(Wait::Backoff);
        let own = config.clone();
        let thread = std::thread::spawn(move || run_live(&own, options));
        Self { config: config.clone(), journal, _dir: dir, interrupt, status, thread: Some(thread) }
    }

    /// Waits until the run is as wanted, by what it says from now on: what it said before may be over.
    pub fn until(&self, what: &str, mut good: impl FnMut(&LiveStatus) -> bool) {
        let end = Instant::now() + PATIENCE;
        // The next one may have been under way.
        let fresh = self.status.lock().expect("no panic").0 + 2;
        loop {
            let (number, status) = *self.status.lock().expect("no panic");
            if number >= fresh && good(&status) {
                return;
            }
            assert!(Instant::now() < end, "{what}: still {status:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until nothing more comes: a venue that has gone quiet was heard to its end, and all is in step.
    pub fn until_quiet(&self) {
        let (mut before, mut times) = (u64::MAX, 0);
        while times < 2 {
            self.until_whole();
            let (_, status) = *self.status.lock().expect("no panic");
            times = if status.frames == before { times + 1 } else { 0 };
            before = status.frames;
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
    pub fn interruptions(&self) -> u64 {
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
}
