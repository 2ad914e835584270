//! A history fetched by REST is what the venue sent over its streams, each row once: whatever fails on the way, whenever
//! the process is killed, and in whatever pieces it is asked for.

use algo_trader::domain::{Market, Side, Time};
use algo_trader::history::catalogue::{SeriesKind, SeriesName};
use algo_trader::history::fetched::{FetchKind, Interval};
use algo_trader::history::{Catalogue, Query};
use algo_trader::net::{Endpoint, TlsClient, TlsSettings};
use algo_trader::run::fetch::{
    CallSettings, FetchError, FetchOutcome, FetchProgress, FetchRequest, Waiting, fetch_history,
};
use algo_trader::run::interrupt::Interrupt;
use algo_trader::venue::Decoded;
use algo_trader::venue::local::serve::{
    AtEnd, Fault, Limits, Origin, Pace, Running, Server, ServerOptions, Tls,
};
use algo_trader::venue::local::{FlowConfig, demo_instruments};
use serde_json::Value;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::{NamedTempFile, TempDir, tempdir};

#[path = "support/fault_proxy.rs"]
mod fault_proxy;
#[path = "support/history.rs"]
mod history;
#[path = "support/stream_client.rs"]
mod stream_client;

use fault_proxy::FaultProxy;
use history::{Rng, read_with};
use stream_client::{connect, text};

const MINUTE: u64 = 60_000;
/// Two minutes before a day and a month are over.
const START: u64 = 1_738_367_880_000;
/// The end of its last whole minute.
const END: u64 = START + 11 * MINUTE;
const DECIMALS: u8 = 8;

/// A trade of any kind: its id, time, price, quantity, who sold.
type Row = (u64, u64, i128, i128, bool);
/// Start, prices, volume, trades.
type Bar = (u64, [i128; 4], i128, u64);

fn units(value: &Value) -> i128 {
    let text = value.as_str().expect("a number as text");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{decimals:0<8}").parse().expect("digits")
}

/// A market that has ended, and what its streams said.
struct Venue {
    running: Running,
    market: Market,
    ca: NamedTempFile,
    trades: Vec<Row>,
    aggregates: Vec<Row>,
}

fn instruments(market: Market) -> Vec<algo_trader::domain::Instrument> {
    let mut all = demo_instruments();
    all.retain(|instrument| instrument.market == market && instrument.symbol == "BTCUSDT");
    all
}

impl Venue {
    fn new(market: Market) -> Self {
        Self::with(market, |_| {})
    }

    fn with(market: Market, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let mut flow = FlowConfig::new(11, instruments(market)).with_events_per_s(8);
        flow.duration = Duration::from_secs(11 * 60 + 7);
        flow.start = Time::from_millis(START);
        let mut options = ServerOptions::new(Origin::Generated { flow, wall_clock: false });
        // USD-M has a way for each of them.
        let targets = match market {
            Market::UsdM => {
                &["/public/stream?streams=btcusdt@trade", "/market/stream?streams=btcusdt@aggTrade"][..]
            }
            _ => &["/stream?streams=btcusdt@trade/btcusdt@aggTrade"],
        };
        (options.pace, options.batch, options.wait_for_clients) = (Pace::Max, 32, targets.len());
        options.at_end = AtEnd::Close;
        options.limits = Limits { weight: Some(1_000_000), ..Limits::default() };
        change(&mut options);
        let running = Server::start(options).expect("the venue starts");
        let endpoint = running.endpoint(market).expect("served");
        let heard = |target: &&str| {
            let mut client = connect(endpoint, running.ca_pem(), target);
            std::iter::from_fn(|| text(&mut client)).collect::<Vec<_>>()
        };
        // At once: whoever does not read is cut off.
        let frames = std::thread::scope(|scope| {
            let clients: Vec<_> = targets.iter().map(|target| scope.spawn(move || heard(target))).collect();
            clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect::<Vec<_>>()
        });
        let (mut trades, mut aggregates) = (Vec::new(), Vec::new());
        for frame in frames {
            let frame: Value = serde_json::from_str(&frame).expect("JSON");
            let data = &frame["data"];
            let aggregate = data["e"] == "aggTrade";
            let id = if aggregate { &data["a"] } else { &data["t"] };
            let row = (
                id.as_u64().expect("an id"),
                data["T"].as_u64().expect("a time"),
                units(&data["p"]),
                units(&data["q"]),
                data["m"].as_bool().expect("a flag"),
            );
            if aggregate { aggregates.push(row) } else { trades.push(row) }
        }
        let mut ca = NamedTempFile::new().expect("a temporary file");
        ca.write_all(running.ca_pem().expect("TLS").as_bytes()).expect("written");
        assert!(aggregates.len() > 500 && trades.len() > aggregates.len(), "{}", aggregates.len());
        Self { running, market, ca, trades, aggregates }
    }

    fn address(&self) -> SocketAddr {
        self.running.endpoint(self.market).expect("served").address
    }

    fn inject(&self, fault: Fault) {
        assert!(self.running.control().inject(fault), "the venue is gone");
    }

    /// Aggregate trades in a stretch of time.
    fn aggregates(&self, from: u64, until: u64) -> Vec<Row> {
        self.aggregates.iter().copied().filter(|row| (from..until).contains(&row.1)).collect()
    }

    /// Bars of the trades, from the first trade's on; one without trades stands at the close before it.
    fn bars(&self, length: u64, from: u64, until: u64) -> Vec<Bar> {
        let first = self.trades[0].1 / length * length;
        let mut close = self.trades[0].2;
        let mut bars = Vec::new();
        for at in (first..until).step_by(usize::try_from(length).expect("small")) {
            let within: Vec<&Row> = self.trades.iter().filter(|t| (at..at + length).contains(&t.1)).collect();
            let prices = || within.iter().map(|trade| trade.2);
            let open = prices().next().unwrap_or(close);
            let last = prices().next_back().unwrap_or(close);
            let prices = [open, prices().max().unwrap_or(close), prices().min().unwrap_or(close), last];
            close = last;
            if at >= from && at + length <= until {
                bars.push((at, prices, within.iter().map(|t| t.3).sum(), within.len() as u64));
            }
        }
        bars
    }
}

fn interval(label: &str) -> FetchKind {
    FetchKind::Klines(Interval::from_label(label).expect("a length"))
}

fn settings() -> CallSettings {
    let pauses = (Duration::from_millis(10), Duration::from_millis(50));
    CallSettings { use_percent: 100, pauses, attempts_max: 30 }
}

/// A history, and how it is fetched.
struct Rig {
    dir: TempDir,
    request: FetchRequest,
    tls: TlsClient,
    market: Market,
}

impl Rig {
    fn new(venue: &Venue) -> Self {
        Self::at(venue, venue.address())
    }

    fn at(venue: &Venue, address: SocketAddr) -> Self {
        let dir = tempdir().expect("a directory");
        let settings_of_tls =
            TlsSettings { ca_file: Some(venue.ca.path().into()), accept_any_certificate: false };
        let request = FetchRequest {
            dir: dir.path().into(),
            market: venue.market,
            endpoint: Endpoint::parse(&format!("https://{address}"), "https").expect("an address"),
            symbols: vec!["BTCUSDT".into()],
            kinds: vec![FetchKind::AggTrades, interval("1m")],
            from: Time::from_millis(START),
            until: Some(Time::from_millis(END)),
            page_rows: 100,
            calls: settings(),
        };
        Self { dir, request, tls: TlsClient::new(&settings_of_tls).expect("TLS"), market: venue.market }
    }

    fn fetch(&self) -> FetchOutcome {
        self.fetch_with(|_, _| {})
    }

    fn fetch_with(&self, mut watch: impl FnMut(&FetchProgress<'_>, &Interrupt)) -> FetchOutcome {
        let interrupt = Interrupt::default();
        fetch_history(&self.request, &self.tls, &interrupt, &mut |at| watch(at, &interrupt))
    }

    fn good(&self) -> FetchOutcome {
        let outcome = self.fetch();
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        outcome
    }

    fn aggregates(&self) -> Vec<Row> {
        aggregates(self.dir.path(), self.market)
    }

    fn bars(&self, every: &str) -> Vec<Bar> {
        bars(self.dir.path(), self.market, every)
    }
}

/// Events of one series, with what their numbers are multiplied by; none where the history has none of it.
fn events(dir: &Path, market: Market, kind: SeriesKind, every: Option<&str>) -> (Vec<Decoded>, i128, i128) {
    let instrument = format!("binance:{market}:BTCUSDT");
    let name = SeriesName { every: every.map(Into::into), ..SeriesName::new(&instrument, kind) };
    let found = Catalogue::open(dir).is_ok_and(|c| c.series().iter().any(|series| series.name == name));
    if !found {
        return (Vec::new(), 1, 1);
    }
    let query = Query { instruments: vec![instrument], series: vec![name.label()], ..Query::default() };
    let (events, series, _) = read_with(dir, &query);
    assert_eq!(series[0].rows, events.len() as u64);
    let unit = |decimals: u8| 10i128.pow(u32::from(DECIMALS - decimals));
    let (price, qty) = (unit(series[0].price_decimals), unit(series[0].qty_decimals));
    (events.into_iter().map(|event| event.decoded).collect(), price, qty)
}

fn aggregates(dir: &Path, market: Market) -> Vec<Row> {
    let (events, price, qty) = events(dir, market, SeriesKind::AggTrades, None);
    let row = |event: &Decoded| match event {
        Decoded::Trade(t) => (
            t.id,
            t.venue_time.0 / 1_000_000,
            i128::from(t.price.0) * price,
            i128::from(t.qty.0) * qty,
            t.aggressor == Side::Sell,
        ),
        other => panic!("{other:?}"),
    };
    events.iter().map(row).collect()
}

fn bars(dir: &Path, market: Market, every: &str) -> Vec<Bar> {
    let (events, price, qty) = events(dir, market, SeriesKind::Bars, Some(every));
    let bar = |event: &Decoded| match event {
        Decoded::Kline(k) => {
            let prices = [k.open, k.high, k.low, k.close].map(|p| i128::from(p.0) * price);
            (k.open_time.0 / 1_000_000, prices, i128::from(k.volume.0) * qty, k.trades)
        }
        other => panic!("{other:?}"),
    };
    events.iter().map(bar).collect()
}

#[test]
fn what_is_fetched_is_what_the_streams_sent_in_whatever_pieces_it_is_asked_for() {
    for market in [Market::Spot, Market::UsdM] {
        let venue = Venue::new(market);
        let mut rig = Rig::new(&venue);
        rig.request.kinds = vec![FetchKind::AggTrades, interval("1m"), interval("5m")];
        // A piece in the middle, one before it with a hole between, and then all: twice.
        let ms = |minutes: f64| START + (minutes * MINUTE as f64) as u64;
        for (from, until) in [(ms(4.3), ms(6.8)), (ms(1.0), ms(2.1))] {
            (rig.request.from, rig.request.until) = (Time::from_millis(from), Some(Time::from_millis(until)));
            rig.good();
        }
        let parts = [(ms(1.0), ms(2.1)), (ms(4.3), ms(6.8))];
        let expected: Vec<Row> =
            parts.iter().flat_map(|(from, until)| venue.aggregates(*from, *until)).collect();
        assert_eq!(rig.aggregates(), expected);
        let expected: Vec<Bar> =
            parts.iter().flat_map(|(from, until)| venue.bars(MINUTE, *from, *until)).collect();
        assert_eq!(rig.bars("1m"), expected);

        (rig.request.from, rig.request.until) = (Time::from_millis(START), Some(Time::from_millis(END)));
        let outcome = rig.good();
        assert_eq!(rig.aggregates(), venue.aggregates(START, END));
        assert_eq!(rig.bars("1m"), venue.bars(MINUTE, START, END));
        let five = venue.bars(5 * MINUTE, START, END);
        assert!(!five.is_empty());
        assert_eq!(rig.bars("5m"), five);
        assert!(outcome.series.iter().all(|series| series.gaps == 0), "{:?}", outcome.series);
        assert_eq!(outcome.series[0].name, format!("binance:{market}:BTCUSDT agg_trades"));

        let again = rig.good();
        assert_eq!(again.series.iter().map(|series| series.rows).sum::<u64>(), 0);
        assert!(again.counts.calls < 12, "hardly anything is asked: {:?}", again.counts);
        assert_eq!(rig.aggregates().len(), venue.aggregates(START, END).len());
    }
}

#[test]
fn imports_end_with_the_day_or_the_month_and_pages_of_any_size_give_the_same() {
    let venue = Venue::new(Market::Spot);
    let whole = Rig::new(&venue);
    let outcome = whole.good();
    assert_eq!(outcome.series.iter().map(|s| s.imports).collect::<Vec<_>>(), [2, 2], "two days, two months");
    for page_rows in [1_000, 7] {
        let mut rig = Rig::new(&venue);
        rig.request.page_rows = page_rows;
        rig.good();
        assert_eq!((rig.aggregates(), rig.bars("1m")), (whole.aggregates(), whole.bars("1m")));
    }
}

#[test]
fn what_fails_on_the_way_is_asked_for_again_and_the_rows_are_the_same() {
    let venue = Venue::new(Market::Spot);
    let proxy = FaultProxy::start(venue.address());
    let mut rig = Rig::at(&venue, proxy.address);
    rig.request.page_rows = 20;
    let mut seen = 0;
    let outcome = rig.fetch_with(|at, _| {
        if at.waiting.is_some() {
            return;
        }
        seen += 1;
        match seen % 10 {
            1 => proxy.cut(),
            3 => proxy.cut_after_request(),
            5 => venue.inject(Fault::Rest { status: 503, count: 2, delay_ms: 0, retry_after_s: 0 }),
            7 => venue.inject(Fault::Rest { status: 500, count: 1, delay_ms: 30, retry_after_s: 0 }),
            9 => venue.inject(Fault::CutOrders),
            _ => {}
        }
    });
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert!(outcome.counts.failures > 10 && proxy.cuts() > 3, "{:?}, {} cuts", outcome.counts, proxy.cuts());
    assert_eq!(rig.aggregates(), venue.aggregates(START, END));
    assert_eq!(rig.bars("1m"), venue.bars(MINUTE, START, END));
    assert!(outcome.series.iter().all(|series| series.gaps == 0));
}

#[test]
fn told_to_wait_it_asks_for_nothing_until_then() {
    let venue = Venue::new(Market::Spot);
    let mut rig = Rig::new(&venue);
    rig.request.page_rows = 50;
    let mut answers = 0;
    let mut banned = None;
    let mut over = Vec::new();
    let outcome = rig.fetch_with(|at, _| {
        if let (None, Some(begun)) = (at.waiting, banned) {
            over.push(Instant::elapsed(&begun));
            banned = None;
        }
        answers += u64::from(at.waiting.is_none());
        if at.waiting.is_none() && answers == 4 {
            // Whoever asks during a ban is counted, so that one call alone may be refused.
            banned = Some(Instant::now());
            venue.inject(Fault::Ban { status: 418, seconds: 5 });
        }
        if at.waiting.is_none() && answers == 8 {
            banned = Some(Instant::now());
            venue.inject(Fault::Rest { status: 429, count: 1, delay_ms: 0, retry_after_s: 1 });
        }
    });
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.counts.refusals, 2, "each once: nothing was asked before its time");
    assert_eq!((venue.running.stats().rest_banned, outcome.counts.failures), (1, 0));
    assert!(over[0] >= Duration::from_millis(4_900) && over[1] >= Duration::from_millis(990), "{over:?}");
    // Of the ban what was left when it was met.
    assert!(outcome.counts.waited >= Duration::from_millis(2_800), "{:?}", outcome.counts);
    assert_eq!(rig.aggregates(), venue.aggregates(START, END));
}

#[test]
fn the_venues_limit_is_never_reached_whatever_its_clock_says() {
    // Right, and ten minutes behind the host's or ahead of it.
    [0, -600_000, 600_000].into_iter().for_each(keeps_within_the_limit);
}

fn keeps_within_the_limit(skew_ms: i64) {
    let venue = Venue::with(Market::Spot, |options| {
        options.limits = Limits { weight: Some(120), ..Limits::default() };
    });
    venue.inject(Fault::Skew { ms: skew_ms });
    let mut rig = Rig::new(&venue);
    (rig.request.page_rows, rig.request.calls.use_percent) = (5, 50);
    // All of it would cost some thousands: it waits once the half is used, and is then told to end.
    let outcome = rig.fetch_with(|at, interrupt| {
        if matches!(at.waiting, Some((Waiting::Budget, _))) {
            interrupt.raise();
        }
    });
    assert!(matches!(outcome.error, Some(FetchError::Stopped)), "{:?}", outcome.error);
    let stats = venue.running.stats();
    assert_eq!((stats.rest_refused, stats.rest_banned, outcome.counts.refusals), (0, 0, 0));
    // 21 for the beginning and 4 for each page, of at most 60 a minute: two minutes at most were begun.
    assert!((8..=32).contains(&outcome.counts.calls), "{:?}", outcome.counts);
    let rows = rig.aggregates();
    assert!(!rows.is_empty(), "what came is kept");
    assert_eq!(rows, venue.aggregates(START, END)[..rows.len()]);
}

/// The command line, with what leads to a venue.
fn command(venue: &Venue, history: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
    let rest = format!("https://{}", venue.address());
    command.arg("fetch-history").args(more).args(["--rest", rest.as_str(), "--ca-file"]).arg(venue.ca.path());
    command.arg("--dir").arg(history);
    command
}

const SPAN: [&str; 4] = ["--from", "2025-01-31T23:58:00Z", "--until", "2025-02-01T00:09:00Z"];

#[test]
fn killed_again_and_again_it_loses_nothing_and_doubles_nothing() {
    let venue = Venue::new(Market::Spot);
    let dir = tempdir().expect("a directory");
    let history = dir.path().join("h");
    let mut rng = Rng(7);
    let (mut counts, mut killed) = (Vec::new(), 0);
    let mut calls = venue.running.stats().rest_calls;
    for round in 0..200u64 {
        let more = [
            &["BTCUSDT", "--agg-trades", "--klines", "1m", "--page-rows", "4", "--use-percent", "100"],
            &SPAN[..],
        ];
        let mut child = command(&venue, &history, &more.concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        // Killed while it fetches, after so many calls, however slow or fast the machine is: time says nothing here.
        let patience = 9 + rng.below(12 + round);
        let ended = loop {
            if let Some(status) = child.try_wait().expect("can be asked") {
                break Some(status);
            }
            if venue.running.stats().rest_calls - calls >= patience {
                child.kill().expect("can be killed");
                child.wait().expect("ends");
                break None;
            }
            std::thread::sleep(Duration::from_micros(200));
        };
        calls = venue.running.stats().rest_calls;
        if let Some(status) = ended {
            assert!(status.success(), "{status}");
            break;
        }
        killed += 1;
        let rows = aggregates(&history, Market::Spot);
        assert_eq!(rows, venue.aggregates(START, END)[..rows.len()], "what is there is a beginning of all");
        counts.push(rows.len());
    }
    println!("aggregate trades in the history after each kill: {counts:?}");
    assert!(killed >= 2 && counts.is_sorted(), "{counts:?}");
    assert!(counts.last().is_some_and(|last| *last > 0), "later runs went on: {counts:?}");
    assert_eq!(aggregates(&history, Market::Spot), venue.aggregates(START, END));
    assert_eq!(bars(&history, Market::Spot, "1m"), venue.bars(MINUTE, START, END));
    let series = Catalogue::open(&history).expect("there").series();
    assert!(series.iter().all(|series| series.gaps == Some(0)), "{series:?}");
}

#[test]
fn rows_that_a_killed_run_had_received_are_not_asked_for_again() {
    let venue = Venue::new(Market::Spot);
    let all = venue.aggregates(START, END);
    let rig = Rig::new(&venue);
    // What a run leaves that is killed after 40 rows, in the middle of the next one.
    let left = rig.dir.path().join("fetching/spot/BTC,USDT");
    std::fs::create_dir_all(&left).expect("a directory");
    let shown = |units: i128| format!("{}.{:08}", units / 100_000_000, units % 100_000_000);
    let line =
        |row: &Row| format!("{},{},{},1,1,{},{},true\n", row.0, shown(row.2), shown(row.3), row.1, row.4);
    let text: String = all[..41].iter().map(line).collect();
    let file = left.join(format!("BTCUSDT-aggTrades-{}.csv", all[0].0));
    std::fs::write(&file, &text[..text.len() - 9]).expect("written");
    // And one that is of no use: it is given up, and told.
    std::fs::write(left.join("BTCUSDT-1m-1.csv"), "not,a,bar\n").expect("written");
    let outcome = rig.good();
    assert_eq!((outcome.recovered.rows, outcome.recovered.given_up.len()), (40, 1), "{outcome:?}");
    assert_eq!(outcome.series[0].rows, all.len() as u64 - 40);
    assert_eq!(rig.aggregates(), all);
    assert!(!file.exists());
}

fn refused(output: &Output, status: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn what_cannot_be_fetched_is_refused_with_what_to_do() {
    let venue = Venue::new(Market::Spot);
    let dir = tempdir().expect("a directory");
    let run = |more: &[&str]| command(&venue, dir.path(), more).output().expect("the program runs");
    refused(&run(&[&["BTCUSDT"], &SPAN[..]].concat()), 2, &["--klines 1m", "--agg-trades"]);
    refused(&run(&[&["BTCUSDT", "--klines", "7m"], &SPAN[..]].concat()), 2, &["expected one of 1s, 1m"]);
    refused(&run(&["BTCUSDT", "--klines", "1m", "--from", "yesterday"]), 2, &["expected a day or a moment"]);
    let backwards = ["BTCUSDT", "--klines", "1m", "--from", "2025-02-02", "--until", "2025-02-01"];
    refused(&run(&backwards), 2, &["--until is not after --from"]);
    refused(&run(&["BTCUSDT", "--klines", "1m", "--from", "2200-01-01"]), 2, &["wait until it is past"]);
    let coinm = ["BTCUSDT", "--market", "coinm", "--klines", "1m", "--from", "2025-01-01"];
    refused(&run(&coinm), 2, &["expected spot or usdm"]);
    refused(&run(&[&["NOSUCH", "--klines", "1m"], &SPAN[..]].concat()), 1, &["-1121", "no such symbol"]);
    let mut stranger = Command::new(env!("CARGO_BIN_EXE_algo-trader"));
    let rest = format!("https://{}", venue.address());
    stranger.args(["fetch-history", "BTCUSDT", "--klines", "1m", "--rest", rest.as_str(), "--dir"]);
    let output = stranger.arg(dir.path()).args(SPAN).output().expect("the program runs");
    refused(&output, 1, &["certificate is refused"]);

    let output = run(&[&["BTCUSDT", "--klines", "1m", "--json"], &SPAN[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "nothing is shown where there is no terminal");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&told["rows"], &told["series"][0]["gaps"], &told["error"]),
        (&11.into(), &0.into(), &Value::Null)
    );
}

#[test]
fn a_venue_that_fails_for_good_is_given_up_and_a_wrong_certificate_at_once() {
    let venue = Venue::new(Market::Spot);
    let mut rig = Rig::new(&venue);
    (rig.request.calls.attempts_max, rig.request.page_rows) = (4, 50);
    let mut answers = 0;
    let outcome = rig.fetch_with(|at, _| {
        answers += u64::from(at.waiting.is_none());
        if at.waiting.is_none() && answers == 3 {
            venue.inject(Fault::Rest { status: 502, count: 1_000, delay_ms: 0, retry_after_s: 0 });
        }
    });
    let problem = outcome.error.as_ref().map(ToString::to_string).unwrap_or_default();
    assert!(matches!(outcome.error, Some(FetchError::GaveUp { attempts: 4, .. })), "{problem}");
    assert!(problem.contains("what came before is kept"), "{problem}");
    assert_eq!(rig.aggregates(), venue.aggregates(START, END)[..150]);

    let venue = Venue::new(Market::Spot);
    venue.inject(Fault::Tls { mode: Tls::Expired });
    let outcome = Rig::new(&venue).fetch();
    assert!(matches!(outcome.error, Some(FetchError::Certificate { .. })), "{:?}", outcome.error);
    assert_eq!(outcome.counts.calls, 1);
}
