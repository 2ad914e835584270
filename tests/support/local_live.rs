//! A live run against the local venue: books are looked at on the way, and compared with those in the journal.

#![allow(dead_code, reason = "each user takes a part")]

#[path = "live_run.rs"]
mod live_run;
pub use live_run::LiveRun;

use algo_trader::domain::{Instrument, InstrumentId, InstrumentTable, Market, Side};
use algo_trader::market::book::BookKeeper;
use algo_trader::pipeline::Shared;
use algo_trader::run::live::MarketOutcome;
use algo_trader::run::{Config, LiveError, LiveStatus, Summary};
use algo_trader::venue::local::demo_instruments;
use algo_trader::venue::local::serve::{BookView, Fault, Running, Server, ServerOptions, Stats};
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Levels of each side that are compared.
const LEVELS: usize = 200;

/// `[venue]` sections that lead to a running venue; what `more` says goes before the usual.
pub fn sections(venue: &Running, ca: &Path, more: &str) -> String {
    let usual = [
        format!("ca_file = {ca:?}"),
        // Patient where the test is not about patience: a machine that has no time is no venue that has failed.
        "silence_ms = 20000".into(),
        "open_timeout_ms = 20000".into(),
        "reconnect_min_ms = 20".into(),
        "reconnect_max_ms = 200".into(),
        "overlap_ms = 300".into(),
    ];
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let given: Vec<String> = more.lines().map(key).collect();
    let usual: Vec<_> = usual.into_iter().filter(|line| !given.contains(&key(line))).collect();
    let mut text = format!("[venue]\n{}\n{more}\n", usual.join("\n"));
    for at in venue.endpoints() {
        text += &format!(
            "[venue.{}]\nstream = {:?}\nrest = {:?}\nweight_per_minute = 100000\n",
            at.market, at.stream_url, at.rest_url
        );
    }
    text
}

/// The venue's authority in a file.
pub fn ca_file(venue: &Running) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(venue.ca_pem().expect("TLS").as_bytes()).expect("written");
    file
}

/// A strategy that trades often.
const STRATEGY: &str = "[strategy.params]\nqty = \"0.010\"\nthreshold = 0.05\nhold_ms = 100\n";

/// A configuration that follows `instruments` at a venue, and trades the last of them.
pub fn config(venue: &Running, ca: &Path, instruments: Vec<Instrument>, more: &str) -> Config {
    let traded = instruments.last().map(Instrument::name).expect("an instrument");
    let text = format!(
        "{}[market]\nfetch_bars = \"off\"\n[risk]\nunset = \"default\"\n[paper]\nfill = \"touch\"\n[[strategy]]\nname = \"imbalance-maker\"\ninstruments = [{traded:?}]\n{STRATEGY}",
        sections(venue, ca, more)
    );
    let table = InstrumentTable::new(instruments).expect("distinct");
    Config::from_text_with_instruments(&text, "test", table).unwrap_or_else(|error| panic!("{error}"))
}

/// A brisk market of three instruments, spot and USD-M, without an end.
pub fn venue() -> Running {
    let mut options = ServerOptions::generated(11, demo_instruments(), 100);
    options.limits.weight = Some(1_000_000);
    Server::start(options).unwrap_or_else(|error| panic!("{error}"))
}

/// A book of the venue, and after which event of the test it was looked at.
struct Look {
    after: String,
    instrument: InstrumentId,
    book: BookView,
}

/// See the module.
pub struct Rig {
    pub venue: Running,
    pub run: LiveRun,
    ca: tempfile::NamedTempFile,
    looks: Vec<Look>,
}

impl Rig {
    pub fn new(more: &str) -> Self {
        Self::with(venue(), demo_instruments(), more)
    }

    pub fn with(venue: Running, instruments: Vec<Instrument>, more: &str) -> Self {
        let ca = ca_file(&venue);
        let run = LiveRun::start(&config(&venue, ca.path(), instruments, more));
        Self { venue, run, ca, looks: Vec::new() }
    }

    /// A run that is whole, and was looked at.
    pub fn whole(more: &str) -> Self {
        let mut rig = Self::new(more);
        rig.run.until_whole();
        rig.look("the beginning");
        rig
    }

    pub fn inject(&self, fault: Fault) {
        assert!(self.venue.control().inject(fault), "the venue is gone");
    }

    /// Makes something go wrong, waits until the venue has `seen` what comes of it (what it counted before and now),
    /// and until all is well, and looks.
    pub fn suffer(&mut self, what: &str, fault: Fault, seen: impl Fn(&Stats, &Stats) -> bool) {
        let before = self.venue.stats();
        self.inject(fault);
        self.until_seen(what, |now| seen(&before, now));
        self.recover(what);
    }

    /// Waits until the venue's counts are as wanted.
    pub fn until_seen(&self, what: &str, seen: impl Fn(&Stats) -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let stats = self.venue.stats();
            if seen(&stats) {
                return;
            }
            assert!(Instant::now() < end, "{what}: {stats:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn recover(&mut self, what: &str) {
        self.run.until_whole();
        self.look(what);
    }

    /// Looks at the venue's books for a while, in which several diffs come: often, since the venue makes the diffs of
    /// 100 ms of a futures market's, and between them has ids that no client sees; and so many times, since a machine
    /// that has little time looks rarely.
    pub fn look(&mut self, after: &str) {
        let began = Instant::now();
        let mut times = 0;
        while began.elapsed() < Duration::from_millis(400) || times < 80 {
            for instrument in self.run.config.instruments.all() {
                let book = self.venue.book(instrument.market, &instrument.symbol, LEVELS);
                let Some(book) = book else { continue };
                self.looks.push(Look { after: after.into(), instrument: instrument.id, book });
            }
            times += 1;
            std::thread::sleep(Duration::from_millis(4));
        }
    }

    pub fn until(&self, what: &str, good: impl FnMut(&LiveStatus) -> bool) {
        self.run.until(what, good);
    }

    pub fn faults(&self, name: &str) -> u64 {
        self.venue.stats().faults.get(name).copied().unwrap_or_default()
    }

    /// Ends the run: every book equals the venue's at the same update id after each thing that happened, interruptions
    /// are in the journal, and the journal replays to the same orders.
    pub fn end(&mut self) -> Outcome {
        // What is under way arrives.
        std::thread::sleep(Duration::from_millis(150));
        let summary = self.run.good();
        self.compare();
        let markets = summary.live.as_ref().expect("a live run").markets.clone();
        let told: u64 = markets.iter().map(|m| m.counts.interruptions).sum();
        assert_eq!(self.run.interruptions(), told, "each interruption is an event");
        assert_eq!(
            self.run.replayed().order_stream_sha256,
            summary.order_stream_sha256,
            "the journal replays"
        );
        Outcome { markets, summary }
    }

    /// Waits for a run that ends by itself, since it could not begin.
    pub fn refused(&mut self) -> LiveError {
        match self.run.ended() {
            Err(error) => error,
            Ok(_) => panic!("it ran"),
        }
    }

    fn compare(&self) {
        let mut of_id: HashMap<(InstrumentId, u64), Vec<&Look>> = HashMap::new();
        // Whether each thing that happened was followed by an equal book, by instrument.
        let mut equal: HashMap<(&str, InstrumentId), u32> = HashMap::new();
        for look in &self.looks {
            of_id.entry((look.instrument, look.book.update_id)).or_default().push(look);
            equal.entry((&look.after, look.instrument)).or_default();
        }
        let mut keeper = BookKeeper::new(self.run.config.instruments.all(), |_| true);
        for slot in self.run.slots() {
            keeper.on_slot(&slot);
            if !slot.is_last() {
                continue;
            }
            let id = slot.instrument();
            let Some(ours) = keeper.valid(id) else { continue };
            for look in of_id.remove(&(id, ours.last_update_id())).unwrap_or_default() {
                let side = |side| ours.book().levels(side).take(LEVELS).collect::<Vec<_>>();
                let (bids, asks) = (side(Side::Buy), side(Side::Sell));
                assert!(!bids.is_empty() && !asks.is_empty(), "{}: an empty book", look.after);
                let same = bids == look.book.bids && asks == look.book.asks;
                assert!(same, "after {}: instrument {id:?} differs at {}", look.after, look.book.update_id);
                *equal.entry((&look.after, id)).or_default() += 1;
            }
        }
        for ((after, id), count) in equal {
            assert!(count > 0, "after {after}: no book of instrument {id:?} could be compared");
        }
    }
}

/// What a run went through.
pub struct Outcome {
    pub markets: Vec<MarketOutcome>,
    pub summary: Summary,
}

impl Outcome {
    pub fn market(&self, market: Market) -> &MarketOutcome {
        self.markets.iter().find(|m| m.market == market).expect("followed")
    }

    /// How connections ended, all markets together.
    pub fn endings(&self) -> Vec<(&'static str, u64)> {
        let mut sum = std::collections::BTreeMap::new();
        for (label, count) in self.markets.iter().flat_map(|m| &m.endings) {
            *sum.entry(*label).or_default() += count;
        }
        sum.into_iter().collect()
    }

    /// The sum of a counter over all markets.
    pub fn count(&self, name: &str) -> u64 {
        let of = |m: &MarketOutcome| m.counts.all().iter().find(|(n, _)| *n == name).expect("a counter").1;
        self.markets.iter().map(of).sum()
    }
}
