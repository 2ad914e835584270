//! The local venue over the wire: what the usual client libraries see of it is what Binance documents.

use algo_trader::domain::{InstrumentTable, Market};
use algo_trader::net::FrameSource;
use algo_trader::venue::LevelBuffer;
use algo_trader::venue::binance::Decoder;
use algo_trader::venue::local::serve::{AtEnd, Origin, Pace, Running, Server, ServerOptions};
use algo_trader::venue::local::{FlowConfig, FlowSource, demo_instruments, generated_instruments};
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime};

#[path = "support/frames.rs"]
mod frames;
#[path = "support/local_book.rs"]
mod local_book;
#[path = "support/stream_client.rs"]
mod stream_client;
use local_book::LocalBook;
use stream_client::{Client, connect, get, send, text, text_or_close};

/// Some seconds of the demo market.
fn flow(seconds: u64) -> FlowConfig {
    let mut flow = FlowConfig::new(42, demo_instruments()).with_events_per_s(300);
    flow.duration = Duration::from_secs(seconds);
    flow
}

/// At full speed, from the moment someone listens, to the end.
fn fast(flow: FlowConfig) -> ServerOptions {
    let mut options = ServerOptions::new(Origin::Generated { flow, wall_clock: false });
    options.pace = Pace::Max;
    options.batch = 32;
    options.wait_for_clients = 1;
    options.at_end = AtEnd::Close;
    options
}

fn start(options: ServerOptions) -> Running {
    Server::start(options).expect("the venue starts")
}

/// Frames of one market that the generator makes, snapshots not among them.
fn generated(flow: &FlowConfig, market: Market) -> Vec<String> {
    let mut source = FlowSource::new(flow).expect("a good configuration");
    let markets: Vec<Market> = source.sources().iter().map(|source| source.market).collect();
    let mut frames = Vec::new();
    while let Some(frame) = source.next_frame().expect("a generator has no errors") {
        if markets[usize::from(frame.source.0)] == market && frame.bytes.starts_with(b"{\"stream\"") {
            frames.push(String::from_utf8(frame.bytes.to_vec()).expect("frames are text"));
        }
    }
    frames
}

/// Every frame of a stream connection until it is closed.
fn all(client: &mut Client) -> Vec<Value> {
    let frames = std::iter::from_fn(|| text(client));
    frames.map(|frame| serde_json::from_str(&frame).expect("JSON")).collect()
}

const SPOT: &str = "/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms/\
                    ethusdt@trade/ethusdt@bookTicker/ethusdt@depth@100ms";

#[test]
fn a_client_gets_every_frame_of_the_generator_in_order_over_tls() {
    let flow = flow(5);
    let expected = generated(&flow, Market::Spot);
    let venue = start(fast(flow));
    let endpoint = venue.endpoint(Market::Spot).expect("spot is served");
    assert!(endpoint.stream_url.starts_with("wss://127.0.0.1:") && venue.endpoint(Market::CoinM).is_none());
    let mut client = connect(endpoint, venue.ca_pem(), SPOT);
    let table = InstrumentTable::new(demo_instruments()).expect("distinct");
    let (mut decoder, mut levels) = (Decoder::new(&table), LevelBuffer::new());
    let source = frames::source("wire", Market::Spot, None);
    for expected in &expected {
        let frame = text(&mut client).expect("a frame");
        assert_eq!(frame, *expected);
        decoder.decode(&source, frame.as_bytes(), &mut levels).expect("a frame the decoder knows");
    }
    assert_eq!(text_or_close(&mut client), Err(Some(1001)), "the end is told");
    assert_eq!(decoder.fallbacks(), 0);
    let stats = venue.stop().expect("no panic");
    assert_eq!(stats.frames_sent, expected.len() as u64);
    assert!(stats.feed_ended && stats.gaps == 0 && stats.unreadable_frames == 0, "{stats:?}");
}

#[test]
fn ids_and_prices_are_the_seeds_and_times_the_wall_clocks() {
    let expected: Vec<Value> =
        generated(&flow(2), Market::Spot).iter().map(|f| serde_json::from_str(f).expect("JSON")).collect();
    let mut options = ServerOptions::new(Origin::Generated { flow: flow(2), wall_clock: true });
    (options.wait_for_clients, options.pace) = (1, Pace::Times(4.0));
    let venue = start(options);
    let now =
        || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let before = now();
    let mut client = connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), SPOT);
    for expected in &expected {
        let frame: Value = serde_json::from_str(&text(&mut client).expect("a frame")).expect("JSON");
        for field in ["t", "p", "q", "U", "u", "b", "a", "B", "A"] {
            assert_eq!(frame["data"][field], expected["data"][field]);
        }
        if let Some(time) = frame["data"]["E"].as_u64() {
            assert!((before..now() + 2_500).contains(&time), "{time}");
        }
    }
    let took = now() - before;
    assert!(took >= 400, "two seconds at four times the pace took {took} ms");
}

#[test]
fn a_live_connection_subscribes_lists_and_unsubscribes() {
    let mut options = ServerOptions::generated(7, demo_instruments(), 500);
    options.wait_for_clients = 1;
    let venue = start(options);
    let mut client = connect(venue.endpoint(Market::UsdM).expect("served"), venue.ca_pem(), "/ws");
    send(&mut client, r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#);
    assert_eq!(text(&mut client).as_deref(), Some(r#"{"result":[],"id":1}"#));
    send(&mut client, r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":"two"}"#);
    assert_eq!(text(&mut client).as_deref(), Some(r#"{"result":null,"id":"two"}"#));
    assert!(text(&mut client).is_some_and(|f| f.starts_with(r#"{"e":"trade","E":"#)), "raw frames on /ws");
    // What was sent before the reply is still on its way.
    let until = |client: &mut Client, reply: &str| {
        (0..10_000).map(|_| text(client).expect("a frame")).any(|frame| frame == reply)
    };
    send(&mut client, r#"{"method":"SET_PROPERTY","params":["combined",true],"id":3}"#);
    assert!(until(&mut client, r#"{"result":null,"id":3}"#));
    assert!(
        text(&mut client).is_some_and(|f| f.starts_with(r#"{"stream":"btcusdt@trade","data":{"e":"trade""#))
    );
    send(&mut client, r#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":4}"#);
    assert!(until(&mut client, r#"{"result":null,"id":4}"#));
    std::thread::sleep(Duration::from_millis(1_100));
    send(&mut client, r#"{"method":"SUBSCRIBE","params":["btcusdt"],"id":5}"#);
    let expected = r#"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":5}"#;
    assert_eq!(text(&mut client).as_deref(), Some(expected), "nothing is sent in between any more");
    assert_eq!(venue.stats().subscriptions, 0);
}

#[test]
fn times_come_in_microseconds_where_asked_for() {
    let venue = start(fast(flow(1)));
    let path = "/stream?streams=btcusdt%40trade&timeUnit=MICROSECOND";
    let mut client = connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), path);
    let frames = all(&mut client);
    assert!(!frames.is_empty());
    let start_us = 1_735_689_600_000_000;
    for frame in frames {
        assert_eq!(frame["stream"], "btcusdt@trade");
        assert!(frame["data"]["T"].as_u64().is_some_and(|us| (start_us..start_us + 1_100_000).contains(&us)));
    }
}

/// Makes `attempt` until it says that it came in time to see something: a market at full speed waits for nobody, and one
/// that was over before its first book was there shows nothing, neither good nor bad.
fn in_time(attempt: impl Fn() -> bool) {
    assert!((0..20).any(|_| attempt()), "the market was always over too soon");
}

/// Follows `streams` to the end with a book for each symbol, taken from REST while the feed runs, and compares them
/// with the venue's own.
fn books_agree(options: impl Fn() -> ServerOptions, market: Market, channel: &str, rest: &str) {
    in_time(|| books_agreed(options(), market, channel, rest));
}

/// See above; false where the books came too late.
fn books_agreed(options: ServerOptions, market: Market, channel: &str, rest: &str) -> bool {
    let venue = start(options);
    let endpoint = venue.endpoint(market).expect("served");
    let listed = get(endpoint, venue.ca_pem(), &format!("{rest}/exchangeInfo")).json();
    let symbols: Vec<String> = listed["symbols"]
        .as_array()
        .expect("symbols")
        .iter()
        .map(|row| row["symbol"].as_str().expect("text").to_owned())
        .collect();
    let decimals = |symbol: &str| {
        let row = listed["symbols"].as_array().expect("symbols").iter().find(|row| row["symbol"] == symbol);
        let row = row.expect("listed");
        let spot = (&row["quotePrecision"], &row["baseAssetPrecision"]);
        let futures = (&row["pricePrecision"], &row["quantityPrecision"]);
        let (price, qty) = if market == Market::Spot { spot } else { futures };
        (price.as_u64().expect("an integer") as u8, qty.as_u64().expect("an integer") as u8)
    };
    let names: Vec<String> = symbols.iter().map(|s| format!("{}@{channel}", s.to_lowercase())).collect();
    let mut client = connect(endpoint, venue.ca_pem(), &format!("/stream?streams={}", names.join("/")));
    let mut books: Vec<LocalBook> =
        symbols.iter().map(|symbol| decimals(symbol)).map(|(p, q)| LocalBook::new(p, q)).collect();
    let (mut frames, mut snapshots) = (0, 0);
    while let Some(frame) = text(&mut client) {
        let frame: Value = serde_json::from_str(&frame).expect("JSON");
        let at = names.iter().position(|name| *name == frame["stream"]).expect("a stream of mine");
        books[at].diff(&frame["data"]);
        frames += 1;
        // A snapshot for each in turn, amid the feed.
        if frames % 10 == 0 && snapshots < symbols.len() {
            let answer = get(
                endpoint,
                venue.ca_pem(),
                &format!("{rest}/depth?symbol={}&limit=1000", symbols[snapshots]),
            );
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert!(books[snapshots].snapshot(&answer.json()), "the snapshot is not older than the stream");
            snapshots += 1;
        }
    }
    assert_eq!(snapshots, symbols.len(), "the feed was long enough: {frames} frames");
    for (symbol, book) in symbols.iter().zip(&books) {
        assert_eq!(book.gaps, 0, "{symbol}");
        let expected = venue.book(market, symbol, 20).expect("a book");
        assert_eq!(
            (book.best(20), book.update_id),
            ((expected.bids, expected.asks), expected.update_id),
            "{symbol}"
        );
    }
    assert!(venue.book(market, "NOSUCH", 1).is_none());
    assert_eq!(venue.stats().gaps, 0);
    books.iter().all(|book| book.applied > 5)
}

#[test]
fn a_spot_book_kept_by_the_documented_rule_equals_the_venues() {
    books_agree(|| fast(flow(30)), Market::Spot, "depth@100ms", "/api/v3");
}

#[test]
fn a_futures_book_kept_by_the_documented_rule_equals_the_venues() {
    books_agree(|| fast(flow(10)), Market::UsdM, "depth@0ms", "/fapi/v1");
}

#[test]
fn slower_diffs_lead_to_the_same_book() {
    books_agree(|| fast(flow(60)), Market::Spot, "depth", "/api/v3");
    books_agree(|| fast(flow(20)), Market::UsdM, "depth@100ms", "/fapi/v1");
}

#[test]
fn bars_and_aggregates_are_those_of_the_trades() {
    let venue = start(fast(flow(150)));
    let path = "/stream?streams=btcusdt@trade/btcusdt@kline_1m/btcusdt@kline_1s/btcusdt@aggTrade";
    let mut client = connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), path);
    let (mut trades, mut aggregated, mut closed) = (Vec::new(), 0, [0u64; 2]);
    let units = |value: &Value| {
        algo_trader::domain::decimal::parse(value.as_str().expect("text").as_bytes(), 8).expect("a number")
    };
    let mut last_agg = None;
    for frame in all(&mut client) {
        let data = &frame["data"];
        match frame["stream"].as_str().expect("a name") {
            "btcusdt@trade" => {
                trades.push((data["T"].as_u64().expect("a time"), units(&data["p"]), units(&data["q"])));
            }
            "btcusdt@aggTrade" => {
                let (first, last) = (data["f"].as_u64().expect("an id"), data["l"].as_u64().expect("an id"));
                aggregated += last - first + 1;
                let id = data["a"].as_u64().expect("an id");
                assert!(last_agg.is_none_or(|before| id == before + 1));
                last_agg = Some(id);
            }
            _ => {
                let bar = &data["k"];
                if bar["x"] != true {
                    continue;
                }
                let (open, close) = (bar["t"].as_u64().expect("a time"), bar["T"].as_u64().expect("a time"));
                closed[usize::from(bar["i"] == "1m")] += 1;
                let within: Vec<_> = trades.iter().filter(|(at, ..)| (open..=close).contains(at)).collect();
                assert_eq!(bar["n"].as_u64(), Some(within.len() as u64), "{bar}");
                assert_eq!(units(&bar["v"]), within.iter().map(|(.., qty)| qty).sum::<i64>());
                if let (Some(first), Some(last)) = (within.first(), within.last()) {
                    assert_eq!((units(&bar["o"]), units(&bar["c"])), (first.1, last.1));
                    assert_eq!(Some(units(&bar["h"])), within.iter().map(|(_, price, _)| *price).max());
                    assert_eq!(Some(units(&bar["l"])), within.iter().map(|(_, price, _)| *price).min());
                }
            }
        }
    }
    assert!(closed[0] >= 147 && closed[1] == 2, "{closed:?}");
    assert_eq!(aggregated, trades.len() as u64, "every trade is in one aggregate");
}

#[test]
fn partial_books_are_the_top_of_the_book() {
    in_time(|| partial_books_compared() > 100);
}

/// How many partial books were compared with a book that is kept.
fn partial_books_compared() -> usize {
    let venue = start(fast(flow(20)));
    let endpoint = venue.endpoint(Market::Spot).expect("served");
    let mut client =
        connect(endpoint, venue.ca_pem(), "/stream?streams=btcusdt@depth@100ms/btcusdt@depth5@100ms");
    let mut book = LocalBook::new(8, 8);
    assert!(book.snapshot(&get(endpoint, venue.ca_pem(), "/api/v3/depth?symbol=BTCUSDT&limit=5000").json()));
    let mut compared = 0;
    for frame in all(&mut client) {
        if frame["stream"] == "btcusdt@depth@100ms" {
            book.diff(&frame["data"]);
        } else if frame["data"]["lastUpdateId"] == book.update_id {
            let mut partial = LocalBook::new(8, 8);
            partial.snapshot(&frame["data"]);
            assert_eq!(partial.best(20), book.best(5));
            compared += 1;
        }
    }
    compared
}

#[test]
fn hundreds_of_instruments_are_served_on_one_connection() {
    let mut flow = FlowConfig::new(3, generated_instruments(300)).with_events_per_s(20);
    flow.duration = Duration::from_secs(3);
    let expected = generated(&flow, Market::Spot).len();
    let venue = start(fast(flow));
    let names: Vec<String> = generated_instruments(300)
        .iter()
        .filter(|of| of.market == Market::Spot)
        .flat_map(|of| {
            ["trade", "bookTicker", "depth@100ms"].map(|c| format!("{}@{c}", of.symbol.to_lowercase()))
        })
        .collect();
    assert_eq!(names.len(), 675);
    let path = format!("/stream?streams={}", names.join("/"));
    let mut client = connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), &path);
    assert_eq!(all(&mut client).len(), expected);
}

#[test]
fn recorded_frames_arrive_byte_for_byte_and_their_books_agree() {
    let Some(recorded) = frames::recorded() else { return };
    let mut recorded = recorded.into_iter();
    // In the order of the files.
    for (market, channel, rest) in [
        (Market::CoinM, "depth@0ms", "/dapi/v1"),
        (Market::Spot, "depth@100ms", "/api/v3"),
        (Market::UsdM, "depth@0ms", "/fapi/v1"),
    ] {
        let count = 12_000;
        let file = recorded.find(|file| file.source.market == market).expect("each market is recorded");
        let name = |frame: &[u8]| {
            let text = String::from_utf8(frame.to_vec()).expect("text");
            text.strip_prefix(r#"{"stream":""#)
                .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
        };
        let expected: Vec<&[u8]> =
            file.frames().take(count).map(|(_, frame)| frame).filter(|f| name(f).is_some()).collect();
        let mut names: Vec<String> = expected.iter().filter_map(|frame| name(frame)).collect();
        names.sort();
        names.dedup();
        let options = || {
            let mut options = ServerOptions::recorded(Box::new(Slice::of(&file, count)), Vec::new());
            (options.pace, options.batch, options.wait_for_clients) = (Pace::Max, 32, 1);
            options.at_end = AtEnd::Close;
            options
        };
        let venue = start(options());
        let path = format!("/stream?streams={}", names.join("/"));
        let mut client = connect(venue.endpoint(market).expect("served"), venue.ca_pem(), &path);
        for expected in &expected {
            assert_eq!(text(&mut client).expect("a frame").as_bytes(), *expected);
        }
        assert_eq!(text(&mut client), None);
        drop(venue);
        books_agree(options, market, channel, rest);
    }
}

/// The first frames of a recorded file.
struct Slice {
    sources: Vec<algo_trader::net::SourceInfo>,
    frames: std::vec::IntoIter<(u64, Vec<u8>)>,
    now: (u64, Vec<u8>),
}

impl Slice {
    fn of(file: &frames::Recorded, count: usize) -> Self {
        let frames: Vec<_> =
            file.timed_frames().take(count).map(|(at, frame)| (at, frame.to_vec())).collect();
        Self { sources: vec![file.source.clone()], frames: frames.into_iter(), now: (0, Vec::new()) }
    }
}

impl FrameSource for Slice {
    fn sources(&self) -> &[algo_trader::net::SourceInfo] {
        &self.sources
    }

    fn next_frame(&mut self) -> Result<Option<algo_trader::net::Frame<'_>>, algo_trader::net::SourceError> {
        let Some(next) = self.frames.next() else { return Ok(None) };
        self.now = next;
        let (received, source) = (algo_trader::domain::Time(self.now.0), algo_trader::net::SourceId(0));
        Ok(Some(algo_trader::net::Frame { received, source, line: 0, bytes: &self.now.1 }))
    }
}

#[test]
fn a_recording_is_served_at_its_own_pace() {
    let Some(recorded) = frames::recorded() else { return };
    let file = recorded.iter().find(|file| file.source.market == Market::Spot).expect("spot is recorded");
    let times: Vec<u64> = file.timed_frames().take(1_500).map(|(at, _)| at).collect();
    let recorded_s = (times[times.len() - 1] - times[0]) as f64 / 1e9;
    let served_in = || {
        let mut options = ServerOptions::recorded(Box::new(Slice::of(file, 1_500)), Vec::new());
        options.pace = Pace::Times(recorded_s);
        (options.wait_for_clients, options.at_end) = (1, AtEnd::Close);
        let venue = start(options);
        let path = "/ws/btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms";
        let began = Instant::now();
        let mut client = connect(venue.endpoint(Market::Spot).expect("served"), venue.ca_pem(), path);
        all(&mut client);
        let took = began.elapsed().as_secs_f64();
        assert!(took > 0.9, "one second was due, and it took {took:.2} s");
        took
    };
    // Never sooner; later only where the machine has no time for it.
    let mut quickest = f64::INFINITY;
    for _ in 0..5 {
        quickest = quickest.min(served_in());
        if quickest < 3.0 {
            return;
        }
    }
    panic!("one second was due, and it never took less than {quickest:.2} s");
}
